//! People are told of the sky: rules are judged from the live readings, what is told is written to
//! the record's outbox together with where the alert stands, and sent from there.
//!
//! A program that is killed between the two neither repeats nor loses: it goes on from the record.
//! Only a message that was under way at that moment may come twice.

mod mail;
mod message;
mod webhook;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::daemon::mqtt;
use crate::daemon::recent::{RecentReadings, reading_of};
use crate::settings::alerts::{AlertSettings, SenderKind, SenderSettings};
use crate::store::error::StoreError;
use crate::store::reader::{AlertMessage, Reader};
use crate::store::{AlertChange, SendOutcome, SharedDatabase};
use celaje_sky::alert::{AlertState, AlertView};
use celaje_sky::error::{Failure, Result};
use celaje_sky::safety::SkyReading;
use celaje_sky::say;
use celaje_sky::station::Station;

pub use message::AlertText;

/// Messages that are sent at once.
const AT_ONCE: i64 = 8;
/// The pauses after failed attempts; after the last one a message is dropped. 30 minutes in all.
const PAUSES: [i64; 4] = [30, 150, 420, 1200];
/// A service that asks for a longer pause is not waited for.
const LONGEST_PAUSE: i64 = 1800;

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSent {
    /// In a sentence without secrets.
    pub why: String,
    /// The pause that the service asks for, seconds.
    pub retry_after: Option<i64>,
}

impl NotSent {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), retry_after: None }
    }
}

/// Sends a message, once.
///
/// # Errors
/// When it did not arrive.
pub async fn send(sender: &SenderSettings, text: &AlertText) -> Result<(), NotSent> {
    match &sender.kind {
        SenderKind::Webhook { .. } => webhook::send(&sender.kind, text).await,
        SenderKind::Mail { .. } => mail::send(&sender.kind, text).await,
        SenderKind::Mqtt(broker) => {
            let message = serde_json::to_string(text).unwrap_or_default();
            let told = mqtt::publish_event(broker, &text.station, message).await;
            told.map_err(|failure| NotSent::because(failure.to_string()))
        }
    }
}

/// Sends a message that says that it is a test.
///
/// # Errors
/// When it did not arrive.
pub async fn send_test(sender: &SenderSettings, page: Option<&str>) -> Result<()> {
    send(sender, &AlertText::test(page)).await.map_err(|failed| {
        let (id, why) = (&sender.id, failed.why);
        Failure::environment(say!(
            "the test message to '{id}' did not arrive: {why}",
            "el mensaje de prueba a '{id}' no llegó: {why}"
        ))
    })
}

/// Judges the alerts of all stations and sends what they tell.
pub struct AlertKeeper {
    pub db: PathBuf,
    pub database: SharedDatabase,
    pub recent: Arc<RecentReadings>,
    pub alerts: Vec<AlertSettings>,
    pub senders: Vec<SenderSettings>,
    /// The address of this server's pages.
    pub page: Option<String>,
    pub clock: Clock,
    /// Time between two looks.
    pub period: Duration,
}

/// An alert of a station.
type AlertKey = (String, String);

/// Where the alerts stand, as the record says.
#[derive(Default)]
struct KnownStates(HashMap<AlertKey, Option<AlertState>>);

