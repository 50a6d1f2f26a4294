//! The reading by MQTT 3.1.1, and each station as a device of Home Assistant.
//!
//! What is to be told is computed once a second from the readings in memory and compared with what
//! the broker was told last: of each topic the newest message waits, and no more. A connection
//! that ends is made anew, and told everything from the beginning.

mod link;
mod messages;
mod picture;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::daemon::mqtt::link::{BrokerLink, LinkEvent};
use crate::daemon::mqtt::messages::{MqttMessage, StationTopics};
use crate::daemon::recent::RecentReadings;
use crate::settings::mqtt::{MqttSettings, PictureChoice};
use celaje_sky::backoff;
use celaje_sky::error::Result;
use celaje_sky::station::Station;

pub use link::check;

/// Time between two looks at what is to be told.
const PERIOD: Duration = Duration::from_secs(1);
/// The pause before a lost connection is made anew: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A connection that lasted so long was a good one: the pauses begin anew.
const STEADY: Duration = Duration::from_secs(60);
/// A connection that lasted so long is there again: one that is lost at once is not news.
const BACK: Duration = Duration::from_secs(5);
/// Pictures that may wait to be told.
const PICTURES: usize = 16;
/// Home Assistant has started: everything is told again after a moment, of up to so long.
const BIRTH_REST: Duration = Duration::from_secs(5);

/// Gives the picture of a station that was taken at a moment.
pub type PictureOf = Arc<
    dyn Fn(Arc<Station>, DateTime<Utc>) -> Pin<Box<dyn Future<Output = Option<Bytes>> + Send>>
        + Send
        + Sync,
>;

/// What a broker is told, and where the readings come from.
pub struct MqttPublisher {
    settings: MqttSettings,
    recent: Arc<RecentReadings>,
    pictures: PictureOf,
    client_id: String,
    /// Connections that failed since it was said that there is none.
    lost: Option<u32>,
    /// When it was last told of all stations whether they are safe.
    repeated: Option<Instant>,
    /// Messages as they should be at the broker, by topic.
    wanted: BTreeMap<String, MqttMessage>,
    /// Topics whose message the broker does not have.
    unsent: BTreeSet<String>,
    /// The picture that was asked for last, by station.
    shown: BTreeMap<String, DateTime<Utc>>,
    /// Pictures that have come, and topics to be cleared: the topic, and the JPEG or nothing.
    arrivals: (mpsc::Sender<RetainedArrival>, mpsc::Receiver<RetainedArrival>),
}

type RetainedArrival = (String, Bytes);

/// Publishes what an alert tells of a station: a message that is not retained, and that the broker
/// has when this ends.
///
/// # Errors
/// When the broker does not take it.
pub async fn publish_event(settings: &MqttSettings, station: &str, message: String) -> Result<()> {
    link::announce(settings, messages::event_topic(settings, station), message).await
}

impl MqttPublisher {
    /// `identity` is the record's: it makes the client's id.
    pub fn new(
        settings: MqttSettings,
        recent: Arc<RecentReadings>,
        pictures: PictureOf,
        identity: &str,
    ) -> Self {
        let client_id = format!("celaje-{}", identity.get(..12).unwrap_or(identity));
        Self {
            settings,
            recent,
            pictures,
            client_id,
            lost: None,
            repeated: None,
            wanted: BTreeMap::new(),
            unsent: BTreeSet::new(),
            shown: BTreeMap::new(),
            arrivals: mpsc::channel(PICTURES),
        }
    }

