//! The answer to whether tonight is a night to observe.

use crate::safety::night;
use crate::site::{Site, item};
use celaje::daemon::operator::{ClockStanding, Event};
use celaje::store::reader::{LatestReading, ObservationItem};

const TONIGHT: &str = "/api/v1/stations/rio-grande/tonight";

#[actix::test]
async fn the_answer_is_of_the_rule_the_last_hour_and_the_night() {
    let site = night("2024-06-10T05:00:00Z@1", "");
    let told = site.get(TONIGHT).await.json();
    assert_eq!((&told["advice"], &told["reason"]), (&"observe".into(), &"clear".into()));
    assert_eq!((&told["tendency"], &told["by_usual_rule"]), (&"steady".into(), &false.into()));
    // Every reading since the first one is clear.
    assert_eq!(told["clear_since"]["utc"], "2024-06-10T03:02:00Z");
    assert_eq!(told["clear_since"]["local"], "2024-06-10T00:02");
    assert_eq!((&told["since_or_before"], &told["cloudy_since"]), (&true.into(), &().into()));
    let clock = |part: &str, end: &str| told["night"][part][end]["local"].as_str().unwrap();
    assert!(clock("span", "from").starts_with("2024-06-09T17:1"), "{told}");
    assert!(clock("span", "to").starts_with("2024-06-10T09:4"), "{told}");
    assert_eq!(told["night"]["allowed"], told["night"]["astronomical"]);
    // Until 10:33 UTC, and the moon of three days set long before.
    let dark = told["night"]["dark_minutes"].as_i64().unwrap();
    assert!((331..=335).contains(&dark), "{told}");
    assert_eq!(told["night"]["moonless_minutes"], dark);
    assert!(told["moon"]["elevation"].as_f64().unwrap() < -20.0, "{told}");
    assert!((0.1..0.2).contains(&told["moon"]["lit"].as_f64().unwrap()), "{told}");
    // It set before: what comes is told.
    let local = |event: &str| told["moon"][event]["local"].as_str().unwrap();
    assert!(local("rise").starts_with("2024-06-10T1"), "{told}");
    assert!(local("set").starts_with("2024-06-10T21:2"), "{told}");
    let spanish = site.ask("GET", TONIGHT, &[("Accept-Language", "es")], b"").await.json();
    assert_eq!(spanish["text"], "despejado");
    site.get("/api/v1/stations/none/tonight").await.problem(404);
    site.get("/api/v1/tonight?x=1").await.problem(400);
}

#[actix::test]
async fn each_trouble_has_its_word() {
    for (now, change, advice, reason) in [
        ("2024-06-10T05:17:30Z@1", "", "close", "stale"),
        ("2024-06-10T05:00:00Z@1", "UPDATE observations SET okta = 8", "close", "clouds"),
        ("2024-06-10T05:00:00Z@1", "UPDATE observations SET okta = 4", "wait", "clouds"),
        (
            "2024-06-10T05:00:00Z@1",
            "UPDATE observations SET confidence = 0.2",
            "wait",
            "low_confidence",
        ),
        ("2024-06-10T05:00:00Z@1", "DELETE FROM observations", "close", "no_reading"),
    ] {
        let site = night(now, change);
        let told = site.get(TONIGHT).await.json();
        assert_eq!(
            (&told["advice"], &told["reason"]),
            (&advice.into(), &reason.into()),
            "{change}"
        );
        let safety = site.get("/api/v1/stations/rio-grande/safety").await.json();
        assert_eq!(safety["safe"], false, "{change}");
        assert_eq!(told["cloudy_since"].is_null(), !change.contains('8'), "{told}");
    }
}

#[actix::test]
async fn without_a_rule_the_usual_thresholds_are_taken() {
    let site = Site::new();
    let told = site.get(TONIGHT).await.json();
    assert_eq!(told["by_usual_rule"], true);
}

