//! The skill of a model: confusion matrix and reliability diagram.

use super::axis::ValueAxis;
use super::look::{Look, MARGIN};
use super::plot::{Frame, Layout, Plot};
use super::svg::{Anchor, Num, TextStyle, fill, stroke};
use super::theme::{AXIS, GRID, INK, PAPER, okta_colour};
use super::words::{count, decimal, tell};
use celaje_sky::evaluate::figures::{BINS, COLUMNS, Figures};
use celaje_sky::okta::Okta;
use celaje_sky::text::Lang;

/// Left of the frame: the axis and its name.
const LEFT: f64 = 44.0;
/// Side of a cell of the matrix.
const CELL: f64 = 46.0;
/// Side of the reliability diagram.
const SIDE: f64 = 420.0;
/// Height of the histogram below it.
const HISTOGRAM: f64 = 84.0;
/// From the diagram to the histogram's lower edge.
const FLOOR: f64 = 18.0 + HISTOGRAM;
/// From a frame to its tick labels, the name of its axis and the note below.
const TICKS: f64 = 19.0;
const NAME: f64 = 44.0;
const NOTE: f64 = 70.0;

const TICK: f64 = 13.0;
const DASHES: &str = "stroke-dasharray=\"6 5\"";

pub struct Skill<'a> {
    pub lang: Lang,
    /// The model.
    pub subject: &'a str,
    pub figures: &'a Figures,
}

impl Skill<'_> {
    /// The confusion matrix: how the pictures of each labelled okta were read.
    pub fn confusion(&self) -> String {
        let lang = self.lang;
        let columns = COLUMNS - usize::from(self.figures.without_okta == 0);
        let title = tell!(lang, "Okta read and labelled", "Octa leída y etiquetada");
        let n = count(lang, self.figures.n as u64);
        let exact = self.percent(self.figures.exact.map(|exact| exact.value));
        let one = self.percent(self.figures.within_one);
        let line = tell!(
            lang,
            "{n} pictures · {exact} exact · {one} within one",
            "{n} imágenes · {exact} exactas · {one} a una o menos"
        );
        self.draw(title, line, (CELL * columns as f64, CELL * 9.0), 0.0, |plot| {
            for (row, counts) in self.figures.confusion.iter().enumerate() {
                row_of_cells(plot, row, counts.get(..columns).unwrap_or(counts));
            }
            let Frame { left, bottom, .. } = plot.frame;
            for column in 0..columns {
                let name = match column + 1 {
                    COLUMNS => tell!(lang, "none", "ninguna"),
                    _ => column.to_string(),
                };
                let at = (left + CELL * (column as f64 + 0.5), bottom + TICKS);
                plot.text(at, TextStyle::soft(TICK, Anchor::Middle), &name);
            }
            let up = tell!(lang, "okta labelled", "octa etiquetada");
            plot.axis_names(&tell!(lang, "okta read", "octa leída"), NAME, &up);
            let note = tell!(
                lang,
                "Numbers of pictures; the darker, the larger a share of its row",
                "Cantidad de imágenes; cuanto más oscuro, mayor parte de su fila"
            );
            let at = (left, bottom + NOTE);
            plot.text(at, TextStyle::soft(12.0, Anchor::Start), &note);
        })
    }

    /// The reliability diagram: the share of right readings by confidence, and how many readings
    /// there are of each.
    pub fn reliability(&self) -> String {
        let lang = self.lang;
        let title = tell!(lang, "Confidence and share of right readings", "Confianza y aciertos");
        let n: usize = self.figures.bins.iter().map(|bin| bin.n).sum();
        let n = count(lang, n as u64);
        let error = decimal(lang, self.figures.calibration_error.unwrap_or(f64::NAN), 3);
        let line = tell!(
            lang,
            "{n} readings · expected calibration error {error}",
            "{n} lecturas · error de calibración esperado {error}"
        );
        self.draw(title, line, (SIDE, SIDE), FLOOR, |plot| {
            let axis = plot.frame.value_axis(0.0, 1.0, 0.0);
            self.grid(plot, &axis);
            self.bins(plot, &axis);
            let up = tell!(lang, "share of right readings", "proporción de lecturas correctas");
            plot.axis_names(&tell!(lang, "confidence", "confianza"), FLOOR + NAME, &up);
        })
    }

    /// The diagonal on which a perfect confidence lies, the axes and the note.
    fn grid(&self, plot: &mut Plot, axis: &ValueAxis) {
        let Frame { left, right, top, bottom } = plot.frame;
        let floor = bottom + FLOOR;
        for tick in 0..=5 {
            let share = f64::from(tick) / 5.0;
            let (x, y) = (left + SIDE * share, axis.y(share));
            plot.grid_line(y);
            plot.line((x, top), (x, floor), stroke(GRID, 0.8));
            let text = decimal(self.lang, share, 1);
            let end = TextStyle::soft(TICK, Anchor::End);
            plot.text((left - 10.0, y + 4.5), end, &text);
            let middle = TextStyle::soft(TICK, Anchor::Middle);
            plot.text((x, floor + TICKS), middle, &text);
        }
        for y in [bottom, floor] {
            plot.line((left, y), (right, y), stroke(AXIS, 1.2));
        }
        let dashes = format!("{} {DASHES}", stroke(AXIS, 1.4));
        plot.line((left, bottom), (right, top), &dashes);
        let y = floor + NOTE;
        plot.line((left, y - 4.0), (left + 29.0, y - 4.0), &dashes);
        let note = tell!(
            self.lang,
            "a perfect confidence · the larger a mark, the more readings",
            "confianza perfecta · cuanto más grande la marca, más lecturas"
        );
        plot.text((left + 37.0, y), TextStyle::soft(12.0, Anchor::Start), &note);
    }

    fn bins(&self, plot: &mut Plot, axis: &ValueAxis) {
        let (left, floor) = (plot.frame.left, plot.frame.bottom + FLOOR);
        let counts = self.figures.bins.iter().map(|bin| bin.n);
        let most = counts.max().unwrap_or(0).max(1) as f64;
        let colour = okta_colour(Okta::ALL[5]);
        for bin in &self.figures.bins {
            let (Some(confidence), Some(right)) = (bin.confidence, bin.right) else {
                continue;
            };
            let share = bin.n as f64 / most;
            let at = (left + SIDE * confidence, axis.y(right));
            let ideal = (at.0, axis.y(confidence));
            plot.line(ideal, at, format_args!("{} opacity=\"0.5\"", stroke(colour, 2.0)));
            // The area of a mark stands for the number of readings.
            let style = format_args!("{} fill-opacity=\"0.9\" stroke=\"{PAPER}\"", fill(colour));
            plot.circle(at, 4.0 + 9.0 * share.sqrt(), style);
            let (x, wide) = (left + SIDE * bin.from, SIDE / BINS as f64);
            let tall = (HISTOGRAM - 18.0) * share;
            let style = format_args!("{} fill-opacity=\"0.75\"", fill(colour));
            plot.rect((x + 3.0, floor - tall), (wide - 6.0, tall), style);
            let at = (x + wide / 2.0, floor - tall - 4.0);
            let style = TextStyle::soft(11.5, Anchor::Middle);
            plot.text(at, style, &bin.n.to_string());
        }
    }

    /// A diagram with a frame of `size` and room below it for `more`, axis and note.
    fn draw(
        &self,
        title: String,
        line: String,
        size: (f64, f64),
        more: f64,
        marks: impl FnOnce(&mut Plot),
    ) -> String {
        let layout = Layout {
            lines: vec![self.subject.to_owned(), line],
            width: 2.0 * MARGIN + LEFT + size.0,
            height: size.1,
            left: LEFT,
            below: more + NOTE + 8.0,
            ..Layout::new(Look::alone(self.lang), title, "", "")
        };
        layout.draw(marks)
    }

    fn percent(&self, share: Option<f64>) -> String {
        let percent = share.map(|share| decimal(self.lang, 100.0 * share, 1) + "\u{a0}%");
        percent.unwrap_or("–".to_owned())
    }
}

