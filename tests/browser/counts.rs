//! Numbers that SQL alone does not give: those of nights and of the disk, counted here anew from
//! the rows, from the sun and the moon, and from the files.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::driver::Browser;
use crate::numbers::{SEEN, is_rounded, marks, percent_of, sql};
use crate::scene::{Reading, Scene, slot};
use crate::support::record::Record;
use celaje_sky::station::Station;
use celaje_sky::{moon, sun};

/// Days of the winter that is written.
const WINTER: i64 = 20;

fn instant(local: NaiveDateTime) -> DateTime<Utc> {
    Station::rio_grande().zone.instant(local).unwrap()
}

/// The sun's elevation at a moment of the station's clock, degrees.
fn sun_at(local: NaiveDateTime) -> f64 {
    let place = Station::rio_grande();
    sun::position(instant(local), place.latitude, place.longitude).elevation
}

fn moon_is_up(local: NaiveDateTime) -> bool {
    let place = Station::rio_grande();
    let moon = moon::position(instant(local), place.latitude, place.longitude);
    moon.elevation >= moon::HORIZON && moon.lit > 0.0
}

/// The day on whose evening the night of a slot begins.
fn evening(local: NaiveDateTime) -> NaiveDate {
    (local - TimeDelta::hours(12)).date()
}

fn parsed(local: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M").unwrap()
}

/// Rows of the end of June and the beginning of July, with gaps; in November there is no dark hour.
/// Every third night is clear, every ninth slot was not read.
pub fn write_winter(scene: &Scene) {
    let today = slot(0).date();
    let july = |year| NaiveDate::from_ymd_opt(year, 7, 11).unwrap();
    // Within the last year, and before the other rows.
    let last = match july(today.year()) {
        this if this + TimeDelta::days(10) < today => this,
        _ if today.month() > 5 => today - TimeDelta::days(10),
        _ => july(today.year() - 1),
    };
    let last = last.and_hms_opt(9, 2, 0).unwrap();
    let count = WINTER * 144;
    scene.write_many(Reading { slot: last, okta: 3, quality: "ok" }, count as u32, 9);
    let slots = (0..count).map(|n| last - TimeDelta::minutes(10 * n));
    let night: Vec<_> = slots
        .filter(|local| sun_at(*local) < -18.0)
        .map(|local| local.format("'%Y-%m-%dT%H:%M'").to_string())
        .collect();
    let first = last - TimeDelta::days(WINTER);
    let [from, to] = [first, last].map(|end| end.format("%Y-%m-%dT%H:%M"));
    let within = format!("slot_local BETWEEN '{from}' AND '{to}'");
    scene.execute(&format!(
        "UPDATE observations SET day_phase = iif(slot_local IN ({}), 'night', 'day') WHERE {within};
         UPDATE observations SET okta = 0, cloud_fraction = 0, category = 'SKC' WHERE {within} AND
             CAST(julianday(date(slot_local, '-12 hours')) AS INTEGER) % 3 = 0;",
        night.join(",")
    ));
}

/// Readings of the sky with their okta, by their slots.
fn readings(record: &mut Record) -> BTreeMap<NaiveDateTime, u8> {
    let rows = record.texts(&format!("SELECT slot_local || ' ' || okta {SEEN} AND okta < 9"));
    let pair = |row: &String| {
        let (slot, okta) = row.split_once(' ').unwrap();
        (parsed(slot), okta.parse().unwrap())
    };
    rows.iter().map(pair).collect()
}

/// The slots of the camera from `from` to `to`.
fn slots(from: NaiveDateTime, to: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
    std::iter::successors(Some(from), |slot| Some(*slot + TimeDelta::minutes(10)))
        .take_while(move |slot| *slot <= to)
}

/// How many nights of a month were judged, and how many of them were clear.
fn clear_nights(readings: &BTreeMap<NaiveDateTime, u8>) -> BTreeMap<u32, (u32, u32)> {
    let mut nights: BTreeMap<NaiveDate, (u32, u32)> = BTreeMap::new();
    for (slot, okta) in readings.iter().filter(|(slot, _)| sun_at(**slot) < -18.0) {
        let night = nights.entry(evening(*slot)).or_default();
        *night = (night.0 + 1, night.1 + u32::from(*okta < 2));
    }
    let mut months: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for (day, (read, clear)) in nights {
        let noon = day.and_time(NaiveTime::MIN) + TimeDelta::minutes(12 * 60 + 2);
        let all = slots(noon, noon + TimeDelta::minutes(24 * 60 - 10));
        let dark = all.filter(|slot| sun_at(*slot) < -18.0).count() as u32;
        if 2 * read >= dark {
            let month = months.entry(day.month()).or_default();
            *month = (month.0 + 1, month.1 + u32::from(10 * clear >= 8 * read));
        }
    }
    months
}

