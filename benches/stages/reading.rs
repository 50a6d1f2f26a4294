//! What a network's numbers cost until they are an okta, without any network: cells as large as
//! the sky's, with edges that are torn and a little noise.

use std::hint::black_box;

use celaje_sky::station::region::Region;
use celaje_vision::model::manifest::Manifest;
use celaje_vision::model::source::Model;
use celaje_vision::picture::prepare::Frame;
use celaje_vision::reading::read;
use criterion::{BenchmarkId, Criterion, Throughput};

/// Names of the channels, and cells a side.
const OUTPUTS: [(&[&str], usize); 2] =
    [(&["background", "sky", "cloud"], 96), (&["background", "sky", "cloud", "obstructed"], 192)];

/// Numbers in the manner of logits: sky and cloud in patches, background in the corners, nothing
/// on the lens.
fn logits(classes: usize, side: usize) -> Vec<f32> {
    let mut noise = 12_345u32;
    let mut numbers = vec![-4.0f32; classes * side * side];
    for cell in 0..side * side {
        let [u, v] = [cell % side, cell / side].map(|at| at as f32 / side as f32 - 0.5);
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let torn = (noise >> 8) as f32 / (1u32 << 24) as f32 - 0.5;
        let cloud = 5.0 * (14.0 * u).sin() * (9.0 * v + 3.0 * u).cos() + 2.0 * torn;
        let ground = 60.0 * (u.hypot(v) - 0.48);
        for (class, value) in [ground, -cloud, cloud].into_iter().enumerate() {
            numbers[class * side * side + cell] = value;
        }
    }
    numbers
}

/// The numbers of one picture to its okta.
pub fn readings(criterion: &mut Criterion, frame: &Frame) {
    let mut group = criterion.benchmark_group("reading");
    group.throughput(Throughput::Elements(1));
    let region = Region::whole();
    for (names, side) in OUTPUTS {
        let mut manifest: Manifest = Model::bundled().unwrap().manifest;
        manifest.output.classes = names.iter().map(|&name| name.to_owned()).collect();
        let shape = [names.len(), side, side];
        let numbers = logits(names.len(), side);
        let name = format!("{}x{side}x{side}", names.len());
        group.bench_function(BenchmarkId::new("numbers", name), |b| {
            b.iter(|| read(black_box(&numbers), &shape, &manifest, frame, &region, false).unwrap());
        });
    }
    group.finish();
}
