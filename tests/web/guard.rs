//! Security headers, host names, limits of size, paths that try to escape.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::client;
use crate::site::Site;

const EVERYWHERE: [&str; 10] = [
    "/api/v1/stations",
    "/api/v1/stations/rio-grande/observations.csv?limit=1",
    "/api/v1/stations/other/latest",
    "/api/v1/state",
    "/api/",
    "/octas",
    "/historial",
    "/livez",
    "/metrics",
    "/nothing/here",
];

#[actix::test]
async fn every_answer_has_the_security_headers() {
    let site = Site::new();
    for path in EVERYWHERE {
        let reply = site.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}");
        }
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert!(reply.header("cache-control").is_some(), "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{path}");
        assert_eq!(reply.header("server"), None, "{path}");
    }
}

#[actix::test]
async fn a_head_is_a_get_without_its_body() {
    let site = Site::new();
    for path in EVERYWHERE {
        let (get, head) = (site.get(path).await, site.ask("HEAD", path, &[], b"").await);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[actix::test]
async fn requests_for_other_host_names_are_refused() {
    let site = Site::of("2024-01-01T00:00", "2024-01-01T01:00", "http://127.0.0.1:9/", |options| {
        options.hosts = vec!["cielo.example".to_owned()];
    });
    for (host, status) in [
        ("localhost", 200),
        ("127.0.0.1:1", 200),
        ("cielo.example", 200),
        ("evil.example", 421),
        ("cielo.example.evil.example", 421),
        ("192.0.2.1", 421),
    ] {
        let reply = site.ask("GET", "/api/v1/stations", &[("Host", host)], b"").await;
        assert_eq!(reply.status, status, "{host}");
        let forwarded =
            [("Host", host), ("X-Forwarded-Host", "localhost"), ("Forwarded", "host=localhost")];
        let reply = site.ask("GET", "/api/v1/stations", &forwarded, b"").await;
        assert_eq!(reply.status, status, "{host}, forwarded");
    }
    let addr = site.addr();
    for request in [
        "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    ] {
        let reply = tokio::task::spawn_blocking(move || {
            client::parse(&client::exchange(addr, request.as_bytes()))
        });
        let reply = reply.await.unwrap();
        assert!((400..500).contains(&reply.status), "{request}: {}", reply.status);
    }
    // Clients of HTTP/1.0 need not name the host; browsers do.
    let reply = tokio::task::spawn_blocking(move || {
        client::parse(&client::exchange(addr, b"GET /livez HTTP/1.0\r\n\r\n"))
    });
    assert_eq!(reply.await.unwrap().status, 200);
}

#[actix::test]
async fn no_path_escapes() {
    let site = Site::new();
    std::fs::write(site.folder.path().join("secret.txt"), "secret").unwrap();
    for path in [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/api/../../secret.txt",
        "/api/..%5c..%5csecret.txt",
        "/api/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/stations/../../../record.db",
        "/api/v1/stations/..%2f..%2frecord.db/latest",
        "/api/v1/stations/rio-grande/slots/..%2f..%2fsecret.txt/picture",
        "//etc/passwd",
        "/etc/passwd%00.css",
        "/api/page.css/../page.js",
    ] {
        let reply = site.get(path).await;
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.status);
        assert!(!String::from_utf8_lossy(&reply.body).contains("root:"), "{path}");
        let (_, detail) = reply.problem(reply.status);
        assert!(!detail.contains(site.folder.path().to_str().unwrap()), "{path}: {detail}");
    }
}

#[actix::test]
async fn long_addresses_and_heads_are_refused() {
    let site = Site::new();
    let long = format!("/api/v1/stations?{}", "x".repeat(9000));
    site.get(&long).await.problem(414);
    let fits = format!("/api/v1/stations?{}", "x".repeat(8000));
    site.get(&fits).await.problem(400);
    let big = "y".repeat(300_000);
    let addr = site.addr();
    let request = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Big: {big}\r\n\r\n");
    let answer = tokio::task::spawn_blocking(move || client::exchange(addr, request.as_bytes()));
    let answer = answer.await.unwrap();
    assert!(
        answer.is_empty() || (400..500).contains(&client::parse(&answer).status),
        "{:?}",
        String::from_utf8_lossy(&answer[..answer.len().min(100)])
    );
    assert_eq!(site.get("/livez").await.status, 200);
}

#[actix::test]
async fn a_slow_client_is_disconnected() {
    let site = Site::new();
    let addr = site.addr();
    let ended = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        // Longer than the server's patience with a head.
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: loc").unwrap();
        stream.read_to_end(&mut Vec::new())
    });
    assert!(ended.await.unwrap().is_ok(), "the connection is still open");
}

