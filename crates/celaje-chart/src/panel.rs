//! One panel: the marks of a stretch of time over shaded hours.

use chrono::{NaiveDateTime, TimeDelta};

use super::day::{Reading, Record};
use super::svg::{Escaped, Num, Svg};
use super::theme::{
    AXIS, GRID, HATCH, MISS, NIGHT, PAPER, TWILIGHT, VEIL, VEIL_INK, okta_colour, opacity,
};
use super::time::{Axis, minutes};
use super::words::{category, hidden, percent, phase, tell};
use celaje_sky::okta::Okta;
use celaje_sky::say;
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;

/// The name of the hatching in an SVG's definitions.
pub const HATCH_ID: &str = "celaje-gap";

/// What the names of the crosses of a sky that cannot be seen begin with, in an SVG's definitions.
const VEIL_ID: &str = "celaje-veil";
/// A cross with the room around it.
const CROSS: f64 = 8.0;

/// The fill of a stretch from `x` on, `width` wide, with crosses that stand in its middle: there is a
/// pattern for each step that they can be moved by.
pub fn crosses(x: f64, width: f64) -> String {
    let whole = (width / CROSS).floor().max(1.0) * CROSS;
    let begin = (x + (width - whole) / 2.0).rem_euclid(CROSS).round();
    let step = if begin < CROSS { begin } else { 0.0 };
    format!("url(#{VEIL_ID}-{step})")
}

/// Room below the frame that the ticks of misses take.
pub const MISS_LANE: f64 = 9.0;

/// Room between the frame's left and right edges and the first and last moment.
const SIDE: f64 = 5.0;

/// How far the first and the last phase are taken to go on beyond what is known of the sun:
/// ranges of a moment are drawn in a panel of an hour.
const BEYOND: TimeDelta = TimeDelta::minutes(30);

/// The widest mark, however few slots there are.
const WIDEST_MARK: f64 = 22.0;

/// A panel's place.
pub struct Panel {
    /// Time from left to right.
    pub axis: Axis,
    /// The part of the axis that was asked for: its first and last moment.
    pub asked: (NaiveDateTime, NaiveDateTime),
    /// y of the frame's upper edge.
    pub top: f64,
    /// y of the frame's lower edge.
    pub bottom: f64,
    /// Oktas at which there is a grid line.
    pub grid: &'static [f64],
}

impl Panel {
    /// Thickness of a cap.
    fn cap(&self) -> f64 {
        ((self.bottom - self.top) / 60.0).clamp(1.6, 4.0)
    }

    /// The y of an amount in oktas; 0 lies a little above the frame's lower edge, so that a cap
    /// there stands clear of it.
    pub fn y(&self, oktas: f64) -> f64 {
        let (zero, eight) = (self.bottom - 1.5 * self.cap(), self.top + 2.0 * self.cap());
        zero - (zero - eight) * oktas / 8.0
    }

    /// The x of the frame's left and right edges; marks at the first and last minute stand clear
    /// of them.
    pub fn edges(&self) -> (f64, f64) {
        let (first, last) = (self.axis.x(self.asked.0), self.axis.x(self.asked.1));
        (first - SIDE, last + SIDE)
    }

    /// Draws everything but the labels.
    pub fn draw(&self, svg: &mut Svg, record: &Record<'_>) {
        let (left, right) = self.edges();
        let frame = (right - left, self.bottom - self.top);
        svg.rect((left, self.top), frame, format_args!("fill=\"{PAPER}\""));
        self.shade(svg, record);
        for okta in self.grid {
            let y = self.y(*okta);
            svg.line(
                (left, y),
                (right, y),
                format_args!("stroke=\"{GRID}\" stroke-width=\"0.8\""),
            );
        }
        self.hatch(svg, record);
        for reading in record
            .readings
            .range(self.asked.0..=self.asked.1)
            .map(|(_, r)| *r)
        {
            self.mark(svg, record, reading);
        }
        self.veil(svg, record);
        svg.rect(
            (left, self.top),
            frame,
            format_args!("fill=\"none\" stroke=\"{AXIS}\" stroke-width=\"1\""),
        );
        self.misses(svg, record);
    }

