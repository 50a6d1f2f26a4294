//! Which failures of a request are tried again, and after how long.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::backoff;

/// Statuses after which a request is tried again.
pub const RETRIED_STATUSES: [u16; 6] = [408, 429, 500, 502, 503, 504];

/// How often and how patiently a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Tries after the first.
    pub retries: u32,
    /// Wait before the first retry; doubled before each further one.
    pub base: Duration,
    /// The longest wait that the server did not ask for.
    pub longest: Duration,
    /// A `Retry-After` beyond this ends the tries.
    pub longest_asked: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 2,
            base: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            longest_asked: Duration::from_secs(120),
        }
    }
}

impl RetryPolicy {
    /// The wait before retry number `retry` (from 1); none when there is no such retry.
    ///
    /// Exponential with full jitter over the upper half: between half and the whole of
    /// `base · 2^(retry − 1)`. `jitter` is uniform in 0..1. A `Retry-After` of the server is never
    /// undercut; one beyond `longest_asked` ends the tries.
    pub fn wait(&self, retry: u32, jitter: f64, retry_after: Option<Duration>) -> Option<Duration> {
        if retry == 0 || retry > self.retries {
            return None;
        }
        let pause = backoff::pause(self.base, retry - 1, self.longest);
        let own = pause.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
        match retry_after {
            Some(asked) if asked > self.longest_asked => None,
            Some(asked) => Some(asked.max(own)),
            None => Some(own),
        }
    }

    /// How long no request goes to the host after `status` with a `Retry-After`: 429 and 503 are
    /// about the server, not about one picture. None beyond `longest_asked`.
    pub fn hold(&self, status: u16, retry_after: Option<Duration>) -> Option<Duration> {
        retry_after.filter(|asked| {
            matches!(status, 429 | 503) && !asked.is_zero() && *asked <= self.longest_asked
        })
    }
}

/// Whether a status is tried again.
pub fn is_retried(status: u16) -> bool {
    RETRIED_STATUSES.contains(&status)
}

/// Reads a `Retry-After` header: seconds, or an HTTP date in any of its three forms (RFC 9110,
/// sections 10.2.3 and 5.6.7). A date in the past is no wait.
pub fn parse_retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = DateTime::<Utc>::from(httpdate::parse_http_date(value).ok()?);
    Some((date - now).to_std().unwrap_or(Duration::ZERO))
}

/// When an answer was made: its `Date` header, and for one from a cache its `Age` header too, in
/// seconds (RFC 9110, section 6.6.1; RFC 9111, section 5.1).
pub fn parse_date(date: &str, age: Option<&str>) -> Option<DateTime<Utc>> {
    let date = DateTime::<Utc>::from(httpdate::parse_http_date(date.trim()).ok()?);
    let age = age.and_then(|age| age.trim().parse().ok()).and_then(TimeDelta::try_seconds);
    date.checked_add_signed(age.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    #[test]
    fn statuses() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(is_retried(status));
        }
        for status in [200, 301, 400, 401, 403, 404, 410, 501, 505] {
            assert!(!is_retried(status));
        }
    }

    #[test]
    fn retry_after_in_all_its_forms() {
        let now = Utc.with_ymd_and_hms(2024, 1, 1, 12, 0, 0).unwrap();
        let parse = |value| parse_retry_after(value, now);
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse("Mon, 01 Jan 2024 12:00:30 GMT"), Some(Duration::from_secs(30)));
        for date in ["Monday, 01-Jan-24 12:00:30 GMT", "Mon Jan  1 12:00:30 2024"] {
            assert_eq!(parse(date), Some(Duration::from_secs(30)), "{date}");
        }
        assert_eq!(parse("Mon, 01 Jan 2024 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse("soon"), None);
        assert_eq!(parse(""), None);
        assert_eq!(parse("-3"), None);
    }

    #[test]
    fn an_answer_of_a_cache_is_older_than_its_host() {
        let noon = Utc.with_ymd_and_hms(2024, 1, 1, 12, 0, 0).unwrap();
        for date in ["Mon, 01 Jan 2024 12:00:00 GMT", "Monday, 01-Jan-24 12:00:00 GMT"] {
            assert_eq!(parse_date(date, None), Some(noon), "{date}");
            assert_eq!(parse_date(date, Some("60")), Some(noon + TimeDelta::minutes(1)));
            assert_eq!(parse_date(date, Some("old")), Some(noon));
        }
        assert_eq!(parse_date("noon", Some("60")), None);
    }

    #[test]
    fn a_server_that_asks_for_too_much_is_left_alone() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.wait(1, 0.5, Some(Duration::from_secs(3600))), None);
        assert_eq!(policy.wait(1, 0.5, Some(Duration::from_secs(9))), Some(Duration::from_secs(9)));
    }

    #[test]
    fn the_host_is_held_for_what_it_asks_within_bounds() {
        let policy = RetryPolicy::default();
        let seconds = |n| Some(Duration::from_secs(n));
        for status in [429, 503] {
            assert_eq!(policy.hold(status, seconds(9)), seconds(9));
            assert_eq!(policy.hold(status, seconds(120)), seconds(120));
            for none in [None, seconds(0), seconds(121), seconds(u64::MAX)] {
                assert_eq!(policy.hold(status, none), None);
            }
        }
        for status in [301, 404, 408, 500, 502, 504] {
            assert_eq!(policy.hold(status, seconds(9)), None);
        }
    }

    proptest! {
        #[test]
        fn waits_grow_stay_bounded_and_end(retry in 0u32..80, jitter in 0.0..1.0f64) {
            let policy = RetryPolicy { retries: 60, ..RetryPolicy::default() };
            match policy.wait(retry, jitter, None) {
                None => prop_assert!(retry == 0 || retry > 60),
                Some(wait) => {
                    prop_assert!(wait <= policy.longest);
                    prop_assert!(wait >= policy.base / 2);
                    let shortest_next = policy.wait(retry + 1, 0.0, None);
                    prop_assert!(shortest_next.is_none_or(|next| next + next >= wait));
                }
            }
        }
    }
}
