use super::*;
use crate::font::text_width;
use crate::look::{Look, WIDTH};
use crate::png;
use crate::sun::{SunSample, track};
use crate::testing::{at, blue, count, numbers, parse, pixels};
use celaje_sky::cover::Cover;
use celaje_sky::slot::{SlotGrid, SlotRange, Zone};
use celaje_sky::text::Lang;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Units of a minute in a day that stands alone.
const MINUTE: f64 = (WIDTH - 170.0 - 60.0) / 1440.0;

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
    first: Option<NaiveDateTime>,
    readings: Vec<Reading>,
    misses: Vec<NaiveDateTime>,
    sun: Vec<SunSample>,
}

impl Input {
    fn over(from: NaiveDateTime, to: NaiveDateTime) -> Self {
        let zone: Zone = "America/Argentina/Ushuaia".parse().unwrap();
        let range = SlotRange::new(from, to).unwrap();
        let slots = range.slots(&SlotGrid::default(), zone);
        Self {
            range,
            slots: slots.map(|slot| slot.local()).collect(),
            first: Some(from),
            readings: Vec::new(),
            misses: Vec::new(),
            sun: track(from, to, zone, -53.79, -67.70),
        }
    }

    /// 21 November.
    fn day() -> Self {
        Self::over(at(11, 21, 0, 0), at(11, 21, 23, 59))
    }

    /// Gives each slot the reading of `okta`, or none.
    fn read(mut self, okta: impl Fn(NaiveDateTime) -> Option<u8>) -> Self {
        let slots = self.slots.iter();
        self.readings = slots.filter_map(|t| Some(reading(*t, okta(*t)?))).collect();
        self
    }

    fn svg_with(&self, lang: Lang, title: &str, station: &str) -> String {
        Timeline {
            look: Look::alone(lang),
            title,
            station,
            range: self.range,
            slots: &self.slots,
            first: self.first,
            readings: &self.readings,
            misses: &self.misses,
            sun: &self.sun,
            replaced_until: None,
        }
        .svg()
    }

    fn svg(&self) -> String {
        self.svg_with(Lang::Es, "Nubosidad", "Río Grande")
    }
}

#[test]
fn a_gap_is_hatched_and_never_a_mark() {
    let gap = at(11, 21, 10, 0)..at(11, 21, 12, 0);
    let svg = Input::day().read(|t| (!gap.contains(&t)).then_some(0)).svg();
    assert_eq!((count(&svg, "reading"), count(&svg, "gap")), (132, 1));
    let width = numbers(&svg, "class=\"gap\"", "width")[0];
    assert!((width - 120.0 * MINUTE).abs() < 0.1, "{width}");
    assert!(svg.contains("132 de 144 turnos leídos"));
}

#[test]
fn a_clear_sky_shows_in_the_picture() {
    let mut input = Input::day();
    input.sun.clear();
    // The panel alone, without the legend.
    assert_eq!(blue(&input.svg(), 104..370), 0);
    let blue = blue(&input.read(|_| Some(0)).svg(), 104..370);
    assert!(blue > 144 * 5 * 2, "{blue}");
}

