//! The naming schemes of well-known programs and cameras.

/// How pictures are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// The slot gives the exact name.
    Template,
    /// Names have what the slot does not say, such as seconds: folders are listed.
    Tree,
    /// One address or file that changes.
    Latest,
}

impl SourceKind {
    /// Each value with the name under which it is written.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("template", Self::Template), ("tree", Self::Tree), ("latest", Self::Latest)];

    /// The name under which it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Tree => "tree",
            Self::Latest => "latest",
        }
    }
}

/// Which clock names are written by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameClock {
    /// The station's.
    #[default]
    Local,
    /// UTC.
    Utc,
}

/// What a preset stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name under which it is written.
    pub name: &'static str,
    /// How pictures are found.
    pub kind: SourceKind,
    /// A template, or what follows the camera's address.
    pub path: &'static str,
    /// Which clock names are written by.
    pub clock: NameClock,
    /// Whether the camera takes user and password in the query (`user=…&password=…`).
    pub login_in_query: bool,
}

const fn preset(name: &'static str, kind: SourceKind, path: &'static str) -> Preset {
    Preset { name, kind, path, clock: NameClock::Local, login_in_query: false }
}

impl Preset {
    /// Every preset.
    pub const ALL: &'static [Self] = &[
        preset("allsky", SourceKind::Tree, "{night:%Y%m%d}/image-%Y%m%d%H%M%S.*"),
        preset(
            "indi-allsky",
            SourceKind::Tree,
            "ccd_*/exposures/{night:%Y%m%d}/{phase}/%d_%H/ccd*_%Y%m%d_%H%M%S.*",
        ),
        preset(
            "indi-allsky-upload",
            SourceKind::Tree,
            "{night:%Y%m%d}/{phase}/%H/image_ccd*_%Y%m%d_%H%M%S.*",
        ),
        Preset {
            login_in_query: true,
            ..preset("reolink", SourceKind::Latest, "cgi-bin/api.cgi?cmd=Snap&channel=0&rs=celaje")
        },
        preset("axis", SourceKind::Latest, "axis-cgi/jpg/image.cgi"),
        preset("mobotix", SourceKind::Latest, "record/current.jpg"),
        preset("hikvision", SourceKind::Latest, "ISAPI/Streaming/channels/101/picture"),
        Preset { clock: NameClock::Utc, ..preset("tsi", SourceKind::Tree, "*.%Y%m%d.%H%M%S.jpg*") },
    ];

    /// The preset of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|preset| preset.name == name)
    }
}

/// Templates of trees that many programs and cameras write, the strictest first.
pub const COMMON: [&str; 11] = [
    "%Y/%Y-%m%d%H%M.jpg",
    "%Y-%m%d%H%M.jpg",
    "%Y/%m/%d/*_%Y%m%d%H%M%S.jpg",
    "%Y/%Y%m/%Y%m%d/M%Y%m%d_%H%M%S_*P.jpg",
    "Img_%Y-%m-%d/Snap_%H%M%S_*.jpg",
    "*/%Y-%m-%d/%H/*_%Y-%m-%d-%H-%M-%S-*.jpg",
    "*%Y%m%d/*%Y%m%d*%H%M%S*.jpg",
    "%Y/%m/%d/*%Y%m%d*%H%M%S*.jpg",
    "*%Y%m%d*%H%M%S*.jpg",
    "*%Y-%m-%d*%H-%M-%S*.jpg",
    "*%Y%m%d*%H%M*.jpg",
];
