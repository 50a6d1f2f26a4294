//! A table of comma-separated values whose columns are known by their names.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::error::{Failure, Result};
use crate::okta::Okta;
use crate::say;
use crate::text::Text;

/// A table that was read whole.
pub(super) struct Table {
    columns: HashMap<String, usize>,
    /// Each row with its line in the file, or the reason why it cannot be read.
    pub(super) rows: Vec<(u64, Result<Fields, Text>)>,
}

/// The fields of a row.
pub(super) struct Fields {
    record: StringRecord,
    /// Whether a number may be written with a comma.
    comma: bool,
}

impl Table {
    /// Reads `bytes`, a table with a header, of the file `name`. Fields may also be separated by
    /// semicolons or tabs, and then numbers be written with a comma, as spreadsheets do in Spanish;
    /// a first line `sep=;` names what separates them. A row without any text is left out.
    ///
    /// # Errors
    /// When there is no header.
    pub(super) fn read(bytes: &[u8], name: &str) -> Result<Self> {
        let unicode = from_utf16(bytes);
        let bytes = unicode.as_deref().unwrap_or(bytes);
        let (start, separator) = separator(bytes);
        let comma = separator != b',';
        let table = &bytes[start..];
        let mut reader =
            ReaderBuilder::new().delimiter(separator).trim(Trim::All).from_reader(table);
        let header = reader.headers().map_err(|error| {
            Failure::usage(say!(
                "{name} is no table of comma-separated values: {error}; its first line names the \
                columns",
                "{name} no es una tabla de valores separados por comas: {error}; su primera línea \
                nombra las columnas"
            ))
        })?;
        let mut columns = HashMap::new();
        for (place, column) in header.iter().enumerate() {
            columns.entry(column.to_lowercase()).or_insert(place);
        }
        let mut rows = Vec::new();
        let mut lines = LineCounter { bytes, at: 0, line: 1 };
        for record in reader.records() {
            let position = match &record {
                Ok(record) => record.position(),
                Err(error) => error.position(),
            };
            let line = lines.line_of(start + position.map_or(0, |at| at.byte() as usize));
            match record {
                Ok(record) if record.iter().all(str::is_empty) => {}
                Ok(record) => rows.push((line, Ok(Fields { record, comma }))),
                Err(error) if is_blank(&error, table) => {}
                Err(error) => rows.push((line, Err(unreadable(&error)))),
            }
        }
        Ok(Self { columns, rows })
    }

    /// The place of the first of `names` that is a column.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|&name| self.columns.get(name)).copied()
    }
}

/// A spreadsheet's "Unicode text" (UTF-16 with its mark) as UTF-8.
fn from_utf16(bytes: &[u8]) -> Option<Vec<u8>> {
    let unit = match bytes.get(..2)? {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    Some(String::from_utf16_lossy(&units).into_bytes())
}

/// Where the header begins, and what separates its fields: what a line `sep=` before it says, or
/// else the most frequent of comma, semicolon and tab outside quotes.
fn separator(bytes: &[u8]) -> (usize, u8) {
    let mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let blank = bytes[mark..].iter().take_while(|&&b| is_line_end(b)).count();
    let start = mark + blank;
    let line = bytes[start..].split(|&b| is_line_end(b)).next().unwrap_or_default();
    let bare = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    if let Some((word, [separator])) = bare.split_at_checked(4)
        && word.eq_ignore_ascii_case(b"sep=")
        && separator.is_ascii()
    {
        return (start + line.len(), *separator);
    }
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for &byte in line {
        quoted ^= byte == b'"';
        let count = counts.iter_mut().find(|(separator, _)| *separator == byte && !quoted);
        count.into_iter().for_each(|(_, n)| *n += 1);
    }
    // Of equally frequent ones the first.
    let (separator, _) = counts.into_iter().rev().max_by_key(|&(_, n)| n).unwrap_or((b',', 0));
    (start, separator)
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Counts lines as an editor does: they end with LF, CR LF or CR. The reader's own count leaves out
/// blank lines, and is one behind where lines end with CR LF.
struct LineCounter<'a> {
    bytes: &'a [u8],
    /// Up to where it has counted; positions are asked for in their order.
    at: usize,
    line: u64,
}

impl LineCounter<'_> {
    /// The line of what begins at `position`, or after the line ends there.
    fn line_of(&mut self, position: usize) -> u64 {
        while let Some(&byte) = self.bytes.get(self.at)
            && (self.at < position || is_line_end(byte))
        {
            self.at += 1;
            let half = byte == b'\r' && self.bytes.get(self.at) == Some(&b'\n');
            self.line += u64::from(is_line_end(byte) && !half);
        }
        self.line
    }
}

/// Whether the row that `error` is about holds nothing but blanks, and so is no row.
fn is_blank(error: &csv::Error, table: &[u8]) -> bool {
    let start = error.position().map_or(0, |at| at.byte() as usize);
    let row = table.get(start..).unwrap_or_default();
    let row = row.split(|&b| is_line_end(b)).find(|line| !line.is_empty());
    matches!(error.kind(), csv::ErrorKind::UnequalLengths { .. })
        && row.is_some_and(|row| row.trim_ascii().is_empty())
}

fn unreadable(error: &csv::Error) -> Text {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => say!(
            "it has {len} fields and the header {expected_len}",
            "tiene {len} campos y el encabezado {expected_len}"
        ),
        csv::ErrorKind::Utf8 { .. } => say!("it is not UTF-8", "no está en UTF-8"),
        _ => say!("{error}", "{error}"),
    }
}

impl Fields {
    /// A column's text; none where it is empty.
    pub(super) fn text(&self, column: Option<usize>) -> Option<&str> {
        let text = self.record.get(column?)?;
        (!text.is_empty()).then_some(text)
    }

    /// A column's number; none where it is empty.
    pub(super) fn number(&self, column: Option<usize>) -> Result<Option<f64>, Text> {
        let Some(text) = self.text(column) else {
            return Ok(None);
        };
        let plain = if self.comma { text.replace(',', ".") } else { text.to_owned() };
        match plain.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(say!("'{text}' is no number", "'{text}' no es un número")),
        }
    }

    /// A cloud fraction from 0 to 1.
    pub(super) fn fraction(&self, column: Option<usize>) -> Result<Option<f64>, Text> {
        match self.number(column)? {
            Some(fraction) if !(0.0..=1.0).contains(&fraction) => Err(say!(
                "a cloud fraction of {fraction} is not from 0 to 1",
                "una fracción de nube de {fraction} no está entre 0 y 1"
            )),
            fraction => Ok(fraction),
        }
    }

    /// An okta from 0 to 8.
    pub(super) fn okta(&self, column: Option<usize>) -> Result<Option<Okta>, Text> {
        let Some(number) = self.number(column)? else {
            return Ok(None);
        };
        let okta = Okta::ALL.into_iter().find(|okta| f64::from(okta.eighths()) == number);
        okta.map(Some).ok_or_else(|| {
            say!(
                "an okta of {number} is none of 0 to 8",
                "una octa de {number} no es ninguna de 0 a 8"
            )
        })
    }
}
