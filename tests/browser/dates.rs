//! Days are written and read in the page's own form, whatever the browser's language.

use serde_json::json;

use crate::driver::Browser;
use crate::scene::{Scene, reading, slot};

const ENTER: &str = "\u{e007}";
const DOWN: &str = "\u{e015}";
const FIELD: &str = "document.querySelector('.date .day')";

/// Writes `text` into the first field in place of what it holds, and ends with Enter.
async fn write(browser: &Browser, text: &str) {
    browser.run(&format!("{FIELD}.focus(); {FIELD}.select()")).await;
    for letter in text.chars() {
        browser.press(&letter.to_string()).await;
    }
    browser.press(ENTER).await;
}

/// What the fields show.
async fn shown(browser: &Browser) -> serde_json::Value {
    let values = "return [...document.querySelectorAll('.date .day')].map(field => field.value)";
    browser.run(values).await
}

#[tokio::test]
async fn a_day_has_one_form_a_language() {
    // The browser's own fields would show an American date.
    let Some(browser) = Browser::start("en-US").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 2000, 7);
    let (to, from) = (slot(0).date(), slot(0).date() - chrono::TimeDelta::days(4));
    let es = |day: chrono::NaiveDate| {
        let months = "ene feb mar abr may jun jul ago sep oct nov dic".split(' ');
        let month = months.into_iter().nth(chrono::Datelike::month0(&day) as usize).unwrap();
        day.format(&format!("%-d {month} %Y")).to_string()
    };
    let en = |day: chrono::NaiveDate| day.format("%-d %b %Y").to_string();
    for (lang, form) in [("es", &es as &dyn Fn(chrono::NaiveDate) -> String), ("en", &en)] {
        for (view, days) in [
            (format!("timeline?days=3&end={to}"), vec![to]),
            (format!("gallery?day={from}"), vec![from]),
            (format!("history?span=range&from={from}&end={to}"), vec![from, to]),
        ] {
            browser.visit(&format!("{}/?lang={lang}#/{view}", scene.url)).await;
            let expected: Vec<_> = days.iter().map(|day| form(*day)).collect();
            assert_eq!(shown(&browser).await, json!(expected), "{lang} {view}");
            // The browser's field is there for its calendar alone.
            let seen = "return [...document.querySelectorAll('input[type=date]')].filter(field => \
                getComputedStyle(field).opacity !== '0' || field.tabIndex >= 0).length";
            assert_eq!(browser.run(seen).await, 0, "{lang} {view}");
        }
    }
}

#[tokio::test]
async fn a_day_is_written_by_keyboard_and_a_wrong_one_is_said() {
    let Some(browser) = Browser::start("en-US").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 2000, 7);
    browser.visit(&scene.view("timeline?days=3")).await;
    let day = |ago: i64| slot(0).date() - chrono::TimeDelta::days(ago);
    let at = |day: chrono::NaiveDate| format!("location.hash.endsWith('end={day}')");
    let label = |day: chrono::NaiveDate| day.format("%-d %b %Y").to_string();
    write(&browser, &day(2).to_string()).await;
    browser.until(&at(day(2))).await;
    browser.whole().await;
    assert_eq!(shown(&browser).await, json!([label(day(2))]));
    write(&browser, &label(day(5)).to_lowercase()).await;
    browser.until(&at(day(5))).await;
    browser.whole().await;
    assert_eq!(shown(&browser).await, json!([label(day(5))]));
    // Who goes on by keyboard is still in the field.
    let held = format!("document.activeElement === {FIELD}");
    browser.until(&held).await;
    browser.press(DOWN).await;
    browser.until(&at(day(6))).await;
    browser.until(&held).await;
    for wrong in ["31 Feb 2026", "2026-13-01", "11/30/2026", "soon"] {
        write(&browser, wrong).await;
        let invalid = format!(
            "return [{FIELD}.matches(':invalid'), {FIELD}.ariaInvalid, \
            {FIELD}.validationMessage.includes('{}')]",
            day(6)
        );
        assert_eq!(browser.run(&invalid).await, json!([true, "true", true]), "{wrong}");
        assert!(browser.run(&format!("return {}", at(day(6)))).await == true, "{wrong}");
    }
    // A day that is right again is no longer wrong.
    write(&browser, &day(3).to_string()).await;
    browser.until(&at(day(3))).await;
    browser.until(&format!("{FIELD}.matches(':valid')")).await;
}
