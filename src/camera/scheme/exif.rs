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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use exif::Field;
    use exif::experimental::Writer;

    /// A JPEG's beginning with these texts in its EXIF.
    fn jpeg(texts: &[(Tag, &str)]) -> Vec<u8> {
        let fields: Vec<_> = texts
            .iter()
            .map(|(tag, text)| {
                let value = Value::Ascii(vec![text.as_bytes().to_vec()]);
                Field { tag: *tag, ifd_num: In::PRIMARY, value }
            })
            .collect();
        let (mut writer, mut tiff) = (Writer::new(), Cursor::new(Vec::new()));
        fields.iter().for_each(|field| writer.push_field(field));
        writer.write(&mut tiff, false).unwrap();
        let tiff = [b"Exif\0\0".to_vec(), tiff.into_inner()].concat();
        let length = u16::try_from(tiff.len() + 2).unwrap().to_be_bytes();
        [&[0xff, 0xd8, 0xff, 0xe1][..], &length, &tiff, &[0xff, 0xd9]].concat()
    }

    #[test]
    fn the_moment_is_that_of_the_shutter_with_its_offset_where_it_has_one() {
        let noon = NaiveDate::from_ymd_opt(2024, 3, 1).unwrap().and_hms_opt(12, 2, 7).unwrap();
        let (shutter, changed) = (Tag::DateTimeOriginal, Tag::DateTime);
        let (original, offset) = (Tag::OffsetTimeOriginal, Tag::OffsetTime);
        let clock = Some(ExifTime::Clock(noon));
        let three_later = Some(ExifTime::Instant((noon + chrono::TimeDelta::hours(3)).and_utc()));
        for (texts, expected) in [
            (&[(shutter, "2024:03:01 12:02:07")][..], clock),
            (&[(changed, "2024:03:01 12:02:07")], clock),
            // A program that draws on the picture writes the second one.
            (&[(shutter, "2024:03:01 12:02:07"), (changed, "2024:03:02 00:00:00")], clock),
            (&[(shutter, "2024:03:01 12:02:07"), (original, "-03:00")], three_later),
            (&[(shutter, "2024:03:01 12:02:07"), (offset, "-03:00")], three_later),
            (&[(shutter, "2024:03:01 12:02:07"), (original, "here")], clock),
            // A camera that was never told the time.
            (&[(shutter, "    :  :     :  :  ")], None),
            (&[(shutter, "0000:00:00 00:00:00")], None),
            (&[(Tag::Model, "Eye")], None),
        ] {
            assert_eq!(taken_at(&jpeg(texts)), expected, "{texts:?}");
        }
    }

    #[test]
    fn what_is_no_exif_says_nothing() {
        let whole = jpeg(&[(Tag::DateTimeOriginal, "2024:03:01 12:02:07")]);
        for end in 0..whole.len() - 2 {
            // A part of it: nothing panics, and nothing else is read from it.
            let told = taken_at(&whole[..end]);
            assert!(told.is_none() || told == taken_at(&whole), "{end}");
        }
        for bytes in [&b""[..], b"\xff\xd8\xff\xd9", b"GIF89a", &[0xff; 64]] {
            assert_eq!(taken_at(bytes), None);
        }
    }
}
