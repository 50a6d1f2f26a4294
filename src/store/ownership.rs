//! What makes an open database this process's to write, and what is done when it is so no more.
//!
//! The file is looked for at its path before and after every transaction. One that was moved,
//! deleted or replaced is never written to again, and what it holds is saved: the log is folded
//! into it where it now is; of a file that has no name any more, what is still open is copied to
//! its path, or beside the file that is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use crate::store::connection::{self, checkpoint, checkpoint_now};
use crate::store::copy;
use crate::store::error::Fault;
use crate::store::lock::{WriterLock, folder_of, with_suffix};
use crate::store::owner::{self, Claim};
use crate::store::place::{Displacement, FilePlace};
use celaje_sky::say;
use celaje_sky::text::Text;

/// How a database was lost to the process that writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What became of it.
    pub kind: LossKind,
    /// Where all that was stored is now; none where that cannot be told.
    pub at: Option<PathBuf>,
    /// Readings that the open runs of this process had stored.
    pub stored: u64,
}

/// What became of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// It was moved.
    Moved,
    /// It was deleted.
    Deleted,
    /// Another file is in its place.
    Replaced,
    /// Its log was deleted.
    LogDeleted,
    /// Another process took it for abandoned, or it was overwritten by a copy.
    Taken,
}

impl Loss {
    /// What became of the database `path`, where what was stored is, and what to do.
    pub(super) fn text(&self, path: &Path) -> Text {
        let db = path.display();
        let Text { en: what, es: que } = match self.kind {
            LossKind::Moved => say!("was moved", "fue movida"),
            LossKind::Deleted => say!("was deleted", "fue borrada"),
            LossKind::Replaced => say!("was replaced", "fue reemplazada"),
            LossKind::LogDeleted => say!("lost its file '-wal'", "perdió su archivo '-wal'"),
            LossKind::Taken => say!(
                "was taken or overwritten by another program",
                "fue tomada o sobrescrita por otro programa"
            ),
        };
        let n = self.stored;
        let Text { en: place, es: lugar } = match &self.at {
            None => say!("could not be saved", "no se pudieron salvar"),
            Some(at) if at == path => say!("are in its place again", "están de nuevo en su lugar"),
            Some(at) => {
                let at = at.display();
                say!("are in '{at}'", "están en '{at}'")
            }
        };
        say!(
            "the database '{db}' {what} while this program was writing to it; the {n} readings \
             that it had stored, and all before them, {place}; see to it and run the same command \
             again",
            "la base de datos '{db}' {que} mientras este programa la escribía; las {n} lecturas \
             que había guardado, y todas las anteriores, {lugar}; resuélvalo y repita la orden"
        )
    }
}

/// The right to write to an open database.
#[derive(Debug)]
pub(super) struct Ownership {
    lock: WriterLock,
    place: FilePlace,
    token: String,
    lost: Option<Loss>,
}

/// The same, before the file is this process's.
pub(super) struct Candidacy {
    lock: WriterLock,
    claim: Claim,
}

impl Candidacy {
    /// Sees that nobody else writes to the file at `path`.
    ///
    /// # Errors
    /// [`Fault::SecondWriter`] when somebody does.
    pub(super) fn begin(
        connection: &mut SqliteConnection,
        path: &Path,
        lock: WriterLock,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let claim = Claim::stake(connection, path, &lock, patience)?;
        Ok(Self { lock, claim })
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
        let Self { mut lock, claim } = self;
        let (token, done) = connection::transaction(connection, |connection| {
            let token = claim.write(connection)?;
            Ok((token, work(connection)?))
        })?;
        // Into the file itself, for those who do not see the log.
        checkpoint_now(connection)?;
        let place = FilePlace::of(path).map_err(|error| Fault::CannotOpen(error.to_string()))?;
        if !place.is_of(lock.file()) {
            return Err(Fault::CannotOpen("it was replaced meanwhile".to_owned()));
        }
        lock.beat();
        Ok((Ownership { lock, place, token, lost: None }, done))
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
        self.check(connection)?;
        let mut taken = false;
        let done = connection::transaction(connection, |connection| {
            if let Some(other) = owner::other(connection, &self.token)? {
                taken = true;
                return Err(Fault::SecondWriter(Some(Box::new(other))));
            }
            work(connection)
        });
        self.check(connection)?;
        if taken {
            let stored = stored(connection).unwrap_or(0);
            self.lose(LossKind::Taken, Some(self.place.path().to_owned()), stored);
        }
        self.refuse_if_lost()?;
        done
    }

    /// # Errors
    /// [`Fault::Displaced`] when the file is not in its place any more.
    pub(super) fn check(&mut self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        self.refuse_if_lost()?;
        let Some(displacement) = self.place.look() else {
            return Ok(());
        };
        let stored = stored(connection).unwrap_or(0);
        let (kind, at) = self.save(connection, displacement);
        self.lose(kind, at, stored);
        self.refuse_if_lost()
    }

    fn refuse_if_lost(&self) -> Result<(), Fault> {
        self.lost.clone().map_or(Ok(()), |loss| Err(Fault::Displaced(Box::new(loss))))
    }

