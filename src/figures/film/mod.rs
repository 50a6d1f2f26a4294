//! Films of a night or a day, and the trails of its stars, from the pictures that were kept. Each
//! picture has its okta and its time burnt in.
//!
//! One picture is in memory at a time, however long the film is.

mod ffmpeg;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDateTime;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, RgbImage};
use sha2::{Digest, Sha256};

use crate::camera::kept::KeepPolicy;
use crate::store::error::StoreError;
use crate::store::reader::{Reader, ReadingFilter};
use celaje_chart::caption::Caption;
use celaje_chart::words::{hidden, moment, oktas};
use celaje_sky::cover::Cover;
use celaje_sky::error::{Failure, io_text};
use celaje_sky::say;
use celaje_sky::slot::Slot;
use celaje_sky::station::Station;
use celaje_sky::sun::position;
use celaje_sky::text::Lang;
use celaje_vision::picture::avi::AviWriter;
use celaje_vision::picture::decode::{Limits, decode_small};

pub use ffmpeg::is_there as ffmpeg_is_there;

/// Pictures of a film at most: a day of one every thirty seconds.
pub const MOST: usize = 2880;
/// The width of a film at most.
const WIDEST: u32 = 960;
/// Quality of its pictures, 1 to 100.
const QUALITY: u8 = 85;
/// Pictures count to the trails of stars with the sun lower than this.
const DARK: f64 = -12.0;

/// What a film is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmForm {
    /// Motion JPEG, which the program writes itself.
    Avi,
    /// H.264, by ffmpeg.
    Mp4,
    /// VP9, by ffmpeg.
    WebM,
    /// An animated picture, by ffmpeg.
    WebP,
    /// The brightest of all pictures at each place, as one JPEG.
    Trails,
}

impl FilmForm {
    /// Each by the ending of its files.
    pub const ENDINGS: &[(&'static str, Self)] = &[
        ("avi", Self::Avi),
        ("mp4", Self::Mp4),
        ("webm", Self::WebM),
        ("webp", Self::WebP),
        ("jpg", Self::Trails),
    ];

    pub const fn needs_ffmpeg(self) -> bool {
        matches!(self, Self::Mp4 | Self::WebM | Self::WebP)
    }
}

/// The pictures of a station that a film is made of.
#[derive(Clone, Debug)]
pub struct FilmWanted {
    pub station: Arc<Station>,
    /// Where copies are.
    pub policy: KeepPolicy,
    /// First and last minute, station local time.
    pub range: (NaiveDateTime, NaiveDateTime),
    /// Pictures a second.
    pub rate: u32,
    pub limits: Limits,
    pub lang: Lang,
}

/// Why there is no film.
#[derive(Debug, thiserror::Error)]
pub enum FilmFault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// No picture of the range was kept, or none that is dark enough for trails.
    #[error("no picture was kept")]
    NoPictures,
    #[error("more than {MOST} pictures")]
    TooLong,
    #[error("ffmpeg is not here")]
    NoFfmpeg,
    /// ffmpeg failed, with what it said.
    #[error("ffmpeg failed: {0}")]
    Ffmpeg(String),
}

impl From<FilmFault> for Failure {
    fn from(fault: FilmFault) -> Self {
        Self::environment(match fault {
            FilmFault::Store(error) => return error.into(),
            FilmFault::File(error) => say!(
                "the film cannot be written: {error}",
                "no se puede escribir la película: {error}",
                error = io_text(&error),
            ),
            FilmFault::NoPictures => {
                return Self::usage(say!(
                    "no picture of this range was kept; with `keep` in the settings `celaje serve` \
                     keeps those to come",
                    "no se guardó ninguna imagen de este intervalo; con `keep` en los ajustes \
                     `celaje serve` guarda las que vengan"
                ));
            }
            FilmFault::TooLong => {
                return Self::usage(say!(
                    "the range has more than {MOST} readings, which is too long for a film; choose \
                     a shorter one",
                    "el intervalo tiene más de {MOST} lecturas, demasiadas para una película; \
                     elija uno más corto"
                ));
            }
            FilmFault::NoFfmpeg => say!(
                "ffmpeg is not installed, and this form needs it; install ffmpeg, or write .avi",
                "ffmpeg no está instalado, y este formato lo necesita; instale ffmpeg, o escriba \
                 .avi"
            ),
            FilmFault::Ffmpeg(why) => say!("ffmpeg failed: {why}", "ffmpeg falló: {why}"),
        })
    }
}

/// A film's slots: those that have a reading.
pub struct Film {
    wanted: FilmWanted,
    slots: Vec<(Slot, Cover)>,
}

/// A picture that was decoded.
struct FilmFrame {
    picture: RgbImage,
    text: String,
    /// Of one moment.
    cover: Option<Cover>,
}

impl Film {
    /// Reads which slots there are. The pictures are read later, without a connection.
    pub fn read(reader: &mut Reader, wanted: FilmWanted) -> Result<Self, FilmFault> {
        let filter = ReadingFilter::all(&wanted.station.id, wanted.range);
        let mut slots = Vec::new();
        reader.observations(&filter, MOST + 1, |item| {
            let slot = item.time().and_then(|local| Slot::at(local, wanted.station.zone));
            slots.extend(slot.zip(item.cover()));
        })?;
        if slots.len() > MOST {
            return Err(FilmFault::TooLong);
        }
        Ok(Self { wanted, slots })
    }

    /// First and last minute.
    pub fn range(&self) -> (NaiveDateTime, NaiveDateTime) {
        self.wanted.range
    }

