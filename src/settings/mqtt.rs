//! `[mqtt]` of `celaje.toml`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use crate::settings::secret::SecretPlace;
use celaje_sky::say;
use celaje_sky::text::Text;

/// The variable that holds the broker's password where no file does.
pub const PASSWORD_VARIABLE: &str = "CELAJE_MQTT_PASSWORD";

/// How Home Assistant gets the last picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PictureChoice {
    /// Not at all.
    #[default]
    Off,
    /// As a message, reduced to 1024 pixels.
    Mqtt,
    /// From this server, by its address.
    Url,
}

/// A broker, and what it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttSettings {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    pub user: Option<String>,
    pub password: Option<SecretPlace>,
    /// Certificates of the broker's authority.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// What every topic begins with.
    pub topic: String,
    /// Home Assistant's prefix of discovery; none for no discovery.
    pub discovery: Option<String>,
    /// The topic on which Home Assistant tells that it has started.
    pub birth: String,
    pub picture: PictureChoice,
    /// The address of this server's pages.
    pub page: Option<String>,
}

/// The table as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMqtt {
    url: String,
    user: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    topic: Option<String>,
    discovery: Option<String>,
    birth: Option<String>,
    #[serde(default)]
    picture: PictureChoice,
    page: Option<String>,
}

impl RawMqtt {
    /// Its paths are relative to `folder`.
    pub(super) fn check(self, folder: &Path) -> Result<MqttSettings, Text> {
        let bad = || {
            say!(
                "url in [mqtt] must be mqtt://HOST:PORT or mqtts://HOST:PORT and nothing more; \
                 user and password_file are keys of their own",
                "url en [mqtt] debe ser mqtt://HOST:PUERTO o mqtts://HOST:PUERTO y nada más; user \
                 y password_file son claves aparte"
            )
        };
        let url = Url::parse(&self.url).map_err(|_| bad())?;
        let tls = match url.scheme() {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(bad()),
        };
        let bare = url.username().is_empty()
            && url.password().is_none()
            && matches!(url.path(), "" | "/")
            && url.query().is_none();
        let host = url.host_str().filter(|host| bare && !host.is_empty()).ok_or_else(bad)?;
        if !tls && (self.ca_file.is_some() || self.cert_file.is_some()) {
            return Err(say!(
                "[mqtt] names certificates, but its url is not mqtts://",
                "[mqtt] nombra certificados, pero su url no es mqtts://"
            ));
        }
        let client = match (self.cert_file, self.key_file) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((folder.join(cert), folder.join(key))),
            _ => {
                return Err(say!(
                    "[mqtt] must name cert_file and key_file, or neither",
                    "[mqtt] debe nombrar cert_file y key_file, o ninguno"
                ));
            }
        };
        let password = match self.password_file {
            Some(path) => Some(SecretPlace::File(folder.join(path))),
            None => self
                .user
                .as_ref()
                .map(|_| SecretPlace::Variable(PASSWORD_VARIABLE.to_owned()))
                .filter(|_| std::env::var_os(PASSWORD_VARIABLE).is_some()),
        };
        if password.is_some() && self.user.is_none() {
            return Err(say!(
                "[mqtt] has a password_file but no user",
                "[mqtt] tiene password_file pero no user"
            ));
        }
        let discovery = self.discovery.unwrap_or_else(|| "homeassistant".to_owned());
        let birth = self.birth.unwrap_or_else(|| match discovery.is_empty() {
            true => "homeassistant/status".to_owned(),
            false => format!("{discovery}/status"),
        });
        let topic_base = self.topic.unwrap_or_else(|| "celaje".to_owned());
        for (key, value) in [("topic", &topic_base), ("discovery", &discovery), ("birth", &birth)] {
            let empty_is_fine = key == "discovery";
            if !(is_topic(value) || empty_is_fine && value.is_empty()) {
                return Err(say!(
                    "{key} in [mqtt] must be a topic without +, # and a / at its ends, not \
                     '{value}'",
                    "{key} en [mqtt] debe ser un tema sin +, # ni / en sus extremos, no '{value}'"
                ));
            }
        }
        let page = self.page.map(|page| format!("{}/", page.trim_end_matches('/')));
        if self.picture == PictureChoice::Url && page.is_none() {
            return Err(say!(
                "picture = \"url\" in [mqtt] needs page, the address of this server's pages",
                "picture = \"url\" en [mqtt] necesita page, la dirección de las páginas de este \
                 servidor"
            ));
        }
        Ok(MqttSettings {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(if tls { 8883 } else { 1883 }),
            tls,
            user: self.user,
            password,
            ca_file: self.ca_file.map(|path| folder.join(path)),
            client,
            topic: topic_base,
            discovery: Some(discovery).filter(|prefix| !prefix.is_empty()),
            birth,
            picture: self.picture,
            page,
        })
    }
}

fn is_topic(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && !"+#".contains(c);
    !text.is_empty()
        && text.len() <= 128
        && text.chars().all(plain)
        && !text.starts_with(['/', '$'])
        && !text.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MqttSettings, Text> {
        let raw: RawMqtt = toml::from_str(text).map_err(|e| say!("{e}", "{e}"))?;
        raw.check(Path::new("conf"))
    }

    #[test]
    fn a_broker_is_an_address_and_what_it_needs() {
        let plain = read("url = 'mqtt://broker.local'").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.tls), ("broker.local", 1883, false));
        assert_eq!(plain.birth, "homeassistant/status");
        assert_eq!(plain.discovery.as_deref(), Some("homeassistant"));
        let safe = read(
            "url = 'mqtts://[::1]:8884'\nca_file = 'ca.pem'\ncert_file = 'a.pem'\n\
             key_file = 'a.key'\nuser = 'u'\npassword_file = 'p'\ndiscovery = ''\n\
             picture = 'url'\npage = 'http://host:8080'",
        )
        .unwrap();
        assert_eq!((safe.host.as_str(), safe.port, safe.tls), ("::1", 8884, true));
        assert_eq!(safe.client, Some((PathBuf::from("conf/a.pem"), PathBuf::from("conf/a.key"))));
        assert_eq!(safe.password, Some(SecretPlace::File("conf/p".into())));
        assert_eq!((safe.discovery, safe.page.as_deref()), (None, Some("http://host:8080/")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("url = 'http://a'", "mqtt://HOST"),
            ("url = 'mqtt://u:hush@a'", "password_file"),
            ("url = 'mqtt://a/b'", "nothing more"),
            ("url = 'mqtt://'", "mqtt://HOST"),
            ("url = 'mqtt://a'\nca_file = 'x'", "mqtts://"),
            ("url = 'mqtts://a'\ncert_file = 'x'", "key_file"),
            ("url = 'mqtt://a'\npassword_file = 'x'", "user"),
            ("url = 'mqtt://a'\ntopic = 'a/#'", "'a/#'"),
            ("url = 'mqtt://a'\nbirth = ''", "birth"),
            ("url = 'mqtt://a'\npicture = 'url'", "page"),
            ("url = 'mqtt://a'\npicture = 'big'", "big"),
            ("url = 'mqtt://a'\nurll = 'x'", "urll"),
        ] {
            let why = read(text).unwrap_err().en;
            assert!(why.contains(named) && !why.contains("hush"), "{text}: {why}");
        }
    }
}
