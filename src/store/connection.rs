//! Opening a file: what it is, the connection's settings, the migrations.

use std::fmt::Write as _;
use std::path::Path;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::dsl::sql;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::result::Error as SqlError;
use diesel::sql_types::{Integer, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::store::error::Fault;
use crate::store::lock::{folder_of, real, refusal};
use celaje_sky::error::io_text;

/// The schema's history, in the binary.
pub(super) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The tables of the record.
pub(super) const OWN_TABLES: [&str; 9] = [
    "stations",
    "runs",
    "observations",
    "misses",
    "year_layouts",
    "legacy_rows",
    "shadow_observations",
    "celaje_labels",
    "celaje_calibrations",
];

/// How long to wait for a lock that another program holds.
const BUSY_TIMEOUT_MS: u32 = 5_000;
/// The same once that was in vain, until the lock is free again: a run that is to end would wait
/// anew for each of its last commits.
const IMPATIENT_MS: u32 = 50;

/// Migrations that change nothing of what is read.
const OF_THE_WRITER: [&str; 3] = ["0005", "0006", "0012"];

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// Not there, or without any table.
    New,
    /// The replaced system's.
    Replaced,
    /// This program's, with migrations to come.
    Outdated,
    /// The same, and readable as it is.
    Readable,
    /// This program's.
    Current,
}

/// How a connection may use the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads an existing file.
    Read,
    /// Reads an existing file that nobody changes; its log, if any, is not read.
    Immutable,
    /// Reads an existing file that nobody changes, and the log beside it.
    ImmutableWithLog,
    /// Writes, and makes the file where there is none.
    Write,
}

/// Whether there is a file at `path`.
///
/// The file itself is not opened here: see [`WriterLock`](super::lock::WriterLock).
///
/// # Errors
/// When something other than a file is there, or not even the folder is.
pub(super) fn exists(path: &Path) -> Result<bool, Fault> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(_) => Err(Fault::NotAFile),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if folder_of(&real(path)).is_dir() { Ok(false) } else { Err(Fault::NoFolder) }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(Fault::NoFolder),
        Err(error) => Err(Fault::CannotOpen(io_text(&error).to_string())),
    }
}

/// Connects, and sets how long to wait for locks before anything else.
pub(super) fn connect(path: &Path, access: Access) -> Result<SqliteConnection, Fault> {
    let mut connection = SqliteConnection::establish(&uri(path, access)?)?;
    wait_for_locks(&mut connection, true)?;
    if access == Access::ImmutableWithLog {
        // Keeps the index of the log in memory instead of in a -shm file.
        connection.batch_execute("PRAGMA locking_mode = EXCLUSIVE")?;
    }
    if access != Access::Write {
        // Not mode=ro: such a connection cannot remove the -wal and -shm files that it made.
        connection.batch_execute("PRAGMA query_only = ON")?;
    }
    Ok(connection)
}

/// Attaches the file at `path` as `source`, to be read alone. A connection that reads it with
/// `access` is open meanwhile: it has made what SQLite needs beside the file, and removes it
/// again.
pub(super) fn attach(
    connection: &mut SqliteConnection,
    path: &Path,
    access: Access,
) -> Result<(), Fault> {
    let parameters = match access {
        Access::Read | Access::Write => "?mode=ro",
        Access::Immutable => "?mode=ro&immutable=1",
        Access::ImmutableWithLog => "?mode=ro&vfs=unix-none",
    };
    if access == Access::ImmutableWithLog {
        // As in `connect`; what is attached takes this over.
        connection.batch_execute("PRAGMA locking_mode = EXCLUSIVE")?;
    }
    let uri = file_uri(path)? + parameters;
    let attached = diesel::sql_query("ATTACH ? AS source").bind::<Text, _>(uri).execute(connection);
    connection.batch_execute("PRAGMA main.locking_mode = NORMAL")?;
    Ok(attached.map(drop)?)
}

/// Detaches `source`.
pub(super) fn detach(connection: &mut SqliteConnection) -> Result<(), Fault> {
    Ok(connection.batch_execute("DETACH source; PRAGMA locking_mode = NORMAL")?)
}

/// Sets how long the connection waits for a lock that another program holds.
pub(super) fn wait_for_locks(
    connection: &mut SqliteConnection,
    is_patient: bool,
) -> QueryResult<()> {
    let wait = if is_patient { BUSY_TIMEOUT_MS } else { IMPATIENT_MS };
    connection.batch_execute(&format!("PRAGMA busy_timeout = {wait}"))
}

