//! `celaje doctor`.

use serde_json::Value;

use crate::support::server::{Reply, Server, closed};
use crate::{Home, Told, camera, picture, run};

fn doctor(home: &Home, base: &str, args: &[&str]) -> Told {
    let mut command = home.celaje(["doctor", "--engine", "rten", "--db", "cielo.db"]);
    run(command.args(["--url-base", base]).args(args))
}

/// The check of this name.
fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn all_is_well() {
    let home = Home::new();
    let server = Server::start(|_, _| Reply::Body(picture(0)));
    run(&mut home.backfill(&camera().base(), "2024-03-01T00:00", "2024-03-01T00:59"));
    let told = doctor(&home, &server.base(), &["--json"]);
    assert_eq!((told.status, told.err.as_str()), (0, ""), "{told:?}");
    let report = told.json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["station"], "rio-grande");
    for (name, part) in [
        ("model", "celaje-6 6, sha256 "),
        ("engine", "rten "),
        ("database", "sound, 6 rows, 0 misses"),
        ("camera", "127.0.0.1 gave the picture of "),
    ] {
        let found = check(&report, name);
        assert_eq!(found["ok"], true, "{found}");
        assert!(found["detail"].as_str().unwrap().contains(part), "{found}");
    }
    assert_eq!(server.requests().len(), 1);
    let told = doctor(&home, &server.base(), &[]);
    assert_eq!(told.out.matches('✔').count(), 4, "{}", told.out);
    assert!(told.out.starts_with("celaje "));
}

#[test]
fn each_thing_that_is_wrong_says_what_to_do() {
    let home = Home::new();
    home.write("cielo.db", "no database at all".repeat(99));
    let base = format!("http://{}/", closed());
    let told = doctor(&home, &base, &["--json"]);
    assert_eq!(told.status, 3);
    let report = told.json();
    assert_eq!(report["ok"], false);
    for (name, part) in
        [("database", "not an SQLite database"), ("camera", "check the network and --url-base")]
    {
        let found = check(&report, name);
        assert_eq!(found["ok"], false, "{found}");
        assert!(found["detail"].as_str().unwrap().contains(part), "{found}");
    }
    let told = doctor(&home, &base, &["--model", "none.onnx", "--lang", "es"]);
    assert_eq!(told.status, 3);
    assert!(told.out.contains("✘ modelo: no existe el modelo none.onnx"), "{}", told.out);
    assert!(told.out.contains("✘ cámara: 127.0.0.1 no dio nada"), "{}", told.out);
}

/// What it passes is what a backfill takes.
#[test]
fn a_database_that_cannot_be_made_is_told() {
    let home = Home::new();
    let base = format!("http://{}/", closed());
    let mut refused = vec![("none/a.db", "none/a.db' does not exist; create it")];
    if cfg!(target_os = "linux") {
        // Nobody makes a file there.
        refused.push(("/proc/a.db", "/proc/a.db' cannot be opened"));
    }
    for (db, part) in refused {
        let args = ["doctor", "--engine", "rten", "--url-base", &base, "--json"];
        let told = run(home.celaje(args).args(["--db", db]));
        let found = check(&told.json(), "database").clone();
        assert_eq!(found["ok"], false, "{found}");
        let sentence = found["detail"].as_str().unwrap();
        assert!(sentence.contains(part), "{found}");
        let args = ["backfill", "--engine", "rten", "--url-base", &base, "--db", db];
        let mut backfill = home.celaje(args);
        backfill.args(["--desde", "2024-03-01", "--hasta", "2024-03-01"]);
        run(&mut backfill).refused(3, &[part]);
    }
}

#[test]
fn it_changes_nothing() {
    let home = Home::new();
    let server = Server::start(|_, _| Reply::not_found());
    let told = doctor(&home, &server.base(), &[]);
    assert_eq!(told.status, 3);
    assert!(told.out.contains("answers but has no picture"), "{}", told.out);
    assert!(told.out.contains("✔ database: 'cielo.db' does not exist yet"));
    assert!(!home.has("cielo.db"));
    // One picture in each place, and what time it is.
    assert_eq!(server.requests().len(), 3);
}

/// Answers with these bytes, whatever is asked.
fn raw(answer: Vec<u8>) -> Server {
    Server::start(move |_, _| Reply::Raw(answer.clone()))
}

fn page(kind: &str, body: &[u8]) -> Server {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
    raw([head.as_bytes(), body].concat())
}

