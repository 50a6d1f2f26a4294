//! What a tree says of its camera's clock.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::{Tree, joined, names_clock, taken};
use crate::camera::fault::AccessFault;
use crate::camera::http::HttpClient;
use crate::camera::scheme::Scheme;
use crate::camera::scheme::jump::{ClockJump, ComingPicture, TreePicture, WrittenPicture, jumps};
use celaje_sky::naming::NameFields;
use celaje_sky::slot::Slot;

/// How far the time of the newest picture may be off before the camera's clock is wrong, at least.
const LEAST_JUMP: TimeDelta = TimeDelta::minutes(2);
/// The same around the moment at which the clock of the names is set: more than that of summer
/// time.
const SUMMER_TIME: TimeDelta = TimeDelta::hours(2);
/// How much the difference of two clocks may change and still be the same one.
pub(in crate::camera::scheme) const SAME_DIFFERENCE: TimeDelta = TimeDelta::minutes(30);
/// Folders in a folder that are looked into for the picture that was written last: the latest ones.
const LATELY_WRITTEN: usize = 3;
/// Folders that are looked into for what was written around a time of long ago.
const NEAR_FOLDERS: usize = 40;
/// Pictures that were written within this time may have been brought together, in any order.
const ONE_COPY: TimeDelta = TimeDelta::minutes(1);
/// Jumps of a clock that are not told again.
const TOLD_JUMPS: usize = 32;

impl Tree {
    /// That the camera's clock is wrong now, which may be why a `slot` has no picture; or was
    /// ahead or set back, which may be why one of long ago has none.
    pub(super) async fn clock_fault(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        slot: Slot,
        now: DateTime<Utc>,
    ) -> Option<AccessFault> {
        let _turn = self.turn.lock().await;
        if slot.utc() < now - TimeDelta::days(1) {
            if let Some((taken, name)) = self.ahead(scheme, client, now).await {
                return Some(AccessFault::ClockDiffers { name: Some(name), taken, now });
            }
            let ClockJump { before, after } = self.jump_near(scheme, client, slot).await?;
            let back = before.0 - after.0;
            return Some(AccessFault::ClockJumped { before: before.1, after: after.1, back });
        }
        let known = self.listings().clock.clone();
        if let Some(known) = known {
            return known;
        }
        let found = self.astray(scheme, client, now).await;
        let found =
            found.map(|(taken, name)| AccessFault::ClockDiffers { name: Some(name), taken, now });
        self.listings().clock = Some(found.clone());
        found
    }

    /// The newest picture, if its name is of a time that has not come.
    async fn ahead(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        now: DateTime<Utc>,
    ) -> Option<TreePicture> {
        let newest = self.last(scheme, client, None).await.ok()?;
        newest.filter(|(taken, _)| *taken > now + least_jump(scheme, now))
    }

    /// The picture that was written last, if its name is of a time that has not come, or of one
    /// before that of another picture. Where folders do not say when that was: the newest one that
    /// is ahead, or the last of those that come behind others.
    async fn astray(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        now: DateTime<Utc>,
    ) -> Option<TreePicture> {
        let written = self.lately_written(scheme, client, None).await;
        let Some((last, (taken, name))) = written.iter().max() else {
            return match self.ahead(scheme, client, now).await {
                Some(ahead) => Some(ahead),
                None => self.coming_behind(scheme, client, now).await,
            };
        };
        let least = least_jump(scheme, now);
        let newest = self.last(scheme, client, Some(now + least)).await.ok()?;
        let is_behind = newest.is_some_and(|(newest, path)| {
            let before = written.iter().find(|(_, (_, known))| *known == path);
            let is_before = before.is_none_or(|(before, _)| *last - *before >= ONE_COPY);
            newest - *taken > least && is_before
        });
        (is_behind || *taken > now + least).then(|| (*taken, name.clone()))
    }

    /// Where the camera's clock was set back around a slot, the nearest place.
    async fn jump_near(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        slot: Slot,
    ) -> Option<ClockJump> {
        let day = slot.local().date();
        let known = self.listings().jumps.get(&day).map(Arc::clone);
        let found = match known {
            Some(known) => known,
            None => {
                let near = (slot.utc() - TimeDelta::days(1), slot.utc() + TimeDelta::days(1));
                let near = (names_clock(scheme, near.0), names_clock(scheme, near.1));
                let mut written = self.lately_written(scheme, client, Some(near)).await;
                let found = Arc::new(jumps(&mut written, |at| least_jump(scheme, at)));
                self.listings().jumps.insert(day, Arc::clone(&found));
                found
            }
        };
        let far = |jump: &&ClockJump| (jump.before.0 - slot.utc()).abs();
        found.iter().min_by_key(far).filter(|jump| far(jump) <= TimeDelta::days(1)).cloned()
    }

