//! `celaje init`, and what its settings do in other commands.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use chrono::{TimeDelta, Utc};

use crate::support::pictures;
use crate::support::server::{Reply, Server};
use crate::{Home, Told, run};

const PLACE: [&str; 6] = ["--latitude", "47.8", "--longitude", "-11.5", "--time-zone", "UTC"];

fn init(home: &Home, args: &[&str]) -> Told {
    let mut command = home.celaje(["init"]);
    command.args(PLACE).args(args).args(["--engine", "rten", "--model", "red.onnx"]);
    run(&mut command)
}

fn doctor(home: &Home) -> serde_json::Value {
    let args = ["doctor", "--engine", "rten", "--model", "red.onnx", "--json"];
    let report = run(&mut home.celaje(args)).json();
    let checks = report["checks"].as_array().unwrap().clone();
    checks.into_iter().find(|check| check["name"] == "camera").unwrap()
}

#[test]
fn an_allsky_tree_is_found_and_read() {
    let home = Home::new();
    for minutes in [1, 2, 30, 24 * 60] {
        let taken = Utc::now() - TimeDelta::minutes(minutes);
        let night = (taken - TimeDelta::hours(12)).format("%Y%m%d");
        let name = format!("images/{night}/image-{}.jpg", taken.format("%Y%m%d%H%M%S"));
        home.write(&name, pictures::shaded([3 * 30, 40, 200]));
        home.write(&name.replace("image-", "thumbnails/image-"), "small");
    }
    let told = init(&home, &["--dir", "images", "--every", "1m"]);
    assert_eq!(told.status, 0, "{told:?}");
    for part in ["Found: preset = \"allsky\"", "okta 3", "Written: celaje.toml"] {
        assert!(told.out.contains(part), "no {part}: {}", told.out);
    }
    let camera = doctor(&home);
    assert_eq!(camera["ok"], true, "{camera}");
    assert!(camera["detail"].as_str().unwrap().contains("/image-"), "{camera}");
    // A station that is there is not written over.
    let again = init(&home, &["--dir", "images"]);
    again.refused(2, &["'celaje.toml' names a station already", "--config"]);

    // The folder as a whole is read by its names.
    let args = ["backfill", "--dir", "images", "--engine", "rten", "--model", "red.onnx"];
    let told = run(home.celaje(args).args(["--json", "--db", "sky.db", "--quiet"]));
    assert_eq!((told.status, told.json()["new"].as_u64()), (0, Some(4)), "{told:?}");
}

#[test]
fn an_address_of_one_picture_is_found_and_has_nothing_to_go_back_to() {
    let home = Home::new();
    let server = Server::start(|path, _| match path.ends_with("/snap.jpg") {
        true => Reply::Body(pictures::shaded([5 * 30, 40, 200])),
        false => Reply::not_found(),
    });
    let url = format!("{}snap.jpg", server.base());
    // As a package leaves them: settings without a station, which stay.
    let before = "# A remark.\ndb = \"gate.db\"\n";
    home.write("celaje.toml", before);
    let private = Permissions::from_mode(0o600);
    std::fs::set_permissions(home.path("celaje.toml"), private).unwrap();
    let told = init(&home, &["--url", &url, "--id", "gate"]);
    assert_eq!(told.status, 0, "{told:?}");
    let after = std::fs::read_to_string(home.path("celaje.toml")).unwrap();
    assert!(after.starts_with(before) && after.contains("id = \"gate\""), "{after}");
    let mode = std::fs::metadata(home.path("celaje.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(told.out.contains("kind = \"latest\"") && told.out.contains("okta 5"), "{told:?}");
    assert_eq!(doctor(&home)["ok"], true);
    let args = ["backfill", "--desde", "2024-01-01", "--hasta", "2024-01-02"];
    let told = run(&mut home.celaje(args));
    told.refused(2, &["'gate'", "nothing to go back to", "celaje serve"]);
}

#[test]
fn what_is_missing_is_asked_for_or_named() {
    let home = Home::new();
    let mut command = home.celaje(["init", "--url", "http://127.0.0.1:9/a.jpg"]);
    run(&mut command).refused(2, &["Latitude", "--latitude"]);
    let bare = run(&mut home.celaje(["init", "--latitude", "1", "--longitude", "2"]));
    bare.refused(2, &["Address or folder", "--url, --dir"]);
    home.write("notes/readme.txt", "no picture");
    let nothing = init(&home, &["--dir", "notes"]);
    nothing.refused(3, &["no picture was found", "notes", "docs/settings.md"]);
    // A flag that `init` has is named, before anything is looked for.
    let odd = init(&home, &["--url", "ftp://camera.example/"]);
    odd.refused(2, &["'ftp://camera.example/'", "write --url http://"]);
    assert!(!odd.err.contains("--url-base"), "{odd:?}");
    std::fs::create_dir(home.path("empty")).unwrap();
    init(&home, &["--dir", "empty"]).refused(3, &["/empty' is empty", "the camera writes there"]);
    home.write("mine/north/sky-03-01-2024.jpg", "a picture");
    let other = init(&home, &["--dir", "mine/north"]);
    other.refused(3, &["mine/north/sky-03-01-2024.jpg", "path in [station.source]"]);
    assert!(!home.has("celaje.toml"));
}