/// The dark slots of a night: all, those that were read, and of these the clear ones.
#[derive(Clone, Copy, Default)]
struct Dark {
    all: f64,
    read: f64,
    clear: f64,
}

/// The usable hours of some nights with their interval, where anything was read.
fn usable(nights: &[Dark]) -> (Dark, Option<[f64; 3]>) {
    let sum = nights.iter().fold(Dark::default(), |sum, one| Dark {
        all: sum.all + one.all,
        read: sum.read + one.read,
        clear: sum.clear + one.clear,
    });
    let seen: Vec<_> = nights.iter().filter(|one| one.read > 0.0).collect();
    if seen.len() < 2 {
        return (sum, None);
    }
    // A ratio of sums over nights, with the error of a sample without replacement.
    let (n, share) = (seen.len() as f64, sum.clear / sum.read);
    let squares = seen.iter().map(|one| (one.clear - share * one.read).powi(2)).sum::<f64>();
    let error = 1.96 * (n / (n - 1.0) * squares * (1.0 - sum.read / sum.all)).sqrt() / sum.read;
    let hours = [share, share - error, share + error].map(|s| s.clamp(0.0, 1.0) * sum.all / 6.0);
    (sum, Some(hours))
}

/// Clear nights by month, usable dark hours by month and year.
pub async fn nights(browser: &Browser, scene: &Scene, record: &mut Record) {
    browser.visit(&scene.view("history?span=year")).await;
    let readings = readings(record);
    let months = clear_nights(&readings);
    let (judged, clear) = months.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(judged > 15 && (4..12).contains(&clear), "{months:?}");
    let told = marks(browser, "nights", "nights").await;
    let expected: Vec<String> = months
        .iter()
        .map(|(month, (judged, clear))| {
            let share = percent_of(f64::from(*clear), f64::from(*judged));
            let name = NaiveDate::from_ymd_opt(2024, *month, 1).unwrap().format("%B");
            format!("{name} · {share} clear · {clear} of {judged} nights")
        })
        .collect();
    let mut said = told;
    said.retain(|told| !told.contains("no night judged"));
    assert_eq!(said, expected);
    let whole = browser
        .run("return document.querySelector('[data-kind=nights] svg').getAttribute('aria-label')")
        .await;
    let share = percent_of(f64::from(clear), f64::from(judged));
    let sentence = format!("{clear} of {judged} nights ({share}) were clear");
    assert!(whole.as_str().unwrap().contains(&sentence), "{sentence}: {whole}");
    dark_hours(browser, &readings).await;
}