    /// Publishes until `end`; then the broker is told that the program is gone.
    pub async fn keep(mut self, end: CancellationToken) {
        let mut failures = 0;
        while !end.is_cancelled() {
            let began = Clock::instant();
            match self.connection(&end).await {
                Ok(()) => return,
                Err(why) => {
                    if Clock::since(began) >= STEADY {
                        failures = 0;
                    }
                    // Once: it is tried again for as long as it takes.
                    if self.lost.is_none() {
                        tracing::warn!(%why, "MQTT: no connection; it is tried again");
                    }
                    self.lost = Some(self.lost.unwrap_or(0).saturating_add(1));
                }
            }
            let pause = backoff::pause(PAUSES.0, failures, PAUSES.1);
            failures = failures.saturating_add(1);
            // Not all clients of a broker that comes back at the same moment.
            let pause = pause.mul_f64(0.5 + rand::random::<f64>() / 2.0);
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One connection, from its beginning to its end; an error says why it ended.
    async fn connection(&mut self, end: &CancellationToken) -> Result<()> {
        let mut link = BrokerLink::open(&self.settings, &self.client_id)?;
        let mut connected: Option<Instant> = None;
        let mut look = tokio::time::interval(PERIOD);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut again: Option<Instant> = None;
        loop {
            tokio::select! {
                () = end.cancelled() => {
                    if connected.is_some() {
                        link.leave(self.last_words()).await;
                    }
                    return Ok(());
                }
                event = link.next(&self.settings) => match event? {
                    LinkEvent::Connected => {
                        connected = Some(Clock::instant());
                        self.look();
                        self.tell_all();
                        self.look_for_others();
                        link.subscribe(&self.settings, &self.settings.birth)?;
                    }
                    LinkEvent::Birth => {
                        let rest = BIRTH_REST.mul_f64(rand::random());
                        again = Some(Clock::instant() + rest);
                    }
                },
                _ = look.tick() => {
                    if again.take_if(|at| *at <= Clock::instant()).is_some() {
                        self.tell_all();
                    }
                    self.look();
                    if let Some(since) = connected {
                        self.look_for_pictures();
                        self.repeat();
                        if Clock::since(since) >= BACK
                            && let Some(attempts) = self.lost.take()
                        {
                            tracing::warn!(attempts, "MQTT: the broker is there again");
                        }
                    }
                }
                Some((topic, payload)) = self.arrivals.1.recv() => {
                    self.wanted.insert(topic.clone(), MqttMessage { payload });
                    self.unsent.insert(topic);
                }
            }
            if connected.is_some() {
                self.send(&link);
            }
        }
    }

    /// Now and then it is told again whether the stations are safe: who hears it no more is to know
    /// that it is old.
    fn repeat(&mut self) {
        let stations = self.recent.stations();
        let period = stations.iter().map(|station| messages::repeat_after(station)).min();
        let is_due = self.repeated.is_none_or(|at| Some(Clock::since(at)) >= period);
        if is_due {
            self.repeated = Some(Clock::instant());
            let topics =
                stations.iter().map(|one| StationTopics::new(&self.settings, &one.id).safety);
            self.unsent.extend(topics);
        }
    }

    /// What stays behind must not say for ever that a dome may be open.
    fn last_words(&self) -> Vec<String> {
        let stations = self.recent.stations();
        stations.iter().map(|one| StationTopics::new(&self.settings, &one.id).safety).collect()
    }

    /// Everything is to be told again.
    fn tell_all(&mut self) {
        self.unsent = self.wanted.keys().cloned().collect();
    }

    /// Computes what is to be told now.
    fn look(&mut self) {
        let stations = self.recent.stations();
        let mut now: BTreeMap<String, MqttMessage> = BTreeMap::new();
        let (settings, client_id) = (&self.settings, &self.client_id);
        now.insert(messages::status_topic(settings, client_id), MqttMessage::retained("online"));
        now.insert(messages::old_status_topic(settings), MqttMessage::retained(""));
        for station in &stations {
            messages::of_station(settings, client_id, &self.recent, station, &mut now);
        }
        let topics: Vec<_> =
            stations.iter().map(|one| StationTopics::new(&self.settings, &one.id)).collect();
        // What is retained of a station that the settings name no more goes.
        let gone: Vec<String> = self
            .wanted
            .keys()
            .filter(|known| !now.contains_key(*known))
            .filter(|known| !topics.iter().any(|topics| topics.picture == **known))
            .cloned()
            .collect();
        for known in gone {
            now.insert(known, MqttMessage::retained(""));
        }
        for (topic, message) in now {
            if self.wanted.get(&topic) != Some(&message) {
                self.unsent.insert(topic.clone());
                self.wanted.insert(topic, message);
            }
        }
    }

    /// What an earlier run retained of stations that the settings name no more is cleared: it may
    /// say for ever that a dome may be open.
    fn look_for_others(&self) {
        let (recent, settings) = (Arc::clone(&self.recent), self.settings.clone());
        let arrivals = self.arrivals.0.clone();
        tokio::task::spawn_blocking(move || match recent.unnamed() {
            Ok(stations) => {
                let topics = stations.iter().flat_map(|id| StationTopics::new(&settings, id).all());
                for topic in topics {
                    if arrivals.blocking_send((topic, Bytes::new())).is_err() {
                        return;
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "MQTT: the record's stations cannot be read"),
        });
    }

    /// Asks for the pictures of new readings; a camera that hangs keeps nothing waiting.
    fn look_for_pictures(&mut self) {
        if self.settings.picture != PictureChoice::Mqtt {
            return;
        }
        for station in self.recent.stations() {
            let Some(last) = self.recent.fresh(&station.id) else {
                continue;
            };
            // Whatever comes of it: a camera is not asked each second.
            if self.shown.insert(station.id.clone(), last.at) == Some(last.at) {
                continue;
            }
            let topic = StationTopics::new(&self.settings, &station.id).picture;
            let (asked, arrived) = ((self.pictures)(station, last.at), self.arrivals.0.clone());
            tokio::spawn(async move {
                let Some(bytes) = asked.await else { return };
                if let Some(small) = picture::reduced(bytes).await {
                    // With too many on their way the next reading has a newer one.
                    let _ = arrived.try_send((topic, small));
                }
            });
        }
    }

    /// Hands over what the link takes now; the rest waits for the next look.
    fn send(&mut self, link: &BrokerLink) {
        let wanted = &self.wanted;
        self.unsent.retain(|topic| match wanted.get(topic) {
            Some(message) => !link.publish(topic, &message.payload),
            None => false,
        });
    }
}
