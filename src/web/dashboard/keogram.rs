//! The strips of keograms: cut from the camera's pictures in the background, and kept for a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::web;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use super::gather::Order;
use crate::store::error::StoreError;
use crate::store::reader::{Reader, Wanted};
use crate::store::rows::parse_slot;
use crate::web::WebState;
use crate::web::camera::{Shot, layout_of};
use celaje_chart::keogram::{Keogram, Strip};
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::Station;
use celaje_vision::picture::decode::{Limits, decode};

/// Days that are kept: a strip has 168 bytes, a day of 144 about 24 kB.
const MOST_DAYS: usize = 40;
/// Pictures of a day at most: one a minute.
const MOST_SLOTS: usize = 1440;
/// A picture that could not be had is asked for again after this.
const AGAIN: Duration = Duration::from_secs(600);
/// After so many pictures in a row that could not be had, the rest is left for the next time.
const GIVE_UP: usize = 6;

/// Days that are filled at the same time; others wait until they are looked at again.
const AT_ONCE: usize = 2;

/// The strips of one day.
struct Day {
    station: String,
    day: NaiveDate,
    strips: BTreeMap<NaiveDateTime, Strip>,
    failed: HashMap<NaiveDateTime, Instant>,
    filling: bool,
}

/// The days that were looked at last.
#[derive(Default)]
pub struct Shelf(Mutex<Vec<Day>>);

/// The slots that have a row, and where their pictures were.
pub type Stored = BTreeMap<NaiveDateTime, Option<String>>;

/// What there is of a day.
#[derive(Debug, Default)]
pub struct Seen {
    strips: BTreeMap<NaiveDateTime, Strip>,
    waiting: Vec<NaiveDateTime>,
}

/// Takes the mark off a day that it is being filled, however that ends.
struct Filling {
    shelf: Arc<Shelf>,
    station: String,
    day: NaiveDate,
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.shelf
            .with(&self.station, self.day, |day| day.filling = false);
    }
}

impl Shelf {
    /// Hands the day to `act`; the day that was not asked for longest makes room for a new one.
    fn with<T>(&self, station: &str, date: NaiveDate, act: impl FnOnce(&mut Day) -> T) -> T {
        let mut days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = days
            .iter()
            .position(|day| day.station == station && day.day == date);
        let mut day = match at {
            Some(at) => days.remove(at),
            None => {
                if days.len() >= MOST_DAYS {
                    days.remove(0);
                }
                Day {
                    station: station.to_owned(),
                    day: date,
                    strips: BTreeMap::new(),
                    failed: HashMap::new(),
                    filling: false,
                }
            }
        };
        let answer = act(&mut day);
        days.push(day);
        answer
    }

    fn filled_now(&self) -> usize {
        let days = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        days.iter().filter(|day| day.filling).count()
    }

