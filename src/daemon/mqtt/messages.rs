//! What a broker is told of a station, and how Home Assistant is told what it means.
//!
//! Source: Home Assistant's MQTT integration (device discovery, since 2024.11). Its availability is
//! that of the program alone: with the camera's, a dead camera would make the entity of safety
//! unavailable, and no automation would run.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::daemon::recent::{RecentReadings, stale_after};
use crate::settings::mqtt::{MqttSettings, PictureChoice};
use celaje_sky::safety::SkyReading;
use celaje_sky::station::Station;
use celaje_sky::text::Lang;

/// The version of the program, without its commit.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A retained message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MqttMessage {
    pub(super) payload: Bytes,
}

impl MqttMessage {
    pub(super) fn retained(text: impl Into<String>) -> Self {
        Self { payload: Bytes::from(text.into()) }
    }
}

/// The topics of a station.
pub(super) struct StationTopics {
    /// Its name in topics and ids: `[a-zA-Z0-9_-]+`.
    id: String,
    state: String,
    pub(super) safety: String,
    pub(super) picture: String,
    config: Option<String>,
}

impl StationTopics {
    pub(super) fn new(settings: &MqttSettings, station: &str) -> Self {
        let id = plain(station);
        let of = |what: &str| format!("{}/{id}/{what}", settings.topic);
        let config = settings.discovery.as_ref();
        Self {
            state: of("state"),
            safety: of("safety"),
            picture: of("picture"),
            config: config.map(|prefix| format!("{prefix}/device/celaje-{id}/config")),
            id,
        }
    }

    /// All on which something is retained.
    pub(super) fn all(self) -> impl Iterator<Item = String> {
        [Some(self.state), Some(self.safety), Some(self.picture), self.config].into_iter().flatten()
    }
}

/// The topic on which a program says that it is there: its own, so that the last will of one says
/// nothing of another at the same broker.
pub(super) fn status_topic(settings: &MqttSettings, client_id: &str) -> String {
    format!("{}/{client_id}/status", settings.topic)
}

/// The topic on which all programs said so once.
pub(super) fn old_status_topic(settings: &MqttSettings) -> String {
    format!("{}/status", settings.topic)
}

