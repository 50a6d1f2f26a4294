//! What readings are worth: the confusion matrix and the reliability diagram.

use super::svg::{Anchor, Num, Svg, Type};
use super::theme::{AXIS, GRID, INK, MARGIN, PAPER, fit, okta_colour};
use super::words::tell;
use celaje_sky::evaluate::figures::{BINS, COLUMNS, Estimate, Figures};
use celaje_sky::okta::Okta;
use celaje_sky::say;
use celaje_sky::text::{Lang, Text};

/// Where the panels begin, below the heading.
const TOP: f64 = 108.0;
/// Left of the panels: the axis and its name.
const LEFT: f64 = MARGIN + 44.0;
/// Side of a cell of the matrix.
const CELL: f64 = 46.0;
/// Side of the reliability panel.
const SIDE: f64 = 420.0;
/// Height of the histogram below it.
const HISTOGRAM: f64 = 84.0;

const TICK: f64 = 13.0;

/// What is drawn.
pub struct Skill<'a> {
    /// Language of the labels.
    pub lang: Lang,
    /// The model.
    pub subject: &'a str,
    /// Its figures.
    pub figures: &'a Figures,
}

impl Skill<'_> {
    /// The confusion matrix as SVG: how the pictures of each labelled okta were read.
    pub fn confusion(&self) -> String {
        let columns = if self.figures.without_okta > 0 {
            COLUMNS
        } else {
            COLUMNS - 1
        };
        let (width, height) = (CELL * columns as f64, CELL * 9.0);
        let title = self.tell(say!("Okta read and labelled", "Octa leída y etiquetada"));
        let n = self.figures.n;
        let exact = self.percent(self.figures.exact.map(|Estimate { value, .. }| value));
        let one = self.percent(self.figures.within_one);
        let line = self.tell(say!(
            "{n} pictures · {exact} exact · {one} within one",
            "{n} imágenes · {exact} exactas · {one} a una o menos"
        ));
        let page = (LEFT + width + MARGIN, TOP + height + 92.0);
        let mut svg = self.start(page, &title, &line);
        for (row, counts) in self.figures.confusion.iter().enumerate() {
            let y = TOP + CELL * row as f64;
            let total: usize = counts.iter().sum();
            for (column, &count) in counts.iter().take(columns).enumerate() {
                let share = count as f64 / total.max(1) as f64;
                let x = LEFT + CELL * column as f64;
                self.cell(&mut svg, (x, y), count, share, row == column);
            }
            let place = (LEFT - 10.0, y + CELL / 2.0 + 4.5);
            svg.text(place, Type::soft(TICK, Anchor::End), &row.to_string());
        }
        for column in 0..columns {
            let x = LEFT + CELL * (column as f64 + 0.5);
            let name = if column == COLUMNS - 1 {
                self.tell(say!("none", "ninguna"))
            } else {
                column.to_string()
            };
            svg.text(
                (x, TOP + height + 20.0),
                Type::soft(TICK, Anchor::Middle),
                &name,
            );
        }
        let across = self.tell(say!("okta read", "octa leída"));
        let up = self.tell(say!("okta labelled", "octa etiquetada"));
        self.axis_names(&mut svg, (width, height), (&across, 44.0), &up);
        let note = self.tell(say!(
            "Numbers of pictures; the darker, the larger a share of its row",
            "Números de imágenes; más oscuro, mayor parte de su fila"
        ));
        svg.text(
            (LEFT, TOP + height + 70.0),
            Type::soft(12.0, Anchor::Start),
            &note,
        );
        svg.finish()
    }

    fn cell(&self, svg: &mut Svg, (x, y): (f64, f64), count: usize, share: f64, right: bool) {
        let (fill, ink) = (
            okta_colour(Okta::ALL[6]),
            if share > 0.5 { PAPER } else { INK },
        );
        let shade = if count > 0 { 0.08 + 0.92 * share } else { 0.0 };
        svg.rect(
            (x + 1.0, y + 1.0),
            (CELL - 2.0, CELL - 2.0),
            format_args!("rx=\"3\" fill=\"{fill}\" fill-opacity=\"{}\"", Num(shade)),
        );
        let stroke = if right { AXIS } else { GRID };
        let width = if right { 1.4 } else { 0.6 };
        svg.rect(
            (x + 1.0, y + 1.0),
            (CELL - 2.0, CELL - 2.0),
            format_args!("rx=\"3\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\""),
        );
        if count > 0 {
            let style = Type {
                size: 14.0,
                fill: ink,
                anchor: Anchor::Middle,
            };
            let text = count.to_string();
            svg.text((x + CELL / 2.0, y + CELL / 2.0 + 5.0), style, &text);
        }
    }

    /// The reliability diagram as SVG: the share of right readings against the confidence, and how
    /// many readings there are of each.
    pub fn reliability(&self) -> String {
        let title = self.tell(say!(
            "Confidence, and what came true",
            "Confianza, y lo que se cumplió"
        ));
        let n: usize = self.figures.bins.iter().map(|bin| bin.n).sum();
        let error = self.figures.calibration_error;
        let error = error.map_or("–".to_owned(), |error| self.number(error, 3));
        let line = self.tell(say!(
            "{n} readings · expected calibration error {error}",
            "{n} lecturas · error de calibración esperado {error}"
        ));
        let floor = TOP + SIDE + 18.0 + HISTOGRAM;
        let mut svg = self.start((LEFT + SIDE + MARGIN, floor + 92.0), &title, &line);
        self.grid(&mut svg, floor);
        self.legend(&mut svg, floor + 70.0);
        let most = self.figures.bins.iter().map(|bin| bin.n).max().unwrap_or(0);
        let fill = okta_colour(Okta::ALL[5]);
        for bin in &self.figures.bins {
            let (Some(confidence), Some(right)) = (bin.confidence, bin.right) else {
                continue;
            };
            let (x, wide) = (LEFT + SIDE * bin.from, SIDE / BINS as f64);
            let at = (LEFT + SIDE * confidence, TOP + SIDE * (1.0 - right));
            let ideal = TOP + SIDE * (1.0 - confidence);
            let gap = format_args!("stroke=\"{fill}\" stroke-width=\"2\" opacity=\"0.5\"");
            svg.line((at.0, ideal), at, gap);
            // The area of a mark stands for the number of readings.
            let radius = 4.0 + 9.0 * (bin.n as f64 / most.max(1) as f64).sqrt();
            svg.raw(format_args!(
                "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{fill}\" fill-opacity=\"0.9\" stroke=\"{PAPER}\"/>\n",
                Num(at.0),
                Num(at.1),
                Num(radius),
            ));
            let tall = (HISTOGRAM - 18.0) * bin.n as f64 / most.max(1) as f64;
            let bar = format_args!("fill=\"{fill}\" fill-opacity=\"0.75\"");
            svg.rect((x + 3.0, floor - tall), (wide - 6.0, tall), bar);
            let label = (x + wide / 2.0, floor - tall - 4.0);
            svg.text(label, Type::soft(11.5, Anchor::Middle), &bin.n.to_string());
        }
        let across = self.tell(say!("confidence", "confianza"));
        let up = self.tell(say!(
            "share of right readings",
            "parte de lecturas correctas"
        ));
        self.axis_names(
            &mut svg,
            (SIDE, SIDE),
            (&across, floor - TOP - SIDE + 44.0),
            &up,
        );
        svg.finish()
    }

    /// Axes, the diagonal on which a perfect confidence lies, and the numbers.
    fn grid(&self, svg: &mut Svg, floor: f64) {
        let (right, bottom) = (LEFT + SIDE, TOP + SIDE);
        for tick in 0..=5 {
            let share = f64::from(tick) / 5.0;
            let (x, y) = (LEFT + SIDE * share, TOP + SIDE * (1.0 - share));
            let line = format_args!("stroke=\"{GRID}\" stroke-width=\"0.8\"");
            svg.line((LEFT, y), (right, y), line);
            svg.line((x, TOP), (x, floor), line);
            let text = self.number(share, 1);
            svg.text((LEFT - 10.0, y + 4.5), Type::soft(TICK, Anchor::End), &text);
            svg.text((x, floor + 18.0), Type::soft(TICK, Anchor::Middle), &text);
        }
        let axis = format_args!("stroke=\"{AXIS}\" stroke-width=\"1.2\"");
        svg.line((LEFT, bottom), (right, bottom), axis);
        svg.line((LEFT, floor), (right, floor), axis);
        let dashes =
            format_args!("stroke=\"{AXIS}\" stroke-width=\"1.4\" stroke-dasharray=\"6 5\"");
        svg.line((LEFT, bottom), (right, TOP), dashes);
    }

    /// What the marks mean, on the baseline `y`.
    fn legend(&self, svg: &mut Svg, y: f64) {
        let dashes =
            format_args!("stroke=\"{AXIS}\" stroke-width=\"1.4\" stroke-dasharray=\"6 5\"");
        svg.line((LEFT, y - 4.0), (LEFT + 29.0, y - 4.0), dashes);
        let note = self.tell(say!(
            "a perfect confidence · the larger a mark, the more readings",
            "una confianza perfecta · marca más grande, más lecturas"
        ));
        svg.text((LEFT + 37.0, y), Type::soft(12.0, Anchor::Start), &note);
    }

    fn start(&self, (width, height): (f64, f64), title: &str, line: &str) -> Svg {
        let about = format!("{}. {line}.", self.subject);
        let mut svg = Svg::new(width, height, title, &about);
        let style = Type {
            size: 21.0,
            fill: INK,
            anchor: Anchor::Start,
        };
        let room = width - 2.0 * MARGIN;
        svg.text((MARGIN, 40.0), style, &fit(title, 21.0, room));
        let soft = Type::soft(13.5, Anchor::Start);
        svg.text((MARGIN, 63.0), soft, &fit(self.subject, 13.5, room));
        svg.text((MARGIN, 84.0), soft, &fit(line, 13.5, room));
        svg
    }

    /// Names the axis below a panel of this size, so far below it, and the one at its left.
    fn axis_names(&self, svg: &mut Svg, size: (f64, f64), across: (&str, f64), up: &str) {
        let style = Type::soft(TICK, Anchor::Middle);
        let middle = (LEFT + size.0 / 2.0, TOP + size.1 + across.1);
        svg.text(middle, style, across.0);
        let (x, y) = (Num(MARGIN + 7.0), Num(TOP + size.1 / 2.0));
        svg.raw(format_args!(
            "<g transform=\"translate({x} {y}) rotate(-90)\">\n"
        ));
        svg.text((0.0, 0.0), style, up);
        svg.raw(format_args!("</g>\n"));
    }

    fn tell(&self, text: Text) -> String {
        tell(self.lang, text)
    }

    fn number(&self, value: f64, decimals: usize) -> String {
        let text = format!("{value:.decimals$}");
        match self.lang {
            Lang::Es => text.replace('.', ","),
            Lang::En => text,
        }
    }

    fn percent(&self, share: Option<f64>) -> String {
        share.map_or("–".to_owned(), |share| {
            format!("{} %", self.number(100.0 * share, 1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::png;
    use celaje_sky::evaluate::figures::Sample;

    fn samples(n: usize, none: bool) -> Vec<Sample> {
        (0..n)
            .map(|i| Sample {
                okta_true: Okta::ALL[i % 9],
                okta_read: (!none || i % 7 > 0).then_some(Okta::ALL[(i + i / 9 % 2) % 9]),
                fraction_true: None,
                fraction_read: None,
                confidence: Some((i % 11) as f64 / 10.0),
                pixel_accuracy: None,
            })
            .collect()
    }

    #[test]
    fn both_are_drawn_of_any_figures_in_both_languages_and_stay_small() {
        for (n, none) in [(0, false), (1, true), (400, true), (30_000, false)] {
            let figures = Figures::of(&samples(n, none)[..n.min(500)], 0);
            for lang in [Lang::En, Lang::Es] {
                let skill = Skill {
                    lang,
                    subject: "a model <&> \"1\"",
                    figures: &figures,
                };
                for svg in [skill.confusion(), skill.reliability()] {
                    let png = png::render(&svg, 1.5).unwrap();
                    assert!(png.len() < 100_000 && svg.len() < 100_000, "{}", png.len());
                    let spanish = svg.contains("confianza") || svg.contains("octa leída");
                    assert_eq!(spanish, lang == Lang::Es);
                }
            }
        }
    }

    #[test]
    fn every_count_stands_in_the_matrix() {
        let figures = Figures::of(&samples(90, true), 0);
        let skill = Skill {
            lang: Lang::En,
            subject: "m",
            figures: &figures,
        };
        let svg = skill.confusion();
        assert!(svg.contains(">none</text>"));
        let numbers = svg.matches("font-size=\"14\"").count();
        let cells = figures
            .confusion
            .iter()
            .flatten()
            .filter(|&&n| n > 0)
            .count();
        assert_eq!(numbers, cells);
    }
}
