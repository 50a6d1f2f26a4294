//! What the messages of the queue say.

use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::queue::QueueError;
use crate::version::VERSION;
use celaje_sky::outcome::Outcome;
use celaje_sky::slot::Slot;
use celaje_sky::station::{PicturePlace, Station, Trust};
use celaje_vision::model::source::Model;

/// Slots of a job at most.
pub const MOST_SLOTS: usize = 512;
/// Bytes of a name at most: of a worker, a run, a version, a hash.
const LONGEST_NAME: usize = 256;

/// A message of the queue.
pub trait QueueMessage: Serialize + DeserializeOwned {
    /// Its bytes at most, unpacked.
    const LARGEST: u64;

    /// Why it is none, though it can be read.
    fn fault(&self) -> Option<&'static str> {
        None
    }
}

/// What an outcome depends on beside its picture. Only who agrees in all of it works together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkMarks {
    /// The version of the program.
    pub version: String,
    /// The station's id.
    pub station: String,
    /// A hash of the station's settings and of the model's manifest.
    pub settings: String,
    /// SHA-256 of the model.
    pub model: String,
}

impl WorkMarks {
    /// Those of a `station` that is judged by `model`. What may differ between machines is left
    /// out: names for people, passwords, certificates, where a folder lies.
    pub fn of(station: &Station, model: &Model) -> Self {
        let mut plain = Station {
            name: String::new(),
            url_base: public(&station.url_base),
            trust: Trust::default(),
            safety: None,
            ..station.clone()
        };
        if let Some(source) = &mut plain.source {
            (source.alone, source.is_archive) = (None, false);
            source.place = match &source.place {
                PicturePlace::Folder(_) => PicturePlace::Folder(PathBuf::new()),
                PicturePlace::Address(address) => PicturePlace::Address(public(address)),
            };
        }
        let text = format!("{plain:?} {:?}", model.manifest);
        Self {
            version: VERSION.to_owned(),
            station: station.id.clone(),
            settings: short_hash(&text),
            model: model.sha256.clone(),
        }
    }
}

/// The first 16 digits of a text's SHA-256.
pub(super) fn short_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// An address without what may be secret.
fn public(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else { return String::new() };
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    url.set_query(None);
    if cleared.is_err() { String::new() } else { url.into() }
}

/// A hint that these slots may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotJob {
    /// Whose slots they are.
    pub marks: WorkMarks,
    /// The run that gave it out, by a random number.
    pub run: String,
    /// Slots of one day, ascending; [`MOST_SLOTS`] at most.
    pub slots: Vec<Slot>,
}

impl QueueMessage for SlotJob {
    const LARGEST: u64 = 256 << 10;

    fn fault(&self) -> Option<&'static str> {
        let days = || self.slots.iter().map(|slot| slot.local().date());
        if !(1..=MOST_SLOTS).contains(&self.slots.len()) {
            Some("no slots, or too many")
        } else if !self.slots.is_sorted_by(|a, b| a < b) || days().min() != days().max() {
            Some("slots that do not ascend, or not of one day")
        } else {
            (self.run.len() > LONGEST_NAME).then_some("a run without an end")
        }
    }
}

/// A worker's statements about slots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobOutcomes {
    /// What they depend on.
    pub marks: WorkMarks,
    /// Who makes them.
    pub worker: String,
    /// A row or a miss each.
    pub outcomes: Vec<Outcome>,
    /// Slots of the job that the worker did not come to, because it was told to end.
    pub left: Vec<Slot>,
}

impl QueueMessage for JobOutcomes {
    const LARGEST: u64 = 32 << 20;

    fn fault(&self) -> Option<&'static str> {
        if self.outcomes.len() > MOST_SLOTS || self.left.len() > MOST_SLOTS {
            return Some("too many slots");
        }
        (self.worker.len() > LONGEST_NAME).then_some("a worker without an end")
    }
}

/// What a worker asks a writer, or says to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerQuestion {
    /// What is worked at: answered with a [`WriterWelcome`].
    Welcome,
    /// A part of the model's file from this byte on; nothing at its end.
    Model(usize),
    /// The same of its manifest.
    Manifest(usize),
    /// That it is there; not answered.
    Here(WorkerNote),
}

