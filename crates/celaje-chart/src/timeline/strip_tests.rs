use super::*;
use crate::look::Look;
use crate::testing::{bare, count, numbers, parse};
use crate::timeline::Reading;
use celaje_sky::cover::Cover;
use celaje_sky::slot::{SlotGrid, SlotRange};
use celaje_sky::sun::DayPhase;

/// A place with its clock.
type Where = (f64, f64, &'static str);

const RIO_GRANDE: Where = (-53.79, -67.70, "America/Argentina/Ushuaia");
const MCMURDO: Where = (-77.85, 166.67, "Antarctica/McMurdo");
const TROMSO: Where = (69.65, 18.96, "Europe/Oslo");

fn strip(look: Look, (latitude, longitude, zone): Where, now: &str) -> String {
    let zone: Zone = zone.parse().unwrap();
    let now = now.parse().unwrap();
    let night = Night::at(now, latitude, longitude);
    let local = zone.local(now);
    let from = zone.local(night.span.0) - around(&night);
    let range = SlotRange::new(from, zone.local(night.span.1) + around(&night)).unwrap();
    let slots: Vec<_> = range.slots(&SlotGrid::default(), zone).map(|slot| slot.local()).collect();
    let past: Vec<_> = slots.iter().copied().filter(|slot| *slot <= local).collect();
    let reading = |local: &NaiveDateTime| Reading {
        local: *local,
        cover: Cover::from_code(3).unwrap(),
        cloud_fraction: Some(0.4),
        confidence: Some(0.9),
        phase: DayPhase::Night,
    };
    let readings: Vec<_> = past.iter().skip(3).map(reading).collect();
    let timeline = Timeline {
        look,
        title: "T",
        station: "R",
        range,
        slots: &past,
        first: past.first().copied(),
        readings: &readings,
        misses: &[],
        sun: &[],
        replaced_until: None,
    };
    let (night, now) = (&night, local);
    let svg = NightStrip { timeline, night, zone, latitude, longitude, now }.svg();
    parse(&svg);
    svg
}

#[test]
fn a_winter_night_has_all_its_twilights_and_what_was_read() {
    for look in [Look::alone(Lang::Es), bare(Lang::Es, 340.0), bare(Lang::Es, 800.0)] {
        let svg = strip(look, RIO_GRANDE, "2024-06-11T04:30:00Z");
        for class in ["civil", "nautical", "astronomical", "dark"] {
            // Once in each lane.
            assert_eq!(count(&svg, class), 2, "{class}");
        }
        assert_eq!(svg.matches("class=\"event\"").count(), 8);
        assert_eq!(svg.matches("class=\"now\"").count(), 1);
        assert_eq!(svg.matches("class=\"reading\"").count(), 49);
        assert_eq!(count(&svg, "gap"), 1);
        for part in [
            "puesta 17:15, salida 09:45, oscuro 19:27, alba 07:33",
            // It set at 21:24.
            ">luna · sale 13:38",
            "creciente · sale 13:38",
            "<title>ahora 01:30</title>",
            "<title>luna sobre el horizonte 17:15–21:2",
        ] {
            assert!(svg.contains(part), "{part}: {svg:.2500}");
        }
    }
}

#[test]
fn the_strip_of_a_coming_night_has_no_reading_and_no_gap() {
    let svg = strip(bare(Lang::En, 700.0), RIO_GRANDE, "2024-06-11T16:00:00Z");
    assert_eq!((svg.matches("class=\"reading\"").count(), count(&svg, "gap")), (0, 0));
    assert_eq!(svg.matches("class=\"now\"").count(), 0);
    assert!(svg.contains("sunset 17:15, sunrise 09:46"), "{svg:.900}");
}

#[test]
fn polar_days_have_their_own_words() {
    let summer = strip(bare(Lang::En, 700.0), TROMSO, "2025-06-20T20:00:00Z");
    assert!(summer.contains("The sun does not set; at its lowest it stands 3° above"));
    assert_eq!(count(&summer, "civil"), 0);
    let winter = strip(bare(Lang::Es, 700.0), TROMSO, "2026-11-30T11:30:00Z");
    assert!(winter.contains("El sol no sale, oscuro 17:05, alba 06:00"), "{winter:.900}");
    assert_eq!(winter.matches("class=\"event\"").count(), 6);
    // The sun of McMurdo's June is never higher than 11° below the horizon: no dusk is civil, and
    // the shade goes from edge to edge.
    let deep = strip(bare(Lang::En, 700.0), MCMURDO, "2026-06-21T09:00:00Z");
    assert!(deep.contains("The sun does not rise, dark ") && !deep.contains("civil dusk"));
    assert!(deep.contains("nautical dusk "), "{deep:.900}");
    for side in ["x", "width"] {
        let shade = numbers(&deep, "class=\"nautical\"", side);
        let papers = numbers(&deep, &fill(PAPER), side);
        assert!(papers.contains(&shade[0]), "{side}: {papers:?} {shade:?}");
    }
    let light = strip(bare(Lang::En, 700.0), MCMURDO, "2026-12-21T09:00:00Z");
    assert!(light.contains("The sun does not set; at its lowest it stands 11° above"));
    assert_eq!(light.matches("class=\"event\"").count(), 0);
    let white = strip(bare(Lang::Es, 700.0), RIO_GRANDE, "2026-11-30T16:00:00Z");
    assert!(white.contains("no llega a oscurecer"), "{white:.900}");
}

#[test]
fn the_twilights_have_names_and_a_legend_and_the_moon_one_phase() {
    let now = "2024-06-11T04:30:00Z";
    let wide = strip(bare(Lang::Es, 1200.0), RIO_GRANDE, now);
    for (name, count) in [("civil", 2), ("náutico", 2), ("oscuro", 1), ("alba", 1)] {
        let texts = wide.split('<').filter(|tag| tag.starts_with("text "));
        let named = texts.filter(|text| text.contains(&format!(">{name} ")));
        assert_eq!(named.count(), count, "{name}");
    }
    // Beside the strip the page tells the phase.
    let texts = |svg: &str| {
        let texts = svg.split('<').filter(|tag| tag.starts_with("text "));
        texts.map(|text| text.to_owned() + "<").collect::<String>()
    };
    assert!(!texts(&wide).contains("creciente"), "{wide}");
    let alone = strip(Look::alone(Lang::Es), RIO_GRANDE, now);
    assert_eq!(texts(&alone).matches("creciente").count(), 1, "{alone}");
    for part in ["crepúsculo civil<", "náutico<", "astronómico<", "oscuro<", "luna<"] {
        assert!(texts(&alone).contains(&format!(">{part}")), "{part}");
    }
}

#[test]
fn labels_of_events_never_touch() {
    let widths = [300.0, 450.0, 640.0, 1200.0].into_iter();
    for (width, row) in widths.flat_map(|width| [(width, 15), (width, 32)]) {
        if row > 15 && width < ROOMY {
            continue;
        }
        let svg = strip(bare(Lang::Es, width), RIO_GRANDE, "2024-06-11T04:30:00Z");
        let labels: Vec<(f64, f64)> = svg
            .split("<text x=\"")
            .skip(1)
            .filter(|text| text.contains(&format!("y=\"{row}\"")))
            .map(|text| {
                let x: f64 = text.split('"').next().unwrap().parse().unwrap();
                let said = text.split('>').nth(1).unwrap().split('<').next().unwrap();
                let half = text_width(said, LABEL) / 2.0;
                (x - half, x + half)
            })
            .collect();
        assert!(labels.len() >= 2, "{width} {labels:?}");
        for (n, a) in labels.iter().enumerate() {
            assert!(a.0 >= 0.0 && a.1 <= width, "{width} {labels:?}");
            assert!(labels[n + 1..].iter().all(|b| a.1 < b.0 || b.1 < a.0), "{labels:?}");
        }
    }
}
