//! A picture as a camera might send it.

use std::sync::OnceLock;

use crate::fuzzed::expect;
use celaje_sky::station::Station;
use celaje_sky::station::region::Region;
use celaje_vision::model::manifest::{Filter, Fit, Manifest, TensorLayout};
use celaje_vision::model::source::Model;
use celaje_vision::picture::decode::Limits;
use celaje_vision::picture::error::PictureError;
use celaje_vision::picture::prepare::{Frame, prepare};

/// Small, so that a try takes no long time; the rule is the same for larger ones.
const LIMITS: Limits = Limits { max_pixels: 2_000_000, max_bytes: usize::MAX };

/// The bundled model's manifest.
pub(super) fn bundled() -> Option<&'static Manifest> {
    static MANIFEST: OnceLock<Option<Manifest>> = OnceLock::new();
    MANIFEST.get_or_init(|| Model::bundled().ok().map(|model| model.manifest)).as_ref()
}

/// Bytes to tensor with the bundled manifest, and with one that differs from it in all that it says
/// of pictures.
///
/// # Errors
/// What did not hold.
pub fn picture(bytes: &[u8]) -> Result<(), String> {
    let bundled = bundled().ok_or("the bundled model cannot be read")?;
    let mut other = bundled.clone();
    other.input.width = 90;
    other.input.height = 61;
    other.input.fit = Fit::Stretch;
    other.input.filter = Filter::Nearest;
    other.input.layout = TensorLayout::Nhwc;
    let first = prepare(bytes, bundled, &Station::rio_grande().region, &LIMITS);
    let second = prepare(bytes, &other, &Region::whole(), &LIMITS);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            let size = |frame: &Frame| (frame.width, frame.height, frame.sha256.clone());
            expect(size(&first) == size(&second), || {
                format!("one picture, two sizes: {:?} {:?}", size(&first), size(&second))
            })?;
            whole(&first, bundled)?;
            whole(&second, &other)
        }
        (Err(first), Err(second)) => {
            expect(first == second, || format!("'{first}' and '{second}'"))?;
            refused(bytes, &first)
        }
        (first, second) => {
            Err(format!("usable for one model alone: {:?} {:?}", first.err(), second.err()))
        }
    }
}

/// What must hold of a picture that was taken.
fn whole(frame: &Frame, manifest: &Manifest) -> Result<(), String> {
    let pixels = u64::from(frame.width) * u64::from(frame.height);
    expect(pixels <= LIMITS.max_pixels, || format!("{pixels} pixels"))?;
    let input = &manifest.input;
    let numbers = 3 * input.width as usize * input.height as usize;
    expect(frame.pixels.len() == numbers, || {
        format!("{} bytes, not {numbers}", frame.pixels.len())
    })?;
    let mut tensor = vec![f32::NAN; numbers];
    frame.write_tensor(input, &mut tensor);
    let bad = tensor.iter().find(|value| !(0.0..=1.0).contains(*value));
    expect(bad.is_none(), || format!("the tensor has {bad:?}"))?;
    let stats = &frame.stats;
    for (name, value) in [
        ("spread", stats.spread),
        ("dark", stats.dark),
        ("bright", stats.bright),
        ("peak", stats.peak),
        ("bright_middle", stats.bright_middle),
        ("plain", stats.plain),
    ] {
        let inside = (0.0..=1.0).contains(&value);
        expect(inside, || format!("{name} is {value}"))?;
    }
    let crop = frame.geometry.crop;
    let inside = crop.left >= 0.0
        && crop.top >= 0.0
        && crop.left + crop.width <= 1.0 + 1e-9
        && crop.top + crop.height <= 1.0 + 1e-9;
    expect(inside, || format!("{crop:?} is not in the picture"))
}

/// What must hold of one that was refused.
fn refused(bytes: &[u8], error: &PictureError) -> Result<(), String> {
    let empty = *error == PictureError::Empty;
    expect(empty == bytes.is_empty(), || format!("'{error}'"))?;
    expect(!error.to_string().is_empty(), || "no word".to_owned())
}
