//! Copies of pictures, in a folder by station and day, for as long and as many as the settings say.
//!
//! A copy is `<folder>/<station>/<YYYY-MM-DD>/<HHMM>.jpg` (or `.png`; with the seconds where the
//! slot lies within a minute), by the station's clock. It is written under another name and
//! renamed, so a copy is there whole or not at all. The newest copy of a station always stays.
//! Files of other names are somebody else's: they are neither counted nor removed.

use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};

use crate::camera::http::is_whole_picture;
use celaje_sky::slot::{Slot, Zone};
use celaje_vision::picture::decode::Limits;
use celaje_vision::picture::smaller::smaller;

/// Width of a small copy, in pixels.
const SMALL: u32 = 640;
/// How many copies are written before the old ones are looked through.
const PRUNED_EVERY: u32 = 16;
/// What the names of unfinished copies end in.
const UNFINISHED: &str = ".tmp";

/// How large a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum KeptSize {
    /// 640 pixels wide at most.
    #[default]
    #[serde(rename = "640")]
    Small,
    /// As it came.
    #[serde(rename = "original")]
    Original,
}

impl KeptSize {
    /// Each value with the name under which it is written.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("640", Self::Small), ("original", Self::Original)];
}

/// Which copies are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepPolicy {
    /// The folder of all stations.
    pub folder: PathBuf,
    /// For how long; zero for the newest one of each station alone.
    pub keep: TimeDelta,
    /// Bytes of a station at most.
    pub most: u64,
    /// How large they are.
    pub size: KeptSize,
}

/// Files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptTotals {
    /// Copies.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl KeepPolicy {
    fn folder_of(&self, station: &str) -> PathBuf {
        // An id may be "..", which is no name of a folder.
        let name = station.trim_start_matches('.');
        let name = if name == station { station.to_owned() } else { format!("_{name}") };
        self.folder.join(name)
    }

    /// The copy of a slot; none where there is none, or none that is whole.
    pub fn read(&self, station: &str, slot: Slot) -> Option<Bytes> {
        let folder = self.folder_of(station);
        ["jpg", "png"].iter().find_map(|extension| {
            let bytes = std::fs::read(folder.join(name_of(slot.local(), extension))).ok()?;
            is_whole_picture(&bytes).then(|| Bytes::from(bytes))
        })
    }

    /// Whether there is a copy of a slot.
    pub fn has(&self, station: &str, slot: Slot) -> bool {
        let folder = self.folder_of(station);
        ["jpg", "png"].iter().any(|ending| folder.join(name_of(slot.local(), ending)).is_file())
    }

    /// The copies of all stations.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn totals(&self) -> Result<KeptTotals> {
        let mut totals = KeptTotals::default();
        for station in folders(&self.folder)? {
            for copy in copies(&station, Unfinished::Left)? {
                totals.files += 1;
                totals.bytes += copy.bytes;
            }
        }
        Ok(totals)
    }
}

/// What becomes of what an end of the program left unfinished. Only who writes may remove it: it
/// may be what another thread writes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfinished {
    Left,
    Removed,
}

/// A copy on disk.
#[derive(Debug)]
struct Copy {
    path: PathBuf,
    /// Day and time, as text: sorts as the slots do.
    slot: String,
    bytes: u64,
}

/// The copies of one station.
#[derive(Debug)]
pub struct KeptPictures {
    policy: KeepPolicy,
    folder: PathBuf,
    zone: Zone,
    limits: Limits,
    /// Bytes of all copies, and how many were written since the old ones were looked through; none
    /// before the first look.
    state: Mutex<Option<(u64, u32)>>,
    is_failing: AtomicBool,
}

