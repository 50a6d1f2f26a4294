//! The usable hours of darkness of a station.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::reader::DarkMonth;
use crate::store::rows::parse_slot;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, CLIMATOLOGY};
use crate::web::reply::{Format, Tagged};
use crate::web::routes::Routes;
use crate::web::rows::Rows;
use crate::web::v1::list::SlotsHead;
use crate::web::v1::stations::{self, StationId};
use crate::web::v1::{forms, of_station};

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct DarkHoursView {
    #[serde(flatten)]
    slots: SlotsHead,
    /// The months, in order, then the years.
    periods: Vec<DarkMonth>,
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Record, "Usable hours of darkness by month and year")
        .details(
            "Hours with the sun more than 18 degrees below the horizon and the moon below it; of \
             these, the usable ones: those of 0 or 1 okta, slots without a reading by the share \
             of those with one, with a 95 % interval from the spread between nights. A night \
             belongs to the month in which it begins. Within the record; ten years at most.",
        )
        .query(CLIMATOLOGY)
        .record()
        .named()
        .list::<DarkHoursView>("The hours")
        .tagged();
    routes.read(&forms(&of_station("dark-hours")), operation, get);
}

async fn get(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let range = query::climatology(request.query_string())?;
    let format = Format::of(&request);
    let tagged = Tagged::new(&state.pool.version().await?, format);
    let id = station.into_inner();
    let station = stations::item(&state, &id).await?;
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let rule = stations::night_rule(&state, &station)?;
    let ends = [station.first, station.last].map(|end| end.as_deref().and_then(parse_slot));
    let wanted = range.closed();
    let head = SlotsHead::new(&id, range);
    let periods = match ends {
        [Some(first), Some(last)] => {
            let to = wanted.1.min(last);
            let earliest = to.checked_sub_signed(MOST).unwrap_or(first);
            let from = wanted.0.max(first).max(earliest);
            state.pool.ask(move |reader| reader.dark_hours(&id, (from, to), &rule)).await?
        }
        _ => Vec::new(),
    };
    if format == Format::Json {
        return Ok(tagged.ok().json(DarkHoursView { slots: head, periods }));
    }
    let mut rows = Rows::<DarkMonth>::begin(format, "");
    periods.iter().for_each(|period| rows.push(period));
    Ok(tagged.ok().body(rows.into_bytes()))
}

/// The longest time that is looked at.
const MOST: chrono::TimeDelta = chrono::TimeDelta::days(3653);
