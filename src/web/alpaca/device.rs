//! The two devices of a station, member by member.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpResponse;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::web::WebState;
use crate::web::alpaca::clients::ClientKey;
use crate::web::alpaca::kind::DeviceKind;
use crate::web::alpaca::wire::{
    AlpacaRequest, DeviceAnswer, DeviceError, ErrorNumber, NotUnderstood, reply,
};
use celaje_sky::safety::SkyReading;
use celaje_sky::station::Station;

/// Longest average period, hours: so far back readings are kept.
const LONGEST_PERIOD: f64 = 24.0;

/// The sensors of ObservingConditions that Celaje has not.
const ABSENT: [&str; 12] = [
    "dewpoint",
    "humidity",
    "pressure",
    "rainrate",
    "skybrightness",
    "skyquality",
    "skytemperature",
    "starfwhm",
    "temperature",
    "winddirection",
    "windgust",
    "windspeed",
];

/// A station as one of its devices.
pub(super) struct AlpacaDevice {
    pub(super) kind: DeviceKind,
    pub(super) station: Arc<Station>,
}

impl AlpacaDevice {
    pub(super) fn name(&self) -> String {
        let station = &self.station.name;
        match self.kind {
            DeviceKind::SafetyMonitor => format!("Celaje safety, {station}"),
            DeviceKind::ObservingConditions => format!("Celaje clouds, {station}"),
        }
    }

    const fn description(&self) -> &'static str {
        match self.kind {
            DeviceKind::SafetyMonitor => {
                "Whether clouds allow observing; sees neither rain nor wind"
            }
            DeviceKind::ObservingConditions => "Cloud cover read from a sky camera",
        }
    }

    /// Stays the same as long as the record is this one.
    pub(super) fn unique_id(&self, identity: &str) -> String {
        let named = format!("celaje:{}:{}:{identity}", self.station.id, self.kind.type_name());
        let hash = Sha256::digest(named.as_bytes());
        let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// The answer to a request for one of its members.
    pub(super) fn answer(
        &self,
        state: &WebState,
        peer: IpAddr,
        is_put: bool,
        member: &str,
        asked: &AlpacaRequest,
    ) -> Result<HttpResponse, NotUnderstood> {
        let client = (peer, asked.id("ClientID"), self.kind, self.station.id.clone());
        let question = Question { device: self, state, client, asked };
        let answer = match is_put {
            true => question.put(member)?,
            false => question.get(member)?,
        };
        Ok(reply(answer, asked, state.alpaca.transaction()))
    }
}

/// A client's request to a device.
struct Question<'a> {
    device: &'a AlpacaDevice,
    state: &'a WebState,
    client: ClientKey,
    asked: &'a AlpacaRequest,
}

