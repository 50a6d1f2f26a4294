//! The structure of a JPEG or PNG file, info before anything of it is decoded.
//!
//! Decoders are made to show as much of a damaged file as they can; a record of the sky wants the
//! opposite. The walk finds the picture's size before a buffer is allocated, and tells a file that
//! ends too early from one that is damaged. Sources: ITU-T T.81, annex B (JPEG); W3C, Portable
//! Network Graphics (PNG), section 5.

use crate::picture::decode::PictureError;

/// A kind of picture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Jpeg,
    Png,
}

const JPEG_SIGNATURE: &[u8] = &[0xFF, 0xD8, 0xFF];
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Longest part of a text's start that an error quotes, in bytes.
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
                return Err(PictureError::Truncated(format!(
                    "{} bytes of a signature are all there is",
                    bytes.len()
                )));
            }
        }
        Err(PictureError::NotAnImage(describe_foreign(bytes)))
    }

    /// Walks the whole file.
    pub(super) fn walk(self, bytes: &[u8]) -> Result<ContainerInfo, PictureError> {
        let info = match self {
            Self::Jpeg => walk_jpeg(bytes)?,
            Self::Png => walk_png(bytes)?,
        };
        let ContainerInfo { width, height, .. } = info;
        if width == 0 || height == 0 {
            return Err(PictureError::Corrupt(format!("its size is {width}×{height} pixels")));
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
    /// A progressive JPEG.
    pub(super) progressive: bool,
    /// Bytes before the end marker.
    pub(super) end: usize,
    /// Bytes of compressed picture.
    pub(super) data: u64,
    /// A JPEG whose height stands behind its first scan.
    late_height: Option<LateHeight>,
}

/// Where a JPEG says its height when the frame header says 0 (T.81, B.2.5): in a DNL segment.
#[derive(Clone, Copy, Debug)]
struct LateHeight {
    /// Place of the height in the frame header.
    header: usize,
    /// Place of the DNL marker.
    marker: usize,
    /// Place behind the DNL segment.
    behind: usize,
}

impl ContainerInfo {
    /// The file with its height in the frame header, where decoders look for it; none when it is
    /// there already.
    pub(super) fn with_height_in_header(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let LateHeight { header, marker, behind } = self.late_height?;
        let height = u16::try_from(self.height).ok()?;
        let mut whole = [bytes.get(..marker)?, bytes.get(behind..)?].concat();
        whole.get_mut(header..header + 2)?.copy_from_slice(&height.to_be_bytes());
        Some(whole)
    }
}

/// What bytes that are no JPEG or PNG look like.
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
    PictureError::Truncated(format!("{total} bytes, and the file ends in {at}"))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The marker code at or after `at`, and the place behind it; fill bytes and, before the first
/// scan, stray bytes are passed over.
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

/// Passes over the entropy-coded data at `at`: gives the marker that ends it and the place behind
/// that.
fn end_of_scan(bytes: &[u8], mut at: usize) -> Result<(u8, usize), PictureError> {
    let mut restart = 0xD0;
    loop {
        let (code, next) =
            next_marker(bytes, at).ok_or_else(|| truncated("the picture's data", bytes.len()))?;
        if !(0xD0..=0xD7).contains(&code) {
            return Ok((code, next));
        }
        // Restarts are numbered round and round; a number left out is a piece lost.
        if code != restart {
            return Err(PictureError::Corrupt("a piece is missing between restarts".to_owned()));
        }
        restart = if code == 0xD7 { 0xD0 } else { code + 1 };
        at = next;
    }
}

fn walk_jpeg(bytes: &[u8]) -> Result<ContainerInfo, PictureError> {
    let corrupt = |what: String| PictureError::Corrupt(what);
    let mut frame: Option<(u32, u32, bool)> = None;
    let mut height_at = 0;
    let mut late_height = None;
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
            0xD9 => return Err(corrupt("it ends without any picture data".to_owned())),
            // Standing alone: start of image, TEM, restarts.
            0xD8 | 0x01 | 0xD0..=0xD7 if data == 0 => continue,
            // Between scans: tables, arithmetic conditioning, a scan, DNL, restart interval,
            // applications, comments.
            0xC4 | 0xCC | 0xDA..=0xDD | 0xE0..=0xEF | 0xFE => {}
            _ if data > 0 => {
                return Err(corrupt(format!("marker {code:02x} in the middle of its data")));
            }
            _ => {}
        }
        let length = u16_at(bytes, at).ok_or_else(|| truncated("a segment", bytes.len()))?;
        if length < 2 {
            return Err(corrupt(format!("segment {code:02x} has no length")));
        }
        let segment = bytes
            .get(at..at + usize::from(length))
            .ok_or_else(|| truncated("a segment", bytes.len()))?;
        at += segment.len();
        if matches!(code, 0xC0..=0xCF) && !matches!(code, 0xC4 | 0xC8 | 0xCC) {
            let size = u16_at(segment, 5).zip(u16_at(segment, 3));
            let (width, height) = size.ok_or_else(|| corrupt("a frame without size".to_owned()))?;
            frame = Some((u32::from(width), u32::from(height), code == 0xC2));
            height_at = at - segment.len() + 3;
        }
        if let (0xDC, Some((_, height @ 0, _)), Some(lines)) =
            (code, &mut frame, u16_at(segment, 2))
        {
            *height = u32::from(lines);
            late_height =
                Some(LateHeight { header: height_at, marker: at - segment.len() - 2, behind: at });
        }
        in_scan = code == 0xDA;
    };
    let (width, height, progressive) =
        frame.ok_or_else(|| corrupt("it says no size".to_owned()))?;
    Ok(ContainerInfo { width, height, progressive, end, data, late_height })
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
            return Err(PictureError::Corrupt("it does not begin with IHDR".to_owned()));
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
    let (width, height) =
        size.ok_or_else(|| PictureError::Corrupt("it says no size".to_owned()))?;
    Ok(ContainerInfo { width, height, progressive: false, end: at, data, late_height: None })
}
