//! One connection to a broker. The only place that knows the client library.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, Broker, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill,
    MqttOptions, Packet, PublishOptions, QoS, StateError, TlsConfiguration, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::camera::trust::client_tls;
use crate::daemon::mqtt::messages::status_topic;
use crate::daemon::peer::{PeerFault, PeerKeys};
use crate::settings::file::certificates;
use crate::settings::mqtt::MqttSettings;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::station::Trust;
use celaje_sky::text::Text;

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
    events: mpsc::Receiver<Result<LinkEvent>>,
    /// The topic of the last will.
    status: String,
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
    read_options(settings, client_id).map_err(|failure| {
        let Text { en, es } = failure.text;
        Failure { text: say!("[mqtt] {en}", "[mqtt] {es}"), ..failure }
    })
}

fn read_options(settings: &MqttSettings, client_id: &str) -> Result<MqttOptions> {
    let broker = Broker::tcp(settings.host.clone(), settings.port);
    let mut options = MqttOptions::new(client_id, broker);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_max_packet_size(PACKETS.0, PACKETS.1);
    if let Some(user) = &settings.user {
        match &settings.password {
            Some(place) => {
                let password = place.read("password")?;
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
        let trust = Trust { certificates: named, ..Trust::default() };
        let client = settings.client.as_ref().map(|(cert, key)| (cert.as_path(), key.as_path()));
        let config = client_tls(&trust, client)?;
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(config))));
    }
    Ok(options)
}

