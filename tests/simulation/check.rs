//! A seed's story, and what must hold after each of its lives.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use celaje::service::RunReport;
use celaje::store::Database;
use celaje::store::reader::Reader;
use celaje_sky::restarts::RestartBudget;

use crate::faults::Perils;
use crate::life::{Ending, Life, Lived, Ran};
use crate::support::record::Record;
use crate::support::{first, slots, station};
use crate::world::World;

/// What many stories were like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub lives: u64,
    pub kills: u64,
    pub restarts: u64,
    pub given_up: u64,
    pub poisoned: u64,
    pub fetched: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.kills += other.kills;
        self.restarts += other.restarts;
        self.given_up += other.given_up;
        self.poisoned += other.poisoned;
        self.fetched += other.fetched;
    }
}

/// A camera, and the lives of a program that records it.
#[derive(Debug)]
pub struct Story {
    world: Arc<World>,
    lives: Vec<Life>,
    trace: RefCell<Vec<String>>,
}

/// A folder in memory where there is one: simulated time waits for no disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = memory.is_dir().then(|| tempfile::tempdir_in(memory).ok());
    made.flatten().unwrap_or_else(|| tempfile::tempdir().unwrap())
}

/// A database without rows, as the first start leaves it; made once.
fn fresh(folder: &TempDir) -> PathBuf {
    static FRESH: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = FRESH.get_or_init(|| {
        let folder = self::folder();
        let path = folder.path().join("fresh.db");
        drop(Database::open(&path, &station("http://camera/sky/")).unwrap());
        std::fs::read(path).unwrap()
    });
    let path = folder.path().join("sky.db");
    std::fs::write(&path, bytes).unwrap();
    path
}

