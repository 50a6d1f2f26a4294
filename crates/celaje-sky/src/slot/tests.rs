use super::*;
use chrono::{Duration, TimeZone};
use proptest::prelude::*;

fn time(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn locals(from: &str, to: &str, zone: Zone) -> Vec<String> {
    SlotRange::new(time(from), time(to))
        .unwrap()
        .slots(&SlotGrid::default(), zone)
        .map(|slot| slot.to_string())
        .collect()
}

#[test]
fn a_day_has_144_slots_and_both_ends_count() {
    let station = zone("America/Argentina/Ushuaia");
    assert_eq!(locals("2024-02-28T00:00", "2024-02-29T23:59", station).len(), 288);
    assert_eq!(
        locals("2024-01-01T00:02", "2024-01-01T00:12", station),
        ["2024-01-01T00:02", "2024-01-01T00:12"]
    );
    assert_eq!(locals("2024-01-01T00:03", "2024-01-01T00:11", station), [""; 0]);
    assert_eq!(locals("2024-01-01T00:02", "2024-01-01T00:02", station).len(), 1);
}

#[test]
fn only_slots_of_the_times_that_are_named_are_made() {
    let range = SlotRange::new(time("2024-01-01T00:00"), time("2024-01-02T00:00")).unwrap();
    let times = ["2023-12-31T00:02", "2024-01-01T00:12", "2024-01-01T00:13", "2024-01-01T23:52"];
    let slots = range.slots(&SlotGrid::default(), zone("-03:00")).among(times.map(time).into());
    let slots: Vec<_> = slots.map(|slot| slot.to_string()).collect();
    assert_eq!(slots, ["2024-01-01T00:12", "2024-01-01T23:52"]);
}

#[test]
fn the_centuries_between_two_times_are_passed_over() {
    let ends = ["1900-01-01T00:02", "9999-12-31T23:52"];
    let range = SlotRange::new(time(ends[0]), time(ends[1])).unwrap();
    let slots = range.slots(&SlotGrid::every(15).unwrap(), zone("-03:00"));
    let slots = slots.among(ends.map(time).into()).map(|slot| slot.to_string());
    assert_eq!(slots.collect::<Vec<_>>(), ends);
}

#[test]
fn names_and_instants_of_the_first_station() {
    let slot = Slot::at(time("2024-12-31T23:52"), zone("America/Argentina/Ushuaia")).unwrap();
    assert_eq!(slot.file_name(), "2024-12312352.jpg");
    assert_eq!(slot.year(), 2024);
    assert_eq!(slot.utc(), Utc.with_ymd_and_hms(2025, 1, 1, 2, 52, 0).unwrap());
}

#[test]
fn a_skipped_hour_has_no_slots_and_a_repeated_one_has_them_once() {
    // Clocks went from 02:00 to 03:00 on 2024-03-31 in Madrid, and back on 2024-10-27.
    let madrid = zone("Europe/Madrid");
    let spring = locals("2024-03-31T01:00", "2024-03-31T03:59", madrid);
    assert_eq!(spring.len(), 12);
    assert!(spring.iter().all(|slot| !slot.contains("T02:")), "{spring:?}");
    assert_eq!(Slot::at(time("2024-03-31T02:12"), madrid), None);

    let autumn = locals("2024-10-27T02:00", "2024-10-27T02:59", madrid);
    assert_eq!(autumn.len(), 6);
    // The second time the clock shows 02:12 it is winter time, UTC+1.
    let slot = Slot::at(time("2024-10-27T02:12"), madrid).unwrap();
    assert_eq!(slot.utc(), Utc.with_ymd_and_hms(2024, 10, 27, 1, 12, 0).unwrap());
}

#[test]
fn zones_by_name_and_by_offset() {
    for name in ["-03:00", "-3", "-0300", "UTC-3", "GMT-3", "UTC\u{2212}3"] {
        assert_eq!(zone(name), Zone::Fixed(FixedOffset::west_opt(3 * 3600).unwrap()), "{name}");
    }
    assert_eq!(zone("+05:45"), Zone::Fixed(FixedOffset::east_opt(5 * 3600 + 45 * 60).unwrap()));
    assert!(matches!(zone("UTC"), Zone::Named(_)));
    for name in ["", "Mars/Olympus", "-25:00", "+1:75", "--3", "+", "UTC-", "+1:", "+é3:00"] {
        assert!(name.parse::<Zone>().is_err(), "{name:?}");
    }
}

#[test]
fn minutes_are_checked() {
    assert_eq!(SlotGrid::new(vec![30, 0, 30]).unwrap().as_slice(), [0, 30]);
    assert!(SlotGrid::new(vec![]).is_err());
    assert!(SlotGrid::new(vec![60]).is_err());
}

#[test]
fn a_backward_range_is_an_error_and_seconds_are_dropped() {
    assert!(SlotRange::new(time("2024-01-02T00:00"), time("2024-01-01T23:59")).is_err());
    let late = time("2024-01-01T00:02") + Duration::seconds(59);
    assert!(SlotRange::new(late, time("2024-01-01T00:02")).is_ok());
}

#[test]
fn odd_names_are_no_slots() {
    for name in [
        "",
        ".jpg",
        "2024-01010002.JPG",
        "2024-01010002.jpeg",
        "2024-0101000.jpg",
        "2024-13010002.jpg",
        "2024-02300002.jpg",
        "2024-01012402.jpg",
        "2024-01010060.jpg",
        "20240101-0002.jpg",
        "+024-01010002.jpg",
        "2024-0101 002.jpg",
        "２024-01010002.jpg",
        "x/2024-01010002.jpg",
    ] {
        assert_eq!(Slot::parse_file_name(name), None, "{name:?}");
    }
}

prop_compose! {
    fn any_minute()(minutes in 0i64..60 * 24 * 365 * 130) -> NaiveDateTime {
        time("1950-01-01T00:00") + Duration::minutes(minutes)
    }
}

fn any_zone() -> impl Strategy<Value = Zone> {
    prop_oneof![
        Just(zone("America/Argentina/Ushuaia")),
        Just(zone("Europe/Madrid")),
        Just(zone("Australia/Lord_Howe")),
        Just(zone("Pacific/Apia")),
        (-14 * 60..14 * 60i32)
            .prop_map(|minutes| Zone::Fixed(FixedOffset::east_opt(minutes * 60).unwrap())),
    ]
}

proptest! {
    #[test]
    fn a_name_stands_for_its_slot(local in any_minute(), zone in any_zone()) {
        if let Some(slot) = Slot::at(local, zone) {
            prop_assert_eq!(Slot::parse_file_name(&slot.file_name()), Some(local));
            prop_assert_eq!(zone.local(slot.utc()), local);
        }
    }

    #[test]
    fn no_name_makes_the_parser_panic(name in ".{0,24}") {
        if let Some(local) = Slot::parse_file_name(&name) {
            prop_assert_eq!(local.format("%Y-%m%d%H%M.jpg").to_string(), name);
        }
    }

    #[test]
    fn a_range_holds_just_the_valid_minutes_of_the_clock(
        from in any_minute(),
        length in 0i64..4000,
        minutes in proptest::collection::vec(0u32..60, 1..8),
        zone in any_zone(),
    ) {
        let to = from + Duration::minutes(length);
        let minutes = SlotGrid::new(minutes).unwrap();
        let slots: Vec<Slot> = SlotRange::new(from, to).unwrap().slots(&minutes, zone).collect();
        let expected: Vec<Slot> = (0..=length)
            .map(|m| from + Duration::minutes(m))
            .filter(|t| minutes.as_slice().contains(&t.minute()))
            .filter_map(|t| Slot::at(t, zone))
            .collect();
        prop_assert_eq!(slots, expected);
    }

    #[test]
    fn offsets_never_make_the_parser_panic(text in "(UTC|GMT)?[-+]?[0-9:]{0,6}") {
        let _ = text.parse::<Zone>();
    }
}

#[test]
fn a_grid_of_seconds_has_its_slots_at_them() {
    let grid = SlotGrid::every(15).unwrap();
    let (from, to) = (time("2024-01-01T23:59"), time("2024-01-02T00:00"));
    let slots: Vec<Slot> = SlotRange::new(from, to).unwrap().slots(&grid, zone("-03:00")).collect();
    let shown: Vec<_> = slots.iter().map(Slot::to_string).collect();
    assert_eq!(shown[..2], ["2024-01-01T23:59", "2024-01-01T23:59:15"]);
    assert_eq!(shown.len(), 8);
    assert!(shown.is_sorted());
    assert_eq!(slots[1].file_name(), "2024-0101235915.jpg");
    let one = SlotRange::of(slots[1]);
    assert_eq!(one.slots(&grid, zone("-03:00")).collect::<Vec<_>>(), slots[1..2]);
    let rest = SlotRange::new(from, to).unwrap().after(slots[5]).unwrap();
    assert_eq!(rest.slots(&grid, zone("-03:00")).collect::<Vec<_>>(), slots[6..]);
    assert_eq!(SlotRange::new(from, to).unwrap().to(), to);
    assert_eq!(
        SlotGrid::every(600),
        SlotGrid::new(vec![0, 10, 20, 30, 40, 50]).map_err(|_| unreachable!())
    );
    for bad in [0, 14, 17, 3601, 7200] {
        assert!(SlotGrid::every(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_picture_is_the_nearest_slots_alone_and_the_earlier_one_counts() {
    let grid = SlotGrid::default();
    let slot = Slot::at(time("2024-01-01T00:12"), zone("-03:00")).unwrap();
    let window = grid.window(slot, Duration::minutes(5));
    let at = |seconds: i64| slot.utc() + Duration::seconds(seconds);
    assert!(!window.contains(at(-300)) && window.contains(at(-299)));
    assert!(window.contains(at(300)) && !window.contains(at(301)));
    let pictures = [at(-40), at(40), at(120)].map(|instant| (instant, ()));
    assert_eq!(window.nearest(pictures), Some((at(-40), ())));
    assert_eq!(window.nearest([(at(400), ())]), None);
    // Before 00:12:40 one that is nearer may still come.
    assert!(!window.is_settled(at(-40), at(39)) && window.is_settled(at(-40), at(40)));
    let narrow = grid.window(slot, Duration::seconds(30));
    assert_eq!((narrow.from, narrow.to), (at(-30), at(30)));
}

proptest! {
    /// No picture is of two slots, and with a tolerance that leaves no gap each is of one.
    #[test]
    fn every_picture_has_one_slot(
        seconds in 0i64..86_400,
        every in 0usize..6,
        narrow in 1i64..600,
    ) {
        let grid = SlotGrid::every([15, 20, 60, 90, 600, 3600][every]).unwrap();
        let zone = zone("-03:00");
        let day = SlotRange::new(time("2024-01-01T00:00"), time("2024-01-02T12:00")).unwrap();
        let taken = day.from() + Duration::hours(6) + Duration::seconds(seconds);
        let taken = zone.instant(taken).unwrap();
        let whose = |tolerance: Duration| {
            let slots = day.slots(&grid, zone);
            slots.filter(|slot| grid.window(*slot, tolerance).contains(taken)).count()
        };
        prop_assert_eq!(whose(Duration::hours(1)), 1);
        prop_assert!(whose(Duration::seconds(narrow)) <= 1);
    }
}

#[test]
fn the_longest_gap_may_lie_across_the_hour() {
    let gap =
        |minutes: &[u32]| SlotGrid::new(minutes.to_vec()).unwrap().longest_gap().num_minutes();
    assert_eq!(SlotGrid::default().longest_gap().num_minutes(), 10);
    assert_eq!((gap(&[7]), gap(&[0, 30]), gap(&[0, 10])), (60, 30, 50));
}

#[test]
fn a_clock_that_is_set_back_is_found() {
    let santiago: Zone = "America/Santiago".parse().unwrap();
    let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    let (year, end) = (at("2024-01-01T00:00:00Z"), at("2024-12-31T00:00:00Z"));
    let midnight = "2024-04-07T00:00:00".parse().unwrap();
    assert_eq!(santiago.set_back(year, end), Some((midnight, TimeDelta::hours(1))));
    assert_eq!(santiago.set_back(at("2024-04-07T03:00:00Z"), end), None);
    assert_eq!(santiago.set_back(year, at("2024-04-07T02:59:00Z")), None);
    let lord_howe: Zone = "Australia/Lord_Howe".parse().unwrap();
    let two = "2024-04-07T02:00:00".parse().unwrap();
    assert_eq!(lord_howe.set_back(year, end), Some((two, TimeDelta::minutes(30))));
    assert_eq!("-03:00".parse::<Zone>().unwrap().set_back(year, end), None);
}
