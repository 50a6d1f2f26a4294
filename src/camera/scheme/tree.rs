//! Pictures whose names are known by listing their folders.

mod clock;

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

pub(super) use self::clock::{SAME_DIFFERENCE, least_jump};
use crate::camera::fault::AccessFault;
use crate::camera::file_name::{is_picture_name, is_system_file};
use crate::camera::http::HttpClient;
use crate::camera::picture::{Picture, Refusal};
use crate::camera::scheme::jump::{ClockJump, ComingNames, TreePicture};
use crate::camera::scheme::listing::ListedEntry;
use crate::camera::scheme::{Scheme, SchemePlace, picture, refusal, refused_for};
use crate::camera::validators::Validators;
use celaje_sky::naming::{NameFields, NameTemplate};
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::{Slot, SlotWindow};

/// Entries of listed folders that are kept during a pass.
const KEPT_ENTRIES: usize = 400_000;

/// Folders that were listed in this pass.
#[derive(Debug, Default)]
struct Listings {
    /// By their paths, and whether they were listed with times.
    folders: HashMap<(String, bool), Arc<Vec<ListedEntry>>>,
    entries: usize,
    /// What they say of the camera's clock, once that was looked for.
    clock: Option<Option<AccessFault>>,
    /// Where it was set back, by the day that it was looked for around.
    jumps: HashMap<NaiveDate, Arc<Vec<ClockJump>>>,
}

/// What was seen in the folders that were listed since the program began.
#[derive(Debug, Default)]
struct SeenNames {
    /// Whether a picture was named as the template says.
    is_known: bool,
    /// A file or folder that was not, a picture if there was one.
    other: Option<String>,
    /// How far the camera's clock was off when that was told.
    off: Option<TimeDelta>,
    /// The pictures after its jumps that were told last, `TOLD_JUMPS` at most.
    jumped: VecDeque<String>,
    /// What comes, where folders do not say when pictures were written.
    coming: ComingNames,
}

/// Which pictures of a tree are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    All,
    /// Those of the first folder that holds any, by its name.
    First,
    /// Those of the last one.
    Last,
    /// All in folders that may be read.
    Open,
}

#[derive(Debug)]
pub(super) struct Tree {
    names: NameTemplate,
    listings: Mutex<Listings>,
    seen: Mutex<SeenNames>,
    /// Looks for one slot at a time, so that no folder is listed twice.
    turn: tokio::sync::Mutex<()>,
}

