//! The range of slots between two flags.

use chrono::Datelike;

use celaje_sky::error::{Failure, Result};
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::slot::{SlotRange, YEARS};

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
