//! The bundled model on labelled pictures, by this program's own decoding, resizing and reading: on
//! those of the large groups that it has not learnt from, and on all photographs and nights.
//!
//! Runs where ../shared holds the pictures; none of them is part of the repository. Prints, for
//! each group, the share of oktas that are exactly right, the mean error of the cloud fraction and
//! how far the confidence is from the share of right readings.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use celaje_sky::evaluate::figures::{Figures, Sample};
use celaje_sky::okta::Okta;
use celaje_sky::station::region::Region;
use celaje_vision::engine::backend::{Backend, BackendError, InputBatch, OutputBatch};
use celaje_vision::picture::decode::Limits;
use celaje_vision::picture::prepare::prepare;
use celaje_vision::reading::run_batch;
use rten::Model;
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

/// Least mean confidence in clear skies.
const CLEAR: f64 = 0.9;

/// Pictures a batch: odd, so that the last one is a short one.
const BATCH: usize = 7;

struct Session(Model);

impl Backend for Session {
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let failed = |error: &dyn std::fmt::Display| BackendError::Run(error.to_string());
        let tensor = NdTensor::from_data(input.shape, input.data.to_vec());
        let output = self.0.run_one(tensor.view().into(), None).map_err(|e| failed(&e))?;
        let output: Tensor<f32> = output.try_into().map_err(|e| failed(&e))?;
        Ok(OutputBatch { shape: output.shape().to_vec(), data: output.to_vec() })
    }
}

/// Whether a numbered picture is in one of the blocks of twenty that training leaves for testing
/// (`part_of` in training/data.py).
fn held_out(image: &str) -> bool {
    let number: String = image.chars().filter(char::is_ascii_digit).collect();
    number.parse::<u32>().is_ok_and(|number| (number.saturating_sub(1) / 20) % 5 == 4)
}

#[test]
fn the_bundled_model_reads_labelled_pictures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = root.join("../shared/data");
    if !data.is_dir() {
        // Not `eprintln!`: the harness keeps that back.
        let _ = writeln!(std::io::stderr(), "skipped: there are no pictures in ../shared");
        return;
    }
    let bundled = celaje_vision::model::source::Model::bundled().unwrap();
    let manifest = bundled.manifest;
    let mut session = Session(Model::load(bundled.bytes.to_vec()).unwrap());
    let labels = std::fs::read_to_string(data.join("labels.csv")).unwrap();
    // group, image, mask, camera (a comma may be in it), cloud_fraction, okta
    let rows: Vec<(&str, &str, f64)> = labels
        .lines()
        .skip(1)
        .map(|line| {
            let (front, back) = (line.split(','), line.rsplit(','));
            let (group, image) = (front.clone().next().unwrap(), front.clone().nth(1).unwrap());
            (group, image, back.clone().nth(1).unwrap().parse().unwrap())
        })
        .collect();
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| !["allsky-day", "allsky-clear"].contains(&row.0) || held_out(row.1))
        .collect();
    let mut groups: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    let mut buffer = Vec::new();
    for rows in rows.chunks(BATCH) {
        let frames: Vec<_> = rows
            .iter()
            .map(|(_, image, _)| {
                let bytes = std::fs::read(data.join(image)).unwrap();
                prepare(&bytes, &manifest, &Region::whole(), &Limits::default())
                    .unwrap_or_else(|error| panic!("{image}: {error}"))
            })
            .collect();
        let frames: Vec<_> = frames.iter().collect();
        let readings =
            run_batch(&mut session, &manifest, &frames, &Region::whole(), &mut buffer).unwrap();
        for ((name, image, truth), reading) in rows.iter().zip(readings) {
            let reading = reading.unwrap_or_else(|error| panic!("{image}: {error}"));
            groups.entry(name).or_default().push(Sample {
                okta_true: Okta::from_fraction(*truth),
                okta_read: Some(reading.okta),
                fraction_true: Some(*truth),
                fraction_read: reading.cloud_fraction,
                confidence: Some(reading.confidence),
                pixel_accuracy: None,
            });
        }
    }
    let groups: BTreeMap<&str, Figures> =
        groups.iter().map(|(name, samples)| (*name, Figures::of(samples, 0))).collect();
    let exact = |name: &str| groups[name].exact.unwrap().value;
    for (name, group) in &groups {
        println!(
            "{name:16} n {:3}  exact {:.3}  fraction error {:.3}  confidence {:.3}  calibration \
            error {:.3}",
            group.n,
            exact(name),
            group.fraction_error.unwrap().value,
            group.confidence.unwrap(),
            group.calibration_error.unwrap(),
        );
    }
    assert!(exact("allsky-day") >= 0.85);
    assert!(exact("allsky-clear") >= 0.99);
    assert!(exact("perspective-day") >= 0.75);
    assert!(groups["allsky-night"].fraction_error.unwrap().value <= 0.2);
    // The confidence is what cameras that the network has not seen may expect: less than these,
    // which it has, deserve, and never more.
    for (name, group) in &groups {
        let sure = group.confidence.unwrap();
        assert!(sure <= exact(name) + 0.1, "{name}: {sure}");
    }
    assert!(groups["allsky-clear"].confidence.unwrap() >= CLEAR);
}
