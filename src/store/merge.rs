//! Merging: the rows of other files of this program become rows of this one.
//!
//! Of two rows of one key the newer one stays, by the moment at which it was written, then by an
//! order of everything in it: what comes out does not depend on the order of the files, and a file
//! that comes twice changes nothing. Runs are known by their `uid`. A source is attached to the
//! writing connection and read only.

mod table;

use std::path::{Path, PathBuf};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text};

use crate::store::connection::{self, FileKind, damage};
use crate::store::error::{Fault, StoreError};
use crate::store::merge::table::{LEGACY, MISSES, NAMELESS, OBSERVATIONS, OTHERS, PARENTS, Table};
use crate::store::place::FileIdentity;
use crate::store::unwritable::ReadConnection;
use crate::store::{Database, calibration, completion, frozen};
use celaje_sky::slot::Zone;
use celaje_sky::station::Station;

/// What came of merging a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Readings of slots that had none.
    pub new: u64,
    /// Readings that took the place of older ones.
    pub replaced: u64,
    /// Readings that were not taken: the one that was there is as new.
    pub kept: u64,
    /// Misses that were taken.
    pub misses: u64,
    /// Rows of the replaced system that were not taken.
    pub left: Option<LegacyLeft>,
}

/// Rows of the replaced system that belong to the home station of their file, which is not that of
/// the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyLeft {
    /// Their number.
    pub rows: i64,
    /// The home station of their file.
    pub home: String,
}

impl MergeReport {
    /// Adds the counts of another file.
    pub fn add(&mut self, other: &Self) {
        self.new += other.new;
        self.replaced += other.replaced;
        self.kept += other.kept;
        self.misses += other.misses;
    }
}

/// A station as a file describes it.
#[derive(QueryableByName)]
struct StationPlaceRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Double)]
    latitude: f64,
    #[diesel(sql_type = Double)]
    longitude: f64,
    #[diesel(sql_type = Text)]
    time_zone: String,
    #[diesel(sql_type = Bool)]
    is_home: bool,
}

impl StationPlaceRow {
    fn is_at_the_place_of(&self, other: &Self) -> bool {
        (self.latitude, self.longitude, &self.time_zone)
            == (other.latitude, other.longitude, &other.time_zone)
    }

    fn station(&self) -> Result<Station, Fault> {
        let zone: Result<Zone, _> = self.time_zone.parse();
        let unknown = || Fault::CannotOpen(format!("unknown time zone {}", self.time_zone));
        Ok(Station {
            id: self.id.clone(),
            name: self.name.clone(),
            latitude: self.latitude,
            longitude: self.longitude,
            zone: zone.map_err(|_| unknown())?,
            ..Station::rio_grande()
        })
    }
}

/// A file, and the stations that it describes.
struct Described {
    path: PathBuf,
    stations: Vec<StationPlaceRow>,
    /// Whether it has rows of the replaced system that are no reading.
    has_legacy_rows: bool,
}

impl Described {
    fn home(&self) -> Option<&StationPlaceRow> {
        self.stations.iter().find(|station| station.is_home)
    }

    fn read(path: &Path, connection: &mut SqliteConnection) -> QueryResult<Self> {
        let stations = "SELECT * FROM stations ORDER BY id";
        let legacy = sql::<Bool>("SELECT EXISTS (SELECT 1 FROM legacy_rows)");
        Ok(Self {
            path: path.to_owned(),
            stations: diesel::sql_query(stations).load(connection)?,
            has_legacy_rows: legacy.get_result(connection)?,
        })
    }

    /// A file whose rows are to be merged into the one at `into`.
    fn source(path: &Path, into: &Path) -> Result<Self, Fault> {
        let identity = |path| FileIdentity::at(path).ok();
        if identity(path).is_some() && identity(path) == identity(into) {
            return Err(Fault::Itself);
        }
        Ok(Self::read(path, &mut open_source(path)?.connection)?)
    }

    /// The file that others are merged into; none where it is still to be made.
    fn target(path: &Path) -> Result<Option<Self>, Fault> {
        if !connection::exists(path)? {
            return Ok(None);
        }
        let mut read = ReadConnection::open(path)?;
        match read.kind {
            FileKind::New => Ok(None),
            FileKind::Replaced => Err(Fault::Outdated),
            _ => Ok(Some(Self::read(path, &mut read.connection)?)),
        }
    }
}

