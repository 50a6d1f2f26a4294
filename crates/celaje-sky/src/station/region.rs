//! The region of interest: the part of a picture in which cloud is judged, and what it weighs.

use std::path::Path;
use std::sync::Arc;

use crate::error::io_text;
use crate::say;
use crate::station::lens::Lens;
use crate::station::zone::SkyZone;
use crate::text::Text;

/// What is left out along each side, as fractions of the picture's height or width, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Margins {
    /// Fraction of the height.
    pub top: f64,
    /// Fraction of the height.
    pub bottom: f64,
    /// Fraction of the width.
    pub left: f64,
    /// Fraction of the width.
    pub right: f64,
}

impl Margins {
    /// Whether every margin lies in 0..1 and a tenth of the picture at least is left each way.
    pub fn are_valid(self) -> bool {
        let one = |m: f64| (0.0..1.0).contains(&m);
        one(self.top)
            && one(self.bottom)
            && one(self.left)
            && one(self.right)
            && self.top + self.bottom <= 0.9
            && self.left + self.right <= 0.9
    }
}

/// A mask over the whole picture: the sky is judged where the mask is bright and opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    height: u32,
    inside: Vec<bool>,
}

impl Mask {
    /// Reads a PNG of any size, which is stretched over the picture. A pixel is inside if it is
    /// brighter than middle grey and more opaque than transparent.
    ///
    /// # Errors
    /// If the file cannot be read, is not a PNG, or has no pixel inside.
    pub fn read(path: &Path) -> Result<Self, BadMask> {
        let reader = ::image::ImageReader::open(path)
            .and_then(::image::ImageReader::with_guessed_format)
            .map_err(|e| BadMask(io_text(&e)))?;
        // JPEG smears edges without anybody noticing.
        if reader.format() != Some(::image::ImageFormat::Png) {
            return Err(BadMask(say!(
                "it is no PNG; save it as one",
                "no es un PNG; guárdela como tal"
            )));
        }
        let damaged = |e| BadMask(say!("{e}", "el PNG está dañado o incompleto"));
        let grey = reader.decode().map_err(damaged)?.into_luma_alpha8();
        let (width, height) = grey.dimensions();
        let inside = grey.pixels().map(|pixel| pixel.0.iter().all(|value| *value > 127));
        let inside: Vec<bool> = inside.collect();
        Self::new(width, height, inside).ok_or_else(|| {
            BadMask(say!(
                "all of it is black or transparent; paint white what is to be judged",
                "es toda negra o transparente; pinte de blanco lo que se debe juzgar"
            ))
        })
    }

    /// A mask of `width`×`height` cells, row by row; none when the sizes differ or no cell is
    /// inside.
    pub fn new(width: u32, height: u32, inside: Vec<bool>) -> Option<Self> {
        let cells = usize::try_from(u64::from(width) * u64::from(height)).ok()?;
        (inside.len() == cells && inside.contains(&true)).then_some(Self { width, height, inside })
    }

    /// Whether the place (`x`, `y`), fractions of the picture's width and height, is inside.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        self.row(y).get(self.column(x)).copied().unwrap_or(false)
    }

    /// The cells of the mask's row at `y`, a fraction of the picture's height: which are inside.
    pub fn row(&self, y: f64) -> &[bool] {
        let width = self.width as usize;
        let start = cell(y, self.height) * width;
        self.inside.get(start..start + width).unwrap_or_default()
    }

    /// The mask's column at `x`, a fraction of the picture's width.
    pub fn column(&self, x: f64) -> usize {
        cell(x, self.width)
    }
}

/// The index of the cell, of `n` along a side, that holds the fraction `at`; clamped.
fn cell(at: f64, n: u32) -> usize {
    ((at * f64::from(n)) as i64).clamp(0, i64::from(n) - 1) as usize
}

/// A mask that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadMask(pub Text);

/// The part of a picture in which cloud is judged: margins cut away first, then a mask, then what
/// lies beyond the lens's limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Region {
    /// Cut away before the picture is resized.
    pub margins: Margins,
    /// Laid over the whole, uncut picture.
    pub mask: Option<Arc<Mask>>,
    /// Weighs each place by the solid angle that it shows; all weigh the same without it.
    pub lens: Option<Lens>,
    /// Parts whose cloud is told apart.
    pub zones: Arc<[SkyZone]>,
}

impl Region {
    /// The whole picture.
    pub fn whole() -> Self {
        Self::default()
    }

    /// All but the margins.
    pub fn with_margins(margins: Margins) -> Self {
        Self { margins, ..Self::default() }
    }
}
