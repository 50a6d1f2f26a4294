//! The range of slots between two flags.

use chrono::{Datelike, NaiveDate};
use clap::Args;

use celaje_sky::error::{Failure, Result};
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::slot::{SlotRange, YEARS};

/// Two ends of a part of the record, each of which may be open.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct RangeArgs {
    /// First minute, station local time: YYYY-MM-DDTHH:MM, or a date [default: the first of all]
    #[arg(
        long,
        alias = "desde",
        value_name = "TIME",
        env = "CELAJE_FROM",
        value_parser = Moment::parse
    )]
    pub(super) from: Option<Moment>,
    /// Last minute, included [default: the last of all]
    #[arg(
        long,
        alias = "hasta",
        value_name = "TIME",
        env = "CELAJE_TO",
        value_parser = Moment::parse
    )]
    pub(super) to: Option<Moment>,
}

impl RangeArgs {
    /// The range between the ends; none when both are open.
    pub(super) fn range(self) -> Result<Option<SlotRange>> {
        let edge = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).map(Moment::Date);
        match (self.from.or_else(|| edge(1900, 1, 1)), self.to.or_else(|| edge(9999, 12, 31))) {
            (Some(first), Some(last)) if self.from.is_some() || self.to.is_some() => {
                between(first, last, "--from", "--to").map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// The range from `from` to `to`; errors name the flags.
pub(super) fn between(
    from: Moment,
    to: Moment,
    from_flag: &str,
    to_flag: &str,
) -> Result<SlotRange> {
    for (flag, year) in [(from_flag, from.first().year()), (to_flag, to.last().year())] {
        if !YEARS.contains(&year) {
            let (first, last) = (YEARS.start(), YEARS.end());
            return Err(Failure::usage(say!(
                "{flag} is in the year {year}; file names have years from {first} to {last}",
                "{flag} es del año {year}; los nombres de archivo llevan años de {first} a {last}"
            )));
        }
    }
    Moment::range(from, to).map_err(|e| {
        let form = "%Y-%m-%dT%H:%M";
        let (from, to) = (e.from.format(form), e.to.format(form));
        Failure::usage(say!(
            "{to_flag} ({to}) lies before {from_flag} ({from}); swap them",
            "{to_flag} ({to}) es anterior a {from_flag} ({from}); inviértalos"
        ))
    })
}
