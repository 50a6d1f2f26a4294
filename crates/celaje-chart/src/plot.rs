//! The framework of all charts: heading, frame, axes, grid, day and night, gaps, legend.
//!
//! A chart describes itself in a [`Layout`] and draws its marks into a [`Plot`].

use std::ops::{Deref, DerefMut};

use chrono::{NaiveDateTime, NaiveTime, TimeDelta};

use super::axis::{LABEL, TimeAxis, ValueAxis, labels};
use super::font::{fit, text_width};
use super::legend::{self, Key};
use super::look::{Look, MARGIN};
use super::pattern;
use super::sun::PhaseSpan;
use super::svg::{Anchor, Num, Svg, TextStyle, fill, outlined, stroke};
use super::theme::{AXIS, GRID, INK, NIGHT, PAPER, TWILIGHT};
use super::words::{MINUTE, replaced_until, tell};
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;

/// Room above the frame of a bare chart.
const BARE_TOP: f64 = 24.0;
/// Room above the frame below the last line of a heading.
const BELOW_HEADING: f64 = 36.0;

/// How far the first and the last phase of the sun go on beyond what is known of it: the panel of
/// a moment is an hour wide.
const BEYOND: TimeDelta = TimeDelta::minutes(30);

/// What surrounds the marks of a chart.
pub struct Layout {
    pub look: Look,
    pub title: String,
    /// Below the title: place and time, and the chart in a sentence.
    pub lines: Vec<String>,
    /// Right of the title and of the first line.
    pub counts: Vec<String>,
    /// Width of the document.
    pub width: f64,
    /// Height of the frame.
    pub height: f64,
    /// Room left of the frame, beside the margin.
    pub left: f64,
    /// Room right of the frame, beside the margin.
    pub right: f64,
    /// Room below the frame.
    pub below: f64,
    pub legend: &'static [Key],
}

impl Layout {
    /// A layout with `place` and `summary` in a line below the title, and no room beside the
    /// frame.
    pub fn new(look: Look, title: String, place: &str, summary: &str) -> Self {
        let mut line = place.to_owned();
        if !summary.is_empty() {
            line = line + " · " + summary;
        }
        Self {
            look,
            title,
            lines: vec![line],
            counts: Vec::new(),
            width: look.width(),
            height: 0.0,
            left: 0.0,
            right: 0.0,
            below: 0.0,
            legend: &[],
        }
    }

    /// The document, with `marks` drawn into the frame.
    pub fn draw(&self, marks: impl FnOnce(&mut Plot)) -> String {
        let (look, margin) = (self.look, self.look.margin());
        let top = match look.bare {
            true => BARE_TOP,
            false => 44.0 + 20.0 * self.lines.len() as f64 + BELOW_HEADING,
        };
        let (legend, end) = (self.legend, top + self.height + self.below);
        let below = if look.bare { 2.0 } else { legend::height(legend) };
        let mut about = self.lines.join(". ");
        if !self.counts.is_empty() {
            about = format!("{about}. {}.", self.counts.join("; "));
        }
        let mut plot = Plot {
            svg: Svg::new(self.width, end + below, &self.title, &about),
            look,
            lang: look.lang,
            width: self.width,
            frame: Frame {
                left: margin + self.left,
                right: self.width - margin - self.right,
                top,
                bottom: top + self.height,
            },
        };
        pattern::define(&mut plot.svg);
        if !look.bare {
            self.heading(&mut plot.svg);
        }
        marks(&mut plot);
        if !look.bare {
            legend::draw(&mut plot.svg, look.lang, legend, (margin, end + 18.0));
        }
        plot.svg.finish()
    }

    fn heading(&self, svg: &mut Svg) {
        let mut right = self.counts.iter();
        let (mut y, mut size, mut counted) = (40.0, 23.0, 16.0);
        for (i, line) in std::iter::once(&self.title).chain(&self.lines).enumerate() {
            let mut room = self.width - 2.0 * MARGIN;
            let style = if i == 0 { TextStyle::ink } else { TextStyle::soft };
            if let Some(count) = right.next() {
                let at = (self.width - MARGIN, y);
                svg.text(at, style(counted, Anchor::End), count);
                room -= text_width(count, counted) + 20.0;
            }
            svg.text((MARGIN, y), style(size, Anchor::Start), &fit(line, size, room));
            y += if i == 0 { 24.0 } else { 20.0 };
            (size, counted) = (14.0, 14.0);
        }
    }
}

