//! Alerts from the record to a sink, over restarts and failures.

use std::time::{Duration, Instant};

use celaje::clock::Clock;
use celaje::daemon::alerts::AlertKeeper;
use celaje::daemon::operator::{ClockStanding, Event};
use celaje::settings::{Layer, ReachSettings, Settings};
use celaje::store::reader::{LatestReading, ObservationItem};
use celaje::store::{
    AlertChange, CommitMode, Database, MOST_WAITING, PictureSource, RunKind, RunStart, SendOutcome,
    SharedDatabase,
};
use celaje_sky::alert::AlertState;
use celaje_sky::cover::Cover;
use celaje_sky::outcome::Outcome;
use celaje_sky::slot::SlotRange;
use rumqttc::PublishOptions;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::broker;
use crate::sink::Sink;
use crate::site::{Site, at, reading};

/// Answers messages with these statuses, the last one for ever.
pub fn sink(statuses: &'static [u16]) -> Sink {
    Sink::start(move |n| Some(statuses[n.min(statuses.len() - 1)]))
}

pub fn reach(toml: &str) -> ReachSettings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("celaje.toml");
    std::fs::write(&path, toml).unwrap();
    Settings::resolve(Layer::default(), Some(&path), |_| None).unwrap().reach
}

pub fn clearing(url: &str) -> ReachSettings {
    reach(&format!(
        "[[alert]]\nname = \"clear\"\nwhen = \"clearing\"\nto = [\"hook\"]\n\
         [[sender]]\nid = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\n"
    ))
}

/// An empty record whose site's clock is in a winter night.
pub fn site() -> Site {
    let site = crate::safety::night("2024-06-10T05:00:00Z@1", "");
    site.execute("DELETE FROM observations");
    site
}

/// Stores readings of these amounts from a minute on, by a run of this kind.
pub fn store(database: &SharedDatabase, site: &Site, kind: RunKind, from: &str, codes: &[u8]) {
    let to = at(from) + chrono::TimeDelta::minutes(10 * codes.len() as i64 - 1);
    let range = SlotRange::new(at(from), to).unwrap();
    let start = RunStart {
        range,
        source: PictureSource::default(),
        kind,
        version: "1".to_owned(),
        engine: "fake".to_owned(),
        model: "model 1".to_owned(),
    };
    let station = &site.station;
    let outcomes: Vec<Outcome> = range
        .slots(&station.minutes, station.zone)
        .zip(codes)
        .map(|(slot, code)| match reading(station, slot, "http://127.0.0.1:9/") {
            Outcome::Observed(mut observed) => {
                observed.cover = Cover::from_code(*code).unwrap();
                observed.cloud_fraction = Some(f64::from(*code) / 8.0);
                observed.confidence = Some(0.9);
                observed.quality = celaje_sky::quality::Quality::default();
                Outcome::Observed(observed)
            }
            missed => missed,
        })
        .collect();
    assert_eq!(outcomes.len(), codes.len());
    let work = |database: &mut celaje::store::Database| {
        let run = database.begin_run(&start).unwrap();
        database.commit(run, CommitMode::Insert, &outcomes).unwrap();
    };
    database.seen_from(&site.station.id, work).unwrap();
}

/// Alerts at work on a site's record at a moment; they end with the token.
pub fn keeper(
    site: &Site,
    database: &SharedDatabase,
    reach: &ReachSettings,
    now: &str,
) -> CancellationToken {
    let end = CancellationToken::new();
    let clock: Clock = now.parse().unwrap();
    let keeper = AlertKeeper {
        db: site.db.clone(),
        database: database.clone(),
        recent: site.running.recent(),
        alerts: reach.alerts.clone(),
        senders: reach.senders.clone(),
        page: None,
        clock: clock.begin(),
        period: Duration::from_millis(100),
    };
    tokio::spawn(keeper.keep(end.clone()));
    end
}

async fn messages(site: &Site) -> Vec<serde_json::Value> {
    site.get("/api/v1/alerts").await.json().as_array().unwrap().clone()
}

/// It clears over `site`, and the message of that waits, since its sender does not take it.
pub async fn clear_untold(site: &Site, database: &SharedDatabase, settings: &ReachSettings) {
    store(database, site, RunKind::Live, "2024-06-10T00:02", &[8, 8, 8, 8, 8]);
    let end = keeper(site, database, settings, "2024-06-10T03:45:00Z@1");
    until("armed", async || states(site) == vec![false; settings.alerts.len()]).await;
    end.cancel();
    store(database, site, RunKind::Live, "2024-06-10T00:52", &[0, 0, 0, 0, 0, 0]);
    let end = keeper(site, database, settings, "2024-06-10T04:45:00Z@1");
    until("tried", async || {
        messages(site).await.first().is_some_and(|message| message["attempts"] == 1)
    })
    .await;
    end.cancel();
}

