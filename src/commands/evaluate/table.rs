//! The report as text.

use std::fmt::Write;

use super::tally::{EvaluationReport, LabelledGroup};
use celaje_sky::evaluate::against::{Agreement, FRACTION_TOLERANCE};
use celaje_sky::evaluate::figures::{COLUMNS, Estimate, Figures};
use celaje_sky::say;
use celaje_sky::text::{Lang, Text};

/// Most pictures with a wrong okta that are named.
const NAMED: usize = 10;

/// The whole report in `lang`, without a line break at its end.
pub(super) fn text(report: &EvaluationReport, lang: Lang) -> String {
    let page = Page { lang };
    let mut out = page.head(report);
    out += &page.figures(report);
    out += &page.confusion(&report.all);
    out += &page.reliability(&report.all);
    if let Some(agreement) = &report.against {
        out += &page.agreement(agreement);
    }
    out.trim_end().to_owned()
}

struct Page {
    lang: Lang,
}

impl Page {
    fn tell(&self, text: Text) -> String {
        text.get(self.lang).to_owned()
    }

    /// A number as the language writes it.
    fn number(&self, value: f64, decimals: usize) -> String {
        let text = format!("{value:.decimals$}");
        // A zero has no sign.
        let zero = text.strip_prefix('-').filter(|rest| rest.parse() == Ok(0.0));
        let text = zero.unwrap_or(&text).to_owned();
        match self.lang {
            Lang::Es => text.replace('.', ","),
            Lang::En => text,
        }
    }

    /// A number that may be none, times `scale`.
    fn maybe(&self, value: Option<f64>, scale: f64, decimals: usize) -> String {
        value.map_or("–".to_owned(), |value| self.number(value * scale, decimals))
    }

    /// A number with its interval.
    fn estimate(&self, estimate: Option<Estimate>, scale: f64, decimals: usize) -> String {
        let Some(Estimate { value, low, high }) = estimate else {
            return "–".to_owned();
        };
        let [value, low, high] = [value, low, high].map(|v| self.number(v * scale, decimals));
        format!("{value} ({low}–{high})")
    }

    fn head(&self, report: &EvaluationReport) -> String {
        let (model, engine, labels) = (&report.model, &report.engine, &report.labels);
        let head = match &report.station {
            None => say!(
                "{model} on {engine} · {labels} · whole pictures",
                "{model} en {engine} · {labels} · imágenes enteras"
            ),
            Some(station) => say!(
                "{model} on {engine} · {labels} · region of {station}",
                "{model} en {engine} · {labels} · región de {station}"
            ),
        };
        format!("{}\n\n", self.tell(head))
    }

    fn figures(&self, report: &EvaluationReport) -> String {
        let header = say!(
            "|n|failed|exact %|within 1|within 2|okta error|bias|fraction error|pixels \
            %|confidence|calibration",
            "|n|fallidas|exactas %|a ≤ 1|a ≤ 2|error octa|sesgo|error fracción|píxeles \
            %|confianza|calibración"
        );
        let mut rows = vec![self.tell(header).split('|').map(str::to_owned).collect()];
        let all = self.tell(say!("all", "todas"));
        for LabelledGroup { name, figures } in &report.groups {
            rows.push(self.row(name, figures));
        }
        // Where each group is a camera, the same would be said twice.
        let of = |parts: &[LabelledGroup]| -> Vec<Figures> {
            parts.iter().map(|part| part.figures.clone()).collect()
        };
        if !report.cameras.is_empty() && of(&report.groups) != of(&report.cameras) {
            rows.extend((!report.groups.is_empty()).then(Vec::new));
            for LabelledGroup { name, figures } in &report.cameras {
                rows.push(self.row(name, figures));
            }
        }
        if rows.len() > 1 {
            rows.push(Vec::new());
        }
        rows.push(self.row(&all, &report.all));
        let notes = say!(
            "In parentheses: 95 % bootstrap intervals. Oktas: read less labelled. Fractions are \
            shares of the\n\
             picture's pixels, not of the sky's area. Calibration: expected calibration error, ten \
             bins.",
            "Entre paréntesis: intervalos del 95 % por remuestreo. Octas: leída menos etiquetada. \
            Las fracciones\n\
             son partes de los píxeles de la imagen, no del área del cielo. Calibración: su error \
             esperado, diez tramos."
        );
        format!("{}\n{}\n\n", aligned(&rows), self.tell(notes))
    }

