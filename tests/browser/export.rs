//! What people take away: pictures of charts, tables, a printed report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::driver::Browser;
use crate::scene::{Reading, Scene, reading, slot, write_rows};
use crate::support::pictures;

/// The file that a click on the first element of `selector` downloads.
async fn downloaded(browser: &Browser, folder: &Path, selector: &str) -> PathBuf {
    let values = json!({"behavior": "allow", "downloadPath": folder});
    browser.command("Browser.setDownloadBehavior", values).await;
    browser.run(&format!("document.querySelector(\"{selector}\").click()")).await;
    for _ in 0..600 {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let whole = |file: &PathBuf| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            !name.ends_with(".crdownload") && !name.starts_with('.')
        };
        if let Some(file) = files.into_iter().find(whole) {
            return file;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{selector} downloads nothing");
}

#[tokio::test]
async fn a_chart_is_downloaded_as_it_is_seen() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 500, 7);
    browser.prefer("es", true).await;
    for (view, kind) in [("timeline?days=3", "timeline"), ("history?span=month", "distribution")] {
        let folder = tempfile::tempdir().unwrap();
        browser.visit(&scene.view(view)).await;
        let link = format!("[data-kind={kind}] .save a[href*='.png']");
        let file = downloaded(&browser, folder.path(), &link).await;
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with(&format!("celaje-rio-grande-{kind}-20")), "{name}");
        let picture = image::open(&file).unwrap().to_rgb8();
        assert_eq!(picture.width(), 2400);
        // Dark, as the page is.
        assert_eq!(picture.get_pixel(3, 3).0, [0x0f, 0x14, 0x1c], "{name}");
    }
}

#[tokio::test]
async fn a_table_has_the_range_on_screen() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 1200, 7);
    let today = slot(0).date();
    let first = today - chrono::Days::new(2);
    let rows = async |view: &str, kind: &str| {
        let folder = tempfile::tempdir().unwrap();
        browser.visit(&scene.view(view)).await;
        let link = format!("[data-kind={kind}] .save a[href*='.csv']");
        let file = downloaded(&browser, folder.path(), &link).await;
        assert_eq!(file.extension().unwrap(), "csv");
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // Slot by slot: as many rows as marks.
    let table = rows("timeline?days=3", "timeline").await;
    let marks = browser
        .run("return document.querySelectorAll('[data-kind=timeline] .reading').length")
        .await;
    assert!(table[0].starts_with("slot,"), "{}", table[0]);
    assert_eq!(table.len() as u64 - 1, marks.as_u64().unwrap());
    assert!(table[1].starts_with(&first.to_string()), "{}", table[1]);
    assert!(table.last().unwrap().starts_with(&slot(0).format("%Y-%m-%dT%H:%M").to_string()));
    // By the day, as the chart is.
    let table = rows("history?span=month", "history").await;
    let marks =
        browser.run("return document.querySelectorAll('[data-kind=history] .mean').length").await;
    assert!(table[0].starts_with("from,"), "{}", table[0]);
    let with_readings = table.iter().skip(1).filter(|row| row.split(',').nth(1) != Some("0"));
    assert_eq!(with_readings.count() as u64, marks.as_u64().unwrap());
}

/// Of each figure in the page: its kind, the names of its downloads, and what its table is.
const TABLES: &str = "const done = arguments[arguments.length - 1];\
    const told = [...document.querySelectorAll('main figure.chart')].map(async figure => {\
        const links = [...figure.querySelectorAll('.save a')].filter(a => !a.hidden);\
        const csv = links.find(a => a.textContent === 'CSV');\
        const answer = csv && await fetch(csv.href);\
        const text = answer ? await answer.text() : '';\
        return [figure.dataset.kind, links.map(a => a.download), answer && answer.status,\
            answer && answer.headers.get('content-type').split(';')[0],\
            text.trim().split('\\n').length];\
    });\
    Promise.all(told).then(done, error => done(String(error)));";

