//! The dashboard under a path of its own, behind a proxy.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::driver::Browser;
use crate::scene::{Scene, reading, slot};
use crate::support::server::closed;

/// Visits `views` of a dashboard that is shown at `base`, which ends with a `/`.
async fn visit(browser: &Browser, base: &str, views: &[&str]) {
    for view in views {
        browser.visit(&format!("{base}#/{view}")).await;
        browser.until("document.querySelector('.link.live')").await;
        let script = "const links = document.querySelectorAll('a[href], img[src], use[href]');\
            return [...links].map(e => \
            new URL(e.getAttribute('href') || e.src, location.href).href).concat(\
            performance.getEntriesByType('resource').map(e => e.name))";
        let names = browser.run(script).await;
        let names = names.as_array().unwrap();
        assert!(names.len() > 20, "{view}: {names:?}");
        let beside = names.iter().filter(|name| !name.as_str().unwrap().starts_with(base));
        assert_eq!(beside.collect::<Vec<_>>(), [&json!(null); 0], "{view}");
        assert_eq!(browser.complaints().await, [""; 0], "{view}");
    }
    // The charts as files, and the page of the API with its forms.
    browser.visit(&format!("{base}#/now")).await;
    browser.until("document.querySelector('.shot img').naturalWidth > 0").await;
    let files = "const done = arguments[0];\
        Promise.all([...document.querySelectorAll('.save a')].map(a => fetch(a.href)))\
        .then(all => done(all.map(answer => answer.status)))";
    assert_eq!(browser.run_async(files).await, json!([200, 200, 200, 200]));
    browser.open(&format!("{base}api/")).await;
    browser.until("document.querySelector('details')").await;
    let form = "const latest = [...document.querySelectorAll('details')].find(d => \
        d.textContent.includes('/latest')); latest.open = true; return 0";
    browser.run(form).await;
    browser.until("document.querySelector('details[open] form')").await;
    browser
        .run(
            "const form = document.querySelector('details[open] form');\
             form.querySelector('input').value = 'rio-grande'; form.requestSubmit(); return 0",
        )
        .await;
    browser.until("(document.querySelector('details[open] pre') || {}).textContent").await;
    let told = browser.text_of("details[open] pre").await;
    assert!(told.contains("solar_elevation"), "{told}");
}

/// A proxy that takes `/celaje` off each path; lives as long as the process.
fn own_proxy(upstream: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || pass_on(client, upstream));
        }
    });
    address
}

/// One request a connection.
fn pass_on(mut client: TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let Some(path) = first.strip_prefix("GET /celaje/") else {
        return client
            .write_all(b"HTTP/1.1 502 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let mut head = format!("GET /{path}\r\nConnection: close\r\n");
    for line in lines {
        let line = line?;
        if !line.to_ascii_lowercase().starts_with("connection:") {
            head += &format!("{line}\r\n");
        }
        if line.is_empty() {
            break;
        }
    }
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(head.as_bytes())?;
    std::io::copy(&mut server, &mut client).map(drop)
}

#[tokio::test]
async fn the_dashboard_works_under_a_path() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 300, 7);
    let upstream = scene.url.strip_prefix("http://").unwrap().parse().unwrap();
    let base = format!("http://{}/celaje/", own_proxy(upstream));
    visit(&browser, &base, &["now", "history", "gallery", "operations"]).await;
    // Events come through: what is written is shown.
    browser.visit(&format!("{base}#/now")).await;
    scene.execute(&format!(
        "DELETE FROM observations WHERE slot_local = '{}'",
        slot(0).format("%Y-%m-%dT%H:%M")
    ));
    scene.write(reading(0, 2));
    browser.until("document.querySelector('.reading .okta').textContent.startsWith('2')").await;
}

/// nginx with the lines of the documents; ends when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// None where it is not installed, which is said.
    fn start(upstream: &str) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        let Some(program) = folders.map(|folder| folder.join("nginx")).find(|file| file.is_file())
        else {
            let _ = writeln!(std::io::stderr(), "skipped: no nginx here");
            return None;
        };
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/daemon.md");
        let document = std::fs::read_to_string(document).unwrap();
        let lines = document.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
        let lines = lines.replace("127.0.0.1:8080", upstream);
        let folder = tempfile::tempdir().unwrap();
        let address = closed();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};"))
            .concat();
        let settings = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {{}}\n\
             http {{ access_log off; {temporary}\nserver {{ listen {address};\n{lines}}} }}"
        );
        std::fs::write(folder.path().join("nginx.conf"), settings).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let nginx = Self { child, address, _folder: folder };
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() {
                return Some(nginx);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("nginx does not listen");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn nginx_shows_it_under_a_path_with_the_lines_of_the_documents() {
    let scene = Scene::new();
    let Some(nginx) = Nginx::start(scene.url.strip_prefix("http://").unwrap()) else {
        return;
    };
    scene.write_many(reading(0, 5), 300, 7);
    // Without the slash it leads to it, and so does a redirect of the program's own.
    for (path, to) in [("/celaje", "/celaje/"), ("/celaje/api", "api/")] {
        let mut stream = TcpStream::connect(nginx.address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", nginx.address).unwrap();
        let mut head = String::new();
        stream.read_to_string(&mut head).unwrap();
        let place = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("location: ").map(str::to_owned)
        });
        assert!(place.as_ref().is_some_and(|place| place.ends_with(to)), "{head}");
    }
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    visit(&browser, &format!("http://{}/celaje/", nginx.address), &["timeline"]).await;
}
