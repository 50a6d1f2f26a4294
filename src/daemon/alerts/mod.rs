//! People are told of the sky: rules are judged from the live readings, what is told is written to
//! the record's outbox together with where the alert stands, and sent from there.
//!
//! A program that is killed between the two neither repeats nor loses: it goes on from the record.
//! Only a message that was under way at that moment may come twice.

mod delivery;
mod mail;
mod message;
mod webhook;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::daemon::alerts::delivery::Deliveries;
use crate::daemon::mqtt;
use crate::daemon::recent::{RecentReadings, reading_of};
use crate::settings::alerts::{AlertSettings, SenderKind, SenderSettings};
use crate::store::error::StoreError;
use crate::store::reader::{AlertMessage, Reader};
use crate::store::{AlertChange, SharedDatabase};
use celaje_sky::alert::{AlertKind, AlertState, AlertView};
use celaje_sky::error::{Failure, Result};
use celaje_sky::safety::{SafetyReason, SkyReading};
use celaje_sky::say;
use celaje_sky::station::Station;
use celaje_sky::text::Text;

pub use message::AlertText;

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSent {
    /// In a sentence without secrets.
    pub why: Text,
    /// The pause that the service asks for, seconds.
    pub retry_after: Option<i64>,
}

impl NotSent {
    const fn because(why: Text) -> Self {
        Self { why, retry_after: None }
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
            told.map_err(|failure| NotSent::because(failure.text))
        }
    }
}

/// Looks whether the secrets that senders name can be read.
///
/// # Errors
/// When one of them cannot.
pub fn check(senders: &[SenderSettings]) -> Result<()> {
    for SenderSettings { id, kind } in senders {
        for (place, what) in kind.secrets() {
            place.read(what).map_err(|failure| {
                let Text { en, es } = failure.text;
                Failure::usage(say!("sender '{id}': {en}", "remitente '{id}': {es}"))
            })?;
        }
    }
    Ok(())
}