#[test]
fn what_is_no_picture_is_named() {
    let home = Home::new();
    let cut = &picture(0)[..picture(0).len() / 2];
    for (kind, body, what) in [
        ("text/html", &b"<html>hello\n"[..], "gave a web page, such as one to log in,"),
        ("image/jpeg", b"", "gave no bytes at all"),
        ("multipart/x-mixed-replace; boundary=b", b"--b\r\n", "the address gives a video stream"),
        ("image/jpeg", cut, "gave a damaged picture"),
        ("text/html", b"<form action=login.cgi>", "gave a web page, such as one to log in,"),
    ] {
        let server = page(kind, body);
        let told = doctor(&home, &server.base(), &["--layout", "root"]);
        assert_eq!(told.status, 3, "{told:?}");
        let line = told.out.lines().find(|line| line.contains("camera:")).unwrap();
        assert!(line.starts_with("✘ camera: 127.0.0.1") && line.contains(what), "{line}");
    }
    // A network that asks for a login first.
    let portal = raw(b"HTTP/1.1 302 X\r\nLocation: http://portal.example/?to=x\r\n\r\n".to_vec());
    let told = doctor(&home, &portal.base(), &["--layout", "root"]);
    for part in ["✘ camera: 127.0.0.1", "sent on to another host", "portal.example"] {
        assert!(told.out.contains(part), "{}", told.out);
    }
    let mut packed = Vec::new();
    let whole = picture(0);
    let mut packer = flate2::read::GzEncoder::new(&whole[..], flate2::Compression::fast());
    std::io::Read::read_to_end(&mut packer, &mut packed).unwrap();
    let told = doctor(&home, &page("image/jpeg", &packed).base(), &[]);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.out.contains("⚠ camera: 127.0.0.1 gave the picture"), "{}", told.out);
    assert!(told.out.contains("it came packed"), "{}", told.out);
}

/// A camera has no pictures of a time that has not come: the settings are not to blame.
#[test]
fn a_clock_that_the_camera_contradicts_is_named() {
    let home = Home::new();
    let host = chrono::Utc::now() + chrono::TimeDelta::days(20);
    let date = host.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let server = Server::start(move |_, _| Reply::Status(404, vec![("date", date.clone())]));
    let told = doctor(&home, &server.base(), &[]);
    let line = told.out.lines().find(|line| line.contains("camera:")).unwrap();
    assert!(
        line.starts_with("✘") && line.contains(&host.format("%FT%H:%MZ").to_string()),
        "{line}"
    );
    let told = doctor(&home, &server.base(), &["--trust-clock"]);
    assert!(told.out.contains("has no picture of"), "{}", told.out);
}

/// Of a station with a source, in each language: what, at which address, and what to do.
#[test]
fn what_a_source_gives_in_place_of_a_picture_is_named() {
    let cut = &picture(0)[..picture(0).len() / 2];
    let sight = ["in place of a sound picture; open it yourself", "en lugar de una imagen sana"];
    let single = ["write that of a single picture", "escriba la de una sola imagen"];
    for (kind, body, what, todo) in [
        ("image/jpeg", cut, ["gives a damaged picture", "da una imagen dañada"], sight),
        ("image/jpeg", b"", ["gives no bytes at all", "da una respuesta vacía"], sight),
        ("text/html", b"<html>hello\n", ["gives a web page", "da una página web"], sight),
        (
            "multipart/x-mixed-replace; boundary=b",
            b"--b\r\n",
            ["gives a video stream (multipart/x", "da un video continuo (multipart/x"],
            single,
        ),
    ] {
        let server = page(kind, body);
        let home = Home::new();
        let source = format!("[station.source]\nkind = 'latest'\nurl = '{}'\n", server.base());
        let station = "[station]\nid = 'roof'\nlatitude = 1\nlongitude = 2\ntime_zone = 'UTC'\n";
        home.write("celaje.toml", format!("engine = 'rten'\n{station}{source}"));
        for (n, lang) in ["en", "es"].into_iter().enumerate() {
            let told = run(&mut home.celaje(["doctor", "--db", "cielo.db", "--lang", lang]));
            assert_eq!(told.status, 3, "{told:?}");
            let line = told.out.lines().find(|line| line.starts_with("✘ c")).unwrap();
            assert!(line.contains(what[n]) && line.contains(todo[n]), "{line}");
            for english in ["incomplete", "stream", "ends after"].iter().filter(|_| n == 1) {
                assert!(!line.contains(english), "{line}");
            }
            assert!(kind != "image/jpeg" || line.contains(&server.base()), "{line}");
        }
    }
}

