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
    /// Each row with its line in the file, or why it is none.
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
    /// semicolons, and then numbers be written with a comma, as spreadsheets do in Spanish.
    ///
    /// # Errors
    /// When there is no header.
    pub(super) fn read(bytes: &[u8], name: &str) -> Result<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let head = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
        let comma = head.contains(&b';') && !head.contains(&b',');
        let mut reader = ReaderBuilder::new()
            .delimiter(if comma { b';' } else { b',' })
            .trim(Trim::All)
            .from_reader(bytes);
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
        for record in reader.records() {
            rows.push(match record {
                Ok(record) => {
                    let line = record.position().map_or(0, csv::Position::line);
                    (line, Ok(Fields { record, comma }))
                }
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    (line, Err(unreadable(&error)))
                }
            });
        }
        Ok(Self { columns, rows })
    }

    /// The place of the first of `names` that is a column.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|&name| self.columns.get(name)).copied()
    }
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
    /// What stands in a column; none where it is empty.
    pub(super) fn text(&self, column: Option<usize>) -> Option<&str> {
        let text = self.record.get(column?)?;
        (!text.is_empty()).then_some(text)
    }

    /// A number; none where there is nothing.
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
