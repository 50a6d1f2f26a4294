//! Where alerts stand, and their messages on the way.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::store::Database;
use crate::store::error::StoreError;
use crate::store::reader::{AlertMessage, Reader};
use crate::store::rows::{parse_timestamp, timestamp};
use crate::store::schema::{alert_outbox, alert_states};
use celaje_sky::alert::AlertState;
use celaje_sky::say;

/// Messages that are kept after they were sent or dropped.
const KEPT: i64 = 500;
/// Messages of a sender that wait; of more the oldest are dropped.
pub const MOST_WAITING: i64 = 50;

/// Where an alert of a station stands from now on, and what is told.
#[derive(Clone, Debug)]
pub struct AlertChange<'a> {
    /// Its name in the settings.
    pub alert: &'a str,
    /// Station, by its id.
    pub station: &'a str,
    /// Where it stands.
    pub state: AlertState,
    /// The moment.
    pub now: DateTime<Utc>,
    /// What is told, as JSON, to these senders.
    pub message: Option<(&'a str, &'a [String])>,
    /// The alerts whose waiting messages of this station the message makes worthless.
    pub contradicts: &'a [&'a str],
}

/// How an attempt to send a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It arrived.
    Sent,
    /// It is tried again at this moment; why it failed.
    Again(DateTime<Utc>, String),
    /// It is given up; why it failed.
    Dropped(String),
}

impl Database {
    /// Writes where an alert stands and its message, both or neither. Gives how many older messages
    /// were dropped, since too many wait.
    pub fn write_alert(&mut self, change: &AlertChange<'_>) -> Result<usize, StoreError> {
        let AlertChange { alert, station, state, now, message, contradicts } = change;
        let now = timestamp(*now);
        let values = (
            alert_states::alert.eq(*alert),
            alert_states::station.eq(*station),
            alert_states::fired.eq(state.fired),
            alert_states::since.eq(timestamp(state.since)),
            alert_states::judged_to.eq(timestamp(state.judged_to)),
            alert_states::sent_at.eq(state.sent_at.map(timestamp)),
        );
        let write = |connection: &mut SqliteConnection| {
            diesel::replace_into(alert_states::table).values(values).execute(connection)?;
            let (text, senders) = message.unwrap_or(("", &[]));
            let mut dropped = 0;
            for sender in senders {
                withdraw(connection, sender, station, contradicts)?;
                diesel::insert_into(alert_outbox::table)
                    .values((
                        alert_outbox::alert.eq(*alert),
                        alert_outbox::station.eq(*station),
                        alert_outbox::sender.eq(sender),
                        alert_outbox::message.eq(text),
                        alert_outbox::created_at.eq(&now),
                        alert_outbox::next_try.eq(&now),
                    ))
                    .execute(connection)?;
                dropped += drop_oldest(connection, sender)?;
            }
            Ok(dropped)
        };
        self.ownership
            .transaction(&mut self.connection, write)
            .map_err(|fault| fault.at(&self.path))
    }

    /// Writes how an attempt to send a message ended.
    pub fn settle_message(&mut self, id: i64, outcome: &SendOutcome) -> Result<(), StoreError> {
        let now = self.dated();
        let (status, next_try, error) = match outcome {
            SendOutcome::Sent => ("sent", now, None),
            SendOutcome::Again(at, why) => ("waiting", timestamp(*at), Some(why)),
            SendOutcome::Dropped(why) => ("dropped", now, Some(why)),
        };
        let write = |connection: &mut SqliteConnection| {
            // What was dropped meanwhile waits no more.
            let is_sent = (status == "sent").into_sql::<Bool>();
            let open = alert_outbox::status.eq("waiting").or(is_sent);
            diesel::update(alert_outbox::table.filter(alert_outbox::id.eq(id).and(open)))
                .set((
                    alert_outbox::attempts.eq(alert_outbox::attempts + 1),
                    alert_outbox::status.eq(status),
                    alert_outbox::next_try.eq(next_try),
                    alert_outbox::last_error.eq(error),
                ))
                .execute(connection)?;
            let old = alert_outbox::id.lt(id - KEPT).and(alert_outbox::status.ne("waiting"));
            diesel::delete(alert_outbox::table.filter(old)).execute(connection)?;
            Ok(())
        };
        self.ownership
            .transaction(&mut self.connection, write)
            .map_err(|fault| fault.at(&self.path))
    }
}

