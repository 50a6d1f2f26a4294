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

/// Width of a letter, pixels: the text is stretched to its box, so that every font fits.
const LETTER: usize = 7;
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
    query::nothing(request.query_string())?;
    match request.match_info().get("station") {
        Some(id) => state.recent.station(id).ok_or_else(|| Problem::no_such_station(id)),
        None => state.recent.stations().into_iter().next().ok_or_else(Problem::no_such_path),
    }
}

/// The sky in a word or two, and its colour.
fn sky(state: &WebState, station: &Station) -> (Text, &'static str) {
    let Some(last) = state.recent.fresh(&station.id) else {
        return (say!("no reading", "sin lectura"), "#8a8f98");
    };
    let word = match last.oktas() {
        None => say!("sky hidden", "cielo no visible"),
        Some(oktas) => {
            let (en, es) = words(last.cover);
            say!("{en}, {oktas}/8", "{es}, {oktas}/8")
        }
    };
    let colour = match last.oktas() {
        None => "#8a8f98",
        Some(oktas) if oktas <= 2.0 => "#1f6feb",
        Some(oktas) if oktas <= 4.0 => "#4c7fb0",
        Some(_) => "#5b6470",
    };
    (word, colour)
}

const fn words(cover: Cover) -> (&'static str, &'static str) {
    match cover.code() {
        0 => ("clear", "despejado"),
        1 | 2 => ("few clouds", "pocas nubes"),
        3 | 4 => ("scattered", "nubes dispersas"),
        5..=7 => ("broken", "muy nublado"),
        _ => ("overcast", "cubierto"),
    }
}

async fn badge_of(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let station = station(&state, &request)?;
    let (text, colour) = sky(&state, &station);
    let svg = badge(&station.name, text.get(language(request.headers())), colour);
    Ok(shared("image/svg+xml", svg))
}

async fn widget_of(
    state: web::Data<WebState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let station = station(&state, &request)?;
    let lang = language(request.headers());
    let (text, colour) = sky(&state, &station);
    let code = match lang {
        Lang::Es => "es",
        Lang::En => "en",
    };
    let (name, words) = (escaped(&station.name), escaped(text.get(lang)));
    let page = format!(
        "<!doctype html>\n<html lang=\"{code}\"><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"{FRESH}\"><title>{name}</title>\
         <p>{badge}</p><p hidden>{words}</p></html>\n",
        badge = badge(&station.name, text.get(lang), colour),
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

/// Two boxes, each with a text. Uses attributes only: a page's policy may forbid styles.
fn badge(name: &str, text: &str, colour: &str) -> String {
    let width = |text: &str| text.chars().count() * LETTER + 12;
    let (left, right) = (width(name), width(text));
    let all = left + right;
    let (name, text) = (escaped(name), escaped(text));
    let (first, second) = (left - 12, right - 12);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" \
         aria-label=\"{name}: {text}\"><title>{name}: {text}</title>\
         <rect width=\"{left}\" height=\"20\" fill=\"#2b3038\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
         <text x=\"6\" y=\"14\" textLength=\"{first}\">{name}</text>\
         <text x=\"{at}\" y=\"14\" textLength=\"{second}\">{text}</text></g></svg>",
        at = left + 6,
    )
}

fn escaped(text: &str) -> String {
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
    }
}
