//! What can be wrong with a database, and how it is told.

use std::path::{Path, PathBuf};

use diesel::result::{ConnectionError, DatabaseErrorKind, Error as SqlError};

use crate::store::loss::Loss;
use crate::store::writer::WriterProcess;
use celaje_sky::error::Failure;
use celaje_sky::say;
use celaje_sky::text::Text;

/// A database that cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct StoreError {
    /// The database.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a database.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Asked for reading only, and not there.
    #[error("there is no such file")]
    Missing,
    /// A folder, a device, a pipe.
    #[error("not a file")]
    NotAFile,
    /// The folder that is to hold it is not there.
    #[error("its folder does not exist")]
    NoFolder,
    /// A file of another kind.
    #[error("not an SQLite database")]
    NotADatabase,
    /// A database of another program; some of its tables.
    #[error("a database of another program, with {0}")]
    Foreign(String),
    /// A `registro_historico` without this column.
    #[error("its table registro_historico has no column {0}")]
    OddTable(&'static str),
    /// The replaced system's table beside a table of this name, which the record needs.
    #[error("it has a table or view {0} of its own")]
    Clash(String),
    /// Something of the replaced system's file that this SQLite cannot make, and why.
    #[error("its {name} cannot be taken over: {reason}")]
    Obstacle {
        /// Kind and name.
        name: String,
        /// What SQLite says.
        reason: String,
    },
    /// Not there, or empty, but the log of a database is beside it.
    #[error("the log of a moved or deleted database lies beside it")]
    StrayLog,
    /// The process that writes it, or was killed doing so, has its last rows in a log that is not
    /// beside it: it has another name there, or was moved or copied without its log.
    #[error("its last rows are in a log that is not beside it")]
    LogElsewhere(Box<WriterProcess>),
    /// It cannot be read as it is, and lies where nothing may be written.
    #[error("it can only be read after it is copied to where it can be written: {0}")]
    CopyFirst(CopyReason),
    /// File, folder or file system may not be written.
    #[error("read-only")]
    ReadOnly,
    /// Another program kept it locked for longer than the time allowed.
    #[error("locked by another program")]
    Busy,
    /// Another Celaje, where it is known which, has it open for writing.
    #[error(
        "already open for writing by another celaje{}",
        .0.as_ref().map(|writer| format!(" (process {})", writer.pid)).unwrap_or_default()
    )]
    SecondWriter(Option<Box<WriterProcess>>),
    /// It was moved, deleted or replaced while it was open for writing.
    #[error("moved, deleted or replaced while it was open")]
    Displaced(Box<Loss>),
    /// It was opened anew after the run began.
    #[error("opened anew meanwhile")]
    Renewed,
    /// Asked for reading only, and without any table.
    #[error("empty")]
    Empty,
    /// Its schema has this version, which this program does not know.
    #[error("its schema has version {0}, newer than this program")]
    Newer(String),
    /// Asked for reading only, but it has first to be taken over or brought up to date.
    #[error("its schema is older than this program's")]
    Outdated,
    /// The operating system does not open it.
    #[error("cannot be opened: {0}")]
    CannotOpen(String),
    /// SQLite finds it malformed.
    #[error("damaged")]
    Damaged,
    /// No room left.
    #[error("the disk is full")]
    Full,
    /// The copy that is made before a takeover could not be made.
    #[error("could not be copied to {}: {reason}", copy.display())]
    Copy {
        /// Where it was to go.
        copy: PathBuf,
        /// Why it did not.
        reason: String,
    },
    /// It cannot be read where it is, and could not be copied.
    #[error("could not be copied to {}: {reason}", folder.display())]
    Copied {
        /// Where the copy was to go.
        folder: PathBuf,
        /// Why it did not.
        reason: String,
    },
    /// A backup could not be made.
    #[error("could not be copied to {}: {reason}", copy.display())]
    Backup {
        /// Where it was to go.
        copy: PathBuf,
        /// Why it did not.
        reason: String,
    },
    /// A file stands where a backup was to go.
    #[error("{} is there already", .0.display())]
    Taken(PathBuf),
    /// A takeover that would have lost rows, and was undone.
    #[error("{taken} of {rows} rows could be taken over")]
    Lost {
        /// Rows of the replaced system.
        rows: i64,
        /// Rows that arrived.
        taken: i64,
    },
    /// Its disk has too little room for the copy and the rows of a takeover.
    #[error("the takeover needs {needed} bytes on the disk, which has {free} free")]
    NoRoom {
        /// Bytes that it may need.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// It was to be merged into itself.
    #[error("it was to be merged into itself")]
    Itself,
    /// It was to be merged into a file that has one of its stations in another place or time zone.
    #[error("station {station} is elsewhere in {}", other.display())]
    Elsewhere {
        /// The station.
        station: String,
        /// The other file.
        other: PathBuf,
    },
    /// Triggers on the record's tables that cannot run: nothing could be written.
    #[error("trigger {names} cannot run: {reason}")]
    Trigger {
        /// Their names, with commas between them.
        names: String,
        /// What SQLite says.
        reason: String,
    },
    /// A migration that failed, and was undone.
    #[error("migration failed: {0}")]
    Migration(String),
    /// Anything else that SQLite reports.
    #[error(transparent)]
    Sql(SqlError),
}

