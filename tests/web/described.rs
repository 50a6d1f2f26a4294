//! The description of the API against the API.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::client::Reply;
use crate::schema;
use crate::site::Site;

static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(celaje::web::openapi::description()).unwrap());

fn paths() -> &'static Map<String, Value> {
    DESCRIPTION["paths"].as_object().unwrap()
}

/// Whether `path` has the form of `described`.
fn fits(described: &str, path: &str) -> bool {
    let (mut parts, mut others) = (described.split('/'), path.split('/'));
    loop {
        match (parts.next(), others.next()) {
            (None, None) => return true,
            (Some(part), Some(other)) if part == other => {}
            (Some(part), Some(other)) if part.starts_with('{') && !other.is_empty() => {}
            _ => return false,
        }
    }
}

/// The operation that a request is for; none where there is no such path or method.
fn operation(method: &str, target: &str) -> Option<&'static Value> {
    let path = target.split('?').next().unwrap();
    // A path without parts comes before one that has some.
    let exact = paths().get(path);
    let methods =
        exact.or_else(|| paths().iter().find(|(known, _)| fits(known, path)).map(|(_, m)| m))?;
    methods.get(method.replace("HEAD", "GET").to_lowercase())
}

/// Checks an answer against the description: its status, its media type and its members. All
/// answers that tests get from `Site::ask` pass through here.
pub fn check(method: &str, target: &str, reply: &Reply) {
    let Some(operation) = operation(method, target) else {
        let is_general = [404, 405, 414, 421].contains(&reply.status) || method == "OPTIONS";
        assert!(is_general, "{method} {target} is not described, but gives {}", reply.status);
        return;
    };
    let mut answer = &operation["responses"][reply.status.to_string()];
    assert!(!answer.is_null(), "{method} {target}: {} is not described", reply.status);
    if let Some(reference) = answer["$ref"].as_str() {
        answer = DESCRIPTION.pointer(reference.strip_prefix('#').unwrap()).unwrap();
    }
    let media = reply.header("content-type").and_then(|media| media.split(';').next());
    let content = media.map(|media| &answer["content"][media]);
    match content {
        None => assert!(answer["content"].is_null() || reply.body.is_empty(), "{method} {target}"),
        Some(content) => {
            assert!(!content.is_null(), "{method} {target}: {media:?} is not described");
            let packed = reply.header("content-encoding") == Some("gzip");
            if let Some(schema) = content.get("schema")
                && !(reply.body.is_empty() || packed)
                // A year of rows would take too long.
                && reply.body.len() < 4_000_000
            {
                schema::check(&DESCRIPTION, schema, &reply.json())
                    .unwrap_or_else(|why| panic!("{method} {target}: {why}"));
            }
        }
    }
}

/// A path of the description with values for its parts.
fn filled(path: &str) -> String {
    path.replace("{station}", "rio-grande")
        .replace("{slot}", "2024-01-01T00:02")
        .replace("{run}", "1")
        .replace("{job}", "7")
        .replace("{file}", "history.svg")
        .replace("{name}", "app.css")
}

#[actix::test]
async fn every_operation_that_is_described_is_answered() {
    let site = Site::new();
    assert_eq!(site.get("/api/openapi.json").await.json(), *DESCRIPTION);
    assert_eq!(DESCRIPTION["info"]["version"], env!("CARGO_PKG_VERSION"));
    for (path, methods) in paths() {
        assert!(!filled(path).contains('{'), "{path}");
        for method in methods.as_object().unwrap().keys() {
            if path == "/api/v1/events" {
                continue;
            }
            let reply = site.ask(&method.to_uppercase(), &filled(path), &[], b"").await;
            assert_ne!(reply.status, 405, "{method} {path}");
            let told = String::from_utf8_lossy(&reply.body);
            assert!(!told.contains("there is nothing at this address"), "{path}");
        }
    }
}

