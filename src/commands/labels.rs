//! `celaje labels export`: the labelled pictures of a station as a folder that training and
//! `celaje evaluate` read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::Datelike;
use clap::{Args, Subcommand};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::camera::http::HttpClient;
use crate::camera::{SearchResult, Source, look_for};
use crate::clock::Clock;
use crate::commands::replacement::replace_file;
use crate::commands::{output, readable};
use crate::service::request::{picture_folder, station_source};
use crate::settings::Settings;
use crate::settings::layer::{CameraGroup, Flags, SpanishHelp};
use crate::store::reader::{LabelItem, Reader};
use crate::store::rows::parse_slot;
use celaje_sky::cover::Cover;
use celaje_sky::error::{Failure, Result, io_text, request_text};
use celaje_sky::layout::LayoutBook;
use celaje_sky::okta::Okta;
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_sky::text::Text;
use celaje_vision::picture::decode::is_picture;

/// The columns of the table, those that training reads.
const COLUMNS: [&str; 8] =
    ["group", "image", "mask", "camera", "cloud_fraction", "okta", "okta_lo", "okta_hi"];
/// The table's name in the folder.
const TABLE: &str = "labels.csv";
/// The folder of the pictures in it.
const PICTURES: &str = "images";

#[derive(Clone, Debug, Args)]
pub(super) struct LabelsArgs {
    #[command(subcommand)]
    action: LabelsAction,
}

#[derive(Clone, Debug, Subcommand)]
enum LabelsAction {
    /// Fetch the labelled pictures into a folder, with a table of what was seen in them
    Export(LabelsExportArgs),
}

#[derive(Clone, Debug, Args)]
struct LabelsExportArgs {
    /// The folder; what is there already is not fetched again
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Take the pictures from this folder instead of the camera
    #[arg(long, value_name = "DIR", env = "CELAJE_DIR", conflicts_with = "url_base")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    settings: Flags<CameraGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("labels", "Escribe en una carpeta las imágenes etiquetadas, para entrenar y evaluar"),
    (
        "export",
        "Baja a una carpeta las imágenes etiquetadas, con una tabla de lo que se vio en ellas",
    ),
    ("folder", "La carpeta; lo que ya está en ella no se vuelve a bajar"),
    ("dir", "Toma las imágenes de esta carpeta en vez de la cámara"),
];

/// A picture and the oktas that were seen in it.
struct LabelledPicture<'a> {
    slot: Slot,
    /// The first label.
    okta: Okta,
    least: Okta,
    most: Okta,
    /// Of the picture that was looked at.
    sha256: Option<&'a str>,
}

impl LabelsArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let LabelsAction::Export(args) = self.action;
        args.run(config).await
    }
}

impl LabelsExportArgs {
    async fn run(self, config: Option<&Path>) -> Result<u8> {
        let settings = Settings::read(self.settings.0, config)?;
        let station = &settings.station;
        let labels = Reader::open(readable(&settings)?.path())?.labels(&station.id)?;
        let pictures: Vec<_> = labels
            .chunk_by(|a, b| a.slot == b.slot)
            .filter_map(|of_slot| picture(of_slot, station))
            .collect();
        if pictures.is_empty() {
            let id = &station.id;
            return Err(Failure::usage(say!(
                "the station '{id}' has no labels of an amount; label pictures in the dashboard \
                 of `celaje serve` first",
                "la estación '{id}' no tiene etiquetas de cantidad; etiquete antes imágenes en el \
                 tablero de `celaje serve`"
            )));
        }
        let source = match &self.dir {
            Some(dir) => Source::Folder(picture_folder(dir)?),
            None => station_source(&Arc::new(station.clone()))?,
        };
        let limits = settings.tuning.http.clone();
        let stop = CancellationToken::new();
        let client = HttpClient::new(source.base(), &station.trust, limits, stop);
        let client = client.map_err(|error| {
            Failure::environment(say!(
                "{error}; check the certificates of this system",
                "{error}; revise los certificados"
            ))
        })?;
        let year = station.zone.local(Clock::SYSTEM.now()).year();
        let book = Mutex::new(LayoutBook::new(station.layout, year, None));
        let place = self.folder.join(PICTURES);
        std::fs::create_dir_all(&place).map_err(|error| cannot_write(&place, &io_text(&error)))?;
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(COLUMNS).map_err(|error| cannot_write(&self.folder, &error))?;
        let (mut written, mut without) = (0usize, 0usize);
        for picture in &pictures {
            let path = place.join(picture.slot.file_name());
            match fetched(&source, &client, &book, picture, &path).await? {
                Ok(()) => {
                    let row = row(picture, &station.id);
                    table.write_record(row).map_err(|error| cannot_write(&self.folder, &error))?;
                    written += 1;
                }
                Err(why) => {
                    output::note(why);
                    without += 1;
                }
            }
        }
        let file = self.folder.join(TABLE);
        let bytes = table.into_inner().map_err(|error| cannot_write(&file, &error))?;
        replace_file(&file, &bytes).map_err(|error| cannot_write(&file, &io_text(&error)))?;
        let shown = file.display();
        output::line(say!(
            "'{shown}': {written} labelled pictures; {without} could not be had",
            "'{shown}': {written} imágenes etiquetadas; {without} no se pudieron obtener"
        ))?;
        Ok(u8::from(without > 0))
    }
}

