//! Short paths of `/api/v1`, which name no station: they mean the record's home station.

use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, Uri};

use crate::web::WebState;
use crate::web::problem::Problem;

/// The prefix of a station's paths.
const STATIONS: &str = "/api/v1/stations/";
/// Resources that have a short path; backfills and runs are listed for all stations instead.
const SHORT: [&str; 5] = ["observations", "latest", "misses", "climatology", "slots"];

/// Rewrites a short path to that of the home station.
pub async fn lead(state: &WebState, request: &mut ServiceRequest) -> Result<(), Problem> {
    let Some(rest) = short(request.method(), request.path()) else {
        return Ok(());
    };
    let rest = rest.to_owned();
    let Some(home) = state.pool.ask(|reader| reader.home_station()).await? else {
        return Ok(());
    };
    // A station id that is not valid in an address has no short path.
    rewrite(request, &format!("{STATIONS}{home}/{rest}"));
    Ok(())
}

/// Has the request be answered as one for `path`; leaves it alone where that is no path.
pub fn rewrite(request: &mut ServiceRequest, path: &str) {
    let mut to = path.to_owned();
    if let Some(query) = request.uri().query() {
        to.push('?');
        to.push_str(query);
    }
    if let Ok(uri) = to.parse::<Uri>() {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

/// The part of a short path that follows the station in the long form.
fn short<'a>(method: &Method, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix("/api/v1/")?;
    let end = rest.find(['/', '.']).unwrap_or(rest.len());
    let (kind, more) = rest.split_at(end);
    let is_order = *method == Method::POST && rest == "backfills";
    let is_short = SHORT.contains(&kind) && (kind == "slots") == more.starts_with('/');
    (is_order || is_short).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_resources_of_a_station_have_short_paths() {
        let get = |path| short(&Method::GET, path);
        for whole in [
            "/api/v1/stations",
            "/api/v1/stations/rio-grande/latest",
            "/api/v1/runs",
            "/api/v1/backfills",
            "/api/v1/latest/more",
            "/api/v1/slots",
            "/api/v1/latestness",
            "/latest",
        ] {
            assert_eq!(get(whole), None, "{whole}");
        }
        assert_eq!(get("/api/v1/latest"), Some("latest"));
        assert_eq!(get("/api/v1/misses.csv"), Some("misses.csv"));
        let picture = "slots/2024-01-01T00:02/picture";
        assert_eq!(get(&format!("/api/v1/{picture}")), Some(picture));
        let order = short(&Method::POST, "/api/v1/backfills");
        assert_eq!(order, Some("backfills"));
    }
}
