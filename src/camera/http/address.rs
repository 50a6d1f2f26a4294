//! Addresses of pictures.

use std::net::{IpAddr, UdpSocket};

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use reqwest::header::HeaderValue;
use url::{Host, Url};

use celaje_sky::layout::Layout;
use celaje_sky::slot::Slot;

/// The address of a slot's picture below `base`.
pub fn picture_url(base: &Url, layout: Layout, slot: Slot) -> Url {
    let mut url = base.clone();
    let path = base.path().trim_end_matches('/');
    url.set_path(&format!("{path}/{}", layout.path(slot)));
    url
}

/// A URL as text without what may be a secret: user name, password, query and fragment.
pub fn without_secrets(url: &Url) -> String {
    let mut url = without_user(url);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Text that was meant for an address, without what may be secret in it: a user name, a password,
/// and everything from the first `?` or `#` on.
pub fn public_part(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(end) => text.split_at(end + 3),
        None => ("", text),
    };
    let (place, more) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let (user, place) = match place.rsplit_once('@') {
        Some((_, place)) => ("…@", place),
        None => ("", place),
    };
    // The first '?' may belong to a password, an '@' to a query: then nothing is surely public.
    match more {
        "" => format!("{scheme}{user}{place}"),
        _ if more.contains('@') => format!("{scheme}…"),
        _ => format!("{scheme}{user}{place}…"),
    }
}

/// A URL without user name and password.
pub(super) fn without_user(url: &Url) -> Url {
    let mut url = url.clone();
    // They fail where there is no host, which has no user either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// Where `location`, sent in answer to a request for `url`, points to. Bytes that are not ASCII
/// and blanks are taken as browsers take them.
pub(super) fn redirected(url: &Url, location: &HeaderValue) -> Option<Url> {
    const ODD: &AsciiSet = &CONTROLS.add(b' ');
    let location = percent_encode(location.as_bytes(), ODD).to_string();
    url.join(&location).ok().map(|next| without_user(&next))
}

/// Whether a redirect from `start` to `next` stays with the host that was asked for.
pub fn stays_with_host(start: &Url, next: &Url) -> bool {
    // Another port may be another service; only the step from http to https may change it.
    let upgrade = start.scheme() == "http"
        && next.scheme() == "https"
        && start.port().is_none()
        && next.port().is_none();
    start.host_str() == next.host_str()
        && (upgrade
            || (start.scheme() == next.scheme()
                && start.port_or_known_default() == next.port_or_known_default()))
}

/// Whether the address is one of this machine, by whatever name or interface.
pub async fn is_of_this_machine(url: &Url) -> bool {
    // Only an own address can be taken.
    let is_own = |ip: IpAddr| UdpSocket::bind((ip, 0)).is_ok();
    match url.host() {
        None => false,
        Some(Host::Ipv4(ip)) => is_own(ip.into()),
        Some(Host::Ipv6(ip)) => is_own(ip.to_canonical()),
        Some(Host::Domain(name)) => {
            let found = tokio::net::lookup_host((name, 0)).await;
            found.is_ok_and(|mut found| found.any(|address| is_own(address.ip())))
        }
    }
}

/// Whether the address is one of loopback.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_sky::slot::Zone;

    #[test]
    fn addresses_join_whatever_the_base_ends_in() {
        let local = Slot::parse_file_name("2024-01010002.jpg").unwrap();
        let slot = Slot::at(local, "-03:00".parse::<Zone>().unwrap()).unwrap();
        for base in ["http://host/a/b", "http://host/a/b/"] {
            let url = picture_url(&base.parse().unwrap(), Layout::Year, slot);
            assert_eq!(url.as_str(), "http://host/a/b/2024/2024-01010002.jpg");
        }
        let url = picture_url(&"http://host:81?key=1".parse().unwrap(), Layout::Root, slot);
        assert_eq!(url.as_str(), "http://host:81/2024-01010002.jpg?key=1");
    }

    #[actix::test]
    async fn an_own_address_is_known_by_any_name() {
        for (base, own) in [
            ("http://127.0.0.1:8080/", true),
            ("http://127.0.0.2/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://localhost/", true),
            ("http://192.0.2.7/", false),
            ("http://[2001:db8::7]/", false),
        ] {
            assert_eq!(is_of_this_machine(&base.parse().unwrap()).await, own, "{base}");
        }
    }

    #[test]
    fn secrets_are_left_out() {
        let url: Url = "http://user:secret@host/x.jpg?token=secret#secret".parse().unwrap();
        assert_eq!(without_secrets(&url), "http://host/x.jpg");
    }

    #[test]
    fn a_location_may_have_any_bytes() {
        let url: Url = "http://host/a/b.jpg".parse().unwrap();
        for (location, wanted) in [
            (&b"/C\xe1mara 1/x.jpg"[..], "http://host/C%E1mara%201/x.jpg"),
            (b"x%20y.jpg?a=1", "http://host/a/x%20y.jpg?a=1"),
            (b"//user:secret@other/x.jpg", "http://other/x.jpg"),
        ] {
            let next = redirected(&url, &HeaderValue::from_bytes(location).unwrap());
            assert_eq!(next.unwrap().as_str(), wanted);
        }
    }

    #[test]
    fn loopback_needs_no_proxy() {
        for (base, loopback) in [
            ("http://127.0.0.1:80/", true),
            ("http://[::1]/", true),
            ("http://localhost/", true),
            ("http://example.org/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(is_loopback(&base.parse().unwrap()), loopback, "{base}");
        }
    }
}
