//! One panel of a timeline: the marks of a stretch of time.

use chrono::{NaiveDateTime, TimeDelta};

use super::data::{Reading, TimelineData};
use crate::axis::{TimeAxis, ValueAxis, minutes};
use crate::plot::{Frame, Plot};
use crate::svg::{Num, fill, stroke};
use crate::theme::{MISS, VEIL, okta_colour, opacity};
use crate::words::{MINUTE, category, hidden, moment, no_reading, percent, phase, tell};
use celaje_sky::okta::Okta;
use celaje_sky::text::Lang;

/// Room below the frame for the ticks of misses.
pub const MISS_LANE: f64 = 9.0;
/// Room between the frame's edges and the first and last moment.
const SIDE: f64 = 5.0;
const WIDEST_MARK: f64 = 22.0;

pub struct Panel {
    pub axis: TimeAxis,
    /// First and last moment that are drawn.
    pub from: NaiveDateTime,
    pub to: NaiveDateTime,
    /// The oktas. 0 lies a little above the frame's lower edge, so that a cap there stands clear.
    pub amounts: ValueAxis,
    /// Thickness of a cap.
    cap: f64,
}

impl Panel {
    /// A panel from `top` to `bottom`; gives the plot its frame.
    pub fn new(
        plot: &mut Plot,
        axis: TimeAxis,
        (from, to): (NaiveDateTime, NaiveDateTime),
        (top, bottom): (f64, f64),
    ) -> Self {
        plot.frame = Frame { left: axis.x(from) - SIDE, right: axis.x(to) + SIDE, top, bottom };
        let cap = ((bottom - top) / 60.0).clamp(1.6, 4.0);
        let amounts = plot.frame.value_axis(1.5 * cap, 8.0, 2.0 * cap);
        Self { axis, from, to, amounts, cap }
    }

    /// Draws everything but the labels; `grid` draws what lies between shades and marks.
    pub fn draw(&self, plot: &mut Plot, data: &TimelineData<'_>, grid: impl FnOnce(&mut Plot)) {
        plot.paper();
        plot.shade(&self.axis, (self.from, self.to), &data.phases);
        grid(plot);
        self.gaps(plot, data);
        for (_, reading) in data.readings.range(self.from..=self.to) {
            self.mark(plot, data, reading);
        }
        self.crosses(plot, data);
        if let Some(last) = data.replaced_until.filter(|t| (self.from..=self.to).contains(t)) {
            let x = self.axis.x(last) + data.spacing * self.axis.unit() / 2.0;
            plot.end_of_replaced(x.min(plot.frame.right), last);
        }
        plot.outline();
        self.misses(plot, data);
    }

    fn gaps(&self, plot: &mut Plot, data: &TimelineData<'_>) {
        let (lang, frame) = (plot.lang, plot.frame);
        let half = data.spacing * self.axis.unit() / 2.0;
        let slots: Vec<_> = data.slots.range(self.from..=self.to).copied().collect();
        let is_gap = |slot: &NaiveDateTime| !data.readings.contains_key(slot);
        for run in slots.chunk_by(|a, b| is_gap(a) == is_gap(b)) {
            let ([first, ..], [.., last]) = (run, run) else {
                continue;
            };
            if !is_gap(first) {
                continue;
            }
            let (from, to) = (first.format(MINUTE), last.format(MINUTE));
            let data = format_args!("data-at=\"{from}\" data-to=\"{to}\"");
            plot.open(data, &gap_title(lang, *first, *last));
            let x0 = (self.axis.x(*first) - half).max(frame.left);
            let x1 = (self.axis.x(*last) + half).min(frame.right);
            plot.hatch(x0, x1 - x0);
            plot.close();
        }
    }

    fn mark_width(&self, data: &TimelineData<'_>) -> f64 {
        (data.spacing * self.axis.unit() * 0.8).clamp(0.8, WIDEST_MARK)
    }

