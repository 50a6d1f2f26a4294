//! Checks what was asked for: the range, and where its pictures are.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Months, NaiveDateTime, TimeDelta, Timelike, Utc};
use url::Url;

use crate::camera::fault::AccessFault;
use crate::camera::http::{HttpClient, public_part};
use crate::camera::picture_folder::PictureFolder;
use crate::camera::scheme::{Scheme, SchemePlace};
use crate::camera::{Refusal, Source};
use crate::clock::Clock;
use crate::draining::Draining;
use crate::settings::Settings;
use celaje_sky::clock::ClockEvidence;
use celaje_sky::error::{Failure, Result, io_text, request_text};
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::{PicturePlace, Station};
use celaje_sky::ticks::TickPolicy;

/// Years that a range may span: counting the slots of more would take minutes.
const MAX_YEARS: u32 = 50;

/// Refuses a range that has no slot, or spans more than `MAX_YEARS`.
pub fn check_range(range: SlotRange, station: &Station) -> Result<()> {
    let form = "%Y-%m-%dT%H:%M";
    let (from, to) = (range.from().format(form), range.to().format(form));
    let end = range.from().checked_add_months(Months::new(12 * MAX_YEARS));
    if end.is_some_and(|end| range.to() >= end) {
        return Err(Failure::usage(say!(
            "the range from {from} to {to} spans more than {MAX_YEARS} years; ask for a part of it",
            "el rango de {from} a {to} abarca más de {MAX_YEARS} años; pida una parte"
        )));
    }
    if range.slots(&station.minutes, station.zone).next().is_none() {
        let minutes = station.minutes.as_slice().iter();
        let minutes: Vec<String> = minutes.map(u32::to_string).collect();
        let minutes = minutes.join(", ");
        return Err(Failure::usage(say!(
            "there is no slot from {from} to {to}: \
             pictures are of the minutes {minutes} of each hour; widen --desde and --hasta",
            "no hay ningún turno de {from} a {to}: \
             las imágenes son de los minutos {minutes} de cada hora; amplíe --desde y --hasta"
        )));
    }
    Ok(())
}

/// Refuses a range of which no slot is due at `now`.
pub fn check_due(range: SlotRange, station: &Station, now: DateTime<Utc>) -> Result<()> {
    let due = TickPolicy::of(station).due(range, &station.minutes, station.zone, now);
    due.range.map(drop).ok_or_else(|| none_due(range, now))
}

/// A range lies wholly in the future.
pub fn none_due(range: SlotRange, now: DateTime<Utc>) -> Failure {
    let form = "%Y-%m-%dT%H:%M";
    let (from, to) = (range.from().format(form), range.to().format(form));
    let now = now.format("%Y-%m-%dT%H:%MZ");
    Failure::usage(say!(
        "no slot from {from} to {to} is due yet: the clock of this machine shows {now}; \
         ask for the range later",
        "ningún turno de {from} a {to} está disponible todavía: el reloj de esta máquina marca \
         {now}; pida el rango más tarde"
    ))
}

/// Refuses to ask a camera while the clock of this machine cannot be right: what is due would not
/// be known. A folder needs no clock.
pub fn check_clock(clock: Clock, source: &Source) -> Result<()> {
    let evidence = ClockEvidence::since(clock.earliest());
    match (evidence.doubt(clock.now()), source) {
        (Some(doubt), source) if !source.is_archive() => Err(Failure::environment(doubt.text())),
        _ => Ok(()),
    }
}

/// Refuses a folder that is not there.
pub fn check_folder(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let shown = dir.display();
    Err(Failure::usage(say!(
        "there is no folder '{shown}' to take pictures from; check --dir",
        "no hay una carpeta '{shown}' de donde tomar imágenes; revise --dir"
    )))
}

/// Refuses to look back at a camera that has its latest picture alone.
pub fn refuse_the_latest(station: &Station) -> Result<()> {
    if !station.has_only_the_latest() {
        return Ok(());
    }
    let id = &station.id;
    Err(Failure::usage(say!(
        "the camera of station '{id}' has its latest picture alone, so there is nothing to go back \
         to; run `celaje serve`, which takes each picture as it comes",
        "la cámara de la estación '{id}' solo tiene su última imagen, así que no hay nada que \
         buscar hacia atrás; ejecute `celaje serve`, que toma cada imagen a medida que llega"
    )))
}

