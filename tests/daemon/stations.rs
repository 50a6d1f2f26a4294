//! Several stations in one process and one file, and what is asked for through the API.

use super::*;

fn two(home: &Home, a: &str, b: &str) {
    settings(home, [("east", "-03:00", a), ("west", "-04:00", b)]);
}

fn settings(home: &Home, stations: [(&str, &str, &str); 2]) {
    let station = |(id, zone, base): (&str, &str, &str)| {
        format!(
            "[[station]]\nid = '{id}'\nlatitude = -53.79\nlongitude = -67.7\n\
             time_zone = '{zone}'\nurl_base = '{base}'\nlayout = 'year'\n"
        )
    };
    let stations = stations.map(station).concat();
    home.write("celaje.toml", &format!("model = 'red.onnx'\ncatch_up = '1h'\n{stations}"));
}

#[test]
fn two_stations_share_a_file() {
    let home = Home::new();
    home.write("token", "0123456789abcdef0123456789abcdef\n");
    let (a, b) = (camera(|_, _| None), camera(|_, _| None));
    two(&home, &a.base(), &b.base());
    let running = Running::start(home.serve(&["--token-file", "token"]).args(["--clock", NOON]));
    let at = |station: &str, slot: &str| {
        let rows = format!("observations WHERE station = '{station}' AND slot_local = '{slot}'");
        home.record().count(&rows) == 1
    };
    // The same instant by two clocks.
    until("east", || at("east", "2024-03-01T12:02"));
    until("west", || at("west", "2024-03-01T11:02"));
    until("both are filled", || {
        let done = "runs WHERE kind = 'catch-up' AND status = 'finished'";
        home.record().count(done) == 2
    });
    assert!(at("east", "2024-03-01T11:12") && at("west", "2024-03-01T10:12"));
    assert!(!at("west", "2024-03-01T09:52"));

    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    let path = "/api/v1/stations/west/backfills";
    let range = r#"{"from": "2024-02-01", "to": "2024-02-01"}"#;
    let (status, told) = running.ask("POST", path, bearer, range);
    assert_eq!(status, 202, "{told}");
    until("it is filled", || {
        home.record()
            .count("observations WHERE station = 'west' AND slot_local LIKE '2024-02-01T%'")
            == 144
    });
    until("it is told", || {
        let jobs = running.state()["jobs"].clone();
        let asked = |job: &&Value| job["from"] == "2024-02-01T00:00";
        let job = jobs.as_array().unwrap().iter().find(asked).cloned();
        job.is_some_and(|job| job["status"] == "finished" && job["progress"]["new"] == 144)
    });
    // One that would take minutes is cancelled, and live slots go on meanwhile.
    let year = r#"{"from": "2023-01-01", "to": "2023-12-31"}"#;
    let (status, told) = running.ask("POST", path, bearer, year);
    assert_eq!(status, 202, "{told}");
    let job = |running: &Running| {
        let jobs = running.state()["jobs"].clone();
        let asked = |job: &&Value| job["from"] == "2023-01-01T00:00";
        jobs.as_array().unwrap().iter().find(asked).cloned().unwrap()
    };
    until("it runs", || job(&running)["progress"]["new"].as_u64() > Some(0));
    let live = "observations JOIN runs ON runs.id = run_id WHERE kind = 'live'";
    let before = home.record().count(live);
    until("live slots go on", || home.record().count(live) > before + 2);
    let number = job(&running)["job"].clone();
    let (status, told) = running.ask("DELETE", &format!("/api/v1/backfills/{number}"), bearer, "");
    assert!((200..300).contains(&status), "{status} {told}");
    until("it is cancelled", || job(&running)["status"] == "cancelled");
    let cancelled = "runs WHERE range_from = '2023-01-01T00:00' AND status = 'interrupted'";
    assert_eq!(home.record().count(cancelled), 1);
    let (status, _) = running.ask("POST", "/api/v1/stations/north/backfills", bearer, range);
    assert_eq!(status, 404);

    let (status, _) = running.end("TERM");
    assert_eq!(status, 0);
    let mut record = home.record();
    let homes = record.texts("SELECT id FROM stations WHERE is_home = 1");
    assert_eq!(homes, ["east"]);
    let open = "runs WHERE status = 'running'";
    assert_eq!(record.count(open), 0);
    let stations = record.texts("SELECT station FROM runs WHERE kind = 'live' ORDER BY station");
    assert_eq!(stations, ["east", "west"]);
    assert_eq!(record.count("misses"), 0);
    // Each camera was asked for its own alone.
    assert!(!a.requests().iter().any(|path| path.contains("2024-0201")));
}