/// Edges of the rectangle that marks are drawn into.
#[derive(Clone, Copy)]
pub struct Frame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Frame {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub fn size(&self) -> (f64, f64) {
        (self.width(), self.height())
    }

    pub fn origin(&self) -> (f64, f64) {
        (self.left, self.top)
    }

    /// Time from its left to its right edge.
    pub fn time_axis(&self, from: NaiveDateTime, to: NaiveDateTime) -> TimeAxis {
        let (left, right) = (self.left, self.right);
        TimeAxis { from, to, left, right }
    }

    /// Values from 0, so far above its lower edge, to `most`, so far below its upper edge.
    pub fn value_axis(&self, above: f64, most: f64, below: f64) -> ValueAxis {
        let (zero, top) = (self.bottom - above, self.top + below);
        ValueAxis { zero, top, most }
    }
}

/// A chart being drawn: a document and the frame in it.
pub struct Plot {
    svg: Svg,
    pub look: Look,
    pub lang: Lang,
    /// Width of the document.
    pub width: f64,
    /// A chart of several panels moves it from one to the next.
    pub frame: Frame,
}

impl Deref for Plot {
    type Target = Svg;

    fn deref(&self) -> &Svg {
        &self.svg
    }
}

impl DerefMut for Plot {
    fn deref_mut(&mut self) -> &mut Svg {
        &mut self.svg
    }
}

impl Plot {
    /// White paper inside the frame.
    pub fn paper(&mut self) {
        let frame = self.frame;
        self.rect(frame.origin(), frame.size(), fill(PAPER));
    }

    /// The frame's outline.
    pub fn outline(&mut self) {
        let (frame, style) = (self.frame, outlined("none", AXIS, 1.0));
        self.rect(frame.origin(), frame.size(), style);
    }

    /// The frame's lower edge.
    pub fn baseline(&mut self) {
        let Frame { left, right, bottom, .. } = self.frame;
        self.line((left, bottom), (right, bottom), stroke(AXIS, 1.0));
    }

    /// Shades night and twilight between the moments `from` and `to`, which lie at the frame's
    /// left and right edges.
    pub fn shade(
        &mut self,
        axis: &TimeAxis,
        (from, to): (NaiveDateTime, NaiveDateTime),
        spans: &[PhaseSpan],
    ) {
        let frame = self.frame;
        for (i, span) in spans.iter().enumerate() {
            let colour = match span.phase {
                DayPhase::Day => continue,
                DayPhase::Twilight => TWILIGHT,
                DayPhase::Night => NIGHT,
            };
            let (mut begin, mut end) = (span.from, span.to);
            if i == 0 {
                begin = begin.checked_sub_signed(BEYOND).unwrap_or(begin);
            }
            if i + 1 == spans.len() {
                end = end.checked_add_signed(BEYOND).unwrap_or(end);
            }
            if begin < to && end > from {
                let x0 = if begin <= from { frame.left } else { axis.x(begin) };
                let x1 = if end >= to { frame.right } else { axis.x(end) };
                let class = span.phase.as_str();
                let style = format_args!("class=\"{class}\" fill=\"{colour}\"");
                self.rect((x0, frame.top), (x1 - x0, frame.height()), style);
            }
        }
    }

    /// A line across the frame at `y`.
    pub fn grid_line(&mut self, y: f64) {
        let Frame { left, right, .. } = self.frame;
        self.line((left, y), (right, y), stroke(GRID, 0.8));
    }

    /// Lines across the frame, and their labels on the left, at `values` of `axis`.
    pub fn grid(&mut self, axis: &ValueAxis, values: impl IntoIterator<Item = u8>) {
        for value in values {
            let y = axis.y(f64::from(value));
            self.grid_line(y);
            let style = TextStyle::soft(LABEL, Anchor::End);
            let at = (self.frame.left - 7.0, y + 4.5);
            self.text(at, style, &value.to_string());
        }
    }

    /// The unit of the vertical axis, above it.
    pub fn unit(&mut self, text: &str) {
        let at = (self.look.margin(), self.frame.top - 10.0);
        self.text(at, TextStyle::soft(LABEL, Anchor::Start), text);
    }

