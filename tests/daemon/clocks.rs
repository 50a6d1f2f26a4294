//! A clock that is wrong, and one that is set while the program works.

use std::sync::{Arc, Mutex};

use super::*;

use crate::support::server::closed;

/// A camera with a picture for every slot of `year`, whose clock shows `date`, if anything.
fn camera_of(year: &'static str, date: Option<&'static str>) -> Server {
    Server::start(move |path, _| match asked(path) {
        Some(asked) if path.contains(&format!("/{year}-")) => Reply::Body(picture(asked)),
        _ => Reply::Status(404, date.map(|date| ("date", date.to_owned())).into_iter().collect()),
    })
}

fn camera_at(date: &'static str) -> Server {
    camera_of("2024", Some(date))
}

/// The pictures that were asked for, by their names' years.
fn years(server: &Server) -> Vec<String> {
    let requests = server.requests();
    let names = requests.iter().filter(|path| path.ends_with(".jpg"));
    let mut years: Vec<String> =
        names.filter_map(|path| Some(path.rsplit('/').next()?.get(..4)?.to_owned())).collect();
    years.dedup();
    years
}

fn ready(running: &Running) -> (u16, String) {
    running.ask("GET", "/readyz", "", "")
}

#[test]
fn a_clock_in_1970_is_waited_for_and_work_begins_when_it_is_set() {
    let home = Home::new();
    let server = camera_at("Fri, 01 Mar 2024 15:02:30 GMT");
    home.write("clock", "1970-01-01T00:03:50Z@60");
    home.write("token", "0123456789abcdef0123456789abcdef\n");
    let args = ["--url-base", &server.base(), "--model", "red.onnx", "--token-file", "token"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "2h", "--clock", "@clock"]));
    until("it says so", || ready(&running).0 == 503);
    let (_, told) = ready(&running);
    assert!(told.contains("clock") && told.contains("1970-01-01T00:0"), "{told}");
    assert!(running.state()["trouble"].as_str().unwrap().contains("looks wrong"));
    // What is due is not known: nothing is.
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    let day = r#"{"from": "2024-02-01", "to": "2024-02-01"}"#;
    let path = "/api/v1/stations/rio-grande/backfills";
    let (status, told) = running.ask("POST", path, bearer, day);
    assert_eq!((status, told.contains("1970-01-01")), (400, true), "{told}");
    assert_eq!(server.requests(), Vec::<String>::new());

    home.write("clock", "2024-03-01T15:05:00Z@1");
    until("the newest slot is taken", || stored(&home, "2024-03-01T12:02"));
    until("what was missed is caught up", || {
        home.record().count("observations WHERE slot_local < '2024-03-01T11:50'") == 10
    });
    assert_eq!(ready(&running).0, 200);
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0);
    assert!(told.iter().any(|line| line.contains("looks wrong")), "{told:?}");
    assert_eq!(years(&server), ["2024"]);
    let mut record = home.record();
    assert_eq!(record.count("misses"), 0);
    assert_eq!(record.count("runs WHERE range_from < '2024-03-01T10:00'"), 0);
}

#[test]
fn a_clock_a_year_ahead_of_the_cameras_is_waited_for() {
    let home = Home::new();
    let server = camera_at("Fri, 01 Mar 2024 15:02:30 GMT");
    home.write("clock", "2025-03-01T15:02:30Z@600");
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "1h", "--clock", "@clock"]));
    until("it says so", || ready(&running).0 == 503);
    let (_, told) = ready(&running);
    assert!(told.contains("2025-03-01T1") && told.contains("2024-03-01T15:02Z"), "{told}");
    home.write("clock", "2024-03-01T15:02:30Z@600");
    until("it goes on", || stored(&home, "2024-03-01T12:12"));
    // It is set ahead while the program works: what the camera's host said before is remembered.
    home.write("clock", "2025-03-01T15:02:30Z@600");
    until("it says so again", || ready(&running).0 == 503);
    // And back, by an hour more than before.
    home.write("clock", "2024-03-01T14:02:30Z@600");
    until("it is right again", || ready(&running).0 == 200);
    home.write("clock", "2024-03-01T15:42:30Z@600");
    until("nothing between is lost", || {
        let slots = "observations WHERE slot_local BETWEEN '2024-03-01T11:12' AND \
                     '2024-03-01T12:42'";
        home.record().count(slots) == 10
    });
    assert_eq!(running.end("TERM").0, 0);
    assert_eq!(home.record().count("misses"), 0);
    assert_eq!(home.record().count("runs WHERE range_to >= '2025'"), 0);
}

