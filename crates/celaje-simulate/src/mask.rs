//! What each pixel of a drawn picture truly shows.

use image::ImageEncoder;

use celaje_sky::station::region::Region;

/// What one pixel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Ground, the rim of a fisheye, what lies outside its circle.
    Background = 0,
    /// Clear sky, the sun and the moon in it included.
    Sky = 1,
    /// Cloud.
    Cloud = 2,
}

/// The truth about a picture, pixel by pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthMask {
    width: u32,
    height: u32,
    kinds: Vec<Kind>,
}

impl TruthMask {
    pub(super) fn new(width: u32, height: u32, kinds: Vec<Kind>) -> Self {
        Self { width, height, kinds }
    }

    /// Width and height in pixels.
    pub const fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// One a pixel, row by row.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// cloud / (cloud + sky) over the whole picture; none without any sky.
    pub fn cloud_fraction(&self) -> Option<f64> {
        fraction(self.kinds.iter().copied())
    }

    /// cloud / (cloud + sky) inside `region`; none without any sky in it.
    pub fn cloud_fraction_in(&self, region: &Region) -> Option<f64> {
        let m = region.margins;
        let (w, h) = (f64::from(self.width), f64::from(self.height));
        let cells = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        fraction(cells.zip(&self.kinds).filter_map(|((x, y), kind)| {
            let (x, y) = ((f64::from(x) + 0.5) / w, (f64::from(y) + 0.5) / h);
            let inside = x >= m.left
                && x < 1.0 - m.right
                && y >= m.top
                && y < 1.0 - m.bottom
                && region.mask.as_ref().is_none_or(|mask| mask.contains(x, y));
            inside.then_some(*kind)
        }))
    }

    /// The share of the picture that is sky or cloud, 0 to 1.
    pub fn sky_share(&self) -> f64 {
        let open = self.kinds.iter().filter(|k| **k != Kind::Background).count();
        open as f64 / self.kinds.len().max(1) as f64
    }

    /// A grey PNG: 0 background, 100 sky, 255 cloud.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn to_png(&self) -> Result<Vec<u8>, image::ImageError> {
        let grey: Vec<u8> = self
            .kinds
            .iter()
            .map(|k| match k {
                Kind::Background => 0,
                Kind::Sky => 100,
                Kind::Cloud => 255,
            })
            .collect();
        let mut png = Vec::new();
        image::codecs::png::PngEncoder::new(&mut png).write_image(
            &grey,
            self.width,
            self.height,
            image::ExtendedColorType::L8,
        )?;
        Ok(png)
    }
}

fn fraction(kinds: impl Iterator<Item = Kind>) -> Option<f64> {
    let (mut sky, mut cloud) = (0u64, 0u64);
    for kind in kinds {
        match kind {
            Kind::Background => {}
            Kind::Sky => sky += 1,
            Kind::Cloud => cloud += 1,
        }
    }
    (sky + cloud > 0).then(|| cloud as f64 / (sky + cloud) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{Background as B, Cloud as C, Sky as S};
    use celaje_sky::station::region::Margins;

    fn mask() -> TruthMask {
        TruthMask::new(3, 4, vec![C, C, S, S, S, C, S, S, S, B, B, B])
    }

    #[test]
    fn fractions_leave_the_background_out() {
        assert_eq!(mask().cloud_fraction(), Some(3.0 / 9.0));
        assert_eq!(mask().sky_share(), 0.75);
        assert_eq!(TruthMask::new(1, 1, vec![B]).cloud_fraction(), None);
    }

    #[test]
    fn a_region_cuts_its_margins() {
        let margins = Margins { bottom: 0.5, right: 0.34, ..Default::default() };
        assert_eq!(mask().cloud_fraction_in(&Region::with_margins(margins)), Some(0.5));
        assert_eq!(mask().cloud_fraction_in(&Region::whole()), mask().cloud_fraction());
    }

    #[test]
    fn the_png_holds_the_mask() {
        let png = mask().to_png().unwrap();
        let grey = image::load_from_memory(&png).unwrap().into_luma8();
        assert_eq!(grey.as_raw()[..4], [255, 255, 100, 100]);
        assert_eq!(grey.as_raw()[9], 0);
    }
}
