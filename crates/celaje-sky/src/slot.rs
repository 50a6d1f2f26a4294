//! Slots: the moments, in the station's local time, at which the camera publishes a picture.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset};
use chrono::{TimeDelta, TimeZone, Timelike, Utc};

/// The years that a file name can carry in four digits.
pub const YEARS: std::ops::RangeInclusive<i32> = 1900..=9999;

/// A station's time zone: a name of the IANA database or a fixed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// `America/Argentina/Ushuaia`.
    Named(chrono_tz::Tz),
    /// `-03:00`, `UTC-3`.
    Fixed(FixedOffset),
}

impl Zone {
    /// The instant at which the station's clock shows `local`; none when a daylight-saving change
    /// skips it.
    ///
    /// When the clock is set back and `local` happens twice, this is the second time: the camera's
    /// second picture has replaced the first one of that name.
    pub fn instant(self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        match self {
            Self::Named(tz) => tz.from_local_datetime(&local).latest().map(|t| t.to_utc()),
            Self::Fixed(offset) => offset.from_local_datetime(&local).latest().map(|t| t.to_utc()),
        }
    }

    /// The first time between two instants that the clock is set back: what it would show then, and
    /// by how much less it shows.
    pub fn set_back(
        self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Option<(NaiveDateTime, TimeDelta)> {
        // Clocks are set at a half hour of UTC at the earliest.
        let step = TimeDelta::minutes(30);
        let begin = from.timestamp().div_euclid(step.num_seconds()) * step.num_seconds();
        let mut at = DateTime::from_timestamp(begin, 0)?;
        while at <= to {
            let then = at.checked_add_signed(step)?;
            let (expected, shown) = (self.local(at) + step, self.local(then));
            if shown < expected && then <= to {
                return Some((expected, expected - shown));
            }
            at = then;
        }
        None
    }

    /// What the station's clock shows at `instant`.
    pub fn local(self, instant: DateTime<Utc>) -> NaiveDateTime {
        let offset = match self {
            Self::Named(tz) => tz.offset_from_utc_datetime(&instant.naive_utc()).fix(),
            Self::Fixed(offset) => offset,
        };
        instant.naive_utc() + offset
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(tz) => f.write_str(tz.name()),
            Self::Fixed(offset) => write!(f, "{offset}"),
        }
    }
}

/// A time zone that is neither an IANA name nor an offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither an IANA time zone name nor an offset such as -03:00")]
pub struct UnknownZone(pub String);

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(tz) = text.parse::<chrono_tz::Tz>() {
            return Ok(Self::Named(tz));
        }
        parse_offset(text).map(Self::Fixed).ok_or_else(|| UnknownZone(text.to_owned()))
    }
}

/// Reads `+HH:MM`, `-H`, `UTC-3`, `GMT+5:30`, `Z`.
fn parse_offset(text: &str) -> Option<FixedOffset> {
    let rest = text.strip_prefix("UTC").or_else(|| text.strip_prefix("GMT")).unwrap_or(text);
    if rest.is_empty() || rest == "Z" {
        return (!text.is_empty()).then_some(()).and_then(|()| FixedOffset::east_opt(0));
    }
    // People copy the minus sign U+2212 from web pages.
    let (sign, digits) = if let Some(d) = rest.strip_prefix('+') {
        (1, d)
    } else {
        (-1, rest.strip_prefix('-').or_else(|| rest.strip_prefix('\u{2212}'))?)
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((h, m)) => (h, m),
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let number = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<i32>().ok())?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 14 && minutes < 60)
        .then(|| FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60)))?
}

/// Longer than any jump of a civil clock: what lies so far before an instant by the station's
/// clock lies before it in UTC too.
pub(crate) const CLOCK_JUMP: TimeDelta = TimeDelta::hours(26);

/// One picture's moment.
///
/// Ordered by local time, which is the order of the file names.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Slot {
    local: NaiveDateTime,
    utc: DateTime<Utc>,
}

impl Slot {
    /// The slot at `local` (to the second); none when the station's clock never shows that time, or
    /// its year has not four digits.
    pub fn at(local: NaiveDateTime, zone: Zone) -> Option<Self> {
        let local = local.with_nanosecond(0)?;
        if !YEARS.contains(&local.year()) {
            return None;
        }
        Some(Self { local, utc: zone.instant(local)? })
    }

    /// Station local time.
    pub const fn local(self) -> NaiveDateTime {
        self.local
    }

    /// The same instant in UTC.
    pub const fn utc(self) -> DateTime<Utc> {
        self.utc
    }

