//! The dashboard in a real browser (headless Chromium), as people use it: from the first visit to
//! printing. Skipped, and said so, where there is no browser.
//!
//! The accessibility pass needs axe-core: `CELAJE_TEST_AXE` is the path of its `axe.min.js`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod always_on;
mod counts;
mod dates;
mod described;
mod driver;
mod export;
mod folder;
mod follows;
mod label;
mod numbers;
mod paths;
mod proxied;
mod raster;
mod replaced;
mod scene;
mod states;
mod tonight;

use driver::Browser;
use scene::{Reading, Scene, reading, slot};
use support::server::Reply;

const VIEWS: [&str; 6] = ["now", "timeline", "history", "gallery", "operations", "skill"];

#[tokio::test]
async fn a_new_slot_is_shown_without_loading_the_page_again() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(1, 2), 100, 1);
    browser.visit(&scene.view("now")).await;
    browser.until("document.querySelector('.link.live')").await;
    browser.run("window.celajeSeen = 1").await;
    assert!(browser.text_of(".reading .okta").await.starts_with('2'));
    scene.write(Reading { quality: "low_confidence,frozen", ..reading(0, 7) });
    let shown = "document.querySelector('.reading .okta').textContent";
    browser.until(&format!("{shown}.startsWith('7')")).await;
    assert_eq!(browser.run("return window.celajeSeen").await, 1, "the page was loaded again");
    let text = browser.text().await;
    for word in ["broken", "BKN", "low confidence", "repeated picture", "88 %", "celaje-4 4"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let heard = browser.text_of("#announce").await;
    assert!(heard.contains("7/8 broken"), "{heard}");
    browser.until("(document.querySelector('.shot img') || {}).naturalWidth > 0").await;
    // A row of yesterday, as a backfill writes it, is drawn into the last day, too.
    browser.whole().await;
    let marks = "document.querySelectorAll('[data-kind=timeline] .reading').length";
    let before = browser.run(&format!("return {marks}")).await;
    assert_eq!(before, 101);
    scene.write(reading(120, 3));
    browser.until(&format!("{marks} === 102")).await;
}

#[tokio::test]
async fn a_sky_that_is_not_seen_has_its_own_mark_and_opens_its_picture() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(4, 8), 60, 10);
    let hidden = Reading { quality: "dark,no_sky", ..reading(2, 9) };
    scene.write(hidden);
    browser.visit(&scene.view("now")).await;
    let text = browser.text().await;
    assert!(text.contains("cielo no visible") && text.contains("OBSC"), "{text}");
    assert!(!text.contains("9/8"), "{text}");
    browser.visit(&scene.view("timeline?days=3")).await;
    let legend = browser.text_of(".legend").await;
    assert!(legend.contains("cielo no visible") && legend.contains("sin lectura"), "{legend}");
    assert_eq!(browser.run("return document.querySelectorAll('.canvas .veil').length").await, 1);
    let mark = format!("g[data-slot='{}']", slot(2).format("%Y-%m-%dT%H:%M"));
    let name = browser
        .run(&format!("return document.querySelector(\"{mark}\").getAttribute('aria-label')"))
        .await;
    assert!(name.as_str().unwrap().contains("9 OBSC (cielo no visible)"), "{name}");
    // It lies on top for a pointer, its crosses do not.
    let hit = format!(
        "const box = document.querySelector(\"{mark}\").getBoundingClientRect();\
         const found = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);\
         return found.closest('g').dataset.okta"
    );
    assert_eq!(browser.run(&hit).await, "9");
    browser.click(&mark).await;
    browser
        .until("(document.querySelector('dialog[open] .shot img') || {}).naturalWidth > 0")
        .await;
    let told = browser.text_of("dialog").await;
    assert!(told.contains("cielo no visible") && told.contains("casi sin luz"), "{told}");
    // In no mean: its share is told beside it.
    browser.visit(&scene.view("history?span=week")).await;
    let said = "return [...document.querySelectorAll('[data-kind=history] g')].map(g => \
        g.getAttribute('aria-label')).join('\\n')";
    let said = browser.run(said).await;
    assert!(said.as_str().unwrap().contains("cielo no visible"), "{said}");
    let share = "return document.querySelector('[data-kind=distribution] \
        g[data-okta=\"9\"]').getAttribute('aria-label')";
    assert_eq!(browser.run(share).await, "cielo no visible · 2 % · 1 lectura");
}