    /// The last of the pictures that come behind the newest one; of the folders that are the last
    /// ones by their names, or new.
    async fn coming_behind(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        now: DateTime<Utc>,
    ) -> Option<TreePicture> {
        let least = least_jump(scheme, now);
        let (newest, _) = self.last(scheme, client, Some(now + least)).await.ok()??;
        let (mut come, mut listed) = (Vec::new(), Vec::new());
        let mut folders = vec![(String::new(), 0, NameFields::default(), None)];
        while let Some((folder, depth, above, new)) = folders.pop() {
            let is_last = depth + 1 == self.names.depth();
            if let Some(name) = self.names.fixed_part(depth).filter(|_| !is_last) {
                folders.push((joined(&folder, name), depth + 1, above, new));
                continue;
            }
            let Ok(entries) = self.folder(scheme, client, &folder, false).await else { continue };
            let mut below = Vec::new();
            for entry in entries.iter().filter(|entry| entry.is_folder != is_last) {
                let Some(fields) = self.names.read_part(depth, &entry.name, &above) else {
                    continue;
                };
                let since = new.or_else(|| self.seen().coming.since(&folder, entry));
                let path = joined(&folder, &entry.name);
                if !is_last {
                    below.push((path, depth + 1, fields, since));
                } else if let (Some(since), Some(taken)) = (since, taken(scheme, entry, &fields)) {
                    come.push(ComingPicture { picture: (taken, path), since, until: now });
                }
            }
            // The last ones by their names, and those that are new.
            let old = below.len().saturating_sub(LATELY_WRITTEN);
            let news: Vec<_> = below.drain(..old).filter(|(.., since)| since.is_some()).collect();
            folders.extend(below);
            folders.extend(news.into_iter().take(LATELY_WRITTEN));
            listed.push((folder, entries));
        }
        let mut seen = self.seen();
        seen.coming.keep(listed, now);
        seen.coming.behind(come, newest, least)
    }

    /// Takes note of the names in the folders of a picture: the camera gives those of now.
    pub(super) fn see_current(&self, path: &str, now: DateTime<Utc>) {
        let listings = self.listings();
        let above = std::iter::once("").chain(path.match_indices('/').map(|(at, _)| &path[..at]));
        let listed: Vec<_> = above
            .filter_map(|folder| {
                let key = (folder.to_owned(), false);
                let entries = listings.folders.get(&key)?;
                Some((key.0, Arc::clone(entries)))
            })
            .collect();
        drop(listings);
        let mut seen = self.seen();
        seen.off = None;
        seen.coming.keep(listed, now);
        seen.coming.settle();
    }

    /// Pictures with the times at which they were written, by what the folders say: those of the
    /// folders that were written last. With a time of the names' clock that is `near`: those of the
    /// folders that may be of it by their names, or were written in the same time as these.
    async fn lately_written(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        near: Option<(NaiveDateTime, NaiveDateTime)>,
    ) -> Vec<WrittenPicture> {
        let mut all = Vec::new();
        let mut folders = vec![(String::new(), 0, NameFields::default())];
        while let Some((folder, depth, above)) = folders.pop() {
            let is_last = depth + 1 == self.names.depth();
            if let Some(name) = self.names.fixed_part(depth).filter(|_| !is_last) {
                folders.push((joined(&folder, name), depth + 1, above));
                continue;
            }
            // One that is closed is told of where its pictures are looked for.
            let Ok(entries) = self.folder(scheme, client, &folder, true).await else { continue };
            let mut below = Vec::new();
            for entry in entries.iter().filter(|entry| entry.is_folder != is_last) {
                let fields = self.names.read_part(depth, &entry.name, &above);
                let (Some(written), Some(fields)) = (entry.written, fields) else { continue };
                if !is_last {
                    below.push((written, (joined(&folder, &entry.name), depth + 1, fields)));
                } else if let Some(taken) = taken(scheme, entry, &fields) {
                    all.push((written, (taken, joined(&folder, &entry.name))));
                }
            }
            if let Some(near) = near {
                retain_near(&mut below, near);
            }
            below.sort_by_key(|(written, _)| std::cmp::Reverse(*written));
            let most = if near.is_some() { NEAR_FOLDERS } else { LATELY_WRITTEN };
            folders.extend(below.into_iter().take(most).map(|(_, folder)| folder));
        }
        all
    }

    /// Whether this was not told yet; it counts as told from now on.
    pub(super) fn is_news(&self, fault: &AccessFault) -> bool {
        if let AccessFault::ClockJumped { after, .. } = fault {
            let told = &mut self.seen().jumped;
            let is_news = !told.contains(after);
            if is_news {
                told.truncate(TOLD_JUMPS - 1);
                told.push_front(after.clone());
            }
            return is_news;
        }
        let AccessFault::ClockDiffers { taken, now, .. } = fault else { return true };
        let off = *taken - *now;
        let told = self.seen().off.replace(off);
        told.is_none_or(|told| (told - off).abs() >= SAME_DIFFERENCE)
    }
}

/// A folder of pictures: when it was written, its path, its depth, and what its name says.
type WrittenFolder = (NaiveDateTime, (String, usize, NameFields));

/// Keeps the folders that may be of a time by their names, and those that were written in the same
/// time as these, or in the day after it.
fn retain_near(folders: &mut Vec<WrittenFolder>, (from, to): (NaiveDateTime, NaiveDateTime)) {
    let is_near = |folder: &WrittenFolder| folder.1.2.may_lie_within(from, to);
    let times = folders.iter().filter(|folder| is_near(folder)).map(|(written, _)| *written);
    let (first, last) = (times.clone().min(), times.max());
    folders.retain(|folder| {
        let with_them = first.is_some_and(|first| folder.0 >= first)
            && last.is_some_and(|last| folder.0 <= last + TimeDelta::days(1));
        with_them || is_near(folder)
    });
}

/// How far the name of the newest picture may be off at `now` before the camera's clock is wrong.
pub(in crate::camera::scheme) fn least_jump(scheme: &Scheme, now: DateTime<Utc>) -> TimeDelta {
    let clock = |instant| names_clock(scheme, instant);
    let is_set = |around: TimeDelta| (clock(now + around) - clock(now - around)) != around + around;
    match is_set(SUMMER_TIME) {
        true => SUMMER_TIME,
        false => (scheme.source.tolerance * 2).max(LEAST_JUMP),
    }
}
