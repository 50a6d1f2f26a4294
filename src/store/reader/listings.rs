//! The stations of a record, with what it has of each.

use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::schema::{misses, observations, stations};

/// A station, and how much of it there is.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// First observation, station local time.
    pub first: Option<String>,
    /// Last observation, station local time.
    pub last: Option<String>,
    /// Observations.
    pub observations: i64,
    /// Misses.
    pub misses: i64,
}

impl Reader {
    /// The stations, by id; `minutes` is left to be filled in.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn stations(&mut self) -> Result<Vec<StationItem>, StoreError> {
        type Row = (String, String, f64, f64, String, bool);
        self.ask(|connection| {
            let rows: Vec<Row> = stations::table.order(stations::id.asc()).load(connection)?;
            let mut items = Vec::with_capacity(rows.len());
            for (id, name, latitude, longitude, time_zone, is_home) in rows {
                let own = observations::table.filter(observations::station.eq(&id));
                let edges = (
                    own.select(min(observations::slot_local)).first(connection)?,
                    own.select(max(observations::slot_local)).first(connection)?,
                );
                let counts = (
                    own.select(count_star()).first(connection)?,
                    misses::table
                        .filter(misses::station.eq(&id))
                        .select(count_star())
                        .first(connection)?,
                );
                items.push(StationItem {
                    id,
                    name,
                    latitude,
                    longitude,
                    time_zone,
                    is_home,
                    minutes: None,
                    first: edges.0,
                    last: edges.1,
                    observations: counts.0,
                    misses: counts.1,
                });
            }
            Ok(items)
        })
    }

    /// The ids of the stations.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn station_ids(&mut self) -> Result<Vec<String>, StoreError> {
        self.ask(|connection| {
            stations::table.select(stations::id).order(stations::id.asc()).load(connection)
        })
    }

    /// Whether the record has this station.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn has_station(&mut self, id: &str) -> Result<bool, StoreError> {
        self.ask(|connection| {
            diesel::select(diesel::dsl::exists(stations::table.filter(stations::id.eq(id))))
                .get_result(connection)
        })
    }

    /// The station that the record itself is of: of a replaced system's file that of its rows.
    ///
    /// # Errors
    /// Those of the database.
    pub fn home_station(&mut self) -> Result<Option<String>, StoreError> {
        self.ask(|connection| {
            stations::table
                .filter(stations::is_home.eq(true))
                .select(stations::id)
                .first(connection)
                .optional()
        })
    }
}