async fn dark_hours(browser: &Browser, readings: &BTreeMap<NaiveDateTime, u8>) {
    let mut nights: BTreeMap<NaiveDate, Dark> = BTreeMap::new();
    let (first, last) = (readings.keys().next().unwrap(), readings.keys().last().unwrap());
    for slot in slots(*first, *last) {
        let night = nights.entry(evening(slot)).or_default();
        if sun_at(slot) >= -18.0 || moon_is_up(slot) {
            continue;
        }
        night.all += 1.0;
        if let Some(okta) = readings.get(&slot) {
            night.read += 1.0;
            night.clear += f64::from(u8::from(*okta < 2));
        }
    }
    let of = |length: usize| {
        let mut periods: BTreeMap<String, Vec<Dark>> = BTreeMap::new();
        for (day, night) in &nights {
            periods.entry(day.to_string()[..length].to_owned()).or_default().push(*night);
        }
        periods
    };
    let told = marks(browser, "dark-hours", "dark-hours").await;
    let mut months = 0;
    for (period, nights) in of(7) {
        let (sum, hours) = usable(&nights);
        let month = NaiveDate::parse_from_str(&format!("{period}-01"), "%Y-%m-%d").unwrap();
        let name = month.format("%B %Y · ").to_string();
        let said = told.iter().find_map(|told| told.strip_prefix(&name));
        let said = said.unwrap_or_else(|| panic!("{name}: {told:?}"));
        if sum.all == 0.0 {
            assert_eq!(said, "no dark hour", "{name}");
            continue;
        }
        let parts: Vec<&str> = said.split([' ', '(', ')']).collect();
        let coverage = percent_of(sum.read, sum.all);
        assert!(said.contains(&format!(" dark hours, {coverage} of them read")), "{said}");
        assert!(is_rounded(parts[0], &(sum.all / 6.0).to_string(), 0), "{said}");
        let Some([usable, low, high]) = hours else { continue };
        let after = |word: &str| {
            let rest = said.rsplit_once(word).unwrap().1;
            rest.trim_end_matches(')').split('–').next().unwrap()
        };
        for (part, exact) in [("about ", usable), ("usable (", low), ("–", high)] {
            assert!(is_rounded(after(part), &exact.to_string(), 0), "{exact}: {said}");
        }
        assert!(low < usable && usable < high, "{said}");
        months += 1;
    }
    assert!(months > 1, "{told:?}");
    // Year against year the months say the same.
    let years = marks(browser, "dark-years", "dark-year").await;
    assert!(told.iter().all(|month| years.contains(month)), "{told:?} {years:?}");
    assert!(years.len() > told.len(), "{years:?}");
    let said = browser.text_of("[data-kind=dark-hours] figcaption p").await;
    // A year is estimated from all its nights at once; one in which nothing was read is left out.
    let years = of(4).into_values().map(|nights| usable(&nights));
    let (dark, usable_hours) = years
        .filter_map(|(sum, hours)| Some((sum.all / 6.0, hours?[0])))
        .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let share = percent_of(usable_hours, dark);
    let (_, rest) = said.split_once(" · About ").unwrap_or_else(|| panic!("{said}"));
    assert!(is_rounded(rest, &usable_hours.to_string(), 0), "{usable_hours}: {said}");
    let rest = rest.split_once(" of ").unwrap().1;
    assert!(is_rounded(rest, &dark.to_string(), 0), "{dark}: {said}");
    assert!(rest.contains(&format!("dark hours ({share}) had 0 or 1 okta")), "{share}: {said}");
    // The years are in its table.
    let table = browser
        .run_async(
            "fetch(document.querySelector('[data-kind=dark-hours] .save a').href)\
             .then(r => r.text()).then(arguments[0])",
        )
        .await;
    for (period, nights) in of(4) {
        let (sum, hours) = usable(&nights);
        let mut rows = table.as_str().unwrap().lines();
        let row = rows.find(|row| row.starts_with(&format!("{period},")));
        let cells: Vec<f64> =
            row.unwrap().split(',').skip(1).map(|cell| cell.parse().unwrap_or(0.0)).collect();
        let [usable, low, high] = hours.unwrap_or_default();
        let share = if sum.all > 0.0 { sum.read / sum.all } else { 0.0 };
        let expected = [sum.all / 6.0, sum.read / 6.0, share, usable, low, high];
        for (cell, exact) in cells.iter().zip(expected) {
            assert!((cell - exact).abs() < 0.01, "{period}: {cells:?} {expected:?}");
        }
    }
}

