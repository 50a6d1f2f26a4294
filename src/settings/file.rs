//! `celaje.toml`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::camera::trust::read_certificates;
use crate::settings::layer::Layer;
use crate::settings::reach::{RawReach, ReachSettings};
use crate::settings::safety::RawSafety;
use crate::settings::source::RawSource;
use crate::settings::terms::{DataTerms, RawData};
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::slot::{SlotGrid, Zone};
use celaje_sky::station::lens::{LIMIT, Lens, Projection, ZENITH};
use celaje_sky::station::region::{BadMask, Margins, Mask, Region};
use celaje_sky::station::zone::{MOST_ZONES, SkyZone};
use celaje_sky::station::{LayoutChoice, PicturePlace, Station, StationSource, Trust};
use celaje_sky::text::Text;
use celaje_sky::wording;
use celaje_vision::model::source::Model;

/// The file's name where none is given.
pub const FILE_NAME: &str = "celaje.toml";

/// What `celaje.toml` says.
#[derive(Debug, Default)]
pub struct FileSettings {
    layer: Layer,
    stations: Vec<Station>,
    reach: ReachSettings,
    terms: DataTerms,
}

/// `S` is `Option<RawStation>` for `[station]` and `Vec<RawStation>` for `[[station]]`, so that an
/// error in either names its line.
#[derive(Debug, Deserialize)]
struct StationTables<S> {
    #[serde(default = "S::default", bound(deserialize = "S: Deserialize<'de> + Default"))]
    station: S,
}

