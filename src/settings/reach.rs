//! The tables of `celaje.toml` that say who is told of the sky: `[mqtt]`, `[[alert]]`,
//! `[[sender]]`.

use std::path::Path;

use serde::Deserialize;

use crate::settings::alerts::{AlertSettings, RawAlert, RawSender, SenderSettings};
use crate::settings::mqtt::{MqttSettings, RawMqtt};
use celaje_sky::say;
use celaje_sky::station::Station;
use celaje_sky::text::Text;

/// Who is told of the sky.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReachSettings {
    pub mqtt: Option<MqttSettings>,
    pub alerts: Vec<AlertSettings>,
    pub senders: Vec<SenderSettings>,
}

/// The tables as they are written, among others.
#[derive(Debug, Deserialize)]
pub(super) struct RawReach {
    mqtt: Option<RawMqtt>,
    #[serde(default)]
    alert: Vec<RawAlert>,
    #[serde(default)]
    sender: Vec<RawSender>,
}

impl RawReach {
    /// Paths are relative to `folder`.
    pub(super) fn check(self, folder: &Path, stations: &[Station]) -> Result<ReachSettings, Text> {
        let mut reach = ReachSettings {
            mqtt: self.mqtt.map(|mqtt| mqtt.check(folder)).transpose()?,
            ..ReachSettings::default()
        };
        for sender in self.sender {
            let sender = sender.check(folder, reach.mqtt.as_ref())?;
            if reach.senders.iter().any(|known| known.id == sender.id) {
                let id = sender.id;
                return Err(say!(
                    "two senders have the id '{id}'",
                    "dos remitentes tienen el id '{id}'"
                ));
            }
            reach.senders.push(sender);
        }
        for alert in self.alert {
            let alert = alert.check(stations, &reach.senders)?;
            if reach.alerts.iter().any(|known| known.name == alert.name) {
                let name = alert.name;
                return Err(say!(
                    "two alerts have the name '{name}'",
                    "dos avisos tienen el nombre '{name}'"
                ));
            }
            reach.alerts.push(alert);
        }
        Ok(reach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::alerts::SenderKind;
    use celaje_sky::alert::AlertKind;

    const SENDER: &str = "[[sender]]\nid = 'phone'\nkind = 'webhook'\npreset = 'ntfy'\n\
                          url = 'https://ntfy.sh/my-sky'\n";

    fn read(text: &str) -> Result<ReachSettings, Text> {
        let raw: RawReach = toml::from_str(text).map_err(|e| say!("{e}", "{e}"))?;
        raw.check(Path::new("conf"), &[Station::rio_grande()])
    }

    #[test]
    fn an_alert_has_its_defaults() {
        let alert = "[[alert]]\nname = 'clear'\nwhen = 'clearing'\nto = ['phone']\n";
        let reach = read(&format!("{SENDER}{alert}")).unwrap();
        let rule = reach.alerts[0].rule(&Station::rio_grande());
        assert_eq!(rule.kind, AlertKind::Clearing);
        assert_eq!((rule.over.num_minutes(), rule.quiet_for.num_hours()), (30, 2));
        assert_eq!(rule.not_before_end.num_hours(), 1);
        assert!(reach.alerts[0].is_of(&Station::rio_grande()));
    }

    #[test]
    fn the_broker_is_a_sender() {
        let sender = "[mqtt]\nurl = 'mqtt://broker'\n[[sender]]\nid = 'house'\nkind = 'mqtt'\n";
        let reach = read(sender).unwrap();
        assert!(matches!(&reach.senders[0].kind, SenderKind::Mqtt(to) if to.host == "broker"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let alert = |more: &str| {
            format!("{SENDER}[[alert]]\nname = 'a'\nwhen = 'clearing'\nto = ['phone']\n{more}")
        };
        for (text, named) in [
            (alert("station = 'moon'"), "'moon'"),
            (alert("below = 6"), "below (6)"),
            (alert("colour = 1"), "colour"),
            (alert("").replace("['phone']", "['fax']"), "'fax'"),
            (alert("").replace("['phone']", "[]"), "to names no sender"),
            (format!("{SENDER}{SENDER}"), "two senders"),
            (SENDER.replace("https", "ftp"), "http://"),
            (SENDER.replace("url =", "server ="), "smtp"),
            (SENDER.replace("ntfy'\n", "telegram'\n"), "recipient"),
            (SENDER.replace("'ntfy'", "'fax'"), "fax"),
            ("[[sender]]\nid = 'm'\nkind = 'smtp'".to_owned(), "server"),
            ("[[sender]]\nid = 'm'\nkind = 'mqtt'".to_owned(), "[mqtt]"),
            (
                "[mqtt]\nurl = 'mqtt://a'\n[[sender]]\nid = 'm'\nkind = 'mqtt'\nurl = 'x'"
                    .to_owned(),
                "webhook",
            ),
            (
                "[[sender]]\nid = 'm'\nkind = 'smtp'\nserver = 's'\nfrom = 'a@b.c'\n\
                 to = ['nobody']"
                    .to_owned(),
                "'nobody'",
            ),
        ] {
            let why = read(&text).unwrap_err().en;
            assert!(why.contains(named), "{text}: {why}");
        }
    }
}
