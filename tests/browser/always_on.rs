//! The page of the always-on program, before a drawn camera: both processes of their own. By the
//! program's clock, which began two hours ago and goes sixty times as fast, a slot is due every ten
//! seconds.

use chrono::{TimeDelta, Utc};
use tempfile::TempDir;

use crate::driver::Browser;
use crate::scene::{Program, slot};
use crate::support::onnx;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A drawn camera, and the program that watches it.
struct Watched {
    folder: TempDir,
    camera: Program,
    program: Program,
}

fn camera(folder: &TempDir, port: &str) -> Program {
    let draw = ["simulate", "--port", port, "--size", "160x120"];
    Program::start(folder.path(), &draw)
}

fn serve(folder: &TempDir, camera: &str, port: &str, more: &[&str]) -> Program {
    let clock = format!("{}@60", (Utc::now() - TimeDelta::hours(2)).format("%Y-%m-%dT%H:%M:%SZ"));
    let listen = format!("127.0.0.1:{port}");
    let base = format!("{camera}/");
    let serve = ["serve", "--db", "a.db", "--listen", &listen, "--url-base", &base];
    let of = ["--engine", "rten", "--threads", "1", "--model", "red.onnx", "--token-file", "token"];
    let clock = ["--catch-up", "0", "--clock", &clock];
    Program::start(folder.path(), &[serve.as_slice(), &of, &clock, more].concat())
}

impl Watched {
    fn new() -> Self {
        Self::with(&[])
    }

    /// A program with `more` flags.
    fn with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        onnx::write_red(folder.path(), "red", "3");
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let camera = camera(&folder, "0");
        let program = serve(&folder, &camera.url, "0", more);
        Self { folder, camera, program }
    }

    fn page(&self, view: &str) -> String {
        format!("{}/#/{view}", self.program.url)
    }
}

/// The moment of the reading that is shown.
const SHOWN: &str = "(document.querySelector('.reading .quiet') || {}).textContent";

#[tokio::test]
async fn slots_come_the_camera_goes_and_comes_back_and_the_page_says_so() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let mut watched = Watched::new();
    browser.open(&watched.page("now")).await;
    browser.until("document.querySelector('.link.live')").await;
    browser.run("window.celajeSeen = 1").await;
    // An empty record at first; then its first slot, and the next one.
    browser.until(&format!("{SHOWN} !== undefined")).await;
    let first = browser.text_of(".reading .quiet").await;
    browser.until(&format!("{SHOWN} !== '{first}'")).await;
    let note = "document.querySelector('.note.warn:not([hidden])')";
    let unread =
        format!("{note} && document.body.innerText.includes('El último turno no tiene lectura')");
    assert_eq!(browser.run(&format!("return !!({unread})")).await, false);
    // The camera goes away: the slot that it does not give is told of, with the reason.
    watched.camera.kill();
    browser.until(&unread).await;
    let text = browser.text().await;
    assert!(text.contains("sin conexión con la cámara"), "{text}");
    let last = browser.text_of(".reading .quiet").await;
    // And back again, at the same address.
    watched.camera = camera(&watched.folder, watched.camera.port());
    browser.until(&format!("{SHOWN} !== '{last}' && !({unread})")).await;
    assert_eq!(browser.run("return window.celajeSeen").await, 1, "the page was loaded again");
}

