//! What an export says of itself: what made it, what it holds, on what terms it may be used.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::export::ExportWanted;
use crate::export::columns::{Column, PROBABILITY, rounded};
use crate::export::row::columns;
use crate::settings::terms::DataTerms;
use crate::store::reader::{ExportSummary, StationItem};
use crate::store::rows::{parse_slot, slot_text, utc_text};
use crate::version::VERSION;
use celaje_sky::evaluate::figures::Estimate;
use celaje_sky::say;
use celaje_sky::skill::Skill;
use celaje_sky::slot::Zone;
use celaje_sky::text::Lang;

/// What an export is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Export")]
pub struct ExportAbout {
    pub title: String,
    /// Name, version and commit of the program.
    pub program: String,
    /// UTC.
    pub created_at: String,
    /// The record's own random name.
    pub record: String,
    /// Name or address of the licence; null where the settings name none.
    pub licence: Option<String>,
    /// How to cite it.
    pub cite: String,
    /// Who runs the stations.
    pub institution: Option<String>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// Where more is told.
    pub url: Option<String>,
    /// First minute that was asked for, station local time; null for the first of all.
    pub from: Option<String>,
    /// Last minute, included.
    pub to: Option<String>,
    pub stations: Vec<StationAbout>,
    pub columns: Vec<ColumnAbout>,
}

/// A station in an export.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ExportStation")]
pub struct StationAbout {
    pub id: String,
    pub name: String,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    pub time_zone: String,
    /// WIGOS station identifier.
    pub wigos: Option<String>,
    /// First slot with a row, station local time.
    pub first: Option<String>,
    /// The last one.
    pub last: Option<String>,
    /// The first slot, UTC.
    pub first_utc: Option<String>,
    /// The last one, UTC.
    pub last_utc: Option<String>,
    /// Rows with a reading.
    pub readings: i64,
    /// Rows without one, by reason.
    pub misses: BTreeMap<String, i64>,
    /// Slots of the camera that have no row, as far as they are due; null where the settings do not
    /// name the station. Known when the export is written.
    pub never_asked: Option<u64>,
    /// The models that read.
    pub models: Vec<ModelAbout>,
    /// How right the readings of the newest model are, by the labels; null without enough labels.
    pub skill: Option<SkillAbout>,
}

/// A model in an export.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ExportModel")]
pub struct ModelAbout {
    /// Name and version; null where another tool did not say.
    pub name: Option<String>,
    /// SHA-256 of its ONNX file.
    pub sha256: Option<String>,
    pub readings: i64,
}

/// How right readings are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ExportSkill")]
pub struct SkillAbout {
    /// Labelled pictures that were drawn at random.
    pub labels: usize,
    /// The share of readings that are the label, with its 95 % interval.
    pub exact: Estimate,
    /// The share of readings at most one okta off.
    pub within_one: Estimate,
}

/// A column of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ExportColumn")]
pub struct ColumnAbout {
    pub name: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// In UDUNITS; null where it has none.
    pub unit: Option<&'static str>,
    pub meaning: &'static str,
}

impl From<&'static Column> for ColumnAbout {
    fn from(column: &'static Column) -> Self {
        let Column { name, kind, unit, meaning } = *column;
        let unit = (!unit.is_empty()).then_some(unit);
        Self { name, kind: kind.as_str(), unit, meaning }
    }
}

impl ExportAbout {
    pub(super) fn new(wanted: &ExportWanted, record: String) -> Self {
        let DataTerms { licence, institution, contact, url, .. } = wanted.terms.clone();
        Self {
            title: String::new(),
            program: format!("celaje {VERSION}"),
            created_at: utc_text(wanted.now),
            record,
            licence,
            cite: String::new(),
            institution,
            contact,
            url,
            from: wanted.from.map(slot_text),
            to: wanted.to.map(slot_text),
            stations: Vec::new(),
            columns: columns().map(ColumnAbout::from).collect(),
        }
    }

    /// Makes what follows from the stations.
    pub(super) fn finish(&mut self, terms: &DataTerms) {
        self.title = format!("Cloud amount at {}", self.names());
        self.cite = self.citation(terms, Lang::En);
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.stations.iter().map(|station| station.name.as_str()).collect();
        names.join(", ")
    }

    /// How to cite it: as the terms say, else in that language.
    pub fn citation(&self, terms: &DataTerms, lang: Lang) -> String {
        if let Some(cite) = &terms.cite {
            return cite.clone();
        }
        let (names, program) = (self.names(), &self.program);
        let year = self.created_at.get(..4).unwrap_or_default();
        let who = self.institution.as_deref().map_or(String::new(), |who| format!("{who}: "));
        let models = self.models().collect::<Vec<_>>().join(", ");
        let with = match models.is_empty() {
            true => say!("", ""),
            false => say!(" with {models}", " con {models}"),
        };
        let with = with.get(lang);
        let text = say!(
            "{who}Cloud amount at {names}, read from pictures by {program}{with}, {year}.",
            "{who}Nubosidad en {names}, leída de imágenes por {program}{with}, {year}."
        );
        text.get(lang).to_owned()
    }

    /// The names of the models that read, each once.
    fn models(&self) -> impl Iterator<Item = &str> {
        let all = self.stations.iter().flat_map(|station| &station.models);
        let names: std::collections::BTreeSet<_> =
            all.filter_map(|model| model.name.as_deref()).collect();
        names.into_iter()
    }
}

/// With the digits of a probability.
fn deserved(Estimate { value, low, high }: Estimate) -> Estimate {
    let [value, low, high] = [value, low, high].map(|number| rounded(number, PROBABILITY));
    Estimate { value, low, high }
}

impl StationAbout {
    pub(super) fn new(
        item: StationItem,
        zone: Option<Zone>,
        summary: &ExportSummary,
        skill: &Skill,
        is_known: bool,
        wanted: &ExportWanted,
    ) -> Self {
        let utc = |slot: &Option<String>| {
            let local = slot.as_deref().and_then(parse_slot)?;
            zone?.instant(local).map(utc_text)
        };
        Self {
            wigos: wanted.terms.wigos.get(&item.id).cloned(),
            id: item.id,
            name: item.name,
            latitude: item.latitude,
            longitude: item.longitude,
            time_zone: item.time_zone,
            first_utc: utc(&summary.first),
            last_utc: utc(&summary.last),
            first: summary.first.clone(),
            last: summary.last.clone(),
            readings: summary.readings,
            misses: summary.misses.iter().map(|miss| (miss.reason.clone(), miss.n)).collect(),
            never_asked: is_known.then_some(0),
            models: summary
                .models
                .iter()
                .map(|model| ModelAbout {
                    name: model.model.clone(),
                    sha256: model.model_sha256.clone(),
                    readings: model.readings,
                })
                .collect(),
            skill: match (skill.exact, skill.within_one) {
                (Some(exact), Some(within_one)) => {
                    let (exact, within_one) = (deserved(exact), deserved(within_one));
                    Some(SkillAbout { labels: skill.labels, exact, within_one })
                }
                _ => None,
            },
        }
    }

    /// Rows without a reading.
    pub fn missed(&self) -> i64 {
        self.misses.values().sum()
    }
}
