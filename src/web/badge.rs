//! The sky now for other pages: a badge, and a small page to embed.
//!
//! Both need no script. Pages of other servers may show them: their answers alone are open to that.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::{Problem, language};
use crate::web::query::{self, NONE};
use crate::web::routes::Routes;
use celaje_sky::cover::Cover;
use celaje_sky::say;
use celaje_sky::station::Station;
use celaje_sky::text::{Lang, Text};

const FONT: &str = "Verdana,DejaVu Sans,sans-serif";
/// Seconds after which a page asks again.
const FRESH: u32 = 60;

/// Paths that pages of other servers may show.
pub fn is_at(path: &str) -> bool {
    path == "/badge.svg"
        || path == "/widget"
        || path.ends_with("/badge.svg")
        || path.ends_with("/widget")
}

pub(crate) fn configure(routes: &mut Routes<'_>) {
    let badge = Operation::new(Tag::Pictures, "The sky now as a badge")
        .details("May be shown by pages of other servers.")
        .query(NONE)
        .record()
        .named()
        .media(&["image/svg+xml"], "The badge");
    let paths = ["/api/v1/stations/{station}/badge.svg", "/badge.svg"];
    routes.read(&paths, badge, badge_of);
    let widget = Operation::new(Tag::Pictures, "The sky now as a small page to embed")
        .details("May be framed by pages of other servers; it renews itself.")
        .query(NONE)
        .record()
        .named()
        .media(&["text/html"], "The page");
    routes.read(&["/api/v1/stations/{station}/widget", "/widget"], widget, widget_of);
}

/// The station of a path; the first one of the settings where it names none.
fn station(state: &WebState, request: &HttpRequest) -> Result<std::sync::Arc<Station>, Problem> {
    query::picture(request.query_string())?;
    match request.match_info().get("station") {
        Some(id) => state.recent.station(id).ok_or_else(|| Problem::no_such_station(id)),
        None => state.recent.stations().into_iter().next().ok_or_else(Problem::no_such_path),
    }
}

/// What is shown of a station.
struct ShownSky {
    /// The sky in a word or two.
    text: Text,
    colour: &'static str,
    /// Oktas; none where the sky is not seen.
    oktas: Option<f64>,
    /// When the picture was taken, by the station's clock; none without a recent one.
    time: Option<String>,
}

fn sky(state: &WebState, station: &Station) -> ShownSky {
    let Some(last) = state.recent.fresh(&station.id) else {
        let text = say!("no reading", "sin lectura");
        return ShownSky { text, colour: "#6b717a", oktas: None, time: None };
    };
    let oktas = last.oktas();
    let text = match oktas {
        None => say!("sky hidden", "cielo no visible"),
        Some(oktas) => {
            let (en, es) = words(last.cover);
            say!("{en}, {oktas}/8", "{es}, {oktas}/8")
        }
    };
    let colour = match oktas {
        None => "#6b717a",
        Some(oktas) if oktas <= 2.0 => "#1f6feb",
        Some(oktas) if oktas <= 4.0 => "#3f73a5",
        Some(_) => "#5b6470",
    };
    let time = Some(station.zone.local(last.at).format("%H:%M").to_string());
    ShownSky { text, colour, oktas, time }
}

const fn words(cover: Cover) -> (&'static str, &'static str) {
    match cover.code() {
        0 => ("clear", "despejado"),
        1 | 2 => ("few clouds", "pocas nubes"),
        3 | 4 => ("scattered clouds", "nubes dispersas"),
        5..=7 => ("broken clouds", "muy nublado"),
        _ => ("overcast", "cubierto"),
    }
}

async fn badge_of(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let station = station(&state, &request)?;
    let shown = sky(&state, &station);
    let svg = badge(&station.name, shown.text.get(language(request.headers())), shown.colour);
    Ok(shared("image/svg+xml", svg))
}

async fn widget_of(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let station = station(&state, &request)?;
    let lang = language(request.headers());
    let code = match lang {
        Lang::Es => "es",
        Lang::En => "en",
    };
    let page = format!(
        "<!doctype html>\n<html lang=\"{code}\"><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"{FRESH}\"><title>{name}</title>\
         <body marginwidth=\"0\" marginheight=\"0\">{drawn}</body></html>\n",
        name = escaped(&station.name),
        drawn = widget(&station.name, &sky(&state, &station), lang),
    );
    Ok(shared("text/html; charset=utf-8", page))
}

