//! Which pictures a person is asked to label next.
//!
//! Half of them are drawn at random and show how right the station's readings are; half are those
//! that the model is least sure of, from which most can be learnt.
//!
//! **The random half.** Readings are put in the order of phase of the day, month and hour, and
//! picked at the places u₁·n, u₂·n, … where uₖ = frac(u₀ + k·φ) and φ is the golden ratio. Every
//! reading is equally likely, so the figures need no weights, and the first dozens of picks already
//! lie all over seasons, hours and phases (a systematic sample with the additive recurrence of
//! Roberts, *The unreasonable effectiveness of quasirandom sequences*, 2018).
//!
//! **The unsure half.** The readings of the lowest confidence; first those of hours of which
//! nothing was labelled, no two of one hour.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

use crate::random::mix;
use crate::sun::DayPhase;

/// Pictures that a second observer is given first because others labelled them, so that it shows
/// how far observers agree.
pub const SHARED: usize = 20;

/// frac(golden ratio).
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// How a picture came to be labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Draw {
    /// By chance: it counts for the station's skill.
    Random,
    /// Because the model was unsure of it.
    Unsure,
}

impl Draw {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Random, Self::Unsure];

    /// The name under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Unsure => "unsure",
        }
    }

    /// The draw stored under `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|draw| draw.as_str() == name)
    }
}

/// A reading whose picture can be labelled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Station local time.
    pub slot: NaiveDateTime,
    /// The phase of the day, where it is known.
    pub phase: Option<DayPhase>,
    /// None where the sky was not seen.
    pub confidence: Option<f64>,
}

/// What was labelled before.
#[derive(Clone, Debug, Default)]
pub struct LabelledSlots {
    /// By the observer who asks.
    pub own: BTreeSet<NaiveDateTime>,
    /// Of these, those that were drawn at random. The others may be drawn once more: a sample
    /// without what the model is unsure of would not be one of all readings.
    pub own_random: BTreeSet<NaiveDateTime>,
    /// By others, drawn at random.
    pub others: BTreeSet<NaiveDateTime>,
}

/// The next `n` pictures for an observer: random and unsure ones in turn.
///
/// `seed` belongs to the station, `skip` is the number of pictures that the observer passed over.
/// The same arguments give the same pictures, so that a session goes on where it was left.
pub fn queue(
    candidates: &[Candidate],
    labelled: &LabelledSlots,
    seed: u64,
    skip: usize,
    n: usize,
) -> Vec<(NaiveDateTime, Draw)> {
    let half = n.div_ceil(2);
    let random = random(candidates, labelled, seed, skip.div_ceil(2), half);
    let taken: BTreeSet<NaiveDateTime> = random.iter().copied().collect();
    let unsure = unsure(candidates, labelled, &taken, skip / 2, n - half);
    let (mut random, mut unsure) = (random.into_iter(), unsure.into_iter());
    let mut all = Vec::with_capacity(n);
    while all.len() < n {
        let before = all.len();
        all.extend(random.next().map(|slot| (slot, Draw::Random)));
        all.extend(unsure.next().map(|slot| (slot, Draw::Unsure)));
        if all.len() == before {
            break;
        }
    }
    all.truncate(n);
    all
}

fn random(
    candidates: &[Candidate],
    labelled: &LabelledSlots,
    seed: u64,
    skip: usize,
    n: usize,
) -> Vec<NaiveDateTime> {
    let mut order: Vec<&Candidate> = candidates.iter().collect();
    order.sort_unstable_by_key(|c| (c.phase, c.slot.month(), c.slot.hour(), c.slot));
    let is_there = |slot: &NaiveDateTime| candidates.iter().any(|c| c.slot == *slot);
    let shared_left =
        SHARED.saturating_sub(labelled.own_random.intersection(&labelled.others).count());
    let shared = labelled.others.difference(&labelled.own_random).take(shared_left);
    let mut picks: Vec<NaiveDateTime> =
        shared.copied().filter(is_there).skip(skip).take(n).collect();
    let mut seen: BTreeSet<NaiveDateTime> = picks.iter().copied().collect();
    let first = (mix(seed) >> 11) as f64 / (1u64 << 53) as f64;
    let places = order.len();
    // What was labelled and passed over is drawn again and left out: a bounded number of tries.
    let mut left = skip;
    for k in 0..4 * places as u64 + 64 {
        if picks.len() >= n || places == 0 {
            break;
        }
        let place = ((first + k as f64 * GOLDEN).fract() * places as f64) as usize;
        let slot = order[place.min(places - 1)].slot;
        if labelled.own_random.contains(&slot)
            || labelled.others.contains(&slot)
            || !seen.insert(slot)
        {
            continue;
        }
        if left > 0 {
            left -= 1;
            continue;
        }
        picks.push(slot);
    }
    picks
}

