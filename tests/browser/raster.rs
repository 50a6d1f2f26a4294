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
async fn more_days_than_a_chart_can_show_are_refused_and_fewer_are_shown() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 12 * 144, 1);
    // As many as the address says, none of the choices; the record is shorter than 400.
    for (days, shown) in [(10, 10), (400, 13)] {
        browser.visit(&scene.view(&format!("timeline?days={days}&form=raster"))).await;
        let rows = "return document.querySelectorAll('[data-kind=raster] .day').length";
        let rows = browser.run(rows).await.as_u64().unwrap();
        assert!((shown - 1..=shown).contains(&rows), "{days}: {rows}");
    }
    let old = slot(0) - chrono::TimeDelta::days(500);
    scene.write(crate::scene::Reading { slot: old, ..reading(0, 1) });
    browser.visit(&scene.view("timeline?days=400")).await;
    let said = browser.text_of(".canvas [role=alert]").await;
    assert!(said.contains("this chart shows 366 days at most") && said.contains("400"), "{said}");
}

#[tokio::test]
async fn nobody_is_led_to_before_the_record() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 2 * 144, 1);
    let back = "return document.querySelector('.steps button').disabled";
    for (view, is_first) in [
        ("timeline?days=1", false),
        ("timeline?days=7", true),
        ("history?span=month", true),
        (&format!("gallery?day={}", slot(287).date()), true),
    ] {
        browser.visit(&scene.view(view)).await;
        assert_eq!(browser.run(back).await, is_first, "{view}");
    }
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
async fn two_stations_are_two_whole_columns_where_there_is_room() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(1, 2), 200, 1);
    scene.execute(
        "INSERT INTO stations (id, name, latitude, longitude, time_zone)
         VALUES ('other', 'Other', -54.8, -68.3, 'America/Argentina/Ushuaia')",
    );
    let copied = |only: &str| {
        format!(
            "CREATE TEMP TABLE more AS SELECT * FROM observations WHERE station = 'rio-grande' \
             AND slot_local {only}; UPDATE more SET station = 'other', okta = 7; \
             INSERT INTO observations SELECT * FROM more; DROP TABLE more;"
        )
    };
    scene.execute(&copied("< (SELECT max(slot_local) FROM observations)"));
    browser.size(1600, 1000).await;
    browser.visit(&scene.view("now")).await;
    let told = "return [...document.querySelectorAll('.column')].map(column => [\
        column.querySelector('h1').textContent, column.querySelector('.okta').firstChild.data, \
        column.querySelectorAll('.canvas svg').length, column.querySelectorAll('.shot').length, \
        column.getBoundingClientRect().top])";
    let columns = browser.run(told).await;
    let first = columns[0][0].as_str().unwrap();
    assert!(first.starts_with("Tonight · "), "{columns}");
    let of = |okta: &str| {
        let all = columns.as_array().unwrap();
        all.iter().find(|column| column[1] == okta).unwrap_or_else(|| panic!("{columns}")).clone()
    };
    assert_eq!(of("7")[0], "Tonight · Other");
    for okta in ["2", "7"] {
        assert_eq!((&of(okta)[2], &of(okta)[3]), (&2.into(), &1.into()), "{columns}");
    }
    assert_eq!(columns[0][4], columns[1][4], "side by side");
    // A reading is shown in the column of its station.
    browser.until("document.querySelector('.link.live')").await;
    scene.execute(&copied("= (SELECT max(slot_local) FROM observations)"));
    let time = slot(1).format("%H:%M").to_string();
    let moment = format!(
        "[...document.querySelectorAll('.column')].every(column => \
         column.querySelector('.moment').textContent.includes('{time}'))"
    );
    browser.until(&moment).await;
    // Where there is less room, one of them is shown.
    browser.size(1000, 900).await;
    browser
        .until("!document.querySelector('.column') && document.querySelector('.stations')")
        .await;
    // The address's station goes along, by links and by buttons.
    browser.visit(&scene.view("timeline?days=3&station=other")).await;
    let links = "return [...document.querySelectorAll('#nav a, .brand')]\
        .every(a => a.getAttribute('href').endsWith('?station=other'))";
    assert_eq!(browser.run(links).await, true);
    browser.run("location.hash = '#/operations'").await;
    browser.until("location.hash === '#/operations?station=other'").await;
    assert_eq!(browser.run("return document.getElementById('station').value").await, "other");
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
