//! What is down is logged once, and once when it is back, with the number of attempts; it keeps no
//! reading waiting.

use super::*;
use crate::support::broker;
use crate::support::sink::Sink;

/// The lines so far that hold this text.
fn lines(running: &Running, seen: &mut Vec<String>, part: &str) -> Vec<String> {
    seen.extend(running.told.try_iter());
    seen.iter().filter(|line| line.contains(part)).cloned().collect()
}

/// The number behind a name in a line of the log.
fn number(line: &str, name: &str) -> u32 {
    let rest = line.split(&format!("{name}=")).nth(1).unwrap_or_else(|| panic!("{name}: {line}"));
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn a_sender_and_a_broker_that_are_down_are_logged_once_and_once_when_they_are_back() {
    let home = Home::new();
    const FAILURES: usize = 4;
    let sink = Sink::start(|n| Some(if n < FAILURES { 500 } else { 200 }));
    let port = broker::free_port();
    let server = camera(|_, _| None);
    home.write(
        "celaje.toml",
        &format!(
            "model = 'red.onnx'\n[mqtt]\nurl = 'mqtt://127.0.0.1:{port}'\n\
             [[alert]]\nname = 'each'\nwhen = 'silence'\nquiet_for = '0'\nto = ['hook']\n\
             [[sender]]\nid = 'hook'\nkind = 'webhook'\nurl = '{}/hush-hush'\n\
             [station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = '-03:00'\n\
             url_base = '{}'\n",
            sink.url,
            server.base()
        ),
    );
    // A slot takes three seconds.
    let mut command = home.serve(&["--catch-up", "0"]);
    let running = Running::start(command.args(["--clock", "2024-03-01T15:02:30Z@200"]));
    let mut seen = Vec::new();
    until("the sender has failed", || !sink.messages().is_empty());
    let rows = home.record().count("observations");
    until("a reading is stored meanwhile", || home.record().count("observations") > rows);
    let has_broker = broker::program().is_some();
    let _broker = has_broker.then(|| broker::start(home.0.path(), port, "allow_anonymous true\n"));
    until("the sender takes messages", || sink.messages().len() > FAILURES);
    until("that is logged", || !lines(&running, &mut seen, "works again").is_empty());
    let down = lines(&running, &mut seen, "takes no messages");
    let [down] = &down[..] else { panic!("{down:?}") };
    assert!(down.contains("hook") && down.contains("HTTP 500; the fault is its own"), "{down}");
    let back = lines(&running, &mut seen, "works again");
    let [back] = &back[..] else { panic!("{back:?}") };
    assert_eq!(number(back, "attempts") as usize, FAILURES, "{back}");

    if has_broker {
        until("the broker is back", || !lines(&running, &mut seen, "broker is there").is_empty());
        let back = lines(&running, &mut seen, "broker is there");
        assert!(number(&back[0], "attempts") >= 2, "{back:?}");
    }
    let down = lines(&running, &mut seen, "MQTT: no connection");
    let [down] = &down[..] else { panic!("{down:?}") };
    assert!(down.contains("refuses the connection; look whether it runs"), "{down}");
    assert_eq!(lines(&running, &mut seen, "hush-hush"), Vec::<String>::new());
}