/// The trend of the days of a year: the median of the slopes between any two.
pub async fn trend(browser: &Browser, record: &mut Record) {
    let said = browser.text_of("[data-kind=history] figcaption p").await;
    let days = record.texts(&format!(
        "SELECT julianday(substr(slot_local, 1, 10)) || ' ' || avg(okta) {SEEN} AND okta < 9 \
         GROUP BY substr(slot_local, 1, 10) ORDER BY 1"
    ));
    let days: Vec<[f64; 2]> = days
        .iter()
        .map(|row| row.split_once(' ').unwrap())
        .map(|(day, mean)| [day, mean].map(|number| number.parse().unwrap()))
        .collect();
    assert!(days.len() >= 20, "{days:?}");
    let pairs = (0..days.len()).flat_map(|a| (a + 1..days.len()).map(move |b| (a, b)));
    let mut slopes: Vec<f64> =
        pairs.map(|(a, b)| (days[b][1] - days[a][1]) / (days[b][0] - days[a][0])).collect();
    slopes.sort_unstable_by(f64::total_cmp);
    let middle = slopes.len() / 2;
    let slope = 30.0 * f64::midpoint(slopes[(slopes.len() - 1) / 2], slopes[middle]);
    let (_, interval) = said.split_once('(').unwrap_or_else(|| panic!("no trend: {said}"));
    let (low, high) = interval.split_once('–').unwrap();
    let high = high.trim_start();
    let number = |text: &str| -> f64 {
        text.split([' ', ')']).next().unwrap().replace('−', "-").parse().unwrap()
    };
    let (low, high) = (number(low), number(high));
    assert!(low - 0.05 <= slope && slope <= high + 0.05, "{slope}: {said}");
    // It is told where it can be told from none.
    match said.split_once("trend ").unwrap().1.strip_prefix("not to be told from none") {
        Some(_) => assert!(low <= 0.0 && high >= 0.0, "{said}"),
        None => {
            let told = said.split_once("trend ").unwrap().1.trim_start_matches('+');
            assert!(is_rounded(told, &slope.to_string(), 1), "{slope}: {said}");
        }
    }
}

/// Bytes as the page writes them.
fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < 4 {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let digits = usize::from(unit > 0 && value < 100.0);
    format!("{value:.digits$} {}", ["B", "kB", "MB", "GB", "TB"][unit])
}

/// The record, its log, the copies of pictures, and what is free.
pub async fn disk(browser: &Browser, scene: &Scene, record: &mut Record, began: Instant) {
    let copies = scene.folder().join("a-pictures/rio-grande/2026-01-01");
    std::fs::create_dir_all(&copies).unwrap();
    for n in 0..17_u64 {
        let size = 1000 * n as usize + 77;
        std::fs::write(copies.join(format!("{n:02}02.jpg")), vec![0; size]).unwrap();
    }
    let kept: u64 = (0..17).map(|n| 1000 * n + 77).sum();
    // What is in the log is in no file of the record yet.
    record.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    browser.visit(&scene.view("operations")).await;
    let told = browser
        .run(
            "return Object.fromEntries([...document.querySelectorAll('.pairs dt')]\
             .map(dt => [dt.textContent, dt.nextElementSibling.textContent]))",
        )
        .await;
    let pages = "page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    let size = record.number(&format!("SELECT {pages}"));
    assert_eq!(told["Record"], bytes(size as u64), "{told}");
    let log = std::fs::metadata(scene.folder().join("a.db-wal")).map_or(0, |log| log.len());
    assert_eq!(told["Log (WAL)"], bytes(log), "{told}");
    assert_eq!(told["Pictures kept"], format!("17 · {}", bytes(kept)), "{told}");
    let free = Command::new("df").args(["-B1", "--output=avail"]).arg(scene.folder()).output();
    let free = String::from_utf8(free.unwrap().stdout).unwrap();
    let free: f64 = free.lines().last().unwrap().trim().parse().unwrap();
    let said = told["Free on the disk"].as_str().unwrap();
    let (number, unit) = said.split_once(' ').unwrap();
    let power = ["B", "kB", "MB", "GB", "TB"].iter().position(|known| *known == unit).unwrap();
    let said = number.parse::<f64>().unwrap() * 1000_f64.powi(power as i32);
    // Others write to the disk meanwhile.
    assert!((said / free - 1.0).abs() < 0.1, "{said} {free}");
    let version = told["Version"].as_str().unwrap();
    assert!(version.starts_with(env!("CARGO_PKG_VERSION")), "{told}");
    let running = told["Running for"].as_str().unwrap();
    let most = began.elapsed().as_secs() + 1;
    let (number, unit) = running.split_once(' ').unwrap();
    let seconds = number.parse::<u64>().unwrap() * if unit.starts_with('s') { 1 } else { 60 };
    assert!(seconds <= most, "{running}: {most} s");
    let first = sql(record, "min(slot_local) FROM observations");
    let last = sql(record, "max(slot_local) FROM observations");
    for (name, slot) in [("First reading", first), ("Last reading", last)] {
        let written = parsed(&slot).format("%-d %b %Y, %H:%M").to_string();
        assert_eq!(told[name], written, "{told}");
    }
}
