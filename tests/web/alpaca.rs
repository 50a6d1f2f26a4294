//! Alpaca as its clients meet it: the rules of the wire, each member, discovery, and alpyca.

use std::io::Write as _;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::safety::{alpaca, night};
use crate::site::Site;

const SAFETY: &str = "/api/v1/safetymonitor/0";
const CLOUDS: &str = "/api/v1/observingconditions/0";

fn clear() -> Site {
    night("2024-06-10T05:00:00Z@1", "")
}

async fn get(site: &Site, target: &str) -> Value {
    let reply = alpaca(site, "GET", target, "").await;
    assert_eq!(reply.status, 200, "{target}: {}", reply.text());
    assert!(reply.header("content-type").unwrap().starts_with("application/json"));
    reply.json()
}

async fn put(site: &Site, target: &str, body: &str) -> Value {
    let reply = alpaca(site, "PUT", target, body).await;
    assert_eq!(reply.status, 200, "{target} {body}: {}", reply.text());
    reply.json()
}

async fn connect(site: &Site) {
    for device in [SAFETY, CLOUDS] {
        let told = put(site, &format!("{device}/connect"), "ClientID=1").await;
        assert_eq!(told["ErrorNumber"], 0);
    }
}

#[actix::test]
async fn an_answer_has_its_numbers() {
    let site = clear();
    let first = get(&site, &format!("{SAFETY}/name?ClientID=1&ClientTransactionID=42")).await;
    let expected = json!({
        "Value": "Celaje safety, Estación Astronómica Río Grande",
        "ClientTransactionID": 42,
        "ServerTransactionID": 1,
        "ErrorNumber": 0,
        "ErrorMessage": "",
    });
    assert_eq!(first, expected);
    // Names in a query in any case, others ignored.
    let other = get(&site, &format!("{SAFETY}/name?clienttransactionid=7&more=1")).await;
    assert_eq!(
        (&other["ClientTransactionID"], &other["ServerTransactionID"]),
        (&7.into(), &2.into())
    );
    for id in ["", "%20%20", "-12345", "NASDAQ", "4294967296", "1.5"] {
        let told =
            get(&site, &format!("{SAFETY}/name?ClientTransactionID={id}&ClientID={id}")).await;
        assert_eq!(told["ClientTransactionID"], 0, "{id}");
    }
    assert_eq!(get(&site, &format!("{SAFETY}/name")).await["ClientTransactionID"], 0);
    let largest = format!("{SAFETY}/name?ClientTransactionID=4294967295");
    assert_eq!(get(&site, &largest).await["ClientTransactionID"], u32::MAX);
    // In a body as they are written.
    let body = "Connected=True&ClientID=1&ClientTransactionID=9";
    assert_eq!(put(&site, &format!("{SAFETY}/connected"), body).await["ClientTransactionID"], 9);
    let body = "Connected=true&ClientID=1&clienttransactionid=9";
    let told = put(&site, &format!("{SAFETY}/connected"), body).await;
    assert_eq!(told["ClientTransactionID"], 0);
    assert!(told.get("Value").is_none());
    for id in ["", "%20%20", "-12345", "NASDAQ"] {
        let body = format!("Connected=true&ClientID={id}&ClientTransactionID={id}");
        let told = put(&site, &format!("{SAFETY}/connected"), &body).await;
        assert_eq!((&told["ClientTransactionID"], &told["ErrorNumber"]), (&0.into(), &0.into()));
    }
    // A wrongly cased id is none: it is the client 0 that connects.
    put(&site, &format!("{CLOUDS}/connected"), "Connected=TRUE&clientid=5").await;
    for (id, connected) in [("5", false), ("0", true)] {
        let told = get(&site, &format!("{CLOUDS}/connected?ClientID={id}")).await;
        assert_eq!(told["Value"], connected, "{id}");
    }
}