impl Question<'_> {
    fn get(&self, member: &str) -> Result<DeviceAnswer, NotUnderstood> {
        let clients = &self.state.alpaca;
        let value = match member {
            "connected" => json!(clients.is_connected(&self.client)),
            "connecting" => json!(false),
            "description" => json!(self.device.description()),
            "driverinfo" => json!(concat!(
                "Celaje ",
                env!("CARGO_PKG_VERSION"),
                ": cloud cover from a sky camera"
            )),
            "driverversion" => json!(concat!(
                env!("CARGO_PKG_VERSION_MAJOR"),
                ".",
                env!("CARGO_PKG_VERSION_MINOR")
            )),
            "interfaceversion" => json!(self.device.kind.interface()),
            "name" => json!(self.device.name()),
            "supportedactions" => json!([]),
            _ => return self.get_connected(member),
        };
        Ok(Ok(Some(value)))
    }

    /// Members that a client asks only while it is connected.
    fn get_connected(&self, member: &str) -> Result<DeviceAnswer, NotUnderstood> {
        let answer = match (self.device.kind, member) {
            (_, "devicestate") => Ok(Some(self.device_state())),
            (DeviceKind::SafetyMonitor, "issafe") => Ok(Some(json!(self.is_safe()))),
            (DeviceKind::ObservingConditions, "cloudcover") => {
                self.cloud_cover().map(|percent| Some(json!(percent)))
            }
            (DeviceKind::ObservingConditions, "averageperiod") => Ok(Some(json!(self.period()))),
            (DeviceKind::ObservingConditions, "sensordescription") => {
                let name = self.asked.needed("SensorName")?;
                sensor(name).map(|()| Some(json!("Share of the sky that clouds cover, by camera")))
            }
            (DeviceKind::ObservingConditions, "timesincelastupdate") => {
                let name = self.asked.needed("SensorName")?;
                match name.is_empty() {
                    true => Ok(()),
                    false => sensor(name),
                }
                .and_then(|()| self.age())
                .map(|seconds| Some(json!(seconds)))
            }
            (DeviceKind::ObservingConditions, absent) if ABSENT.contains(&absent) => {
                Err(not_implemented(absent))
            }
            _ => return Err(unknown_member(member)),
        };
        Ok(self.connected().and(answer))
    }

    fn put(&self, member: &str) -> Result<DeviceAnswer, NotUnderstood> {
        let clients = &self.state.alpaca;
        match (self.device.kind, member) {
            (_, "connected") => match self.asked.boolean("Connected")? {
                true => clients.connect(self.client.clone()),
                false => clients.disconnect(&self.client),
            },
            (_, "connect") => clients.connect(self.client.clone()),
            (_, "disconnect") => clients.disconnect(&self.client),
            (_, "action") => {
                self.asked.needed("Action")?;
                self.asked.needed("Parameters")?;
                return Ok(Err(not_implemented("action")));
            }
            (_, "commandblind" | "commandbool" | "commandstring") => {
                self.asked.needed("Command")?;
                self.asked.boolean("Raw")?;
                return Ok(Err(not_implemented(member)));
            }
            (DeviceKind::ObservingConditions, "averageperiod") => {
                let hours = self.asked.number("AveragePeriod")?;
                return Ok(self.set_period(hours));
            }
            (DeviceKind::ObservingConditions, "refresh") => {
                return Ok(self.connected().map(|()| None));
            }
            _ => return Err(unknown_member(member)),
        }
        Ok(Ok(None))
    }

    fn connected(&self) -> Result<(), DeviceError> {
        match self.state.alpaca.is_connected(&self.client) {
            true => Ok(()),
            false => Err(DeviceError::new(
                ErrorNumber::NotConnected,
                "This client is not connected: connect first",
            )),
        }
    }

    fn is_safe(&self) -> bool {
        self.state.recent.safety(&self.device.station.id).is_some_and(|state| state.safe)
    }

    fn period(&self) -> f64 {
        self.state.alpaca.average_period(&self.client).unwrap_or(0.0)
    }

    fn set_period(&self, hours: f64) -> DeviceAnswer {
        self.connected()?;
        if !(0.0..=LONGEST_PERIOD).contains(&hours) {
            let message = format!("AveragePeriod is 0 to {LONGEST_PERIOD} hours, not {hours}");
            return Err(DeviceError::new(ErrorNumber::InvalidValue, &message));
        }
        self.state.alpaca.set_average_period(&self.client, hours);
        Ok(None)
    }

    /// Percent of the sky: of the last reading, or the mean of those of the average period.
    fn cloud_cover(&self) -> Result<f64, DeviceError> {
        let (recent, id) = (&self.state.recent, &self.device.station.id);
        let none = || {
            let message = "No recent reading shows the sky";
            DeviceError::new(ErrorNumber::InvalidOperation, message)
        };
        let last = recent.fresh(id).ok_or_else(none)?;
        let period = self.period();
        if period <= 0.0 {
            return fraction(&last).map(|share| 100.0 * share).ok_or_else(none);
        }
        let span = TimeDelta::milliseconds((period * 3_600_000.0) as i64);
        let shares: Vec<f64> = recent.since(id, span).iter().filter_map(fraction).collect();
        match shares.len() {
            0 => Err(none()),
            n => Ok(100.0 * shares.iter().sum::<f64>() / n as f64),
        }
    }

    /// Seconds since the last reading's picture.
    fn age(&self) -> Result<f64, DeviceError> {
        let recent = &self.state.recent;
        let last = recent.latest(&self.device.station.id).ok_or_else(|| {
            DeviceError::new(ErrorNumber::InvalidOperation, "There is no reading yet")
        })?;
        Ok((recent.now() - last.at).num_milliseconds() as f64 / 1000.0)
    }

    /// What is known, by name; empty where nothing is.
    fn device_state(&self) -> Value {
        let recent = &self.state.recent;
        let moment = |at: DateTime<Utc>| {
            json!({
                "Name": "TimeStamp",
                "Value": at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            })
        };
        match self.device.kind {
            DeviceKind::SafetyMonitor => {
                json!([{ "Name": "IsSafe", "Value": self.is_safe() }, moment(recent.now())])
            }
            DeviceKind::ObservingConditions => match self.cloud_cover() {
                Ok(percent) => {
                    json!([{ "Name": "CloudCover", "Value": percent }, moment(recent.now())])
                }
                Err(_) => json!([]),
            },
        }
    }
}

/// The cloud fraction of a reading, 0 to 1; none where it does not show the sky.
fn fraction(reading: &SkyReading) -> Option<f64> {
    let oktas = reading.oktas()?;
    Some(reading.cloud_fraction.unwrap_or(oktas / 8.0))
}

/// Whether a sensor is there.
fn sensor(name: &str) -> Result<(), DeviceError> {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "cloudcover" => Ok(()),
        absent if ABSENT.contains(&absent) => Err(not_implemented(absent)),
        _ => {
            let message = format!("There is no sensor named '{}'", name.escape_default());
            Err(DeviceError::new(ErrorNumber::InvalidValue, &message))
        }
    }
}

fn not_implemented(member: &str) -> DeviceError {
    let message = format!("Celaje does not implement {member}");
    DeviceError::new(ErrorNumber::NotImplemented, &message)
}

fn unknown_member(member: &str) -> NotUnderstood {
    let member = member.escape_default();
    NotUnderstood::request(&format!("the device has no member '{member}' by this method"))
}