/// What is not added by `Routes` would not be described.
#[test]
fn routes_are_added_in_one_place() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("routes.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let way = ["web::resource(", "web::scope(", ".service(", "web::route("];
                let way = way.into_iter().find(|way| text.contains(way));
                assert_eq!(way, None, "{}", path.display());
            }
        }
    }
}

#[actix::test]
async fn the_parameters_of_an_operation_are_those_that_it_takes() {
    let site = Site::new();
    let mut refused = 0;
    for (path, methods) in paths() {
        let Some(operation) = methods.get("get").filter(|_| path != "/api/v1/events") else {
            continue;
        };
        let reply = site.get(&format!("{}?colour=red", filled(path))).await;
        if reply.status != 400 || reply.header("content-type") == Some("application/json") {
            continue;
        }
        refused += 1;
        let (named, detail) = reply.problem(400);
        assert_eq!(named.as_deref(), Some("colour"), "{path}");
        let all = operation["parameters"].as_array().unwrap().iter();
        let names: Vec<_> = all
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert!(detail.ends_with(&names.join(", ")), "{path}: {detail}");
    }
    assert!(refused > 40, "{refused}");
}

#[actix::test]
async fn every_kind_of_answer_has_the_members_that_are_described() {
    let site = Site::new();
    let base = "/api/v1/stations/rio-grande";
    // `check` compares the members; here each list must have an item to compare.
    for (path, place) in [
        ("/api/v1/stations".to_owned(), "/0/id"),
        (format!("{base}/observations?limit=20"), "/items/0/okta"),
        (format!("{base}/observations?by=hour"), "/items/0/distribution"),
        (format!("{base}/latest"), "/quality"),
        (format!("{base}/misses"), "/items/0/reason"),
        (format!("{base}/runs"), "/items/0/kind"),
        (format!("{base}/climatology"), "/hours/0/month"),
        ("/api/v1/state".to_owned(), "/flow/stages/0/stage"),
        ("/api/v1/backfills".to_owned(), "/items/0/progress/planned"),
        ("/api/v1/runs/1".to_owned(), "/progress/planned"),
        ("/dashboard/operations".to_owned(), "/disk/log"),
        ("/octas".to_owned(), "/octas_predichas"),
    ] {
        let body = site.get(&path).await.json();
        assert!(body.pointer(place).is_some(), "{path}: {body}");
    }
}

#[actix::test]
async fn a_wrong_answer_would_be_found() {
    let site = Site::new();
    let target = "/api/v1/stations/rio-grande/latest";
    let reply = site.get(target).await;
    let changed = |change: fn(&mut Reply)| {
        let mut reply = reply.clone();
        change(&mut reply);
        std::panic::catch_unwind(|| check("GET", target, &reply)).is_err()
    };
    assert!(!changed(|_| {}));
    assert!(changed(|reply| reply.status = 418));
    assert!(changed(|reply| reply.body = b"{}".to_vec()));
    assert!(changed(|reply| reply.headers = vec![("content-type".into(), "text/csv".into())]));
    assert!(changed(|reply| {
        let mut body = reply.json();
        body["colour"] = json!("red");
        reply.body = body.to_string().into_bytes();
    }));
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

#[test]
fn every_reference_leads_somewhere() {
    let mut found = Vec::new();
    references(&DESCRIPTION, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(DESCRIPTION.pointer(place).is_some(), "{reference}");
    }
}

#[actix::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let site = Site::new();
    let redirected = site.get("/api").await;
    assert_eq!((redirected.status, redirected.header("location")), (308, Some("api/")));
    for path in ["/api/", "/api/page.css", "/api/page.js", "/api/spanish.js"] {
        let reply = site.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(!reply.text().contains("http://") && !reply.text().contains("https://"), "{path}");
        assert!(!reply.text().contains("innerHTML"), "{path}");
        let tag = reply.header("etag").unwrap().to_owned();
        let again = site.ask("GET", path, &[("If-None-Match", &tag)], b"").await;
        assert_eq!(again.status, 304, "{path}");
    }
    let page = site.get("/api/").await;
    assert!(page.text().contains("href=\"../\""), "no way back to the dashboard");
    assert!(!page.text().contains("<script>") && !page.text().contains("style="));
}

#[actix::test]
async fn the_page_has_every_sentence_in_spanish_too() {
    let site = Site::new();
    let spanish = site.get("/api/spanish.js").await.text().to_owned();
    let description = site.get("/api/openapi.json").await.json();
    let operations = description["paths"].as_object().unwrap().values();
    let operations: Vec<&Value> =
        operations.flat_map(|methods| methods.as_object().unwrap().values()).collect();
    let mut sentences = vec![&description["info"]["description"]];
    sentences.extend(description["tags"].as_array().unwrap().iter().map(|tag| &tag["description"]));
    for operation in operations {
        sentences.extend([&operation["summary"], &operation["description"]]);
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let named = parameter["$ref"].as_str();
            let named = named.map(|path| description.pointer(&path[1..]).unwrap());
            sentences.push(&named.unwrap_or(parameter)["description"]);
        }
    }
    let known = sentences.iter().filter_map(|sentence| sentence.as_str());
    let mut count = 0;
    for sentence in known {
        let key = format!("  {}:", Value::from(sentence));
        assert!(spanish.contains(&key), "no Spanish of {key}");
        count += 1;
    }
    assert!(count > 150, "{count}");
}
