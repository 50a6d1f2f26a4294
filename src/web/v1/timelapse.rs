//! Films of the pictures that were kept: the same as `celaje timelapse` makes.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{NaiveDateTime, NaiveTime, TimeDelta};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use schemars::JsonSchema;
use serde::Serialize;

use crate::figures::film::{Film, FilmFault, FilmForm, FilmWanted, ffmpeg_is_there};
use crate::store::rows::{parse_slot, slot_text};
use crate::web::WebState;
use crate::web::limiter::Limiter;
use crate::web::made_file::MadeFile;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{BadQuery, Problem, ProblemCode, language};
use crate::web::query::{FROM, LANG, LANGS, Parameter, Parameters, TO, Values};
use crate::web::reply::live;
use crate::web::routes::Routes;
use crate::web::v1::of_station;
use crate::web::v1::stations::{self, StationId};
use celaje_sky::error::Failure;

/// Films that may wait while one is made: each needs a core, which the pipeline has its own use
/// for.
const WAITING: usize = 4;
/// The longest time a film waits.
const PATIENCE: Duration = Duration::from_secs(25);
/// Pictures a second where the client does not say.
const USUAL_RATE: usize = 12;
/// Bytes of films that are kept: a player asks for a film part by part.
const KEPT: u64 = 256 * 1024 * 1024;
/// Films that the cache expects; so few that it is not split.
const EXPECTED: usize = 8;

const RATE: Parameter = Parameter::new(
    "fps",
    Values::Number { least: 1, most: 60, usual: Some(USUAL_RATE) },
    "pictures a second",
);
const PARAMETERS: &[Parameter] = &[FROM, TO, LANG, RATE];

/// Makes films, one at a time, and keeps the last ones. Their files have no name any more: they go
/// when they are closed.
pub(crate) struct FilmMaker {
    limiter: Limiter,
    kept: Cache<[u8; 32], Arc<MadeFile>, FilmWeight>,
}

#[derive(Clone)]
struct FilmWeight;

impl Weighter<[u8; 32], Arc<MadeFile>> for FilmWeight {
    fn weight(&self, _: &[u8; 32], film: &Arc<MadeFile>) -> u64 {
        film.bytes() + 256
    }
}

impl FilmMaker {
    pub(crate) fn new() -> Self {
        Self {
            limiter: Limiter::new(1, WAITING, PATIENCE),
            kept: Cache::with_weighter(EXPECTED, KEPT, FilmWeight),
        }
    }

    /// The film's file, which may have been made before.
    async fn file(
        &self,
        film: Film,
        form: FilmForm,
        ending: &'static str,
    ) -> Result<Arc<MadeFile>, Problem> {
        let looked = web::block(move || (film.digest(form), film)).await;
        let (key, film) = looked.map_err(|_| Problem::internal())?;
        if let Some(made) = self.kept.get(&key) {
            return Ok(made);
        }
        let permit = self.limiter.permit().await?;
        // It was made while this one waited.
        if let Some(made) = self.kept.get(&key) {
            return Ok(made);
        }
        let made = permit.run(move || {
            let file = tempfile::Builder::new().suffix(&format!(".{ending}")).tempfile()?;
            film.write(form, file.path())?;
            Ok::<_, FilmFault>(MadeFile::new(std::fs::File::open(file.path())?)?)
        });
        let made = Arc::new(made.await??);
        self.kept.insert(key, Arc::clone(&made));
        Ok(made)
    }
}

/// What a film of a range would be.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct TimelapseView {
    /// First minute, station local time.
    from: String,
    /// Last minute, included.
    to: String,
    /// Pictures of the range that were kept.
    pictures: usize,
    /// Endings of the forms that this server can make of them: jpg needs a dark sky, those other
    /// than it and avi need ffmpeg.
    forms: Vec<&'static str>,
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = |summary| {
        Operation::new(Tag::Pictures, summary)
            .details(
                "Of the pictures that were kept (`keep` in the settings); without `from`, the \
                 last day before `to`. `.avi`, and where ffmpeg is installed `.mp4`, `.webm` and \
                 `.webp`, with okta and time in each picture; `.jpg` is one picture of the trails \
                 of the stars, the brightest of the dark ones at each place.",
            )
            .query(PARAMETERS)
            .record()
            .named()
    };
    let about = operation("What a film of a range would be").json::<TimelapseView>("Its pictures");
    routes.read(&of_station("timelapse"), about, look);
    let media = ["video/x-msvideo", "video/mp4", "video/webm", "image/webp", "image/jpeg"];
    let film = operation("A film of a night or a day")
        .media(&media, "The film")
        .media_at(206, &media, "The bytes of it that Range names")
        .tagged()
        .fails(&[ProblemCode::Unavailable, ProblemCode::NoSuchRange]);
    let endings = FilmForm::ENDINGS.iter();
    let paths: Vec<String> =
        endings.flat_map(|(ending, _)| of_station(&format!("timelapse.{ending}"))).collect();
    routes.read(&paths, film, film_of);
}