    fn shade(&self, svg: &mut Svg, record: &Record<'_>) {
        let (left, right) = self.edges();
        let last = record.stretches.len().saturating_sub(1);
        for (i, stretch) in record.stretches.iter().enumerate() {
            let fill = match stretch.phase {
                DayPhase::Day => continue,
                DayPhase::Twilight => TWILIGHT,
                DayPhase::Night => NIGHT,
            };
            let (mut from, mut to) = (stretch.from, stretch.to);
            if i == 0 {
                from = from.checked_sub_signed(BEYOND).unwrap_or(from);
            }
            if i == last {
                to = to.checked_add_signed(BEYOND).unwrap_or(to);
            }
            if from < self.asked.1 && to > self.asked.0 {
                let x0 = if from <= self.asked.0 {
                    left
                } else {
                    self.axis.x(from)
                };
                let x1 = if to >= self.asked.1 {
                    right
                } else {
                    self.axis.x(to)
                };
                let size = (x1 - x0, self.bottom - self.top);
                let class = stretch.phase.as_str();
                svg.rect(
                    (x0, self.top),
                    size,
                    format_args!("class=\"{class}\" fill=\"{fill}\""),
                );
            }
        }
    }

    /// Hatches each run of slots without a reading.
    fn hatch(&self, svg: &mut Svg, record: &Record<'_>) {
        let mut run: Option<(NaiveDateTime, NaiveDateTime)> = None;
        for slot in record.slots.range(self.asked.0..=self.asked.1) {
            if record.readings.contains_key(slot) {
                self.hatch_run(svg, record, run.take());
            } else {
                run = Some((run.map_or(*slot, |(first, _)| first), *slot));
            }
        }
        self.hatch_run(svg, record, run);
    }

    fn hatch_run(
        &self,
        svg: &mut Svg,
        record: &Record<'_>,
        run: Option<(NaiveDateTime, NaiveDateTime)>,
    ) {
        let Some((first, last)) = run else { return };
        let half = record.step * self.axis.unit() / 2.0;
        let (left, right) = self.edges();
        svg.raw(format_args!(
            "<g data-at=\"{}\" data-to=\"{}\"><title>{}</title>",
            first.format("%Y-%m-%dT%H:%M"),
            last.format("%Y-%m-%dT%H:%M"),
            Escaped(&nothing(record.lang, first, last)),
        ));
        let x0 = (self.axis.x(first) - half).max(left);
        let x1 = (self.axis.x(last) + half).min(right);
        svg.rect(
            (x0, self.top),
            (x1 - x0, self.bottom - self.top),
            format_args!("class=\"gap\" fill=\"url(#{HATCH_ID})\""),
        );
        svg.raw(format_args!("</g>\n"));
    }

    /// The width of a mark.
    fn mark_width(&self, record: &Record<'_>) -> f64 {
        (record.step * self.axis.unit() * 0.8).clamp(0.8, WIDEST_MARK)
    }

    fn mark(&self, svg: &mut Svg, record: &Record<'_>, reading: &Reading) {
        let (width, cap) = (self.mark_width(record), self.cap());
        let x = self.axis.x(reading.local) - width / 2.0;
        let okta = reading.cover.okta();
        let (colour, opacity) = match okta {
            Some(okta) => (
                okta_colour(okta),
                opacity(reading.confidence.unwrap_or(0.0)),
            ),
            None => (VEIL, 1.0),
        };
        svg.raw(format_args!(
            "<g class=\"reading\" data-slot=\"{}\" data-okta=\"{}\" fill=\"{colour}\" opacity=\"{}\"><title>{}</title>",
            reading.local.format("%Y-%m-%dT%H:%M"),
            reading.cover,
            Num(opacity),
            Escaped(&description(record.lang, reading)),
        ));
        let Some(okta) = okta else {
            let size = (width, self.bottom - self.top);
            svg.rect((x, self.top), size, format_args!(""));
            svg.raw(format_args!("</g>\n"));
            return;
        };
        let y = self.y(f64::from(okta.eighths()));
        if okta > Okta::ALL[0] {
            let (body, foot) = (y + cap / 2.0, self.y(0.0) + cap / 2.0);
            let size = (width, foot - body);
            svg.rect((x, body), size, format_args!("fill-opacity=\"0.5\""));
        }
        svg.rect((x, y - cap / 2.0), (width, cap), format_args!(""));
        svg.raw(format_args!("</g>\n"));
    }