#[actix::test]
async fn the_strip_shows_the_night_so_far() {
    let site = night("2024-06-10T05:00:00Z@1", "");
    let reply = site.get("/charts/tonight.svg?station=rio-grande&lang=en&bare=1&width=600").await;
    assert_eq!(reply.status, 200);
    let svg = reply.text();
    // Twelve slots of the record, which begins at midnight: nothing was expected before.
    assert_eq!(svg.matches("class=\"reading\"").count(), 12);
    assert_eq!(svg.matches("class=\"gap\"").count(), 0);
    assert!(svg.contains("<title>now 02:00</title>") && svg.contains("sunset 17:1"), "{svg:.1500}");
    // The night before, by its date.
    let before = site.get("/charts/tonight.svg?station=rio-grande&to=2024-06-09T03:00").await;
    assert!(!before.text().contains("class=\"now\""));
}

#[actix::test]
async fn a_chart_that_is_asked_for_too_much_says_so() {
    let site = Site::new();
    for (chart, most) in [
        ("timeline.svg?from=2024-01-01&to=2024-03-07", 31),
        ("raster.svg?from=2023-01-01&to=2024-01-02", 366),
        ("keogram.svg?from=2024-01-01&to=2024-01-02", 1),
        ("calendar.svg?from=2023-01-01&to=2024-06-30", 366),
    ] {
        let (parameter, why) = site.get(&format!("/charts/{chart}")).await.problem(400);
        assert_eq!(parameter.as_deref(), Some("from"));
        assert!(why.contains(&format!("{most} days at most")), "{why}");
    }
    for chart in [
        "timeline.svg?from=2024-01-01&to=2024-01-31",
        "raster.png?from=2024-01-01&to=2024-12-31",
        "calendar.svg?from=2024-01-01&to=2024-12-31",
        "calendar.svg?to=2024-12-31",
    ] {
        assert_eq!(site.get(&format!("/charts/{chart}")).await.status, 200, "{chart}");
    }
}

#[actix::test]
async fn good_is_what_ok_was_in_a_query() {
    let site = Site::new();
    let rows = async |quality: &str| {
        let path = format!("/api/v1/stations/rio-grande/observations.csv?quality={quality}");
        let reply = site.get(&path).await;
        assert_eq!(reply.status, 200, "{path}");
        reply.text().to_owned()
    };
    let good = rows("good").await;
    assert!(good.lines().count() > 1);
    assert_eq!(good, rows("ok").await);
}

#[actix::test]
async fn dark_hours_are_those_of_the_night_and_of_its_readings() {
    // From midnight to two in winter: all dark and moonless; twelve slots of ten minutes.
    let site = night("2024-06-10T05:00:00Z@1", "");
    let told = site.get("/api/v1/stations/rio-grande/dark-hours").await.json();
    let periods = told["periods"].as_array().unwrap();
    let names: Vec<&str> = periods.iter().map(|p| p["period"].as_str().unwrap()).collect();
    assert_eq!(names, ["2024-06", "2024"]);
    for period in periods {
        assert_eq!((&period["dark"], &period["read"]), (&2.0.into(), &2.0.into()), "{period}");
        assert_eq!((&period["coverage"], &period["usable"]), (&1.0.into(), &2.0.into()));
        assert_eq!(period["low"], serde_json::Value::Null, "one night");
    }
    let cloudy = "UPDATE observations SET okta = 4 WHERE slot_local < '2024-06-10T01'";
    let site = night("2024-06-10T05:00:00Z@1", cloudy);
    let csv = site.get("/api/v1/stations/rio-grande/dark-hours.csv").await;
    let row = csv.text().lines().nth(1).unwrap().to_owned();
    assert_eq!(row, "2024-06,2,2,1,1,,");
    let chart = site.get("/charts/dark-hours.svg?lang=en").await;
    assert!(chart.text().contains("About 1 of 2 dark hours (50\u{a0}%)"), "{}", chart.text());
}

#[actix::test]
async fn the_night_before_the_records_first_month_is_none_of_its_months() {
    // From midnight on: the first dark hours are of a night that began in June.
    let site = Site::of("2024-07-01T00:00", "2024-07-02T23:59", "http://127.0.0.1:9/", |_| {});
    let told = site.get("/api/v1/stations/rio-grande/dark-hours").await.json();
    let periods = told["periods"].as_array().unwrap();
    let names: Vec<&str> = periods.iter().map(|p| p["period"].as_str().unwrap()).collect();
    assert_eq!(names, ["2024-07", "2024"]);
    for kind in ["dark-hours", "dark-years"] {
        let chart = site.get(&format!("/charts/{kind}.svg?lang=en")).await;
        let text = chart.text();
        assert!(text.contains("<title>July 2024") && !text.contains("June 2024"), "{text:.2000}");
    }
}