fn unsure(
    candidates: &[Candidate],
    labelled: &LabelledSlots,
    taken: &BTreeSet<NaiveDateTime>,
    skip: usize,
    n: usize,
) -> Vec<NaiveDateTime> {
    let hour = |slot: NaiveDateTime| -> (NaiveDate, u32) { (slot.date(), slot.hour()) };
    let is_done = |slot: &NaiveDateTime| labelled.own.contains(slot) || taken.contains(slot);
    let mut hours: BTreeSet<_> = labelled.own.iter().chain(taken).map(|slot| hour(*slot)).collect();
    let mut order: Vec<(f64, NaiveDateTime)> =
        candidates.iter().filter_map(|c| Some((c.confidence?, c.slot))).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let free = order.into_iter().map(|(_, slot)| slot).filter(|slot| !is_done(slot));
    let (fresh, rest): (Vec<_>, Vec<_>) = free.partition(|slot| hours.insert(hour(*slot)));
    fresh.into_iter().chain(rest).skip(skip).take(n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    /// A year of readings, an hour apart.
    fn year() -> Vec<Candidate> {
        let start = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap().and_hms_opt(0, 2, 0).unwrap();
        (0..8760)
            .map(|i| {
                let slot = start + TimeDelta::hours(i);
                let phase = match slot.hour() {
                    0..=4 | 22..=23 => DayPhase::Night,
                    5..=6 | 20..=21 => DayPhase::Twilight,
                    _ => DayPhase::Day,
                };
                let confidence = (i % 7 != 0).then(|| 0.3 + (i % 100) as f64 / 150.0);
                Candidate { slot, phase: Some(phase), confidence }
            })
            .collect()
    }

    fn slots(queue: &[(NaiveDateTime, Draw)], of: Draw) -> Vec<NaiveDateTime> {
        queue.iter().filter(|(_, draw)| *draw == of).map(|(slot, _)| *slot).collect()
    }

    #[test]
    fn half_is_spread_over_the_year_and_half_is_unsure() {
        let year = year();
        let all = queue(&year, &LabelledSlots::default(), 7, 0, 50);
        assert_eq!(all.len(), 50);
        assert!(all.iter().step_by(2).all(|(_, draw)| *draw == Draw::Random));
        let random = slots(&all, Draw::Random);
        let months: BTreeSet<u32> = random.iter().map(|slot| slot.month()).collect();
        let quarters: BTreeSet<u32> = random.iter().map(|slot| slot.hour() / 6).collect();
        assert!(months.len() >= 9, "{months:?}");
        assert_eq!(quarters.len(), 4);
        // In proportion: 7 of 24 hours are night.
        let nights = random.iter().filter(|s| !(5..22).contains(&s.hour())).count();
        assert!((5..=9).contains(&nights), "{nights}");
        let of = |slot: &NaiveDateTime| year.iter().find(|c| c.slot == *slot).unwrap().confidence;
        assert!(slots(&all, Draw::Unsure).iter().all(|slot| of(slot).unwrap() < 0.35));
        let different: BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), 50);
    }

    #[test]
    fn a_session_goes_on_where_it_was_left() {
        let year = year();
        let mut labelled = LabelledSlots::default();
        let first = queue(&year, &labelled, 7, 0, 10);
        assert_eq!(queue(&year, &labelled, 7, 0, 10), first);
        assert_ne!(queue(&year, &labelled, 8, 0, 10), first);
        labelled.own.extend(first.iter().map(|(slot, _)| *slot));
        labelled.own_random.extend(slots(&first, Draw::Random));
        let then = queue(&year, &labelled, 7, 0, 10);
        assert!(then.iter().all(|(slot, _)| !labelled.own.contains(slot)));
        // Passed over without a label: others come.
        let passed = queue(&year, &LabelledSlots::default(), 7, 10, 10);
        assert!(passed.iter().all(|one| !first.contains(one)), "{passed:?}");
    }

    #[test]
    fn a_second_observer_sees_some_of_the_same_pictures_first() {
        let year = year();
        let first = queue(&year, &LabelledSlots::default(), 7, 0, 100);
        let others: BTreeSet<_> = slots(&first, Draw::Random).into_iter().collect();
        let mut labelled = LabelledSlots { others: others.clone(), ..LabelledSlots::default() };
        let mut random = Vec::new();
        for _ in 0..6 {
            let next = queue(&year, &labelled, 7, 0, 10);
            random.extend(slots(&next, Draw::Random));
            labelled.own.extend(next.iter().map(|(slot, _)| *slot));
            labelled.own_random.extend(slots(&next, Draw::Random));
        }
        assert_eq!(random.iter().filter(|slot| others.contains(slot)).count(), SHARED);
        assert!(random[..SHARED].iter().all(|slot| others.contains(slot)));
    }

    #[test]
    fn a_short_record_is_given_whole_and_no_more() {
        assert_eq!(queue(&[], &LabelledSlots::default(), 1, 0, 10), []);
        let few = &year()[1..7];
        let all = queue(few, &LabelledSlots::default(), 1, 0, 50);
        let different: BTreeSet<_> = all.iter().map(|(slot, _)| *slot).collect();
        assert_eq!((all.len(), different.len()), (6, 6));
        let others = BTreeSet::new();
        let labelled = LabelledSlots { own_random: different.clone(), own: different, others };
        assert_eq!(queue(few, &labelled, 1, 0, 50), []);
        // One that was labelled because it was unsure may still be drawn at random.
        let unsure = LabelledSlots { own_random: BTreeSet::new(), ..labelled };
        assert_eq!(slots(&queue(few, &unsure, 1, 0, 50), Draw::Random).len(), 6);
    }

    #[test]
    fn draws_are_stored_under_their_names() {
        assert_eq!(Draw::ALL.map(|draw| Draw::parse(draw.as_str())), Draw::ALL.map(Some));
        assert_eq!(Draw::parse("other"), None);
    }
}