    /// Crosses each run of readings of a sky that cannot be seen: one element a run, since
    /// patterns are dear in print.
    fn veil(&self, svg: &mut Svg, record: &Record<'_>) {
        let half = self.mark_width(record) / 2.0;
        let mut run: Option<(NaiveDateTime, NaiveDateTime)> = None;
        let mut cross = |run: Option<(NaiveDateTime, NaiveDateTime)>| {
            let Some((first, last)) = run else { return };
            let (x0, x1) = (self.axis.x(first) - half, self.axis.x(last) + half);
            let size = (x1 - x0, self.bottom - self.top);
            svg.rect(
                (x0, self.top),
                size,
                format_args!(
                    "class=\"veil\" pointer-events=\"none\" fill=\"{}\"",
                    crosses(x0, size.0)
                ),
            );
        };
        let within = record.readings.range(self.asked.0..=self.asked.1);
        for (local, _) in within.filter(|(_, reading)| reading.cover.okta().is_none()) {
            match &mut run {
                Some((_, last)) if minutes(*local - *last) <= record.step => *last = *local,
                _ => cross(run.replace((*local, *local))),
            }
        }
        cross(run);
    }

    fn misses(&self, svg: &mut Svg, record: &Record<'_>) {
        let width = (self.mark_width(record) * 0.5).clamp(0.8, 2.0);
        for miss in record.misses.range(self.asked.0..=self.asked.1) {
            let x = self.axis.x(*miss);
            svg.line(
                (x, self.bottom + 2.0),
                (x, self.bottom + MISS_LANE - 2.0),
                format_args!(
                    "class=\"miss\" data-miss=\"{}\" stroke=\"{MISS}\" stroke-width=\"{}\"",
                    miss.format("%Y-%m-%dT%H:%M"),
                    Num(width)
                ),
            );
        }
    }
}

/// The hatching of gaps and the crosses of a sky that cannot be seen, for an SVG's definitions.
pub fn define_patterns(svg: &mut Svg) {
    svg.raw(format_args!(
        "<defs><pattern id=\"{HATCH_ID}\" patternUnits=\"userSpaceOnUse\" width=\"6\" height=\"6\" \
         patternTransform=\"rotate(45)\">\
         <rect width=\"1.2\" height=\"6\" fill=\"{HATCH}\"/></pattern>"
    ));
    for step in 0..CROSS as u32 {
        svg.raw(format_args!(
            "<pattern id=\"{VEIL_ID}-{step}\" patternUnits=\"userSpaceOnUse\" x=\"{step}\" \
             width=\"{CROSS}\" height=\"{CROSS}\">\
             <path d=\"M2 2L6 6M6 2L2 6\" stroke=\"{VEIL_INK}\" fill=\"none\"/></pattern>"
        ));
    }
    svg.raw(format_args!("</defs>\n"));
}

/// What a pointer over a mark reads.
/// What is said of slots without a reading, from the first to the last of them.
fn nothing(lang: Lang, first: NaiveDateTime, last: NaiveDateTime) -> String {
    let none = tell(lang, say!("no reading", "sin lectura"));
    let from = first.format("%Y-%m-%d %H:%M");
    match last {
        _ if first == last => format!("{from} · {none}"),
        _ if first.date() == last.date() => format!("{from} – {} · {none}", last.format("%H:%M")),
        _ => format!("{from} – {} · {none}", last.format("%Y-%m-%d %H:%M")),
    }
}

fn description(lang: Lang, reading: &Reading) -> String {
    let when = reading.local.format("%Y-%m-%d %H:%M");
    let light = phase(lang, reading.phase);
    let Some(okta) = reading.cover.okta() else {
        let (cover, group) = (reading.cover, reading.cover.category());
        return format!("{when} · {cover} {group} ({}) · {light}", hidden(lang));
    };
    let group = okta.category();
    let meaning = category(lang, group);
    let group = group.as_str();
    let oktas = say!(
        "{okta}/8 {group} ({meaning})",
        "{okta}/8 {group} ({meaning})"
    );
    let mut text = format!("{when} · {} · {light}", tell(lang, oktas));
    if let Some(fraction) = reading.cloud_fraction {
        let cloud = percent(fraction);
        text += &tell(lang, say!(" · cloud {cloud}", " · nubes {cloud}"));
    }
    if let Some(confidence) = reading.confidence {
        let confidence = percent(confidence);
        text += &tell(
            lang,
            say!(" · confidence {confidence}", " · confianza {confidence}"),
        );
    }
    text
}

/// The range, widened on both sides to an hour where it is shorter.
pub fn at_least_an_hour(from: NaiveDateTime, to: NaiveDateTime) -> (NaiveDateTime, NaiveDateTime) {
    let missing = (60.0 - minutes(to - from)).max(0.0);
    let half = TimeDelta::seconds((missing * 30.0) as i64);
    (
        from.checked_sub_signed(half).unwrap_or(from),
        to.checked_add_signed(half).unwrap_or(to),
    )
}
