//! Who has no pointer, or does not see.

use std::io::Write as _;

use chrono::NaiveDate;

use crate::VIEWS;
use crate::driver::Browser;
use crate::numbers::LABELS;
use crate::scene::{Reading, Scene, reading, slot, write_rows};
use crate::support::server::Reply;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const LEFT: &str = "\u{e012}";
const RIGHT: &str = "\u{e014}";
const ESCAPE: &str = "\u{e00c}";

#[tokio::test]
async fn a_keyboard_reaches_a_slot_and_opens_its_picture() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 300, 1);
    browser.visit(&scene.view("timeline?days=1")).await;
    for _ in 0..40 {
        browser.press(TAB).await;
        if browser.run("return !!document.activeElement.closest('.canvas')").await == true {
            break;
        }
    }
    let focused = "return document.activeElement.dataset.slot";
    let last = slot(0).format("%Y-%m-%dT%H:%M").to_string();
    assert_eq!(browser.run(focused).await, last.as_str());
    browser.press(LEFT).await;
    let before = slot(1).format("%Y-%m-%dT%H:%M").to_string();
    assert_eq!(browser.run(focused).await, before.as_str());
    let tip = browser.run("return document.getElementById('tip').textContent").await;
    assert!(tip.as_str().unwrap().contains("confidence"), "{tip}");
    browser.press(ENTER).await;
    browser
        .until("(document.querySelector('dialog[open] .shot img') || {}).naturalWidth > 0")
        .await;
    let text = browser.run("return document.querySelector('dialog').innerText").await;
    assert!(text.as_str().unwrap().contains("Cloud fraction"), "{text}");
}

/// What has the focus: where it is in the page, what it is called, and whether its outline shows.
const FOCUSED: &str = "const e = document.activeElement; const style = getComputedStyle(e);\
    const box = e.getBoundingClientRect();\
    return {name: e.getAttribute('aria-label') || e.textContent.trim().slice(0, 40) || e.id || \
    e.type || e.tagName,\
        body: e === document.body, dialog: !!e.closest('dialog'), y: box.top + scrollY,\
        at: [...document.querySelectorAll('*')].indexOf(e),\
        seen: box.width > 0 && box.height > 0 && style.outlineStyle !== 'none' && \
        parseFloat(style.outlineWidth) >= 2}";

#[tokio::test]
async fn tab_walks_in_order_and_the_focus_is_always_seen() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 300, 1);
    for view in VIEWS.into_iter().chain(["label", "timeline?days=7&form=raster"]) {
        browser.visit(&scene.view(view)).await;
        // A keogram is drawn again until all its strips are there.
        browser.until("!document.querySelector('[data-waiting]:not([data-waiting=\"0\"])')").await;
        // From the beginning of the page, wherever the view has put the focus.
        let begin = "document.body.tabIndex = -1; document.body.focus(); \
            document.body.removeAttribute('tabindex')";
        browser.run(begin).await;
        let (mut last, mut names) = (-1, Vec::new());
        loop {
            browser.press(TAB).await;
            let focused = browser.run(FOCUSED).await;
            let at = focused["at"].as_i64().unwrap();
            // After the last one the walk begins anew.
            if focused["body"] == true || at < last {
                break;
            }
            if at == last {
                continue;
            }
            last = at;
            assert_eq!(focused["seen"], true, "{view}: {focused}");
            names.push(focused["name"].to_string());
            assert!(names.len() < 90, "{view}: {names:?}");
        }
        let controls = "return [...document.querySelectorAll('a[href], button:not(:disabled), \
            select:not(:disabled), input:not(:disabled), summary, [tabindex=\"0\"]')].filter(e => \
            e.tabIndex >= 0 && e.getClientRects().length && e.checkVisibility()).length";
        // A chart is one stop.
        let controls = browser.run(controls).await.as_u64().unwrap() as usize;
        assert!(names.len() >= controls, "{view}: {} of {controls}: {names:?}", names.len());
    }
}

