//! A query string of the API, and the name that a server was asked by.

use std::net::IpAddr;

use chrono::{Datelike, NaiveDateTime};

use crate::fuzzed::expect;
use crate::web::guard::Hosts;
use crate::web::problem::BadQuery;
use crate::web::query::{self, Range};
use celaje_sky::slot::YEARS;

/// A query, put to every list of the API, and a `Host` header in the second line.
///
/// # Errors
/// What did not hold.
pub fn query(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    let (query, host) = text.split_once('\n').unwrap_or((&text, ""));
    match query::observations(query) {
        Ok(wanted) => {
            ranged(wanted.range, wanted.after)?;
            limited(wanted.limit, query::MOST_ROWS)?;
        }
        Err(bad) => told(&bad)?,
    }
    match query::misses(query) {
        Ok(wanted) => {
            ranged(wanted.range, wanted.after)?;
            limited(wanted.limit, query::MOST_ROWS)?;
        }
        Err(bad) => told(&bad)?,
    }
    match query::runs(query) {
        Ok(wanted) => {
            limited(wanted.limit, query::MOST_RUNS)?;
            let first = wanted.before.is_none_or(|run| run > 0);
            expect(first, || format!("run {:?}", wanted.before))?;
        }
        Err(bad) => told(&bad)?,
    }
    match query::climatology(query) {
        Ok(range) => ranged(range, None)?,
        Err(bad) => told(&bad)?,
    }
    if let Err(bad) = query::nothing(query) {
        told(&bad)?;
    }
    named(host)
}

/// The minutes of a range are those that slots have, and in their order.
fn ranged(range: Range, after: Option<NaiveDateTime>) -> Result<(), String> {
    let (from, to) = range.closed();
    let years = YEARS.contains(&from.year()) && YEARS.contains(&to.year());
    expect(years && from <= to, || format!("from {from} to {to}"))?;
    let next = query::resumed(from, after);
    let goes_on =
        next >= from && after.is_none_or(|last| next > last || last == NaiveDateTime::MAX);
    expect(goes_on, || format!("{next} comes after {after:?}"))
}

fn limited(limit: usize, most: usize) -> Result<(), String> {
    expect((1..=most).contains(&limit), || format!("{limit} rows"))
}

/// What is wrong is told in both languages, in a line that is no longer than it need be.
fn told(bad: &BadQuery) -> Result<(), String> {
    // The name of a parameter may be empty: '=x'.
    let reasons = !bad.reason.en.is_empty() && !bad.reason.es.is_empty();
    expect(reasons, || "no word".to_owned())?;
    for text in [&bad.parameter, &bad.reason.en, &bad.reason.es] {
        let plain = text.len() < 2000;
        expect(plain && !text.contains(['\n', '\r', '\0']), || format!("{text:?}"))?;
    }
    Ok(())
}

/// Another name than those of loopback is not answered, however it is written.
fn named(host: &str) -> Result<(), String> {
    let hosts = Hosts::new(([127, 0, 0, 1], 8080).into(), &[]);
    if !hosts.allow(host) {
        return Ok(());
    }
    let host = host.trim().to_ascii_lowercase();
    let port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let bare = host.rsplit_once(':').filter(|(_, end)| port(end));
    let ours = [host.as_str(), bare.map_or(&*host, |(name, _)| name)].into_iter().any(|name| {
        let name = name.trim().trim_end_matches('.');
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost"
            || name.ends_with(".localhost")
            || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    expect(ours, || format!("'{host}' is allowed"))
}