#[test]
fn a_hidden_sky_is_a_crossed_mark_and_no_amount() {
    let (day, gap) = (|hour| at(11, 21, hour, 0), at(11, 21, 10, 0)..at(11, 21, 12, 0));
    let hidden = |t| (day(2)..day(3)).contains(&t) || t == at(11, 21, 20, 2);
    let code = |t| if hidden(t) { 9 } else { 8 };
    let mut input = Input::day().read(|t| (!gap.contains(&t)).then_some(code(t)));
    for reading in input.readings.iter_mut().filter(|r| r.cover.okta().is_none()) {
        (reading.cloud_fraction, reading.confidence) = (None, None);
    }
    let svg = input.svg();
    // Seven marks, crossed in two runs; the gap is hatched as ever.
    assert_eq!((count(&svg, "reading"), count(&svg, "gap")), (132, 1));
    assert_eq!(svg.matches("data-okta=\"9\"").count(), 7);
    assert_eq!(count(&svg, "veil"), 2);
    parse(&svg);
    // The crosses of a lone slot are whole.
    let widths = numbers(&svg, "class=\"veil\"", "width");
    assert!((widths[0] - 58.0 * MINUTE).abs() < 0.1, "{widths:?}");
    assert!((widths[1] - 8.0 * MINUTE).abs() < 0.1, "{widths:?}");
    assert!(svg.contains("<title>21 nov 2026, 02:02 · 9 OBSC (cielo no visible) · día<"));
    // Counted, in no median, and in the legend.
    assert!(svg.contains("mediana 8 octas · cielo no visible en 7<"));
    assert!(svg.contains(">cielo no visible</text>"));
    let en = input.svg_with(Lang::En, "Cloud", "R");
    assert!(en.contains("9 OBSC (sky not visible) · day<"));
    assert!(en.contains("median 8 oktas · sky not visible in 7<"));
    assert!(en.contains(">sky not visible</text>"));
    let picture = pixels(&svg);
    let veiled = picture.pixels().filter(|p| p.0 == [0xd9, 0xc9, 0xa8]).count();
    assert!(veiled > 5_000, "{veiled}");
}

#[test]
fn misses_are_ticks_unless_the_slot_has_a_reading() {
    let mut input = Input::day();
    input.readings = vec![reading(at(11, 21, 3, 2), 4)];
    input.misses = [2, 12, 22, 22].map(|minute| at(11, 21, 3, minute)).to_vec();
    input.misses.push(at(11, 22, 3, 2));
    let svg = input.svg();
    assert_eq!((count(&svg, "reading"), count(&svg, "miss")), (1, 2));
    assert!(svg.contains("2 fallidos"));
}

#[test]
fn night_and_twilight_are_shaded_without_any_reading() {
    let svg = Input::day().svg();
    assert!(count(&svg, "twilight") >= 2, "{svg}");
    let winter = Input::over(at(6, 21, 0, 0), at(6, 21, 23, 59)).svg();
    assert_eq!((count(&winter, "night"), count(&winter, "twilight")), (2, 2));
    assert!(winter.contains("salida del sol 09:5") && winter.contains("puesta del sol 17:1"));
}

#[test]
fn a_timeline_without_readings_says_so_in_both_languages() {
    for days in [0, 6] {
        let mut input = Input::over(at(11, 15, 0, 0), at(11, 15 + days, 23, 59));
        input.misses = vec![at(11, 15, 0, 2)];
        let slots = input.slots.len();
        let es = input.svg();
        assert!(es.contains("Sin lecturas en este intervalo"), "{days}");
        assert!(es.contains(&format!("{slots} turnos esperados, 1 fallido<")), "{days}");
        let en = input.svg_with(Lang::En, "Cloud cover", "Río Grande");
        assert!(en.contains("No readings in this range"), "{days}");
        assert_eq!(count(&en, "reading"), 0);
        assert!(png::render(&en, 1.0).is_ok());
    }
}

#[test]
fn nothing_is_expected_before_the_record_begins() {
    let mut input = Input::day();
    (input.first, input.sun) = (None, Vec::new());
    let en = |input: &Input| input.svg_with(Lang::En, "Cloud cover", "R");
    let svg = en(&input);
    assert_eq!(count(&svg, "gap"), 0);
    assert!(svg.contains("There are no readings yet") && !svg.contains("expected"), "{svg}");
    assert!(input.svg().contains("Todavía no hay lecturas"));
    // What was asked for in vain was expected, from then on.
    input.misses = vec![at(11, 21, 12, 2)];
    let svg = en(&input);
    assert_eq!(count(&svg, "gap"), 1);
    assert!(svg.contains("72 slots expected, 1 miss<"), "{svg}");
    input.misses.clear();
    input.first = Some(at(11, 21, 18, 2));
    let svg = en(&input.read(|t| (t >= at(11, 21, 18, 2)).then_some(3)));
    assert_eq!((count(&svg, "reading"), count(&svg, "gap")), (36, 0));
    assert!(svg.contains("36 of 36 slots read"), "{svg}");
}

