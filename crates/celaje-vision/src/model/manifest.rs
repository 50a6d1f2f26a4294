//! The manifest of a model, `<model>.toml` beside `<model>.onnx`.

use celaje_sky::confidence::Calibration;
use serde::Deserialize;

/// A model's manifest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the model, such as `celaje-6`.
    pub name: String,
    /// Version of the model; stored with each row beside the name.
    #[serde(default)]
    pub version: String,
    /// The kind of network.
    pub kind: Kind,
    /// SHA-256 of the ONNX file, hexadecimal; checked if given.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The network's input.
    pub input: Input,
    /// The network's output.
    pub output: Output,
    /// Whether the station's region of interest applies. By default it does for a segmentation, and
    /// does not for a classification, because the replaced system judged whole pictures.
    #[serde(default)]
    pub use_region: Option<bool>,
    /// Parameters of the probability that the okta is right.
    #[serde(default)]
    pub calibration: Option<Calibration>,
}

/// The kind of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Background, sky or cloud in each cell.
    Segmentation,
    /// One of nine oktas for the picture.
    Classification,
}

/// The input of a network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Order of the dimensions.
    #[serde(default)]
    pub layout: TensorLayout,
    /// How a picture of another aspect ratio is fitted.
    #[serde(default)]
    pub fit: Fit,
    /// Resize filter; all but `Nearest` antialias when they shrink.
    #[serde(default)]
    pub filter: Filter,
    /// Subtracted from the values of each channel (RGB, 0 to 1).
    #[serde(default)]
    pub mean: [f32; 3],
    /// Divisor of each channel, after the subtraction.
    #[serde(default = "ones")]
    pub std: [f32; 3],
}

impl Input {
    /// The shape of a tensor of `n` pictures.
    pub const fn shape(&self, n: usize) -> [usize; 4] {
        let (height, width) = (self.height as usize, self.width as usize);
        match self.layout {
            TensorLayout::Nchw => [n, 3, height, width],
            TensorLayout::Nhwc => [n, height, width, 3],
        }
    }
}

const fn ones() -> [f32; 3] {
    [1.0; 3]
}

/// Order of a tensor's dimensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TensorLayout {
    /// Batch, channels, height, width.
    #[default]
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
}

/// How a picture of another aspect ratio is fitted to the network's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Width and height are scaled independently.
    #[default]
    Stretch,
    /// The aspect ratio is kept. Black bars fill the rest and are not judged.
    Letterbox,
}

/// Resize filter; all but `Nearest` antialias when they shrink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Triangle.
    #[default]
    Bilinear,
    /// Catmull–Rom.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos,
    /// Nearest neighbour.
    Nearest,
}

/// The class of a segmentation for something on the lens (drops, dew, snow). It competes with no
/// other class, and the temperature does not apply to it.
///
/// The picture's probability is the mean over the judged cells: of probabilities directly, of
/// logits put through the logistic function.
pub const OBSTRUCTED: &str = "obstructed";

/// The output of a network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Class names in the order of the channels: a segmentation has `sky` and `cloud`, any number
    /// of `background`, and [`OBSTRUCTED`] or not; a classification has nine, the oktas 0 to 8.
    pub classes: Vec<String>,
    /// The meaning of the numbers.
    #[serde(default)]
    pub activation: Activation,
}

/// The meaning of a network's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Before softmax ([`OBSTRUCTED`]: before the logistic function).
    #[default]
    Logits,
    /// After it.
    Probabilities,
}
