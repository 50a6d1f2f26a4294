//! The answer that people come for: whether they can observe tonight.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::Value;

use celaje_sky::station::Station;
use celaje_sky::{moon, sun};

use crate::driver::Browser;
use crate::scene::{Reading, Scene, write_rows};
use crate::support::record::Record;

/// Two in the morning of a winter's night in Tierra del Fuego.
const NIGHT: &str = "2024-06-11T05:03:00Z@1";
/// An hour and a half after the last reading.
const LATER: &str = "2024-06-11T06:32:00Z@1";
const DAY: &str = "2024-06-11T15:00:00Z@1";
const SUMMER: &str = "2024-12-21T05:03:00Z@1";

/// At two minutes past the hour of the station's clock.
fn reading(at: &str, okta: u8) -> Reading {
    let slot = NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M").unwrap();
    Reading { slot, okta, quality: "night" }
}

/// A record up to 02:02 whose last nine readings have these oktas.
fn scene(now: &str, oktas: [u8; 9]) -> Scene {
    Scene::prepared("", &["--clock", now], |record| {
        write_rows(record, reading("2024-06-11T02:02", 8), 60, 1);
        for (n, okta) in (0..).zip(oktas) {
            let slot = format!("datetime('2024-06-11 02:02', '-{} minutes')", 10 * (8 - n));
            record.execute(&format!(
                "UPDATE observations SET okta = {okta}, confidence = 0.93 \
                 WHERE slot_local = strftime('%Y-%m-%dT%H:%M', {slot})"
            ));
        }
    })
}

/// Thirty readings up to `last`.
fn rows(now: &str, last: &str) -> Scene {
    Scene::prepared("", &["--clock", now], |record| write_rows(record, reading(last, 1), 30, 1))
}

async fn word(browser: &Browser) -> (String, String) {
    (browser.text_of(".advice").await, browser.text_of(".why").await)
}

#[tokio::test]
async fn the_answer_is_above_the_fold_on_a_desk_and_on_a_phone() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = scene(NIGHT, [8, 7, 2, 2, 1, 1, 1, 0, 0]);
    let bottom = async |selector: &str| {
        let script =
            format!("return document.querySelector('{selector}').getBoundingClientRect().bottom");
        browser.run(&script).await.as_f64().unwrap()
    };
    for (width, height) in [(1280, 720), (390, 844)] {
        browser.size(width, height).await;
        browser.visit(&scene.view("now")).await;
        // The clock of this page stands in another year: it says that the reading is old.
        browser.run("document.querySelectorAll('.note').forEach(note => note.remove())").await;
        assert_eq!(word(&browser).await, ("Observe".into(), "clear".into()));
        for part in [".tonight", "[data-kind=tonight] .canvas svg"] {
            let at = bottom(part).await;
            assert!(at <= f64::from(height), "{part} ends at {at} of {height}");
        }
    }
    browser.size(1280, 720).await;
    browser.visit(&scene.view("now")).await;
    browser.run("document.querySelectorAll('.note').forEach(note => note.remove())").await;
    assert!(bottom("[data-kind=timeline] .canvas svg").await <= 720.0);
    let apart = "const of = kind => document.querySelector(`[data-kind=${kind}]`)\
        .getBoundingClientRect();\
        const [night, day] = [of('tonight'), of('timeline')];\
        return day.left >= night.right && day.top === night.top";
    assert_eq!(browser.run(apart).await, true, "the last day stands beside");
    // Before a wall, too.
    browser.size(3840, 2160).await;
    browser.visit(&scene.view("now")).await;
    assert_eq!(browser.run(apart).await, true, "the last day stands beside");
    let legend = browser.text_of(".nights .card:first-child .legend").await;
    for part in ["civil twilight", "nautical", "astronomical", "dark", "moon"] {
        assert!(legend.contains(part), "{part}: {legend}");
    }
    // One phase of the moon.
    let text = browser.text().await;
    let phases = text.matches("waxing").count() + text.matches("waning").count();
    assert_eq!(phases, 1, "{text}");
}

