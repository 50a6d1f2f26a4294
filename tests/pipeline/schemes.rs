//! Pictures named by other programs: trees with irregular seconds, in folders that begin at noon,
//! live and afterwards, on disk and by a server's lists.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use celaje::camera::http::HttpClient;
use celaje::camera::{SearchResult, Source};
use celaje::clock::Clock;
use celaje::service::request::station_source;
use celaje_sky::naming::NameTemplate;
use celaje_sky::naming::preset::{NameClock, Preset};
use celaje_sky::slot::{Slot, SlotGrid, SlotRange};
use celaje_sky::station::{PictureNames, PicturePlace, Station, StationSource};
use celaje_sky::sun::{self, DayPhase};
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::judge::{self, Trouble};
use crate::support::range;
use crate::support::server::{Reply, Server};
use crate::support::stage::{Stage, tuning};

/// From an evening over midnight and noon to the next evening, Ushuaia's time.
fn a_night_and_a_day() -> SlotRange {
    range("2024-03-01T20:00", "2024-03-02T19:59")
}

/// A station with a picture every ten minutes.
pub fn station(place: PicturePlace, names: PictureNames) -> Station {
    let source = StationSource {
        place,
        names,
        clock: NameClock::Local,
        tolerance: TimeDelta::minutes(5),
        is_archive: false,
        alone: None,
    };
    Station {
        source: Some(source),
        minutes: SlotGrid::every(600).unwrap(),
        ..Station::rio_grande()
    }
}

/// A picture of a tree: its name, its okta, and when it was taken.
type Drawn = (String, u8, DateTime<Utc>);

/// What a camera with this scheme takes, with irregular pauses of one to eight minutes and an hour
/// without any.
fn taken(names: &NameTemplate, range: SlotRange, fill: &str) -> Vec<Drawn> {
    let station = Station::rio_grande();
    let mut local = range.from() + TimeDelta::seconds(17);
    let mut all = Vec::new();
    let mut n: i64 = 0;
    while local < range.end() {
        let instant = station.zone.instant(local).unwrap();
        let sun = sun::position(instant, station.latitude, station.longitude);
        let night = DayPhase::from_elevation(sun.elevation) != DayPhase::Day;
        all.push((names.render(local, night, fill), (n % 9) as u8, instant));
        n += 1;
        local += TimeDelta::seconds(60 + (n * n * 37) % 421);
        if n == 100 {
            local += TimeDelta::hours(1);
        }
    }
    all
}

fn draw(root: &Path, drawn: &[Drawn]) {
    for (n, (path, okta, _)) in drawn.iter().enumerate() {
        let file = root.join(path);
        let folder = file.parent().unwrap();
        fs::create_dir_all(folder.join("thumbnails")).unwrap();
        let bytes = judge::picture(*okta, Trouble::None, (n % 97) as u8);
        fs::write(folder.join("thumbnails").join(file.file_name().unwrap()), &bytes).unwrap();
        fs::write(&file, bytes).unwrap();
        fs::write(file.with_extension("jpg.tmp"), "half").unwrap();
        fs::write(folder.join("keogram-20240301.jpg"), "another picture").unwrap();
    }
}

/// The picture of each slot, as a person would say it: the nearest within five minutes, the earlier
/// of two; one in the middle between two slots is the earlier slot's.
fn expected(drawn: &[Drawn], slots: &[Slot]) -> BTreeMap<String, Drawn> {
    let mut all = BTreeMap::new();
    for slot in slots {
        let mut best: Option<(i64, &Drawn)> = None;
        for one in drawn {
            let away = (one.2 - slot.utc()).num_seconds();
            let is_own = away > -300 && away <= 300;
            if is_own && best.is_none_or(|(least, _)| away.abs() < least) {
                best = Some((away.abs(), one));
            }
        }
        if let Some((_, one)) = best {
            all.insert(slot.to_string(), one.clone());
        }
    }
    all
}

/// What the record holds: slot, moment, name and okta.
fn stored(stage: &Stage) -> Vec<String> {
    stage.record().texts(
        "SELECT slot_local || ' ' || taken_at || ' ' || picture_name || ' ' || okta
         FROM observations ORDER BY slot_local",
    )
}

fn shown(expected: &BTreeMap<String, Drawn>) -> Vec<String> {
    let line = |(slot, (path, okta, taken)): (&String, &Drawn)| {
        let name = path.rsplit('/').next().unwrap();
        format!("{slot} {} {name} {okta}", taken.format("%Y-%m-%dT%H:%M:%SZ"))
    };
    expected.iter().map(line).collect()
}

pub fn at_station(stage: &mut Stage, station: Station) {
    stage.source = station_source(&Arc::new(station.clone())).unwrap();
    stage.station = station;
}