/// Why a file has to be changed before it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyReason {
    /// It has to be taken over or brought up to date.
    #[error("it is of an older form")]
    OlderForm,
    /// A transaction that was cut off has to be undone.
    #[error("a transaction was cut off")]
    Journal,
}

impl Fault {
    /// Pairs the fault with the database.
    pub(super) fn at(self, path: &Path) -> StoreError {
        StoreError { path: path.to_owned(), fault: self }
    }

    /// What one of SQLite's standard messages stands for (`sqlite3_errstr`; diesel passes on no
    /// code).
    fn from_message(message: &str) -> Option<Self> {
        Some(match message {
            "database is locked" => Self::Busy,
            "file is not a database" => Self::NotADatabase,
            "attempt to write a readonly database" => Self::ReadOnly,
            "database disk image is malformed" => Self::Damaged,
            "database or disk is full" => Self::Full,
            "unable to open database file" => Self::CannotOpen(message.to_owned()),
            _ if message.starts_with("malformed database schema") => Self::Damaged,
            _ => return None,
        })
    }
}

impl Fault {
    /// What a migration failed of: a fault of the file where SQLite names one.
    pub(super) fn of_migration(error: &(dyn std::error::Error + Send + Sync)) -> Self {
        let text = error.to_string();
        let known = text.rsplit(": ").next().and_then(Self::from_message);
        known.unwrap_or(Self::Migration(text))
    }
}

impl From<SqlError> for Fault {
    fn from(error: SqlError) -> Self {
        if let SqlError::RollbackErrorOnCommit { commit_error, .. } = error {
            return Self::from(*commit_error);
        }
        let known = match &error {
            SqlError::DatabaseError(DatabaseErrorKind::Unknown, information) => {
                Self::from_message(information.message())
            }
            // Our own queries find nothing where the schema says that there is something.
            SqlError::DeserializationError(_) | SqlError::NotFound => Some(Self::Damaged),
            _ => None,
        };
        known.unwrap_or(Self::Sql(error))
    }
}

impl From<ConnectionError> for Fault {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::BadConnection(message) => {
                Self::from_message(&message).unwrap_or(Self::CannotOpen(message))
            }
            other => Self::CannotOpen(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(StoreError { path, fault }: StoreError) -> Self {
        Self::environment(fault.text(&path))
    }
}

impl Fault {
    /// The fault for people. Each of the four tables passes on what it does not know; the last one
    /// names all that is left, so that the compiler notices a variant without a text.
    fn text(&self, path: &Path) -> Text {
        self.of_path(path)
    }