impl KeptPictures {
    /// The copies of `station` by the clock of `zone`; a picture is decoded within `limits`.
    pub fn new(policy: KeepPolicy, station: &str, zone: Zone, limits: Limits) -> Self {
        let folder = policy.folder_of(station);
        let state = Mutex::default();
        Self { policy, folder, zone, limits, state, is_failing: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, Option<(u64, u32)>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a copy of a slot's picture, where it is young enough at `now`. A failure is logged:
    /// the record does not need the copy.
    pub fn keep(&self, slot: Slot, picture: &Bytes, now: DateTime<Utc>) {
        match self.try_keep(slot, picture, now) {
            Ok(()) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::warn!(folder = %self.folder.display(), "pictures are kept again");
                }
            }
            Err(error) => {
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    let folder = self.folder.display();
                    tracing::warn!(%folder, %error, "a picture could not be kept");
                }
            }
        }
    }

    fn try_keep(&self, slot: Slot, picture: &Bytes, now: DateTime<Utc>) -> Result<()> {
        // One copy at a time: the sums are of what is there.
        let mut state = self.state();
        let oldest = self.zone.local(now) - self.policy.keep;
        if slot.local() < oldest && !self.is_newest(slot)? {
            return Ok(());
        }
        let small = match self.policy.size {
            KeptSize::Original => None,
            KeptSize::Small => smaller(picture, SMALL, &self.limits).map_err(Error::other)?,
        };
        let bytes = small.as_deref().unwrap_or(picture);
        let extension = if bytes.starts_with(b"\x89PNG") { "png" } else { "jpg" };
        let path = self.folder.join(name_of(slot.local(), extension));
        let before = std::fs::metadata(&path).map_or(0, |known| known.len());
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        write_whole(&path, bytes)?;
        let (sum, written) = match *state {
            Some((sum, written)) => (sum + bytes.len() as u64 - before.min(sum), written + 1),
            None => (0, PRUNED_EVERY),
        };
        *state = Some((sum, written));
        if written >= PRUNED_EVERY || sum > self.policy.most || self.policy.keep.is_zero() {
            *state = Some((self.prune(oldest)?, 0));
        }
        Ok(())
    }

    fn is_newest(&self, slot: Slot) -> Result<bool> {
        let name = key_of(slot.local());
        Ok(copies(&self.folder, Unfinished::Removed)?
            .last()
            .is_none_or(|newest| newest.slot <= name))
    }

    /// Removes what is older than `oldest`, then the oldest until the rest has no more bytes than
    /// are allowed; gives the bytes of what stays. The newest one stays.
    fn prune(&self, oldest: NaiveDateTime) -> Result<u64> {
        let copies = copies(&self.folder, Unfinished::Removed)?;
        let mut sum: u64 = copies.iter().map(|copy| copy.bytes).sum();
        let oldest = key_of(oldest);
        let old = copies.split_last().map_or(&[][..], |(_, old)| old);
        for copy in old {
            if copy.slot >= oldest && sum <= self.policy.most {
                break;
            }
            match std::fs::remove_file(&copy.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => sum -= copy.bytes,
            }
            if let Some(day) = copy.path.parent() {
                // Fails as long as there is a copy in it.
                let _ = std::fs::remove_dir(day);
            }
        }
        Ok(sum)
    }
}

/// The name of a copy below the station's folder.
fn name_of(local: NaiveDateTime, extension: &str) -> PathBuf {
    PathBuf::from(format!("{}.{extension}", key_of(local)))
}

fn key_of(local: NaiveDateTime) -> String {
    let form = if local.second() == 0 { "%Y-%m-%d/%H%M" } else { "%Y-%m-%d/%H%M%S" };
    local.format(form).to_string()
}

/// The time in the name of a copy; none where it is no such name.
fn time_of(name: &str) -> Option<&str> {
    let time = name.strip_suffix(".jpg").or_else(|| name.strip_suffix(".png"))?;
    let form = match time.len() {
        4 => "%H%M",
        6 => "%H%M%S",
        _ => return None,
    };
    NaiveTime::parse_from_str(time, form).is_ok().then_some(time)
}

