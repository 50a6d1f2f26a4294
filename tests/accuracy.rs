//! The bundled model on labelled pictures, by this program's own decoding, resizing and reading.
//!
//! Runs where ../shared holds the pictures; none of them is part of the repository. Prints, for
//! each group, the share of oktas that are exactly right, the mean error of the cloud fraction and
//! how far the confidence is from the share of right readings.

use std::collections::BTreeMap;
use std::path::Path;

use celaje::image::decode::Limits;
use celaje::image::prepare::prepare;
use celaje::model::backend::{Backend, BackendError, InputBatch, OutputBatch};
use celaje::model::manifest::Manifest;
use celaje::model::reading::run_batch;
use celaje::sky::okta::Okta;
use celaje::station::region::Region;
use rten::Model;
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

/// Pictures a batch: odd, so that the last one is a short one.
const BATCH: usize = 7;

struct Session(Model);

impl Backend for Session {
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let failed = |error: &dyn std::fmt::Display| BackendError::Run(error.to_string());
        let tensor = NdTensor::from_data(input.shape, input.data.to_vec());
        let output = self
            .0
            .run_one(tensor.view().into(), None)
            .map_err(|e| failed(&e))?;
        let output: Tensor<f32> = output.try_into().map_err(|e| failed(&e))?;
        Ok(OutputBatch {
            shape: output.shape().to_vec(),
            data: output.to_vec(),
        })
    }
}

#[derive(Default)]
struct Group {
    exact: Vec<bool>,
    confidence: Vec<f64>,
    error: f64,
}

impl Group {
    fn share(&self) -> f64 {
        self.exact.iter().filter(|right| **right).count() as f64 / self.exact.len() as f64
    }

    fn confidence(&self) -> f64 {
        self.confidence.iter().sum::<f64>() / self.confidence.len() as f64
    }

    /// Expected calibration error, ten bins.
    fn calibration_error(&self) -> f64 {
        let mut gaps = [0.0f64; 10];
        for (&right, &confidence) in self.exact.iter().zip(&self.confidence) {
            gaps[((confidence * 10.0) as usize).min(9)] += confidence - f64::from(u8::from(right));
        }
        gaps.iter().map(|gap| gap.abs()).sum::<f64>() / self.exact.len() as f64
    }
}

#[test]
fn the_bundled_model_reads_labelled_pictures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (data, network) = (
        root.join("../shared/data"),
        root.join("../shared/models/sky-start.onnx"),
    );
    if !data.is_dir() || !network.is_file() {
        eprintln!("skipped: there are no pictures in ../shared");
        return;
    }
    let manifest = std::fs::read_to_string(root.join("models/sky-start/sky-start.toml")).unwrap();
    let manifest: Manifest = toml::from_str(&manifest).unwrap();
    let mut session = Session(Model::load_file(network).unwrap());
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
    // Of the large groups every third picture, for the sake of the time it takes.
    let rows: Vec<_> = rows
        .into_iter()
        .enumerate()
        .filter(|(i, row)| i.is_multiple_of(3) || !["allsky-day", "allsky-clear"].contains(&row.0))
        .map(|(_, row)| row)
        .collect();
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
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
        let readings = run_batch(
            &mut session,
            &manifest,
            &frames,
            &Region::whole(),
            &mut buffer,
        )
        .unwrap();
        for ((name, image, truth), reading) in rows.iter().zip(readings) {
            let reading = reading.unwrap_or_else(|error| panic!("{image}: {error}"));
            let group = groups.entry(name).or_default();
            group
                .exact
                .push(reading.okta == Okta::from_fraction(*truth));
            group.confidence.push(reading.confidence);
            group.error += (reading.cloud_fraction.unwrap() - truth).abs();
        }
    }
    for (name, group) in &groups {
        println!(
            "{name:16} n {:3}  exact {:.3}  fraction error {:.3}  confidence {:.3}  calibration error {:.3}",
            group.exact.len(),
            group.share(),
            group.error / group.exact.len() as f64,
            group.confidence(),
            group.calibration_error(),
        );
    }
    assert!(groups["allsky-day"].share() >= 0.75);
    assert!(groups["allsky-day"].calibration_error() <= 0.08);
    assert!(groups["allsky-clear"].share() >= 0.99);
    assert!(groups["allsky-clear"].confidence() >= 0.9);
    assert!(groups["perspective-day"].share() >= 0.75);
    assert!(
        groups["allsky-night"].confidence() <= 0.4,
        "the model does not know nights"
    );
}
