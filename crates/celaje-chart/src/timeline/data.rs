//! What a timeline is drawn from.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, NaiveTime, TimeDelta};

use crate::look::Look;
use crate::sun::{PhaseSpan, SunSample, phases};
use crate::words::NEARLY;
use celaje_sky::cover::Cover;
use celaje_sky::okta::Okta;
use celaje_sky::slot::SlotRange;
use celaje_sky::sun::DayPhase;

/// A timeline draws this many days at most: the last ones of a longer range, and says so.
pub const MAX_DAYS: i64 = 31;

/// The spacing of slots in minutes if there is only one.
const DEFAULT_SPACING: f64 = 10.0;

#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Station local time of the slot.
    pub local: NaiveDateTime,
    pub cover: Cover,
    /// Cloud fraction, 0 to 1, if the model tells it.
    pub cloud_fraction: Option<f64>,
    /// Probability that the okta is right, 0 to 1; none of a hidden sky.
    pub confidence: Option<f64>,
    pub phase: DayPhase,
}

/// A timeline's input in station local time and any order. What lies outside the range is left
/// out; of two readings of one slot the later one in the list counts.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    pub look: Look,
    pub title: &'a str,
    /// Name of the station for people.
    pub station: &'a str,
    /// First and last minute.
    pub range: SlotRange,
    /// The expected slots; one without a reading is a gap.
    pub slots: &'a [NaiveDateTime],
    /// The record's first reading, if it has any. Before it and before the first miss of the range
    /// no slot is expected.
    pub first: Option<NaiveDateTime>,
    pub readings: &'a [Reading],
    /// Slots whose pictures gave no reading; a slot that has a reading is no miss.
    pub misses: &'a [NaiveDateTime],
    /// The sun's elevation over the range ([`track`](crate::sun::track)), ascending in time. Night
    /// and twilight are shaded by it.
    pub sun: &'a [SunSample],
    /// The last slot of which the replaced system made the reading, if any.
    pub replaced_until: Option<NaiveDateTime>,
}

/// A timeline's input, sorted and cut to the range.
pub(super) struct TimelineData<'a> {
    pub look: Look,
    pub title: &'a str,
    pub station: &'a str,
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
    /// `to`, or the last second of its day if that is less than [`NEARLY`] away.
    pub end: NaiveDateTime,
    /// Whether days before `from` were left out.
    pub cut: bool,
    pub slots: BTreeSet<NaiveDateTime>,
    /// Whether the record has a reading.
    pub begun: bool,
    pub readings: BTreeMap<NaiveDateTime, &'a Reading>,
    pub misses: BTreeSet<NaiveDateTime>,
    pub phases: Vec<PhaseSpan>,
    /// Spacing of the slots in minutes.
    pub spacing: f64,
    pub replaced_until: Option<NaiveDateTime>,
}

impl<'a> TimelineData<'a> {
    pub fn of(timeline: &Timeline<'a>) -> Self {
        let to = timeline.range.to();
        let midnight = to.date().and_time(NaiveTime::MIN);
        let earliest = midnight
            .checked_sub_signed(TimeDelta::days(MAX_DAYS - 1))
            .unwrap_or(timeline.range.from());
        let from = timeline.range.from().max(earliest);
        let within = |t: &NaiveDateTime| (from..=to).contains(t);
        let begins = timeline.first.into_iter().chain(timeline.misses.iter().copied()).min();
        let expected = |t: &NaiveDateTime| within(t) && begins.is_some_and(|begins| begins <= *t);
        let slots: BTreeSet<_> = timeline.slots.iter().copied().filter(expected).collect();
        let readings = timeline.readings.iter();
        let readings: BTreeMap<_, _> = readings
            .filter(|reading| within(&reading.local))
            .map(|reading| (reading.local, reading))
            .collect();
        let misses = timeline.misses.iter().copied();
        Self {
            look: timeline.look,
            title: timeline.title,
            station: timeline.station,
            from,
            to,
            end: end_of_day(to),
            cut: from > timeline.range.from(),
            misses: misses.filter(|t| within(t) && !readings.contains_key(t)).collect(),
            phases: phases(timeline.sun),
            spacing: spacing(slots.iter().chain(readings.keys()).copied().collect()),
            slots,
            begun: timeline.first.is_some(),
            readings,
            replaced_until: timeline.replaced_until,
        }
    }

    /// How many slots of `from..=to` have a reading.
    pub fn read(&self, from: NaiveDateTime, to: NaiveDateTime) -> usize {
        let slots = self.slots.range(from..=to);
        slots.filter(|slot| self.readings.contains_key(slot)).count()
    }

    /// How many readings say that the sky is hidden.
    pub fn hidden(&self) -> usize {
        let readings = self.readings.values();
        readings.filter(|reading| reading.cover.okta().is_none()).count()
    }

    /// The median amount (the lower one of two).
    pub fn median(&self) -> Option<Okta> {
        let readings = self.readings.values();
        let mut oktas: Vec<Okta> = readings.filter_map(|reading| reading.cover.okta()).collect();
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

/// The most frequent time between neighbours, in minutes.
fn spacing(times: BTreeSet<NaiveDateTime>) -> f64 {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for (a, b) in times.iter().zip(times.iter().skip(1)) {
        *counts.entry((*b - *a).num_minutes()).or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(minutes, _)| *minutes > 0)
        .max_by_key(|(minutes, count)| (*count, -minutes))
        .map_or(DEFAULT_SPACING, |(minutes, _)| minutes as f64)
}
