use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::slot::{SlotGrid, SlotRange, Zone};
use proptest::prelude::*;

fn slots(days: u64) -> Vec<Slot> {
    let zone: Zone = "UTC".parse().unwrap();
    let from = Slot::parse_file_name("2024-03010000.jpg").unwrap();
    let to = from + chrono::Duration::days(days as i64) - chrono::Duration::minutes(1);
    SlotRange::new(from, to).unwrap().slots(&SlotGrid::default(), zone).collect()
}

/// What the record holds of a range after some runs.
#[derive(Default)]
struct Record {
    found: BTreeSet<Slot>,
    /// With the place that a miss in doubt was not looked for in.
    missed: BTreeMap<Slot, Option<Layout>>,
    remembered: Option<Layout>,
}

impl Record {
    fn remembering(layout: Option<Layout>) -> Self {
        let remembered = layout;
        Self { remembered, ..Self::default() }
    }

    fn book(&self, current_year: i32) -> LayoutBook {
        let earlier = self.remembered.map(|layout| (2024, layout));
        LayoutBook::new(LayoutChoice::Auto, current_year, earlier)
    }

    fn missed(&self) -> Vec<Slot> {
        self.missed.keys().copied().collect()
    }

    fn doubts(&self) -> usize {
        self.missed.values().flatten().count()
    }

    /// Misses of slots whose pictures are there.
    fn lost(&self, slots: &[Slot], there: impl Fn(usize) -> bool) -> Vec<Slot> {
        let there = |slot: &Slot| there(slots.iter().position(|s| s == slot).unwrap());
        self.missed().into_iter().filter(there).collect()
    }
}

/// How a run ends before its range does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stop {
    Drained,
    Killed,
}

/// A run over what the record does not settle, `width` slots in flight, whose answers come in
/// reverse; ends early after so many `slots` were asked for. The server has a picture where `place`
/// says. Gives the requests made.
fn walk(
    book: &mut LayoutBook,
    record: &mut Record,
    slots: &[Slot],
    (width, stop): (usize, Option<(usize, Stop)>),
    place: impl Fn(usize) -> Option<Layout>,
) -> usize {
    let doubts = record.missed.iter();
    book.remind(doubts.filter_map(|(slot, left)| Some((*slot, (*left)?))));
    let index = |slot: Slot| slots.iter().position(|s| *s == slot).unwrap();
    let open = |slot: &Slot| {
        !record.found.contains(slot) && !matches!(record.missed.get(slot), Some(None))
    };
    let mut queue: Vec<Slot> = slots.iter().copied().filter(open).rev().collect();
    let (mut requests, mut asked) = (0, 0);
    let mut draining = false;
    loop {
        if let Some((after, stop)) = stop
            && asked >= after
        {
            if stop == Stop::Killed {
                return requests;
            }
            draining = true;
            queue.clear();
        }
        if queue.is_empty() {
            let again = book.settle();
            if again.is_empty() {
                break;
            }
            if !draining {
                queue.extend(again);
            }
            continue;
        }
        let flying = queue.split_off(queue.len().saturating_sub(width));
        let flying: Vec<(Slot, Layout)> =
            flying.into_iter().rev().map(|slot| (slot, book.first(slot))).collect();
        for (slot, first) in flying.into_iter().rev() {
            asked += 1;
            requests += 1;
            let there = place(index(slot));
            let mut found = (there == Some(first)).then_some(first);
            let mut left = None;
            if found.is_none() {
                match book.ask_other(slot, first) {
                    Other::Leave(unasked) => left = unasked,
                    Other::Ask => {
                        requests += 1;
                        found = (there == Some(first.other())).then_some(first.other());
                        if found.is_none() {
                            book.missing_in_both(slot);
                        }
                    }
                }
            }
            let Some(layout) = found else {
                record.missed.insert(slot, left);
                continue;
            };
            record.missed.remove(&slot);
            record.found.insert(slot);
            if let Lesson::Learned(again) = book.found(slot, layout) {
                record.remembered = Some(layout);
                queue.extend(again);
            }
        }
    }
    for slot in book.close() {
        if let Some(left) = record.missed.get_mut(&slot) {
            *left = None;
        }
    }
    requests
}

