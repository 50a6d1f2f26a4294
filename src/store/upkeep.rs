//! Maintenance of a file: backups, a check of the rules of the record, packing.

use std::path::Path;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::store::Database;
use crate::store::connection::{self, Access, connect};
use crate::store::copy;
use crate::store::error::{Fault, StoreError};
use crate::store::lock::{WriterLock, with_suffix};
use crate::store::owner;
use crate::store::ownership::Candidacy;
use crate::store::reader::Reader;
use crate::store::unwritable::ReadConnection;
use crate::store::writer::STANDS_STILL;
use celaje_sky::say;
use celaje_sky::text;

/// A verified backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Observations in it.
    pub observations: i64,
    /// Misses in it.
    pub misses: i64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// A file before and after it was packed, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VacuumSizes {
    /// Before.
    pub before: u64,
    /// After.
    pub after: u64,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A short name: `integrity`, `references`, `both`, `home`, `ledger`, `ends`, `rows`,
    /// `running`.
    pub name: &'static str,
    /// The rule that holds, or how it is broken.
    pub result: Result<text::Text, text::Text>,
}

impl Reader {
    /// Copies the record to the file `to`, also while another process writes to it, and verifies
    /// the copy. A file at `to` is replaced if `replace` is set.
    ///
    /// # Errors
    /// When a file stands in the way ([`Fault::Taken`]), or the copy cannot be made or is not right
    /// ([`Fault::Backup`]); then nothing is left of it.
    pub fn backup(&mut self, to: &Path, replace: bool) -> Result<Backup, StoreError> {
        let path = self.path().to_owned();
        self.with(|connection| backup((connection, &path), to, replace))
    }

    /// Checks the file and the rules of the record, the most important first. Of a damaged file
    /// only the damage is reported.
    ///
    /// # Errors
    /// When another program changes a file meanwhile that is read without locks.
    pub fn check(mut self) -> Result<Vec<Finding>, StoreError> {
        let path = self.path().to_owned();
        let (mut all, runs) = self.with(|connection| {
            let runs = count(connection, "runs WHERE status = 'running'");
            Ok((findings(connection), runs))
        })?;
        // To look for a writer opens and closes the file: see `Database::writer`.
        drop(self);
        if all.first().is_some_and(|integrity| integrity.result.is_ok()) {
            all.push(running(runs, &path));
        }
        Ok(all)
    }
}

impl Database {
    /// Does without the log of the file at `path` where it is lost; false where it is not, and
    /// nothing was changed.
    ///
    /// # Errors
    /// When there is no database, somebody writes to it, or SQLite fails.
    pub fn forget_log(path: &Path) -> Result<bool, StoreError> {
        let forget = || {
            if !connection::exists(path)? {
                return Err(Fault::Missing);
            }
            let lock = Arc::new(WriterLock::take(path)?);
            match owner::refuse_without_its_log(path) {
                Err(Fault::LogElsewhere(_)) => {
                    let mut connection = connect(path, Access::Write)?;
                    let _seen =
                        Candidacy::begin(&mut connection, path, lock, STANDS_STILL, Vec::new())?;
                    owner::clear(&mut connection)?;
                    Ok(true)
                }
                Err(fault) => Err(fault),
                Ok(()) => Ok(false),
            }
        };
        forget().map_err(|fault| fault.at(path))
    }

    /// Packs the file and gives back what is free in it; needs as much room as the file meanwhile.
    ///
    /// # Errors
    /// When `path` is no up-to-date record, another Celaje writes to it, or SQLite fails: the
    /// record is then as it was.
    pub fn vacuum(path: &Path) -> Result<VacuumSizes, StoreError> {
        let vacuum = || {
            if !connection::exists(path)? {
                return Err(Fault::Missing);
            }
            let lock = WriterLock::take(path)?;
            drop(ReadConnection::open_current(path)?);
            let before = size(path);
            let mut connection = connect(path, Access::Write)?;
            let _seen =
                Candidacy::begin(&mut connection, path, Arc::new(lock), STANDS_STILL, Vec::new())?;
            connection::settle(&mut connection)?;
            connection.batch_execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
            drop(connection);
            let after = size(path);
            Ok(VacuumSizes { before, after })
        };
        vacuum().map_err(|fault: Fault| fault.at(path))
    }
}

fn backup(
    (connection, path): (&mut SqliteConnection, &Path),
    to: &Path,
    replace: bool,
) -> Result<Backup, Fault> {
    if !replace && to.exists() {
        return Err(Fault::Taken(to.to_owned()));
    }
    let same = std::fs::canonicalize(to).ok() == std::fs::canonicalize(path).ok();
    if same && to.exists() {
        return Err(Fault::Backup {
            copy: to.to_owned(),
            reason: "the database itself".to_owned(),
        });
    }
    // Only the copy is written.
    connection.batch_execute("PRAGMA query_only = OFF")?;
    let rows = |connection: &mut SqliteConnection| count(connection, "observations");
    let before = rows(connection)?;
    let part = with_suffix(to, &format!(".{}.part", std::process::id()));
    let mut made = None;
    let copied = copy::copy((connection, path), (&part, to), replace, |copied| {
        let observations = rows(copied).map_err(|e| e.to_string())?;
        let misses = count(copied, "misses").map_err(|e| e.to_string())?;
        let wrong = record(copied).into_iter().find_map(|f| f.result.err());
        if let Some(what) = wrong {
            return Err(what.to_string());
        }
        if observations < before {
            return Err(format!("{observations} of {before} rows"));
        }
        made = Some((observations, misses));
        Ok(())
    });
    connection.batch_execute("PRAGMA query_only = ON")?;
    match (copied, made) {
        (Ok(()), Some((observations, misses))) => {
            Ok(Backup { observations, misses, bytes: size(to) })
        }
        (Err(reason), _) => Err(Fault::Backup { copy: to.to_owned(), reason }),
        (Ok(()), None) => Err(Fault::Damaged),
    }
}

