use super::*;
use crate::font::text_width;
use crate::look::{Look, WIDTH};
use crate::png;
use crate::sun::{SunSample, track};
use celaje_sky::cover::Cover;
use celaje_sky::slot::{Minutes, SlotRange, Zone};
use celaje_sky::text::Lang;
use chrono::NaiveDate;
use proptest::prelude::*;
use resvg::usvg::{Options, Tree};
use std::collections::{BTreeMap, BTreeSet};

fn at(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 11, day)
        .unwrap()
        .and_hms_opt(hour, minute, 0)
        .unwrap()
}

fn zone() -> Zone {
    "America/Argentina/Ushuaia".parse().unwrap()
}

fn grid(range: SlotRange) -> Vec<NaiveDateTime> {
    range
        .slots(&Minutes::default(), zone())
        .map(|slot| slot.local())
        .collect()
}

fn reading(local: NaiveDateTime, okta: u8) -> Reading {
    Reading {
        local,
        cover: Cover::from_code(okta).unwrap(),
        cloud_fraction: Some(f64::from(okta) / 8.0),
        confidence: Some(0.8),
        phase: DayPhase::Day,
    }
}

struct Input {
    range: SlotRange,
    slots: Vec<NaiveDateTime>,
    readings: Vec<Reading>,
    misses: Vec<NaiveDateTime>,
    sun: Vec<SunSample>,
}

impl Input {
    fn over(from: NaiveDateTime, to: NaiveDateTime) -> Self {
        let range = SlotRange::new(from, to).unwrap();
        let sun = track(from, to, zone(), -53.79, -67.70);
        Self {
            range,
            slots: grid(range),
            readings: Vec::new(),
            misses: Vec::new(),
            sun,
        }
    }

    fn svg_with(&self, lang: Lang, title: &str, station: &str) -> String {
        Timeline {
            look: Look::alone(lang),
            title,
            station,
            range: self.range,
            slots: &self.slots,
            readings: &self.readings,
            misses: &self.misses,
            sun: &self.sun,
        }
        .svg()
    }

    fn svg(&self) -> String {
        self.svg_with(Lang::Es, "Nubosidad", "Río Grande")
    }
}

fn count(svg: &str, class: &str) -> usize {
    svg.matches(&format!("class=\"{class}\"")).count()
}

/// The `name` of every element of `class`, as a number.
fn numbers(svg: &str, class: &str, name: &str) -> Vec<f64> {
    svg.split('<')
        .filter(|tag| tag.contains(&format!("class=\"{class}\"")))
        .map(|tag| {
            let value = tag.split(&format!(" {name}=\"")).nth(1).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        })
        .collect()
}

#[test]
fn a_gap_is_hatched_and_never_a_mark() {
    let mut input = Input::over(at(21, 0, 0), at(21, 23, 59));
    let gap = at(21, 10, 0)..at(21, 12, 0);
    input.readings = input
        .slots
        .iter()
        .filter(|t| !gap.contains(*t))
        .map(|t| reading(*t, 0))
        .collect();
    let svg = input.svg();
    assert_eq!(input.readings.len(), 132);
    assert_eq!((count(&svg, "reading"), count(&svg, "gap")), (132, 1));
    let unit = (WIDTH - 170.0 - 60.0) / 1440.0;
    let width = numbers(&svg, "gap", "width");
    assert!(
        (width[0] - 120.0 * unit).abs() < 0.1,
        "{width:?} against {}",
        120.0 * unit
    );
    assert!(svg.contains("132 de 144 turnos leídos"));
}

#[test]
fn clear_sky_is_seen_in_the_picture() {
    let mut input = Input::over(at(21, 0, 0), at(21, 23, 59));
    input.sun.clear();
    let blue = |svg: &str| {
        let png = png::render(svg, 1.0).unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_rgb8();
        // The panel alone, without the legend.
        picture
            .enumerate_pixels()
            .filter(|(_, y, p)| (104..370).contains(y) && p.0[2] > 200 && p.0[0] < 150)
            .count()
    };
    assert_eq!(blue(&input.svg()), 0);
    input.readings = input.slots.iter().map(|t| reading(*t, 0)).collect();
    assert!(blue(&input.svg()) > 144 * 5 * 2, "{}", blue(&input.svg()));
}