/// One run from start to end, slot by slot; gives the requests made and the slots missing.
fn once(
    book: &mut LayoutBook,
    slots: &[Slot],
    place: impl Fn(usize) -> Option<Layout>,
) -> (usize, Vec<Slot>) {
    let mut record = Record::default();
    let requests = walk(book, &mut record, slots, (1, None), place);
    (requests, record.missed())
}

fn book() -> LayoutBook {
    LayoutBook::new(LayoutChoice::Auto, 2024, [])
}

#[test]
fn a_whole_year_costs_one_extra_request_at_most() {
    let slots = slots(10);
    for layout in [Layout::Root, Layout::Year] {
        let (requests, missed) = once(&mut book(), &slots, |_| Some(layout));
        assert!(requests <= slots.len() + 1, "{requests} for {layout:?}");
        assert_eq!(missed, []);
    }
}

#[test]
fn a_remembered_year_costs_none() {
    let slots = slots(2);
    let mut book = LayoutBook::new(LayoutChoice::Auto, 2024, [(2024, Layout::Year)]);
    assert_eq!(once(&mut book, &slots, |_| Some(Layout::Year)), (slots.len(), vec![]));
    assert!(!book.wants_scout(2024));
}

#[test]
fn scattered_misses_cost_nothing_and_long_outages_little() {
    let slots = slots(30);
    let scattered = |i: usize| (i % 50 != 7).then_some(Layout::Year);
    let (requests, missed) = once(&mut book(), &slots, scattered);
    assert_eq!(missed.len(), (0..slots.len()).filter(|i| i % 50 == 7).count());
    assert!(requests <= slots.len() + 2, "{requests}");

    let outage = |i: usize| (!(500..3000).contains(&i)).then_some(Layout::Year);
    let (requests, missed) = once(&mut book(), &slots, outage);
    assert_eq!(missed.len(), 2500);
    let extra = requests - slots.len();
    assert!(extra <= 1 + CONFIRMED as usize + 2500 / SAMPLED as usize + 2, "{extra}");
}

#[test]
fn the_last_misses_are_confirmed_before_the_end() {
    let slots = slots(1);
    let last = slots.len() - 2;
    let remembered = || LayoutBook::new(LayoutChoice::Auto, 2024, [(2024, Layout::Root)]);
    let (requests, missed) =
        once(&mut remembered(), &slots, |i| (i < last).then_some(Layout::Root));
    assert_eq!((requests, missed.len()), (slots.len() + 4, 2));
    // Moved before the last two: no later picture tells.
    let (_, missed) = once(&mut remembered(), &slots, |i| {
        Some(if i < last { Layout::Root } else { Layout::Year })
    });
    assert_eq!(missed, []);
    // An outage at the end costs a sample more, not a second question for each.
    let (requests, missed) = once(&mut remembered(), &slots, |i| (i < 20).then_some(Layout::Root));
    assert_eq!(missed.len(), slots.len() - 20);
    let most = (CONFIRMED + 2 * SAMPLED) as usize + slots.len() / SAMPLED as usize;
    assert!(requests <= slots.len() + most, "{requests}");
}

#[test]
fn a_fixed_layout_is_never_doubted() {
    let slots = slots(1);
    let mut book = LayoutBook::new(LayoutChoice::Root, 2024, []);
    let (requests, missed) = once(&mut book, &slots, |_| Some(Layout::Year));
    assert_eq!((requests, missed.len()), (slots.len(), slots.len()));
}

#[test]
fn paths() {
    let slot = slots(1)[0];
    assert_eq!(Layout::Root.path(slot), "2024-03010002.jpg");
    assert_eq!(Layout::Year.path(slot), "2024/2024-03010002.jpg");
}

#[test]
fn an_answer_that_was_long_on_its_way_overrules_nothing() {
    let slots = slots(1);
    let mut book = LayoutBook::new(LayoutChoice::Auto, 2024, [(2024, Layout::Root)]);
    let ask = |book: &mut LayoutBook, i: usize| book.first(slots[i]);
    ask(&mut book, 0);
    book.found(slots[0], Layout::Root);
    // Asked for before the year moved, answered last.
    ask(&mut book, 1);
    for &slot in &slots[2..4] {
        let first = book.first(slot);
        assert_eq!(book.ask_other(slot, first), Other::Leave(Some(Layout::Year)));
    }
    assert_eq!(book.found(slots[1], Layout::Root), Lesson::Nothing);
    // It tells nothing of the two that were missing meanwhile.
    assert_eq!(book.settle(), slots[2..4]);
    for &slot in &slots[2..4] {
        let first = book.first(slot);
        assert_eq!(book.ask_other(slot, first), Other::Ask);
    }
    ask(&mut book, 4);
    assert_eq!(book.found(slots[2], Layout::Year), Lesson::Learned(vec![]));
    assert_eq!(book.found(slots[4], Layout::Root), Lesson::Nothing);
    assert_eq!(book.first(slots[5]), Layout::Year);
    assert_eq!(book.settle(), []);
}

