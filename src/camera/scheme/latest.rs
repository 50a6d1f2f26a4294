//! The latest picture of a camera that keeps no other.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::camera::fault::AccessFault;
use crate::camera::http::HttpClient;
use crate::camera::picture::{Picture, Refusal};
use crate::camera::scheme::place::PlacedFile;
use crate::camera::scheme::tree::{SAME_DIFFERENCE, least_jump};
use crate::camera::scheme::{Scheme, exif, picture, refusal, sha256};
use crate::camera::validators::Validators;
use crate::clock::Clock;
use celaje_sky::naming::NamedTime;
use celaje_sky::outcome::MissReason;
use celaje_sky::slot::{Slot, SlotWindow};
use celaje_sky::station::TimeFrom;

/// So many of the last pictures are not stored again, though others came between.
pub const REMEMBERED: usize = 32;

/// What is known of the picture.
#[derive(Debug, Default)]
struct LastPicture {
    /// SHA-256 of the newest pictures in the record, `REMEMBERED` at most.
    stored: Vec<String>,
    /// SHA-256 of the last pictures that were given to slots, with these; `REMEMBERED` at most.
    given: VecDeque<(Slot, String)>,
    /// SHA-256 of what the server last sent, and what it said of its state.
    sent: Option<(String, Validators)>,
    /// What was wrong with it for the last slots, `REMEMBERED` at most.
    refused: VecDeque<(Slot, MissReason, String)>,
    /// How far the picture's time was from the clock when that was told last.
    ahead: Option<TimeDelta>,
}

#[derive(Debug)]
pub(super) struct Latest {
    time_from: Option<TimeFrom>,
    last: Mutex<LastPicture>,
}

impl Latest {
    pub(super) const fn new(time_from: Option<TimeFrom>) -> Self {
        let last = LastPicture {
            stored: Vec::new(),
            given: VecDeque::new(),
            sent: None,
            refused: VecDeque::new(),
            ahead: None,
        };
        Self { time_from, last: Mutex::new(last) }
    }