impl QueueMessage for WorkerQuestion {
    const LARGEST: u64 = 4 << 10;

    fn fault(&self) -> Option<&'static str> {
        let Self::Here(note) = self else { return None };
        let is_named = |text: &str| (1..=LONGEST_NAME).contains(&text.len());
        (!is_named(&note.name) || !is_named(&note.version)).then_some("a worker without a name")
    }
}

/// What a worker says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerNote {
    /// Its name.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// Jobs that it has in hand.
    pub jobs: u64,
    /// Slots of which it has said something since it was started.
    pub slots: u64,
}

/// What a writer works at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterWelcome {
    /// What outcomes depend on.
    pub marks: WorkMarks,
    /// The run, by a random number: each has a list of its folder of its own.
    pub run: String,
    /// The folder of the pictures, on the writer's machine; none for a camera.
    pub folder: Option<PathBuf>,
}

impl WriterWelcome {
    /// What no other run is called.
    pub fn new_run() -> String {
        format!("{:016x}", rand::random::<u64>())
    }
}

impl QueueMessage for WriterWelcome {
    const LARGEST: u64 = 64 << 10;

    fn fault(&self) -> Option<&'static str> {
        (self.run.len() > LONGEST_NAME).then_some("a run without an end")
    }
}

/// Packs a message.
///
/// # Errors
/// Only when memory fails.
pub fn pack(message: &impl QueueMessage) -> Result<Bytes, QueueError> {
    let text = serde_json::to_vec(message)?;
    let mut packed = Vec::new();
    ZlibEncoder::new(text.as_slice(), Compression::fast()).read_to_end(&mut packed)?;
    Ok(packed.into())
}