impl Tree {
    pub(super) fn new(names: NameTemplate) -> Self {
        let (listings, seen) = (Mutex::default(), Mutex::default());
        Self { names, listings, seen, turn: tokio::sync::Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, SeenNames> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listings(&self) -> MutexGuard<'_, Listings> {
        self.listings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why there is no picture at all: what is there is named otherwise, or nothing is there.
    fn fault(&self, scheme: &Scheme) -> Option<AccessFault> {
        let seen = self.seen();
        if seen.is_known {
            return None;
        }
        if let Some(other) = &seen.other {
            let place = scheme.place.shown();
            let other = format!("{}/{other}", place.trim_end_matches('/'));
            return Some(AccessFault::OtherNames(other, self.names.to_string()));
        }
        let root = self.listings().folders.get(&(String::new(), false)).map(Arc::clone);
        let is_empty = root.is_some_and(|entries| entries.is_empty());
        is_empty.then(|| AccessFault::FolderEmpty(scheme.place.shown()))
    }

    /// Takes note of what is named otherwise than the template says; `is_last`: where pictures are.
    fn see_another(&self, folder: &str, entry: &ListedEntry, is_last: bool) {
        let is_picture = !entry.is_folder && is_picture_file(&entry.name);
        let is_folder = entry.is_folder && !is_last && !is_system_file(Path::new(&entry.name));
        let mut seen = self.seen();
        let is_better = seen.other.as_ref().is_none_or(|other| is_picture && other.ends_with('/'));
        if is_better && (is_picture || is_folder) {
            let end = if is_folder { "/" } else { "" };
            seen.other = Some(joined(folder, &entry.name) + end);
        }
    }

    pub(super) fn forget(&self) {
        *self.listings() = Listings::default();
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
            let fault = self.fault(scheme);
            if let Some(fault) = fault.as_ref().filter(|fault| fault.hides_all()) {
                return Err(Some(refused_for(fault.clone(), 1)));
            }
            // The picture may come as long as the time of its slot is not over.
            let clock = match fault.is_none() && now > window.to && !scheme.is_archive() {
                true => self.clock_fault(scheme, client, slot, now).await,
                false => None,
            };
            let why = clock.as_ref().map_or_else(String::new, |why| format!("; {}", why.text().en));
            let fault = fault.or_else(|| clock.filter(|clock| self.is_news(clock)));
            let (from, to) = (window.from, window.to);
            let form = "%Y-%m-%dT%H:%M:%SZ";
            let place = scheme.address();
            let detail = format!(
                "no picture of {} to {} by '{}' in {place}{why}",
                from.format(form),
                to.format(form),
                self.names
            );
            return Err(Some(Refusal { fault, ..refusal(MissReason::NotFound, 1, detail) }));
        };
        if !scheme.is_archive() && !window.is_settled(taken, now) {
            return missing(format!("'{path}' is there; a picture nearer to the slot may come"));
        }
        let file = scheme.whole(client, &path, &Validators::default(), false).await?;
        if slot.utc() > now - TimeDelta::days(1) {
            self.see_current(&path, now);
        }
        Ok(picture(file, Some(taken)))
    }

    /// The newest picture up to `now`.
    pub(super) async fn newest(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        now: DateTime<Utc>,
    ) -> Result<Picture, Option<Refusal>> {
        let clock = |instant| names_clock(scheme, instant);
        let mut found = Vec::new();
        for back in [TimeDelta::hours(2), TimeDelta::days(2)] {
            let lately = (clock(now - back), clock(now + TimeDelta::minutes(10)));
            found = self.list_between(scheme, client, Some(lately), Wanted::All).await?;
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            found = self.list_between(scheme, client, None, Wanted::Last).await?;
        }
        let Some((taken, path)) = found.pop() else {
            if let Some(fault) = self.fault(scheme) {
                return Err(Some(refused_for(fault, 1)));
            }
            let place = scheme.address();
            let detail = format!("no file in {place} has a name of the form '{}'", self.names);
            return Err(Some(refusal(MissReason::NotFound, 1, detail)));
        };
        let file = scheme.whole(client, &path, &Validators::default(), false).await?;
        Ok(picture(file, Some(taken)))
    }

    /// The newest picture that may be read; few are tried, ever further back.
    pub(super) async fn newest_open(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
    ) -> Result<Option<Picture>, Option<Refusal>> {
        let mut found = self.list_between(scheme, client, None, Wanted::Open).await?;
        let mut step = 1;
        while let Some((taken, path)) = found.pop() {
            match scheme.whole(client, &path, &Validators::default(), false).await {
                Err(Some(refusal)) if refusal.is_closed() => {}
                file => return file.map(|file| Some(picture(file, Some(taken)))),
            }
            // The oldest is tried in any case.
            found.truncate(found.len().saturating_sub(step).max(1));
            step *= 2;
        }
        Ok(None)
    }

    /// The pictures of a window, or all, in the order of their moments.
    pub(super) async fn list(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        window: Option<SlotWindow>,
    ) -> Result<Vec<TreePicture>, Option<Refusal>> {
        let clocks = window.map(|window| clocks(scheme, &window));
        self.list_between(scheme, client, clocks, Wanted::All).await
    }

    /// The pictures of a time.
    pub(super) async fn between(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<TreePicture>, Option<Refusal>> {
        let clock = |instant| names_clock(scheme, instant);
        let clocks = Some((clock(from), clock(to)));
        self.list_between(scheme, client, clocks, Wanted::All).await
    }

    /// The newest picture, `until` then if that is given.
    pub(super) async fn last(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        until: Option<DateTime<Utc>>,
    ) -> Result<Option<TreePicture>, Option<Refusal>> {
        let clock = |instant| names_clock(scheme, instant);
        let clocks = until.map(|until| (clock(DateTime::UNIX_EPOCH), clock(until)));
        let mut found = self.list_between(scheme, client, clocks, Wanted::Last).await?;
        Ok(found.pop())
    }

    /// When the first picture was taken.
    pub(super) async fn first(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
    ) -> Result<Option<DateTime<Utc>>, Option<Refusal>> {
        let found = self.list_between(scheme, client, None, Wanted::First).await?;
        Ok(found.first().map(|(taken, _)| *taken))
    }

    /// The pictures of times of the names' clock, or all; folders that can hold none of them are
    /// not listed.
    async fn list_between(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        clocks: Option<(NaiveDateTime, NaiveDateTime)>,
        wanted: Wanted,
    ) -> Result<Vec<TreePicture>, Option<Refusal>> {
        let mut found = Vec::new();
        let mut folders = vec![(String::new(), 0, NameFields::default())];
        while let Some((folder, depth, above)) = folders.pop() {
            let is_last = depth + 1 == self.names.depth();
            if let Some(name) = self.names.fixed_part(depth).filter(|_| !is_last) {
                folders.push((joined(&folder, name), depth + 1, above));
                continue;
            }
            if matches!(wanted, Wanted::First | Wanted::Last) && !found.is_empty() {
                break;
            }
            let before = folders.len();
            let entries = match self.folder(scheme, client, &folder, false).await {
                Err(Some(refusal)) if wanted == Wanted::Open && refusal.is_closed() => continue,
                entries => entries?,
            };
            for entry in entries.iter() {
                let fields = match entry.is_folder == is_last {
                    true => None,
                    false => self.names.read_part(depth, &entry.name, &above),
                };
                let Some(fields) = fields else {
                    self.see_another(&folder, entry, is_last);
                    continue;
                };
                let may_count = clocks.is_none_or(|(from, to)| fields.may_lie_within(from, to));
                if !is_last {
                    if may_count {
                        folders.push((joined(&folder, &entry.name), depth + 1, fields));
                    }
                } else if let Some(taken) = taken(scheme, entry, &fields) {
                    self.seen().is_known = true;
                    if may_count {
                        found.push((taken, joined(&folder, &entry.name)));
                    }
                }
            }
            // The one that is pushed last is listed first.
            if wanted == Wanted::First {
                folders[before..].reverse();
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
        has_times: bool,
    ) -> Result<Arc<Vec<ListedEntry>>, Option<Refusal>> {
        // The lists of others have them, or have not.
        let has_times = has_times && matches!(scheme.place, SchemePlace::Folder(_));
        let key = (path.to_owned(), has_times);
        if let Some(known) = self.listings().folders.get(&key) {
            return Ok(Arc::clone(known));
        }
        let mut entries = scheme.place.list(client, path, has_times).await?;
        entries.sort_unstable();
        let entries = Arc::new(entries);
        let mut listings = self.listings();
        if listings.entries + entries.len() > KEPT_ENTRIES {
            *listings = Listings::default();
        }
        listings.entries += entries.len();
        listings.folders.insert(key, Arc::clone(&entries));
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

/// When the picture of a file was taken, by its name; none when it is no picture.
fn taken(scheme: &Scheme, file: &ListedEntry, fields: &NameFields) -> Option<DateTime<Utc>> {
    let named = is_picture_file(&file.name).then(|| fields.time()).flatten()?;
    scheme.source.instant(named, scheme.station.zone)
}

/// What the clock of the names shows at a moment.
fn names_clock(scheme: &Scheme, instant: DateTime<Utc>) -> NaiveDateTime {
    scheme.source.clock_at(instant, scheme.station.zone)
}

/// The times of the names' clock in which the pictures of a window lie; wider where that clock is
/// set meanwhile.
fn clocks(scheme: &Scheme, window: &SlotWindow) -> (NaiveDateTime, NaiveDateTime) {
    let clock = |instant| names_clock(scheme, instant);
    let (from, to) = (clock(window.from), clock(window.to));
    let set = ((to - from) - (window.to - window.from)).abs();
    (from.min(to) - set, from.max(to) + set)
}