    /// Ticks and times of the day on `axis`, `below` the frame and at least `room` apart.
    pub fn hours(&mut self, axis: &TimeAxis, below: f64, room: f64) {
        let bottom = self.frame.bottom;
        for tick in axis.ticks(room) {
            let x = axis.x(tick);
            self.line((x, bottom), (x, bottom + 4.0), stroke(AXIS, 1.0));
            // The end of a day is its 24:00.
            let label = match tick == axis.to && tick.time() == NaiveTime::MIN {
                true => "24:00".to_owned(),
                false => tick.format("%H:%M").to_string(),
            };
            let space = self.look.margin() + text_width(&label, LABEL) / 2.0;
            let x = x.min(self.width - space).max(space);
            let style = TextStyle::soft(LABEL, Anchor::Middle);
            self.text((x, bottom + below + 12.0), style, &label);
        }
    }

    /// Ticks and labels below the frame, for buckets from edge to edge that begin at `times`.
    pub fn times(&mut self, times: &[NaiveDateTime]) {
        let frame = self.frame;
        let pitch = frame.width() / times.len().max(1) as f64;
        let mut end = f64::NEG_INFINITY;
        for (i, label) in labels(self.lang, times, pitch) {
            let (x, y) = (frame.left + pitch * i as f64, frame.bottom);
            self.line((x, y), (x, y + 5.0), stroke(AXIS, 1.0));
            // A label stands right of its moment, unless there is no room.
            let wide = text_width(&label, LABEL);
            let x = (x + 3.0).min(frame.right - wide);
            if x < end + 6.0 {
                continue;
            }
            end = x + wide;
            self.text((x, y + 17.0), TextStyle::soft(LABEL, Anchor::Start), &label);
        }
    }

    /// Names the horizontal axis `below` the frame, and the vertical one left of it.
    pub fn axis_names(&mut self, across: &str, below: f64, up: &str) {
        let (frame, style) = (self.frame, TextStyle::soft(13.0, Anchor::Middle));
        let middle = f64::midpoint(frame.left, frame.right);
        self.text((middle, frame.bottom + below), style, across);
        let (x, y) = (MARGIN + 7.0, f64::midpoint(frame.top, frame.bottom));
        let (x, y) = (Num(x), Num(y));
        self.raw(format_args!("<g transform=\"translate({x} {y}) rotate(-90)\">\n"));
        self.text((0.0, 0.0), style, up);
        self.close();
    }

    /// Hatches a gap from `x` on, `width` wide, over the height of the frame.
    pub fn hatch(&mut self, x: f64, width: f64) {
        let (at, size) = ((x, self.frame.top), (width, self.frame.height()));
        let style = format_args!("class=\"gap\" {}", fill(pattern::HATCHED));
        self.rect(at, size, style);
    }

    /// Crosses over a mark of a hidden sky; the mark below has the colour.
    pub fn crosses(&mut self, at: (f64, f64), size: (f64, f64)) {
        let paint = fill(&pattern::crosses(at.0, size.0));
        let style = format_args!("class=\"veil\" pointer-events=\"none\" {paint}");
        self.rect(at, size, style);
    }

    /// A line at `x`, at which the replaced system's readings end.
    pub fn end_of_replaced(&mut self, x: f64, last: NaiveDateTime) {
        let Frame { top, bottom, .. } = self.frame;
        let title = replaced_until(self.lang, last);
        self.open(format_args!("class=\"method\" data-until=\"{}\"", last.format(MINUTE)), &title);
        let style = format_args!("{} stroke-dasharray=\"2 3\"", stroke(INK, 1.6));
        self.line((x, top), (x, bottom), style);
        self.close();
    }

    /// The note in the middle of a frame that has nothing to show, of a record that has begun or
    /// not, with a second line `more`.
    pub fn empty_note(&mut self, begun: bool, more: Option<&str>) {
        let text = match begun {
            true => tell!(self.lang, "No readings in this range", "Sin lecturas en este intervalo"),
            false => tell!(self.lang, "There are no readings yet", "Todavía no hay lecturas"),
        };
        let frame = self.frame;
        let x = f64::midpoint(frame.left, frame.right);
        let y = f64::midpoint(frame.top, frame.bottom);
        let wide = text_width(&text, 16.0).max(text_width(more.unwrap_or(""), 13.5)) + 48.0;
        let tall = if more.is_some() { 70.0 } else { 44.0 };
        let style = format_args!("rx=\"5\" {}", outlined(PAPER, GRID, 1.0));
        self.rect((x - wide / 2.0, y - tall / 2.0), (wide, tall), style);
        let first = y + if more.is_some() { -5.0 } else { 5.5 };
        self.text((x, first), TextStyle::ink(16.0, Anchor::Middle), &text);
        if let Some(more) = more {
            let style = TextStyle::soft(13.5, Anchor::Middle);
            self.text((x, y + 18.0), style, more);
        }
    }
}
