//! `[[alert]]` and `[[sender]]` of `celaje.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use serde::Deserialize;
use url::Url;

use crate::settings::mqtt::MqttSettings;
use crate::settings::secret::SecretPlace;
use crate::settings::span::Span;
use celaje_sky::alert::{AlertKind, AlertRule};
use celaje_sky::safety::SunLimit;
use celaje_sky::say;
use celaje_sky::station::Station;
use celaje_sky::text::Text;

/// An alert: what is waited for, and who is told.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertSettings {
    pub name: String,
    /// None for all stations.
    pub station: Option<String>,
    pub kind: AlertKind,
    /// The senders, by their ids.
    pub to: Vec<String>,
    below: f64,
    above: f64,
    over: Option<TimeDelta>,
    only: SunLimit,
    not_before_end: TimeDelta,
    quiet_for: TimeDelta,
}

impl AlertSettings {
    /// Whether it is of this station.
    pub fn is_of(&self, station: &Station) -> bool {
        self.station.as_ref().is_none_or(|id| *id == station.id)
    }

    /// The rule for a station.
    pub fn rule(&self, station: &Station) -> AlertRule {
        let slot = station.minutes.longest_gap();
        let usual = match self.kind {
            AlertKind::Clearing | AlertKind::Clouding => TimeDelta::minutes(30).max(slot * 3),
            _ => slot * 3,
        };
        AlertRule {
            kind: self.kind,
            below: self.below,
            above: self.above,
            over: self.over.unwrap_or(usual),
            min_confidence: station.safety.as_ref().map_or(0.5, |rule| rule.min_confidence),
            only: self.only,
            not_before_end: self.not_before_end,
            quiet_for: self.quiet_for,
            slot,
        }
    }
}

/// What the templates of a webhook may hold, in braces.
pub const PLACEHOLDERS: [&str; 11] =
    ["title", "text", "alert", "kind", "station", "okta", "at", "priority", "page", "id", "token"];

/// The first `{name}` of a template that is none of [`PLACEHOLDERS`]; braces of JSON hold no name.
pub fn unknown_placeholder(template: &str) -> Option<&str> {
    let ends = template.match_indices('}').map(|(end, _)| end);
    let held = ends.filter_map(|end| {
        let begin = template[..end].rfind('{')?;
        Some((&template[begin..=end], &template[begin + 1..end]))
    });
    let is_name = |text: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        !text.is_empty() && text.chars().all(plain)
    };
    held.filter(|(_, inside)| is_name(inside.trim()))
        .find(|(_, inside)| !PLACEHOLDERS.contains(inside))
        .map(|(whole, _)| whole)
}

/// That a template of `key` holds what cannot be filled in.
pub fn placeholder_unknown(key: &str, found: &str) -> Text {
    let known = PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(", ");
    say!(
        "'{found}' in {key} is not known; write one of {known}",
        "'{found}' en {key} no se conoce; escriba uno de {known}"
    )
}

/// The form in which a service takes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    Ntfy,
    Gotify,
    Pushover,
    Telegram,
    Slack,
    Discord,
    Apprise,
    Healthchecks,
}

/// How a connection to a mail server is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// Plain at first, port 587.
    #[default]
    Starttls,
    /// TLS from the beginning, port 465.
    Tls,
    /// None, port 25: for a server on this machine.
    None,
}

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookAddress {
    /// May hold `{…}`.
    Plain(String),
    /// The address is a secret.
    Secret(SecretPlace),
}

/// How people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SenderKind {
    Webhook {
        preset: Option<Preset>,
        address: WebhookAddress,
        method: String,
        headers: BTreeMap<String, String>,
        /// With `{…}` to be filled in; none for the message as JSON.
        body: Option<String>,
        token: Option<SecretPlace>,
        /// The chat or user that a service asks for.
        recipient: Option<String>,
    },
    Mail {
        server: String,
        port: Option<u16>,
        security: MailSecurity,
        user: Option<String>,
        password: Option<SecretPlace>,
        from: String,
        to: Vec<String>,
    },
    /// By the broker of `[mqtt]`, as a message on the topic `event` that is not retained.
    Mqtt(Box<MqttSettings>),
}

