//! A record, a camera, the program that serves them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use celaje::store::Database;
use celaje_sky::station::Station;
use chrono::{NaiveDateTime, TimeDelta, Utc};
use tempfile::TempDir;

use crate::support::pictures;
use crate::support::record::Record;
use crate::support::server::{Reply, Server};

/// The program, which has said where it serves; ends when dropped.
pub struct Program {
    pub url: String,
    /// Where the replaced system's clients are served, if they are.
    pub compat: Option<String>,
    child: Child,
}

impl Program {
    /// `celaje` with `arguments` in `folder`, without what this process is told of it.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_celaje"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CELAJE_") {
                command.env_remove(name);
            }
        }
        command.current_dir(folder).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = lines.by_ref().filter_map(|line| {
            let line = line.unwrap();
            let from = line.find("http://")?;
            let url = line[from..].split(' ').next()?;
            Some(url.trim_end_matches('/').to_owned())
        });
        let url = said.next().unwrap_or_else(|| panic!("{arguments:?} says no address"));
        let is_compat = arguments.iter().any(|argument| argument.starts_with("--compat"));
        let compat = is_compat.then(|| said.next().unwrap());
        std::thread::spawn(move || lines.for_each(drop));
        Self { url, compat, child }
    }

    /// The port that it listens on.
    pub fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }

    /// Ends it, as a failure would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program with a record that others write; ends when dropped.
pub struct Scene {
    pub url: String,
    folder: TempDir,
    camera: Server,
    program: Program,
}

/// A reading to be written.
#[derive(Clone, Copy)]
pub struct Reading {
    pub slot: NaiveDateTime,
    pub okta: u8,
    pub quality: &'static str,
}

impl Scene {
    /// An empty record, before a camera that has a picture for every slot.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same with these further flags.
    pub fn with(flags: &[&str]) -> Self {
        Self::serving(flags, |_, _| Reply::Body(pictures::jpeg(0.4)))
    }

    /// An empty record before a camera that does as `script` says.
    pub fn before(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::serving(&[], script)
    }

    /// With these settings beside the record, these flags, and what `prepare` writes before the
    /// program starts.
    pub fn prepared(settings: &str, flags: &[&str], prepare: impl FnOnce(&mut Record)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if !settings.is_empty() {
            std::fs::write(folder.path().join("celaje.toml"), settings).unwrap();
        }
        let db = folder.path().join("a.db");
        drop(Database::open(&db, &Station::rio_grande()).unwrap());
        prepare(&mut Record::open(&db));
        Self::within(folder, flags, |_, _| Reply::Body(pictures::jpeg(0.4)))
    }

    fn serving(
        flags: &[&str],
        script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::within(tempfile::tempdir().unwrap(), flags, script)
    }

    fn within(
        folder: TempDir,
        flags: &[&str],
        script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let camera = Server::start(script);
        let db = folder.path().join("a.db");
        if !db.exists() {
            drop(Database::open(&db, &Station::rio_grande()).unwrap());
        }
        let base = format!("http://{}/sky/", camera.address);
        let serve = ["serve", "--read-only", "--listen", "127.0.0.1:0", "--engine", "rten"];
        let of = ["--url-base", &base, "--db", "a.db"];
        let program = Program::start(folder.path(), &[serve.as_slice(), &of, flags].concat());
        Self { url: program.url.clone(), folder, camera, program }
    }

    /// Where the replaced system's clients are served.
    pub fn compat(&self) -> &str {
        self.program.compat.as_deref().unwrap()
    }

    /// Where the record and what lies beside it are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The camera's address.
    pub fn camera(&self) -> String {
        self.camera.base()
    }

    /// The address of a view.
    pub fn view(&self, view: &str) -> String {
        format!("{}/#/{view}", self.url)
    }

    /// The record, as SQL tells it.
    pub fn record(&self) -> Record {
        Record::open(&self.folder.path().join("a.db"))
    }

    /// Writes a reading, as another process would.
    pub fn write(&self, reading: Reading) {
        self.write_many(reading, 1, 1);
    }

    /// As [`write_rows`] does.
    pub fn write_many(&self, last: Reading, count: u32, gap: u32) {
        write_rows(&mut self.record(), last, count, gap);
    }

