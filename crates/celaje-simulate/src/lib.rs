//! A simulated sky camera: pictures of known cloud cover, drawn from a seed and the slot alone.
//!
//! [`Studio`] draws; [`server`] publishes what it draws over HTTP as a camera does. The weather of
//! a seed is a function of the time ([`weather`]), so that neighbouring slots show one sky moving
//! on. The truth about a picture is counted from its own pixels: `cloud / (cloud + sky)` over all
//! pixels that show sky. Ground, the rim of a fisheye and what lies outside its circle are
//! background; the overlay text is written on background only, so that it hides no sky. So is what
//! snow hides, and the whole picture of a camera that shows nothing; behind drops, dew, haze and
//! glare the truth stays that of a clear view ([`conditions`]).

mod blur;
mod camera;
mod canvas;
mod caption;
mod celestial;
mod clouds;
mod compose;
pub mod conditions;
mod faults;
mod film;
mod glare;
mod grid;
mod ground;
mod lamps;
mod light;
pub mod mask;
pub mod noise;
pub mod options;
mod overlay;
mod paint;
pub mod server;
mod shine;
#[cfg(test)]
mod spoilt_tests;
mod stars;
#[cfg(test)]
mod tests;
pub mod weather;

pub use compose::Studio;

use chrono::{DateTime, Utc};

use celaje_sky::okta::Okta;
use celaje_sky::slot::{Slot, SlotGrid};
use conditions::{Colour, Conditions, Fault, Lens, Lights};
use mask::TruthMask;

/// What kind of camera is simulated.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    clap::ValueEnum,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scene {
    /// An ordinary lens that looks towards the equator: sky above, a strip of ground (a fifth of
    /// the height) with a line of text below.
    #[default]
    Landscape,
    /// A fisheye lens that looks up: a round sky, trees along its rim, black corners with text.
    Fisheye,
}

impl Scene {
    /// The name that stands for it on the command line and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Landscape => "landscape",
            Self::Fisheye => "fisheye",
        }
    }
}

/// The pixels along a side that a simulated picture may have.
pub const SIDE: std::ops::RangeInclusive<u32> = 48..=4096;

/// The okta of a sky that cannot be seen.
pub const OBSCURED: u8 = 9;

/// A simulated camera. Two equal ones draw the same bytes for the same slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// What kind of camera it is.
    pub scene: Scene,
    /// Width of its pictures in pixels, held within [`SIDE`].
    pub width: u32,
    /// Height of its pictures in pixels, held within [`SIDE`].
    pub height: u32,
    /// Chooses the weather, the stars and the ground.
    pub seed: u64,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// What the overlay text calls the station.
    pub station: String,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// Minutes of an hour at which it takes a picture.
    pub minutes: SlotGrid,
    /// What is wrong with it and its surroundings.
    pub conditions: Conditions,
}

impl Default for Spec {
    /// A landscape of 800×600 pixels over Río Grande, seed 1.
    fn default() -> Self {
        Self {
            scene: Scene::Landscape,
            width: 800,
            height: 600,
            seed: 1,
            latitude: -53.79,
            longitude: -67.70,
            station: "Río Grande".to_owned(),
            quality: 85,
            minutes: SlotGrid::default(),
            conditions: Conditions::default(),
        }
    }
}

/// What is known about a drawn picture.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Truth {
    /// Station local time, `YYYY-MM-DDTHH:MM`.
    pub slot: String,
    /// The same instant.
    pub utc: DateTime<Utc>,
    /// The picture's name.
    pub file_name: String,
    /// What kind of camera drew it.
    pub scene: Scene,
    /// The seed it was drawn from.
    pub seed: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// cloud / (cloud + sky) over all pixels that show sky, 0 to 1; none where no pixel does.
    pub cloud_fraction: Option<f64>,
    /// The cloud amount of that fraction, eighths; [`OBSCURED`] where the sky cannot be seen.
    pub okta: u8,
    /// The share of the picture's pixels that show sky or cloud, 0 to 1.
    pub sky_share: f64,
    /// `day`, `twilight` or `night`.
    pub phase: &'static str,
    /// Degrees above the horizon.
    pub solar_elevation: f64,
    /// Degrees from north through east.
    pub solar_azimuth: f64,
    /// Degrees above the horizon.
    pub moon_elevation: f64,
    /// The share of the moon's disc that is lit, 0 to 1.
    pub moon_illumination: f64,
    /// What has become of the camera.
    pub fault: Fault,
    /// Of a frozen camera: the slot whose picture this is. What the picture shows is that slot's;
    /// the sun and the moon are this one's.
    pub frozen_since: Option<String>,
    /// What lies on the lens.
    pub lens: Lens,
    /// The share of what would show sky through a clean lens that is spoilt by what lies on it, 0
    /// to 1: all that snow hides, all in a drop, all that dew veils by half.
    pub obstructed: f64,
    /// How strongly the sun shines into the lens, 0 to 1.
    pub glare: f32,
    /// Haze beyond the weather's, 0 to 1.
    pub haze: f32,
    /// The lights below the night sky.
    pub lights: Lights,
    /// The kind of sensor.
    pub colour: Colour,
}

impl Truth {
    /// The cloud amount; none where the sky cannot be seen.
    pub fn okta(&self) -> Option<Okta> {
        self.cloud_fraction.map(Okta::from_fraction)
    }
}

/// A picture and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnPicture {
    /// The picture's file.
    pub jpeg: Vec<u8>,
    /// What it shows.
    pub truth: Truth,
    /// What each of its pixels shows.
    pub mask: TruthMask,
}

/// A picture that could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The encoder failed.
    #[error("the picture could not be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// The drawing was cut short.
    #[error("the drawing was cut short: {0}")]
    Interrupted(String),
}

/// Draws one picture. Whoever draws many keeps a [`Studio`], which is several times faster.
///
/// # Errors
/// When the JPEG encoder fails.
pub fn draw(spec: &Spec, slot: Slot) -> Result<DrawnPicture, DrawError> {
    Studio::new(spec.clone()).draw(slot)
}
