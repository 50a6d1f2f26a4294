//! Requests that fail, for a while or for good.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use celaje_sky::station::LayoutChoice;

use crate::support::record::Missed;
use crate::support::server::{Reply, Server};
use crate::support::stage::Stage;
use crate::support::{Asked, first, pictures, slots};
use crate::{camera, healthy};

/// What the run of a few slots with faults leaves in the misses table, by the slot's place.
async fn missed(
    n: usize,
    timeouts: (u64, u64),
    fault: impl Fn(Asked, usize) -> Option<Reply> + Send + Sync + 'static,
) -> (BTreeMap<usize, Missed>, Vec<usize>) {
    let server = Server::start(camera(fault));
    let stage =
        Stage::new(&server).with_layout(LayoutChoice::Root).with_timeouts(timeouts.0, timeouts.1);
    stage.run(first(n)).await;
    let slots = slots(first(n));
    let missed = stage
        .record()
        .misses()
        .into_iter()
        .map(|(at, missed)| {
            let place = slots.iter().position(|slot| slot.to_string() == at);
            (place.unwrap(), missed)
        })
        .collect();
    let requests = server.requests();
    let asked_for = slots
        .iter()
        .map(|slot| {
            let path = format!("/sky/{}", slot.file_name());
            requests.iter().filter(|asked| **asked == path).count()
        })
        .collect();
    (missed, asked_for)
}

const PATIENT: (u64, u64) = (5_000, 10_000);

fn told(missed: &Missed) -> (&str, Option<i64>, i64) {
    (&missed.reason, missed.http_status, missed.attempts)
}

#[actix::test]
async fn what_fails_once_or_twice_is_stored() {
    let statuses = [408, 429, 500, 502, 503, 504];
    let (missed, asked_for) = missed(12, PATIENT, move |asked, nth| {
        let failures = 1 + asked.index % 2;
        (nth < failures).then(|| Reply::status(statuses[asked.index / 2]))
    })
    .await;
    assert_eq!(missed, BTreeMap::new());
    assert_eq!(asked_for, [2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3]);
}

#[actix::test]
async fn what_fails_thrice_is_a_miss_with_its_status() {
    let statuses = [408, 429, 500, 502, 503, 504];
    let (missed, asked_for) = missed(7, PATIENT, move |asked, _| {
        statuses.get(asked.index).map(|status| Reply::status(*status))
    })
    .await;
    for (index, status) in statuses.into_iter().enumerate() {
        let wanted = ("http_status", Some(i64::from(status)), 3);
        assert_eq!(told(&missed[&index]), wanted);
    }
    assert_eq!(asked_for, [3, 3, 3, 3, 3, 3, 1]);
}

#[actix::test]
async fn refusals_are_believed_at_once() {
    let statuses = [404, 410, 403, 401, 400, 501, 204, 301];
    let (missed, asked_for) =
        missed(8, PATIENT, move |asked, _| Some(Reply::status(statuses[asked.index]))).await;
    for (index, status) in statuses.into_iter().enumerate() {
        let reason = match status {
            404 | 410 => "not_found",
            _ => "http_status",
        };
        assert_eq!(told(&missed[&index]), (reason, Some(i64::from(status)), 1));
    }
    assert_eq!(asked_for, [1; 8]);
}

#[actix::test]
async fn a_server_that_asks_for_patience_gets_it() {
    let after = |seconds: &str| vec![("retry-after", seconds.to_owned())];
    let begun = Instant::now();
    // The host's clock is far ahead: what it asks for is counted by that clock.
    let date = "Thu, 01 Jan 2099 00:00:00 GMT".to_owned();
    let ahead = vec![("date", date.clone()), ("retry-after", date)];
    let (missed, asked_for) = missed(4, PATIENT, move |asked, nth| match (asked.index, nth) {
        (0, 0) => Some(Reply::Status(503, after("1"))),
        (3, 0) => Some(Reply::Status(503, ahead.clone())),
        (1, _) => Some(Reply::Status(503, after("100000"))),
        (2, 0) => Some(Reply::Status(429, after("Mon, 01 Jan 2024 00:00:00 GMT"))),
        _ => None,
    })
    .await;
    // One second was asked for; our own wait would have been 2 ms.
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // More than a day is more than anyone waits: not asked again.
    assert_eq!(told(&missed[&1]), ("http_status", Some(503), 1));
    assert_eq!(missed.len(), 1);
    assert_eq!(asked_for, [2, 1, 2, 2]);
}

