//! The clockwork in made-up time.

use std::collections::BTreeSet;

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn clockwork(name: &str, now: DateTime<Utc>) -> SlotSchedule {
    SlotSchedule::new(SlotGrid::default(), zone(name), TickPolicy::default(), now)
}

/// The local minute that is tried at `now`, and whether for the last time.
fn tried(clock: &mut SlotSchedule, now: &str) -> Option<(String, bool)> {
    match clock.turn(at(now)) {
        Turn::Try { slot, last } => Some((slot.to_string(), last)),
        Turn::Wait(_) => None,
    }
}

fn answer(clock: &mut SlotSchedule, now: &str, got: bool) {
    let Turn::Try { slot, last } = clock.turn(at(now)) else { panic!("nothing to try at {now}") };
    clock.tried(slot, last, got, at(now));
}

#[test]
fn a_slot_is_due_a_minute_after_its_own() {
    let mut clock = clockwork("-03:00", at("2024-03-01T15:02:59Z"));
    // What was due before the start is asked for at once.
    assert_eq!(
        tried(&mut clock, "2024-03-01T15:02:59Z"),
        Some(("2024-03-01T11:52".to_owned(), false))
    );
    answer(&mut clock, "2024-03-01T15:02:59Z", true);
    assert_eq!(clock.turn(at("2024-03-01T15:02:59Z")), Turn::Wait(at("2024-03-01T15:03:00Z")));
    assert_eq!(
        tried(&mut clock, "2024-03-01T15:03:00Z"),
        Some(("2024-03-01T12:02".to_owned(), false))
    );
    assert_eq!(clock.take_owed(), None);
}

#[test]
fn a_late_picture_is_asked_for_until_the_next_is_due() {
    let mut clock = clockwork("-03:00", at("2024-03-01T15:03:00Z"));
    let mut now = at("2024-03-01T15:03:00Z");
    let mut tries = Vec::new();
    loop {
        match clock.turn(now) {
            Turn::Try { slot, last } => {
                tries.push((now - at("2024-03-01T15:03:00Z")).num_seconds());
                assert_eq!(slot.to_string(), "2024-03-01T12:02");
                clock.tried(slot, last, false, now);
                if last {
                    break;
                }
            }
            Turn::Wait(until) => {
                assert!(until > now);
                now = until;
            }
        }
    }
    assert_eq!(tries, [0, 15, 45, 105, 225, 345, 465, 585, 600]);
    // The next one follows at once.
    assert_eq!(
        tried(&mut clock, "2024-03-01T15:13:00Z"),
        Some(("2024-03-01T12:12".to_owned(), false))
    );
}

#[test]
fn missed_ticks_are_owed_as_one_range_and_the_newest_goes_first() {
    let mut clock = clockwork("-03:00", at("2024-03-01T15:03:00Z"));
    answer(&mut clock, "2024-03-01T15:03:00Z", true);
    assert_eq!(
        tried(&mut clock, "2024-03-01T18:00:00Z"),
        Some(("2024-03-01T14:52".to_owned(), false))
    );
    let owed = clock.take_owed().unwrap();
    let ends = [owed.from(), owed.to()].map(|t| t.format("%H:%M").to_string());
    assert_eq!(ends, ["12:12", "14:42"]);
    assert_eq!(clock.take_owed(), None);
}

#[test]
fn no_more_is_owed_than_is_caught_up() {
    let mut clock = clockwork("-03:00", at("2024-03-01T15:03:00Z"));
    answer(&mut clock, "2024-03-01T15:03:00Z", true);
    assert!(tried(&mut clock, "2024-06-01T15:03:00Z").is_some());
    let owed = clock.take_owed().unwrap();
    assert_eq!(owed.from().to_string(), "2024-05-25 12:12:00");
    assert_eq!(owed.to().to_string(), "2024-06-01 11:52:00");
}