/// After so long it is told again whether a station is safe, though nothing has changed: Home
/// Assistant takes what is older than `exp_aft` as not known.
pub(super) fn repeat_after(station: &Station) -> Duration {
    let stale = stale_after(station).to_std().unwrap_or_default();
    (stale / 3).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

/// The topic of what alerts tell of a station; of none in particular where its id is empty.
pub(super) fn event_topic(settings: &MqttSettings, station: &str) -> String {
    match station {
        "" => format!("{}/event", settings.topic),
        id => format!("{}/{}/event", settings.topic, plain(id)),
    }
}

/// A station's id without dots, and different for different ids.
fn plain(id: &str) -> String {
    if !id.contains('.') {
        return id.to_owned();
    }
    let hash = Sha256::digest(id.as_bytes());
    let short: String = hash.iter().take(2).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{short}", id.replace('.', "_"))
}

/// Adds what is to be told of a station now.
pub(super) fn of_station(
    settings: &MqttSettings,
    client_id: &str,
    recent: &RecentReadings,
    station: &Station,
    messages: &mut BTreeMap<String, MqttMessage>,
) {
    let topics = StationTopics::new(settings, &station.id);
    let safe = recent.safety(&station.id).is_some_and(|state| state.safe);
    let word = if safe { "safe" } else { "unsafe" };
    messages.insert(topics.safety.clone(), MqttMessage::retained(word));
    let state = state(settings, recent, station);
    messages.insert(topics.state.clone(), MqttMessage::retained(state.to_string()));
    if let Some(config) = topics.config.clone() {
        let device = device(settings, client_id, station, &topics);
        messages.insert(config, MqttMessage::retained(device.to_string()));
    }
}

/// The last reading, as JSON. Nothing in it moves with the time but what a reading says.
fn state(settings: &MqttSettings, recent: &RecentReadings, station: &Station) -> Value {
    let last = recent.latest(&station.id);
    let oktas = last.as_ref().and_then(SkyReading::oktas);
    let share = |last: &SkyReading| {
        let seen = last.oktas()?;
        Some((last.cloud_fraction.unwrap_or(seen / 8.0) * 1000.0).round() / 10.0)
    };
    let picture = |last: &SkyReading| {
        let slot = station.zone.local(last.at).format("%Y-%m-%dT%H:%M");
        let page = settings.page.as_ref()?;
        Some(format!("{page}api/v1/stations/{}/slots/{slot}/picture", station.id))
    };
    let reason = recent.safety(&station.id).map(|state| state.reason);
    json!({
        "slot_utc": last.as_ref().map(|last| last.at.to_rfc3339()),
        "okta": oktas.map(|oktas| oktas as u8),
        "cloud_percent": last.as_ref().and_then(share),
        "category": last.as_ref().map(|last| last.cover.category()),
        "confidence_percent": last
            .as_ref()
            .and_then(|last| last.confidence)
            .map(|confidence| (confidence * 100.0).round()),
        "quality": last.as_ref().map(|last| {
            last.quality.flags().iter().map(|flag| flag.as_str()).collect::<Vec<_>>()
        }),
        "reason": reason.map(|reason| reason.as_str()),
        "reason_text": reason.map(|reason| reason.text().get(Lang::current()).to_owned()),
        "picture_url": last.as_ref().and_then(picture),
        "problem": recent.has_problem(station),
    })
}

/// The message of discovery: the whole device.
fn device(
    settings: &MqttSettings,
    client_id: &str,
    station: &Station,
    topics: &StationTopics,
) -> Value {
    let id = &topics.id;
    let expires = stale_after(station).num_seconds();
    let name = |en: &str, es: &str| match Lang::current() {
        Lang::En => en.to_owned(),
        Lang::Es => es.to_owned(),
    };
    let of = |what: &str| format!("celaje-{id}-{what}");
    let mut components = json!({
        "cloud": {
            "p": "sensor", "uniq_id": of("cloud"), "name": name("Cloud cover", "Nubosidad"),
            "unit_of_meas": "%", "stat_cla": "measurement", "sug_dsp_prc": 0,
            "ic": "mdi:weather-partly-cloudy", "val_tpl": "{{ value_json.cloud_percent }}",
            "exp_aft": expires, "json_attr_t": topics.state,
        },
        "okta": {
            "p": "sensor", "uniq_id": of("okta"), "name": name("Cloud amount", "Octas"),
            "unit_of_meas": "okta", "stat_cla": "measurement", "ic": "mdi:cloud",
            "val_tpl": "{{ value_json.okta }}", "exp_aft": expires,
        },
        "category": {
            "p": "sensor", "uniq_id": of("category"), "name": name("Sky", "Cielo"),
            "dev_cla": "enum", "ops": ["SKC", "FEW", "SCT", "BKN", "OVC", "OBSC"],
            "val_tpl": "{{ value_json.category }}", "exp_aft": expires,
        },
        "slot": {
            "p": "sensor", "uniq_id": of("slot"), "name": name("Picture taken", "Imagen tomada"),
            "dev_cla": "timestamp", "ent_cat": "diagnostic",
            "val_tpl": "{{ value_json.slot_utc }}",
        },
        "confidence": {
            "p": "sensor", "uniq_id": of("confidence"), "name": name("Confidence", "Confianza"),
            "unit_of_meas": "%", "stat_cla": "measurement", "ent_cat": "diagnostic",
            "val_tpl": "{{ value_json.confidence_percent }}", "exp_aft": expires,
        },
        "unsafe": {
            "p": "binary_sensor", "uniq_id": of("unsafe"), "name": name("Observing", "Observar"),
            "dev_cla": "safety", "stat_t": topics.safety, "pl_on": "unsafe", "pl_off": "safe",
            // A broker that lost its power may retain for ever that it is safe.
            "exp_aft": expires,
        },
        "problem": {
            "p": "binary_sensor", "uniq_id": of("problem"), "name": name("Camera", "Cámara"),
            "dev_cla": "problem", "ent_cat": "diagnostic",
            "val_tpl": "{{ 'ON' if value_json.problem else 'OFF' }}",
        },
    });
    let picture = match settings.picture {
        // A component that was there once is taken away by its platform alone.
        PictureChoice::Off => json!({ "p": "image" }),
        PictureChoice::Mqtt => json!({
            "p": "image", "uniq_id": of("picture"), "name": name("Last picture", "Última imagen"),
            "img_t": topics.picture, "content_type": "image/jpeg",
        }),
        PictureChoice::Url => json!({
            "p": "image", "uniq_id": of("picture"), "name": name("Last picture", "Última imagen"),
            "url_t": topics.state, "url_tpl": "{{ value_json.picture_url }}",
        }),
    };
    components["picture"] = picture;
    let mut about = json!({
        "ids": [format!("celaje-{id}")], "name": station.name, "mf": "Celaje", "sw": VERSION,
    });
    if let Some(page) = &settings.page {
        about["cu"] = json!(page);
    }
    json!({
        "dev": about,
        "o": { "name": "celaje", "sw": VERSION },
        "avty": [{ "t": status_topic(settings, client_id) }],
        "stat_t": topics.state,
        "qos": 1,
        "cmps": components,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_differ() {
        assert_eq!(plain("rio-grande_1"), "rio-grande_1");
        let dotted = plain("a.b");
        assert!(dotted.starts_with("a_b-"), "{dotted}");
        assert_ne!(dotted, plain("a_b"));
        assert!(dotted.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
    }
}
