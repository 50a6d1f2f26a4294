//! What the replaced system's clients call.

use celaje::web::origins::Origins;
use celaje_simulate::options::SimulateOptions;
use celaje_simulate::server;
use celaje_sky::station::Station;
use serde_json::{Value, json};

use crate::site::Site;

#[actix::test]
async fn the_latest_row_has_the_old_columns() {
    let site = Site::new();
    let reply = site.get("/octas").await;
    let row = reply.json();
    let keys: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
    let mut columns = [
        "filename",
        "url_imagen",
        "fecha_captura",
        "octas_predichas",
        "confianza",
        "categoria",
        "descripcion",
        "modelo_version",
        "created_at",
    ];
    columns.sort_unstable();
    assert_eq!(keys, columns);
    // The last picture does not show the sky (okta 9), which the old table has no word for.
    assert_eq!(row["filename"], "2024-01022342.jpg");
    assert_eq!(row["fecha_captura"], "2024-01-02T23:42");
    assert_eq!(row["modelo_version"], "model 1");
}

#[actix::test]
async fn the_history_is_of_whole_days_and_without_what_is_no_okta() {
    let site = Site::new();
    let day = site.get("/historial?desde=2024-01-01&hasta=2024-01-01").await.json();
    let rows = day.as_array().unwrap();
    let all = site.get("/api/v1/stations/rio-grande/observations?to=2024-01-01").await.json();
    let seen: Vec<_> =
        all["items"].as_array().unwrap().iter().filter(|item| item["okta"] != 9).collect();
    assert_eq!(rows.len(), seen.len());
    for (row, item) in rows.iter().zip(seen) {
        assert_eq!(row["fecha_captura"], item["slot"]);
        assert_eq!(row["octas_predichas"], item["okta"]);
    }
    let both = site.get("/historial?desde=2024-01-01&hasta=2024-01-02&_=123").await.json();
    assert!(both.as_array().unwrap().len() > rows.len());
}

#[actix::test]
async fn errors_are_details() {
    let site = Site::new();
    for (query, status) in [
        ("desde=01/02/2024&hasta=2024-01-02", 400),
        ("desde=2024-02-30&hasta=2024-03-02", 400),
        ("desde=2024-01-02&hasta=2024-01-01", 400),
        ("desde=2030-01-01&hasta=2030-01-02", 404),
    ] {
        let reply = site.get(&format!("/historial?{query}")).await;
        assert_eq!(reply.status, status, "{query}");
        assert!(reply.json()["detail"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    let missing = site.get("/historial?desde=2024-01-01").await;
    assert_eq!(missing.status, 422);
    assert_eq!(
        missing.json(),
        json!({"detail": [{"type": "missing", "loc": ["query", "hasta"],
               "msg": "Field required", "input": Value::Null}]})
    );
}

#[actix::test]
async fn the_picture_is_the_newest_that_there_is() {
    let station = Station::rio_grande();
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (64, 64),
        ..SimulateOptions::for_station(&station)
    })
    .unwrap();
    let site = Site::of("2024-01-01T00:00", "2024-01-01T01:00", &camera.base_url, |_| {});
    let reply = site.get("/imagen").await;
    assert_eq!(reply.status, 302, "{}", reply.text());
    let newest = reply.header("location").unwrap();
    // Later than anything in the record: the camera has pictures up to now.
    assert!(newest.starts_with(&camera.base_url), "{newest}");
    let this_year = chrono::Utc::now().format("%Y").to_string();
    assert!(newest.contains(&this_year), "{newest}");
    camera.stop().await;
    // Without a camera there is none to be had.
    let site = Site::new();
    let none = site.get("/imagen").await;
    assert_eq!(none.status, 404);
    assert!(none.json()["detail"].is_string());
}

#[actix::test]
async fn heads_and_slashes_are_taken_as_they_were() {
    let site = Site::new();
    let history = "/historial?desde=2024-01-01&hasta=2024-01-02";
    for path in ["/octas", history] {
        let whole = site.get(path).await;
        let head = site.ask("HEAD", path, &[], b"").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"));
        assert_eq!(head.header("etag"), whole.header("etag"));
    }
    let none = site.ask("HEAD", "/historial?desde=x&hasta=y", &[], b"").await;
    assert_eq!((none.status, none.body.len()), (400, 0));
    for (path, place) in [
        ("/octas/", "/octas"),
        ("/imagen/", "/imagen"),
        ("/historial/?desde=2024-01-01&hasta=2024-01-02", history),
    ] {
        let reply = site.get(path).await;
        assert_eq!((reply.status, reply.header("location")), (307, Some(place)), "{path}");
    }
    let refused = site.ask("POST", "/octas", &[], b"").await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
}

/// The replaced system's dashboard is a page of another server.
#[actix::test]
async fn pages_of_others_may_read_what_they_are_allowed() {
    let (here, there) = ("https://cielo.example", "https://evil.example");
    let open = |allowed: &str| {
        let allowed = Origins(vec![allowed.parse().unwrap()]);
        Site::of("2024-01-01T00:00", "2024-01-01T01:00", "http://127.0.0.1:9/", |options| {
            options.origins = allowed
        })
    };
    let allowed = async |site: &Site, method: &str, path: &str, origin: &str| {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
        let reply = site.ask(method, path, &headers, b"").await;
        let told = reply.header("access-control-allow-origin").map(str::to_owned);
        (reply.status, told)
    };
    let text = |text: &str| Some(text.to_owned());
    // Nothing is allowed unless somebody says so.
    let closed = Site::new();
    assert_eq!(allowed(&closed, "GET", "/octas", here).await, (200, None));
    assert_eq!(allowed(&closed, "OPTIONS", "/octas", here).await, (405, None));
    let resource = "cross-origin-resource-policy";
    assert_eq!(closed.get("/octas").await.header(resource), Some("same-origin"));

    let site = open(here);
    for (path, status) in [
        ("/octas", 200),
        ("/octas/", 307),
        ("/historial?desde=2024-01-01&hasta=2024-01-01", 200),
        ("/historial?desde=1&hasta=2", 400),
        // Its camera is down.
        ("/imagen", 404),
    ] {
        assert_eq!(allowed(&site, "GET", path, here).await, (status, text(here)), "{path}");
        assert_eq!(allowed(&site, "GET", path, there).await, (status, None), "{path}");
        let reply = site.get(path).await;
        // An image in a page says nothing of its origin.
        assert_eq!(reply.header(resource), Some("cross-origin"), "{path}");
        assert_eq!(allowed(&site, "OPTIONS", path, here).await, (204, text(here)), "{path}");
    }
    assert_eq!(allowed(&site, "OPTIONS", "/octas", there).await, (405, None));
    // Whatever is allowed there, nothing else is.
    for path in ["/api/v1/stations", "/", "/metrics", "/octas/x", "/api/v1/state"] {
        let reply = site.ask("GET", path, &[("Origin", here)], b"").await;
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
        assert_eq!(reply.header(resource), Some("same-origin"), "{path}");
    }
    let any = open("*");
    assert_eq!(allowed(&any, "GET", "/octas", there).await, (200, text("*")));
    let reply = any.get("/octas").await;
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
}
