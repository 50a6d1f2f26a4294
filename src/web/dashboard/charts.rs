//! `/charts/{kind}.svg` and `.png`; the dome, whose numbers are nowhere else, as `.csv`, too.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::dome::DomeInput;
use super::keogram;

use crate::figures::data::{ChartData, KINDS, Kind};
use crate::figures::order::{Order, Place};
use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::store::rows::parse_slot;
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{BadQuery, Problem, language, shortened};
use crate::web::query::{FROM, LANG, LANGS, Parameter, Parameters, STATION, TO, Values, names};
use crate::web::reply::Version;
use celaje_chart::look::{Look, NARROWEST, WIDEST};
use celaje_chart::theme::Theme;
use celaje_chart::{png, raster, timeline};
use celaje_sky::say;
use celaje_sky::slot::Zone;
use celaje_sky::text::Lang;

/// Pixels a unit of a PNG.
const PNG_SCALE: f32 = 2.0;

const THEMES: &[(&str, Theme)] = &[("light", Theme::Light), ("dark", Theme::Dark)];
const SWITCH: &[(&str, bool)] = &[("0", false), ("1", true)];

const WIDTH: Parameter = Parameter::new(
    "width",
    Values::Number { least: NARROWEST as usize, most: WIDEST as usize, usual: None },
    "width in pixels of the SVG; a PNG has twice as many",
);
const PARAMETERS: &[Parameter] = &[
    STATION,
    FROM,
    TO,
    LANG,
    Parameter::new("theme", Values::Choice(|| names(THEMES)), "colours; light if left out"),
    WIDTH,
    Parameter::new("bare", Values::Choice(|| names(SWITCH)), "1: without a title"),
];

fn files() -> Vec<String> {
    let drawn = |kind: &str| ["svg", "png"].map(|form| format!("{kind}.{form}"));
    let mut files: Vec<_> = KINDS.iter().flat_map(|(kind, _)| drawn(kind)).collect();
    files.push("dome.csv".to_owned());
    files
}

pub(super) fn operation() -> Operation {
    Operation::new(Tag::Charts, "A chart, as the dashboard shows it")
        .part(Parameter::new("file", Values::Choice(files), "kind and form of the chart"))
        .query(PARAMETERS)
        .record()
        .named()
        .media(&["image/svg+xml", "image/png", "text/csv"], "The chart")
        .tagged()
}

/// What a chart is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChartForm {
    Svg,
    Png,
    /// The numbers of a dome.
    Csv,
}

impl ChartForm {
    const fn media(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// The chart in this form.
    fn finished(self, svg: String) -> Result<Vec<u8>, Problem> {
        if self != Self::Png {
            return Ok(svg.into_bytes());
        }
        png::render(&svg, PNG_SCALE).map_err(|error| {
            tracing::error!(%error, "a chart could not be drawn");
            Problem::internal()
        })
    }
}

/// A chart that is asked for.
struct ChartQuery {
    kind: Kind,
    form: ChartForm,
    station: Option<String>,
    from: Option<NaiveDateTime>,
    to: Option<NaiveDateTime>,
    look: Look,
    theme: Theme,
}

impl ChartQuery {
    fn read(file: &str, request: &HttpRequest) -> Result<Self, Problem> {
        let known = file.rsplit_once('.').and_then(|(name, ending)| {
            let kind = KINDS.iter().find(|(known, _)| *known == name)?.1;
            match ending {
                "svg" => Some((kind, ChartForm::Svg)),
                "png" => Some((kind, ChartForm::Png)),
                "csv" if kind == Kind::Dome => Some((kind, ChartForm::Csv)),
                _ => None,
            }
        });
        let Some((kind, form)) = known else {
            let (names, file) = (names(&KINDS).join(", "), shortened(file));
            return Err(Problem::not_found(say!(
                "there is no chart '{file}'; there are {names}, each as .svg and .png",
                "no hay un gráfico '{file}'; hay {names}, cada uno como .svg y .png"
            )));
        };
        let query = Parameters::read_picture(request.query_string(), PARAMETERS)?;
        let range = query.range()?;
        let lang = query.choice("lang", LANGS)?.unwrap_or_else(|| language(request.headers()));
        let theme = query.choice("theme", THEMES)?;
        let width = query.number(&WIDTH)?;
        let bare = query.choice("bare", SWITCH)?.unwrap_or(false);
        let alone = Look::alone(lang);
        let look = Look { width: width.map_or(alone.width, |width| width as f64), bare, lang };
        Ok(Self {
            kind,
            form,
            station: query.get("station").map(str::to_owned),
            from: range.from,
            to: range.to,
            look,
            theme: theme.unwrap_or_default(),
        })
    }

