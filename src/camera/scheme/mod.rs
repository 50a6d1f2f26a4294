//! Pictures that are found as `[station.source]` says: by a template, in a tree of folders, or the
//! latest one alone.

mod exif;
mod jump;
mod latest;
pub mod listing;
mod place;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use url::Url;

pub use self::exif::taken_at as exif_time;
use self::latest::Latest;
pub use self::latest::REMEMBERED;
use self::place::PlacedFile;
pub use self::place::SchemePlace;
use self::tree::Tree;
use crate::camera::fault::AccessFault;
use crate::camera::http::{HttpClient, is_whole_picture};
use crate::camera::picture::{Picture, Refusal, SearchResult};
use crate::camera::validators::Validators;
use crate::clock::Clock;
use celaje_sky::layout::{Layout, Lesson};
use celaje_sky::naming::NameTemplate;
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::{PictureNames, Station, StationSource};
use celaje_sky::sun::{self, DayPhase};
use celaje_vision::picture::decode::is_picture;

/// Pause before a picture that is half written, or gone for a moment, is asked for again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How often it is asked for again.
const AGAIN: usize = 3;

#[derive(Debug)]
enum Finder {
    Template(NameTemplate),
    Tree(Box<Tree>),
    Latest(Box<Latest>),
}

#[derive(Debug)]
pub struct Scheme {
    station: Arc<Station>,
    source: StationSource,
    place: SchemePlace,
    finder: Finder,
}

impl Scheme {
    /// The pictures of `station` at `place`, named as its `source` says.
    pub fn new(station: Arc<Station>, source: &StationSource, place: SchemePlace) -> Self {
        let finder = match source.names.clone() {
            PictureNames::Template(names) => Finder::Template(names),
            PictureNames::Tree(names) => Finder::Tree(Box::new(Tree::new(names))),
            PictureNames::Latest(time_from) => Finder::Latest(Box::new(Latest::new(time_from))),
        };
        Self { station, source: source.clone(), place, finder }
    }

    /// The camera's server; none for a folder or a bucket.
    pub fn base(&self) -> Option<&Url> {
        match &self.place {
            SchemePlace::Http(base) => Some(base),
            SchemePlace::Folder(_) | SchemePlace::Bucket(_) => None,
        }
    }

    pub(super) const fn is_archive(&self) -> bool {
        self.source.is_archive
    }

    pub(super) const fn has_only_the_latest(&self) -> bool {
        matches!(self.finder, Finder::Latest(_))
    }

    pub(super) fn address(&self) -> String {
        self.place.address()
    }

    /// A pass begins: folders are listed anew. `stored` is the SHA-256 of the newest pictures in
    /// the record.
    pub(super) fn begin(&self, stored: Vec<String>) {
        match &self.finder {
            Finder::Template(_) => {}
            Finder::Tree(tree) => tree.forget(),
            Finder::Latest(latest) => latest.begin(stored),
        }
    }

    /// Looks for the picture of a slot.
    pub async fn look_for(&self, client: &HttpClient, slot: Slot, clock: Clock) -> SearchResult {
        let found = match &self.finder {
            Finder::Template(names) => self.by_name(client, names, slot).await,
            Finder::Tree(tree) => tree.look_for(self, client, slot, clock.now()).await,
            Finder::Latest(latest) => latest.look_for(self, client, slot, clock).await,
        };
        match found {
            Ok(picture) => SearchResult::Picture(picture, Lesson::Nothing),
            Err(Some(refusal)) => {
                if let Some(fault) = &refusal.fault {
                    client.report(fault);
                }
                SearchResult::Miss(refusal.into_miss(slot, 0))
            }
            Err(None) => SearchResult::Cancelled,
        }
    }

    /// The newest picture that the camera has, of whatever slot; `is_awaited`: a latest one that is
    /// gone may be about to be replaced.
    ///
    /// # Errors
    /// The refusal; none when the program ends.
    pub async fn newest(
        &self,
        client: &HttpClient,
        clock: Clock,
        is_awaited: bool,
    ) -> Result<Picture, Option<Refusal>> {
        match &self.finder {
            Finder::Latest(latest) => latest.now(self, client, clock, is_awaited).await,
            Finder::Tree(tree) => tree.newest(self, client, clock.now()).await,
            Finder::Template(names) => {
                let Station { minutes, zone, .. } = self.station.as_ref();
                let now = zone.local(clock.now());
                let range = SlotRange::exact(now - TimeDelta::days(2), now).ok();
                let slots = range.map(|range| range.slots(minutes, *zone).collect::<Vec<_>>());
                let mut last = None;
                // The newest may not be there yet.
                for slot in slots.unwrap_or_default().into_iter().rev().take(3) {
                    match self.by_name(client, names, slot).await {
                        Ok(picture) => {
                            return Ok(Picture { taken_at: Some(slot.utc()), ..picture });
                        }
                        Err(refusal) => last = refusal,
                    }
                }
                Err(last)
            }
        }
    }

    /// The newest picture of a tree that may be read, where newer ones may not; none where there is
    /// none, or no tree.
    ///
    /// # Errors
    /// The refusal of the place itself; none when the program ends.
    pub async fn newest_open(
        &self,
        client: &HttpClient,
    ) -> Result<Option<Picture>, Option<Refusal>> {
        match &self.finder {
            Finder::Tree(tree) => tree.newest_open(self, client).await,
            Finder::Template(_) | Finder::Latest(_) => Ok(None),
        }
    }

