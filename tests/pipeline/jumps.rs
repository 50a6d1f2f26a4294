//! Cameras whose clock is set back, seen by a program that runs meanwhile: the lists of their
//! server have no times.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use celaje::camera::http::HttpClient;
use celaje::camera::{SearchResult, Source};
use celaje::clock::Clock;
use celaje::service::request::station_source;
use celaje_sky::station::{PictureNames, PicturePlace};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::schemes::{celaje_drain, slots_of, station};
use crate::support::judge::{self, Trouble};
use crate::support::range;
use crate::support::server::{Reply, Server};
use crate::support::stage::tuning;

/// A page of names without times, as Python's `http.server` gives it.
fn page(files: &BTreeSet<String>, folder: &str) -> Vec<u8> {
    let below = files.iter().filter_map(|file| file.strip_prefix(folder));
    let names: BTreeSet<String> = below
        .map(|rest| match rest.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => rest.to_owned(),
        })
        .collect();
    let links: String =
        names.iter().map(|name| format!("<li><a href=\"{name}\">{name}</a></li>\n")).collect();
    format!("<html><title>Directory listing for /sky/{folder}</title><ul>{links}</ul></html>")
        .into_bytes()
}

/// What the misses of an evening's slots say of the camera's clock, by slot. `comes` names what
/// comes in a minute.
async fn said(names: &str, comes: impl Fn(NaiveDateTime) -> Vec<String>) -> Vec<(String, String)> {
    let files = Arc::new(Mutex::new(BTreeSet::new()));
    let listed = Arc::clone(&files);
    let server = Server::start(move |path, _| {
        if path.ends_with(".jpg") {
            return Reply::Body(judge::picture(3, Trouble::None, 1));
        }
        Reply::Body(page(&listed.lock().unwrap(), path.strip_prefix("/sky/").unwrap()))
    });
    let place = PicturePlace::Address(server.base());
    let station = station(place, PictureNames::Tree(names.parse().unwrap()));
    let source = station_source(&Arc::new(station.clone())).unwrap();
    let Source::Scheme(scheme) = &source else { panic!("{source:?}") };
    let client =
        HttpClient::new(source.base(), &station.trust, tuning().http, celaje_drain()).unwrap();
    let mut said = Vec::new();
    let mut passed = "2024-03-01T18:00:00".parse::<NaiveDateTime>().unwrap();
    for slot in slots_of(&station, range("2024-03-01T20:00", "2024-03-01T22:59")) {
        for minute in [6, 8] {
            let now: DateTime<Utc> = slot.utc() + TimeDelta::minutes(minute);
            while passed <= station.zone.local(now) {
                files.lock().unwrap().extend(comes(passed));
                passed += TimeDelta::minutes(1);
            }
            source.begin(Vec::new());
            let clock: Clock = now.format("%Y-%m-%dT%H:%M:%SZ@0.01").to_string().parse().unwrap();
            match scheme.look_for(&client, slot, clock).await {
                SearchResult::Picture(..) => break,
                SearchResult::Miss(miss) => {
                    let clock = miss.detail.split_once("; ").map(|(_, clock)| clock.to_owned());
                    said.extend(clock.map(|clock| (slot.to_string(), clock)));
                }
                SearchResult::Cancelled => panic!("nobody ends it"),
            }
        }
    }
    said
}

/// A picture each ten minutes by a clock that is set back at 21:05 by so much, each under the name
/// that it then has.
fn jumped(back: TimeDelta, form: &'static str) -> impl Fn(NaiveDateTime) -> Vec<String> {
    move |at| {
        let set: NaiveDateTime = "2024-03-01T21:05:00".parse().unwrap();
        let shown = if at < set { at } else { at - back };
        let is_due = at.format("%M").to_string().ends_with('1');
        is_due.then(|| shown.format(form).to_string()).into_iter().collect()
    }
}

#[actix::test]
async fn a_camera_that_is_set_back_is_named_by_what_comes_where_lists_have_no_times() {
    const FLAT: &str = "sky_%Y%m%d_%H%M07.jpg";
    const DAYS: &str = "%Y%m%d/sky_%H%M07.jpg";
    for (names, form, back) in [
        ("sky_%Y%m%d_%H%M%S.jpg", FLAT, TimeDelta::minutes(185)),
        ("sky_%Y%m%d_%H%M%S.jpg", FLAT, TimeDelta::days(4000)),
        ("%Y%m%d/sky_%H%M%S.jpg", DAYS, TimeDelta::minutes(185)),
        ("%Y%m%d/sky_%H%M%S.jpg", DAYS, TimeDelta::days(4000)),
    ] {
        let said = said(names, jumped(back, form)).await;
        let first = said.first().expect("nothing is said").clone();
        assert!(first.0.as_str() <= "2024-03-01T21:40", "{first:?}");
        let clock = "the camera's clock looks wrong or has jumped: its newest picture, '";
        assert!(said.iter().all(|(_, said)| said.starts_with(clock)), "{said:?}");
        let taken: NaiveDateTime = format!("{}:00", first.0).parse().unwrap();
        let taken = (taken + TimeDelta::minutes(1) - back).format(form).to_string();
        assert!(first.1.contains(&format!("'{taken}', is of ")), "no {taken} in {first:?}");
    }
}

#[actix::test]
async fn no_camera_is_blamed_for_what_is_copied_while_it_is_silent() {
    let at = |text: &str| text.parse::<NaiveDateTime>().unwrap();
    let name = |at: NaiveDateTime| at.format("sky_%Y%m%d_%H%M07.jpg").to_string();
    let own = move |now: NaiveDateTime| {
        let is_due = now.format("%M").to_string().ends_with('1');
        (is_due && now < at("2024-03-01T21:05:00")).then(|| name(now))
    };
    // How many pictures of ten minutes each come in a minute of an archive's copy, and its steps.
    for (copied, step) in [(0, 1), (1, 1), (30, 1), (1, -1), (30, -1), (2000, 1)] {
        let archive = move |now: NaiveDateTime| {
            let minute = (now - at("2024-03-01T21:12:00")).num_minutes();
            let copied = if minute < 0 { 0 } else { copied };
            (0..copied).map(move |n| {
                let steps = step * (minute * copied + n);
                name(at("2023-06-01T00:01:00") + TimeDelta::minutes(10 * steps))
            })
        };
        let said =
            said("sky_%Y%m%d_%H%M%S.jpg", |now| own(now).into_iter().chain(archive(now)).collect());
        assert_eq!(said.await, [], "{copied} a minute");
    }
}
