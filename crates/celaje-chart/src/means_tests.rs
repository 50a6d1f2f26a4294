use super::*;
use crate::bucket::regular;
use crate::png;
use celaje_sky::text::Lang;
use chrono::{NaiveDate, TimeDelta};
use resvg::usvg::{Options, Tree};

fn start() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 11, 1)
        .unwrap()
        .and_hms_opt(0, 0, 0)
        .unwrap()
}

/// Thirty days of 144 readings, `okta` of the day's number; none on the days of `gaps`.
fn days(okta: impl Fn(i64) -> u8, gaps: std::ops::Range<i64>) -> Vec<Bucket> {
    let known = (0..30).filter(|day| !gaps.contains(day)).map(|day| {
        let mut bucket = Bucket::empty(start() + TimeDelta::days(day));
        bucket.count(okta(day), 144);
        bucket.confidence = Some(0.8);
        bucket
    });
    let to = start() + TimeDelta::days(30) - TimeDelta::minutes(1);
    regular(Unit::Day, start(), to, known.collect())
}

fn means(buckets: &[Bucket], look: Look) -> Means<'_> {
    let range = (
        start(),
        start() + TimeDelta::days(30) - TimeDelta::minutes(1),
    );
    Means {
        look,
        station: "Río <Grande>",
        range,
        unit: Unit::Day,
        buckets,
    }
}

#[test]
fn a_gap_is_hatched_and_zero_is_a_mark() {
    let buckets = days(|_| 0, 10..13);
    let drawn = means(&buckets, Look::alone(Lang::Es));
    for svg in [drawn.history(), drawn.confidence()] {
        let class = if svg.contains("\"mean\"") {
            "mean"
        } else {
            "confidence"
        };
        assert_eq!(svg.matches(&format!("<g class=\"{class}\"")).count(), 27);
        assert_eq!(svg.matches("class=\"gap\"").count(), 1);
        // The three days of the gap are neither focusable marks nor a part of a line.
        for day in ["11-11", "11-12", "11-13"] {
            assert!(!svg.contains(&format!("data-from=\"2026-{day}")), "{day}");
        }
    }
    assert_eq!(
        drawn.confidence().matches("stroke-width=\"1.6\"").count(),
        9 + 16
    );
}

#[test]
fn hidden_skies_are_in_no_mean_and_their_share_shows() {
    let mut buckets = days(|_| 8, 10..13);
    buckets[4].oktas = [0; 9];
    buckets[4].obscured = 100;
    buckets[4].confidence = None;
    buckets[5].obscured = 48;
    let drawn = means(&buckets, Look::alone(Lang::Es));
    let (history, confidence) = (drawn.history(), drawn.confidence());
    for (svg, class) in [(&history, "mean"), (&confidence, "confidence")] {
        assert_eq!(svg.matches(&format!("<g class=\"{class}\"")).count(), 26);
        assert_eq!(svg.matches("class=\"gap\"").count(), 1);
        assert_eq!(
            svg.matches("<g class=\"hidden\" data-from=\"2026-11-05")
                .count(),
            1
        );
        assert!(svg.contains("5 de noviembre de 2026 · cielo no visible · 100 lecturas"));
    }
    assert_eq!(history.matches("class=\"hidden-share\"").count(), 1);
    assert!(history.contains("media 8,0 octas · 144 lecturas · cielo no visible en 48<"));
    // 148 of 26 × 144 + 148.
    assert!(
        history.contains("Media 8,0 octas de 3744 lecturas"),
        "{history:.900}"
    );
    assert!(
        history.contains("; cielo no visible en el 4 %."),
        "{history:.900}"
    );
}

#[test]
fn a_range_of_hidden_skies_is_not_empty() {
    let mut buckets = days(|_| 9, 0..0);
    for bucket in &mut buckets {
        bucket.confidence = None;
    }
    let drawn = means(&buckets, Look::alone(Lang::En));
    for svg in [drawn.history(), drawn.confidence()] {
        assert!(!svg.contains("No readings"), "{svg:.900}");
        assert_eq!(svg.matches("<g class=\"hidden\"").count(), 30);
    }
    assert!(drawn.history().contains("sky not visible in 100 %."));
}

#[test]
fn the_trend_is_drawn_and_described_in_both_languages() {
    let buckets = days(|day| (day / 4) as u8, 0..0);
    let es = means(&buckets, Look::alone(Lang::Es)).history();
    assert_eq!(es.matches("class=\"trend\"").count(), 1);
    // A quarter of an okta a day.
    assert!(es.contains("tendencia +7,5 octas en 30 días"), "{es:.900}");
    let en = means(&buckets, Look::alone(Lang::En)).history();
    assert!(en.contains("trend +7.5 oktas in 30 days"), "{en:.900}");
    assert!(en.contains("Sunday 1 November 2026 · mean 0.0 oktas · 144 readings"));
}

#[test]
fn every_layout_is_a_document_with_a_title() {
    for buckets in [days(|_| 3, 0..0), days(|_| 3, 0..30), Vec::new()] {
        for (width, bare) in [(300.0, true), (2400.0, true), (0.0, false)] {
            let look = Look {
                lang: Lang::En,
                width,
                bare,
            };
            let drawn = means(&buckets, look);
            for svg in [drawn.history(), drawn.confidence()] {
                let tree = Tree::from_str(&svg, &Options::default()).unwrap();
                assert_eq!(f64::from(tree.size().width()), look.width());
                let empty = buckets.iter().all(|bucket| bucket.mean().is_none());
                assert_eq!(svg.contains("No readings in this range"), empty);
            }
        }
    }
}

#[test]
fn a_clear_month_shows_in_the_picture() {
    let blue = |svg: &str| {
        let picture = image::load_from_memory(&png::render(svg, 1.0).unwrap())
            .unwrap()
            .to_rgb8();
        let inside = picture
            .enumerate_pixels()
            .filter(|(_, y, _)| (104..350).contains(y));
        inside
            .filter(|(_, _, p)| p.0[2] > 200 && p.0[0] < 150)
            .count()
    };
    let clear = blue(&means(&days(|_| 0, 0..0), Look::alone(Lang::Es)).history());
    assert!(clear > 30 * 20 * 2, "{clear}");
    assert_eq!(
        blue(&means(&days(|_| 0, 0..30), Look::alone(Lang::Es)).history()),
        0
    );
}
