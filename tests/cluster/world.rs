//! A camera, a queue, a writer and its workers, and what can happen to them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::nats::Nats;
use crate::support::record::Record;
use crate::support::server::{Reply, Server};
use crate::support::{asked, onnx, pictures};

/// Slots of a day.
pub const DAY: usize = 144;
/// How long a test waits for anything.
const LONGEST: Duration = Duration::from_secs(240);

/// A process of the program.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        Command::new("kill").args([name, &id]).status().unwrap();
    }

    pub fn has_ended(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }

    pub fn wait(&mut self) -> i32 {
        until("a process ends", || self.has_ended())
    }
}

/// Waits for something.
pub fn until<T>(what: &str, mut come: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(come) = come() {
            return come;
        }
        assert!(began.elapsed() < LONGEST, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// See the module.
pub struct World {
    home: TempDir,
    pub camera: Server,
    days: usize,
}

impl World {
    /// With a camera of so many days, some of whose pictures are damaged, missing or late.
    pub fn new(days: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        onnx::write_red(home.path(), "red", "3");
        let camera = Server::start(|path, _| match asked(path) {
            Some(asked) => match Self::picture(asked.index) {
                Some(picture) => Reply::Body(picture).late(12),
                None => Reply::not_found(),
            },
            None => Reply::not_found(),
        });
        Self { home, camera, days }
    }

    /// The picture of the slot in this place, if there is one.
    pub fn picture(index: usize) -> Option<Vec<u8>> {
        let red = u8::try_from(index % 9).unwrap() * 28;
        let whole = pictures::shaded([red, 40, u8::try_from(index % 200).unwrap()]);
        match index % 23 {
            7 => Some(whole[..whole.len() / 2].to_vec()),
            11 => None,
            _ => Some(whole),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn slots(&self) -> usize {
        self.days * DAY
    }

    /// The program, which looks for the camera at `base`.
    pub fn program(&self, base: &str, name: &str, arguments: &[&str]) -> Process {
        let place = ["--url-base", base, "--layout", "root", "--concurrency", "4"];
        self.plain(name, &[arguments, &place].concat())
    }

    /// The program, which looks where `celaje.toml` says.
    pub fn plain(&self, name: &str, arguments: &[&str]) -> Process {
        let file = |end: &str| {
            let path = self.path(&format!("{name}.{end}"));
            File::options().create(true).append(true).open(path).unwrap()
        };
        let child = Command::new(env!("CARGO_BIN_EXE_celaje"))
            .env_clear()
            .env("HOME", self.home.path())
            .env("LANG", "C")
            .current_dir(self.home.path())
            .args(arguments)
            .args(["--engine", "rten", "--threads", "1"])
            .stdout(file("out"))
            .stderr(file("err"))
            .stdin(Stdio::null())
            .spawn();
        Process(child.unwrap())
    }

    /// A backfill of all days, with `more` flags.
    pub fn backfill(&self, db: &str, more: &[&str]) -> Process {
        self.backfill_to(&format!("2024-03-{:02}", self.days), db, more)
    }

    /// The same up to a moment.
    pub fn backfill_to(&self, last: &str, db: &str, more: &[&str]) -> Process {
        let mut arguments = vec!["backfill", "--desde", "2024-03-01", "--hasta", last];
        arguments.extend(["--db", db, "--model", "red.onnx"]);
        arguments.extend(more);
        self.program(&self.camera.base(), db, &arguments)
    }

    /// A writer that loses patience with a silent worker soon.
    pub fn writer(&self, db: &str, nats: &Nats) -> Process {
        self.backfill(db, &["--queue", &nats.url(), "--queue-patience", "2"])
    }

    /// A worker without the model.
    pub fn worker(&self, nats: &Nats) -> Process {
        self.worker_at(&self.camera.base(), "worker", nats)
    }

    /// The same, which looks for the camera at `base`.
    pub fn worker_at(&self, base: &str, name: &str, nats: &Nats) -> Process {
        self.program(base, name, &["worker", "--queue", &nats.url()])
    }

    /// The pictures of the first day in a folder, as the camera has them.
    pub fn keep_pictures(&self, folder_of: impl Fn(usize) -> &'static str) {
        assert_eq!(self.backfill("camera.db", &[]).wait(), 0, "{}", self.said());
        for path in self.camera.requests() {
            let name = path.rsplit('/').next().unwrap();
            let index = asked(&path).map(|asked| asked.index);
            let Some((index, bytes)) = index.and_then(|n| Some((n, Self::picture(n)?))) else {
                continue;
            };
            let folder = self.path(folder_of(index)).join("2024");
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The last line that a backfill printed.
    pub fn summary(&self, db: &str) -> String {
        let out = std::fs::read_to_string(self.path(&format!("{db}.out"))).unwrap();
        out.lines().last().unwrap_or_default().to_owned()
    }

    /// What the writer and the workers said.
    pub fn said(&self) -> String {
        format!("writer:\n{}\nworkers:\n{}", self.read("sky.db.err"), self.read("worker.err"))
    }

    /// All that is known of the slots, but for when and by which run it was written.
    pub fn known(&self, db: &str) -> BTreeMap<String, String> {
        known(&self.path(db))
    }

    /// The requests so far, by path.
    pub fn requests(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for path in self.camera.requests() {
            *counts.entry(path).or_default() += 1;
        }
        counts
    }
}

fn known(path: &Path) -> BTreeMap<String, String> {
    let mut record = Record::open(path);
    let columns = |record: &mut Record, table: &str, apart: &str| {
        let names = record.texts(&format!(
            "SELECT name FROM pragma_table_info('{table}') WHERE name NOT IN ({apart})"
        ));
        let quoted: Vec<_> = names.iter().map(|name| format!("quote({name})")).collect();
        let all = quoted.join(" || ' ' || ");
        record.texts(&format!("SELECT slot_local || ' {table} ' || {all} FROM {table}"))
    };
    let rows = columns(&mut record, "observations", "'created_at', 'run_id'");
    let misses = columns(&mut record, "misses", "'last_tried', 'run_id'");
    let all = rows.into_iter().chain(misses);
    all.map(|text| (text[..16].to_owned(), text)).collect()
}
