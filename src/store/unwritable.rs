//! Connections that read a record, also where nothing may be written: on a read-only medium, in
//! another user's folder.
//!
//! To read a file in write-ahead logging SQLite makes a `-shm` file beside it. Where it may not and
//! no writer has made one, the file is read as one that does not change: with `immutable=1` where
//! there is no log, and through SQLite's VFS without locks where there is one. SQLite then notices
//! no change, so [`FileStamp`] does.

use std::path::Path;

use diesel::SqliteConnection;

use crate::store::connection::{
    Access, FileKind, checkpoint_now, connect, exists, explain, is_unwritable, kind,
};
use crate::store::error::{CopyReason, Fault};
use crate::store::lock::companion;
use crate::store::owner;
use crate::store::ownership::leave_open;
use crate::store::place::{ContentStamp, FilePlace};
use crate::store::takeover;
use crate::store::writer::WriterLife;

/// A database's file, its log and its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileStamp([Option<ContentStamp>; 3]);

impl FileStamp {
    pub(super) fn of(path: &Path) -> Self {
        Self(["", "-wal", "-journal"].map(|suffix| ContentStamp::of(&companion(path, suffix))))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().flatten().map(|stamp| stamp.bytes()).sum()
    }
}

/// How the file may be read without anything beside it; none where a process may be writing (there
/// are `-shm` and `-wal`), or the file alone does not hold what was committed.
fn access_alone(path: &Path) -> Option<Access> {
    let bytes = |suffix| std::fs::metadata(companion(path, suffix)).ok().map(|found| found.len());
    match (bytes("-shm"), bytes("-wal")) {
        _ if has_a_journal(path) => None,
        // SQLite removes a -shm before its -wal: one that is alone was left by who moved the files.
        (_, None) | (None, Some(0)) => Some(Access::Immutable),
        (None, Some(_)) if cfg!(unix) => Some(Access::ImmutableWithLog),
        _ => None,
    }
}

/// Whether there is a journal of a transaction that was cut off, to be undone before the file is
/// read.
fn has_a_journal(path: &Path) -> bool {
    std::fs::metadata(companion(path, "-journal")).is_ok_and(|found| found.len() > 0)
}

/// A connection that reads.
pub(super) struct ReadConnection {
    pub(super) connection: SqliteConnection,
    pub(super) kind: FileKind,
    /// How it was opened.
    pub(super) access: Access,
    /// What the file was when it was opened, where SQLite does not notice that it changes.
    pub(super) stamp: Option<FileStamp>,
    place: Option<FilePlace>,
    /// The file itself, when it was last known to be what the connection reads.
    seen: Option<ContentStamp>,
    /// The token of the writer whose log the connection reads.
    writer: Option<String>,
}

impl Drop for ReadConnection {
    fn drop(&mut self) {
        // To close it would fold its log into whatever is at the path.
        if self.place.as_ref().is_some_and(FilePlace::must_stay_open) {
            leave_open(&mut self.connection);
        }
    }
}

