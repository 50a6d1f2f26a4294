//! Data of the operations view only: misses by reason, models, disk space.

use std::path::Path;

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::Database;
use crate::store::reader::{ModelCount, ReasonCount};
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{Parameter, Parameters, STATION};
use crate::web::reply::live;

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct OperationsView {
    misses: Vec<ReasonCount>,
    models: Vec<ModelCount>,
    disk: Disk,
    /// Copies of pictures; null where they cannot be counted.
    pictures: Option<CopyCount>,
}

/// Copies of pictures.
#[derive(Serialize, JsonSchema)]
struct CopyCount {
    /// How many.
    n: u64,
    /// Their bytes.
    bytes: u64,
}

/// Disk space, in bytes.
#[derive(Debug, Serialize, JsonSchema)]
struct Disk {
    database: Option<u64>,
    log: u64,
    free: Option<u64>,
}

impl Disk {
    fn of(db: &Path) -> Self {
        let size = |path: &Path| std::fs::metadata(path).ok().map(|meta| meta.len());
        let mut log = db.as_os_str().to_owned();
        log.push("-wal");
        Self {
            database: size(db),
            log: size(Path::new(&log)).unwrap_or(0),
            free: Database::free_bytes(db),
        }
    }
}

const PARAMETERS: &[Parameter] = &[STATION];

pub(super) fn operation() -> Operation {
    Operation::new(Tag::Page, "Misses by reason, readings by model, disk space")
        .details("Of all stations where none is named.")
        .query(PARAMETERS)
        .record()
        .json::<OperationsView>("The counts")
}

/// `/dashboard/operations`.
pub async fn get(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Parameters::read(request.query_string(), PARAMETERS)?;
    let station = query.get("station").map(str::to_owned);
    let copies = state.cameras.copies();
    let told = state
        .pool
        .ask(move |reader| {
            let misses = reader.missed_by_reason(station.as_deref())?;
            let models = reader.models(station.as_deref())?;
            let totals = copies.and_then(|copies| copies.totals().ok());
            let pictures = totals.map(|all| CopyCount { n: all.files, bytes: all.bytes });
            Ok(OperationsView { misses, models, disk: Disk::of(reader.path()), pictures })
        })
        .await?;
    live(&told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_of_a_record_is_measured() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        std::fs::write(&db, vec![0; 4096]).unwrap();
        let disk = Disk::of(&db);
        assert_eq!((disk.database, disk.log), (Some(4096), 0));
        assert!(disk.free.unwrap() > 0);
        assert_eq!(Disk::of(&folder.path().join("none.db")).database, None);
    }
}