    fn lose(&mut self, kind: LossKind, at: Option<PathBuf>, stored: u64) {
        self.lost = Some(Loss { kind, at, stored });
    }

    /// Whether the file was lost, or would be found so now.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some() || self.place.look().is_some()
    }

    /// Makes what was stored safe; says what became of the file, and where that is.
    fn save(
        &self,
        connection: &mut SqliteConnection,
        displacement: Displacement,
    ) -> (LossKind, Option<PathBuf>) {
        let path = self.place.path();
        if self.is_emptied() {
            return (LossKind::Replaced, self.rescue(connection));
        }
        let folded = checkpoint(connection).is_ok();
        match displacement {
            Displacement::LogGone => {
                return (LossKind::LogDeleted, folded.then(|| path.to_owned()));
            }
            // Before anybody opens the other file with it.
            Displacement::Replaced => self.place.drop_log(),
            Displacement::Gone => {}
        }
        let kind = match displacement {
            _ if self.has_a_name() => LossKind::Moved,
            Displacement::Gone => LossKind::Deleted,
            Displacement::Replaced | Displacement::LogGone => LossKind::Replaced,
        };
        let at = match kind {
            LossKind::Moved => self.name_now().filter(|_| folded),
            _ => self.rescue(connection),
        };
        match (kind, displacement) {
            (LossKind::Moved, Displacement::Replaced) => (LossKind::Replaced, at),
            _ => (kind, at),
        }
    }

    /// Copies what is open to the path of the file, or to a free name beside it.
    fn rescue(&self, connection: &mut SqliteConnection) -> Option<PathBuf> {
        let path = self.place.path();
        if !folder_of(path).is_dir() {
            return None;
        }
        let to = match std::fs::symlink_metadata(path) {
            Err(_) => {
                // They belong to the file that is no more, and would be taken for the copy's.
                for suffix in ["-wal", "-shm"] {
                    let _ = std::fs::remove_file(with_suffix(path, suffix));
                }
                path.to_owned()
            }
            Ok(_) => free_name(path)?,
        };
        let part = with_suffix(path, &format!(".{}.part", std::process::id()));
        let copied = copy::copy((connection, path), (&part, &to), false, |_| Ok(()));
        if let Err(why) = &copied {
            tracing::error!(why, "what was stored could not be copied");
        }
        copied.ok().map(|()| to)
    }

    /// Puts a copy of the file into its place, as a file of its own: the open one has lost its log,
    /// and no connection of this process to it can get another.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn replace_by_copy(&self, connection: &mut SqliteConnection) -> Result<(), String> {
        let path = self.place.path();
        let part = with_suffix(path, &format!(".{}.part", std::process::id()));
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(with_suffix(path, suffix));
        }
        copy::copy((connection, path), (&part, path), true, |_| Ok(()))
    }

    /// Tries once more to save what could not be saved when the file was lost.
    pub(super) fn save_again(&mut self, connection: &mut SqliteConnection) {
        if let Some(loss) = &self.lost
            && loss.at.is_none()
            && !self.has_a_name()
        {
            let (kind, stored, at) = (loss.kind, loss.stored, self.rescue(connection));
            self.lose(kind, at, stored);
        }
    }

    /// Whether the file is back in its place, as it was.
    pub(super) fn is_back(&mut self) -> bool {
        let is_taken = self.lost.as_ref().is_some_and(|loss| loss.kind == LossKind::Taken);
        let is_back = self.place.look().is_none() && !is_taken;
        if is_back {
            self.lost = None;
        }
        is_back
    }

    /// Whether its log alone is gone.
    pub(super) fn has_lost_its_log(&self) -> bool {
        self.place.look() == Some(Displacement::LogGone)
    }

    /// Ends it; the caller then closes the connection, unless it must not be closed.
    pub(super) fn end(&self, connection: &mut SqliteConnection) {
        if self.lost.is_none() && self.place.look().is_none() {
            // Whoever comes next judges a row that stays.
            let _ = owner::release(connection, &self.token);
        }
    }

    pub(super) const fn place(&self) -> &FilePlace {
        &self.place
    }

    fn is_emptied(&self) -> bool {
        self.lock.file().metadata().is_ok_and(|found| found.len() == 0)
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

/// Readings that the open runs have stored.
fn stored(connection: &mut SqliteConnection) -> QueryResult<u64> {
    let new: Option<i64> =
        sql::<Nullable<BigInt>>("SELECT sum(new) FROM runs WHERE status = 'running'")
            .get_result(connection)?;
    Ok(new.and_then(|new| u64::try_from(new).ok()).unwrap_or(0))
}

/// `<database>.rescued.bak`, or `.rescued-2.bak` and so on, never over an older one.
fn free_name(path: &Path) -> Option<PathBuf> {
    let name = |n: u32| match n {
        1 => with_suffix(path, ".rescued.bak"),
        n => with_suffix(path, &format!(".rescued-{n}.bak")),
    };
    (1..1000).map(name).find(|name| !name.exists())
}

/// Does without the connection, without closing it: see [`FilePlace::is_left`].
pub(super) fn leave_open(connection: &mut SqliteConnection) {
    if let Ok(empty) = SqliteConnection::establish(":memory:") {
        std::mem::forget(std::mem::replace(connection, empty));
    }
}
