//! A row a day; the tab, the themes and the turning screen; stations side by side.

use crate::driver::Browser;
use crate::scene::{Scene, reading, slot};
use chrono::Datelike;

#[tokio::test]
async fn a_year_is_a_row_a_day_with_every_reading_in_it() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 365 * 144, 9);
    browser.visit(&scene.view("timeline?days=365")).await;
    let days = "return document.querySelectorAll('[data-kind=raster] .day').length";
    let days = browser.run(days).await.as_u64().unwrap();
    assert!((364..=366).contains(&days), "{days}");
    let cells = "return [...document.querySelectorAll('[data-kind=raster] .cells')]\
        .flatMap(path => [...path.getAttribute('d').matchAll(/h(\\d+)v1/g)])\
        .reduce((sum, [, n]) => sum + Number(n), 0)";
    let cells = browser.run(cells).await;
    // As many as the file that is offered beside it has rows.
    let rows = browser
        .run_async(
            "const file = document.querySelector('[data-kind=raster] .save a').href;\
             fetch(file).then(r => r.text()).then(text => text.trim().split('\\n').length - 1)\
             .then(arguments[0])",
        )
        .await;
    assert_eq!(cells, rows);
    assert!(rows.as_u64().unwrap() > 46_000, "{rows}");
    let told = browser.text_of("[data-kind=raster] figcaption p").await;
    assert!(told.contains("dashed lines are sunrise and sunset"), "{told}");
    browser.click("[data-kind=raster] .day").await;
    browser.until("location.hash.startsWith('#/timeline?days=1')").await;
    // Of a week there is either.
    browser.visit(&scene.view("timeline?days=7")).await;
    assert_eq!(browser.run("return !!document.querySelector('[data-kind=raster]')").await, false);
    browser.click(".bar > button[aria-pressed]").await;
    browser.until("document.querySelector('[data-kind=raster] .cells')").await;
}

#[tokio::test]
async fn charts_begin_with_the_record() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 300, 1);
    let begins = slot(299);
    let day = begins.format("%Y-%m-%d").to_string();
    scene.execute("UPDATE observations SET confidence = 0.2");
    browser.visit(&scene.view("history?span=year")).await;
    // The sentence is whole; the page names the place elsewhere.
    let said = browser.text_of("[data-kind=confidence] figcaption p").await;
    let whole = "Mean probability that an okta is right; the lowest is 20 %. Orange: below 50 %.";
    assert!(said.ends_with(whole) && !said.contains("Estación"), "{said}");
    for kind in ["history", "confidence"] {
        let said = browser.text_of(&format!("[data-kind={kind}] figcaption p")).await;
        let date = begins.format("%-d %b").to_string();
        assert!(said.starts_with(&date), "{kind} {date}: {said}");
        let csv = format!("return document.querySelector('[data-kind={kind}] .save a').href");
        let csv = browser.run(&csv).await;
        assert!(csv.as_str().unwrap().contains(&format!("from={day}")), "{csv}");
    }
    // Its own months alone: two, where it began in the last one.
    let months = usize::from(begins.month() != slot(0).month()) + 1;
    let count = |what: &str| format!("return document.querySelectorAll('{what}').length");
    let hours = browser.run(&count("[data-kind=climatology] .cell")).await;
    assert_eq!(hours, 24 * months);
    let nights = browser.run(&count("[data-kind=nights] .nights")).await;
    assert_eq!(nights, months);
    browser.visit(&scene.view("timeline?days=90")).await;
    let days = (slot(0).date() - begins.date()).num_days() + 1;
    assert_eq!(browser.run(&count("[data-kind=raster] .day")).await, days);
}

#[tokio::test]
async fn the_tab_has_the_okta_and_red_light_is_the_only_light() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(1, 2), 10, 1);
    browser.visit(&scene.view("operations")).await;
    browser.until("document.title.startsWith('2/8 · Operations · Celaje')").await;
    browser
        .until("document.querySelector('link[rel=icon]').href.startsWith('data:image/svg+xml')")
        .await;
    browser.until("document.querySelector('.link.live')").await;
    scene.write(reading(0, 7));
    browser.until("document.title.startsWith('7/8')").await;
    // Light, dark, red, and light again.
    let worn = "return [document.documentElement.dataset.theme, \
        document.documentElement.dataset.red || null, \
        getComputedStyle(document.body, '::after').mixBlendMode]";
    let button = async || browser.text_of("#theme").await;
    assert_eq!(button().await, "Dark");
    browser.click("#theme").await;
    assert_eq!(button().await, "Red");
    browser.click("#theme").await;
    let red = serde_json::json!(["dark", "1", "multiply"]);
    assert_eq!(browser.run(worn).await, red);
    browser.visit(&scene.view("now")).await;
    assert_eq!(browser.run(worn).await, red, "it is kept");
    browser.click("#theme").await;
    assert_eq!(browser.run(worn).await[0], "light");
    let manifest = browser
        .run_async(
            "fetch(document.querySelector('link[rel=manifest]').href).then(r => r.json())\
             .then(arguments[0])",
        )
        .await;
    assert_eq!(manifest["display"], "standalone");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_screen_that_nobody_touches_turns_its_views() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 2), 200, 1);
    browser.visit(&format!("{}/?kiosk=5#/now", scene.url)).await;
    let hidden = "return document.querySelector('nav').getClientRects().length";
    assert_eq!(browser.run(hidden).await, 0);
    for view in ["timeline", "history", "gallery", "now"] {
        browser.until(&format!("document.querySelector('main').dataset.view === '{view}'")).await;
    }
}

#[tokio::test]
async fn two_stations_are_two_columns() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 2), 20, 1);
    scene.execute(
        "INSERT INTO stations (id, name, latitude, longitude, time_zone)
         VALUES ('other', 'Other', -54.8, -68.3, 'America/Argentina/Ushuaia')",
    );
    browser.visit(&scene.view("now")).await;
    browser.until("document.querySelectorAll('.stations strong').length === 2").await;
    let told = "return [...document.querySelectorAll('.stations button')].map(button => \
        [button.querySelector('.who').textContent, button.dataset.advice, \
        button.getAttribute('aria-pressed'), button.getBoundingClientRect().top])";
    let told = browser.run(told).await;
    assert_eq!(told[0][0], "Other");
    assert_eq!((&told[0][1], &told[0][2]), (&"close".into(), &"false".into()), "{told}");
    assert_eq!(told[0][3], told[1][3], "side by side");
    browser.click(".stations li:nth-child(1) button").await;
    browser.until("document.querySelector('main .state')").await;
    assert_eq!(browser.run("return document.getElementById('station').value").await, "other");
    // The address carries it.
    browser.until("location.hash.includes('station=other')").await;
    for id in ["rio-grande", "other"] {
        browser.visit(&scene.view(&format!("now?station={id}"))).await;
        browser.until(&format!("document.getElementById('station').value === '{id}'")).await;
    }
}
