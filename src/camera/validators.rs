//! What a server says of the state of a picture, so that it is sent again only when it has changed
//! (RFC 9110, section 13).

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{
    AGE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};

use celaje_sky::retry::parse_date;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
    modified: Option<DateTime<Utc>>,
    host_time: Option<DateTime<Utc>>,
}

impl Validators {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let last_modified = headers.get(LAST_MODIFIED);
        Self {
            etag: headers.get(ETAG).cloned(),
            last_modified: last_modified.cloned(),
            modified: text(LAST_MODIFIED).and_then(|date| parse_date(date, None)),
            host_time: text(DATE).and_then(|date| parse_date(date, text(AGE))),
        }
    }

    /// Of an object in a bucket.
    pub(crate) fn of_object(etag: Option<&str>, modified: DateTime<Utc>) -> Self {
        let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
        Self { etag, modified: Some(modified), ..Self::default() }
    }

    /// What tells this state from others.
    pub(crate) fn etag(&self) -> Option<&str> {
        self.etag.as_ref()?.to_str().ok()
    }

    /// The fields that ask for the picture only when it has changed.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let etag = self.etag.clone().map(|value| (IF_NONE_MATCH, value));
        let date = self.last_modified.clone().map(|value| (IF_MODIFIED_SINCE, value));
        etag.into_iter().chain(date)
    }

    /// When the picture was last changed, by this machine's clock, which shows `now`: the server's
    /// may be wrong, but its age of the picture is not.
    pub fn modified(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let modified = self.modified?;
        let age = self.host_time.map(|host| (host - modified).max(TimeDelta::zero()));
        Some(age.map_or(modified, |age| now - age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_picture_is_that_of_its_servers_clock() {
        let mut headers = HeaderMap::new();
        let now = parse_date("Mon, 01 Jan 2024 12:00:00 GMT", None).unwrap();
        assert_eq!(Validators::of(&headers).modified(now), None);
        headers.insert(LAST_MODIFIED, HeaderValue::from_static("Mon, 01 Jan 2024 08:59:30 GMT"));
        let modified = |headers: &HeaderMap| Validators::of(headers).modified(now);
        assert_eq!(modified(&headers), Some(now - TimeDelta::seconds(3 * 3600 + 30)));
        // Its clock is three hours behind.
        headers.insert(DATE, HeaderValue::from_static("Mon, 01 Jan 2024 09:00:00 GMT"));
        assert_eq!(modified(&headers), Some(now - TimeDelta::seconds(30)));
        headers.insert(ETAG, HeaderValue::from_static("\"7\""));
        let sent: Vec<_> = Validators::of(&headers).conditions().map(|(name, _)| name).collect();
        assert_eq!(sent, [IF_NONE_MATCH, IF_MODIFIED_SINCE]);
    }
}
