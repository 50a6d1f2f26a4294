//! Labelling by keyboard alone, and what the page makes of it.

use chrono::{NaiveDate, NaiveDateTime};
use serde_json::Value;
use tempfile::TempDir;

use celaje::store::Database;
use celaje_sky::station::Station;

use crate::driver::Browser;
use crate::scene::{Program, Reading, Scene, reading, slot, write_rows};
use crate::support::onnx;
use crate::support::pictures;
use crate::support::record::Record;
use crate::support::server::{Reply, Server};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const BACKSPACE: &str = "\u{e003}";

/// The program at work on a record of a week, before a camera that has every picture. By its clock
/// the next slot is eight minutes away.
struct Labelled {
    folder: TempDir,
    _camera: Server,
    program: Program,
}

impl Labelled {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        onnx::write_red(folder.path(), "red", "3");
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let db = folder.path().join("a.db");
        drop(Database::open(&db, &Station::rio_grande()).unwrap());
        let last = Reading { slot: noon(), okta: 4, quality: "ok" };
        write_rows(&mut Record::open(&db), last, 1000, 1);
        let camera = Server::start(|_, _| Reply::Body(pictures::jpeg(0.4)));
        let base = camera.base();
        let serve = ["serve", "--db", "a.db", "--listen", "127.0.0.1:0", "--url-base", &base];
        let of = ["--engine", "rten", "--threads", "1", "--model", "red.onnx"];
        let how = ["--token-file", "token", "--catch-up", "0", "--clock", "2024-03-01T15:03:30Z@1"];
        let flags = [serve.as_slice(), &of, &how].concat();
        let program = Program::start(folder.path(), &flags);
        Self { folder, _camera: camera, program }
    }

    /// The labels, as the API gives them.
    async fn labels(&self) -> Vec<Value> {
        let url = format!("{}/api/v1/labels", self.program.url);
        let answer = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send();
        let text = answer.await.unwrap().text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        body["items"].as_array().unwrap().clone()
    }
}

/// 2024-03-01T12:02 on the station's clock.
fn noon() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2024, 3, 1).unwrap().and_hms_opt(12, 2, 0).unwrap()
}

async fn write(browser: &Browser, text: &str) {
    for letter in text.chars() {
        browser.press(&letter.to_string()).await;
    }
}

/// Goes on with Tab until what `selector` names has the focus.
async fn reach(browser: &Browser, selector: &str) {
    let reached = format!("return document.activeElement.matches('{selector}')");
    for _ in 0..60 {
        if browser.run(&reached).await == true {
            return;
        }
        browser.press(TAB).await;
    }
    panic!("the keyboard does not reach {selector}");
}

/// Waits until a picture is shown and `n` were labelled.
async fn shown(browser: &Browser, n: usize) {
    browser
        .until(&format!(
            "document.querySelector('.labelling .shot.here') && \
             document.querySelector('.bar .quiet').textContent.startsWith('{n} labelled')"
        ))
        .await;
}

#[tokio::test]
async fn a_keyboard_labels_fifty_pictures_and_the_page_tells_the_skill() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Labelled::new();
    browser.visit(&format!("{}/#/skill", scene.program.url)).await;
    assert!(browser.text().await.contains("Not enough labels yet: 0 of 25"));
    reach(&browser, "#label").await;
    browser.press(ENTER).await;
    browser.until("document.activeElement.id === 'observer'").await;
    write(&browser, "Ana").await;
    // A wrong token is told of at once, before any work is lost.
    reach(&browser, "#token").await;
    write(&browser, "wrong").await;
    browser.press(ENTER).await;
    browser.until("document.querySelector('[role=alert]:not([hidden])')").await;
    for _ in 0..5 {
        browser.press(BACKSPACE).await;
    }
    write(&browser, TOKEN).await;
    browser.press(ENTER).await;
    shown(&browser, 0).await;
    // The reading is nowhere on the page.
    let text = browser.text().await;
    assert!(!text.contains("celaje-4") && !text.contains("confidence"), "{text}");
    browser.press("5").await;
    shown(&browser, 1).await;
    browser.press("x").await;
    shown(&browser, 2).await;
    let told = async || -> Vec<Value> {
        scene.labels().await.iter().map(|label| label["okta"].clone()).collect()
    };
    // Orders are sent behind the page's back.
    for _ in 0..100 {
        if told().await.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let mut both = told().await;
    both.sort_by_key(ToString::to_string);
    assert_eq!(both, [Value::from(5), Value::Null]);
    browser.press("z").await;
    shown(&browser, 1).await;
    assert_eq!(told().await, [Value::from(5)]);
    // Passed over, then as many as make figures.
    browser.press("s").await;
    for n in 1..54 {
        shown(&browser, n).await;
        browser.press("4").await;
    }
    shown(&browser, 54).await;
    reach(&browser, ".bar button").await;
    browser.press(ENTER).await;
    browser.until("document.querySelector('#calibrate')").await;
    browser.whole().await;
    // The last order may still have been on its way.
    browser.visit(&format!("{}/#/skill", scene.program.url)).await;
    let text = browser.text().await;
    for word in ["Okta exactly right", "Within one okta", "Ana", "54"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let labels = scene.labels().await;
    assert_eq!(labels.len(), 54);
    let random = labels.iter().filter(|label| label["draw"] == "random").count();
    assert!((24..=33).contains(&random), "{random}");
    assert!(labels.iter().all(|label| label["observer"] == "Ana"));
    // The confidence of new readings follows when it is told to, and not before.
    assert!(text.contains("New readings have the model's own confidence"), "{text}");
    reach(&browser, "#calibrate").await;
    browser.press(ENTER).await;
    browser.until("document.body.innerText.includes('fitted to 54 labels')").await;
    let mut complaints = browser.complaints().await;
    // Of the wrong token.
    complaints.retain(|complaint| !complaint.contains("401"));
    assert_eq!(complaints, Vec::<String>::new());
    drop(scene.folder);
}

#[tokio::test]
async fn a_reading_is_told_with_its_range_and_as_fine_only_where_it_is_sure() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 6), 3, 1);
    let set = async |confidence: f64| {
        let slot = slot(0).format("%Y-%m-%dT%H:%M");
        scene.execute(&format!(
            "UPDATE observations SET confidence = {confidence}, okta_low = 5, okta_high = 7 \
             WHERE slot_local = '{slot}'"
        ));
        browser.visit(&scene.view("now")).await;
        let fine = browser.run("return document.querySelectorAll('.flags .fine').length").await;
        (browser.text_of(".reading .okta").await, browser.text().await, fine)
    };
    let (okta, text, fine) = set(0.52).await;
    assert_eq!(okta, "5–7of 8 oktas");
    assert!(text.contains("most likely 6"), "{text}");
    assert!(text.contains("medium · 52 %") && text.contains("medium confidence"), "{text}");
    assert_eq!(fine, 0);
    let (okta, text, fine) = set(0.93).await;
    assert_eq!(okta, "5–7of 8 oktas");
    assert!(text.contains("high · 93 %") && text.contains("no issues"), "{text}");
    assert_eq!(fine, 1);
    let (okta, text, _) = set(0.4).await;
    assert!(okta.starts_with("5–7") && text.contains("low · 40 %"), "{text}");
}
