//! Where a year's pictures are on the server, found out with few extra requests.
//!
//! A server keeps a year either beside its base (`root`) or in a folder of its own (`year`), and
//! moves it from its base to its folder when the year ends. So the book remembers, for each year,
//! where the last picture was found, asks there first, and asks the other place too when
//!
//! * nothing of that year was found in this run yet, or
//! * more than [`BELIEVED`] pictures in a row were missing.
//!
//! A long outage of the camera would double the requests, so after [`CONFIRMED`] vain questions in
//! a row only every [`SAMPLED`]th missing picture is looked for in the other place. A slot that was
//! looked for in one place only is in doubt, and its miss says so from the moment it is written
//! ([`Other::Leave`]). The doubt ends in one of these ways:
//!
//! * A picture that was asked for later is found in the same place: what was missing there is
//!   missing ([`LayoutBook::close`]).
//! * The year turns out to be in the other place: the slot is handed back to be fetched again
//!   ([`Lesson::Learned`]).
//! * It is among the last ones when the run has nothing else left to do: it is handed back, since
//!   no later picture would tell ([`LayoutBook::settle`]).
//! * Otherwise a later run looks for it in the place that was left ([`LayoutBook::remind`]). A slot
//!   that was not in the base and, later, not in the folder is in neither. In the other order it
//!   could have been moved in between, and the folder is asked once more.
//!
//! So `n` pictures missing in a row cost a run `n / SAMPLED + CONFIRMED + 2 * SAMPLED` requests
//! more than `n` at most, and one for each request in flight. Wherever a run is stopped, no slot is
//! settled that was not looked for; and as long as a year is in one place at a time, no picture is
//! lost to the saving.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::slot::Slot;
use crate::station::LayoutChoice;

/// Missing pictures in a row that are believed without a look in the other place.
pub const BELIEVED: u32 = 2;
/// Vain looks in the other place in a row, after which only a sample is looked for there.
pub const CONFIRMED: u32 = 24;
/// One missing picture in this many is then looked for in the other place. A prime, so that an
/// outage of days leaves out no time of the day.
pub const SAMPLED: u32 = 13;
/// First slots of an unknown year that are fetched one by one, so that not every request in flight
/// asks twice.
pub const SCOUTS: u32 = 3;
/// Slots of a year kept for a second try; those beyond it are left to a later run.
const KEPT: usize = 65_536;

/// A place for a year's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
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
        [Self::Year, Self::Root].into_iter().find(|layout| layout.as_str() == name)
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

/// A slot that was looked for in one place only.
#[derive(Debug)]
struct Doubt {
    /// When that was answered.
    at: u64,
    slot: Slot,
    asked: Layout,
}

#[derive(Debug)]
struct Year {
    preferred: Layout,
    /// A picture was found under `preferred` in an earlier run or in this one.
    known: bool,
    /// A picture was found under `preferred` in this run.
    seen: bool,
    /// Slots looked for while the year's place is unknown.
    scouted: u32,
    /// Missing pictures since the last one found.
    missing: u32,
    /// Vain looks in the other place since the last picture found.
    vain: u32,
    /// Believed missing after one question only, in the order of the answers.
    unconfirmed: Vec<Doubt>,
    /// A picture asked for at this time was found under `preferred`: what was missing there before
    /// is missing.
    confirmed: u64,
    /// Doubts older than this are not handed back when the run has nothing else to do.
    offered: u64,
    /// When `preferred` was learned.
    learned: u64,
    /// Both places are looked in, whatever else is known.
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

/// What to do about a picture that is missing in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Look in the other one.
    Ask,
    /// The slot counts as missing. While it is in doubt, the place is named in which a later run is
    /// to look for it.
    Leave(Option<Layout>),
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
    /// Where to look for the slots that an earlier run left in doubt: it looked in the other place.
    left: HashMap<Slot, Layout>,
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
            left: HashMap::new(),
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

    /// Takes over what an earlier run left in doubt: slots, each with the place that it was not
    /// looked for in. To be told before a run.
    pub fn remind(&mut self, left: impl IntoIterator<Item = (Slot, Layout)>) {
        if self.fixed.is_none() {
            self.left.extend(left);
        }
    }

