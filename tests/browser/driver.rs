//! A browser, driven by the WebDriver protocol (W3C) over plain HTTP on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// One browser at a time: they would slow each other down until patience ends.
static TURN: Mutex<()> = Mutex::const_new(());

/// What holds when a view is shown whole: nothing is on its way, and every chart is drawn.
const WHOLE: &str = "document.querySelector('main[data-view] h1, main .state') \
    && !document.querySelector('.wait, .canvas.old') \
    && [...document.querySelectorAll('.canvas')].every(c => c.firstElementChild)";

/// The browser and its driver, where this machine has them; says so where it has not.
fn installed() -> Option<(PathBuf, PathBuf)> {
    let found = |variable: &str, names: [&str; 2]| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        named.or_else(|| {
            let path = std::env::var_os("PATH")?;
            let folders = std::env::split_paths(&path);
            folders
                .flat_map(|folder| names.map(|name| folder.join(name)))
                .find(|file| file.is_file())
        })
    };
    let driver = found("CELAJE_TEST_CHROMEDRIVER", ["chromedriver", "chromium.chromedriver"]);
    let browser = found("CELAJE_TEST_CHROMIUM", ["chromium", "chromium-browser"]);
    if let (Some(driver), Some(browser)) = (driver, browser) {
        return Some((driver, browser));
    }
    // Not `eprintln!`: the harness keeps that back.
    let _ = writeln!(
        std::io::stderr(),
        "skipped: no chromium and chromedriver here (Debian's packages chromium and \
        chromium-driver)"
    );
    None
}

/// A headless browser with a profile of its own; ends when dropped.
pub struct Browser {
    http: reqwest::Client,
    session: String,
    driver: Child,
    _profile: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one that asks for pages in `language`, in light surroundings, when it has its turn;
    /// none where there is none.
    pub async fn start(language: &str) -> Option<Self> {
        let (driver, browser) = installed()?;
        let turn = TURN.lock().await;
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .find_map(|line| {
                let line = line.unwrap();
                let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("the driver says its port");
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(150))
            .build()
            .unwrap();
        let base = format!("http://127.0.0.1:{port}/session");
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments, "binary": browser},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": 120_000, "pageLoad": 60_000},
        }}});
        let answer: Value =
            http.post(&base).body(wanted.to_string()).send().await.unwrap().json_value().await;
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let session = format!("{base}/{id}");
        let browser = Self { http, session, driver, _profile: profile, _turn: turn };
        browser.size(1280, 900).await;
        browser.prefer(language, false).await;
        Some(browser)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let answer = self.http.post(url).body(body.to_string()).send().await.unwrap();
        let failed = !answer.status().is_success();
        let answer = answer.json_value().await;
        assert!(!failed, "{path}: {answer}");
        answer["value"].clone()
    }

    /// Goes to `url`.
    pub async fn open(&self, url: &str) {
        self.post("/url", json!({"url": url})).await;
    }

    /// Opens another tab, and goes on in it.
    pub async fn tab(&self) {
        let opened = self.post("/window/new", json!({"type": "tab"})).await;
        let handle = json!({"handle": opened["handle"]});
        self.post("/window", handle).await;
    }

    /// Runs `script`, the body of a function, in the page; gives what it returns.
    pub async fn run(&self, script: &str) -> Value {
        plain(self.post("/execute/sync", json!({"script": script, "args": []})).await)
    }

    /// The same with a script that calls its last argument with the answer.
    pub async fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", json!({"script": script, "args": []})).await
    }

    /// A command of the browser's own protocol.
    pub async fn command(&self, name: &str, values: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": name, "params": values})).await
    }

    /// The window's inner size in CSS pixels.
    pub async fn size(&self, width: u32, height: u32) {
        let values = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600
        });
        self.command("Emulation.setDeviceMetricsOverride", values).await;
    }

    /// The language that the browser asks for, and whether its surroundings are dark.
    pub async fn prefer(&self, language: &str, dark: bool) {
        let agent = self.run("return navigator.userAgent").await;
        let values = json!({"userAgent": agent, "acceptLanguage": language});
        self.command("Emulation.setUserAgentOverride", values).await;
        let scheme = if dark { "dark" } else { "light" };
        let values = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", values).await;
    }

    /// Waits until the expression `condition` is true in the page.
    pub async fn until(&self, condition: &str) {
        let begin = Instant::now();
        while self.run(&format!("return !!({condition})")).await != true {
            if begin.elapsed() > PATIENCE {
                let seen = self.run("return document.body.innerText").await;
                panic!("waited in vain for {condition}; the page says: {seen}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Loads `page` anew, and waits until it is shown whole.
    pub async fn visit(&self, page: &str) {
        self.open("about:blank").await;
        self.open(page).await;
        self.whole().await;
    }

    /// Waits until what is shown is shown whole.
    pub async fn whole(&self) {
        self.until(WHOLE).await;
    }

    /// A click on the first element that `selector` names, on a mark of a chart too.
    pub async fn click(&self, selector: &str) {
        let event = "new MouseEvent('click', {bubbles: true})";
        let selector = selector.replace('\'', "\"");
        self.run(&format!("document.querySelector('{selector}').dispatchEvent({event})")).await;
    }

    /// What the first element that `selector` names says; nothing where there is none.
    pub async fn text_of(&self, selector: &str) -> String {
        let found = format!("document.querySelector('{}')", selector.replace('\'', "\""));
        let text = self.run(&format!("return ({found} || {{}}).textContent")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// The text of the page as a person sees it.
    pub async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses a key: a letter, or one of WebDriver's code points.
    pub async fn press(&self, key: &str) {
        let keys = json!({"actions": [{"type": "key", "id": "keys", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}
        ]}]});
        self.post("/actions", keys).await;
    }

    /// The page as a PDF of `A4`, as it would be printed.
    pub async fn print(&self) -> Vec<u8> {
        let page = json!({"page": {"width": 21.0, "height": 29.7}, "background": false});
        let text = self.post("/print", page).await;
        decoded(text.as_str().unwrap())
    }

    /// What the browser complains of: errors of scripts, what the policy forbids, what did not
    /// load.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        let log = log.as_array().cloned().unwrap_or_default();
        let severe = log.iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Without the client: its connections belong to a runtime that may not run any more.
        let end = || {
            let path = self.session.strip_prefix("http://")?;
            let (host, path) = path.split_once('/')?;
            let mut stream = TcpStream::connect(host).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
            write!(stream, "DELETE /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
                .ok()?;
            stream.read(&mut [0; 64]).ok()
        };
        let _ = end();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

trait JsonValue {
    async fn json_value(self) -> Value;
}

impl JsonValue for reqwest::Response {
    async fn json_value(self) -> Value {
        let text = self.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }
}

/// Base64 (RFC 4648).
fn decoded(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let sextets: Vec<u32> = text.bytes().filter_map(value).map(u32::from).collect();
    let mut bytes = Vec::with_capacity(sextets.len() * 3 / 4);
    for group in sextets.chunks(4) {
        let bits = group.iter().fold(0, |bits, six| bits << 6 | six) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}

#[test]
fn base64_is_read() {
    assert_eq!(decoded("JVBERi0="), b"%PDF-");
    assert_eq!(decoded("JVBERg=="), b"%PDF");
    assert_eq!(decoded("JVBE"), b"%PD");
}

/// The answer with blanks in place of those that do not break: tests read words.
fn plain(answer: Value) -> Value {
    match answer {
        Value::String(text) => Value::String(text.replace('\u{a0}', " ")),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, plain(value))).collect()
        }
        other => other,
    }
}
