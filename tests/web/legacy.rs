//! What the replaced system's clients call.

use celaje::web::origins::Origins;
use celaje_simulate::options::SimulateOptions;
use celaje_simulate::server;
use celaje_sky::station::Station;
use serde_json::{Value, json};

use crate::client;
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

/// The rows of a history, whose ends have to be told as they were asked for.
async fn items(site: &Site, from: Option<&str>, to: Option<&str>) -> Vec<Value> {
    let ends = [("desde", from), ("hasta", to)];
    let query = ends.iter().filter_map(|(name, day)| Some(format!("{name}={}&", (*day)?)));
    let reply = site.get(&format!("/historial?{}_=7", query.collect::<String>())).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let Value::Object(mut body) = reply.json() else { panic!("{}", reply.text()) };
    let Some(Value::Array(items)) = body.remove("items") else { panic!("{body:?}") };
    assert_eq!(Value::Object(body), json!({"desde": from, "hasta": to}));
    items
}

#[actix::test]
async fn the_history_is_of_whole_days_and_without_what_is_no_okta() {
    let site = Site::new();
    let (first, last) = (Some("2024-01-01"), Some("2024-01-02"));
    let rows = items(&site, first, first).await;
    let all = site.get("/api/v1/stations/rio-grande/observations?to=2024-01-01").await.json();
    let seen: Vec<_> =
        all["items"].as_array().unwrap().iter().filter(|item| item["okta"] != 9).collect();
    assert_eq!(rows.len(), seen.len());
    for (row, item) in rows.iter().zip(seen) {
        assert_eq!(row["fecha_captura"], item["slot"]);
        assert_eq!(row["octas_predichas"], item["okta"]);
        let created = row["created_at"].as_str().unwrap();
        let age =
            chrono::Utc::now() - chrono::DateTime::parse_from_rfc3339(created).unwrap().to_utc();
        assert!(created.ends_with("-03:00") && age.num_minutes().abs() < 5, "{created}");
    }
    // An end that is not named is open, and no rows are no error.
    let both = items(&site, first, last).await;
    assert!(
        both.len() > rows.len() && both.is_sorted_by_key(|row| row["fecha_captura"].to_string())
    );
    for (from, to) in [(None, None), (first, None), (None, last)] {
        assert_eq!(items(&site, from, to).await, both, "{from:?} {to:?}");
    }
    assert_eq!(items(&site, None, first).await, rows);
    assert_eq!(items(&site, Some("2030-01-01"), None).await, [Value::Null; 0]);
}

/// Rows that it took over stand among its own, whatever form their moments have.
#[actix::test]
async fn a_long_history_is_sent_in_parts_and_in_the_order_of_time() {
    let site = Site::of("2024-01-01T12:00", "2024-02-15T11:59", "http://127.0.0.1:9/", |_| {});
    // Two years of every ten minutes, as whoever used the replaced system has them.
    site.execute(
        "INSERT INTO registro_historico (filename, url_imagen, fecha_captura, octas_predichas,
             confianza, categoria, created_at)
         WITH RECURSIVE step(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM step WHERE n < 99999)
         SELECT strftime('%Y-%m%d%H%M.jpg', at), 'file:///' || n, at, n % 9, 0.5, 'SCT', at
         FROM (SELECT n, datetime('2022-01-01 00:02:00', n || '0 minutes') at FROM step);",
    );
    site.execute(
        "INSERT INTO registro_historico (filename, url_imagen, fecha_captura, octas_predichas,
             confianza, categoria, created_at)
         VALUES ('2024-01011002.jpg', 'file:///a.jpg', '2024-01-01 10:02:00.000000', 3, 0.123456,
                 'SCT', '2024-01-01 10:03:11.000000'),
             ('2024-02152302.jpg', 'file:///b.jpg', '2024-02-15 23:02:00', 3, 87, 'SCT',
                 '2024-02-15T23:03:11-03:00');",
    );
    let whole = site.get("/historial").await;
    assert_eq!(whole.header("transfer-encoding"), Some("chunked"));
    let rows = items(&site, None, None).await;
    assert!(rows.len() > 105_000, "{}", rows.len());
    assert!(
        rows.windows(2)
            .all(|two| two[0]["fecha_captura"].as_str() < two[1]["fecha_captura"].as_str())
    );
    assert_eq!(rows[0]["fecha_captura"], "2022-01-01T00:02");
    let first = rows.iter().find(|row| row["fecha_captura"] == "2024-01-01T10:02").unwrap();
    let last = rows.last().unwrap();
    assert_eq!((&first["confianza"], &last["confianza"]), (&json!(0.1235), &Value::Null));
    assert_eq!(first["created_at"], "2024-01-01T10:03:11-03:00");
    assert_eq!(last["fecha_captura"], "2024-02-15T23:02");
    assert_eq!(site.get("/octas").await.json(), *last);
    // Older in time than its own rows of that day, though its text comes after none of them.
    site.execute("DELETE FROM registro_historico WHERE filename = '2024-02152302.jpg'");
    assert_eq!(site.get("/octas").await.json()["fecha_captura"], "2024-02-15T11:52");
}