#[actix::test]
async fn a_reading_that_comes_leaves_the_last_hour_and_since_when_as_they_are() {
    // The picture of 02:12 is taken a second after the program begins.
    let site = night("2024-06-10T05:11:30Z@60", "");
    *site.operator.clock.lock().unwrap() = ClockStanding::Unknown;
    let before = site.get(TONIGHT).await.json();
    assert_eq!((&before["advice"], &before["tendency"]), (&"close".into(), &"steady".into()));
    let item = ObservationItem {
        slot_utc: Some("2024-06-10T05:12:00Z".to_owned()),
        okta: 1,
        quality: Some("night".to_owned()),
        confidence: Some(0.9),
        ..item("2024-06-10T02:12")
    };
    let reading = LatestReading { item, shadow: None };
    site.operator.sender.send(Event::Observation("rio-grande".to_owned(), reading)).unwrap();
    let mut after = site.get(TONIGHT).await.json();
    for _ in 0..200 {
        if after["reason"] != before["reason"] {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        after = site.get(TONIGHT).await.json();
    }
    // What came while the program runs counts; what was there before still tells of the hour.
    assert_ne!(after["reason"], before["reason"], "{after}");
    for part in ["tendency", "clear_since", "since_or_before"] {
        assert_eq!(after[part], before[part], "{part}: {after}");
    }
}

#[actix::test]
async fn a_keogram_goes_from_noon_to_noon_where_the_range_does() {
    let site = Site::new();
    let chart = |range: &str| format!("/charts/keogram.svg?lang=en&{range}");
    let night = site.get(&chart("from=2024-01-01T12:00&to=2024-01-02T11:59")).await;
    assert_eq!(night.status, 200, "{night:?}");
    assert!(night.text().contains("1 Jan 2024, 12:00 – 2 Jan 2024, 11:59"), "{}", night.text());
    let day = site.get(&chart("from=2024-01-01&to=2024-01-01")).await;
    assert!(day.text().contains("Monday 1 January 2024"), "{}", day.text());
    site.get(&chart("from=2024-01-01T12:00&to=2024-01-02T12:00")).await.problem(400);
}

#[actix::test]
async fn charts_of_a_record_without_readings_expect_nothing_and_say_so() {
    let site = Site::new();
    site.execute("DELETE FROM observations; DELETE FROM misses");
    for kind in [
        "timeline",
        "history",
        "distribution",
        "confidence",
        "calendar",
        "climatology",
        "nights",
        "keogram",
        "tonight",
        "raster",
        "dark-hours",
        "dark-years",
    ] {
        for (lang, said) in [("en", "There are no readings yet"), ("es", "Todavía no hay lecturas")]
        {
            let reply = site.get(&format!("/charts/{kind}.svg?lang={lang}")).await;
            assert_eq!(reply.status, 200, "{kind}");
            let svg = reply.text();
            assert!(!svg.contains("class=\"gap\""), "{kind} hatches: {svg:.2000}");
            assert!(!svg.contains("expected") && !svg.contains("esperado"), "{kind}: {svg:.2000}");
            // The pictures of a keogram and the share of a night have no note.
            let has_note = !["nights", "keogram", "tonight"].contains(&kind);
            assert_eq!(svg.contains(said), has_note, "{kind} {lang}: {svg:.2000}");
        }
    }
    // What was asked for in vain was expected.
    site.execute(
        "INSERT INTO misses (station, slot_local, slot_utc, reason, attempts, detail, last_tried,
                             source, layout)
         VALUES ('rio-grande', '2024-01-01T12:02', '2024-01-01T15:02:00Z', 'timeout', 1, '',
                 '2024-01-01 15:03:00', 'http://127.0.0.1:9/', 'year')",
    );
    let day = "/charts/timeline.svg?lang=en&from=2024-01-01&to=2024-01-01";
    let svg = site.get(day).await;
    assert!(svg.text().contains("72 slots expected, 1 miss<"), "{}", svg.text());
}