#[test]
fn text_from_outside_is_escaped() {
    let svg = Input::day().svg_with(Lang::En, "<script>\"&\"</script>", "A & B <C>\u{1}");
    assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;&quot;&amp;&quot;"));
    assert!(svg.contains("A &amp; B &lt;C&gt;\u{fffd}"));
    parse(&svg);
}

#[test]
fn a_slot_at_midnight_is_drawn_once() {
    let mut input = Input::over(at(11, 15, 0, 0), at(11, 18, 0, 0));
    input.readings = (15..=18).map(|day| reading(at(11, day, 0, 0), 3)).collect();
    assert_eq!(count(&input.svg(), "reading"), 4);
}

#[test]
fn a_long_range_draws_its_last_days() {
    let (from, to) = (at(11, 1, 0, 0), at(11, 30, 23, 59));
    let svg = Input::over(from, to + TimeDelta::days(30)).read(|_| Some(2)).svg();
    assert_eq!(count(&svg, "reading"), 31 * 144);
    assert!(svg.contains("(últimos 31 días)"));
    assert_eq!(count(&Input::over(from, to).svg(), "gap"), 30);
}

#[test]
fn the_picture_has_the_size_of_the_document() {
    let svg = Input::day().svg();
    let picture = image::load_from_memory(&png::render(&svg, 2.0).unwrap()).unwrap();
    let height = (parse(&svg).size().height() * 2.0).round() as u32;
    assert_eq!((picture.width(), picture.height()), (2400, height));
}

#[test]
fn the_ends_of_time_are_drawn_too() {
    for t in [NaiveDateTime::MIN, NaiveDateTime::MAX] {
        let input = Input {
            range: SlotRange::new(t, t).unwrap(),
            slots: vec![],
            first: None,
            readings: vec![reading(t, 1)],
            misses: vec![t],
            sun: vec![],
        };
        parse(&input.svg());
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
        let from = at(11, 3, 5, 7);
        let mut input = Input::over(from, from + TimeDelta::hours(hours));
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
        let slots = input.slots.iter();
        let gaps: Vec<_> = slots.map(|t| (t.date(), readings.contains_key(t))).collect();
        // A run of gaps ends at a reading, and in rows at midnight.
        let joined = |(d, r): (NaiveDate, bool), day| !r && (hours <= 36 || d == day);
        let begins = |(i, (day, read)): &(usize, &(NaiveDate, bool))| {
            !*read && !i.checked_sub(1).is_some_and(|before| joined(gaps[before], *day))
        };
        let runs = gaps.iter().enumerate().filter(begins).count();
        input.readings = readings.values().cloned().collect();
        input.misses = misses.iter().copied().collect();
        let svg = input.svg();
        prop_assert_eq!(count(&svg, "reading"), readings.len());
        prop_assert_eq!(count(&svg, "miss"), misses.len());
        prop_assert_eq!(count(&svg, "gap"), runs);
        prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
        parse(&svg);
    }
}

/// Sunset a quarter of an hour after the chart's beginning.
#[test]
fn the_sun_s_times_stand_beside_the_unit() {
    let svg = Input::over(at(11, 24, 21, 12), at(11, 25, 20, 32)).svg();
    let x = |label: &str| {
        let texts: String = svg.split("<text").filter(|text| text.contains(label)).collect();
        numbers(&texts, label, "x")[0]
    };
    let sunset = x(">puesta del sol 21:");
    assert!(sunset < 200.0, "{sunset}");
    let half = text_width("puesta del sol 21:29", 12.5) / 2.0;
    assert!(sunset - half > x(">octas") + text_width("octas", 12.5));
}
