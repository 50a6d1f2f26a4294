//! Pictures whose names are known by listing their folders.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::camera::file_name::is_picture_name;
use crate::camera::http::HttpClient;
use crate::camera::picture::{Picture, Refusal};
use crate::camera::scheme::listing::ListedEntry;
use crate::camera::scheme::{Scheme, picture, refusal};
use crate::camera::validators::Validators;
use celaje_sky::naming::{NameFields, NameTemplate};
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::{Slot, SlotWindow};

/// Entries of listed folders that are kept during a pass.
const KEPT_ENTRIES: usize = 400_000;

/// Folders that were listed in this pass.
#[derive(Debug, Default)]
struct Listings {
    folders: HashMap<String, Arc<Vec<ListedEntry>>>,
    entries: usize,
}

#[derive(Debug)]
pub(super) struct Tree {
    names: NameTemplate,
    listings: Mutex<Listings>,
    /// Looks for one slot at a time, so that no folder is listed twice.
    turn: tokio::sync::Mutex<()>,
}

/// A picture of a tree: when it was taken, and its path.
pub(super) type TreePicture = (DateTime<Utc>, String);

impl Tree {
    pub(super) fn new(names: NameTemplate) -> Self {
        Self { names, listings: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    pub(super) fn forget(&self) {
        *self.listings.lock().unwrap_or_else(PoisonError::into_inner) = Listings::default();
    }

    pub(super) async fn look_for(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        slot: Slot,
        now: DateTime<Utc>,
    ) -> Result<Picture, Option<Refusal>> {
        let window = scheme.station.minutes.window(slot, scheme.source.tolerance);
        let found = {
            let _turn = self.turn.lock().await;
            self.list(scheme, client, Some(window)).await?
        };
        let missing = |detail: String| Err(Some(refusal(MissReason::NotFound, 1, detail)));
        let Some((taken, path)) = window.nearest(found) else {
            let (from, to) = (window.from, window.to);
            let form = "%Y-%m-%dT%H:%M:%SZ";
            let place = scheme.address();
            return missing(format!(
                "no picture of {} to {} by '{}' in {place}",
                from.format(form),
                to.format(form),
                self.names
            ));
        };
        if !scheme.is_archive() && !window.is_settled(taken, now) {
            return missing(format!("'{path}' is there; a picture nearer to the slot may come"));
        }
        let file = scheme.whole(client, &path, &Validators::default(), false).await?;
        Ok(picture(file, Some(taken)))
    }

    /// The newest picture up to `now`.
    pub(super) async fn newest(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        now: DateTime<Utc>,
    ) -> Result<Picture, Option<Refusal>> {
        let clock = |instant| scheme.source.clock_at(instant, scheme.station.zone);
        let mut found = Vec::new();
        for back in [TimeDelta::hours(2), TimeDelta::days(2)] {
            let lately = (clock(now - back), clock(now + TimeDelta::minutes(10)));
            found = self.list_between(scheme, client, Some(lately), false).await?;
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            found = self.list_between(scheme, client, None, true).await?;
        }
        let Some((taken, path)) = found.pop() else {
            let place = scheme.address();
            let detail = format!("no file in {place} has a name of the form '{}'", self.names);
            return Err(Some(refusal(MissReason::NotFound, 1, detail)));
        };
        let file = scheme.whole(client, &path, &Validators::default(), false).await?;
        Ok(picture(file, Some(taken)))
    }

    /// The pictures of a window, or all, in the order of their moments.
    pub(super) async fn list(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        window: Option<SlotWindow>,
    ) -> Result<Vec<TreePicture>, Option<Refusal>> {
        let clocks = window.map(|window| clocks(scheme, &window));
        self.list_between(scheme, client, clocks, false).await
    }

    /// The pictures of times of the names' clock, or all; folders that can hold none of them are
    /// not listed. With `is_last_enough` those of the last folder that holds any, by its name.
    async fn list_between(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        clocks: Option<(NaiveDateTime, NaiveDateTime)>,
        is_last_enough: bool,
    ) -> Result<Vec<TreePicture>, Option<Refusal>> {
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), 0, NameFields::default())];
        while let Some((folder, depth, above)) = folders.pop() {
            let is_last = depth + 1 == self.names.depth();
            if let Some(name) = self.names.fixed_part(depth).filter(|_| !is_last) {
                folders.push((joined(&folder, name), depth + 1, above));
                continue;
            }
            if is_last_enough && !found.is_empty() {
                break;
            }
            for entry in self.folder(scheme, client, &folder).await?.iter() {
                if entry.is_folder == is_last {
                    continue;
                }
                let Some(fields) = self.names.read_part(depth, &entry.name, &above) else {
                    continue;
                };
                if !clocks.is_none_or(|(from, to)| fields.may_lie_within(from, to)) {
                    continue;
                }
                let path = joined(&folder, &entry.name);
                if !is_last {
                    folders.push((path, depth + 1, fields));
                } else if is_picture_file(&entry.name)
                    && let Some(named) = fields.time()
                    && let Some(taken) = scheme.source.instant(named, scheme.station.zone)
                {
                    found.push((taken, path));
                }
            }
        }
        // So that the earlier name counts of two pictures of one moment, however they are listed.
        found.sort_unstable();
        Ok(found)
    }

    async fn folder(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        path: &str,
    ) -> Result<Arc<Vec<ListedEntry>>, Option<Refusal>> {
        let listings = || self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = listings().folders.get(path) {
            return Ok(Arc::clone(known));
        }
        let mut entries = scheme.place.list(client, path).await?;
        entries.sort_unstable();
        let entries = Arc::new(entries);
        let mut listings = listings();
        if listings.entries + entries.len() > KEPT_ENTRIES {
            *listings = Listings::default();
        }
        listings.entries += entries.len();
        listings.folders.insert(path.to_owned(), Arc::clone(&entries));
        Ok(entries)
    }
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Names that end otherwise than a picture's may hold one all the same
/// (`….jpg.20160414162830.jpg`); hidden files and those of a system never do.
fn is_picture_file(name: &str) -> bool {
    is_picture_name(Path::new(name))
}

/// The times of the names' clock in which the pictures of a window lie; wider where that clock is
/// set meanwhile.
fn clocks(scheme: &Scheme, window: &SlotWindow) -> (NaiveDateTime, NaiveDateTime) {
    let clock = |instant| scheme.source.clock_at(instant, scheme.station.zone);
    let (from, to) = (clock(window.from), clock(window.to));
    let set = ((to - from) - (window.to - window.from)).abs();
    (from.min(to) - set, from.max(to) + set)
}