impl AlertKeeper {
    /// Works until `end`.
    pub async fn keep(self, end: CancellationToken) {
        let keeper = Arc::new(self);
        let mut known = KnownStates::default();
        let mut troubled = false;
        loop {
            let (judging, states) = (Arc::clone(&keeper), std::mem::take(&mut known));
            let judged = tokio::task::spawn_blocking(move || judging.judge(states)).await;
            let due = match judged {
                Ok((states, Ok(due))) => {
                    (known, troubled) = (states, false);
                    due
                }
                Ok((_, Err(error))) => {
                    // What is known is read anew: it may not have been written.
                    if !std::mem::replace(&mut troubled, true) {
                        tracing::error!(%error, "alerts: the record cannot be used");
                    }
                    Vec::new()
                }
                Err(_) => {
                    tracing::error!("alerts: the rules failed");
                    Vec::new()
                }
            };
            let sends = due.iter().map(|message| keeper.deliver(message));
            tokio::select! {
                // A message that is cut off here is sent again after the next start.
                () = end.cancelled() => return,
                _ = join_all(sends) => {}
            }
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(keeper.period) => {}
            }
        }
    }

    /// Judges every alert, and gives the messages that are due.
    fn judge(
        &self,
        mut known: KnownStates,
    ) -> (KnownStates, Result<Vec<AlertMessage>, StoreError>) {
        let due = Reader::open(&self.db).and_then(|mut reader| {
            for station in self.recent.stations() {
                self.judge_station(&mut reader, &station, &mut known)?;
            }
            reader.due_messages(self.clock.now(), AT_ONCE)
        });
        (known, due)
    }

    fn judge_station(
        &self,
        reader: &mut Reader,
        station: &Station,
        known: &mut KnownStates,
    ) -> Result<(), StoreError> {
        let alerts = self.alerts.iter().filter(|alert| alert.is_of(station));
        let rules: Vec<_> = alerts.map(|alert| (alert, alert.rule(station))).collect();
        let Some(longest) = rules.iter().map(|(_, rule)| rule.over.max(rule.slot * 3)).max() else {
            return Ok(());
        };
        let now = self.clock.now();
        // An hour more, for a clock that was changed.
        let from = station.zone.local(now - longest - TimeDelta::hours(1));
        let items = reader.live_observations(&station.id, from)?;
        let mut readings: Vec<SkyReading> = items.iter().filter_map(reading_of).collect();
        readings.sort_by_key(|reading| reading.at);
        for (alert, rule) in rules {
            let Some(safety) = self.recent.safety(&station.id) else {
                continue;
            };
            let view = AlertView {
                readings: &readings,
                safety,
                sun_allows: rule.only.holds(station.sun_elevation(now)),
                sun_allows_then: rule.only.holds(station.sun_elevation(now + rule.not_before_end)),
                now,
            };
            let key = (alert.name.clone(), station.id.clone());
            let before = match known.0.get(&key) {
                Some(before) => *before,
                None => reader.alert_state(&alert.name, &station.id)?,
            };
            let (next, tells) = rule.judge(before, &view);
            if let Some(state) = next
                && (tells || is_news(before, state))
            {
                let text = tells.then(|| {
                    let last = readings.iter().rev().find(|reading| reading.at <= now);
                    AlertText::new(alert, station, last, safety.reason, now, self.page.as_deref())
                });
                let text = text.map(|text| serde_json::to_string(&text).unwrap_or_default());
                let message = text.as_deref().map(|text| (text, alert.to.as_slice()));
                let (name, id) = (&alert.name, &station.id);
                let change = AlertChange { alert: name, station: id, state, now, message };
                self.database.seen_from(id, |database| database.write_alert(&change))??;
            }
            known.0.insert(key, next);
        }
        Ok(())
    }

    /// Tries to send a message, and writes how that ended.
    async fn deliver(&self, message: &AlertMessage) {
        let sender = self.senders.iter().find(|sender| sender.id == message.sender);
        let text = serde_json::from_str::<AlertText>(&message.message);
        let sent = match (sender, text) {
            (Some(sender), Ok(text)) => send(sender, &text).await,
            _ => Err(NotSent::because("the settings have no such sender any more")),
        };
        let outcome = match sent {
            Ok(()) => SendOutcome::Sent,
            Err(failed) => {
                let (alert, to, why) = (&message.alert, &message.sender, &failed.why);
                let attempt = usize::try_from(message.attempts).unwrap_or(0);
                match PAUSES.get(attempt).filter(|_| sender.is_some()) {
                    Some(pause) => {
                        tracing::warn!(alert, to, why, "a message did not arrive: tried again");
                        let asked = failed.retry_after.unwrap_or(0).min(LONGEST_PAUSE);
                        let at = self.clock.now() + TimeDelta::seconds(asked.max(*pause));
                        SendOutcome::Again(at, failed.why)
                    }
                    None => {
                        tracing::error!(alert, to, why, "a message was given up");
                        SendOutcome::Dropped(failed.why)
                    }
                }
            }
        };
        let (database, id, station) = (self.database.clone(), message.id, message.station.clone());
        let written = tokio::task::spawn_blocking(move || {
            database.seen_from(&station, |database| database.settle_message(id, &outcome))
        });
        if !matches!(written.await, Ok(Ok(Ok(())))) {
            tracing::error!(id, "alerts: how a message ended could not be written");
        }
    }
}

/// Whether where an alert stands has to be written.
fn is_news(before: Option<AlertState>, now: AlertState) -> bool {
    before.is_none_or(|before| {
        (before.fired, before.since, before.sent_at) != (now.fired, now.since, now.sent_at)
    })
}
