//! Alerts as the program begins: what arms them, and what holds already.

use std::time::Duration;

use celaje::daemon::operator::{ClockStanding, Event};
use celaje::settings::ReachSettings;
use celaje::store::reader::{LatestReading, ObservationItem};
use celaje::store::{AlertChange, Database, RunKind, SharedDatabase};
use celaje_sky::alert::AlertState;

use crate::alerts::{clear_untold, clearing, keeper, reach, sink, states, store, until};
use crate::site::Site;

/// Of an alert that was never judged nobody knows what was before: it is told when it is safe.
#[actix::test]
async fn the_first_time_that_it_becomes_safe_is_told() {
    // The record was caught up, with less than a rule needs.
    let change = "DELETE FROM observations WHERE slot_local < '2024-06-10T01:42'";
    let site = crate::safety::night("2024-06-10T05:03:00Z@0.01", change);
    let database = SharedDatabase::from(site.database());
    let sink = sink(&[200]);
    let settings = alerts_of(&["safe"], &sink.url);
    let now = "2024-06-10T05:03:00Z@0.01";
    *site.operator.clock.lock().unwrap() = ClockStanding::Unheard;
    let end = keeper(&site, &database, &settings, now);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(states(&site), [true; 0], "whether it is safe may be known a moment later");
    *site.operator.clock.lock().unwrap() = ClockStanding::Confirmed;
    until("armed", async || states(&site) == [false]).await;
    store(&database, &site, RunKind::Live, "2024-06-10T02:02", &[0]);
    tell(&site, "02", 0);
    until("told", async || sink.taken().len() == 1).await;
    end.cancel();
    assert_eq!((&sink.taken()[0]["kind"], states(&site)), (&"safe".into(), vec![true]));
}

/// An alert of each of these kinds, all to one sender.
fn alerts_of(kinds: &[&str], url: &str) -> ReachSettings {
    let alerts = kinds
        .iter()
        .map(|kind| format!("[[alert]]\nname = '{kind}'\nwhen = '{kind}'\nto = ['hook']\n"));
    let sender = format!("[[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{url}'\n");
    reach(&(alerts.collect::<String>() + &sender))
}

/// Tells those who listen of a reading that is in the record, of this minute after 05:00 UTC.
fn tell(site: &Site, minute: &str, okta: i32) {
    let item = ObservationItem {
        slot_utc: Some(format!("2024-06-10T05:{minute}:00Z")),
        okta,
        confidence: Some(0.9),
        quality: Some("night".to_owned()),
        ..crate::site::item(&format!("2024-06-10T02:{minute}"))
    };
    let reading = LatestReading { item, shadow: None };
    site.operator.sender.send(Event::Observation("rio-grande".to_owned(), reading)).unwrap();
}

/// A backfill may reach the present: the sky is safe by its readings, and nobody is told. That it
/// is safe no more is told.
#[actix::test]
async fn a_backfill_that_reaches_now_tells_nobody_to_come_out() {
    for (kind, opens) in [(RunKind::Backfill, false), (RunKind::Live, true)] {
        let change = "DELETE FROM observations WHERE slot_local >= '2024-06-10T01:02'";
        let site = crate::safety::night("2024-06-10T05:23:00Z@0.01", change);
        let database = SharedDatabase::from(site.database());
        let sink = sink(&[200]);
        let settings = alerts_of(&["safe", "unsafe"], &sink.url);
        let end = keeper(&site, &database, &settings, "2024-06-10T05:23:00Z@0.01");
        until("judged", async || states(&site) == [false, true]).await;
        store(&database, &site, kind, "2024-06-10T02:02", &[0, 0, 0]);
        ["02", "12", "22"].iter().for_each(|minute| tell(&site, minute, 0));
        until("the warning is armed", async || states(&site) == [opens, false]).await;
        until("told", async || sink.taken().len() == usize::from(opens)).await;
        // The last picture is read once more.
        tell(&site, "22", 8);
        until("warned", async || states(&site) == [false, true]).await;
        until("told", async || sink.taken().len() > usize::from(opens)).await;
        end.cancel();
        let kinds: Vec<_> = sink.taken().iter().map(|told| told["kind"].clone()).collect();
        let wanted: &[&str] = if opens { &["safe", "unsafe"] } else { &["unsafe"] };
        assert_eq!(kinds, wanted, "{kind:?}");
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
    let settings = alerts_of(&["clearing", "camera"], &sink.url);
    clear_untold(&site, &database, &settings).await;
    let end = keeper(&site, &database, &settings, "2024-06-10T08:45:00Z@1");
    until("told", async || !sink.taken().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    end.cancel();
    let kinds: Vec<_> = sink.taken().iter().map(|told| told["kind"].clone()).collect();
    assert_eq!(kinds, ["camera"]);
}