#[tokio::test]
async fn every_chart_has_its_numbers_under_a_name_that_any_system_takes() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let settings = "[[station]]\nid = 'rio-grande'\nname = 'R'\nlatitude = -53.79\n\
        longitude = -67.7\ntime_zone = 'America/Argentina/Ushuaia'\n\
        url_base = 'http://127.0.0.1:9/'\n\
        [station.lens]\ncentre = [0.5, 0.5]\nradius = 0.345\nnorth = 0.0\n";
    let scene = Scene::prepared(settings, &[], |record| {
        write_rows(record, reading(0, 5), 1500, 7);
    });
    let mut kinds = std::collections::BTreeSet::new();
    let views =
        ["now", "timeline?days=3", "timeline?days=7&form=raster", "history?span=month", "gallery"];
    for view in views {
        browser.visit(&scene.view(view)).await;
        let told = browser.run_async(TABLES).await;
        for figure in told.as_array().unwrap_or_else(|| panic!("{view}: {told}")) {
            let kind = figure[0].as_str().unwrap().to_owned();
            assert_eq!((&figure[2], &figure[3]), (&json!(200), &json!("text/csv")), "{figure}");
            assert!(figure[4].as_u64().unwrap() >= 2 || kind == "tonight", "{figure}");
            let names = figure[1].as_array().unwrap();
            assert_eq!(names.len(), 2, "{figure}");
            for name in names {
                let name = name.as_str().unwrap();
                // What Windows does not take.
                assert!(!name.contains(['<', '>', ':', '"', '/', '\\', '|', '?', '*']), "{name}");
                assert!(name.starts_with("celaje-rio-grande-"), "{name}");
            }
            kinds.insert(kind);
        }
    }
    let all = [
        "calendar",
        "climatology",
        "confidence",
        "dark-hours",
        "dark-years",
        "distribution",
        "dome",
        "history",
        "keogram",
        "nights",
        "raster",
        "timeline",
        "tonight",
    ];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), all);
}

#[tokio::test]
async fn what_can_be_shared_has_an_address_and_a_name_that_any_system_takes() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    // In a winter's night there are stars.
    let day = chrono::NaiveDate::from_ymd_opt(2024, 6, 10).unwrap();
    let last = Reading { slot: day.and_hms_opt(23, 52, 0).unwrap(), okta: 1, quality: "night" };
    let clock = ["--clock", "2024-06-11T03:03:00Z@1"];
    let scene = Scene::prepared("", &clock, |record| write_rows(record, last, 200, 1));
    let folder = scene.folder().join(format!("a-pictures/rio-grande/{day}"));
    std::fs::create_dir_all(&folder).unwrap();
    // Two by day, three by night.
    for name in ["0902", "1302", "2202", "2212", "2222"] {
        std::fs::write(folder.join(format!("{name}.jpg")), pictures::jpeg(0.02)).unwrap();
    }
    let links = async || {
        browser.visit(&scene.view(&format!("gallery?day={day}&noon=1"))).await;
        browser.until("document.querySelector('.films a, .addresses')").await;
        let texts = "return [...document.querySelectorAll('.films a')].map(a => a.textContent)";
        browser.run(texts).await
    };
    let told = links().await;
    let texts: Vec<_> = told.as_array().unwrap().iter().filter_map(|t| t.as_str()).collect();
    assert!(texts[0].starts_with("The day (5 pictures, "), "{texts:?}");
    assert!(texts[1].starts_with("The night that begins on it (4 pictures, "), "{texts:?}");
    assert_eq!(texts[2], "Star trails (JPG)");
    // The addresses are shown whole.
    browser.run("document.querySelector('.addresses').open = true").await;
    let shown = browser
        .run_async(
            "const boxes = [...document.querySelectorAll('.addresses input')];\
             const name = head => (/filename=\"([^\"]+)\"/.exec(head || '') || [])[1] || null;\
             Promise.all(boxes.map(async box => {\
                 const answer = await fetch(box.value);\
                 return [box.readOnly && box.getClientRects().length, box.value, answer.status,\
                     answer.headers.get('content-type'),\
                     name(answer.headers.get('content-disposition'))];\
             })).then(arguments[0], error => arguments[0](String(error)))",
        )
        .await;
    let shown = shown.as_array().unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(shown.len(), 4, "{shown:?}");
    let mut names = std::collections::BTreeSet::new();
    for (n, row) in shown.iter().enumerate() {
        assert_eq!((&row[0], &row[2]), (&json!(1), &json!(200)), "{row}");
        assert!(row[1].as_str().unwrap().starts_with(&scene.url), "{row}");
        if n == 3 {
            // The keogram is named by its link.
            let noon = format!("from={day}T12%3A00");
            assert!(row[3] == "image/png" && row[1].as_str().unwrap().contains(&noon), "{row}");
            continue;
        }
        let name = row[4].as_str().unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(name.starts_with("celaje-rio-grande-") && name.chars().all(plain), "{name}");
        assert!(names.insert(name.to_owned()), "two files of one name: {name}");
    }
    let png =
        "return document.querySelector('[data-kind=keogram] .save a[download$=png]').download";
    let png = browser.run(png).await;
    let next = day + chrono::Days::new(1);
    let name = format!("celaje-rio-grande-keogram-{day}T1200-{next}T1159.png");
    assert_eq!(png, name);
}