    fn last(&self) -> MutexGuard<'_, LastPicture> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, stored: Vec<String>) {
        self.last().stored = stored;
    }

    /// The picture, if it is of the slot and was given to no other one.
    pub(super) async fn look_for(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        slot: Slot,
        clock: Clock,
    ) -> Result<Picture, Option<Refusal>> {
        let window = scheme.station.minutes.window(slot, scheme.source.tolerance);
        if clock.now() > window.to {
            let refused = self.last().refused.iter().find(|(of, ..)| *of == slot).cloned();
            let past = "the camera has its latest picture alone: none can be had of the past";
            let (_, reason, detail) =
                refused.unwrap_or_else(|| (slot, MissReason::Stale, past.to_owned()));
            return Err(Some(refusal(reason, 0, detail)));
        }
        let known = self.last().conditions();
        let asked = scheme.whole(client, "", &known, true).await;
        let file = match asked {
            Ok(file) => file,
            Err(Some(refused)) if refused.http_status == Some(304) => {
                let detail = "no new picture came".to_owned();
                return Err(Some(self.stale(slot, refused.attempts, detail)));
            }
            Err(Some(refused)) => {
                let Refusal { reason, detail, .. } = &refused;
                let detail = match reason {
                    MissReason::NotFound => {
                        format!("the picture at {} is gone: {detail}", scheme.address())
                    }
                    _ => detail.clone(),
                };
                self.last().refuse(slot, *reason, detail.clone());
                return Err(Some(Refusal { detail, ..refused }));
            }
            Err(None) => return Err(None),
        };
        self.judge(scheme, slot, &window, file, clock.now()).map_err(Some)
    }

    /// The picture, of whatever slot.
    pub(super) async fn now(
        &self,
        scheme: &Scheme,
        client: &HttpClient,
        clock: Clock,
        is_awaited: bool,
    ) -> Result<Picture, Option<Refusal>> {
        let file = scheme.whole(client, "", &Validators::default(), is_awaited).await?;
        let taken = self.taken(scheme, &file, clock.now());
        Ok(picture(file, Some(taken)))
    }

    fn judge(
        &self,
        scheme: &Scheme,
        slot: Slot,
        window: &SlotWindow,
        file: PlacedFile,
        now: DateTime<Utc>,
    ) -> Result<Picture, Refusal> {
        let bytes = sha256(&file.bytes);
        let attempts = file.attempts;
        let (is_known, is_new) = {
            let mut last = self.last();
            let is_new = last.sent.as_ref().is_some_and(|(sent, _)| *sent != bytes);
            last.sent = Some((bytes.clone(), file.validators.clone()));
            (last.is_known(slot, &bytes), is_new)
        };
        if is_known {
            let detail = "the picture is the same as before".to_owned();
            return Err(self.stale(slot, attempts, detail));
        }
        let taken = self.taken(scheme, &file, now);
        if !window.contains(taken) {
            let shown = taken.format("%Y-%m-%dT%H:%M:%SZ");
            let detail = format!("the picture is of {shown}, too far from the slot");
            // One that was there before may be what a camera that stopped has left.
            let fault = is_new.then(|| self.clock_fault(scheme, taken, now)).flatten();
            return Err(Refusal { fault, ..self.stale(slot, attempts, detail) });
        }
        self.last().give(slot, bytes);
        Ok(picture(file, Some(taken)))
    }

    fn stale(&self, slot: Slot, attempts: u32, detail: String) -> Refusal {
        self.last().refuse(slot, MissReason::Stale, detail.clone());
        refusal(MissReason::Stale, attempts, detail)
    }

    /// That a new picture is of another time than now, unless that was said of this difference.
    /// One that is late by a step of the slots is of a camera that is slower than these.
    fn clock_fault(
        &self,
        scheme: &Scheme,
        taken: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<AccessFault> {
        let ahead = taken - now;
        let step = scheme.station.minutes.longest_gap() + scheme.source.tolerance;
        if ahead.abs() <= least_jump(scheme, now).max(step) {
            return None;
        }
        let told = self.last().ahead.replace(ahead);
        let is_told = told.is_some_and(|told| (told - ahead).abs() < SAME_DIFFERENCE);
        (!is_told).then_some(AccessFault::ClockDiffers { name: None, taken, now })
    }

    /// When the picture was taken.
    fn taken(&self, scheme: &Scheme, file: &PlacedFile, now: DateTime<Utc>) -> DateTime<Utc> {
        let exif = || {
            let zone = scheme.station.zone;
            match exif::taken_at(&file.bytes)? {
                exif::ExifTime::Instant(instant) => Some(instant),
                exif::ExifTime::Clock(clock) => {
                    scheme.source.instant(NamedTime::Clock(clock), zone)
                }
            }
        };
        let modified = || file.modified.or_else(|| file.validators.modified(now));
        match self.time_from {
            Some(TimeFrom::Fetch | TimeFrom::Name) => None,
            Some(TimeFrom::LastModified) => modified(),
            Some(TimeFrom::Exif) => exif(),
            None => exif().or_else(modified),
        }
        .unwrap_or(now)
    }
}

impl LastPicture {
    /// Whether a picture was stored, or given to another slot than this one.
    fn is_known(&self, slot: Slot, sha256: &str) -> bool {
        let mut given = self.given.iter();
        given.any(|(to, bytes)| *to != slot && bytes == sha256) || self.has_stored(sha256)
    }

    fn has_stored(&self, sha256: &str) -> bool {
        self.stored.iter().any(|stored| stored == sha256)
    }

    fn refuse(&mut self, slot: Slot, reason: MissReason, detail: String) {
        self.refused.retain(|(of, ..)| *of != slot);
        self.refused.truncate(REMEMBERED - 1);
        self.refused.push_front((slot, reason, detail));
    }

    fn give(&mut self, slot: Slot, sha256: String) {
        // It may be asked for again, after one that did not decode.
        self.given.retain(|(to, bytes)| (*to, bytes) != (slot, &sha256));
        self.given.truncate(REMEMBERED - 1);
        self.given.push_front((slot, sha256));
    }

    /// What asks for a newer picture than the last one, where that one needs no other look.
    fn conditions(&self) -> Validators {
        match &self.sent {
            Some((sent, validators)) if self.has_stored(sent) => validators.clone(),
            _ => Validators::default(),
        }
    }
}
