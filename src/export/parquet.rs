//! Apache Parquet: typed columns, what the file is in its key-value metadata.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use crate::export::about::{ExportAbout, StationAbout};
use crate::export::columns::{Column, ColumnKind, Value};
use crate::export::row::{ExportRow, columns};
use crate::export::{Encoder, ExportFault};
use crate::store::rows::parse_slot;

/// Rows of a row group: memory against the size of the file.
const GROUP: usize = 16 * 1024;

/// Bytes that the library has written and the encoder has not handed on.
#[derive(Clone, Default)]
struct SharedBytes(Arc<Mutex<Vec<u8>>>);

impl SharedBytes {
    fn move_to(&self, out: &mut Vec<u8>) {
        out.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Write for SharedBytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The values of a column that are not written yet.
enum ColumnValues {
    Texts(Vec<ByteArray>),
    Longs(Vec<i64>),
    Codes(Vec<i32>),
    Numbers(Vec<f64>),
}

struct ColumnBuffer {
    kind: ColumnKind,
    values: ColumnValues,
    /// 1 where a row has a value, 0 where it has none.
    levels: Vec<i16>,
}

impl ColumnBuffer {
    fn new(column: &Column) -> Self {
        let values = match column.kind {
            ColumnKind::Text | ColumnKind::Flags | ColumnKind::Object => {
                ColumnValues::Texts(Vec::new())
            }
            ColumnKind::Local | ColumnKind::Instant => ColumnValues::Longs(Vec::new()),
            ColumnKind::Code => ColumnValues::Codes(Vec::new()),
            ColumnKind::Number => ColumnValues::Numbers(Vec::new()),
        };
        Self { kind: column.kind, values, levels: Vec::new() }
    }

    fn push(&mut self, value: Value<'_>) {
        let is_there = match (&mut self.values, value) {
            (ColumnValues::Texts(texts), Value::Text(text)) => {
                texts.push(ByteArray::from(text.as_ref()));
                true
            }
            (ColumnValues::Longs(times), Value::Text(text)) => {
                let time = millis(self.kind, &text);
                times.extend(time);
                time.is_some()
            }
            (ColumnValues::Codes(codes), Value::Whole(number)) => {
                let code = i32::try_from(number).ok();
                codes.extend(code);
                code.is_some()
            }
            (ColumnValues::Numbers(numbers), Value::Number(number, _)) => {
                numbers.push(number);
                true
            }
            _ => false,
        };
        self.levels.push(is_there.into());
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = Some(self.levels.as_slice());
        match &self.values {
            ColumnValues::Texts(texts) => {
                column.typed::<ByteArrayType>().write_batch(texts, levels, None)?
            }
            ColumnValues::Longs(times) => {
                column.typed::<Int64Type>().write_batch(times, levels, None)?
            }
            ColumnValues::Codes(codes) => {
                column.typed::<Int32Type>().write_batch(codes, levels, None)?
            }
            ColumnValues::Numbers(numbers) => {
                column.typed::<DoubleType>().write_batch(numbers, levels, None)?
            }
        };
        self.levels.clear();
        match &mut self.values {
            ColumnValues::Texts(texts) => texts.clear(),
            ColumnValues::Longs(times) => times.clear(),
            ColumnValues::Codes(codes) => codes.clear(),
            ColumnValues::Numbers(numbers) => numbers.clear(),
        }
        Ok(())
    }
}

fn millis(kind: ColumnKind, text: &str) -> Option<i64> {
    match kind {
        ColumnKind::Local => parse_slot(text).map(|local| local.and_utc().timestamp_millis()),
        _ => text.parse::<DateTime<Utc>>().ok().map(|at| at.timestamp_millis()),
    }
}

fn type_of(kind: ColumnKind) -> (&'static str, &'static str) {
    match kind {
        ColumnKind::Text | ColumnKind::Flags | ColumnKind::Object => ("binary", "(STRING)"),
        ColumnKind::Local => ("int64", "(TIMESTAMP(MILLIS,false))"),
        ColumnKind::Instant => ("int64", "(TIMESTAMP(MILLIS,true))"),
        ColumnKind::Code => ("int32", "(INTEGER(8,true))"),
        ColumnKind::Number => ("double", ""),
    }
}

pub(super) struct ParquetEncoder {
    writer: SerializedFileWriter<SharedBytes>,
    bytes: SharedBytes,
    buffers: Vec<ColumnBuffer>,
    /// Columns before those that are written.
    skipped: usize,
    rows: usize,
}

impl From<ParquetError> for ExportFault {
    fn from(error: ParquetError) -> Self {
        Self::Encoder(error.to_string())
    }
}

impl ParquetEncoder {
    /// Where the folder's name says the station, the file does not: readers would find it twice.
    pub(super) fn new(in_folder_of_station: bool) -> Result<Self, ExportFault> {
        let skipped = usize::from(in_folder_of_station);
        let written = || columns().skip(skipped);
        let fields = written().map(|column| {
            let (physical, logical) = type_of(column.kind);
            format!("optional {physical} {} {logical};", column.name)
        });
        let schema = format!("message readings {{ {} }}", fields.collect::<String>());
        let schema = Arc::new(parse_message_type(&schema)?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("celaje {}", env!("CARGO_PKG_VERSION")))
            .build();
        let bytes = SharedBytes::default();
        let writer = SerializedFileWriter::new(bytes.clone(), schema, Arc::new(properties))?;
        let buffers = written().map(ColumnBuffer::new).collect();
        Ok(Self { writer, bytes, buffers, skipped, rows: 0 })
    }

    fn write_group(&mut self) -> Result<(), ExportFault> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let mut group = self.writer.next_row_group()?;
        let mut buffers = self.buffers.iter_mut();
        while let Some(mut column) = group.next_column()? {
            if let Some(buffer) = buffers.next() {
                buffer.write(&mut column)?;
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

impl Encoder for ParquetEncoder {
    fn begin(&mut self, _: &ExportAbout, out: &mut Vec<u8>) -> Result<(), ExportFault> {
        self.bytes.move_to(out);
        Ok(())
    }

    fn rows(
        &mut self,
        _: &StationAbout,
        rows: &[ExportRow<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), ExportFault> {
        for row in rows {
            let skipped = (0..self.skipped).map(|_| None);
            let mut buffers = skipped.chain(self.buffers.iter_mut().map(Some));
            row.values(&mut |_, value| {
                if let Some(Some(buffer)) = buffers.next() {
                    buffer.push(value);
                }
            });
            self.rows += 1;
            if self.rows == GROUP {
                self.write_group()?;
            }
        }
        self.bytes.move_to(out);
        Ok(())
    }

    fn end(&mut self, about: &ExportAbout, out: &mut Vec<u8>) -> Result<(), ExportFault> {
        self.write_group()?;
        let told = serde_json::to_string(about).unwrap_or_default();
        let entries = [
            ("celaje", Some(told)),
            ("title", Some(about.title.clone())),
            ("license", about.licence.clone()),
            ("citation", Some(about.cite.clone())),
        ];
        for (key, value) in entries {
            if value.is_some() {
                self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
            }
        }
        self.writer.finish()?;
        self.bytes.move_to(out);
        Ok(())
    }
}
