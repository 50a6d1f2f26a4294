//! What a service manager is told.

use std::os::unix::net::UnixDatagram;

use super::*;

#[test]
fn the_manager_hears_of_readiness_life_reload_and_end() {
    let home = Home::new();
    let server = camera(|_, _| None);
    let socket = UnixDatagram::bind(home.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let args = ["--url-base", &server.base(), "--model", "red.onnx"];
    let mut command = home.serve(&args);
    command
        .args(["--catch-up", "0", "--clock", NOON])
        .env("NOTIFY_SOCKET", home.path("notify"))
        .env("WATCHDOG_USEC", "400000");
    let running = Running::start(&mut command);
    let hear = |wanted: &str| {
        let mut heard = Vec::new();
        loop {
            let mut buffer = [0; 512];
            let n = socket
                .recv(&mut buffer)
                .unwrap_or_else(|e| panic!("no {wanted} ({e}), but {heard:?}"));
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if text.contains(wanted) {
                return text;
            }
            heard.push(text);
        }
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    running.signal("HUP");
    let reloading = hear("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    hear("READY=1");
    hear("WATCHDOG=1");
    let (status, _) = running.end("TERM");
    assert_eq!(status, 0);
    hear("STOPPING=1");
}
