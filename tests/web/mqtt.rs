//! The reading by MQTT, against mosquitto.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use celaje::daemon::alerts::send_test;
use celaje::daemon::mqtt::MqttPublisher;
use celaje::daemon::operator::ClockStanding;
use celaje::settings::alerts::{SenderKind, SenderSettings};
use celaje::settings::mqtt::MqttSettings;
use celaje::settings::{Layer, Settings};
use celaje_sky::safety::SafetyRule;
use celaje_sky::station::Station;
use chrono::TimeDelta;
use rumqttc::PublishOptions;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::broker::{Heard, free_port, listen, program, start};
use crate::safety::{night, night_with};
use crate::site::Site;

fn settings(toml: &str) -> MqttSettings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("celaje.toml");
    std::fs::write(&path, format!("[mqtt]\n{toml}")).unwrap();
    Settings::resolve(Layer::default(), Some(&path), |_| None).unwrap().reach.mqtt.unwrap()
}

fn publish(site: &Site, settings: MqttSettings) -> CancellationToken {
    publish_as(site, settings, "0123456789abcdef")
}

/// The same of the record with this identity.
fn publish_as(site: &Site, settings: MqttSettings, identity: &str) -> CancellationToken {
    let picture = include_bytes!("../fixtures/pictures/baseline.jpg");
    let pictures: celaje::daemon::mqtt::PictureOf =
        Arc::new(move |_, _| Box::pin(async move { Some(Bytes::from_static(picture)) }));
    let end = CancellationToken::new();
    let publisher = MqttPublisher::new(settings, site.running.recent(), pictures, identity);
    tokio::spawn(publisher.keep(end.clone()));
    end
}

