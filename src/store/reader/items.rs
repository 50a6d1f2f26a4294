//! Observations, row by row.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::connection::DefaultLoadingMode;
use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Nullable};
use diesel::sqlite::Sqlite;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::rows::{ForeignText, last_text, parse_slot, slot_text};
use crate::store::schema::observations;
use celaje_sky::cover::Cover;
use celaje_sky::quality::Flag;
use celaje_sky::station::zone::SkyParts;
use celaje_sky::sun::DayPhase;

/// A condition on the quality of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QualityFilter {
    /// It has no flag that marks a defect.
    Faultless,
    /// It has this flag.
    With(Flag),
}

/// Which readings a query gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingFilter {
    /// Station, by its id.
    pub station: String,
    /// First minute, station local time.
    pub from: NaiveDateTime,
    /// Last minute, included.
    pub to: NaiveDateTime,
    /// Any of these; an empty list lets all through.
    pub quality: Vec<QualityFilter>,
    /// Only of this phase of the day.
    pub phase: Option<DayPhase>,
}

/// A row of `observations`, as the API gives it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Queryable, Selectable)]
#[diesel(table_name = observations)]
pub struct ObservationItem {
    /// Station local time.
    #[diesel(column_name = slot_local)]
    pub slot: String,
    /// The same instant.
    pub slot_utc: Option<String>,
    /// 0 to 8, or 9 where the sky cannot be seen.
    pub okta: i32,
    /// 0 to 1.
    pub cloud_fraction: Option<f64>,
    /// 0 to 1.
    #[diesel(select_expression = confidence(), select_expression_type = Confidence)]
    pub confidence: Option<f64>,
    /// The least okta of the range that holds the true one with a probability of 90 %; null in rows
    /// of other tools and in those of versions before it was computed.
    pub okta_low: Option<i32>,
    /// The greatest.
    pub okta_high: Option<i32>,
    /// `SKC` to `OVC`, `OBSC`.
    #[diesel(deserialize_as = ForeignText)]
    pub category: Option<String>,
    /// The same in Spanish words.
    #[diesel(deserialize_as = ForeignText)]
    pub description: Option<String>,
    /// Flags; none of a reading by day without a defect. Stored with commas between them.
    #[serde(serialize_with = "as_list")]
    #[schemars(with = "Option<Vec<String>>")]
    pub quality: Option<String>,
    /// Name and version.
    #[diesel(deserialize_as = ForeignText)]
    pub model: Option<String>,
    /// Degrees.
    pub solar_elevation: Option<f64>,
    /// `day`, `twilight`, `night`.
    pub day_phase: Option<String>,
    /// Where the picture was.
    #[diesel(deserialize_as = ForeignText)]
    pub url: Option<String>,
    /// Cloud fraction of the cap around the zenith, 0 to 1; none without a lens.
    pub zenith_fraction: Option<f64>,
    /// Cloud fraction of each of the station's zones by its name, 0 to 1; null for a zone in which
    /// no sky is seen. Stored as JSON.
    #[serde(serialize_with = "as_object")]
    #[schemars(with = "Option<BTreeMap<String, Option<f64>>>")]
    pub zones: Option<String>,
    /// When the picture was taken, UTC, where its source says so beside the slot.
    pub taken_at: Option<String>,
    /// The name of the picture's own file, where it is not the one that the slot gives.
    pub picture_name: Option<String>,
}

impl ObservationItem {
    /// Station local time; none where another tool wrote no time.
    pub(crate) fn time(&self) -> Option<NaiveDateTime> {
        parse_slot(&self.slot)
    }

    /// The amount, or that the sky cannot be seen.
    pub(crate) fn cover(&self) -> Option<Cover> {
        u8::try_from(self.okta).ok().and_then(Cover::from_code)
    }

