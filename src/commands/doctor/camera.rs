//! The camera's part of `celaje doctor`: asks for the newest picture, decodes it, and says what
//! else it was.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::camera::fault::AccessFault;
use crate::camera::http::{HttpClient, picture_url};
use crate::camera::scheme::Scheme;
use crate::camera::{Body, Refusal, Source};
use crate::clock::Clock;
use crate::service::notices;
use crate::service::request::{check_clock, station_source};
use crate::service::witness::ClockWitness;
use crate::settings::Settings;
use celaje_sky::clock::ClockEvidence;
use celaje_sky::error::request_text;
use celaje_sky::layout::Layout;
use celaje_sky::outcome::MissReason;
use celaje_sky::retry::RetryPolicy;
use celaje_sky::say;
use celaje_sky::slot::{Slot, SlotRange};
use celaje_sky::station::{LayoutChoice, Station};
use celaje_sky::text::Text;
use celaje_vision::picture::decode::{Limits, decode, is_picture};

/// A camera that gives pictures.
pub(super) struct WorkingCamera {
    /// What it gave.
    pub(super) text: Text,
    /// What to improve.
    pub(super) warning: Option<Text>,
}

/// Asks for the newest picture, and says what is the matter with the environment beside.
pub(super) async fn check(settings: &Settings) -> Result<WorkingCamera, Text> {
    let station = Arc::new(settings.station.clone());
    let source = station_source(&station).map_err(|failure| failure.text)?;
    let proxy = notices::ignored_proxies(&source).into_iter().next();
    let mut camera = ask(settings, &source).await;
    if camera.is_err() {
        // There is no picture of a time that has not come.
        camera = check_host(settings, &source).await.and(camera);
    }
    match (camera, proxy) {
        (Ok(camera), proxy) => Ok(WorkingCamera { warning: proxy.or(camera.warning), ..camera }),
        (Err(fault), Some(proxy)) => Err(say!("{fault}; {proxy}", "{fault}; {proxy}")),
        (Err(fault), None) => Err(fault),
    }
}

/// Asks for the newest picture, once in each place where it may be.
async fn ask(settings: &Settings, source: &Source) -> Result<WorkingCamera, Text> {
    let station = &settings.station;
    check_clock(Clock::SYSTEM, source).map_err(|failure| failure.text)?;
    let mut limits = settings.tuning.http.clone();
    limits.total_timeout = limits.total_timeout.min(Duration::from_secs(20));
    limits.retry = RetryPolicy { retries: 0, ..limits.retry };
    let client = HttpClient::new(source.base(), &station.trust, limits, CancellationToken::new());
    let client = client.map_err(|e| {
        say!("{e}; check the certificates of this system", "{e}; revise los certificados")
    })?;
    let base = match source {
        Source::Http(base) => base.clone(),
        Source::Scheme(scheme) => return scheme_check(settings, scheme, &client).await,
        Source::Folder(_) => {
            return Ok(WorkingCamera { text: say!("none", "ninguna"), warning: None });
        }
    };
    let Some(slot) = newest_slot(station) else {
        return Err(say!(
            "there was no slot in the last two days",
            "no hubo ningún turno en los últimos dos días"
        ));
    };
    let places: &[Layout] = match station.layout {
        LayoutChoice::Auto => &[Layout::Root, Layout::Year],
        LayoutChoice::Year => &[Layout::Year],
        LayoutChoice::Root => &[Layout::Root],
    };
    let host = base.host_str().unwrap_or_default().to_owned();
    let mut fault = None;
    for layout in places {
        let body = match client.get(picture_url(&base, *layout, slot)).await {
            Ok(body) => body,
            Err(refusal) => {
                // What stood in the first place says more than that the second one is empty.
                fault = fault.or_else(|| refusal.map(|refusal| refused(&host, slot, refusal)));
                continue;
            }
        };
        match judge(&body.bytes, &settings.tuning.picture) {
            Ok(what) => {
                let layout = layout.as_str();
                return Ok(WorkingCamera {
                    text: say!(
                        "{host} gave the picture of {slot} ({what}, layout {layout})",
                        "{host} dio la imagen de {slot} ({what}, disposición {layout})"
                    ),
                    warning: warning(station, &body),
                });
            }
            Err(what) => {
                fault = Some(say!(
                    "{host} gave {what} in place of the picture of {slot}; look at --url-base in \
                    a browser",
                    "{host} dio {what} en lugar de la imagen de {slot}; mire --url-base en un \
                    navegador"
                ));
            }
        }
    }
    Err(fault.unwrap_or_else(|| say!("{host} gave nothing", "{host} no dio nada")))
}