/// A row of the matrix: the darker a cell, the larger its share of the row.
fn row_of_cells(plot: &mut Plot, row: usize, counts: &[usize]) {
    let (left, top) = (plot.frame.left, plot.frame.top + CELL * row as f64);
    let total: usize = counts.iter().sum();
    let size = (CELL - 2.0, CELL - 2.0);
    for (column, &count) in counts.iter().enumerate() {
        let share = count as f64 / total.max(1) as f64;
        let shade = if count > 0 { 0.08 + 0.92 * share } else { 0.0 };
        let (x, y) = (left + CELL * column as f64, top);
        let (at, colour) = ((x + 1.0, y + 1.0), fill(okta_colour(Okta::ALL[6])));
        let style = format_args!("rx=\"3\" {colour} fill-opacity=\"{}\"", Num(shade));
        plot.rect(at, size, style);
        let line = match row == column {
            true => stroke(AXIS, 1.4),
            false => stroke(GRID, 0.6),
        };
        plot.rect(at, size, format_args!("rx=\"3\" fill=\"none\" {line}"));
        if count > 0 {
            let ink = if share > 0.5 { PAPER } else { INK };
            let style = TextStyle::coloured(14.0, ink, Anchor::Middle);
            let at = (x + CELL / 2.0, y + CELL / 2.0 + 5.0);
            plot.text(at, style, &count.to_string());
        }
    }
    let at = (left - 10.0, top + CELL / 2.0 + 4.5);
    plot.text(at, TextStyle::soft(TICK, Anchor::End), &row.to_string());
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
    fn any_figures_are_drawn_in_both_languages_and_stay_small() {
        for (n, none) in [(0, false), (1, true), (400, true), (30_000, false)] {
            let figures = Figures::of(&samples(n, none)[..n.min(500)], 0);
            for lang in [Lang::En, Lang::Es] {
                let skill = Skill { lang, subject: "a model <&> \"1\"", figures: &figures };
                for svg in [skill.confusion(), skill.reliability()] {
                    let png = png::render(&svg, 1.5).unwrap();
                    assert!(png.len() < 100_000 && svg.len() < 100_000, "{}", png.len());
                    let spanish = svg.contains("Confianza") || svg.contains("octa leída");
                    assert_eq!(spanish, lang == Lang::Es);
                }
            }
        }
    }

    #[test]
    fn every_count_stands_in_the_matrix() {
        let figures = Figures::of(&samples(90, true), 0);
        let skill = Skill { lang: Lang::En, subject: "m", figures: &figures };
        let svg = skill.confusion();
        assert!(svg.contains(">none</text>"));
        let numbers = svg
            .split("<text")
            .filter(|text| text.contains("font-size=\"14\"") && text.contains("\"middle\""));
        let cells = figures.confusion.iter().flatten().filter(|&&n| n > 0).count();
        assert_eq!(numbers.count(), cells);
    }
}
