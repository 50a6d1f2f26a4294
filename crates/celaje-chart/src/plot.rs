//! What the charts of many readings have in common: heading, frame, axes, legend.

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::bucket::Bucket;
use super::look::Look;
use super::panel::{HATCH_ID, crosses, define_patterns};
use super::svg::{Anchor, Svg, Type};
use super::theme::{AXIS, GRID, INK, PAPER, VEIL, fit, okta_colour, text_width};
use super::words::{day_and_month, hidden, short_month, tell};
use celaje_sky::okta::Okta;
use celaje_sky::say;

/// Size of the labels of an axis.
pub const LABEL: f64 = 12.5;
/// Room above the frame of a chart with a title.
const HEADING: f64 = 96.0;
/// Room that a legend takes below a chart.
pub const LEGEND: f64 = 44.0;

/// The words over a chart.
pub struct Words<'a> {
    /// Title.
    pub title: &'a str,
    /// Place and time.
    pub place: &'a str,
    /// What the chart says, in a sentence, for a screen reader and below the title.
    pub summary: &'a str,
}

/// A chart being drawn: a frame in an SVG.
pub struct Plot {
    /// The document.
    pub svg: Svg,
    /// Its layout.
    pub look: Look,
    /// x of the frame's edges.
    pub left: f64,
    /// x of the frame's edges.
    pub right: f64,
    /// y of the frame's edges.
    pub top: f64,
    /// y of the frame's edges.
    pub bottom: f64,
}

/// Room around a frame, beside margin, heading and legend.
pub struct Room {
    /// Left of it.
    pub left: f64,
    /// Right of it.
    pub right: f64,
    /// Below it.
    pub below: f64,
    /// Whether a legend follows when the chart stands alone.
    pub legend: bool,
}

impl Plot {
    /// A chart with a frame of `height`.
    pub fn new(look: Look, words: &Words<'_>, height: f64, room: &Room) -> Self {
        let (width, margin) = (look.width(), look.margin());
        let top = if look.bare { 22.0 } else { HEADING };
        let bottom = top + height;
        let legend = match (room.legend, look.bare) {
            (true, false) => LEGEND + 14.0,
            (false, false) => 14.0,
            (_, true) => 2.0,
        };
        let about = match words.summary {
            "" => words.place.to_owned(),
            summary => format!("{}: {summary}", words.place),
        };
        let mut svg = Svg::new(
            width,
            bottom + room.below + legend,
            words.title,
            about.trim(),
        );
        define_patterns(&mut svg);
        if !look.bare {
            let wide = width - 2.0 * margin;
            let title = Type {
                size: 23.0,
                fill: INK,
                anchor: Anchor::Start,
            };
            svg.text((margin, 38.0), title, &fit(words.title, 23.0, wide));
            let soft = Type::soft(14.0, Anchor::Start);
            let line = format!("{} · {}", words.place, words.summary);
            svg.text((margin, 62.0), soft, &fit(&line, 14.0, wide));
        }
        let (left, right) = (margin + room.left, width - margin - room.right);
        Self {
            svg,
            look,
            left,
            right,
            top,
            bottom,
        }
    }

    /// White paper inside the frame.
    pub fn paper(&mut self) {
        let size = (self.right - self.left, self.bottom - self.top);
        self.svg.rect(
            (self.left, self.top),
            size,
            format_args!("fill=\"{PAPER}\""),
        );
    }

    /// The frame's line.
    pub fn frame(&mut self) {
        let size = (self.right - self.left, self.bottom - self.top);
        let style = format_args!("fill=\"none\" stroke=\"{AXIS}\" stroke-width=\"1\"");
        self.svg.rect((self.left, self.top), size, style);
    }

    /// A label and a line across the frame at `y`.
    pub fn grid(&mut self, y: f64, label: &str) {
        let style = format_args!("stroke=\"{GRID}\" stroke-width=\"0.8\"");
        self.svg.line((self.left, y), (self.right, y), style);
        let at = (self.left - 7.0, y + 4.5);
        self.svg.text(at, Type::soft(LABEL, Anchor::End), label);
    }

