//! What is shown when there is nothing to show: empty, loading, stale, failed.

use serde_json::json;

use crate::VIEWS;
use crate::driver::Browser;
use crate::scene::{Scene, reading, slot};
use crate::support::server::Reply;

#[tokio::test]
async fn a_first_visit_finds_an_empty_record_and_then_its_first_reading() {
    let Some(browser) = Browser::start("es-AR,es").await else {
        return;
    };
    let scene = Scene::new();
    browser.visit(&scene.url).await;
    let text = browser.text().await;
    assert!(text.contains("Todavía no hay lecturas"), "{text}");
    assert!(text.contains("celaje backfill --from"), "{text}");
    for view in &VIEWS[1..] {
        browser.visit(&scene.view(view)).await;
        let text = browser.text().await;
        assert!(!text.contains("No se pudo cargar"), "{view}: {text}");
    }
    browser.visit(&scene.view("now")).await;
    browser.until("document.querySelector('.link.live')").await;
    browser.run("window.celajeSeen = 1").await;
    scene.write(reading(0, 3));
    browser.until("document.querySelector('.reading .okta')").await;
    assert_eq!(browser.run("return window.celajeSeen").await, 1, "the page was loaded again");
    let complaints = browser.complaints().await;
    // What is not there yet is answered with 404, which the browser writes down.
    let others: Vec<_> = complaints.iter().filter(|line| !line.contains("/latest")).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn nothing_is_expected_of_a_record_that_has_not_begun() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    for view in ["timeline", "timeline?days=30&form=raster", "history?span=year", "gallery"] {
        browser.visit(&scene.view(view)).await;
        let text = browser.text().await;
        assert!(text.contains("There are no readings yet"), "{view}: {text}");
        assert!(!text.contains("expected"), "{view}: {text}");
        let gaps = "return document.querySelectorAll('.canvas .gap, .tile.none').length";
        assert_eq!(browser.run(gaps).await, 0, "{view}");
    }
    // With the first reading the view that was asked for is shown.
    browser.visit(&scene.view("timeline?days=1")).await;
    browser.until("document.querySelector('.link.live')").await;
    scene.write(reading(0, 3));
    browser.until("document.querySelectorAll('[data-kind=timeline] .reading').length === 1").await;
    let text = browser.text_of("[data-kind=timeline] .canvas").await;
    assert!(!text.contains("no reading"), "{text}");
}

#[tokio::test]
async fn a_camera_that_has_given_nothing_yet_is_said() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    let [last, before, third] = [0, 1, 2].map(slot);
    scene.miss(before, "timeout");
    browser.visit(&scene.url).await;
    let text = browser.text().await;
    assert!(text.contains("1 picture was requested without success, that of "), "{text}");
    scene.miss(last, "not_found");
    browser.visit(&scene.url).await;
    let text = browser.text().await;
    assert!(text.contains("There are no readings yet"), "{text}");
    let told = |count: u32| {
        format!(
            "{count} pictures were requested without success; the last one, of {}: was not on the \
             camera",
            last.format("%-d %b %Y, %H:%M")
        )
    };
    assert!(text.contains(&told(2)), "{text}");
    // A miss that the page hears of counts once; one that is tried again is no other.
    browser.until("document.querySelector('.link.live')").await;
    scene.miss(third, "timeout");
    browser.until(&format!("document.body.innerText.includes('{}')", told(3))).await;
    scene.execute("UPDATE misses SET attempts = 2, last_tried = '2099-01-01 00:00:00'");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let text = browser.text().await;
    assert!(text.contains(&told(3)), "{text}");
    // No amount stands for none.
    let sign =
        browser.run("return document.querySelector('.sign').innerHTML.includes('okta-')").await;
    assert_eq!(sign, false);
}

