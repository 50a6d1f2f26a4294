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
        if let Some(before) = broker.take() {
            before.end.cancel();
        }
        *broker = reach.mqtt.clone().map(|settings| {
            let end = self.end.child_token();
            let running = self.running.clone();
            let pictures: PictureOf = Arc::new(move |station, at| {
                let running = running.clone();
                Box::pin(async move { running.picture(&station, at).await })
            });
            let (recent, identity) = (self.running.recent(), self.running.identity());
            let publisher = MqttPublisher::new(settings.clone(), recent, pictures, identity);
            let task = tokio::spawn(publisher.keep(end.clone()));
            ReachedBroker { settings, end, task }
        });
    }

    /// Alerts go on from the record: it says where they stand.
    fn renew_alerts(&self, reach: &ReachSettings) {
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((end, _)) = alerts.take() {
            end.cancel();
        }
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
        *alerts = Some((end.clone(), tokio::spawn(keeper.keep(end))));
    }

    /// Ends all three and waits for their last messages.
    pub(super) async fn end(&self) {
        self.end.cancel();
        let file = self.boltwood.lock().unwrap_or_else(PoisonError::into_inner).take();
        let broker = self.mqtt.lock().unwrap_or_else(PoisonError::into_inner).take();
        let alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(file) = file {
            let _ = file.await;
        }
        if let Some(broker) = broker {
            let _ = broker.task.await;
        }
        if let Some((_, alerts)) = alerts {
            let _ = alerts.await;
        }
    }
}

impl Drop for Reach {
    fn drop(&mut self) {
        self.end.cancel();
    }
}
