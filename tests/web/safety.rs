//! Whether a sky is safe, in every form in which it is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use celaje::daemon::operator::{ClockStanding, Event};
use celaje::store::reader::{LatestReading, ObservationItem};
use celaje::web::WebOptions;
use celaje_sky::safety::{SafetyRule, SkyPart};
use celaje_sky::station::Station;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::client::{self, Reply};
use crate::site::Site;

/// A winter night of clear sky over Tierra del Fuego, whose last picture is of 04:52 UTC, asked at
/// `now`; `change` is SQL that runs before the server starts.
pub fn night(now: &str, change: &str) -> Site {
    night_with(now, change, |_| {})
}

/// The same with other options.
pub fn night_with(now: &str, change: &str, more: impl FnOnce(&mut WebOptions)) -> Site {
    Site::of("2024-06-10T00:00", "2024-06-10T02:00", "http://127.0.0.1:9/", |options| {
        let mut record = SqliteConnection::establish(options.db.to_str().unwrap()).unwrap();
        let clear = "UPDATE observations SET okta = 1, cloud_fraction = 0.125, confidence = 0.9, \
                     category = 'FEW', description = 'Pocas nubes', quality = 'night';";
        record.batch_execute(clear).unwrap();
        record.batch_execute(change).unwrap();
        options.clock = now.parse().unwrap();
        let station = Station::rio_grande();
        let safety = Some(SafetyRule::usual(&station.minutes));
        options.stations = vec![Arc::new(Station { safety, ..station })];
        options.alpaca = Some("127.0.0.1:0".parse().unwrap());
        options.alpaca_discovery = 0;
        more(options);
    })
}

pub async fn alpaca(site: &Site, method: &str, target: &str, body: &str) -> Reply {
    let addr = site.running.alpaca.unwrap();
    let (method, target, body) = (method.to_owned(), target.to_owned(), body.to_owned());
    let asked = tokio::task::spawn_blocking(move || {
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        client::request(addr, &method, &target, &form, body.as_bytes())
    });
    asked.await.unwrap()
}

/// What each way of asking says.
async fn everyone(site: &Site) -> (Vec<bool>, String) {
    let safety = site.get("/api/v1/stations/rio-grande/safety").await.json();
    let boltwood = site.get("/api/v1/stations/rio-grande/boltwood").await;
    let fields: Vec<&str> = boltwood.text().split_whitespace().collect();
    assert_eq!(fields.len(), 21, "{fields:?}");
    alpaca(site, "PUT", "/api/v1/safetymonitor/0/connected", "Connected=true&ClientID=7").await;
    let is_safe = alpaca(site, "GET", "/api/v1/safetymonitor/0/issafe?ClientID=7", "").await.json();
    let metrics = site.get("/metrics").await;
    let metric = metrics.text().contains("celaje_safe{station=\"rio-grande\"} 1\n");
    let answers = vec![
        safety["safe"].as_bool().unwrap(),
        safety["roof_status"]["open_ok"] == 1,
        fields[19] == "0",
        fields[20] == "0",
        is_safe["Value"].as_bool().unwrap(),
        metric,
    ];
    (answers, safety["reason"].as_str().unwrap().to_owned())
}

#[actix::test]
async fn all_say_the_same_of_a_clear_night_and_of_a_dead_camera() {
    let clear = night("2024-06-10T05:00:00Z@1", "");
    assert_eq!(everyone(&clear).await, (vec![true; 6], "clear".to_owned()));
    // 25 minutes are two slots and a half.
    let dead = night("2024-06-10T05:17:30Z@1", "");
    assert_eq!(everyone(&dead).await, (vec![false; 6], "stale".to_owned()));
    for (change, reason) in [
        (
            "UPDATE observations SET quality = 'night,frozen' WHERE slot_local LIKE '%01:52'",
            "frozen",
        ),
        ("UPDATE observations SET okta = 8 WHERE slot_local LIKE '%01:52'", "clouds"),
        ("DELETE FROM observations", "no_reading"),
        ("UPDATE observations SET confidence = 0.2", "low_confidence"),
    ] {
        let site = night("2024-06-10T05:00:00Z@1", change);
        assert_eq!(everyone(&site).await, (vec![false; 6], reason.to_owned()), "{change}");
    }
}

