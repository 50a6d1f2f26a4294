//! A station: where its camera stands, where its pictures are, and which part of them is sky.

pub mod lens;
pub mod region;
pub mod zone;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::naming::preset::NameClock;
use crate::naming::{NameTemplate, NamedTime};
use crate::safety::rule::SafetyRule;
use crate::slot::{Slot, SlotGrid, SlotWindow, Zone};
use crate::station::region::Region;
use crate::sun;

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
    /// Whether the password is given in no other way than as a digest.
    pub only_digest: bool,
}

/// Where pictures are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PicturePlace {
    /// A web server, by its URL, which may hold a user and a password.
    Address(String),
    /// A folder; where there is one picture alone, its file.
    Folder(PathBuf),
}

/// What the moment of the latest picture is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFrom {
    /// What its name says: of templates and trees.
    Name,
    /// What the camera wrote into the picture.
    Exif,
    /// What the server says of its last change; of a file, when it was written.
    #[serde(alias = "mtime")]
    LastModified,
    /// When it was asked for.
    Fetch,
}

/// How the pictures of a place are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureNames {
    /// The slot gives the exact name.
    Template(NameTemplate),
    /// Folders are listed.
    Tree(NameTemplate),
    /// There is one picture, which changes. Without a choice its moment is from the first of
    /// [`TimeFrom`] that it has.
    Latest(Option<TimeFrom>),
}

/// Where a station's pictures are and how they are named, where that is not Celaje's own way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationSource {
    /// Where they are.
    pub place: PicturePlace,
    /// How they are named.
    pub names: PictureNames,
    /// The clock that names (and EXIF) are written by.
    pub clock: NameClock,
    /// How far from its slot a picture may be taken.
    pub tolerance: TimeDelta,
    /// Whether all that it will hold is there.
    pub is_archive: bool,
    /// The slots that are asked for, ascending by local time, where these are not all of a range.
    pub alone: Option<Arc<[NaiveDateTime]>>,
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
    /// The same, where it is said otherwise than by `url_base` and `layout`.
    pub source: Option<StationSource>,
    /// Minutes of an hour at which there is a picture.
    pub minutes: SlotGrid,
    /// The part of a picture that is judged.
    pub region: Region,
    /// When its sky is safe to observe under; none where that is not asked for.
    pub safety: Option<SafetyRule>,
}

impl StationSource {
    /// The instant that a name, or the camera's clock, means; none for a time that never was.
    pub fn instant(&self, named: NamedTime, zone: Zone) -> Option<DateTime<Utc>> {
        match (named, self.clock) {
            (NamedTime::Unix(instant), _) => Some(instant),
            (NamedTime::Clock(clock), NameClock::Utc) => Some(clock.and_utc()),
            (NamedTime::Clock(clock), NameClock::Local) => zone.instant(clock),
        }
    }

    /// What the clock of the names shows at `instant`.
    pub fn clock_at(&self, instant: DateTime<Utc>, zone: Zone) -> NaiveDateTime {
        match self.clock {
            NameClock::Utc => instant.naive_utc(),
            NameClock::Local => zone.local(instant),
        }
    }

    /// Whether there is the latest picture alone.
    pub const fn has_only_the_latest(&self) -> bool {
        matches!(self.names, PictureNames::Latest(_))
    }
}

impl Station {
    /// Whether its camera has the latest picture alone.
    pub fn has_only_the_latest(&self) -> bool {
        self.source.as_ref().is_some_and(StationSource::has_only_the_latest)
    }

    /// The sun's elevation at `now` where it stands, degrees.
    pub fn sun_elevation(&self, now: DateTime<Utc>) -> f64 {
        sun::position(now, self.latitude, self.longitude).elevation
    }

    /// The instants whose pictures are the slot's; none where names say the slot itself.
    pub fn window(&self, slot: Slot) -> Option<SlotWindow> {
        Some(self.minutes.window(slot, self.source.as_ref()?.tolerance))
    }

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
            source: None,
            minutes: SlotGrid::default(),
            region: Region::with_margins(region::Margins { bottom: 0.2, ..Default::default() }),
            safety: None,
        }
    }
}
