//! The management of Alpaca: what the server is, and which devices it has.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use crate::version::VERSION;
use crate::web::WebState;
use crate::web::alpaca::device::AlpacaDevice;
use crate::web::alpaca::kind::DeviceKind;
use crate::web::alpaca::wire::{AlpacaRequest, NotUnderstood, reply};

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
