use super::*;
use crate::cover::Cover;
use crate::quality::{Flag, Quality};
use crate::safety::SafetyReason;
use crate::station::zone::SkyParts;
use proptest::prelude::*;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_720_000_000 / 60 * 60, 0).unwrap() + TimeDelta::minutes(minute)
}

fn rule(kind: AlertKind) -> AlertRule {
    AlertRule {
        kind,
        below: 1.5,
        above: 5.0,
        over: TimeDelta::minutes(30),
        min_confidence: 0.5,
        only: SunLimit::Night,
        not_before_end: TimeDelta::hours(1),
        quiet_for: TimeDelta::zero(),
        slot: TimeDelta::minutes(10),
    }
}

fn reading(minute: i64, code: u8) -> SkyReading {
    SkyReading {
        at: at(minute),
        came: None,
        cover: Cover::from_code(code).unwrap(),
        cloud_fraction: None,
        parts: SkyParts::default(),
        confidence: Some(0.9),
        quality: Quality::default(),
    }
}

/// A sky slot by slot, each ten minutes after the one before.
fn sky(codes: &[u8]) -> Vec<SkyReading> {
    codes.iter().zip(0..).map(|(code, n)| reading(10 * n, *code)).collect()
}

fn safety(safe: bool) -> SafetyState {
    let reason = if safe { SafetyReason::Clear } else { SafetyReason::Clouds };
    SafetyState { safe, reason, since: None }
}

fn view(readings: &[SkyReading], minute: i64) -> AlertView<'_> {
    AlertView {
        readings,
        safety: Some(safety(false)),
        sun_allows: true,
        sun_allows_then: true,
        now: at(minute),
    }
}

/// Plays a sky minute by minute; gives the minutes at which something is told.
fn told(rule: &AlertRule, readings: &[SkyReading], minutes: i64) -> Vec<i64> {
    let mut state = None;
    let mut told = Vec::new();
    for minute in 0..minutes {
        let (next, tells) = rule.judge(state, &view(readings, minute));
        state = next;
        if tells {
            told.push(minute);
        }
    }
    told
}

#[test]
fn a_clearing_is_told_once_and_again_only_after_clouds() {
    let readings = sky(&[8, 8, 8, 8, 1, 1, 1, 1, 1, 2, 3, 2, 1, 1, 8, 8, 8, 8, 8, 0, 0, 0, 0, 0]);
    // The mean of 8, 1, 1, 1 is above 1.5; that of four times 1 is not.
    assert_eq!(told(&rule(AlertKind::Clearing), &readings, 240), [70, 220]);
    assert_eq!(told(&rule(AlertKind::Clouding), &readings, 240), [160]);
}

/// It was told, the program ended, and both clouds and their end were caught up.
#[test]
fn what_is_caught_up_arms_an_alert_that_has_fired() {
    let readings = sky(&[8, 8, 8, 8, 0, 0, 0, 0, 8, 8, 8, 8, 0, 0, 0, 0]);
    for (kind, told, again) in [(AlertKind::Clearing, 70, 100), (AlertKind::Clouding, 100, 150)] {
        let rule = rule(kind);
        let state = |fired, since| AlertState {
            fired,
            since: at(since),
            judged_to: at(told),
            sent_at: Some(at(told)),
        };
        let caught_up = |fired, since, now| rule.caught_up(state(fired, since), &readings, at(now));
        assert_eq!(caught_up(true, told, again - 10), state(true, told), "{kind:?}");
        assert_eq!(caught_up(true, told, 155), state(false, again), "{kind:?}");
        assert_eq!(caught_up(false, told, 155), state(false, told), "{kind:?}");
        assert_eq!(caught_up(true, 150, 155), state(true, 150), "{kind:?}");
        let few = [&readings[..8], &readings[15..]].concat();
        assert_eq!(rule.caught_up(state(true, told), &few, at(155)), state(true, told));
    }
    let clearing = rule(AlertKind::Clearing);
    let fired = AlertState { fired: true, since: at(70), judged_to: at(70), sent_at: Some(at(70)) };
    let armed = clearing.caught_up(fired, &readings, at(155));
    assert!(clearing.judge(Some(armed), &view(&readings, 155)).1);
    assert!(!clearing.judge(Some(fired), &view(&readings, 155)).1);
}

#[test]
fn too_few_readings_tell_nothing() {
    let mut readings = sky(&[8, 8, 8, 8, 8, 0, 0, 0, 0]);
    for reading in &mut readings[5..] {
        reading.confidence = Some(0.1);
    }
    assert_eq!(told(&rule(AlertKind::Clearing), &readings, 120), [0; 0]);
    for reading in &mut readings[5..] {
        reading.confidence = Some(0.9);
        reading.quality.add(Flag::Frozen);
    }
    assert_eq!(told(&rule(AlertKind::Clearing), &readings, 120), [0; 0]);
}