/// Field by field: time, scales, what is not measured, age, day, cloud, wind, rain, daylight,
/// close, alert.
#[actix::test]
async fn boltwoods_line_is_that_of_the_format() {
    let line = async |now: &str, change: &str| {
        let site = night(now, change);
        site.get("/api/v1/stations/rio-grande/boltwood").await.text().to_owned()
    };
    let of_sky = async |change: &str| {
        let line = line("2024-06-10T05:00:00Z@0.01", change).await;
        let end: Vec<_> = line.split_whitespace().skip(15).collect();
        end.join(" ")
    };
    assert_eq!(
        line("2024-06-10T05:00:00Z@0.01", "").await,
        "2024-06-10 02:00:00.00 C K 999.9 999.9 999.9 0.0 0 999.9 000 0 0 00480 045453.08333 \
         1 0 0 1 0 0\r\n"
    );
    assert_eq!(of_sky("UPDATE observations SET okta = 3").await, "2 0 0 1 1 1");
    assert_eq!(of_sky("UPDATE observations SET okta = 5").await, "3 0 0 1 1 1");
    let hidden = "UPDATE observations SET okta = 9, cloud_fraction = NULL, confidence = NULL, \
                  category = 'OBSC', quality = 'night,no_sky'";
    assert_eq!(of_sky(hidden).await, "0 0 0 1 1 1");
    assert!(line("2024-06-10T06:00:00Z@0.01", "").await.ends_with(" 0 0 0 1 1 1\r\n"), "stale");
    assert!(line("2024-06-10T16:00:00Z@0.01", "").await.ends_with(" 0 0 0 3 1 1\r\n"), "day");
}

#[actix::test]
async fn a_camera_that_dies_makes_it_unsafe_while_the_program_runs() {
    // A minute is a tenth of a second.
    let site = night("2024-06-10T05:00:00Z@600", "");
    let first = site.get("/api/v1/stations/rio-grande/safety").await.json();
    let began = Instant::now();
    let mut last = first.clone();
    while last["safe"] == true && began.elapsed() < Duration::from_secs(60) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        last = site.get("/api/v1/stations/rio-grande/safety").await.json();
    }
    assert_eq!((&last["safe"], &last["reason"]), (&false.into(), &"stale".into()));
    assert_eq!(last["reading_at"], "2024-06-10T04:52:00Z");
}

