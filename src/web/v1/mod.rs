//! `/api/v1`.

mod backfills;
mod climatology;
mod list;
mod misses;
mod observations;
mod pictures;
mod runs;
mod state;
mod stations;

use actix_web::web;

use crate::web::problem::Problem;
use crate::web::reads;

/// The endings of a list's path, each another form of it.
macro_rules! forms {
    ($path:literal) => {
        &[$path, concat!($path, ".json"), concat!($path, ".csv"), concat!($path, ".jsonl")]
    };
}

/// Its paths.
pub fn configure(config: &mut web::ServiceConfig) {
    reads(config, &["/api/v1/stations"], stations::all);
    reads(config, forms!("/api/v1/stations/{station}/observations"), observations::list);
    reads(config, &["/api/v1/stations/{station}/latest"], observations::latest);
    reads(config, forms!("/api/v1/stations/{station}/misses"), misses::list);
    reads(config, forms!("/api/v1/stations/{station}/runs"), runs::of_station);
    reads(config, forms!("/api/v1/runs"), runs::all);
    reads(config, &["/api/v1/runs/{run}"], runs::one);
    reads(config, &["/api/v1/stations/{station}/runs/{run}"], runs::one_of_station);
    reads(config, &["/api/v1/stations/{station}/climatology"], climatology::get);
    reads(config, &["/api/v1/stations/{station}/slots/{slot}/picture"], pictures::picture);
    reads(config, &["/api/v1/stations/{station}/slots/{slot}/overlay"], pictures::overlay);
    config
        .service(
            web::resource("/api/v1/stations/{station}/backfills")
                .route(web::post().to(backfills::start))
                .default_service(web::to(async || {
                    Err::<&'static str, _>(Problem::not_allowed("POST"))
                })),
        )
        .service(
            web::resource("/api/v1/backfills/{job}")
                .route(web::get().to(backfills::one))
                .route(web::head().to(backfills::one))
                .route(web::delete().to(backfills::cancel))
                .default_service(web::to(async || {
                    Err::<&'static str, _>(Problem::not_allowed("GET, HEAD, DELETE"))
                })),
        );
    reads(config, &["/api/v1/backfills"], backfills::list);
    reads(config, &["/api/v1/state"], state::get);
    reads(config, &["/api/v1/events"], crate::web::events::listen);
}