/// The pictures below the folder `dir`, all of which can be listed.
pub fn picture_folder(dir: &Path) -> Result<PictureFolder> {
    let folder = readable_folder(dir)?;
    let closed = folder.closed().first().map(|closed| Failure::environment(closed.text()));
    closed.map_or(Ok(folder), Err)
}

/// The pictures below the folder `dir`, as far as they can be listed.
pub fn readable_folder(dir: &Path) -> Result<PictureFolder> {
    check_folder(dir)?;
    PictureFolder::list(dir).map_err(|error| {
        let closed = AccessFault::FolderClosed(dir.display().to_string(), io_text(&error));
        Failure::environment(closed.text())
    })
}

/// The whole of what a folder holds of a station: from its first picture to its last.
pub fn range_of(folder: &PictureFolder, station: &Station) -> Result<SlotRange> {
    let minutes = station.minutes.as_slice();
    let mut moments = folder.moments().filter(|moment| station.minutes.contains(*moment));
    let first = moments.next();
    let ends = first.map(|first| (first, moments.next_back().unwrap_or(first)));
    ends.and_then(|(first, last)| SlotRange::new(first, last).ok()).ok_or_else(|| {
        if let Some(closed) = folder.closed().first() {
            return Failure::environment(closed.text());
        }
        let shown = folder.root().display();
        let minutes: Vec<_> = minutes.iter().map(u32::to_string).collect();
        let minutes = minutes.join(", ");
        Failure::usage(say!(
            "no picture below the folder '{shown}' has a name like 2024-01310802.jpg, of the \
             minutes {minutes}; check --dir",
            "ninguna imagen bajo la carpeta '{shown}' tiene un nombre como 2024-01310802.jpg, \
             de los minutos {minutes}; revise --dir"
        ))
    })
}

/// The whole of what the folder of a station's source holds: a range, and those of its slots that
/// have a picture.
pub async fn range_of_scheme(settings: &Settings) -> Result<(SlotRange, Arc<[NaiveDateTime]>)> {
    let station = Arc::new(settings.station.clone());
    let source = station_source(&station)?;
    let limits = settings.tuning.http.clone();
    let client = HttpClient::new(source.base(), &station.trust, limits, Draining::default());
    let client = client.map_err(|error| Failure::environment(say!("{error}", "{error}")))?;
    let Source::Scheme(scheme) = &source else {
        return Err(no_picture_named(&source.address()));
    };
    let moments = scheme.moments(&client).await.map_err(|refusal| {
        let Refusal { detail, fault, .. } = refusal;
        let address = source.address();
        Failure::environment(fault.map_or_else(
            || {
                say!(
                    "the pictures of {address} cannot be listed: {detail}; check --dir",
                    "no se pueden listar las imágenes de {address}: {detail}; revise --dir",
                    detail = request_text(&detail),
                )
            },
            |fault| fault.text(),
        ))
    })?;
    // A picture may be of a slot that is later than itself.
    let hour = |moment: DateTime<Utc>| {
        let local = station.zone.local(moment);
        local.with_minute(0).unwrap_or(local)
    };
    let ends = moments.first().zip(moments.last());
    let range = ends.and_then(|(first, last)| {
        SlotRange::new(hour(*first), hour(*last) + TimeDelta::hours(1)).ok()
    });
    let range = range.ok_or_else(|| no_picture_named(&source.address()))?;
    let tolerance = station.source.as_ref().map(|source| source.tolerance);
    Ok((range, with_pictures(range, &station, tolerance.unwrap_or_default(), &moments)))
}

/// The slots of `range` that one of the pictures is of; these were taken at `moments`, ascending.
fn with_pictures(
    range: SlotRange,
    station: &Station,
    tolerance: TimeDelta,
    moments: &[DateTime<Utc>],
) -> Arc<[NaiveDateTime]> {
    let mut moments = moments.iter().copied().peekable();
    let slots = range.slots(&station.minutes, station.zone).filter(|slot| {
        let window = station.minutes.window(*slot, tolerance);
        while moments.next_if(|moment| *moment < window.from).is_some() {}
        moments.peek().is_some_and(|moment| window.contains(*moment))
    });
    slots.map(Slot::local).collect()
}