pub fn slots_of(station: &Station, range: SlotRange) -> Vec<Slot> {
    range.slots(&station.minutes, station.zone).collect()
}

fn tree(preset: &str) -> PictureNames {
    PictureNames::Tree(Preset::named(preset).unwrap().path.parse().unwrap())
}

#[actix::test]
async fn trees_of_allsky_programs_are_read_into_their_slots() {
    for (preset, path) in [
        ("allsky", "{night:%Y%m%d}/image-%Y%m%d%H%M%S.jpg"),
        ("indi-allsky", "ccd_*/exposures/{night:%Y%m%d}/{phase}/%d_%H/ccd1_%Y%m%d_%H%M%S.jpg"),
        ("indi-allsky-upload", "{night:%Y%m%d}/{phase}/%H/image_ccd1_%Y%m%d_%H%M%S.jpg"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let drawn = taken(&path.parse().unwrap(), a_night_and_a_day(), "3f-1a");
        draw(folder.path(), &drawn);
        let station = station(PicturePlace::Folder(folder.path().to_owned()), tree(preset));
        let mut stage = Stage::at("http://127.0.0.1:9/");
        at_station(&mut stage, station.clone());
        let report = stage.run(a_night_and_a_day()).await;
        let slots = slots_of(&station, a_night_and_a_day());
        let wanted = expected(&drawn, &slots);
        assert!(wanted.len() > 130 && wanted.len() < slots.len(), "{}", wanted.len());
        assert_eq!(stored(&stage), shown(&wanted), "{preset}");
        assert_eq!(report.end.ledger.missed(), (slots.len() - wanted.len()) as u64);
        let again = stage.run(a_night_and_a_day()).await;
        assert_eq!(again.end.ledger.new_rows(), 0);
    }
}

#[actix::test]
async fn a_picture_that_comes_while_its_slot_is_watched_is_the_one_that_is_found_later() {
    let names: NameTemplate = "{night:%Y%m%d}/image-%Y%m%d%H%M%S.jpg".parse().unwrap();
    let hours = range("2024-03-01T22:00", "2024-03-02T01:59");
    let drawn = taken(&names, hours, "");
    let folder = tempfile::tempdir().unwrap();
    let place = PicturePlace::Folder(folder.path().to_owned());
    let station = station(place, tree("allsky"));
    let source = station_source(&Arc::new(station.clone())).unwrap();
    let Source::Scheme(scheme) = &source else { panic!("{source:?}") };
    let client =
        HttpClient::new(source.base(), &station.trust, tuning().http, celaje_drain()).unwrap();
    let slots = slots_of(&station, hours);
    let mut found = BTreeMap::new();
    let (mut written, mut waited) = (0, 0);
    for slot in &slots {
        // From a minute after the slot on, every half minute until the next one is due.
        for step in 2..=22 {
            let now = slot.utc() + TimeDelta::seconds(30 * step);
            let new = drawn.iter().filter(|(_, _, taken)| *taken <= now).count();
            draw(folder.path(), &drawn[written..new.max(written)]);
            written = new.max(written);
            source.begin(Vec::new());
            let clock: Clock = now.format("%Y-%m-%dT%H:%M:%SZ@0.01").to_string().parse().unwrap();
            if let SearchResult::Picture(picture, _) = scheme.look_for(&client, *slot, clock).await
            {
                found.insert(slot.to_string(), picture.taken_at.unwrap());
                break;
            }
            waited += 1;
        }
    }
    let wanted = expected(&drawn, &slots);
    let wanted: BTreeMap<_, _> = wanted.into_iter().map(|(slot, one)| (slot, one.2)).collect();
    assert_eq!(found, wanted);
    assert!(waited > 0, "no picture that might still have come was waited for");
}

pub fn celaje_drain() -> tokio_util::sync::CancellationToken {
    tokio_util::sync::CancellationToken::new()
}

#[actix::test]
async fn a_tree_is_read_by_the_lists_of_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let hours = range("2024-03-01T22:00", "2024-03-02T01:59");
    let drawn = taken(&"{night:%Y%m%d}/image-%Y%m%d%H%M%S.jpg".parse().unwrap(), hours, "");
    draw(folder.path(), &drawn);
    for day in 1..29 {
        fs::create_dir_all(folder.path().join(format!("202402{day:02}"))).unwrap();
    }
    let root = folder.path().to_owned();
    let server = Server::start(move |path, _| {
        let Some(below) = path.strip_prefix("/sky/") else { return Reply::not_found() };
        let file = root.join(below);
        if !file.is_dir() {
            return fs::read(file).map_or_else(|_| Reply::not_found(), Reply::Body);
        }
        let links = fs::read_dir(file).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let slash = if entry.path().is_dir() { "/" } else { "" };
            let name = entry.file_name().into_string().unwrap();
            format!("<a href=\"{name}{slash}\">{name}</a>")
        });
        let links: String = links.collect();
        Reply::Body(format!("<html><a href=\"../\">..</a>{links}</html>").into_bytes())
    });
    let station = station(PicturePlace::Address(server.base()), tree("allsky"));
    let mut stage = Stage::new(&server);
    at_station(&mut stage, station.clone());
    stage.run(hours).await;
    let wanted = expected(&drawn, &slots_of(&station, hours));
    assert_eq!(stored(&stage), shown(&wanted));
    let listed = server.requests().into_iter().filter(|path| path.ends_with('/')).count();
    assert_eq!(listed, 2, "the root and the night's folder, once each: {:?}", server.requests());
}