impl<S: serde::de::DeserializeOwned + Default + IntoIterator<Item = RawStation>> StationTables<S> {
    fn read(text: &str) -> Result<Vec<RawStation>, toml::de::Error> {
        let tables: Self = toml::from_str(text)?;
        Ok(tables.station.into_iter().collect())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStation {
    id: String,
    name: Option<String>,
    latitude: f64,
    longitude: f64,
    time_zone: String,
    url_base: Option<String>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    layout: LayoutChoice,
    valid_minutes: Option<SlotGrid>,
    source: Option<RawSource>,
    #[serde(default)]
    region: RawRegion,
    lens: Option<RawLens>,
    #[serde(default, rename = "zone")]
    zones: Vec<SkyZone>,
    safety: Option<RawSafety>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLens {
    #[serde(default)]
    projection: Projection,
    centre: [f64; 2],
    radius: f64,
    edge: Option<f64>,
    limit: Option<f64>,
    zenith: Option<f64>,
    north: Option<f64>,
    #[serde(default)]
    east: EastSide,
}

/// On which side of north east lies in a picture that has north up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EastSide {
    #[default]
    Left,
    Right,
}

impl RawLens {
    fn check(self) -> Result<Lens, Text> {
        let usual = Lens::new(self.centre, self.radius);
        let edge = self.edge.unwrap_or(usual.edge);
        let limit = self.limit.unwrap_or(LIMIT.min(edge));
        let zenith = self.zenith.unwrap_or(ZENITH.min(limit));
        let (projection, north) = (self.projection, self.north);
        let is_flipped = self.east == EastSide::Right;
        let lens = Lens { projection, edge, limit, zenith, north, is_flipped, ..usual };
        lens.fault().map_or(Ok(lens), Err)
    }
}

/// What is wrong with the zones of a station, if anything is.
fn zones_fault(zones: &[SkyZone]) -> Option<Text> {
    if let Some(fault) = zones.iter().find_map(SkyZone::fault) {
        return Some(fault);
    }
    let again = |at: &usize| zones[..*at].iter().any(|zone| zone.name == zones[*at].name);
    if let Some(at) = (0..zones.len()).find(again) {
        let name = &zones[at].name;
        return Some(say!("two zones are named '{name}'", "dos zonas se llaman '{name}'"));
    }
    let count = zones.len();
    (count > MOST_ZONES).then(|| {
        say!(
            "there are {count} zones; name {MOST_ZONES} at most",
            "hay {count} zonas; nombre {MOST_ZONES} como máximo"
        )
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRegion {
    top: f64,
    bottom: f64,
    left: f64,
    right: f64,
    mask: Option<PathBuf>,
}

/// What the tables of a file say, before it is checked.
type RawTables = (Layer, Vec<RawStation>, RawReach, RawData);

impl FileSettings {
    /// Reads `named`, or else the first of `./celaje.toml` and the one in the user's configuration
    /// folder that exists; none is fine.
    pub fn load(named: Option<&Path>) -> Result<Self> {
        let path = match named {
            Some(path) => path.to_path_buf(),
            None => match Self::usual_places().into_iter().find(|path| path.is_file()) {
                Some(path) => path,
                None => return Ok(Self::default()),
            },
        };
        let shown = path.display();
        let text = std::fs::read_to_string(&path).map_err(|e| {
            let why = io_text(&e);
            let (en, es) = (why.en, why.es);
            Failure::usage(say!(
                "the settings file '{shown}' cannot be read: {en}",
                "no se puede leer el archivo de ajustes '{shown}': {es}"
            ))
        })?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("."))).map_err(|why| {
            let (en, es) =
                (why.get(celaje_sky::text::Lang::En), why.get(celaje_sky::text::Lang::Es));
            Failure::usage(say!(
                "the settings file '{shown}' is not right: {en}",
                "el archivo de ajustes '{shown}' no es correcto: {es}"
            ))
        })
    }

    fn usual_places() -> Vec<PathBuf> {
        use etcetera::BaseStrategy;
        let mut places = vec![PathBuf::from(FILE_NAME)];
        if let Ok(base) = etcetera::choose_base_strategy() {
            places.push(base.config_dir().join("celaje").join(FILE_NAME));
        }
        places
    }

    /// Reads the text of a settings file; its paths are relative to `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Text> {
        // First without regard to what the keys mean: each kind of mistake has its own words.
        if let Err(error) = toml::from_str::<toml::Table>(text) {
            return Err(at_line(text, &error, |message, _| wording::of_form(message)));
        }
        let (mut layer, raw_stations, reach, data) =
            Self::read(text).map_err(|error| at_line(text, &error, wording::of_meaning))?;
        // A bundled model is named, not placed.
        let model = layer.model.as_mut().filter(|name| !Model::is_bundled(name));
        let shadow = layer.shadow_model.as_mut();
        let shadow = shadow.filter(|name| !Model::is_bundled(name));
        let keep = layer.keep_dir.as_mut();
        let queue = [layer.queue_ca_file.as_mut(), layer.queue_credentials.as_mut()];
        let placed = [layer.db.as_mut(), model, shadow, layer.ort_lib.as_mut(), keep];
        for path in placed.into_iter().chain(queue).flatten() {
            *path = folder.join(&*path);
        }
        let mut stations: Vec<Station> = Vec::new();
        for station in raw_stations {
            let station = station.check(folder)?;
            if stations.iter().any(|other| other.id == station.id) {
                let id = station.id;
                return Err(say!(
                    "two stations have the id '{id}'",
                    "dos estaciones tienen el id '{id}'"
                ));
            }
            stations.push(station);
        }
        let reach = reach.check(folder, &stations)?;
        Ok(Self { layer, stations, reach, terms: data.check()? })
    }

    fn read(text: &str) -> Result<RawTables, toml::de::Error> {
        let layer = toml::from_str(text)?;
        let reach = toml::from_str(text)?;
        let several = toml::from_str::<toml::Table>(text)
            .is_ok_and(|table| table.get("station").is_some_and(toml::Value::is_array));
        let stations = if several {
            StationTables::<Vec<RawStation>>::read(text)?
        } else {
            StationTables::<Option<RawStation>>::read(text)?
        };
        Ok((layer, stations, reach, toml::from_str(text)?))
    }

    /// Who is told of the sky.
    pub fn take_reach(&mut self) -> ReachSettings {
        std::mem::take(&mut self.reach)
    }

    /// On what terms the record may be used.
    pub fn take_terms(&mut self) -> DataTerms {
        std::mem::take(&mut self.terms)
    }

    /// The settings and the stations, in the order of the file.
    pub fn into_parts(self) -> (Layer, Vec<Station>) {
        (self.layer, self.stations)
    }
}

/// A mistake with its line and key. The line itself is not shown: it may hold a password.
fn at_line(text: &str, error: &toml::de::Error, words: fn(&str, &str) -> Text) -> Text {
    let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
    let line = before.matches('\n').count() + 1;
    let key = text.lines().nth(line - 1).and_then(|line| line.split_once('='));
    let key = key.map(|(key, _)| format!(", '{}'", key.trim())).unwrap_or_default();
    let written = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    let what = words(&error.message().replace('\n', " "), written);
    let (en, es) = (what.en, what.es);
    say!("line {line}{key}: {en}", "línea {line}{key}: {es}")
}

impl RawStation {
    fn check(self, folder: &Path) -> Result<Station, Text> {
        let id = self.id;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
            return Err(say!(
                "the station id '{id}' must be 1 to 64 letters, digits, '-', '_' or '.'",
                "el id de estación '{id}' debe tener de 1 a 64 letras, cifras, '-', '_' o '.'"
            ));
        }
        let zone: Zone = self.time_zone.parse().map_err(|_| unknown_zone(&id, &self.time_zone))?;
        let (latitude, longitude) = (self.latitude, self.longitude);
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=360.0).contains(&longitude) {
            return Err(say!(
                "station '{id}': latitude {latitude} or longitude {longitude} is not on Earth",
                "estación '{id}': latitud {latitude} o longitud {longitude} fuera de la Tierra"
            ));
        }
        let RawRegion { top, bottom, left, right, mask } = self.region;
        let margins = Margins { top, bottom, left, right };
        if !margins.are_valid() {
            return Err(say!(
                "station '{id}': the region's margins (top {top}, bottom {bottom}, left {left}, \
                 right {right}) must be fractions from 0 to 1 that leave a tenth of the picture \
                 each way",
                "estación '{id}': los márgenes de la región (top {top}, bottom {bottom}, left \
                 {left}, right {right}) deben ser fracciones de 0 a 1 que dejen un décimo de la \
                 imagen en cada sentido"
            ));
        }
        let mask = match mask {
            None => None,
            Some(path) => {
                let path = folder.join(path);
                let shown = path.display();
                let mask = Mask::read(&path).map_err(|BadMask(why)| {
                    let (en, es) = (why.en, why.es);
                    say!(
                        "station '{id}': the mask '{shown}' cannot be used: {en}",
                        "estación '{id}': no se puede usar la máscara '{shown}': {es}"
                    )
                })?;
                Some(Arc::new(mask))
            }
        };
        let checked =
            self.source.map(|source| source.check(&id, folder, self.valid_minutes.clone()));
        let mut only_digest = false;
        let (source, minutes) = match checked.transpose()? {
            Some(checked) => {
                only_digest = checked.only_digest;
                (Some(checked.source), checked.minutes)
            }
            None => (None, self.valid_minutes.unwrap_or_default()),
        };
        let url_base = match (self.url_base, &source) {
            (Some(base), None) => base,
            (None, Some(StationSource { place: PicturePlace::Address(address), .. })) => {
                address.clone()
            }
            (None, Some(_)) => String::new(),
            (Some(_), Some(_)) => {
                return Err(say!(
                    "station '{id}' has both url_base and source; leave one out",
                    "la estación '{id}' tiene url_base y también source; deje uno solo"
                ));
            }
            (None, None) => {
                return Err(say!(
                    "station '{id}' says nothing of its pictures: write url_base, or \
                     [station.source]",
                    "la estación '{id}' no dice dónde están sus imágenes: escriba \
                     url_base o [station.source]"
                ));
            }
        };
        let of_station = |why: Text| {
            let (en, es) = (why.en, why.es);
            say!("station '{id}': {en}", "estación '{id}': {es}")
        };
        let named = self.ca_file.map(|path| certificates(&folder.join(path)));
        let named = named.transpose().map_err(of_station)?.unwrap_or_default();
        let lens = self.lens.map(RawLens::check).transpose().map_err(of_station)?;
        if let Some(fault) = zones_fault(&self.zones) {
            return Err(of_station(fault));
        }
        let region = Region { margins, mask, lens, zones: self.zones.into() };
        let safety = self.safety.map(|safety| safety.check(&id, &minutes, &region)).transpose()?;
        Ok(Station {
            name: self.name.unwrap_or_else(|| id.clone()),
            id,
            latitude,
            longitude,
            zone,
            url_base,
            trust: Trust { certificates: named, anything: self.insecure, only_digest },
            layout: self.layout,
            source,
            minutes,
            region,
            safety,
        })
    }
}

/// The certificates of `path`.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, Text> {
    let shown = path.display();
    read_certificates(path).map_err(|why| {
        let (en, es) = (why.en, why.es);
        say!(
            "ca_file: '{shown}' cannot be used: {en}; name a certificate in PEM or DER",
            "ca_file: no se puede usar '{shown}': {es}; indique un certificado en PEM o DER"
        )
    })
}

fn unknown_zone(id: &str, zone: &str) -> Text {
    say!(
        "station '{id}': the time zone '{zone}' is unknown; write an IANA name such as \
         America/Argentina/Ushuaia or an offset such as -03:00",
        "estación '{id}': la zona horaria '{zone}' no se conoce; escriba un nombre IANA como \
         America/Argentina/Ushuaia o un desfase como -03:00"
    )
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
