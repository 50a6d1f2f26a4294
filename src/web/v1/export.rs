//! The record as a file: the same as `celaje export` writes.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::export::about::ExportAbout;
use crate::export::{Export, ExportFault, ExportFormat, ExportWanted};
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, EXPORT, ExportQuery, Range};
use crate::web::reply::{Format, Tagged, Version, accepted, preferred};
use crate::web::routes::Routes;
use crate::web::stream::{self, StreamPart};
use crate::web::v1::of_station;
use crate::web::v1::stations::{self, StationId};

/// The formats, the usual one first; the longer of two endings comes before the shorter.
const FORMATS: [ExportFormat; 5] = [
    ExportFormat::Wmo,
    ExportFormat::Csv,
    ExportFormat::Lines,
    ExportFormat::Parquet,
    ExportFormat::NetCdf,
];

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Record, "The record as a file, as celaje export writes it")
        .details(
            "All slots of a range, those without a reading too, with why they have none. `.csv`, \
             `.jsonl`, `.parquet`, `.nc` (NetCDF) and `.wmo.csv` (a table for csv2bufr).",
        )
        .query(EXPORT)
        .record()
        .named()
        .media(
            &[
                "text/csv",
                "application/jsonl",
                "application/vnd.apache.parquet",
                "application/netcdf",
            ],
            "The file",
        )
        .tagged();
    let paths = of_station("export");
    let mut forms = paths.clone();
    for format in FORMATS {
        forms.extend(paths.iter().map(|path| format!("{path}.{}", format.ending())));
    }
    routes.read(&forms, operation, file);
    let operation = Operation::new(Tag::Record, "What an export of the same range is")
        .details("Program, models with their hashes, licence, how to cite, counts, columns.")
        .query(EXPORT)
        .record()
        .named()
        .json::<ExportAbout>("Its description")
        .tagged();
    routes.read(&of_station("export/about"), operation, about);
}

/// By the ending of the path, else by `Accept`, else CSV.
fn format_of(request: &HttpRequest) -> ExportFormat {
    let path = request.path();
    let by_ending = |format: &ExportFormat| path.ends_with(&format!("export.{}", format.ending()));
    if let Some(format) = FORMATS.into_iter().find(by_ending) {
        return format;
    }
    let known = |media: &str| match media {
        "text/csv" | "*/*" => Some(ExportFormat::Csv),
        "application/jsonl" | "application/x-ndjson" | "application/jsonlines" => {
            Some(ExportFormat::Lines)
        }
        "application/vnd.apache.parquet" => Some(ExportFormat::Parquet),
        "application/netcdf" | "application/x-netcdf" => Some(ExportFormat::NetCdf),
        _ => None,
    };
    preferred(accepted(request), known).unwrap_or(ExportFormat::Csv)
}

/// The stations that are wanted: those of the query, else that of the address.
async fn stations(
    state: &WebState,
    station: StationId,
    query: ExportQuery,
) -> Result<(Vec<String>, Range), Problem> {
    let ids = match query.stations {
        None => vec![station.into_inner()],
        Some(all) if all == ["all"] => state.pool.ask(|reader| reader.station_ids()).await?,
        Some(ids) => ids,
    };
    for id in &ids {
        stations::known(state, id).await?;
    }
    Ok((ids, query.range))
}

fn wanted(
    state: &WebState,
    (stations, range): (Vec<String>, Range),
    format: ExportFormat,
) -> ExportWanted {
    let (known, terms) = state.for_export();
    let Range { from, to } = range;
    let now = state.clock.now();
    ExportWanted { format, stations, in_folder_of_station: false, from, to, terms, known, now }
}

async fn file(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let asked = stations(&state, station, query::export(request.query_string())?).await?;
    let format = format_of(&request);
    let tag = format!("{}-{}", state.pool.version().await?, format.ending());
    let version = Version::new(tag, Some("Accept"));
    if let Some(same) = version.unchanged(&request) {
        return Ok(same);
    }
    let name = asked.0.join("_");
    let wanted = wanted(&state, asked, format);
    let first = state.pool.ask_with(move |reader| Export::new(reader, &wanted)).await?;
    let mut response = version.ok();
    let name = format!("attachment; filename=\"{name}.{}\"", format.ending());
    response.content_type(format.media_type());
    response.insert_header((header::CONTENT_DISPOSITION, name));
    if !format.tells_about_itself() {
        let query = request.query_string();
        let rest = if query.is_empty() { String::new() } else { format!("?{query}") };
        // From the file's own address, whatever a proxy puts before it.
        let link = format!("<export/about{rest}>; rel=\"describedby\"");
        response.insert_header((header::LINK, link));
    }
    stream::answer(&state.pool, response, first, |reader, mut export: Export| {
        let bytes = export.next_bytes(reader)?;
        let next = (!export.is_over()).then_some(export);
        Ok::<_, ExportFault>(StreamPart { bytes, next })
    })
    .await
}

async fn about(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let asked = stations(&state, station, query::export(request.query_string())?).await?;
    let tagged = Tagged::new(&state.pool.version().await?, Format::Json);
    if let Some(same) = tagged.unchanged(&request) {
        return Ok(same);
    }
    let wanted = wanted(&state, asked, ExportFormat::Csv);
    let about = state.pool.ask_with(move |reader| {
        // Written for nobody: what was never asked for is known at the end.
        let mut export = Export::new(reader, &wanted)?;
        while !export.is_over() {
            export.next_bytes(reader)?;
        }
        Ok::<_, ExportFault>(export.about().clone())
    });
    Ok(tagged.ok().json(about.await?))
}