fn count(connection: &mut SqliteConnection, from: &str) -> Result<i64, Fault> {
    Ok(sql::<BigInt>(&format!("SELECT count(*) FROM {from}")).get_result(connection)?)
}

/// What must hold of the file and its rows.
fn findings(connection: &mut SqliteConnection) -> Vec<Finding> {
    let integrity = finding("integrity", || {
        let found = connection::damage(connection, false)?;
        if found.is_empty() {
            return Ok(Ok(say!(
                "pages, indices and constraints of the file are sound",
                "las páginas, los índices y las restricciones del archivo están sanos"
            )));
        }
        let list = found.join("; ").replace('\n', " ");
        Ok(Err(say!(
            "the file is damaged: {list}; restore a backup, or recover it with sqlite3's .recover",
            "el archivo está dañado: {list}; restaure una copia, o recupérelo con .recover de \
            sqlite3"
        )))
    });
    let sound = integrity.result.is_ok();
    let mut all = vec![integrity];
    if sound {
        all.extend(record(connection));
    }
    all
}

/// The checks of the rows.
fn record(connection: &mut SqliteConnection) -> Vec<Finding> {
    // The name, the rows that break the rule, and the texts where there are none and some.
    let rules: [(&str, &str, text::Text, text::Text); 6] = [
        (
            "references",
            // Of this program's tables: what refers to what in others is their owner's business.
            "(SELECT 'runs' AS name UNION VALUES ('observations'), ('misses'), ('year_layouts'), \
             ('shadow_observations'), ('celaje_labels'), \
             ('celaje_calibrations')) AS own, pragma_foreign_key_check(own.name)",
            say!(
                "every row belongs to a station and a run",
                "cada fila es de una estación y una corrida"
            ),
            say!(
                "rows whose station or run is not there",
                "filas cuya estación o corrida no existe"
            ),
        ),
        (
            "both",
            "observations JOIN misses USING (station, slot_local)",
            say!(
                "no slot is stored and missed at once",
                "ningún turno está guardado y fallido a la vez"
            ),
            say!(
                "slots that are stored and missed at once",
                "turnos guardados y fallidos a la vez"
            ),
        ),
        (
            "home",
            "(SELECT count(*) AS homes FROM stations WHERE is_home) WHERE homes <> \
             (SELECT count(*) > 0 FROM stations)",
            say!(
                "one station is the home of registro_historico",
                "una estación es la de registro_historico"
            ),
            say!(
                "records without exactly one home station",
                "registros sin exactamente una estación propia"
            ),
        ),
        (
            "ledger",
            "runs WHERE min(total, new, duplicates, missed) < 0 \
             OR new + duplicates + missed > total \
             OR (status = 'finished' AND new + duplicates + missed <> total)",
            say!(
                "the counts of every run add up to its total",
                "las cuentas de cada corrida suman su total"
            ),
            say!(
                "runs whose counts do not add up to their total",
                "corridas cuyas cuentas no suman su total"
            ),
        ),
        (
            "ends",
            "runs WHERE (status = 'running') <> (finished_at IS NULL)",
            say!("every run that ended says when", "cada corrida terminada dice cuándo"),
            say!("runs that do not say when they ended", "corridas que no dicen cuándo terminaron"),
        ),
        (
            "rows",
            "runs \
             LEFT JOIN (SELECT run_id AS id, count(*) AS stored FROM observations GROUP BY run_id) \
             USING (id) \
             LEFT JOIN (SELECT run_id AS id, count(*) AS without FROM misses GROUP BY run_id) \
             USING (id) \
             WHERE status <> 'running' AND (stored > new + duplicates OR without > missed)",
            say!(
                "no run left more rows than it counted",
                "ninguna corrida dejó más filas de las que contó"
            ),
            say!(
                "runs that left more rows than they counted",
                "corridas que dejaron más filas de las que contaron"
            ),
        ),
    ];
    rules
        .into_iter()
        .map(|(name, wrong, holds, fails)| {
            finding(name, || {
                Ok(match count(connection, wrong)? {
                    0 => Ok(holds),
                    n => {
                        let text::Text { en, es } = fails;
                        Err(say!("{en}: {n}", "{es}: {n}"))
                    }
                })
            })
        })
        .collect()
}

/// Whether a run is marked as running while nobody writes to the file.
fn running(runs: Result<i64, Fault>, path: &Path) -> Finding {
    finding("running", || {
        let runs = runs?;
        let holds =
            say!("no run that died is marked as running", "ninguna corrida muerta figura en curso");
        let allowed = match runs {
            0 => 0,
            // The writer marked the dead ones when it began; its own may be several.
            _ if WriterLock::holder(path).is_some() => runs,
            _ => 0,
        };
        Ok(if runs <= allowed {
            Ok(holds)
        } else {
            let dead = runs - allowed;
            Err(say!(
                "runs that died and are marked as running until the next run: {dead}",
                "corridas muertas que figuran en curso hasta la próxima corrida: {dead}"
            ))
        })
    })
}

/// The finding of a check; SQLite's failure counts as a broken rule.
fn finding(
    name: &'static str,
    look: impl FnOnce() -> Result<Result<text::Text, text::Text>, Fault>,
) -> Finding {
    let result = look().unwrap_or_else(|fault| {
        Err(say!("it could not be looked at: {fault}", "no se pudo revisar: {fault}"))
    });
    Finding { name, result }
}

/// Bytes of the file; 0 where it is not there.
fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