/// Waits until the condition holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(90), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn states(site: &Site) -> Vec<bool> {
    use diesel::prelude::*;
    let mut other = diesel::SqliteConnection::establish(site.db.to_str().unwrap()).unwrap();
    let fired = diesel::dsl::sql::<diesel::sql_types::Bool>(
        "SELECT fired FROM alert_states ORDER BY alert",
    );
    fired.load(&mut other).unwrap()
}

#[actix::test]
async fn a_clearing_reaches_the_sink_once_over_restarts() {
    let site = site();
    let database = SharedDatabase::from(site.database());
    let sink = sink(&[200]);
    let settings = clearing(&sink.url);
    store(&database, &site, RunKind::Live, "2024-06-10T00:02", &[8, 8, 8, 8, 8]);
    let end = keeper(&site, &database, &settings, "2024-06-10T03:45:00Z@1");
    until("armed", async || states(&site) == [false]).await;
    end.cancel();
    // While the program is down, it clears.
    store(&database, &site, RunKind::Live, "2024-06-10T00:52", &[0, 0, 0, 0, 0, 0]);
    let end = keeper(&site, &database, &settings, "2024-06-10T04:45:00Z@1");
    until("told", async || sink.taken().len() == 1).await;
    until("sent", async || messages(&site).await[0]["status"] == "sent").await;
    end.cancel();
    // The next life of the program says nothing of what was told.
    let end = keeper(&site, &database, &settings, "2024-06-10T04:46:00Z@1");
    tokio::time::sleep(Duration::from_millis(600)).await;
    end.cancel();
    assert_eq!(states(&site), [true]);
    let told = sink.taken();
    assert_eq!((told.len(), messages(&site).await.len()), (1, 1));
    assert_eq!((&told[0]["kind"], &told[0]["okta"]), (&"clearing".into(), &0.into()));
}

/// Whether it is safe is known once the camera's host was asked the time, or by new readings.
#[actix::test]
async fn a_restart_is_no_news_of_an_unsafe_sky() {
    let site = crate::safety::night("2024-06-10T05:00:00Z@0.01", "");
    let database = SharedDatabase::from(site.database());
    let sink = sink(&[200]);
    let settings = reach(&format!(
        "[[alert]]\nname = 'close'\nwhen = 'unsafe'\nto = ['hook']\n\
         [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n",
        sink.url
    ));
    let now = "2024-06-10T05:00:00Z@1";
    let end = keeper(&site, &database, &settings, now);
    until("armed", async || states(&site) == [false]).await;
    end.cancel();
    *site.operator.clock.lock().unwrap() = ClockStanding::InDoubt;
    let end = keeper(&site, &database, &settings, now);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!((states(&site), sink.taken().len()), (vec![false], 0));
    // Clouds are.
    *site.operator.clock.lock().unwrap() = ClockStanding::Confirmed;
    let item = ObservationItem {
        slot_utc: Some("2024-06-10T04:59:00Z".to_owned()),
        okta: 8,
        confidence: Some(0.9),
        quality: Some("night".to_owned()),
        ..crate::site::item("2024-06-10T01:59")
    };
    let reading = LatestReading { item, shadow: None };
    site.operator.sender.send(Event::Observation("rio-grande".to_owned(), reading)).unwrap();
    until("told", async || sink.taken().len() == 1).await;
    end.cancel();
    assert_eq!((&sink.taken()[0]["kind"], states(&site)), (&"unsafe".into(), vec![true]));
}

#[actix::test]
async fn backfills_never_alert() {
    let site = site();
    let database = SharedDatabase::from(site.database());
    let sink = sink(&[200]);
    let settings = clearing(&sink.url);
    store(&database, &site, RunKind::Live, "2024-06-10T00:02", &[8, 8, 8, 8, 8]);
    let end = keeper(&site, &database, &settings, "2024-06-10T03:45:00Z@1");
    until("armed", async || states(&site) == [false]).await;
    end.cancel();
    store(&database, &site, RunKind::Backfill, "2024-06-10T00:52", &[0, 0, 0, 0, 0, 0]);
    let end = keeper(&site, &database, &settings, "2024-06-10T04:45:00Z@1");
    tokio::time::sleep(Duration::from_millis(600)).await;
    end.cancel();
    assert_eq!((states(&site), messages(&site).await.len()), (vec![false], 0));
    assert!(sink.taken().is_empty());
}