#[tokio::test]
async fn a_backfill_is_seen_to_go_on_and_a_restart_is_borne() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let mut watched = Watched::new();
    browser.visit(&watched.page("operations")).await;
    browser.until("document.querySelector('.link.live')").await;
    let day = slot(0).date() - chrono::Days::new(3);
    let (from, to) = (day - chrono::Days::new(2), day);
    // What the page shows of it, while it goes on.
    browser
        .run(
            "window.celajeSeen = [];\
             new MutationObserver(() => { const bar = document.querySelector('.job .meter');\
             if (bar) window.celajeSeen.push(Number(bar.getAttribute('aria-valuenow'))); })\
             .observe(document.querySelector('main'), {subtree: true, childList: true});",
        )
        .await;
    let answer = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(format!("{}/api/v1/stations/rio-grande/backfills", watched.program.url))
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .body(format!("{{\"from\": \"{from}\", \"to\": \"{to}\"}}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 202);
    browser
        .until("(document.querySelector('.job') || {innerText: ''}).innerText.includes('finished')")
        .await;
    let job = browser.run("return document.querySelector('.job').innerText").await;
    let job = job.as_str().unwrap();
    // As a native writes it: British English has four letters for September.
    let shown = |day: chrono::NaiveDate| day.format("%-d %b %Y").to_string();
    for word in [shown(from), shown(to), "432 of 432 slots".into(), "432 new".into()] {
        assert!(job.contains(&word), "{word}: {job}");
    }
    let seen = browser.run("return window.celajeSeen").await;
    let seen: Vec<f64> =
        seen.as_array().unwrap().iter().filter_map(serde_json::Value::as_f64).collect();
    assert!(seen.is_sorted() && seen.last() == Some(&100.0), "{seen:?}");
    assert!(seen.iter().any(|share| (1.0..100.0).contains(share)), "{seen:?}");
    // The program is killed and started again at the same address: the page comes back by itself.
    let port = watched.program.port().to_owned();
    watched.program.kill();
    browser.until("document.querySelector('.link.lost')").await;
    browser.run("location.hash = '#/now'").await;
    browser.until("document.querySelector('main [role=alert]')").await;
    watched.program = serve(&watched.folder, &watched.camera.url, &port, &[]);
    browser
        .until("document.querySelector('.link.live') && document.querySelector('.reading')")
        .await;
    assert_eq!(browser.run("return !!window.celajeSeen").await, true, "the page was loaded again");
    let before = browser.text_of(".reading .quiet").await;
    browser.until(&format!("{SHOWN} !== '{before}'")).await;
}

#[tokio::test]
async fn operations_show_the_queue_and_its_workers() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    // Nobody listens there.
    let watched = Watched::with(&["--queue", "nats://ana:s3cret@127.0.0.1:9"]);
    browser.visit(&watched.page("operations")).await;
    browser
        .until("document.querySelector('main').innerText.includes('The past is not filled')")
        .await;
    let text = browser.text().await;
    for word in ["nats://127.0.0.1:9", "not connected yet", "There is no worker"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    // As if it were reached, and had two workers.
    browser
        .run(
            "const asked = window.fetch;\
             window.fetch = async (...all) => {\
               const answer = await asked(...all);\
               if (!String(all[0].url || all[0]).includes('api/v1/state')) return answer;\
               const state = await answer.json();\
               Object.assign(state.queue, {connected: true, trouble: null,\
                 since: '2024-03-01T15:00:00Z', workers: [\
                   {name: 'ab12', version: '9.9', jobs: 2, slots: 1234, rate: 12.34, silent_s: 3},\
                   {name: 'cd34', version: '9.9', jobs: 0, slots: 0, rate: null, silent_s: 0}],\
                 outcomes: {taken: 77, repeated: 0, refused: 2, broken: 1}, given_again: 5});\
               return new Response(JSON.stringify(state), {status: 200,\
                 headers: {'content-type': 'application/json'}});\
             };",
        )
        .await;
    browser.until("document.querySelector('main').innerText.includes('ab12')").await;
    let rows = browser
        .run(
            "const card = [...document.querySelectorAll('section')].find(one =>\
               one.innerText.startsWith('Queue'));\
             return [[...card.querySelectorAll('tbody tr')].map(row => row.innerText),\
                     card.querySelector('dl').innerText,\
                     card.querySelectorAll('[role=alert]').length];",
        )
        .await;
    assert_eq!(rows[0][0], "ab12\t9.9\t2\t1,234\t12.3\t3 s ago", "{rows}");
    assert!(rows[0][1].as_str().unwrap().starts_with("cd34\t9.9\t0\t0\t–\t0 s ago"), "{rows}");
    let pairs = rows[1].as_str().unwrap();
    for word in ["connected since 1 Mar 2024", "received\n77", "again\n5", "refused\n3"] {
        assert!(pairs.contains(word), "{word}: {pairs}");
    }
    assert_eq!(rows[2], 0, "{rows}");
}