/// The amounts that observers saw in a slot's picture; none where nobody saw one.
fn picture<'a>(labels: &'a [LabelItem], station: &Station) -> Option<LabelledPicture<'a>> {
    let first = labels.first()?;
    let oktas = || labels.iter().filter_map(|label| label.cover().and_then(Cover::okta));
    Some(LabelledPicture {
        slot: Slot::at(parse_slot(&first.slot)?, station.zone)?,
        okta: oktas().next()?,
        least: oktas().min()?,
        most: oktas().max()?,
        sha256: first.image_sha256.as_deref(),
    })
}

fn row(picture: &LabelledPicture<'_>, station: &str) -> [String; 8] {
    [
        station.to_owned(),
        format!("{PICTURES}/{}", picture.slot.file_name()),
        String::new(),
        station.to_owned(),
        String::new(),
        picture.okta.to_string(),
        picture.least.to_string(),
        picture.most.to_string(),
    ]
}

/// Puts the picture at `path`, if it is the one that was looked at; otherwise says why there is
/// none.
async fn fetched(
    source: &Source,
    client: &HttpClient,
    book: &Mutex<LayoutBook>,
    picture: &LabelledPicture<'_>,
    path: &Path,
) -> Result<std::result::Result<(), Text>> {
    let slot = picture.slot;
    let is_same = |bytes: &[u8]| picture.sha256.is_none_or(|sha256| hex(bytes) == sha256);
    if std::fs::read(path).is_ok_and(|bytes| is_picture(&bytes) && is_same(&bytes)) {
        return Ok(Ok(()));
    }
    match look_for(source, client, book, slot, Clock::SYSTEM).await {
        SearchResult::Picture(found, _) if !is_picture(&found.bytes) => Ok(Err(say!(
            "{slot}: the camera gave no picture",
            "{slot}: la cámara no dio una imagen"
        ))),
        SearchResult::Picture(found, _) if !is_same(&found.bytes) => Ok(Err(say!(
            "{slot}: the camera has another picture than the one that was labelled",
            "{slot}: la cámara tiene otra imagen que la que se etiquetó"
        ))),
        SearchResult::Picture(found, _) => {
            replace_file(path, &found.bytes)
                .map_err(|error| cannot_write(path, &io_text(&error)))?;
            Ok(Ok(()))
        }
        SearchResult::Miss(miss) => {
            let (reason, detail) = (miss.reason.as_str(), miss.detail);
            let detail = request_text(&detail);
            Ok(Err(say!("{slot}: {reason}: {why}", "{slot}: {reason}: {why}", why = detail)))
        }
        SearchResult::Cancelled => Ok(Err(say!("{slot}: cancelled", "{slot}: cancelada"))),
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cannot_write(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    let shown = path.display();
    Failure::environment(say!(
        "'{shown}' cannot be written: {error}; choose another folder",
        "no se puede escribir '{shown}': {error}; elija otra carpeta"
    ))
}
