//! Pictures of slots, fetched from the camera.

use std::sync::Arc;

use actix_web::ResponseError;
use celaje::camera::http::HttpLimits;
use celaje::clock::Clock;
use celaje::web::camera::Cameras;
use celaje::web::problem::Problem;
use celaje_simulate::Scene;
use celaje_simulate::options::SimulateOptions;
use celaje_simulate::server;
use celaje_sky::slot::Slot;
use celaje_sky::station::lens::Lens;
use celaje_sky::station::region::{Margins, Region};
use celaje_sky::station::{LayoutChoice, Station};

use crate::site::Site;

fn path(slot: &str, what: &str) -> String {
    format!("/api/v1/stations/rio-grande/slots/{slot}/{what}")
}

#[actix::test]
async fn the_picture_of_a_reading_is_fetched_once() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (160, 120),
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    let site = Site::of("2024-01-01T00:00", "2024-01-01T13:00", &camera.base_url, |_| {});
    let first = site.get(&path("2024-01-01T11:02", "picture")).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.header("content-type"), Some("image/jpeg"));
    assert!(first.body.starts_with(b"\xff\xd8"));
    let again = site.get(&path("2024-01-01T11:02", "picture?t=1704110400")).await;
    assert_eq!((again.body, camera.pictures()), (first.body, 1));
    let overlay = site.get(&path("2024-01-01T11:02", "overlay")).await;
    assert_eq!(overlay.status, 200, "{}", String::from_utf8_lossy(&overlay.body));
    assert_eq!(overlay.header("content-type"), Some("image/png"));
    assert!(overlay.body.starts_with(b"\x89PNG"));
    assert_eq!(camera.pictures(), 1);
    // The camera is not asked for a slot without a reading.
    for slot in ["2024-01-01T12:02", "2024-05-01T00:02", "2024-01-01T11:03"] {
        let (named, _) = site.get(&path(slot, "picture")).await.problem(404);
        assert_eq!(named.as_deref(), Some("slot"), "{slot}");
    }
    assert_eq!(camera.requests(), 1);
    camera.stop().await;
}

#[actix::test]
async fn an_overlay_is_cached_by_its_region() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (160, 120),
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    let mut overlays = None;
    let (from, to) = ("2024-01-01T11:00", "2024-01-01T11:05");
    let site = Site::of(from, to, &camera.base_url, |options| {
        overlays = Some(Arc::clone(&options.overlays));
    });
    let picture = site.get(&path("2024-01-01T11:02", "picture")).await.body;
    let overlays = overlays.unwrap();
    let draw = |region: Region| {
        let (overlays, picture) = (Arc::clone(&overlays), picture.clone());
        async move { overlays.overlay(picture.into(), region).await.unwrap() }
    };
    let whole = draw(Region::whole()).await;
    let cut = Region::with_margins(Margins { bottom: 0.4, ..Margins::default() });
    assert_ne!(draw(cut).await, whole);
    assert_eq!(draw(Region::whole()).await, whole);
    camera.stop().await;
}

#[actix::test]
async fn a_picture_that_is_gone_is_no_failure_of_the_server() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (64, 64),
        range: Some(
            celaje_sky::slot::SlotRange::new(
                crate::site::at("2020-01-01T00:00"),
                crate::site::at("2020-01-02T00:00"),
            )
            .unwrap(),
        ),
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    let site = Site::of("2024-01-01T00:00", "2024-01-01T01:00", &camera.base_url, |_| {});
    site.get(&path("2024-01-01T00:02", "picture")).await.problem(404);
    let asked = camera.requests();
    assert_eq!(asked, 2, "both places of the year");
    site.get(&path("2024-01-01T00:02", "overlay")).await.problem(404);
    assert_eq!(camera.requests(), asked, "a missing picture is remembered for a while");
    camera.stop().await;
    site.get(&path("2024-01-01T00:12", "picture")).await.problem(502);
    for slot in ["x", "2024-01-01", "2024-01-01T00:02:00", "..%2f..%2fetc%2fpasswd", "%00"] {
        let (named, _) = site.get(&path(slot, "picture")).await.problem(400);
        assert_eq!(named.as_deref(), Some("slot"), "{slot}");
    }
}

/// A camera that never answers the first `silent` connections, and has no picture for the others.
fn silent_camera(silent: usize) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().flatten() {
            if held.len() < silent {
                held.push(stream);
                continue;
            }
            std::thread::spawn(move || {
                use std::io::{BufRead, BufReader, Write};
                let mut lines = BufReader::new(&stream).lines();
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let told =
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = (&stream).write_all(told);
            });
        }
    });
    format!("http://{address}/")
}

fn station(id: &str, base: &str) -> Arc<Station> {
    Arc::new(Station {
        id: id.to_owned(),
        url_base: base.to_owned(),
        layout: LayoutChoice::Root,
        ..Station::rio_grande()
    })
}

fn slot(n: i64) -> Slot {
    let local = crate::site::at("2024-01-01T00:02") + chrono::TimeDelta::minutes(10 * n);
    Slot::at(local, Station::rio_grande().zone).unwrap()
}