/// That the camera's host contradicts this machine's clock, and no folder of it lists a picture of
/// now.
async fn check_host(settings: &Settings, source: &Source) -> Result<(), Text> {
    let clock = Clock::SYSTEM;
    let witness = ClockWitness::of(source, &settings.station, &settings.tuning.http);
    let Some(witness) = witness.filter(|_| !settings.trust_clock) else { return Ok(()) };
    let host = witness.host_time().await.flatten();
    let evidence = ClockEvidence { host, ..ClockEvidence::since(clock.earliest()) };
    let Some(doubt) = host.and_then(|_| evidence.doubt(clock.now())) else { return Ok(()) };
    let seen = ClockEvidence { names: witness.names(clock).await, ..evidence };
    if seen.confirms(clock.now()) { Ok(()) } else { Err(doubt.text()) }
}

/// Asks for the newest picture as the station's source says.
async fn scheme_check(
    settings: &Settings,
    scheme: &Scheme,
    client: &HttpClient,
) -> Result<WorkingCamera, Text> {
    let station = &settings.station;
    let now = Clock::SYSTEM.now();
    let picture = match scheme.newest(client, Clock::SYSTEM, true).await {
        Ok(picture) => picture,
        Err(Some(Refusal { fault: Some(fault), detail, .. })) => {
            return Err(with_detail(&fault, &detail));
        }
        Err(refusal) => {
            let what = refusal.map(|refusal| refusal.detail).unwrap_or_default();
            return Err(say!(
                "the camera gave no picture: {what}; check [station.source] in celaje.toml",
                "la cámara no dio ninguna imagen: {what}; revise [station.source] en celaje.toml",
                what = request_text(&what),
            ));
        }
    };
    let url = picture.url;
    let what = judge(&picture.bytes, &settings.tuning.picture).map_err(|what| {
        say!(
            "{url} gives {what} in place of a sound picture; open it yourself, then see to the \
             camera, or correct [station.source] in celaje.toml",
            "{url} da {what} en lugar de una imagen sana; ábrala usted, y luego revise la cámara, \
             o corrija [station.source] en celaje.toml"
        )
    })?;
    let taken = picture.taken_at.unwrap_or(now);
    let shown = station.zone.local(taken).format("%Y-%m-%dT%H:%M:%S");
    let minutes = (now - taken).num_minutes();
    let is_old = now - taken > station.minutes.shortest() * 2 + TimeDelta::minutes(2);
    let old = is_old.then(|| {
        say!(
            "it is {minutes} minutes old: see to the camera and to its clock",
            "tiene {minutes} minutos: revise la cámara y su reloj"
        )
    });
    Ok(WorkingCamera {
        text: say!("{url}, taken {shown} ({what})", "{url}, tomada {shown} ({what})"),
        warning: old.or_else(|| notices::any_certificate(station)),
    })
}

/// What a picture is, or what these bytes are in place of one.
fn judge(bytes: &[u8], limits: &Limits) -> Result<Text, Text> {
    let size = bytes.len();
    match decode(bytes, limits) {
        Ok(picture) => {
            let (width, height) = (picture.width, picture.height);
            Ok(say!("{width}×{height}, {size} bytes", "{width}×{height}, {size} bytes"))
        }
        Err(error) => {
            let why = error.text();
            Err(match other(bytes) {
                _ if is_picture(bytes) => say!(
                    "a damaged picture of {size} bytes ({why})",
                    "una imagen dañada de {size} bytes ({why})"
                ),
                Some(what) => what,
                None => say!(
                    "{size} bytes that are no picture ({why})",
                    "{size} bytes sin imagen ({why})"
                ),
            })
        }
    }
}

/// Marks of a web page in lower case; small servers leave the outer ones out.
const PAGE: [&str; 12] = [
    "<html",
    "<!doctype html",
    "<head",
    "<body",
    "<title",
    "<meta",
    "<script",
    "<style",
    "<form",
    "<input",
    "<frameset",
    "<iframe",
];