#[actix::test]
async fn a_sink_that_fails_is_tried_again_and_given_up_in_the_end() {
    let site = site();
    let database = SharedDatabase::from(site.database());
    for (statuses, status, attempts) in
        [(&[500, 429, 200][..], "sent", 3), (&[500][..], "dropped", 5)]
    {
        let sink = sink(statuses);
        site.execute(
            "DELETE FROM observations; DELETE FROM alert_states; DELETE FROM alert_outbox",
        );
        store(&database, &site, RunKind::Live, "2024-06-10T00:02", &[8, 8, 8, 8, 8]);
        let end = keeper(&site, &database, &clearing(&sink.url), "2024-06-10T03:45:00Z@1");
        until("armed", async || states(&site) == [false]).await;
        end.cancel();
        store(&database, &site, RunKind::Live, "2024-06-10T00:52", &[0, 0, 0, 0, 0, 0]);
        let end = keeper(&site, &database, &clearing(&sink.url), "2024-06-10T04:45:00Z@1");
        until("tried once", async || {
            messages(&site).await.first().is_some_and(|message| message["attempts"] == 1)
        })
        .await;
        end.cancel();
        // An hour a second.
        let end = keeper(&site, &database, &clearing(&sink.url), "2024-06-10T04:46:00Z@3600");
        until(status, async || {
            messages(&site).await.first().is_some_and(|message| message["status"] == status)
        })
        .await;
        end.cancel();
        let message = messages(&site).await[0].clone();
        assert_eq!(message["attempts"], attempts, "{message}");
        let error = message["last_error"].as_str().unwrap_or_default();
        assert_eq!(error.contains("500"), status == "dropped", "{message}");
        assert_eq!(sink.taken().len(), usize::from(status == "sent"));
    }
}

/// What could not be sent is not told behind a newer message that says the opposite.
#[actix::test]
async fn the_last_message_that_arrives_is_the_newest() {
    let site = site();
    let database = SharedDatabase::from(site.database());
    let sink = sink(&[500, 200]);
    let settings = reach(&format!(
        "[[alert]]\nname = 'clear'\nwhen = 'clearing'\nto = ['hook', 'gone']\n\
         [[alert]]\nname = 'cloudy'\nwhen = 'clouding'\nto = ['hook']\n\
         [[sender]]\nid = 'gone'\nkind = 'webhook'\nurl = 'http://127.0.0.1:9/'\n\
         [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n",
        sink.url
    ));
    store(&database, &site, RunKind::Live, "2024-06-10T00:02", &[8, 8, 8, 8, 8]);
    let end = keeper(&site, &database, &settings, "2024-06-10T03:45:00Z@1");
    until("armed", async || states(&site).len() == 2).await;
    end.cancel();
    store(&database, &site, RunKind::Live, "2024-06-10T00:52", &[0, 0, 0, 0, 0, 0]);
    let end = keeper(&site, &database, &settings, "2024-06-10T04:45:00Z@1");
    until("tried once", async || {
        let all = messages(&site).await;
        all.len() == 2 && all.iter().all(|message| message["attempts"] == 1)
    })
    .await;
    end.cancel();
    // What waited is due now, too.
    store(&database, &site, RunKind::Live, "2024-06-10T01:52", &[8, 8, 8, 8, 8, 8]);
    let end = keeper(&site, &database, &settings, "2024-06-10T05:45:00Z@1");
    until("told", async || {
        let all = messages(&site).await;
        all.iter().any(|message| message["status"] == "sent" && message["alert"] == "cloudy")
    })
    .await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    end.cancel();
    let kinds: Vec<Value> = sink.taken().iter().map(|told| told["kind"].clone()).collect();
    assert_eq!(kinds, ["clouding"]);
    let all = messages(&site).await;
    let of = |sender: &str| all.iter().find(|m| m["alert"] == "clear" && m["sender"] == sender);
    let (hook, gone) = (of("hook").unwrap(), of("gone").unwrap());
    assert_eq!((&hook["status"], &gone["status"]), (&"dropped".into(), &"waiting".into()));
    assert!(hook["last_error"].as_str().unwrap().contains("takes its place"), "{hook}");
}

