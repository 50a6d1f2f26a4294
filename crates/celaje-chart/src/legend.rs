//! What the marks mean.

use super::day::Record;
use super::panel::{HATCH_ID, crosses};
use super::svg::{Anchor, Num, Svg, Type};
use super::theme::{AXIS, MISS, NIGHT, SOFT_INK, TWILIGHT, VEIL, okta_colour, opacity, text_width};
use super::words::{hidden, tell};
use celaje_sky::okta::{Category, Okta};
use celaje_sky::say;

/// Height of the legend.
pub const HEIGHT: f64 = 46.0;

const SIZE: f64 = 12.5;
const SWATCH: (f64, f64) = (24.0, 11.0);
const BETWEEN: f64 = 26.0;

/// Draws the legend with its upper left corner at (`x`, `y`).
pub fn draw(svg: &mut Svg, record: &Record<'_>, x: f64, y: f64) {
    let pen = Pen {
        y,
        soft: Type::soft(SIZE, Anchor::Start),
    };
    let x = pen.oktas(svg, record, x);
    let x = pen.confidence(svg, record, x + BETWEEN);
    let lang = record.lang;
    let x = x + BETWEEN;
    let box_of = |svg: &mut Svg, x: f64, fill: &str| {
        let frame = format_args!("fill=\"{fill}\" stroke=\"{AXIS}\" stroke-width=\"0.6\"");
        svg.rect((x, y), SWATCH, frame);
        x + SWATCH.0
    };
    let x = box_of(svg, x, TWILIGHT);
    let x = pen.label(svg, x, &tell(lang, say!("twilight", "crepúsculo")));
    let x = box_of(svg, x + 14.0, NIGHT);
    let x = pen.label(svg, x, &tell(lang, say!("night", "noche"))) + BETWEEN;
    let hatch = format!("url(#{HATCH_ID})");
    let x = box_of(svg, x, &hatch);
    let x = pen.label(svg, x, &tell(lang, say!("no reading", "sin lectura"))) + 14.0;
    box_of(svg, x, VEIL);
    let x = box_of(svg, x, &crosses(x, SWATCH.0));
    let x = pen.label(svg, x, &hidden(lang)) + 14.0;
    let tick = format_args!("stroke=\"{MISS}\" stroke-width=\"2\"");
    svg.line((x, y + 1.0), (x, y + SWATCH.1 - 1.0), tick);
    pen.label(
        svg,
        x,
        &tell(
            lang,
            say!("miss: no usable picture", "fallido: sin imagen útil"),
        ),
    );
}

struct Pen {
    y: f64,
    soft: Type,
}

impl Pen {
    /// Writes `text` after a swatch that ends at `x`; returns where it ends.
    fn label(&self, svg: &mut Svg, x: f64, text: &str) -> f64 {
        svg.text((x + 7.0, self.y + SWATCH.1 - 1.0), self.soft, text);
        x + 7.0 + text_width(text, SIZE)
    }

    /// The ramp, its numbers and, below, the METAR groups; returns where it ends.
    fn oktas(&self, svg: &mut Svg, record: &Record<'_>, x: f64) -> f64 {
        let cell = |k: u8| x + f64::from(k) * (SWATCH.0 + 2.0);
        let number = Type::soft(SIZE, Anchor::Middle);
        for okta in Okta::ALL {
            let at = (cell(okta.eighths()), self.y);
            svg.rect(at, SWATCH, format_args!("fill=\"{}\"", okta_colour(okta)));
            let middle = at.0 + SWATCH.0 / 2.0;
            svg.text(
                (middle, self.y + SWATCH.1 + 14.0),
                number,
                &okta.to_string(),
            );
        }
        let groups = [
            Category::Skc,
            Category::Few,
            Category::Sct,
            Category::Bkn,
            Category::Ovc,
        ];
        let line = self.y + SWATCH.1 + 19.0;
        for group in groups {
            let mut of_group = Okta::ALL
                .into_iter()
                .filter(|okta| okta.category() == group);
            let Some(first) = of_group.next() else {
                continue;
            };
            let last = of_group.next_back().unwrap_or(first);
            let (x0, x1) = (
                cell(first.eighths()) + 1.0,
                cell(last.eighths()) + SWATCH.0 - 1.0,
            );
            svg.line(
                (x0, line),
                (x1, line),
                format_args!("stroke=\"{AXIS}\" stroke-width=\"0.8\""),
            );
            let style = Type::soft(10.0, Anchor::Middle);
            svg.text(((x0 + x1) / 2.0, line + 12.0), style, group.as_str());
        }
        let end = cell(8) + SWATCH.0;
        self.label(svg, end, &tell(record.lang, say!("oktas", "octas")))
    }

    /// How a mark fades; returns where it ends.
    fn confidence(&self, svg: &mut Svg, record: &Record<'_>, x: f64) -> f64 {
        let mut end = x;
        for (i, confidence) in [0.25, 0.5, 0.75, 1.0].into_iter().enumerate() {
            let at = x + i as f64 * (SWATCH.0 + 2.0);
            let shade = Num(opacity(confidence));
            let fill = okta_colour(Okta::ALL[6]);
            svg.rect(
                (at, self.y),
                SWATCH,
                format_args!("fill=\"{fill}\" opacity=\"{shade}\""),
            );
            let style = Type {
                size: SIZE,
                fill: SOFT_INK,
                anchor: Anchor::Middle,
            };
            let label = format!("{:.0}", confidence * 100.0);
            svg.text(
                (at + SWATCH.0 / 2.0, self.y + SWATCH.1 + 14.0),
                style,
                &label,
            );
            end = at + SWATCH.0;
        }
        self.label(
            svg,
            end,
            &tell(record.lang, say!("confidence, %", "confianza, %")),
        )
    }
}
