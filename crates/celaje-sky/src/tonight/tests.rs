use super::*;
use crate::cover::Cover;
use crate::okta::Okta;
use crate::quality::{Flag, Quality};
use crate::station::zone::SkyParts;
use proptest::prelude::*;

/// Two hours after the end of twilight of a winter's night in Tierra del Fuego.
fn midnight() -> DateTime<Utc> {
    "2024-06-11T00:30:00Z".parse().unwrap()
}

fn reading(at: DateTime<Utc>, code: u8) -> SkyReading {
    SkyReading {
        at,
        came: None,
        cover: Cover::from_code(code).unwrap(),
        cloud_fraction: Okta::new(code).map(|okta| f64::from(okta.eighths()) / 8.0),
        confidence: Okta::new(code).map(|_| 0.9),
        parts: SkyParts::default(),
        quality: Quality::default(),
    }
}

/// Readings ten minutes apart of which the last is at `now`.
fn sky(now: DateTime<Utc>, codes: &[u8]) -> Vec<SkyReading> {
    let back = |n: usize| TimeDelta::minutes(10 * (codes.len() - 1 - n) as i64);
    codes.iter().enumerate().map(|(n, code)| reading(now - back(n), *code)).collect()
}

fn station() -> Station {
    let station = Station::rio_grande();
    let safety = Some(SafetyRule::usual(&station.minutes));
    Station { safety, ..station }
}

/// What is said where all readings count.
fn of(station: &Station, readings: &[SkyReading], now: DateTime<Utc>) -> Tonight {
    Tonight::of(station, Some(readings), readings, now)
}

fn said(readings: &[SkyReading], now: DateTime<Utc>) -> (Advice, &'static str) {
    let tonight = of(&station(), readings, now);
    (tonight.advice, tonight.reason.as_str())
}

#[test]
fn by_a_clock_in_doubt_nobody_observes() {
    let now = midnight();
    let tonight = Tonight::of(&station(), None, &sky(now, &[0; 7]), now);
    assert_eq!(tonight.advice, Advice::Close);
    assert_eq!(tonight.reason, AdviceReason::Sky(SafetyReason::ClockInDoubt));
}

#[test]
fn readings_that_do_not_count_still_tell_where_cloud_goes_and_since_when() {
    let now = midnight();
    let told = sky(now, &[8, 8, 1, 1, 1, 1, 0]);
    // Only the last one came while the program runs.
    let counted = &told[6..];
    let tonight = Tonight::of(&station(), Some(counted), &told, now);
    assert_ne!(tonight.advice, Advice::Observe);
    let all = of(&station(), &told, now);
    assert!(all.tendency.is_some() && all.since.is_some());
    assert_eq!((tonight.tendency, tonight.since), (all.tendency, all.since));
}

#[test]
fn the_word_for_each_sky_of_a_night() {
    let now = midnight();
    for (codes, advice, reason) in [
        (&[0, 0, 0, 0, 0, 0, 0][..], Advice::Observe, "clear"),
        // Within the thresholds it stays.
        (&[0, 0, 0, 0, 1, 2, 4], Advice::Observe, "clear"),
        (&[8, 8, 8, 8, 8, 1, 1], Advice::Wait, "waiting"),
        // Between the thresholds, and not going up.
        (&[8, 8, 7, 6, 5, 4, 3], Advice::Wait, "clouds"),
        (&[4, 4, 4, 4, 4, 4, 4], Advice::Wait, "clouds"),
        (&[3, 3, 3, 3, 3, 4, 4], Advice::Close, "clouds"),
        (&[8, 8, 8, 8, 8, 8, 5], Advice::Close, "clouds"),
        (&[0, 0, 0, 0, 0, 0, 8], Advice::Close, "clouds"),
        (&[0, 0, 0, 0, 0, 0, 9], Advice::Close, "obscured"),
        (&[], Advice::Close, "no_reading"),
    ] {
        assert_eq!(said(&sky(now, codes), now), (advice, reason), "{codes:?}");
    }
    let clear = sky(now, &[0; 7]);
    assert_eq!(said(&clear, now + TimeDelta::minutes(40)), (Advice::Close, "stale"));
    let mut frozen = clear;
    frozen.last_mut().unwrap().quality.add(Flag::Frozen);
    assert_eq!(said(&frozen, now), (Advice::Close, "frozen"));
}