#[test]
fn a_sky_that_is_not_seen_is_a_mark_of_its_own_and_no_amount() {
    let mut input = Input::over(at(21, 0, 0), at(21, 23, 59));
    let hidden =
        |t: &NaiveDateTime| (at(21, 2, 0)..at(21, 3, 0)).contains(t) || *t == at(21, 20, 2);
    let gap = at(21, 10, 0)..at(21, 12, 0);
    let seen: Vec<_> = input.slots.iter().filter(|t| !gap.contains(*t)).collect();
    input.readings = seen
        .into_iter()
        .map(|t| match hidden(t) {
            true => Reading {
                cloud_fraction: None,
                confidence: None,
                ..reading(*t, 9)
            },
            false => reading(*t, 8),
        })
        .collect();
    let svg = input.svg();
    // Seven marks, crossed in two runs; the gap is hatched as ever.
    assert_eq!((count(&svg, "reading"), count(&svg, "gap")), (132, 1));
    assert_eq!(svg.matches("data-okta=\"9\"").count(), 7);
    assert_eq!(count(&svg, "veil"), 2);
    // The crosses stand in the middle of what they cross: that of a lone slot is whole.
    assert!(Tree::from_str(&svg, &Options::default()).is_ok());
    let widths = numbers(&svg, "veil", "width");
    let unit = (WIDTH - 170.0 - 60.0) / 1440.0;
    assert!((widths[0] - 58.0 * unit).abs() < 0.1, "{widths:?}");
    assert!((widths[1] - 8.0 * unit).abs() < 0.1, "{widths:?}");
    assert!(svg.contains("<title>2026-11-21 02:02 · 9 OBSC (cielo no visible) · día<"));
    // In no median, and counted.
    assert!(svg.contains("mediana 8 octas · cielo no visible en 7<"));
    let en = input.svg_with(Lang::En, "Cloud", "R");
    assert!(en.contains("9 OBSC (sky not visible) · day<"));
    assert!(en.contains("median 8 oktas · sky not visible in 7<"));
    // The legend says what the crosses mean.
    assert!(en.contains(">sky not visible</text>") && svg.contains(">cielo no visible</text>"));
    // And the crosses are there, in no colour of the ramp.
    let picture = image::load_from_memory(&png::render(&svg, 1.0).unwrap()).unwrap();
    let veiled = picture
        .to_rgb8()
        .pixels()
        .filter(|p| p.0 == [0xd9, 0xc9, 0xa8])
        .count();
    assert!(veiled > 5_000, "{veiled}");
}

#[test]
fn misses_are_ticks_unless_the_slot_has_a_reading() {
    let mut input = Input::over(at(21, 0, 0), at(21, 23, 59));
    input.readings = vec![reading(at(21, 3, 2), 4)];
    input.misses = vec![
        at(21, 3, 2),
        at(21, 3, 12),
        at(21, 3, 22),
        at(21, 3, 22),
        at(22, 3, 2),
    ];
    let svg = input.svg();
    assert_eq!((count(&svg, "reading"), count(&svg, "miss")), (1, 2));
    assert!(svg.contains("2 fallidos"));
}

#[test]
fn night_and_twilight_are_shaded_without_any_reading() {
    let svg = Input::over(at(21, 0, 0), at(21, 23, 59)).svg();
    assert!(count(&svg, "twilight") >= 2, "{svg}");
    let june = NaiveDate::from_ymd_opt(2026, 6, 21).unwrap();
    let (from, to) = (
        june.and_hms_opt(0, 0, 0).unwrap(),
        june.and_hms_opt(23, 59, 0).unwrap(),
    );
    let winter = Input::over(from, to).svg();
    assert_eq!(
        (count(&winter, "night"), count(&winter, "twilight")),
        (2, 2)
    );
    assert!(winter.contains("salida del sol 09:5") && winter.contains("puesta del sol 17:1"));
}

#[test]
fn without_readings_it_says_so_in_both_languages() {
    for (days, height) in [(0, "HEADING"), (6, "rows")] {
        let mut input = Input::over(at(15, 0, 0), at(15 + days, 23, 59));
        input.misses = vec![at(15, 0, 2)];
        let slots = input.slots.len();
        let es = input.svg_with(Lang::Es, "Nubosidad", "Río Grande");
        assert!(es.contains("Sin lecturas en este intervalo"), "{height}");
        assert!(
            es.contains(&format!("{slots} turnos esperados, 1 fallido<")),
            "{height}"
        );
        let en = input.svg_with(Lang::En, "Cloud cover", "Río Grande");
        assert!(en.contains("No readings in this range"), "{height}");
        assert_eq!(count(&en, "reading"), 0);
        assert!(png::render(&en, 1.0).is_ok());
    }
}

#[test]
fn text_from_outside_is_escaped() {
    let input = Input::over(at(21, 0, 0), at(21, 23, 59));
    let svg = input.svg_with(Lang::En, "<script>\"&\"</script>", "A & B <C>\u{1}");
    assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;&quot;&amp;&quot;"));
    assert!(svg.contains("A &amp; B &lt;C&gt;\u{fffd}"));
    assert!(Tree::from_str(&svg, &Options::default()).is_ok());
}