#[tokio::test]
async fn a_dialog_keeps_the_focus_and_gives_it_back() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 300, 1);
    browser.visit(&scene.view("timeline?days=1")).await;
    let name = "return (document.activeElement.getAttribute('aria-label') || \
        document.activeElement.textContent).replace(/\\u00a0/g, ' ')";
    browser.run("document.querySelector('.canvas g[tabindex=\"0\"]').focus()").await;
    let before = browser.run(name).await;
    browser.press(ENTER).await;
    browser.until("document.querySelector('dialog[open] .under')").await;
    // A reading that comes meanwhile has the chart drawn anew.
    let drawn = "document.querySelector('figure.chart').reload().then(arguments[0])";
    browser.run_async(drawn).await;
    for _ in 0..8 {
        browser.press(TAB).await;
        let focused = browser.run(FOCUSED).await;
        // The browser's own frame has its turn between the last and the first.
        assert!(focused["dialog"] == true || focused["body"] == true, "{focused}");
    }
    // Who goes from slot to slot stays at the same button.
    browser.run("document.querySelector('dialog [data-step=back]').focus()").await;
    let title = browser.text_of("#viewer-title").await;
    for _ in 0..2 {
        let before = browser.text_of("#viewer-title").await;
        browser.press(ENTER).await;
        browser
            .until(&format!("document.getElementById('viewer-title').textContent !== '{before}'"))
            .await;
        browser.until("(document.activeElement.dataset || {}).step === 'back'").await;
    }
    assert_ne!(browser.text_of("#viewer-title").await, title);
    browser.press(ESCAPE).await;
    browser.until("!document.querySelector('dialog[open]')").await;
    browser.until(&format!("(() => {{ {name} }})() === {before}")).await;
}

/// Goes on with Tab until what `selector` names has the focus.
async fn reach(browser: &Browser, selector: &str) {
    let reached = format!("return document.activeElement.matches(\"{selector}\")");
    for _ in 0..90 {
        if browser.run(&reached).await == true {
            return;
        }
        browser.press(TAB).await;
    }
    panic!("the keyboard does not reach {selector}");
}

