//! The right of this process to write to an open database, and what it does when it loses the file.
//!
//! The file is looked for at its path, and its row looked for in it, before and after every
//! transaction. A file that was moved, deleted, replaced or overwritten is never written to again.
//! What it holds is saved where that can be done: the log is folded into a file that was moved; a
//! file without a name is copied, as long as it is open, to its path or to another place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::prelude::*;

use crate::clock::Clock;
use crate::store::connection::{self, checkpoint, checkpoint_now};
use crate::store::copy;
use crate::store::error::Fault;
use crate::store::lock::{WriterLock, folder_of, real, with_suffix};
use crate::store::loss::{Loss, LossKind};
use crate::store::mark::FileMark;
use crate::store::owner::{self, Claim, ForeignRow};
use crate::store::place::{ContentStamp, Displacement, FilePlace};
use crate::store::runs::{self, RunId};
use crate::store::writer::WriterProcess;
use celaje_sky::error::io_text;

/// Time after which a file that cannot be seen is looked for once more: some programs move a file
/// away and back.
const BLINK: Duration = Duration::from_millis(50);
/// Bytes of the log from which on it is folded into the file: SQLite's thousand pages.
const LONG_LOG: u64 = 4 << 20;
/// How long an overwritten file must stay unchanged until whoever writes into it is taken to have
/// ended.
const SETTLED: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 5 });

/// The right to write to an open database.
#[derive(Debug)]
pub(super) struct Ownership {
    lock: Arc<WriterLock>,
    place: FilePlace,
    mark: FileMark,
    /// Readings that the open runs of this process have stored.
    stored: BTreeMap<RunId, u64>,
    /// The same of the run that stored something last, which may have ended.
    newest: Option<(RunId, u64)>,
    /// Whether the last transaction waited for a lock in vain.
    is_impatient: bool,
    /// Bytes of the log after the last transaction.
    log_bytes: u64,
    lost: Option<Loss>,
    /// The tokens of the openings that this process lost before this one.
    before: Vec<String>,
    /// Whether SQLite must not close the connection: it would fold its log into what another
    /// program wrote into the file.
    is_cut_off: bool,
    /// What was written into the file, and since when it has been so.
    settling: Option<(Option<ContentStamp>, Instant)>,
}

/// The same, before the file is this process's.
pub(super) struct Candidacy {
    lock: Arc<WriterLock>,
    claim: Claim,
    before: Vec<String>,
}

impl Candidacy {
    /// Sees that nobody else writes to the file at `path`. This process lost the openings `before`.
    ///
    /// # Errors
    /// [`Fault::SecondWriter`] when somebody does.
    pub(super) fn begin(
        connection: &mut SqliteConnection,
        path: &Path,
        lock: Arc<WriterLock>,
        patience: Duration,
        before: Vec<String>,
    ) -> Result<Self, Fault> {
        let claim = Claim::stake(connection, path, &lock, patience, &before)?;
        Ok(Self { lock, claim, before })
    }

    /// Does `work`, the first that is written, in one transaction with the owner's row.
    ///
    /// # Errors
    /// When somebody else was quicker, the file is not at `path` any more, or `work` fails.
    pub(super) fn complete<T>(
        self,
        connection: &mut SqliteConnection,
        path: &Path,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault>,
    ) -> Result<(Ownership, T), Fault> {
        let Self { lock, claim, before } = self;
        let (token, done) = connection::transaction(connection, |connection| {
            let token = claim.write(connection)?;
            Ok((token, work(connection)?))
        })?;
        // The row says that the file is not whole, and has to be in the file itself.
        let is_folded = checkpoint_now(connection)?;
        owner::be_whole(connection)?;
        let place =
            FilePlace::of(path).map_err(|error| Fault::CannotOpen(io_text(&error).to_string()))?;
        if !place.is_of(lock.file()) {
            return Err(Fault::CannotOpen("it was replaced meanwhile".to_owned()));
        }
        lock.beat();
        let mark = FileMark::new(connection, token, is_folded);
        let ownership = Ownership {
            lock,
            place,
            mark,
            stored: BTreeMap::new(),
            newest: None,
            is_impatient: false,
            log_bytes: 0,
            lost: None,
            before,
            is_cut_off: false,
            settling: None,
        };
        Ok((ownership, done))
    }
}