#[actix::test]
async fn what_is_not_understood_is_told_in_plain_text() {
    let site = clear();
    for target in [
        "/api/v1/safetymonitor/0/none",
        "/api/v1/safetymonitor/1/issafe",
        "/api/v1/safetymonitor/-1/issafe",
        "/api/v1/safetymonitor/+0/issafe",
        "/api/v1/safetymonitor/A/issafe",
        "/api/v1/safetymonitor/99999999999999999999/issafe",
        "/api/v1/SafetyMonitor/0/issafe",
        "/api/v1/safetymonitor/0/IsSafe",
        "/api/v1/camera/0/name",
        "/api/v2/safetymonitor/0/issafe",
        "/api/v1/observingconditions/0/sensordescription",
        "/api/v1/observingconditions/0/timesincelastupdate",
        "/api/v1/safetymonitor/0/cloudcover",
        "/management/v2/description",
    ] {
        let reply = alpaca(&site, "GET", target, "").await;
        assert_eq!(reply.status, 400, "{target}");
        assert!(reply.header("content-type").unwrap().starts_with("text/plain"), "{target}");
    }
    for (target, body) in [
        ("connected", ""),
        ("connected", "Connected="),
        ("connected", "Connected=123456"),
        ("connected", "Connected=string"),
        ("connected", "connected=true"),
        ("connected", "CONNECTED=true"),
        ("action", "action=a&Parameters="),
        ("action", "Action=a&parameters="),
        ("commandbool", "Command=a&raw=true"),
        ("issafe", ""),
        ("name", ""),
    ] {
        let reply = alpaca(&site, "PUT", &format!("{SAFETY}/{target}"), body).await;
        assert_eq!(reply.status, 400, "{target} {body}");
    }
    for body in ["averageperiod=1.0", "AveragePeriod=", "AveragePeriod=long"] {
        let reply = alpaca(&site, "PUT", &format!("{CLOUDS}/averageperiod"), body).await;
        assert_eq!(reply.status, 400, "{body}");
    }
    for method in ["POST", "DELETE"] {
        let reply = alpaca(&site, method, &format!("{SAFETY}/connected"), "Connected=true").await;
        assert_eq!(reply.status, 405, "{method}");
    }
    assert_eq!(alpaca(&site, "GET", "/octas", "").await.status, 404);
}

#[actix::test]
async fn each_client_connects_for_itself() {
    let site = clear();
    let asked = |id: u32| format!("{SAFETY}/issafe?ClientID={id}");
    assert_eq!(get(&site, &asked(1)).await["ErrorNumber"], 0x407);
    assert!(get(&site, &asked(1)).await.get("Value").is_none());
    put(&site, &format!("{SAFETY}/connected"), "Connected=true&ClientID=1").await;
    assert_eq!(get(&site, &asked(1)).await["Value"], true);
    assert_eq!(get(&site, &asked(2)).await["ErrorNumber"], 0x407);
    assert_eq!(get(&site, &format!("{CLOUDS}/cloudcover?ClientID=1")).await["ErrorNumber"], 0x407);
    assert_eq!(get(&site, &format!("{SAFETY}/connected?ClientID=2")).await["Value"], false);
    assert_eq!(get(&site, &format!("{SAFETY}/connecting?ClientID=2")).await["Value"], false);
    for device in [SAFETY, CLOUDS] {
        for member in [
            "description",
            "driverinfo",
            "driverversion",
            "interfaceversion",
            "name",
            "supportedactions",
            "connected",
            "connecting",
        ] {
            let told = get(&site, &format!("{device}/{member}?clientid=2")).await;
            assert_eq!(told["ErrorNumber"], 0, "{member} of who has not connected");
        }
        let told = get(&site, &format!("{device}/devicestate?ClientID=2")).await;
        assert_eq!(told["ErrorNumber"], 0x407);
    }
    put(&site, &format!("{SAFETY}/disconnect"), "ClientID=1").await;
    assert_eq!(get(&site, &asked(1)).await["ErrorNumber"], 0x407);
}

/// The record could be gone: what is asked each second is answered from memory.
#[actix::test]
async fn a_question_costs_no_query() {
    let site = clear();
    connect(&site).await;
    site.execute("DELETE FROM observations");
    assert_eq!(get(&site, &format!("{SAFETY}/issafe?ClientID=1")).await["Value"], true);
    assert_eq!(get(&site, &format!("{CLOUDS}/cloudcover?ClientID=1")).await["Value"], 12.5);
}