/// More requests than `missing` slots that were asked for in vain, `width` at a time.
fn bound(missing: usize, width: usize) -> usize {
    missing / SAMPLED as usize + (CONFIRMED + 2 * SAMPLED) as usize + width
}

/// Neither the first run over a range without any picture nor a later one asks for much more than a
/// picture a slot, and after three of them nothing is in doubt.
#[test]
fn a_range_without_any_picture_costs_a_small_share_more() {
    for (days, width) in [(1, 1), (2, 1), (2, 20), (30, 20)] {
        for (current, remembered) in
            [(2024, None), (2025, None), (2025, Some(Layout::Year)), (2024, Some(Layout::Root))]
        {
            let slots = slots(days);
            let mut record = Record::remembering(remembered);
            let mut doubts = slots.len();
            let mut all = 0;
            for run in 0..3 {
                let mut book = record.book(current);
                let made = walk(&mut book, &mut record, &slots, (width, None), |_| None);
                assert!(made <= doubts + bound(doubts, width), "{made} in run {run}");
                (all, doubts) = (all + made, record.doubts());
                assert_eq!(record.missed.len(), slots.len());
            }
            assert_eq!(doubts, 0);
            assert!(all <= 3 * slots.len() + bound(slots.len(), width), "{all}");
            let mut book = record.book(current);
            let made = walk(&mut book, &mut record, &slots, (width, None), |_| None);
            assert_eq!(made, 0);
        }
    }
}

/// A year in the place where it is not expected, with pictures that the sample passes by: a later
/// run finds them, and the sample finds any that are many.
#[test]
fn what_the_sample_passes_by_is_found_later() {
    let slots = slots(3);
    for (current, there) in [(2024, Layout::Year), (2025, Layout::Root)] {
        let few = |i: usize| (i == 100 || i == 200).then_some(there);
        let mut record = Record::default();
        let run = |record: &mut Record| {
            let mut book = record.book(current);
            walk(&mut book, record, &slots, (1, None), few);
        };
        run(&mut record);
        assert_eq!(record.found.len(), 0);
        let in_doubt = |i: &usize| record.missed[&slots[*i]].is_some();
        assert!([100, 200].iter().all(in_doubt));
        run(&mut record);
        assert_eq!(record.found.len(), 2);

        let many = |i: usize| (i >= 300).then_some(there);
        let mut record = Record::default();
        walk(&mut record.book(current), &mut record, &slots, (1, None), many);
        assert_eq!(record.found.len(), slots.len() - 300);
    }
}

/// It was in the base when the folder was asked, and is in the folder when the base is.
#[test]
fn a_year_that_moves_between_two_runs_is_not_lost() {
    let slots = slots(2);
    let mut record = Record::default();
    for (run, there) in [Layout::Root, Layout::Year, Layout::Year].into_iter().enumerate() {
        let few = |i: usize| (i == 100).then_some(there);
        walk(&mut record.book(2025), &mut record, &slots, (1, None), few);
        assert_eq!(record.found.len(), run / 2);
    }
    assert_eq!(record.doubts(), 0);
}

/// Five hours without a picture, then the folder in place of the base, and the run is stopped
/// before the sample finds out.
#[test]
fn a_run_that_is_stopped_settles_nothing_that_it_did_not_look_for() {
    let slots = slots(1);
    let place = |i: usize| match i {
        0..30 => Some(Layout::Root),
        30..60 => None,
        _ => Some(Layout::Year),
    };
    for stop in [Stop::Drained, Stop::Killed] {
        for after in 1..slots.len() {
            let mut record = Record::default();
            let early = (1, Some((after, stop)));
            walk(&mut record.book(2024), &mut record, &slots, early, place);
            walk(&mut record.book(2024), &mut record, &slots, (1, None), place);
            assert_eq!(record.lost(&slots, |i| place(i).is_some()), [], "{after} {stop:?}");
        }
    }
}

