//! INDI's Weather Safety Proxy, Debian's `indi_weather_safety_proxy`, as a client of the safety
//! answer.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::broker::free_port;
use crate::safety::night;

/// `indiserver` with the proxy; it ends with its value, and its driver with it.
struct IndiServer {
    child: Child,
    port: String,
}

impl Drop for IndiServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl IndiServer {
    /// None where there is no INDI here, which is said.
    fn start(home: &Path) -> Option<Self> {
        let programs = ["indiserver", "indi_weather_safety_proxy", "indi_setprop", "indi_getprop"];
        if !programs.iter().all(|name| Path::new("/usr/bin").join(name).exists()) {
            let _ = writeln!(std::io::stderr(), "skipped: there is no indi_weather_safety_proxy");
            return None;
        }
        let port = free_port().to_string();
        let child = Command::new("indiserver")
            // Its driver keeps settings in its home.
            .env("HOME", home)
            .args(["-p", &port, "-r", "0", "indi_weather_safety_proxy"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { child, port })
    }

    /// The value of a property; empty where it is not there yet.
    fn get(&self, property: &str) -> String {
        let name = format!("Weather Safety Proxy.{property}");
        let asked = Command::new("indi_getprop")
            .args(["-p", &self.port, "-t", "2", "-1", &name])
            .stderr(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    }

    fn set(&self, property: &str, value: &str) {
        let set = format!("Weather Safety Proxy.{property}={value}");
        let done = Command::new("indi_setprop").args(["-p", &self.port, &set]).output().unwrap();
        assert!(done.status.success(), "{set}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn until(&self, property: &str, what: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let value = self.get(property);
            if what(&value) {
                return value;
            }
            assert!(began.elapsed() < Duration::from_secs(90), "{property} stays '{value}'");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[actix::test]
async fn the_weather_safety_proxy_is_ok_under_a_clear_sky_and_alarmed_by_a_dead_camera() {
    let home = tempfile::tempdir().unwrap();
    let Some(indi) = IndiServer::start(home.path()) else { return };
    let clock = home.path().join("clock");
    std::fs::write(&clock, "2024-06-10T05:00:00Z@0.01").unwrap();
    let site = night(&format!("@{}", clock.display()), "");
    let url = format!("http://{}/api/v1/stations/rio-grande/safety", site.addr());
    let ran = tokio::task::spawn_blocking(move || {
        indi.until("CONNECTION.CONNECT", |value| !value.is_empty());
        indi.set("WEATHER_SAFETY_URLS.WEATHER_SAFETY_URL", &url);
        indi.set("SCRIPT_OR_CURL.Use url", "On");
        indi.set("CONNECTION.CONNECT", "On");
        indi.until("WEATHER_UPDATE.PERIOD", |value| !value.is_empty());
        indi.set("WEATHER_UPDATE.PERIOD", "1");
        indi.until("WEATHER_STATUS.WEATHER_SAFETY", |value| value == "Ok");
        let clear = indi.until("WEATHER_SAFETY_REASONS.Reasons", |value| !value.is_empty());
        let parameter = indi.get("WEATHER_PARAMETERS.WEATHER_SAFETY");
        // No picture has come for two slots and a half.
        std::fs::write(&clock, "2024-06-10T05:17:30Z@0.01").unwrap();
        indi.until("WEATHER_STATUS.WEATHER_SAFETY", |value| value == "Alert");
        let stale = indi.until("WEATHER_SAFETY_REASONS.Reasons", |value| value != clear);
        [clear, parameter, stale, indi.get("WEATHER_PARAMETERS.WEATHER_SAFETY")]
    });
    assert_eq!(ran.await.unwrap(), ["clear", "1", "the last reading is too old", "0"]);
}