/// A file whose rows are to be merged: of today's form, since what is older has no `uid`.
fn open_source(path: &Path) -> Result<ReadConnection, Fault> {
    let read = ReadConnection::open_current(path)?;
    match read.kind {
        FileKind::Current => Ok(read),
        _ => Err(Fault::Outdated),
    }
}

/// The home station of a new file: the first by id of those that are home in a source, of sources
/// with rows of the replaced system where there are any. Their order has no say.
fn home_of(sources: &[Described]) -> Option<&StationPlaceRow> {
    let first = |legacy: bool| {
        let asked = sources.iter().filter(|source| source.has_legacy_rows || !legacy);
        asked.filter_map(Described::home).min_by(|a, b| a.id.cmp(&b.id))
    };
    first(true).or_else(|| first(false))
}

/// # Errors
/// [`Fault::Elsewhere`] when two files have a station in different places: one id may be that of
/// two cameras, and slots of another time zone are other moments.
fn refuse_two_places(files: &[&Described]) -> Result<(), StoreError> {
    for (n, file) in files.iter().enumerate() {
        for other in &files[..n] {
            let differs = |one: &&StationPlaceRow| {
                let same = other.stations.iter().find(|there| there.id == one.id);
                same.is_some_and(|there| !there.is_at_the_place_of(one))
            };
            if let Some(found) = file.stations.iter().find(differs) {
                let fault =
                    Fault::Elsewhere { station: found.id.clone(), other: other.path.clone() };
                return Err(fault.at(&file.path));
            }
        }
    }
    Ok(())
}

fn execute(connection: &mut SqliteConnection, statement: &str) -> QueryResult<u64> {
    diesel::sql_query(statement).execute(connection).map(|rows| rows as u64)
}

fn count(connection: &mut SqliteConnection, from: &str) -> QueryResult<i64> {
    sql::<BigInt>(&format!("SELECT count(*) FROM {from}")).get_result(connection)
}

impl Database {
    /// Merges the files at `sources` into the one at `into`, which is made where there is none.
    /// `tell` is called with what came of each; the sum is the answer. `keep`: a row that is there
    /// stays, however old it is.
    ///
    /// Not taken: where alerts stand, and what others know a file by.
    ///
    /// # Errors
    /// When a file cannot be read as it is, or the one cannot be written. Which stations there are
    /// is looked at before anything is written; each transaction leaves a valid record.
    pub fn merge(
        into: &Path,
        sources: &[PathBuf],
        keep: bool,
        mut tell: impl FnMut(&Path, &MergeReport),
    ) -> Result<MergeReport, StoreError> {
        let target = Described::target(into).map_err(|fault| fault.at(into))?;
        let mut described = Vec::with_capacity(sources.len());
        for path in sources {
            let source = Described::source(path, into).map_err(|fault| fault.at(path))?;
            described.push(source);
        }
        let all: Vec<&Described> = target.iter().chain(&described).collect();
        refuse_two_places(&all)?;
        let home = target.as_ref().and_then(Described::home).or_else(|| home_of(&described));
        let station = home.ok_or(Fault::Empty).and_then(StationPlaceRow::station);
        let station = station.map_err(|fault| fault.at(into))?;
        let mut database = Self::open(into, &station)?.database;
        let mut total = MergeReport::default();
        for source in &described {
            let report = database.merge_one(source, &station.id, keep)?;
            total.add(&report);
            tell(&source.path, &report);
        }
        Ok(total)
    }

    fn merge_one(
        &mut self,
        source: &Described,
        home: &str,
        keep: bool,
    ) -> Result<MergeReport, StoreError> {
        let mut read = open_source(&source.path).map_err(|fault| fault.at(&source.path))?;
        connection::attach(&mut self.connection, &source.path, read.access)
            .map_err(|fault| fault.at(&source.path))?;
        let merged = self.merge_attached(source, &read, home, keep);
        self.calibrations = calibration::CalibrationCache::default();
        let detached = connection::detach(&mut self.connection);
        match merged {
            // Which of the two is damaged?
            Err(StoreError { fault: Fault::Damaged, .. })
                if damage(&mut read.connection, true).is_ok_and(|found| !found.is_empty()) =>
            {
                Err(Fault::Damaged.at(&source.path))
            }
            Ok(report) => detached.map(|()| report).map_err(|fault| fault.at(&self.path)),
            Err(error) => Err(error),
        }
    }