#[test]
fn a_slot_at_midnight_is_drawn_once() {
    let mut input = Input::over(at(15, 0, 0), at(18, 0, 0));
    input.readings = (15..=18).map(|day| reading(at(day, 0, 0), 3)).collect();
    input.misses = Vec::new();
    assert_eq!(count(&input.svg(), "reading"), 4);
}

#[test]
fn a_long_range_draws_its_last_days() {
    let mut input = Input::over(at(1, 0, 0), at(30, 23, 59) + TimeDelta::days(30));
    input.readings = input.slots.iter().map(|t| reading(*t, 2)).collect();
    let svg = input.svg();
    assert_eq!(count(&svg, "reading"), 31 * 144);
    assert!(svg.contains("(últimos 31 días)"));
    assert_eq!(
        count(&Input::over(at(1, 0, 0), at(30, 23, 59)).svg(), "gap"),
        30
    );
}

#[test]
fn the_picture_has_the_size_of_the_document() {
    let svg = Input::over(at(21, 0, 0), at(21, 23, 59)).svg();
    let tree = Tree::from_str(&svg, &Options::default()).unwrap();
    let picture = image::load_from_memory(&png::render(&svg, 2.0).unwrap()).unwrap();
    assert_eq!(picture.width(), 2400);
    assert_eq!(
        picture.height(),
        (tree.size().height() * 2.0).round() as u32
    );
}

#[test]
fn the_ends_of_time_are_drawn_too() {
    for t in [NaiveDateTime::MIN, NaiveDateTime::MAX] {
        let range = SlotRange::new(t, t).unwrap();
        let input = Input {
            range,
            slots: vec![],
            readings: vec![reading(t, 1)],
            misses: vec![t],
            sun: vec![],
        };
        assert!(Tree::from_str(&input.svg(), &Options::default()).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn there_are_as_many_marks_as_readings(
        hours in 0i64..400,
        seen in prop::collection::vec((0usize..2400, 0u8..=9, -1.0..2.0f64), 0..300),
        missed in prop::collection::vec(0usize..2400, 0..50),
    ) {
        let mut input = Input::over(at(3, 5, 7), at(3, 5, 7) + TimeDelta::hours(hours));
        let slot = |i: usize| input.slots.get(i % input.slots.len().max(1)).copied();
        let readings: BTreeMap<_, _> = seen
            .iter()
            .filter_map(|(i, okta, confidence)| {
                let local = slot(*i)?;
                Some((local, Reading { confidence: Some(*confidence), ..reading(local, *okta) }))
            })
            .collect();
        let misses: BTreeSet<_> =
            missed.iter().filter_map(|i| slot(*i)).filter(|t| !readings.contains_key(t)).collect();
        let gaps = input
            .slots
            .iter()
            .map(|t| (t.date(), readings.contains_key(t)))
            .collect::<Vec<_>>();
        // A run of gaps ends at a reading, and in rows at midnight.
        let one_panel = hours <= 36;
        let runs = gaps
            .iter()
            .enumerate()
            .filter(|(i, (day, read))| {
                let joined = i.checked_sub(1).map(|before| gaps[before]);
                !read && !joined.is_some_and(|(d, r)| !r && (one_panel || d == *day))
            })
            .count();
        input.readings = readings.values().cloned().collect();
        input.misses = misses.iter().copied().collect();
        let svg = input.svg();
        prop_assert_eq!(count(&svg, "reading"), readings.len());
        prop_assert_eq!(count(&svg, "miss"), misses.len());
        prop_assert_eq!(count(&svg, "gap"), runs);
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
        prop_assert!(Tree::from_str(&svg, &Options::default()).is_ok());
    }
}

/// Sunset a quarter of an hour after the chart's beginning.
#[test]
fn the_sun_s_times_stand_beside_the_unit() {
    let svg = Input::over(at(24, 21, 12), at(25, 20, 32)).svg();
    let x = |label: &str| -> f64 {
        let end = svg.find(label).expect(label);
        let text = &svg[svg[..end].rfind("<text").unwrap()..end];
        let x = text.split("x=\"").nth(1).unwrap();
        x[..x.find('"').unwrap()].parse().unwrap()
    };
    let sunset = x(">puesta del sol 21:");
    assert!(sunset < 200.0, "{sunset}");
    let half = text_width("puesta del sol 21:29", 12.5) / 2.0;
    assert!(sunset - half > x(">octas<") + text_width("octas", 12.5));
}
