//! Trees as Allsky and indi-allsky write them, drawn by the simulated camera: read afterwards,
//! through noon and midnight, and live over midnight, with the same result.

use std::sync::Arc;

use celaje_simulate::Studio;
use celaje_simulate::options::SimulateOptions;
use celaje_sky::naming::NameTemplate;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_sky::sun::{self, DayPhase};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::*;
use crate::support::range;

/// Station time a second of real time.
const SPEED: f64 = 120.0;

/// A picture of a tree.
#[derive(Clone)]
struct TreePicture {
    path: String,
    taken: DateTime<Utc>,
    jpeg: Arc<Vec<u8>>,
    /// The slot that it is the picture of.
    slot: Option<Slot>,
}

/// Two pictures a slot, at irregular seconds: by turns the one before it is nearer, and the one
/// after it, each by more than three minutes.
fn drawn(names: &NameTemplate, from: &str, to: &str) -> Vec<TreePicture> {
    let station = Station::rio_grande();
    let options = SimulateOptions { size: (96, 72), ..SimulateOptions::for_station(&station) };
    let studio = Studio::new(options.spec());
    let slots =
        range(from, to).slots(&celaje_sky::slot::SlotGrid::every(600).unwrap(), station.zone);
    let mut all = Vec::new();
    for (k, slot) in slots.enumerate() {
        let k = k as i64 % 23;
        let (near, far) = if k % 2 == 0 { (-37 - k, 251 + k) } else { (43 + k, -263 + k) };
        for (seconds, of) in [(near, Some(slot)), (far, None)] {
            let taken = slot.utc() + TimeDelta::seconds(seconds);
            let local = station.zone.local(taken);
            let sun = sun::position(taken, station.latitude, station.longitude);
            let night = DayPhase::from_elevation(sun.elevation) != DayPhase::Day;
            let moment = Slot::at(local, station.zone).unwrap();
            all.push(TreePicture {
                path: names.render(local, night, "3f-1a"),
                taken,
                jpeg: Arc::new(studio.draw(moment).unwrap().jpeg),
                slot: of,
            });
        }
    }
    all.sort_by_key(|one| one.taken);
    all
}

/// Writes a picture as these programs do, with a thumbnail beside it.
fn write(root: &Path, one: &TreePicture, in_halves: bool) {
    let file = root.join(&one.path);
    let thumbnails = file.parent().unwrap().join("thumbnails");
    std::fs::create_dir_all(&thumbnails).unwrap();
    std::fs::write(thumbnails.join(file.file_name().unwrap()), &one.jpeg[..]).unwrap();
    if in_halves {
        std::fs::write(&file, &one.jpeg[..one.jpeg.len() / 2]).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    std::fs::write(&file, &one.jpeg[..]).unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line for each slot that has a picture.
fn expected(drawn: &[TreePicture]) -> Vec<String> {
    let mut lines: Vec<_> = drawn
        .iter()
        .filter_map(|one| {
            let name = one.path.rsplit('/').next().unwrap();
            let taken = one.taken.format("%Y-%m-%dT%H:%M:%SZ");
            Some(format!("{} {taken} {name} {}", one.slot?, sha256(&one.jpeg)))
        })
        .collect();
    lines.sort_unstable();
    lines
}

fn stored(home: &Home, db: &str, from: &str) -> Vec<String> {
    let mut record = Record::open(&home.path(db));
    record.execute("PRAGMA busy_timeout = 10000");
    record.texts(&format!(
        "SELECT slot_local || ' ' || taken_at || ' ' || picture_name || ' ' || image_sha256
         FROM observations WHERE slot_local >= '{from}' ORDER BY slot_local"
    ))
}

fn backfill(home: &Home, db: &str, from: &str, to: &str) {
    let ran = home
        .celaje()
        .args(["backfill", "--from", from, "--to", to, "--db", db])
        .args(["--engine", "rten", "--threads", "1"])
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

fn is_read_live_as_afterwards(preset: &str, path: &str) {
    let names: NameTemplate = path.parse().unwrap();
    let home = Home::new();
    let root = home.path("images");
    std::fs::create_dir(&root).unwrap();
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\n[station]\nid = 'roof'\nlatitude = -53.79\nlongitude = -67.7\n\
             time_zone = 'America/Argentina/Ushuaia'\n\
             [station.source]\npreset = '{preset}'\ndir = 'images'\n"
        ),
    );
    // Through a midnight and a noon, afterwards.
    let (from, to) = ("2024-03-01T22:00", "2024-03-02T13:59");
    let past = drawn(&names, from, to);
    past.iter().for_each(|one| write(&root, one, false));
    backfill(&home, "past.db", from, to);
    assert_eq!(stored(&home, "past.db", from), expected(&past), "{preset}");

    // Over the next midnight, as they come.
    let (from, to) = ("2024-03-02T23:50", "2024-03-03T00:19");
    let live = drawn(&names, from, to);
    let start: DateTime<Utc> = "2024-03-03T02:45:30Z".parse().unwrap();
    let coming = live.clone();
    let running = Running::start(&mut home.serve(&[
        "--catch-up",
        "0",
        "--clock",
        &format!("2024-03-03T02:45:30Z@{SPEED}"),
    ]));
    let begun = Instant::now();
    let writer = {
        let root = root.clone();
        std::thread::spawn(move || {
            for (n, one) in coming.iter().enumerate() {
                let due = (one.taken - start).num_milliseconds() as f64 / 1000.0 / SPEED;
                std::thread::sleep(
                    Duration::from_secs_f64(due.max(0.0)).saturating_sub(begun.elapsed()),
                );
                write(&root, one, n % 3 == 1);
            }
        })
    };
    let wanted = expected(&live);
    until("all are read", || stored(&home, "cielo.db", from).len() >= wanted.len());
    assert_eq!(running.end("TERM").0, 0);
    writer.join().unwrap();
    assert_eq!(stored(&home, "cielo.db", from), wanted, "{preset}, live");
    backfill(&home, "later.db", from, to);
    assert_eq!(stored(&home, "later.db", from), wanted, "{preset}, afterwards");
}

/// Folders that are listed have no picture of the time before their first one, so there is nothing
/// to miss of it; after it every slot is accounted for.
#[test]
fn nothing_is_missed_of_the_time_before_the_first_picture() {
    let home = Home::new();
    std::fs::create_dir(home.path("images")).unwrap();
    home.write(
        "celaje.toml",
        "model = 'red.onnx'\n[station]\nid = 'roof'\nlatitude = -53.79\nlongitude = -67.7\n\
         time_zone = 'UTC'\n[station.source]\npreset = 'allsky'\ndir = 'images'\n\
         every = '15s'\ntolerance = '5s'\n",
    );
    let serve = |clock| Running::start(&mut home.serve(&["--clock", clock]));
    let running = serve("2024-03-03T12:00:10Z@5");
    until("slots are watched", || home.record().count("misses") >= 2);
    assert_eq!(running.end("TERM").0, 0);
    // The newest slot that was due at the start is a little older.
    let before = "misses WHERE slot_local < '2024-03-03T11:59'";
    assert_eq!(home.record().count(before), 0);

    // A picture of ten minutes before.
    let path = home.path("images/20240303/image-20240303115000.jpg");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, pictures::shaded([90, 40, 7])).unwrap();
    let running = serve("2024-03-03T12:02:10Z@5");
    until("it is read", || home.record().count("observations") == 1);
    until("what followed is missed", || home.record().count(before) == 35);
    assert_eq!(running.end("TERM").0, 0);
    assert_eq!(home.record().count("misses WHERE slot_local < '2024-03-03T11:50'"), 0);
    let details = home.record().texts("SELECT DISTINCT reason FROM misses");
    assert_eq!(details, ["not_found"]);
}

