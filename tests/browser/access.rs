//! Who has no pointer, or does not see.

use std::io::Write as _;

use crate::driver::Browser;
use crate::scene::{Reading, Scene, reading, slot};
use crate::{DRAWN, TURN, VIEWS};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const LEFT: &str = "\u{e012}";

#[tokio::test]
async fn a_keyboard_reaches_a_slot_and_opens_its_picture() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 300, 1);
    browser.prefer("en", false).await;
    browser
        .open(&format!("{}/#/timeline?days=1", scene.url))
        .await;
    browser.until(DRAWN).await;
    for _ in 0..40 {
        browser.press(TAB).await;
        if browser
            .run("return !!document.activeElement.closest('.canvas')")
            .await
            == true
        {
            break;
        }
    }
    let focused = "return document.activeElement.dataset.slot";
    let last = slot(0).format("%Y-%m-%dT%H:%M").to_string();
    assert_eq!(browser.run(focused).await, last.as_str());
    browser.press(LEFT).await;
    let before = slot(1).format("%Y-%m-%dT%H:%M").to_string();
    assert_eq!(browser.run(focused).await, before.as_str());
    let tip = browser
        .run("return document.getElementById('tip').textContent")
        .await;
    assert!(tip.as_str().unwrap().contains("confidence"), "{tip}");
    browser.press(ENTER).await;
    browser
        .until("(document.querySelector('dialog[open] .shot img') || {}).naturalWidth > 0")
        .await;
    let text = browser
        .run("return document.querySelector('dialog').innerText")
        .await;
    assert!(text.as_str().unwrap().contains("Cloud fraction"), "{text}");
}

#[tokio::test]
async fn axe_finds_nothing_serious() {
    let Some(path) = std::env::var_os("CELAJE_TEST_AXE") else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: CELAJE_TEST_AXE names no axe.min.js"
        );
        return;
    };
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let axe = std::fs::read_to_string(path).unwrap();
    let scene = Scene::new();
    let check = |found: serde_json::Value, what: String| {
        let found = found
            .as_array()
            .cloned()
            .unwrap_or_else(|| panic!("{what}: {found}"));
        assert!(found.is_empty(), "{what}: {found:#?}");
    };
    let script = format!(
        "{axe};\nconst done = arguments[arguments.length - 1];\
         axe.run(document, {{resultTypes: ['violations']}}).then(\
         (r) => done(r.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')\
         .map((v) => [v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html + ' ' + n.failureSummary)])),\
         (e) => done(String(e)));"
    );
    browser.prefer("es", false).await;
    browser.open(&scene.url).await;
    browser.until("document.querySelector('.state')").await;
    check(browser.run_async(&script).await, "empty".to_owned());
    scene.write_many(
        Reading {
            quality: "night,frozen",
            ..reading(20, 5)
        },
        1000,
        7,
    );
    for dark in [false, true] {
        browser.prefer("es", dark).await;
        for view in VIEWS {
            browser.open("about:blank").await;
            browser.open(&format!("{}/#/{view}", scene.url)).await;
            browser
                .until("document.querySelector('main h1') && !document.querySelector('.wait')")
                .await;
            if view != "operations" {
                browser.until(DRAWN).await;
            }
            check(
                browser.run_async(&script).await,
                format!("{view}, dark: {dark}"),
            );
        }
    }
    browser.run("document.querySelector('nav a').click()").await;
    browser
        .until("document.querySelector('.canvas g[data-slot]')")
        .await;
    browser.run("document.querySelector('.canvas g[data-slot]').dispatchEvent(new MouseEvent('click', {bubbles: true}))").await;
    browser
        .until("document.querySelector('dialog[open] .under')")
        .await;
    check(browser.run_async(&script).await, "viewer".to_owned());
    // It would have found something: a picture without a text, a button without a name.
    browser.run("document.querySelector('dialog').append(new Image(), document.createElement('button'))").await;
    let found = browser.run_async(&script).await.to_string();
    assert!(
        found.contains("image-alt") && found.contains("button-name"),
        "{found}"
    );
}
