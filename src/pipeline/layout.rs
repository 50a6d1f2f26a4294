//! Where a year's pictures are on the server, found out with few extra requests.
//!
//! A server keeps a year either beside its base (`root`) or in a folder of its own (`year`), and
//! moves it from one to the other when the year ends. So the book remembers, for each year, where
//! the last picture was found, asks there first, and asks the other place too when
//!
//! * nothing of that year was found in this run yet, or
//! * more than [`BELIEVED`] pictures in a row were missing.
//!
//! A long outage of the camera would double the requests, so after [`CONFIRMED`] vain questions in
//! a row only every [`SAMPLED`]th missing picture is looked for in the other place. The slots that
//! were believed missing without that second question are kept: when the other place turns out to
//! hold the year, they are handed back to be fetched again. So are the last of them when the run has
//! nothing else left to do ([`LayoutBook::settle`]), for no later picture would tell. As long as a
//! year is in one place at a time, nothing is lost to the saving.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::pipeline::slot::Slot;
use crate::station::LayoutChoice;

/// Missing pictures in a row that are believed without asking the other place.
pub const BELIEVED: u32 = 2;
/// Questions to the other place in a row, all in vain, until only a sample is asked.
pub const CONFIRMED: u32 = 24;
/// Of the missing pictures after that, the share that is asked for: one in so many.
pub const SAMPLED: u32 = 12;
/// First slots of an unknown year that are fetched one by one, so that not every request in flight
/// asks twice.
pub const SCOUTS: u32 = 3;
/// Slots of a year kept for a second try; beyond it every missing picture is asked for twice.
const KEPT: usize = 65_536;

/// A place for a year's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `<base>/<YYYY>/<name>`.
    Year,
    /// `<base>/<name>`.
    Root,
}

impl Layout {
    /// The name under which it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Root => "root",
        }
    }

    /// The layout stored under `name`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Year, Self::Root]
            .into_iter()
            .find(|layout| layout.as_str() == name)
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Year => Self::Root,
            Self::Root => Self::Year,
        }
    }

    /// The path of a slot's picture below the base, such as `2024/2024-01010002.jpg`.
    pub fn path(self, slot: Slot) -> String {
        match self {
            Self::Year => format!("{:04}/{}", slot.year(), slot.file_name()),
            Self::Root => slot.file_name(),
        }
    }
}

#[derive(Debug)]
struct Year {
    preferred: Layout,
    /// A picture was found under `preferred` in an earlier run or in this one.
    known: bool,
    /// In this one.
    seen: bool,
    /// Slots looked for while unknown.
    scouted: u32,
    /// Missing pictures since the last one found.
    missing: u32,
    /// Vain questions to the other place since the last picture found.
    vain: u32,
    /// Believed missing after one question only, and when that was answered.
    unconfirmed: Vec<(u64, Slot)>,
    /// A picture asked for at this time was found under `preferred`: what was missing there before
    /// is missing.
    confirmed: u64,
    /// When `preferred` was learned.
    learned: u64,
    /// To be looked for in both places whatever else is known.
    doubted: BTreeSet<Slot>,
}

/// What finding a picture taught.
#[derive(Debug, PartialEq, Eq)]
pub enum Lesson {
    /// It was where it was expected.
    Nothing,
    /// The year is in this place: worth remembering. The slots were believed missing too soon and
    /// are to be fetched again.
    Learned(Vec<Slot>),
}

/// The places of all years of one station.
#[derive(Debug)]
pub struct LayoutBook {
    fixed: Option<Layout>,
    current_year: i32,
    years: BTreeMap<i32, Year>,
    always_both: bool,
    /// Counts questions and answers. Answers come in any order, and one that was long on its way
    /// must not overrule what was asked after it.
    now: u64,
    /// When each slot that is being looked for was first asked for.
    asked: HashMap<Slot, u64>,
}

impl LayoutBook {
    /// A book that starts from what earlier runs `remembered`; `current_year` is the station's.
    pub fn new(
        choice: LayoutChoice,
        current_year: i32,
        remembered: impl IntoIterator<Item = (i32, Layout)>,
    ) -> Self {
        let fixed = match choice {
            LayoutChoice::Auto => None,
            LayoutChoice::Year => Some(Layout::Year),
            LayoutChoice::Root => Some(Layout::Root),
        };
        let mut book = Self {
            fixed,
            current_year,
            years: BTreeMap::new(),
            always_both: false,
            now: 0,
            asked: HashMap::new(),
        };
        for (year, layout) in remembered {
            let entry = book.year(year);
            (entry.preferred, entry.known) = (layout, true);
        }
        book
    }

    /// From now on every missing picture is looked for in both places (`--retry-missed`).
    pub fn always_ask_both(mut self) -> Self {
        self.always_both = true;
        self
    }

