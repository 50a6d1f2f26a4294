//! A station: where its camera stands, where its pictures are, and which part of them is sky.

pub mod region;

use crate::slot::{Minutes, Zone};
use crate::station::region::Region;

/// How a server arranges its pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayoutChoice {
    /// Found out for each year, by looking in both places.
    #[default]
    Auto,
    /// `<base>/<YYYY>/<name>`.
    Year,
    /// `<base>/<name>`.
    Root,
}

impl LayoutChoice {
    /// Each value with the name under which it is written.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("year", Self::Year), ("root", Self::Root)];

    /// The name under which it is written and stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Year => "year",
            Self::Root => "root",
        }
    }
}

/// Whose certificates are taken from a camera, beside those that the system trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Certificates of authorities, or of the camera itself; DER.
    pub certificates: Vec<Vec<u8>>,
    /// Whether any certificate is taken: whoever is on the way can then give false pictures.
    pub anything: bool,
}

/// A camera and its surroundings.
#[derive(Clone, Debug, PartialEq)]
pub struct Station {
    /// Short name, the key of its rows.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// Time zone of the file names.
    pub zone: Zone,
    /// Where the pictures are.
    pub url_base: String,
    /// Which certificates its server may show.
    pub trust: Trust,
    /// Their arrangement there.
    pub layout: LayoutChoice,
    /// Minutes of an hour at which there is a picture.
    pub minutes: Minutes,
    /// The part of a picture that is judged.
    pub region: Region,
}

impl Station {
    /// The astronomical station of Río Grande, Tierra del Fuego.
    pub fn rio_grande() -> Self {
        Self {
            id: "rio-grande".to_owned(),
            name: "Estación Astronómica Río Grande".to_owned(),
            latitude: -53.79,
            longitude: -67.70,
            zone: Zone::Named(chrono_tz::America::Argentina::Ushuaia),
            url_base: "http://201.251.63.225/meteorologia/cielo/image/".to_owned(),
            trust: Trust::default(),
            layout: LayoutChoice::Auto,
            minutes: Minutes::default(),
            region: Region::with_margins(region::Margins { bottom: 0.2, ..Default::default() }),
        }
    }
}
