//! Messages on their way: those of each sender apart, so that one that is down keeps no other
//! waiting. A sender that takes none is logged once, and once when it takes them again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio::task::{Id, JoinSet};

use crate::daemon::alerts::message::AlertText;
use crate::daemon::alerts::{AlertKeeper, NotSent, send};
use crate::daemon::recent::stale_after;
use crate::store::SendOutcome;
use crate::store::reader::AlertMessage;
use celaje_sky::alert::AlertKind;
use celaje_sky::say;
use celaje_sky::text::Text;

/// Messages that are sent to a sender at once.
const AT_ONCE: usize = 8;
/// The pauses after failed attempts; after the last one a message is dropped. 30 minutes in all.
const PAUSES: [i64; 4] = [30, 150, 420, 1200];
/// A service that asks for a longer pause is not waited for.
const LONGEST_PAUSE: i64 = 1800;
/// Time for what is under way when the program ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// What came of an attempt.
struct SendAttempt {
    /// Attempts before this one.
    before: i32,
    /// Why it failed; none where it arrived.
    why: Option<Text>,
    /// Whether the message was given up.
    is_given_up: bool,
}

/// A sender that takes no messages.
#[derive(Default)]
struct SenderTrouble {
    attempts: i32,
    given_up: i32,
}

/// The messages on their way, by sender.
pub(super) struct Deliveries {
    keeper: Arc<AlertKeeper>,
    tasks: JoinSet<Vec<SendAttempt>>,
    /// The senders that have messages on their way, by the task that sends them.
    busy: HashMap<Id, String>,
    /// How the senders do that were tried; none where all is well.
    troubles: HashMap<String, Option<SenderTrouble>>,
}

impl Deliveries {
    pub(super) fn new(keeper: Arc<AlertKeeper>) -> Self {
        let (tasks, busy, troubles) = (JoinSet::new(), HashMap::new(), HashMap::new());
        Self { keeper, tasks, busy, troubles }
    }

    /// Sends messages, the oldest first; those of a sender that is still at work wait.
    pub(super) fn begin(&mut self, due: Vec<AlertMessage>) {
        let mut lanes: HashMap<String, Vec<AlertMessage>> = HashMap::new();
        for message in due {
            let lane = lanes.entry(message.sender.clone()).or_default();
            if lane.len() < AT_ONCE {
                lane.push(message);
            }
        }
        for (sender, lane) in lanes {
            if self.busy.values().any(|busy| *busy == sender) {
                continue;
            }
            let keeper = Arc::clone(&self.keeper);
            let task = self.tasks.spawn(async move {
                let all = join_all(lane.iter().map(|message| keeper.deliver(message))).await;
                all.into_iter().flatten().collect()
            });
            self.busy.insert(task.id(), sender);
        }
    }

    /// Takes note of what ends meanwhile.
    pub(super) async fn wait(&mut self, period: Duration) {
        let pause = tokio::time::sleep(period);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return,
                Some(ended) = self.tasks.join_next_with_id() => {
                    let id = ended.as_ref().map_or_else(|error| error.id(), |(id, _)| *id);
                    let to = self.busy.remove(&id).unwrap_or_default();
                    match ended {
                        Ok((_, attempts)) => self.note(&to, attempts),
                        Err(error) => tracing::error!(to, %error, "alerts: sending failed"),
                    }
                }
            }
        }
    }

    /// Gives what is under way a moment: what is cut off is sent again after the next start.
    pub(super) async fn end(mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all).await;
    }

    fn note(&mut self, to: &str, attempts: Vec<SendAttempt>) {
        for SendAttempt { before, why, is_given_up } in attempts {
            let Some(why) = why else {
                // Of the time before this start a message's own attempts are known alone.
                let earlier = SenderTrouble { attempts: before, given_up: 0 };
                let known = self.troubles.insert(to.to_owned(), None);
                let trouble = known.unwrap_or((before > 0).then_some(earlier));
                if let Some(SenderTrouble { attempts, given_up }) = trouble {
                    tracing::warn!(to, attempts, given_up, "a sender of alerts works again");
                }
                continue;
            };
            let known = self.troubles.entry(to.to_owned()).or_default();
            let is_first = known.is_none();
            let trouble = known.get_or_insert_default();
            trouble.attempts += 1;
            trouble.given_up += i32::from(is_given_up);
            if is_first {
                tracing::warn!(to, %why, "a sender of alerts takes no messages: tried again");
            }
            if is_given_up && trouble.given_up == 1 {
                tracing::error!(to, %why, "messages of alerts are given up");
            }
        }
    }
}

impl AlertKeeper {
    /// Tries to send a message, and writes how that ended; none where it was not worth sending.
    async fn deliver(&self, message: &AlertMessage) -> Option<SendAttempt> {
        let sender = self.senders.iter().find(|sender| sender.id == message.sender);
        let text = serde_json::from_str::<AlertText>(&message.message);
        if text.as_ref().is_ok_and(|text| self.is_too_late(text)) {
            let why = say!("its reading is old by now", "su lectura ya es vieja");
            self.settle(message, SendOutcome::Dropped(why.to_string())).await;
            return None;
        }
        let sent = match (sender, text) {
            (Some(sender), Ok(text)) => send(sender, &text).await,
            _ => Err(NotSent::because(say!(
                "the settings have no [[sender]] with this id any more",
                "los ajustes ya no tienen un [[sender]] con este id"
            ))),
        };
        let before = message.attempts;
        let pause = usize::try_from(before).ok().and_then(|attempt| PAUSES.get(attempt));
        let (outcome, why, is_given_up) = match (sent, pause.filter(|_| sender.is_some())) {
            (Ok(()), _) => (SendOutcome::Sent, None, false),
            (Err(NotSent { why, retry_after }), Some(pause)) => {
                let asked = retry_after.unwrap_or(0).min(LONGEST_PAUSE);
                let at = self.clock.now() + TimeDelta::seconds(asked.max(*pause));
                (SendOutcome::Again(at, why.to_string()), Some(why), false)
            }
            (Err(NotSent { why, .. }), None) => {
                (SendOutcome::Dropped(why.to_string()), Some(why), true)
            }
        };
        self.settle(message, outcome).await;
        Some(SendAttempt { before, why, is_given_up })
    }

    /// Whether a ping would say of a camera that it gives readings though it gives none now.
    fn is_too_late(&self, text: &AlertText) -> bool {
        if text.kind != AlertKind::Silence.as_str() {
            return false;
        }
        let Some(station) = self.recent.station(&text.station) else {
            return true;
        };
        let lately = self.recent.since(&station.id, stale_after(&station));
        !lately.iter().any(|reading| reading.oktas().is_some())
    }

    async fn settle(&self, message: &AlertMessage, outcome: SendOutcome) {
        let (database, id, station) = (self.database.clone(), message.id, message.station.clone());
        let written = tokio::task::spawn_blocking(move || {
            database.seen_from(&station, |database| database.settle_message(id, &outcome))
        });
        if !matches!(written.await, Ok(Ok(Ok(())))) {
            tracing::error!(id, "alerts: how a message ended could not be written");
        }
    }
}
