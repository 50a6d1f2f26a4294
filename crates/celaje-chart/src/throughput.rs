//! A benchmark: pictures a second against the bound, and what a picture's time is made of.

use super::svg::{Anchor, Num, Svg, Type};
use super::theme::{AXIS, GRID, INK, MARGIN, MISS, PAPER, fit, okta_colour};
use celaje_sky::okta::Okta;
use celaje_sky::say;
use celaje_sky::text::{Lang, Text};

const PAGE: f64 = 860.0;
/// Left of the bars: their names.
const LEFT: f64 = MARGIN + 190.0;
/// Right of the bars: their numbers.
const RIGHT: f64 = 90.0;
const BAR: f64 = 22.0;
const STEP: f64 = 32.0;
const HEADING: f64 = 44.0;

/// A bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is of.
    pub name: String,
    /// Milliseconds.
    pub value: f64,
}

/// What is drawn.
pub struct Throughput<'a> {
    /// Language of the labels.
    pub lang: Lang,
    /// Model, engine, machine.
    pub subject: &'a str,
    /// Pictures a second.
    pub achieved: f64,
    /// What the machine could give.
    pub bound: f64,
    /// CPU milliseconds of a picture; the last but one is what the program itself adds, the last one
    /// the camera's.
    pub parts: &'a [Part],
    /// Milliseconds that a picture waits in the queues.
    pub waits: &'a [Part],
}

/// The benchmark as SVG.
pub fn draw(what: &Throughput<'_>) -> String {
    let tell = |text: Text| text.get(what.lang).to_owned();
    let rows = 2 + what.parts.len() + what.waits.len();
    let height = 100.0 + 3.0 * HEADING + STEP * rows as f64 + MARGIN;
    let title = tell(say!(
        "Throughput, and what bounds it",
        "Rendimiento, y qué lo limita"
    ));
    let percent = 100.0 * what.achieved / what.bound.max(f64::MIN_POSITIVE);
    let achieved = what.achieved;
    let line = tell(say!(
        "{achieved:.0} pictures a second · {percent:.1} % of the bound",
        "{achieved:.0} imágenes por segundo · {percent:.1} % de la cota"
    ));
    let mut svg = Svg::new(PAGE, height, &title, &format!("{}. {line}.", what.subject));
    let big = Type {
        size: 21.0,
        fill: INK,
        anchor: Anchor::Start,
    };
    let soft = Type::soft(13.5, Anchor::Start);
    let room = PAGE - 2.0 * MARGIN;
    svg.text((MARGIN, 40.0), big, &title);
    svg.text((MARGIN, 63.0), soft, &fit(what.subject, 13.5, room));
    svg.text((MARGIN, 84.0), soft, &line);

    let rates = [
        Part {
            name: tell(say!("achieved", "logrado")),
            value: what.achieved,
        },
        Part {
            name: tell(say!("bound", "cota")),
            value: what.bound,
        },
    ];
    let blue = okta_colour(Okta::ALL[2]);
    let grey = okta_colour(Okta::ALL[5]);
    let mut y = 100.0;
    y = panel(
        &mut svg,
        y,
        &tell(say!("Pictures a second", "Imágenes por segundo")),
        &rates,
        0,
        |place| if place == 0 { blue } else { grey },
    );
    let last = what.parts.len();
    y = panel(
        &mut svg,
        y,
        &tell(say!(
            "CPU milliseconds a picture",
            "Milisegundos de CPU por imagen"
        )),
        what.parts,
        2,
        |place| match last - place {
            1 => grey,
            2 => MISS,
            _ => blue,
        },
    );
    panel(
        &mut svg,
        y,
        &tell(say!(
            "Milliseconds that a picture waits for",
            "Milisegundos que una imagen espera en la cola de"
        )),
        what.waits,
        1,
        |_| grey,
    );
    svg.finish()
}

/// Bars on a scale of their own below `top`; gives where the next panel begins.
fn panel(
    svg: &mut Svg,
    top: f64,
    title: &str,
    parts: &[Part],
    decimals: usize,
    colour: impl Fn(usize) -> &'static str,
) -> f64 {
    let head = Type {
        size: 15.0,
        fill: INK,
        anchor: Anchor::Start,
    };
    svg.text((MARGIN, top + 30.0), head, title);
    let most = parts.iter().map(|part| part.value).fold(0.0, f64::max);
    let width = PAGE - LEFT - RIGHT;
    let top = top + HEADING;
    let bottom = top + STEP * parts.len() as f64;
    for (place, part) in parts.iter().enumerate() {
        let y = top + STEP * place as f64;
        let long = width * part.value.max(0.0) / most.max(f64::MIN_POSITIVE);
        svg.rect(
            (LEFT, y + (STEP - BAR) / 2.0),
            (width, BAR),
            format_args!("rx=\"3\" fill=\"{PAPER}\" stroke=\"{GRID}\" stroke-width=\"0.6\""),
        );
        svg.rect(
            (LEFT, y + (STEP - BAR) / 2.0),
            (long, BAR),
            format_args!("rx=\"3\" fill=\"{}\"", colour(place)),
        );
        let baseline = y + STEP / 2.0 + 4.5;
        let name = fit(&part.name, 13.0, LEFT - MARGIN - 12.0);
        svg.text(
            (LEFT - 12.0, baseline),
            Type::soft(13.0, Anchor::End),
            &name,
        );
        let value = format!("{:.decimals$}", part.value);
        let style = Type::soft(13.0, Anchor::Start);
        svg.text((LEFT + width + 10.0, baseline), style, &value);
    }
    svg.raw(format_args!(
        "<line x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{}\" stroke=\"{AXIS}\" stroke-width=\"1.2\"/>\n",
        Num(top),
        Num(bottom),
        x = Num(LEFT),
    ));
    bottom
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::png;

    #[test]
    fn any_figures_are_drawn_in_both_languages() {
        for (lang, value) in [(Lang::En, 1.5), (Lang::Es, 0.0), (Lang::En, f64::NAN)] {
            let part = |name: &str| Part {
                name: name.to_owned(),
                value,
            };
            let parts = ["a", "b", "<&>"].map(part);
            let svg = draw(&Throughput {
                lang,
                subject: "model on engine",
                achieved: value,
                bound: value,
                parts: &parts,
                waits: &parts,
            });
            assert!(svg.contains("&lt;&amp;&gt;"));
            assert!(png::render(&svg, 1.0).is_ok());
        }
    }
}
