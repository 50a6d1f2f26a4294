//! The structure of a JPEG or PNG file, examined before anything of it is decoded.
//!
//! Decoders show as much of a damaged file as they can; a record of the sky needs the opposite. The
//! walk finds the picture's size before a buffer is allocated, and tells a file that ends too early
//! from a damaged one. Sources: ITU-T T.81, annex B (JPEG); W3C, Portable Network Graphics (PNG),
//! section 5.

use crate::picture::error::PictureError;
use crate::picture::huffman::STANDARD_TABLES;

/// A kind of picture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Jpeg,
    Png,
}

const JPEG_SIGNATURE: &[u8] = &[0xFF, 0xD8, 0xFF];
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Bytes that an error quotes of a file of an unknown kind.
const QUOTED: usize = 4;

impl Container {
    /// The kind of file by its first bytes.
    pub(super) fn identify(bytes: &[u8]) -> Result<Self, PictureError> {
        if bytes.is_empty() {
            return Err(PictureError::Empty);
        }
        for (signature, container) in [(JPEG_SIGNATURE, Self::Jpeg), (PNG_SIGNATURE, Self::Png)] {
            if bytes.starts_with(signature) {
                return Ok(container);
            }
            if signature.starts_with(bytes) {
                let length = bytes.len();
                return Err(PictureError::Truncated(format!("it ends after {length} bytes")));
            }
        }
        Err(PictureError::NotAnImage(describe_foreign(bytes)))
    }

    /// Reads the structure of the whole file.
    pub(super) fn walk(self, bytes: &[u8]) -> Result<ContainerInfo, PictureError> {
        let info = match self {
            Self::Jpeg => walk_jpeg(bytes)?,
            Self::Png => walk_png(bytes)?,
        };
        let ContainerInfo { width, height, .. } = info;
        if width == 0 || height == 0 {
            return Err(corrupt(&format!("its size is {width}×{height} pixels")));
        }
        Ok(info)
    }
}

/// The structure of a picture file.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContainerInfo {
    /// Pixels.
    pub(super) width: u32,
    /// Pixels.
    pub(super) height: u32,
    /// Whether the file is a progressive JPEG.
    pub(super) progressive: bool,
    /// Bytes before the end marker.
    pub(super) end: usize,
    /// Bytes of compressed picture.
    pub(super) data: u64,
    /// The DNL segment of a JPEG that has one.
    dnl: Option<DnlSegment>,
    /// Whether a sequential JPEG leaves out Huffman tables that it uses.
    without_tables: bool,
}

/// A segment behind a JPEG's first scan that defines the number of lines (T.81, B.2.5). The frame
/// header then says 0 or a number that no longer holds.
#[derive(Clone, Copy, Debug)]
struct DnlSegment {
    /// Offset of the height in the frame header.
    height_at: usize,
    /// Offset of the DNL marker.
    start: usize,
    /// Offset behind the segment.
    end: usize,
}

impl ContainerInfo {
    /// The file as decoders expect it: with the height in its frame header and with Huffman tables.
    /// None if it is so already.
    pub(super) fn completed(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut whole = None;
        if let Some(DnlSegment { height_at, start, end }) = self.dnl {
            let height = u16::try_from(self.height).ok()?;
            let mut file = [bytes.get(..start)?, bytes.get(end..)?].concat();
            file.get_mut(height_at..height_at + 2)?.copy_from_slice(&height.to_be_bytes());
            whole = Some(file);
        }
        if self.without_tables {
            let (start, rest) = whole.as_deref().unwrap_or(bytes).split_at_checked(2)?;
            whole = Some([start, &STANDARD_TABLES, rest].concat());
        }
        whole
    }
}