#[tokio::test]
async fn what_is_to_come_is_no_gap() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 4), 144, 1);
    let day = slot(0).date();
    browser.visit(&scene.view(&format!("gallery?day={day}"))).await;
    let hours = i64::from(chrono::Timelike::hour(&slot(0)));
    let count = |selector: &str| format!("return document.querySelectorAll('{selector}').length");
    // One tile an hour so far; the hour may have gone on meanwhile.
    let tiles = browser.run(&count(".tiles > li")).await.as_i64().unwrap();
    assert!((hours + 1..=hours + 2).contains(&tiles), "{tiles} at {hours} h");
    assert!(browser.run(&count(".tile.none")).await.as_i64().unwrap() <= 1);
}

#[tokio::test]
async fn a_camera_that_is_down_is_said_and_the_rest_goes_on() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let mut scene = Scene::before(|_, _| Reply::Reset);
    // The last reading is five hours old.
    scene.write_many(reading(30, 4), 200, 1);
    browser.visit(&scene.url).await;
    browser.until("document.querySelector('.shot .lost')").await;
    let text = browser.text().await;
    assert!(text.contains("The picture is not available"), "{text}");
    assert!(text.contains("The last reading is old"), "{text}");
    assert!(text.contains("Try again"), "{text}");
    let minutes = (chrono::Utc::now() - slot(30).and_utc()).num_minutes() - 180;
    let ages = (minutes - 2..=minutes).map(|n| format!("{} h {} min ago", n / 60, n % 60));
    let said = browser.text_of(".note.warn:not([hidden])").await;
    assert!(ages.into_iter().any(|age| said.contains(&age)), "{minutes}: {said}");
    assert!(said.contains("publishes every 10 min"), "{said}");
    // The last day ends now: what is missing of it is seen.
    let until = "return new URL(document.querySelector('[data-kind=timeline] .save a').href)\
        .searchParams.get('to')";
    let until = browser.run(until).await;
    let last = slot(1).format("%Y-%m-%dT%H:%M").to_string();
    assert!(until.as_str().unwrap() >= last.as_str(), "{until} {last}");
    assert!(text.contains("Last 24 hours"), "{text}");
    assert_eq!(
        browser.run("return document.querySelector('input[type=range]').disabled").await,
        true
    );
    // Then the program itself ends.
    browser.until("document.querySelector('.link.live')").await;
    scene.kill();
    browser.until("document.querySelector('.link.lost')").await;
    browser.run("location.hash = '#/history'").await;
    browser.until("document.querySelector('main [role=alert]')").await;
    let text = browser.text().await;
    assert!(text.contains("The program does not answer"), "{text}");
}

#[tokio::test]
async fn slots_that_were_missed_since_the_last_reading_are_said_with_their_reason() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(6, 4), 50, 1);
    browser.visit(&scene.url).await;
    browser.until("document.querySelector('.link.live')").await;
    assert!(!browser.text().await.contains("no tiene lectura"));
    // It is told of by the stream, or by asking anew. Slots that were due count, not those that
    // were asked for; the last one may not be due yet, or the next one may be.
    scene.miss(slot(4), "timeout");
    scene.miss(slot(1), "unreachable");
    browser.visit(&scene.url).await;
    browser.until("document.body.innerText.includes('turnos debidos desde la última')").await;
    let text = browser.text().await;
    let since = |n: u32| format!("{n} turnos debidos desde la última lectura, la del ");
    let told = (5..=7).find(|n| text.contains(&since(*n)));
    let told = told.unwrap_or_else(|| panic!("{text}"));
    let last = slot(6).format("%H:%M, no la tienen").to_string();
    assert!(text.contains(&last), "{last}: {text}");
    // The operations say the same.
    browser.visit(&scene.view("operations")).await;
    let operations = browser.text().await;
    let same = |n: u32| {
        let words: Vec<_> = operations.split_whitespace().collect();
        words.join(" ").contains(&format!("Turnos debidos desde ella {n}"))
    };
    assert!(same(told) || same(told + 1), "{told}: {operations}");
    let time = slot(1).format("%H:%M");
    assert!(text.contains("El último turno no tiene lectura"), "{text}");
    assert!(text.contains("el del "), "{text}");
    assert!(text.contains(&format!("{time}: sin conexión con la cámara")), "{text}");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_said_and_found_again() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 4), 50, 1);
    browser.visit(&scene.url).await;
    scene.execute("ALTER TABLE observations RENAME TO gone");
    for view in VIEWS {
        browser.open("about:blank").await;
        browser.open(&scene.view(view)).await;
        browser.until("document.querySelector('main [role=alert]')").await;
        let said = browser.text_of("main [role=alert]").await;
        assert!(said.contains("This could not be loaded"), "{view}: {said}");
        assert!(said.contains("Try again"), "{view}: {said}");
        // A sentence for people, and no words of the database.
        assert!(!said.contains("gone") && !said.contains("no such table"), "{view}: {said}");
    }
    scene.execute("ALTER TABLE gone RENAME TO observations");
    browser.click("main [role=alert] button").await;
    browser.whole().await;
    // What the program itself found wrong is told until it has looked again.
    browser.until("!document.querySelector('main [role=alert]:not([hidden])')").await;
}

