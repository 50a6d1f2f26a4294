use super::*;
use crate::okta::Okta;
use crate::slot::SlotGrid;
use proptest::prelude::*;

fn at(minute: i64) -> DateTime<Utc> {
    // Midnight in Tierra del Fuego's winter.
    DateTime::from_timestamp(1_720_000_000 / 60 * 60, 0).unwrap() + TimeDelta::minutes(minute)
}

fn rule() -> SafetyRule {
    SafetyRule::usual(&SlotGrid::default())
}

fn reading(minute: i64, code: u8, confidence: f64) -> SkyReading {
    SkyReading {
        at: at(minute),
        came: None,
        cover: Cover::from_code(code).unwrap(),
        cloud_fraction: Okta::new(code).map(|okta| f64::from(okta.eighths()) / 8.0),
        parts: SkyParts::default(),
        confidence: Okta::new(code).map(|_| confidence),
        quality: Quality::default(),
    }
}

fn flagged(minute: i64, flag: Flag) -> SkyReading {
    let mut reading = reading(minute, 0, 0.9);
    reading.quality.add(flag);
    reading
}

fn says(readings: &[SkyReading], now: i64) -> (bool, SafetyReason) {
    let state = assess_by(&rule(), readings.iter(), at(now), true);
    (state.safe, state.reason)
}

#[test]
fn each_reason_in_its_turn() {
    use SafetyReason as R;
    let clear: Vec<_> = [0, 10, 20].map(|minute| reading(minute, 1, 0.9)).to_vec();
    let with = |last: SkyReading| [clear.clone(), vec![last]].concat();
    assert_eq!(says(&[], 0), (false, R::NoReading));
    assert_eq!(says(&clear[..1], 5), (false, R::Waiting));
    assert_eq!(says(&clear[..2], 15), (false, R::Waiting));
    assert_eq!(says(&clear, 21), (true, R::Clear));
    assert_eq!(says(&clear, 44), (true, R::Clear));
    assert_eq!(says(&clear, 45), (false, R::Stale));
    // What is to come does not count; from far ahead it says that the clock was set back.
    assert_eq!(says(&clear[..1], -1), (false, R::NoReading));
    assert_eq!(says(&clear, 10), (false, R::Waiting));
    assert_eq!(says(&clear, 7), (false, R::ClockInDoubt));
    assert_eq!(says(&with(reading(30, 3, 0.9)), 30), (true, R::Clear));
    assert_eq!(says(&with(reading(30, 4, 0.9)), 30), (true, R::Clear));
    assert_eq!(says(&with(reading(30, 5, 0.9)), 30), (false, R::Clouds));
    // Doubtful cloud counts, a doubtful clear sky does not.
    assert_eq!(says(&with(reading(30, 5, 0.1)), 30), (false, R::Clouds));
    assert_eq!(says(&with(reading(30, 0, 0.1)), 30), (true, R::Clear));
    assert_eq!(says(&with(reading(40, 0, 0.1)), 46), (false, R::LowConfidence));
    assert_eq!(says(&with(reading(30, 9, 0.0)), 30), (false, R::Obscured));
    assert_eq!(says(&with(flagged(30, Flag::Frozen)), 30), (false, R::Frozen));
    assert_eq!(says(&with(flagged(30, Flag::Placeholder)), 30), (false, R::Placeholder));
    assert_eq!(says(&with(flagged(30, Flag::LensObstructed)), 30), (false, R::LensObstructed));
    let day = assess_by(&rule(), clear.iter(), at(21), false);
    assert_eq!((day.safe, day.reason), (false, R::Daylight));
    let names: std::collections::BTreeSet<_> = R::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(names.len(), R::ALL.len());
}

#[test]
fn a_state_has_its_beginning() {
    let mut readings: Vec<_> = [0, 10, 20, 30].map(|minute| reading(minute, 1, 0.9)).to_vec();
    let since =
        |readings: &[SkyReading], now| assess_by(&rule(), readings.iter(), at(now), true).since;
    assert_eq!(since(&readings, 31), Some(at(20)));
    assert_eq!(since(&readings, 70), Some(at(55)));
    readings.push(reading(40, 8, 0.9));
    assert_eq!(since(&readings, 41), Some(at(40)));
    readings.push(reading(50, 8, 0.9));
    assert_eq!(since(&readings, 51), Some(at(40)));
}

/// A reading that came so many minutes after its moment.
fn late(minute: i64, code: u8, by: i64) -> SkyReading {
    SkyReading { came: Some(at(minute + by)), ..reading(minute, code, 0.9) }
}

