use super::*;
use crate::pipeline::slot::{Minutes, SlotRange, Zone};
use proptest::prelude::*;

fn slots(days: u64) -> Vec<Slot> {
    let zone: Zone = "UTC".parse().unwrap();
    let from = Slot::parse_file_name("2024-03010000.jpg").unwrap();
    let to = from + chrono::Duration::days(days as i64) - chrono::Duration::minutes(1);
    SlotRange::new(from, to)
        .unwrap()
        .slots(&Minutes::default(), zone)
        .collect()
}

/// Runs `slots` one after the other against a server that has a picture where `place` says;
/// returns requests made and slots in the end missing.
fn walk(
    book: &mut LayoutBook,
    slots: &[Slot],
    place: impl Fn(usize) -> Option<Layout>,
) -> (usize, Vec<Slot>) {
    let (mut requests, mut missed) = (0, Vec::new());
    let mut queue: Vec<(usize, Slot)> = slots.iter().copied().enumerate().rev().collect();
    loop {
        let Some((i, slot)) = queue.pop() else {
            let again = book.settle();
            if again.is_empty() {
                return (requests, missed);
            }
            for slot in again {
                missed.retain(|m| *m != slot);
                queue.push((slots.iter().position(|s| *s == slot).unwrap(), slot));
            }
            continue;
        };
        let first = book.first(slot);
        requests += 1;
        let mut found = (place(i) == Some(first)).then_some(first);
        if found.is_none() && book.ask_other(slot, first) {
            requests += 1;
            found = (place(i) == Some(first.other())).then_some(first.other());
            if found.is_none() {
                book.missing_in_both(slot);
            }
        }
        match found {
            Some(layout) => {
                if let Lesson::Learned(again) = book.found(slot, layout) {
                    for slot in again {
                        missed.retain(|m| *m != slot);
                        let i = slots.iter().position(|s| *s == slot).unwrap();
                        queue.push((i, slot));
                    }
                }
            }
            None => missed.push(slot),
        }
    }
}

fn book() -> LayoutBook {
    LayoutBook::new(LayoutChoice::Auto, 2024, [])
}

#[test]
fn a_whole_year_costs_one_extra_request_at_most() {
    let slots = slots(10);
    for layout in [Layout::Root, Layout::Year] {
        let (requests, missed) = walk(&mut book(), &slots, |_| Some(layout));
        assert!(requests <= slots.len() + 1, "{requests} for {layout:?}");
        assert_eq!(missed, []);
    }
}

#[test]
fn a_remembered_year_costs_none() {
    let slots = slots(2);
    let mut book = LayoutBook::new(LayoutChoice::Auto, 2024, [(2024, Layout::Year)]);
    assert_eq!(
        walk(&mut book, &slots, |_| Some(Layout::Year)),
        (slots.len(), vec![])
    );
    assert!(!book.wants_scout(2024));
}

#[test]
fn scattered_misses_cost_nothing_and_long_outages_little() {
    let slots = slots(30);
    let scattered = |i: usize| (i % 50 != 7).then_some(Layout::Year);
    let (requests, missed) = walk(&mut book(), &slots, scattered);
    assert_eq!(
        missed.len(),
        (0..slots.len()).filter(|i| i % 50 == 7).count()
    );
    assert!(requests <= slots.len() + 2, "{requests}");

    let outage = |i: usize| (!(500..3000).contains(&i)).then_some(Layout::Year);
    let (requests, missed) = walk(&mut book(), &slots, outage);
    assert_eq!(missed.len(), 2500);
    let extra = requests - slots.len();
    assert!(
        extra <= 1 + CONFIRMED as usize + 2500 / SAMPLED as usize + 2,
        "{extra}"
    );
}

#[test]
fn the_last_misses_are_confirmed_before_the_end() {
    let slots = slots(1);
    let last = slots.len() - 2;
    let remembered = || LayoutBook::new(LayoutChoice::Auto, 2024, [(2024, Layout::Root)]);
    let (requests, missed) = walk(&mut remembered(), &slots, |i| {
        (i < last).then_some(Layout::Root)
    });
    assert_eq!((requests, missed.len()), (slots.len() + 4, 2));
    // Moved before the last two: no later picture tells.
    let (_, missed) = walk(&mut remembered(), &slots, |i| {
        Some(if i < last { Layout::Root } else { Layout::Year })
    });
    assert_eq!(missed, []);
    // An outage at the end costs a sample more, not a second question for each.
    let (requests, missed) = walk(&mut remembered(), &slots, |i| {
        (i < 20).then_some(Layout::Root)
    });
    assert_eq!(missed.len(), slots.len() - 20);
    let most = (CONFIRMED + 2 * SAMPLED) as usize + slots.len() / SAMPLED as usize;
    assert!(requests <= slots.len() + most, "{requests}");
}

#[test]
fn a_fixed_layout_is_never_doubted() {
    let slots = slots(1);
    let mut book = LayoutBook::new(LayoutChoice::Root, 2024, []);
    let (requests, missed) = walk(&mut book, &slots, |_| Some(Layout::Year));
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
        assert!(!book.ask_other(slot, first));
    }
    assert_eq!(book.found(slots[1], Layout::Root), Lesson::Nothing);
    // It tells nothing of the two that were missing meanwhile.
    assert_eq!(book.settle(), slots[2..4]);
    for &slot in &slots[2..4] {
        let first = book.first(slot);
        assert!(book.ask_other(slot, first));
    }
    ask(&mut book, 4);
    assert_eq!(book.found(slots[2], Layout::Year), Lesson::Learned(vec![]));
    assert_eq!(book.found(slots[4], Layout::Root), Lesson::Nothing);
    assert_eq!(book.first(slots[5]), Layout::Year);
    assert_eq!(book.settle(), []);
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
        let (_, missed) = walk(&mut book, slots, |i| {
            there(i).then_some(if i < at { Layout::Root } else { Layout::Year })
        });
        let lost: Vec<_> = missed
            .iter()
            .filter(|m| there(slots.iter().position(|s| s == *m).unwrap()))
            .collect();
        prop_assert!(lost.is_empty(), "{lost:?}");
    }

    /// Wherever the server keeps a year, and whatever an earlier run remembered of it: no
    /// picture that is there is called missing.
    #[test]
    fn a_year_in_one_piece_is_never_lost(
        gaps in proptest::collection::vec(any::<bool>(), 1..400),
        in_year in any::<bool>(),
        remembered in proptest::option::of(any::<bool>()),
    ) {
        let layout = if in_year { Layout::Year } else { Layout::Root };
        let slots = &slots(3)[..gaps.len()];
        let earlier = remembered.map(|y| (2024, if y { Layout::Year } else { Layout::Root }));
        let mut book = LayoutBook::new(LayoutChoice::Auto, 2024, earlier);
        let (_, missed) = walk(&mut book, slots, |i| gaps[i].then_some(layout));
        let really: Vec<Slot> =
            slots.iter().zip(&gaps).filter(|(_, there)| !**there).map(|(s, _)| *s).collect();
        let lost: Vec<_> = missed.iter().filter(|m| !really.contains(m)).collect();
        prop_assert!(lost.is_empty(), "{lost:?}");
    }
}