pub async fn until(what: &str, heard: &Heard, holds: impl Fn(&BTreeMap<String, Bytes>) -> bool) {
    let began = Instant::now();
    while !holds(&heard.lock().unwrap()) {
        let topics: Vec<String> = heard.lock().unwrap().keys().cloned().collect();
        assert!(began.elapsed() < Duration::from_secs(90), "{what}; heard: {topics:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is(heard: &BTreeMap<String, Bytes>, topic: &str, text: &str) -> bool {
    heard.get(topic).is_some_and(|payload| payload == text)
}

const STATUS: &str = "celaje/celaje-0123456789ab/status";
/// What other versions retain there.
const OLD_STATUS: &str = "celaje/status";
const STATE: &str = "celaje/rio-grande/state";
const SAFETY: &str = "celaje/rio-grande/safety";
const CONFIG: &str = "homeassistant/device/celaje-rio-grande/config";

fn all_are_there(heard: &BTreeMap<String, Bytes>) -> bool {
    is(heard, STATUS, "online") && [STATE, SAFETY, CONFIG].iter().all(|t| heard.contains_key(*t))
}

#[actix::test]
async fn a_broker_is_told_everything_again_after_it_was_killed() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let broker = start(folder.path(), port, "allow_anonymous true\n");
    let site = night("2024-06-10T05:00:00Z@1", "");
    let (client, heard) = listen(port);
    let end =
        publish(&site, settings(&format!("url = 'mqtt://127.0.0.1:{port}'\npicture = 'mqtt'")));
    until("all is told", &heard, |heard| {
        all_are_there(heard) && heard.contains_key("celaje/rio-grande/picture")
    })
    .await;
    let (state, device): (Value, Value) = {
        let heard = heard.lock().unwrap();
        let json = |topic: &str| serde_json::from_slice(&heard[topic]).unwrap();
        assert!(is(&heard, SAFETY, "safe"));
        assert!(heard["celaje/rio-grande/picture"].starts_with(b"\xff\xd8\xff"));
        (json(STATE), json(CONFIG))
    };
    assert_eq!((&state["okta"], &state["cloud_percent"]), (&1.into(), &12.5.into()));
    assert_eq!((&state["category"], &state["problem"]), (&"FEW".into(), &false.into()));
    assert_eq!(state["slot_utc"], "2024-06-10T04:52:00+00:00");
    let components = device["cmps"].as_object().unwrap();
    assert_eq!(components.len(), 8);
    for (name, component) in components {
        assert!(component["p"].is_string() && component["uniq_id"].is_string(), "{name}");
    }
    assert_eq!(components["unsafe"]["pl_on"], "unsafe");
    // Whoever hears nothing more takes it as not known: of Celaje that is gone, by the last will;
    // of a broker that lost its power with it, by the time.
    let expires = &components["unsafe"]["exp_aft"];
    assert_eq!((expires, &device["avty"]), (&1500.into(), &json!([{ "t": STATUS }])));
    assert_eq!(
        (&components["cloud"]["exp_aft"], device["avty"].as_array().unwrap().len()),
        (&1500.into(), 1)
    );

    // Whoever comes later hears all of it: it is retained.
    let (_late, later) = listen(port);
    until("the late one", &later, |heard| {
        all_are_there(heard) && heard.contains_key("celaje/rio-grande/picture")
    })
    .await;

    // Home Assistant starts: everything comes again.
    heard.lock().unwrap().clear();
    client.publish("homeassistant/status", "online", PublishOptions::at_most_once()).await.unwrap();
    until("told again after the birth message", &heard, all_are_there).await;

    drop(broker);
    heard.lock().unwrap().clear();
    let _broker = start(folder.path(), port, "allow_anonymous true\n");
    until("told again after the broker's restart", &heard, all_are_there).await;
    // What is retained must not say for ever that a dome may be open.
    assert!(is(&heard.lock().unwrap(), SAFETY, "safe"));
    end.cancel();
    until("goodbye", &heard, |heard| {
        let has_left = is(heard, STATUS, "offline");
        assert!(!has_left || is(heard, SAFETY, "unsafe"), "offline before unsafe");
        has_left
    })
    .await;
}

/// Nothing changes, and yet it is told again whether it is safe.
#[actix::test]
async fn safety_is_told_again_before_it_is_old() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let _broker = start(folder.path(), port, "allow_anonymous true\n");
    let site = night_with("2024-06-10T05:00:00Z@0.01", "", |options| {
        let station = Station::rio_grande();
        let stale_after = TimeDelta::seconds(6);
        let safety = Some(SafetyRule { stale_after, ..SafetyRule::usual(&station.minutes) });
        options.stations = vec![Arc::new(Station { safety, ..station })];
    });
    let (_client, heard) = listen(port);
    let end = publish(&site, settings(&format!("url = 'mqtt://127.0.0.1:{port}'")));
    until("all is told", &heard, all_are_there).await;
    for _ in 0..2 {
        heard.lock().unwrap().clear();
        until("told again", &heard, |heard| heard.contains_key(SAFETY)).await;
        let heard = heard.lock().unwrap();
        assert_eq!(heard.keys().collect::<Vec<_>>(), [SAFETY], "alone");
    }
    end.cancel();
}

#[actix::test]
async fn a_camera_that_dies_is_told_as_unsafe_and_never_as_unavailable() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let _broker = start(folder.path(), port, "allow_anonymous true\n");
    // A minute is a tenth of a second; the last picture is eight minutes old.
    let site = night("2024-06-10T05:00:00Z@600", "");
    let (_client, heard) = listen(port);
    let end = publish(&site, settings(&format!("url = 'mqtt://127.0.0.1:{port}'")));
    until("unsafe", &heard, |heard| {
        let problem =
            heard.get(STATE).and_then(|state| serde_json::from_slice::<Value>(state).ok());
        is(heard, SAFETY, "unsafe") && problem.is_some_and(|state| state["problem"] == true)
    })
    .await;
    assert!(is(&heard.lock().unwrap(), STATUS, "online"));
    // A picture that is not wanted is taken away by its platform alone.
    let device: Value = serde_json::from_slice(&heard.lock().unwrap()[CONFIG]).unwrap();
    assert_eq!(device["cmps"]["picture"], json!({ "p": "image" }));
    // A station that the settings name no more goes, with all that is retained of it.
    site.running.recent().renew(&[]);
    until("it goes", &heard, |heard| [STATE, SAFETY, CONFIG].iter().all(|t| is(heard, t, "")))
        .await;
    end.cancel();
}