#[test]
fn after_an_outage_its_slots_are_owed() {
    let mut clock = clockwork("-03:00", at("2024-03-01T15:03:00Z"));
    answer(&mut clock, "2024-03-01T15:03:00Z", false);
    for hour in ["15:13:00", "15:23:00"] {
        let now = format!("2024-03-01T{hour}Z");
        answer(&mut clock, &now, false); // the last try of the one before
        answer(&mut clock, &now, false);
        assert_eq!(clock.take_owed(), None);
    }
    answer(&mut clock, "2024-03-01T15:24:00Z", true);
    let owed = clock.take_owed().unwrap();
    let ends = [owed.from(), owed.to()].map(|t| t.format("%H:%M").to_string());
    assert_eq!(ends, ["12:02", "12:22"]);
}

#[test]
fn what_is_missing_is_looked_for_every_hour() {
    let mut clock = clockwork("-03:00", at("2024-03-01T15:03:00Z"));
    let ends = |range: SlotRange| [range.from(), range.to()].map(|t| t.to_string());
    // At the start that is for whoever starts it; the current slot is left alone.
    let behind = clock.behind(at("2024-03-01T15:03:00Z")).unwrap();
    assert_eq!(ends(behind)[0], "2024-02-23 12:03:00");
    let slots = behind.slots(&SlotGrid::default(), zone("-03:00"));
    assert_eq!(slots.last().unwrap().to_string(), "2024-03-01T11:52");
    answer(&mut clock, "2024-03-01T15:03:00Z", true);
    assert_eq!(clock.take_again(at("2024-03-01T16:02:59Z")), None);
    // The next slot is current, and late.
    answer(&mut clock, "2024-03-01T16:03:00Z", false);
    let again = clock.take_again(at("2024-03-01T16:03:00Z")).unwrap();
    assert_eq!(ends(again)[0], "2024-02-23 13:03:00");
    let slots = again.slots(&SlotGrid::default(), zone("-03:00"));
    assert_eq!(slots.last().unwrap().to_string(), "2024-03-01T12:52");
    assert_eq!(clock.take_again(at("2024-03-01T16:03:00Z")), None);
    assert_eq!(clock.take_again(at("2024-03-01T17:02:59Z")), None);
    // Once it has its picture, it is behind like any other.
    answer(&mut clock, "2024-03-01T16:04:00Z", true);
    let again = clock.take_again(at("2024-03-01T17:03:00Z")).unwrap();
    let slots = again.slots(&SlotGrid::default(), zone("-03:00"));
    assert_eq!(slots.last().unwrap().to_string(), "2024-03-01T13:02");
}

#[test]
fn a_clock_that_is_set_back_puts_no_look_off() {
    let mut clock = clockwork("-03:00", at("2024-03-09T15:03:00Z"));
    assert_eq!(clock.take_again(at("2024-03-01T15:03:00Z")), None);
    assert!(clock.take_again(at("2024-03-01T16:03:00Z")).is_some());
}

#[test]
fn without_anything_to_catch_up_nothing_is_looked_for() {
    let policy = TickPolicy { catch_up: TimeDelta::zero(), ..TickPolicy::default() };
    let begun = at("2024-03-01T15:03:00Z");
    let mut clock = SlotSchedule::new(SlotGrid::default(), zone("-03:00"), policy, begun);
    assert_eq!(clock.take_again(at("2024-03-02T15:03:00Z")), None);
}

#[test]
fn a_clock_that_is_set_back_finds_its_slots_again() {
    let mut clock = clockwork("-03:00", at("2024-03-02T15:03:00Z"));
    answer(&mut clock, "2024-03-02T15:03:00Z", false);
    // It was a day ahead.
    let Turn::Wait(until) = clock.turn(at("2024-03-01T15:03:10Z")) else {
        panic!("the newest slot of before is not known to be wanted")
    };
    assert_eq!(until, at("2024-03-01T15:13:00Z"));
    assert_eq!(
        tried(&mut clock, "2024-03-01T15:13:00Z"),
        Some(("2024-03-01T12:12".to_owned(), false))
    );
    assert_eq!(clock.take_owed(), None);
}

#[test]
fn a_pause_does_not_outlive_a_clock_that_is_set_back() {
    let mut clock = clockwork("-03:00", at("2024-03-01T15:11:00Z"));
    answer(&mut clock, "2024-03-01T15:11:00Z", false);
    // Nine minutes back, the slot is still due.
    let Turn::Wait(until) = clock.turn(at("2024-03-01T15:03:00Z")) else { panic!("too soon") };
    assert!(until <= at("2024-03-01T15:05:00Z"), "{until}");
}