/// A ping says that the camera gives readings now: of those that could not be sent the newest alone
/// waits, and none is sent once there are no readings any more.
#[actix::test]
async fn a_ping_is_not_sent_when_its_reading_is_old() {
    let site = site();
    let database = SharedDatabase::from(site.database());
    let sink = sink(&[500, 500, 200]);
    let settings = reach(&format!(
        "[[alert]]\nname = 'alive'\nwhen = 'silence'\nto = ['hook']\n\
         [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n",
        sink.url
    ));
    store(&database, &site, RunKind::Live, "2024-06-10T00:02", &[8, 8]);
    let end = keeper(&site, &database, &settings, "2024-06-10T03:13:00Z@1");
    until("armed", async || states(&site).len() == 1).await;
    end.cancel();
    for (minute, now) in [("01:32", "2024-06-10T04:33:00Z@1"), ("01:42", "2024-06-10T04:43:00Z@1")]
    {
        let before = messages(&site).await.len();
        store(&database, &site, RunKind::Live, &format!("2024-06-10T{minute}"), &[8]);
        let end = keeper(&site, &database, &settings, now);
        until(minute, async || {
            let all = messages(&site).await;
            all.len() > before && all.iter().all(|message| message["attempts"] != 0)
        })
        .await;
        end.cancel();
    }
    let status = async || {
        let all = messages(&site).await;
        all.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(status().await.iter().filter(|status| *status == "waiting").count(), 1);
    assert_eq!(sink.messages().len(), 2);

    // The last picture is of 38 minutes ago.
    let site = crate::safety::night("2024-06-10T05:30:00Z@1", "");
    let database = SharedDatabase::from(site.database());
    let now = "2024-06-10T04:52:30Z".parse().unwrap();
    let state = AlertState { fired: false, since: now, judged_to: now, sent_at: Some(now) };
    let text = serde_json::json!({
        "id": "a", "alert": "alive", "kind": "silence", "station": "rio-grande", "title": "t",
        "text": "t", "okta": 1, "at": "2024-06-10T04:52:30Z", "priority": 2, "page": "",
    })
    .to_string();
    let to = ["hook".to_owned()];
    let message = Some((text.as_str(), &to[..]));
    let (alert, station, contradicts) = ("alive", "rio-grande", &["alive"][..]);
    let change = AlertChange { alert, station, state, now, message, contradicts };
    database.seen_from(station, |database| database.write_alert(&change)).unwrap().unwrap();
    let end = keeper(&site, &database, &settings, "2024-06-10T05:30:00Z@1");
    until("given up", async || messages(&site).await[0]["status"] == "dropped").await;
    end.cancel();
    let told = messages(&site).await[0].clone();
    assert_eq!((&told["attempts"], sink.messages().len()), (&1.into(), 2), "{told}");
    assert!(told["last_error"].as_str().unwrap().contains("its reading is old"), "{told}");
}

/// Each sender of an alert is tried, whatever comes of those before it.
#[test]
fn a_test_message_goes_to_each_sender() {
    let sink = sink(&[200]);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("celaje.toml");
    let sender =
        |id: &str, url: &str| format!("[[sender]]\nid = '{id}'\nkind = 'webhook'\nurl = '{url}'\n");
    let all = ["gone", "hook", "away"]
        .map(|id| sender(id, if id == "hook" { &sink.url } else { "http://127.0.0.1:9/" }));
    let alert = "[[alert]]\nname = 'clear'\nwhen = 'clearing'\nto = ['gone', 'hook', 'away']\n";
    std::fs::write(&config, format!("{alert}{}", all.concat())).unwrap();
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_celaje"))
        .env_clear()
        .envs([("HOME", folder.path().to_str().unwrap()), ("LANG", "C")])
        .args(["alert", "test", "clear", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8(told.stdout).unwrap(), String::from_utf8(told.stderr).unwrap());
    assert_eq!((told.status.code(), out.trim()), (Some(3), "sent to 'hook'"), "{err}");
    for id in ["'gone'", "'away'"] {
        assert!(err.contains(&format!("sender {id} did not arrive")), "{err}");
    }
    assert_eq!(sink.taken().len(), 1);
}

/// A sender that hangs keeps no other one waiting.
#[actix::test]
async fn each_sender_has_its_own_pace() {
    let site = site();
    let database = SharedDatabase::from(site.database());
    let (hangs, quick) = (Sink::start(|_| None), sink(&[200]));
    let settings = reach(&format!(
        "[[alert]]\nname = 'clear'\nwhen = 'clearing'\nto = ['slow', 'hook']\n\
         [[sender]]\nid = 'slow'\nkind = 'webhook'\nurl = '{}'\n\
         [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n",
        hangs.url, quick.url
    ));
    let tell = |to: &str| write_messages(&database, &[to], 1);
    tell("slow");
    let end = keeper(&site, &database, &settings, "2024-06-10T05:00:00Z@1");
    until("it hangs", async || hangs.messages().len() == 1).await;
    tell("hook");
    until("the other one is told", async || quick.taken().len() == 1).await;
    end.cancel();
    let all = messages(&site).await;
    let slow = all.iter().find(|message| message["sender"] == "slow").unwrap();
    assert_eq!((&slow["status"], &slow["attempts"]), (&"waiting".into(), &0.into()));
}

/// A service that asks for a pause gets it.
#[actix::test]
async fn a_message_waits_as_long_as_the_service_asks() {
    use diesel::prelude::*;
    let site = site();
    let database = SharedDatabase::from(site.database());
    for (status, least, most) in [(429, 900, 1000), (500, 30, 130)] {
        let sink = Sink::start(move |_| Some(status));
        site.execute("DELETE FROM alert_outbox");
        write_messages(&database, &["hook"], 1);
        let end = keeper(&site, &database, &clearing(&sink.url), "2024-06-10T05:00:00Z@0.01");
        until("tried", async || {
            messages(&site).await.first().is_some_and(|message| message["attempts"] == 1)
        })
        .await;
        end.cancel();
        let pause = diesel::dsl::sql::<diesel::sql_types::BigInt>(
            "SELECT unixepoch(next_try) - unixepoch('2024-06-10 05:00:00') FROM alert_outbox",
        );
        let mut other = diesel::SqliteConnection::establish(site.db.to_str().unwrap()).unwrap();
        let pause: i64 = pause.get_result(&mut other).unwrap();
        assert!((least..most).contains(&pause), "{status}: {pause} s");
    }
}

/// Writes `n` messages for each of these senders, one after the other.
fn write_messages(database: &SharedDatabase, senders: &[&str], n: usize) {
    let to: Vec<String> = senders.iter().map(|sender| (*sender).to_owned()).collect();
    let now = "2024-06-10T05:00:00Z".parse().unwrap();
    let state = AlertState { fired: true, since: now, judged_to: now, sent_at: Some(now) };
    let text = serde_json::json!({
        "id": "1", "alert": "clear", "kind": "clearing", "station": "rio-grande", "title": "t",
        "text": "w", "okta": 1, "at": "", "priority": 3, "page": "",
    });
    let text = text.to_string();
    let message = Some((text.as_str(), &to[..]));
    let (alert, station, contradicts) = ("clear", "rio-grande", &[][..]);
    let change = AlertChange { alert, station, state, now, message, contradicts };
    for _ in 0..n {
        let write = |database: &mut Database| database.write_alert(&change).unwrap();
        database.seen_from("rio-grande", write).unwrap();
    }
}

#[actix::test]
async fn of_too_many_that_wait_the_oldest_are_given_up() {
    let site = site();
    let database = SharedDatabase::from(site.database());
    write_messages(&database, &["down"], 1);
    write_messages(&database, &["hook"], 2);
    write_messages(&database, &["down"], MOST_WAITING as usize + 4);
    let all = messages(&site).await;
    let of = |sender: &str, status: &str| {
        let is_it = |m: &&Value| m["sender"] == sender && m["status"] == status;
        all.iter().filter(is_it).map(|m| m["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((of("down", "waiting").len(), of("hook", "waiting").len()), (50, 2));
    // The first, and the first four behind the two of the other sender.
    assert_eq!(of("down", "dropped"), [7, 6, 5, 4, 1]);
    let oldest = all.last().unwrap();
    let why = oldest["last_error"].as_str().unwrap();
    assert!(why.contains("50 newer messages wait"), "{oldest}");
    // An attempt that was under way then does not bring one back, but may have succeeded.
    for (id, outcome, status) in [
        (1, SendOutcome::Again("2024-06-10T05:01:00Z".parse().unwrap(), "x".to_owned()), "dropped"),
        (4, SendOutcome::Sent, "sent"),
    ] {
        let settle = |database: &mut Database| database.settle_message(id, &outcome).unwrap();
        database.seen_from("rio-grande", settle).unwrap();
        let all = messages(&site).await;
        let message = all.iter().find(|message| message["id"] == id).unwrap();
        assert_eq!(message["status"], status, "{message}");
    }
}

/// Rules as the page shows them: an alert for each of its stations.
#[actix::test]
async fn the_rules_say_where_they_stand() {
    let sink = sink(&[500]);
    let settings = clearing(&sink.url);
    let alerts = settings.alerts.clone();
    let site = crate::safety::night_with("2024-06-10T05:00:00Z@1", "", |options| {
        options.alerts = alerts;
    });
    site.execute("DELETE FROM observations");
    let rules = async || site.get("/api/v1/alerts/rules").await.json()[0].clone();
    let new = rules().await;
    assert_eq!((&new["alert"], &new["station"]), (&"clear".into(), &"rio-grande".into()));
    assert_eq!((&new["kind"], &new["to"][0]), (&"clearing".into(), &"hook".into()));
    assert_eq!((&new["state"], &new["told_at"]), (&"unknown".into(), &Value::Null));
    let database = SharedDatabase::from(site.database());
    store(&database, &site, RunKind::Live, "2024-06-10T00:02", &[8, 8, 8, 8, 8]);
    let end = keeper(&site, &database, &settings, "2024-06-10T03:45:00Z@1");
    until("armed", async || rules().await["state"] == "armed").await;
    end.cancel();
    store(&database, &site, RunKind::Live, "2024-06-10T00:52", &[0, 0, 0, 0, 0, 0]);
    let end = keeper(&site, &database, &settings, "2024-06-10T04:45:00Z@1");
    until("fired", async || rules().await["state"] == "fired").await;
    let fired = rules().await;
    assert_eq!((&fired["waiting"], &fired["dropped"]), (&1.into(), &0.into()), "{fired}");
    assert!(fired["told_at"].as_str().unwrap().starts_with("2024-06-10 04:45"), "{fired}");
    end.cancel();
    let end = keeper(&site, &database, &settings, "2024-06-10T04:46:00Z@3600");
    until("given up", async || rules().await["dropped"] == 1).await;
    end.cancel();
    assert_eq!(rules().await["waiting"], 0);
}

#[actix::test]
async fn a_clearing_is_an_event_of_the_broker_that_is_not_retained() {
    if broker::program().is_none() {
        return;
    }
    let (folder, port) = (tempfile::tempdir().unwrap(), broker::free_port());
    let site = site();
    let database = SharedDatabase::from(site.database());
    let settings = reach(&format!(
        "[mqtt]\nurl = 'mqtt://127.0.0.1:{port}'\n\
         [[alert]]\nname = 'clear'\nwhen = 'clearing'\nto = ['house']\n\
         [[sender]]\nid = 'house'\nkind = 'mqtt'\n"
    ));
    // The broker is down: the message waits in the record.
    clear_untold(&site, &database, &settings).await;
    let _broker = broker::start(folder.path(), port, "allow_anonymous true\n");
    let (_client, heard) = broker::listen(port);
    let topic = "celaje/rio-grande/event";
    // The listener is there once it hears what it says itself.
    until("heard", async || {
        let told = celaje::daemon::alerts::send_test(&settings.senders[0], None).await;
        told.is_ok() && heard.lock().unwrap().contains_key("celaje/event")
    })
    .await;
    let end = keeper(&site, &database, &settings, "2024-06-10T04:46:00Z@60");
    until("told", async || heard.lock().unwrap().contains_key(topic)).await;
    until("sent", async || messages(&site).await[0]["status"] == "sent").await;
    end.cancel();
    let event: Value = serde_json::from_slice(&heard.lock().unwrap()[topic]).unwrap();
    assert_eq!((&event["kind"], &event["station"]), (&"clearing".into(), &"rio-grande".into()));
    // Whoever comes later hears nothing of it.
    let (client, later) = broker::listen(port);
    until("the later one hears", async || {
        client.publish("here", "x", PublishOptions::at_most_once()).await.unwrap();
        later.lock().unwrap().contains_key("here")
    })
    .await;
    assert!(!later.lock().unwrap().contains_key(topic));
}

#[actix::test]
async fn a_failure_names_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "http://127.0.0.1:9/services/hush-hush").unwrap();
    let settings = reach(&format!(
        "[[sender]]\nid = \"chat\"\nkind = \"webhook\"\npreset = \"slack\"\nurl_file = \"{}\"\n",
        path.display()
    ));
    let why = celaje::daemon::alerts::send_test(&settings.senders[0], None).await.unwrap_err();
    let why = why.to_string();
    assert!(why.contains("127.0.0.1") && !why.contains("hush"), "{why}");
}