/// The program was killed, and started anew with settings that name one of its stations no more.
#[actix::test]
async fn what_an_earlier_run_retained_of_a_station_that_left_goes() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let _broker = start(folder.path(), port, "allow_anonymous true\n");
    let (client, heard) = listen(port);
    let left = [
        "celaje/hill/state",
        "celaje/hill/safety",
        "celaje/hill/picture",
        "homeassistant/device/celaje-hill/config",
    ];
    // Not of this record.
    let other = "celaje/valley/safety";
    for topic in left.iter().chain([&other]) {
        let retained = PublishOptions::at_least_once().retained();
        client.publish(*topic, "safe", retained).await.unwrap();
    }
    until("it is retained", &heard, |heard| is(heard, left[3], "safe") && is(heard, other, "safe"))
        .await;
    let site = night(
        "2024-06-10T05:00:00Z@1",
        "INSERT INTO stations (id, name, latitude, longitude, time_zone) \
         VALUES ('hill', 'Hill', 1, 1, 'UTC')",
    );
    let end = publish(&site, settings(&format!("url = 'mqtt://127.0.0.1:{port}'")));
    until("it goes", &heard, |heard| left.iter().all(|topic| is(heard, topic, ""))).await;
    until("all is told", &heard, all_are_there).await;
    let (_late, later) = listen(port);
    until("what is retained", &later, all_are_there).await;
    {
        let later = later.lock().unwrap();
        assert!(!left.iter().any(|topic| later.contains_key(*topic)), "{later:?}");
        assert!(is(&later, other, "safe") && is(&later, SAFETY, "safe"));
    }
    end.cancel();
}

/// After a restart nobody has confirmed the clock yet: nothing is safe, and the camera is well.
#[actix::test]
async fn a_clock_without_a_witness_is_no_problem_of_the_camera() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let _broker = start(folder.path(), port, "allow_anonymous true\n");
    for (now, standing, problem) in [
        ("2024-06-10T05:00:00Z@1", ClockStanding::Unknown, false),
        ("2024-06-10T05:00:00Z@1", ClockStanding::Unheard, false),
        ("2024-06-10T05:00:00Z@1", ClockStanding::InDoubt, true),
        ("2024-06-10T05:30:00Z@1", ClockStanding::Unknown, true),
    ] {
        let site = night(now, "");
        *site.operator.clock.lock().unwrap() = standing;
        let (_client, heard) = listen(port);
        let end = publish(&site, settings(&format!("url = 'mqtt://127.0.0.1:{port}'")));
        let said = |heard: &BTreeMap<String, Bytes>| {
            let state = heard.get(STATE).and_then(|state| serde_json::from_slice(state).ok());
            let state: Option<Value> = state;
            state.is_some_and(|state| state["problem"] == problem) && all_are_there(heard)
        };
        until(&format!("{now} {standing:?}"), &heard, said).await;
        assert!(is(&heard.lock().unwrap(), SAFETY, "unsafe"), "{standing:?}");
        end.cancel();
        until("goodbye", &heard, |heard| is(heard, STATUS, "offline")).await;
    }
}

/// Each says for itself that it is there, and takes away what all said together once.
#[actix::test]
async fn of_two_programs_at_a_broker_one_may_end() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let _broker = start(folder.path(), port, "allow_anonymous true\n");
    let (client, heard) = listen(port);
    let retained = PublishOptions::at_least_once().retained();
    client.publish(OLD_STATUS, "offline", retained).await.unwrap();
    until("an old version ends", &heard, |heard| is(heard, OLD_STATUS, "offline")).await;
    let site = night("2024-06-10T05:00:00Z@1", "");
    let url = format!("url = 'mqtt://127.0.0.1:{port}'");
    let one = publish(&site, settings(&url));
    until("all is told", &heard, all_are_there).await;
    let other = publish_as(&site, settings(&url), "fedcba9876543210");
    const OTHER: &str = "celaje/celaje-fedcba987654/status";
    until("the other one is there", &heard, |heard| is(heard, OTHER, "online")).await;
    other.cancel();
    until("the other one ends", &heard, |heard| is(heard, OTHER, "offline")).await;
    let (_late, later) = listen(port);
    until("what is retained", &later, all_are_there).await;
    until("of the other one too", &later, |heard| is(heard, OTHER, "offline")).await;
    assert!(!later.lock().unwrap().contains_key(OLD_STATUS));
    one.cancel();
}

