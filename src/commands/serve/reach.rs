//! Whom `celaje serve` tells of the sky besides the web: Boltwood's file, MQTT, alerts.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::daemon::alerts::AlertKeeper;
use crate::daemon::boltwood;
use crate::daemon::mqtt::{MqttPublisher, PictureOf};
use crate::settings::ReachSettings;
use crate::settings::mqtt::MqttSettings;
use crate::store::SharedDatabase;
use crate::web::Running;

/// Time between two looks at the alerts.
const ALERT_PERIOD: Duration = Duration::from_secs(5);

/// Boltwood's file, the MQTT broker and the alerts: each is told of the sky until this is dropped.
pub(super) struct Reach {
    end: CancellationToken,
    boltwood: Mutex<Option<JoinHandle<()>>>,
    mqtt: Mutex<Option<ReachedBroker>>,
    alerts: Mutex<Option<(CancellationToken, JoinHandle<()>)>>,
    /// The record and its clock; none with `--read-only`, where nobody is alerted.
    record: Option<(PathBuf, SharedDatabase, Clock)>,
    running: Running,
}

/// The publisher of one broker.
struct ReachedBroker {
    settings: MqttSettings,
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Reach {
    pub(super) fn start(
        boltwood: Option<PathBuf>,
        reach: &ReachSettings,
        running: &Running,
        record: Option<(PathBuf, SharedDatabase, Clock)>,
    ) -> Self {
        let end = CancellationToken::new();
        let keep = |pattern| boltwood::keep(pattern, running.recent(), end.clone());
        let boltwood = Mutex::new(boltwood.map(|pattern| tokio::spawn(keep(pattern))));
        let started = Self {
            end,
            boltwood,
            mqtt: Mutex::default(),
            alerts: Mutex::default(),
            record,
            running: running.clone(),
        };
        started.renew(reach);
        started
    }

    /// Takes over other settings; a broker that stays as it is keeps its connection.
    pub(super) fn renew(&self, reach: &ReachSettings) {
        self.renew_alerts(reach);
        let mut broker = self.mqtt.lock().unwrap_or_else(PoisonError::into_inner);
        if broker.as_ref().map(|known| &known.settings) == reach.mqtt.as_ref() {
            return;
        }
        let before = broker.take();
        before.iter().for_each(|before| before.end.cancel());
        let mut before = before.map(|before| before.task);
        *broker = reach.mqtt.clone().map(|settings| {
            let end = self.end.child_token();
            let running = self.running.clone();
            let pictures: PictureOf = Arc::new(move |station, at| {
                let running = running.clone();
                Box::pin(async move { running.picture(&station, at).await })
            });
            let (recent, identity) = (self.running.recent(), self.running.identity());
            let publisher = MqttPublisher::new(settings.clone(), recent, pictures, identity);
            let (ends, before) = (end.clone(), before.take());
            let task = tokio::spawn(async move {
                // Its last words would else be heard after the first ones of the new one.
                ended(before).await;
                publisher.keep(ends).await;
            });
            ReachedBroker { settings, end, task }
        });
    }

    /// Alerts go on from the record: it says where they stand.
    fn renew_alerts(&self, reach: &ReachSettings) {
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = alerts.take().map(|(end, task)| {
            end.cancel();
            task
        });
        let Some((db, database, clock)) = self.record.clone() else {
            return;
        };
        if reach.alerts.is_empty() {
            return;
        }
        let keeper = AlertKeeper {
            db,
            database,
            recent: self.running.recent(),
            alerts: reach.alerts.clone(),
            senders: reach.senders.clone(),
            page: reach.mqtt.as_ref().and_then(|mqtt| mqtt.page.clone()),
            clock,
            period: ALERT_PERIOD,
        };
        let end = self.end.child_token();
        let ends = end.clone();
        let task = tokio::spawn(async move {
            // A message that is on its way is not sent twice.
            ended(before).await;
            keeper.keep(ends).await;
        });
        *alerts = Some((end, task));
    }

    /// Ends all three and waits for their last messages.
    pub(super) async fn end(&self) {
        self.end.cancel();
        let file = self.boltwood.lock().unwrap_or_else(PoisonError::into_inner).take();
        let broker = self.mqtt.lock().unwrap_or_else(PoisonError::into_inner).take();
        let alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (broker, alerts) = (broker.map(|broker| broker.task), alerts.map(|(_, task)| task));
        tokio::join!(ended(file), ended(broker), ended(alerts));
    }
}

/// Waits until a task has ended, if there is one.
async fn ended(task: Option<JoinHandle<()>>) {
    if let Some(task) = task {
        let _ = task.await;
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
