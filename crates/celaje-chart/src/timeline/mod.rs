//! A timeline of okta readings: one panel for up to a day and a half, else a row a day.
//!
//! Every reading is one mark: a cap at its okta and a body below it; 0 oktas is a cap alone, on
//! the zero line. The lower the confidence, the fainter the mark. A picture that does not show the
//! sky (9) is a mark of the whole height, crossed. A slot without a reading is hatched.

mod data;
mod panel;
pub mod strip;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::axis::{LABEL, TimeAxis};
use crate::font::{fit, text_width};
use crate::legend::Key;
use crate::plot::{Layout, Plot};
use crate::svg::{Anchor, TextStyle, stroke};
use crate::theme::{AXIS, GRID};
use crate::words::{
    GROUPS, category, count, hidden_in, misses, oktas, range, readings, short_date, tell, unit,
};
use celaje_sky::sun::DayPhase;

use data::TimelineData;
pub use data::{MAX_DAYS, Reading, Timeline};
use panel::{MISS_LANE, Panel, at_least_an_hour};

/// Hours up to which a range is one panel.
const ONE_PANEL_HOURS: i64 = 36;
const PANEL_HEIGHT: f64 = 264.0;
/// Room for a line of labels.
const LABELS: f64 = 20.0;
/// Room for a row's date and counts to end before the next row.
const BETWEEN_ROWS: f64 = 3.0;

const LEGEND: [Key; 7] = [
    Key::OktasAndGroups,
    Key::Confidence,
    Key::Twilight,
    Key::Night,
    Key::Gap,
    Key::Hidden,
    Key::Miss,
];

impl Timeline<'_> {
    /// The timeline as SVG. Each mark has the class `reading`, `data-slot` and `data-okta` (0 to
    /// 9), each tick of a miss the class `miss`, each hatched gap `gap`, the crosses over marks of
    /// 9 `veil`.
    pub fn svg(&self) -> String {
        let data = TimelineData::of(self);
        if data.to - data.from <= TimeDelta::hours(ONE_PANEL_HOURS) {
            one_panel(&data)
        } else {
            rows(&data)
        }
    }
}

/// A layout with the heading and the legend.
fn layout(data: &TimelineData<'_>) -> Layout {
    let lang = data.look.lang;
    let mut when = range(lang, data.from, data.to);
    if data.cut {
        when += &tell!(lang, " (last {MAX_DAYS} days)", " (últimos {MAX_DAYS} días)");
    }
    let tail = tell!(lang, " · {when} · local time", " · {when} · hora local");
    let station = fit(data.station, 14.0, 780.0 - text_width(&tail, 14.0));
    let counted = |n: usize| count(lang, n as u64);
    let slots = data.slots.len();
    let read = if slots > 0 {
        let (read, slots) = (counted(data.read(data.from, data.to)), counted(slots));
        tell!(lang, "{read} of {slots} slots read", "{read} de {slots} turnos leídos")
    } else {
        readings(lang, u32::try_from(data.readings.len()).unwrap_or(u32::MAX))
    };
    let mut rest = vec![misses(lang, data.misses.len())];
    if let Some(median) = data.median() {
        let median = oktas(lang, median);
        rest.push(tell!(lang, "median {median}", "mediana {median}"));
    }
    rest.extend(hidden_in(lang, u32::try_from(data.hidden()).unwrap_or(u32::MAX)));
    Layout {
        counts: vec![read, rest.join(" · ")],
        legend: &LEGEND,
        ..Layout::new(data.look, data.title.to_owned(), &format!("{station}{tail}"), "")
    }
}