fn connection(options: MqttOptions) -> Result<(AsyncClient, EventLoop)> {
    AsyncClient::builder(options).capacity(CAPACITY).try_build().map_err(|error| {
        Failure::usage(say!(
            "[mqtt] cannot be used: {error}; look at its url",
            "no se puede usar [mqtt]; revise su url"
        ))
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
        let queued = client.publish(topic, payload, once).await;
        queued.map_err(|_| lost(settings, &PeerFault::Closed))?;
        loop {
            match eventloop.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(broken(settings, &client_id, &error)),
            }
        }
    };
    let handed = tokio::time::timeout(PATIENCE, handed).await;
    handed.unwrap_or_else(|_| Err(lost(settings, &PeerFault::Silent)))?;
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
        let status = status_topic(settings, client_id);
        let will = LastWill::new(status.clone(), "offline", QoS::AtLeastOnce, true);
        options.set_last_will(will);
        let (client, eventloop) = connection(options)?;
        let (sender, events) = mpsc::channel(CAPACITY);
        let task = tokio::spawn(drive(eventloop, settings.clone(), client_id.to_owned(), sender));
        Ok(Self { client, events, status, task })
    }

    /// The next event; an error ends the connection.
    pub(super) async fn next(&mut self, settings: &MqttSettings) -> Result<LinkEvent> {
        let event = self.events.recv().await;
        event.unwrap_or_else(|| Err(lost(settings, &PeerFault::Closed)))
    }

    /// Asks for the messages of a topic.
    pub(super) fn subscribe(&self, settings: &MqttSettings, topic: &str) -> Result<()> {
        let asked = self.client.try_subscribe(topic, QoS::AtMostOnce);
        asked.map_err(|_| lost(settings, &PeerFault::Closed))
    }

    /// Hands over a retained message; false where there is no room for it now.
    pub(super) fn publish(&self, topic: &str, payload: &Bytes) -> bool {
        let options = PublishOptions::new(QoS::AtLeastOnce).retained();
        self.client.try_publish(topic, payload.clone(), options).is_ok()
    }

    /// Says goodbye, with `unsafe` on the topics of `safety`: a broker tells the last will only of
    /// those who do not.
    pub(super) async fn leave(mut self, safety: Vec<String>) {
        let options = PublishOptions::new(QoS::AtLeastOnce).retained();
        let status = self.status.clone();
        let farewell = async {
            for topic in safety {
                let _ = self.client.publish(topic, "unsafe", options).await;
            }
            let _ = self.client.publish(status, "offline", options).await;
            let _ = self.client.disconnect().await;
            while let Some(Ok(_)) = self.events.recv().await {}
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

/// How the broker is called: its scheme, host and port.
fn place(settings: &MqttSettings) -> String {
    let MqttSettings { host, port, tls, .. } = settings;
    let scheme = if *tls { "mqtts" } else { "mqtt" };
    let brackets = if host.contains(':') { ["[", "]"] } else { ["", ""] };
    format!("{scheme}://{}{host}{}:{port}", brackets[0], brackets[1])
}

fn lost(settings: &MqttSettings, fault: &PeerFault) -> Failure {
    let of_tls = |text: Text| settings.tls.then_some(text);
    let keys = PeerKeys {
        address: say!("url in [mqtt]", "url en [mqtt]"),
        security: say!("mqtt:// or mqtts://", "mqtt:// o mqtts://"),
        authority: of_tls(say!("ca_file in [mqtt]", "ca_file en [mqtt]")),
        client: of_tls(say!("cert_file and key_file in [mqtt]", "cert_file y key_file en [mqtt]")),
    };
    Failure::environment(fault.sentence(&place(settings), &keys))
}

/// Why a connection ended before the broker accepted it.
fn broken(settings: &MqttSettings, client_id: &str, error: &ConnectionError) -> Failure {
    match error {
        ConnectionError::ConnectionRefused(code) => {
            Failure::environment(refused(settings, client_id, *code))
        }
        ConnectionError::Tls(_) if fault_of(error) == PeerFault::Closed => {
            lost(settings, &PeerFault::HandshakeEnded)
        }
        // What one says to MQTT that speaks TLS, or HTTP.
        ConnectionError::NotConnAck(_)
        | ConnectionError::MqttState(
            StateError::Deserialization(_) | StateError::ProtocolViolation(_),
        ) if matches!(fault_of(error), PeerFault::Other(_)) => lost(settings, &PeerFault::NoMqtt),
        error => lost(settings, &fault_of(error)),
    }
}

fn fault_of(error: &ConnectionError) -> PeerFault {
    match error {
        ConnectionError::NetworkTimeout
        | ConnectionError::FlushTimeout
        | ConnectionError::MqttState(StateError::AwaitPingResp) => PeerFault::Silent,
        ConnectionError::MqttState(StateError::ConnectionAborted) => PeerFault::Closed,
        error => PeerFault::of(error),
    }
}

/// Why a connection ended that had worked: the settings are not to blame for a broker that ends or
/// hangs.
fn ended(settings: &MqttSettings, client_id: &str, error: &ConnectionError) -> Failure {
    let place = place(settings);
    Failure::environment(match fault_of(error) {
        PeerFault::Closed => say!(
            "{place} ended the connection; look whether it runs",
            "{place} cortó la conexión; revise si está en marcha"
        ),
        PeerFault::Silent => say!(
            "{place} does not answer any more; look whether it runs",
            "{place} dejó de responder; revise si está en marcha"
        ),
        _ => return broken(settings, client_id, error),
    })
}

/// What the broker says when it does not let a client in.
fn refused(settings: &MqttSettings, client_id: &str, code: ConnectReturnCode) -> Text {
    let place = place(settings);
    match (code, &settings.user) {
        (ConnectReturnCode::RefusedProtocolVersion, _) => say!(
            "{place} does not take MQTT 3.1.1; allow it at the broker, or look at url in [mqtt]",
            "{place} no acepta MQTT 3.1.1; permítalo en el broker, o revise url en [mqtt]"
        ),
        (ConnectReturnCode::BadClientId, _) => say!(
            "{place} does not take the client id '{client_id}'; allow those that begin with \
             celaje- at the broker",
            "{place} no acepta el id de cliente '{client_id}'; permita en el broker los que \
             empiezan con celaje-"
        ),
        (ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized, Some(user)) => {
            let password = settings.password.as_ref();
            let key = password.map_or("password_file".to_owned(), |place| place.key("password"));
            say!(
                "{place} does not let the user '{user}' in; look at user and {key} in [mqtt]",
                "{place} no deja entrar al usuario '{user}'; revise user y {key} en [mqtt]"
            )
        }
        (ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized, None) => say!(
            "{place} asks for a user; write user and password_file into [mqtt]",
            "{place} pide un usuario; escriba user y password_file en [mqtt]"
        ),
        (ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success, _) => say!(
            "{place} says that it is not available; look at the broker itself, or at url in [mqtt]",
            "{place} dice que no está disponible; revise el broker mismo, o url en [mqtt]"
        ),
    }
}

/// Keeps the connection going until it fails.
async fn drive(
    mut eventloop: EventLoop,
    settings: MqttSettings,
    client_id: String,
    events: mpsc::Sender<Result<LinkEvent>>,
) {
    let birth = settings.birth.as_bytes();
    let mut has_worked = false;
    loop {
        let event = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                has_worked = true;
                Ok(LinkEvent::Connected)
            }
            Ok(Event::Incoming(Packet::Publish(message)))
                if message.topic == birth && &message.payload[..] == b"online" =>
            {
                Ok(LinkEvent::Birth)
            }
            Ok(_) => continue,
            Err(error) if has_worked => Err(ended(&settings, &client_id, &error)),
            Err(error) => Err(broken(&settings, &client_id, &error)),
        };
        let failed = event.is_err();
        if events.send(event).await.is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::settings::mqtt::PictureChoice;

    /// The settings are not to blame for a broker that ends.
    #[tokio::test]
    async fn a_connection_that_had_worked_ends_by_the_broker() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = MqttSettings {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            tls: false,
            user: None,
            password: None,
            ca_file: None,
            client: None,
            topic: "celaje".to_owned(),
            discovery: None,
            birth: "homeassistant/status".to_owned(),
            picture: PictureChoice::Off,
            page: None,
        };
        let broker = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let _ = client.read(&mut [0; 512]).unwrap();
            // The connection is accepted.
            client.write_all(&[0x20, 2, 0, 0]).unwrap();
        });
        let mut link = BrokerLink::open(&settings, "celaje-test").unwrap();
        assert!(matches!(link.next(&settings).await, Ok(LinkEvent::Connected)));
        let ended = link.next(&settings).await.err().unwrap().text;
        broker.join().unwrap();
        assert!(ended.en.ends_with("ended the connection; look whether it runs"), "{}", ended.en);
        assert!(ended.es.ends_with("cortó la conexión; revise si está en marcha"), "{}", ended.es);
    }
}
