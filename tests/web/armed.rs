//! Alerts as the program begins: what arms them, and what holds already.

use std::time::Duration;

use celaje::daemon::operator::{ClockStanding, Event};
use celaje::store::reader::{LatestReading, ObservationItem};
use celaje::store::{AlertChange, Database, SharedDatabase};
use celaje_sky::alert::AlertState;

use crate::alerts::{clearing, keeper, reach, sink, states, until};

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
    let item = ObservationItem {
        slot_utc: Some("2024-06-10T05:02:00Z".to_owned()),
        okta: 0,
        confidence: Some(0.9),
        quality: Some("night".to_owned()),
        ..crate::site::item("2024-06-10T02:02")
    };
    let reading = LatestReading { item, shadow: None };
    site.operator.sender.send(Event::Observation("rio-grande".to_owned(), reading)).unwrap();
    until("told", async || sink.taken().len() == 1).await;
    end.cancel();
    assert_eq!((&sink.taken()[0]["kind"], states(&site)), (&"safe".into(), vec![true]));
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
