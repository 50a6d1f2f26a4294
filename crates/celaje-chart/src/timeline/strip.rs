//! A night from sunset to sunrise: its twilights, the moon, and the oktas so far.

use chrono::{NaiveDateTime, TimeDelta};

use super::data::{Timeline, TimelineData};
use super::panel::{MISS_LANE, Panel};
use super::{LABELS, dates};
use crate::axis::{LABEL, TimeAxis};
use crate::font::text_width;
use crate::legend::Key;
use crate::plot::{Frame, Layout, Plot};
use crate::svg::{Anchor, Num, TextStyle, fill, stroke};
use crate::theme::{ASTRONOMICAL, AXIS, CIVIL, INK, MOON, NIGHT, PAPER, TWILIGHT};
use crate::words::{MINUTE, decimal, percent, tell};
use celaje_sky::moon;
use celaje_sky::night::{Night, NightKind, Period, moon_events};
use celaje_sky::slot::Zone;
use celaje_sky::text::Lang;

/// What is shown before sunset and after sunrise.
const AROUND: TimeDelta = TimeDelta::minutes(30);

/// What is shown before and after a night; nothing where it goes from noon to noon, whose twilights
/// would end there.
pub fn around(night: &Night) -> TimeDelta {
    match night.kind {
        NightKind::Usual => AROUND,
        NightKind::SunStaysUp | NightKind::SunStaysDown => TimeDelta::zero(),
    }
}
/// Height of the oktas, and that of a narrow strip.
const OKTAS: f64 = 150.0;
const LOW_OKTAS: f64 = 96.0;
/// Height of the lane of the moon, whose upper edge is the zenith.
const MOON_LANE: f64 = 40.0;
/// Between the lane of the moon and the oktas.
const BETWEEN: f64 = 5.0;
/// Distance of the moments at which the moon's height is computed.
const STEP: TimeDelta = TimeDelta::minutes(10);

/// Height of a second row of names, inside the frame.
const NAMES: f64 = 17.0;
/// From this width on there is one.
const ROOMY: f64 = 480.0;

const LEGEND: [Key; 9] = [
    Key::Oktas,
    Key::Civil,
    Key::Nautical,
    Key::Astronomical,
    Key::Dark,
    Key::Moon,
    Key::Gap,
    Key::Hidden,
    Key::Miss,
];

/// The night's chart. The range of its timeline is what is shown, [`around`] the night.
#[derive(Clone, Debug)]
pub struct NightStrip<'a> {
    /// Oktas so far; its sun is not looked at.
    pub timeline: Timeline<'a>,
    pub night: &'a Night,
    pub zone: Zone,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// A line is drawn here if it lies within the range.
    pub now: NaiveDateTime,
}

/// Something that happens at a moment of a night.
struct NightEvent {
    at: NaiveDateTime,
    text: String,
    /// The same in a word, for its line.
    label: String,
    /// Whether its line goes through the oktas, too.
    is_sun: bool,
}

