//! Boltwood's one-line file, version II: 21 fields that many observatory programs read.
//!
//! Source: the format of Clarity II and of the Generic File SafetyMonitor (interactiveastronomy).
//! What Celaje doesn't measure is written as the value that stands for unknown.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use tokio_util::sync::CancellationToken;

use crate::camera::kept::write_whole;
use crate::daemon::recent::RecentReadings;
use celaje_sky::error::{Failure, Result};
use celaje_sky::safety::SafetyRule;
use celaje_sky::say;
use celaje_sky::station::Station;

/// What stands for the station's id in a path.
const PLACE: &str = "{station}";
/// Time between two writings.
const PERIOD: Duration = Duration::from_secs(10);

/// The line of a station now, with its end; none for a station that was never known. Local time.
pub fn line(recent: &RecentReadings, id: &str) -> Option<String> {
    line_of(recent, id, false)
}

/// The last line of a program that `ends` stays in the file: it says unsafe, and nothing of the
/// cloud.
fn line_of(recent: &RecentReadings, id: &str, ends: bool) -> Option<String> {
    let safety = recent.safety(id)?;
    let now = recent.now();
    let station = recent.station(id);
    let (local, darkness, cloud) = match &station {
        None => (now.naive_utc(), 0, 0),
        Some(station) => {
            let elevation = station.sun_elevation(now);
            let cloud = if ends { 0 } else { cloud(recent, station) };
            (station.zone.local(now), darkness(elevation), cloud)
        }
    };
    let age = recent.latest(id).map_or(99_999, |last| (now - last.at).num_seconds().min(99_999));
    let close = u8::from(ends || !safety.safe);
    // Sky, ambient and sensor temperature; wind, humidity, dew point, heater; rain and wet flag.
    let (date, days) = (local.format("%Y-%m-%d %H:%M:%S"), serial_days(local));
    Some(format!(
        "{date}.00 C K 999.9 999.9 999.9 0.0 0 999.9 000 0 0 {age:05} {days:012.5} \
         {cloud} 0 0 {darkness} {close} {close}\r\n"
    ))
}

/// 1 clear, 2 light, 3 very cloudy, 0 unknown.
fn cloud(recent: &RecentReadings, station: &Station) -> u8 {
    let usual = || SafetyRule::usual(&station.minutes);
    let rule = station.safety.clone().unwrap_or_else(usual);
    match recent.fresh(&station.id).and_then(|reading| reading.oktas_of(&rule.part)) {
        None => 0,
        Some(oktas) if oktas <= rule.safe_below => 1,
        Some(oktas) if oktas <= rule.unsafe_above => 2,
        Some(_) => 3,
    }
}

/// 1 dark, 2 dim, 3 day.
fn darkness(elevation: f64) -> u8 {
    match elevation {
        e if e < -12.0 => 1,
        e if e < -0.833 => 2,
        _ => 3,
    }
}

/// Days since 1899-12-30, Visual Basic's `Now()`.
fn serial_days(local: NaiveDateTime) -> f64 {
    let begin = NaiveDate::from_ymd_opt(1899, 12, 30).unwrap_or_default();
    let since = local - begin.and_time(chrono::NaiveTime::MIN);
    since.num_milliseconds() as f64 / TimeDelta::days(1).num_milliseconds() as f64
}

/// Checks that each of several stations has a file of its own.
///
/// # Errors
/// When it has not.
pub fn check(pattern: &Path, stations: usize) -> Result<()> {
    let shown = pattern.display();
    if stations < 2 || pattern.to_string_lossy().contains(PLACE) {
        return Ok(());
    }
    Err(Failure::usage(say!(
        "--boltwood '{shown}' is one file for {stations} stations; write {PLACE} in its name",
        "--boltwood '{shown}' es un solo archivo para {stations} estaciones; escriba {PLACE} en \
         su nombre"
    )))
}

/// Writes a file for each station every ten seconds, and once more at the `end`, as unsafe.
pub async fn keep(pattern: PathBuf, recent: Arc<RecentReadings>, end: CancellationToken) {
    // The files that could not be written, and how often.
    let mut failed: BTreeMap<PathBuf, u32> = BTreeMap::new();
    loop {
        let ends = end.is_cancelled();
        for station in recent.stations() {
            let path = pattern.to_string_lossy().replace(PLACE, &station.id);
            let Some(line) = line_of(&recent, &station.id, ends) else {
                continue;
            };
            let written = tokio::task::spawn_blocking(move || {
                let path = PathBuf::from(path);
                let written = write_whole(&path, line.as_bytes());
                (path, written)
            });
            // Once: the next try is ten seconds away.
            match written.await {
                Ok((path, Ok(()))) => {
                    if let Some(attempts) = failed.remove(&path) {
                        let path = path.display();
                        tracing::warn!(%path, attempts, "the file of --boltwood is written again");
                    }
                }
                Ok((path, Err(error))) => {
                    let attempts = failed.entry(path.clone()).or_default();
                    *attempts += 1;
                    if *attempts == 1 {
                        let (path, todo) = (path.display(), advice(error.kind()));
                        tracing::error!(
                            %path, %error,
                            "the file of --boltwood cannot be written; {todo}"
                        );
                    }
                }
                Err(_) => return,
            }
        }
        if ends {
            return;
        }
        tokio::select! {
            () = end.cancelled() => {}
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// What to do where the file cannot be written.
const fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "make its folder, or name another one",
        ErrorKind::PermissionDenied => "let this user write into its folder, or name another one",
        ErrorKind::ReadOnlyFilesystem => "name a folder that can be written",
        ErrorKind::IsADirectory => "name a file in it",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on its disk",
        _ => "look at its folder, or name another one",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_day_is_that_of_the_format() {
        // The example of the format's description.
        let local = NaiveDate::from_ymd_opt(2018, 1, 17).unwrap().and_hms_opt(14, 51, 45).unwrap();
        assert_eq!(format!("{:012.5}", serial_days(local)), "043117.61927");
    }

    #[test]
    fn several_stations_need_a_name_each() {
        assert!(check(Path::new("a.txt"), 1).is_ok());
        assert!(check(Path::new("{station}.txt"), 2).is_ok());
        let why = check(Path::new("a.txt"), 2).unwrap_err().to_string();
        assert!(why.contains("{station}"), "{why}");
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sky.txt");
        // What a killed program left.
        std::fs::write(folder.path().join(".sky.txt.tmp"), "ha").unwrap();
        write_whole(&path, b"one\r\n").unwrap();
        write_whole(&path, b"two\r\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\r\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let todo = |path: &str| {
            let written = write_whole(&folder.path().join(path), b"x");
            advice(written.unwrap_err().kind())
        };
        assert!(todo("no/such/folder.txt").starts_with("make its folder"));
        assert!(todo("sky.txt/sky.txt").starts_with("make its folder"));
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        assert_eq!(todo("folder"), "name a file in it");
    }
}