/// Sends a message that says that it is a test.
///
/// # Errors
/// When it did not arrive.
pub async fn send_test(sender: &SenderSettings, page: Option<&str>) -> Result<()> {
    send(sender, &AlertText::test(page)).await.map_err(|failed| {
        let (id, Text { en, es }) = (&sender.id, failed.why);
        Failure::environment(say!(
            "the test message to the sender '{id}' did not arrive: {en}",
            "el mensaje de prueba al remitente '{id}' no llegó: {es}"
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
struct KnownStates {
    states: HashMap<AlertKey, Option<AlertState>>,
    /// How many readings of a station were known, and the moment of the last one.
    readings: HashMap<String, (usize, Option<DateTime<Utc>>)>,
    /// Whether the last message pushed out an older one.
    is_full: bool,
}

impl KnownStates {
    /// The readings of a station, where these are others than at the last look.
    fn more_readings(
        &mut self,
        station: &Station,
        recent: &RecentReadings,
    ) -> Option<Vec<SkyReading>> {
        let lately = recent.since(&station.id, TimeDelta::hours(24));
        let seen = (lately.len(), lately.last().map(|last| last.at));
        let before = self.readings.insert(station.id.clone(), seen);
        (before != Some(seen)).then_some(lately)
    }
}

impl AlertKeeper {
    /// Works until `end`.
    pub async fn keep(self, end: CancellationToken) {
        let keeper = Arc::new(self);
        let mut deliveries = Deliveries::new(Arc::clone(&keeper));
        let mut known = KnownStates::default();
        let mut troubled = false;
        while !end.is_cancelled() {
            let (judging, states) = (Arc::clone(&keeper), std::mem::take(&mut known));
            let judged = tokio::task::spawn_blocking(move || judging.judge(states)).await;
            match judged {
                Ok((states, Ok(due))) => {
                    known = states;
                    deliveries.begin(due);
                    if std::mem::take(&mut troubled) {
                        tracing::warn!("alerts: the record can be used again");
                    }
                }
                // What is known is read anew: it may not have been written.
                failed => {
                    if !std::mem::replace(&mut troubled, true) {
                        match failed {
                            Ok((_, Err(error))) => {
                                tracing::error!(%error, "alerts: the record cannot be used");
                            }
                            _ => tracing::error!("alerts: the rules failed"),
                        }
                    }
                }
            }
            tokio::select! {
                () = end.cancelled() => {}
                () = deliveries.wait(keeper.period) => {}
            }
        }
        deliveries.end().await;
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
            reader.due_messages(self.clock.now())
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
        let lately = known.more_readings(station, &self.recent);
        for (alert, rule) in rules {
            let Some(safety) = self.recent.safety(&station.id) else {
                continue;
            };
            let key = (alert.name.clone(), station.id.clone());
            let before = match known.states.get(&key) {
                Some(before) => *before,
                None => reader.alert_state(&alert.name, &station.id)?,
            };
            // A restart is no news: whether it is safe may be known a moment later. An alert that
            // was never judged knows of none: a sky that is not safe for long enough is not safe.
            let is_known = match safety.reason {
                // A backfill that reaches now tells nobody to come out. It arms the warning.
                _ if alert.kind == AlertKind::Safe
                    && safety.safe
                    && !self.is_live(station, &readings) =>
                {
                    before.is_none()
                }
                SafetyReason::ClockInDoubt => self.recent.has_settled(station),
                SafetyReason::Waiting => before.is_none() || self.recent.has_settled(station),
                _ => true,
            };
            let view = AlertView {
                readings: &readings,
                safety: is_known.then_some(safety),
                sun_allows: rule.only.holds(station.sun_elevation(now)),
                sun_allows_then: rule.only.holds(station.sun_elevation(now + rule.not_before_end)),
                now,
            };
            let caught_up = before.map(|before| match &lately {
                Some(lately) => rule.caught_up(before, lately, now),
                None => before,
            });
            let (next, tells) = rule.judge(caught_up, &view);
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
                let contradicts = &self.contradicted_by(alert);
                let change =
                    AlertChange { alert: name, station: id, state, now, message, contradicts };
                let dropped =
                    self.database.seen_from(id, |database| database.write_alert(&change))??;
                let is_full = dropped > 0;
                if message.is_some() && !std::mem::replace(&mut known.is_full, is_full) && is_full {
                    tracing::error!(
                        alert = name,
                        "too many messages wait: the oldest are given up"
                    );
                }
            }
            known.states.insert(key, next);
        }
        Ok(())
    }

    /// Whether the newest reading of a station is among these, which no backfill has brought.
    fn is_live(&self, station: &Station, live: &[SkyReading]) -> bool {
        let newest = self.recent.latest(&station.id).map(|newest| newest.at);
        newest.is_none_or(|newest| live.iter().any(|reading| reading.at == newest))
    }

    /// The alerts whose older messages are worth nothing beside one of this alert, by their names:
    /// those that it makes false, and of pings the earlier ones.
    fn contradicted_by<'a>(&'a self, alert: &'a AlertSettings) -> Vec<&'a str> {
        if alert.kind == AlertKind::Silence {
            return vec![alert.name.as_str()];
        }
        let falsified = falsified(alert.kind);
        let others = self.alerts.iter().filter(|other| falsified.contains(&other.kind));
        others.map(|other| other.name.as_str()).collect()
    }
}

/// What an alert's message makes false.
const fn falsified(kind: AlertKind) -> &'static [AlertKind] {
    match kind {
        AlertKind::Clearing => &[AlertKind::Clouding],
        AlertKind::Clouding => &[AlertKind::Clearing],
        AlertKind::Safe => &[AlertKind::Unsafe],
        AlertKind::Unsafe => &[AlertKind::Safe],
        // Nothing is known of the sky any more.
        AlertKind::Camera => &[AlertKind::Clearing, AlertKind::Clouding, AlertKind::Safe],
        AlertKind::Silence => &[],
    }
}

/// Whether where an alert stands has to be written.
fn is_news(before: Option<AlertState>, now: AlertState) -> bool {
    before.is_none_or(|before| {
        (before.fired, before.since, before.sent_at) != (now.fired, now.since, now.sent_at)
    })
}
