//! The simulator as a whole: what it draws, and what its server answers.

use chrono::{Duration, NaiveDate, NaiveDateTime};

use super::mask::Kind;
use super::options::{Layout, SimulateOptions};
use super::server::{Running, start};
use super::{DrawnPicture, Scene, Spec, Studio, draw};
use celaje_sky::slot::{Slot, SlotRange, Zone};
use celaje_sky::station::region::{Margins, Region};

const ZONE: Zone = Zone::Named(chrono_tz::America::Argentina::Ushuaia);

fn local(month: u32, day: u32, hour: u32, minute: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2024, month, day).unwrap().and_hms_opt(hour, minute, 0).unwrap()
}

fn slot(month: u32, day: u32, hour: u32, minute: u32) -> Slot {
    Slot::at(local(month, day, hour, minute), ZONE).unwrap()
}

fn small(scene: Scene, seed: u64) -> Spec {
    Spec { scene, seed, width: 160, height: 120, ..Default::default() }
}

/// The mean level of what the picture shows as `kind`; none when that is hardly any of it.
fn mean(drawn: &DrawnPicture, kind: Kind) -> Option<[f64; 3]> {
    let rgb = image::load_from_memory(&drawn.jpeg).unwrap().into_rgb8();
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for (pixel, k) in rgb.pixels().zip(drawn.mask.kinds()) {
        if *k == kind {
            (0..3).for_each(|i| sum[i] += f64::from(pixel.0[i]));
            count += 1.0;
        }
    }
    (count > 0.2 * f64::from(rgb.width() * rgb.height())).then(|| sum.map(|s| s / count))
}

#[test]
fn a_picture_is_a_function_of_seed_and_slot() {
    for scene in [Scene::Landscape, Scene::Fisheye] {
        for at in [slot(3, 5, 14, 2), slot(3, 5, 2, 12)] {
            let first = draw(&small(scene, 7), at).unwrap();
            assert_eq!(first, Studio::new(small(scene, 7)).draw(at).unwrap());
            assert_ne!(first.jpeg, draw(&small(scene, 8), at).unwrap().jpeg);
            let picture = image::load_from_memory(&first.jpeg).unwrap();
            assert_eq!((picture.width(), picture.height()), (160, 120));
        }
    }
    let studio = Studio::new(small(Scene::Landscape, 7));
    assert_ne!(
        studio.draw(slot(3, 5, 14, 2)).unwrap().jpeg,
        studio.draw(slot(3, 5, 14, 12)).unwrap().jpeg
    );
}

#[test]
fn the_truth_is_counted_from_the_mask() {
    for scene in [Scene::Landscape, Scene::Fisheye] {
        let studio = Studio::new(small(scene, 3));
        for hour in (0..24).step_by(5) {
            let drawn = studio.draw(slot(3, 7, hour, 2)).unwrap();
            let count = |kind| drawn.mask.kinds().iter().filter(|k| **k == kind).count() as f64;
            let (sky, cloud) = (count(Kind::Sky), count(Kind::Cloud));
            let truth = &drawn.truth;
            assert!((truth.cloud_fraction.unwrap() - cloud / (cloud + sky)).abs() < 1e-12);
            assert!((truth.sky_share - (cloud + sky) / (160.0 * 120.0)).abs() < 1e-12);
            assert_eq!(truth.okta, truth.okta().unwrap().eighths());
            assert_eq!(studio.truth(slot(3, 7, hour, 2)), (drawn.truth, drawn.mask));
        }
    }
}

#[test]
fn every_okta_occurs_within_a_month() {
    let spec = Spec { width: 64, height: 48, ..small(Scene::Landscape, 1) };
    let studio = Studio::new(spec);
    let mut count = [0; 9];
    for hours in 0..31 * 12 {
        let at = local(3, 1, 0, 2) + Duration::hours(hours * 2);
        let (truth, _) = studio.truth(Slot::at(at, ZONE).unwrap());
        count[usize::from(truth.okta)] += 1;
        if truth.okta == 0 {
            assert!(truth.cloud_fraction.unwrap() <= 0.01);
        }
    }
    assert!(count.iter().all(|n| *n >= 5), "{count:?}");
    assert!(count[0] > 30 && count[8] > 30, "clear and closed skies are common: {count:?}");
}