/// What bytes that are no JPEG and no PNG are, by their beginning.
fn other(bytes: &[u8]) -> Option<Text> {
    let start = &bytes[..bytes.len().min(1024)];
    let text = String::from_utf8_lossy(start).trim_start_matches('\u{feff}').to_lowercase();
    let text = text.trim_start();
    let page = PAGE.iter().any(|tag| text.contains(tag));
    let formats: [(&[u8], &str); 6] = [
        (b"GIF8", "GIF"),
        (b"RIFF", "WebP"),
        (b"BM", "BMP"),
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"%PDF", "PDF"),
    ];
    let format = formats.iter().find(|(first, _)| start.starts_with(first));
    Some(if bytes.is_empty() {
        say!("no bytes at all", "una respuesta vacía")
    } else if page {
        say!("a web page, such as one to log in,", "una página web, como la de inicio de sesión,")
    } else if text.starts_with('{') || text.starts_with('[') || text.starts_with('<') {
        say!("a message of a program (JSON or XML)", "un mensaje de un programa (JSON o XML)")
    } else if let Some((_, format)) = format {
        say!("a {format} (JPEG and PNG are read)", "un {format} (se leen JPEG y PNG)")
    } else if bytes.get(4..8) == Some(b"ftyp") {
        say!("a video, HEIC or AVIF", "un video, HEIC o AVIF")
    } else if !text.is_empty() && !text.contains(['\u{fffd}', '\0']) {
        say!("text", "un texto")
    } else {
        return None;
    })
}

/// What a person has to mend, and what a library says of it where the text doesn't say all.
fn with_detail(fault: &AccessFault, detail: &str) -> Text {
    let what = fault.text();
    match fault.needs_detail() {
        true => {
            let Text { en, es } = what;
            say!("{en} ({detail})", "{es} ({detail})", detail = request_text(detail))
        }
        false => what,
    }
}

/// Why the camera gave nothing.
fn refused(host: &str, slot: Slot, refusal: Refusal) -> Text {
    let Refusal { reason, detail, fault, .. } = refusal;
    match (reason, fault) {
        (_, Some(fault)) => {
            let what = with_detail(&fault, &detail);
            say!("{host}: {what}", "{host}: {what}")
        }
        (MissReason::NotFound, _) => say!(
            "{host} answers but has no picture of {slot}; check that the camera works and that \
             --url-base is right",
            "{host} responde pero no tiene la imagen de {slot}; verifique que la cámara funcione y \
             que --url-base sea correcta"
        ),
        _ => say!(
            "{host} gave nothing ({detail}); check the network and --url-base",
            "{host} no dio nada ({detail}); revise la red y --url-base",
            detail = request_text(&detail),
        ),
    }
}

/// What to improve although pictures come.
fn warning(station: &Station, body: &Body) -> Option<Text> {
    let packed = body.was_packed.then(|| {
        say!(
            "it came packed (gzip, deflate or multipart) although nobody asked for that: it is \
             unpacked; a JPEG gets no smaller, so switch that off in the server",
            "llegó empaquetada (gzip, deflate o multipart) sin que nadie lo pidiera: se \
             desempaqueta; un JPEG no se achica, así que desactive eso en el servidor"
        )
    });
    notices::any_certificate(station).or(packed)
}

/// The newest slot whose picture should exist: the camera is triggered a minute after a slot.
fn newest_slot(station: &Station) -> Option<Slot> {
    let now = station.zone.local(Clock::SYSTEM.now() - TimeDelta::minutes(1));
    let range = SlotRange::new(now - TimeDelta::days(2), now).ok()?;
    range.slots(&station.minutes, station.zone).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_named() {
        for (bytes, what) in [
            (&b""[..], "no bytes at all"),
            (b"\r\n<!DOCTYPE html>\n<title>Log in", "a web page"),
            ("\u{feff}<!-- x --><HTML>".as_bytes(), "a web page"),
            (b"<FORM action=login.cgi><input name=user>", "a web page"),
            (b"<!-- camera -->\n<title>Acceso</title>", "a web page"),
            (b"<?xml version='1.0'?><error/>", "JSON or XML"),
            (b"{\"error\": 401}", "JSON"),
            (b"GIF89a....", "a GIF"),
            (b"\0\0\0\x20ftypheic", "HEIC"),
            (b"404 no such file", "text"),
            (b"\xff\xd8\xff\xe0 and noise", "a damaged picture of 14 bytes"),
            (b"\x01\x02\x03\x80\xff", "5 bytes that are no picture"),
        ] {
            let judged = judge(bytes, &Limits::default()).unwrap_err().en;
            assert!(judged.contains(what), "{what}: {judged}");
        }
    }
}