#[tokio::test]
async fn a_model_under_trial_is_shown_beside_the_record() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 3, 1);
    let slot = slot(0).format("%Y-%m-%dT%H:%M");
    scene.execute(&format!(
        "INSERT INTO shadow_observations (station, slot_local, model, model_sha256, okta, \
        cloud_fraction, confidence, created_at)
         VALUES ('rio-grande', '{slot}', 'nube 3', 'c', 6, 0.74, 0.9, '2026-01-01T00:00:00Z')"
    ));
    browser.visit(&scene.view("timeline?days=1")).await;
    browser.click(&format!("g[data-slot='{slot}']")).await;
    browser.until("document.querySelector('dialog[open] .trial')").await;
    let told = browser.text_of("dialog .trial").await;
    for word in ["6/8 muy nublado", "+1 octa de diferencia con el registro", "74 %", "nube 3"] {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[tokio::test]
async fn both_languages_are_spoken_everywhere() {
    let Some(browser) = Browser::start("es").await else {
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
                "Keograma",
                "Modelos del registro",
                "Todavía no hay etiquetas suficientes",
            ],
        ),
        (
            "en",
            [
                "Cloud fraction",
                "confidence",
                "trend",
                "Keogram",
                "Models in the record",
                "Not enough labels yet",
            ],
        ),
    ];
    browser.visit(&scene.url).await;
    for (language, words) in words {
        if language == "en" {
            browser.click("#lang").await;
        }
        for (view, word) in VIEWS.iter().zip(words) {
            browser.visit(&scene.view(view)).await;
            assert_eq!(browser.run("return document.documentElement.lang").await, language);
            // What is read out counts as well as what is written.
            let said = browser
                .run(
                    "return document.body.innerText + \
                    [...document.querySelectorAll('[aria-label]')].map(e => \
                    e.getAttribute('aria-label')).join(' ')",
                )
                .await;
            let said = said.as_str().unwrap();
            assert!(said.contains(word), "{language} {view} lacks {word}: {said}");
            assert!(!said.contains('{'), "{language} {view} has a hole: {said}");
            for key in ["ops.", "now.", "chart.", "flag.", "reason.", "skill.", "label.", "alerts."]
            {
                // Behind a key stands more of it, behind a sentence nothing or a blank.
                let key = format!(" {key}");
                let mut behind = said.split(&key).skip(1);
                assert!(
                    !behind.any(|rest| rest.starts_with(char::is_alphabetic)),
                    "{language} {view} shows a key: {said}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_phone_never_scrolls_sideways_and_a_wall_is_filled() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 1000, 7);
    browser.prefer("es", true).await;
    for (width, height) in [(360, 740), (2560, 1440)] {
        browser.size(width, height).await;
        for view in VIEWS {
            browser.visit(&scene.view(view)).await;
            let wide = browser.run("return document.documentElement.scrollWidth").await;
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{view} is {wide} wide");
            let main = browser
                .run(
                    "const cards = [...document.querySelectorAll('main section.card')].map(card => \
                    card.getBoundingClientRect());\
                     return Math.max(...cards.map(box => box.right)) - Math.min(...cards.map(box \
                     => box.left))",
                )
                .await;
            assert!(main.as_f64().unwrap() > f64::from(width) * 0.9, "{view}: {main}");
            // Nobody scrolls before a wall.
            if view == "now" && width > 2000 {
                let tall = browser.run("return document.documentElement.scrollHeight").await;
                assert!(tall.as_u64().unwrap() <= u64::from(height), "{tall}");
            }
            // Fingers need room; what is a link inside a sentence is let off.
            let small = browser
                .run(
                    "return [...document.querySelectorAll('button, select, nav a')].filter(e => \
                    e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.outerHTML)",
                )
                .await;
            assert_eq!(small, serde_json::json!([]), "{view}");
        }
    }
}

/// What was asked of the program for a view: how many things, how many that are no part of the page
/// itself, the most bytes of one answer, and which. A chart may be asked for again: the program has
/// just heard of the rows that the test wrote.
async fn asked(browser: &Browser) -> (u64, u64, u64, String) {
    let asked = browser
        .run(
            "const all = performance.getEntriesByType('resource');\
             const names = [...new Set(all.map(e => e.name))];\
             const own = names.filter(name => !new URL(name).pathname.startsWith('/assets/'));\
             return [names.length, own.length, Math.max(...all.map(e => e.decodedBodySize)), own]",
        )
        .await;
    let number = |i: usize| asked[i].as_u64().unwrap_or_else(|| panic!("{asked}"));
    (number(0), number(1), number(2), asked[3].to_string())
}

#[tokio::test]
async fn a_year_is_few_small_questions_and_its_gaps_stay_gaps() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 365 * 144, 9);
    // How long the first view takes is measured by benches/paint.sh; here is what it depends on.
    for (view, most, most_own, largest) in
        [("now", 37, 9, 120_000), ("history?span=year", 37, 11, 200_000)]
    {
        browser.visit(&scene.view(view)).await;
        let (all, own, bytes, names) = asked(&browser).await;
        assert!(all <= most && own <= most_own, "{view}: {all}, of these {own}: {names}");
        assert!(bytes <= largest, "{view}: an answer of {bytes} bytes");
        let marked =
            browser.run("return performance.getEntriesByType('mark').map(m => m.name)").await;
        assert!(marked.to_string().contains("celaje-chart"), "{view}: {marked}");
    }
    let count = |kind: &str, class: &str| {
        format!("return document.querySelectorAll('[data-kind={kind}] .{class}').length")
    };
    let number = async |kind, class| browser.run(&count(kind, class)).await.as_u64().unwrap();
    assert_eq!(browser.run("return document.querySelectorAll('.canvas svg').length").await, 8);
    assert!(number("history", "mean").await >= 364);
    assert!(number("calendar", "cell").await > 300);
    assert_eq!(number("climatology", "cell").await, 288);
    assert_eq!(number("nights", "nights").await, 12);
    // A click on a day of the calendar opens it slot by slot, every ninth slot hatched.
    browser.click("[data-kind=history] .mean:nth-last-of-type(3)").await;
    browser.until("location.hash.startsWith('#/timeline?days=1')").await;
    browser
        .until("document.querySelectorAll('[data-kind=timeline] .reading').length === 128")
        .await;
    assert_eq!(number("timeline", "gap").await, 16);
}

/// A picture as large cameras send them, with the grain of a night: more bytes than the whole view
/// may have.
fn large_picture() -> Vec<u8> {
    let mut grain = 1_u32;
    let picture = image::RgbImage::from_fn(2592, 1944, |x, y| {
        grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let cloud = (f64::from(x) / 170.0).sin() * (f64::from(y) / 110.0).cos() * 60.0;
        let light = (120.0 + cloud + f64::from(grain >> 28)) as u8;
        image::Rgb([light, light, light.saturating_add(20)])
    });
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 92);
    picture.write_with_encoder(encoder).unwrap();
    bytes
}