    /// The cloud fractions of parts of the sky.
    pub(crate) fn parts(&self) -> SkyParts {
        let zones = self.zones.as_deref().and_then(|text| serde_json::from_str(text).ok());
        SkyParts { zenith: self.zenith_fraction, zones: zones.unwrap_or_default() }
    }

    /// None until a row that another tool wrote has been completed.
    pub(crate) fn phase(&self) -> Option<DayPhase> {
        let name = self.day_phase.as_deref()?;
        DayPhase::ALL.into_iter().find(|phase| phase.as_str() == name)
    }
}

fn as_list<S: Serializer>(quality: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    match quality.as_deref() {
        None => to.serialize_none(),
        Some(names) => to.collect_seq(names.split(',').filter(|name| !matches!(*name, "" | "ok"))),
    }
}

fn as_object<S: Serializer>(zones: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    let read = |text: &String| serde_json::from_str::<BTreeMap<String, Option<f64>>>(text).ok();
    zones.as_ref().and_then(read).serialize(to)
}

/// A row that was written since the last look.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = observations)]
pub struct NewObservation {
    /// Grows with each row written.
    #[diesel(select_expression = sql("rowid"), select_expression_type = SqlLiteral<BigInt>)]
    pub rowid: i64,
    /// Station, by its id.
    pub station: String,
    /// The row.
    #[diesel(embed)]
    pub item: ObservationItem,
}

pub(super) type Confidence = SqlLiteral<Nullable<Double>>;

/// The confidence of a row of `observations`; none where another tool wrote what is no probability
/// (a percentage, an infinity, a text), which the row keeps.
pub(super) fn confidence() -> Confidence {
    sql("CASE WHEN confidence BETWEEN 0 AND 1 THEN confidence END")
}

type Condition = Box<dyn BoxableExpression<observations::table, Sqlite, SqlType = Nullable<Bool>>>;

impl ReadingFilter {
    /// All readings of a station from one minute to another.
    pub(crate) fn all(station: &str, (from, to): (NaiveDateTime, NaiveDateTime)) -> Self {
        Self { station: station.to_owned(), from, to, quality: Vec::new(), phase: None }
    }

    pub(super) fn condition(&self) -> Condition {
        let mut all: Condition = Box::new(
            observations::station
                .eq(self.station.clone())
                .and(observations::slot_local.between(slot_text(self.from), last_text(self.to)))
                .nullable(),
        );
        if let Some(phase) = self.phase {
            all = Box::new(all.and(observations::day_phase.eq(phase.as_str())));
        }
        let mut any: Option<Condition> = None;
        for quality in &self.quality {
            let one: Condition = match quality {
                QualityFilter::Faultless => {
                    Box::new(observations::quality.eq_any(["ok", "twilight", "night"]))
                }
                // No flag's name is part of another's.
                QualityFilter::With(flag) => {
                    Box::new(observations::quality.like(format!("%{}%", flag.as_str())))
                }
            };
            any = Some(match any {
                None => one,
                Some(before) => Box::new(before.or(one)),
            });
        }
        match any {
            None => all,
            Some(any) => Box::new(all.and(any)),
        }
    }
}