#[test]
fn neighbouring_slots_have_much_the_same_cover() {
    let studio = Studio::new(Spec { width: 64, height: 48, ..small(Scene::Fisheye, 2) });
    let covers: Vec<f64> = (0..144)
        .map(|i| Slot::at(local(3, 1, 0, 2) + Duration::minutes(i * 10), ZONE).unwrap())
        .map(|s| studio.truth(s).0.cloud_fraction.unwrap())
        .collect();
    assert!(covers.windows(2).all(|w| (w[1] - w[0]).abs() < 0.2), "{covers:?}");
}

#[test]
fn the_ground_is_the_lowest_fifth_of_a_landscape() {
    for seed in 0..4 {
        let (_, mask) = Studio::new(small(Scene::Landscape, seed)).truth(slot(3, 5, 14, 2));
        let (width, height) = mask.size();
        let fifth = (f64::from(height) * 0.8) as usize * width as usize;
        assert!(mask.kinds()[..fifth].iter().all(|k| *k != Kind::Background));
        let ground = 1.0 - mask.sky_share();
        assert!((0.14..0.21).contains(&ground), "{ground}");
        let margins = Margins { bottom: 0.2, ..Default::default() };
        assert!(mask.cloud_fraction_in(&Region::with_margins(margins)).is_some());
    }
}

#[test]
fn a_fisheye_shows_a_round_sky() {
    let (_, mask) = Studio::new(small(Scene::Fisheye, 1)).truth(slot(3, 5, 14, 2));
    let (width, height) = mask.size();
    let at = |x: u32, y: u32| mask.kinds()[(y * width + x) as usize];
    for (x, y) in [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)] {
        assert_eq!(at(x, y), Kind::Background);
    }
    assert_ne!(at(width / 2, height / 2), Kind::Background);
}

#[test]
fn days_are_bright_and_blue_nights_dark() {
    for scene in [Scene::Landscape, Scene::Fisheye] {
        let studio = Studio::new(small(scene, 1));
        let (mut skies, mut clouds) = (0, 0);
        for day in 3..11 {
            let noon = studio.draw(slot(3, day, 13, 2)).unwrap();
            if let Some(sky) = mean(&noon, Kind::Sky) {
                assert!(sky[2] > sky[0] + 30.0 && sky[2] > 100.0, "{sky:?}");
                skies += 1;
            }
            if let Some(cloud) = mean(&noon, Kind::Cloud) {
                assert!(cloud[0] > 110.0 && (cloud[0] - cloud[2]).abs() < 35.0, "{cloud:?}");
                clouds += 1;
            }
        }
        assert!(skies >= 3 && clouds >= 3, "{skies} {clouds}");
        for day in 3..6 {
            let night = mean(&studio.draw(slot(3, day, 1, 42)).unwrap(), Kind::Sky);
            assert!(night.is_none_or(|n| n[1] < 100.0), "{night:?}");
        }
    }
}

#[test]
fn odd_sizes_and_places_are_drawn() {
    for (width, height) in [(1, 1), (51, 133), (400, 48)] {
        for scene in [Scene::Landscape, Scene::Fisheye] {
            for latitude in [-90.0, 90.0] {
                let spec = Spec { width, height, latitude, scene, ..Default::default() };
                let drawn = draw(&spec, slot(6, 21, 12, 2)).unwrap();
                assert_eq!(drawn.truth.width, width.max(48));
                assert!(drawn.truth.sky_share > 0.02);
            }
        }
    }
}

