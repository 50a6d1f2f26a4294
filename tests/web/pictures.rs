//! Pictures of slots, fetched from the camera.

use celaje::simulate::options::SimulateOptions;
use celaje::simulate::server;
use celaje::station::Station;

use crate::site::Site;

fn path(slot: &str, what: &str) -> String {
    format!("/api/v1/stations/rio-grande/slots/{slot}/{what}")
}

#[actix::test]
async fn a_readings_picture_is_fetched_once_and_drawn_over() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (160, 120),
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    let site = Site::of(
        "2024-01-01T00:00",
        "2024-01-01T13:00",
        &camera.base_url,
        |_| {},
    );
    let first = site.get(&path("2024-01-01T11:02", "picture")).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.header("content-type"), Some("image/jpeg"));
    assert!(first.body.starts_with(b"\xff\xd8"));
    let again = site.get(&path("2024-01-01T11:02", "picture")).await;
    assert_eq!((again.body, camera.pictures()), (first.body, 1));
    let overlay = site.get(&path("2024-01-01T11:02", "overlay")).await;
    assert_eq!(
        overlay.status,
        200,
        "{}",
        String::from_utf8_lossy(&overlay.body)
    );
    assert_eq!(overlay.header("content-type"), Some("image/png"));
    assert!(overlay.body.starts_with(b"\x89PNG"));
    assert_eq!(camera.pictures(), 1);
    // What the record has no reading of is not looked for.
    for slot in ["2024-01-01T12:02", "2024-05-01T00:02", "2024-01-01T11:03"] {
        let (named, _) = site.get(&path(slot, "picture")).await.problem(404);
        assert_eq!(named.as_deref(), Some("slot"), "{slot}");
    }
    assert_eq!(camera.requests(), 1);
    camera.stop().await;
}

#[actix::test]
async fn a_picture_that_is_gone_is_no_failure_of_the_server() {
    let camera = server::start(SimulateOptions {
        port: 0,
        size: (64, 64),
        range: Some(
            celaje::pipeline::slot::SlotRange::new(
                crate::site::at("2020-01-01T00:00"),
                crate::site::at("2020-01-02T00:00"),
            )
            .unwrap(),
        ),
        ..SimulateOptions::for_station(&Station::rio_grande())
    })
    .unwrap();
    let site = Site::of(
        "2024-01-01T00:00",
        "2024-01-01T01:00",
        &camera.base_url,
        |_| {},
    );
    site.get(&path("2024-01-01T00:02", "picture"))
        .await
        .problem(404);
    let asked = camera.requests();
    assert_eq!(asked, 2, "both places of the year");
    site.get(&path("2024-01-01T00:02", "overlay"))
        .await
        .problem(404);
    assert_eq!(
        camera.requests(),
        asked,
        "what is missing is believed for a while"
    );
    camera.stop().await;
    site.get(&path("2024-01-01T00:12", "picture"))
        .await
        .problem(502);
    for slot in [
        "x",
        "2024-01-01",
        "2024-01-01T00:02:00",
        "..%2f..%2fetc%2fpasswd",
        "%00",
    ] {
        let (named, _) = site.get(&path(slot, "picture")).await.problem(400);
        assert_eq!(named.as_deref(), Some("slot"), "{slot}");
    }
}