/// Names the cause of a fault: SQLite does not say that it cannot open a file because it may not
/// make the files that it needs beside it.
pub(super) fn explain(path: &Path, fault: Fault) -> Fault {
    match fault {
        Fault::CannotOpen(_) if is_unwritable(path) && std::fs::metadata(path).is_ok() => {
            Fault::ReadOnly
        }
        other => other,
    }
}

/// Whether the file at `path`, or nothing in its folder, may be written.
pub(super) fn is_unwritable(path: &Path) -> bool {
    // Not by opening the file: see `WriterLock`.
    #[cfg(target_os = "linux")]
    if matches!(
        nix::unistd::eaccess(path, nix::unistd::AccessFlags::W_OK),
        Err(nix::errno::Errno::EACCES | nix::errno::Errno::EROFS | nix::errno::Errno::EPERM)
    ) {
        return true;
    }
    let made = tempfile::tempfile_in(folder_of(&real(path)));
    matches!(made.map_err(|error| refusal(&error)), Err(Fault::ReadOnly))
}

/// The `file:` URI of `path`; SQLite reads it as percent-encoded bytes.
fn uri(path: &Path, access: Access) -> Result<String, Fault> {
    let mut uri = file_uri(path)?;
    uri.push_str(match access {
        Access::Read => "?mode=rw",
        Access::Immutable => "?mode=rw&immutable=1",
        Access::ImmutableWithLog => "?mode=rw&vfs=unix-none",
        Access::Write => "?mode=rwc",
    });
    Ok(uri)
}