impl ReadConnection {
    /// Connects to an existing file for reading; it is neither made nor changed.
    ///
    /// # Errors
    /// When there is none, or it is none that this program reads.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        if !exists(path)? {
            return Err(Fault::Missing);
        }
        // Before the file is opened, so that no change between goes unseen.
        let stamp = FileStamp::of(path);
        let refused = match Self::with(path, Access::Read, None) {
            Err(fault @ (Fault::ReadOnly | Fault::CannotOpen(_))) => fault,
            read => return read,
        };
        let read = match access_alone(path) {
            Some(access) => Self::with(path, access, Some(stamp)),
            None if has_a_journal(path) && is_unwritable(path) => {
                Err(Fault::CopyFirst(CopyReason::Journal))
            }
            None => Err(refused),
        };
        read.map_err(|fault| explain(path, fault))
    }

    /// The same of a record whose rows this program reads as they are.
    ///
    /// # Errors
    /// When the file has first to be taken over or brought up to date: [`Fault::Outdated`], or
    /// [`Fault::CopyFirst`] where it cannot be written; when a takeover would be refused, the
    /// reason of that.
    pub(super) fn open_current(path: &Path) -> Result<Self, Fault> {
        let mut read = Self::open(path)?;
        match read.kind {
            FileKind::Current | FileKind::Readable => return Ok(read),
            FileKind::New => return Err(Fault::Empty),
            FileKind::Replaced => drop(takeover::plan(&mut read.connection)?),
            FileKind::Outdated => {}
        }
        match is_unwritable(path) {
            true => Err(Fault::CopyFirst(CopyReason::OlderForm)),
            false => Err(Fault::Outdated),
        }
    }

    fn with(path: &Path, access: Access, stamp: Option<FileStamp>) -> Result<Self, Fault> {
        owner::refuse_without_its_log(path)?;
        let has_log = owner::has_a_log(path);
        let seen = ContentStamp::of(path);
        let mut connection = connect(path, access)?;
        let kind = kind(&mut connection)?;
        let writer = owner::read(&mut connection)?.filter(|_| has_log);
        if let Some(dead) = writer.as_ref().filter(|writer| writer.life() != WriterLife::Alive) {
            owner::be_whole_after(&mut connection, dead)?;
        }
        let writer = writer.map(|writer| writer.token);
        let place = FilePlace::of(path).ok();
        Ok(Self { connection, kind, access, stamp, place, seen, writer })
    }

    /// Whether the connection has to be opened anew before it is asked: the file has changed in a
    /// way that it does not notice.
    pub(super) fn is_stale(&mut self, path: &Path) -> bool {
        self.is_displaced(path) || self.is_written_unseen(path)
    }

    /// Whether another file is at the path, or one that was read as unchanging has changed: what
    /// was read is no answer.
    pub(super) fn is_displaced(&self, path: &Path) -> bool {
        let place = self.place.as_ref();
        place.is_none_or(|place| place.look().is_some())
            || self.stamp.as_ref().is_some_and(|stamp| *stamp != FileStamp::of(path))
    }

    /// Whether the file itself was changed by another program than the writer whose log is read:
    /// overwritten, or written under another of its names.
    fn is_written_unseen(&mut self, path: &Path) -> bool {
        let now = ContentStamp::of(path);
        if now == self.seen {
            return false;
        }
        let row = owner::read_beside(path).ok().flatten();
        let is_the_writers = self.writer.is_some() && self.writer == row.map(|row| row.token);
        if is_the_writers {
            self.seen = now;
        }
        !is_the_writers
    }

    /// The connection that takes the place of a stale one.
    ///
    /// # Errors
    /// As [`open_current`](Self::open_current); [`Fault::Busy`] as long as the log of the file that
    /// was there is beside the one that is there now, for the writer to remove.
    pub(super) fn renewed(&mut self, path: &Path) -> Result<Self, Fault> {
        if self.place.as_ref().is_some_and(FilePlace::leaves_its_log) && exists(path)? {
            self.remove_its_log()?;
        }
        Self::open_current(path)
    }

    /// Folds the log into the file that was there, if no writer lives who does, and removes it.
    fn remove_its_log(&mut self) -> Result<(), Fault> {
        let writer = owner::read(&mut self.connection)?;
        if writer.is_some_and(|writer| writer.life() != WriterLife::Dead) {
            return Err(Fault::Busy);
        }
        if !checkpoint_now(&mut self.connection)? {
            return Err(Fault::Busy);
        }
        if let Some(place) = &self.place {
            place.remove_log();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;
    use crate::store::lock::with_suffix;
    use crate::store::reader::Reader;
    use celaje_sky::station::Station;
    use diesel::connection::SimpleConnection;
    use diesel::dsl::sql;
    use diesel::prelude::*;
    use diesel::sql_types::BigInt;

    /// A file in write-ahead logging whose second row is in its log alone, without a `-shm`.
    fn logged(folder: &Path) -> std::path::PathBuf {
        let (first, copy) = (folder.join("a.db"), folder.join("b.db"));
        let mut writer = connect(&first, Access::Write).unwrap();
        let rows = "PRAGMA journal_mode = WAL; CREATE TABLE registro_historico (x); \
                    INSERT INTO registro_historico VALUES (1); \
                    PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO registro_historico VALUES (2)";
        writer.batch_execute(rows).unwrap();
        for suffix in ["", "-wal"] {
            std::fs::copy(with_suffix(&first, suffix), with_suffix(&copy, suffix)).unwrap();
        }
        copy
    }

    fn names(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[cfg(unix)]
    #[test]
    fn rows_that_are_in_the_log_alone_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let db = logged(folder.path());
        let before = names(folder.path());
        assert_eq!(access_alone(&db), Some(Access::ImmutableWithLog));
        let mut read = ReadConnection::with(&db, Access::ImmutableWithLog, None).unwrap();
        assert_eq!(read.kind, FileKind::Replaced);
        let rows = sql::<BigInt>("SELECT count(*) FROM registro_historico");
        assert_eq!(rows.get_result::<i64>(&mut read.connection).unwrap(), 2);
        assert_eq!(names(folder.path()), before, "nothing is made beside it");
    }

    #[test]
    fn a_file_without_a_log_is_immutable_and_its_changes_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let db = logged(folder.path());
        connect(&db, Access::Write).unwrap().batch_execute("PRAGMA wal_checkpoint").unwrap();
        let stamp = FileStamp::of(&db);
        assert_eq!(access_alone(&db), Some(Access::Immutable));
        let mut read = ReadConnection::with(&db, Access::Immutable, Some(stamp)).unwrap();
        let rows = sql::<BigInt>("SELECT count(*) FROM registro_historico");
        assert_eq!(rows.get_result::<i64>(&mut read.connection).unwrap(), 2);
        assert!(!read.is_stale(&db));
        let mut writer = connect(&db, Access::Write).unwrap();
        writer.batch_execute("INSERT INTO registro_historico VALUES (3)").unwrap();
        assert!(read.is_stale(&db));
        // There is a writer now: only SQLite's own way of reading is right.
        assert_eq!(access_alone(&db), None);
        // A -shm without a -wal is nobody's.
        drop(writer);
        std::fs::write(with_suffix(&db, "-shm"), b"left behind").unwrap();
        assert_eq!(access_alone(&db), Some(Access::Immutable));
    }

    #[test]
    fn a_reader_opens_a_file_anew_that_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        let mut cerro = Station::rio_grande();
        drop(Database::open(&db, &cerro).unwrap());
        let mut reader = Reader::open(&db).unwrap();
        let stamp = FileStamp::of(&db);
        reader.read = ReadConnection::with(&db, Access::Immutable, Some(stamp)).unwrap();
        let before = reader.data_version().unwrap();
        assert_eq!(reader.data_version().unwrap(), before);
        assert_eq!(reader.stations().unwrap().len(), 1);
        "cerro".clone_into(&mut cerro.id);
        let writer = Database::open(&db, &cerro).unwrap();
        assert_ne!(reader.data_version().unwrap(), before);
        assert_eq!(reader.stations().unwrap().len(), 2);
        assert!(reader.read.stamp.is_none(), "SQLite itself notices what a writer does");
        drop(writer);
    }

    #[test]
    fn what_a_journal_has_yet_to_undo_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("a.db");
        std::fs::write(&db, b"").unwrap();
        assert_eq!(access_alone(&db), Some(Access::Immutable));
        std::fs::write(with_suffix(&db, "-journal"), b"").unwrap();
        assert_eq!(access_alone(&db), Some(Access::Immutable));
        std::fs::write(with_suffix(&db, "-journal"), b"half a page").unwrap();
        assert_eq!(access_alone(&db), None);
    }
}