    /// The slot at an earlier `minute` of the same hour; none when it is not earlier.
    pub fn earlier_in_hour(self, minute: u32) -> Option<Self> {
        let back = self.local.minute().checked_sub(minute).filter(|m| *m > 0)?;
        let back = chrono::Duration::minutes(i64::from(back));
        Some(Self { local: self.local - back, utc: self.utc - back })
    }

    /// The year that the file name and the folder carry.
    pub fn year(self) -> i32 {
        self.local.year()
    }

    /// The slot's file name, `<YYYY>-<MMDDHHmm>.jpg`; with the seconds behind the minute where the
    /// slot is not a whole minute.
    pub fn file_name(self) -> String {
        let form = if self.local.second() == 0 { "%Y-%m%d%H%M.jpg" } else { "%Y-%m%d%H%M%S.jpg" };
        self.local.format(form).to_string()
    }

    /// The local time that a file name stands for; none when it is no picture's name.
    pub fn parse_file_name(name: &str) -> Option<NaiveDateTime> {
        let stem = name.strip_suffix(".jpg")?;
        let digits = stem.as_bytes();
        let shape = digits.len() == 13
            && digits.iter().enumerate().all(
                |(i, b)| {
                    if i == 4 { *b == b'-' } else { b.is_ascii_digit() }
                },
            );
        if !shape {
            return None;
        }
        let part = |from: usize, to: usize| stem.get(from..to)?.parse::<u32>().ok();
        let year = i32::try_from(part(0, 4)?).ok().filter(|y| YEARS.contains(y))?;
        NaiveDate::from_ymd_opt(year, part(5, 7)?, part(7, 9)?)?.and_hms_opt(
            part(9, 11)?,
            part(11, 13)?,
            0,
        )
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.local.format(form_of(self.local)))
    }
}

/// The form in which a local time is written: to the minute, to the second where it is no whole
/// minute. Both forms sort as the times do.
pub fn form_of(local: NaiveDateTime) -> &'static str {
    if local.second() == 0 { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:%M:%S" }
}

/// Shortest time between two slots, in seconds.
const SHORTEST: u32 = 15;
/// Seconds of an hour.
const HOUR: u32 = 3600;

/// The moments of an hour at which there is a picture: not empty, ascending.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "Vec<u32>")]
pub struct SlotGrid {
    /// The minutes, each below 60.
    minutes: Vec<u32>,
    /// The moments in seconds, each below 3600.
    seconds: Vec<u32>,
}

impl SlotGrid {
    /// Sorts and checks `minutes`.
    ///
    /// # Errors
    /// When there is none, or one is 60 or more.
    pub fn new(mut minutes: Vec<u32>) -> Result<Self, BadMinutes> {
        minutes.sort_unstable();
        minutes.dedup();
        if minutes.is_empty() || minutes.iter().any(|m| *m >= 60) {
            return Err(BadMinutes(minutes));
        }
        let seconds = minutes.iter().map(|minute| minute * 60).collect();
        Ok(Self { minutes, seconds })
    }

    /// A picture every so many `seconds`, from the start of the hour.
    ///
    /// # Errors
    /// When that is less than 15 s, or does not divide an hour.
    pub fn every(seconds: u32) -> Result<Self, BadPeriod> {
        if !(SHORTEST..=HOUR).contains(&seconds) || !HOUR.is_multiple_of(seconds) {
            return Err(BadPeriod(seconds));
        }
        let seconds: Vec<u32> = (0..HOUR / seconds).map(|n| n * seconds).collect();
        let mut minutes: Vec<u32> = seconds.iter().map(|second| second / 60).collect();
        minutes.dedup();
        Ok(Self { minutes, seconds })
    }

    /// The minutes in which there is a picture, ascending.
    pub fn as_slice(&self) -> &[u32] {
        &self.minutes
    }

    /// The moments, in seconds from the start of the hour, ascending.
    pub fn seconds(&self) -> &[u32] {
        &self.seconds
    }

    /// The shortest time between two of them.
    pub fn shortest(&self) -> TimeDelta {
        let next = self.seconds.iter().skip(1).copied();
        let next = next.chain(self.seconds.first().map(|first| first + HOUR));
        let steps = self.seconds.iter().zip(next).map(|(one, next)| next - one);
        TimeDelta::seconds(i64::from(steps.min().unwrap_or(HOUR)))
    }

    /// The longest time between two of them.
    pub fn longest_gap(&self) -> TimeDelta {
        let next = self.seconds.iter().skip(1).copied();
        let next = next.chain(self.seconds.first().map(|first| first + HOUR));
        let steps = self.seconds.iter().zip(next).map(|(one, next)| next - one);
        TimeDelta::seconds(i64::from(steps.max().unwrap_or(HOUR)))
    }