    /// What is wrong with the path or its file system.
    fn of_path(&self, path: &Path) -> Text {
        let db = path.display();
        match self {
            Self::Missing => say!(
                "the database '{db}' does not exist; give the right path with --db",
                "la base de datos '{db}' no existe; indique la ruta correcta con --db"
            ),
            Self::NotAFile => say!(
                "the database '{db}' is not a file; give the path of a file with --db",
                "la base de datos '{db}' no es un archivo; indique la ruta de un archivo con --db"
            ),
            Self::NoFolder => say!(
                "the folder of the database '{db}' does not exist; create it or give another path \
                with --db",
                "la carpeta de la base de datos '{db}' no existe; créela o indique otra ruta con \
                --db"
            ),
            Self::NotADatabase => say!(
                "'{db}' is not an SQLite database; give the path of a database or of a new file \
                with --db",
                "'{db}' no es una base de datos SQLite; indique con --db una base de datos o un \
                archivo nuevo"
            ),
            Self::Foreign(tables) => say!(
                "'{db}' is a database of another program (it has {tables}) and was left as it is; \
                give another path with --db",
                "'{db}' es una base de datos de otro programa (tiene {tables}) y quedó como \
                estaba; indique otra ruta con --db"
            ),
            Self::StrayLog => say!(
                "'{db}' was moved or deleted, and its log '{db}-wal' stayed behind; end the \
                program that writes to it, if one does, then put the file back, or move '{db}-wal' \
                and '{db}-shm' away to begin a new one",
                "'{db}' se movió o se borró, y su diario '{db}-wal' quedó; cierre el programa que \
                escribe en ella, si lo hay, y luego devuelva el archivo a su lugar, o aparte \
                '{db}-wal' y '{db}-shm' para empezar uno nuevo"
            ),
            Self::ReadOnly => say!(
                "the database '{db}' is read-only; make the file and its folder writable, or copy \
                it to a folder that is and give that path with --db",
                "la base de datos '{db}' es de solo lectura; permita escribir en el archivo y su \
                carpeta, o cópiela a una carpeta donde se pueda e indique esa ruta con --db"
            ),
            Self::Copied { folder, reason } => {
                let folder = folder.display();
                say!(
                    "the database '{db}' cannot be read as it is where nothing may be written, and \
                    no copy of it was made in '{folder}' ({reason}); set TMPDIR to a folder with \
                    room for it",
                    "la base de datos '{db}' no se puede leer tal como está donde no se puede \
                    escribir, y no se hizo una copia en '{folder}' ({reason}); indique en TMPDIR \
                    una carpeta donde quepa"
                )
            }
            Self::CopyFirst(CopyReason::OlderForm) => say!(
                "the database '{db}' is of an older form and lies where nothing may be written; \
                copy it to a folder that can be written, with '{db}-wal' if there is one, and give \
                the copy to 'celaje backfill --db', which brings it up to date",
                "la base de datos '{db}' tiene una forma anterior y está donde no se puede \
                escribir; cópiela a una carpeta donde se pueda, con '{db}-wal' si existe, e \
                indique la copia en 'celaje backfill --db', que la pone al día"
            ),
            Self::CopyFirst(CopyReason::Journal) => say!(
                "the database '{db}' has a transaction to be undone, in '{db}-journal', and lies \
                where nothing may be written; copy both files to a folder that can be written and \
                give the copy with --db",
                "la base de datos '{db}' tiene una transacción por deshacer, en '{db}-journal', y \
                está donde no se puede escribir; copie los dos archivos a una carpeta donde se \
                pueda e indique la copia con --db"
            ),
            Self::CannotOpen(reason) => say!(
                "the database '{db}' cannot be opened ({reason}); check the path and its \
                permissions",
                "no se puede abrir la base de datos '{db}' ({reason}); revise la ruta y sus \
                permisos"
            ),
            Self::Full => say!(
                "there is no room left on the disk of the database '{db}'; free some and try again",
                "no queda espacio en el disco de la base de datos '{db}'; libere algo y vuelva a \
                intentar"
            ),
            Self::Backup { copy, reason } => {
                let copy = copy.display();
                say!(
                    "no backup of the database '{db}' was made in '{copy}' ({reason}); see to \
                    that, or give another file, and try again",
                    "no se hizo copia de la base de datos '{db}' en '{copy}' ({reason}); \
                    resuélvalo, o indique otro archivo, y vuelva a intentar"
                )
            }
            Self::Taken(copy) => {
                let copy = copy.display();
                say!(
                    "'{copy}' is there already and was left as it is; give another file, or \
                    --force to replace it",
                    "'{copy}' ya existe y quedó como estaba; indique otro archivo, o --force para \
                    reemplazarlo"
                )
            }
            _ => self.of_writer(path),
        }
    }