    fn merge_attached(
        &mut self,
        source: &Described,
        read: &ReadConnection,
        home: &str,
        keep: bool,
    ) -> Result<MergeReport, StoreError> {
        let mut report = MergeReport::default();
        let their_home = source.home().map(|station| station.id.as_str());
        let mut tables = vec![OBSERVATIONS, MISSES];
        tables.extend(OTHERS);
        let is_home = their_home == Some(home);
        if is_home {
            tables.push(LEGACY);
        }
        for table in &tables {
            let mut after = None;
            loop {
                let (end, part) = self.merge_part(table, (source, read), after.as_deref(), keep)?;
                report.add(&part);
                after = end;
                if after.is_none() {
                    break;
                }
            }
        }
        let left = self.transact((source, read), |connection| {
            completion::complete(connection)?;
            if is_home {
                execute(connection, NAMELESS)?;
                return Ok(0);
            }
            Ok(count(connection, "source.legacy_rows")?)
        })?;
        let home = their_home.unwrap_or_default().to_owned();
        report.left = (left > 0).then_some(LegacyLeft { rows: left, home });
        Ok(report)
    }

    /// Takes the rows of a table behind `after`, as many as a transaction takes. Where it ended, if
    /// there may be more, and what came of it.
    fn merge_part(
        &mut self,
        table: &Table,
        from: (&Described, &ReadConnection),
        after: Option<&str>,
        keep: bool,
    ) -> Result<(Option<String>, MergeReport), StoreError> {
        self.transact(from, |connection| {
            for statement in PARENTS.iter().skip(usize::from(keep)) {
                execute(connection, statement)?;
            }
            let end = table.end(connection, after)?;
            let part = table.part(after, end.as_deref());
            let replaced = if keep { 0 } else { table.remove_older(connection, &part)? };
            let before: Option<i64> = match table.name {
                "observations" => sql::<Nullable<BigInt>>("SELECT max(rowid) FROM observations")
                    .get_result(connection)?,
                _ => None,
            };
            let added = table.add(connection, &part)?;
            let mut report = MergeReport::default();
            match table.name {
                "observations" => {
                    settle_flags(connection, before.unwrap_or(0))?;
                    let all = count(connection, &format!("source.observations AS s WHERE {part}"))?;
                    report.new = added.saturating_sub(replaced);
                    report.replaced = replaced;
                    report.kept = u64::try_from(all).unwrap_or(0).saturating_sub(added);
                }
                "misses" => report.misses = added,
                _ => {}
            }
            Ok((end, report))
        })
    }

    /// One transaction, undone where the source was exchanged or changed meanwhile.
    fn transact<T>(
        &mut self,
        (source, read): (&Described, &ReadConnection),
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut is_displaced = false;
        let done = self.ownership.transaction(&mut self.connection, |connection| {
            let done = work(connection)?;
            is_displaced = read.is_displaced(&source.path);
            if is_displaced { Err(Fault::Busy) } else { Ok(done) }
        });
        let path = if is_displaced { &source.path } else { &self.path };
        done.map_err(|fault| fault.at(path))
    }
}

/// Sets the flag `frozen` of the rows that were written after the row `before`, and of the row
/// after each: at a seam of two files, a picture may be that of the other file's last one.
fn settle_flags(connection: &mut SqliteConnection, before: i64) -> QueryResult<()> {
    let written: Vec<(String, String)> = sql::<(Text, Text)>(&format!(
        "SELECT station, json_group_array(slot_local) FROM observations WHERE rowid > {before} \
         GROUP BY station"
    ))
    .load(connection)?;
    for (station, slots) in written {
        frozen::settle(connection, &station, &slots)?;
    }
    Ok(())
}