#[actix::test]
async fn a_reading_that_arrives_counts_at_once() {
    let site = night("2024-06-10T05:03:00Z@1", "");
    let item = ObservationItem {
        slot_utc: Some("2024-06-10T05:02:00Z".to_owned()),
        okta: 8,
        quality: Some("night".to_owned()),
        confidence: Some(0.9),
        ..crate::site::item("2024-06-10T02:02")
    };
    let reading = LatestReading { item, shadow: None };
    site.operator.sender.send(Event::Observation("rio-grande".to_owned(), reading)).unwrap();
    let began = Instant::now();
    loop {
        let told = site.get("/api/v1/stations/rio-grande/safety").await.json();
        if told["safe"] == false {
            assert_eq!((&told["reason"], &told["okta"]), (&"clouds".into(), &8.into()));
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{told}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[actix::test]
async fn an_old_record_has_a_last_reading_that_is_old() {
    for (now, standing, reason) in [
        ("2024-06-13T05:00:00Z@1", ClockStanding::Confirmed, "stale"),
        ("2024-06-13T05:00:00Z@1", ClockStanding::Unknown, "stale"),
        // The host of a dead camera does not answer.
        ("2024-06-10T11:00:00Z@1", ClockStanding::Unheard, "stale"),
        ("2024-06-13T05:00:00Z@1", ClockStanding::Unheard, "stale"),
        ("2024-06-10T05:00:00Z@1", ClockStanding::Unheard, "clock_in_doubt"),
        ("2024-06-10T11:00:00Z@1", ClockStanding::InDoubt, "clock_in_doubt"),
    ] {
        let site = night(now, "");
        *site.operator.clock.lock().unwrap() = standing;
        assert_eq!(everyone(&site).await, (vec![false; 6], reason.to_owned()), "{now}");
        let told = site.get("/api/v1/stations/rio-grande/tonight").await.json();
        assert_eq!((&told["advice"], &told["reason"]), (&"close".into(), &reason.into()), "{now}");
    }
}

/// Where nobody confirms the clock, what the record had at the start may be of any age.
#[actix::test]
async fn without_a_witness_of_the_time_only_what_comes_counts() {
    // A slot takes four seconds; a reading is stale after ten.
    let site = night("2024-06-10T05:00:00Z@150", "");
    *site.operator.clock.lock().unwrap() = ClockStanding::Unknown;
    let (all, reason) = everyone(&site).await;
    assert_eq!((all, reason.as_str()), (vec![false; 6], "clock_in_doubt"));
    // Nor is its cloud told.
    let boltwood = site.get("/api/v1/stations/rio-grande/boltwood").await;
    assert_eq!(boltwood.text().split_whitespace().nth(15), Some("0"));
    assert!(site.get("/badge.svg").await.text().contains("no reading"));
    alpaca(&site, "PUT", "/api/v1/observingconditions/0/connected", "Connected=true").await;
    let cover = alpaca(&site, "GET", "/api/v1/observingconditions/0/cloudcover", "").await.json();
    assert_eq!(cover["ErrorNumber"], 0x40b, "{cover}");

    let (mut slot, mut sent) = ("2024-06-10T05:02:00Z".parse::<DateTime<Utc>>().unwrap(), 0);
    let began = Instant::now();
    loop {
        let told = site.get("/api/v1/stations/rio-grande/safety").await.json();
        if told["safe"] == true {
            assert!(sent >= 3, "after {sent} readings, which take two slots");
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{told}");
        if site.running.recent().now() > slot {
            let local = (slot - TimeDelta::hours(3)).format("%Y-%m-%dT%H:%M").to_string();
            let item = ObservationItem {
                slot_utc: Some(slot.to_rfc3339()),
                okta: 0,
                quality: Some("night".to_owned()),
                confidence: Some(0.9),
                ..crate::site::item(&local)
            };
            let reading = LatestReading { item, shadow: None };
            let sender = &site.operator.sender;
            sender.send(Event::Observation("rio-grande".to_owned(), reading)).unwrap();
            (slot, sent) = (slot + TimeDelta::minutes(10), sent + 1);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // They end: it is as unsafe as ever.
    let mut last = String::new();
    while last != "stale" {
        assert!(began.elapsed() < Duration::from_secs(90), "{last}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        last = everyone(&site).await.1;
    }
}

#[actix::test]
async fn other_pages_may_show_the_badge_and_nothing_else() {
    let site = night("2024-06-10T05:00:00Z@1", "");
    for (path, part) in [
        ("/badge.svg", "few clouds, 1/8"),
        // As pages ask that want no cache to answer.
        ("/badge.svg?_=1709305350", "few clouds, 1/8"),
        ("/api/v1/stations/rio-grande/badge.svg", "few clouds, 1/8"),
        ("/widget", "few clouds, 1/8"),
    ] {
        let reply = site.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.text().contains(part), "{}", reply.text());
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("cross-origin"));
        assert_eq!(reply.header("x-frame-options"), None);
        // Neither needs a style or a script, which that policy forbids.
        assert!(!reply.text().contains("style") && !reply.text().contains("<script"));
        assert!(reply.header("content-security-policy").unwrap().ends_with("frame-ancestors *"));
    }
    let spanish = site.ask("GET", "/badge.svg", &[("Accept-Language", "es")], b"").await;
    assert!(spanish.text().contains("pocas nubes"));
    let other = site.get("/api/v1/stations/rio-grande/safety").await;
    assert_eq!(other.header("cross-origin-resource-policy"), Some("same-origin"));
    site.get("/api/v1/stations/none/badge.svg").await.problem(404);
    let stale = night("2024-06-10T06:00:00Z@1", "");
    assert!(stale.get("/badge.svg").await.text().contains("no reading"));
}

#[actix::test]
async fn stations_without_a_rule_are_unsafe_and_others_unknown() {
    let site = Site::new();
    let told = site.get("/api/v1/stations/rio-grande/safety").await.json();
    assert_eq!((&told["safe"], &told["reason"]), (&false.into(), &"not_configured".into()));
    assert_eq!(told["roof_status"]["open_ok"], 0);
    for path in ["/api/v1/stations/none/safety", "/api/v1/stations/none/boltwood"] {
        site.get(path).await.problem(404);
    }
    site.get("/api/v1/safety?x=1").await.problem(400);
    assert!(!site.get("/metrics").await.text().contains("celaje_safe{"));
}

/// All but the zone is overcast; a row of before there was a zone knows nothing of it.
#[actix::test]
async fn a_zone_may_be_what_counts() {
    let change = "UPDATE observations SET okta = 8, cloud_fraction = 1, category = 'OVC', \
                  zones = '{\"south\":0.1}', zenith_fraction = 0.9;";
    let of = |part: SkyPart, more: &str| {
        night_with("2024-06-10T05:00:00Z@1", &format!("{change}{more}"), |options| {
            let station = Station::rio_grande();
            let usual = SafetyRule::usual(&station.minutes);
            let safety = Some(SafetyRule { part, ..usual });
            options.stations = vec![Arc::new(Station { safety, ..station })];
        })
    };
    let south = || SkyPart::Zone("south".to_owned());
    let site = of(south(), "");
    assert_eq!(everyone(&site).await, (vec![true; 6], "clear".to_owned()));
    let zenith = of(SkyPart::Zenith, "");
    assert_eq!(everyone(&zenith).await, (vec![false; 6], "clouds".to_owned()));
    let all = of(SkyPart::All, "");
    assert_eq!(everyone(&all).await, (vec![false; 6], "clouds".to_owned()));
    let forgot = "UPDATE observations SET zones = NULL WHERE slot_local LIKE '%01:52'";
    let site = of(south(), forgot);
    assert_eq!(everyone(&site).await, (vec![false; 6], "not_measured".to_owned()));
}