/// What bytes that are neither a JPEG nor a PNG look like.
fn describe_foreign(bytes: &[u8]) -> String {
    let start = bytes.trim_ascii_start();
    let known: [(&[u8], &str); 5] = [
        (b"<", "a page of HTML or XML"),
        (b"{", "a JSON text"),
        (b"GIF8", "a GIF"),
        (b"RIFF", "a WebP or another RIFF file"),
        (b"BM", "a Windows bitmap"),
    ];
    if let Some((_, what)) = known.iter().find(|(sign, _)| start.starts_with(sign)) {
        return (*what).to_owned();
    }
    let hex: Vec<String> = bytes.iter().take(QUOTED).map(|b| format!("{b:02x}")).collect();
    format!("the first bytes are {}", hex.join(" "))
}

fn truncated(at: &str, total: usize) -> PictureError {
    PictureError::Truncated(format!("the file ends after {total} bytes, in {at}"))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The marker code at or after `at`, and the offset behind it. Fill bytes and stray bytes are
/// passed over.
fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.iter().position(|&b| b == 0xFF)?;
        while *bytes.get(at)? == 0xFF {
            at += 1;
        }
        let code = bytes[at];
        at += 1;
        if code != 0x00 {
            return Some((code, at));
        }
    }
}

/// Passes over the entropy-coded data at `at`. Gives the marker that ends it and the offset behind
/// that marker.
fn end_of_scan(bytes: &[u8], mut at: usize) -> Result<(u8, usize), PictureError> {
    let mut restart = 0xD0;
    loop {
        let (code, next) =
            next_marker(bytes, at).ok_or_else(|| truncated("the picture's data", bytes.len()))?;
        if !(0xD0..=0xD7).contains(&code) {
            return Ok((code, next));
        }
        // Restarts count from 0 to 7 and begin again; a number left out means lost data.
        if code != restart {
            return Err(corrupt("a piece is missing between restarts"));
        }
        restart = if code == 0xD7 { 0xD0 } else { code + 1 };
        at = next;
    }
}

/// What a walk through a JPEG has found so far.
#[derive(Default)]
struct JpegWalk {
    /// Code of the frame header's marker, and offset of the height in it.
    frame: Option<(u8, usize)>,
    width: u32,
    height: u32,
    dnl: Option<DnlSegment>,
    /// The Huffman tables that are defined: a bit for each class and number.
    tables: u8,
    /// Whether a scan uses another one.
    lacks_tables: bool,
}

/// The bit of a Huffman table: of class 0 (DC) or 1 (AC), and of number 0 to 3.
const fn table_bit(class: u8, number: u8) -> u8 {
    1 << ((class & 1) << 2 | (number & 3))
}

/// The tables that a DHT segment defines (T.81, B.2.4.2).
fn defined_tables(segment: &[u8]) -> u8 {
    let (mut tables, mut at) = (0, 2);
    while let Some(codes) = segment.get(at + 1..at + 17) {
        tables |= table_bit(segment[at] >> 4, segment[at]);
        at += 17 + codes.iter().map(|&n| usize::from(n)).sum::<usize>();
    }
    tables
}

/// The tables that a scan of a sequential picture uses (T.81, B.2.3).
fn used_tables(segment: &[u8]) -> u8 {
    let components = segment.get(2).map_or(0, |&n| usize::from(n));
    let numbers = segment.iter().skip(4).step_by(2).take(components);
    numbers.fold(0, |tables, &one| tables | table_bit(0, one >> 4) | table_bit(1, one))
}

