//! Every number on the screen is one of the record's.

use std::time::Instant;

use crate::counts;
use crate::driver::Browser;
use crate::scene::{Reading, Scene, reading, slot};
use crate::support::record::Record;

/// The readings that count: those of a camera that stands still say nothing of their slots.
pub const SEEN: &str = "FROM observations WHERE quality NOT LIKE '%frozen%'";

pub fn sql(record: &mut Record, what: &str) -> String {
    record.texts(&format!("SELECT {what}")).remove(0)
}

/// A share of SQL as the page writes it.
fn percent(record: &mut Record, part: &str, whole: &str) -> String {
    let [part, whole] = [part, whole].map(|of| record.number(&format!("SELECT {of}")) as f64);
    percent_of(part, whole)
}

pub fn percent_of(part: f64, whole: f64) -> String {
    match 100.0 * part / whole {
        share if share > 0.0 && share < 0.5 => "<1 %".to_owned(),
        share if (99.5..100.0).contains(&share) => ">99 %".to_owned(),
        share => format!("{:.0} %", share.round()),
    }
}

#[tokio::test]
async fn every_number_on_the_screen_is_the_records() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let began = Instant::now();
    let scene = Scene::new();
    counts::write_winter(&scene);
    scene.write_many(reading(6, 5), 700, 9);
    scene.write(Reading { quality: "frozen", ..reading(5, 2) });
    scene.write(Reading { quality: "dark,no_sky", ..reading(4, 9) });
    scene.write(reading(0, 3));
    for (ago, reason) in [(3, "timeout"), (2, "timeout"), (1, "truncated")] {
        scene.miss(slot(ago), reason);
    }
    scene.execute(
        "INSERT INTO runs (station, range_from, range_to, total, new, duplicates, missed, status,
                           started_at, version, engine, model)
         VALUES ('rio-grande', '2026-01-01T00:00', '2026-01-02T00:00', 288, 277, 8, 3, 'finished',
                 '2026-01-03 00:00:00', '0', 'rten', 'celaje-4 4')",
    );
    let mut record = scene.record();
    now(&browser, &scene, &mut record).await;
    details(&browser, &scene, &mut record).await;
    history(&browser, &scene, &mut record).await;
    counts::nights(&browser, &scene, &mut record).await;
    counts::trend(&browser, &mut record).await;
    timeline(&browser, &scene, &mut record).await;
    gallery(&browser, &scene, &mut record).await;
    operations(&browser, &scene, &mut record).await;
    counts::disk(&browser, &scene, &mut record, began).await;
    scene.execute(LABELS);
    accuracy(&browser, &scene, &mut record).await;
}

/// The last reading.
async fn now(browser: &Browser, scene: &Scene, record: &mut Record) {
    browser.visit(&scene.view("now")).await;
    let last = "FROM observations ORDER BY slot_local DESC LIMIT 1";
    let okta = sql(record, &format!("CAST(okta AS TEXT) {last}"));
    assert!(browser.text_of(".reading .okta").await.starts_with(&okta));
    let text = browser.text().await;
    for what in ["100 * confidence", "100 * cloud_fraction"] {
        let share = sql(record, &format!("printf('%.0f', {what}) {last}"));
        assert!(text.contains(&format!("{share} %")), "{what}: {share} in {text}");
    }
    // A date as charts have it, too.
    let when = slot(0).format("%A %-d %B %Y, %H:%M").to_string();
    assert!(text.contains(&when), "{when}: {text}");
    let model = sql(record, &format!("model {last}"));
    assert!(text.contains(&model), "{model}: {text}");
    let since = "misses WHERE slot_local > (SELECT max(slot_local) FROM observations)";
    assert_eq!(record.count(since), 0);
}

