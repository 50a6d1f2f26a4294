//! What stands on the pages of a report.

use chrono::Datelike;

use crate::figures::data::ChartData;
use crate::figures::report::{ReportFigure, ReportMonth, StationReport, words};
use crate::store::reader::DarkMonth;
use celaje_chart::legend::{self, Key};
use celaje_chart::paper::{COLUMN, Paper, PaperPage, PaperTable, height_of, told_by};
use celaje_chart::words::{count, decimal, interval, moment, percent, range, short_month};
use celaje_sky::evaluate::figures::Estimate;
use celaje_sky::say;
use celaje_sky::text::Text;
use celaje_vision::model::source::card_of;

/// Of charts whose gaps are hatched, and of rasters, whose gaps are flat.
const HATCHED: &[Key] = &[Key::Oktas, Key::Gap, Key::Hidden];
const FLAT: &[Key] = &[Key::Oktas, Key::FlatGap, Key::Hidden];
/// Shares of the width that the columns of the table of months have.
const SHARES: [f64; 9] = [1.15, 0.8, 1.1, 0.9, 0.9, 0.95, 0.95, 0.9, 2.0];

impl StationReport {
    pub(super) fn pages(&self) -> Vec<PaperPage> {
        let title = self.title();
        let program = &self.about.program;
        let mut paper = Paper::new(format!("{title} · {program}"));
        self.cover(&mut paper);
        self.trust(&mut paper);
        self.coverage(&mut paper);
        self.tables(&mut paper);
        for figure in &self.figures {
            self.figure(&mut paper, figure);
        }
        paper.finish()
    }

    /// The text in the report's language.
    fn say(&self, text: Text) -> String {
        text.get(self.lang).to_owned()
    }

    pub(super) fn title(&self) -> String {
        let name = &self.station.name;
        let (from, to) = self.order.range;
        let range = range(self.lang, from, to);
        self.say(say!("Cloud amount at {name}, {range}", "Nubosidad en {name}, {range}"))
    }

