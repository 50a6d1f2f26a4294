//! One connection to a broker. The only place that knows the client library.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, Broker, Event, EventLoop, LastWill, MqttOptions, Packet, PublishOptions, QoS,
    TlsConfiguration, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::camera::trust::client_tls;
use crate::settings::file::certificates;
use crate::settings::mqtt::MqttSettings;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::station::Trust;

/// Messages that the library holds at most; others wait with the publisher.
const CAPACITY: usize = 32;
/// Seconds of silence after which the broker is asked whether it is there.
const KEEP_ALIVE: u16 = 30;
/// Bytes of a message at most: incoming, outgoing.
const PACKETS: (usize, usize) = (64 * 1024, 2 * 1024 * 1024);
/// Time for a broker to take a single message.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time for the last words.
const FAREWELL: Duration = Duration::from_secs(2);

/// What happens on a connection.
pub(super) enum LinkEvent {
    /// The broker has accepted it.
    Connected,
    /// Home Assistant says that it has started.
    Birth,
}

/// A connection, made by a task of its own.
pub(super) struct BrokerLink {
    client: AsyncClient,
    events: mpsc::Receiver<Result<LinkEvent, String>>,
    task: JoinHandle<()>,
}

impl Drop for BrokerLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks at what `settings` name: the certificates, the key, the password.
///
/// # Errors
/// When one of them cannot be used.
pub fn check(settings: &MqttSettings) -> Result<()> {
    options(settings, "celaje-check").map(drop)
}

fn options(settings: &MqttSettings, client_id: &str) -> Result<MqttOptions> {
    let broker = Broker::tcp(settings.host.clone(), settings.port);
    let mut options = MqttOptions::new(client_id, broker);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_max_packet_size(PACKETS.0, PACKETS.1);
    if let Some(user) = &settings.user {
        match &settings.password {
            Some(place) => {
                let password = place.read()?;
                let password = Bytes::copy_from_slice(password.expose().as_bytes());
                options.set_credentials(user.clone(), password);
            }
            None => {
                options.set_username(user.clone());
            }
        }
    }
    if settings.tls {
        let named = match &settings.ca_file {
            Some(path) => certificates(path).map_err(Failure::usage)?,
            None => Vec::new(),
        };
        let trust = Trust { certificates: named, anything: false };
        let client = settings.client.as_ref().map(|(cert, key)| (cert.as_path(), key.as_path()));
        let config = client_tls(&trust, client)?;
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(config))));
    }
    Ok(options)
}

fn connection(options: MqttOptions) -> Result<(AsyncClient, EventLoop)> {
    AsyncClient::builder(options).capacity(CAPACITY).try_build().map_err(|error| {
        Failure::usage(say!("[mqtt] cannot be used: {error}", "no se puede usar [mqtt]: {error}"))
    })
}

/// Hands over one message that is not retained, on a connection of its own, and waits until the
/// broker has it.
///
/// # Errors
/// When the broker does not say within 20 seconds that it has it.
pub(super) async fn announce(
    settings: &MqttSettings,
    topic: String,
    payload: String,
) -> Result<()> {
    let client_id = format!("celaje-{:08x}", rand::random::<u32>());
    let (client, mut eventloop) = connection(options(settings, &client_id)?)?;
    let once = PublishOptions::new(QoS::AtLeastOnce);
    let handed = async {
        client.publish(topic, payload, once).await.map_err(|error| lost(&error.to_string()))?;
        loop {
            match eventloop.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(lost(&error.to_string())),
            }
        }
    };
    let handed = tokio::time::timeout(PATIENCE, handed).await;
    handed.unwrap_or_else(|_| Err(lost("it does not answer")))?;
    let farewell = async {
        let _ = client.disconnect().await;
        while eventloop.poll().await.is_ok() {}
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    Ok(())
}

impl BrokerLink {
    /// Begins to connect.
    ///
    /// # Errors
    /// When a certificate, a key or a password cannot be read.
    pub(super) fn open(settings: &MqttSettings, client_id: &str) -> Result<Self> {
        let mut options = options(settings, client_id)?;
        options.set_last_will(LastWill::new(
            format!("{}/status", settings.topic),
            "offline",
            QoS::AtLeastOnce,
            true,
        ));
        let (client, eventloop) = connection(options)?;
        let (sender, events) = mpsc::channel(CAPACITY);
        let task = tokio::spawn(drive(eventloop, settings.birth.clone(), sender));
        Ok(Self { client, events, task })
    }

    /// The next event; an error ends the connection.
    pub(super) async fn next(&mut self) -> Result<LinkEvent> {
        match self.events.recv().await {
            Some(Ok(event)) => Ok(event),
            Some(Err(why)) => Err(lost(&why)),
            None => Err(lost("it ended")),
        }
    }

    /// Asks for the messages of a topic.
    pub(super) fn subscribe(&self, topic: &str) -> Result<()> {
        self.client.try_subscribe(topic, QoS::AtMostOnce).map_err(|error| lost(&error.to_string()))
    }

    /// Hands over a retained message; false where there is no room for it now.
    pub(super) fn publish(&self, topic: &str, payload: &Bytes) -> bool {
        let options = PublishOptions::new(QoS::AtLeastOnce).retained();
        self.client.try_publish(topic, payload.clone(), options).is_ok()
    }

    /// Says goodbye: a broker tells the last will only of those who do not.
    pub(super) async fn leave(mut self, settings: &MqttSettings) {
        let options = PublishOptions::new(QoS::AtLeastOnce).retained();
        let status = format!("{}/status", settings.topic);
        let farewell = async {
            let _ = self.client.publish(status, "offline", options).await;
            let _ = self.client.disconnect().await;
            while let Some(Ok(_)) = self.events.recv().await {}
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

fn lost(why: &str) -> Failure {
    Failure::environment(say!(
        "the broker is lost: {why}; look at url, user and certificates in [mqtt]",
        "se perdió el broker: {why}; revise url, user y certificados en [mqtt]"
    ))
}

/// Keeps the connection going until it fails.
async fn drive(
    mut eventloop: EventLoop,
    birth: String,
    events: mpsc::Sender<Result<LinkEvent, String>>,
) {
    loop {
        let event = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Ok(LinkEvent::Connected),
            Ok(Event::Incoming(Packet::Publish(message)))
                if message.topic == birth.as_bytes() && &message.payload[..] == b"online" =>
            {
                Ok(LinkEvent::Birth)
            }
            Ok(_) => continue,
            Err(error) => Err(error.to_string()),
        };
        let failed = event.is_err();
        if events.send(event).await.is_err() || failed {
            return;
        }
    }
}