#[actix::test]
async fn a_camera_that_hangs_keeps_only_its_own_pictures_waiting() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (64, 64),
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    // As many as are asked of a camera at once.
    let (hung, well) = (station("hung", &silent_camera(4)), station("well", &camera.base_url));
    let stations = [Arc::clone(&hung), Arc::clone(&well)];
    let cameras = Cameras::start(&stations, HttpLimits::default(), Clock::SYSTEM);
    let ask = |station: &Arc<Station>, n: i64| {
        let (cameras, station) = (Arc::clone(&cameras), Arc::clone(station));
        actix::spawn(async move { cameras.shot(&station, slot(n), None).await })
    };
    let waiting: Vec<_> = (0..30).map(|n| ask(&hung, n)).collect();
    for n in 0..8 {
        let shot = ask(&well, n).await.unwrap().unwrap();
        assert_eq!(shot.media_type(), "image/jpeg");
    }
    assert!(waiting.iter().all(|task| !task.is_finished()));
    // A client that goes away frees its place.
    waiting.iter().for_each(|task| task.abort());
    let problem = ask(&hung, 40).await.unwrap().unwrap_err();
    assert_eq!(problem.status_code().as_u16(), 404);
    camera.stop().await;
}

#[actix::test]
async fn other_settings_ask_other_cameras() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (64, 64),
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    let (moved, stays) = (station("moved", &silent_camera(0)), station("stays", &camera.base_url));
    let limits = HttpLimits::default();
    let cameras =
        Cameras::start(&[Arc::clone(&moved), Arc::clone(&stays)], limits.clone(), Clock::SYSTEM);
    let status = |problem: Problem| problem.status_code().as_u16();
    let shot = cameras.shot(&moved, slot(1), None).await;
    assert_eq!(status(shot.unwrap_err()), 404);
    assert!(cameras.shot(&stays, slot(1), None).await.is_ok());
    let now = station("moved", &camera.base_url);
    cameras.renew(&[Arc::clone(&now), Arc::clone(&stays)], limits.clone());
    // A picture missing at the old address is asked for at the new one; cached ones stay.
    assert!(cameras.shot(&now, slot(1), None).await.is_ok());
    assert!(cameras.shot(&stays, slot(1), None).await.is_ok());
    assert_eq!(camera.pictures(), 2);
    cameras.renew(&[now], limits);
    let shot = cameras.shot(&stays, slot(1), None).await;
    assert_eq!(status(shot.unwrap_err()), 404);
    camera.stop().await;
}

#[actix::test]
async fn the_dome_is_drawn_of_a_station_with_a_lens() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (200, 150),
        scene: Scene::Fisheye,
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    let lens = Lens { north: Some(0.0), ..Lens::new([0.5, 0.5], 0.345) };
    let (from, to) = ("2024-01-01T11:00", "2024-01-01T11:05");
    let site = Site::of(from, to, &camera.base_url, |options| {
        let region = Region { lens: Some(lens), ..Region::whole() };
        let known = Station::clone(&options.stations[0]);
        options.stations = vec![Arc::new(Station { region, ..known })];
    });
    assert_eq!(site.get("/api/v1/stations").await.json()[0]["has_lens"], true);
    let dome = "/charts/dome.svg?lang=en&to=2024-01-01T11:02";
    let reply = site.get(dome).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let svg = reply.text();
    assert_eq!(svg.matches("class=\"dome\"").count(), 8 * 24);
    // It is day: the sun stands in the sky, and no planet does.
    assert!(svg.contains(">Sun<") && svg.contains(">N<") && !svg.contains(">Jupiter<"), "{svg}");
    // The same places as a table, with the cloud that is drawn.
    let table = site.get("/charts/dome.csv?to=2024-01-01T11:02").await;
    assert_eq!(table.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let lines: Vec<_> = table.text().split_terminator("\r\n").map(str::to_owned).collect();
    let head = "slot,elevation_from,elevation_to,azimuth_from,azimuth_to,cloud_fraction";
    assert_eq!((lines.len(), lines[0].as_str()), (1 + 8 * 24, head));
    assert!(lines[1].starts_with("2024-01-01T11:02,80,90,0,15,0."), "{}", lines[1]);
    assert!(lines[192].starts_with("2024-01-01T11:02,10,20,345,360,"), "{}", lines[192]);
    let (_, why) = site.get("/charts/history.csv").await.problem(404);
    assert!(why.contains("no chart"), "{why}");
    let (_, why) = site.get("/charts/dome.svg?to=2024-01-01T10:02").await.problem(404);
    assert!(why.contains("no reading"), "{why}");
    // Without a lens there is none.
    let plain = Site::of(from, to, &camera.base_url, |_| {});
    let (_, why) = plain.get(dome).await.problem(404);
    assert!(why.contains("no lens"), "{why}");
    camera.stop().await;
}

#[actix::test]
async fn a_small_screen_gets_a_small_picture() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (640, 480),
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    let site = Site::of("2024-01-01T11:00", "2024-01-01T11:05", &camera.base_url, |_| {});
    let picture = "/api/v1/stations/rio-grande/slots/2024-01-01T11:02/picture";
    let whole = site.get(picture).await;
    let wide = |reply: &crate::client::Reply| {
        image::load_from_memory(&reply.body).unwrap().to_rgb8().dimensions()
    };
    assert_eq!(wide(&whole), (640, 480));
    let small = site.get(&format!("{picture}?width=320&t=1")).await;
    assert_eq!((small.header("content-type"), wide(&small)), (Some("image/jpeg"), (320, 240)));
    assert!(small.body.len() < whole.body.len());
    // It is never larger than it is.
    assert_eq!(site.get(&format!("{picture}?width=2000")).await.body, whole.body);
    for wrong in ["width=3", "width=5000", "width=a", "height=100"] {
        site.get(&format!("{picture}?{wrong}")).await.problem(400);
    }
    camera.stop().await;
}