    /// How many of its pictures were kept.
    pub fn kept(&self) -> usize {
        let FilmWanted { policy, station, .. } = &self.wanted;
        self.slots.iter().filter(|(slot, _)| policy.has(&station.id, *slot)).count()
    }

    /// Whether a picture of a dark sky was kept: trails of stars are in no other.
    pub fn has_stars(&self) -> bool {
        self.night().kept() > 0
    }

    /// The same for films of the same pictures and the same form.
    pub fn digest(&self, form: FilmForm) -> [u8; 32] {
        let FilmWanted { station, policy, range, rate, lang, .. } = &self.wanted;
        let has = |(slot, _): &&(Slot, Cover)| policy.has(&station.id, *slot);
        let kept: Vec<_> = self.slots.iter().filter(has).collect();
        let place = (&station.id, &station.name, station.latitude, station.longitude);
        Sha256::digest(format!("{:?}", (place, range, rate, lang, form, kept))).into()
    }

    /// Makes the film at `path`, a file of the program's own, and says how many pictures it has.
    pub fn write(&self, form: FilmForm, path: &Path) -> Result<usize, FilmFault> {
        if form == FilmForm::Trails {
            return self.trails(path);
        }
        let mut frames = self.frames().peekable();
        let size = frames.peek().ok_or(FilmFault::NoPictures)?.picture.dimensions();
        match form {
            FilmForm::Avi => {
                let file = BufWriter::new(File::create(path)?);
                let mut film = AviWriter::new(file, size, self.wanted.rate)?;
                let count = each(frames, size, |jpeg| Ok(film.add(jpeg)?))?;
                film.finish()?;
                Ok(count)
            }
            _ => {
                let mut ffmpeg = ffmpeg::Ffmpeg::start(form, self.wanted.rate, path)?;
                let fed = each(frames, size, |jpeg| ffmpeg.add(jpeg));
                ffmpeg.finish(fed)
            }
        }
    }

    /// The pictures that were kept and can be decoded.
    fn frames(&self) -> impl Iterator<Item = FilmFrame> + '_ {
        let FilmWanted { policy, station, limits, lang, .. } = &self.wanted;
        self.slots.iter().filter_map(move |(slot, cover)| {
            let bytes = policy.read(&station.id, *slot)?;
            let decoded = decode_small(&bytes, limits, WIDEST).ok()?;
            let picture = RgbImage::from_raw(decoded.width, decoded.height, decoded.rgb)?;
            let (width, height) = picture.dimensions();
            let narrow = width.min(WIDEST);
            let tall = u64::from(height) * u64::from(narrow) / u64::from(width.max(1));
            // Films have even sides.
            let even = |side: u32| (side & !1).max(2);
            let size = (even(narrow), even(u32::try_from(tall).ok()?));
            let amount = match cover.okta() {
                Some(okta) => oktas(*lang, okta),
                None => hidden(*lang),
            };
            let text = format!("{amount} · {} · {}", moment(*lang, slot.local()), station.name);
            Some(FilmFrame { picture: fitted(picture, size), text, cover: Some(*cover) })
        })
    }

    /// The same without the slots at which the sky is not dark.
    fn night(&self) -> Self {
        let station = &self.wanted.station;
        let (latitude, longitude) = (station.latitude, station.longitude);
        let is_dark = |slot: &Slot| position(slot.utc(), latitude, longitude).elevation < DARK;
        let slots = self.slots.iter().filter(|(slot, _)| is_dark(slot)).copied().collect();
        Self { wanted: self.wanted.clone(), slots }
    }

    /// The brightest of the dark pictures at each place.
    fn trails(&self, path: &Path) -> Result<usize, FilmFault> {
        let FilmWanted { station, range: (first, last), lang, .. } = &self.wanted;
        let night = self.night();
        let mut frames = night.frames();
        let Some(mut brightest) = frames.next().map(|frame| frame.picture) else {
            return Err(FilmFault::NoPictures);
        };
        let mut count = 1;
        for frame in frames {
            let picture = fitted(frame.picture, brightest.dimensions());
            for (most, value) in brightest.iter_mut().zip(picture.iter()) {
                *most = (*most).max(*value);
            }
            count += 1;
        }
        let (first, last) = (moment(*lang, *first), moment(*lang, *last));
        let text = format!("{} · {first} – {last}", station.name);
        let jpeg = burnt(FilmFrame { picture: brightest, text, cover: None })?;
        File::create(path)?.write_all(&jpeg)?;
        Ok(count)
    }
}

/// The picture in this size.
fn fitted(picture: RgbImage, size: (u32, u32)) -> RgbImage {
    match picture.dimensions() == size {
        true => picture,
        false => resize(&picture, size.0, size.1, FilterType::Triangle),
    }
}

/// Burns the caption into each frame and hands it on as a JPEG of `size`.
fn each(
    frames: impl Iterator<Item = FilmFrame>,
    size: (u32, u32),
    mut take: impl FnMut(&[u8]) -> Result<(), FilmFault>,
) -> Result<usize, FilmFault> {
    let mut count = 0;
    for frame in frames {
        let picture = fitted(frame.picture, size);
        take(&burnt(FilmFrame { picture, ..frame })?)?;
        count += 1;
    }
    Ok(count)
}

/// The frame with its caption, as a JPEG.
fn burnt(frame: FilmFrame) -> Result<Vec<u8>, FilmFault> {
    let (width, height) = frame.picture.dimensions();
    let mut rgb = frame.picture.into_raw();
    let caption = Caption::new(&frame.text, frame.cover, width).map_err(std::io::Error::other)?;
    caption.burn(&mut rgb, width);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode(&rgb, width, height, ExtendedColorType::Rgb8)
        .map_err(std::io::Error::other)?;
    Ok(jpeg)
}