fn options(layout: Layout) -> SimulateOptions {
    let range = SlotRange::new(local(3, 5, 12, 0), local(3, 5, 13, 0)).unwrap();
    SimulateOptions { layout, size: (160, 120), range: Some(range), ..Default::default() }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn get(running: &Running, path: &str) -> (u16, Vec<u8>) {
    let answer = client().get(format!("{}{path}", running.base_url)).send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

#[actix_web::test]
async fn pictures_lie_where_the_layout_says() {
    let name = "2024-03051222.jpg";
    for (layout, in_year, in_root) in
        [(Layout::Year, 200, 404), (Layout::Root, 404, 200), (Layout::Both, 200, 200)]
    {
        let running = start(options(layout)).unwrap();
        let year = get(&running, &format!("2024/{name}")).await;
        let root = get(&running, name).await;
        assert_eq!((year.0, root.0), (in_year, in_root), "{layout:?}");
        assert_eq!(get(&running, &format!("2023/{name}")).await.0, 404);
        let expected = draw(&options(layout).spec(), slot(3, 5, 12, 22)).unwrap();
        for (status, body) in [year, root] {
            assert!(status == 404 || body == expected.jpeg);
        }
        assert_eq!(running.requests(), 3);
        assert_eq!(running.drawn(), 1, "the second one comes from the cache");
        running.stop().await;
    }
}

#[actix_web::test]
async fn only_slots_of_the_range_exist() {
    let running = start(options(Layout::Both)).unwrap();
    for (name, status) in [
        ("2024-03051202.jpg", 200),
        ("2024-03051252.jpg", 200),
        ("2024-03051152.jpg", 404),
        ("2024-03051302.jpg", 404),
        ("2024-03051203.jpg", 404),
        ("2024-13051202.jpg", 404),
        ("index.html", 404),
        ("a/b/c", 404),
    ] {
        assert_eq!(get(&running, name).await.0, status, "{name}");
    }
    let about = get(&running, "").await;
    assert_eq!(about.0, 200);
    assert!(String::from_utf8(about.1).unwrap().contains("simulada"));
    running.stop().await;
}

#[actix_web::test]
async fn the_future_exists_only_in_an_explicit_range() {
    let soon = chrono::Utc::now() + Duration::days(2);
    let at = Slot::at(ZONE.local(soon).date().and_hms_opt(12, 2, 0).unwrap(), ZONE).unwrap();
    let ago = Slot::at(at.local() - Duration::days(5), ZONE).unwrap();
    let now = start(SimulateOptions { range: None, ..options(Layout::Both) }).unwrap();
    assert_eq!(get(&now, &at.file_name()).await.0, 404);
    assert_eq!(get(&now, &ago.file_name()).await.0, 200);
    let range = SlotRange::new(at.local(), at.local()).ok();
    let later = start(SimulateOptions { range, ..options(Layout::Both) }).unwrap();
    assert_eq!(get(&later, &at.file_name()).await.0, 200);
    assert_eq!(get(&later, &ago.file_name()).await.0, 404);
    now.stop().await;
    later.stop().await;
}

#[actix_web::test]
async fn the_truth_is_served_beside_the_picture() {
    let running = start(options(Layout::Both)).unwrap();
    let expected = draw(&options(Layout::Both).spec(), slot(3, 5, 12, 22)).unwrap();
    let (status, json) = get(&running, "truth/2024-03051222.json").await;
    assert_eq!(status, 200);
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json, serde_json::to_value(&expected.truth).unwrap());
    assert_eq!(json["slot"], "2024-03-05T12:22");
    assert_eq!(json["scene"], "landscape");
    let (status, png) = get(&running, "truth/2024-03051222.png").await;
    assert_eq!((status, png), (200, expected.mask.to_png().unwrap()));
    assert_eq!(get(&running, "truth/2024-03051222.jpg").await.0, 404);
    running.stop().await;
}

#[actix_web::test]
async fn heads_and_known_tags_get_no_body() {
    let running = start(options(Layout::Both)).unwrap();
    let url = format!("{}2024-03051222.jpg", running.base_url);
    let full = client().get(&url).send().await.unwrap();
    let tag = full.headers()["etag"].clone();
    assert!(full.headers().contains_key("last-modified"));
    let length = full.bytes().await.unwrap().len().to_string();
    let head = client().head(&url).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-length"], length.as_str());
    assert!(head.bytes().await.unwrap().is_empty());
    let again = client().get(&url).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    running.stop().await;
}

#[actix_web::test]
async fn what_is_kept_is_bounded() {
    let limit = 15_000;
    let running = start(SimulateOptions { cache_bytes: limit, ..options(Layout::Both) }).unwrap();
    for minute in [2, 12, 22, 32, 42, 52].repeat(2) {
        assert_eq!(get(&running, &format!("2024-030512{minute:02}.jpg")).await.0, 200);
        assert!(running.cached_bytes() <= limit as u64);
    }
    assert!(running.cached_bytes() > 0);
    assert!(running.drawn() > 6, "six pictures do not fit, so that some are drawn anew");
    assert_eq!(running.pictures(), 12);
    running.stop().await;
}

#[actix_web::test]
async fn a_taken_port_and_an_absurd_size_are_told() {
    let running = start(options(Layout::Both)).unwrap();
    let port = running.addr.port();
    let taken = start(SimulateOptions { port, ..options(Layout::Both) }).err().unwrap();
    assert_eq!(taken.class.exit_status(), 3);
    assert!(taken.text.en.contains(&port.to_string()));
    let absurd = SimulateOptions { size: (10, 9_000_000), ..options(Layout::Both) };
    assert_eq!(start(absurd).err().unwrap().class.exit_status(), 2);
    running.stop().await;
}
