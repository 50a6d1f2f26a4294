//! What a simulated camera server is told.

use std::net::{IpAddr, Ipv4Addr};

use super::conditions::Conditions;
use super::{Scene, Spec};
use celaje_sky::slot::{SlotGrid, SlotRange, Zone};
use celaje_sky::station::Station;

/// How the simulated server arranges its pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `/<YYYY>/<name>` alone.
    Year,
    /// `/<name>` alone.
    Root,
    /// Both.
    #[default]
    Both,
}

/// What is served, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulateOptions {
    /// The address to listen on.
    pub bind: IpAddr,
    /// The port to listen on; 0 has the system choose one.
    pub port: u16,
    /// The slots that exist; without it, those that are not in the future.
    pub range: Option<SlotRange>,
    /// How the pictures are arranged.
    pub layout: Layout,
    /// Time zone of the file names.
    pub zone: Zone,
    /// Minutes of an hour at which there is a picture.
    pub minutes: SlotGrid,
    /// Chooses the weather, the stars and the ground.
    pub seed: u64,
    /// What kind of camera it is.
    pub scene: Scene,
    /// Width and height of the pictures in pixels.
    pub size: (u32, u32),
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// What the overlay text calls the station.
    pub station: String,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// What is wrong with the camera and its surroundings.
    pub conditions: Conditions,
    /// Bytes of drawn pictures that are kept.
    pub cache_bytes: usize,
}

impl Default for SimulateOptions {
    /// Río Grande on a free port of the loopback, up to now, in both layouts; 128 MiB of pictures
    /// are kept (more than two weeks of them).
    fn default() -> Self {
        let Spec {
            scene,
            width,
            height,
            seed,
            latitude,
            longitude,
            station,
            quality,
            minutes,
            conditions,
        } = Spec::default();
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            range: None,
            layout: Layout::default(),
            zone: Zone::Named(chrono_tz::America::Argentina::Ushuaia),
            minutes,
            seed,
            scene,
            size: (width, height),
            latitude,
            longitude,
            station,
            quality,
            conditions,
            cache_bytes: 128 << 20,
        }
    }
}

impl SimulateOptions {
    /// The defaults, under `station`'s sun, clock and name.
    pub fn for_station(station: &Station) -> Self {
        Self {
            zone: station.zone,
            minutes: station.minutes.clone(),
            latitude: station.latitude,
            longitude: station.longitude,
            station: station.name.clone(),
            ..Self::default()
        }
    }

    /// The camera that these options describe.
    pub fn spec(&self) -> Spec {
        Spec {
            scene: self.scene,
            width: self.size.0,
            height: self.size.1,
            seed: self.seed,
            latitude: self.latitude,
            longitude: self.longitude,
            station: self.station.clone(),
            quality: self.quality,
            minutes: self.minutes.clone(),
            conditions: self.conditions,
        }
    }
}
