//! Those who should be told of the sky and cannot be reached: said once, and no reading is late.

use super::*;
use crate::support::broker;
use crate::support::sink::Sink;

#[test]
fn who_cannot_be_reached_is_said_once_and_delays_no_reading() {
    let home = Home::new();
    let port = broker::free_port();
    // It takes the connection, and refuses the user; where there is none, nobody listens.
    let _broker =
        broker::program().map(|_| broker::start(home.0.path(), port, "allow_anonymous false\n"));
    // It takes the message, and says nothing.
    let sink = Sink::start(|_| None);
    let server = camera(|_, _| None);
    home.write("password", "hush\n");
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\n\
             [mqtt]\nurl = 'mqtt://127.0.0.1:{port}'\nuser = 'sky'\npassword_file = 'password'\n\
             [station]\nid = 'rio-grande'\nlatitude = -53.79\nlongitude = -67.7\n\
             time_zone = '-03:00'\nurl_base = '{}'\n\
             [[alert]]\nname = 'alive'\nwhen = 'silence'\nto = ['hook', 'house']\n\
             [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}'\n\
             [[sender]]\nid = 'house'\nkind = 'mqtt'\n",
            server.base(),
            sink.url
        ),
    );
    let running = Running::start(
        home.serve(&["--catch-up", "0"]).args(["--clock", "2024-03-01T15:02:30Z@600"]),
    );
    until("a message is on its way", || !sink.messages().is_empty());
    let (rows, begun) = (home.record().count("observations"), Instant::now());
    until("six slots later", || home.record().count("observations") >= rows + 6);
    // A slot takes a second; senders have twenty.
    let slots = "(julianday(max(slot_utc)) - julianday(min(slot_utc))) * 144";
    let between = home.record().texts(&format!("SELECT CAST({slots} AS TEXT) FROM observations"));
    println!("{:?} slots apart, after {:?}", between, begun.elapsed());
    assert_eq!(home.record().count("misses"), 0, "a reading was late");
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0, "{told:#?}");
    let lost: Vec<_> = told.iter().filter(|line| line.contains("MQTT: no connection")).collect();
    assert_eq!(lost.len(), 1, "{told:#?}");
    for part in [&port.to_string(), "in [mqtt]"] {
        assert!(lost[0].contains(part), "{part}: {}", lost[0]);
    }
    assert!(!told.iter().any(|line| line.contains("hush")), "{told:#?}");
}
