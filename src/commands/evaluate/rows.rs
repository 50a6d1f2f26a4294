//! A row for each picture: the file that `--out` names.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::Writer;

use super::work::JudgedPicture;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::evaluate::labels::Label;
use celaje_sky::okta::Okta;
use celaje_sky::say;

/// The columns.
const COLUMNS: [&str; 10] = [
    "image",
    "group",
    "okta_true",
    "okta_read",
    "fraction_true",
    "fraction_read",
    "confidence",
    "quality",
    "pixel_accuracy",
    "failed",
];

/// The file of rows, if one was asked for.
pub(super) struct ReadingRows(Option<(PathBuf, Writer<File>)>);

impl ReadingRows {
    /// Begins the file `path`; an older one is replaced.
    pub(super) fn begin(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let mut writer = Writer::from_path(path).map_err(|e| cannot(path, e))?;
        writer.write_record(COLUMNS).map_err(|e| cannot(path, e))?;
        Ok(Self(Some((path.to_owned(), writer))))
    }

    /// Writes the row of a picture; `why` says why there is no reading.
    pub(super) fn add(
        &mut self,
        label: &Label,
        seen: std::result::Result<&JudgedPicture, &str>,
    ) -> Result<()> {
        let Some((path, writer)) = &mut self.0 else {
            return Ok(());
        };
        let okta = |okta: Option<Okta>| okta.map(|okta| okta.to_string()).unwrap_or_default();
        let share =
            |share: Option<f64>| share.map(|share| format!("{share:.6}")).unwrap_or_default();
        let (sample, why) = match seen {
            Ok(seen) => (Some(seen.sample), ""),
            Err(why) => (None, why),
        };
        let quality = seen.ok().map(|seen| &seen.quality);
        let of = |value: fn(celaje_sky::evaluate::figures::Sample) -> Option<f64>| {
            share(sample.and_then(value))
        };
        let row = [
            label.image.clone(),
            label.group.clone().unwrap_or_default(),
            okta(sample.map(|s| s.okta_true).or(label.okta)),
            okta(sample.and_then(|s| s.okta_read)),
            share(sample.and_then(|s| s.fraction_true).or(label.fraction)),
            of(|s| s.fraction_read),
            of(|s| s.confidence),
            quality.map(ToString::to_string).unwrap_or_default(),
            of(|s| s.pixel_accuracy),
            why.to_owned(),
        ];
        writer.write_record(&row).map_err(|e| cannot(path, e))
    }

    /// Writes what is left to be written.
    pub(super) fn finish(self) -> Result<()> {
        match self.0 {
            None => Ok(()),
            Some((path, mut writer)) => writer.flush().map_err(|e| cannot(&path, e)),
        }
    }
}

fn cannot(path: &Path, error: impl Into<csv::Error>) -> Failure {
    let (path, error) = (path.display(), error.into());
    let why = match error.kind() {
        csv::ErrorKind::Io(error) => io_text(error),
        _ => say!("{error}", "no se pudo"),
    };
    Failure::environment(say!(
        "the file {path} for --out cannot be written: {why}",
        "no se puede escribir el archivo {path} de --out: {why}",
        why = why,
    ))
}
