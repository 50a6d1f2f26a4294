//! What the replaced system's front end does, in a page of another server.

use crate::driver::Browser;
use crate::scene::{Scene, reading, slot};

/// Its questions, one after the other, and what it makes of the answers: pairs of what it shows and
/// what is to be shown.
const FRONT_END: &str = r#"
const [api, today, done] = arguments;
const get = async (path, options) => (await fetch(api + path, options)).json();
const between = async (from, to) => (await get(`/historial?desde=${from}&hasta=${to}`)).items;
const shown = (src) => new Promise((told) => {
  const picture = new Image();
  picture.onload = () => told(picture.naturalWidth > 0);
  picture.onerror = () => told(false);
  picture.src = src;
  document.body.append(picture);
});
const day = (text) => text.slice(0, 10);
const later = (text, days) => day(new Date(Date.parse(text) + days * 864e5).toISOString());
(async () => {
  const pairs = {};
  const all = (await get("/historial")).items;
  const days = all.map((row) => day(row.fecha_captura));
  const count = (from, to) => days.filter((of) => of >= from && of <= to).length;
  pairs.all = [all.length, 6000];
  pairs.day = [(await between(today, today)).length, count(today, today)];
  const week = later(today, -6);
  pairs.week = [(await between(week, today)).length, count(week, today)];
  const month = `${later(today, -27).slice(0, 7)}-01`;
  const next = `${later(month, 31).slice(0, 7)}-01`;
  const ofMonth = (await between(month, next)).filter((row) => day(row.fecha_captura) < next);
  pairs.month = [ofMonth.length, count(month, later(next, -1))];
  const [from, to] = [later(today, -20), later(today, -10)];
  pairs.range = [(await between(from, to)).length, 11 * 144];
  pairs.none = [(await between("2001-01-01", "2001-01-02")).length, 0];
  // A header of its own, and cookies: the browser asks beforehand.
  const headers = { "Content-Type": "application/json", "X-Own": "1" };
  const last = await get("/octas", { credentials: "include", headers });
  pairs.last = [JSON.stringify(last), JSON.stringify(all[all.length - 1])];
  pairs.minute = [/^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(last.fecha_captura), true];
  pairs.card = [await shown(last.url_imagen), true];
  pairs.picture = [await shown(`${api}/imagen?ts=${Date.now()}`), true];
  const wrong = await fetch(`${api}/historial?desde=ayer`);
  pairs.wrong = [wrong.status + typeof (await wrong.json()).detail, "400string"];
  const weather = await fetch(`${api}/clima`);
  pairs.weather = [weather.status + typeof (await weather.json()).detail, "404string"];
  return pairs;
})().then(done, (error) => done(String(error)));
"#;

#[tokio::test]
async fn the_old_front_end_is_served_as_it_is() {
    let Some(browser) = Browser::start("es").await else {
        return;
    };
    let scene = Scene::with(&["--compat=127.0.0.1:0"]);
    scene.write_many(reading(0, 5), 6000, 1);
    let picture = format!("{}x.jpg", scene.camera());
    scene.execute(&format!("UPDATE observations SET url = '{picture}'"));
    // A page of the camera's origin.
    browser.open(&picture).await;
    let (api, today) = (scene.compat(), slot(0).date());
    let script = FRONT_END.replace(
        "const [api, today, done] = arguments;",
        &format!("const [api, today, done] = ['{api}', '{today}', arguments[0]];"),
    );
    let seen = browser.run_async(&script).await;
    let pairs = seen.as_object().unwrap_or_else(|| panic!("{seen}"));
    assert_eq!(pairs.len(), 12);
    for (name, pair) in pairs {
        assert_eq!(pair[0], pair[1], "{name}");
    }
    assert!(pairs["month"][0].as_u64().unwrap() > 2000, "{seen}");
    // The dashboard's own address is not open to such a page.
    let own = format!("fetch('{}/octas').then(() => 'read', () => 'refused')", scene.url);
    let own = browser.run_async(&format!("{own}.then(arguments[0])")).await;
    assert_eq!(own, "refused");
}