/// Oktas an hour: the median of the changes between any two readings of the last hour.
fn hourly_change(record: &mut Record) -> f64 {
    let rows = record.texts(
        "SELECT (julianday(slot_utc) * 24) || ' ' || okta FROM observations
         WHERE slot_utc > '2024-06-11T04:03:00Z' ORDER BY slot_utc",
    );
    let number = |text: &str| text.parse::<f64>().unwrap();
    let rows: Vec<_> = rows.iter().map(|row| row.split_once(' ').unwrap()).collect();
    let rows: Vec<_> = rows.iter().map(|(hour, okta)| (number(hour), number(okta))).collect();
    let pairs = (0..rows.len()).flat_map(|a| (a + 1..rows.len()).map(move |b| (a, b)));
    let slope = |(a, b): (usize, usize)| (rows[b].1 - rows[a].1) / (rows[b].0 - rows[a].0);
    let mut slopes: Vec<f64> = pairs.map(slope).collect();
    slopes.sort_unstable_by(f64::total_cmp);
    let n = slopes.len();
    f64::midpoint(slopes[(n - 1) / 2], slopes[n / 2])
}

#[tokio::test]
async fn what_is_on_screen_is_what_the_record_and_the_sky_say() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = scene(NIGHT, [8, 7, 2, 2, 1, 1, 1, 0, 0]);
    browser.visit(&scene.view("now")).await;
    let text = browser.text_of(".outlook").await;
    // The sun, second by second from noon to noon; the moon, minute by minute from now on.
    let place = Station::rio_grande();
    let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
    let sun = |at| sun::position(at, place.latitude, place.longitude).elevation;
    let (noon, now) = (at("2024-06-10T16:30:00Z"), at("2024-06-11T05:03:00Z"));
    let below = |limit: f64| {
        let seconds = (0..24 * 3600).map(|n| noon + TimeDelta::seconds(n));
        let mut seconds = seconds.filter(|at| sun(*at) < limit);
        (seconds.next().unwrap(), seconds.next_back().unwrap())
    };
    let clock = |at: DateTime<Utc>| place.zone.local(at).format("%H:%M").to_string();
    let ((set, rise), (from, to)) = (below(-0.833), below(-18.0));
    let minutes = (to - now).num_minutes();
    let moon = |at| moon::position(at, place.latitude, place.longitude);
    let moonlight = (0..minutes).any(|n| moon(now + TimeDelta::minutes(n)).elevation > 0.0);
    assert!(!moonlight);
    let change = hourly_change(&mut scene.record());
    for part in [
        // The first of the clear readings in a row, as it was written.
        "Clear since01:02".to_owned(),
        format!("{} h {} min · {}–{}", minutes / 60, minutes % 60, clock(from), clock(to)),
        "all without moon".to_owned(),
        format!("{:.0} % waxing", moon(now).lit * 100.0),
        format!("sets {} · rises {}", clock(set), clock(rise)),
        format!("Last hourclearing by {:.0} oktas an hour", -change),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    // The clock of the page is years ahead: of this record it shows the last day.
    let title = browser.text_of("[data-kind=timeline] h2").await;
    assert_eq!(title, "24 hours up to the last reading");
    // The readings from sunset on; the record begins at 16:12, the sun sets at 17:15.
    let marks = "return [...document.querySelectorAll('[data-kind=tonight] .reading')]\
        .map(mark => mark.dataset.slot)";
    let marks = browser.run(marks).await;
    let marks = marks.as_array().unwrap();
    assert_eq!(marks.len(), 56, "{marks:?}");
    assert_eq!((&marks[0], &marks[55]), (&"2024-06-10T16:52".into(), &"2024-06-11T02:02".into()));
    // It can be reached by keyboard, and its rows downloaded.
    let csv =
        browser.run("return document.querySelector('[data-kind=tonight] .save a').href").await;
    assert!(csv.as_str().unwrap().contains("from=2024-06-10T17%3A1"), "{csv}");
    let names = "return [...document.querySelectorAll('a[download]')].map(a => a.download)";
    let names = browser.run(names).await;
    let names: Vec<&str> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(names.len() >= 4 && names.iter().all(|name| !name.contains(':')), "{names:?}");
}