impl Ownership {
    /// Does `work` in one transaction, as long as the file is in its place and this process's.
    ///
    /// # Errors
    /// [`Fault::Displaced`] when it is not, before or after; what `work` fails of.
    pub(super) fn transaction<T>(
        &mut self,
        connection: &mut SqliteConnection,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.check_log(connection);
        self.check(connection)?;
        let mut row = None;
        let done = self.mark.set(connection).and_then(|()| {
            connection::transaction(connection, |connection| {
                row = owner::foreign(connection, self.mark.token())?;
                if row.is_some() {
                    return Err(Fault::Busy);
                }
                let done = work(connection)?;
                owner::be_whole(connection)?;
                Ok(done)
            })
        });
        self.check(connection)?;
        self.log_bytes = self.place.log_bytes();
        if row.is_some() {
            self.lose(connection, Displacement::Taken);
        }
        self.refuse_if_lost()?;
        self.keep_patience(connection, matches!(done, Err(Fault::Busy)))?;
        let done = done?;
        if self.log_bytes > LONG_LOG {
            // What is not folded now is so after a later transaction.
            self.mark.unset();
            checkpoint_now(connection)?;
        }
        Ok(done)
    }

    fn keep_patience(
        &mut self,
        connection: &mut SqliteConnection,
        was_busy: bool,
    ) -> Result<(), Fault> {
        if was_busy != self.is_impatient {
            connection::wait_for_locks(connection, !was_busy)?;
            self.is_impatient = was_busy;
        }
        Ok(())
    }

    /// Counts what the transactions of a run have stored.
    pub(super) fn count(&mut self, run: RunId, new: u64) {
        self.stored.insert(run, new);
        self.newest = Some((run, new));
    }

    /// Counts a run no more, which has ended.
    pub(super) fn forget(&mut self, run: RunId) {
        self.stored.remove(&run);
    }

    /// # Errors
    /// [`Fault::Displaced`] when the file is not in its place any more.
    pub(super) fn check(&mut self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        self.refuse_if_lost()?;
        if let Some(displacement) = self.displacement(connection) {
            self.lose(connection, displacement);
        }
        self.refuse_if_lost()
    }

    /// Finds a log that another program has cut: it is shorter than after the last transaction,
    /// and the file itself says that it needs it. SQLite shortens a log only once all of it is in
    /// the file. A later checkpoint would fold garbage into the file.
    fn check_log(&mut self, connection: &mut SqliteConnection) {
        if self.lost.is_some() || self.place.log_bytes() >= self.log_bytes {
            return;
        }
        let is_needed = |row: &WriterProcess| row.token == self.mark.token() && !row.is_whole;
        if owner::read_beside(self.place.path())
            .is_ok_and(|row| row.as_ref().is_some_and(is_needed))
            && self.place.look().is_none()
        {
            self.lose(connection, Displacement::LogCut);
        }
    }

    fn refuse_if_lost(&self) -> Result<(), Fault> {
        self.lost.clone().map_or(Ok(()), |loss| Err(Fault::Displaced(Box::new(loss))))
    }

    fn lose(&mut self, connection: &mut SqliteConnection, displacement: Displacement) {
        let (kind, at) = self.save(connection, displacement);
        let stored = self.stored.values().sum();
        self.lost = Some(Loss { kind, at, stored });
    }

    /// Whether the file was lost, or would be found so now.
    pub(super) fn is_lost(&mut self, connection: &mut SqliteConnection) -> bool {
        self.lost.is_some() || self.displacement(connection).is_some()
    }

    /// What became of the file and its contents; nothing as long as both are this process's.
    fn displacement(&mut self, connection: &mut SqliteConnection) -> Option<Displacement> {
        let found = look_again(|| self.place.look());
        found.or_else(|| {
            let found = self.mark.look(connection, self.place.path());
            // It may have gone while it was looked into.
            found.and(self.place.look()).or(found)
        })
    }