impl Reader {
    /// Hands the readings to `take`, ascending, `most` of them at most.
    pub(crate) fn observations(
        &mut self,
        filter: &ReadingFilter,
        most: usize,
        mut take: impl FnMut(ObservationItem),
    ) -> Result<(), StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            observations::table
                .select(ObservationItem::as_select())
                .filter(filter.condition())
                .order(observations::slot_local.asc())
                .limit(most)
                .load_iter::<ObservationItem, DefaultLoadingMode>(connection)?
                .try_for_each(|row| row.map(&mut take))
        })
    }

    /// The amounts that were read in a range, ascending by their slots. A picture of an earlier
    /// slot says nothing of its own.
    pub fn covers(
        &mut self,
        station: &str,
        (from, to): (NaiveDateTime, NaiveDateTime),
    ) -> Result<Vec<(NaiveDateTime, Cover)>, StoreError> {
        self.ask(|connection| {
            let rows = observations::table
                .select((observations::slot_local, observations::okta))
                .filter(observations::station.eq(station))
                .filter(observations::slot_local.between(slot_text(from), last_text(to)))
                .filter(
                    observations::quality
                        .not_like(format!("%{}%", Flag::Frozen.as_str()))
                        .or(observations::quality.is_null()),
                )
                .order(observations::slot_local.asc())
                .load_iter::<(String, i32), DefaultLoadingMode>(connection)?;
            let cover = |(slot, okta): (String, i32)| {
                Some((parse_slot(&slot)?, Cover::from_code(u8::try_from(okta).ok()?)?))
            };
            rows.filter_map(|row| row.map(cover).transpose()).collect()
        })
    }

    /// The last reading of a station.
    pub(crate) fn latest(&mut self, station: &str) -> Result<Option<ObservationItem>, StoreError> {
        self.ask(|connection| {
            observations::table
                .select(ObservationItem::as_select())
                .filter(observations::station.eq(station))
                .order(observations::slot_local.desc())
                .first(connection)
                .optional()
        })
    }

    /// The readings of a station's live runs and of what they caught up with, from a minute of its
    /// clock on, ascending.
    pub(crate) fn live_observations(
        &mut self,
        station: &str,
        from: NaiveDateTime,
    ) -> Result<Vec<ObservationItem>, StoreError> {
        self.ask(|connection| {
            observations::table
                .select(ObservationItem::as_select())
                .filter(observations::station.eq(station))
                .filter(observations::slot_local.ge(slot_text(from)))
                .filter(sql::<Bool>("run_id IN (SELECT id FROM runs WHERE kind <> 'backfill')"))
                .order(observations::slot_local.asc())
                .load(connection)
        })
    }

    /// The reading of a slot.
    pub(crate) fn observation(
        &mut self,
        station: &str,
        slot: NaiveDateTime,
    ) -> Result<Option<ObservationItem>, StoreError> {
        self.ask(|connection| {
            observations::table
                .select(ObservationItem::as_select())
                .filter(observations::station.eq(station))
                .filter(observations::slot_local.eq(slot_text(slot)))
                .first(connection)
                .optional()
        })
    }

    /// The last of a station's slots from one minute to another whose reading the replaced system,
    /// or another tool, wrote.
    pub(crate) fn last_replaced(
        &mut self,
        station: &str,
        (from, to): (NaiveDateTime, NaiveDateTime),
    ) -> Result<Option<NaiveDateTime>, StoreError> {
        let last: Option<String> = self.ask(|connection| {
            observations::table
                .select(observations::slot_local)
                .filter(observations::station.eq(station))
                .filter(observations::slot_local.between(slot_text(from), slot_text(to)))
                // The words of the index `observations_of_others`.
                .filter(sql::<Bool>("origin <> 'celaje'"))
                .order(observations::slot_local.desc())
                .first(connection)
                .optional()
        })?;
        Ok(last.and_then(|slot| parse_slot(&slot)))
    }

    /// The rows written after `rowid`, of all stations, in the order in which they were written.
    pub(crate) fn written_after(
        &mut self,
        rowid: i64,
        most: usize,
    ) -> Result<Vec<NewObservation>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.ask(|connection| {
            observations::table
                .select(NewObservation::as_select())
                .filter(sql::<Bool>("rowid > ").bind::<BigInt, _>(rowid))
                .order(sql::<BigInt>("rowid"))
                .limit(most)
                .load(connection)
        })
    }

    /// The greatest `rowid` of the readings; 0 when there is none.
    pub(crate) fn last_rowid(&mut self) -> Result<i64, StoreError> {
        self.ask(|connection| {
            sql::<BigInt>("SELECT coalesce(max(rowid), 0) FROM observations").get_result(connection)
        })
    }
}
