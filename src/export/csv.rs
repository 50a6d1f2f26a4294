//! Tables as RFC 4180 has them.

use crate::export::about::{ExportAbout, StationAbout};
use crate::export::row::{ExportRow, columns};
use crate::export::{Encoder, ExportFault};

/// Writes the fields of a line.
pub fn line<T: AsRef<str>>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = T>) {
    for (at, text) in fields.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        field(out, text.as_ref());
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a field. One that a spreadsheet would compute gets an apostrophe: other tools write to
/// the record too.
pub fn field(out: &mut Vec<u8>, field: &str) {
    let computed = field.starts_with(['=', '@', '\t', '\r'])
        || (field.starts_with(['+', '-']) && field.parse::<f64>().is_err());
    if !computed && !field.contains([',', '"', '\r', '\n']) {
        out.extend_from_slice(field.as_bytes());
        return;
    }
    out.push(b'"');
    if computed {
        out.push(b'\'');
    }
    for byte in field.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

pub(super) struct CsvEncoder;

impl Encoder for CsvEncoder {
    fn begin(&mut self, _: &ExportAbout, out: &mut Vec<u8>) -> Result<(), ExportFault> {
        line(out, columns().map(|column| column.name));
        Ok(())
    }

    fn rows(
        &mut self,
        _: &StationAbout,
        rows: &[ExportRow<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), ExportFault> {
        for row in rows {
            let mut fields = Vec::new();
            row.values(&mut |_, value| fields.push(value.into_text()));
            line(out, fields);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> String {
        let mut bytes = Vec::new();
        field(&mut bytes, text);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn fields_of_csv_are_quoted_where_they_have_to_be() {
        for (field, written) in [
            ("", ""),
            ("2024-01-31T08:02", "2024-01-31T08:02"),
            ("-12.5", "-12.5"),
            ("night,frozen", "\"night,frozen\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("-cmd", "\"'-cmd\""),
            ("@x", "\"'@x\""),
        ] {
            assert_eq!(csv(field), written, "{field}");
        }
    }
}
