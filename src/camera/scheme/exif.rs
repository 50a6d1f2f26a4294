//! When a picture was taken, as its camera wrote it into the file.

use std::io::Cursor;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use exif::{In, Reader, Tag, Value};

/// The moment of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExifTime {
    /// With its offset from UTC.
    Instant(DateTime<Utc>),
    /// What the camera's clock showed.
    Clock(NaiveDateTime),
}

/// `DateTimeOriginal`, or else `DateTime`; none when the picture says nothing of it, or something
/// that is no time.
pub fn taken_at(bytes: &[u8]) -> Option<ExifTime> {
    let exif = Reader::new().read_from_container(&mut Cursor::new(bytes)).ok()?;
    let text = |tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(lines) => String::from_utf8(lines.first()?.clone()).ok(),
        _ => None,
    };
    let time = text(Tag::DateTimeOriginal).or_else(|| text(Tag::DateTime))?;
    let time = NaiveDateTime::parse_from_str(time.trim(), "%Y:%m:%d %H:%M:%S").ok()?;
    let offset = text(Tag::OffsetTimeOriginal).or_else(|| text(Tag::OffsetTime));
    let offset = offset.and_then(|offset| offset.trim().parse::<FixedOffset>().ok());
    Some(match offset.and_then(|offset| time.and_local_timezone(offset).single()) {
        Some(instant) => ExifTime::Instant(instant.to_utc()),
        None => ExifTime::Clock(time),
    })
}
