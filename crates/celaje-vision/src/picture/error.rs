//! Why bytes are not a usable picture.

use celaje_sky::outcome::MissReason;
use celaje_sky::say;
use celaje_sky::text::Text;

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
    /// For people. The record keeps the English words.
    pub fn text(&self) -> Text {
        let es = match self {
            Self::Empty => "no contiene ningún byte".to_owned(),
            Self::NotAnImage(_) => "no es un JPEG ni un PNG".to_owned(),
            Self::Truncated(_) => {
                "está incompleta: el archivo termina antes que la imagen".to_owned()
            }
            Self::Corrupt(_) => "está dañada, o es demasiado pequeña".to_owned(),
            Self::TooManyPixels { width, height, limit } => {
                format!(
                    "{width}×{height} píxeles superan los {limit} permitidos (--max-megapixels)"
                )
            }
        };
        say!("{self}", "{es}")
    }

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
