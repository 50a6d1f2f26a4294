//! The strips of keograms: cut from the camera's pictures in the background, and kept for a while.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::web;
use chrono::{NaiveDateTime, TimeDelta};
use quick_cache::sync::Cache;

use crate::clock::Clock;
use crate::figures::data::Stored;
use crate::figures::order::Order;
use crate::web::WebState;
use crate::web::camera::{Shot, layout_of};
use crate::web::limiter::{Limiter, Permit};
use crate::web::problem::{Problem, ProblemCode};
use celaje_chart::keogram::{Keogram, Strip};
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;
use celaje_vision::picture::decode::{Limits, decode_small};

/// Days that are kept: a strip has 168 bytes, a day of 144 about 24 kB.
const MOST_DAYS: usize = 40;
/// Pixels each way that a picture is decoded to at least, if it has them: a few for each row of a
/// strip.
const SIDE: u32 = 400;
/// Time before a picture that could not be fetched is asked for again.
const AGAIN: Duration = Duration::from_secs(600);
/// Failures in a row after which the rest of the day is left for the next time.
const GIVE_UP: usize = 6;
/// The longest time that a picture waits for its strips, and how often it looks for them.
const PATIENCE: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(200);
/// Pictures that wait at the same time.
const WAITING: usize = 8;
/// Days that are filled at the same time; others wait until they are looked at again.
const AT_ONCE: usize = 2;

/// The strips of one day.
#[derive(Default)]
struct KeogramDay {
    strips: BTreeMap<NaiveDateTime, Strip>,
    failed: HashMap<NaiveDateTime, Instant>,
    filling: bool,
}

/// The days that were looked at lately, by the station's id and the first
/// moment.
pub(crate) struct KeogramCache {
    days: Cache<(String, NaiveDateTime), Arc<Mutex<KeogramDay>>>,
    filling: Limiter,
    waiting: Limiter,
}

impl Default for KeogramCache {
    fn default() -> Self {
        Self {
            days: Cache::new(MOST_DAYS),
            filling: Limiter::new(AT_ONCE, 0, Duration::ZERO),
            waiting: Limiter::new(WAITING, 0, Duration::ZERO),
        }
    }
}

/// The strips of a day that are there, and the slots whose strips are still to come.
#[derive(Debug, Default)]
pub(super) struct KnownStrips {
    strips: BTreeMap<NaiveDateTime, Strip>,
    waiting: Vec<NaiveDateTime>,
}

/// Marks a day as being filled until it is dropped.
struct Filling {
    day: Arc<Mutex<KeogramDay>>,
    _permit: Permit,
}

impl Drop for Filling {
    fn drop(&mut self) {
        lock(&self.day).filling = false;
    }
}

fn lock(day: &Mutex<KeogramDay>) -> MutexGuard<'_, KeogramDay> {
    day.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeogramCache {
    fn day(&self, station: &str, from: NaiveDateTime) -> Arc<Mutex<KeogramDay>> {
        let key = (station.to_owned(), from);
        let new = || Ok::<_, Infallible>(Arc::default());
        let Ok(day) = self.days.get_or_insert_with(&key, new);
        day
    }

    /// The strips of the `stored` slots of a day. Those that are not there yet are cut in the
    /// background from now on, one picture at a time.
    pub(super) fn look(
        &self,
        state: &web::Data<WebState>,
        station: &str,
        from: NaiveDateTime,
        stored: &Stored,
    ) -> KnownStrips {
        let known = state.station(station);
        let shared = self.day(station, from);
        let mut day = lock(&shared);
        let late = |slot: &NaiveDateTime| {
            let failed = day.failed.get(slot);
            failed.is_none_or(|failed| Clock::since(*failed) > AGAIN)
        };
        let open = stored.keys().copied().filter(|slot| !day.strips.contains_key(slot));
        // The settings must name the station for its pictures to be found.
        let waiting: Vec<_> = open.filter(|slot| known.is_some() && late(slot)).collect();
        if let Some(known) = known
            && !waiting.is_empty()
            && !day.filling
            && let Some(permit) = self.filling.try_permit()
        {
            day.filling = true;
            let filling = Filling { day: Arc::clone(&shared), _permit: permit };
            let wanted = |slot: &NaiveDateTime| (*slot, stored.get(slot).cloned().flatten());
            let todo = waiting.iter().map(wanted).collect();
            tokio::spawn(fill(state.clone(), filling, known, todo));
        }
        KnownStrips { strips: day.strips.clone(), waiting }
    }
}

/// The pictures take longer than a client should wait.
fn still_coming() -> Problem {
    let text = say!(
        "the pictures are still on their way from the camera; try again in a moment",
        "las imágenes todavía están llegando de la cámara; vuelva a intentarlo en un momento"
    );
    Problem::new(ProblemCode::Busy, text).after(10)
}