/// What a reading may have beside its amount: a range, parts of the sky, the sun's height.
async fn details(browser: &Browser, scene: &Scene, record: &mut Record) {
    scene.execute(
        "UPDATE observations SET okta_low = 2, okta_high = 5, confidence = 0.93,
             solar_elevation = -12.34,
             zenith_fraction = 0.237, zones = '{\"dome\":0.418}'
         WHERE slot_local = (SELECT max(slot_local) FROM observations)",
    );
    browser.visit(&scene.view("now")).await;
    let last = "FROM observations ORDER BY slot_local DESC LIMIT 1";
    let mut one = |what: &str| sql(record, &format!("{what} {last}"));
    let range = one("okta_low || '–' || okta_high");
    assert!(browser.text_of(".reading .okta").await.starts_with(&range), "{range}");
    let facts = browser.text_of(".facts").await;
    for part in [
        one("'Around the zenith' || printf('%.0f %%', 100 * zenith_fraction)"),
        one("'dome' || printf('%.0f %%', 100 * json_extract(zones, '$.dome'))"),
        one("printf('%.1f', abs(solar_elevation)) || '° below the horizon'"),
    ] {
        assert!(facts.contains(&part), "{part}: {facts}");
    }
    let likeliest = one("'most likely ' || okta");
    assert_eq!(browser.text_of(".likeliest").await, likeliest);
    let title = browser.run("return document.title").await;
    assert!(title.as_str().unwrap().starts_with(&one("okta || '/8 · Now'")), "{title}");
    // How long ago that was.
    let minutes = (chrono::Utc::now() - slot(0).and_utc()).num_minutes() - 180;
    let age = browser.text_of(".moment").await;
    let near = (minutes - 2..=minutes + 1).any(|n| age.ends_with(&format!(" · {n} min ago")));
    let just_now = minutes < 2 && age.ends_with(" s ago");
    assert!(near || just_now, "{minutes}: {age}");
    // The heading of a printed page.
    let place =
        sql(record, "printf('%.2f°, %.2f° · ', latitude, longitude) || time_zone FROM stations");
    let head = browser.text_of("#report").await;
    assert!(head.contains(&place.replace('-', "−")), "{place}: {head}");
}

#[tokio::test]
async fn numbers_are_written_in_one_way_and_a_bar_says_how_sure_a_reading_is() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 3), 1500, 1);
    for (lang, written) in [
        ("en", ["999", "1,234", "46,738", "−1,234.5", "0.0", "30–45", "−0.1 – 0.3"]),
        ("es", ["999", "1234", "46 738", "−1234,5", "0,0", "30–45", "−0.1 – 0.3"]),
    ] {
        browser.visit(&format!("{}/?lang={lang}#/timeline?days=30", scene.url)).await;
        let told = browser
            .run_async(
                "import('./assets/words.js').then(({number, interval}) => [number(999), \
                 number(1234), number(46738), number(-1234.5, 1), number(-0.01, 1), \
                 interval('30', '45'), interval('−0.1', '0.3')].map(text => \
                 text.replaceAll('\\u00a0', ' '))).then(arguments[0])",
            )
            .await;
        assert_eq!(told, serde_json::json!(written), "{lang}");
        // The chart of the same page likewise.
        let label = "return document.querySelector('.canvas svg').getAttribute('aria-label')";
        let label = browser.run(label).await;
        let read = if lang == "en" { "1,500 of 1,500 slots" } else { "1500 de 1500 turnos" };
        assert!(label.as_str().unwrap().contains(read), "{label}");
    }
    for (confidence, level) in [(0.3, "low"), (0.6, "medium"), (0.9, "high")] {
        scene.execute(&format!("UPDATE observations SET confidence = {confidence}"));
        browser.visit(&scene.view("now")).await;
        let bar = "return document.querySelector('.facts [class^=sure-]').className";
        assert_eq!(browser.run(bar).await, format!("sure-{level}"));
    }
}

