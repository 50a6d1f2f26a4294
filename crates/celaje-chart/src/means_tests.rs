use super::*;
use crate::axis::LABEL;
use crate::bucket::regular;
use crate::font::text_width;
use crate::testing::{at, bare, blue, count, numbers, parse};
use celaje_sky::text::Lang;
use chrono::TimeDelta;

/// Thirty days of 144 readings, `okta` of the day's number; none on the days of `gaps`.
fn days(okta: impl Fn(i64) -> u8, gaps: std::ops::Range<i64>) -> Vec<Bucket> {
    let known = (0..30).filter(|day| !gaps.contains(day)).map(|day| {
        let mut bucket = Bucket::empty(at(11, 1, 0, 0) + TimeDelta::days(day));
        bucket.count(okta(day), 144);
        bucket.confidence = Some(0.8);
        bucket
    });
    regular(Unit::Day, at(11, 1, 0, 0), at(11, 30, 23, 59), known.collect())
}

fn means(buckets: &[Bucket], look: Look) -> Means<'_> {
    Means {
        look,
        station: "Río <Grande>",
        range: (at(11, 1, 0, 0), at(11, 30, 23, 59)),
        unit: Unit::Day,
        buckets,
        first: Some(at(11, 1, 0, 0)),
        replaced_until: None,
    }
}

/// Both charts with the class of their marks.
fn both(means: &Means<'_>) -> [(String, &'static str); 2] {
    [(means.history(), "mean"), (means.confidence(), "confidence")]
}

#[test]
fn what_was_before_the_record_is_no_gap() {
    let buckets = days(|_| 3, 0..12);
    for (day, gaps) in [(1, 1), (10, 1), (13, 0)] {
        let first = Some(at(11, day, 8, 2));
        let drawn = Means { first, ..means(&buckets, Look::alone(Lang::En)) };
        assert_eq!(count(&drawn.history(), "gap"), gaps, "{first:?}");
    }
    let wide = |day| {
        let first = Some(at(11, day, 8, 2));
        let drawn = Means { first, ..means(&buckets, Look::alone(Lang::En)) };
        numbers(&drawn.history(), "class=\"gap\"", "width")[0]
    };
    assert!((wide(1) / wide(10) - 4.0).abs() < 0.01);
}

#[test]
fn a_record_that_has_not_begun_has_no_gaps_and_says_so() {
    let buckets = days(|_| 3, 0..30);
    for (lang, said) in
        [(Lang::En, "There are no readings yet"), (Lang::Es, "Todavía no hay lecturas")]
    {
        let drawn = Means { first: None, ..means(&buckets, Look::alone(lang)) };
        for (svg, _) in both(&drawn) {
            assert_eq!(count(&svg, "gap"), 0);
            assert!(svg.contains(said), "{said}");
        }
    }
}

#[test]
fn a_gap_is_hatched_and_zero_is_a_mark() {
    let buckets = days(|_| 0, 10..13);
    let drawn = means(&buckets, Look::alone(Lang::Es));
    for (svg, class) in both(&drawn) {
        assert_eq!((count(&svg, class), count(&svg, "gap")), (27, 1));
        for day in ["11-11", "11-12", "11-13"] {
            assert!(!svg.contains(&format!("data-from=\"2026-{day}")), "{day}");
        }
    }
    // The line breaks at the gap.
    let lines = drawn.confidence().matches("stroke-width=\"1.6\"").count();
    assert_eq!(lines, 9 + 16);
}

#[test]
fn hidden_skies_are_in_no_mean_and_their_share_shows() {
    let mut buckets = days(|_| 8, 10..13);
    (buckets[4].oktas, buckets[4].obscured) = ([0; 9], 100);
    buckets[4].confidence = None;
    buckets[5].obscured = 48;
    let drawn = means(&buckets, Look::alone(Lang::Es));
    for (svg, class) in both(&drawn) {
        assert_eq!((count(&svg, class), count(&svg, "gap")), (26, 1));
        assert_eq!(svg.matches("<g class=\"hidden\" data-from=\"2026-11-05").count(), 1);
        assert!(svg.contains("5 de noviembre de 2026 · cielo no visible · 100 lecturas"));
    }
    let history = drawn.history();
    assert_eq!(count(&history, "hidden-share"), 1);
    // 148 of 26 × 144 + 148.
    for text in [
        "media 8,0 octas · 144 lecturas · cielo no visible en 48<",
        "Media 8,0 octas de 3744 lecturas",
        "; cielo no visible en el 4\u{a0}%.",
    ] {
        assert!(history.contains(text), "{history:.900}");
    }
}

#[test]
fn a_range_of_hidden_skies_is_not_empty() {
    let mut buckets = days(|_| 9, 0..0);
    buckets.iter_mut().for_each(|bucket| bucket.confidence = None);
    let drawn = means(&buckets, Look::alone(Lang::En));
    for (svg, _) in both(&drawn) {
        assert!(!svg.contains("No readings"), "{svg:.900}");
        assert_eq!(count(&svg, "hidden"), 30);
    }
    assert!(drawn.history().contains("sky not visible in 100\u{a0}%."));
}

