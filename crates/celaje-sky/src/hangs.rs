//! Finds work that has gone on for too long. Pure.
//!
//! Time is counted in looks, not by a clock: an hour in which the process was stopped, or by which
//! the clock was set, counts as one look.

use std::collections::HashMap;

/// Counts how many looks in a row found the same piece of work.
#[derive(Debug)]
pub struct Hangs {
    looks: u32,
    seen: HashMap<u64, u32>,
}

impl Hangs {
    /// Work that is found by `looks` looks in a row (at least 1) hangs.
    pub fn new(looks: u32) -> Self {
        Self { looks: looks.max(1), seen: HashMap::new() }
    }

    /// One look. `at_work` are the numbers of all work under way, unique for ever. Gives the work
    /// that is found to hang by this look; each piece is given once.
    pub fn look(&mut self, at_work: &[u64]) -> Vec<u64> {
        let mut before = std::mem::take(&mut self.seen);
        let mut hung = Vec::new();
        for work in at_work {
            let looks = before.remove(work).unwrap_or(0).saturating_add(1);
            // One more than the looks between which it was at work.
            if looks == self.looks.saturating_add(1) {
                hung.push(*work);
            }
            self.seen.insert(*work, looks);
        }
        hung
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_again_and_again_has_hung_once() {
        let mut hangs = Hangs::new(3);
        assert!(hangs.look(&[1, 2]).is_empty());
        assert!(hangs.look(&[1, 3]).is_empty());
        assert!(hangs.look(&[1, 3]).is_empty());
        assert_eq!(hangs.look(&[1, 3]), [1]);
        assert_eq!(hangs.look(&[1, 3]), [3]);
        assert!(hangs.look(&[1, 3]).is_empty());
    }

    #[test]
    fn work_that_ends_is_forgotten() {
        let mut hangs = Hangs::new(2);
        for work in 0..20 {
            assert!(hangs.look(&[work]).is_empty());
            assert!(hangs.look(&[work]).is_empty());
        }
        assert_eq!(hangs.seen.len(), 1);
    }
}