/// A camera that answers any name with a picture, and whose clock shows `date`.
fn any_name_at(date: &'static str) -> Server {
    Server::start(move |path, _| match asked(path) {
        Some(asked) => {
            let body = picture(asked);
            let head = format!(
                "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            Reply::Raw([head.into_bytes(), body].concat())
        }
        None => Reply::Status(404, vec![("date", date.to_owned())]),
    })
}

/// A picture that any name gets tells nothing of the time; the host's date does.
#[test]
fn a_clock_a_year_ahead_of_a_camera_that_answers_any_name_is_waited_for() {
    let home = Home::new();
    let server = any_name_at("Fri, 01 Mar 2024 15:02:30 GMT");
    home.write("clock", "2025-03-01T15:02:30Z@60");
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let running = Running::start(home.serve(&args).args(["--catch-up", "1h", "--clock", "@clock"]));
    until("it says so", || ready(&running).0 == 503);
    let (status, told) = ready(&running);
    assert!(status == 503 && told.contains("2024-03-01T15:0"), "{status} {told}");
    home.write("clock", "2024-03-01T15:02:30Z@60");
    until("the newest slot is taken", || stored(&home, "2024-03-01T12:02"));
    assert_eq!(running.end("TERM").0, 0);
    assert_eq!(years(&server), ["2024"]);
    let mut record = home.record();
    assert_eq!(record.count("observations WHERE slot_local >= '2025'"), 0);
    assert_eq!(record.count("misses WHERE slot_local >= '2025'"), 0);
}

/// Every address that a camera is asked for while the clock is in doubt, for each kind of source:
/// none names a slot, be it of a time that has not come or of one before the program existed.
#[test]
fn no_slot_is_asked_for_while_the_clock_is_in_doubt() {
    const NOW: &str = "Fri, 01 Mar 2024 15:02:30 GMT";
    let template = "kind = 'template'\npath = '%Y/%m/%d/%H%M.jpg'\nurl = 'BASE/'\nevery = '10m'";
    let tree = "preset = 'allsky'\nurl = 'BASE/'";
    let latest = "kind = 'latest'\nurl = 'BASE/latest.jpg'";
    let kinds: [(&str, &str, &[&str]); 4] = [
        ("", "url_base = 'BASE/'", &["/sky/"]),
        ("[station.source]", template, &["/sky/"]),
        ("[station.source]", tree, &["/sky/", "/sky/20240301/"]),
        ("[station.source]", latest, &["/sky/latest.jpg"]),
    ];
    for (table, settings, may_be_asked) in kinds {
        // Whatever it is asked for, it answers; its lists hold the hours before now.
        let server = Server::start(|path, _| {
            let names = (0..6).map(|n| format!("<a href='image-202403011{n}0200.jpg'>x</a>"));
            let body = match path {
                "/sky/" => b"<html><a href='20240301/'>x</a>".to_vec(),
                "/sky/20240301/" => format!("<html>{}", names.collect::<String>()).into_bytes(),
                _ => pictures::shaded([90, 40, 7]),
            };
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nDate: {NOW}\r\nContent-Length: {length}\r\n\r\n");
            Reply::Raw([head.into_bytes(), body].concat())
        });
        let home = Home::new();
        let settings = settings.replace("BASE/", &server.base());
        let station = "[station]\nid = 'roof'\nlatitude = -53.79\nlongitude = -67.7\n\
                       time_zone = 'UTC'";
        let file = format!("model = 'red.onnx'\n{station}\n{table}\n{settings}\n");
        home.write("celaje.toml", &file);
        home.write("clock", "2024-03-01T15:02:30Z@1");
        for wrong in ["1970-01-01T00:03:50Z", "2025-03-01T15:02:30Z", "2024-03-02T15:02:30Z"] {
            server.forget_requests();
            home.write("clock", &format!("{wrong}@1"));
            let running = Running::start(&mut home.serve(&["--clock", "@clock"]));
            until("it says so", || ready(&running).0 == 503);
            let (_, told) = ready(&running);
            assert!(told.contains("clock") && told.contains(&wrong[..10]), "{told}");
            // Nor does a client of the replaced system make it ask.
            let (status, body) = running.ask("GET", "/imagen", "", "");
            assert_eq!(status, 404, "{body}");
            let asked = server.requests();
            let is_none = |path: &String| !may_be_asked.contains(&path.as_str());
            assert_eq!(asked.iter().find(|path| is_none(path)), None, "{wrong}: {settings}");
            // Nothing is worth a question before the program existed.
            assert_eq!(asked.is_empty(), wrong.starts_with("1970"), "{wrong}: {settings}");
            assert_eq!(running.end("TERM").0, 0);
            let mut record = home.record();
            assert_eq!((record.count("misses"), record.count("observations")), (0, 0));
        }
    }
}

/// Nobody can tell which of the two clocks is wrong, unless the user does.
#[test]
fn a_user_who_trusts_the_clock_is_believed() {
    let home = Home::new();
    let server = any_name_at("Mon, 01 Jan 2024 00:00:00 GMT");
    let args = ["--url-base", &server.base(), "--model", "red.onnx", "--trust-clock"];
    home.write("clock", "1970-01-01T00:03:50Z@60");
    let running = Running::start(home.serve(&args).args(["--catch-up", "1h", "--clock", "@clock"]));
    until("no trust goes before the program's time", || ready(&running).0 == 503);
    home.write("clock", "2024-03-01T15:02:30Z@60");
    until("the newest slot is taken", || stored(&home, "2024-03-01T12:02"));
    assert_eq!(ready(&running).0, 200);
    assert_eq!(running.end("TERM").0, 0);
}

/// A reading that is newer than the date of the host shows that this one is wrong, in the same
/// hour and days after; without one the user has to say so.
#[test]
fn a_camera_whose_own_clock_is_wrong_does_not_stop_the_program() {
    let home = Home::new();
    let date = ("date", "Mon, 01 Jan 2024 00:00:00 GMT".to_owned());
    let server = Server::start(move |path, _| match asked(path) {
        Some(asked) if time(asked).as_str() < "2024-03-02" => Reply::Body(picture(asked)),
        _ => Reply::Status(404, vec![date.clone()]),
    });
    home.write("clock", "2024-02-27T15:02:30Z@60");
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let serve = |more: &[&str]| {
        let last = ["--catch-up", "1h", "--clock", "@clock"];
        Running::start(home.serve(&args).args(last).args(more))
    };
    let running = serve(&[]);
    until("it says so", || ready(&running).0 == 503);
    assert!(ready(&running).1.contains("trust_clock"), "{:?}", ready(&running));
    assert_eq!(running.end("TERM").0, 0);
    let running = serve(&["--trust-clock"]);
    until("a slot is taken", || home.record().count("observations") > 0);
    assert_eq!(running.end("TERM").0, 0);
    for (clock, slot) in [
        ("2024-02-27T16:02:30Z@60", "2024-02-27T13:02"),
        ("2024-03-01T15:02:30Z@60", "2024-03-01T12:02"),
    ] {
        home.write("clock", clock);
        let running = serve(&[]);
        until("the newest slot is taken", || stored(&home, slot));
        assert_eq!(ready(&running).0, 200);
        assert_eq!(running.end("TERM").0, 0);
    }
    assert_eq!(home.record().count("misses"), 0);
}

/// A folder lists its names: one of now speaks for a clock that is far from all that is known.
#[test]
fn a_folder_that_lists_a_picture_of_now_speaks_for_the_clock() {
    let home = Home::new();
    let sources = [
        "kind = 'template'\npath = '%Y%m%d/%H%M.jpg'\nevery = '10m'",
        "kind = 'tree'\npath = '%Y%m%d/%H%M*.jpg'\nevery = '10m'",
    ];
    for (n, source) in sources.into_iter().enumerate() {
        let images = format!("images{n}");
        let picture = |path: &str| {
            let path = home.path(&format!("{images}/{path}"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, pictures::shaded([90, 40, 7])).unwrap();
        };
        home.write(
            "celaje.toml",
            &format!(
                "model = 'red.onnx'\n[station]\nid = 'roof{n}'\nlatitude = -53.79\n\
                 longitude = -67.7\ntime_zone = 'UTC'\n[station.source]\ndir = '{images}'\n\
                 {source}\n"
            ),
        );
        picture("20240101/1200.jpg");
        let serve = || Running::start(&mut home.serve(&["--catch-up", "0", "--clock", "@clock"]));
        home.write("clock", "2024-01-01T12:03:00Z@1");
        let of = format!("observations WHERE station = 'roof{n}'");
        let running = serve();
        until("the first slot is taken", || home.record().count(&of) == 1);
        assert_eq!(running.end("TERM").0, 0);
        // Months later.
        home.write("clock", "2024-03-01T12:03:00Z@1");
        let running = serve();
        until("it says so", || ready(&running).0 == 503);
        assert_eq!(running.end("TERM").0, 0);
        picture("20240301/1200.jpg");
        let running = serve();
        until("the newest slot is taken", || home.record().count(&of) == 2);
        assert_eq!(ready(&running).0, 200);
        assert_eq!(running.end("TERM").0, 0);
    }
}

/// A clock a year ahead, beside a camera that says nothing of the time or cannot be reached.
#[test]
fn a_clock_far_from_the_record_waits_for_a_sign_of_the_camera() {
    let silent = camera_of("2024", None);
    let gone = format!("http://{}/", closed());
    for base in [silent.base(), gone] {
        let home = Home::new();
        let hour = ["--desde", "2024-03-01T11:02", "--hasta", "2024-03-01T11:52"];
        let mut backfill = home.celaje();
        backfill.args(["backfill", "--db", "cielo.db", "--engine", "rten"]).args(hour);
        assert!(backfill.args(["--url-base", &silent.base()]).status().unwrap().success());
        home.write("clock", "2025-03-01T15:02:30Z@60");
        let args = ["--url-base", &base, "--catch-up", "1h", "--clock", "@clock"];
        let running = Running::start(&mut home.serve(&args));
        until("it says so", || ready(&running).0 == 503);
        let (_, told) = ready(&running);
        assert!(told.contains("2025-03-01T1") && told.contains("2024-03-01T14:52Z"), "{told}");
        home.write("clock", "2024-03-01T15:02:30Z@60");
        until("it is right", || ready(&running).0 == 200);
        assert_eq!(running.end("TERM").0, 0);
        let mut record = home.record();
        assert_eq!(record.count("misses WHERE slot_local >= '2025'"), 0, "{base}");
        assert_eq!(record.count("runs WHERE range_to >= '2025'"), 0, "{base}");
    }
}

#[test]
fn a_backfill_does_what_is_due_and_refuses_what_lies_ahead() {
    let home = Home::new();
    let server = camera(|_, _| None);
    home.write("token", "0123456789abcdef0123456789abcdef\n");
    let args = ["--url-base", &server.base(), "--model", "red.onnx", "--token-file", "token"];
    let clock = "2024-03-01T15:03:00Z@1";
    let running = Running::start(home.serve(&args).args(["--catch-up", "0", "--clock", clock]));
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    let order =
        |range: &str| running.ask("POST", "/api/v1/stations/rio-grande/backfills", bearer, range);
    for ahead in [
        r#"{"from": "2024-03-02", "to": "2024-03-02"}"#,
        r#"{"from": "2024-03-01T12:32", "to": "2024-03-01T18:00"}"#,
    ] {
        let (status, told) = order(ahead);
        assert_eq!(status, 400, "{told}");
        assert!(told.contains("2024-03-01T15:0"), "the clock is told: {told}");
    }
    assert_eq!(order(r#"{"from": "2024-03-01", "to": "2024-03-01"}"#).0, 202);
    let job = || running.state()["jobs"][0].clone();
    until("it ends", || job()["status"] == "finished");
    let progress = job()["progress"].clone();
    // 12:02 is due, 12:12 is not, unless this machine is ten minutes slow.
    assert_eq!((&progress["planned"], &progress["pending"]), (&73.into(), &71.into()));
    assert_eq!(running.end("TERM").0, 0);
    let mut record = home.record();
    assert_eq!((record.count("observations"), record.count("misses")), (73, 0));
    let run = "SELECT range_to || ' ' || total FROM runs WHERE kind = 'backfill'";
    assert_eq!(record.texts(run), ["2024-03-01T12:02 73"]);
}

/// How old a reading is, only the clock tells: one that was set back, or is behind after a restart
/// as that of a machine without a battery, makes no old reading fresh.
#[test]
fn a_clock_that_is_behind_makes_no_sky_safe() {
    let home = Home::new();
    let date = Arc::new(Mutex::new(Some("Fri, 01 Mar 2024 15:02:30 GMT".to_owned())));
    let told = Arc::clone(&date);
    let server = Server::start(move |path, _| {
        let Some(date) = told.lock().unwrap().clone() else { return Reply::Reset };
        if !path.ends_with(".jpg") {
            return Reply::Status(404, vec![("date", date)]);
        }
        // Each slot has a clear picture like no other.
        let sum = path.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
        Reply::Body(pictures::shaded([0, (sum / 200 % 200) as u8, (sum % 200) as u8]))
    });
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\n[station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\n\
             time_zone = '-03:00'\nurl_base = '{}'\n\
             [station.safety]\nwhen = 'always'\nsafe_after = '10m'\nstale_after = '25m'\n",
            server.base()
        ),
    );
    let serve = || Running::start(home.serve(&["--catch-up", "2h"]).args(["--clock", "@clock"]));
    let safety = |running: &Running| -> Value {
        let (_, told) = running.ask("GET", "/api/v1/stations/gate/safety", "", "");
        serde_json::from_str(&told).unwrap()
    };
    home.write("clock", "2024-03-01T15:02:30Z@1");
    let running = serve();
    until("all is caught up and safe", || {
        home.record().count("observations") == 13 && safety(&running)["safe"] == true
    });
    home.write("clock", "2024-03-01T14:12:30Z@1");
    let set_back = safety(&running);
    assert_eq!((&set_back["safe"], &set_back["reason"]), (&false.into(), &"clock_in_doubt".into()));
    home.write("clock", "2024-03-01T15:03:30Z@1");
    until("it is safe again", || safety(&running)["safe"] == true);
    assert_eq!(running.end("TERM").0, 0);

    // The machine was off for an hour, and its clock goes on from where it stood; the camera's host
    // is silent at first.
    home.write("clock", "2024-03-01T15:04:30Z@1");
    let never_safe = |running: &Running| {
        for _ in 0..20 {
            let behind = safety(running);
            let found = (&behind["safe"], &behind["reason"]);
            assert_eq!(found, (&false.into(), &"clock_in_doubt".into()));
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    *date.lock().unwrap() = None;
    let running = serve();
    never_safe(&running);
    assert_eq!(running.end("TERM").0, 0);
    // A host that is ten minutes off confirms no clock.
    *date.lock().unwrap() = Some("Fri, 01 Mar 2024 15:14:30 GMT".to_owned());
    let running = serve();
    never_safe(&running);
    assert_eq!(ready(&running).0, 200);
    assert_eq!(running.end("TERM").0, 0);
    *date.lock().unwrap() = Some("Fri, 01 Mar 2024 16:04:30 GMT".to_owned());
    let running = serve();
    never_safe(&running);
    let (status, told) = ready(&running);
    assert!(status == 503 && told.contains("'gate'"), "{told}");
    assert!(told.contains("2024-03-01T15:04Z") && told.contains("2024-03-01T16:04Z"), "{told}");
    assert_eq!(running.state()["trouble"].as_str(), Some(told.trim()));
    home.write("clock", "2024-03-01T16:04:30Z@1");
    until("the clock is right, and it is safe by new readings", || {
        safety(&running)["safe"] == true
    });
    assert_eq!(ready(&running).0, 200);
    assert_eq!(running.end("TERM").0, 0);
}
