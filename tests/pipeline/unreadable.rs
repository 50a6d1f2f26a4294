//! Bodies that are no picture of the sky.

use celaje_sky::station::LayoutChoice;
use celaje_vision::engine::fake::{Act, FakeEngine};

use crate::camera;
use crate::support::server::{Reply, Server};
use crate::support::stage::Stage;
use crate::support::{first, pictures, slots};

/// Bodies and the reasons that they are missed for.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let whole = pictures::jpeg(0.4);
    let mut scratched = whole.clone();
    // More codes of each length than there can be.
    let huffman = |pair: &[u8]| pair == [0xff, 0xc4];
    let table = whole.windows(2).position(huffman).unwrap() + 5;
    scratched[table..table + 16].fill(0xff);
    vec![
        ("empty", Vec::new()),
        ("not_an_image", pictures::html()),
        ("not_an_image", pictures::noise(5_000)),
        ("not_an_image", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec()),
        ("not_an_image", vec![0]),
        ("truncated", whole[..whole.len() / 2].to_vec()),
        ("truncated", whole[..whole.len() - 40].to_vec()),
        ("truncated", whole[..12].to_vec()),
        ("corrupt", scratched),
        ("corrupt", pictures::encoded(&image::RgbImage::new(3, 3))),
        ("too_many_pixels", pictures::bomb()),
    ]
}

#[actix::test]
async fn each_is_a_miss_with_its_reason() {
    let count = bodies().len();
    let server = Server::start(camera(|asked, _| {
        bodies().get(asked.index).map(|(_, body)| Reply::Body(body.clone()))
    }));
    let stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.run(first(count + 5)).await;
    let misses = stage.record().misses();
    for (slot, (reason, _)) in slots(first(count)).into_iter().zip(bodies()) {
        let missed = &misses[&slot.to_string()];
        assert_eq!(missed.reason, reason, "{slot}: {}", missed.detail);
        assert!(!missed.detail.is_empty() && missed.detail.len() < 300);
        assert_eq!(missed.attempts, 1);
    }
    assert_eq!(stage.record().count("observations"), 5);
    // Nobody asks twice for what was read and is no picture.
    assert_eq!(server.requests().len(), count + 5);
}

/// Requests made for a picture that in the end cannot be read are told whole.
#[actix::test]
async fn requests_before_an_unreadable_body_count_as_attempts() {
    let server = Server::start(camera(|_, nth| match nth {
        0 | 1 => Some(Reply::status(503)),
        _ => Some(Reply::Body(pictures::html())),
    }));
    let stage = Stage::new(&server).with_layout(LayoutChoice::Root);
    stage.run(first(1)).await;
    let missed = stage.record().misses().into_values().next().unwrap();
    assert_eq!((missed.reason.as_str(), missed.attempts), ("not_an_image", 3));
}

/// JPEG and PNG of every kind that cameras and their software write.
#[actix::test]
async fn pictures_of_many_kinds_are_read() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pictures");
    let files: Vec<Vec<u8>> = std::fs::read_dir(fixtures)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    let count = files.len();
    let server = Server::start(camera(move |asked, _| {
        files.get(asked.index).map(|file| Reply::Body(file.clone()))
    }));
    let engine = FakeEngine::always(Act::okta(5));
    let stage = Stage::new(&server)
        .with_layout(LayoutChoice::Root)
        .with_engine(std::sync::Arc::new(engine));
    stage.run(first(count)).await;
    assert_eq!(stage.record().misses(), [].into());
}