/// On a terminal a mistyped answer is asked for again.
#[test]
fn a_wrong_latitude_is_asked_for_again() {
    let home = Home::new();
    let program = crate::program().display();
    let asked =
        format!("'{program}' init --lang en --url http://127.0.0.1:9/a.jpg --time-zone UTC");
    let mut terminal = assert_cmd::Command::new("script");
    terminal
        .args(["-qec", &asked, "/dev/null"])
        .env("HOME", home.path(""))
        .current_dir(home.path(""));
    terminal.env_remove("CELAJE_URL_BASE").write_stdin("south\n-95\nNaN\n-53,79\n200\n-67.7\n");
    let told = run(&mut terminal);
    let said = told.out.matches("write degrees such as -53.79").count();
    assert_eq!(said, 4, "{told:?}");
    let (last, limit) =
        ("'200' is no number from -180 to 180", "'-95' is no number from -90 to 90");
    assert!(told.out.contains(last) && told.out.contains(limit), "{told:?}");
    // All was answered: the camera is what is missing.
    assert!(told.status == 3 && told.out.contains("no picture was found"), "{told:?}");
}

/// A host that is gone is asked once, and one without any picture a few times.
#[test]
fn no_way_is_tried_for_long() {
    let home = Home::new();
    let begun = std::time::Instant::now();
    let gone = format!("http://{}/", crate::support::server::closed());
    init(&home, &["--url", &gone]).refused(3, &["no picture was found", &gone]);
    let server = Server::start(|_, _| Reply::not_found());
    let base = format!("http://{}/", server.address);
    init(&home, &["--url", &base]).refused(3, &["no picture was found", &base]);
    // Each way that is waited for takes six seconds.
    assert!(begun.elapsed() < std::time::Duration::from_secs(40), "{:?}", begun.elapsed());
}

#[test]
fn a_camera_with_a_password_says_so_and_is_read_with_it() {
    let home = Home::new();
    let server = Server::start(|_, _| {
        Reply::Status(401, vec![("WWW-Authenticate", "Basic realm=\"cam\"".to_owned())])
    });
    let url = format!("{}snap.jpg", server.base());
    init(&home, &["--url", &url]).refused(3, &["wants a login", "--user", "--password-file"]);
    home.write("key", "s3cret-word\n");
    let told = init(&home, &["--url", &url, "--user", "me", "--password-file", "key"]);
    assert!(!format!("{told:?}").contains("s3cret-word"));
    let basic = "authorization: basic bwu6czncmv0";
    let heads = server.heads().join("\n").to_ascii_lowercase();
    assert!(heads.contains(&basic[..24]), "{heads}");
}

#[test]
fn the_settings_begin_in_the_readers_language() {
    let home = Home::new();
    home.write("latest.jpg", pictures::shaded([90, 40, 200]));
    let told = init(&home, &["--dir", "latest.jpg", "--lang", "es"]);
    assert_eq!(told.status, 0, "{told:?}");
    let text = std::fs::read_to_string(home.path("celaje.toml")).unwrap();
    assert!(text.starts_with("# Escrito por `celaje init`; docs/es/ajustes.md"), "{text}");
}

/// Cameras shut out who tries a wrong password a few times.
#[test]
fn a_wrong_password_is_tried_once() {
    let home = Home::new();
    home.write("key", "wrong\n");
    for path in ["", "snap.jpg"] {
        let server = Server::start(|_, _| {
            Reply::Status(401, vec![("WWW-Authenticate", "Basic realm=\"cam\"".to_owned())])
        });
        let logins = || {
            let heads = server.heads();
            heads.iter().filter(|h| h.to_ascii_lowercase().contains("authorization:")).count()
        };
        let url = format!("http://{}/{path}", server.address);
        let told = init(&home, &["--url", &url, "--user", "me", "--password-file", "key"]);
        told.refused(3, &["does not accept this user and password"]);
        assert!((1..=2).contains(&logins()), "{url}: {:?}", server.requests());
        let before = logins();
        let inside = format!("http://me:wrong@{}/{path}", server.address);
        assert_eq!(init(&home, &["--url", &inside]).status, 3);
        assert!((1..=2).contains(&(logins() - before)), "{url}: {:?}", server.requests());
    }
}

/// A program that writes its picture anew takes it away for a moment.
#[test]
fn a_latest_picture_that_is_being_written_is_waited_for() {
    let home = Home::new();
    std::fs::create_dir(home.path("sky")).unwrap();
    let path = home.path("sky/latest.jpg");
    let writer = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let whole = pictures::shaded([5 * 30, 40, 200]);
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(500));
        std::fs::write(&path, whole).unwrap();
    });
    let told = init(&home, &["--dir", "sky/latest.jpg"]);
    writer.join().unwrap();
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.out.contains("kind = \"latest\"") && told.out.contains("okta 5"), "{told:?}");
}

/// As it is dropped on a terminal, or typed there.
#[test]
fn a_place_may_be_typed_as_in_a_shell() {
    for place in ["~/sky", "'~/sky'", "\"{home}/sky\"", "{home}/sky"] {
        let home = Home::new();
        let taken = Utc::now() - TimeDelta::minutes(2);
        let name = taken.format("sky/%Y%m%d/image-%Y%m%d%H%M%S.jpg").to_string();
        home.write(&name, pictures::shaded([5 * 30, 40, 200]));
        let place = place.replace("{home}", home.path("").to_str().unwrap().trim_end_matches('/'));
        let asked = format!(
            "'{}' init --lang en --latitude 1 --longitude 2 --time-zone UTC --engine rten --model \
             red.onnx",
            crate::program().display()
        );
        let mut terminal = assert_cmd::Command::new("script");
        terminal
            .args(["-qec", &asked, "/dev/null"])
            .env("HOME", home.path(""))
            .current_dir(home.path(""));
        terminal.env_remove("CELAJE_URL_BASE").write_stdin(format!("{place}\n"));
        let told = run(&mut terminal);
        assert!(told.status == 0 && told.out.contains("okta 5"), "{place}: {told:?}");
    }
}
