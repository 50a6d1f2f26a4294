//! A clock that nobody confirms: the camera is a folder or a server on this machine, or another
//! program writes the record. What was there at the start may be of any age.

use super::*;

use celaje_sky::slot::Slot;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Settings of a station with this source; a reading is stale after ten minutes.
fn settle(home: &Home, source: &str) {
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\n[station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\n\
             time_zone = 'UTC'\n[station.source]\nkind = 'template'\n{source}\n\
             [station.safety]\nwhen = 'always'\nsafe_after = '1s'\nstale_after = '10m'\n"
        ),
    );
}

/// Whether it is safe, and why.
fn says(running: &Running) -> (bool, String) {
    let (_, told) = running.ask("GET", "/api/v1/stations/gate/safety", "", "");
    let told: Value = serde_json::from_str(&told).unwrap();
    (told["safe"] == true, told["reason"].as_str().unwrap().to_owned())
}

fn is_in_doubt(running: &Running) {
    for _ in 0..10 {
        assert_eq!(says(running), (false, "clock_in_doubt".to_owned()));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_folder_makes_a_sky_safe_by_the_pictures_that_come() {
    let home = Home::new();
    settle(&home, "dir = 'images'\npath = '%Y%m%d/%H%M.jpg'\nevery = '1m'");
    let folder = home.path("images/20240301");
    let pictures_to = |minute: u8| {
        std::fs::create_dir_all(&folder).unwrap();
        for minute in 0..minute {
            let name = format!("15{minute:02}.jpg");
            std::fs::write(folder.join(name), pictures::shaded([0, minute, 40])).unwrap();
        }
    };
    let serve = || Running::start(&mut home.serve(&["--catch-up", "1h", "--clock", "@clock"]));
    pictures_to(8);
    home.write("clock", "2024-03-01T15:07:45Z@1");
    let running = serve();
    until("it is caught up", || home.record().count("observations") == 8);
    is_in_doubt(&running);
    assert_eq!(running.end("TERM").0, 0);

    // A minute takes two seconds.
    pictures_to(60);
    home.write("clock", "2024-03-01T15:09:45Z@30");
    let running = serve();
    until("it is safe by the pictures of two minutes", || says(&running).0);
    assert_eq!(running.end("TERM").0, 0);

    // The machine was off for hours, and its clock goes on from where it stood.
    std::fs::remove_dir_all(&folder).unwrap();
    let newest = home.record().texts("SELECT max(slot_utc) FROM observations")[0].clone();
    let newest: DateTime<Utc> = newest.parse().unwrap();
    let behind = (newest + TimeDelta::seconds(20)).format("%Y-%m-%dT%H:%M:%SZ@1");
    home.write("clock", &behind.to_string());
    let running = serve();
    is_in_doubt(&running);
    assert_eq!(running.end("TERM").0, 0);
}

/// Writes a clear reading of a moment, as another program would.
fn insert(home: &Home, at: DateTime<Utc>) {
    let slot = Slot::at(at.naive_utc(), "UTC".parse().unwrap()).unwrap();
    let (local, name, utc) = (slot, slot.file_name(), at.format("%Y-%m-%dT%H:%M:%SZ"));
    home.record().execute(&format!(
        "INSERT INTO observations (station, slot_local, slot_utc, file_name, url, okta, \
         cloud_fraction, confidence, category, description, quality, model, model_sha256, \
         solar_elevation, day_phase, image_width, image_height, image_sha256, captured_at) \
         VALUES ('gate', '{local}', '{utc}', '{name}', 'x', 0, 0, 0.9, 'SKC', 'x', '', 'm', \
         'a', 20, 'day', 640, 480, '{local}', '{local}')"
    ));
}

/// By the machine's own clock, which its servers share.
#[test]
fn neither_a_server_on_this_machine_nor_the_record_confirms_its_clock() {
    let home = Home::new();
    let server = Server::start(|_, _| {
        let date = Utc::now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        Reply::Status(404, vec![("date", date)])
    });
    let source = format!("url = '{}'\npath = '%Y%m%d%H%M%S.jpg'\nevery = '15s'", server.base());
    settle(&home, &source);
    let running = Running::start(&mut home.serve(&["--catch-up", "0"]));
    assert_eq!(running.end("TERM").0, 0);
    let recently = Utc::now().trunc_subsecs(0);
    for ago in [40, 25, 10] {
        insert(&home, recently - TimeDelta::seconds(ago));
    }
    server.forget_requests();
    let running = Running::start(&mut home.serve(&["--catch-up", "0"]));
    until("the host is asked", || server.requests().iter().any(|path| path == "/sky/"));
    is_in_doubt(&running);
    assert_eq!(ready(&running).0, 200, "it does its work");
    assert_eq!(running.end("TERM").0, 0);

    let running = Running::start(&mut home.serve(&["--read-only"]));
    is_in_doubt(&running);
    insert(&home, Utc::now().trunc_subsecs(0));
    until("one has come", || says(&running).1 == "waiting");
    std::thread::sleep(Duration::from_secs(1));
    insert(&home, Utc::now().trunc_subsecs(0));
    until("two have come", || says(&running) == (true, "clear".to_owned()));
    assert_eq!(running.end("TERM").0, 0);
}

fn ready(running: &Running) -> (u16, String) {
    running.ask("GET", "/readyz", "", "")
}