#[test]
fn after_a_stale_time_the_readings_begin_anew() {
    use SafetyReason as R;
    let mut sky: Vec<_> = [0, 10, 20, 30].map(|minute| late(minute, 1, 2)).to_vec();
    assert_eq!(says(&sky, 54), (true, R::Clear));
    assert_eq!(says(&sky, 55), (false, R::Stale));
    // Its moment is no stale time after the one before, but it came after that was stale.
    sky.push(late(50, 1, 6));
    assert_eq!(says(&sky, 56), (false, R::Waiting));
    sky.push(late(60, 1, 6));
    assert_eq!(says(&sky, 66), (false, R::Waiting));
    sky.push(late(70, 1, 6));
    assert_eq!(says(&sky, 76), (true, R::Clear));
    // One that comes in time closes no roof, nor does one that fills a gap afterwards.
    let mut sky = sky[..4].to_vec();
    sky.push(late(50, 1, 2));
    assert_eq!(says(&sky, 52), (true, R::Clear));
    sky.insert(4, late(40, 1, 30));
    assert_eq!(says(&sky, 70), (true, R::Clear));
    // What comes all at once speaks for itself as far as it is fresh.
    let at_once: Vec<_> = (0..7).map(|n| late(n * 10, 1, 62 - n * 10)).collect();
    assert_eq!(says(&at_once, 62), (true, R::Clear));
    let cloud: Vec<_> = [late(0, 0, 2), late(10, 0, 2), late(20, 0, 2)].to_vec();
    let rule = SafetyRule { unsafe_after: TimeDelta::minutes(15), ..rule() };
    let mut sky = [cloud, vec![late(30, 8, 2), late(40, 0, 6)]].concat();
    let says = |sky: &[SkyReading], now| assess_by(&rule, sky.iter(), at(now), true).safe;
    assert!(!says(&sky, 46), "it was unsafe before the last one came");
    sky.push(late(50, 0, 2));
    assert!(!says(&sky, 53));
}

#[test]
fn a_delay_bridges_a_passing_cloud() {
    let rule = SafetyRule { unsafe_after: TimeDelta::minutes(15), ..rule() };
    let mut readings: Vec<_> = [0, 10, 20].map(|minute| reading(minute, 1, 0.9)).to_vec();
    readings.push(reading(30, 8, 0.9));
    let safe = |readings: &[SkyReading], now| assess_by(&rule, readings.iter(), at(now), true).safe;
    assert!(safe(&readings, 44));
    assert!(!safe(&readings, 45), "the delay ends without a reading");
    readings.push(reading(40, 1, 0.9));
    assert!(safe(&readings, 46));
}

#[test]
fn a_camera_that_dies_makes_it_unsafe_within_the_stale_time() {
    let readings: Vec<_> = (0..30).map(|n| reading(n * 10, 0, 0.95)).collect();
    let limit = rule().stale_after.num_minutes();
    assert_eq!(limit, 25);
    for silence in 0..=180 {
        assert_eq!(says(&readings, 290 + silence).0, silence < limit, "{silence} min");
    }
}

#[test]
fn a_station_without_a_rule_is_never_safe() {
    let readings: Vec<_> = [0, 10, 20].map(|minute| reading(minute, 0, 1.0)).to_vec();
    let mut station = Station::rio_grande();
    let state = assess(&station, readings.iter(), at(21));
    assert_eq!(state.reason, SafetyReason::NotConfigured);
    assert!(!state.safe);
    station.safety = Some(SafetyRule { when: SunLimit::Always, ..rule() });
    assert!(assess(&station, readings.iter(), at(21)).safe);
    // 2024-07-03 09:46 UTC is before sunrise there, 15:00 is day.
    station.safety = Some(SafetyRule { when: SunLimit::Day, ..rule() });
    assert_eq!(assess(&station, readings.iter(), at(21)).reason, SafetyReason::Darkness);
    let noon = at(21) + TimeDelta::hours(6);
    let later: Vec<_> = [360, 370, 380].map(|minute| reading(minute, 0, 1.0)).to_vec();
    assert!(assess(&station, later.iter(), noon).safe, "by day it may be safe");
    station.safety = Some(rule());
    assert_eq!(assess(&station, later.iter(), noon).reason, SafetyReason::Daylight);
}