    /// Whether there is a picture at `local`.
    pub fn contains(&self, local: NaiveDateTime) -> bool {
        let second = local.minute() * 60 + local.second();
        self.seconds.binary_search(&second).is_ok()
    }

    /// Half of the time from `local`, one of the moments, to the one before and to the one after.
    fn halves(&self, local: NaiveDateTime) -> (TimeDelta, TimeDelta) {
        let second = local.minute() * 60 + local.second();
        let at = self.seconds.partition_point(|known| *known < second);
        let n = self.seconds.len();
        let before = if at == 0 { self.seconds[n - 1] } else { self.seconds[at - 1] + HOUR };
        let next = (at + 1).min(n);
        let after = if next == n { self.seconds[0] + HOUR } else { self.seconds[next] };
        let half = |seconds: u32| TimeDelta::milliseconds(i64::from(seconds) * 500);
        (half(second + HOUR - before), half(after - second))
    }

    /// The instants whose pictures are those of `slot`: nearer to it than to another one, and no
    /// further from it than `tolerance`, both ends included. One in the middle between two slots
    /// belongs to the earlier one.
    pub fn window(&self, slot: Slot, tolerance: TimeDelta) -> SlotWindow {
        let (before, after) = self.halves(slot.local);
        // Just behind the middle, to the millisecond.
        let from = (slot.utc - before + TimeDelta::milliseconds(1)).max(slot.utc - tolerance);
        SlotWindow { slot, from, to: (slot.utc + after).min(slot.utc + tolerance) }
    }
}

/// The instants whose pictures are a slot's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotWindow {
    slot: Slot,
    /// The first.
    pub from: DateTime<Utc>,
    /// The last.
    pub to: DateTime<Utc>,
}

impl SlotWindow {
    /// Whether a picture of this instant is the slot's.
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        (self.from..=self.to).contains(&instant)
    }

    /// How far from the slot it is.
    pub fn distance(&self, instant: DateTime<Utc>) -> TimeDelta {
        (instant - self.slot.utc).abs()
    }

    /// Whether the picture of `taken` may count as the slot's nearest at `now`: one that is not
    /// there yet would be further from the slot.
    pub fn is_settled(&self, taken: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let until = self.slot.utc + self.distance(taken);
        now >= until.min(self.to)
    }

    /// The nearest of the `pictures` that are the slot's, the earlier of two at one distance.
    pub fn nearest<T>(
        &self,
        pictures: impl IntoIterator<Item = (DateTime<Utc>, T)>,
    ) -> Option<(DateTime<Utc>, T)> {
        let own = pictures.into_iter().filter(|(instant, _)| self.contains(*instant));
        own.min_by_key(|(instant, _)| (self.distance(*instant), *instant))
    }
}

impl Default for SlotGrid {
    /// 2, 12, 22, 32, 42, 52: the first station's.
    fn default() -> Self {
        let minutes = vec![2, 12, 22, 32, 42, 52];
        let seconds = minutes.iter().map(|minute| minute * 60).collect();
        Self { minutes, seconds }
    }
}

impl TryFrom<Vec<u32>> for SlotGrid {
    type Error = BadMinutes;

    fn try_from(minutes: Vec<u32>) -> Result<Self, BadMinutes> {
        Self::new(minutes)
    }
}

/// A list of minutes that is empty or names one past 59.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("valid minutes must be one or more numbers from 0 to 59, not {0:?}")]
pub struct BadMinutes(Vec<u32>);

/// A number of seconds that is less than 15 or does not divide an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} s is less than 15 s, or does not divide an hour")]
pub struct BadPeriod(u32);

/// A range of local time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRange {
    from: NaiveDateTime,
    /// The last second.
    end: NaiveDateTime,
}

/// A range that ends before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range ends ({to}) before it begins ({from})")]
pub struct BackwardRange {
    /// First minute asked for.
    pub from: NaiveDateTime,
    /// Last minute asked for.
    pub to: NaiveDateTime,
}

impl SlotRange {
    /// The range `from..=to` of whole minutes; seconds are dropped.
    ///
    /// # Errors
    /// When `to` lies before `from`.
    pub fn new(from: NaiveDateTime, to: NaiveDateTime) -> Result<Self, BackwardRange> {
        let (from, to) = (to_minute(from), to_minute(to));
        Self::exact(from, to + LAST_SECOND).map_err(|_| BackwardRange { from, to })
    }

    /// The range `from..=to`, to the second.
    ///
    /// # Errors
    /// When `to` lies before `from`.
    pub fn exact(from: NaiveDateTime, to: NaiveDateTime) -> Result<Self, BackwardRange> {
        let whole = |t: NaiveDateTime| t.with_nanosecond(0).unwrap_or(t);
        let (from, end) = (whole(from), whole(to));
        if end < from {
            return Err(BackwardRange { from, to: end });
        }
        Ok(Self { from, end })
    }