    fn year(&mut self, year: i32) -> &mut Year {
        // Servers that move a year do it when the year is over.
        let guess = if year < self.current_year { Layout::Year } else { Layout::Root };
        self.years.entry(year).or_insert(Year {
            preferred: guess,
            known: false,
            seen: false,
            scouted: 0,
            missing: 0,
            vain: 0,
            unconfirmed: Vec::new(),
            confirmed: 0,
            offered: 0,
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
        let left = self.left.get(&slot).copied();
        let entry = self.year(slot.year());
        // What was seen in this run says more than what an earlier one did not see.
        left.filter(|_| !entry.seen).unwrap_or(entry.preferred)
    }

    /// When the slot was first asked for; it is not looked for any more.
    fn done(&mut self, slot: Slot) -> u64 {
        self.asked.remove(&slot).unwrap_or_default()
    }

    /// What to do about a picture that is missing under `asked`.
    pub fn ask_other(&mut self, slot: Slot, asked: Layout) -> Other {
        if self.fixed.is_some() {
            return Other::Leave(None);
        }
        let always = self.always_both;
        // An earlier run looked in the other place, in vain.
        let second = self.left.get(&slot) == Some(&asked);
        self.now += 1;
        let now = self.now;
        let entry = self.year(slot.year());
        entry.missing = entry.missing.saturating_add(1);
        let ask = always
            || entry.doubted.remove(&slot)
            || (entry.seen && entry.preferred != asked) // learned meanwhile that it is elsewhere
            || if entry.vain < CONFIRMED {
                !entry.seen || entry.missing > BELIEVED
            } else {
                entry.missing.is_multiple_of(SAMPLED)
            };
        if ask {
            return Other::Ask;
        }
        let left = (!second || asked == Layout::Root).then(|| asked.other());
        if left.is_some() && entry.unconfirmed.len() < KEPT {
            let at = now;
            entry.unconfirmed.push(Doubt { at, slot, asked });
        }
        self.done(slot);
        Other::Leave(left)
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
        let mut again = Vec::new();
        if moved || !entry.seen {
            entry.unconfirmed.retain(|doubt| {
                let here = doubt.asked == layout;
                if !here {
                    again.push(doubt.slot);
                }
                here
            });
        }
        (entry.missing, entry.vain, entry.seen) = (0, 0, true);
        if moved {
            (entry.learned, entry.confirmed) = (now, 0);
        }
        entry.confirmed = entry.confirmed.max(asked);
        if entry.known && !moved && again.is_empty() {
            return Lesson::Nothing;
        }
        (entry.preferred, entry.known) = (layout, true);
        Lesson::Learned(again)
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
    /// believed missing with no picture asked for and found after them ([`SAMPLED`] at most). To be
    /// asked whenever nothing else is left to do, until it gives none.
    pub fn settle(&mut self) -> Vec<Slot> {
        let mut again = Vec::new();
        for entry in self.years.values_mut() {
            let done = entry.confirmed.max(entry.offered);
            let from = entry.unconfirmed.partition_point(|doubt| doubt.at < done);
            let last = entry.unconfirmed.len().saturating_sub(SAMPLED as usize);
            let doubts = entry.unconfirmed.split_off(from.max(last));
            entry.offered = self.now + 1;
            entry.doubted.extend(doubts.iter().map(|doubt| doubt.slot));
            again.extend(doubts.into_iter().map(|doubt| doubt.slot));
        }
        again
    }

    /// Ends a run, wherever it stands, and gives the slots that are in doubt no more: a picture
    /// that was asked for after their misses was found in the same place. The book is then ready
    /// for another run.
    pub fn close(&mut self) -> Vec<Slot> {
        let mut sure = Vec::new();
        for entry in self.years.values_mut() {
            let (confirmed, preferred) = (entry.confirmed, entry.preferred);
            let doubts = entry.unconfirmed.drain(..);
            let known = doubts.filter(|doubt| doubt.at < confirmed && doubt.asked == preferred);
            sure.extend(known.map(|doubt| doubt.slot));
            entry.doubted.clear();
            (entry.seen, entry.missing, entry.vain) = (false, 0, 0);
            (entry.confirmed, entry.offered) = (0, 0);
        }
        self.asked.clear();
        self.left.clear();
        sure
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