#[tokio::test]
async fn what_takes_long_is_seen_to_be_on_its_way() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 4), 50, 1);
    browser.visit(&scene.url).await;
    let slow = |latency: u32| {
        json!({"offline": false, "latency": latency,
               "downloadThroughput": -1, "uploadThroughput": -1})
    };
    browser.command("Network.enable", json!({})).await;
    browser.command("Network.emulateNetworkConditions", slow(4000)).await;
    for view in ["history", "gallery", "operations", "timeline"] {
        browser.run(&format!("location.hash = '#/{view}'")).await;
        browser.until("document.querySelector('main .wait')").await;
        let said = browser.text_of("main .wait").await;
        assert_eq!(said, "Cargando…", "{view}");
    }
    // Who wants nothing to move sees it stand still.
    let still =
        "return getComputedStyle(document.querySelector('.wait'), '::before').animationName";
    assert_eq!(browser.run(still).await, "turn");
    let features = json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]});
    browser.command("Emulation.setEmulatedMedia", features).await;
    assert_eq!(browser.run(still).await, "none");
    browser.command("Network.emulateNetworkConditions", slow(0)).await;
    browser.whole().await;
}

#[tokio::test]
async fn operations_show_the_alerts_and_what_became_of_their_messages() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("celaje.toml");
    std::fs::write(
        &settings,
        "[[alert]]\nname = 'go out'\nwhen = 'clearing'\nto = ['phone']\n\
         [[sender]]\nid = 'phone'\nkind = 'webhook'\nurl = 'http://127.0.0.1:9/'\n",
    )
    .unwrap();
    let scene = Scene::with(&["--config", settings.to_str().unwrap()]);
    scene.write(reading(0, 3));
    let shows = async |words: &[&str]| {
        browser.visit(&scene.view("operations")).await;
        let text = browser.text().await;
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
    };
    shows(&["go out", "a clearing", "phone", "not judged yet"]).await;
    scene.execute(
        "INSERT INTO alert_states (alert, station, fired, since, judged_to, sent_at) VALUES
         ('go out', 'rio-grande', 1, '2024-03-01 15:00:00', '2024-03-01 15:00:00',
          '2024-03-01 15:00:00');
         INSERT INTO alert_outbox (alert, station, sender, message, created_at, attempts,
                                   next_try, status, last_error) VALUES
         ('go out', 'rio-grande', 'phone', '{}', '2024-03-01 15:00:00', 5,
          '2024-03-01 15:30:00', 'dropped', '127.0.0.1: HTTP 500');",
    );
    shows(&["told", "Given up", "given up", "127.0.0.1: HTTP 500"]).await;
    let counted = browser
        .run("return [...document.querySelectorAll('td .no, td.no')].map(e => e.textContent)")
        .await;
    assert_eq!(counted, json!(["1", "given up"]));
    assert!(browser.complaints().await.is_empty());
}