#[test]
fn stations_come_and_go_with_the_settings() {
    let home = Home::new();
    home.write("token", "0123456789abcdef0123456789abcdef\n");
    let cameras = [(); 3].map(|()| camera(|_, _| None));
    let [a, b, c] = cameras.each_ref().map(Server::base);
    two(&home, &a, &b);
    let running = Running::start(home.serve(&["--token-file", "token"]).args(["--clock", NOON]));
    let rows = |station: &str| {
        let rows = format!("observations WHERE station = '{station}'");
        home.record().count(&rows)
    };
    until("both work", || rows("east") > 0 && rows("west") > 0);
    let bearer = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
    let backfill = |station: &str, range: &str| {
        let path = format!("/api/v1/stations/{station}/backfills");
        running.ask("POST", &path, bearer, range)
    };
    let year = r#"{"from": "2022-01-01", "to": "2022-12-31"}"#;
    for _ in 0..2 {
        let (status, told) = backfill("west", year);
        assert_eq!(status, 202, "{told}");
    }
    let jobs = || {
        let jobs = running.state()["jobs"].as_array().unwrap().clone();
        jobs.into_iter().filter(|job| job["from"] == "2022-01-01T00:00").collect::<Vec<_>>()
    };
    until("one runs", || jobs().iter().any(|job| job["status"] == "running"));
    settings(&home, [("east", "-03:00", &a), ("north", "-05:00", &c)]);
    running.signal("HUP");
    until("the new one works", || rows("north") > 0);
    // The web side knows of it, its camera too.
    until("it is told", || {
        let (_, told) = running.ask("GET", "/api/v1/stations", "", "");
        let told: Value = serde_json::from_str(&told).unwrap();
        let minutes = |id: &str| {
            let mut stations = told.as_array().unwrap().iter();
            stations.find(|item| item["id"] == id).unwrap()["minutes"].clone()
        };
        minutes("north").is_array() && minutes("west").is_null() && minutes("east").is_array()
    });
    let slot =
        home.record().texts("SELECT max(slot_local) FROM observations WHERE station = 'north'");
    let path = format!("/api/v1/stations/north/slots/{}/picture", slot[0]);
    assert_eq!(running.ask("HEAD", &path, "", "").0, 200);
    let gone = format!("/api/v1/stations/west/slots/{}/picture", slot[0]);
    assert_eq!(running.ask("GET", &gone, "", "").0, 404);
    let stations = running.state()["stations"].clone();
    let ids: Vec<_> = stations.as_array().unwrap().iter().map(|s| &s["id"]).collect();
    assert_eq!(ids, ["east", "north"]);
    // What was asked for the one that is gone has ended, and says why.
    let ended = jobs();
    assert_eq!(ended.len(), 2, "{ended:?}");
    for job in ended {
        assert_eq!(job["status"], "cancelled", "{job}");
        assert!(job["error"].as_str().unwrap().contains("'west'"), "{job}");
    }
    let mut record = home.record();
    assert_eq!(record.count("runs WHERE station = 'west' AND status = 'running'"), 0);
    let day = r#"{"from": "2024-02-01", "to": "2024-02-01"}"#;
    assert_eq!(backfill("west", day).0, 404);
    assert_eq!(backfill("north", day).0, 202);
    let filled = "observations WHERE station = 'north' AND slot_local LIKE '2024-02-01T%'";
    until("it is filled", || home.record().count(filled) == 144);
    let before = rows("west");
    let east = rows("east");
    until("the other goes on", || rows("east") > east + 1);
    assert_eq!(rows("west"), before);
    assert_eq!(running.end("TERM").0, 0);
}

#[test]
fn an_address_is_of_one_station() {
    let home = Home::new();
    two(&home, "http://127.0.0.1:9/", "http://127.0.0.1:9/");
    let refused = home.serve(&["--url-base", "http://127.0.0.1:9/"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let err = String::from_utf8(refused.stderr).unwrap();
    assert!(err.contains("--station"), "{err}");
}
