//! Pictures to measure with.

use celaje_simulate::{Scene, Spec, Studio};
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use chrono::{NaiveDate, TimeDelta};

/// Width and height of the pictures: a fisheye's of the cloud data sets, and a landscape's.
pub const SIZES: [(u32, u32); 2] = [(480, 450), (1280, 960)];

/// Pictures a size, three hours apart.
const PICTURES: i32 = 8;

/// A day of drawn pictures.
pub struct Sky {
    /// Width × height.
    pub name: String,
    /// The files.
    pub jpegs: Vec<Vec<u8>>,
}

impl Sky {
    /// Draws them; the same ones every time.
    pub fn of((width, height): (u32, u32)) -> Self {
        let scene = if width == SIZES[0].0 { Scene::Fisheye } else { Scene::Landscape };
        let studio = Studio::new(Spec { scene, width, height, ..Spec::default() });
        let zone = Station::rio_grande().zone;
        let midnight = NaiveDate::from_ymd_opt(2024, 1, 10)
            .and_then(|day| day.and_hms_opt(0, 2, 0))
            .expect("a day of the calendar");
        let jpegs = (0..PICTURES).map(|k| {
            let local = midnight + TimeDelta::hours(3 * i64::from(k));
            let slot = Slot::at(local, zone).expect("a slot of that day");
            studio.draw(slot).expect("a picture").jpeg
        });
        Self { name: format!("{width}x{height}"), jpegs: jpegs.collect() }
    }
}