fn one_panel(data: &TimelineData<'_>) -> String {
    let look = data.look;
    let (from, to) = at_least_an_hour(data.from, round_up(data.end));
    let days = from.date() != data.end.date();
    let layout = Layout {
        height: PANEL_HEIGHT,
        left: if look.bare { 22.0 } else { 32.0 },
        right: if look.is_wide() { 170.0 } else { 12.0 } - look.margin(),
        below: MISS_LANE + LABELS + if days { LABELS } else { 0.0 },
        ..layout(data)
    };
    layout.draw(|plot| {
        let frame = plot.frame;
        let axis = frame.time_axis(from, to);
        let panel = Panel::new(plot, axis, (from, to), (frame.top, frame.bottom));
        panel.draw(plot, data, |plot| plot.grid(&panel.amounts, 0..=8));
        plot.unit(&unit(plot.lang));
        if look.is_wide() {
            metar_axis(plot, &panel);
        }
        sun_times(plot, data, &panel);
        plot.hours(&axis, MISS_LANE, 52.0);
        if days {
            dates(plot, &axis);
        }
        empty_note(plot, data);
    })
}

/// The METAR groups right of the panel.
fn metar_axis(plot: &mut Plot, panel: &Panel) {
    let (lang, x, top) = (plot.lang, plot.frame.right, plot.frame.top);
    let soft = TextStyle::soft(LABEL, Anchor::Start);
    plot.text((x + 14.0, top - 10.0), soft, "METAR");
    for (group, low, high) in GROUPS {
        let y0 = panel.amounts.y(f64::from(high)) - 6.0;
        let y1 = panel.amounts.y(f64::from(low)) + 6.0;
        plot.line((x + 7.0, y0), (x + 7.0, y1), stroke(AXIS, 1.4));
        let y = f64::midpoint(y0, y1) + 4.5;
        let ink = TextStyle::ink(13.0, Anchor::Start);
        plot.text((x + 14.0, y), ink, group.as_str());
        plot.text((x + 46.0, y), soft, &category(lang, group));
    }
}

/// Sunrise and sunset above the panel, right of the axis' unit.
fn sun_times(plot: &mut Plot, data: &TimelineData<'_>, panel: &Panel) {
    let (lang, frame, wide) = (plot.lang, plot.frame, plot.look.is_wide());
    let unit = plot.look.margin() + text_width(&unit(lang), LABEL) + 8.0;
    let free = panel.axis.left.max(unit);
    for pair in data.phases.windows(2) {
        let [before, after] = pair else { continue };
        let event = match (before.phase, after.phase) {
            (_, DayPhase::Day) if wide => tell!(lang, "sunrise", "salida del sol"),
            (DayPhase::Day, _) if wide => tell!(lang, "sunset", "puesta del sol"),
            (_, DayPhase::Day) => tell!(lang, "rise", "sale"),
            (DayPhase::Day, _) => tell!(lang, "set", "se pone"),
            _ => continue,
        };
        if before.to != after.from || !(panel.from..=panel.to).contains(&after.from) {
            continue;
        }
        let label = format!("{event} {}", after.from.format("%H:%M"));
        let half = text_width(&label, LABEL) / 2.0;
        let x = panel.axis.x(after.from);
        plot.line((x, frame.top - 6.0), (x, frame.top), stroke(AXIS, 1.0));
        let x = x.min(panel.axis.right - half).max(free + half);
        let style = TextStyle::soft(LABEL, Anchor::Middle);
        plot.text((x, frame.top - 10.0), style, &label);
    }
}

/// Each date below its hours.
fn dates(plot: &mut Plot, axis: &TimeAxis) {
    let y = plot.frame.bottom + MISS_LANE + LABELS + 14.0;
    for (day, (from, to)) in days(axis.from, axis.to) {
        let label = short_date(plot.lang, day);
        let (x0, x1) = (axis.x_within(from), axis.x_within(to));
        if from > axis.from {
            plot.line((x0, y - 14.0), (x0, y + 4.0), stroke(GRID, 1.0));
        }
        if x1 - x0 >= text_width(&label, LABEL) {
            let style = TextStyle::soft(LABEL, Anchor::Middle);
            plot.text((f64::midpoint(x0, x1), y), style, &label);
        }
    }
}

/// A day with its first and last second in a range.
type DayPart = (NaiveDate, (NaiveDateTime, NaiveDateTime));