/// Writes the file whole or not at all. The name of what is unfinished is always the same: what a
/// killed program left is written over.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::other("no name of a file"));
    };
    let unfinished = folder.join(format!(".{}{UNFINISHED}", name.to_string_lossy()));
    let written =
        std::fs::write(&unfinished, bytes).and_then(|()| std::fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

/// The folders in `folder`, in the order of their names; none when it is not there.
fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
        Ok(entries) => {
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    found.push(entry.path());
                }
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The copies in a station's folder, the oldest first.
fn copies(station: &Path, unfinished: Unfinished) -> Result<Vec<Copy>> {
    let mut found = Vec::new();
    for day in folders(station)? {
        let date = day.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if NaiveDate::parse_from_str(&date, "%Y-%m-%d").is_err() || date.len() != 10 {
            continue;
        }
        for entry in std::fs::read_dir(&day)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let whole = name.strip_prefix('.').and_then(|name| name.strip_suffix(UNFINISHED));
            if let Some(whole) = whole {
                if unfinished == Unfinished::Removed && time_of(whole).is_some() {
                    let _ = std::fs::remove_file(entry.path());
                }
                continue;
            }
            let Some(time) = time_of(&name) else { continue };
            let slot = format!("{date}/{time}");
            // One that is removed meanwhile has no size.
            let Ok(known) = entry.metadata() else { continue };
            if known.is_file() {
                found.push(Copy { path: entry.path(), slot, bytes: known.len() });
            }
        }
    }
    found.sort_unstable_by(|a, b| a.slot.cmp(&b.slot));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(folder: &Path, keep: TimeDelta, most: u64) -> KeptPictures {
        let size = KeptSize::Original;
        let policy = KeepPolicy { folder: folder.to_owned(), keep, most, size };
        KeptPictures::new(policy, "roof", "-03:00".parse().unwrap(), Limits::default())
    }

    fn slot(n: i64) -> Slot {
        let start = NaiveDate::from_ymd_opt(2024, 3, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
        Slot::at(start + TimeDelta::minutes(10 * n), "-03:00".parse().unwrap()).unwrap()
    }

    fn picture(n: usize) -> Bytes {
        Bytes::from([b"\xff\xd8\xff", &vec![b'x'; n][..], b"\xff\xd9"].concat())
    }

    #[test]
    fn a_week_is_pruned_to_its_days_and_to_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let three_days = kept(folder.path(), TimeDelta::days(3), u64::MAX);
        for n in 0..7 * 144 {
            three_days.keep(slot(n), &picture(95), slot(n).utc());
        }
        let policy = &three_days.policy;
        let totals = policy.totals().unwrap();
        assert!((432..=449).contains(&totals.files), "{totals:?}");
        assert_eq!(totals.bytes, 100 * totals.files);
        assert_eq!(policy.read("roof", slot(1007)), Some(picture(95)));
        assert_eq!(policy.read("roof", slot(500)), None);
        assert_eq!(policy.read("other", slot(1007)), None);

        // Another start, with a limit of bytes.
        let few = kept(folder.path(), TimeDelta::days(3), 5_000);
        for n in 1008..1020 {
            few.keep(slot(n), &picture(95), slot(n).utc());
            assert!(few.policy.totals().unwrap().bytes <= 5_000);
        }
        assert_eq!(few.policy.totals().unwrap(), KeptTotals { files: 50, bytes: 5_000 });
        assert_eq!(folders(&few.folder).unwrap().len(), 2, "empty days are removed");
    }

    #[test]
    fn without_a_time_the_newest_one_stays_and_an_older_one_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let last = kept(folder.path(), TimeDelta::zero(), 1);
        for n in [3, 5, 4, 1] {
            last.keep(slot(n), &picture(9), slot(144).utc());
        }
        assert_eq!(last.policy.totals().unwrap().files, 1);
        assert_eq!(last.policy.read("roof", slot(5)), Some(picture(9)));
    }

    #[test]
    fn what_was_left_unfinished_is_no_copy_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let kept = kept(folder.path(), TimeDelta::days(1), u64::MAX);
        let day = folder.path().join("roof/2024-03-01");
        std::fs::create_dir_all(&day).unwrap();
        std::fs::write(day.join(".0010.jpg.tmp"), "half").unwrap();
        std::fs::write(day.join("0020.jpg"), b"\xff\xd8\xff half").unwrap();
        assert_eq!(kept.policy.read("roof", slot(1)), None);
        assert_eq!(kept.policy.read("roof", slot(2)), None, "a power cut may leave half of it");
        let one = KeptTotals { files: 1, bytes: 8 };
        assert_eq!(kept.policy.totals().unwrap(), one);
        assert!(day.join(".0010.jpg.tmp").exists(), "it may be written at this moment");
        kept.keep(slot(3), &picture(9), slot(3).utc());
        assert!(!day.join(".0010.jpg.tmp").exists());
        assert_eq!(kept.policy.read("roof", slot(3)), Some(picture(9)));
    }

    /// The camera's own archive, or whatever a person puts there.
    #[test]
    fn files_that_are_no_copies_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let station = folder.path().join("roof");
        let theirs = [
            "2020-01-01/holiday.jpg",
            "2020-01-01/TYPE_2020-01-01-10-05-00.jpg",
            "2020-01-01/2410.jpg",
            "2020-01-01/1010.txt",
            "2020-01-01/.note.tmp",
            "2020-13-01/1010.jpg",
            "archive/1010.jpg",
        ];
        for name in theirs.iter().chain(&["2020-01-01/1010.jpg", "2020-01-02/1010.jpg"]) {
            let path = station.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, picture(95)).unwrap();
        }
        let kept = kept(folder.path(), TimeDelta::days(1), 100);
        kept.keep(slot(3), &picture(95), slot(3).utc());
        assert!(theirs.iter().all(|name| station.join(name).exists()));
        assert!(!station.join("2020-01-01/1010.jpg").exists());
        assert!(!station.join("2020-01-02").exists());
        assert_eq!(kept.policy.totals().unwrap(), KeptTotals { files: 1, bytes: 100 });
    }

    #[test]
    fn a_station_has_no_folder_outside() {
        let kept = kept(Path::new("/pictures"), TimeDelta::zero(), 0);
        assert_eq!(kept.policy.folder_of(".."), Path::new("/pictures/_"));
        assert_eq!(kept.policy.folder_of("..a"), Path::new("/pictures/_a"));
        assert_eq!(kept.policy.folder_of("a..b"), Path::new("/pictures/a..b"));
    }
}
