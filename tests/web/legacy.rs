//! What the replaced system's clients call.

use celaje::simulate::options::SimulateOptions;
use celaje::simulate::server;
use celaje::station::Station;
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
    let day = site
        .get("/historial?desde=2024-01-01&hasta=2024-01-01")
        .await
        .json();
    let rows = day.as_array().unwrap();
    let all = site
        .get("/api/v1/stations/rio-grande/observations?to=2024-01-01")
        .await
        .json();
    let seen: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["okta"] != 9)
        .collect();
    assert_eq!(rows.len(), seen.len());
    for (row, item) in rows.iter().zip(seen) {
        assert_eq!(row["fecha_captura"], item["slot"]);
        assert_eq!(row["octas_predichas"], item["okta"]);
    }
    let both = site
        .get("/historial?desde=2024-01-01&hasta=2024-01-02&_=123")
        .await
        .json();
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
        assert!(
            reply.json()["detail"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    let missing = site.get("/historial?desde=2024-01-01").await;
    assert_eq!(missing.status, 422);
    assert_eq!(
        missing.json(),
        json!({"detail": [{"type": "missing", "loc": ["query", "hasta"], "msg": "Field required", "input": Value::Null}]})
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
    let site = Site::of(
        "2024-01-01T00:00",
        "2024-01-01T01:00",
        &camera.base_url,
        |_| {},
    );
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