impl Story {
    pub fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let world = Arc::new(World::draw(&mut random));
        let faulty = random.random_range(1..=3);
        let mut life = |perils, last: bool| Life {
            perils,
            seed: random.random(),
            budget: RestartBudget {
                // A few have no patience at all.
                failures: if !last && random.random_bool(0.15) { 1 } else { 1000 },
                ..RestartBudget::default()
            },
            retry_missed: false,
            // Some ask for what is stored too.
            reprocess: random.random_bool(0.15),
            outage: (!last && random.random_bool(0.1)).then(|| {
                let from = Duration::from_millis(random.random_range(0..2_000));
                (from, from + Duration::from_secs(random.random_range(1..200)))
            }),
            batch: random.random_range(1..=4),
            concurrency: random.random_range(1..=8),
            rows: random.random_range(1..=8),
        };
        let mut perils = StdRng::seed_from_u64(seed ^ 0x5EED);
        let mut lives: Vec<Life> =
            (0..faulty).map(|_| life(Perils::draw(&mut perils), false)).collect();
        // At last nothing goes wrong any more; and once more, asking for all that was given up.
        lives.push(life(Perils::NONE, true));
        lives.push(Life { retry_missed: true, reprocess: false, ..life(Perils::NONE, true) });
        Self { world, lives, trace: RefCell::default() }
    }

    /// What happened, as told last.
    pub fn trace(&self) -> Vec<String> {
        self.trace.borrow().clone()
    }

    fn note(&self, line: String) {
        self.trace.borrow_mut().push(line);
    }

    /// Lives it through; panics where something does not hold.
    pub fn tell(&self) -> Tally {
        self.trace.borrow_mut().clear();
        let reference = self.without_faults();
        let folder = folder();
        let db = fresh(&folder);
        let mut tally = Tally::default();
        let (mut was_killed, last) = (false, self.lives.len() - 1);
        // What was stored when the last life began.
        let mut previous = BTreeSet::new();
        for (n, life) in self.lives.iter().enumerate() {
            let before = stored(&db);
            let left = left_running(&db, &previous);
            previous.clone_from(&before);
            let lived = life.live(&self.world, &db);
            self.note(format!("life {n}: {:?} {:?}", lived.requests, lived.passed));
            tally.lives += 1;
            tally.fetched += lived.requests.len() as u64;
            tally.restarts += lived.thrown;
            if !life.reprocess {
                self.check_requests(&lived, &before);
            }
            // A run that was killed is found at the next start, with what it had done; nothing else
            // is.
            let told: Vec<String> = lived
                .cut_off
                .iter()
                .map(|run| format!("{} {}", run.counts.new, run.counts.missed))
                .collect();
            assert_eq!(told, left, "what the dead runs had done");
            assert!(was_killed || told.is_empty(), "no run was cut off");
            match &lived.ending {
                Ending::Killed => {
                    tally.kills += 1;
                    was_killed = true;
                    self.note("killed".to_owned());
                }
                Ending::Ran(ran) => {
                    // One that failed may have failed to write that it ended.
                    let whole = |report: &RunReport| report.end.failure.is_none();
                    was_killed = !ran.report.as_ref().is_ok_and(whole);
                    tally.given_up += u64::from(gave_up(ran));
                    self.check_ran(ran, n + 2 > last);
                }
            }
            self.check_record(&db);
            if n + 1 == last {
                tally.poisoned += self.check_against(&reference, &db, false);
            } else if n == last {
                self.check_against(&reference, &db, true);
            }
        }
        tally
    }

    /// What a run without faults leaves.
    fn without_faults(&self) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let folder = folder();
        let db = fresh(&folder);
        let life = Life { retry_missed: false, reprocess: false, ..*self.lives.last().unwrap() };
        let lived = life.live(&self.world, &db);
        let Ending::Ran(ran) = &lived.ending else {
            panic!("nothing kills this run");
        };
        self.check_ran(ran, true);
        self.check_record(&db);
        contents(&db)
    }

    /// What is stored is not asked for again.
    fn check_requests(&self, lived: &Lived, before: &BTreeSet<String>) {
        let slots = slots(first(self.world.scenes.len()));
        for (index, _) in &lived.requests {
            let slot = slots[*index].to_string();
            assert!(!before.contains(&slot), "{slot} is stored and was asked for again");
        }
    }

    fn check_ran(&self, ran: &Ran, must_succeed: bool) {
        assert!(ran.ended, "an actor did not end");
        assert_eq!(ran.flow.credits_given, ran.flow.credits_home, "a credit is missing");
        assert!(ran.most_in_flight <= ran.credits, "more in flight than credits");
        for stage in &ran.flow.stages {
            assert_eq!((stage.waiting, stage.working), (0, 0), "{stage:?}");
        }
        let planned = self.world.scenes.len() as u64;
        match &ran.report {
            Ok(report) => {
                let ledger = &report.end.ledger;
                self.note(format!("{ledger} {:?}", report.end.failure));
                assert_eq!(report.end.planned, planned);
                assert!(ledger.total() <= planned);
                if report.end.failure.is_none() {
                    assert_eq!(ledger.total(), planned, "a slot is not accounted for");
                }
                assert!(!must_succeed || report.end.failure.is_none(), "{report:?}");
            }
            Err(failure) => {
                self.note(failure.to_string());
                assert!(!must_succeed, "{failure}");
            }
        }
    }

    /// What holds of a record at any time.
    fn check_record(&self, db: &Path) {
        let mut record = Record::open(db);
        let both = "observations JOIN misses USING (station, slot_local)";
        assert_eq!(record.count(both), 0, "a slot is stored and missed");
        let rows = record.count("observations");
        // Every row was committed by one run, and counted by it: never lost, never twice.
        let counted = record.number("SELECT coalesce(sum(new), 0) FROM runs");
        assert_eq!(counted, rows, "{:?}", record.runs());
        assert_eq!(record.texts("PRAGMA integrity_check"), ["ok"]);
        // What `celaje db check` says, but for a run that was killed.
        for finding in Reader::open(db).unwrap().check().unwrap() {
            let killed = finding.name == "running";
            assert!(killed || finding.result.is_ok(), "{finding:?}");
        }
        assert!(record.texts("SELECT 'x' FROM pragma_foreign_key_check").is_empty());
    }

    /// How many slots are given up; but for those the record is that of a run without faults.
    fn check_against(
        &self,
        reference: &(BTreeMap<String, String>, BTreeMap<String, String>),
        db: &Path,
        wholly: bool,
    ) -> u64 {
        let (mut rows, misses) = contents(db);
        let (mut wanted, wanted_misses) = reference.clone();
        let given_up: Vec<String> = misses
            .iter()
            .filter(|(slot, reason)| {
                *reason == "poison" && wanted_misses.get(*slot) != Some(*reason)
            })
            .map(|(slot, _)| slot.clone())
            .collect();
        assert!(!wholly || given_up.is_empty(), "{given_up:?} were given up for good");
        let mut left = misses;
        let mut wanted_left = wanted_misses;
        for slot in &given_up {
            rows.remove(slot);
            wanted.remove(slot);
            left.remove(slot);
            wanted_left.remove(slot);
        }
        if given_up.is_empty() {
            assert_eq!(rows, wanted, "the rows are not those of a run without faults");
        } else {
            // A picture is frozen, or not, by the one before it, which may be given up.
            let slots = |rows: &BTreeMap<String, String>| rows.keys().cloned().collect::<Vec<_>>();
            assert_eq!(slots(&rows), slots(&wanted));
        }
        assert_eq!(left, wanted_left, "the misses are not those of a run without faults");
        given_up.len() as u64
    }
}

fn gave_up(ran: &Ran) -> bool {
    let failed = |report: &RunReport| {
        let failure = report.end.failure.as_ref();
        failure.is_some_and(|failure| failure.text.en.contains("fails at nearly everything"))
    };
    let restarts: u64 = ran.actors.iter().map(|actor| actor.restarts).sum();
    ran.report.as_ref().is_ok_and(failed) && restarts > 1
}

fn stored(db: &Path) -> BTreeSet<String> {
    Record::open(db).rows().into_keys().collect()
}

/// Of the runs that never ended, the rows that are theirs and were not `known` before, and their
/// misses.
fn left_running(db: &Path, known: &BTreeSet<String>) -> Vec<String> {
    let mut record = Record::open(db);
    let runs = record.texts("SELECT id || '' FROM runs WHERE status = 'running' ORDER BY id");
    runs.iter()
        .map(|run| {
            let rows = format!("SELECT slot_local FROM observations WHERE run_id = {run}");
            let mut rows = record.texts(&rows);
            rows.retain(|slot| !known.contains(slot));
            let misses = record.count(&format!("misses WHERE run_id = {run}"));
            format!("{} {misses}", rows.len())
        })
        .collect()
}

/// Rows, and the reasons of misses, by slot.
fn contents(db: &Path) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let mut record = Record::open(db);
    let misses = record.misses();
    let reasons = misses.into_iter().map(|(slot, missed)| (slot, missed.reason));
    (record.rows(), reasons.collect())
}