#[actix::test]
async fn a_sky_that_is_not_seen_has_no_amount() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let _broker = start(folder.path(), port, "allow_anonymous true\n");
    let hidden = "UPDATE observations SET okta = 9, cloud_fraction = NULL, confidence = NULL, \
                  category = 'OBSC', quality = 'night,no_sky' WHERE slot_local LIKE '%01:52'";
    let site = night("2024-06-10T05:00:00Z@1", hidden);
    let (_client, heard) = listen(port);
    let end = publish(&site, settings(&format!("url = 'mqtt://127.0.0.1:{port}'")));
    until("all is told", &heard, all_are_there).await;
    let state: Value = serde_json::from_slice(&heard.lock().unwrap()[STATE]).unwrap();
    for unknown in ["okta", "cloud_percent", "confidence_percent"] {
        assert_eq!(state[unknown], Value::Null, "{state}");
    }
    assert_eq!((&state["category"], &state["problem"]), (&"OBSC".into(), &true.into()));
    assert!(is(&heard.lock().unwrap(), SAFETY, "unsafe"));
    end.cancel();
}

#[actix::test]
async fn a_broker_asks_for_the_password_of_the_file() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let at = folder.path().display();
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c", &format!("{at}/users"), "sky", "hush"])
        .output();
    if !made.is_ok_and(|output| output.status.success()) {
        let _ = writeln!(std::io::stderr(), "skipped: there is no mosquitto_passwd");
        return;
    }
    // Run by root, mosquitto becomes another user.
    for name in ["", "users"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path().join(name), mode).unwrap();
    }
    let only_users = format!("allow_anonymous false\npassword_file {at}/users\n");
    let _broker = start(folder.path(), port, &only_users);
    let with = |user: &str, password: &str| {
        std::fs::write(folder.path().join("password"), password).unwrap();
        settings(&format!(
            "url = 'mqtt://127.0.0.1:{port}'\n{user}{}",
            if user.is_empty() {
                String::new()
            } else {
                format!("password_file = '{at}/password'\n")
            }
        ))
    };
    for (user, password, said) in [
        ("", "", "asks for a user; write user and password_file into [mqtt]"),
        (
            "user = 'sky'\n",
            "shush",
            "does not let the user 'sky' in; look at user and password_file",
        ),
    ] {
        let kind = SenderKind::Mqtt(Box::new(with(user, password)));
        let house = SenderSettings { id: "house".to_owned(), kind };
        let why = send_test(&house, None).await.unwrap_err().to_string();
        assert!(why.contains(said) && !why.contains("shush"), "{why}");
    }
    let kind = SenderKind::Mqtt(Box::new(with("user = 'sky'\n", "\u{feff}hush\r\n")));
    let house = SenderSettings { id: "house".to_owned(), kind };
    send_test(&house, None).await.unwrap();
}

fn openssl(folder: &Path, arguments: &str) -> bool {
    let arguments = arguments.split(' ');
    let ran = Command::new("openssl").args(arguments).current_dir(folder).output();
    ran.is_ok_and(|output| output.status.success())
}

/// Writes `ca.pem`, and by it `server.pem` and `client.pem` with their keys; says where it can't.
pub fn certificates(folder: &Path) -> bool {
    let sign = "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
    let made = [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj /CN=test-ca",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost,IP:127.0.0.1",
        &format!("{sign} -in server.csr -copy_extensions copy -out server.pem"),
        "req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=celaje \
         -addext subjectAltName=DNS:celaje",
        &format!("{sign} -in client.csr -copy_extensions copy -out client.pem"),
    ]
    .iter()
    .all(|arguments| openssl(folder, arguments));
    if !made {
        let why = "skipped: there is no openssl that makes certificates";
        let _ = writeln!(std::io::stderr(), "{why}");
    }
    made
}