#[actix::test]
async fn a_server_that_lists_nothing_is_said_and_asked_again() {
    let server = Server::start(|_, _| Reply::Body(b"Welcome to my camera".to_vec()));
    let mut stage = Stage::new(&server);
    at_station(&mut stage, station(PicturePlace::Address(server.base()), tree("allsky")));
    let hour = range("2024-03-01T22:00", "2024-03-01T22:29");
    for _ in 0..2 {
        let report = stage.run(hour).await;
        assert_eq!(report.end.asked_in_vain().values().sum::<u64>(), 3);
    }
    let details = stage.record().texts("SELECT detail FROM misses WHERE reason = 'unreadable'");
    assert_eq!(details.len(), 3);
    assert!(details[0].contains("is no list of files"), "{}", details[0]);
}

#[actix::test]
async fn a_template_gives_exact_names_in_utc_and_to_the_second() {
    let folder = tempfile::tempdir().unwrap();
    let names: NameTemplate = "%Y/%j/sky_%H%M%S.jpg".parse().unwrap();
    let place = PicturePlace::Folder(folder.path().to_owned());
    let mut station = station(place, PictureNames::Template(names.clone()));
    station.minutes = SlotGrid::every(15).unwrap();
    let source = station.source.as_mut().unwrap();
    source.clock = NameClock::Utc;
    let minutes = range("2024-03-01T22:00", "2024-03-01T22:04");
    let slots = slots_of(&station, minutes);
    assert_eq!(slots.len(), 20);
    for (n, slot) in slots.iter().enumerate().filter(|(n, _)| *n != 7) {
        let file = folder.path().join(names.render(slot.utc().naive_utc(), false, ""));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, judge::picture((n % 9) as u8, Trouble::None, n as u8)).unwrap();
    }
    let mut stage = Stage::at("http://127.0.0.1:9/");
    at_station(&mut stage, station);
    let report = stage.run(minutes).await;
    assert_eq!((report.end.ledger.new_rows(), report.end.ledger.missed()), (19, 1));
    let rows = stage.record().texts(
        "SELECT slot_local || ' ' || file_name || ' ' || picture_name FROM observations
         ORDER BY slot_local LIMIT 2",
    );
    let wanted = [
        "2024-03-01T22:00 2024-03012200.jpg sky_010000.jpg",
        "2024-03-01T22:00:15 2024-0301220015.jpg sky_010015.jpg",
    ];
    assert_eq!(rows, wanted);
    let missed = stage.record().texts("SELECT slot_local FROM misses");
    assert_eq!(missed, ["2024-03-01T22:01:45"]);
}

