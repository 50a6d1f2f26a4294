//! JPEG pictures one after another as a film: Motion JPEG in AVI.
//!
//! Source: Microsoft, AVI RIFF File Reference. Pictures go to the file as they come; only their
//! places and lengths, eight bytes each, stay in memory for the index at its end.

use std::io::{Error, ErrorKind, Result, Seek, SeekFrom, Write};

/// Bytes before the first picture.
const HEAD: usize = 224;
/// Readers take a file's length for a number of 31 bits.
const MOST: u64 = i32::MAX as u64;
/// The file has an index; a picture needs no other one.
const HAS_INDEX: u32 = 0x10;
const KEY_FRAME: u32 = 0x10;

/// Writes a film whose pictures all have one size.
pub struct AviWriter<W> {
    out: W,
    size: (u32, u32),
    /// Pictures a second.
    rate: u32,
    /// Place of each picture, from the word `movi` on, and its length.
    index: Vec<(u32, u32)>,
    written: u64,
}

impl<W: Write + Seek> AviWriter<W> {
    /// Begins a film of `rate` pictures of width and height `size` a second.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W, size: (u32, u32), rate: u32) -> Result<Self> {
        out.write_all(&[0; HEAD])?;
        Ok(Self { out, size, rate: rate.max(1), index: Vec::new(), written: 0 })
    }

    /// Adds a picture, a JPEG of the film's size.
    ///
    /// # Errors
    /// Those of `out`; when the film is as long as a file of its kind can be.
    pub fn add(&mut self, jpeg: &[u8]) -> Result<()> {
        let after = self.written + 8 + jpeg.len() as u64 + 1;
        let index = 16 * (self.index.len() as u64 + 2);
        if HEAD as u64 + after + index > MOST {
            return Err(Error::new(ErrorKind::FileTooLarge, "the film is longer than 2 GiB"));
        }
        let length = jpeg.len() as u32;
        self.out.write_all(b"00dc")?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(jpeg)?;
        // A chunk begins at an even place.
        if length % 2 == 1 {
            self.out.write_all(&[0])?;
        }
        self.index.push((self.written as u32 + 4, length));
        self.written += 8 + u64::from(length + length % 2);
        Ok(())
    }

    /// Ends the film.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> Result<W> {
        self.out.write_all(b"idx1")?;
        self.out.write_all(&(16 * self.index.len() as u32).to_le_bytes())?;
        for (at, length) in &self.index {
            self.out.write_all(b"00dc")?;
            for number in [KEY_FRAME, *at, *length] {
                self.out.write_all(&number.to_le_bytes())?;
            }
        }
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&self.head())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn head(&self) -> Vec<u8> {
        let (width, height) = self.size;
        let frames = self.index.len() as u32;
        let largest = self.index.iter().map(|(_, length)| *length).max().unwrap_or(0);
        let movi = self.written as u32 + 4;
        let whole = HEAD as u32 - 8 + self.written as u32 + 8 + 16 * frames;
        let mut head = Vec::with_capacity(HEAD);
        let mut part = |name: &[u8; 4], numbers: &[u32]| {
            head.extend_from_slice(name);
            numbers.iter().for_each(|number| head.extend_from_slice(&number.to_le_bytes()));
        };
        part(b"RIFF", &[whole]);
        part(b"AVI ", &[]);
        part(b"LIST", &[192]);
        part(b"hdrl", &[]);
        let (pause, a_second) = (1_000_000 / self.rate, largest.saturating_mul(self.rate));
        let stream = [width, height, 0, 0, 0, 0];
        let main = [56, pause, a_second, 0, HAS_INDEX, frames, 0, 1, largest];
        part(b"avih", &[&main[..], &stream].concat());
        part(b"LIST", &[116]);
        part(b"strl", &[]);
        part(b"strh", &[56]);
        part(b"vids", &[]);
        // Flags, priority, first frame; scale, rate; start, length; at the end the frame's corners.
        let corner = width | (height << 16);
        part(b"MJPG", &[0, 0, 0, 1, self.rate, 0, frames, largest, u32::MAX, 0, 0, corner]);
        // 24 bits in 1 plane.
        part(b"strf", &[40, 40, width, height, 1 | (24 << 16)]);
        part(b"MJPG", &[width.saturating_mul(height).saturating_mul(3), 0, 0, 0, 0]);
        part(b"LIST", &[movi]);
        part(b"movi", &[]);
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn number(film: &[u8], at: usize) -> usize {
        u32::from_le_bytes(film[at..at + 4].try_into().unwrap()) as usize
    }

    /// Name, place and length of the chunks between two places.
    fn chunks(film: &[u8], from: usize, to: usize) -> Vec<(String, usize, usize)> {
        let (mut at, mut found) = (from, Vec::new());
        while at < to {
            let length = number(film, at + 4);
            let name = String::from_utf8(film[at..at + 4].to_vec()).unwrap();
            found.push((name, at + 8, length));
            at += 8 + length + length % 2;
        }
        assert_eq!(at, to);
        found
    }

    #[test]
    fn a_film_has_its_pictures_and_an_index_of_them() {
        // Of even and odd lengths; what is in them does not matter here.
        let pictures: Vec<Vec<u8>> = (0..5).map(|n| vec![n; 20 + usize::from(n)]).collect();
        let mut writer = AviWriter::new(Cursor::new(Vec::new()), (32, 16), 10).unwrap();
        pictures.iter().for_each(|picture| writer.add(picture).unwrap());
        let film = writer.finish().unwrap().into_inner();
        assert_eq!((&film[..4], &film[8..12]), (&b"RIFF"[..], &b"AVI "[..]));
        assert_eq!(number(&film, 4), film.len() - 8);
        let parts = chunks(&film, 12, film.len());
        let names: Vec<_> = parts.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["LIST", "LIST", "idx1"]);
        let (_, movi, length) = parts[1];
        let frames = chunks(&film, movi + 4, movi + length);
        let (_, index, length) = parts[2];
        assert_eq!(length, 16 * pictures.len());
        for (n, (picture, (name, at, length))) in pictures.iter().zip(&frames).enumerate() {
            assert_eq!((name.as_str(), &film[*at..at + length]), ("00dc", picture.as_slice()));
            let entry = index + 16 * n;
            assert_eq!(movi + number(&film, entry + 8), at - 8);
            assert_eq!(number(&film, entry + 12), *length);
        }
        assert_eq!(frames.len(), pictures.len());
        // Pictures of the whole film, and of its stream.
        assert_eq!((number(&film, 48), number(&film, 140)), (5, 5));
    }
}