#[tokio::test]
async fn each_sky_has_its_word_in_both_languages() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    for (now, oktas, word_es, word_en, why) in [
        (NIGHT, [0; 9], "Observar", "Observe", "clear"),
        (NIGHT, [8, 8, 8, 7, 6, 5, 4, 3, 3], "Esperar", "Wait", "too much cloud"),
        (NIGHT, [8; 9], "Cerrar", "Close", "too much cloud"),
        (LATER, [0; 9], "Cerrar", "Close", "the last reading is old"),
    ] {
        let scene = scene(now, oktas);
        browser.visit(&format!("{}/?lang=es#/now", scene.url)).await;
        assert_eq!(word(&browser).await.0, word_es, "{now} {oktas:?}");
        browser.visit(&format!("{}/?lang=en#/now", scene.url)).await;
        assert_eq!(word(&browser).await, (word_en.into(), why.into()), "{now} {oktas:?}");
    }
    // The sun of December does not go low enough.
    let summer = rows(SUMMER, "2024-12-21T02:02");
    browser.visit(&format!("{}/?lang=en#/now", summer.url)).await;
    let why = "the sun goes no lower than 13° below the horizon";
    assert_eq!(word(&browser).await, ("Close".into(), why.into()));
    assert!(browser.text_of(".outlook").await.contains("it does not get dark"));
}

#[tokio::test]
async fn by_day_the_coming_night_is_shown_and_polar_days_have_their_words() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let begins =
        "return document.querySelector('[data-kind=tonight] svg').getAttribute('aria-label')";
    let day = rows(DAY, "2024-06-11T11:52");
    browser.visit(&day.view("now")).await;
    let (advice, why) = word(&browser).await;
    assert_eq!(advice, "Wait");
    assert!(why.starts_with("from 19:2") && why.ends_with("when the sun is low enough"), "{why}");
    let strip = browser.run(begins).await;
    assert!(strip.as_str().unwrap().contains("sunset 17:15, sunrise 09:46"), "{strip}");
    let tromso = "UPDATE stations SET latitude = 69.65, longitude = 18.96";
    for (now, last, words) in [
        ("2024-06-21T09:03:00Z@1", "2024-06-21T06:02", "the sun does not set"),
        ("2024-12-21T09:03:00Z@1", "2024-12-21T06:02", "the sun does not rise"),
    ] {
        let settings = "[[station]]\nid = 'rio-grande'\nname = 'Polar'\nlatitude = 69.65\n\
            longitude = 18.96\ntime_zone = 'America/Argentina/Ushuaia'\n\
            url_base = 'http://127.0.0.1:9/'\n";
        let scene = Scene::prepared(settings, &["--clock", now], |record| {
            record.execute(tromso);
            write_rows(record, reading(last, 1), 30, 1);
        });
        browser.visit(&scene.view("now")).await;
        let outlook = browser.text_of(".outlook").await;
        assert!(outlook.contains(words), "{outlook}");
        let strip = browser.run(begins).await.to_string().to_lowercase();
        assert!(strip.contains(words), "{strip}");
    }
}

#[tokio::test]
async fn the_mask_has_a_legend_and_the_zones_that_were_drawn() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let settings = "[[station]]\nid = 'rio-grande'\nname = 'R'\nlatitude = -53.79\n\
        longitude = -67.7\ntime_zone = 'America/Argentina/Ushuaia'\n\
        url_base = 'http://127.0.0.1:9/'\n\
        [[station.zone]]\nname = 'dome <b>'\npolygon = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.5]]\n";
    let scene = Scene::prepared(settings, &["--clock", NIGHT], |record| {
        write_rows(record, reading("2024-06-11T02:02", 3), 3, 1);
    });
    browser.visit(&scene.view("now")).await;
    browser.until("(document.querySelector('.shot img') || {}).naturalWidth > 0").await;
    let fade = |share: u32| {
        format!(
            "const slider = document.querySelector('.fade input'); slider.value = {share};\
             slider.dispatchEvent(new Event('input'));\
             const legend = document.querySelector('.mask-legend');\
             return [legend.hidden, legend.textContent,\
                 document.querySelectorAll('.zones polygon').length,\
                 (document.querySelector('.zones text') || {{}}).textContent || null]"
        )
    };
    let told = browser.run(&fade(0)).await;
    assert_eq!((&told[0], &told[2]), (&true.into(), &0.into()));
    let told = browser.run(&fade(60)).await;
    let legend = "cloudskyedge of cloudsnot judgedzones";
    assert_eq!(told, serde_json::json!([false, legend, 1, "dome <b>"]));
}
