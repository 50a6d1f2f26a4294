//! The whole picture: heading, panels with their labels, legend.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::day::Record;
use super::heading::Heading;
use super::legend;
use super::panel::{MISS_LANE, Panel, at_least_an_hour, define_patterns};
use super::svg::{Anchor, Svg, Type};
use super::theme::{AXIS, GRID, INK, PAPER, SOFT_INK, text_width};
use super::time::Axis;
use super::words::{category, misses, short_date, tell};
use celaje_sky::okta::{Category, Okta};
use celaje_sky::say;
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;

/// Hours up to which a range is one panel.
const ONE_PANEL_HOURS: i64 = 36;

const HEADING: f64 = 104.0;
/// Room above the panels of a bare chart.
const BARE_HEADING: f64 = 24.0;
const PANEL_HEIGHT: f64 = 264.0;
const HOURS: f64 = 20.0;
const TICK: Type = Type::soft(12.5, Anchor::Middle);

/// Draws the timeline of `record`.
pub(super) fn draw(record: &Record<'_>) -> String {
    if record.to - record.from <= TimeDelta::hours(ONE_PANEL_HOURS) {
        one_panel(record)
    } else {
        rows(record)
    }
}

fn start(record: &Record<'_>, height: f64) -> Svg {
    let heading = Heading::of(record);
    let width = record.look.width();
    let mut svg = Svg::new(width, height, record.title, &heading.description());
    define_patterns(&mut svg);
    if !record.look.bare {
        heading.draw(&mut svg, record);
    }
    svg
}

fn heading_height(record: &Record<'_>) -> f64 {
    if record.look.bare {
        BARE_HEADING
    } else {
        HEADING
    }
}

/// Room that the legend takes, with the space above and below it.
fn legend_height(record: &Record<'_>) -> f64 {
    if record.look.bare {
        2.0
    } else {
        22.0 + legend::HEIGHT + 18.0
    }
}

/// What stands above the axis of a panel.
fn unit(lang: Lang) -> String {
    tell(lang, say!("oktas", "octas"))
}

fn one_panel(record: &Record<'_>) -> String {
    let (from, to) = at_least_an_hour(record.from, round_up(record.end));
    let look = record.look;
    let beside = if look.is_wide() { 170.0 } else { 12.0 };
    let left = look.margin() + if look.bare { 22.0 } else { 32.0 };
    let right = look.width() - beside;
    let top = heading_height(record);
    let bottom = top + PANEL_HEIGHT;
    let days = from.date() != record.end.date();
    let labels = bottom + MISS_LANE + HOURS + if days { HOURS } else { 0.0 };
    let mut svg = start(record, labels + legend_height(record));
    let axis = Axis {
        from,
        to,
        left,
        right,
    };
    let grid = &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let panel = Panel {
        axis,
        asked: (from, to),
        top,
        bottom,
        grid,
    };
    panel.draw(&mut svg, record);
    for okta in Okta::ALL {
        let y = panel.y(f64::from(okta.eighths())) + 4.5;
        svg.text(
            (panel.edges().0 - 8.0, y),
            Type::soft(13.0, Anchor::End),
            &okta.to_string(),
        );
    }
    svg.text(
        (look.margin(), top - 12.0),
        Type::soft(12.5, Anchor::Start),
        &unit(record.lang),
    );
    if look.is_wide() {
        metar_axis(&mut svg, record, &panel);
    }
    sun_times(&mut svg, record, &panel);
    hours(&mut svg, &panel, bottom + MISS_LANE, 52.0);
    if days {
        day_labels(&mut svg, record, &axis, bottom + MISS_LANE + HOURS + 14.0);
    }
    empty_note(
        &mut svg,
        record,
        ((left + right) / 2.0, (top + bottom) / 2.0),
    );
    if !look.bare {
        legend::draw(&mut svg, record, look.margin(), labels + 22.0);
    }
    svg.finish()
}