/// The pictures of a range: stretches of them and gaps, or a few that a sample may pass by.
fn stretches() -> impl Strategy<Value = Vec<bool>> {
    let stretch = prop_oneof![1usize..4, 1usize..60];
    let any = proptest::collection::vec((any::<bool>(), stretch), 1..24);
    let few = proptest::collection::vec((20usize..90, 1usize..4), 1..5).prop_map(|pairs| {
        let pairs = pairs.into_iter();
        pairs.flat_map(|(gap, n)| [(false, gap), (true, n)]).collect()
    });
    prop_oneof![any, few].prop_map(|stretches: Vec<(bool, usize)>| {
        let all = stretches.into_iter();
        let mut there: Vec<bool> = all.flat_map(|(is, n)| std::iter::repeat_n(is, n)).collect();
        there.truncate(400);
        there
    })
}

fn stops() -> impl Strategy<Value = Vec<(usize, Stop)>> {
    let stop = prop_oneof![Just(Stop::Drained), Just(Stop::Killed)];
    proptest::collection::vec((0usize..420, stop), 0..4)
}

proptest! {
    /// Whenever the server moves the year: no picture that is there is called missing.
    #[test]
    fn a_year_that_moves_is_never_lost(
        gaps in proptest::collection::vec(proptest::bool::weighted(0.9), 1..100),
        at in 0usize..100,
    ) {
        let slots = &slots(1)[..gaps.len()];
        let there = |i: usize| gaps[i];
        let mut book = LayoutBook::new(LayoutChoice::Auto, 2024, [(2024, Layout::Root)]);
        let (_, missed) = once(&mut book, slots, |i| {
            there(i).then_some(if i < at { Layout::Root } else { Layout::Year })
        });
        let lost: Vec<_> = missed
            .iter()
            .filter(|m| there(slots.iter().position(|s| s == *m).unwrap()))
            .collect();
        prop_assert!(lost.is_empty(), "{lost:?}");
    }

    /// Wherever the server keeps a year, whatever an earlier run remembered of it, and wherever
    /// runs are stopped: no picture that is there is called missing for good, and three whole runs
    /// leave no doubt.
    #[test]
    fn a_year_in_one_piece_is_never_lost(
        there in stretches(),
        in_year in any::<bool>(),
        remembered in proptest::option::of(any::<bool>()),
        past in any::<bool>(),
        width in 1usize..9,
        stops in stops(),
    ) {
        let name = |year| if year { Layout::Year } else { Layout::Root };
        let slots = &slots(3)[..there.len()];
        let mut record = Record::remembering(remembered.map(name));
        let current = if past { 2025 } else { 2024 };
        let place = |i: usize| there[i].then_some(name(in_year));
        for stop in stops.into_iter().map(Some).chain([None; 3]) {
            let mut book = record.book(current);
            walk(&mut book, &mut record, slots, (width, stop), place);
            let settled = |i: usize| record.missed.get(&slots[i]) == Some(&None);
            let lost = record.lost(slots, |i| there[i] && settled(i));
            prop_assert!(lost.is_empty(), "{lost:?} after {stop:?}");
        }
        prop_assert_eq!(record.doubts(), 0);
        prop_assert_eq!(record.found.len(), there.iter().filter(|is| **is).count());
    }

    /// Whenever a server moves a year that was seen in its base, and wherever runs are stopped.
    #[test]
    fn a_year_that_moves_while_runs_are_stopped_is_never_lost(
        there in stretches(),
        at in 0usize..400,
        width in 1usize..9,
        stops in stops(),
    ) {
        let slots = &slots(3)[..there.len()];
        let mut record = Record::remembering(Some(Layout::Root));
        let asked = std::cell::Cell::new(0);
        let place = |i: usize| {
            asked.set(asked.get() + 1);
            let moved = asked.get() > at;
            there[i].then_some(if moved { Layout::Year } else { Layout::Root })
        };
        for stop in stops.into_iter().map(Some).chain([None; 3]) {
            let mut book = record.book(2024);
            walk(&mut book, &mut record, slots, (width, stop), place);
        }
        prop_assert_eq!(record.lost(slots, |i| there[i]), []);
        prop_assert_eq!(record.doubts(), 0);
    }
}
