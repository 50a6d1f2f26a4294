//! Readings of second models.

use diesel::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::{ObservationItem, Reader};
use crate::store::schema::shadow_observations;

/// A second model's reading of a slot.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Queryable, Selectable)]
#[diesel(table_name = shadow_observations)]
#[schemars(rename = "Shadow")]
pub struct ShadowItem {
    /// Station local time.
    #[serde(skip)]
    #[diesel(column_name = slot_local)]
    pub slot: String,
    /// Name and version.
    pub model: String,
    /// 0 to 8, or 9 where the sky cannot be seen.
    pub okta: i32,
    /// 0 to 1.
    pub cloud_fraction: Option<f64>,
    /// 0 to 1.
    pub confidence: Option<f64>,
}

/// A reading, with that of a second model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Latest")]
pub struct LatestReading {
    /// The row.
    #[serde(flatten)]
    pub item: ObservationItem,
    /// The latest of them; none until a second model has judged the picture.
    pub shadow: Option<ShadowItem>,
}

impl Reader {
    /// Readings of second models of the slots from `from` to `to` (as they are stored), ascending.
    pub(crate) fn shadows(
        &mut self,
        station: &str,
        from: &str,
        to: &str,
    ) -> Result<Vec<ShadowItem>, StoreError> {
        self.ask(|connection| {
            shadow_observations::table
                .select(ShadowItem::as_select())
                .filter(shadow_observations::station.eq(station))
                .filter(shadow_observations::slot_local.between(from, to))
                .order(shadow_observations::slot_local.asc())
                .load(connection)
        })
    }

    /// The latest reading of a second model of a slot (as it is stored).
    pub(crate) fn shadow(
        &mut self,
        station: &str,
        slot: &str,
    ) -> Result<Option<ShadowItem>, StoreError> {
        self.ask(|connection| {
            shadow_observations::table
                .select(ShadowItem::as_select())
                .filter(shadow_observations::station.eq(station))
                .filter(shadow_observations::slot_local.eq(slot))
                .order((shadow_observations::created_at.desc(), shadow_observations::model.desc()))
                .first(connection)
                .optional()
        })
    }

    /// The last reading of a station, with that of a second model.
    pub(crate) fn latest_reading(
        &mut self,
        station: &str,
    ) -> Result<Option<LatestReading>, StoreError> {
        let Some(item) = self.latest(station)? else {
            return Ok(None);
        };
        let shadow = self.shadow(station, &item.slot)?;
        Ok(Some(LatestReading { item, shadow }))
    }
}