/// Mean, distribution, confidence.
async fn history(browser: &Browser, scene: &Scene, record: &mut Record) {
    browser.visit(&scene.view("history?span=week")).await;
    let said = browser.text_of("[data-kind=history] figcaption").await;
    let week = format!(
        "{SEEN} AND slot_local >= date((SELECT max(slot_local) FROM \
         observations), '-6 days')"
    );
    let mean =
        sql(record, &format!("printf('%.1f', avg(CASE WHEN okta < 9 THEN okta END)) {week}"));
    let read = sql(record, &format!("CAST(sum(okta < 9) AS TEXT) {week}"));
    assert!(said.contains(&format!("Mean {mean} oktas of {read} readings")), "{said}");
    for okta in 0..=9 {
        let count = format!("(SELECT count(*) {week} AND okta = {okta})");
        let share = percent(record, &count, &format!("(SELECT count(*) {week})"));
        let n = record.number(&format!("SELECT {count}"));
        let mark = format!("[data-kind=distribution] g[data-okta='{okta}']");
        let name = format!("return document.querySelector(\"{mark}\").getAttribute('aria-label')");
        let told = browser.run(&name).await;
        let told = told.as_str().unwrap();
        let unit = if n == 1 { "reading" } else { "readings" };
        assert!(told.ends_with(&format!("{share} · {n} {unit}")), "{told}");
    }
    let lowest = format!(
        "printf('%.0f', min(mean)) FROM (SELECT 100 * avg(confidence) AS mean \
         {week} AND okta < 9 GROUP BY substr(slot_local, 1, 13))"
    );
    let lowest = sql(record, &lowest);
    let said = browser.text_of("[data-kind=confidence] figcaption").await;
    assert!(said.contains(&format!("the lowest is {lowest} %")), "{said} {lowest}");
    // Each hour of the means and of the confidence, each day of the calendar, each hour of the
    // months.
    let year = format!("{SEEN} AND substr(slot_local, 1, 4) = {LAST_YEAR}");
    let (hour, hour_of_month) =
        ("substr(slot_local, 1, 13)", "substr(slot_local, 6, 2) || substr(slot_local, 12, 2)");
    let confidence = "100 * confidence";
    for (kind, class, what, digits, key, from) in [
        ("history", "mean", "okta", 1, hour, week.as_str()),
        ("confidence", "confidence", confidence, 0, hour, &week),
        ("calendar", "cell", "okta", 1, "substr(slot_local, 1, 10)", &year),
        ("climatology", "cell", "okta", 1, hour_of_month, SEEN),
    ] {
        let expected = record.texts(&format!(
            "SELECT avg({what}) || ' ' || count(*) {from} AND okta < 9 GROUP BY {key} \
             ORDER BY {key}"
        ));
        let told = marks(browser, kind, class).await;
        let told: Vec<_> = told.iter().filter(|told| was_read(told)).collect();
        assert_eq!(told.len(), expected.len(), "{kind}: {told:?}");
        for (told, expected) in told.iter().zip(&expected) {
            let (mean, count) = expected.split_once(' ').unwrap();
            let (said, rest) = told.split_once(" · ").unwrap().1.split_once(" · ").unwrap();
            let said = said.strip_prefix("mean ").unwrap_or(said);
            assert!(is_rounded(said, mean, digits), "{kind}: {told}, {expected}");
            assert_eq!(rest.split(' ').next(), Some(count), "{kind}: {told}, {expected}");
        }
    }
}

/// The year of the last reading.
const LAST_YEAR: &str = "(SELECT substr(max(slot_local), 1, 4) FROM observations)";

fn was_read(told: &str) -> bool {
    told.contains(" reading") && !told.contains("no reading")
}