    fn cover(&self, paper: &mut Paper) {
        // A date is on one line.
        let (from, to) = self.order.range;
        let range = range(self.lang, from, to);
        let whole = range.replace(' ', "\u{a0}").replace("\u{a0}–\u{a0}", " – ");
        paper.title(&self.title().replace(&range, &whole));
        paper.paragraph(&self.summary());
        let (about, station) = (&self.about, &self.station);
        let degrees = |value: f64| decimal(self.lang, value, 4);
        let (latitude, longitude) = (degrees(station.latitude), degrees(station.longitude));
        let none = say!("none is named", "no se indica ninguna");
        let licence = about.licence.clone().unwrap_or_else(|| self.say(none));
        let made = self.order.place.zone.local(self.now);
        let (from, to) = self.order.range;
        let range = format!("{} – {}", moment(self.lang, from), moment(self.lang, to));
        let mut facts = vec![
            (say!("Station", "Estación"), format!("{} ({})", station.name, station.id)),
            (say!("Place", "Lugar"), format!("{latitude}°, {longitude}°")),
            (say!("Clock", "Hora local"), station.time_zone.clone()),
            (say!("Range", "Intervalo"), range),
            (say!("Program", "Programa"), about.program.clone()),
            (say!("Licence of the data", "Licencia de los datos"), licence),
            (say!("Record", "Registro"), about.record.clone()),
            (say!("Report of", "Informe del"), moment(self.lang, made)),
        ];
        let more = [
            (say!("Institution", "Institución"), &about.institution),
            (say!("Contact", "Contacto"), &about.contact),
            (say!("More", "Más"), &about.url),
            (say!("WIGOS identifier", "Identificador WIGOS"), &station.wigos),
        ];
        facts.extend(more.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        let facts: Vec<_> =
            facts.into_iter().map(|(name, value)| (self.say(name), value)).collect();
        paper.facts(&facts);
        paper.heading(&self.say(say!("How to cite", "Cómo citar")));
        paper.paragraph(&about.citation(&self.terms, self.lang));
        paper.heading(&self.say(say!("Method", "Método")));
        for text in words::method(self.has_lens) {
            paper.paragraph(&self.say(text));
        }
    }

    /// The range in two sentences.
    fn summary(&self) -> String {
        let whole = self.sum(self.months.iter());
        let readings = count(self.lang, stored_in(&whole));
        let Some(mean) = whole.readings.mean() else {
            return self.say(say!(
                "There are {readings} readings of the range, and none of them shows the sky.",
                "Del intervalo hay {readings} lecturas, y ninguna muestra el cielo."
            ));
        };
        let (mean, clear) = (decimal(self.lang, mean, 1), percent(clear_share(&whole)));
        let covered = match covered(&whole) {
            Some(share) => {
                let share = percent(share);
                say!(
                    ", of {share} of the slots that were due",
                    ", del {share} de los turnos debidos"
                )
            }
            None => say!("", ""),
        };
        let covered = self.say(covered);
        self.say(say!(
            "{readings} readings{covered}: {mean} oktas on average, and 0 or 1 okta in {clear} of \
             those that show the sky.",
            "{readings} lecturas{covered}: {mean} octas en promedio, y 0 o 1 octa en el {clear} de \
             las que muestran el cielo."
        ))
    }

    /// The models, and how right they are here.
    fn trust(&self, paper: &mut Paper) {
        paper.heading(&self.say(say!("Model", "Modelo")));
        for model in &self.station.models {
            let unknown =
                say!("not said by what wrote the rows", "quien guardó las filas no lo dice");
            let name = model.name.clone().unwrap_or_else(|| self.say(unknown));
            let readings = count(self.lang, model.readings);
            let count = self.say(say!("{readings} readings", "{readings} lecturas"));
            paper.paragraph(&format!("{name}: {count}"));
            if let Some(hash) = &model.sha256 {
                paper.note(&format!("SHA-256 {hash}"));
            }
            if let Some(card) = model.name.as_deref().and_then(card_of) {
                paper.paragraph(&self.say(card));
            }
        }
        // The figures stay below their heading.
        paper.room(200.0);
        let title = say!("How right the readings are here", "Qué tan acertadas son aquí");
        paper.heading(&self.say(title));
        self.skill(paper);
    }

    fn skill(&self, paper: &mut Paper) {
        let skill = &self.skill.skill;
        let (labels, least) = (skill.labels, skill.least_labels);
        let (Some(exact), Some(near)) = (skill.exact, skill.within_one) else {
            return paper.paragraph(&self.say(say!(
                "Not enough labels yet: people labelled {labels} pictures of the station that were \
                 drawn at random, and figures are given from {least} on. Until then only the \
                 model's own figures hold, which are of other cameras.",
                "Aún no hay etiquetas suficientes: se etiquetaron {labels} imágenes de la estación \
                 elegidas al azar, y se dan cifras desde {least}. Hasta entonces solo valen las \
                 cifras del modelo, que son de otras cámaras."
            )));
        };
        let model = self.skill.model.clone().unwrap_or_default();
        paper.paragraph(&self.say(say!(
            "By {labels} pictures drawn at random and labelled by people, of the model {model}; \
             95 % intervals in parentheses.",
            "Según {labels} imágenes elegidas al azar y etiquetadas por personas, del modelo \
             {model}; entre paréntesis, intervalos del 95 %."
        )));
        let share = |of: Estimate| {
            let [value, low, high] = [of.value, of.low, of.high].map(percent);
            format!("{value} ({})", interval(&low, &high))
        };
        let mut facts = vec![
            (say!("Exactly right", "Exactas"), share(exact)),
            (say!("At most one off", "A lo sumo a una"), share(near)),
        ];
        facts.extend(skill.in_range.map(|of| (say!("In their range", "En su rango"), share(of))));
        facts.extend(skill.bias.map(|of| {
            let [value, low, high] =
                [of.value, of.low, of.high].map(|oktas| decimal(self.lang, oktas, 2));
            let told = format!("{value} ({})", interval(&low, &high));
            (say!("Bias, oktas", "Sesgo, octas"), told)
        }));
        let facts: Vec<_> =
            facts.into_iter().map(|(name, value)| (self.say(name), value)).collect();
        paper.facts(&facts);
    }

    /// Slots that were due, that have a reading, and why others have none.
    fn coverage(&self, paper: &mut Paper) {
        paper.heading(&self.say(say!("Coverage", "Cobertura")));
        let whole = self.sum(self.months.iter());
        let (stored, missed) = (self.station.readings, self.station.missed());
        let of_due = |n: i64| match whole.due {
            Some(due) if due > 0 => {
                decimal(self.lang, 100.0 * n as f64 / due as f64, 1) + "\u{a0}%"
            }
            _ => "–".to_owned(),
        };
        let row = |name: String, n: i64| vec![name, count(self.lang, n), of_due(n)];
        let counted = stored_in(&whole);
        let mut rows = vec![row(self.say(say!("Readings", "Lecturas")), counted)];
        if stored > counted {
            let frozen = say!(
                "Readings of a camera that stood still, in no figure",
                "Lecturas de una cámara detenida, que no entran en ninguna cifra"
            );
            rows.push(row(self.say(frozen), stored - counted));
        }
        for (reason, n) in &self.station.misses {
            let why = words::reason(self.lang, reason);
            rows.push(row(self.say(say!("Missed: {why}", "Fallidos: {why}")), *n));
        }
        if let Some(due) = whole.due.and_then(|due| i64::try_from(due).ok()) {
            let rest = due.saturating_sub(stored).saturating_sub(missed).max(0);
            rows.push(row(self.say(say!("Never asked for", "Nunca pedidos")), rest));
            rows.push(row(self.say(say!("Slots due", "Turnos debidos")), due));
        }
        let head = [
            say!("Slots", "Turnos"),
            say!("number", "cantidad"),
            say!("of those due", "de los debidos"),
        ];
        let head = vec![head.map(|text| self.say(text)).to_vec()];
        let sums_from = whole.due.map(|_| rows.len().saturating_sub(1));
        paper.table(&PaperTable { head, rows, shares: vec![3.0, 1.0, 1.0], sums_from });
        if whole.due.is_none() {
            paper.note(&self.say(say!(
                "How many slots were due is not known: the settings do not name the station, or \
                 name other minutes than the record has.",
                "No se sabe cuántos turnos se debían: los ajustes no nombran la estación, o \
                 indican otros minutos que los del registro."
            )));
        }
    }

    fn tables(&self, paper: &mut Paper) {
        paper.heading(&self.say(say!("By month", "Por mes")));
        let head = [
            [say!("Month", "Mes"), say!("", "")],
            [say!("slots", "turnos"), say!("due", "debidos")],
            [say!("readings", "lecturas"), say!("", "")],
            [say!("of those", "de los"), say!("due", "debidos")],
            [say!("sky not", "cielo no"), say!("visible", "visible")],
            [say!("mean", "media,"), say!("oktas", "octas")],
            [say!("clear", "despejado"), say!("0–1 okta", "0–1 octa")],
            [say!("dark", "horas"), say!("hours", "oscuras")],
            [
                say!("usable dark hours", "aprovechables"),
                say!("(95 % interval)", "(intervalo del 95 %)"),
            ],
        ];
        let line = |n: usize| head.iter().map(|texts| self.say(texts[n].clone())).collect();
        let head = vec![line(0), line(1)];
        let mut rows: Vec<Vec<String>> = Vec::new();
        for month in &self.months {
            let from = month.readings.from;
            let name = format!("{} {}", short_month(self.lang, from.month()), from.year());
            rows.push(self.row(name, month, month.dark.as_ref()));
        }
        let sums_from = Some(rows.len());
        for dark in &self.years {
            let year = |month: &&ReportMonth| month.readings.from.year().to_string() == dark.period;
            let sum = self.sum(self.months.iter().filter(year));
            rows.push(self.row(dark.period.clone(), &sum, Some(dark)));
        }
        if self.years.len() != 1 {
            let all = self.say(say!("All", "Todo"));
            rows.push(self.row(all, &self.sum(self.months.iter()), None));
        }
        paper.table(&PaperTable { head, rows, shares: SHARES.to_vec(), sums_from });
    }

    fn row(&self, name: String, month: &ReportMonth, dark: Option<&DarkMonth>) -> Vec<String> {
        let readings = &month.readings;
        let stored = stored_in(month);
        let nothing = || "–".to_owned();
        let hours = |hours: f64| decimal(self.lang, hours, 1);
        let usable = dark.and_then(|dark| dark.usable).map(hours);
        let ends = dark.and_then(|dark| dark.low.zip(dark.high));
        let ends = ends.map(|(low, high)| format!(" ({})", interval(&hours(low), &hours(high))));
        vec![
            name,
            month.due.map_or_else(nothing, |due| count(self.lang, due)),
            count(self.lang, stored),
            covered(month).map_or_else(nothing, percent),
            if stored > 0 { percent(readings.hidden_share()) } else { nothing() },
            readings.mean().map_or_else(nothing, |mean| decimal(self.lang, mean, 2)),
            if readings.read() > 0 { percent(clear_share(month)) } else { nothing() },
            dark.map_or_else(nothing, |dark| hours(dark.dark)),
            usable.map_or_else(nothing, |usable| usable + &ends.unwrap_or_default()),
        ]
    }

    fn figure(&self, paper: &mut Paper, figure: &ReportFigure) {
        let svg = figure.data.svg(&figure.order).unwrap_or_default();
        let (title, note) = told_by(&svg);
        let tall = height_of(&svg);
        let mut drawings = vec![(svg, tall)];
        let by_amount = match &figure.data {
            ChartData::Means { confidence, .. } => !confidence,
            data => matches!(data, ChartData::Climatology(_) | ChartData::Raster(_)),
        };
        if by_amount {
            let keys = if matches!(figure.data, ChartData::Raster(_)) { FLAT } else { HATCHED };
            let legend = legend::alone(self.lang, keys, COLUMN);
            let tall = height_of(&legend);
            drawings.push((legend, tall));
        }
        paper.figure(&title, drawings, &note);
    }
}

/// The share of readings of 0 or 1 okta among those that have an amount.
fn clear_share(month: &ReportMonth) -> f64 {
    let [none, one, ..] = month.readings.oktas;
    f64::from(none.saturating_add(one)) / f64::from(month.readings.read().max(1))
}

/// Readings, those of a hidden sky too.
fn stored_in(month: &ReportMonth) -> i64 {
    i64::from(month.readings.read()) + i64::from(month.readings.obscured)
}

/// The share of the slots that were due that have a reading.
fn covered(month: &ReportMonth) -> Option<f64> {
    let due = month.due.filter(|due| *due > 0)?;
    Some(stored_in(month) as f64 / due as f64)
}