    /// What other programs do to the file.
    fn of_writer(&self, path: &Path) -> Text {
        let db = path.display();
        match self {
            Self::Busy => say!(
                "the database '{db}' is locked by another program; close that program or wait, \
                then try again",
                "otro programa tiene bloqueada la base de datos '{db}'; ciérrelo o espere, y \
                vuelva a intentar"
            ),
            Self::SecondWriter(Some(writer)) => {
                let Text { en, es } = writer.text();
                say!(
                    "another celaje ({en}) is already writing to the database '{db}'; wait for it \
                    or stop it, then try again",
                    "otro celaje ({es}) ya está escribiendo en la base de datos '{db}'; espere o \
                    deténgalo, y vuelva a intentar"
                )
            }
            Self::SecondWriter(None) => say!(
                "another celaje is already writing to the database '{db}'; wait for it or stop it, \
                then try again",
                "otro celaje ya está escribiendo en la base de datos '{db}'; espere o deténgalo, y \
                vuelva a intentar"
            ),
            Self::LogElsewhere(writer) => writer.log_text(path),
            Self::Displaced(loss) => loss.text(path),
            Self::Renewed => say!(
                "the database '{db}' was opened anew meanwhile; what was under way begins again",
                "la base de datos '{db}' se abrió de nuevo entretanto; lo que estaba en curso \
                vuelve a empezar"
            ),
            _ => self.of_schema(path),
        }
    }

    /// What is wrong with the schema or the contents.
    fn of_schema(&self, path: &Path) -> Text {
        let db = path.display();
        match self {
            Self::Newer(version) => say!(
                "the database '{db}' was made by a newer celaje (schema {version}); update this \
                program",
                "la base de datos '{db}' es de un celaje más nuevo (esquema {version}); actualice \
                este programa"
            ),
            Self::Outdated => say!(
                "the database '{db}' is of an older form; the next 'celaje backfill' on it brings \
                it up to date",
                "la base de datos '{db}' tiene una forma anterior; el próximo 'celaje backfill' la \
                pondrá al día"
            ),
            Self::Empty => say!(
                "the database '{db}' is empty; the first 'celaje backfill' on it begins the \
                record, or give another path with --db",
                "la base de datos '{db}' está vacía; el primer 'celaje backfill' sobre ella \
                comienza el registro, o indique otra ruta con --db"
            ),
            Self::Damaged => say!(
                "the database '{db}' is damaged; restore a backup or recover it with 'sqlite3 {db} \
                .recover'",
                "la base de datos '{db}' está dañada; restaure una copia o recupérela con 'sqlite3 \
                {db} .recover'"
            ),
            Self::Trigger { names, reason } => say!(
                "the database '{db}' has triggers that cannot run: '{names}' ({reason}); nothing \
                could be stored, drop them with DROP TRIGGER or mend them, and try again",
                "la base de datos '{db}' tiene disparadores que no se pueden ejecutar: '{names}' \
                ({reason}); no se podría guardar nada, bórrelos con DROP TRIGGER o corríjalos, y \
                vuelva a intentar"
            ),
            Self::Migration(reason) => say!(
                "the schema of the database '{db}' could not be brought up to date ({reason}); \
                nothing was changed, please report this",
                "no se pudo poner al día el esquema de la base de datos '{db}' ({reason}); nada \
                cambió, por favor repórtelo"
            ),
            _ => self.of_takeover(path),
        }
    }