impl KeogramCache {
    /// The strips of a day once none is on its way any more.
    ///
    /// # Errors
    /// When that takes too long, or too many wait already: the client is to ask again.
    pub(super) async fn whole(
        &self,
        state: &web::Data<WebState>,
        station: &str,
        from: NaiveDateTime,
        stored: Stored,
    ) -> Result<KnownStrips, Problem> {
        let _permit = self.waiting.try_permit().ok_or_else(Problem::busy)?;
        let strips = async {
            loop {
                let seen = self.look(state, station, from, &stored);
                if seen.waiting.is_empty() {
                    return seen;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, strips).await.map_err(|_| still_coming())
    }
}

async fn fill(
    state: web::Data<WebState>,
    filling: Filling,
    station: Arc<Station>,
    todo: Vec<(NaiveDateTime, Option<String>)>,
) {
    let margins = station.region.margins;
    let (top, bottom) = (margins.top, 1.0 - margins.bottom);
    let mut failures = 0;
    for (local, url) in todo {
        // A camera that fails repeatedly is not asked for the rest either.
        let shot = match failures {
            ..GIVE_UP => picture(&state, &station, local, url.as_deref()).await,
            _ => None,
        };
        let strip = match shot {
            Some(shot) => {
                let limits = state.overlays().limits();
                let cut = move || cut(&shot.bytes, &limits, top, bottom);
                web::block(cut).await.ok().flatten()
            }
            None => None,
        };
        failures = if strip.is_some() { 0 } else { failures + 1 };
        let mut day = lock(&filling.day);
        match strip {
            Some(strip) => {
                day.failed.remove(&local);
                day.strips.insert(local, strip);
            }
            None => {
                day.failed.insert(local, Clock::instant());
            }
        }
    }
}

async fn picture(
    state: &WebState,
    station: &Arc<Station>,
    local: NaiveDateTime,
    url: Option<&str>,
) -> Option<Arc<Shot>> {
    let slot = Slot::at(local, station.zone)?;
    let layout = url.map(|url| layout_of(url, slot));
    state.cameras.shot(station, slot, layout).await.ok()
}

fn cut(bytes: &[u8], limits: &Limits, top: f64, bottom: f64) -> Option<Strip> {
    let picture = decode_small(bytes, limits, SIDE).ok()?;
    let frame = image::RgbImage::from_raw(picture.width, picture.height, picture.rgb)?;
    Strip::cut(&frame, top, bottom)
}

/// The keogram of a day; `data-waiting` says how many strips are still to come.
pub(super) fn draw(order: &Order, from: NaiveDateTime, seen: &KnownStrips) -> String {
    let mut slots = SlotRange::new(from, from + TimeDelta::minutes(24 * 60 - 1))
        .map(|range| order.slots(range))
        .unwrap_or_default();
    slots.retain(|slot| order.first.is_some_and(|first| first <= *slot));
    let keogram = Keogram {
        look: order.look,
        station: &order.place.name,
        from,
        slots: &slots,
        strips: &seen.strips,
        waiting: &seen.waiting,
    };
    let mark = format!("<svg data-waiting=\"{}\" ", seen.waiting.len());
    keogram.svg().replacen("<svg ", &mark, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: u64) -> NaiveDateTime {
        let first = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        first.and_hms_opt(0, 0, 0).unwrap() + chrono::Days::new(n)
    }

    #[test]
    fn the_cache_keeps_a_bounded_number_of_days() {
        let cache = KeogramCache::default();
        let first = cache.day("a", day(0));
        assert!(Arc::ptr_eq(&first, &cache.day("a", day(0))));
        assert!(!Arc::ptr_eq(&first, &cache.day("b", day(0))));
        for n in 0..3 * MOST_DAYS as u64 {
            cache.day("a", day(n));
        }
        assert!((1..=MOST_DAYS).contains(&cache.days.len()));
    }

    #[test]
    fn filling_ends_when_its_mark_is_dropped() {
        let cache = KeogramCache::default();
        let day = cache.day("a", day(0));
        lock(&day).filling = true;
        let filling =
            Filling { day: Arc::clone(&day), _permit: cache.filling.try_permit().unwrap() };
        assert!(lock(&day).filling);
        drop(filling);
        assert!(!lock(&day).filling);
        let permits: Vec<_> = (0..3).filter_map(|_| cache.filling.try_permit()).collect();
        assert_eq!(permits.len(), AT_ONCE);
    }

    #[test]
    fn broken_bytes_give_no_strip() {
        assert_eq!(cut(b"nothing", &Limits::default(), 0.0, 1.0), None);
    }
}