impl NightStrip<'_> {
    /// The strip as SVG. Marks beside those of a timeline: `event` with `data-at`, `moon`, `now`.
    pub fn svg(&self) -> String {
        let data = TimelineData::of(&self.timeline);
        let look = data.look;
        let is_roomy = look.width() >= ROOMY;
        let (oktas, names) = if is_roomy { (OKTAS, NAMES) } else { (LOW_OKTAS, 0.0) };
        let layout = Layout {
            height: names + MOON_LANE + BETWEEN + oktas,
            left: if look.bare { 22.0 } else { 32.0 },
            right: 8.0,
            below: MISS_LANE + 2.0 * LABELS,
            legend: &LEGEND,
            ..Layout::new(look, data.title.to_owned(), data.station, &self.summary(look.lang))
        };
        layout.draw(|plot| {
            let whole = plot.frame;
            let axis = whole.time_axis(data.from, data.to);
            let lane = whole.top + names;
            let top = lane + MOON_LANE + BETWEEN;
            let panel = Panel::new(plot, axis, (data.from, data.to), (top, whole.bottom));
            panel.draw(plot, &data, |plot| {
                self.shade(plot, &axis);
                plot.grid(&panel.amounts, [0, 4, 8]);
            });
            let oktas = plot.frame;
            plot.frame = Frame { top: lane, bottom: lane + MOON_LANE, ..oktas };
            plot.paper();
            self.shade(plot, &axis);
            self.moon(plot, &axis);
            plot.outline();
            plot.frame = Frame { top: lane, ..oktas };
            self.events(plot, &axis, if is_roomy { &[0.0, NAMES] } else { &[0.0] });
            self.now(plot, &axis, (data.from, data.to));
            self.caption(plot);
            plot.hours(&axis, MISS_LANE, 52.0);
            dates(plot, &axis);
        })
    }

    fn local(&self, (from, to): Period) -> (NaiveDateTime, NaiveDateTime) {
        (self.zone.local(from), self.zone.local(to))
    }

    /// Each twilight over the one before.
    fn shade(&self, plot: &mut Plot, axis: &TimeAxis) {
        let night = self.night;
        let dusk = (night.kind != NightKind::SunStaysUp).then_some(night.span);
        for (span, colour, class) in [
            (dusk, CIVIL, "civil"),
            (night.civil, TWILIGHT, "nautical"),
            (night.nautical, ASTRONOMICAL, "astronomical"),
            (night.astronomical, NIGHT, "dark"),
        ] {
            let Some((from, to)) = span.map(|span| self.local(span)) else { continue };
            let frame = plot.frame;
            // What ends where the strip does goes on to its frame.
            let minute = TimeDelta::minutes(1);
            let edge = |t: NaiveDateTime| match t {
                t if t <= axis.from + minute => frame.left,
                t if t >= axis.to - minute => frame.right,
                t => axis.x(t).clamp(frame.left, frame.right),
            };
            let style = format_args!("class=\"{class}\" {}", fill(colour));
            plot.rect((edge(from), frame.top), (edge(to) - edge(from), frame.height()), style);
        }
    }

    /// The moon's height while it is up, as bright as it is lit.
    fn moon(&self, plot: &mut Plot, axis: &TimeAxis) {
        let (lang, frame) = (plot.lang, plot.frame);
        let seen = |at| moon::position(at, self.latitude, self.longitude);
        for (from, to) in &self.night.moon {
            let moments = std::iter::successors(Some(*from), |at| Some(*at + STEP));
            let moments: Vec<_> = moments.take_while(|at| at < to).chain([*to]).collect();
            let heights: Vec<_> = moments.iter().map(|at| seen(*at).elevation).collect();
            let highest = heights.iter().copied().fold(0.0, f64::max);
            let lit = seen(*from + (*to - *from) / 2).lit;
            let (rise, set) = self.local((*from, *to));
            let (begin, end) = (rise.format("%H:%M"), set.format("%H:%M"));
            let (share, high) = (percent(lit), decimal(lang, highest, 0));
            let title = tell!(
                lang,
                "moon up {begin}–{end}, {share} lit, {high}° high at most",
                "luna sobre el horizonte {begin}–{end}, iluminada al {share}, {high}° de altura \
                 máxima"
            );
            let (at, until) = (rise.format(MINUTE), set.format(MINUTE));
            plot.open(format_args!("class=\"moon\" data-at=\"{at}\" data-to=\"{until}\""), &title);
            let mut path = format!("M{} {}", Num(axis.x(rise)), Num(frame.bottom));
            for (at, height) in moments.iter().zip(&heights) {
                let x = axis.x_within(self.zone.local(*at));
                let y = frame.bottom - height.clamp(0.0, 90.0) / 90.0 * frame.height();
                path += &format!("L{} {}", Num(x), Num(y));
            }
            path += &format!("L{} {}Z", Num(axis.x_within(set)), Num(frame.bottom));
            let opacity = Num(0.25 + 0.75 * lit.clamp(0.0, 1.0));
            let line = stroke(MOON, 1.2);
            plot.raw(format_args!(
                "<path d=\"{path}\" {} fill-opacity=\"{opacity}\" {line}/>",
                fill(MOON)
            ));
            plot.close();
        }
    }

    /// What is told of the moon, over the lines of its lane.
    fn caption(&self, plot: &mut Plot) {
        // Its phase is told once: in the heading, or by the page beside the strip.
        let caption = self.moon_events(plot.lang);
        let at = (plot.frame.left + 6.0, plot.frame.top + 14.0);
        let halo = format!("stroke=\"{PAPER}\" stroke-width=\"4\" stroke-linejoin=\"round\"");
        plot.raw(format_args!("<g pointer-events=\"none\" {halo} paint-order=\"stroke\">"));
        plot.text(at, TextStyle::ink(LABEL, Anchor::Start), &caption);
        plot.close();
    }

    /// `moon · rises 02:09`.
    fn moon_events(&self, lang: Lang) -> String {
        tell!(lang, "moon", "luna") + &self.rise_and_set(lang)
    }

    /// `moon 61 %, waning · rises 02:09`.
    fn moon_caption(&self, lang: Lang) -> String {
        let (from, to) = self.night.span;
        let moon = moon::position(from + (to - from) / 2, self.latitude, self.longitude);
        let share = percent(moon.lit);
        let text = match moon.is_waxing {
            true => tell!(lang, "moon {share}, waxing", "luna {share}, creciente"),
            false => tell!(lang, "moon {share}, waning", "luna {share}, menguante"),
        };
        text + &self.rise_and_set(lang)
    }

    fn rise_and_set(&self, lang: Lang) -> String {
        let (from, to) = self.night.span;
        let mut text = String::new();
        let now = self.zone.instant(self.now).unwrap_or_else(|| self.now.and_utc());
        // Of a night that is over, what came from its beginning on is told.
        let since = if now < to { now } else { from };
        let (rise, set) = moon_events(since, self.latitude, self.longitude);
        let mut events = [(rise, true), (set, false)];
        events.sort_by_key(|(at, _)| *at);
        for (at, is_rise) in events {
            let Some(at) = at else { continue };
            let at = self.zone.local(at).format("%H:%M");
            text += &match is_rise {
                true => tell!(lang, " · rises {at}", " · sale {at}"),
                false => tell!(lang, " · sets {at}", " · se pone {at}"),
            };
        }
        if self.night.moon.is_empty() {
            text += &tell!(lang, " · not up", " · bajo el horizonte");
        }
        text
    }

    /// The sun's events, the outer ones first.
    fn sun_events(&self, lang: Lang) -> Vec<NightEvent> {
        let night = self.night;
        let sunset = (night.kind == NightKind::Usual).then_some(night.span);
        let words = [
            (sunset, tell!(lang, "sunset", "puesta"), tell!(lang, "sunrise", "salida"), None),
            (night.astronomical, tell!(lang, "dark", "oscuro"), tell!(lang, "dawn", "alba"), None),
            (
                night.nautical,
                tell!(lang, "nautical dusk", "crepúsculo náutico"),
                tell!(lang, "nautical dawn", "alba náutica"),
                Some(tell!(lang, "nautical", "náutico")),
            ),
            (
                night.civil,
                tell!(lang, "civil dusk", "crepúsculo civil"),
                tell!(lang, "civil dawn", "alba civil"),
                Some(tell!(lang, "civil", "civil")),
            ),
        ];
        let both = words.into_iter().filter_map(|(span, dusk, dawn, short)| {
            let (from, to) = self.local(span?);
            let (begin, end) = self.local(night.span);
            let is_usual = night.kind == NightKind::Usual;
            let event = |at: NaiveDateTime, word: &str| {
                let [text, label] = [word, short.as_deref().unwrap_or(word)]
                    .map(|word| format!("{word} {}", at.format("%H:%M")));
                // At noon the sun crosses nothing: it has been as low all day.
                let is_one = is_usual || (at != begin && at != end);
                is_one.then_some(NightEvent { at, text, label, is_sun: true })
            };
            Some([event(from, &dusk), event(to, &dawn)].into_iter().flatten())
        });
        both.flatten().collect()
    }

    /// A line at each event, and its name above where there is room: in the first of these rows, at
    /// their distances from the frame, that has any.
    fn events(&self, plot: &mut Plot, axis: &TimeAxis, rows: &[f64]) {
        let frame = plot.frame;
        let mut taken: Vec<Vec<(f64, f64)>> = vec![Vec::new(); rows.len()];
        let mut events = self.sun_events(plot.lang);
        // In two rows neighbours alternate; in one the outer ones and the dark come first.
        if rows.len() > 1 {
            events.sort_by_key(|event| event.at);
        }
        for event in events {
            if !(axis.from..=axis.to).contains(&event.at) {
                continue;
            }
            let x = axis.x(event.at);
            let at = event.at.format(MINUTE);
            plot.open(
                format_args!("class=\"event\" data-at=\"{at}\" data-to=\"{at}\""),
                &event.text,
            );
            let bottom = if event.is_sun { frame.bottom } else { frame.top };
            let style = format_args!("{} stroke-dasharray=\"2 3\"", stroke(AXIS, 1.0));
            plot.line((x, frame.top - 5.0), (x, bottom), style);
            reach(plot, x, bottom);
            plot.close();
            let half = text_width(&event.label, LABEL) / 2.0;
            let middle = x.min(frame.right - half).max(frame.left + half);
            let (left, right) = (middle - half - 3.0, middle + half + 3.0);
            for (above, taken) in rows.iter().zip(&mut taken) {
                if taken.iter().all(|other| right < other.0 || left > other.1) {
                    taken.push((left, right));
                    let style = TextStyle::soft(LABEL, Anchor::Middle);
                    plot.text((middle, frame.top - 9.0 - above), style, &event.label);
                    break;
                }
            }
        }
    }

    fn now(&self, plot: &mut Plot, axis: &TimeAxis, (from, to): (NaiveDateTime, NaiveDateTime)) {
        if !(from..=to).contains(&self.now) {
            return;
        }
        let (frame, x) = (plot.frame, axis.x(self.now));
        let at = self.now.format(MINUTE);
        let time = self.now.format("%H:%M");
        let title = tell!(plot.lang, "now {time}", "ahora {time}");
        plot.open(format_args!("class=\"now\" data-at=\"{at}\" data-to=\"{at}\""), &title);
        plot.line((x, frame.top - 3.0), (x, frame.bottom), stroke(INK, 2.0));
        plot.circle((x, frame.top - 3.0), 3.5, fill(INK));
        reach(plot, x, frame.bottom);
        plot.close();
    }

    /// The night in a sentence.
    fn summary(&self, lang: Lang) -> String {
        let night = self.night;
        let degrees = decimal(lang, night.lowest.abs(), 0);
        let mut parts = vec![match night.kind {
            NightKind::SunStaysUp => tell!(
                lang,
                "The sun does not set; at its lowest it stands {degrees}° above the horizon",
                "El sol no se pone; en su punto más bajo está {degrees}° sobre el horizonte"
            ),
            NightKind::SunStaysDown => {
                tell!(lang, "The sun does not rise", "El sol no sale")
            }
            NightKind::Usual => String::new(),
        }];
        parts.extend(self.sun_events(lang).into_iter().map(|event| event.text));
        if night.astronomical.is_none() && night.kind != NightKind::SunStaysUp {
            parts.push(tell!(lang, "it does not get dark", "no llega a oscurecer"));
        }
        parts.push(self.moon_caption(lang));
        parts.retain(|part| !part.is_empty());
        parts.join(", ") + "."
    }
}

/// Room around a line in which it can be pointed at, and which its outline has.
fn reach(plot: &mut Plot, x: f64, bottom: f64) {
    let top = plot.frame.top;
    let style = "fill=\"none\" pointer-events=\"all\"";
    plot.rect((x - 4.0, top), (8.0, (bottom - top).max(4.0)), style);
}

#[cfg(test)]
#[path = "strip_tests.rs"]
mod tests;