impl SenderKind {
    /// Its secrets, and what the keys of their files begin with.
    pub fn secrets(&self) -> Vec<(&SecretPlace, &'static str)> {
        let (secrets, of_address) = match self {
            Self::Webhook { token, address, .. } => match address {
                WebhookAddress::Secret(place) => ((token, "token"), Some((place, "url"))),
                WebhookAddress::Plain(_) => ((token, "token"), None),
            },
            Self::Mail { password, .. } => ((password, "password"), None),
            Self::Mqtt(broker) => ((&broker.password, "password"), None),
        };
        let (place, what) = secrets;
        place.iter().map(|place| (place, what)).chain(of_address).collect()
    }
}

/// A way to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderSettings {
    pub id: String,
    pub kind: SenderKind,
}

/// An alert as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlert {
    name: String,
    station: Option<String>,
    when: AlertKind,
    below: Option<f64>,
    above: Option<f64>,
    over: Option<Span>,
    only: Option<SunLimit>,
    not_before_end: Option<Span>,
    quiet_for: Option<Span>,
    to: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Webhook,
    Smtp,
    Mqtt,
}

/// A sender as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSender {
    id: String,
    kind: RawKind,
    preset: Option<Preset>,
    url: Option<String>,
    url_file: Option<PathBuf>,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    token_file: Option<PathBuf>,
    token_env: Option<String>,
    recipient: Option<String>,
    server: Option<String>,
    port: Option<u16>,
    #[serde(default)]
    security: MailSecurity,
    user: Option<String>,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    from: Option<String>,
    #[serde(default)]
    to: Vec<String>,
}

impl RawAlert {
    pub(super) fn check(
        self,
        stations: &[Station],
        senders: &[SenderSettings],
    ) -> Result<AlertSettings, Text> {
        let name = self.name;
        let plain = |c: char| !c.is_control();
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(say!(
                "the name '{name}' of an [[alert]] must have 1 to 64 characters",
                "el nombre '{name}' de un [[alert]] debe tener de 1 a 64 caracteres"
            ));
        }
        if let Some(id) = &self.station
            && !stations.iter().any(|station| station.id == *id)
            && !(stations.is_empty() && *id == Station::rio_grande().id)
        {
            return Err(say!(
                "alert '{name}': station '{id}' is not known; leave it out for all stations",
                "aviso '{name}': la estación '{id}' no se conoce; omítala para todas"
            ));
        }
        if self.to.is_empty() {
            return Err(say!(
                "alert '{name}': to names no sender; write the id of a [[sender]]",
                "aviso '{name}': to no nombra ningún remitente; escriba el id de un [[sender]]"
            ));
        }
        if let Some(id) = self.to.iter().find(|id| !senders.iter().any(|known| known.id == **id)) {
            return Err(say!(
                "alert '{name}': there is no [[sender]] with the id '{id}'",
                "aviso '{name}': no hay ningún [[sender]] con el id '{id}'"
            ));
        }
        let (below, above) = (self.below.unwrap_or(1.5), self.above.unwrap_or(5.0));
        if !(0.0..=8.0).contains(&below) || !(0.0..=8.0).contains(&above) || below >= above {
            return Err(say!(
                "alert '{name}': below ({below}) and above ({above}) must be oktas from 0 to 8, \
                 the first less than the second",
                "aviso '{name}': below ({below}) y above ({above}) deben ser octas de 0 a 8, la \
                 primera menor que la segunda"
            ));
        }
        let kind = self.when;
        let hours =
            |given: Option<Span>, usual: i64| given.map_or(TimeDelta::hours(usual), Span::length);
        let by_night = !matches!(kind, AlertKind::Camera | AlertKind::Silence);
        let usual_only = if by_night { SunLimit::Night } else { SunLimit::Always };
        let invites = matches!(kind, AlertKind::Clearing | AlertKind::Safe);
        let may_flicker = matches!(kind, AlertKind::Clearing | AlertKind::Clouding);
        let only = self.only.unwrap_or(usual_only);
        // Without an end there is nothing to be before of.
        let left = if only == SunLimit::Always { 0 } else { i64::from(invites) };
        Ok(AlertSettings {
            name,
            station: self.station,
            kind,
            to: self.to,
            below,
            above,
            over: self.over.map(Span::length).filter(|over| *over > TimeDelta::zero()),
            only,
            not_before_end: hours(self.not_before_end, left),
            quiet_for: hours(self.quiet_for, if may_flicker { 2 } else { 0 }),
        })
    }
}

