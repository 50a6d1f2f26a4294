//! Rows as diesel writes them, and the texts in which moments are stored.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Timelike, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteValue};
use percent_encoding::percent_decode_str;

use crate::store::calibration::{ModelConfidence, StoredCalibration};
use crate::store::runs::PictureSource;
use crate::store::schema::{misses, observations, stations};
use celaje_sky::layout::Layout;
use celaje_sky::okta::OktaRange;
use celaje_sky::outcome::{Miss, Observation};
use celaje_sky::slot::form_of;
use celaje_sky::station::Station;
use celaje_sky::station::zone::SkyParts;

/// `YYYY-MM-DDTHH:MM`, the form of `slot_local`; with `:SS` where it is no whole minute.
pub fn slot_text(local: NaiveDateTime) -> String {
    local.format(form_of(local)).to_string()
}

/// The last text of a range's slots: those within its last minute included.
pub fn last_text(to: NaiveDateTime) -> String {
    let text = slot_text(to);
    if to.second() == 0 { text + ":59" } else { text }
}

/// `YYYY-MM-DDTHH:MM:SSZ`, the form of `slot_utc`.
pub fn utc_text(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `YYYY-MM-DD HH:MM:SS` in UTC, what SQLite's `CURRENT_TIMESTAMP` writes.
pub fn timestamp(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Reads [`timestamp`]; none when it is no such text.
pub fn parse_timestamp(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(|time| time.and_utc())
}

/// Reads [`slot_text`]; none when it is no such text.
///
/// By hand, for speed: ten years have half a million slots.
pub fn parse_slot(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let shape = matches!(bytes.len(), 16 | 19)
        && bytes.iter().enumerate().all(|(i, b)| match i {
            4 | 7 => *b == b'-',
            10 => *b == b'T',
            13 | 16 => *b == b':',
            _ => b.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let part = |from: usize, to: usize| {
        bytes[from..to].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))
    };
    let year = i32::try_from(part(0, 4)).ok()?;
    let second = match bytes.len() {
        16 => 0,
        // A whole minute has one form.
        _ => Some(part(17, 19)).filter(|second| *second > 0)?,
    };
    NaiveDate::from_ymd_opt(year, part(5, 7), part(8, 10))?.and_hms_opt(
        part(11, 13),
        part(14, 16),
        second,
    )
}

/// A text that another tool may have written: what is no UTF-8 in it is replaced.
#[derive(Clone, Debug, PartialEq, Eq, FromSqlRow)]
#[diesel(sql_type = Nullable<Text>)]
pub struct ForeignText(pub(super) Option<String>);

impl FromSql<Nullable<Text>, Sqlite> for ForeignText {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Some(value.read_text().to_owned())))
    }

    fn from_nullable_sql(value: Option<SqliteValue<'_, '_, '_>>) -> deserialize::Result<Self> {
        value.map_or(Ok(Self(None)), Self::from_sql)
    }
}

impl From<ForeignText> for Option<String> {
    fn from(text: ForeignText) -> Self {
        text.0
    }
}

/// A row of `stations` to be written.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = stations)]
pub(super) struct StationRow<'a> {
    id: &'a str,
    name: &'a str,
    latitude: f64,
    longitude: f64,
    time_zone: String,
}

impl<'a> StationRow<'a> {
    pub(super) fn new(station: &'a Station) -> Self {
        Self {
            id: &station.id,
            name: &station.name,
            latitude: station.latitude,
            longitude: station.longitude,
            time_zone: station.zone.to_string(),
        }
    }
}

/// A row of `observations` to be written. Its statement names every column, so that it is prepared
/// once.
#[derive(Insertable)]
#[diesel(table_name = observations, treat_none_as_default_value = false)]
pub(super) struct ObservationRow<'a> {
    station: &'a str,
    slot_local: &'a str,
    slot_utc: String,
    file_name: String,
    url: &'a str,
    okta: i32,
    cloud_fraction: Option<f64>,
    confidence: Option<f64>,
    category: &'static str,
    description: &'static str,
    quality: String,
    model: &'a str,
    model_sha256: &'a str,
    solar_elevation: f64,
    day_phase: &'static str,
    image_width: i32,
    image_height: i32,
    image_sha256: &'a str,
    created_at: &'a str,
    captured_at: &'a str,
    origin: &'static str,
    run_id: i64,
    taken_at: Option<String>,
    picture_name: Option<String>,
    okta_low: Option<i32>,
    okta_high: Option<i32>,
    calibration_id: Option<i64>,
    model_confidence: Option<f64>,
    model_okta_low: Option<i32>,
    model_okta_high: Option<i32>,
    zenith_fraction: Option<f64>,
    zones: Option<String>,
}