#[test]
fn the_year_ends_like_any_hour() {
    let mut clock = clockwork("-03:00", at("2024-01-01T02:53:00Z"));
    answer(&mut clock, "2024-01-01T02:53:00Z", true);
    assert_eq!(clock.turn(at("2024-01-01T02:53:01Z")), Turn::Wait(at("2024-01-01T03:03:00Z")));
    let next = tried(&mut clock, "2024-01-01T03:03:00Z");
    assert_eq!(next, Some(("2024-01-01T00:02".to_owned(), false)));
    assert_eq!(clock.take_owed(), None);
}

#[test]
fn the_part_of_a_range_that_is_due_ends_with_the_newest_due_slot() {
    let (minutes, zone) = (SlotGrid::default(), zone("-03:00"));
    let local = |text| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
    let day = SlotRange::new(local("2024-03-01T00:00"), local("2024-03-01T23:59")).unwrap();
    let due = |now| TickPolicy::default().due(day, &minutes, zone, at(now));
    let ends = |due: DuePart| (due.range.map(|range| range.to().to_string()), due.pending);
    // 12:02 is due at 12:03.
    let before = ends(due("2024-03-01T15:02:59Z"));
    assert_eq!(before, (Some("2024-03-01 11:52:00".to_owned()), 72));
    let then = ends(due("2024-03-01T15:03:00Z"));
    assert_eq!(then, (Some("2024-03-01 12:02:00".to_owned()), 71));
    assert_eq!(due("2024-03-02T02:53:00Z"), DuePart { range: Some(day), pending: 0 });
    assert_eq!(due("2030-01-01T00:00:00Z"), DuePart { range: Some(day), pending: 0 });
    for early in ["2024-03-01T03:02:59Z", "1970-01-01T00:00:00Z"] {
        assert_eq!(due(early), DuePart { range: None, pending: 144 });
    }
}