#[actix::test]
async fn every_member_is_there() {
    let site = clear();
    connect(&site).await;
    for (device, interface) in [(SAFETY, 3), (CLOUDS, 2)] {
        let of = async |member: &str| get(&site, &format!("{device}/{member}?ClientID=1")).await;
        assert_eq!(of("interfaceversion").await["Value"], interface);
        assert_eq!(of("supportedactions").await["Value"], json!([]));
        assert_eq!(of("connected").await["Value"], true);
        let version = of("driverversion").await["Value"].as_str().unwrap().to_owned();
        assert_eq!(version.split('.').count(), 2, "{version}");
        for member in ["description", "driverinfo", "name"] {
            assert!(
                of(member).await["Value"].as_str().unwrap().contains("Celaje")
                    || member == "description"
            );
        }
        let state = of("devicestate").await["Value"].clone();
        assert_eq!(state.as_array().unwrap().len(), 2, "{state}");
        assert_eq!(state[1]["Name"], "TimeStamp");
        for (command, body) in [
            ("commandblind", "Command=a&Raw=true&ClientID=1"),
            ("commandbool", "Command=a&Raw=False&ClientID=1"),
            ("commandstring", "Command=a&Raw=true&ClientID=1"),
            ("action", "Action=a&Parameters=&ClientID=1"),
        ] {
            assert_eq!(
                put(&site, &format!("{device}/{command}"), body).await["ErrorNumber"],
                0x400
            );
        }
    }
    let of = async |member: &str| get(&site, &format!("{CLOUDS}/{member}")).await;
    assert_eq!(of("cloudcover?ClientID=1").await["Value"], 12.5);
    for absent in [
        "dewpoint",
        "humidity",
        "pressure",
        "rainrate",
        "skybrightness",
        "skyquality",
        "skytemperature",
        "starfwhm",
        "temperature",
        "winddirection",
        "windgust",
        "windspeed",
    ] {
        assert_eq!(of(&format!("{absent}?ClientID=1")).await["ErrorNumber"], 0x400, "{absent}");
        for about in ["sensordescription", "timesincelastupdate"] {
            let told = of(&format!("{about}?SensorName={absent}&ClientID=1")).await;
            assert_eq!(told["ErrorNumber"], 0x400, "{about} {absent}");
        }
    }
    for about in ["sensordescription", "timesincelastupdate"] {
        for name in ["CloudCover", "cloudcover", "CLOUDcover"] {
            let known = of(&format!("{about}?sensorname={name}&ClientID=1")).await;
            assert_eq!(known["ErrorNumber"], 0, "{about} {name}");
        }
        let unknown = of(&format!("{about}?SensorName=Unknown&ClientID=1")).await;
        assert_eq!(unknown["ErrorNumber"], 0x401, "{about}");
    }
    let age = of("timesincelastupdate?SensorName=&ClientID=1").await["Value"].as_f64().unwrap();
    assert!((480.0..600.0).contains(&age), "{age}");
    assert_eq!(put(&site, &format!("{CLOUDS}/refresh"), "ClientID=1").await["ErrorNumber"], 0);
}

#[actix::test]
async fn cloud_cover_is_the_last_reading_or_a_mean() {
    // The last but one is overcast.
    let change =
        "UPDATE observations SET okta = 8, cloud_fraction = 1 WHERE slot_local LIKE '%01:42'";
    let site = night("2024-06-10T05:00:00Z@1", change);
    connect(&site).await;
    let cover = format!("{CLOUDS}/cloudcover?ClientID=1");
    let period = format!("{CLOUDS}/averageperiod");
    assert_eq!(get(&site, &format!("{period}?ClientID=1")).await["Value"], 0.0);
    assert_eq!(get(&site, &cover).await["Value"], 12.5);
    let told = put(&site, &period, "AveragePeriod=0.32&ClientID=1").await;
    assert_eq!(told["ErrorNumber"], 0);
    assert_eq!(get(&site, &cover).await["Value"], 56.25);
    for (hours, error) in [("0.0", 0), ("5.0", 0), ("-2.0", 0x401), ("25", 0x401), ("NaN", 0x401)] {
        let told = put(&site, &period, &format!("AveragePeriod={hours}&ClientID=1")).await;
        assert_eq!(told["ErrorNumber"], error, "{hours}");
    }
}

#[actix::test]
async fn without_a_recent_reading_there_is_no_amount() {
    let hidden = "UPDATE observations SET okta = 9, cloud_fraction = NULL, confidence = NULL, \
                  category = 'OBSC', quality = 'night,no_sky' WHERE slot_local LIKE '%01:52'";
    for (now, change) in [
        ("2024-06-10T05:00:00Z@1", hidden),
        ("2024-06-10T06:00:00Z@1", ""),
        ("2024-06-10T05:00:00Z@1", "DELETE FROM observations"),
    ] {
        let site = night(now, change);
        connect(&site).await;
        let told = get(&site, &format!("{CLOUDS}/cloudcover?ClientID=1")).await;
        assert_eq!(told["ErrorNumber"], 0x40B, "{change}");
        let state = get(&site, &format!("{CLOUDS}/devicestate?ClientID=1")).await;
        assert_eq!(state["Value"], json!([]), "{change}");
        assert_eq!(get(&site, &format!("{SAFETY}/issafe?ClientID=1")).await["Value"], false);
    }
}