/// The same by day.
fn day(view: AlertView<'_>) -> AlertView<'_> {
    AlertView { sun_allows: false, ..view }
}

#[test]
fn an_invitation_waits_for_the_night_and_a_warning_does_not() {
    let cloudy_then_clear = sky(&[8, 8, 8, 8, 0, 0, 0, 0, 0, 0]);
    let clearing = rule(AlertKind::Clearing);
    let (armed, _) = clearing.judge(None, &view(&cloudy_then_clear, 35));
    let (by_day, tells) = clearing.judge(armed, &day(view(&cloudy_then_clear, 91)));
    assert!(!tells && !by_day.unwrap().fired);
    let late = AlertView { sun_allows_then: false, ..view(&cloudy_then_clear, 92) };
    assert!(!clearing.judge(by_day, &late).1, "the night is nearly over");
    let (fired, tells) = clearing.judge(by_day, &view(&cloudy_then_clear, 93));
    assert!(tells && fired.unwrap().fired);

    let clear_then_cloudy = sky(&[0, 0, 0, 0, 8, 8, 8, 8, 8, 8]);
    let clouding = rule(AlertKind::Clouding);
    let (armed, _) = clouding.judge(None, &view(&clear_then_cloudy, 35));
    let (by_day, tells) = clouding.judge(armed, &day(view(&clear_then_cloudy, 91)));
    assert!(!tells && by_day.unwrap().fired, "it is past when the night comes");
    assert!(!clouding.judge(by_day, &view(&clear_then_cloudy, 92)).1);
}

#[test]
fn safe_and_unsafe_follow_the_rule_of_safety() {
    let none = [];
    let safe = AlertView { safety: Some(safety(true)), ..view(&none, 10) };
    let alert = rule(AlertKind::Unsafe);
    let (first, tells) = alert.judge(None, &view(&none, 0));
    assert!(first.unwrap().fired && !tells, "what holds at the beginning is no news");
    let (armed, tells) = alert.judge(first, &safe);
    assert!(!armed.unwrap().fired && !tells);
    let not_known = AlertView { safety: None, ..view(&none, 11) };
    assert_eq!(alert.judge(None, &not_known), (None, false));
    let (still, tells) = alert.judge(armed, &not_known);
    assert!(!still.unwrap().fired && !tells, "what is not known yet is no news");
    assert!(alert.judge(armed, &view(&none, 11)).1);
    assert!(rule(AlertKind::Safe).judge(armed, &safe).1);
}

#[test]
fn a_camera_that_is_gone_is_told_and_so_is_each_reading() {
    let readings = sky(&[1, 1, 9, 9, 9, 9, 9, 9]);
    // The sky was last seen at minute 10.
    assert_eq!(told(&rule(AlertKind::Camera), &readings, 90), [41]);
    assert_eq!(told(&rule(AlertKind::Silence), &sky(&[1, 1, 9, 1]), 40), [10, 30]);
}

#[test]
fn a_time_of_quiet_postpones_and_loses_nothing() {
    let readings = sky(&[8, 8, 8, 8, 0, 0, 0, 0, 8, 8, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let quick = rule(AlertKind::Clearing);
    assert_eq!(told(&quick, &readings, 210), [70, 150]);
    let quiet = AlertRule { quiet_for: TimeDelta::minutes(120), ..quick };
    assert_eq!(told(&quiet, &readings, 210), [70, 190]);
}

#[test]
fn a_clock_that_is_set_back_neither_repeats_nor_silences_for_ever() {
    let readings = sky(&[8, 8, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let alert = AlertRule { quiet_for: TimeDelta::minutes(60), ..rule(AlertKind::Clearing) };
    let future = AlertState {
        fired: false,
        since: at(0),
        judged_to: at(100_000),
        sent_at: Some(at(100_000)),
    };
    let (next, tells) = alert.judge(Some(future), &view(&readings, 80));
    let next = next.unwrap();
    assert!(!tells && next.sent_at == Some(at(80)) && next.judged_to == at(80));
}

proptest! {
    #[test]
    fn between_two_messages_the_opposite_held(codes in prop::collection::vec(0..=9_u8, 0..60)) {
        let readings = sky(&codes);
        let alert = rule(AlertKind::Clearing);
        let minutes = told(&alert, &readings, 600);
        for pair in minutes.windows(2) {
            let cloudy = (pair[0]..pair[1]).any(|minute| {
                alert.mean(&view(&readings, minute)).is_some_and(|mean| mean >= alert.above)
            });
            prop_assert!(cloudy, "{pair:?}");
        }
    }

    #[test]
    fn a_restart_at_any_moment_changes_nothing(
        codes in prop::collection::vec(0..=9_u8, 10..40), every in 1..40_i64,
    ) {
        // What is kept is the state alone: judged seldom or often, the last state is the same kind
        // of state, and nothing is told twice for one clearing.
        let readings = sky(&codes);
        let alert = rule(AlertKind::Clearing);
        let mut state = None;
        let mut last_fired = false;
        for minute in (0..400).step_by(every as usize) {
            let (next, tells) = alert.judge(state, &view(&readings, minute));
            prop_assert!(!tells || !last_fired);
            let (again, twice) = alert.judge(next, &view(&readings, minute));
            prop_assert!(!twice, "judged again at the same moment");
            prop_assert_eq!(again, next);
            last_fired = next.is_some_and(|next| next.fired);
            state = next;
        }
    }
}