    /// The slots that are asked for, where these are not all of a range.
    pub(crate) fn alone(&self) -> Option<Arc<[NaiveDateTime]>> {
        self.source.alone.clone()
    }

    /// When the pictures of a folder were taken, ascending.
    ///
    /// # Errors
    /// The refusal of a folder that cannot be listed.
    pub async fn moments(&self, client: &HttpClient) -> Result<Vec<DateTime<Utc>>, Refusal> {
        let names = match &self.source.names {
            PictureNames::Template(names) | PictureNames::Tree(names) => names.clone(),
            PictureNames::Latest(_) => return Ok(Vec::new()),
        };
        let all = Tree::new(names).list(self, client, None).await;
        let all = all.map_err(|refusal| refusal.unwrap_or_else(drained))?;
        Ok(all.into_iter().map(|(taken, _)| taken).collect())
    }

    /// Of the names in the camera's folders, whether one is of a time `from` to `to`, and whether
    /// one is of a later time; none where folders are not listed.
    pub async fn listed(
        &self,
        client: &HttpClient,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Option<(bool, bool)> {
        let names = match &self.source.names {
            PictureNames::Tree(names) => names,
            PictureNames::Template(names) if self.base().is_none() => names,
            PictureNames::Template(_) | PictureNames::Latest(_) => return None,
        };
        // What is listed in a pass stays as it was when that began.
        let tree = Tree::new(names.clone());
        let near = tree.between(self, client, from, to).await.ok()?;
        let last = tree.last(self, client, None).await.ok()?;
        Some((!near.is_empty(), last.is_some_and(|(taken, _)| taken > to)))
    }

    /// When the first picture of a tree was taken; none where there is no picture yet.
    ///
    /// # Errors
    /// The refusal of a folder that cannot be listed.
    pub async fn first_moment(
        &self,
        client: &HttpClient,
    ) -> Result<Option<DateTime<Utc>>, Option<Refusal>> {
        match &self.finder {
            Finder::Tree(tree) => tree.first(self, client).await,
            Finder::Template(_) | Finder::Latest(_) => Ok(None),
        }
    }

    /// Whether its folders say what pictures there are.
    pub const fn is_tree(&self) -> bool {
        matches!(self.finder, Finder::Tree(_))
    }

    async fn by_name(
        &self,
        client: &HttpClient,
        names: &NameTemplate,
        slot: Slot,
    ) -> Result<Picture, Option<Refusal>> {
        let Station { latitude, longitude, zone, .. } = *self.station;
        let sun = sun::position(slot.utc(), latitude, longitude);
        let by_night = DayPhase::from_elevation(sun.elevation) != DayPhase::Day;
        let clock = self.source.clock_at(slot.utc(), zone);
        let mut attempts = 0;
        let mut last = refusal(MissReason::NotFound, 0, "the template gives no name".to_owned());
        for path in names.paths(clock, by_night) {
            match self.whole(client, &path, &Validators::default(), false).await {
                Ok(file) => {
                    return Ok(Picture {
                        attempts: attempts + file.attempts,
                        ..picture(file, None)
                    });
                }
                Err(Some(refusal)) if refusal.reason == MissReason::NotFound => {
                    attempts += refusal.attempts;
                    last = Refusal { attempts, ..refusal };
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Err(Some(last))
    }

    /// A file, once it is all there: one that is half written is read again after a while, until it
    /// is whole or grows no more; with `is_awaited` also one that is not there.
    async fn whole(
        &self,
        client: &HttpClient,
        path: &str,
        known: &Validators,
        is_awaited: bool,
    ) -> Result<PlacedFile, Option<Refusal>> {
        let mut attempts = 0;
        let mut size = None;
        for again in (0..=AGAIN).rev() {
            match self.place.get(client, path, known).await {
                Ok(file) => {
                    attempts += file.attempts;
                    let bytes = &file.bytes;
                    let may_grow = bytes.is_empty() || is_picture(bytes);
                    let is_settled = !may_grow
                        || is_whole_picture(bytes)
                        || (size == Some(bytes.len()) && !bytes.is_empty());
                    if is_settled || again == 0 {
                        return Ok(PlacedFile { attempts, ..file });
                    }
                    size = Some(bytes.len());
                }
                Err(Some(refusal)) => {
                    attempts += refusal.attempts;
                    let is_gone = refusal.reason == MissReason::NotFound && is_awaited;
                    if !is_gone || again == 0 {
                        return Err(Some(Refusal { attempts, ..refusal }));
                    }
                    size = None;
                }
                Err(None) => return Err(None),
            }
            client.rest(AGAIN_AFTER).await?;
        }
        Err(None)
    }
}

fn picture(file: PlacedFile, taken_at: Option<DateTime<Utc>>) -> Picture {
    let PlacedFile { bytes, url, attempts, .. } = file;
    Picture { bytes, url, layout: Layout::Root, attempts, taken_at }
}

/// A refusal without an answer of a server.
fn refusal(reason: MissReason, attempts: u32, detail: String) -> Refusal {
    Refusal::new(reason, attempts, detail)
}

/// The refusal of a place in which nothing can be looked for until a person mends that.
fn refused_for(fault: AccessFault, attempts: u32) -> Refusal {
    let detail = fault.text().en;
    Refusal { fault: Some(fault), ..refusal(MissReason::Unreadable, attempts, detail) }
}

fn drained() -> Refusal {
    refusal(MissReason::Unreadable, 0, "the program is about to end".to_owned())
}

/// Lower-case hexadecimal SHA-256.
fn sha256(bytes: &Bytes) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
