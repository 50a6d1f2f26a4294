//! A user name and a password in the base address go to the server and nowhere else.

use crate::support::server::{Reply, Server, closed};
use crate::{Home, Told, camera_with, picture, run};

const SECRET: &str = "s3cr3t-w0rd";
/// `observer:s3cr3t-w0rd` in Base64, as it travels.
const ENCODED: &str = "b2JzZXJ2ZXI6czNjcjN0LXcwcmQ=";

fn with_secret(base: &str) -> String {
    base.replace("://", &format!("://observer:{SECRET}@"))
}

fn clean(told: &Told, home: &Home) {
    for (name, text) in [("out", &told.out), ("err", &told.err)] {
        for secret in [SECRET, ENCODED] {
            assert!(!text.contains(secret), "std{name}: {text}");
        }
    }
    for entry in std::fs::read_dir(home.path(".")).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(bytes) = std::fs::read(&path) {
            let found = bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
            assert!(!found, "in {}", path.display());
        }
    }
}

/// Every kind of answer, with everything logged.
#[test]
fn they_are_in_no_message_and_no_row() {
    let home = Home::new();
    let other = Server::start(|_, _| Reply::not_found());
    let elsewhere = format!("http://{}/", other.address);
    let server = camera_with(move |index| match index {
        0 => Some(Reply::not_found()),
        1 => Some(Reply::status(401)),
        2 => Some(Reply::Reset),
        3 => Some(Reply::redirect(&elsewhere)),
        4 => Some(Reply::Half(picture(4))),
        _ => None,
    });
    let base = with_secret(&server.base());
    for log in ["warn", "debug"] {
        let mut command = home.backfill(&base, "2024-03-01T00:00", "2024-03-01T01:59");
        command.args(["--json", "--retry-missed", "--log", log]);
        let told = run(&mut command);
        assert_eq!(told.status, 0, "{told:?}");
        assert_eq!(told.json()["missed"], 5);
        clean(&told, &home);
    }
    assert!(server.heads().iter().all(|head| head.contains(ENCODED)));
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn they_are_in_no_refusal() {
    let home = Home::new();
    for base in [
        format!("ftp://observer:{SECRET}@host/"),
        format!("http://observer:{SECRET}@"),
        format!("http://observer:{SECRET}@host:99999/"),
        format!("http://observer:{SECRET}@ho st/"),
        format!("observer:{SECRET}@host/pictures"),
        format!("htp://observer:{SECRET}@host/?token={SECRET}"),
        format!("htp://host/pictures#{SECRET}"),
        format!("htp://observer:{SECRET}?{SECRET}@host/"),
        format!("htp://host/?token=a@{SECRET}"),
    ] {
        let told = run(&mut home.backfill(&base, "2024-03-01", "2024-03-01"));
        assert_eq!(told.status, 2, "{told:?}");
        assert!(told.err.contains("--url-base"), "{told:?}");
        clean(&told, &home);
        let told = run(&mut home.celaje(["doctor", "--engine", "rten", "--url-base", &base]));
        assert_eq!(told.status, 3);
        clean(&told, &home);
    }
}

#[test]
fn they_are_in_no_word_about_a_host_that_is_down() {
    let home = Home::new();
    let base = with_secret(&format!("http://{}/", closed()));
    let mut command = home.backfill(&base, "2024-03-01T00:00", "2024-03-01T01:59");
    let told = run(command.args(["--layout", "root", "--log", "debug"]));
    assert_eq!(told.status, 4);
    clean(&told, &home);
    let told = run(&mut home.celaje(["doctor", "--engine", "rten", "--url-base", &base]));
    assert_eq!(told.status, 3);
    clean(&told, &home);
}