    /// What keeps a file of the replaced system from being taken over.
    fn of_takeover(&self, path: &Path) -> Text {
        let db = path.display();
        match self {
            Self::OddTable(column) => say!(
                "the table registro_historico of '{db}' has no column '{column}', so its rows \
                cannot be taken over; nothing was changed, give another path with --db",
                "la tabla registro_historico de '{db}' no tiene la columna '{column}' y sus filas \
                no se pueden incorporar; nada cambió, indique otra ruta con --db"
            ),
            Self::Clash(name) => say!(
                "'{db}' has a '{name}' of its own, a name that celaje needs; nothing was changed, \
                rename it or give another path with --db",
                "'{db}' ya tiene un objeto '{name}', nombre que celaje necesita; nada cambió, \
                cámbielo o indique otra ruta con --db"
            ),
            Self::Obstacle { name, reason } => say!(
                "the database '{db}' cannot be taken over because of its {name} ({reason}); \
                nothing was changed, make it anew without that or give another path with --db",
                "no se puede incorporar la base de datos '{db}' por su {name} ({reason}); nada \
                cambió, rehágala sin eso o indique otra ruta con --db"
            ),
            Self::Copy { copy, reason } => {
                let copy = copy.display();
                say!(
                    "the database '{db}' could not be copied to '{copy}' before its takeover \
                    ({reason}); nothing was changed, make room there and try again",
                    "no se pudo copiar la base de datos '{db}' a '{copy}' antes de incorporarla \
                    ({reason}); nada cambió, haga lugar allí y vuelva a intentar"
                )
            }
            Self::NoRoom { needed, free } => {
                let (needed, free) = (needed.div_ceil(1_000_000), free / 1_000_000);
                say!(
                    "the takeover of the database '{db}' and the copy that is made before need \
                    {needed} MB on its disk, where {free} MB are free; nothing was changed, free \
                    some and try again",
                    "incorporar la base de datos '{db}', con la copia previa, necesita {needed} \
                    MB en su disco, donde quedan {free} MB; nada cambió, libere espacio y vuelva a \
                    intentar"
                )
            }
            Self::Itself => say!(
                "the database '{db}' is the one that --into names; give only the others before it",
                "la base de datos '{db}' es la que indica --into; ponga antes solo las otras"
            ),
            Self::Elsewhere { station, other } => {
                let other = other.display();
                say!(
                    "the station '{station}' has another place or time zone in '{db}' than in \
                    '{other}', and nothing was merged; if both are the same camera, put the right \
                    ones into celaje.toml and run 'celaje backfill' on the file that is wrong",
                    "la estación '{station}' tiene en '{db}' otro lugar u otra zona horaria que en \
                    '{other}', y no se unió nada; si es la misma cámara, ponga los correctos en \
                    celaje.toml y ejecute 'celaje backfill' sobre el archivo equivocado"
                )
            }
            Self::Lost { rows, taken } => say!(
                "only {taken} of the {rows} rows of '{db}' could be taken over; nothing was \
                changed, please report this",
                "solo se pudieron incorporar {taken} de las {rows} filas de '{db}'; nada cambió, \
                por favor repórtelo"
            ),
            Self::Missing
            | Self::NotAFile
            | Self::NoFolder
            | Self::NotADatabase
            | Self::Foreign(_)
            | Self::StrayLog
            | Self::CopyFirst(_)
            | Self::ReadOnly
            | Self::CannotOpen(_)
            | Self::Full
            | Self::Copied { .. }
            | Self::Backup { .. }
            | Self::Taken(_)
            | Self::Busy
            | Self::SecondWriter(_)
            | Self::LogElsewhere(_)
            | Self::Displaced(_)
            | Self::Renewed
            | Self::Empty
            | Self::Newer(_)
            | Self::Outdated
            | Self::Damaged
            | Self::Trigger { .. }
            | Self::Migration(_)
            | Self::Sql(_) => say!(
                "the database '{db}' failed: {self}; check it with \"sqlite3 '{db}' 'PRAGMA \
                integrity_check'\"",
                "la base de datos '{db}' falló: {self}; revísela con \"sqlite3 '{db}' 'PRAGMA \
                integrity_check'\""
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite_says(message: &str) -> Fault {
        SqlError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned())).into()
    }

    #[test]
    fn the_messages_of_sqlite_are_told_apart() {
        assert!(matches!(sqlite_says("database is locked"), Fault::Busy));
        assert!(matches!(sqlite_says("attempt to write a readonly database"), Fault::ReadOnly));
        assert!(matches!(sqlite_says("database or disk is full"), Fault::Full));
        assert!(matches!(sqlite_says("database disk image is malformed"), Fault::Damaged));
        assert!(matches!(sqlite_says("no such table: x"), Fault::Sql(_)));
        assert!(matches!(sqlite_says("malformed database schema (observations)"), Fault::Damaged));
        let null = diesel::result::UnexpectedNullError;
        let null = SqlError::DeserializationError(Box::new(null));
        assert!(matches!(Fault::from(null), Fault::Damaged));
        assert!(matches!(Fault::from(SqlError::NotFound), Fault::Damaged));
    }

    #[test]
    fn every_failure_names_the_database_and_is_the_environments() {
        for fault in [
            Fault::Missing,
            Fault::NotAFile,
            Fault::ReadOnly,
            Fault::Busy,
            Fault::SecondWriter(Some(Box::default())),
            Fault::Newer("0099".to_owned()),
        ] {
            let failure = Failure::from(fault.at(Path::new("cielo.db")));
            assert_eq!(failure.class.exit_status(), 3);
            assert!(
                failure.text.en.contains("'cielo.db'") && failure.text.es.contains("'cielo.db'")
            );
        }
    }
}