/// The days that `from..=to` touches.
fn days(from: NaiveDateTime, to: NaiveDateTime) -> Vec<DayPart> {
    let part = |day: NaiveDate| {
        let begin = from.max(day.and_time(NaiveTime::MIN));
        (day, (begin, to.min(last_second(day))))
    };
    std::iter::successors(Some(from.date()), NaiveDate::succ_opt)
        .take_while(|day| *day <= to.date())
        .map(part)
        .collect()
}

fn midnight_after(day: NaiveDate) -> NaiveDateTime {
    let next = day.succ_opt();
    next.map_or(NaiveDateTime::MAX, |next| next.and_time(NaiveTime::MIN))
}

/// The last second of a day counts as midnight.
fn round_up(t: NaiveDateTime) -> NaiveDateTime {
    if t == last_second(t.date()) { midnight_after(t.date()) } else { t }
}

fn last_second(day: NaiveDate) -> NaiveDateTime {
    let before = midnight_after(day).checked_sub_signed(TimeDelta::seconds(1));
    before.unwrap_or(NaiveDateTime::MAX)
}

fn rows(data: &TimelineData<'_>) -> String {
    let (look, days) = (data.look, days(data.from, data.end));
    let height = match days.len() {
        0..=3 => 110.0,
        4..=7 => 62.0,
        8..=14 => 42.0,
        _ => 26.0,
    };
    let pitch = height + MISS_LANE + BETWEEN_ROWS;
    let layout = Layout {
        height: pitch * days.len() as f64,
        left: if look.is_wide() { 97.0 } else { 84.0 },
        right: if look.is_wide() { 89.0 } else { 8.0 },
        below: LABELS,
        ..layout(data)
    };
    layout.draw(|plot| {
        let whole = plot.frame;
        if look.is_wide() {
            let at = (plot.width - look.margin(), whole.top - 10.0);
            let count = tell!(plot.lang, "read", "leídos");
            plot.text(at, TextStyle::soft(LABEL, Anchor::End), &count);
        }
        for (i, (day, asked)) in days.iter().enumerate() {
            let top = whole.top + pitch * i as f64;
            let midnight = day.and_time(NaiveTime::MIN);
            let axis = whole.time_axis(midnight, midnight_after(*day));
            let panel = Panel::new(plot, axis, *asked, (top, top + height));
            panel.draw(plot, data, |plot| {
                for okta in [0.0, 4.0, 8.0] {
                    plot.grid_line(panel.amounts.y(okta));
                }
            });
            row_labels(plot, data, &panel, *day);
            if i + 1 == days.len() {
                plot.hours(&axis, MISS_LANE, 70.0);
            }
        }
        plot.frame = whole;
        empty_note(plot, data);
    })
}

fn row_labels(plot: &mut Plot, data: &TimelineData<'_>, panel: &Panel, day: NaiveDate) {
    let (lang, frame, margin) = (plot.lang, plot.frame, plot.look.margin());
    let middle = f64::midpoint(frame.top, frame.bottom) + 4.5;
    let date = TextStyle::ink(13.5, Anchor::Start);
    plot.text((margin, middle), date, &short_date(lang, day));
    if frame.height() >= 40.0 {
        for okta in [0, 8] {
            let at = (frame.left - 7.0, panel.amounts.y(f64::from(okta)) + 3.5);
            plot.text(at, TextStyle::soft(10.5, Anchor::End), &okta.to_string());
        }
    }
    let slots = data.slots.range(panel.from..=panel.to).count();
    if slots > 0 && plot.look.is_wide() {
        let count = format!("{} / {slots}", data.read(panel.from, panel.to));
        let at = (plot.width - margin, middle);
        plot.text(at, TextStyle::soft(13.0, Anchor::End), &count);
    }
}

fn empty_note(plot: &mut Plot, data: &TimelineData<'_>) {
    if data.readings.is_empty() {
        let is_due = !data.slots.is_empty();
        let slots = count(plot.lang, data.slots.len() as u64);
        let misses = misses(plot.lang, data.misses.len());
        let more = tell!(
            plot.lang,
            "{slots} slots expected, {misses}",
            "{slots} turnos esperados, {misses}"
        );
        plot.empty_note(data.begun, is_due.then_some(more.as_str()));
    }
}

#[cfg(test)]
mod tests;
