//! Pages that are left open: many at once, through midnight, and what their charts tell.

use chrono::{NaiveDate, NaiveDateTime};

use crate::driver::Browser;
use crate::scene::{Reading, Scene, reading, slot};

const RIGHT: &str = "\u{E014}";
const DOWN: &str = "\u{E015}";

/// A browser allows itself six connections to a host; a stream is one.
#[tokio::test]
async fn eight_tabs_are_all_shown_and_all_live() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    scene.write_many(reading(1, 2), 30, 1);
    for tab in 0..8 {
        if tab > 0 {
            browser.tab().await;
        }
        browser.visit(&scene.view("now")).await;
        browser.until("document.querySelector('.link.live')").await;
    }
    scene.write(reading(0, 7));
    browser.until("document.querySelector('.reading .okta').textContent.startsWith('7')").await;
}

fn late(day: u32, hour: u32, minute: u32) -> NaiveDateTime {
    let day = NaiveDate::from_ymd_opt(2024, 3, day).unwrap();
    day.and_hms_opt(hour, minute, 0).unwrap()
}

#[tokio::test]
async fn a_page_that_is_left_open_goes_on_with_the_next_day() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    let of = |slot| Reading { slot, okta: 5, quality: "ok" };
    scene.write_many(of(late(10, 23, 52)), 144, 1);
    let marks = "document.querySelectorAll('[data-kind=timeline] g.reading').length";
    let shown = "document.querySelector('input[type=date]').value";
    browser.visit(&scene.view("timeline?days=1")).await;
    browser.until("document.querySelector('.link.live')").await;
    browser.until(&format!("{marks} === 144")).await;
    scene.write(of(late(11, 0, 2)));
    browser.until(&format!("{shown} === '2024-03-11' && {marks} === 1")).await;
    // A day that was asked for stays.
    browser.visit(&scene.view("timeline?days=1&end=2024-03-11")).await;
    browser.until(&format!("{marks} === 1")).await;
    scene.write(of(late(12, 0, 2)));
    scene.write(of(late(11, 0, 12)));
    browser.until(&format!("{marks} === 2")).await;
    assert_eq!(browser.run(&format!("return {shown}")).await, "2024-03-11");
}

#[tokio::test]
async fn a_gap_tells_its_time_and_why() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    let [after, second, first, before] = [0, 1, 2, 3].map(slot);
    let of = |slot| Reading { slot, ..reading(0, 5) };
    scene.write_many(of(before), 60, 1);
    scene.write(of(after));
    scene.miss(second, "timeout");
    scene.miss(first, "timeout");
    browser.visit(&scene.view("timeline?days=3")).await;
    let (from, to) = (first.format("%H:%M"), second.format("%H:%M"));
    let told = format!("{from} – {to} · no reading · did not arrive in time (2)");
    let told = if first.date() == second.date() {
        told
    } else {
        " · no reading · did not arrive in time (2)".to_owned()
    };
    browser
        .until(&format!(
            "[...document.querySelectorAll('g[data-at]')]\
             .some(gap => gap.getAttribute('aria-label').endsWith('{told}'))"
        ))
        .await;
}

#[tokio::test]
async fn arrows_lead_where_they_point_and_the_list_is_in_the_order_of_time() {
    let Some(browser) = Browser::start("en").await else {
        return;
    };
    let scene = Scene::new();
    let year = |slot, okta, quality| Reading { slot, okta, quality };
    scene.write_many(year(late(30, 23, 52), 5, "ok"), 144 * 60, 1);
    // A day on which the sky is not seen has a mark of another kind.
    scene.execute(
        "UPDATE observations SET okta = 9, category = 'OBSC', cloud_fraction = NULL, confidence = \
        NULL \
         WHERE slot_local LIKE '2024-03-05%'",
    );
    browser.visit(&scene.view("history?span=month")).await;
    let list =
        "[...document.querySelectorAll('[data-kind=history] li')].map(item => item.textContent)";
    browser.run("document.querySelector('[data-kind=history] details').open = true").await;
    browser.until(&format!("{list}.length === 30")).await;
    let list = browser.run(&format!("return {list}")).await;
    let days: Vec<&str> =
        list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect();
    assert!(days[4].contains("5 March") && days[5].contains("6 March"), "{days:?}");
    let place = "(() => { const box = document.activeElement.getBoundingClientRect();\
        return [Math.round(box.x), Math.round(box.y)]; })()";
    for key in [RIGHT, DOWN] {
        browser
            .run(
                "document.querySelector('[data-kind=calendar] \
                g[data-from^=\"2024-02-14\"]').focus()",
            )
            .await;
        let at =
            |value: serde_json::Value| (value[0].as_i64().unwrap(), value[1].as_i64().unwrap());
        let before = at(browser.run(&format!("return {place}")).await);
        browser.press(key).await;
        let after = at(browser.run(&format!("return {place}")).await);
        if key == RIGHT {
            assert!(after.0 > before.0 && after.1 == before.1, "{before:?} {after:?}");
        } else {
            assert!(after.1 > before.1 && after.0 == before.0, "{before:?} {after:?}");
        }
    }
}