#[actix::test]
async fn the_management_lists_two_devices_a_station() {
    let site = clear();
    assert_eq!(get(&site, "/management/apiversions").await["Value"], json!([1]));
    let told = get(&site, "/management/v1/description").await["Value"].clone();
    for key in ["ServerName", "Manufacturer", "ManufacturerVersion", "Location"] {
        assert!(told[key].is_string(), "{key}");
    }
    let devices = get(&site, "/management/v1/configureddevices").await["Value"].clone();
    let kinds: Vec<_> =
        devices.as_array().unwrap().iter().map(|d| d["DeviceType"].clone()).collect();
    assert_eq!(kinds, ["SafetyMonitor", "ObservingConditions"]);
    let ids: Vec<_> = devices.as_array().unwrap().iter().map(|d| d["UniqueID"].clone()).collect();
    assert!(ids[0] != ids[1] && ids[0].as_str().unwrap().len() == 36, "{ids:?}");
    for path in ["/setup", "/setup/v1/safetymonitor/0/setup", "/"] {
        let page = alpaca(&site, "GET", path, "").await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").unwrap().starts_with("text/html"), "{path}");
        // Whoever opens it sees what the device says, and why.
        for part in ["Estación Astronómica Río Grande", "Safe</b> clear", "01:52, 1 of 8 oktas"]
        {
            assert!(page.text().contains(part), "{path}: {}", page.text());
        }
        assert!(page.text().contains("neither rain nor wind, and is never a roof's only guard"));
    }
    let style = alpaca(&site, "GET", "/setup/style.css", "").await;
    assert_eq!(
        (style.status, style.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
    assert_eq!(alpaca(&site, "GET", "/setup/v1/camera/0/setup", "").await.status, 400);
}

/// A site whose discovery listens on `port`.
fn discoverable(port: u16) -> Site {
    Site::of("2024-06-10T00:00", "2024-06-10T00:10", "http://127.0.0.1:9/", |options| {
        options.alpaca = Some("127.0.0.1:0".parse().unwrap());
        options.alpaca_discovery = port;
    })
}

#[actix::test]
async fn a_question_by_udp_is_told_the_port() {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let site = discoverable(port);
    let expected = site.running.alpaca.unwrap().port();
    let asked = tokio::task::spawn_blocking(move || {
        // What is no question has no answer: the first answer is that of the second.
        client.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        client.send_to(b"alpacadiscovery1", ("127.0.0.1", port)).unwrap();
        let mut answer = [0; 64];
        let (length, _) = client.recv_from(&mut answer).unwrap();
        serde_json::from_slice::<Value>(&answer[..length]).unwrap()
    });
    assert_eq!(asked.await.unwrap(), json!({ "AlpacaPort": expected }));
}

#[actix::test]
async fn alpyca_finds_the_devices_and_reads_them() {
    let has = Command::new("python3").args(["-c", "import alpaca.safetymonitor"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: python3 has no alpyca");
        return;
    }
    let site = night("2024-06-10T05:00:00Z@1", "");
    let found = discoverable(celaje::web::alpaca::DISCOVERY_PORT);
    let addr = site.running.alpaca.unwrap();
    let other = found.running.alpaca.unwrap();
    let script = format!(
        r#"
from alpaca import discovery, management
from alpaca.safetymonitor import SafetyMonitor
from alpaca.observingconditions import ObservingConditions
from alpaca.exceptions import *
# It waits for each adapter's network.
searches = (discovery.search_ipv4(numquery=1, timeout=1) for attempt in range(20))
assert any("127.0.0.1:{port}" in found for found in searches), "not found"
address = "{addr}"
assert management.apiversions(address) == [1]
assert management.description(address)["ServerName"] == "Celaje"
types = [d["DeviceType"] for d in management.configureddevices(address)]
assert types == ["SafetyMonitor", "ObservingConditions"]
monitor = SafetyMonitor(address, 0)
try:
    monitor.IsSafe
    raise SystemExit("answered without a connection")
except NotConnectedException:
    pass
monitor.Connect()
while monitor.Connecting:
    pass
assert monitor.Connected and monitor.IsSafe is True
assert monitor.InterfaceVersion == 3
assert monitor.DeviceState[0]["Name"] == "IsSafe"
monitor.Disconnect()
assert not monitor.Connected
clouds = ObservingConditions(address, 0)
clouds.Connected = True
assert clouds.CloudCover == 12.5
assert clouds.AveragePeriod == 0.0
assert clouds.SensorDescription("CloudCover")
assert 0 < clouds.TimeSinceLastUpdate("") < 3600
for ask in (lambda: clouds.Humidity, lambda: clouds.SensorDescription("Humidity")):
    try:
        ask()
        raise SystemExit("a sensor that is not there answers")
    except NotImplementedException:
        pass
clouds.Refresh()
"#,
        port = other.port(),
    );
    let ran = tokio::task::spawn_blocking(move || {
        Command::new("python3").args(["-c", &script]).output().unwrap()
    });
    let output = ran.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
