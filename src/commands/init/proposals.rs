//! The ways in which pictures may be had at a place, the likeliest first.

use std::path::Path;

use crate::camera::file_name::is_picture_name;
use crate::commands::init::answers::{Answers, quoted};
use celaje_sky::naming::preset::{COMMON, Preset, SourceKind};

/// Paths of the latest picture on servers of programs for sky cameras.
const LATEST: [&str; 3] =
    ["current/tmp/image.jpg", "indi-allsky/images/latest.jpg", "allsky/image.jpg"];

/// A way.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    /// In words of the settings.
    pub(super) what: String,
    /// The lines of `[station.source]`; none for Celaje's own names.
    pub(super) source: Option<String>,
    /// Whether it is a picture that was named: one that is gone may be about to be replaced.
    pub(super) is_named: bool,
}

pub(super) fn proposals(answers: &Answers) -> Vec<Proposal> {
    match (&answers.url, &answers.dir) {
        (Some(url), _) => of_address(url, answers.has_user),
        (None, Some(dir)) => of_folder(dir),
        (None, None) => Vec::new(),
    }
}

fn of_address(url: &str, has_login: bool) -> Vec<Proposal> {
    let at = format!("url = {}\n", quoted(url));
    let is_bare = url.trim_end_matches('/').matches('/').count() == 2;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let latest = || Proposal {
        what: "kind = \"latest\"".to_owned(),
        source: Some(format!("kind = \"latest\"\n{at}")),
        is_named: is_picture_name(Path::new(path)),
    };
    let mut all = Vec::new();
    if !is_bare {
        all.push(latest());
    }
    // A login stands in a source alone.
    if !has_login {
        all.push(Proposal {
            what: "url_base: <YYYY>-<MMDDHHmm>.jpg".to_owned(),
            source: None,
            is_named: false,
        });
    }
    all.extend(trees(&at));
    if is_bare {
        all.extend(LATEST.map(|path| Proposal {
            what: format!("kind = \"latest\", {path}"),
            source: Some(format!("kind = \"latest\"\n{at}path = {}\n", quoted(path))),
            is_named: false,
        }));
        all.extend(presets(&at, SourceKind::Latest));
        all.push(latest());
    }
    all
}

fn of_folder(dir: &Path) -> Vec<Proposal> {
    let at = |dir: &Path| format!("dir = {}\n", quoted(&dir.display().to_string()));
    // A file that is gone may be about to be replaced.
    let is_gone = !dir.exists() && dir.parent().is_some_and(Path::is_dir);
    if dir.is_file() || (is_gone && is_picture_name(dir)) {
        return vec![Proposal {
            what: "kind = \"latest\"".to_owned(),
            source: Some(format!("kind = \"latest\"\n{}", at(dir))),
            is_named: true,
        }];
    }
    let images = dir.join("images");
    let places = [dir.to_owned(), images];
    let mut all: Vec<_> =
        places.iter().filter(|place| place.is_dir()).flat_map(|place| trees(&at(place))).collect();
    all.extend(["latest.jpg", "image.jpg", "tmp/image.jpg"].map(|name| Proposal {
        what: format!("kind = \"latest\", {name}"),
        source: Some(format!("kind = \"latest\"\n{}path = \"{name}\"\n", at(dir))),
        is_named: false,
    }));
    all
}

fn trees(at: &str) -> Vec<Proposal> {
    let mut all: Vec<_> = presets(at, SourceKind::Tree).collect();
    all.extend(COMMON.iter().map(|path| Proposal {
        what: format!("kind = \"tree\", {path}"),
        source: Some(format!("kind = \"tree\"\n{at}path = {}\n", quoted(path))),
        is_named: false,
    }));
    all
}

fn presets(at: &str, kind: SourceKind) -> impl Iterator<Item = Proposal> {
    Preset::ALL.iter().filter(move |preset| preset.kind == kind).map(move |preset| {
        let name = preset.name;
        Proposal {
            what: format!("preset = \"{name}\""),
            source: Some(format!("preset = \"{name}\"\n{at}")),
            is_named: false,
        }
    })
}