#[test]
fn the_sun_is_within_its_limit() {
    for (limit, low, high) in [
        (SunLimit::Night, -18.1, -17.9),
        (SunLimit::Nautical, -12.1, -11.9),
        (SunLimit::Civil, -6.1, -5.9),
    ] {
        assert!(limit.holds(low) && !limit.holds(high), "{limit:?}");
    }
    assert!(SunLimit::Day.holds(5.0) && !SunLimit::Day.holds(-1.0));
    assert!(SunLimit::Always.holds(80.0));
}

/// The reading with its amount in the zenith or a zone, and another amount all over.
fn with_part(reading: &SkyReading, in_zone: bool, rest: u8) -> SkyReading {
    let mut seen = reading.clone();
    let Some(okta) = reading.cover.okta() else { return seen };
    let fraction = Some(f64::from(okta.eighths()) / 8.0);
    match in_zone {
        true => drop(seen.parts.zones.insert("south".to_owned(), fraction)),
        false => seen.parts.zenith = fraction,
    }
    seen.cover = Cover::from_code(rest).unwrap();
    seen
}

#[test]
fn a_part_that_was_not_measured_is_not_safe() {
    let rule = SafetyRule { part: SkyPart::Zone("south".to_owned()), ..rule() };
    let mut sky: Vec<_> =
        [0, 10, 20].map(|minute| with_part(&reading(minute, 1, 0.9), true, 8)).to_vec();
    let says = |sky: &[SkyReading], now| {
        let state = assess_by(&rule, sky.iter(), at(now), true);
        (state.safe, state.reason)
    };
    assert_eq!(says(&sky, 21), (true, SafetyReason::Clear), "all but the zone is overcast");
    // The zone shows no sky, or the row knows nothing of it.
    sky.push(reading(30, 1, 0.9));
    assert_eq!(says(&sky, 31), (false, SafetyReason::NotMeasured));
    sky[3].parts.zones.insert("south".to_owned(), None);
    assert_eq!(says(&sky, 31), (false, SafetyReason::NotMeasured));
}

fn any_reading() -> impl Strategy<Value = (i64, u8, f64, u8)> {
    (1..30_i64, 0..=9_u8, 0.0..=1.0_f64, 0..12_u8)
}

fn any_sky() -> impl Strategy<Value = Vec<SkyReading>> {
    prop::collection::vec(any_reading(), 0..40).prop_map(|steps| {
        let mut minute = 0;
        let mut readings = Vec::new();
        for (step, code, confidence, flag) in steps {
            minute += step;
            let mut one = reading(minute, code, confidence);
            match flag {
                0 => one.quality.add(Flag::Frozen),
                1 => one.quality.add(Flag::Placeholder),
                2 => one.quality.add(Flag::LensObstructed),
                _ => {}
            }
            readings.push(one);
        }
        readings
    })
}

fn any_rule() -> impl Strategy<Value = SafetyRule> {
    (0.0..4.0, 4.0..8.0, 0..60_i64, 0..30_i64, 5..60_i64, 0.0..=1.0).prop_map(
        |(safe_below, unsafe_above, safe_after, unsafe_after, stale_after, min_confidence)| {
            SafetyRule {
                part: SkyPart::All,
                safe_below,
                unsafe_above,
                safe_after: TimeDelta::minutes(safe_after),
                unsafe_after: TimeDelta::minutes(unsafe_after),
                stale_after: TimeDelta::minutes(stale_after),
                min_confidence,
                when: SunLimit::Always,
            }
        },
    )
}