    /// The one slot.
    pub const fn of(slot: Slot) -> Self {
        Self { from: slot.local, end: slot.local }
    }

    /// First moment of the range.
    pub const fn from(self) -> NaiveDateTime {
        self.from
    }

    /// Last minute of the range; the last second where it ends within a minute.
    pub fn to(self) -> NaiveDateTime {
        // No slot is at the last second of a minute, so that one stands for the whole of it.
        if self.end.second() == 59 { to_minute(self.end) } else { self.end }
    }

    /// Last second of the range.
    pub const fn end(self) -> NaiveDateTime {
        self.end
    }

    /// The range from `slot` on; none when it ends before.
    pub fn from_slot(self, slot: Slot) -> Option<Self> {
        (slot.local <= self.end).then_some(Self { from: slot.local, ..self })
    }

    /// The range up to `slot`; none when it begins after.
    pub fn to_slot(self, slot: Slot) -> Option<Self> {
        (self.from <= slot.local).then_some(Self { end: slot.local, ..self })
    }

    /// What is left of the range after `slot`.
    pub fn after(self, slot: Slot) -> Option<Self> {
        let from = slot.local.checked_add_signed(TimeDelta::seconds(1))?;
        (from <= self.end).then_some(Self { from, ..self })
    }

    /// The part of the range whose slots are not later than `instant`: the range itself when all
    /// are, none when no slot is.
    pub fn until(self, instant: DateTime<Utc>, minutes: &SlotGrid, zone: Zone) -> Option<Self> {
        let sure = zone.local(instant) - CLOCK_JUMP;
        if self.end < sure {
            return Some(self);
        }
        let mut last = None;
        for slot in (Self { from: self.from.max(sure), ..self }).slots(minutes, zone) {
            if slot.utc() > instant {
                return last.and_then(|last| self.to_slot(last));
            }
            last = Some(slot);
        }
        Some(self)
    }

    /// The slots of the range in ascending order, made one at a time.
    pub fn slots(self, minutes: &SlotGrid, zone: Zone) -> Slots {
        Slots {
            range: self,
            minutes: minutes.clone(),
            zone,
            day: Some(self.from.date()),
            hour: self.from.hour(),
            next: 0,
            among: None,
        }
    }
}

/// From the start of a minute to its last second.
const LAST_SECOND: TimeDelta = TimeDelta::seconds(59);

fn to_minute(t: NaiveDateTime) -> NaiveDateTime {
    t.with_second(0).and_then(|t| t.with_nanosecond(0)).unwrap_or(t)
}

/// Iterator over the slots of a range; holds no list.
#[derive(Clone, Debug)]
pub struct Slots {
    range: SlotRange,
    minutes: SlotGrid,
    zone: Zone,
    day: Option<NaiveDate>,
    hour: u32,
    /// Which of the moments of the hour.
    next: usize,
    /// Local times, ascending; all where there is none.
    among: Option<Arc<[NaiveDateTime]>>,
}

impl Slots {
    /// Those of the slots whose local time is one of `times`, which ascend.
    #[must_use]
    pub fn among(self, times: Arc<[NaiveDateTime]>) -> Self {
        Self { among: Some(times), ..self }
    }

    /// Whether `local` is asked for; if not, goes on to the day of the next one that is.
    fn is_asked(&mut self, local: NaiveDateTime) -> bool {
        let Some(times) = &self.among else { return true };
        let next = times.get(times.partition_point(|time| *time < local)).copied();
        let next_day = next.map(|time| time.date());
        if next_day != Some(local.date()) {
            (self.day, self.hour, self.next) = (next_day, 0, 0);
        }
        next == Some(local)
    }

    /// The next moment of the grid, in the range or not.
    fn step(&mut self) -> Option<NaiveDateTime> {
        let day = self.day?;
        let second = *self.minutes.seconds.get(self.next)?;
        let time = NaiveTime::from_hms_opt(self.hour, second / 60, second % 60)?;
        self.next += 1;
        if self.next == self.minutes.seconds.len() {
            self.next = 0;
            self.hour += 1;
            if self.hour == 24 {
                self.hour = 0;
                self.day = day.checked_add_days(Days::new(1));
            }
        }
        Some(day.and_time(time))
    }
}

impl Iterator for Slots {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        loop {
            let local = self.step()?;
            if local > self.range.end {
                self.day = None;
                return None;
            }
            if local < self.range.from || !self.is_asked(local) {
                continue;
            }
            if let Some(slot) = Slot::at(local, self.zone) {
                return Some(slot);
            }
        }
    }
}

#[cfg(test)]
mod tests;
