//! Messages of alerts.

use diesel::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::schema::alert_outbox;

/// A message of an alert, on its way or not.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, Queryable, Selectable)]
#[diesel(table_name = alert_outbox)]
pub struct AlertMessage {
    /// Its number.
    pub id: i64,
    /// The alert, by its name.
    pub alert: String,
    /// Station, by its id.
    pub station: String,
    /// The sender, by its id.
    pub sender: String,
    /// What is told, as JSON.
    #[serde(skip)]
    pub message: String,
    /// When it was written, UTC.
    pub created_at: String,
    /// Attempts to send it.
    pub attempts: i32,
    /// `waiting`, `sent` or `dropped`.
    pub status: String,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}