#[test]
fn by_day_it_waits_for_the_night_if_there_is_one() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    for (now, advice, reason) in [
        ("2024-06-10T16:00:00Z", Advice::Wait, "daylight"),
        ("2024-06-10T22:20:00Z", Advice::Wait, "daylight"),
        ("2024-06-11T10:30:00Z", Advice::Observe, "clear"),
        ("2024-06-11T11:00:00Z", Advice::Close, "night_is_over"),
        ("2024-06-11T13:00:00Z", Advice::Wait, "daylight"),
        // The sun of December does not go low enough.
        ("2024-12-10T16:00:00Z", Advice::Close, "no_night"),
    ] {
        assert_eq!(said(&sky(at(now), &[1; 7]), at(now)), (advice, reason), "{now}");
    }
    let now = at("2024-12-11T04:30:00Z");
    let rule = |when| {
        let safety = station().safety.map(|rule| SafetyRule { when, ..rule });
        let station = Station { safety, ..station() };
        of(&station, &sky(now, &[1; 7]), now)
    };
    assert_eq!(rule(SunLimit::Nautical).advice, Advice::Observe);
    assert_eq!(rule(SunLimit::Always).advice, Advice::Observe);
    assert_eq!(rule(SunLimit::Day).advice, Advice::Wait);
}

#[test]
fn without_a_rule_the_usual_one_is_taken() {
    let now = midnight();
    let station = Station::rio_grande();
    let tonight = of(&station, &sky(now, &[0; 7]), now);
    assert_eq!((tonight.advice, tonight.by_usual_rule), (Advice::Observe, true));
}

#[test]
fn the_tendency_is_that_of_the_last_hour() {
    let now = midnight();
    let of = |codes: &[u8]| Tendency::at(&SkyPart::All, &sky(now, codes), now);
    let falling = of(&[0, 0, 0, 8, 6, 5, 4, 3, 2]).unwrap();
    assert!((falling.oktas_an_hour + 7.0).abs() < 1.1, "{falling:?}");
    assert_eq!(falling.direction(), Direction::Clearing);
    assert_eq!(of(&[3, 3, 4, 3, 3, 3]).unwrap().direction(), Direction::Steady);
    assert_eq!(of(&[1, 1, 2, 3, 5, 6]).unwrap().direction(), Direction::CloudingOver);
    assert_eq!(of(&[1, 1]), None);
    // Nothing is known of what cannot be seen.
    assert_eq!(of(&[1, 9, 9, 9, 9, 2]), None);
    assert_eq!(Tendency::at(&SkyPart::All, &sky(now, &[1; 6]), now + HOUR), None);
}

#[test]
fn a_row_begins_after_the_last_cloud_or_gap() {
    let now = midnight();
    let since = |readings: &[SkyReading]| of(&station(), readings, now).since;
    let row = |is_clear, minutes, or_before| {
        Some(SkySince { is_clear, at: now - TimeDelta::minutes(minutes), or_before })
    };
    assert_eq!(since(&sky(now, &[0, 7, 1, 2, 0])), row(true, 20, false));
    assert_eq!(since(&sky(now, &[0, 0, 8, 6])), row(false, 10, false));
    assert_eq!(since(&sky(now, &[1, 1, 1])), row(true, 20, true));
    assert_eq!(since(&sky(now, &[1, 1, 3])), None);
    assert_eq!(since(&sky(now, &[1, 1, 9])), None);
    assert_eq!(since(&[]), None);
    let mut gap = sky(now, &[0; 12]);
    gap.drain(6..9);
    assert_eq!(since(&gap), row(true, 20, false));
}

fn any_sky() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..=9_u8, 0..30)
}

proptest! {
    #[test]
    fn the_word_is_never_kinder_than_the_rule(
        codes in any_sky(), later in 0..60_i64, hour in 0..8760_i64,
    ) {
        let now = midnight() + TimeDelta::hours(hour);
        let readings = sky(now, &codes);
        let tonight = of(&station(), &readings, now + TimeDelta::minutes(later));
        prop_assert_eq!(tonight.advice == Advice::Observe, tonight.safety.safe);
    }

    #[test]
    fn more_cloud_now_is_never_kinder(codes in any_sky(), more in 0..4_u8) {
        prop_assume!(!codes.is_empty());
        let now = midnight();
        let mut cloudier = codes.clone();
        let last = cloudier.last_mut().unwrap();
        *last = (*last + more).min(9);
        let word = |codes: &[u8]| of(&station(), &sky(now, codes), now).advice;
        prop_assert!(word(&codes) <= word(&cloudier), "{codes:?} {cloudier:?}");
    }
}