impl JpegWalk {
    /// Takes note of a segment; `start` is the offset of its length.
    fn note(&mut self, code: u8, start: usize, segment: &[u8]) -> Result<(), PictureError> {
        match code {
            0xC4 => self.tables |= defined_tables(segment),
            0xDA => self.lacks_tables |= used_tables(segment) & !self.tables != 0,
            0xC8 | 0xCC => {}
            0xC0..=0xCF => {
                let size = u16_at(segment, 5).zip(u16_at(segment, 3));
                let (width, height) =
                    size.ok_or_else(|| corrupt("the frame header has no size"))?;
                (self.width, self.height) = (u32::from(width), u32::from(height));
                self.frame = Some((code, start + 3));
            }
            0xDC => {
                if let (Some((_, height_at)), Some(lines)) = (self.frame, u16_at(segment, 2)) {
                    self.height = u32::from(lines);
                    let (start, end) = (start - 2, start + segment.len());
                    self.dnl = Some(DnlSegment { height_at, start, end });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, end: usize, data: u64) -> Result<ContainerInfo, PictureError> {
        let Self { frame, width, height, dnl, lacks_tables, .. } = self;
        let (code, _) = frame.ok_or_else(|| corrupt("it has no frame header"))?;
        // Baseline and extended sequential frames; T.81 has standard tables for no other kind.
        let without_tables = lacks_tables && matches!(code, 0xC0 | 0xC1);
        let progressive = code == 0xC2;
        Ok(ContainerInfo { width, height, progressive, end, data, dnl, without_tables })
    }
}

fn corrupt(what: &str) -> PictureError {
    PictureError::Corrupt(what.to_owned())
}

fn walk_jpeg(bytes: &[u8]) -> Result<ContainerInfo, PictureError> {
    let mut walk = JpegWalk::default();
    let mut data = 0;
    let mut at = 2;
    let mut in_scan = false;
    let end = loop {
        let (code, behind) = if in_scan {
            let found = end_of_scan(bytes, at)?;
            data += (found.1 - at) as u64;
            found
        } else {
            next_marker(bytes, at).ok_or_else(|| truncated("the header", bytes.len()))?
        };
        at = behind;
        match code {
            0xD9 if data > 0 => break at - 2,
            0xD9 => return Err(corrupt("it ends without any picture data")),
            // Markers without a segment: start of image, TEM, restarts.
            0xD8 | 0x01 | 0xD0..=0xD7 if data == 0 => continue,
            // Between scans: tables, arithmetic conditioning, a scan, DNL, restart interval,
            // applications, comments.
            0xC4 | 0xCC | 0xDA..=0xDD | 0xE0..=0xEF | 0xFE => {}
            _ if data > 0 => {
                return Err(corrupt(&format!("marker {code:02x} in the middle of its data")));
            }
            _ => {}
        }
        let length = u16_at(bytes, at).ok_or_else(|| truncated("a segment", bytes.len()))?;
        if length < 2 {
            return Err(corrupt(&format!("segment {code:02x} has no length")));
        }
        let segment = bytes
            .get(at..at + usize::from(length))
            .ok_or_else(|| truncated("a segment", bytes.len()))?;
        walk.note(code, at, segment)?;
        at += segment.len();
        in_scan = code == 0xDA;
    };
    walk.finish(end, data)
}

fn walk_png(bytes: &[u8]) -> Result<ContainerInfo, PictureError> {
    let mut size = None;
    let mut data = 0;
    let mut at = PNG_SIGNATURE.len();
    loop {
        let cut = || truncated("a chunk", bytes.len());
        let length = u32_at(bytes, at).ok_or_else(cut)? as usize;
        let kind = bytes.get(at + 4..at + 8).ok_or_else(cut)?;
        if size.is_none() && kind != b"IHDR" {
            return Err(corrupt("it does not begin with IHDR"));
        }
        // Length, kind and checksum take twelve bytes.
        let end = at.checked_add(12).and_then(|n| n.checked_add(length)).ok_or_else(cut)?;
        if end > bytes.len() {
            return Err(cut());
        }
        match kind {
            b"IHDR" => size = u32_at(bytes, at + 8).zip(u32_at(bytes, at + 12)),
            b"IDAT" => data += length as u64,
            b"IEND" => break,
            _ => {}
        }
        at = end;
    }
    let (width, height) = size.ok_or_else(|| corrupt("its IHDR has no size"))?;
    let (progressive, without_tables) = (false, false);
    Ok(ContainerInfo { width, height, progressive, end: at, data, dnl: None, without_tables })
}
