//! The rules of alerts, where they stand, and their messages.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::settings::alerts::AlertSettings;
use crate::store::reader::{AlertMessage, AlertStanding, MessageCount};
use crate::web::WebState;
use crate::web::openapi::operation::{Operation, Tag};
use crate::web::problem::Problem;
use crate::web::query::{self, NONE};
use crate::web::reply::live;
use crate::web::routes::Routes;
use celaje_sky::station::Station;

/// Messages that are listed.
const MOST: i64 = 100;

/// An alert of a station: its rule, and where it stands.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "AlertRule")]
struct AlertRuleItem {
    /// The alert, by its name.
    alert: String,
    /// Station, by its id.
    station: String,
    /// `clearing`, `clouding`, `safe`, `unsafe`, `camera` or `silence`.
    kind: &'static str,
    /// The senders, by their ids.
    to: Vec<String>,
    /// `armed`; `fired` until the opposite holds; `unknown` before there were readings enough.
    state: &'static str,
    /// Since when, UTC.
    since: Option<String>,
    /// When something was last told, UTC.
    told_at: Option<String>,
    /// Messages that are not sent yet.
    waiting: i64,
    /// Messages that were given up, of the last 500.
    dropped: i64,
}

pub(super) fn configure(routes: &mut Routes<'_>) {
    let operation = Operation::new(Tag::Program, "The last messages of alerts, the newest first")
        .query(NONE)
        .record()
        .json::<Vec<AlertMessage>>("The messages, without their text");
    routes.read(&["/api/v1/alerts"], operation, list);
    let operation = Operation::new(Tag::Program, "The rules of alerts and where they stand")
        .details("Each alert of the settings once for each of its stations.")
        .query(NONE)
        .record()
        .json::<Vec<AlertRuleItem>>("The rules");
    routes.read(&["/api/v1/alerts/rules"], operation, rules);
}

async fn list(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let messages = state.pool.ask(|reader| reader.alert_messages(MOST)).await?;
    live(&messages)
}

async fn rules(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    query::nothing(request.query_string())?;
    let ask = |reader: &mut crate::store::reader::Reader| {
        Ok((reader.alert_standings()?, reader.alert_message_counts()?))
    };
    let (standings, counts) = state.pool.ask(ask).await?;
    let stations = state.recent.stations();
    let mut items = Vec::new();
    for alert in state.alerts() {
        for station in stations.iter().filter(|station| alert.is_of(station)) {
            items.push(item(&alert, station, &standings, &counts));
        }
    }
    live(&items)
}

fn item(
    alert: &AlertSettings,
    station: &Station,
    standings: &[AlertStanding],
    counts: &[MessageCount],
) -> AlertRuleItem {
    let is_its = |name: &str, id: &str| name == alert.name && id == station.id;
    let standing = standings.iter().find(|known| is_its(&known.alert, &known.station));
    let count = |status: &str| {
        let of_status = counts.iter().filter(|count| count.status == status);
        of_status.filter(|count| is_its(&count.alert, &count.station)).map(|count| count.n).sum()
    };
    AlertRuleItem {
        alert: alert.name.clone(),
        station: station.id.clone(),
        kind: alert.kind.as_str(),
        to: alert.to.clone(),
        state: match standing {
            None => "unknown",
            Some(standing) if standing.fired => "fired",
            Some(_) => "armed",
        },
        since: standing.map(|standing| standing.since.clone()),
        told_at: standing.and_then(|standing| standing.sent_at.clone()),
        waiting: count("waiting"),
        dropped: count("dropped"),
    }
}
