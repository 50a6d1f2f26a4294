//! The dashboard in a real browser (headless Chromium), as people use it: from the first visit to
//! printing. Skipped, and said so, where there is no browser.
//!
//! The accessibility pass needs axe-core: `CELAJE_TEST_AXE` is the path of its `axe.min.js`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod driver;
mod paths;
mod scene;

use driver::Browser;
use scene::{Reading, Scene, reading};
use support::server::Reply;
use tokio::sync::Mutex;

/// One browser at a time: they would slow each other down until patience ends.
static TURN: Mutex<()> = Mutex::const_new(());

const VIEWS: [&str; 5] = ["now", "timeline", "history", "gallery", "operations"];
const DRAWN: &str =
    "document.querySelector('.canvas svg') && !document.querySelector('.canvas.old, .wait')";

#[tokio::test]
async fn a_first_visit_finds_an_empty_record_and_then_its_first_reading() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let scene = Scene::new();
    browser.prefer("es-AR,es", false).await;
    browser.open(&scene.url).await;
    browser.until("document.querySelector('.state')").await;
    let text = browser.text().await;
    assert!(text.contains("Todavía no hay lecturas"), "{text}");
    assert!(text.contains("celaje backfill --from"), "{text}");
    for view in &VIEWS[1..] {
        browser.open(&format!("{}/#/{view}", scene.url)).await;
        browser.until("document.querySelector('main h1')").await;
        browser.until("!document.querySelector('.wait')").await;
        let text = browser.text().await;
        assert!(!text.contains("No se pudo cargar"), "{view}: {text}");
    }
    browser.open(&format!("{}/#/now", scene.url)).await;
    browser.until("document.querySelector('.state')").await;
    browser.until("document.querySelector('.link.live')").await;
    browser.run("window.celajeSeen = 1").await;
    scene.write(reading(0, 3));
    browser
        .until("document.querySelector('.reading .okta')")
        .await;
    assert_eq!(
        browser.run("return window.celajeSeen").await,
        1,
        "the page was loaded again"
    );
    let complaints = browser.complaints().await;
    // What is not there yet is answered with 404, which the browser writes down.
    let others: Vec<_> = complaints
        .iter()
        .filter(|line| !line.contains("/latest"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn a_new_slot_is_shown_without_loading_the_page_again() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(1, 2), 100, 1);
    browser.prefer("en", false).await;
    browser.open(&scene.url).await;
    browser
        .until("document.querySelector('.reading .okta')")
        .await;
    browser.until("document.querySelector('.link.live')").await;
    browser.until(DRAWN).await;
    browser.run("window.celajeSeen = 1").await;
    let shown = "document.querySelector('.reading .okta').textContent";
    assert!(
        browser
            .run(&format!("return {shown}"))
            .await
            .as_str()
            .unwrap()
            .starts_with('2')
    );
    scene.write(Reading {
        quality: "low_confidence,frozen",
        ..reading(0, 7)
    });
    browser.until(&format!("{shown}.startsWith('7')")).await;
    assert_eq!(
        browser.run("return window.celajeSeen").await,
        1,
        "the page was loaded again"
    );
    let text = browser.text().await;
    for word in [
        "broken",
        "BKN",
        "low confidence",
        "repeated picture",
        "88 %",
        "celaje-2 2",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let heard = browser
        .run("return document.getElementById('announce').textContent")
        .await;
    assert!(heard.as_str().unwrap().contains("7/8 broken"), "{heard}");
    browser
        .until("(document.querySelector('.shot img') || {}).naturalWidth > 0")
        .await;
}

#[tokio::test]
async fn both_languages_are_spoken_everywhere() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 1000, 7);
    let words = [
        (
            "es",
            [
                "Fracción de nubes",
                "confianza",
                "tendencia",
                "Queograma",
                "Modelos del registro",
            ],
        ),
        (
            "en",
            [
                "Cloud fraction",
                "confidence",
                "trend",
                "Keogram",
                "Models of the record",
            ],
        ),
    ];
    browser.prefer("es", false).await;
    browser.open(&scene.url).await;
    for (language, words) in words {
        if language == "en" {
            browser.run("document.getElementById('lang').click()").await;
        }
        for (view, word) in VIEWS.iter().zip(words) {
            browser.open(&format!("{}/#/{view}", scene.url)).await;
            browser.until("!document.querySelector('.wait')").await;
            if *view != "operations" {
                browser.until(DRAWN).await;
            }
            assert_eq!(
                browser.run("return document.documentElement.lang").await,
                language
            );
            // What is read out counts as well as what is written.
            let said = browser
                .run("return document.body.innerText + [...document.querySelectorAll('[aria-label]')].map(e => e.getAttribute('aria-label')).join(' ')")
                .await;
            let said = said.as_str().unwrap();
            assert!(
                said.contains(word),
                "{language} {view} lacks {word}: {said}"
            );
            assert!(!said.contains('{'), "{language} {view} has a hole: {said}");
            for key in ["ops.", "now.", "chart.", "flag.", "reason."] {
                assert!(
                    !said.contains(&format!(" {key}")),
                    "{language} {view} shows a key: {said}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_phone_never_scrolls_sideways_and_a_wall_is_filled() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 1000, 7);
    browser.prefer("es", true).await;
    for (width, height) in [(390, 844), (2560, 1440)] {
        browser.size(width, height).await;
        for view in VIEWS {
            browser.open(&format!("{}/#/{view}", scene.url)).await;
            browser
                .until("document.querySelector('main h1') && !document.querySelector('.wait')")
                .await;
            if view != "operations" {
                browser.until(DRAWN).await;
            }
            let wide = browser
                .run("return document.documentElement.scrollWidth")
                .await;
            assert!(
                wide.as_u64().unwrap() <= u64::from(width),
                "{view} is {wide} wide"
            );
            let main = browser.run("return document.querySelector('main > :last-child').getBoundingClientRect().width").await;
            assert!(
                main.as_f64().unwrap() > f64::from(width) * 0.9,
                "{view}: {main}"
            );
            // Fingers need room; what is a link inside a sentence is let off.
            let small = browser
                .run("return [...document.querySelectorAll('button, select, nav a')].filter(e => e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)")
                .await;
            assert_eq!(small, serde_json::json!([]), "{view}");
        }
    }
}

#[tokio::test]
async fn a_year_is_painted_within_a_second_and_its_gaps_stay_gaps() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 365 * 144, 9);
    browser.prefer("en", false).await;
    // The one time that is measured: a second is what the page is allowed.
    // Once to warm the browser up; then as a visitor who has been here before, and one who has not.
    browser
        .open(&format!("{}/assets/icon.svg", scene.url))
        .await;
    for view in ["now", "history?span=year"] {
        browser.open("about:blank").await;
        browser.open(&format!("{}/#/{view}", scene.url)).await;
        browser
            .until("performance.getEntriesByName('first-contentful-paint').length")
            .await;
        let paint = browser
            .run("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
            .await;
        let paint = paint.as_f64().unwrap();
        assert!(paint < 1000.0, "{view} was first painted after {paint} ms");
        browser.until(DRAWN).await;
    }
    let count = |kind: &str, class: &str| {
        format!("return document.querySelectorAll('[data-kind={kind}] .{class}').length")
    };
    browser
        .until("document.querySelectorAll('.canvas svg').length === 6")
        .await;
    assert!(
        browser
            .run(&count("history", "mean"))
            .await
            .as_u64()
            .unwrap()
            >= 364
    );
    assert!(
        browser
            .run(&count("calendar", "cell"))
            .await
            .as_u64()
            .unwrap()
            > 300
    );
    assert_eq!(browser.run(&count("climatology", "cell")).await, 288);
    assert_eq!(browser.run(&count("nights", "nights")).await, 12);
    // A click on a day of the calendar opens it slot by slot, every ninth slot hatched.
    browser.run("document.querySelector('[data-kind=history] .mean:nth-last-of-type(3)').dispatchEvent(new MouseEvent('click', {bubbles: true}))").await;
    browser
        .until("location.hash.startsWith('#/timeline?days=1')")
        .await;
    browser
        .until("document.querySelectorAll('[data-kind=timeline] .reading').length === 128")
        .await;
    assert_eq!(browser.run(&count("timeline", "gap")).await, 16);
}

#[tokio::test]
async fn a_camera_that_is_down_is_said_and_the_rest_goes_on() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut scene = Scene::before(|_, _| Reply::Reset);
    // The last reading is five hours old.
    scene.write_many(reading(30, 4), 200, 1);
    browser.prefer("en", false).await;
    browser.open(&scene.url).await;
    browser.until("document.querySelector('.shot .lost')").await;
    browser.until(DRAWN).await;
    let text = browser.text().await;
    assert!(text.contains("The picture is not available"), "{text}");
    assert!(text.contains("The last reading is old"), "{text}");
    assert!(text.contains("Try again"), "{text}");
    assert_eq!(
        browser
            .run("return document.querySelector('input[type=range]').disabled")
            .await,
        true
    );
    // Then the program itself ends.
    browser.until("document.querySelector('.link.live')").await;
    scene.kill();
    browser.until("document.querySelector('.link.lost')").await;
    browser.run("location.hash = '#/history'").await;
    browser
        .until("document.querySelector('main [role=alert]')")
        .await;
    let text = browser.text().await;
    assert!(text.contains("The program does not answer"), "{text}");
}

#[tokio::test]
async fn a_printed_report_is_paper_without_buttons() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 4000, 9);
    browser.prefer("es", true).await;
    browser
        .open(&format!("{}/#/history?span=month", scene.url))
        .await;
    browser
        .until("document.querySelectorAll('.canvas svg').length === 6")
        .await;
    let media = serde_json::json!({"media": "print"});
    browser.command("Emulation.setEmulatedMedia", media).await;
    let seen = "return [...document.querySelectorAll('button, nav, input, select, .save')].filter(e => e.getClientRects().length).map(e => e.outerHTML)";
    assert_eq!(browser.run(seen).await, serde_json::json!([]));
    let white = "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('.canvas rect')).fill]";
    assert_eq!(
        browser.run(white).await,
        serde_json::json!(["rgb(255, 255, 255)", "rgb(255, 255, 255)"])
    );
    let text = browser.text().await;
    assert!(
        text.contains("Informe de nubosidad · Estación Astronómica Río Grande"),
        "{text}"
    );
    browser
        .command(
            "Emulation.setEmulatedMedia",
            serde_json::json!({"media": ""}),
        )
        .await;
    let pdf = browser.print().await;
    assert!(pdf.starts_with(b"%PDF"));
    let pages = pdf
        .windows(11)
        .filter(|part| part == b"/Type /Page" || part == b"/Type/Page\n")
        .count();
    assert!(
        pdf.len() > 20_000 && (1..=7).contains(&pages),
        "{} bytes, {pages} pages",
        pdf.len()
    );
}