    /// What there is of the `stored` slots of a day; what is not there yet is asked of the camera
    /// from now on, one picture at a time.
    pub fn look(
        self: &Arc<Self>,
        state: &web::Data<WebState>,
        station: &str,
        date: NaiveDate,
        stored: Stored,
    ) -> Seen {
        let known = state.station(station);
        let free = self.filled_now() < AT_ONCE;
        let (seen, begin) = self.with(station, date, |day| {
            let late = |slot: &NaiveDateTime| {
                day.failed
                    .get(slot)
                    .is_none_or(|failed| failed.elapsed() > AGAIN)
            };
            let open = stored
                .keys()
                .copied()
                .filter(|slot| !day.strips.contains_key(slot));
            // Of a station that the settings do not name no picture can be had.
            let waiting: Vec<_> = open.filter(|slot| known.is_some() && late(slot)).collect();
            let begin = free && !waiting.is_empty() && !day.filling;
            day.filling |= begin;
            (
                Seen {
                    strips: day.strips.clone(),
                    waiting,
                },
                begin,
            )
        });
        if let (true, Some(known)) = (begin, known) {
            let filling = Filling {
                shelf: Arc::clone(self),
                station: station.to_owned(),
                day: date,
            };
            let wanted = |slot: &NaiveDateTime| (*slot, stored.get(slot).cloned().flatten());
            let todo = seen.waiting.iter().map(wanted).collect();
            tokio::spawn(fill(state.clone(), filling, known, todo));
        }
        seen
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
        // A camera that does not answer is not asked for the rest either.
        let shot = match failures {
            ..GIVE_UP => picture(&state, &station, local, url.as_deref()).await,
            _ => None,
        };
        let strip = match shot {
            Some(shot) => web::block(move || cut(&shot.bytes, top, bottom))
                .await
                .ok()
                .flatten(),
            None => None,
        };
        failures = if strip.is_some() { 0 } else { failures + 1 };
        filling
            .shelf
            .with(&filling.station, filling.day, |day| match strip {
                Some(strip) => {
                    day.failed.remove(&local);
                    day.strips.insert(local, strip);
                }
                None => {
                    day.failed.insert(local, Instant::now());
                }
            });
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

fn cut(bytes: &[u8], top: f64, bottom: f64) -> Option<Strip> {
    let picture = decode(bytes, &Limits::default()).ok()?;
    let frame = image::RgbImage::from_raw(picture.width, picture.height, picture.rgb)?;
    Strip::cut(&frame, top, bottom)
}

/// The slots of a day that have a row, and so had a picture.
///
/// # Errors
/// When the record cannot be read.
pub fn stored(reader: &mut Reader, station: &str, day: NaiveDate) -> Result<Stored, StoreError> {
    let from = day.and_time(NaiveTime::MIN);
    let wanted = Wanted {
        station: station.to_owned(),
        from,
        to: from + TimeDelta::minutes(24 * 60 - 1),
        quality: Vec::new(),
        phase: None,
    };
    let mut slots = Stored::new();
    reader.observations(&wanted, MOST_SLOTS, |item| {
        slots.extend(parse_slot(&item.slot).map(|slot| (slot, item.url)))
    })?;
    Ok(slots)
}

/// The keogram of a day; `data-waiting` says how many strips are still to come.
pub fn draw(order: &Order, day: NaiveDate, seen: &Seen) -> String {
    let from = day.and_time(NaiveTime::MIN);
    let slots = SlotRange::new(from, from + TimeDelta::minutes(24 * 60 - 1))
        .map(|range| order.slots(range))
        .unwrap_or_default();
    let keogram = Keogram {
        look: order.look,
        station: &order.place.name,
        day,
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

    fn day(n: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + chrono::Days::new(n)
    }

    #[test]
    fn the_shelf_keeps_the_days_that_were_looked_at_last() {
        let shelf = Shelf::default();
        let slot = day(0).and_time(NaiveTime::MIN);
        for n in 0..MOST_DAYS as u64 {
            shelf.with("a", day(n), |day| day.failed.insert(slot, Instant::now()));
        }
        // The first one is looked at again, then another one comes.
        assert_eq!(shelf.with("a", day(0), |day| day.failed.len()), 1);
        shelf.with("b", day(0), |_| ());
        assert_eq!(shelf.0.lock().unwrap().len(), MOST_DAYS);
        assert_eq!(shelf.with("a", day(0), |day| day.failed.len()), 1);
        assert_eq!(
            shelf.with("a", day(1), |day| day.failed.len()),
            0,
            "it should be gone"
        );
    }

    #[test]
    fn a_day_is_no_longer_filled_when_filling_ends_in_any_way() {
        let shelf = Arc::new(Shelf::default());
        shelf.with("a", day(0), |day| day.filling = true);
        assert_eq!(shelf.filled_now(), 1);
        drop(Filling {
            shelf: Arc::clone(&shelf),
            station: "a".into(),
            day: day(0),
        });
        assert!(!shelf.with("a", day(0), |day| day.filling));
    }

    #[test]
    fn what_is_no_picture_has_no_strip() {
        assert_eq!(cut(b"nothing", 0.0, 1.0), None);
    }
}