#[test]
fn the_trend_is_drawn_and_described_in_both_languages() {
    let buckets = days(|day| (day / 4) as u8, 0..0);
    let es = means(&buckets, Look::alone(Lang::Es)).history();
    assert_eq!(count(&es, "trend"), 1);
    // A quarter of an okta a day.
    assert!(es.contains("tendencia +7,5 octas en 30 días (+7,"), "{es:.900}");
    let en = means(&buckets, Look::alone(Lang::En)).history();
    assert!(en.contains("trend +7.5 oktas in 30 days (+7."), "{en:.900}");
    assert!(en.contains("Sunday 1 November 2026 · mean 0.0 oktas · 144 readings"));
}

#[test]
fn a_trend_is_not_drawn_beyond_its_means_nor_from_few_nor_from_noise() {
    // Means from the sixth to the twenty-seventh of thirty days.
    let gaps = |day: i64| !(5..27).contains(&day);
    let mut buckets = days(|day| (day / 4) as u8, 0..0);
    for (day, bucket) in (0..).zip(&mut buckets) {
        if gaps(day) {
            *bucket = Bucket::empty(bucket.from);
        }
    }
    let svg = means(&buckets, Look::alone(Lang::En)).history();
    let [from, to] = ["x1", "x2"].map(|end| numbers(&svg, "class=\"trend\"", end)[0]);
    let pitch = (1200.0 - 2.0 * 28.0 - 34.0 - 6.0) / 30.0;
    assert!((from - (28.0 + 34.0 + 5.5 * pitch)).abs() < 0.1, "{from}");
    assert!((to - (28.0 + 34.0 + 26.5 * pitch)).abs() < 0.1, "{to}");
    let few = means(&buckets[..24], Look::alone(Lang::En)).history();
    assert_eq!((count(&few, "trend"), few.contains("trend")), (0, false));
    let noise = days(|day| [3, 7, 1, 5, 0, 8, 2, 6][day as usize % 8], 0..0);
    let svg = means(&noise, Look::alone(Lang::En)).history();
    assert_eq!(count(&svg, "trend"), 0);
    assert!(svg.contains("trend not to be told from none (−"), "{svg:.900}");
}

#[test]
fn every_layout_is_a_document_of_its_width() {
    for buckets in [days(|_| 3, 0..0), days(|_| 3, 0..30), Vec::new()] {
        let look = |width| bare(Lang::En, width);
        for look in [look(300.0), look(2400.0), Look::alone(Lang::En)] {
            for (svg, _) in both(&means(&buckets, look)) {
                assert_eq!(f64::from(parse(&svg).size().width()), look.width());
                let empty = buckets.iter().all(|bucket| bucket.mean().is_none());
                assert_eq!(svg.contains("No readings in this range"), empty);
            }
        }
    }
}

#[test]
fn a_clear_month_shows_in_the_picture() {
    let draw = |gaps| means(&days(|_| 0, gaps), Look::alone(Lang::Es)).history();
    let clear = blue(&draw(0..0), 104..350);
    assert!(clear > 30 * 20 * 2, "{clear}");
    assert_eq!(blue(&draw(0..30), 104..350), 0);
}

#[test]
fn the_end_of_the_replaced_systems_readings_is_marked() {
    let buckets = days(|_| 3, 10..10);
    let plain = means(&buckets, Look::alone(Lang::En));
    assert_eq!(count(&plain.history(), "method"), 0);
    let marked = Means { replaced_until: Some(at(11, 15, 8, 2)), ..plain };
    let svg = marked.history();
    assert_eq!(count(&svg, "method"), 1);
    assert!(svg.contains("data-until=\"2026-11-15T08:02\""), "{svg}");
    // The mark has a title, and the summary says it too.
    assert_eq!(svg.matches("Up to 15 Nov 2026, 08:02 there are oktas").count(), 3, "{svg}");
    assert_eq!(count(&marked.confidence(), "method"), 0);
}

#[test]
fn the_names_of_days_never_touch() {
    // The last Monday is at the right edge: its name stands left of it.
    let (from, to) = (at(10, 31, 0, 0), at(11, 30, 23, 59));
    let buckets = regular(Unit::Day, from, to, Vec::new());
    for width in (300..460).step_by(4) {
        let drawn = means(&buckets, bare(Lang::En, f64::from(width)));
        let svg = drawn.history();
        let names: Vec<(f64, f64)> = (svg.split("<text x=\"").skip(1))
            .filter_map(|text| {
                let said = text.split('>').nth(1)?.split('<').next()?;
                let x: f64 = text.split('"').next()?.parse().ok()?;
                said.ends_with("Nov").then(|| (x, x + text_width(said, LABEL)))
            })
            .collect();
        assert!(names.len() >= 3, "{width}: {names:?}");
        assert!(names.windows(2).all(|pair| pair[0].1 + 5.0 < pair[1].0), "{width}: {names:?}");
    }
}

#[test]
fn the_colour_of_a_low_confidence_has_its_words() {
    let mut buckets = days(|_| 3, 0..0);
    let drawn = means(&buckets, Look::alone(Lang::Es)).confidence();
    assert!(!drawn.contains("Naranja") && !drawn.contains(MISS));
    buckets[4].confidence = Some(0.4);
    let drawn = means(&buckets, Look::alone(Lang::Es)).confidence();
    assert!(
        drawn.contains("la menor es 40\u{a0}%. Naranja: menos de 50\u{a0}%.")
            && drawn.contains(MISS)
    );
}