/// The METAR groups beside the panel.
fn metar_axis(svg: &mut Svg, record: &Record<'_>, panel: &Panel) {
    let x = panel.edges().1;
    let groups = [
        (Category::Skc, 0.0, 0.0),
        (Category::Few, 1.0, 2.0),
        (Category::Sct, 3.0, 4.0),
        (Category::Bkn, 5.0, 7.0),
        (Category::Ovc, 8.0, 8.0),
    ];
    svg.text(
        (x + 14.0, panel.top - 12.0),
        Type::soft(12.5, Anchor::Start),
        "METAR",
    );
    for (group, low, high) in groups {
        let (y0, y1) = (panel.y(high) - 6.0, panel.y(low) + 6.0);
        let stroke = format_args!("stroke=\"{AXIS}\" stroke-width=\"1.4\"");
        svg.line((x + 7.0, y0), (x + 7.0, y1), stroke);
        let y = (y0 + y1) / 2.0 + 4.5;
        let code = group.as_str();
        svg.text(
            (x + 14.0, y),
            Type {
                size: 13.0,
                fill: INK,
                anchor: Anchor::Start,
            },
            code,
        );
        svg.text(
            (x + 46.0, y),
            Type::soft(12.5, Anchor::Start),
            &category(record.lang, group),
        );
    }
}

/// Sunrise and sunset above the panel, beside the axis' unit.
fn sun_times(svg: &mut Svg, record: &Record<'_>, panel: &Panel) {
    let unit = text_width(&unit(record.lang), 12.5);
    let free = panel.axis.left.max(record.look.margin() + unit + 8.0);
    for pair in record.stretches.windows(2) {
        let [before, after] = pair else { continue };
        let wide = record.look.is_wide();
        let event = match (before.phase, after.phase) {
            (_, DayPhase::Day) if wide => say!("sunrise", "salida del sol"),
            (DayPhase::Day, _) if wide => say!("sunset", "puesta del sol"),
            (_, DayPhase::Day) => say!("rise", "sale"),
            (DayPhase::Day, _) => say!("set", "se pone"),
            _ => continue,
        };
        let (from, to) = panel.asked;
        if before.to != after.from || !(from..=to).contains(&after.from) {
            continue;
        }
        let label = format!(
            "{} {}",
            tell(record.lang, event),
            after.from.format("%H:%M")
        );
        let half = text_width(&label, 12.5) / 2.0;
        let x = panel.axis.x(after.from);
        let stroke = format_args!("stroke=\"{AXIS}\" stroke-width=\"1\"");
        svg.line((x, panel.top - 6.0), (x, panel.top), stroke);
        let x = x.min(panel.axis.right - half).max(free + half);
        svg.text((x, panel.top - 12.0), TICK, &label);
    }
}

fn hours(svg: &mut Svg, panel: &Panel, y: f64, room: f64) {
    for tick in panel.axis.ticks(room) {
        let x = panel.axis.x(tick);
        let stroke = format_args!("stroke=\"{AXIS}\" stroke-width=\"1\"");
        svg.line((x, panel.bottom), (x, panel.bottom + 4.0), stroke);
        // The end of a day is its 24:00.
        let midnight = tick == panel.axis.to && tick.time() == NaiveTime::MIN;
        let label = if midnight {
            "24:00".to_owned()
        } else {
            tick.format("%H:%M").to_string()
        };
        svg.text((x, y + 12.0), TICK, &label);
    }
}

/// Each date below the hours that belong to it.
fn day_labels(svg: &mut Svg, record: &Record<'_>, axis: &Axis, y: f64) {
    for (day, (from, to)) in days(axis.from, axis.to) {
        let label = short_date(record.lang, day);
        let (x0, x1) = (axis.x_within(from), axis.x_within(to));
        if from > axis.from {
            let stroke = format_args!("stroke=\"{GRID}\" stroke-width=\"1\"");
            svg.line((x0, y - 14.0), (x0, y + 4.0), stroke);
        }
        if x1 - x0 >= text_width(&label, 12.5) {
            svg.text(((x0 + x1) / 2.0, y), TICK, &label);
        }
    }
}

/// The days that `from..=to` touches, each with its first and last second within.
fn days(
    from: NaiveDateTime,
    to: NaiveDateTime,
) -> Vec<(NaiveDate, (NaiveDateTime, NaiveDateTime))> {
    std::iter::successors(Some(from.date()), |day| day.succ_opt())
        .take_while(|day| *day <= to.date())
        .map(|day| {
            (
                day,
                (
                    from.max(day.and_time(NaiveTime::MIN)),
                    to.min(last_second(day)),
                ),
            )
        })
        .collect()
}

fn midnight_after(day: NaiveDate) -> NaiveDateTime {
    day.succ_opt()
        .map_or(NaiveDateTime::MAX, |next| next.and_time(NaiveTime::MIN))
}

/// The last second of a day counts as midnight.
fn round_up(t: NaiveDateTime) -> NaiveDateTime {
    if t == last_second(t.date()) {
        midnight_after(t.date())
    } else {
        t
    }
}