    fn row(&self, name: &str, of: &Figures) -> Vec<String> {
        let bias = self.maybe(of.okta_bias, 1.0, 2);
        let plus = of.okta_bias.is_some_and(|bias| bias >= 0.005);
        vec![
            name.to_owned(),
            of.n.to_string(),
            of.failed.to_string(),
            self.estimate(of.exact, 100.0, 1),
            self.maybe(of.within_one, 100.0, 1),
            self.maybe(of.within_two, 100.0, 1),
            self.maybe(of.okta_error, 1.0, 2),
            if plus { format!("+{bias}") } else { bias },
            self.estimate(of.fraction_error, 1.0, 3),
            self.maybe(of.pixel_accuracy, 100.0, 1),
            self.maybe(of.confidence, 1.0, 3),
            self.maybe(of.calibration_error, 1.0, 3),
        ]
    }

    /// The confusion matrix of all pictures; the last column only where it says something.
    fn confusion(&self, of: &Figures) -> String {
        if of.n == 0 {
            return String::new();
        }
        let columns = if of.without_okta > 0 { COLUMNS } else { COLUMNS - 1 };
        let mut header = vec![String::new()];
        header.extend((0..9).map(|okta| okta.to_string()));
        if columns == COLUMNS {
            header.push(self.tell(say!("none", "ninguna")));
        }
        let mut rows = vec![header];
        for (okta, counts) in of.confusion.iter().enumerate() {
            let counts = counts.iter().take(columns).map(|&n| match n {
                0 => "·".to_owned(),
                n => n.to_string(),
            });
            rows.push([okta.to_string()].into_iter().chain(counts).collect());
        }
        let title = say!(
            "Labelled okta (row) and okta read (column)",
            "Octa etiquetada (fila) y octa leída (columna)"
        );
        format!("{}\n{}\n", self.tell(title), aligned(&rows))
    }

    /// The bins that hold readings.
    fn reliability(&self, of: &Figures) -> String {
        if of.confidence.is_none() {
            return String::new();
        }
        let header = say!("from|to|n|confidence|right", "de|a|n|confianza|correctas");
        let mut rows: Vec<Vec<String>> =
            vec![self.tell(header).split('|').map(str::to_owned).collect()];
        for bin in of.bins.iter().filter(|bin| bin.n > 0) {
            rows.push(vec![
                self.number(bin.from, 1),
                self.number(bin.to, 1),
                bin.n.to_string(),
                self.maybe(bin.confidence, 1.0, 3),
                self.maybe(bin.right, 1.0, 3),
            ]);
        }
        let title = say!(
            "Confidence, and the share of readings that are right",
            "Confianza, y qué parte de las lecturas es correcta"
        );
        format!("{}\n{}\n", self.tell(title), aligned(&rows))
    }

    fn agreement(&self, found: &Agreement) -> String {
        let Agreement { compared, only_here, only_there, fraction_differs, .. } = found;
        let differ = found.okta_differs.len();
        let tolerance = self.number(FRACTION_TOLERANCE, 3);
        let mut out = self.tell(say!(
            "Compared with the other readings: {compared} pictures, {only_here} only here, \
            {only_there} only there; \
             another okta: {differ}; fraction further apart than {tolerance}: {fraction_differs}",
            "Frente a las otras lecturas: {compared} imágenes, {only_here} solo aquí, {only_there} \
            solo allá; \
             otra octa: {differ}; fracción a más de {tolerance}: {fraction_differs}"
        ));
        if let Some(furthest) = &found.furthest {
            let (image, far) = (&furthest.image, self.number(furthest.difference, 6));
            out += &self.tell(say!(
                "; furthest: {far} ({image})",
                "; la mayor diferencia: {far} ({image})"
            ));
        }
        out.push('\n');
        let okta = |okta: Option<u8>| okta.map_or("–".to_owned(), |okta| okta.to_string());
        for other in found.okta_differs.iter().take(NAMED) {
            let (here, there, image) = (okta(other.here), okta(other.there), &other.image);
            let line = say!(
                "  {image}: {here} here, {there} there",
                "  {image}: {here} aquí, {there} allá"
            );
            out += &self.tell(line);
            out.push('\n');
        }
        if differ > NAMED {
            let more = differ - NAMED;
            out += &self.tell(say!("  and {more} more", "  y {more} más"));
            out.push('\n');
        }
        out
    }
}