proptest! {
    #[test]
    fn never_safe_without_two_fresh_believable_readings(
        sky in any_sky(), rule in any_rule(), later in 0..90_i64,
    ) {
        let now = sky.last().map_or(at(0), |last| last.at) + TimeDelta::minutes(later);
        let state = assess_by(&rule, sky.iter(), now, true);
        if state.safe {
            let believed: Vec<_> = sky
                .iter()
                .filter(|reading| reading.is_believable(rule.min_confidence))
                .map(|reading| reading.at)
                .collect();
            prop_assert!(believed.len() >= 2);
            let [.., before, last] = believed[..] else { unreachable!() };
            // One slot without a picture closes no roof: the older one was fresh when the newer
            // one was taken.
            prop_assert!(now - last < rule.stale_after);
            prop_assert!(last - before < rule.stale_after);
            prop_assert!(now - before < rule.stale_after * 2);
            prop_assert_eq!(state.reason, SafetyReason::Clear);
        }
    }

    /// Who asks each minute, as the readings come: what was unsafe for want of readings is safe
    /// only by two that have come since, so far apart as the rule says.
    #[test]
    fn after_a_stale_time_safe_is_what_came_since(
        sky in any_sky(), rule in any_rule(), delays in prop::collection::vec(0..40_i64, 40),
        later in 0..60_i64,
    ) {
        let mut sky = sky;
        for (reading, delay) in sky.iter_mut().zip(delays) {
            reading.came = Some(reading.at + TimeDelta::minutes(delay));
        }
        let end = sky.last().map_or(0, |last| (last.at - at(0)).num_minutes()) + later;
        let mut stale = None;
        for now in 0..=end {
            let known = sky.iter().filter(|reading| reading.came <= Some(at(now)));
            let state = assess_by(&rule, known, at(now), true);
            if state.reason == SafetyReason::Stale {
                stale = Some(at(now));
            }
            if let Some(stale) = stale.filter(|_| state.safe) {
                let since: Vec<_> = sky
                    .iter()
                    .filter(|reading| reading.came > Some(stale) && reading.came <= Some(at(now)))
                    .filter(|reading| reading.is_believable(rule.min_confidence))
                    .map(|reading| reading.at)
                    .collect();
                prop_assert!(since.len() >= 2, "{since:?}");
                prop_assert!(since[since.len() - 1] - since[0] >= rule.safe_after);
            }
        }
    }

    /// A clock that was set back among clear readings makes them no fresher.
    #[test]
    fn never_safe_with_a_reading_from_far_ahead(
        sky in any_sky(), rule in any_rule(), back in 1..2000_i64,
    ) {
        prop_assume!(!sky.is_empty());
        let newest = sky[sky.len() - 1].at;
        let now = newest - rule.stale_after / 2 - TimeDelta::seconds(back);
        let state = assess_by(&rule, sky.iter(), now, true);
        prop_assert_eq!((state.safe, state.reason), (false, SafetyReason::ClockInDoubt));
    }

    #[test]
    fn stale_dominates(sky in any_sky(), rule in any_rule(), sun in any::<bool>()) {
        prop_assume!(!sky.is_empty());
        let now = sky[sky.len() - 1].at + rule.stale_after;
        let state = assess_by(&rule, sky.iter(), now, sun);
        prop_assert_eq!((state.safe, state.reason), (false, SafetyReason::Stale));
    }

    #[test]
    fn more_cloud_is_never_safer(
        sky in any_sky(), rule in any_rule(), later in 0..60_i64,
        more in prop::collection::vec(0..4_u8, 40),
    ) {
        let now = sky.last().map_or(at(0), |last| last.at) + TimeDelta::minutes(later);
        let cloudier: Vec<_> = sky
            .iter()
            .zip(more)
            .map(|(reading, more)| {
                let code = (reading.cover.code() + more).min(9);
                let mut cloudier = reading.clone();
                cloudier.cover = Cover::from_code(code).unwrap();
                cloudier
            })
            .collect();
        let safe = |sky: &[SkyReading]| assess_by(&rule, sky.iter(), now, true).safe;
        prop_assert!(safe(&sky) || !safe(&cloudier));
    }

    /// A rule of a part sees in it what the rule of the whole sees in a sky of the same amount,
    /// whatever the rest of the sky is like.
    #[test]
    fn a_part_counts_as_the_whole_would(
        sky in any_sky(), rule in any_rule(), later in 0..60_i64, rest in 0..=8_u8,
        in_zone in any::<bool>(),
    ) {
        let now = sky.last().map_or(at(0), |last| last.at) + TimeDelta::minutes(later);
        let seen: Vec<_> = sky.iter().map(|one| with_part(one, in_zone, rest)).collect();
        let part = if in_zone { SkyPart::Zone("south".to_owned()) } else { SkyPart::Zenith };
        let by_part = SafetyRule { part, ..rule.clone() };
        let whole = assess_by(&rule, sky.iter(), now, true);
        prop_assert_eq!(assess_by(&by_part, seen.iter(), now, true), whole);
        // Without its amount nothing is safe.
        let unmeasured = assess_by(&by_part, sky.iter(), now, true);
        prop_assert!(!unmeasured.safe);
    }

    #[test]
    fn without_readings_it_only_becomes_unsafe(
        sky in any_sky(), rule in any_rule(), a in 0..90_i64, b in 0..90_i64,
    ) {
        let last = sky.last().map_or(at(0), |last| last.at);
        let safe = |after: i64| {
            assess_by(&rule, sky.iter(), last + TimeDelta::minutes(after), true).safe
        };
        prop_assert!(safe(a.min(b)) || !safe(a.max(b)));
    }
}
