//! Why bytes are not a usable picture.

use celaje_sky::outcome::MissReason;

/// Why bytes are not a usable picture; each kind is one [`MissReason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// There are no bytes.
    #[error("no bytes at all")]
    Empty,
    /// The bytes are neither a JPEG nor a PNG.
    #[error("not a JPEG or PNG: {0}")]
    NotAnImage(String),
    /// The file ends too early.
    #[error("incomplete: {0}")]
    Truncated(String),
    /// The picture does not decode, or is too small to show any sky.
    #[error("damaged: {0}")]
    Corrupt(String),
    /// The picture has more pixels than the limits allow.
    #[error("{width}×{height} pixels are more than the {limit} allowed (--max-megapixels)")]
    TooManyPixels {
        /// Pixels, as the file's header says.
        width: u32,
        /// Pixels, as the file's header says.
        height: u32,
        /// Most pixels allowed.
        limit: u64,
    },
}

impl PictureError {
    /// The reason that is recorded for a slot with such bytes.
    pub const fn reason(&self) -> MissReason {
        match self {
            Self::Empty => MissReason::Empty,
            Self::NotAnImage(_) => MissReason::NotAnImage,
            Self::Truncated(_) => MissReason::Truncated,
            Self::Corrupt(_) => MissReason::Corrupt,
            Self::TooManyPixels { .. } => MissReason::TooManyPixels,
        }
    }
}