impl<'a> ObservationRow<'a> {
    /// `slot_local` is [`slot_text`] of the observation's slot, `calibration` that of its station
    /// and model, `now` a [`timestamp`].
    pub(super) fn new(
        station: &'a str,
        slot_local: &'a str,
        observation: &'a Observation,
        calibration: Option<&StoredCalibration>,
        now: &'a str,
        run_id: i64,
    ) -> Self {
        let file_name = observation.slot.file_name();
        let own = ModelConfidence {
            confidence: observation.confidence,
            range: observation.range,
            quality: observation.quality.to_string(),
        };
        let shown = calibration.map_or_else(|| own.clone(), |stored| stored.apply(&own));
        let calibrated = calibration.filter(|_| own.confidence.is_some());
        let before = calibrated.and(own.range);
        let low = |range: Option<OktaRange>| range.map(|range| i32::from(range.low().eighths()));
        let high = |range: Option<OktaRange>| range.map(|range| i32::from(range.high().eighths()));
        Self {
            station,
            slot_local,
            slot_utc: utc_text(observation.slot.utc()),
            url: &observation.url,
            okta: i32::from(observation.cover.code()),
            cloud_fraction: observation.cloud_fraction,
            confidence: shown.confidence,
            category: observation.cover.category(),
            description: observation.cover.description(),
            quality: shown.quality,
            model: &observation.model,
            model_sha256: &observation.model_sha256,
            solar_elevation: observation.solar_elevation,
            day_phase: observation.day_phase.as_str(),
            image_width: i32::try_from(observation.width).unwrap_or(i32::MAX),
            image_height: i32::try_from(observation.height).unwrap_or(i32::MAX),
            image_sha256: &observation.image_sha256,
            created_at: now,
            captured_at: slot_local,
            origin: "celaje",
            run_id,
            taken_at: observation.taken_at.map(utc_text),
            picture_name: other_name(&observation.url, &file_name),
            file_name,
            okta_low: low(shown.range),
            okta_high: high(shown.range),
            calibration_id: calibrated.map(|stored| stored.id),
            model_confidence: calibrated.and(own.confidence),
            model_okta_low: low(before),
            model_okta_high: high(before),
            zenith_fraction: observation.parts.zenith,
            zones: zones_text(&observation.parts),
        }
    }
}

/// The name of the file at `url`, where it is not `file_name`.
fn other_name(url: &str, file_name: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let name = percent_decode_str(path.rsplit('/').next()?).decode_utf8_lossy();
    (!name.is_empty() && name != file_name).then(|| name.into_owned())
}

/// The zones' cloud fractions as a JSON object; none without a zone.
fn zones_text(parts: &SkyParts) -> Option<String> {
    (!parts.zones.is_empty()).then(|| serde_json::to_string(&parts.zones).ok()).flatten()
}

/// A row of `misses` to be written.
#[derive(Insertable)]
#[diesel(table_name = misses, treat_none_as_default_value = false)]
pub(super) struct MissRow<'a> {
    station: &'a str,
    slot_local: &'a str,
    slot_utc: String,
    reason: &'static str,
    http_status: Option<i32>,
    attempts: i64,
    detail: &'a str,
    last_tried: &'a str,
    run_id: i64,
    source: &'a str,
    layout: &'static str,
    unasked: Option<&'static str>,
}

impl<'a> MissRow<'a> {
    /// `slot_local` is [`slot_text`] of the miss's slot, `now` a [`timestamp`].
    pub(super) fn new(
        station: &'a str,
        slot_local: &'a str,
        miss: &'a Miss,
        now: &'a str,
        run_id: i64,
        source: &'a PictureSource,
    ) -> Self {
        Self {
            station,
            slot_local,
            slot_utc: utc_text(miss.slot.utc()),
            reason: miss.reason.as_str(),
            http_status: miss.http_status.map(i32::from),
            attempts: i64::from(miss.attempts),
            detail: &miss.detail,
            last_tried: now,
            run_id,
            source: &source.address,
            layout: source.layout.as_str(),
            unasked: miss.unasked.map(Layout::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_whole_slot_texts_parse() {
        for bad in
            ["", "2024-01-01 00:02", "2024-01-01T00:02:00", "2024-02-30T00:02", "2024-01-01T24:02"]
        {
            assert_eq!(parse_slot(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn slot_texts_read_back(quarter in 0..(8_000i64 * 365 * 1440 * 4)) {
            let local = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap()
                + chrono::Duration::seconds(15 * quarter);
            prop_assert_eq!(parse_slot(&slot_text(local)), Some(local));
            let next = local + chrono::Duration::seconds(15);
            prop_assert!(slot_text(local) < slot_text(next));
        }
    }
}
