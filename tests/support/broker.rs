//! mosquitto on loopback, and a listener to all that it is told.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rumqttc::{AsyncClient, Broker, Event, MqttOptions, Packet, QoS};

/// A broker; it ends with its value.
pub struct Mosquitto(Child);

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says so where there is none.
pub fn program() -> Option<&'static str> {
    let places = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let found = places.into_iter().find(|place| Path::new(place).exists());
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: there is no mosquitto");
    }
    found
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts it, and waits until it listens.
pub fn start(folder: &Path, port: u16, more: &str) -> Mosquitto {
    let config = folder.join("mosquitto.conf");
    let text = format!("listener {port} 127.0.0.1\npersistence false\n{more}");
    std::fs::write(&config, text).unwrap();
    let child = Command::new(program().unwrap())
        .arg("-c")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "mosquitto does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    Mosquitto(child)
}

/// What a subscriber of everything has heard, by topic.
pub type Heard = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// Listens to everything, over every restart of the broker, until nobody holds what was heard.
pub fn listen(port: u16) -> (AsyncClient, Heard) {
    let name = format!("listener-{}", free_port());
    let options = MqttOptions::new(name, Broker::tcp("127.0.0.1", port));
    let (client, mut eventloop) = AsyncClient::builder(options).capacity(16).build();
    let heard = Heard::default();
    let (kept, asking) = (Arc::clone(&heard), client.clone());
    let listens = async move {
        while Arc::strong_count(&kept) > 1 {
            match eventloop.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    asking.try_subscribe("#", QoS::AtLeastOnce).unwrap();
                }
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    let topic = String::from_utf8(message.topic.to_vec()).unwrap();
                    kept.lock().unwrap().insert(topic, message.payload.clone());
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(listens);
    });
    (client, heard)
}