/// Unpacks a message.
///
/// # Errors
/// When it is none, larger than any, or has a fault.
pub fn unpack<T: QueueMessage>(packed: &[u8]) -> Result<T, QueueError> {
    let mut text = Vec::new();
    ZlibDecoder::new(packed).take(T::LARGEST).read_to_end(&mut text)?;
    let message: T = serde_json::from_slice(&text)?;
    message.fault().map_or(Ok(message), |fault| Err(fault.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::cover::Cover;
    use celaje_sky::okta::{Okta, OktaRange};
    use celaje_sky::outcome::{Miss, MissReason, Observation};
    use celaje_sky::quality::{Flag, Quality};
    use celaje_sky::station::zone::SkyParts;
    use celaje_sky::sun::DayPhase;
    use proptest::prelude::*;

    fn slot() -> Slot {
        let station = Station::rio_grande();
        let day = chrono::NaiveDate::from_ymd_opt(2024, 3, 1).unwrap();
        Slot::at(day.and_hms_opt(12, 2, 0).unwrap(), station.zone).unwrap()
    }

    proptest! {
        #[test]
        fn outcomes_come_out_as_they_went_in(
            fraction: f64, confidence in 0.0..1.0f64, elevation in -90.0..90.0f64,
            code in 0..=9u8, low in 0..=8u8, more in 0..=8u8, detail: String,
        ) {
            let okta = |n: u8| Okta::new(n.min(8)).unwrap();
            let mut quality = Quality::default();
            quality.add(Flag::Night);
            quality.add(Flag::LowConfidence);
            let zones = [("south".to_owned(), Some(fraction)), ("north".to_owned(), None)];
            let observed = Outcome::Observed(Box::new(Observation {
                slot: slot(),
                url: detail.clone(),
                cover: Cover::from_code(code).unwrap(),
                cloud_fraction: Some(fraction).filter(|n| n.is_finite()),
                parts: SkyParts { zenith: Some(confidence), zones: zones.into() },
                confidence: Some(confidence),
                range: OktaRange::new(okta(low), okta(low + more)),
                quality,
                model: "m 1".to_owned(),
                model_sha256: "ab".to_owned(),
                taken_at: Some(slot().utc()),
                solar_elevation: elevation,
                day_phase: DayPhase::Twilight,
                width: 480,
                height: 450,
                image_sha256: "cd".to_owned(),
            }));
            let missed = MissReason::ALL.map(|reason| Outcome::Missed(Miss {
                slot: slot(),
                reason,
                http_status: Some(503),
                attempts: 3,
                detail: detail.clone(),
                unasked: Some(celaje_sky::layout::Layout::Year),
            }));
            let marks = WorkMarks::of(&Station::rio_grande(), &Model::bundled().unwrap());
            let told = JobOutcomes {
                marks,
                worker: "w".to_owned(),
                outcomes: [vec![observed], missed.into()].concat(),
                left: vec![slot()],
            };
            let told_again: JobOutcomes = unpack(&pack(&told).unwrap()).unwrap();
            prop_assert_eq!(told_again, told);
        }

        #[test]
        fn whatever_comes_in_nothing_panics(bytes: Vec<u8>) {
            prop_assert!(unpack::<JobOutcomes>(&bytes).is_err());
        }
    }

    fn job(slots: Vec<Slot>) -> SlotJob {
        let marks = WorkMarks::of(&Station::rio_grande(), &Model::bundled().unwrap());
        SlotJob { marks, run: "r".to_owned(), slots }
    }

    #[test]
    fn a_job_that_is_empty_or_huge_is_none() {
        let zone = Station::rio_grande().zone;
        let slots = |n: i64, apart: i64| -> Vec<Slot> {
            let day = chrono::NaiveDate::from_ymd_opt(2024, 3, 1).unwrap();
            let at = |i| day.and_hms_opt(0, 0, 0).unwrap() + chrono::TimeDelta::seconds(apart * i);
            (0..n).map(|i| Slot::at(at(i), zone).unwrap()).collect()
        };
        let read = |slots| unpack::<SlotJob>(&pack(&job(slots)).unwrap());
        assert_eq!(read(slots(512, 15)).unwrap().slots.len(), 512);
        for bad in [Vec::new(), slots(513, 15), slots(2, 86_400), slots(2, 0), slots(2, -60)] {
            assert!(read(bad).is_err());
        }
        let long = SlotJob { run: "r".repeat(1 << 20), ..job(slots(1, 0)) };
        assert!(unpack::<SlotJob>(&pack(&long).unwrap()).is_err());
    }

    #[test]
    fn more_outcomes_than_a_job_has_slots_are_refused() {
        let told = |left, worker: &str| {
            let (marks, worker) = (job(Vec::new()).marks, worker.to_owned());
            let told = JobOutcomes { marks, worker, outcomes: Vec::new(), left };
            unpack::<JobOutcomes>(&pack(&told).unwrap())
        };
        assert!(told(vec![slot(); 512], "w").is_ok());
        assert!(told(vec![slot(); 513], "w").is_err());
        assert!(told(Vec::new(), &"w".repeat(1000)).is_err());
    }

    #[test]
    fn a_worker_that_has_no_name_or_too_long_a_one_is_not_heard() {
        let said = |name: &str, version: &str| {
            let (name, version) = (name.to_owned(), version.to_owned());
            let note = WorkerNote { name, version, jobs: 1, slots: 2 };
            unpack::<WorkerQuestion>(&pack(&WorkerQuestion::Here(note)).unwrap())
        };
        assert!(said("w", "1").is_ok());
        for (name, version) in [("", "1"), ("w", ""), (&*"w".repeat(257), "1")] {
            assert!(said(name, version).is_err());
        }
    }

    #[test]
    fn marks_leave_out_what_differs_between_machines_and_nothing_else() {
        let (station, model) = (Station::rio_grande(), Model::bundled().unwrap());
        let marks = |change: &dyn Fn(&mut Station)| {
            let mut changed = station.clone();
            change(&mut changed);
            WorkMarks::of(&changed, &model).settings
        };
        let plain = marks(&|_| {});
        assert_eq!(plain, marks(&|station| station.name = "another".to_owned()));
        assert_eq!(plain, marks(&|station| station.trust.anything = true));
        let login = |base: &str| base.replace("://", "://ana:secret@");
        assert_eq!(plain, marks(&|station| station.url_base = login(&station.url_base)));
        assert_ne!(plain, marks(&|station| station.latitude += 0.1));
        assert_ne!(plain, marks(&|station| station.url_base = "http://other/".to_owned()));
    }
}
