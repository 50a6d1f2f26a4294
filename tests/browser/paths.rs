//! The dashboard's paths, without a browser.

use reqwest::{Response, StatusCode};

use crate::scene::{Scene, reading, slot};
use crate::support::pictures;
use crate::support::server::Reply;

const KINDS: [&str; 12] = [
    "timeline",
    "history",
    "distribution",
    "confidence",
    "calendar",
    "climatology",
    "nights",
    "keogram",
    "tonight",
    "raster",
    "dark-hours",
    "dark-years",
];

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn get(scene: &Scene, path: &str) -> Response {
    client().get(format!("{}{path}", scene.url)).send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_chart_is_an_svg_and_a_png_in_both_languages() {
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 500, 7);
    for kind in KINDS {
        for (lang, word) in [("es", "Estación"), ("en", "Estación")] {
            // What a page adds to have it fetched again is left alone.
            let path = format!("/charts/{kind}.svg?lang={lang}&theme=dark&t=1704110400&_=7");
            let answer = get(&scene, &path).await;
            assert_eq!(answer.status(), StatusCode::OK, "{kind}");
            assert_eq!(header(&answer, "content-type"), "image/svg+xml");
            assert!(header(&answer, "content-security-policy").contains("default-src 'self'"));
            let svg = answer.text().await.unwrap();
            assert!(svg.contains(word) && svg.contains("#0f141c"), "{kind} {svg:.300}");
        }
        let answer = get(&scene, &format!("/charts/{kind}.png")).await;
        assert_eq!(header(&answer, "content-type"), "image/png", "{kind}");
        let picture = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(picture.width(), 2400, "{kind}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_chart_is_said() {
    let scene = Scene::new();
    for (path, status, part) in [
        ("/charts/pie.svg", 404, "timeline, history"),
        ("/charts/history.gif", 404, "history.gif"),
        ("/charts/history.svg?station=x", 404, "'x'"),
        ("/charts/history.svg?width=12", 400, "width"),
        ("/charts/history.svg?colour=red", 400, "colour"),
        ("/charts/history.svg?from=2026-02-01&to=2026-01-01", 400, "to"),
        ("/assets/none.js", 404, "/api/"),
        ("/assets/main.js?x=1", 400, "x"),
        ("/dashboard/operations?x=1", 400, "x"),
    ] {
        let answer = get(&scene, path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(header(&answer, "content-type"), "application/problem+json", "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(part), "{path}: {text}");
    }
}

#[tokio::test]
async fn files_and_charts_are_fetched_once() {
    let scene = Scene::new();
    scene.write(reading(0, 5));
    for path in ["/", "/assets/main.js", "/assets/chart.css", "/charts/history.svg"] {
        let first = get(&scene, path).await;
        assert_eq!(first.status(), StatusCode::OK);
        let tag = header(&first, "etag").to_owned();
        let again = client()
            .get(format!("{}{path}", scene.url))
            .header("if-none-match", &tag)
            .send()
            .await
            .unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(header(&again, "etag"), tag);
    }
    let before = header(&get(&scene, "/charts/history.svg").await, "etag").to_owned();
    scene.write(reading(1, 5));
    let after = header(&get(&scene, "/charts/history.svg").await, "etag").to_owned();
    assert_ne!(before, after, "a new reading is a new chart");
}

#[tokio::test]
async fn a_hundred_dashboards_get_their_charts_and_others_their_answers() {
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 1000, 7);
    let client = client();
    let ask = async |path: &str| {
        let answer = client.get(format!("{}{path}", scene.url)).send();
        let answer = answer.await.unwrap();
        let status = answer.status();
        (status, answer.bytes().await.unwrap())
    };
    let charts =
        futures_util::future::join_all(
            ["timeline", "history"].iter().cycle().take(100).map(async |kind| {
                ask(&format!("/charts/{kind}.svg?width=900&bare=1&lang=en")).await
            }),
        );
    let others = futures_util::future::join_all(
        (0..30).map(async |_| ask("/api/v1/stations/rio-grande/latest").await),
    );
    let (charts, others) = futures_util::future::join(charts, others).await;
    for (status, body) in charts.iter().chain(&others) {
        let told = String::from_utf8_lossy(body);
        assert_eq!(*status, StatusCode::OK, "{told:.300}");
    }
    // The same question has the same answer, whoever drew it.
    for kind in 0..2 {
        let first = &charts[kind].1;
        assert!(first.starts_with(b"<svg"));
        assert!(charts.iter().skip(kind).step_by(2).all(|(_, body)| body == first));
    }
}

#[tokio::test]
async fn a_keogram_fills_strip_by_strip() {
    let scene = Scene::new();
    // The slot before the last: the last one may not be due yet.
    scene.write_many(reading(1, 5), 6, 1);
    let day = slot(1).date();
    let path = format!("/charts/keogram.svg?from={day}&to={day}&bare=1&width=600");
    let expected = (1..7).filter(|ago| slot(*ago).date() == day).count();
    let mut svg = String::new();
    for _ in 0..200 {
        svg = get(&scene, &path).await.text().await.unwrap();
        if svg.contains("data-waiting=\"0\"") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(svg.matches("class=\"strip\"").count(), expected, "{svg:.300}");
}

#[tokio::test]
async fn a_keogram_that_is_asked_for_by_its_address_is_whole_at_once() {
    let scene = Scene::new();
    scene.write_many(reading(1, 5), 6, 1);
    let day = slot(1).date();
    let expected = (1..7).filter(|ago| slot(*ago).date() == day).count();
    let path = |form: &str| format!("/charts/keogram.{form}?from={day}&to={day}");
    let png = get(&scene, &path("png")).await;
    assert_eq!(png.status(), StatusCode::OK);
    assert_eq!(header(&png, "content-type"), "image/png");
    // What it was drawn from is there now: nothing is on its way any more.
    let page = get(&scene, &(path("svg") + "&bare=1")).await.text().await.unwrap();
    assert!(page.contains("data-waiting=\"0\""), "{page:.300}");
    assert_eq!(page.matches("class=\"strip\"").count(), expected);
    let scene = Scene::new();
    scene.write_many(reading(1, 5), 6, 1);
    let svg = get(&scene, &path("svg")).await.text().await.unwrap();
    assert_eq!(svg.matches("class=\"strip\"").count(), expected, "{svg:.300}");
}

#[tokio::test]
async fn too_many_keograms_that_wait_for_a_slow_camera_are_told_when_to_ask_again() {
    let scene = Scene::before(|_, _| Reply::Hang);
    scene.write_many(reading(1, 5), 6, 1);
    let path = format!("/charts/keogram.png?from={}&to={}", slot(1).date(), slot(1).date());
    let asked = (0..12).map(|_| Box::pin(get(&scene, &path)));
    // Those that wait are left: the first answer is a refusal.
    let (first, ..) = futures_util::future::select_all(asked).await;
    assert_eq!(first.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(header(&first, "retry-after").parse::<u32>().unwrap() > 0);
}

#[tokio::test]
async fn a_keogram_of_a_camera_that_is_down_ends_in_gaps() {
    let scene = Scene::before(|_, _| Reply::not_found());
    scene.write_many(reading(144, 5), 40, 1);
    let day = slot(144).date();
    let path = format!("/charts/keogram.svg?from={day}&to={day}");
    let mut svg = String::new();
    for _ in 0..200 {
        svg = get(&scene, &path).await.text().await.unwrap();
        if svg.contains("data-waiting=\"0\"") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(svg.contains("data-waiting=\"0\"") && !svg.contains("class=\"strip\""));
    assert!(svg.contains("class=\"gap\""));
}

#[tokio::test]
async fn operations_are_counted() {
    let scene = Scene::before(|_, _| Reply::Body(pictures::jpeg(0.1)));
    scene.write_many(reading(0, 5), 20, 1);
    let answer = get(&scene, "/dashboard/operations?station=rio-grande").await;
    let told: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(told["models"][0]["model"], "celaje-4 4");
    assert_eq!(told["models"][0]["n"], 20);
    assert!(told["disk"]["database"].as_u64().unwrap() > 4096);
    assert!(told["disk"]["free"].as_u64().unwrap() > 0);
    assert_eq!(told["misses"], serde_json::json!([]));
}
