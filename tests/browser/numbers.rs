//! Every number on the screen is one of the record's.

use crate::driver::Browser;
use crate::scene::{Reading, Scene, reading, slot};
use crate::support::record::Record;

/// The readings that count: those of a camera that stands still say nothing of their slots.
const SEEN: &str = "FROM observations WHERE quality NOT LIKE '%frozen%'";

fn sql(record: &mut Record, what: &str) -> String {
    record.texts(&format!("SELECT {what}")).remove(0)
}

/// A share of SQL as the page writes it.
fn percent(record: &mut Record, part: &str, whole: &str) -> String {
    let [part, whole] = [part, whole].map(|of| record.number(&format!("SELECT {of}")) as f64);
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
    let scene = Scene::new();
    scene.write_many(reading(6, 5), 700, 9);
    scene.write(Reading { quality: "frozen", ..reading(5, 2) });
    scene.write(Reading { quality: "dark,no_sky", ..reading(4, 9) });
    scene.write(reading(0, 3));
    for (ago, reason) in [(3, "timeout"), (2, "timeout"), (1, "truncated")] {
        scene.miss(slot(ago), reason);
    }
    let mut record = scene.record();
    now(&browser, &scene, &mut record).await;
    history(&browser, &scene, &mut record).await;
    timeline(&browser, &scene, &mut record).await;
    operations(&browser, &scene, &mut record).await;
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
    let model = sql(record, &format!("model {last}"));
    assert!(text.contains(&model), "{model}: {text}");
    let since = "misses WHERE slot_local > (SELECT max(slot_local) FROM observations)";
    assert_eq!(record.count(since), 0);
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
}

/// Readings, misses, first and last.
async fn operations(browser: &Browser, scene: &Scene, record: &mut Record) {
    browser.visit(&scene.view("operations")).await;
    let text = browser.text().await.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, of) in [("Readings", "observations"), ("Missed slots", "misses")] {
        let n = record.count(of);
        assert!(text.contains(&format!("{name} {n}")), "{name} {n}: {text}");
    }
    for (reason, said) in
        [("timeout", "did not arrive in time"), ("truncated", "incomplete picture")]
    {
        let n = record.count(&format!("misses WHERE reason = '{reason}'"));
        assert!(text.contains(&format!("{said} {n}")), "{said} {n}: {text}");
    }
    for (name, end) in [("First reading", "min"), ("Last reading", "max")] {
        let minute = sql(record, &format!("substr({end}(slot_local), 12, 5) FROM observations"));
        let rest = text.split_once(name).unwrap().1;
        let told: String = rest.chars().take(24).collect();
        assert!(told.contains(&minute), "{name} {minute}: {told}");
    }
}
