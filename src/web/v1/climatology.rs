//! The usual sky of a station, by month and hour.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::store::reader::{Climatology, HourOfMonth, MonthOfYear, ReadingFilter};
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{CLIMATOLOGY_BY, CLIMATOLOGY_WAYS, FROM, Parameter, Parameters, TO};
use crate::web::reply::{Format, Tagged};
use crate::web::routes::Routes;
use crate::web::rows::Rows;
use crate::web::v1::list::SlotsHead;
use crate::web::v1::stations::{self, StationId};
use crate::web::v1::{forms, of_station};

const PARAMETERS: &[Parameter] = &[FROM, TO, CLIMATOLOGY_BY];

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct ClimatologyView {
    #[serde(flatten)]
    slots: SlotsHead,
    #[serde(flatten)]
    climatology: Climatology,
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation =
        Operation::new(Tag::Record, "The usual sky by month and hour, and clear nights")
            .details(
                "A night goes from noon to noon and belongs to the month in which it begins. It is \
             judged when at least half of its slots with the sun more than 18 degrees below the \
             horizon have a reading, and clear when at least 80 of 100 of those readings are 0 or \
             1 okta. CSV and JSON lines hold `hours`, or with `by=month` the `months`.",
            )
            .query(PARAMETERS)
            .record()
            .named()
            .list::<ClimatologyView>("The climatology")
            .tagged();
    routes.read(&forms(&of_station("climatology")), operation, get);
}

async fn get(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Parameters::read(request.query_string(), PARAMETERS)?;
    let range = query.range()?;
    let by_month = query.choice("by", CLIMATOLOGY_WAYS)?.unwrap_or(false);
    let format = Format::of(&request);
    let tagged = Tagged::new(&state.pool.version().await?, format);
    let id = station.into_inner();
    let station = stations::item(&state, &id).await?;
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let rule = stations::night_rule(&state, &station)?;
    let (from, to) = range.closed();
    let wanted = ReadingFilter::all(&id, (from, to));
    let climatology = state.pool.ask(move |reader| reader.climatology(&wanted, &rule)).await?;
    if format == Format::Json {
        let slots = SlotsHead::new(&id, range);
        return Ok(tagged.ok().json(ClimatologyView { slots, climatology }));
    }
    if by_month {
        let mut rows = Rows::<MonthOfYear>::begin(format, "");
        climatology.months.iter().for_each(|month| rows.push(month));
        return Ok(tagged.ok().body(rows.into_bytes()));
    }
    let mut rows = Rows::<HourOfMonth>::begin(format, "");
    climatology.hours.iter().for_each(|hour| rows.push(hour));
    Ok(tagged.ok().body(rows.into_bytes()))
}