    /// The station that is meant: the home of the record where none is named.
    fn place(
        &self,
        state: &WebState,
        reader: &mut Reader,
    ) -> Result<(Place, [Option<NaiveDateTime>; 2]), UndrawnChart> {
        let stations = reader.stations()?;
        let found = match &self.station {
            Some(id) => stations.into_iter().find(|station| station.id == *id),
            None => stations.into_iter().max_by_key(|station| station.is_home),
        };
        let Some(found) = found else {
            return Err(UndrawnChart::Station(self.station.clone().unwrap_or_default()));
        };
        let settings = state.station(&found.id);
        let zone = match &settings {
            Some(station) => station.zone,
            None => found.time_zone.parse::<Zone>().map_err(|_| UndrawnChart::Zone)?,
        };
        let place = Place {
            id: found.id,
            name: found.name,
            latitude: found.latitude,
            longitude: found.longitude,
            zone,
            minutes: settings.as_ref().map(|station| station.minutes.clone()),
        };
        let ends = [found.first, found.last];
        Ok((place, ends.map(|slot| slot.as_deref().and_then(parse_slot))))
    }

    /// What is to be drawn; open ends are filled in by what suits the kind of chart.
    fn order(
        &self,
        place: Place,
        [first, last]: [Option<NaiveDateTime>; 2],
        now: DateTime<Utc>,
    ) -> Result<Order, BadQuery> {
        let now = place.zone.local(now);
        // A night comes by the clock, not by the record.
        let last = last.filter(|_| self.kind != Kind::Tonight);
        let to = self
            .to
            .unwrap_or_else(|| last.unwrap_or(now).max(self.from.unwrap_or(NaiveDateTime::MIN)));
        let back = |days| {
            let midnight = to.date().and_time(NaiveTime::MIN);
            midnight.checked_sub_signed(TimeDelta::days(days)).unwrap_or(midnight)
        };
        let from = self.from.unwrap_or_else(|| match self.kind {
            Kind::Timeline | Kind::Keogram | Kind::Tonight | Kind::Dome => back(0),
            Kind::History | Kind::Distribution | Kind::Confidence | Kind::Raster => back(29),
            // The whole record.
            Kind::Calendar
            | Kind::Climatology
            | Kind::Nights
            | Kind::DarkHours
            | Kind::DarkYears => crate::web::query::Range::default().closed().0,
        });
        self.fits(from, to)?;
        Ok(Order { place, range: (from, to), now, first, look: self.look })
    }

