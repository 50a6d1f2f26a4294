//! A timeline of okta readings as SVG: one panel for up to a day and a half, else a row a day.
//!
//! Every reading is one mark: a cap at its okta and a body below it; 0 oktas is a cap alone, on
//! the zero line. The mark is the fainter the lower the confidence. A picture that does not show the
//! sky (9) is a mark too, but no amount: its whole height is crossed. A slot without a reading has no
//! mark: its place is hatched.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, NaiveTime, TimeDelta};

use super::frame;
use super::look::Look;
use super::sun::{Stretch, SunSample, stretches};
use celaje_sky::cover::Cover;
use celaje_sky::okta::Okta;
use celaje_sky::slot::SlotRange;
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;

/// The most days that a timeline draws; of a longer range it draws the last ones, and says so.
pub const MAX_DAYS: i64 = 31;

/// The spacing of slots in minutes where neither slots nor readings tell it.
const DEFAULT_STEP: f64 = 10.0;

/// A range that ends this close to midnight ends with the day.
pub(super) const NEARLY: TimeDelta = TimeDelta::minutes(10);

/// One reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Station local time of the slot.
    pub local: NaiveDateTime,
    /// Cloud amount, or that the sky cannot be seen.
    pub cover: Cover,
    /// Cloud fraction, 0 to 1, where the model tells it.
    pub cloud_fraction: Option<f64>,
    /// Probability that the okta is right, 0 to 1; none of a sky that is not seen.
    pub confidence: Option<f64>,
    /// Day, twilight or night.
    pub phase: DayPhase,
}

/// What a timeline is drawn from. All times are station local time, in any order; what lies
/// outside the range is left out, and of two readings of one slot the later one in the list
/// counts.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    /// Language of the labels.
    pub lang: Lang,
    /// Title; shortened where it is too long.
    pub title: &'a str,
    /// Name of the station for people.
    pub station: &'a str,
    /// First and last minute.
    pub range: SlotRange,
    /// The slots that are expected; a slot without a reading shows as a gap.
    pub slots: &'a [NaiveDateTime],
    /// The readings.
    pub readings: &'a [Reading],
    /// Slots that were asked for and gave no reading: ticks below the axis. A slot that has a
    /// reading is no miss.
    pub misses: &'a [NaiveDateTime],
    /// The sun's elevation over the range ([`track`](super::sun::track)), ascending in time; night
    /// and twilight are shaded by it. Nothing is shaded where there is none.
    pub sun: &'a [SunSample],
}

impl Timeline<'_> {
    /// The timeline as an SVG document, [`WIDTH`] units wide and as high as it
    /// needs. Each mark has the class `reading`, `data-slot` and `data-okta` (0 to 9), each tick of a
    /// miss the class `miss`, each hatched stretch `gap`, the crosses over marks of 9 `veil`.
    pub fn svg(&self) -> String {
        self.svg_as(Look::alone(self.lang))
    }

    /// The same in another layout.
    pub fn svg_as(&self, look: Look) -> String {
        frame::draw(&Record::of(self, look))
    }
}

/// Width of a timeline in SVG units (CSS pixels at scale 1).
pub const WIDTH: f64 = super::theme::WIDTH;

/// A timeline's input, sorted and cut to the range.
pub(super) struct Record<'a> {
    pub lang: Lang,
    pub look: Look,
    pub title: &'a str,
    pub station: &'a str,
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
    /// `to`, or the last second of its day where that is less than [`NEARLY`] away.
    pub end: NaiveDateTime,
    /// Whether days before `from` were left out.
    pub cut: bool,
    pub slots: BTreeSet<NaiveDateTime>,
    pub readings: BTreeMap<NaiveDateTime, &'a Reading>,
    pub misses: BTreeSet<NaiveDateTime>,
    pub stretches: Vec<Stretch>,
    /// Spacing of the slots in minutes.
    pub step: f64,
}

impl<'a> Record<'a> {
    fn of(timeline: &Timeline<'a>, look: Look) -> Self {
        let to = timeline.range.to();
        let earliest = to
            .date()
            .and_time(NaiveTime::MIN)
            .checked_sub_signed(TimeDelta::days(MAX_DAYS - 1))
            .unwrap_or(timeline.range.from());
        let from = timeline.range.from().max(earliest);
        let within = |t: &NaiveDateTime| (from..=to).contains(t);
        let slots: BTreeSet<_> = timeline.slots.iter().copied().filter(within).collect();
        let readings: BTreeMap<_, _> = timeline
            .readings
            .iter()
            .filter(|reading| within(&reading.local))
            .map(|reading| (reading.local, reading))
            .collect();
        let misses = timeline
            .misses
            .iter()
            .copied()
            .filter(|t| within(t) && !readings.contains_key(t))
            .collect();
        let step = spacing(slots.iter().chain(readings.keys()).copied().collect());
        Self {
            lang: look.lang,
            look,
            title: timeline.title,
            station: timeline.station,
            from,
            to,
            end: end_of_day(to),
            cut: from > timeline.range.from(),
            slots,
            readings,
            misses,
            stretches: stretches(timeline.sun),
            step,
        }
    }

    /// Slots that have a reading.
    pub fn read(&self, from: NaiveDateTime, to: NaiveDateTime) -> usize {
        self.slots
            .range(from..=to)
            .filter(|slot| self.readings.contains_key(slot))
            .count()
    }

    /// Readings that say that the sky cannot be seen.
    pub fn hidden(&self) -> usize {
        let covers = self.readings.values().map(|reading| reading.cover);
        covers.filter(|cover| cover.okta().is_none()).count()
    }

    /// The middle amount (the lower of two).
    pub fn median(&self) -> Option<Okta> {
        let covers = self.readings.values().map(|reading| reading.cover);
        let mut oktas: Vec<Okta> = covers.filter_map(Cover::okta).collect();
        oktas.sort_unstable();
        oktas.get(oktas.len().checked_sub(1)? / 2).copied()
    }
}

fn end_of_day(to: NaiveDateTime) -> NaiveDateTime {
    match to.date().and_hms_opt(23, 59, 59) {
        Some(last) if last - to < NEARLY => to.max(last),
        _ => to,
    }
}

/// The most usual time between neighbours, in minutes.
fn spacing(times: BTreeSet<NaiveDateTime>) -> f64 {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for (a, b) in times.iter().zip(times.iter().skip(1)) {
        *counts.entry((*b - *a).num_minutes()).or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(minutes, _)| *minutes > 0)
        .max_by_key(|(minutes, count)| (*count, -minutes))
        .map_or(DEFAULT_STEP, |(minutes, _)| minutes as f64)
}

#[cfg(test)]
#[path = "day_tests.rs"]
mod tests;