    /// Ends the program, as a failure would.
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// Writes that a slot was missed just now.
    pub fn miss(&self, slot: NaiveDateTime, reason: &str) {
        let (local, utc) = (slot.format("%Y-%m-%dT%H:%M"), slot + TimeDelta::hours(3));
        let (utc, now) = (utc.format("%Y-%m-%dT%H:%M:00Z"), Utc::now().format("%F %T"));
        self.execute(&format!(
            "INSERT INTO misses (station, slot_local, slot_utc, reason, attempts, detail, \
            last_tried, source, layout)
             VALUES ('rio-grande', '{local}', '{utc}', '{reason}', 1, 'x', '{now}', 'x', 'auto')"
        ));
    }

    /// Writes what is no reading: `statements` of SQL.
    pub fn execute(&self, statements: &str) {
        let patience = "PRAGMA busy_timeout = 20000;";
        self.record().execute(&format!("{patience}{statements}"));
    }
}

/// Writes `count` readings, ten minutes apart, up to `last`; each `gap`th slot is left out, where
/// it is more than 1. Their oktas come and go, the last is `last.okta`.
pub fn write_rows(record: &mut Record, last: Reading, count: u32, gap: u32) {
    let slot = last.slot.format("%Y-%m-%d %H:%M");
    let (okta, quality) = (last.okta, last.quality);
    let ago = "10 * (count.n - t.i)";
    let at = format!("datetime('{slot}', '-' || ({ago}) || ' minutes')");
    let statement = format!(
        "PRAGMA busy_timeout = 20000;
             INSERT INTO observations (station, slot_local, slot_utc, file_name, url, okta,
                 cloud_fraction, confidence, category, description, quality, model, model_sha256,
                 solar_elevation, day_phase, image_width, image_height, image_sha256, captured_at)
             WITH RECURSIVE count(n) AS (SELECT {count}),
             t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t, count WHERE i < count.n),
             s AS (SELECT i, strftime('%Y-%m-%dT%H:%M', {at}) AS slot,
                     strftime('%Y-%m-%dT%H:%M:00Z', {at}, '+3 hours') AS utc,
                     CASE WHEN i = count.n THEN {okta}
                          ELSE abs((i / 23 * 31 + i / 144 * 7) % 17 - 8) END AS okta
                 FROM t, count WHERE {gap} = 1 OR i % {gap} <> 0 OR i = count.n)
             SELECT 'rio-grande', slot, utc,
                 substr(slot, 1, 5) || substr(slot, 6, 2) || substr(slot, 9, 2)
                     || substr(slot, 12, 2) || substr(slot, 15, 2) || '.jpg',
                 'http://127.0.0.1/x.jpg', okta, iif(okta < 9, okta / 8.0, NULL),
                 iif(okta < 9, 0.6 + (i % 40) / 100.0, NULL),
                 CASE okta WHEN 0 THEN 'SKC' WHEN 1 THEN 'FEW' WHEN 2 THEN 'FEW' WHEN 3 THEN 'SCT'
                     WHEN 4 THEN 'SCT' WHEN 8 THEN 'OVC' WHEN 9 THEN 'OBSC' ELSE 'BKN' END,
                 'x', '{quality}', 'celaje-4 4', 'a', 20.0,
                 CASE WHEN substr(slot, 12, 2) < '05' OR substr(slot, 12, 2) > '21' THEN 'night'
                     ELSE 'day' END,
                 640, 480, 'b', slot
             FROM s;"
    );
    record.execute(&statement);
}

/// The last slot before now on the first station's clock, `ago` slots before.
pub fn slot(ago: i64) -> NaiveDateTime {
    let now = Station::rio_grande().zone.local(Utc::now());
    let minutes = now.and_utc().timestamp() / 60;
    // Slots are at 2, 12, 22 … minutes.
    let last = (minutes - 2).div_euclid(10) * 10 + 2 - 10 * ago;
    chrono::DateTime::from_timestamp(last * 60, 0).unwrap().naive_utc()
}

/// A faultless reading of `okta`, `ago` slots before the last one.
pub fn reading(ago: i64, okta: u8) -> Reading {
    Reading { slot: slot(ago), okta, quality: "ok" }
}

#[test]
fn slots_are_where_the_camera_has_them() {
    use chrono::Timelike;
    assert_eq!(slot(0).minute() % 10, 2);
    assert_eq!(slot(0) - slot(6), TimeDelta::hours(1));
    let now = Station::rio_grande().zone.local(Utc::now());
    assert!((0..10).contains(&(now - slot(0)).num_minutes()));
}
