//! What a service manager is told.

use std::os::unix::net::UnixDatagram;

use super::*;

/// What the program tells its manager.
struct Manager(UnixDatagram);

impl Manager {
    fn of(home: &Home) -> Self {
        let socket = UnixDatagram::bind(home.path("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn watch(home: &Home, command: &mut Command) {
        command.env("NOTIFY_SOCKET", home.path("notify")).env("WATCHDOG_USEC", "400000");
    }

    /// The next thing that it tells.
    fn next(&self) -> String {
        let mut buffer = [0; 512];
        let n = self.0.recv(&mut buffer).unwrap_or_else(|e| panic!("nothing more is told: {e}"));
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    /// What it tells up to this, this included.
    fn hear(&self, wanted: &str) -> String {
        loop {
            let text = self.next();
            if text.contains(wanted) {
                return text;
            }
        }
    }
}

#[test]
fn the_manager_hears_of_readiness_life_reload_and_end() {
    let home = Home::new();
    let server = camera(|_, _| None);
    let manager = Manager::of(&home);
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let mut command = home.serve(&args);
    command.args(["--catch-up", "0", "--clock", NOON]);
    Manager::watch(&home, &mut command);
    let running = Running::start(&mut command);
    manager.hear("READY=1");
    manager.hear("WATCHDOG=1");
    manager.hear("WATCHDOG=1");
    running.signal("HUP");
    let reloading = manager.hear("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.hear("READY=1");
    manager.hear("WATCHDOG=1");
    let (status, _) = running.end("TERM");
    assert_eq!(status, 0);
    manager.hear("STOPPING=1");
}

/// Reading settings and opening models takes seconds, in which the program is watched on.
#[test]
fn a_reload_that_takes_its_time_keeps_neither_life_nor_slots_nor_the_end_waiting() {
    let home = Home::new();
    let server = camera(|_, _| None);
    let manager = Manager::of(&home);
    let settings = format!(
        "model = 'red.onnx'\n[station]\nid = 'rio-grande'\nlatitude = -53.79\n\
         longitude = -67.7\ntime_zone = '-03:00'\nurl_base = '{}'\n",
        server.base()
    );
    home.write("slow.toml", &settings);
    let args = ["--config", "slow.toml", "--catch-up", "0", "--clock", NOON];
    let mut command = home.serve(&args);
    Manager::watch(&home, &mut command);
    let running = Running::start(&mut command);
    manager.hear("READY=1");
    // Who reads this waits until somebody writes.
    std::fs::remove_file(home.path("slow.toml")).unwrap();
    let made = Command::new("mkfifo").arg(home.path("slow.toml")).status();
    assert!(made.unwrap().success());
    running.signal("HUP");
    manager.hear("RELOADING=1");
    let before = home.record().count("observations");
    for _ in 0..5 {
        assert_eq!(manager.next(), "WATCHDOG=1\n");
    }
    until("slots go on", || home.record().count("observations") > before);
    home.write("slow.toml", &settings);
    manager.hear("READY=1");
    manager.hear("WATCHDOG=1");
    // Asked for twice while it is done: once more, and not twice.
    running.signal("HUP");
    manager.hear("RELOADING=1");
    running.signal("HUP");
    manager.hear("WATCHDOG=1");
    home.write("slow.toml", &settings);
    manager.hear("READY=1");
    manager.hear("RELOADING=1");
    home.write("slow.toml", &settings);
    manager.hear("READY=1");
    let (status, told) = running.end("TERM");
    assert_eq!(status, 0, "{told:?}");
    manager.hear("STOPPING=1");
    let read = |line: &&String| line.contains("settings read anew");
    assert_eq!(told.iter().filter(read).count(), 3, "{told:?}");
}

#[test]
fn a_program_that_only_shows_a_record_is_watched_too() {
    let home = Home::new();
    let made = home
        .celaje()
        .args(["backfill", "--desde", "2024-03-01T11:30", "--hasta"])
        .args(["2024-03-01T11:35", "--url-base", &camera(|_, _| None).base()])
        .args(["--model", "red.onnx", "--db", "cielo.db", "--engine", "rten"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let manager = Manager::of(&home);
    let mut command = home.serve(&["--read-only", "--model", "red.onnx"]);
    Manager::watch(&home, &mut command);
    let running = Running::start(&mut command);
    manager.hear("READY=1");
    for _ in 0..3 {
        manager.hear("WATCHDOG=1");
    }
    // It is not ended by what has others read their settings anew.
    running.signal("HUP");
    manager.hear("RELOADING=1");
    manager.hear("READY=1");
    manager.hear("WATCHDOG=1");
    assert_eq!(running.end("TERM").0, 0);
    manager.hear("STOPPING=1");
}
