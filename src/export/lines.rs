//! A JSON object a line.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::export::about::StationAbout;
use crate::export::columns::{ColumnKind, Value};
use crate::export::row::ExportRow;
use crate::export::{Encoder, ExportFault};

pub(super) struct LinesEncoder;

/// Writes JSON into memory, of a type that has nothing JSON lacks: it cannot fail.
fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(out, value);
}

fn member(out: &mut Vec<u8>, kind: ColumnKind, value: &Value<'_>) {
    match (kind, value) {
        (_, Value::Nothing) => out.extend_from_slice(b"null"),
        (_, Value::Whole(number)) => json(out, number),
        (_, Value::Number(number, _)) => json(out, number),
        (ColumnKind::Flags, Value::Text(names)) => {
            let flags = names.split(',').filter(|name| !matches!(*name, "" | "ok"));
            json(out, &flags.collect::<Vec<_>>());
        }
        (ColumnKind::Object, Value::Text(text)) => {
            let read = serde_json::from_str::<BTreeMap<String, Option<f64>>>(text);
            json(out, &read.ok());
        }
        (_, Value::Text(text)) => json(out, text),
    }
}

impl Encoder for LinesEncoder {
    fn rows(
        &mut self,
        _: &StationAbout,
        rows: &[ExportRow<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), ExportFault> {
        for row in rows {
            let mut before = b'{';
            row.values(&mut |column, value| {
                out.push(before);
                before = b',';
                json(out, &column.name);
                out.push(b':');
                member(out, column.kind, &value);
            });
            out.extend_from_slice(b"}\n");
        }
        Ok(())
    }
}