/// A camera whose clock jumps writes its pictures under names of another time: the misses say so,
/// with the newest name and how far it is off, and so does the program, once.
#[actix::test]
async fn a_tree_whose_camera_has_jumped_says_so() {
    const OWN: (&str, &str) = ("sky_20240301_220007.jpg", "02-Mar-2024 01:00");
    const BACK: (&str, &str) = ("sky_20240301_195500.jpg", "02-Mar-2024 01:10");
    const LONG_BACK: (&str, &str) = ("sky_20000101_000007.jpg", "02-Mar-2024 01:10");
    const AHEAD: (&str, &str) = ("sky_20250301_221007.jpg", "02-Mar-2024 01:10");
    const EARLIER: (&str, &str) = ("sky_20240301_215007.jpg", "02-Mar-2024 00:50");
    const GOES_ON: (&str, &str) = ("sky_20240301_200500.jpg", "02-Mar-2024 01:20");
    let behind = "'sky_20240301_195500.jpg', is of 2024-03-01T22:55:00Z by its name, 2 h 35 min \
                  behind 2024-03-02T01:30:00Z";
    let years_behind = "'sky_20000101_000007.jpg', is of 2000-01-01T03:00:07Z by its name, \
                        8826 d 22 h behind 2024-03-02T01:30:00Z";
    let ahead = "'sky_20250301_221007.jpg', is of 2025-03-02T01:10:07Z by its name, 364 d 23 h \
                 ahead of 2024-03-02T01:30:00Z";
    let set_back = "jumped back: 'sky_20240301_195500.jpg' was written after \
                    'sky_20240301_220007.jpg', and is 2 h 5 min older by its name";
    let (soon, later) = ("2024-03-02T01:30:00Z@0.01", "2024-03-08T01:30:00Z@0.01");
    let no_times = |files: &[(&'static str, &'static str)]| {
        files.iter().map(|(name, _)| (*name, "")).collect::<Vec<_>>()
    };
    let cases = [
        (vec![OWN, BACK], soon, Some(behind)),
        (vec![OWN, LONG_BACK], soon, Some(years_behind)),
        (vec![OWN, AHEAD], soon, Some(ahead)),
        // It stopped, or was late with a picture.
        (vec![OWN], soon, None),
        (vec![OWN, ("sky_20240301_215500.jpg", "02-Mar-2024 01:10")], soon, None),
        // Both were brought from elsewhere, in whatever order.
        (vec![(OWN.0, "02-Mar-2024 01:10"), BACK], soon, None),
        // It was ahead, and was set.
        (vec![(AHEAD.0, "02-Mar-2024 00:40"), OWN], soon, None),
        // Its server does not say when files were written.
        (no_times(&[OWN, AHEAD]), soon, Some(ahead)),
        (no_times(&[OWN, BACK]), soon, None),
        // Afterwards, names that have not come tell of it.
        (vec![(AHEAD.0, "02-Mar-2024 00:40"), OWN], later, Some("ahead of 2024-03-08T01:30:00Z")),
        (vec![OWN, BACK], later, None),
        // So does the order in which pictures were written, at the pace of their names.
        (vec![EARLIER, OWN, BACK, GOES_ON], later, Some(set_back)),
        (no_times(&[EARLIER, OWN, BACK, GOES_ON]), later, None),
        (vec![EARLIER, OWN, BACK, (GOES_ON.0, BACK.1)], later, None),
        (vec![(EARLIER.0, OWN.1), OWN, BACK, GOES_ON], later, None),
    ];
    for (jumped, clock, wanted) in cases {
        let files = Arc::new(std::sync::Mutex::new(vec![OWN]));
        let listed = Arc::clone(&files);
        let server = Server::start(move |path, _| {
            if path.ends_with(".jpg") {
                return Reply::Body(judge::picture(3, Trouble::None, 1));
            }
            let link = |(name, written): &(&str, &str)| {
                format!("<a href=\"{name}\">{name}</a>  {written}  1234\n")
            };
            let links: String = listed.lock().unwrap().iter().map(link).collect();
            Reply::Body(format!("<html><a href=\"../\">../</a>{links}</html>").into_bytes())
        });
        let names = PictureNames::Tree("sky_%Y%m%d_%H%M%S.jpg".parse().unwrap());
        let mut stage = Stage::new(&server);
        at_station(&mut stage, station(PicturePlace::Address(server.base()), names));
        stage.policy.retry_missed = true;
        stage.clock = soon.parse().unwrap();
        stage.run(range("2024-03-01T22:00", "2024-03-01T22:09")).await;
        let before = stored(&stage);
        assert_eq!(before.len(), 1);
        *files.lock().unwrap() = jumped;
        stage.clock = clock.parse().unwrap();
        let mut told = Vec::new();
        for _ in 0..2 {
            let pipeline = stage.start();
            let both = range("2024-03-01T22:00", "2024-03-01T22:19");
            pipeline.run(both).await.unwrap();
            told.extend(pipeline.gate().take_faults().iter().map(|fault| fault.text().en));
            assert!(pipeline.stop().await.is_some());
        }
        // A row stays, and none is added.
        assert_eq!(stored(&stage), before);
        let misses = stage.record().texts("SELECT slot_local || ' ' || detail FROM misses");
        assert_eq!(misses.len(), 1, "{misses:?}");
        assert!(misses[0].starts_with("2024-03-01T22:10 no picture of"), "{}", misses[0]);
        match wanted {
            Some(wanted) => {
                assert!(misses[0].contains(wanted), "no '{wanted}' in {}", misses[0]);
                assert!(told.len() == 1 && told[0].contains(wanted), "{told:?}");
                assert!(told[0].contains("set the camera's clock"), "{told:?}");
            }
            None => {
                assert!(!misses[0].contains("jumped"), "{}", misses[0]);
                assert_eq!(told, Vec::<String>::new());
            }
        }
    }
}