    /// What the vertical axis counts, above it.
    pub fn unit(&mut self, text: &str) {
        let at = (self.look.margin(), self.top - 9.0);
        self.svg.text(at, Type::soft(LABEL, Anchor::Start), text);
    }

    /// Marks and labels of time below the frame, for buckets from edge to edge.
    pub fn times(&mut self, buckets: &[Bucket]) {
        let times: Vec<NaiveDateTime> = buckets.iter().map(|bucket| bucket.from).collect();
        let pitch = (self.right - self.left) / times.len().max(1) as f64;
        for (i, label) in labels(self.look, &times, pitch) {
            let x = self.left + pitch * i as f64;
            let style = format_args!("stroke=\"{AXIS}\" stroke-width=\"1\"");
            self.svg
                .line((x, self.bottom), (x, self.bottom + 5.0), style);
            // A label stands right of its moment, unless there is no room.
            let x = (x + 3.0).min(self.right - text_width(&label, LABEL));
            self.svg.text(
                (x, self.bottom + 17.0),
                Type::soft(LABEL, Anchor::Start),
                &label,
            );
        }
    }

    /// Hatches from `x` on, `width` wide, from the top of the frame to its bottom.
    pub fn hatch(&mut self, x: f64, width: f64) {
        let style = format_args!("class=\"gap\" fill=\"url(#{HATCH_ID})\"");
        self.svg
            .rect((x, self.top), (width, self.bottom - self.top), style);
    }

    /// Crosses a place: the pictures there did not show the sky. Without the colour below, which is
    /// the mark's.
    pub fn crosses(&mut self, at: (f64, f64), size: (f64, f64)) {
        let fill = crosses(at.0, size.0);
        let style = format_args!("class=\"veil\" pointer-events=\"none\" fill=\"{fill}\"");
        self.svg.rect(at, size, style);
    }

    /// What is said in the middle of a chart that has nothing to show.
    pub fn nothing(&mut self) {
        let text = tell(
            self.look.lang,
            say!(
                "No readings in this range",
                "Sin lecturas en este intervalo"
            ),
        );
        let (x, y) = (
            f64::midpoint(self.left, self.right),
            f64::midpoint(self.top, self.bottom),
        );
        let width = text_width(&text, 16.0) + 40.0;
        let style = format_args!("rx=\"5\" fill=\"{PAPER}\" stroke=\"{GRID}\"");
        self.svg
            .rect((x - width / 2.0, y - 22.0), (width, 44.0), style);
        let type_ = Type {
            size: 16.0,
            fill: INK,
            anchor: Anchor::Middle,
        };
        self.svg.text((x, y + 5.5), type_, &text);
    }

    /// The ramp of oktas and the hatching, below a chart that stands alone.
    pub fn legend(&mut self, below: f64) {
        if self.look.bare {
            return;
        }
        let (lang, soft) = (self.look.lang, Type::soft(LABEL, Anchor::Start));
        let (mut x, y) = (self.look.margin(), self.bottom + below + 12.0);
        for okta in Okta::ALL {
            let fill = format_args!("fill=\"{}\"", okta_colour(okta));
            self.svg.rect((x, y), (24.0, 11.0), fill);
            let at = (x + 12.0, y + 25.0);
            self.svg
                .text(at, Type::soft(LABEL, Anchor::Middle), &okta.to_string());
            x += 26.0;
        }
        let oktas = tell(lang, say!("oktas", "octas"));
        self.svg.text((x + 5.0, y + 10.0), soft, &oktas);
        x += 5.0 + text_width(&oktas, LABEL) + 26.0;
        let style =
            format_args!("fill=\"url(#{HATCH_ID})\" stroke=\"{AXIS}\" stroke-width=\"0.6\"");
        self.svg.rect((x, y), (24.0, 11.0), style);
        let gap = tell(lang, say!("no reading", "sin lectura"));
        self.svg.text((x + 31.0, y + 10.0), soft, &gap);
        x += 31.0 + text_width(&gap, LABEL) + 26.0;
        let style = format_args!("fill=\"{VEIL}\" stroke=\"{AXIS}\" stroke-width=\"0.6\"");
        self.svg.rect((x, y), (24.0, 11.0), style);
        self.crosses((x, y), (24.0, 11.0));
        self.svg.text((x + 31.0, y + 10.0), soft, &hidden(lang));
    }
}

