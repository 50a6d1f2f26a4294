//! A station's report: the same as `celaje report` writes.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::figures::report::{ReportFault, ReportWanted, StationReport};
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{BadQuery, Problem, code, language};
use crate::web::query::{FROM, LANG, LANGS, Parameter, Parameters, TO};
use crate::web::reply::Version;
use crate::web::routes::Routes;
use crate::web::v1::of_station;
use crate::web::v1::stations::{self, StationId};
use celaje_sky::error::Failure;

const PARAMETERS: &[Parameter] = &[FROM, TO, LANG];

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation =
        Operation::new(Tag::Record, "A report of a station that can be cited, as a PDF")
            .details(
                "Station, method, models with their hashes, how right they are by the station's \
             labels, coverage, months in numbers, charts, licence and how to cite, as celaje \
             report writes it. Ten years at most.",
            )
            .query(PARAMETERS)
            .record()
            .named()
            .media(&["application/pdf"], "The report")
            .tagged();
    routes.read(&of_station("report.pdf"), operation, get);
}

impl From<ReportFault> for Problem {
    fn from(fault: ReportFault) -> Self {
        match fault {
            ReportFault::Store(error) => error.into(),
            ReportFault::Station(id) => Self::no_such_station(&id),
            ReportFault::Nothing(..) => Self::not_found(Failure::from(fault).text),
            ReportFault::TooLong(_) => BadQuery::new("from", Failure::from(fault).text).into(),
            ReportFault::Unwritten(why) => {
                tracing::error!(why, "a report could not be written");
                Self::internal()
            }
        }
    }
}

async fn get(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Parameters::read(request.query_string(), PARAMETERS)?;
    let range = query.range()?;
    let lang = query.choice("lang", LANGS)?.unwrap_or_else(|| language(request.headers()));
    // Slots that are due change with the hour.
    let now = state.clock.now();
    let tag = format!("{}-{:x}-{}", state.pool.version().await?, now.timestamp() / 600, code(lang));
    let version = Version::new(tag, Some("Accept-Language"));
    stations::known(&state, &station).await?;
    if let Some(same) = version.unchanged(&request) {
        return Ok(same);
    }
    let (known, terms) = state.for_export();
    let station = station.into_inner();
    let wanted = ReportWanted { station, from: range.from, to: range.to, terms, known, now, lang };
    // The permit comes first: a report that waits holds neither a connection nor rows.
    let permit = state.charts.permit().await?;
    let report = state.pool.ask_with(move |reader| StationReport::read(reader, &wanted)).await?;
    // Inline: the page opens it to be printed, and its link for saving says so itself.
    let name = format!("inline; filename=\"{}\"", report.file_name());
    let pdf = permit.run(move || report.pdf()).await??;
    let mut response = version.ok();
    response.insert_header((header::CONTENT_DISPOSITION, name));
    Ok(response.content_type("application/pdf").body(pdf))
}
