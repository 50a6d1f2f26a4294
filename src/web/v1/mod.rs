//! `/api/v1`.

mod alerts;
mod backfills;
mod climatology;
mod dark_hours;
mod export;
mod labels;
mod list;
mod misses;
mod observations;
mod pictures;
mod report;
mod runs;
mod safety;
mod skill;
mod state;
mod stations;
mod timelapse;
mod tonight;

pub(crate) use pictures::limiter as picture_limiter;
pub(crate) use timelapse::FilmMaker;

use crate::web::events;
use crate::web::routes::Routes;

pub(crate) fn configure(routes: &mut Routes<'_>) {
    stations::configure(routes);
    observations::configure(routes);
    misses::configure(routes);
    climatology::configure(routes);
    dark_hours::configure(routes);
    export::configure(routes);
    report::configure(routes);
    pictures::configure(routes);
    timelapse::configure(routes);
    runs::configure(routes);
    safety::configure(routes);
    tonight::configure(routes);
    alerts::configure(routes);
    backfills::configure(routes);
    labels::configure(routes);
    skill::configure(routes);
    state::configure(routes);
    events::configure(routes);
}

/// The paths of something that each station has. Without a station it is that of the record's own.
fn of_station(rest: &str) -> Vec<String> {
    vec![format!("/api/v1/stations/{{station}}/{rest}"), format!("/api/v1/{rest}")]
}

/// Each path, and each with the endings of the forms of a list.
fn forms(paths: &[impl AsRef<str>]) -> Vec<String> {
    let endings = ["", ".json", ".csv", ".jsonl"];
    let ended = |ending| paths.iter().map(move |path| format!("{}{ending}", path.as_ref()));
    endings.into_iter().flat_map(ended).collect()
}