    /// Whether the chart can show a range whole.
    fn fits(&self, from: NaiveDateTime, to: NaiveDateTime) -> Result<(), BadQuery> {
        let most = match self.kind {
            Kind::Timeline => timeline::MAX_DAYS,
            // Without a first day it is that of the year of the last one.
            Kind::Calendar if self.from.is_none() => return Ok(()),
            Kind::Raster | Kind::Calendar => raster::MAX_DAYS,
            Kind::Keogram => 1,
            _ => return Ok(()),
        };
        // A keogram may go from noon to noon.
        if self.kind == Kind::Keogram && from <= to && to - from < TimeDelta::days(1) {
            return Ok(());
        }
        let days = (to.date() - from.date()).num_days() + 1;
        if days <= most {
            return Ok(());
        }
        let (begin, end) = (from.date(), to.date());
        let reason = say!(
            "this chart shows {most} days at most, and from {begin} to {end} there are {days}; \
             ask for fewer, or for another chart: raster takes a year, history any range",
            "este gráfico muestra {most} días como mucho, y del {begin} al {end} hay {days}; pida \
             menos, u otro gráfico: raster toma un año, history cualquier intervalo"
        );
        Err(BadQuery::new("from", reason))
    }
}

/// Why there is nothing to draw.
enum UndrawnChart {
    Station(String),
    Zone,
    Store(StoreError),
    Query(BadQuery),
}

impl From<BadQuery> for UndrawnChart {
    fn from(error: BadQuery) -> Self {
        Self::Query(error)
    }
}

impl From<StoreError> for UndrawnChart {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// `/charts/{file}`.
pub async fn get(
    state: web::Data<WebState>,
    file: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let asked = ChartQuery::read(&file, &request)?;
    match asked.kind {
        Kind::Keogram => return draw_keogram(&state, asked).await,
        Kind::Dome => return draw_dome(&state, asked).await,
        _ => {}
    }
    // Days to come and slots that are expected change with the hour.
    let hour = state.clock.now().timestamp() / 600;
    let lang = match asked.look.lang {
        Lang::Es => "es",
        Lang::En => "en",
    };
    let tag = format!("{}-{hour:x}-{lang}", state.pool.version().await?);
    let version = Version::new(tag, Some("Accept-Language"));
    if let Some(unchanged) = version.unchanged(&request) {
        return Ok(unchanged);
    }
    let (form, theme) = (asked.form, asked.theme);
    // The permit comes first: a chart that waits holds neither a connection nor rows.
    let permit = state.charts.permit().await?;
    let (order, data) = gather(&state, asked).await?;
    let bytes = permit
        .run(move || form.finished(theme.paint(data.svg(&order).unwrap_or_default())))
        .await??;
    Ok(version.ok().content_type(form.media()).body(bytes))
}

/// Reads what is to be drawn; the connection is free again before the drawing begins.
async fn gather(
    state: &web::Data<WebState>,
    asked: ChartQuery,
) -> Result<(Order, ChartData), Problem> {
    let shared = state.clone();
    let found = state
        .pool
        .ask(move |reader| {
            let order = match asked
                .place(&shared, reader)
                .and_then(|(place, ends)| Ok(asked.order(place, ends, shared.clock.now())?))
            {
                Ok(order) => order,
                Err(UndrawnChart::Store(error)) => return Err(error),
                Err(other) => return Ok(Err(other)),
            };
            let data = order.gather(asked.kind, reader)?;
            Ok(Ok((order, data)))
        })
        .await?;
    found.map_err(|missing| match missing {
        UndrawnChart::Station(id) => Problem::no_such_station(&id),
        UndrawnChart::Query(bad) => bad.into(),
        UndrawnChart::Zone | UndrawnChart::Store(_) => Problem::internal(),
    })
}

/// Its pictures come from the camera. For a page, which asks again, what is there is drawn; a
/// picture waits for the rest.
async fn draw_keogram(
    state: &web::Data<WebState>,
    asked: ChartQuery,
) -> Result<HttpResponse, Problem> {
    let (form, theme) = (asked.form, asked.theme);
    let (order, data) = gather(state, asked).await?;
    let ChartData::Keogram { from, stored } = data else {
        return Err(Problem::internal());
    };
    let cache = Arc::clone(&state.keograms);
    let seen = match form == ChartForm::Png || !order.look.bare {
        // Nobody looks again at what stands alone.
        true => cache.whole(state, &order.place.id, from, stored).await?,
        false => cache.look(state, &order.place.id, from, &stored),
    };
    let permit = state.charts.permit().await?;
    let bytes = permit
        .run(move || form.finished(theme.paint(keogram::draw(&order, from, &seen))))
        .await??;
    Ok(unkept(form, bytes))
}

/// A chart that may be another one a moment later.
fn unkept(form: ChartForm, bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "Accept-Language"))
        .content_type(form.media())
        .body(bytes)
}

/// Its picture comes from the copies or the camera, and the model looks at it.
async fn draw_dome(
    state: &web::Data<WebState>,
    asked: ChartQuery,
) -> Result<HttpResponse, Problem> {
    let (form, theme) = (asked.form, asked.theme);
    let (order, data) = gather(state, asked).await?;
    let ChartData::Dome(item, lately) = data else {
        return Err(Problem::internal());
    };
    let input = DomeInput::look(state, order, item, lately).await?;
    if form == ChartForm::Csv {
        return Ok(unkept(form, input.csv().into_bytes()));
    }
    let permit = state.charts.permit().await?;
    let drawn = permit.run(move || form.finished(theme.paint(input.svg())));
    Ok(unkept(form, drawn.await??))
}