#[actix::test]
async fn other_methods_get_405() {
    let site = Site::new();
    for (method, path, allow) in [
        ("POST", "/api/v1/stations", "GET, HEAD"),
        ("DELETE", "/api/v1/stations/rio-grande/latest", "GET, HEAD"),
        ("GET", "/api/v1/stations/rio-grande/backfills", "POST"),
        ("PUT", "/api/v1/backfills/7", "GET, HEAD, DELETE"),
        ("OPTIONS", "/api/v1/state", "GET, HEAD"),
    ] {
        let reply = site.ask(method, path, &[], b"").await;
        reply.problem(405);
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
}

#[actix::test]
async fn a_problem_repeats_no_markup_and_no_line_break() {
    let site = Site::new();
    let reply = site.get("/api/v1/stations/%3Cscript%3E%0d%0aX-Evil:%201/latest").await;
    assert_eq!(reply.header("x-evil"), None);
    let (_, detail) = reply.problem(404);
    assert!(!detail.contains('\n') && !detail.contains('\r'), "{detail}");
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
}

/// Old proxies and microcontrollers read the body until the connection ends.
#[actix::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let site = Site::of("2024-01-01T00:00", "2024-02-15T23:59", "http://127.0.0.1:9/", |_| {});
    let addr = site.addr();
    for (path, headers) in [
        ("/historial", ""),
        ("/historial", "Connection: keep-alive\r\n"),
        ("/api/v1/observations.csv", ""),
        ("/api/v1/observations.jsonl", "Accept-Encoding: gzip\r\n"),
        ("/api/v1/events", ""),
        ("/", "Accept-Encoding: gzip\r\n"),
    ] {
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n");
        let answer = tokio::task::spawn_blocking(move || first_and_last(addr, &request, path));
        let reply = client::parse(&answer.await.unwrap());
        assert_eq!((reply.status, reply.header("transfer-encoding")), (200, None), "{path}");
        assert_eq!(reply.header("connection"), None, "{path}");
        let whole = site.ask("GET", path, &[], b"");
        if reply.header("content-encoding") == Some("gzip") {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&*reply.body).read_to_string(&mut text).unwrap();
            assert_eq!(text, whole.await.text(), "{path}");
        } else if path == "/api/v1/events" {
            assert!(reply.text().starts_with("retry: 5000\nid: "), "{}", reply.text());
        } else {
            assert!(reply.text() == whole.await.text(), "{path}: {:.200}", reply.text());
        }
    }
}

/// The whole answer; of an endless one the first bytes.
fn first_and_last(addr: std::net::SocketAddr, request: &str, path: &str) -> Vec<u8> {
    if path != "/api/v1/events" {
        return client::exchange(addr, request.as_bytes());
    }
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut some) = (Vec::new(), [0; 1024]);
    while !answer.windows(8).any(|part| part == b": celaje") {
        let n = stream.read(&mut some).unwrap();
        assert_ne!(n, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&some[..n]);
    }
    answer
}

/// A proxy that shows the server under a path removes the path or leaves it in; addresses work
/// either way.
#[actix::test]
async fn addresses_work_under_a_path() {
    let site = Site::of("2024-01-01T00:00", "2024-01-01T01:00", "http://127.0.0.1:9/", |options| {
        options.base = "/sky/celaje".parse().unwrap();
    });
    for base in ["", "/sky/celaje"] {
        let page = site.get(&format!("{base}/")).await;
        assert!(page.text().contains("\"assets/main.js\""), "{base}");
        assert!(!page.text().contains("=\"/"), "{}", page.text());
        for path in ["/assets/main.js", "/charts/history.svg?width=400", "/api/v1/latest", "/octas"]
        {
            assert_eq!(site.get(&format!("{base}{path}")).await.status, 200, "{base}{path}");
        }
        let led = site.get(&format!("{base}/api")).await;
        assert_eq!((led.status, led.header("location")), (308, Some("api/")), "{base}");
        let token = format!("Bearer {}", crate::site::TOKEN);
        let order = br#"{"from":"2024-01-01","to":"2024-01-01"}"#;
        let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
        let path = format!("{base}/api/v1/stations/rio-grande/backfills");
        let taken = site.ask("POST", &path, &headers, order).await;
        let place = taken.header("location").unwrap();
        assert!(place.starts_with("../../../../api/v1/backfills/"), "{place}");
    }
    let bare = site.get("/sky/celaje").await;
    assert_eq!((bare.status, bare.header("location")), (308, Some("celaje/")));
    for beside in ["/sky/celajes/", "/sky", "/celaje/"] {
        assert_eq!(site.get(beside).await.status, 404, "{beside}");
    }
}