impl From<FilmFault> for Problem {
    fn from(fault: FilmFault) -> Self {
        match fault {
            FilmFault::Store(error) => error.into(),
            FilmFault::NoPictures => Self::not_found(Failure::from(fault).text),
            FilmFault::TooLong => BadQuery::new("from", Failure::from(fault).text).into(),
            FilmFault::NoFfmpeg => Self::new(ProblemCode::Unavailable, Failure::from(fault).text),
            FilmFault::File(_) | FilmFault::Ffmpeg(_) => {
                tracing::error!(%fault, "a film could not be made");
                Self::internal()
            }
        }
    }
}

/// The film that is asked for.
async fn wanted(
    state: &web::Data<WebState>,
    id: &str,
    request: &HttpRequest,
) -> Result<Film, Problem> {
    let query = Parameters::read(request.query_string(), PARAMETERS)?;
    let range = query.range()?;
    let lang = query.choice("lang", LANGS)?.unwrap_or_else(|| language(request.headers()));
    let rate = query.number(&RATE)?.unwrap_or(USUAL_RATE);
    let item = stations::item(state, id).await?;
    let (Some(station), Some(policy)) = (state.station(id), state.cameras.copies()) else {
        return Err(FilmFault::NoPictures.into());
    };
    let now = station.zone.local(state.clock.now());
    let last = || item.last.as_deref().and_then(parse_slot);
    let to = range.to.or_else(last).unwrap_or(now);
    let day_before = || to.checked_sub_signed(TimeDelta::days(1)).unwrap_or(NaiveDateTime::MIN);
    let wanted = FilmWanted {
        station,
        policy,
        range: (range.from.unwrap_or_else(day_before), to),
        rate: u32::try_from(rate).unwrap_or(1),
        limits: state.overlays().limits(),
        lang,
    };
    state.pool.ask_with(move |reader| Film::read(reader, wanted)).await
}

async fn look(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let film = wanted(&state, &station, &request).await?;
    let looked = move || (film.range(), film.kept(), film.has_stars(), ffmpeg_is_there());
    let looked = web::block(looked).await;
    let ((from, to), pictures, has_stars, has_ffmpeg) = looked.map_err(|_| Problem::internal())?;
    let can_be = |form: &FilmForm| match form {
        FilmForm::Trails => has_stars,
        form => has_ffmpeg || !form.needs_ffmpeg(),
    };
    let forms = FilmForm::ENDINGS.iter().filter(|(_, form)| can_be(form));
    let forms = forms.map(|(ending, _)| *ending).collect();
    let (from, to) = (slot_text(from), slot_text(to));
    live(&TimelapseView { from, to, pictures, forms })
}

async fn film_of(
    state: web::Data<WebState>,
    station: StationId,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let ending = request.path().rsplit('.').next().unwrap_or_default();
    let known = FilmForm::ENDINGS.iter().find(|(name, _)| *name == ending);
    let (ending, form) = *known.ok_or_else(Problem::internal)?;
    let film = wanted(&state, &station, &request).await?;
    // The film of a night has another name than that of the day on which it begins.
    let from = film.range().0;
    let is_midnight = from.time() == NaiveTime::MIN;
    let from = from.format(if is_midnight { "%Y%m%d" } else { "%Y%m%dT%H%M" });
    let name = format!("inline; filename=\"celaje-{}-{from}.{ending}\"", &*station);
    let file = state.films.file(film, form, ending).await?;
    file.answer(&request, media_of(form), |response| {
        response
            .insert_header((header::CONTENT_DISPOSITION, name))
            .insert_header((header::CACHE_CONTROL, "private, max-age=600"))
            .insert_header((header::VARY, "Accept-Language"));
    })
}

const fn media_of(form: FilmForm) -> &'static str {
    match form {
        FilmForm::Avi => "video/x-msvideo",
        FilmForm::Mp4 => "video/mp4",
        FilmForm::WebM => "video/webm",
        FilmForm::WebP => "image/webp",
        FilmForm::Trails => "image/jpeg",
    }
}
