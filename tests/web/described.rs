//! The description of the API against the API.

use serde_json::Value;

use crate::site::Site;

/// A path of the description with values for its parts.
fn filled(path: &str) -> String {
    path.replace("{station}", "rio-grande")
        .replace("{slot}", "2024-01-01T00:02")
        .replace("{run}", "1")
        .replace("{job}", "7")
}

#[actix::test]
async fn every_operation_that_is_described_is_there() {
    let site = Site::new();
    let description = site.get("/api/openapi.json").await.json();
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 20);
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            if path == "/api/v1/events" {
                continue;
            }
            let reply = site.ask(&method.to_uppercase(), &filled(path), &[], b"").await;
            assert_ne!(reply.status, 405, "{method} {path}");
            let told = String::from_utf8_lossy(&reply.body);
            assert!(!told.contains("there is nothing at this address"), "{path}");
            let described = &operation["responses"][reply.status.to_string()];
            assert!(!described.is_null(), "{method} {path}: {} is not described", reply.status);
        }
    }
}

#[actix::test]
async fn what_is_answered_has_the_members_that_are_described() {
    let site = Site::new();
    let description = site.get("/api/openapi.json").await.json();
    let members = |schema: &str| {
        let schema = &description["components"]["schemas"][schema]["required"];
        let names = schema.as_array().unwrap().iter();
        let mut names: Vec<_> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    let base = "/api/v1/stations/rio-grande";
    for (path, place, schema) in [
        ("/api/v1/stations".to_owned(), "/0", "Station"),
        (format!("{base}/observations"), "/items/0", "Observation"),
        (format!("{base}/observations?by=hour"), "/items/0", "Bucket"),
        (format!("{base}/latest"), "", "Latest"),
        (format!("{base}/misses"), "/items/0", "Miss"),
        (format!("{base}/runs"), "/items/0", "Run"),
        (format!("{base}/climatology"), "", "Climatology"),
        ("/api/v1/state".to_owned(), "", "State"),
        ("/api/v1/backfills".to_owned(), "/items/0", "Job"),
        ("/api/v1/runs/1".to_owned(), "/progress", "Progress"),
        ("/octas".to_owned(), "", "LegacyRow"),
    ] {
        let body = site.get(&path).await.json();
        let value = body.pointer(place).unwrap_or_else(|| panic!("{path}"));
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort_unstable();
        assert_eq!(names, members(schema), "{path}");
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key == "$ref" {
                    found.push(value.as_str().unwrap().to_owned());
                }
                references(value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[actix::test]
async fn every_reference_leads_somewhere() {
    let site = Site::new();
    let description = site.get("/api/openapi.json").await.json();
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(place).is_some(), "{reference}");
    }
}

#[actix::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let site = Site::new();
    let redirected = site.get("/api").await;
    assert_eq!((redirected.status, redirected.header("location")), (308, Some("api/")));
    for path in ["/api/", "/api/page.css", "/api/page.js"] {
        let reply = site.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(!reply.text().contains("http://") && !reply.text().contains("https://"), "{path}");
        assert!(!reply.text().contains("innerHTML"), "{path}");
        let tag = reply.header("etag").unwrap().to_owned();
        let again = site.ask("GET", path, &[("If-None-Match", &tag)], b"").await;
        assert_eq!(again.status, 304, "{path}");
    }
    let page = site.get("/api/").await;
    assert!(!page.text().contains("<script>") && !page.text().contains("style="));
}
