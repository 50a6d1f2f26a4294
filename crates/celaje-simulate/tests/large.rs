//! Large pictures are decoded at a part of their size: the same oktas as of the whole.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

use celaje_simulate::options::SimulateOptions;
use celaje_simulate::{Scene, Studio};
use celaje_sky::okta::Okta;
use celaje_sky::slot::{Slot, Zone};
use celaje_sky::station::region::Region;
use celaje_vision::engine::backend::Engine;
use celaje_vision::engine::rten::Rten;
use celaje_vision::model::source::Model;
use celaje_vision::picture::decode::{Limits, decode};
use celaje_vision::picture::prepare::{Frame, prepare, prepare_decoded};
use celaje_vision::reading::{if_sky, run_batch};

#[test]
fn shrinking_while_decoding_changes_no_okta() {
    let model = Model::bundled().unwrap();
    let mut session = Rten::new(&model).unwrap().open(1).unwrap();
    let zone: Zone = "-03:00".parse().unwrap();
    let (mut compared, mut shrunk) = (0, 0);
    for (scene, size) in [(Scene::Fisheye, (960, 960)), (Scene::Landscape, (1280, 960))] {
        let options = SimulateOptions { scene, size, ..SimulateOptions::default() };
        let studio = Studio::new(options.spec());
        for hour in 0..12 {
            let name = format!("2024-0301{:02}12.jpg", 2 * hour);
            let slot = Slot::at(Slot::parse_file_name(&name).unwrap(), zone).unwrap();
            let bytes = studio.draw(slot).unwrap().jpeg;
            let (manifest, region) = (&model.manifest, Region::whole());
            let quick = prepare(&bytes, manifest, &region, &Limits::default()).unwrap();
            let plain = decode(&bytes, &Limits::default()).unwrap();
            let plain = prepare_decoded(&plain, quick.sha256.clone(), manifest, &region).unwrap();
            shrunk += u32::from(quick.pixels != plain.pixels);
            let mut okta = |frame: &Frame| {
                let mut buffer = Vec::new();
                let readings =
                    run_batch(session.as_mut(), manifest, &[frame], &region, &mut buffer);
                let reading = if_sky(readings.unwrap().remove(0)).unwrap();
                reading.map(|reading| Okta::from_fraction(reading.cloud_fraction.unwrap()))
            };
            assert_eq!(okta(&quick), okta(&plain), "{name}, {size:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 24);
    assert!(shrunk > 12, "few pictures were shrunk: {shrunk}");
}

/// What is cut anywhere is refused as by the whole decoder.
#[test]
fn shrinking_refuses_what_is_cut() {
    let model = Model::bundled().unwrap();
    let options = SimulateOptions { size: (1280, 960), ..SimulateOptions::default() };
    let zone: Zone = "-03:00".parse().unwrap();
    let slot = Slot::at(Slot::parse_file_name("2024-03011212.jpg").unwrap(), zone).unwrap();
    let whole = Studio::new(options.spec()).draw(slot).unwrap().jpeg;
    let end = whole.len() - 2;
    for k in 1..40 {
        let at = end * k / 40;
        // Cut off, and with an end marker where there should be more of the picture.
        for tail in [&[][..], &[0xff, 0xd9][..]] {
            let cut = [&whole[..at], tail].concat();
            let quick = prepare(&cut, &model.manifest, &Region::whole(), &Limits::default());
            let plain = decode(&cut, &Limits::default());
            let (quick, plain) = (quick.unwrap_err(), plain.unwrap_err());
            assert_eq!(quick.reason(), plain.reason(), "{at} of {end}");
        }
    }
}
