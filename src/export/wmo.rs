//! A table for csv2bufr, which makes BUFR of it: the amount is `N` of the Manual on Codes' code
//! table 2700, as it stands in the record.

use chrono::{Datelike, Timelike};

use crate::export::about::{ExportAbout, StationAbout};
use crate::export::csv::line;
use crate::export::row::ExportRow;
use crate::export::{Encoder, ExportFault};
use crate::settings::terms::wigos_parts;

pub(super) struct WmoEncoder;

const COLUMNS: [&str; 13] = [
    "wsi_series",
    "wsi_issuer",
    "wsi_issue_number",
    "wsi_local",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "latitude",
    "longitude",
    "N_okta",
    "cloud_cover_percent",
];

impl Encoder for WmoEncoder {
    fn begin(&mut self, _: &ExportAbout, out: &mut Vec<u8>) -> Result<(), ExportFault> {
        line(out, COLUMNS);
        Ok(())
    }

    fn rows(
        &mut self,
        station: &StationAbout,
        rows: &[ExportRow<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), ExportFault> {
        let wigos = station.wigos.as_deref().and_then(wigos_parts).unwrap_or_default();
        let place = [station.latitude, station.longitude].map(|degrees| degrees.to_string());
        for row in rows {
            let Some(at) = row.instant else {
                let (station, slot) = (row.station.to_owned(), row.slot.slot().to_owned());
                return Err(ExportFault::NoMoment { station, slot });
            };
            let time = [at.month(), at.day(), at.hour(), at.minute()].map(|n| n.to_string());
            let item = row.reading().map(|reading| &reading.item);
            let okta = item.map(|item| item.okta.to_string());
            let percent = item.and_then(|item| item.cloud_fraction);
            let percent = percent.map(|share| (100.0 * share).round().to_string());
            let fields = wigos.iter().map(|part| (*part).to_owned());
            let fields = fields.chain([at.year().to_string()]).chain(time).chain(place.clone());
            line(out, fields.chain([okta.unwrap_or_default(), percent.unwrap_or_default()]));
        }
        Ok(())
    }
}