fn last_second(day: NaiveDate) -> NaiveDateTime {
    midnight_after(day)
        .checked_sub_signed(TimeDelta::seconds(1))
        .unwrap_or(NaiveDateTime::MAX)
}

fn rows(record: &Record<'_>) -> String {
    let days = days(record.from, record.end);
    let height = match days.len() {
        0..=3 => 110.0,
        4..=7 => 62.0,
        8..=14 => 42.0,
        _ => 26.0,
    };
    let look = record.look;
    let beside = if look.is_wide() { 89.0 } else { 8.0 };
    let left = look.margin() + if look.is_wide() { 97.0 } else { 84.0 };
    let right = look.width() - look.margin() - beside;
    let heading = heading_height(record);
    let pitch = height + MISS_LANE + 3.0;
    let end = heading + pitch * days.len() as f64;
    let mut svg = start(record, end + HOURS + legend_height(record));
    if look.is_wide() {
        let count = tell(record.lang, say!("read", "leídos"));
        svg.text(
            (look.width() - look.margin(), heading - 12.0),
            Type::soft(12.5, Anchor::End),
            &count,
        );
    }
    for (i, (day, asked)) in days.iter().enumerate() {
        let top = heading + pitch * i as f64;
        let axis = Axis {
            from: day.and_time(NaiveTime::MIN),
            to: midnight_after(*day),
            left,
            right,
        };
        let panel = Panel {
            axis,
            asked: *asked,
            top,
            bottom: top + height,
            grid: &[0.0, 4.0, 8.0],
        };
        panel.draw(&mut svg, record);
        row_labels(&mut svg, record, &panel, *day);
        if i + 1 == days.len() {
            hours(&mut svg, &panel, end - 3.0, 70.0);
        }
    }
    empty_note(
        &mut svg,
        record,
        ((left + right) / 2.0, (heading + end) / 2.0),
    );
    if !look.bare {
        legend::draw(&mut svg, record, look.margin(), end + HOURS + 22.0);
    }
    svg.finish()
}

fn row_labels(svg: &mut Svg, record: &Record<'_>, panel: &Panel, day: NaiveDate) {
    let left = panel.edges().0;
    let middle = (panel.top + panel.bottom) / 2.0 + 4.5;
    let tall = panel.bottom - panel.top >= 40.0;
    let date = Type {
        size: 13.5,
        fill: INK,
        anchor: Anchor::Start,
    };
    let margin = record.look.margin();
    svg.text((margin, middle), date, &short_date(record.lang, day));
    if tall {
        for okta in [0.0, 8.0] {
            let label = format!("{okta:.0}");
            svg.text(
                (left - 7.0, panel.y(okta) + 3.5),
                Type::soft(10.5, Anchor::End),
                &label,
            );
        }
    }
    let slots = record.slots.range(panel.asked.0..=panel.asked.1).count();
    let read = record.read(panel.asked.0, panel.asked.1);
    if slots > 0 && record.look.is_wide() {
        let style = Type {
            size: 13.0,
            fill: SOFT_INK,
            anchor: Anchor::End,
        };
        svg.text(
            (record.look.width() - margin, middle),
            style,
            &format!("{read} / {slots}"),
        );
    }
}

/// What stands in the middle of a timeline without a reading.
fn empty_note(svg: &mut Svg, record: &Record<'_>, (x, y): (f64, f64)) {
    if !record.readings.is_empty() {
        return;
    }
    let (slots, misses) = (record.slots.len(), misses(record.lang, record.misses.len()));
    let first = tell(
        record.lang,
        say!(
            "No readings in this range",
            "Sin lecturas en este intervalo"
        ),
    );
    let second = tell(
        record.lang,
        say!(
            "{slots} slots expected, {misses}",
            "{slots} turnos esperados, {misses}"
        ),
    );
    let width = text_width(&first, 18.0).max(text_width(&second, 13.5)) + 64.0;
    let style = format_args!("rx=\"5\" fill=\"{PAPER}\" stroke=\"{GRID}\" stroke-width=\"1\"");
    svg.rect((x - width / 2.0, y - 38.0), (width, 76.0), style);
    svg.text(
        (x, y - 4.0),
        Type {
            size: 18.0,
            fill: INK,
            anchor: Anchor::Middle,
        },
        &first,
    );
    svg.text((x, y + 20.0), Type::soft(13.5, Anchor::Middle), &second);
}