/// A camera's own clock goes back by a day, and then ahead by one: its names are of other slots.
#[test]
fn a_camera_whose_clock_jumps_is_said_once_and_no_row_is_lost_or_doubled() {
    let home = Home::new();
    home.write(
        "celaje.toml",
        "model = 'red.onnx'\n[station]\nid = 'roof'\nlatitude = -53.79\nlongitude = -67.7\n\
         time_zone = 'UTC'\n[station.source]\npreset = 'allsky'\ndir = 'images'\n\
         every = '1m'\ntolerance = '20s'\n",
    );
    let picture = |name: &str, shade: u8| {
        let path = home.path(&format!("images/{name}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, pictures::shaded([90, 40, shade])).unwrap();
    };
    for minute in 0..5 {
        let name = format!("20240303/image-2024030312{minute:02}07.jpg");
        picture(&name, minute);
        let file = std::fs::File::options().write(true).open(home.path("images").join(name));
        let written = std::time::SystemTime::now() - Duration::from_secs(600);
        file.unwrap().set_modified(written).unwrap();
    }
    let serve = |clock| Running::start(&mut home.serve(&["--catch-up", "10m", "--clock", clock]));
    let running = serve("2024-03-03T12:05:10Z@20");
    until("what is there is read", || home.record().count("observations") == 5);
    let rows = stored(&home, "cielo.db", "2024");
    let missed = |what: &str| home.record().count(&format!("misses WHERE {what}")) > 0;
    // A camera that is only silent.
    until("a slot is missed", || missed("slot_local > '2024-03-03T12:05'"));
    assert!(!missed("detail LIKE '%jumped%'"));
    let said = |name: &str, side: &str| {
        format!(
            "detail LIKE '%has jumped: its newest picture, ''{name}'', is of %1 d 0 h {side} %'"
        )
    };
    picture("20240302/image-20240302120630.jpg", 6);
    let back = said("20240302/image-20240302120630.jpg", "behind");
    until("that it went back is said", || missed(&back));
    let now = home.record().texts("SELECT max(slot_local) FROM misses")[0].clone();
    // The time of that slot, a day and ten minutes later.
    let then: NaiveDateTime = format!("{now}:00").parse().unwrap();
    let name = (then + TimeDelta::minutes(24 * 60 + 10)).format("%Y%m%d/image-%Y%m%d%H%M%S.jpg");
    picture(&name.to_string(), 7);
    let ahead = said(&name.to_string(), "ahead of");
    until("that it went ahead is said", || missed(&ahead));
    assert_eq!(stored(&home, "cielo.db", "2024"), rows);
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0, "{told:?}");
    let jumps = told.iter().filter(|line| line.contains("has jumped")).count();
    assert_eq!(jumps, 2, "{told:#?}");
    let twice = "(SELECT picture_name FROM observations GROUP BY 1 HAVING count(*) > 1)";
    assert_eq!((home.record().count(twice), home.record().count("observations")), (0, 5));
}

#[test]
fn allskys_tree_is_read_live_as_afterwards() {
    is_read_live_as_afterwards("allsky", "{night:%Y%m%d}/image-%Y%m%d%H%M%S.jpg");
}

#[test]
fn indi_allskys_tree_is_read_live_as_afterwards() {
    let path = "ccd_*/exposures/{night:%Y%m%d}/{phase}/%d_%H/ccd1_%Y%m%d_%H%M%S.jpg";
    is_read_live_as_afterwards("indi-allsky", path);
}