/// Drops what waits for a sender of these alerts of a station: the last message that arrives must
/// not be an older one that is no longer true.
fn withdraw(
    connection: &mut SqliteConnection,
    sender: &str,
    station: &str,
    alerts: &[&str],
) -> QueryResult<usize> {
    let waiting = alert_outbox::sender.eq(sender).and(alert_outbox::status.eq("waiting"));
    let theirs = alert_outbox::station.eq(station).and(alert_outbox::alert.eq_any(alerts));
    let why = say!("a newer message takes its place", "un mensaje más nuevo ocupa su lugar");
    diesel::update(alert_outbox::table.filter(waiting.and(theirs)))
        .set((alert_outbox::status.eq("dropped"), alert_outbox::last_error.eq(why.to_string())))
        .execute(connection)
}

/// Drops what waits for a sender beyond the bound; gives how many.
fn drop_oldest(connection: &mut SqliteConnection, sender: &str) -> QueryResult<usize> {
    let waiting = alert_outbox::sender.eq(sender).and(alert_outbox::status.eq("waiting"));
    let too_many: Vec<i64> = alert_outbox::table
        .filter(waiting)
        .order(alert_outbox::id.desc())
        .offset(MOST_WAITING)
        .limit(i64::MAX)
        .select(alert_outbox::id)
        .load(connection)?;
    let why = say!(
        "{MOST_WAITING} newer messages wait for this sender",
        "{MOST_WAITING} mensajes más nuevos esperan a este remitente"
    );
    diesel::update(alert_outbox::table.filter(alert_outbox::id.eq_any(too_many)))
        .set((alert_outbox::status.eq("dropped"), alert_outbox::last_error.eq(why.to_string())))
        .execute(connection)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = alert_states)]
struct AlertStateRow {
    fired: bool,
    since: String,
    judged_to: String,
    sent_at: Option<String>,
}

impl Reader {
    /// Where an alert stands; none where it was never judged.
    pub(crate) fn alert_state(
        &mut self,
        alert: &str,
        station: &str,
    ) -> Result<Option<AlertState>, StoreError> {
        let row = self.ask(|connection| {
            alert_states::table
                .find((alert, station))
                .select(AlertStateRow::as_select())
                .first(connection)
                .optional()
        })?;
        Ok(row.and_then(|row| {
            Some(AlertState {
                fired: row.fired,
                since: parse_timestamp(&row.since)?,
                judged_to: parse_timestamp(&row.judged_to)?,
                sent_at: row.sent_at.as_deref().and_then(parse_timestamp),
            })
        }))
    }

    /// Messages that are due at `now`, the oldest first.
    pub(crate) fn due_messages(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Vec<AlertMessage>, StoreError> {
        self.ask(|connection| {
            alert_outbox::table
                .filter(alert_outbox::status.eq("waiting"))
                .filter(alert_outbox::next_try.le(timestamp(now)))
                .order(alert_outbox::id.asc())
                .select(AlertMessage::as_select())
                .load(connection)
        })
    }

    /// The last messages, the newest first.
    pub(crate) fn alert_messages(&mut self, most: i64) -> Result<Vec<AlertMessage>, StoreError> {
        self.ask(|connection| {
            alert_outbox::table
                .order(alert_outbox::id.desc())
                .limit(most)
                .select(AlertMessage::as_select())
                .load(connection)
        })
    }
}