/// What the marks of a chart say, in their order.
pub async fn marks(browser: &Browser, kind: &str, class: &str) -> Vec<String> {
    let names = format!(
        "return [...document.querySelectorAll('[data-kind={kind}] .canvas .{class}')]\
         .map(mark => mark.getAttribute('aria-label'))"
    );
    let names = browser.run(&names).await;
    names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// The first picture of each hour of the day.
async fn gallery(browser: &Browser, scene: &Scene, record: &mut Record) {
    let yesterday = sql(record, "date(max(slot_local), '-1 day') FROM observations");
    browser.visit(&scene.view(&format!("gallery?day={yesterday}"))).await;
    browser.until("document.querySelector('.tiles > li')").await;
    let names = "return [...document.querySelectorAll('.tiles button')]\
        .map(tile => tile.getAttribute('aria-label').split(' ').slice(0, 3).join(' '))";
    let expected = record.texts(&format!(
        "SELECT substr(min(slot_local), 12, 5) || ' · ' || okta || '/8' FROM observations \
         WHERE slot_local LIKE '{yesterday}%' GROUP BY substr(slot_local, 12, 2) ORDER BY 1"
    ));
    assert!(expected.len() >= 20, "{expected:?}");
    assert_eq!(browser.run(names).await, serde_json::json!(expected));
}

/// What people saw in the pictures: every fifth one drawn at random and every seventh for its low
/// confidence, mostly as it was read; a second observer, one that could not tell.
pub const LABELS: &str = "
    UPDATE observations SET okta_low = max(okta - 1, 0), okta_high = min(okta + 1, 8)
        WHERE okta < 9;
    INSERT INTO celaje_labels (station, slot_local, observer, okta, draw, created_at)
    SELECT station, slot_local, 'Ana',
        CASE WHEN n % 55 = 0 THEN NULL WHEN n % 35 = 0 THEN 9 WHEN n % 4 = 0 THEN max(okta - 1, 0)
             WHEN n % 15 = 0 THEN max(okta - 3, 0) ELSE min(okta, 8) END,
        iif(n % 5 = 0, 'random', 'unsure'), '2026-01-01 00:00:00'
    FROM (SELECT *, row_number() OVER (ORDER BY slot_local DESC) AS n FROM observations
          ORDER BY slot_local DESC LIMIT 700)
    WHERE n % 5 = 0 OR n % 7 = 0 OR okta = 9;
    INSERT INTO celaje_labels (station, slot_local, observer, okta, draw, created_at)
    SELECT station, slot_local, 'Beto', abs(okta - 1), draw, '2026-01-02 00:00:00'
    FROM celaje_labels WHERE okta < 9 AND substr(slot_local, 15, 1) IN ('0', '3');";

/// The readings that were judged: the first label of each picture drawn at random.
const JUDGED: &str = "(SELECT min(l.created_at), l.okta AS seen, o.okta AS said, \
    o.confidence AS sure, o.okta_low AS low, o.okta_high AS high \
    FROM celaje_labels AS l JOIN observations AS o USING (station, slot_local) \
    WHERE l.draw = 'random' AND l.okta IS NOT NULL GROUP BY slot_local)";

/// How right the readings are by the labels.
async fn accuracy(browser: &Browser, scene: &Scene, record: &mut Record) {
    browser.visit(&scene.view("skill")).await;
    let judged = |which: &str| format!("{JUDGED} WHERE seen < 9 AND {which}");
    let tables = browser
        .run(
            "return Object.fromEntries([...document.querySelectorAll('main .scroll')].map(box => \
             [box.getAttribute('aria-label'), [...box.querySelectorAll('tbody tr')].map(row => \
             [...row.cells].map(cell => cell.textContent))]))",
        )
        .await;
    let mut share = |hit: &str, of: &str| {
        let (hits, n) = (judged(&format!("{of} AND {hit}")), judged(of));
        wilson(record.count(&hits), record.count(&n))
    };
    let figures = &tables["Accuracy"];
    let expected = [
        share("said = seen", "1"),
        share("said < 9 AND abs(said - seen) <= 1", "1"),
        share("seen BETWEEN low AND high", "low IS NOT NULL"),
    ];
    for (row, expected) in expected.iter().enumerate() {
        assert_eq!(figures[row][1], *expected, "{figures}");
    }
    let sure = judged("said < 9 AND sure IS NOT NULL");
    for (row, what, digits, from) in [
        (3, "avg(said - seen)", 2, &judged("said < 9")),
        (4, "100 * avg(sure)", 0, &sure),
        (5, "100 * (avg(sure) - avg(said = seen))", 0, &sure),
    ] {
        let told = figures[row][1].as_str().unwrap();
        let exact = sql(record, &format!("CAST({what} AS TEXT) FROM {from}"));
        assert!(is_rounded(told, &exact, digits), "{what} is {exact}: {figures}");
    }
    let all = record.count(&judged("1"));
    assert!(browser.text().await.contains(&format!("From {all} labelled pictures")));
    // Each bin of the confidence.
    let bins = "min(CAST(sure * 10 AS INTEGER), 9)";
    let expected = record.texts(&format!(
        "SELECT (10 * {bins}) || '–' || (10 * {bins} + 10) || ' %|' || count(*) || '|' || \
         (100 * avg(sure)) || '|' || sum(said = seen) FROM {sure} GROUP BY {bins}"
    ));
    let told = tables["Reliability of the confidence"].as_array().unwrap();
    assert_eq!(told.len(), expected.len(), "{told:?} {expected:?}");
    for (row, expected) in told.iter().zip(&expected) {
        let cells: Vec<_> = expected.split('|').collect();
        let right = wilson(cells[3].parse().unwrap(), cells[1].parse().unwrap());
        assert_eq!([&row[0], &row[1], &row[3]], [cells[0], cells[1], &right], "{row}");
        assert!(is_rounded(row[2].as_str().unwrap(), cells[2], 0), "{row}: {expected}");
    }
    // What was seen, and what was read.
    let told = tables["Seen and read"].as_array().unwrap();
    let seen =
        record.texts(&format!("SELECT DISTINCT CAST(seen AS TEXT) FROM {JUDGED} ORDER BY 1"));
    assert!(seen.len() > 8, "{seen:?}");
    for (row, seen) in told.iter().zip(&seen) {
        let mut cells = vec![seen.clone()];
        for said in 0..=9 {
            let n = record.count(&format!("{JUDGED} WHERE seen = {seen} AND said = {said}"));
            cells.push(if n == 0 { "·".to_owned() } else { n.to_string() });
        }
        assert_eq!(*row, serde_json::json!(cells));
    }
    assert_eq!(told.len(), seen.len());
    // The labels themselves.
    let counted = ["1", "draw = 'random'", "draw = 'unsure'", "okta IS NULL"]
        .map(|which| record.count(&format!("celaje_labels WHERE {which}")));
    let [all, random, unsure, untold] = counted;
    assert!([random, unsure, untold].iter().all(|n| *n > 0), "{counted:?}");
    let said = format!(
        "{all} labels: {random} of random pictures, {unsure} of unsure ones; {untold} could not be \
         told."
    );
    let text = browser.text().await;
    assert!(text.contains(&said), "{said}: {text}");
    let each = ["Ana", "Beto"].map(|who| {
        let n = record.count(&format!("celaje_labels WHERE observer = '{who}'"));
        [who.to_owned(), n.to_string()]
    });
    assert_eq!(tables["Labels"], serde_json::json!(each));
    let pairs = "celaje_labels AS a JOIN celaje_labels AS b USING (station, slot_local) \
        WHERE a.observer = 'Ana' AND b.observer = 'Beto' AND a.okta < 9 AND b.okta < 9";
    let n = record.count(pairs);
    let [same, near] = [0, 1].map(|most| {
        wilson(record.count(&format!("{pairs} AND abs(a.okta - b.okta) <= {most}")), n)
    });
    let said =
        format!("{n} pictures with two observers: the same okta, {same}; within one okta, {near}.");
    assert!(text.contains(&said), "{said}: {text}");
    // What the labels of today would make of the confidence: of all labels, by the model's own.
    let first = "(SELECT min(l.created_at), l.okta AS seen, o.okta AS said, o.confidence AS sure \
        FROM celaje_labels AS l JOIN observations AS o USING (station, slot_local) \
        GROUP BY slot_local) WHERE seen < 9 AND said < 9 AND sure IS NOT NULL";
    let labels = record.count(first);
    let before = sql(record, &format!("CAST(100 * avg(sure) AS TEXT) FROM {first}"));
    let report = browser
        .run_async(
            "fetch('api/v1/stations/rio-grande/skill').then(r => r.json()).then(arguments[0])",
        )
        .await;
    let [intercept, slope] =
        ["intercept", "slope"].map(|name| report["offered"][name].as_f64().unwrap());
    let sure = record.texts(&format!("SELECT CAST(sure AS TEXT) FROM {first}"));
    let fitted = sure.iter().map(|sure| {
        let sure: f64 = sure.parse().unwrap();
        1.0 / (1.0 + (-(intercept + slope * (sure / (1.0 - sure)).ln())).exp())
    });
    let after = 100.0 * fitted.sum::<f64>() / sure.len() as f64;
    let said = format!("With the {labels} labels of now, the mean confidence of the labelled");
    let rest = text.split_once(&said).unwrap_or_else(|| panic!("{said}: {text}")).1;
    let (_, rest) = rest.split_once(" from ").unwrap();
    let (told_before, told_after) = rest.split_once(" to ").unwrap();
    assert!(is_rounded(told_before, &before, 0), "{before}: {rest}");
    assert!(is_rounded(told_after, &after.to_string(), 0), "{after}: {rest}");
}

/// Whether `told` begins with the number `exact`, rounded to that many digits; a half may be
/// rounded either way.
pub fn is_rounded(told: &str, exact: &str, digits: i32) -> bool {
    let told = told.split([' ', '\u{a0}']).next().unwrap().replace('−', "-").replace(',', "");
    let off = (told.parse::<f64>().unwrap() - exact.parse::<f64>().unwrap()).abs();
    off <= 0.500_001 / 10_f64.powi(digits)
}

/// A share with Wilson's 95 % interval, as the page writes it.
fn wilson(hits: i64, n: i64) -> String {
    let (p, n, z) = (hits as f64 / n as f64, n as f64, 1.959_963_984_540_054);
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let [low, high] = [middle - half, middle + half].map(|end| end / (1.0 + z * z / n));
    let [p, low, high] = [p, low, high].map(|share| (100.0 * share).round());
    format!("{p} % ({low}–{high} %)")
}

/// How many slots of a day were read, and each mark.
async fn timeline(browser: &Browser, scene: &Scene, record: &mut Record) {
    browser.visit(&scene.view("timeline?days=3")).await;
    let day = "substr((SELECT max(slot_local) FROM observations), 1, 10)";
    let three = format!("FROM observations WHERE slot_local >= date({day}, '-2 days')");
    let marks = "return document.querySelectorAll('[data-kind=timeline] g[data-okta]').length";
    let n = record.number(&format!("SELECT count(*) {three}"));
    assert_eq!(browser.run(marks).await, n);
    let yesterday = format!(
        "FROM observations WHERE substr(slot_local, 1, 10) = \
         date({day}, '-1 day')"
    );
    let n = sql(record, &format!("CAST(count(*) AS TEXT) {yesterday}"));
    let text = browser.text_of("[data-kind=timeline] .canvas").await;
    assert!(text.contains(&format!("{n} / 144")), "{n}: {text}");
    // What each mark says.
    let told = self::marks(browser, "timeline", "reading").await;
    let expected = record.texts(&format!(
        "SELECT slot_local || '|' || okta || '|' || ifnull(100 * cloud_fraction, '') || '|' || \
         ifnull(100 * confidence, '') {three} ORDER BY slot_local"
    ));
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(&expected) {
        let cells: Vec<_> = expected.split('|').collect();
        let slot = chrono::NaiveDateTime::parse_from_str(cells[0], "%Y-%m-%dT%H:%M").unwrap();
        let okta = if cells[1] == "9" { "9 OBSC".to_owned() } else { format!("{}/8", cells[1]) };
        let begin = format!("{} · {okta} ", slot.format("%-d %b %Y, %H:%M"));
        assert!(told.starts_with(&begin), "{begin}: {told}");
        for (name, exact) in [(" · cloud ", cells[2]), (" · confidence ", cells[3])] {
            let said = told.split_once(name).map(|(_, rest)| rest);
            assert_eq!(said.is_some(), !exact.is_empty(), "{told}: {expected}");
            let right = said.is_none_or(|said| is_rounded(said, exact, 0) || exact == "0.0");
            assert!(right, "{told}: {expected}");
        }
    }
    // A row a day.
    browser.visit(&scene.view("timeline?days=30&form=raster")).await;
    let told = self::marks(browser, "raster", "day").await;
    let told: Vec<_> = told.iter().filter(|told| was_read(told)).collect();
    let expected = record.texts(&format!(
        "SELECT avg(okta) || ' ' || count(*) {SEEN} AND okta < 9 AND slot_local >= \
         date({day}, '-29 days') GROUP BY substr(slot_local, 1, 10) ORDER BY slot_local"
    ));
    assert_eq!(told.len(), expected.len(), "{told:?} {expected:?}");
    for (told, expected) in told.iter().zip(&expected) {
        let (mean, n) = expected.split_once(' ').unwrap();
        let said = told.split_once(" · mean ").unwrap().1;
        assert!(is_rounded(said, mean, 1), "{told}: {expected}");
        assert!(said.contains(&format!("oktas · {n} reading")), "{told}: {expected}");
    }
}

/// Readings, misses, first and last.
async fn operations(browser: &Browser, scene: &Scene, record: &mut Record) {
    browser.visit(&scene.view("operations")).await;
    let text = browser.text().await.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, of) in [("Readings", "observations"), ("Missed slots", "misses")] {
        let n = sql(record, &format!("printf('%,d', count(*)) FROM {of}"));
        assert!(text.contains(&format!("{name} {n}")), "{name} {n}: {text}");
    }
    for (reason, said) in
        [("timeout", "did not arrive in time"), ("truncated", "incomplete picture")]
    {
        let n = record.count(&format!("misses WHERE reason = '{reason}'"));
        assert!(text.contains(&format!("{said} {n}")), "{said} {n}: {text}");
    }
    let model = record.texts(
        "SELECT model || printf(' %,d|', count(*)) || substr(min(slot_local), 12, 5) || '|' || \
         substr(max(slot_local), 12, 5) FROM observations GROUP BY model",
    );
    let [model] = model.as_slice() else { panic!("{model:?}") };
    let mut rest = text.as_str();
    for part in model.split('|') {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part}: {text}")).1;
    }
    let run = record.texts(
        "SELECT id || '|' || 'finished ' || new || ' ' || duplicates || ' ' || missed FROM runs",
    );
    for part in run.iter().flat_map(|run| run.split('|')) {
        assert!(text.contains(part), "{part}: {text}");
    }
    for (name, end) in [("First reading", "min"), ("Last reading", "max")] {
        let minute = sql(record, &format!("substr({end}(slot_local), 12, 5) FROM observations"));
        let rest = text.split_once(name).unwrap().1;
        let told: String = rest.chars().take(24).collect();
        assert!(told.contains(&minute), "{name} {minute}: {told}");
    }
}