/// Doctor and backfill say the same, and what to do.
#[test]
fn a_login_a_proxy_and_a_refusal_are_named() {
    let home = Home::new();
    let day = ["--desde", "2024-03-01T00:00", "--hasta", "2024-03-01T00:10"];
    let proxy = format!("http://{}", closed());
    for (answer, base, status, what) in [
        ("401 X", None, 0, "/sky/ asks for a user and a password (401); write them as auth"),
        ("403 X", None, 0, "/sky/ refuses (403)"),
        ("500 X", None, 0, "/sky/ answers 500, a fault of its own"),
        ("", Some("http://camera.example/"), 4, "the proxy cannot be reached"),
    ] {
        let server = raw(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").into_bytes());
        let base = base.map_or_else(|| server.base(), str::to_owned);
        let mut command = home.celaje(["doctor", "--engine", "rten", "--db", "cielo.db"]);
        let told = run(command.args(["--url-base", &base]).env("http_proxy", &proxy));
        assert!(told.out.contains(what), "{}", told.out);
        let mut command = home.celaje(["backfill", "--engine", "rten", "--db", "cielo.db"]);
        let told = run(command.args(["--url-base", &base]).args(day).env("http_proxy", &proxy));
        assert_eq!(told.status, status, "{told:?}");
        assert_eq!(told.err.matches(what).count(), 1, "{}", told.err);
    }
}

/// What a proxy says itself is not the camera's fault.
#[test]
fn a_proxy_that_refuses_is_named() {
    let home = Home::new();
    for (answer, what) in [
        ("403 X", "the proxy, or the camera behind it, refuses (403)"),
        ("403 X\r\nX-Squid-Error: ERR_ACCESS_DENIED 0", "the proxy cannot be reached or does not"),
        ("502 X", "the proxy cannot be reached or does not pass the request on"),
        ("407 X", "the proxy asks for a user and a password"),
    ] {
        let proxy = raw(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").into_bytes());
        let mut command = home.celaje(["doctor", "--engine", "rten", "--db", "cielo.db"]);
        command.args(["--url-base", "http://camera.example/", "--layout", "root"]);
        let told = run(command.env("http_proxy", format!("http://{}", proxy.address)));
        assert!(told.out.contains(what), "{answer}: {}", told.out);
        assert!(!told.out.contains("check that its user may see"), "{}", told.out);
    }
}

#[test]
fn a_proxy_of_no_known_kind_is_told() {
    let home = Home::new();
    // This machine by an address that is none of loopback's: a proxy is looked for.
    let base = format!("http://0.0.0.0:{}/", closed().port());
    let day = ["--desde", "2024-03-01T00:00", "--hasta", "2024-03-01T00:10"];
    let what = "the proxy in http_proxy is of a kind that is not known, ftp://";
    for command in ["doctor", "backfill"] {
        let mut started = home.celaje([command, "--engine", "rten", "--db", "cielo.db"]);
        started.args(["--url-base", &base]).env("http_proxy", "ftp://user:secret@proxy:21");
        if command == "backfill" {
            started.args(day);
        }
        let told = run(&mut started);
        let text = format!("{}{}", told.out, told.err);
        assert_eq!(text.matches(what).count(), 1, "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

/// A SOCKS5 proxy that connects to nobody, and answers itself; `login` is what it says before.
fn socks(login: Vec<Vec<u8>>, answer: Vec<u8>) -> std::net::SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut block = [0; 2048];
        let replies = [&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0], &answer[..]];
        for reply in login.iter().map(Vec::as_slice).chain(replies) {
            if stream.read(&mut block).unwrap() == 0 {
                return;
            }
            stream.write_all(reply).unwrap();
        }
    });
    address
}

#[test]
fn a_socks_proxy_is_used() {
    let home = Home::new();
    let picture = picture(0);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", picture.len());
    let answer = [head.as_bytes(), &picture].concat();
    let given = "✔ camera: camera.example gave the picture";
    let asked = "the proxy asks for a user and a password";
    // Without a password; with the right one, the wrong one, and one that it asks for in vain.
    for (login, user, what) in [
        (vec![vec![5, 0]], "", given),
        (vec![vec![5, 2], vec![1, 0]], "user:p%40ss@", given),
        (vec![vec![5, 2], vec![1, 1]], "user:wrong@", asked),
        (vec![vec![5, 0xff]], "", asked),
    ] {
        let proxy = socks(login.clone(), answer.clone());
        let mut command = home.celaje(["doctor", "--engine", "rten", "--db", "cielo.db"]);
        command.args(["--url-base", "http://camera.example/", "--layout", "root"]);
        let told = run(command.env("all_proxy", format!("socks5h://{user}{proxy}")));
        assert!(told.out.contains(what), "{login:?} {}", told.out);
    }
}

#[test]
fn a_camera_whose_certificate_is_not_checked_is_told_at_each_start() {
    let home = Home::new();
    let base = format!("https://{}/", closed());
    let mut command = home.celaje(["backfill", "--engine", "rten", "--db", "cielo.db"]);
    command.args(["--url-base", &base, "--insecure", "--desde", "2024-03-01", "--hasta"]);
    let told = run(command.arg("2024-03-01"));
    assert!(told.err.contains("insecure is on for station 'rio-grande'"), "{}", told.err);
    let told = doctor(&home, &base, &["--ca-file", "cielo.db"]);
    told.refused(2, &["cielo.db", "no certificate"]);
}