impl RawSender {
    /// Its paths are relative to `folder`; `mqtt` is the broker.
    pub(super) fn check(
        self,
        folder: &Path,
        mqtt: Option<&MqttSettings>,
    ) -> Result<SenderSettings, Text> {
        let id = self.id.clone();
        if id.is_empty() || id.len() > 64 || id.chars().any(char::is_control) {
            return Err(say!(
                "the id '{id}' of a [[sender]] must have 1 to 64 characters",
                "el id '{id}' de un [[sender]] debe tener de 1 a 64 caracteres"
            ));
        }
        let kind = match self.kind {
            RawKind::Webhook => self.webhook(folder)?,
            RawKind::Smtp => self.mail(folder)?,
            RawKind::Mqtt => self.mqtt(mqtt)?,
        };
        Ok(SenderSettings { id, kind })
    }

    fn mqtt(self, mqtt: Option<&MqttSettings>) -> Result<SenderKind, Text> {
        let id = &self.id;
        if self.url.is_some() || self.preset.is_some() || self.body.is_some() {
            return Err(say!(
                "sender '{id}': url, preset and body are keys of kind = \"webhook\"; of kind = \
                 \"mqtt\" the table [mqtt] says all",
                "remitente '{id}': url, preset y body son claves de kind = \"webhook\"; de kind = \
                 \"mqtt\" lo dice todo la tabla [mqtt]"
            ));
        }
        if self.server.is_some() || self.from.is_some() || !self.to.is_empty() {
            return Err(say!(
                "sender '{id}': server, from and to are keys of kind = \"smtp\"; of kind = \
                 \"mqtt\" the table [mqtt] says all",
                "remitente '{id}': server, from y to son claves de kind = \"smtp\"; de kind = \
                 \"mqtt\" lo dice todo la tabla [mqtt]"
            ));
        }
        match mqtt {
            Some(broker) => Ok(SenderKind::Mqtt(Box::new(broker.clone()))),
            None => Err(say!(
                "sender '{id}' of kind = \"mqtt\" needs the table [mqtt] with the broker's url",
                "el remitente '{id}', de kind = \"mqtt\", necesita la tabla [mqtt] con la url del \
                 broker"
            )),
        }
    }