#[actix::test]
async fn errors_are_details() {
    let site = Site::new();
    for (path, status) in [
        ("/historial?desde=01/02/2024&hasta=2024-01-02", 400),
        ("/historial?desde=2024-02-30", 400),
        ("/historial?hasta=", 400),
        ("/historial?desde=2024-01-02&hasta=2024-01-01", 400),
        // What it bought elsewhere.
        ("/clima", 404),
        ("/satellite?z=1", 404),
    ] {
        let reply = site.get(path).await;
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.json()["detail"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
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
    let reply = site.get("/imagen?ts=1704110400").await;
    assert_eq!(reply.status, 307, "{}", reply.text());
    let newest = reply.header("location").unwrap();
    // Later than anything in the record: the camera has pictures up to now.
    assert!(newest.starts_with(&camera.base_url), "{newest}");
    let this_year = chrono::Utc::now().format("%Y").to_string();
    assert!(newest.contains(&this_year), "{newest}");
    camera.stop().await;
    // Where no camera answers it is that of the last reading, if that is on a server.
    let site = Site::new();
    let last = site.get("/imagen").await;
    let place = "http://127.0.0.1:9/2024/2024-01022352.jpg";
    assert_eq!((last.status, last.header("location")), (307, Some(place)));
    // Pictures of a folder are on no server: the newest one that is.
    site.execute(
        "UPDATE observations SET url = 'file:///x.jpg' WHERE slot_local > '2024-01-02T12:00'",
    );
    let path = "/api/v1/stations/rio-grande/observations?to=2024-01-02T12:00";
    let older = site.get(path).await.json()["items"].as_array().unwrap().last().unwrap().clone();
    let last = site.get("/imagen").await;
    assert_eq!((last.status, last.header("location")), (307, older["url"].as_str()));
    site.execute("UPDATE observations SET url = 'file:///x.jpg'");
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
        ("/octas/", "../octas"),
        ("/imagen/", "../imagen"),
        ("/historial/?desde=2024-01-01&hasta=2024-01-02", &format!("..{history}")),
    ] {
        let reply = site.get(path).await;
        assert_eq!((reply.status, reply.header("location")), (307, Some(place)), "{path}");
    }
    for path in ["/octas", "/historial", "/imagen", "/clima"] {
        let headers = [("Accept-Language", "en")];
        let refused = site.ask("POST", path, &headers, b"").await;
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{path}");
        assert_eq!(refused.header("content-type"), Some("application/json"), "{path}");
        let detail = json!({"detail": "esta dirección solo responde a GET, HEAD"});
        assert_eq!(refused.json(), detail, "{path}");
    }
    let long = format!("/historial?desde={}", "9".repeat(9000));
    let refused = site.get(&long).await;
    assert_eq!(refused.status, 414);
    assert!(refused.json()["detail"].as_str().unwrap().starts_with("la dirección tiene"));
}

/// Rows that a former table had and its clients cannot show: without an okta, without a moment.
#[actix::test]
async fn odd_rows_are_in_the_history_and_no_latest_row() {
    let site = Site::new();
    let before = items(&site, None, None).await;
    let latest = site.get("/octas").await.json();
    site.execute(
        "INSERT INTO registro_historico (filename, fecha_captura, octas_predichas, created_at)
         VALUES ('latest.jpg', '2024-01-03T10:00', NULL, '2024-01-03T10:01:00-03:00'),
             ('nameless', NULL, 3, '2024-01-03T10:02:00-03:00'), ('bare', NULL, 3, 'hace poco'),
             ('worded', 'nunca', 4, 't');",
    );
    assert_eq!(site.get("/octas").await.json(), latest);
    let rows = items(&site, None, None).await;
    assert_eq!(rows.len(), before.len() + 4);
    let moments = |names: &[&str]| -> Vec<Value> {
        let of = |name: &&str| rows.iter().find(|row| row["filename"] == **name).unwrap();
        names.iter().map(|name| of(name)["fecha_captura"].clone()).collect()
    };
    let told = moments(&["latest.jpg", "nameless", "bare", "worded"]);
    assert_eq!(told, ["2024-01-03T10:00", "2024-01-03T10:02", "", "nunca"]);
    // Of these days only that which has one.
    let days = items(&site, Some("2024-01-03"), None).await;
    assert_eq!(days.len(), 1);
}

/// The replaced system's dashboard is a page of another server.
#[actix::test]
async fn pages_of_others_may_read_what_they_are_allowed() {
    let (here, there) = ("https://cielo.example", "https://evil.example");
    let open = |allowed: &str| {
        let allowed = Origins::new(vec![allowed.parse().unwrap()]);
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
        ("/imagen", 307),
        ("/clima", 404),
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

/// With `--compat` its clients find their paths, and nothing else, where they look for them.
#[actix::test]
async fn an_address_of_their_own_is_open_to_everybody() {
    let site = Site::of("2024-01-01T00:00", "2024-01-01T01:00", "http://127.0.0.1:9/", |options| {
        options.compat = Some("127.0.0.1:0".parse().unwrap());
    });
    let addr = site.running.compat.unwrap();
    let ask = async |method: &'static str,
                     path: &'static str,
                     headers: &[(&'static str, &'static str)]| {
        let headers = headers.to_vec();
        tokio::task::spawn_blocking(move || client::request(addr, method, path, &headers, b""))
            .await
            .unwrap()
    };
    let there = ("Origin", "https://anybody.example");
    let wishes = [
        there,
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "x-own, authorization"),
    ];
    for (path, status) in [
        ("/octas", 200),
        ("/historial", 200),
        ("/imagen?ts=1", 307),
        ("/clima", 404),
        ("/satellite", 404),
    ] {
        // By whatever name its machine is known.
        let reply = ask("GET", path, &[there, ("Host", "old.example:8000")]).await;
        assert_eq!(reply.status, status, "{path}");
        let opened = ask("OPTIONS", path, &wishes).await;
        assert_eq!(opened.status, 204, "{path}");
        for reply in [reply, opened.clone()] {
            for (name, value) in [
                ("access-control-allow-origin", there.1),
                ("access-control-allow-credentials", "true"),
                ("cross-origin-resource-policy", "cross-origin"),
                ("vary", "Origin"),
            ] {
                let told = reply
                    .headers
                    .iter()
                    .any(|header| header == &(name.to_owned(), value.to_owned()));
                assert!(told, "{path} {name}: {:?}", reply.headers);
            }
        }
        assert_eq!(opened.header("access-control-allow-headers"), Some("x-own, authorization"));
        assert!(opened.header("access-control-allow-methods").unwrap().contains("PUT"));
    }
    assert_eq!(ask("GET", "/historial", &[]).await.json(), site.get("/historial").await.json());
    // Nothing else is there, and nothing else is open.
    for path in ["/api/v1/stations", "/metrics", "/assets/main.js", "/octas/x"] {
        let reply = ask("GET", path, &[there]).await;
        assert_eq!((reply.status, reply.json()), (404, json!({"detail": "Not Found"})), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
    }
    let refused = ask("POST", "/octas", &[there, ("Accept-Language", "en")]).await;
    let detail = json!({"detail": "esta dirección solo responde a GET, HEAD"});
    assert_eq!((refused.status, refused.json()), (405, detail));
    let own = site.ask("GET", "/octas", &[there], b"").await;
    assert_eq!(own.header("access-control-allow-origin"), None);
    assert_eq!(site.ask("GET", "/octas", &[("Host", "old.example")], b"").await.status, 421);
    site.running.stop().await;
    assert!(std::net::TcpStream::connect(addr).is_err());
}
