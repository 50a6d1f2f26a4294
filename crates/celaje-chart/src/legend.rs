//! What the marks mean.

use super::axis::LABEL;
use super::font::text_width;
use super::pattern::{self, HATCHED, crosses};
use super::svg::{Anchor, Num, Svg, TextStyle, fill, outlined, stroke};
use super::theme::{
    ASTRONOMICAL, AXIS, CIVIL, GAP, MISS, MOON, NIGHT, TWILIGHT, VEIL, okta_colour, opacity,
};
use super::words::{GROUPS, hidden, no_reading, phase, tell, unit};
use celaje_sky::okta::Okta;
use celaje_sky::sun::DayPhase;
use celaje_sky::text::Lang;

/// Width and height of a sample.
const SAMPLE: (f64, f64) = (24.0, 11.0);
/// From the left edge of a sample to that of the next one in a row.
const PITCH: f64 = SAMPLE.0 + 2.0;

/// An entry of a legend.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Oktas,
    /// The oktas with the METAR groups below.
    OktasAndGroups,
    Confidence,
    Twilight,
    /// The twilights of a night, each with its name.
    Civil,
    Nautical,
    Astronomical,
    Night,
    /// The sun more than 18° below the horizon.
    Dark,
    Moon,
    Gap,
    /// The same where it is not hatched.
    FlatGap,
    Hidden,
    Miss,
}

/// Room that a legend takes below a chart, with the space around it.
pub fn height(keys: &[Key]) -> f64 {
    match keys {
        [] => 14.0,
        [Key::OktasAndGroups, ..] => 86.0,
        _ => 60.0,
    }
}

/// Draws the legend of `keys` with its upper left corner at (`x`, `y`).
pub fn draw(svg: &mut Svg, lang: Lang, keys: &[Key], (x, y): (f64, f64)) {
    let mut pen = Pen { svg, lang, x, y };
    for key in keys {
        pen.entry(*key);
    }
}

/// The legend of `keys` as a document of its own, `width` wide.
pub fn alone(lang: Lang, keys: &[Key], width: f64) -> String {
    let mut svg = Svg::new(width, height(keys) - 16.0, "", "");
    pattern::define(&mut svg);
    draw(&mut svg, lang, keys, (0.0, 4.0));
    svg.finish()
}

struct Pen<'a> {
    svg: &'a mut Svg,
    lang: Lang,
    /// Where the next sample begins.
    x: f64,
    y: f64,
}

impl Pen<'_> {
    fn entry(&mut self, key: Key) {
        let lang = self.lang;
        let crosses = crosses(self.x, SAMPLE.0);
        let (paint, text, space) = match key {
            Key::Oktas => return self.oktas(),
            Key::OktasAndGroups => {
                self.groups();
                return self.oktas();
            }
            Key::Confidence => return self.confidence(),
            Key::Miss => return self.miss(),
            Key::Twilight => (TWILIGHT, phase(lang, DayPhase::Twilight), 14.0),
            Key::Night => (NIGHT, phase(lang, DayPhase::Night), 26.0),
            Key::Civil => (CIVIL, tell!(lang, "civil twilight", "crepúsculo civil"), 12.0),
            Key::Nautical => (TWILIGHT, tell!(lang, "nautical", "náutico"), 12.0),
            Key::Astronomical => (ASTRONOMICAL, tell!(lang, "astronomical", "astronómico"), 12.0),
            Key::Dark => (NIGHT, tell!(lang, "dark", "oscuro"), 12.0),
            Key::Moon => (MOON, tell!(lang, "moon", "luna"), 12.0),
            Key::Gap => (HATCHED, no_reading(lang), 14.0),
            Key::FlatGap => (GAP, no_reading(lang), 14.0),
            Key::Hidden => {
                self.svg.rect((self.x, self.y), SAMPLE, fill(VEIL));
                (crosses.as_str(), hidden(lang), 14.0)
            }
        };
        self.sample(outlined(paint, AXIS, 0.6));
        self.label(&text, space);
    }

    fn miss(&mut self) {
        let (top, bottom) = (self.y + 1.0, self.y + SAMPLE.1 - 1.0);
        let style = stroke(MISS, 2.0);
        self.svg.line((self.x, top), (self.x, bottom), style);
        self.x += 2.0;
        let text = tell!(self.lang, "miss: no usable picture", "fallido: sin imagen útil");
        self.label(&text, 0.0);
    }

    fn sample(&mut self, attributes: String) {
        self.svg.rect((self.x, self.y), SAMPLE, attributes);
        self.x += PITCH;
    }

    /// A sample with a number below.
    fn numbered(&mut self, attributes: String, number: &str) {
        let at = (self.x + SAMPLE.0 / 2.0, self.y + SAMPLE.1 + 14.0);
        self.svg.text(at, TextStyle::soft(LABEL, Anchor::Middle), number);
        self.sample(attributes);
    }

    /// Writes `text` after a sample and leaves `space` for the next entry.
    fn label(&mut self, text: &str, space: f64) {
        let at = (self.x + 5.0, self.y + SAMPLE.1 - 1.0);
        self.svg.text(at, TextStyle::soft(LABEL, Anchor::Start), text);
        self.x += 5.0 + text_width(text, LABEL) + space;
    }

    fn oktas(&mut self) {
        for okta in Okta::ALL {
            self.numbered(fill(okta_colour(okta)), &okta.to_string());
        }
        self.label(&unit(self.lang), 26.0);
    }

    fn groups(&mut self) {
        let y = self.y + SAMPLE.1 + 19.0;
        for (group, low, high) in GROUPS {
            let left = self.x + f64::from(low) * PITCH + 1.0;
            let right = self.x + f64::from(high) * PITCH + SAMPLE.0 - 1.0;
            self.svg.line((left, y), (right, y), stroke(AXIS, 0.8));
            let at = (f64::midpoint(left, right), y + 12.0);
            let style = TextStyle::soft(10.0, Anchor::Middle);
            self.svg.text(at, style, group.as_str());
        }
    }

    /// How a mark fades.
    fn confidence(&mut self) {
        for percent in [25, 50, 75, 100] {
            let shade = Num(opacity(f64::from(percent) / 100.0));
            let style = format!("{} opacity=\"{shade}\"", fill(okta_colour(Okta::ALL[6])));
            self.numbered(style, &percent.to_string());
        }
        let text = tell!(self.lang, "confidence, %", "confianza, %");
        self.label(&text, 26.0);
    }
}
