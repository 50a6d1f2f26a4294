//! NetCDF by the CF-1.11 and ACDD-1.3 conventions: a time series of one station.

mod classic;
mod layout;

use crate::export::about::{ExportAbout, StationAbout};
use crate::export::row::ExportRow;
use crate::export::{Encoder, ExportFault};
use crate::store::reader::ExportSummary;
use classic::Header;
use layout::{Field, fields, global};

pub(super) struct NetCdfEncoder {
    summary: ExportSummary,
    /// Whether people saw something in the pictures.
    has_labels: bool,
    fields: Vec<Field>,
    /// Records that were announced and are not written.
    left: u32,
}

impl NetCdfEncoder {
    pub(super) fn new(summary: ExportSummary, has_labels: bool) -> Self {
        Self { summary, has_labels, fields: Vec::new(), left: 0 }
    }
}

impl Encoder for NetCdfEncoder {
    fn begin(&mut self, about: &ExportAbout, out: &mut Vec<u8>) -> Result<(), ExportFault> {
        let [station] = &about.stations[..] else {
            return Err(ExportFault::OneStation);
        };
        let records = station.readings + station.missed();
        self.left = u32::try_from(records).unwrap_or(u32::MAX);
        let mut header = Header {
            dimensions: vec![("time", 0), ("id_length", layout::length(&station.id))],
            attributes: global(about, station),
            variables: layout::fixed(station),
        };
        if self.summary.picture_name_bytes > 0 {
            let length = u32::try_from(self.summary.picture_name_bytes).unwrap_or(u32::MAX);
            header.dimensions.push(("name_length", length));
        }
        self.fields = fields(&self.summary, self.has_labels);
        header.variables.extend(self.fields.iter().map(|field| field.variable.clone()));
        out.extend_from_slice(&header.bytes(self.left));
        Ok(())
    }

    fn rows(
        &mut self,
        station: &StationAbout,
        rows: &[ExportRow<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), ExportFault> {
        for row in rows {
            self.left =
                self.left.checked_sub(1).ok_or_else(|| ExportFault::Changed(station.id.clone()))?;
            if row.instant.is_none() {
                let (station, slot) = (row.station.to_owned(), row.slot.slot().to_owned());
                return Err(ExportFault::NoMoment { station, slot });
            }
            for field in &self.fields {
                (field.write)(row, out);
                classic::pad(out);
            }
        }
        Ok(())
    }

    fn end(&mut self, about: &ExportAbout, _: &mut Vec<u8>) -> Result<(), ExportFault> {
        match about.stations.first() {
            Some(station) if self.left > 0 => Err(ExportFault::Changed(station.id.clone())),
            _ => Ok(()),
        }
    }
}
