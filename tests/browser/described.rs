//! The page that describes the API.

use crate::driver::Browser;
use crate::scene::Scene;

#[tokio::test]
async fn the_page_of_the_api_has_both_languages_and_themes_and_a_way_back() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    browser.prefer("en", false).await;
    browser.open(&format!("{}/api/", scene.url)).await;
    browser.until("document.querySelectorAll('details').length > 40").await;
    let text = browser.text().await;
    assert!(text.contains("The last reading") && text.contains("← Dashboard"), "{text}");
    let ground = "return getComputedStyle(document.documentElement).backgroundColor";
    let light = browser.run(ground).await;
    browser.click("#theme").await;
    assert_ne!(browser.run(ground).await, light);
    browser.click("#lang").await;
    let text = browser.text().await;
    for word in ["La última lectura", "← Tablero", "Imágenes de la cámara"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("The last reading"), "{text}");
    let open = "[...document.querySelectorAll('summary')].find((s) => \
                s.textContent.includes('/api/v1/runs ')).parentElement.open = true";
    browser.run(open).await;
    browser.until("document.querySelector('details[open] form')").await;
    let told = browser.text_of("details[open]").await;
    assert!(told.contains("corridas de la página como máximo"), "{told}");
    // The dashboard remembers what was chosen, and a number keeps its unit.
    browser.run("document.getElementById('back').click()").await;
    browser.until("document.querySelector('#nav a')").await;
    let chosen = "return document.documentElement.lang + document.documentElement.dataset.theme";
    assert_eq!(browser.run(chosen).await, "esdark");
    let words = "import('./assets/words.js').then((words) => arguments[0](words.percent(0.42) === \
                 '42\\u00a0%' && words.percent(0.001) === '<1\\u00a0%'))";
    assert_eq!(browser.run_async(words).await, true);
}
