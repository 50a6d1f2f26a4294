//! The one rule of back-off. Pure.

use std::time::Duration;

/// The pause after a failure that follows `before` others in a row: `first`, doubled `before`
/// times, at most `longest`.
pub fn pause(first: Duration, before: u32, longest: Duration) -> Duration {
    let factor = 2u32.checked_pow(before).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let second = Duration::from_secs(1);
        let pauses = [0, 1, 2, 3, 31, 32, u32::MAX].map(|n| pause(second, n, 5 * second));
        assert_eq!(pauses.map(|pause| pause.as_secs()), [1, 2, 4, 5, 5, 5, 5]);
        assert_eq!(pause(Duration::MAX, 9, Duration::MAX), Duration::MAX);
    }
}
