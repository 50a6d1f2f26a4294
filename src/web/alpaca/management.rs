//! The management of Alpaca: what the server is, and which devices it has.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::version::VERSION;
use crate::web::WebState;
use crate::web::alpaca::device::AlpacaDevice;
use crate::web::alpaca::kind::DeviceKind;
use crate::web::alpaca::wire::{AlpacaRequest, NotUnderstood, reply};
use crate::web::problem::language;
use celaje_sky::say;
use celaje_sky::text::Lang;

/// The answer to `/management/…`.
pub(super) fn answer(
    state: &WebState,
    path: &[&str],
    asked: &AlpacaRequest,
) -> Result<HttpResponse, NotUnderstood> {
    let value = match path {
        ["apiversions"] => json!([1]),
        ["v1", "description"] => description(state),
        ["v1", "configureddevices"] => devices(state),
        _ => return Err(NotUnderstood::request("there is no such path of management")),
    };
    Ok(reply(Ok(Some(value)), asked, state.alpaca.transaction()))
}

fn description(state: &WebState) -> Value {
    let stations = state.recent.stations();
    let names: Vec<&str> = stations.iter().map(|station| station.name.as_str()).collect();
    json!({
        "ServerName": "Celaje",
        "Manufacturer": "Celaje",
        "ManufacturerVersion": VERSION,
        "Location": names.join(", "),
    })
}

fn devices(state: &WebState) -> Value {
    let stations = state.recent.stations();
    let all = stations.iter().enumerate().flat_map(|(number, station)| {
        DeviceKind::ALL.map(|kind| {
            let device = AlpacaDevice { kind, station: station.clone() };
            json!({
                "DeviceName": device.name(),
                "DeviceType": kind.type_name(),
                "DeviceNumber": number,
                "UniqueID": device.unique_id(&state.identity),
            })
        })
    });
    Value::Array(all.collect())
}

/// The page that a client shows for a device's setup: there is nothing to set.
pub(super) fn setup(request: &HttpRequest) -> HttpResponse {
    let text = say!(
        "There is nothing to set here: the rule of safety is [station.safety] in celaje.toml. \
         Celaje sees clouds, neither rain nor wind.",
        "Aquí no hay nada que ajustar: la regla de seguridad es [station.safety] en celaje.toml. \
         Celaje ve nubes, ni lluvia ni viento."
    );
    let lang = language(request.headers());
    let code = match lang {
        Lang::Es => "es",
        Lang::En => "en",
    };
    let text = text.get(lang);
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html>\n<html lang=\"{code}\"><meta charset=\"utf-8\"><title>Celaje</title>\
         <h1>Celaje</h1><p>{text}</p></html>\n"
    ))
}