/// Which moments are labelled, from hours to years.
#[derive(Clone, Copy)]
enum Step {
    Hours(u32),
    Days(i32),
    Months(u32),
    Years(i32),
}

const STEPS: [Step; 14] = [
    Step::Hours(1),
    Step::Hours(2),
    Step::Hours(3),
    Step::Hours(6),
    Step::Hours(12),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(5),
];

impl Step {
    fn falls_on(self, t: NaiveDateTime) -> bool {
        let midnight = t.time().num_seconds_from_midnight() == 0;
        match self {
            Self::Hours(n) => t.minute() == 0 && t.hour().is_multiple_of(n),
            Self::Days(n) => midnight && t.date().num_days_from_ce() % n == 1 % n,
            Self::Months(n) => midnight && t.day() == 1 && t.month0().is_multiple_of(n),
            Self::Years(n) => midnight && t.ordinal() == 1 && t.year() % n == 0,
        }
    }

    fn label(self, look: Look, t: NaiveDateTime) -> String {
        let midnight = t.time().num_seconds_from_midnight() == 0;
        match self {
            Self::Hours(_) if !midnight => t.format("%H:%M").to_string(),
            Self::Hours(_) | Self::Days(_) => day_and_month(look.lang, t.date()),
            Self::Months(_) if t.month() != 1 => short_month(look.lang, t.month()),
            Self::Months(_) | Self::Years(_) => t.year().to_string(),
        }
    }
}

/// The labels of `times`, `pitch` units apart, at round moments, so that none touches the next.
fn labels(look: Look, times: &[NaiveDateTime], pitch: f64) -> Vec<(usize, String)> {
    for step in STEPS {
        let found: Vec<(usize, String)> = times
            .iter()
            .enumerate()
            .filter(|(_, t)| step.falls_on(**t))
            .map(|(i, t)| (i, step.label(look, *t)))
            .collect();
        let room = |pair: &[(usize, String)]| match pair {
            [a, b] => (b.0 - a.0) as f64 * pitch >= text_width(&a.1, LABEL) + 12.0,
            _ => true,
        };
        if found.windows(2).all(room) && (!found.is_empty() || matches!(step, Step::Years(_))) {
            return found;
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::{Unit, regular};
    use celaje_sky::text::Lang;
    use chrono::{NaiveDate, TimeDelta};

    fn range(unit: Unit, days: i64) -> Vec<NaiveDateTime> {
        let from = NaiveDate::from_ymd_opt(2026, 1, 5)
            .unwrap()
            .and_hms_opt(0, 0, 0)
            .unwrap();
        let to = from + TimeDelta::days(days) - TimeDelta::minutes(1);
        regular(unit, from, to, Vec::new())
            .iter()
            .map(|bucket| bucket.from)
            .collect()
    }

    #[test]
    fn labels_are_round_and_never_touch() {
        let look = Look::alone(Lang::Es);
        for (unit, days) in [
            (Unit::Hour, 1),
            (Unit::Hour, 7),
            (Unit::Hour, 31),
            (Unit::Day, 31),
            (Unit::Day, 400),
            (Unit::Day, 4000),
            (Unit::Month, 4000),
        ] {
            let times = range(unit, days);
            for width in [300.0, 1000.0, 3000.0] {
                let pitch = width / times.len() as f64;
                let found = labels(look, &times, pitch);
                assert!(!found.is_empty(), "{unit:?} {days} {width}");
                for pair in found.windows(2) {
                    let between = (pair[1].0 - pair[0].0) as f64 * pitch;
                    assert!(between > text_width(&pair[0].1, LABEL), "{pair:?} {width}");
                }
            }
        }
    }

    #[test]
    fn a_day_has_hours_and_a_year_its_months() {
        let look = Look::alone(Lang::Es);
        let day = labels(look, &range(Unit::Hour, 1), 40.0);
        assert_eq!((day[0].1.as_str(), day[1].1.as_str()), ("5 ene", "02:00"));
        let year = labels(look, &range(Unit::Day, 365), 3.0);
        assert_eq!((year[0].1.as_str(), year[10].1.as_str()), ("feb", "dic"));
    }
}