/// Rows as columns: the first to the left, the others to the right, two blanks between them.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a String does not fail.
            let _ = if column == 0 {
                write!(line, "{cell:width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::evaluate::against::{Disagreement, Furthest};
    use celaje_sky::evaluate::figures::Sample;
    use celaje_sky::okta::Okta;

    fn report() -> EvaluationReport {
        let sample = |truth: usize, read: Option<usize>| Sample {
            okta_true: Okta::ALL[truth],
            okta_read: read.map(|okta| Okta::ALL[okta]),
            fraction_true: Some(truth as f64 / 8.0),
            fraction_read: read.map(|okta| okta as f64 / 8.0),
            confidence: read.map(|_| 0.75),
            pixel_accuracy: Some(0.9),
        };
        let samples = [sample(1, Some(1)), sample(3, Some(4)), sample(8, None)];
        let part = |name: &str, samples: &[Sample]| LabelledGroup {
            name: name.to_owned(),
            figures: Figures::of(samples, 0),
        };
        EvaluationReport {
            model: "toy 1".to_owned(),
            engine: "rten".to_owned(),
            labels: "labels.csv".to_owned(),
            station: None,
            all: Figures::of(&samples, 1),
            groups: vec![part("día", &samples[..2]), part("night", &samples[2..])],
            cameras: Vec::new(),
            against: Some(Agreement {
                compared: 2,
                okta_differs: vec![
                    Disagreement {
                        image: "a.jpg".to_owned(),
                        here: Some(3),
                        there: None,
                    };
                    12
                ],
                furthest: Some(Furthest { image: "a.jpg".to_owned(), difference: 0.25 }),
                ..Agreement::default()
            }),
        }
    }

    #[test]
    fn columns_stand_below_their_headings() {
        let text = text(&report(), Lang::En);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "toy 1 on rten · labels.csv · whole pictures");
        assert!(lines[3].starts_with("día    2       0  50.0 (0.0–100.0)"), "{text}");
        assert!(lines[4].contains("–"), "{text}");
        let end = |line: &str| line.chars().count();
        assert_eq!(end(lines[2]), end(lines[3]), "{text}");
        assert!(lines[6].starts_with("all    3       1  33.3"), "{text}");
        assert!(text.contains("none\n"), "{text}");
        assert!(text.contains("+0.50"), "{text}");
        assert!(text.contains("a.jpg: 3 here, – there") && text.contains("and 2 more"));
    }

    #[test]
    fn cameras_that_are_the_groups_are_not_said_twice() {
        let mut report = report();
        let rename = |part: &LabelledGroup, name: &str| LabelledGroup {
            name: name.to_owned(),
            figures: part.figures.clone(),
        };
        report.cameras = vec![rename(&report.groups[0], "c1"), rename(&report.groups[1], "c2")];
        assert!(!text(&report, Lang::En).contains("c1"));
        report.cameras.swap(0, 1);
        let lines = text(&report, Lang::En);
        assert!(lines.contains("\n\nc2 ") && lines.contains("\nc1 "), "{lines}");
    }

    #[test]
    fn spanish_numbers_have_commas() {
        let text = text(&report(), Lang::Es);
        assert!(text.contains("33,3") && text.contains("todas"), "{text}");
        assert!(!text.contains("0.7"), "{text}");
        let page = Page { lang: Lang::Es };
        assert_eq!(page.number(-0.004, 2), "0,00");
        assert_eq!(page.number(-0.04, 2), "-0,04");
    }
}
