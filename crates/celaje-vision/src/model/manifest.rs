//! `<model>.toml` beside `<model>.onnx`: what the network expects and what its numbers mean.

use celaje_sky::confidence::Calibration;
use serde::Deserialize;

/// A model's manifest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the model, such as `celaje-4`.
    pub name: String,
    /// Version of the model; stored with each row beside the name.
    #[serde(default)]
    pub version: String,
    /// What the network does.
    pub kind: Kind,
    /// SHA-256 of the ONNX file, hexadecimal; checked when given.
    #[serde(default)]
    pub sha256: Option<String>,
    /// What the network is fed.
    pub input: Input,
    /// What it gives.
    pub output: Output,
    /// Whether the station's region of interest is applied; by default it is for segmentation, and
    /// is not for classification (the replaced system judged whole pictures).
    #[serde(default)]
    pub use_region: Option<bool>,
    /// How probable it is that the reported okta is right.
    #[serde(default)]
    pub calibration: Option<Calibration>,
}

/// What a network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Per-pixel background, sky, cloud.
    Segmentation,
    /// One of nine oktas a picture.
    Classification,
}

/// What a network is fed.
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
    /// How a picture of another shape is made to fit.
    #[serde(default)]
    pub fit: Fit,
    /// Resize filter (each antialiased when shrinking).
    #[serde(default)]
    pub filter: Filter,
    /// Subtracted from each channel (RGB, values 0 to 1).
    #[serde(default)]
    pub mean: [f32; 3],
    /// What each channel is divided by after that.
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

/// How a picture of another shape is made to fit the network's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Each side is scaled on its own.
    #[default]
    Stretch,
    /// The shape is kept; black bars fill the rest and are not judged.
    Letterbox,
}

/// Resize filter.
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
    /// Nearest neighbour, not antialiased.
    Nearest,
}

/// The channel of a segmentation that says of a cell how probable it is that something lies on the
/// lens (drops, dew, snow), whatever else the cell shows: it competes with no class, and the
/// temperature does not touch it.
///
/// Of logits the mean over the judged cells, put through the logistic function, is the probability
/// for the picture; of probabilities it is their mean.
pub const OBSTRUCTED: &str = "obstructed";

/// What a network gives.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Class names in the order of the channels: a segmentation has `sky` and `cloud`, any number
    /// of `background`, and [`OBSTRUCTED`] or not; a classification has nine, the oktas 0 to 8.
    pub classes: Vec<String>,
    /// What the numbers are.
    #[serde(default)]
    pub activation: Activation,
}

/// What a network's numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Before softmax ([`OBSTRUCTED`]: before the logistic function).
    #[default]
    Logits,
    /// After it.
    Probabilities,
}
