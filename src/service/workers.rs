//! Opens the queue for a writer, whose workers make the outcomes.

use std::path::PathBuf;
use std::sync::Arc;

use crate::actors::dispatch::{DispatchCounts, DispatchSetup};
use crate::camera::Source;
use crate::queue::messages::{WorkMarks, WriterWelcome};
use crate::queue::{Queue, WriterAnswers, WriterLine};
use celaje_sky::error::Result;
use celaje_sky::station::{PicturePlace, Station};
use celaje_vision::model::source::Model;

/// Opens the line of a `station` of the record `identity`, whose pictures workers take from
/// `source`; what they say is counted in `counts`.
///
/// # Errors
/// When the queue refuses, or another process writes there.
pub async fn open(
    queue: Queue,
    identity: &str,
    station: &Station,
    source: &Source,
    model: &Model,
    counts: Arc<DispatchCounts>,
) -> Result<DispatchSetup> {
    let is_camera = source.base().is_some();
    let (line, questions) = WriterLine::open(queue, identity, &station.id, is_camera).await?;
    let welcome = WriterWelcome {
        marks: WorkMarks::of(station, model),
        run: WriterWelcome::new_run(),
        folder: folder_of(source, station),
    };
    let answers = WriterAnswers::of(welcome, model).await;
    Ok(DispatchSetup { line, questions, answers, model: model.label(), counts })
}

/// The folder of the pictures, by its whole path; none for a camera.
fn folder_of(source: &Source, station: &Station) -> Option<PathBuf> {
    let folder = match (source, &station.source) {
        (Source::Folder(folder), _) => folder.root().to_owned(),
        (_, Some(source)) => match &source.place {
            PicturePlace::Folder(folder) => folder.clone(),
            PicturePlace::Address(_) => return None,
        },
        _ => return None,
    };
    Some(std::fs::canonicalize(&folder).unwrap_or(folder))
}