fn no_picture_named(address: &str) -> Failure {
    Failure::usage(say!(
        "no picture of {address} has a name as the station's source says; check path or preset in \
         celaje.toml, and --dir",
        "ninguna imagen de {address} tiene un nombre como dice la fuente de la estación; revise \
         path o preset en celaje.toml, y --dir"
    ))
}

/// Where the pictures of `station` are: as its source says, else at its `url_base`.
pub fn station_source(station: &Arc<Station>) -> Result<Source> {
    let Some(source) = &station.source else {
        return picture_source(None, &station.url_base);
    };
    let place = match &source.place {
        PicturePlace::Folder(folder) => SchemePlace::Folder(folder.clone()),
        PicturePlace::Address(address) => match Url::parse(address) {
            Ok(bucket) if bucket.scheme() == "s3" && bucket.has_host() => {
                SchemePlace::Bucket(bucket)
            }
            _ => match picture_source(None, address)? {
                Source::Http(url) => SchemePlace::Http(url),
                other => return Ok(other),
            },
        },
    };
    Ok(Source::Scheme(Arc::new(Scheme::new(Arc::clone(station), source, place))))
}

/// The folder, if one is given, else the camera at `url_base`.
pub fn picture_source(folder: Option<PictureFolder>, url_base: &str) -> Result<Source> {
    if let Some(folder) = folder {
        return Ok(Source::Folder(folder));
    }
    match Url::parse(url_base) {
        Ok(base) if matches!(base.scheme(), "http" | "https") && base.has_host() => {
            Ok(Source::Http(base))
        }
        Ok(folder) if folder.scheme() == "file" => {
            let path = folder.to_file_path().unwrap_or_default();
            readable_folder(&path).map(Source::Folder)
        }
        Ok(bucket) if bucket.scheme() == "s3" => Err(Failure::usage(say!(
            "how pictures in a bucket are named is to be said; write path or preset into \
             [station.source], url = \"s3://bucket/folder\"",
            "hay que decir cómo se llaman las imágenes de un depósito; escriba path o preset en \
             [station.source], url = \"s3://depósito/carpeta\""
        ))),
        _ => {
            let shown = public_part(url_base);
            Err(Failure::usage(say!(
                "'{shown}' is no address of pictures; write --url-base http://host/path/",
                "'{shown}' no es una dirección de imágenes; \
                 escriba --url-base http://servidor/ruta/"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_with_pictures_are_those_that_a_picture_is_near_to() {
        let station = Station::rio_grande();
        let day = chrono::NaiveDate::from_ymd_opt(2024, 3, 1).unwrap();
        let from = day.and_hms_opt(0, 0, 0).unwrap();
        let range = SlotRange::new(from, from + TimeDelta::hours(1)).unwrap();
        let at = |minute: i64, second: i64| {
            let local = from + TimeDelta::minutes(minute) + TimeDelta::seconds(second);
            station.zone.instant(local).unwrap()
        };
        // Before the first slot; two of one; too far from any; a second before one.
        let moments = [at(0, 30), at(12, 5), at(12, 40), at(37, 0), at(51, 59)];
        let found = with_pictures(range, &station, TimeDelta::minutes(2), &moments);
        let minutes: Vec<_> = found.iter().map(Timelike::minute).collect();
        assert_eq!(minutes, [2, 12, 52]);
    }

    #[test]
    fn a_camera_is_not_asked_by_a_clock_that_cannot_be_right() {
        let camera = picture_source(None, "http://127.0.0.1:9/").unwrap();
        let early: Clock = "1970-01-01T00:03:50Z".parse().unwrap();
        let refused = check_clock(early, &camera).unwrap_err();
        assert!(refused.text.en.contains("1970-01-01T00:03Z"), "{refused}");
        assert!(check_clock(early, &Source::Folder(Default::default())).is_ok());
        assert!(check_clock("2024-03-01T15:02:30Z".parse().unwrap(), &camera).is_ok());
        assert!(check_clock(Clock::SYSTEM, &camera).is_ok());
    }
}
