//! The pages that a client opens for a device's setup: nothing is set there, but it is seen at once
//! what the device says, and why.

use std::fmt::Write as _;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};

use crate::web::WebState;
use crate::web::badge::escaped;
use crate::web::problem::language;
use celaje_sky::safety::SkyReading;
use celaje_sky::say;
use celaje_sky::station::Station;
use celaje_sky::text::Lang;

/// Seconds after which the page asks again.
const FRESH: u32 = 30;
/// A file of its own: the page's policy allows no style inside it.
const STYLE: &str = ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
     body{max-width:40rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.2rem}\
     h2{font-size:1.4rem;margin:1.5rem 0 .25rem}p{margin:.25rem 0}\
     b{padding:.1rem .5rem;border-radius:.25rem;color:#fff;background:#a3262a}\
     b.safe{background:#1d7a3c}footer{margin-top:2rem}\n";

pub(super) fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css; charset=utf-8").body(STYLE)
}

pub(super) fn page(
    state: &WebState,
    request: &HttpRequest,
    stations: &[Arc<Station>],
) -> HttpResponse {
    let lang = language(request.headers());
    let code = match lang {
        Lang::Es => "es",
        Lang::En => "en",
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"{code}\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"refresh\" content=\"{FRESH}\"><title>Celaje</title>\
         <link rel=\"stylesheet\" href=\"/setup/style.css\"><h1>Celaje</h1>"
    );
    for station in stations {
        let said = said(state, station, lang);
        let _ = write!(page, "<h2>{}</h2>{said}", escaped(&station.name));
    }
    let text = say!(
        "Nothing is set here: the rule is the table [station.safety] of celaje.toml. Celaje sees \
         clouds. It sees neither rain nor wind, and is never a roof's only guard.",
        "Aquí no se ajusta nada: la regla es la tabla [station.safety] de celaje.toml. Celaje ve \
         nubes. No ve lluvia ni viento, y nunca es el único resguardo de un techo."
    );
    let _ = writeln!(page, "<footer>{}</footer></html>", text.get(lang));
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page)
}

/// What the devices of a station say now.
fn said(state: &WebState, station: &Station, lang: Lang) -> String {
    let Some(safety) = state.recent.safety(&station.id) else {
        return String::new();
    };
    let (class, word) = match safety.safe {
        true => ("safe", say!("Safe", "Seguro")),
        false => ("unsafe", say!("Unsafe", "No seguro")),
    };
    let (word, reason) = (word.get(lang), safety.reason.text());
    let latest = state.recent.latest(&station.id);
    let last = latest.map(|last| {
        let time = station.zone.local(last.at).format("%Y-%m-%d %H:%M");
        match SkyReading::oktas(&last) {
            Some(oktas) => say!(
                "Last picture {time}, {oktas} of 8 oktas.",
                "Última imagen {time}, {oktas} de 8 octas."
            ),
            None => {
                say!("Last picture {time}, without the sky.", "Última imagen {time}, sin el cielo.")
            }
        }
    });
    let last = last.map(|last| format!("<p>{}</p>", last.get(lang))).unwrap_or_default();
    format!("<p><b class=\"{class}\">{word}</b> {}</p>{last}", reason.get(lang))
}