fn shared(media_type: &str, body: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CACHE_CONTROL, format!("public, max-age={FRESH}")))
        .insert_header((header::VARY, "Accept-Language"))
        .body(body)
}

/// Width of a text of 11 pixels in Verdana or DejaVu Sans, pixels. The text is stretched to it, so
/// that every font fits.
fn width(text: &str) -> usize {
    let tenths = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | 'í' | ' ' | '.' | ',' | ':' | '\'' | '|' => 35,
        'f' | 't' | 'r' | '/' | '(' | ')' | '-' | '·' => 44,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 100,
        c if c.is_uppercase() => 77,
        // Chinese, Japanese, Korean.
        '\u{2e80}'.. => 115,
        _ => 67,
    };
    text.chars().map(tenths).sum::<usize>().div_ceil(10)
}

/// Two boxes, each with a text. Uses attributes only: a page's policy may forbid styles.
fn badge(name: &str, text: &str, colour: &str) -> String {
    let (first, second) = (width(name), width(text));
    let (left, right) = (first + 12, second + 12);
    let all = left + right;
    let (name, text) = (escaped(name), escaped(text));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" \
         aria-label=\"{name}: {text}\"><title>{name}: {text}</title>\
         <rect width=\"{left}\" height=\"20\" fill=\"#2b3038\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/>\
         <g fill=\"#fff\" font-family=\"{FONT}\" font-size=\"11\">\
         <text x=\"6\" y=\"14\" textLength=\"{first}\">{name}</text>\
         <text x=\"{at}\" y=\"14\" textLength=\"{second}\">{text}</text></g></svg>",
        at = left + 6,
    )
}

/// A box of 320 by 60 pixels that shrinks with its frame: the oktas, the station, the sky and when
/// it was seen.
fn widget(name: &str, sky: &ShownSky, lang: Lang) -> String {
    const ROOM: usize = 244;
    let words = sky.text.get(lang);
    let line = match &sky.time {
        Some(time) => format!("{words} · {time}"),
        None => words.to_owned(),
    };
    // What is too long is drawn narrower.
    let fit = |text: &str, size: usize| match width(text) * size / 11 {
        fits if fits <= ROOM => String::new(),
        _ => format!(" textLength=\"{ROOM}\" lengthAdjust=\"spacingAndGlyphs\""),
    };
    let amount = sky.oktas.map_or_else(|| "–".to_owned(), |oktas| oktas.to_string());
    let (narrow, narrower) = (fit(name, 15), fit(&line, 13));
    let (name, line, colour) = (escaped(name), escaped(&line), sky.colour);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100%\" height=\"60\" \
         viewBox=\"0 0 320 60\" preserveAspectRatio=\"xMinYMid\" display=\"block\" role=\"img\" \
         aria-label=\"{name}: {line}\"><title>{name}: {line}</title>\
         <rect width=\"320\" height=\"60\" fill=\"#2b3038\"/>\
         <rect width=\"60\" height=\"60\" fill=\"{colour}\"/>\
         <g fill=\"#fff\" font-family=\"{FONT}\" font-size=\"13\">\
         <text x=\"30\" y=\"40\" font-size=\"28\" text-anchor=\"middle\">{amount}</text>\
         <text x=\"70\" y=\"25\" font-weight=\"bold\"{narrow}>{name}</text>\
         <text x=\"70\" y=\"46\"{narrower}>{line}</text></g></svg>"
    )
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_whole_whatever_the_name() {
        let svg = badge("R\"&<o>", "clear, 0/8", "#fff");
        assert!(svg.contains("R&quot;&amp;&lt;o&gt;: clear, 0/8"), "{svg}");
        assert_eq!(svg.matches("<text").count(), 2);
        assert!(!svg.contains("style"));
        let text = say!("clear, 0/8", "despejado, 0/8");
        let sky = ShownSky { text, colour: "#fff", oktas: Some(0.0), time: Some("02:12".into()) };
        let page = widget("R\"&<o>", &sky, Lang::Es);
        assert!(page.contains("R&quot;&amp;&lt;o&gt;: despejado, 0/8 · 02:12"), "{page}");
        assert!(!page.contains("textLength") && !page.contains("style"), "{page}");
        assert!(widget(&"Observatorio ".repeat(5), &sky, Lang::Es).contains("textLength"));
    }
}