#[tokio::test]
async fn the_first_view_on_a_phone_is_less_than_300_kilobytes() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let picture = large_picture();
    assert!(picture.len() > 800_000, "{}", picture.len());
    let scene = Scene::before(move |_, _| Reply::Body(picture.clone()));
    scene.write_many(reading(0, 5), 1000, 7);
    let phone = serde_json::json!({
        "width": 390, "height": 844, "deviceScaleFactor": 3, "mobile": true
    });
    browser.command("Emulation.setDeviceMetricsOverride", phone).await;
    browser.visit(&scene.view("now")).await;
    browser.until("(document.querySelector('.shot img') || {}).naturalWidth > 0").await;
    // As they came over the line, heads too.
    let told = browser
        .run(
            "const all = ['navigation', 'resource'].flatMap(of => \
             performance.getEntriesByType(of));\
             const told = all.map(e => [e.transferSize, new URL(e.name).href]);\
             const bytes = told.reduce((sum, [bytes]) => sum + bytes, 0);\
             return [bytes, told.sort((a, b) => b[0] - a[0])]",
        )
        .await;
    let bytes = told[0].as_u64().unwrap();
    let has_picture = told[1].to_string().contains("/picture?width=");
    // Words, scripts, styles and two charts alone are more than 60 kilobytes.
    assert!((60_000..300_000).contains(&bytes) && has_picture, "{told}");
}