    /// Saves what was stored where that can be done; says what became of the file, and where that
    /// is.
    fn save(
        &mut self,
        connection: &mut SqliteConnection,
        displacement: Displacement,
    ) -> (LossKind, Option<PathBuf>) {
        let path = self.place.path().to_owned();
        match displacement {
            Displacement::Taken => {
                let row = owner::foreign(connection, self.mark.token()).ok().flatten();
                let kind = match row {
                    Some(ForeignRow::Missing) => LossKind::Overwritten,
                    Some(ForeignRow::Another) | None => LossKind::Taken,
                };
                return (kind, self.has_its_rows(connection).then_some(path));
            }
            Displacement::Overwritten | Displacement::LogCut => {
                // Whoever opens the file would read the log as that of what is there now.
                self.place.remove_log();
                self.is_cut_off = true;
                let kind = match displacement {
                    Displacement::LogCut => LossKind::LogCut,
                    _ => LossKind::Overwritten,
                };
                return (kind, None);
            }
            Displacement::Gone | Displacement::Replaced | Displacement::LogGone => {}
        }
        self.mark.unset();
        let folded = checkpoint(connection).is_ok();
        match displacement {
            Displacement::LogGone => return (LossKind::LogDeleted, folded.then_some(path)),
            // Before anybody opens the other file with it.
            Displacement::Replaced if self.place.leaves_its_log() => self.place.remove_log(),
            _ => {}
        }
        let has_a_name = self.has_a_name();
        let at = match has_a_name {
            true => self.name_now().filter(|_| folded),
            false => self.rescue(connection),
        };
        match (displacement, has_a_name) {
            (Displacement::Replaced, _) => (LossKind::Replaced, at),
            (_, true) => (LossKind::Moved, at),
            (_, false) => (LossKind::Deleted, at),
        }
    }

    /// Whether the file, as SQLite shows it, has what this process stored last and in its open
    /// runs; false where it has stored nothing.
    fn has_its_rows(&self, connection: &mut SqliteConnection) -> bool {
        let mut has =
            |run, stored| runs::new_rows_of(connection, run).is_ok_and(|found| found >= stored);
        self.newest.is_some_and(|(run, stored)| has(run, stored))
            && self.stored.iter().all(|(run, stored)| has(*run, *stored))
    }

