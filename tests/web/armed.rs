//! Alerts as the program begins: what arms them, and what holds already.

use std::time::Duration;

use celaje::daemon::operator::{ClockStanding, Event};
use celaje::store::reader::{LatestReading, ObservationItem};
use celaje::store::{AlertChange, Database, RunKind, SharedDatabase};
use celaje_sky::alert::AlertState;

use crate::alerts::{clearing, keeper, messages, reach, sink, states, store, until};
use crate::site::Site;

/// Of an alert that was never judged nobody knows what was before: it is told when it is safe.
#[actix::test]
async fn the_first_time_that_it_becomes_safe_is_told() {
    // The record was caught up, with less than a rule needs.
    let change = "DELETE FROM observations WHERE slot_local < '2024-06-10T01:42'";
    let site = crate::safety::night("2024-06-10T05:03:00Z@0.01", change);
    let database = SharedDatabase::from(site.database());
    let sink = sink(&[200]);
    let settings = reach(&format!(
        "[[alert]]\nname = 'open'\nwhen = 'safe'\nto = ['hook']\n\
         [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n",
        sink.url
    ));
    let now = "2024-06-10T05:03:00Z@0.01";
    *site.operator.clock.lock().unwrap() = ClockStanding::Unheard;
    let end = keeper(&site, &database, &settings, now);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(states(&site), [true; 0], "whether it is safe may be known a moment later");
    *site.operator.clock.lock().unwrap() = ClockStanding::Confirmed;
    until("armed", async || states(&site) == [false]).await;
    store(&database, &site, RunKind::Live, "2024-06-10T02:02", &[0]);
    tell_clear(&site, "02");
    until("told", async || sink.taken().len() == 1).await;
    end.cancel();
    assert_eq!((&sink.taken()[0]["kind"], states(&site)), (&"safe".into(), vec![true]));
}

/// Tells those who listen of a clear reading that is in the record, of this minute after 05:00 UTC.
fn tell_clear(site: &Site, minute: &str) {
    let item = ObservationItem {
        slot_utc: Some(format!("2024-06-10T05:{minute}:00Z")),
        okta: 0,
        confidence: Some(0.9),
        quality: Some("night".to_owned()),
        ..crate::site::item(&format!("2024-06-10T02:{minute}"))
    };
    let reading = LatestReading { item, shadow: None };
    site.operator.sender.send(Event::Observation("rio-grande".to_owned(), reading)).unwrap();
}

/// A backfill may reach the present: the sky is safe by its readings, and nobody is told.
#[actix::test]
async fn a_backfill_that_reaches_now_never_alerts() {
    for (kind, told) in [(RunKind::Backfill, 0), (RunKind::Live, 1)] {
        let change = "DELETE FROM observations WHERE slot_local >= '2024-06-10T01:02'";
        let site = crate::safety::night("2024-06-10T05:23:00Z@0.01", change);
        let database = SharedDatabase::from(site.database());
        let sink = sink(&[200]);
        let settings = reach(&format!(
            "[[alert]]\nname = 'open'\nwhen = 'safe'\nto = ['hook']\n\
             [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n",
            sink.url
        ));
        let end = keeper(&site, &database, &settings, "2024-06-10T05:23:00Z@0.01");
        until("armed", async || states(&site) == [false]).await;
        store(&database, &site, kind, "2024-06-10T02:02", &[0, 0, 0]);
        ["02", "12", "22"].iter().for_each(|minute| tell_clear(&site, minute));
        let safety = "/api/v1/stations/rio-grande/safety";
        until("safe", async || site.get(safety).await.json()["safe"] == true).await;
        match told {
            0 => tokio::time::sleep(Duration::from_millis(600)).await,
            _ => until("told", async || !sink.taken().is_empty()).await,
        }
        end.cancel();
        assert_eq!((sink.taken().len(), states(&site)), (told, vec![told == 1]), "{kind:?}");
    }
}

/// It was told a day ago; the record has clouds of the time when the program did not run.
#[actix::test]
async fn a_clearing_after_clouds_that_were_caught_up_is_told() {
    for (cloudy, told) in [(true, 1), (false, 0)] {
        let clouds = match cloudy {
            true => {
                "UPDATE observations SET okta = 8, cloud_fraction = 1.0
                 WHERE slot_local BETWEEN '2024-06-10T00:32' AND '2024-06-10T01:12'"
            }
            false => "",
        };
        let change = format!("UPDATE runs SET kind = 'catch-up'; {clouds}");
        let site = crate::safety::night("2024-06-10T05:00:00Z@0.01", &change);
        let database = SharedDatabase::from(site.database());
        let since = "2024-06-09T05:00:00Z".parse().unwrap();
        let state = AlertState { fired: true, since, judged_to: since, sent_at: Some(since) };
        let change = AlertChange {
            alert: "clear",
            station: "rio-grande",
            state,
            now: since,
            message: None,
            contradicts: &[],
        };
        let write = |database: &mut Database| database.write_alert(&change).unwrap();
        database.seen_from("rio-grande", write).unwrap();
        let sink = sink(&[200]);
        let end = keeper(&site, &database, &clearing(&sink.url), "2024-06-10T05:00:00Z@0.01");
        match cloudy {
            true => until("told", async || sink.taken().len() == 1).await,
            false => tokio::time::sleep(Duration::from_millis(600)).await,
        }
        end.cancel();
        assert_eq!((sink.taken().len(), states(&site)), (told, vec![true]));
    }
}

/// Nothing is known of the sky any more, so what was said of it is not sent behind that.
#[actix::test]
async fn a_clearing_that_waits_is_not_told_after_its_camera_is_gone() {
    let site = crate::alerts::site();
    let database = SharedDatabase::from(site.database());
    let sink = sink(&[500, 200]);
    let settings = reach(&format!(
        "[[alert]]\nname = 'clear'\nwhen = 'clearing'\nto = ['hook']\n\
         [[alert]]\nname = 'camera'\nwhen = 'camera'\nto = ['hook']\n\
         [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n",
        sink.url
    ));
    store(&database, &site, RunKind::Live, "2024-06-10T00:02", &[8, 8, 8, 8, 8]);
    let end = keeper(&site, &database, &settings, "2024-06-10T03:45:00Z@1");
    until("armed", async || states(&site) == [false, false]).await;
    end.cancel();
    store(&database, &site, RunKind::Live, "2024-06-10T00:52", &[0, 0, 0, 0, 0, 0]);
    let end = keeper(&site, &database, &settings, "2024-06-10T04:45:00Z@1");
    until("tried", async || {
        messages(&site).await.first().is_some_and(|message| message["attempts"] == 1)
    })
    .await;
    end.cancel();
    let end = keeper(&site, &database, &settings, "2024-06-10T08:45:00Z@1");
    until("told", async || !sink.taken().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    end.cancel();
    let kinds: Vec<_> = sink.taken().iter().map(|told| told["kind"].clone()).collect();
    assert_eq!(kinds, ["camera"]);
}
