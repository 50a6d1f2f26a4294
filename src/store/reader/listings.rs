//! The stations of a record, with their counts.

use diesel::deserialize::{self, QueryableByName};
use diesel::prelude::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use diesel::row::NamedRow;
use diesel::sql_types::{BigInt, Bool, Double, Nullable, Text};
use diesel::sqlite::Sqlite;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::schema::{celaje_identity, stations};

/// A station with its counts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Station")]
pub struct StationItem {
    /// The key of its rows.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// IANA name or offset.
    pub time_zone: String,
    /// Whether `registro_historico` shows it.
    pub is_home: bool,
    /// Minutes of an hour at which there is a picture; none where the settings do not name the
    /// station.
    pub minutes: Option<Vec<u32>>,
    /// Whether the settings name the lens of its camera.
    pub has_lens: bool,
    /// Parts of its pictures that the settings name.
    pub zones: Vec<ZoneItem>,
    /// First observation, station local time.
    pub first: Option<String>,
    /// Last observation, station local time.
    pub last: Option<String>,
    /// Observations.
    pub observations: i64,
    /// Misses.
    pub misses: i64,
    /// Last slot that was missed, station local time.
    pub last_miss: Option<String>,
}

/// A part of a station's pictures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Zone")]
pub struct ZoneItem {
    /// Its name, the key of its cloud fraction in an observation's `zones`.
    pub name: String,
    /// Its corners, fractions of the picture's width and height.
    pub polygon: Vec<[f64; 2]>,
}

impl QueryableByName<Sqlite> for StationItem {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        Ok(Self {
            id: NamedRow::get::<Text, _>(row, "id")?,
            name: NamedRow::get::<Text, _>(row, "name")?,
            latitude: NamedRow::get::<Double, _>(row, "latitude")?,
            longitude: NamedRow::get::<Double, _>(row, "longitude")?,
            time_zone: NamedRow::get::<Text, _>(row, "time_zone")?,
            is_home: NamedRow::get::<Bool, _>(row, "is_home")?,
            minutes: None,
            has_lens: false,
            zones: Vec::new(),
            first: NamedRow::get::<Nullable<Text>, _>(row, "first")?,
            last: NamedRow::get::<Nullable<Text>, _>(row, "last")?,
            observations: NamedRow::get::<BigInt, _>(row, "observations")?,
            misses: NamedRow::get::<BigInt, _>(row, "misses")?,
            last_miss: NamedRow::get::<Nullable<Text>, _>(row, "last_miss")?,
        })
    }
}

impl Reader {
    /// The stations, by id; `minutes` is left to be filled in.
    pub(crate) fn stations(&mut self) -> Result<Vec<StationItem>, StoreError> {
        self.ask(|connection| {
            diesel::sql_query(
                "SELECT *, (SELECT min(slot_local) FROM observations WHERE station = id) AS first, \
                     (SELECT max(slot_local) FROM observations WHERE station = id) AS last, \
                     (SELECT count(*) FROM observations WHERE station = id) AS observations, \
                     (SELECT count(*) FROM misses WHERE station = id) AS misses, \
                     (SELECT max(slot_local) FROM misses WHERE station = id) AS last_miss \
                 FROM stations ORDER BY id",
            )
            .load(connection)
        })
    }

    /// The ids of the stations.
    pub(crate) fn station_ids(&mut self) -> Result<Vec<String>, StoreError> {
        self.ask(|connection| {
            stations::table.select(stations::id).order(stations::id.asc()).load(connection)
        })
    }

    /// Whether the record has this station.
    pub(crate) fn has_station(&mut self, id: &str) -> Result<bool, StoreError> {
        self.ask(|connection| {
            diesel::select(diesel::dsl::exists(stations::table.filter(stations::id.eq(id))))
                .get_result(connection)
        })
    }

    /// What others know this record by: a random number of its own.
    pub(crate) fn identity(&mut self) -> Result<String, StoreError> {
        self.ask(|connection| celaje_identity::table.select(celaje_identity::id).first(connection))
    }

    /// The station that `registro_historico` shows.
    pub(crate) fn home_station(&mut self) -> Result<Option<String>, StoreError> {
        self.ask(|connection| {
            stations::table
                .filter(stations::is_home.eq(true))
                .select(stations::id)
                .first(connection)
                .optional()
        })
    }
}
