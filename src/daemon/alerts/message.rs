//! What an alert says.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::settings::alerts::AlertSettings;
use celaje_sky::alert::AlertKind;
use celaje_sky::safety::{SafetyReason, SkyReading};
use celaje_sky::say;
use celaje_sky::station::Station;
use celaje_sky::text::Text;

/// A message to people, and what programs may want of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertText {
    /// Differs for each message: one that comes twice has the same.
    pub id: String,
    /// The alert, by its name.
    pub alert: String,
    /// What it waits for.
    pub kind: String,
    /// Station, by its id.
    pub station: String,
    pub title: String,
    pub text: String,
    /// 0 to 8, or 9 where the sky cannot be seen.
    pub okta: Option<u8>,
    /// When it was written, UTC.
    pub at: String,
    /// 2 low, 3 usual, 4 high.
    pub priority: u8,
    /// The address of the page; empty where it is not known.
    pub page: String,
}

impl AlertText {
    pub(super) fn new(
        alert: &AlertSettings,
        station: &Station,
        last: Option<&SkyReading>,
        reason: SafetyReason,
        now: DateTime<Utc>,
        page: Option<&str>,
    ) -> Self {
        let name = &station.name;
        let title = title(alert.kind, name);
        let time = last.map(|last| station.zone.local(last.at).format("%H:%M").to_string());
        let time = time.unwrap_or_else(|| "–".to_owned());
        let oktas = last.and_then(SkyReading::oktas);
        let amount = oktas.map_or_else(|| "–".to_owned(), |oktas| format!("{oktas}"));
        let Text { en, es } = reason.text();
        let text = match alert.kind {
            AlertKind::Safe | AlertKind::Unsafe => say!(
                "{en}; last picture {time}, {amount} of 8 oktas",
                "{es}; última imagen {time}, {amount} de 8 octas"
            ),
            AlertKind::Camera => say!(
                "no picture shows the sky; the last one is of {time}",
                "ninguna imagen muestra el cielo; la última es de las {time}"
            ),
            _ => say!(
                "last picture {time}, {amount} of 8 oktas",
                "última imagen {time}, {amount} de 8 octas"
            ),
        };
        Self {
            id: format!("{}-{}-{}", alert.name, station.id, now.timestamp()),
            alert: alert.name.clone(),
            kind: alert.kind.as_str().to_owned(),
            station: station.id.clone(),
            title: title.to_string(),
            text: text.to_string(),
            okta: last.map(|last| last.cover.code()),
            at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
            priority: match alert.kind {
                AlertKind::Unsafe | AlertKind::Clouding => 4,
                AlertKind::Silence => 2,
                _ => 3,
            },
            page: page.unwrap_or_default().to_owned(),
        }
    }

    /// A message that says that it is a test.
    pub(super) fn test(page: Option<&str>) -> Self {
        let title = say!("Celaje: a test", "Celaje: una prueba");
        let text =
            say!("If you read this, alerts reach you.", "Si lee esto, los avisos le llegan.");
        Self {
            id: "test".to_owned(),
            alert: "test".to_owned(),
            kind: "test".to_owned(),
            station: String::new(),
            title: title.to_string(),
            text: text.to_string(),
            okta: None,
            at: String::new(),
            priority: 3,
            page: page.unwrap_or_default().to_owned(),
        }
    }
}

fn title(kind: AlertKind, name: &str) -> Text {
    match kind {
        AlertKind::Clearing => say!("{name}: it has cleared", "{name}: despejó"),
        AlertKind::Clouding => say!("{name}: it has clouded over", "{name}: se nubló"),
        AlertKind::Safe => say!("{name}: safe", "{name}: seguro"),
        AlertKind::Unsafe => say!("{name}: unsafe", "{name}: no seguro"),
        AlertKind::Camera => say!("{name}: the camera is gone", "{name}: falta la cámara"),
        AlertKind::Silence => say!("{name}: a reading", "{name}: una lectura"),
    }
}