    /// A cap at the okta and a body below it; a hidden sky is a mark of the whole height.
    fn mark(&self, plot: &mut Plot, data: &TimelineData<'_>, reading: &Reading) {
        let (width, cap, frame) = (self.mark_width(data), self.cap, plot.frame);
        let x = self.axis.x(reading.local) - width / 2.0;
        let (title, okta) = (reading_title(plot.lang, reading), reading.cover.okta());
        let (colour, opacity) = match okta {
            Some(okta) => (okta_colour(okta), opacity(reading.confidence.unwrap_or(0.0))),
            None => (VEIL, 1.0),
        };
        plot.open(
            format_args!(
                "class=\"reading\" data-slot=\"{}\" data-okta=\"{}\" {} opacity=\"{}\"",
                reading.local.format(MINUTE),
                reading.cover,
                fill(colour),
                Num(opacity),
            ),
            &title,
        );
        match okta {
            None => plot.rect((x, frame.top), (width, frame.height()), ""),
            Some(okta) => {
                let y = self.amounts.y(f64::from(okta.eighths()));
                if okta > Okta::ALL[0] {
                    let size = (width, self.amounts.zero - y);
                    plot.rect((x, y + cap / 2.0), size, "fill-opacity=\"0.5\"");
                }
                plot.rect((x, y - cap / 2.0), (width, cap), "");
            }
        }
        plot.close();
    }

    /// Crosses runs of readings of a hidden sky: one element a run, since patterns are slow to
    /// print.
    fn crosses(&self, plot: &mut Plot, data: &TimelineData<'_>) {
        let (half, frame) = (self.mark_width(data) / 2.0, plot.frame);
        let readings = data.readings.range(self.from..=self.to);
        let hidden = readings.filter(|(_, reading)| reading.cover.okta().is_none());
        let hidden: Vec<NaiveDateTime> = hidden.map(|(local, _)| *local).collect();
        for run in hidden.chunk_by(|a, b| minutes(*b - *a) <= data.spacing) {
            let ([first, ..], [.., last]) = (run, run) else {
                continue;
            };
            let (x0, x1) = (self.axis.x(*first) - half, self.axis.x(*last) + half);
            plot.crosses((x0, frame.top), (x1 - x0, frame.height()));
        }
    }

    fn misses(&self, plot: &mut Plot, data: &TimelineData<'_>) {
        let width = (self.mark_width(data) * 0.5).clamp(0.8, 2.0);
        let (top, bottom) = (plot.frame.bottom + 2.0, plot.frame.bottom + MISS_LANE - 2.0);
        for miss in data.misses.range(self.from..=self.to) {
            let (x, at) = (self.axis.x(*miss), miss.format(MINUTE));
            let style = format_args!("class=\"miss\" data-miss=\"{at}\" {}", stroke(MISS, width));
            plot.line((x, top), (x, bottom), style);
        }
    }
}

/// The tooltip of a gap from its first to its last slot.
fn gap_title(lang: Lang, first: NaiveDateTime, last: NaiveDateTime) -> String {
    let none = no_reading(lang);
    let from = moment(lang, first);
    match last {
        _ if first == last => format!("{from} · {none}"),
        _ if first.date() == last.date() => format!("{from} – {} · {none}", last.format("%H:%M")),
        _ => format!("{from} – {} · {none}", moment(lang, last)),
    }
}

/// The tooltip of a reading.
fn reading_title(lang: Lang, reading: &Reading) -> String {
    let when = moment(lang, reading.local);
    let (cover, light) = (reading.cover, phase(lang, reading.phase));
    let Some(okta) = cover.okta() else {
        return format!("{when} · {cover} {} ({}) · {light}", cover.category(), hidden(lang));
    };
    let group = okta.category();
    let (code, meaning) = (group.as_str(), category(lang, group));
    let mut text = format!("{when} · {okta}/8 {code} ({meaning}) · {light}");
    if let Some(fraction) = reading.cloud_fraction {
        let cloud = percent(fraction);
        text += &tell!(lang, " · cloud {cloud}", " · nubes {cloud}");
    }
    if let Some(confidence) = reading.confidence {
        let confidence = percent(confidence);
        text += &tell!(lang, " · confidence {confidence}", " · confianza {confidence}");
    }
    text
}

/// The range, widened on both sides to an hour if it is shorter.
pub fn at_least_an_hour(from: NaiveDateTime, to: NaiveDateTime) -> (NaiveDateTime, NaiveDateTime) {
    let missing = (60.0 - minutes(to - from)).max(0.0);
    let half = TimeDelta::seconds((missing * 30.0) as i64);
    (from.checked_sub_signed(half).unwrap_or(from), to.checked_add_signed(half).unwrap_or(to))
}