    /// Copies what is open to the path of the file, to a free name beside it, or, where its folder
    /// is gone, to the folder above or that of temporary files.
    fn rescue(&self, connection: &mut SqliteConnection) -> Option<PathBuf> {
        let path = &real(self.place.path());
        let folder = folder_of(path);
        if folder.is_dir() {
            if std::fs::symlink_metadata(path).is_ok() {
                return self.copy_to(connection, free_name(path)?);
            }
            // They belong to the file that is no more, and would be taken for the copy's.
            for suffix in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(with_suffix(path, suffix));
            }
            return self.copy_to(connection, path.clone());
        }
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let above = folder.ancestors().find(|above| above.is_dir() && above.parent().is_some());
        let places = above.map(Path::to_owned).into_iter().chain([std::env::temp_dir()]);
        let mut names = places.filter_map(|place| free_name(&place.join(path.file_name()?)));
        names.find_map(|name| self.copy_to(connection, name))
    }

    fn copy_to(&self, connection: &mut SqliteConnection, to: PathBuf) -> Option<PathBuf> {
        let part = with_suffix(&to, &format!(".{}.part", std::process::id()));
        let copied = copy::copy((connection, self.place.path()), (&part, &to), false, |_| Ok(()));
        if let Err(why) = &copied {
            let to = to.display();
            tracing::error!(why, %to, "what was stored could not be copied");
        }
        copied.ok().map(|()| to)
    }

    /// Puts a copy of the file into its place, as a file of its own: the open one has lost its log,
    /// and no connection of this process to it can get another.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn replace_by_copy(&self, connection: &mut SqliteConnection) -> Result<(), String> {
        let path = &real(self.place.path());
        let part = with_suffix(path, &format!(".{}.part", std::process::id()));
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(with_suffix(path, suffix));
        }
        copy::copy((connection, path), (&part, path), true, |_| Ok(()))
    }

    /// Makes an overwritten file one that this process can open: a copy of it, byte for byte, takes
    /// its place. The connections of this process to the file itself have the log of what was in
    /// it, and any further one would share that. The file must have been unchanged for a while.
    ///
    /// # Errors
    /// [`Fault::Displaced`] as long as it changes; [`Fault::CannotOpen`] when it is not sound or
    /// cannot be copied.
    pub(super) fn begin_anew(&mut self) -> Result<(), Fault> {
        let path = &real(self.place.path());
        if !self.is_cut_off || self.place.is_left() {
            return Ok(());
        }
        let now = ContentStamp::of(path);
        match &self.settling {
            Some((before, since)) if *before == now => {
                if Clock::since(*since) < SETTLED {
                    return self.refuse_if_lost();
                }
            }
            _ => {
                self.settling = Some((now, Clock::instant()));
                return self.refuse_if_lost();
            }
        }
        let part = with_suffix(path, &format!(".{}.part", std::process::id()));
        copy::exchange(path, &part).map_err(|error| {
            let _ = std::fs::remove_file(&part);
            Fault::CannotOpen(error)
        })
    }

    /// Tries once more to save what was not saved, or not in its place, when the file was lost.
    pub(super) fn save_again(&mut self, connection: &mut SqliteConnection) {
        let path = &real(self.place.path());
        let is_missing = std::fs::symlink_metadata(path).is_err() && folder_of(path).is_dir();
        let is_deleted = |loss: &Loss| match loss.kind {
            LossKind::Deleted => loss.at.is_none() || is_missing,
            LossKind::Replaced => loss.at.is_none(),
            _ => false,
        };
        if self.lost.as_ref().is_some_and(is_deleted)
            && !self.has_a_name()
            && let Some(at) = self.rescue(connection)
            && let Some(loss) = &mut self.lost
        {
            loss.at = Some(at);
        }
    }

    /// Whether the file is back in its place, as it was.
    pub(super) fn is_back(&mut self, connection: &mut SqliteConnection) -> bool {
        let kind = self.lost.as_ref().map(|loss| loss.kind);
        let is_anothers =
            matches!(kind, Some(LossKind::Taken | LossKind::Overwritten | LossKind::LogCut));
        let is_back = !is_anothers && self.displacement(connection).is_none();
        if is_back {
            self.lost = None;
        }
        is_back
    }

    /// Whether its log alone is gone.
    pub(super) fn has_lost_its_log(&self) -> bool {
        !self.is_cut_off && self.place.look() == Some(Displacement::LogGone)
    }

    /// The lock, if it is on the file that is at the path now: a second one would be refused.
    pub(super) fn lock_there(&self) -> Option<Arc<WriterLock>> {
        self.lock.is_on(self.place.path()).then(|| Arc::clone(&self.lock))
    }

    /// The tokens of this opening and of those that were lost before it.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.before.iter().cloned().chain([self.mark.token().to_owned()]).collect()
    }

    /// Whether the log was folded into the file by a checkpoint of the caller: the file is marked
    /// anew before the next transaction.
    pub(super) fn was_folded(&mut self) {
        self.mark.unset();
    }

    /// Ends it; the caller then closes the connection, unless it must not be closed.
    pub(super) fn end(&mut self, connection: &mut SqliteConnection) {
        self.check_log(connection);
        if !self.is_lost(connection) {
            // Whoever opens the file next judges a row that stays.
            let _ = owner::release(connection, self.mark.token());
            // Where a reader has the file open, closing the connection does not fold the log.
            let _ = checkpoint_now(connection);
        }
    }

    /// Whether SQLite must not close the connection: see [`FilePlace::is_left`].
    pub(super) fn must_stay_open(&self) -> bool {
        self.is_cut_off || self.place.is_left()
    }

    #[cfg(unix)]
    fn has_a_name(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.lock.file().metadata().is_ok_and(|found| found.nlink() > 0)
    }

    #[cfg(not(unix))]
    fn has_a_name(&self) -> bool {
        true
    }

    /// Where the file was moved to, where the system tells.
    fn name_now(&self) -> Option<PathBuf> {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd;
            let name = format!("/proc/self/fd/{}", self.lock.file().as_raw_fd());
            let name = std::fs::read_link(name).ok()?;
            if self.place.is_moved_to(&name) {
                return Some(name);
            }
        }
        None
    }
}

/// The result of `look`, tried again a moment later if there was no file.
fn look_again(look: impl Fn() -> Option<Displacement>) -> Option<Displacement> {
    match look() {
        Some(Displacement::Gone) => {
            std::thread::sleep(BLINK);
            look()
        }
        found => found,
    }
}

/// `<database>.rescued.bak`, or `.rescued-2.bak` and so on, never over an older one.
fn free_name(path: &Path) -> Option<PathBuf> {
    let name = |n: u32| match n {
        1 => with_suffix(path, ".rescued.bak"),
        n => with_suffix(path, &format!(".rescued-{n}.bak")),
    };
    (1..1000).map(name).find(|name| !name.exists())
}

/// Gives the connection up without closing it: see [`FilePlace::is_left`].
pub(super) fn leave_open(connection: &mut SqliteConnection) {
    if let Ok(empty) = SqliteConnection::establish(":memory:") {
        std::mem::forget(std::mem::replace(connection, empty));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_file_that_is_moved_away_and_back_at_once_was_not_lost() {
        let looks = Cell::new(0);
        let look = |first, then| {
            looks.set(looks.get() + 1);
            if looks.get() == 1 { first } else { then }
        };
        let gone = Some(Displacement::Gone);
        assert_eq!(look_again(|| look(gone, None)), None);
        looks.set(0);
        assert_eq!(look_again(|| look(gone, gone)), gone);
    }
}