    fn year(&mut self, year: i32) -> &mut Year {
        // Servers that move a year do it when the year is over.
        let guess = if year < self.current_year {
            Layout::Year
        } else {
            Layout::Root
        };
        self.years.entry(year).or_insert(Year {
            preferred: guess,
            known: false,
            seen: false,
            scouted: 0,
            missing: 0,
            vain: 0,
            unconfirmed: Vec::new(),
            confirmed: 0,
            learned: 0,
            doubted: BTreeSet::new(),
        })
    }

    /// Whether slots of `year` are to be looked for one at a time for now.
    pub fn wants_scout(&mut self, year: i32) -> bool {
        if self.fixed.is_some() {
            return false;
        }
        let entry = self.year(year);
        !entry.known && entry.scouted < SCOUTS
    }

    /// Whether no picture of `year` was found in this run yet, and its place is not fixed: what is
    /// no clear answer in one place is then to be asked for in the other one.
    pub fn is_unseen(&mut self, year: i32) -> bool {
        self.fixed.is_none() && !self.year(year).seen
    }

    /// Where to look first for a slot's picture, which is now asked for.
    pub fn first(&mut self, slot: Slot) -> Layout {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        self.now += 1;
        self.asked.insert(slot, self.now);
        self.year(slot.year()).preferred
    }

    /// When the slot was first asked for; it is not looked for any more.
    fn done(&mut self, slot: Slot) -> u64 {
        self.asked.remove(&slot).unwrap_or_default()
    }

    /// Whether a picture that was missing under `asked` is to be looked for in the other place.
    ///
    /// When it is not, the slot counts as missing from here on.
    pub fn ask_other(&mut self, slot: Slot, asked: Layout) -> bool {
        if self.fixed.is_some() {
            return false;
        }
        let always = self.always_both;
        self.now += 1;
        let now = self.now;
        let entry = self.year(slot.year());
        entry.missing = entry.missing.saturating_add(1);
        let ask = always
            || entry.doubted.remove(&slot)
            || entry.preferred != asked // learned meanwhile that the year is elsewhere
            || !entry.seen
            || (entry.missing > BELIEVED && entry.vain < CONFIRMED)
            || (entry.vain >= CONFIRMED && entry.missing.is_multiple_of(SAMPLED))
            || entry.unconfirmed.len() >= KEPT;
        if !ask {
            entry.unconfirmed.push((now, slot));
            self.done(slot);
        }
        ask
    }

    /// A picture of the slot's year was found under `layout`.
    pub fn found(&mut self, slot: Slot, layout: Layout) -> Lesson {
        if self.fixed.is_some() {
            return Lesson::Nothing;
        }
        let asked = self.done(slot);
        self.now += 1;
        let now = self.now;
        let entry = self.year(slot.year());
        let moved = entry.preferred != layout;
        if moved && asked < entry.learned {
            return Lesson::Nothing; // where it was before it moved
        }
        (entry.missing, entry.vain, entry.seen) = (0, 0, true);
        if moved {
            entry.learned = now;
        }
        entry.confirmed = entry.confirmed.max(asked);
        if entry.known && !moved {
            return Lesson::Nothing;
        }
        (entry.preferred, entry.known) = (layout, true);
        Lesson::Learned(if moved {
            let again = std::mem::take(&mut entry.unconfirmed);
            again.into_iter().map(|(_, slot)| slot).collect()
        } else {
            Vec::new()
        })
    }

    /// A slot was looked for in both places in vain.
    pub fn missing_in_both(&mut self, slot: Slot) {
        if self.fixed.is_none() {
            self.done(slot);
            let entry = self.year(slot.year());
            entry.vain = entry.vain.saturating_add(1);
            entry.scouted = entry.scouted.saturating_add(1);
        }
    }

    /// What is to be fetched again before the run may end: of each year the last slots that were
    /// believed missing with no picture asked for and found after them ([`SAMPLED`] at most). To be asked whenever
    /// nothing else is left to do; when it gives none, the book is ready for another run.
    pub fn settle(&mut self) -> Vec<Slot> {
        let mut again = Vec::new();
        for entry in self.years.values_mut() {
            let count = entry.unconfirmed.len();
            let confirmed = entry
                .unconfirmed
                .partition_point(|(at, _)| *at < entry.confirmed);
            let from = confirmed.max(count.saturating_sub(SAMPLED as usize));
            let doubts = entry.unconfirmed.split_off(from);
            // Those before them are as well confirmed as they will ever be.
            entry.confirmed = self.now + 1;
            entry.doubted.extend(doubts.iter().map(|(_, slot)| slot));
            again.extend(doubts.into_iter().map(|(_, slot)| slot));
        }
        if again.is_empty() {
            for entry in self.years.values_mut() {
                entry.unconfirmed.clear();
                entry.doubted.clear();
                (entry.seen, entry.missing, entry.vain) = (false, 0, 0);
            }
            self.asked.clear();
        }
        again
    }

    /// A scout ended without an answer (the network failed): it is not to hold the others up.
    pub fn scout_failed(&mut self, slot: Slot) {
        if self.fixed.is_none() {
            self.done(slot);
            let entry = self.year(slot.year());
            entry.scouted = entry.scouted.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