#[tokio::test]
async fn a_printed_report_is_paper_without_buttons() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(0, 5), 4000, 9);
    browser.prefer("es", true).await;
    browser.visit(&scene.view("history?span=month")).await;
    let media = json!({"media": "print"});
    browser.command("Emulation.setEmulatedMedia", media).await;
    let seen = "return [...document.querySelectorAll('button, nav, input, select, \
        .save')].filter(e => e.getClientRects().length).map(e => e.outerHTML)";
    assert_eq!(browser.run(seen).await, json!([]));
    let white = "return [getComputedStyle(document.body).backgroundColor, \
        getComputedStyle(document.querySelector('.canvas rect')).fill]";
    assert_eq!(browser.run(white).await, json!(["rgb(255, 255, 255)", "rgb(255, 255, 255)"]));
    let text = browser.text().await;
    assert!(text.contains("Informe de nubosidad · Estación Astronómica Río Grande"), "{text}");
    browser.command("Emulation.setEmulatedMedia", json!({"media": ""})).await;
    // Who prints the view is told of the report, which its button opens: one document, whose
    // charts are those of the view.
    let address = "return [...document.querySelectorAll('main a.button')]\
        .map(a => [a.textContent, a.href, a.target])";
    let links = browser.run(address).await;
    let report = links[0][1].as_str().unwrap();
    assert!(report.contains("/report.pdf?from="), "{links}");
    assert_eq!(links[1], json!(["Imprimir el informe", report, "_blank"]));
    let note = browser.text_of("main .only-print").await;
    assert!(note.contains(report), "{note}");
    let answer = browser
        .run_async(&format!(
            "fetch('{report}').then(r => arguments[0]([r.status, \
             r.headers.get('content-type'), r.headers.get('content-disposition')]))"
        ))
        .await;
    assert_eq!((&answer[0], &answer[1]), (&json!(200), &json!("application/pdf")));
    // Shown by the browser; saved under the name that the page's link gives it, too.
    let name = "return document.querySelector('main a.button[download]').download";
    let name = browser.run(name).await;
    let name = format!("inline; filename=\"{}\"", name.as_str().unwrap());
    assert_eq!(answer[2], name);
    // The button of another view has the charts drawn for a page first, so that they can be read.
    browser.visit(&scene.view("timeline?days=3")).await;
    browser
        .run(
            "window.print = () => { window.celajePrinted = [...document.querySelectorAll('.canvas \
            svg')]\
             .map(svg => svg.viewBox.baseVal.width); dispatchEvent(new Event('afterprint')); };\
             [...document.querySelectorAll('main .bar button')].pop().click()",
        )
        .await;
    browser.until("window.celajePrinted").await;
    let widths = browser.run("return window.celajePrinted").await;
    assert_eq!(widths, json!([700]));
    browser.until("document.querySelector('.canvas svg').viewBox.baseVal.width > 900").await;
    browser.whole().await;
    let pdf = browser.print().await;
    assert!(pdf.starts_with(b"%PDF"));
    let pages =
        pdf.windows(11).filter(|part| part == b"/Type /Page" || part == b"/Type/Page\n").count();
    assert!(pdf.len() > 20_000 && (1..=7).contains(&pages), "{} bytes, {pages} pages", pdf.len());
}