    fn webhook(self, folder: &Path) -> Result<SenderKind, Text> {
        let id = &self.id;
        if self.server.is_some() || self.from.is_some() || !self.to.is_empty() {
            return Err(say!(
                "sender '{id}': server, from and to are keys of kind = \"smtp\"",
                "remitente '{id}': server, from y to son claves de kind = \"smtp\""
            ));
        }
        let headers = self.headers.iter().map(|(name, value)| (format!("headers.{name}"), value));
        let plain = [("url", &self.url), ("body", &self.body)];
        let plain =
            plain.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.as_ref()?)));
        for (key, template) in plain.chain(headers) {
            if let Some(found) = unknown_placeholder(template) {
                let Text { en, es } = placeholder_unknown(&key, found);
                return Err(say!("sender '{id}': {en}", "remitente '{id}': {es}"));
            }
        }
        let address = match (self.url, self.url_file, self.preset) {
            (Some(url), None, _) => {
                let tried = url.replace(['{', '}'], "");
                let good =
                    Url::parse(&tried).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
                if !good {
                    return Err(say!(
                        "sender '{id}': url must begin with http:// or https://",
                        "remitente '{id}': url debe empezar con http:// o https://"
                    ));
                }
                WebhookAddress::Plain(url)
            }
            (None, Some(path), _) => WebhookAddress::Secret(SecretPlace::File(folder.join(path))),
            (None, None, Some(Preset::Pushover)) => {
                WebhookAddress::Plain("https://api.pushover.net".to_owned())
            }
            (None, None, Some(Preset::Telegram)) => {
                WebhookAddress::Plain("https://api.telegram.org".to_owned())
            }
            _ => {
                return Err(say!(
                    "sender '{id}' must have url, or url_file where the address is a secret",
                    "el remitente '{id}' debe tener url, o url_file si la dirección es un secreto"
                ));
            }
        };
        let token = secret(folder, self.token_file, self.token_env);
        let needs_recipient = matches!(self.preset, Some(Preset::Pushover | Preset::Telegram));
        let needs_token = needs_recipient || self.preset == Some(Preset::Gotify);
        if (needs_recipient && self.recipient.is_none()) || (needs_token && token.is_none()) {
            return Err(say!(
                "sender '{id}': this preset needs a token_file or token_env, and recipient (the \
                 chat of Telegram, the user of Pushover)",
                "remitente '{id}': este preset necesita token_file o token_env, y recipient (el \
                 chat de Telegram, el usuario de Pushover)"
            ));
        }
        let method = self.method.unwrap_or_else(|| "POST".to_owned()).to_uppercase();
        if !["GET", "POST", "PUT"].contains(&method.as_str()) {
            return Err(say!(
                "sender '{id}': method must be GET, POST or PUT, not '{method}'",
                "remitente '{id}': method debe ser GET, POST o PUT, no '{method}'"
            ));
        }
        Ok(SenderKind::Webhook {
            preset: self.preset,
            address,
            method,
            headers: self.headers,
            body: self.body,
            token,
            recipient: self.recipient,
        })
    }

    fn mail(self, folder: &Path) -> Result<SenderKind, Text> {
        let id = &self.id;
        if self.url.is_some() || self.preset.is_some() || self.body.is_some() {
            return Err(say!(
                "sender '{id}': url, preset and body are keys of kind = \"webhook\"",
                "remitente '{id}': url, preset y body son claves de kind = \"webhook\""
            ));
        }
        let (Some(server), Some(from)) = (self.server, self.from) else {
            return Err(say!(
                "sender '{id}' must have server, from and to",
                "el remitente '{id}' debe tener server, from y to"
            ));
        };
        let is_mailbox = |text: &String| text.parse::<lettre::message::Mailbox>().is_ok();
        let bad = [&from].into_iter().chain(&self.to).find(|mailbox| !is_mailbox(mailbox));
        if let Some(bad) = bad {
            return Err(say!(
                "sender '{id}': '{bad}' is no mail address",
                "remitente '{id}': '{bad}' no es una dirección de correo"
            ));
        }
        if self.to.is_empty() {
            return Err(say!(
                "sender '{id}' must have at least one address in to",
                "el remitente '{id}' debe tener al menos una dirección en to"
            ));
        }
        let password = secret(folder, self.password_file, self.password_env);
        if password.is_some() != self.user.is_some() {
            return Err(say!(
                "sender '{id}' must have user and password_file (or password_env), or neither",
                "el remitente '{id}' debe tener user y password_file (o password_env), o ninguno"
            ));
        }
        Ok(SenderKind::Mail {
            server,
            port: self.port,
            security: self.security,
            user: self.user,
            password,
            from,
            to: self.to,
        })
    }
}

fn secret(folder: &Path, file: Option<PathBuf>, variable: Option<String>) -> Option<SecretPlace> {
    match (file, variable) {
        (Some(path), _) => Some(SecretPlace::File(folder.join(path))),
        (None, variable) => variable.map(SecretPlace::Variable),
    }
}
