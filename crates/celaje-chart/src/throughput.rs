//! A benchmark: pictures per second against their bound, and what the time of a picture is spent
//! on.

use super::font::fit;
use super::look::{Look, MARGIN};
use super::plot::{Layout, Plot};
use super::svg::{Anchor, TextStyle, fill, outlined, stroke};
use super::theme::{AXIS, GRID, MISS, PAPER, okta_colour};
use super::words::{decimal, tell};
use celaje_sky::okta::Okta;
use celaje_sky::text::Lang;

const WIDTH: f64 = 860.0;
/// Left of the bars: their names.
const NAMES: f64 = 190.0;
/// Right of the bars: their numbers.
const NUMBERS: f64 = 62.0;
/// Thickness of a bar, and from one to the next.
const BAR: f64 = 22.0;
const PITCH: f64 = 32.0;
/// Height of a panel's title.
const TITLE: f64 = 44.0;

#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    pub name: String,
    pub value: f64,
}

pub struct Throughput<'a> {
    pub lang: Lang,
    /// Model, engine, machine.
    pub subject: &'a str,
    /// Pictures per second.
    pub achieved: f64,
    /// Pictures per second that the machine's cores allow.
    pub bound: f64,
    /// CPU milliseconds of a picture. The last but one is the program's overhead, the last one the
    /// camera's share.
    pub parts: &'a [Bar],
    /// Milliseconds that a picture waits in each queue.
    pub waits: &'a [Bar],
}

impl Throughput<'_> {
    pub fn svg(&self) -> String {
        let lang = self.lang;
        let percent = decimal(lang, 100.0 * self.achieved / self.bound.max(f64::MIN_POSITIVE), 1);
        let achieved = decimal(lang, self.achieved, 0);
        let line = tell!(
            lang,
            "{achieved} pictures per second · {percent}\u{a0}% of the bound",
            "{achieved} imágenes por segundo · {percent}\u{a0}% de la cota"
        );
        let title = tell!(lang, "Throughput and its bound", "Rendimiento y su cota");
        let rows = 2 + self.parts.len() + self.waits.len();
        let layout = Layout {
            lines: vec![self.subject.to_owned(), line],
            width: WIDTH,
            height: 3.0 * TITLE + PITCH * rows as f64,
            left: NAMES,
            right: NUMBERS,
            below: 14.0,
            ..Layout::new(Look::alone(lang), title, "", "")
        };
        layout.draw(|plot| self.marks(plot))
    }

    fn marks(&self, plot: &mut Plot) {
        let lang = self.lang;
        let (blue, grey) = (okta_colour(Okta::ALL[2]), okta_colour(Okta::ALL[5]));
        let bar = |name, value| Bar { name, value };
        let rates = [
            bar(tell!(lang, "achieved", "logrado"), self.achieved),
            bar(tell!(lang, "bound", "cota"), self.bound),
        ];
        let title = tell!(lang, "Pictures per second", "Imágenes por segundo");
        panel(plot, &title, &rates, 0, |i| if i == 0 { blue } else { grey });
        let title = tell!(lang, "CPU milliseconds per picture", "Milisegundos de CPU por imagen");
        let all = self.parts.len();
        panel(plot, &title, self.parts, 2, |i| match all - i {
            1 => grey,
            2 => MISS,
            _ => blue,
        });
        let title = tell!(
            lang,
            "Milliseconds that a picture waits for",
            "Milisegundos que una imagen espera en la cola de"
        );
        panel(plot, &title, self.waits, 1, |_| grey);
    }
}

/// Bars with a scale of their own at the frame's top; moves that below them.
fn panel(
    plot: &mut Plot,
    title: &str,
    bars: &[Bar],
    decimals: usize,
    colour: impl Fn(usize) -> &'static str,
) {
    let frame = plot.frame;
    let (left, width, top) = (frame.left, frame.width(), frame.top + TITLE);
    let at = (MARGIN, frame.top + 30.0);
    plot.text(at, TextStyle::ink(15.0, Anchor::Start), title);
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    for (i, bar) in bars.iter().enumerate() {
        let y = top + PITCH * i as f64;
        let at = (left, y + (PITCH - BAR) / 2.0);
        let style = format_args!("rx=\"3\" {}", outlined(PAPER, GRID, 0.6));
        plot.rect(at, (width, BAR), style);
        let long = width * bar.value.max(0.0) / most;
        plot.rect(at, (long, BAR), format_args!("rx=\"3\" {}", fill(colour(i))));
        let (y, name) = (y + PITCH / 2.0 + 4.5, fit(&bar.name, 13.0, NAMES - 12.0));
        plot.text((left - 12.0, y), TextStyle::soft(13.0, Anchor::End), &name);
        let (at, value) = ((frame.right + 10.0, y), decimal(plot.lang, bar.value, decimals));
        plot.text(at, TextStyle::soft(13.0, Anchor::Start), &value);
    }
    let bottom = top + PITCH * bars.len() as f64;
    plot.line((left, top), (left, bottom), stroke(AXIS, 1.2));
    plot.frame.top = bottom;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::png;

    #[test]
    fn any_figures_are_drawn_in_both_languages() {
        for (lang, value) in [(Lang::En, 1.5), (Lang::Es, 0.0), (Lang::En, f64::NAN)] {
            let part = |name: &str| Bar { name: name.to_owned(), value };
            let parts = ["a", "b", "<&>"].map(part);
            let svg = Throughput {
                lang,
                subject: "model on engine",
                achieved: value,
                bound: value,
                parts: &parts,
                waits: &parts,
            }
            .svg();
            assert!(svg.contains("&lt;&amp;&gt;"));
            assert!(png::render(&svg, 1.0).is_ok());
        }
    }
}