#[actix::test]
async fn a_broker_may_ask_for_a_certificate_and_a_password() {
    if program().is_none() {
        return;
    }
    let (folder, port, plain) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    if !certificates(folder.path()) {
        return;
    }
    let at = folder.path().display();
    // Run by root, mosquitto becomes another user that must read the keys.
    for name in ["", "server.key", "server.pem", "ca.pem"] {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let _broker = start(
        folder.path(),
        port,
        &format!(
            "allow_anonymous true\nrequire_certificate true\ncafile {at}/ca.pem\n\
             certfile {at}/server.pem\nkeyfile {at}/server.key\n\
             listener {plain} 127.0.0.1\nallow_anonymous true\n"
        ),
    );
    let (_client, heard) = listen(plain);
    let site = night("2024-06-10T05:00:00Z@1", "");
    std::fs::write(folder.path().join("password"), "hush\n").unwrap();
    let with = |certificate: &str| {
        settings(&format!(
            "url = 'mqtts://127.0.0.1:{port}'\nca_file = '{at}/ca.pem'\n{certificate}\
             user = 'celaje'\npassword_file = '{at}/password'\n"
        ))
    };
    // Without a certificate of its own it is refused, and goes on trying.
    let refused = publish(&site, with(""));
    tokio::time::sleep(Duration::from_secs(2)).await;
    refused.cancel();
    assert!(!heard.lock().unwrap().contains_key(STATE));
    let house =
        SenderSettings { id: "house".to_owned(), kind: SenderKind::Mqtt(Box::new(with(""))) };
    let why = send_test(&house, None).await.unwrap_err().to_string();
    // The broker closes the connection behind its reason, which may be lost on the way.
    assert!(why.contains("cert_file and key_file in [mqtt]") && !why.contains("hush"), "{why}");
    let end = publish(
        &site,
        with(&format!("cert_file = '{at}/client.pem'\nkey_file = '{at}/client.key'\n")),
    );
    until("told by TLS", &heard, all_are_there).await;
    end.cancel();
    // The scheme of the other port.
    for (scheme, port, said) in [
        ("mqtts", plain, "ends the handshake of TLS, as a server does that speaks none there"),
        ("mqtt", port, ""),
    ] {
        let url = format!("url = '{scheme}://127.0.0.1:{port}'\n");
        let house = SenderSettings {
            id: "house".to_owned(),
            kind: SenderKind::Mqtt(Box::new(settings(&url))),
        };
        let why = send_test(&house, None).await.unwrap_err().to_string();
        assert!(why.contains(said), "{why}");
        assert!(why.contains("; look at url in [mqtt]: mqtt:// or mqtts://"), "{why}");
    }
    let broken = folder.path().join("broken.pem");
    std::fs::write(&broken, "no certificate").unwrap();
    let why = celaje::daemon::mqtt::check(&with(&format!(
        "cert_file = '{}'\nkey_file = '{at}/client.key'\n",
        broken.display()
    )));
    let why = why.unwrap_err().to_string();
    assert!(why.contains("broken.pem") && !why.contains("hush"), "{why}");
}

/// As `openssl x509 -req` makes them where it is given no extensions.
#[actix::test]
async fn a_certificate_of_the_first_version_is_named() {
    if program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    if !certificates(folder.path()) {
        return;
    }
    let at = folder.path().display();
    let sign = "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
    for name in ["server", "client"] {
        let old = format!("{sign} -in {name}.csr -out {name}-old.pem");
        assert!(openssl(folder.path(), &old), "{name}");
    }
    for name in ["", "server.key", "server-old.pem", "ca.pem"] {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let _broker = start(
        folder.path(),
        port,
        &format!("allow_anonymous true\ncertfile {at}/server-old.pem\nkeyfile {at}/server.key\n"),
    );
    let with = |more: &str| {
        settings(&format!("url = 'mqtts://localhost:{port}'\nca_file = '{at}/ca.pem'\n{more}"))
    };
    let kind = SenderKind::Mqtt(Box::new(with("")));
    let house = SenderSettings { id: "house".to_owned(), kind };
    let why = send_test(&house, None).await.unwrap_err().to_string();
    assert!(why.contains("version 1 of X.509") && why.contains("-extfile"), "{why}");
    assert!(!why.contains("ca_file"), "{why}");
    let own = format!("cert_file = '{at}/client-old.pem'\nkey_file = '{at}/client.key'\n");
    let why = celaje::daemon::mqtt::check(&with(&own)).unwrap_err().to_string();
    assert!(why.contains("client-old.pem' is of version 1 of X.509"), "{why}");
    assert!(why.contains("cert_file") && !why.contains("key_file"), "{why}");
    let own = format!("cert_file = '{at}/client.pem'\nkey_file = '{at}/client.key'\n");
    celaje::daemon::mqtt::check(&with(&own)).unwrap();
}
