//! File names, addresses, and what a server's headers say.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use crate::camera::Source;
use crate::camera::http::{picture_url, stays_with_host, without_secrets};
use crate::fuzzed::expect;
use crate::service::request::picture_source;
use celaje_sky::layout::Layout;
use celaje_sky::retry::parse_retry_after;
use celaje_sky::slot::{Slot, Zone};

/// A file name, a base address, the target of a redirect, a `Retry-After` and a time zone, one a
/// line.
///
/// # Errors
/// What did not hold.
pub fn names(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (name, base, redirect) = (line(), line(), line());
    let slot = file_name(name)?;
    address(base, redirect, slot)?;
    // Any moment will do, and the same one each time.
    let _ = parse_retry_after(line(), DateTime::<Utc>::UNIX_EPOCH);
    zone(line(), slot)
}

/// A slot, that of the name or another.
fn file_name(name: &str) -> Result<Slot, String> {
    let utc = Zone::Named(chrono_tz::UTC);
    let usual = DateTime::<Utc>::UNIX_EPOCH.naive_utc();
    let local = Slot::parse_file_name(name);
    let slot = Slot::at(local.unwrap_or(usual), utc).ok_or("UTC skips a time")?;
    if local.is_some() {
        let again = slot.file_name();
        expect(again == name, || format!("'{name}' became '{again}'"))?;
    }
    Ok(slot)
}

fn address(base: &str, redirect: &str, slot: Slot) -> Result<(), String> {
    let Ok(source) = picture_source(None, base) else {
        return Ok(());
    };
    let shown = source.address();
    let Source::Http(base) = source else {
        return Err(format!("'{base}' became a folder"));
    };
    expect(shown.ends_with('/'), || format!("'{shown}' has no end"))?;
    secretless(&shown)?;
    for layout in [Layout::Year, Layout::Root] {
        let url = picture_url(&base, layout, slot);
        expect(stays_with_host(&base, &url), || format!("'{url}' is not of '{base}'"))?;
        let name = format!("/{}", slot.file_name());
        expect(url.path().ends_with(&name), || format!("'{url}' does not end in '{name}'"))?;
        secretless(&without_secrets(&url))?;
        followed(&url, redirect)?;
    }
    Ok(())
}

/// An address that is stored holds nothing that may be secret.
fn secretless(address: &str) -> Result<(), String> {
    let url = Url::parse(address).map_err(|error| format!("'{address}': {error}"))?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    expect(plain, || format!("'{address}' may hold a secret"))
}

/// A redirect that is followed leads to the same host, whatever its header says.
fn followed(from: &Url, location: &str) -> Result<(), String> {
    let Ok(to) = from.join(location) else {
        return Ok(());
    };
    if !stays_with_host(from, &to) {
        return Ok(());
    }
    let same = from.host() == to.host() && matches!(to.scheme(), "http" | "https");
    let port = from.port() == to.port();
    expect(same && port, || format!("'{from}' led to '{to}'"))
}

/// Whatever the zone, a slot's instant is within two days of what its clock shows, and leads back.
fn zone(text: &str, slot: Slot) -> Result<(), String> {
    let Ok(zone) = text.parse::<Zone>() else {
        return Ok(());
    };
    let Some(there) = Slot::at(slot.local(), zone) else {
        return Ok(());
    };
    let off = (there.utc() - slot.utc()).abs();
    expect(off <= TimeDelta::hours(48), || format!("{zone}: {off}"))?;
    let back = zone.local(there.utc());
    expect(back == there.local(), || format!("{there} became {back}"))
}