#[tokio::test]
async fn a_keyboard_goes_from_view_to_view_and_opens_what_is_in_them() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 1500, 7);
    scene.execute(
        "INSERT INTO stations (id, name, latitude, longitude, time_zone)
         VALUES ('other', 'Other', -54.8, -68.3, 'America/Argentina/Ushuaia')",
    );
    browser.visit(&scene.view("now")).await;
    // The first stop leads past the head of the page.
    browser.run("document.activeElement.blur()").await;
    browser.press(TAB).await;
    assert_eq!(browser.run("return document.activeElement.id").await, "skip");
    // The mask's share follows the arrows.
    reach(&browser, ".fade input").await;
    browser.press(RIGHT).await;
    browser.until("document.querySelector('.fade input').value === '5'").await;
    // From view to view; the heading has the focus after that.
    for view in ["timeline", "history", "gallery", "skill", "operations", "now"] {
        browser.run("document.querySelector('#skip').focus()").await;
        reach(&browser, &format!("#nav a[data-view='{view}']")).await;
        browser.press(ENTER).await;
        browser.until(&format!("document.querySelector('main').dataset.view === '{view}'")).await;
        browser.until("document.activeElement.matches('main h1')").await;
        browser.whole().await;
    }
    // The other station, and back.
    for name in ["Other", "Estación Astronómica Río Grande"] {
        browser.until("document.querySelectorAll('.stations strong').length === 2").await;
        reach(&browser, ".stations button[aria-pressed='false']").await;
        browser.press(ENTER).await;
        let chosen = "document.getElementById('station').selectedOptions[0].textContent";
        browser.until(&format!("{chosen} === '{name}'")).await;
        browser.whole().await;
    }
    // A range, a day of the calendar, a row of the raster, a picture of the gallery.
    browser.visit(&scene.view("history?span=week")).await;
    reach(&browser, ".group button:nth-child(4)").await;
    browser.press(ENTER).await;
    browser.until("location.hash.includes('span=year')").await;
    browser.whole().await;
    for (view, mark, opens) in [
        ("history?span=year", "[data-kind=calendar] .cell", "location.hash.includes('days=1')"),
        ("timeline?days=30", "[data-kind=raster] .day", "location.hash.includes('days=1')"),
        ("gallery", ".tiles button", "document.querySelector('dialog[open] .under')"),
    ] {
        browser.visit(&scene.view(view)).await;
        if view.starts_with("timeline") {
            reach(&browser, "main .bar > button[aria-pressed]").await;
            browser.press(ENTER).await;
            browser.until("document.querySelector('[data-kind=raster] .day')").await;
            browser.whole().await;
        }
        reach(&browser, mark).await;
        browser.press(ENTER).await;
        browser.until(opens).await;
    }
    browser.press(ESCAPE).await;
    browser.until("document.activeElement.matches('.tiles button')").await;
    // What is not there yet is answered with 404, which the browser writes down.
    let complaints = browser.complaints().await;
    let others: Vec<_> = complaints.iter().filter(|line| !line.contains("/latest")).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn axe_finds_nothing_serious() {
    let Some(path) = std::env::var_os("CELAJE_TEST_AXE") else {
        let _ = writeln!(std::io::stderr(), "skipped: CELAJE_TEST_AXE names no axe.min.js");
        return;
    };
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let axe = std::fs::read_to_string(path).unwrap();
    let scene = Scene::new();
    let check = |found: serde_json::Value, what: String| {
        let found = found.as_array().cloned().unwrap_or_else(|| panic!("{what}: {found}"));
        assert!(found.is_empty(), "{what}: {found:#?}");
    };
    let script = format!(
        "{axe};\nconst done = arguments[arguments.length - 1];\
         axe.run(document, {{resultTypes: ['violations']}}).then(\
         (r) => done(r.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')\
         .map((v) => [v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html + ' ' + \
         n.failureSummary)])),\
         (e) => done(String(e)));"
    );
    for view in VIEWS.into_iter().chain(["label"]) {
        browser.visit(&scene.view(view)).await;
        check(browser.run_async(&script).await, format!("{view}, empty"));
    }
    // The last reading is old, and the camera stood still.
    scene.write_many(Reading { quality: "night,frozen", ..reading(20, 5) }, 1000, 7);
    scene.miss(slot(3), "timeout");
    scene.execute(LABELS);
    let more = ["label", "timeline?days=7&form=raster", "history?span=year", "gallery?noon=1"];
    for theme in ["light", "dark", "red"] {
        browser.prefer("es", theme != "light").await;
        browser.run(&format!("localStorage.setItem('celaje.theme', '{theme}')")).await;
        for view in VIEWS.into_iter().chain(more) {
            browser.visit(&scene.view(view)).await;
            check(browser.run_async(&script).await, format!("{view}, {theme}"));
        }
        browser.visit(&scene.view("now")).await;
        browser.click(".canvas g[data-slot]").await;
        browser.until("document.querySelector('dialog[open] .under')").await;
        check(browser.run_async(&script).await, format!("viewer, {theme}"));
        browser.open(&format!("{}/api/", scene.url)).await;
        browser.until("document.querySelectorAll('details').length > 40").await;
        browser.run("document.querySelector('details').open = true").await;
        check(browser.run_async(&script).await, format!("/api/, {theme}"));
    }
    // What is rare: a camera that is gone, two stations, a night without end.
    let gone = Scene::before(|_, _| Reply::Reset);
    gone.write_many(reading(0, 5), 300, 7);
    gone.execute(
        "INSERT INTO stations (id, name, latitude, longitude, time_zone)
         VALUES ('other', 'Other', -54.8, -68.3, 'America/Argentina/Ushuaia')",
    );
    let polar = Scene::prepared("", &["--clock", "2024-12-21T09:03:00Z@1"], |record| {
        record.execute("UPDATE stations SET latitude = 69.65, longitude = 18.96");
        let day = NaiveDate::from_ymd_opt(2024, 12, 21).unwrap();
        let last = day.and_hms_opt(6, 2, 0).unwrap();
        write_rows(record, Reading { slot: last, ..reading(0, 1) }, 30, 1);
    });
    for (scene, what, sign) in [
        (&gone, "dead camera, two stations", "document.querySelector('.stations strong')"),
        (&polar, "polar night", "document.querySelector('.advice').textContent"),
    ] {
        for dark in [false, true] {
            browser.prefer("es", dark).await;
            for view in ["now", "gallery", "operations"] {
                browser.visit(&scene.view(view)).await;
                if view == "now" {
                    browser.until(sign).await;
                    browser.until("document.querySelector('.shot.here, .shot .lost')").await;
                }
                check(browser.run_async(&script).await, format!("{what}: {view}, dark: {dark}"));
            }
        }
    }
    browser.visit(&scene.view("now")).await;
    browser.click(".canvas g[data-slot]").await;
    browser.until("document.querySelector('dialog[open] .under')").await;
    // It would have found something: a picture without a text, a button without a name.
    browser
        .run(
            "document.querySelector('dialog').append(new Image(), \
        document.createElement('button'))",
        )
        .await;
    let found = browser.run_async(&script).await.to_string();
    assert!(found.contains("image-alt") && found.contains("button-name"), "{found}");
}