/// The `file:` URI of `path`, without parameters.
pub(super) fn file_uri(path: &Path) -> Result<String, Fault> {
    let path = std::path::absolute(path)
        .map_err(|error| Fault::CannotOpen(io_text(&error).to_string()))?;
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut uri = String::from(if bytes.starts_with(b"/") { "file://" } else { "file:///" });
    for byte in bytes {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'/' | b':' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    Ok(uri)
}

/// Finds out whose the file is. Writes nothing.
///
/// # Errors
/// When it is no database, one of another program, or one of a newer Celaje.
pub(super) fn kind(connection: &mut SqliteConnection) -> Result<FileKind, Fault> {
    let objects = objects(connection)?;
    let has = |kind: &str, name: &str| objects.iter().any(|(k, n)| k == kind && n == name);
    if objects.is_empty() {
        return Ok(FileKind::New);
    }
    if has("table", "__diesel_schema_migrations")
        && has("table", "observations")
        && has("table", "stations")
    {
        return migration_state(connection);
    }
    if has("table", "registro_historico") {
        return Ok(FileKind::Replaced);
    }
    let mut names: Vec<&str> = objects.iter().map(|(_, name)| name.as_str()).take(3).collect();
    if objects.len() > names.len() {
        names.push("…");
    }
    Err(Fault::Foreign(names.join(", ")))
}

/// Kind and lower-case name of every table and view.
pub(super) fn objects(connection: &mut SqliteConnection) -> Result<Vec<(String, String)>, Fault> {
    Ok(sql::<(Text, Text)>(
        "SELECT type, lower(name) FROM sqlite_schema \
         WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid",
    )
    .load(connection)?)
}

fn migration_state(connection: &mut SqliteConnection) -> Result<FileKind, Fault> {
    let applied: Vec<String> =
        sql::<Text>("SELECT version FROM __diesel_schema_migrations ORDER BY version")
            .load(connection)?;
    let known = known_versions()?;
    if let Some(newer) = applied.iter().find(|version| !known.contains(version)) {
        return Err(Fault::Newer(newer.clone()));
    }
    let missing = known.iter().filter(|version| !applied.contains(version));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    let is_the_writers = |version: &&str| OF_THE_WRITER.contains(version);
    Ok(match missing.as_slice() {
        [] => FileKind::Current,
        missing if missing.iter().all(is_the_writers) => FileKind::Readable,
        _ => FileKind::Outdated,
    })
}

fn known_versions() -> Result<Vec<String>, Fault> {
    let migrations = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)
        .map_err(|e| Fault::Migration(e.to_string()))?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// Sets up a writing connection, once the file is known to be this program's to change.
///
/// With write-ahead logging, readers and the writer do not wait for each other. A commit survives
/// the end of the process; after a power cut the file is whole but may lack the last commits
/// (`synchronous = NORMAL`). On a file system that cannot do it SQLite keeps its former mode. A
/// commit never folds the log into the file: the owner does, after a look at the file.
pub(super) fn settle(connection: &mut SqliteConnection) -> Result<(), Fault> {
    let _mode: String = sql::<Text>("PRAGMA journal_mode = WAL").get_result(connection)?;
    connection.batch_execute(
        "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0; \
         PRAGMA journal_size_limit = 0;",
    )?;
    Ok(())
}

/// Folds as much of the log into the file as no reader still needs, and waits for nobody; whether
/// that was all of it.
pub(super) fn checkpoint_now(connection: &mut SqliteConnection) -> Result<bool, Fault> {
    let (busy, logged, folded) =
        sql::<(Integer, Integer, Integer)>("PRAGMA main.wal_checkpoint(PASSIVE)")
            .get_result::<(i32, i32, i32)>(connection)?;
    Ok(busy == 0 && logged == folded)
}

/// Folds the log into the file and empties it; false when a reader still needs some of it.
pub(super) fn checkpoint(connection: &mut SqliteConnection) -> Result<bool, Fault> {
    let (busy, _, _) = sql::<(Integer, Integer, Integer)>("PRAGMA main.wal_checkpoint(TRUNCATE)")
        .get_result::<(i32, i32, i32)>(connection)?;
    Ok(busy == 0)
}

/// Rolls back every transaction that is open, as a panic inside one leaves it.
///
/// # Errors
/// When the connection cannot: it is of no use any more.
pub(super) fn roll_back(connection: &mut SqliteConnection) -> Result<(), Fault> {
    type Manager = AnsiTransactionManager;
    let depth = |connection: &mut SqliteConnection| {
        let status = Manager::transaction_manager_status_mut(connection);
        status.transaction_depth()
    };
    while depth(connection)?.is_some() {
        Manager::rollback_transaction(connection)?;
    }
    Ok(())
}

/// What SQLite finds wrong with the file; empty when it is sound. `quickly`: without comparing
/// indices with their tables.
///
/// A row that breaks a rule of its owner's own table is no damage of the file, nor is a full-text
/// index of theirs that does not fit its texts, nor a value of another type than its column's.
pub(super) fn damage(connection: &mut SqliteConnection, quickly: bool) -> QueryResult<Vec<String>> {
    let check = if quickly { "quick_check" } else { "integrity_check" };
    let mut found: Vec<String> = sql::<Text>(&format!("PRAGMA {check}(10000)")).load(connection)?;
    found.retain(|line| {
        let rules = ["CHECK constraint failed in ", "NULL value in "];
        let table = rules.iter().find_map(|rule| line.strip_prefix(rule));
        let own = |table: &str| OWN_TABLES.contains(&table.split('.').next().unwrap_or_default());
        let is_of_texts = line.contains(" inverted index for FTS");
        let is_of_types = ["TEXT value in ", "NUMERIC value in "];
        let is_of_types = is_of_types.iter().any(|type_| line.starts_with(type_));
        line != "ok" && table.is_none_or(own) && !is_of_texts && !is_of_types
    });
    found.truncate(5);
    Ok(found)
}

/// Does `work` in one transaction that holds the write lock from its beginning.
///
/// Where the disk is full or fails, SQLite rolls back by itself. Diesel's own rollback then fails,
/// hides the cause, and leaves the connection unusable. Here the cause is told, and the connection
/// stays usable.
pub(super) fn transaction<T>(
    connection: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut cause = None;
    let done = connection.immediate_transaction(|connection| {
        work(connection).map_err(|fault| {
            cause = Some(fault);
            SqlError::RollbackTransaction
        })
    });
    let error = match done {
        Ok(done) => return Ok(done),
        Err(error) => error,
    };
    if AnsiTransactionManager::transaction_manager_status_mut(connection)
        .transaction_depth()
        .is_err()
    {
        // Nothing to do where SQLite has rolled back.
        let _ = connection.batch_execute("ROLLBACK");
        *AnsiTransactionManager::transaction_manager_status_mut(connection) = Default::default();
    }
    Err(cause.unwrap_or_else(|| error.into()))
}

/// Runs the migrations that are to come, all or none.
pub(super) fn migrate(connection: &mut SqliteConnection) -> Result<(), Fault> {
    transaction(connection, |connection| {
        let triggers = users_triggers(connection)?;
        run_migrations(connection, usize::MAX)?;
        // A migration that makes the view anew drops them.
        let left = users_triggers(connection)?;
        for trigger in triggers.iter().filter(|trigger| !left.contains(trigger)) {
            connection.batch_execute(trigger)?;
        }
        Ok(())
    })
}

/// The statements that make the user's own triggers on the view `registro_historico`.
fn users_triggers(connection: &mut SqliteConnection) -> Result<Vec<String>, Fault> {
    Ok(sql::<Text>(
        "SELECT sql FROM sqlite_schema \
         WHERE type = 'trigger' AND lower(tbl_name) = 'registro_historico' \
             AND substr(name, 1, 19) <> 'registro_historico_' ORDER BY rowid",
    )
    .load(connection)?)
}

/// Runs up to `most` of the migrations that are to come, in the caller's transaction.
///
/// Diesel nests them as savepoints, and rolling one back hides SQLite's error.
pub(super) fn run_migrations(connection: &mut SqliteConnection, most: usize) -> Result<(), Fault> {
    let applied = connection.applied_migrations().map_err(|e| Fault::of_migration(&*e))?;
    let mut known =
        MigrationSource::<Sqlite>::migrations(&MIGRATIONS).map_err(|e| Fault::of_migration(&*e))?;
    known.sort_by_key(|migration| migration.name().version().to_string());
    let to_come =
        known.into_iter().filter(|migration| !applied.contains(&migration.name().version()));
    for migration in to_come.take(most) {
        migration.run(connection).map_err(|e| Fault::of_migration(&*e))?;
        diesel::sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES (?)")
            .bind::<Text, _>(migration.name().version().to_string())
            .execute(connection)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_keep_every_byte() {
        let uri = uri(Path::new("/a b/50%/c?d#é.db"), Access::Read).unwrap();
        assert_eq!(uri, "file:///a%20b/50%25/c%3Fd%23%C3%A9.db?mode=rw");
    }

    #[test]
    fn odd_names_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a b.db", "50%.db", "c?d#e.db", "señal.db", "o'clock.db", ":memory:"] {
            let path = folder.path().join(name);
            connect(&path, Access::Write).unwrap().batch_execute("CREATE TABLE t (x)").unwrap();
            assert!(path.is_file(), "{name}");
        }
    }

    #[test]
    fn reading_never_makes_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.db");
        assert!(connect(&path, Access::Read).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn a_transaction_that_fills_the_disk_says_so_and_the_next_one_succeeds() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        let fill = |connection: &mut SqliteConnection| {
            Ok(connection.batch_execute("INSERT INTO t VALUES (zeroblob(1000000))")?)
        };
        connection.batch_execute("CREATE TABLE t (x); PRAGMA max_page_count = 10").unwrap();
        let fault = transaction(&mut connection, fill).unwrap_err();
        assert!(matches!(fault, Fault::Full), "{fault}");
        connection.batch_execute("PRAGMA max_page_count = 1000").unwrap();
        transaction(&mut connection, fill).unwrap();
        // A migration, too.
        let pages = sql::<Integer>("PRAGMA page_count").get_result::<i32>(&mut connection).unwrap();
        connection.batch_execute(&format!("PRAGMA max_page_count = {}", pages + 3)).unwrap();
        let fault = migrate(&mut connection).unwrap_err();
        assert!(matches!(fault, Fault::Full), "{fault}");
        connection.batch_execute("PRAGMA max_page_count = 1000").unwrap();
        migrate(&mut connection).unwrap();
    }

    #[test]
    fn the_migrations_go_back_and_forth() {
        let mut connection = SqliteConnection::establish(":memory:").unwrap();
        connection.run_pending_migrations(MIGRATIONS).unwrap();
        connection.revert_all_migrations(MIGRATIONS).unwrap();
        let left: Vec<_> = objects(&mut connection).unwrap();
        assert_eq!(left, [("table".to_owned(), "__diesel_schema_migrations".to_owned())]);
        connection.run_pending_migrations(MIGRATIONS).unwrap();
        assert_eq!(kind(&mut connection).unwrap(), FileKind::Current);
    }
}