#[actix::test]
async fn broken_connections_are_tried_again() {
    let (missed, asked_for) = missed(6, PATIENT, |asked, nth| match (asked.index, nth) {
        (0, 0..2) | (2, _) => Some(Reply::Reset),
        (1, 0..2) | (3, _) => Some(Reply::Half(pictures::jpeg(0.5))),
        _ => None,
    })
    .await;
    assert_eq!(missed.len(), 2);
    assert_eq!(told(&missed[&2]), ("reset", None, 3));
    assert_eq!(told(&missed[&3]), ("reset", None, 3));
    // A connection that was kept and is found closed is opened anew without counting as a try.
    assert!(asked_for[0] >= 3 && asked_for[2] >= 3, "{asked_for:?}");
    assert_eq!(asked_for[4..], [1, 1]);
}

#[actix::test]
async fn silence_and_slowness_are_timeouts() {
    let (missed, asked_for) = missed(5, (300, 700), |asked, nth| match (asked.index, nth) {
        (0, 0) | (1, _) => Some(Reply::Hang),
        // Never silent for long, and never done.
        (2, _) => Some(Reply::Drip),
        (3, 0) => Some(Reply::Promise(5_000)),
        _ => None,
    })
    .await;
    assert_eq!(told(&missed[&1]), ("timeout", None, 3));
    assert_eq!(told(&missed[&2]), ("timeout", None, 3));
    assert_eq!(missed.len(), 2);
    assert_eq!(asked_for, [2, 3, 3, 2, 1]);
}

#[actix::test]
async fn bodies_over_the_limit_are_cut_off() {
    let (missed, asked_for) = missed(5, PATIENT, |asked, _| match asked.index {
        0 => Some(Reply::Endless),
        1 => Some(Reply::Promise(100_001)),
        2 => Some(Reply::Body(pictures::noise(100_001))),
        // At the limit: read, and found to be no picture.
        3 => Some(Reply::Body(pictures::noise(100_000))),
        _ => None,
    })
    .await;
    for index in 0..3 {
        assert_eq!(told(&missed[&index]), ("too_large", None, 1));
        assert!(missed[&index].detail.contains("100000 bytes"));
    }
    assert_eq!(missed[&3].reason, "not_an_image");
    assert_eq!(asked_for, [1; 5]);
}

#[actix::test]
async fn redirects_stay_within_the_host() {
    let other = Server::start(|_, _| healthy(0));
    let elsewhere = other.address;
    let server = Server::start(move |path, _| {
        if let Some(index) = path.strip_prefix("/moved/") {
            return healthy(index.parse().unwrap());
        }
        let Some(asked) = crate::support::asked(path) else {
            return Reply::redirect(path);
        };
        match asked.index {
            0 => Reply::redirect("/moved/0"),
            1 => Reply::redirect(format!("http://{elsewhere}/moved/1")),
            2 => Reply::redirect(format!("http://localhost:{}/moved/2", elsewhere.port())),
            3 => Reply::redirect("/loop"),
            4 => Reply::redirect("https://127.0.0.1/moved/4"),
            5 => Reply::redirect("ftp://127.0.0.1/moved/5"),
            6 => Reply::status(302),
            _ => healthy(asked.index),
        }
    });
    let stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.run(first(8)).await;
    assert_eq!(other.requests(), Vec::<String>::new());
    assert_eq!(stage.record().count("observations"), 2);
    let misses = stage.record().misses();
    let reasons: Vec<&str> = misses.values().map(|m| m.reason.as_str()).collect();
    assert_eq!(reasons[..5], ["redirect_refused"; 5]);
    assert_eq!(reasons[5], "http_status");
    assert!(misses.values().all(|missed| missed.attempts == 1));
    // The row says where the picture was asked for.
    let url = &stage.record().texts("SELECT url FROM observations ORDER BY slot_local")[0];
    assert_eq!(*url, format!("{}2024-03010002.jpg", server.base()));
}

/// A camera that was taken over must not make the station ask what lies behind its firewall.
#[actix::test]
async fn redirects_to_private_addresses_are_refused_unasked() {
    let inside = Server::start(|_, _| healthy(0));
    let port = inside.address.port();
    let targets = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "//192.168.0.1/x.jpg".to_owned(),
        "http://[::1]/x.jpg".to_owned(),
        format!("http://127.0.0.1:{port}/x.jpg"),
        format!("http://2130706433:{port}/x.jpg"),
    ];
    let count = targets.len();
    let (missed, asked_for) = missed(count + 1, PATIENT, move |asked, _| {
        targets.get(asked.index).map(|to| Reply::redirect(to.clone()))
    })
    .await;
    let reasons: Vec<_> = missed.values().map(told).collect();
    assert_eq!(reasons, vec![("redirect_refused", None, 1); count]);
    assert_eq!(asked_for, vec![1; count + 1]);
    assert_eq!(inside.requests(), Vec::<String>::new());
}
