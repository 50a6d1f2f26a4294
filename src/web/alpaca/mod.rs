//! ASCOM Alpaca: each station is a `SafetyMonitor` (interface 3) and an `ObservingConditions`
//! (interface 2), on a listener of its own.
//!
//! Sources: ASCOM Alpaca API Reference, version 10; `AlpacaDeviceAPI_v1.yaml` and
//! `AlpacaManagementAPI_v1.yaml` of ASCOMRemote; the checks of ConformU 4.4. Every answer that the
//! device understands has status 200 and says in itself whether it succeeded; 400 is what it
//! doesn't understand. There is no authentication: a PUT changes nothing but what the client itself
//! is told.

mod clients;
mod device;
pub mod discovery;
mod kind;
mod management;
mod setup;
mod wire;

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::web::WebState;
use crate::web::alpaca::device::AlpacaDevice;
use crate::web::alpaca::kind::DeviceKind;
use crate::web::alpaca::wire::{AlpacaRequest, Misunderstood, NotUnderstood};

pub(crate) use clients::AlpacaClients;

/// The UDP port that clients ask by default.
pub const DISCOVERY_PORT: u16 = 32227;

/// All paths: there is no table of routes, since what is unknown has answers of its own.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.default_service(web::to(answer));
}

async fn answer(
    state: web::Data<WebState>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    match route(&state, &request, &body) {
        Ok(response) => response,
        Err(NotUnderstood(kind, why)) => {
            let mut response = match kind {
                Misunderstood::Request => HttpResponse::BadRequest(),
                Misunderstood::Method => HttpResponse::MethodNotAllowed(),
                Misunderstood::Path => HttpResponse::NotFound(),
            };
            response.content_type("text/plain; charset=utf-8").body(why)
        }
    }
}

fn route(
    state: &WebState,
    request: &HttpRequest,
    body: &[u8],
) -> Result<HttpResponse, NotUnderstood> {
    let parts: Vec<&str> = request.path().split('/').skip(1).collect();
    let method = match *request.method() {
        Method::GET | Method::HEAD => Method::GET,
        Method::PUT => Method::PUT,
        ref other => return Err(NotUnderstood::method(&format!("{other} is not used here"))),
    };
    let asked = match method {
        Method::PUT => AlpacaRequest::of_body(body),
        _ => AlpacaRequest::of_query(request.query_string()),
    };
    match (parts.as_slice(), &method) {
        (["management", rest @ ..], &Method::GET) => management::answer(state, rest, &asked),
        (["" | "setup"] | ["setup", ""], &Method::GET) => {
            Ok(setup::page(state, request, &state.recent.stations()))
        }
        (["setup", "style.css"], &Method::GET) => Ok(setup::style()),
        (["setup", "v1", kind, number, "setup"], &Method::GET) => {
            let device = find(state, kind, number)?;
            Ok(setup::page(state, request, &[device.station]))
        }
        (["api", "v1", kind, number, member], method) => {
            let device = find(state, kind, number)?;
            let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |at| at.ip());
            device.answer(state, peer, method == Method::PUT, member, &asked)
        }
        (["api", ..], _) => Err(NotUnderstood::request("the path is /api/v1/type/number/member")),
        _ => Err(NotUnderstood::path()),
    }
}

/// The device of a path.
fn find(state: &WebState, kind: &str, number: &str) -> Result<AlpacaDevice, NotUnderstood> {
    let kind = DeviceKind::of_path(kind).ok_or_else(|| {
        NotUnderstood::request("the types are safetymonitor and observingconditions")
    })?;
    let stations = state.recent.stations();
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number: Option<usize> = number.parse().ok().filter(|_| plain);
    let station = number.and_then(|number| stations.get(number)).cloned();
    let n = stations.len();
    let station = station
        .ok_or_else(|| NotUnderstood::request(&format!("there are {n} devices, from number 0")))?;
    Ok(AlpacaDevice { kind, station })
}
