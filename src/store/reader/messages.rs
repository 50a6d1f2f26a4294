//! Where alerts stand, and their messages.

use diesel::dsl::count_star;
use diesel::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::schema::{alert_outbox, alert_states};

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

/// Where an alert of a station stands.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = alert_states)]
pub struct AlertStanding {
    /// The alert, by its name.
    pub alert: String,
    /// Station, by its id.
    pub station: String,
    /// Whether it has fired and is not armed yet.
    pub fired: bool,
    /// Since when, UTC.
    pub since: String,
    /// When something was last told, UTC.
    pub sent_at: Option<String>,
}

/// How many messages of an alert of a station have a status.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct MessageCount {
    /// The alert, by its name.
    pub alert: String,
    /// Station, by its id.
    pub station: String,
    /// `waiting`, `sent` or `dropped`.
    pub status: String,
    /// How many.
    pub n: i64,
}

impl Reader {
    /// Where all alerts stand that were ever judged.
    pub(crate) fn alert_standings(&mut self) -> Result<Vec<AlertStanding>, StoreError> {
        self.ask(|connection| {
            alert_states::table.select(AlertStanding::as_select()).load(connection)
        })
    }

    /// The messages that are kept, counted.
    pub(crate) fn alert_message_counts(&mut self) -> Result<Vec<MessageCount>, StoreError> {
        self.ask(|connection| {
            let of = (alert_outbox::alert, alert_outbox::station, alert_outbox::status);
            alert_outbox::table
                .group_by(of)
                .select((
                    alert_outbox::alert,
                    alert_outbox::station,
                    alert_outbox::status,
                    count_star(),
                ))
                .load(connection)
        })
    }
}