/// Tries every slot that becomes due, at once and with success.
fn walk(clock: &mut SlotSchedule, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<String> {
    let (mut now, mut slots) = (from, Vec::new());
    while now <= to {
        match clock.turn(now) {
            Turn::Try { slot, last } => {
                assert!(slot.utc() + TimeDelta::minutes(1) <= now);
                slots.push(slot.to_string());
                clock.tried(slot, last, true, now);
            }
            Turn::Wait(until) => now = until,
        }
    }
    assert_eq!(clock.take_owed(), None);
    slots
}

#[test]
fn summer_time_skips_an_hour_and_repeats_one() {
    // Chile: 2024-04-07 the clock went from 24:00 back to 23:00, 2024-09-08 from 0:00 to 1:00.
    let mut clock = clockwork("America/Santiago", at("2024-04-07T01:53:00Z"));
    let slots = walk(&mut clock, at("2024-04-07T01:53:00Z"), at("2024-04-07T04:13:00Z"));
    // 22:52, then 23:02 for the second time, an hour and ten minutes later.
    let expected = [
        "2024-04-06T22:52",
        "2024-04-06T23:02",
        "2024-04-06T23:12",
        "2024-04-06T23:22",
        "2024-04-06T23:32",
        "2024-04-06T23:42",
        "2024-04-06T23:52",
        "2024-04-07T00:02",
        "2024-04-07T00:12",
    ];
    assert_eq!(slots, expected);
    let mut clock = clockwork("America/Santiago", at("2024-09-08T03:53:00Z"));
    let slots = walk(&mut clock, at("2024-09-08T03:53:00Z"), at("2024-09-08T04:13:00Z"));
    let expected = ["2024-09-07T23:52", "2024-09-08T01:02", "2024-09-08T01:12"];
    assert_eq!(slots, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However long each look takes to come, and whatever comes late: every slot is tried or owed,
    /// none before it is due, and each has one last try at most.
    #[test]
    fn no_slot_is_lost(
        zone_of in 0usize..4,
        start in 0i64..400 * 86_400,
        steps in proptest::collection::vec((0i64..9_000, any::<bool>()), 1..60),
    ) {
        let zones = ["-03:00", "America/Santiago", "Europe/Madrid", "Australia/Lord_Howe"];
        let begun = at("2023-12-31T12:00:00Z") + TimeDelta::seconds(start);
        let mut clock = clockwork(zones[zone_of], begun);
        let first = clock.newest_due(begun).unwrap();
        let mut now = begun;
        let mut seen = BTreeSet::new();
        let mut ended = BTreeSet::new();
        for (pause, got) in steps {
            while let Turn::Try { slot, last } = clock.turn(now) {
                prop_assert!(slot.utc() + TimeDelta::minutes(1) <= now);
                seen.insert(slot);
                prop_assert!(!last || ended.insert(slot), "{slot} ends twice");
                clock.tried(slot, last, got, now);
                now += TimeDelta::seconds(1);
            }
            if let Some(owed) = clock.take_owed() {
                seen.extend(owed.slots(&SlotGrid::default(), zone(zones[zone_of])));
            }
            let Turn::Wait(until) = clock.turn(now) else {
                continue;
            };
            prop_assert!(until > now);
            prop_assert!(until <= clock.next_due(now));
            now += TimeDelta::seconds(pause);
        }
        while let Turn::Try { slot, last } = clock.turn(now) {
            seen.insert(slot);
            clock.tried(slot, last, true, now);
        }
        if let Some(owed) = clock.take_owed() {
            seen.extend(owed.slots(&SlotGrid::default(), zone(zones[zone_of])));
        }
        let newest = clock.newest_due(now).unwrap();
        let range = SlotRange::new(first.local(), newest.local()).unwrap();
        for slot in range.slots(&SlotGrid::default(), zone(zones[zone_of])) {
            prop_assert!(seen.contains(&slot), "{slot} was lost");
        }
    }

    /// Whatever the zone and the hour: each slot of a range is due or pending, and by the same rule
    /// as those that the daemon asks for.
    #[test]
    fn each_slot_is_due_or_pending(
        zone_of in 0usize..4,
        start in 0i64..400 * 86_400,
        length in 1i64..200,
        ahead in -100i64..300,
    ) {
        let zones = ["-03:00", "America/Santiago", "Europe/Madrid", "Australia/Lord_Howe"];
        let (minutes, zone) = (SlotGrid::default(), zone(zones[zone_of]));
        let begin = at("2023-12-31T12:00:00Z") + TimeDelta::seconds(start);
        let now = begin + TimeDelta::minutes(ahead * 30);
        let from = zone.local(begin);
        let range = SlotRange::new(from, from + TimeDelta::minutes(30 * length)).unwrap();
        let all: Vec<Slot> = range.slots(&minutes, zone).collect();
        let part = TickPolicy::default().due(range, &minutes, zone, now);
        let due = part.range.map_or(0, |part| part.slots(&minutes, zone).count());
        prop_assert_eq!(due as u64 + part.pending, all.len() as u64);
        let newest = clockwork(zones[zone_of], now).newest_due(now).unwrap();
        prop_assert_eq!(due, all.iter().filter(|slot| slot.utc() <= newest.utc()).count());
    }

    /// A clock that is set at random, both ways, never leaves the station waiting past the next
    /// slot, and never has it ask for one that is not due.
    #[test]
    fn a_clock_may_be_set(
        steps in proptest::collection::vec((-200_000i64..200_000, any::<bool>()), 1..60),
    ) {
        let mut now = at("2024-02-28T23:59:30Z");
        let mut clock = clockwork("America/Santiago", now);
        for (step, got) in steps {
            now += TimeDelta::seconds(step);
            let mut turns = 0;
            while let Turn::Try { slot, last } = clock.turn(now) {
                prop_assert!(slot.utc() + TimeDelta::minutes(1) <= now, "{slot} at {now}");
                clock.tried(slot, last, got, now);
                turns += 1;
                prop_assert!(turns < 4, "it does not come to rest");
            }
            let Turn::Wait(until) = clock.turn(now) else { unreachable!() };
            prop_assert!(until > now && until <= clock.next_due(now));
            // The newest slot that is due is taken up.
            prop_assert!(clock.handled >= clock.newest_due(now).unwrap().utc());
            clock.take_owed();
        }
    }
}
