//! What the user says of the camera: by flags, or asked for on the terminal.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::camera::http::public_part;
use crate::commands::init::InitArgs;
use crate::commands::output;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::slot::Zone;
use celaje_sky::text::Text;

#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// The camera's address; none for a folder.
    pub(super) url: Option<String>,
    /// The folder or file.
    pub(super) dir: Option<PathBuf>,
    /// Whether there is a user beside the address.
    pub(super) has_user: bool,
    id: String,
    latitude: f64,
    longitude: f64,
    time_zone: String,
    every: String,
    /// Lines of the station and of its source.
    trust: String,
    auth: String,
}

impl Answers {
    /// Asks for what the flags leave open, where there is a terminal to ask on.
    pub(super) async fn gather(args: InitArgs) -> Result<Self> {
        let asked = tokio::task::spawn_blocking(move || Self::ask(args)).await;
        asked.unwrap_or_else(|_| Err(cannot_ask(&say!("input", "entrada"), "--help")))
    }

    fn ask(args: InitArgs) -> Result<Self> {
        let (mut url, mut dir) = (args.url, args.dir);
        if url.is_none() && dir.is_none() {
            let place = required(
                &say!("Address or folder of the camera", "Dirección o carpeta de la cámara"),
                "--url, --dir",
            )?;
            let place = unquoted(&place);
            if place.contains("://") {
                url = Some(place.to_owned());
            } else {
                dir = Some(at_home(place));
            }
        }
        if let Some(url) = &url {
            check_address(url)?;
        }
        let latitude = match args.latitude {
            Some(latitude) => latitude,
            None => degrees(
                &say!("Latitude, south negative", "Latitud, sur negativa"),
                "--latitude",
                90.0,
            )?,
        };
        let longitude = match args.longitude {
            Some(longitude) => longitude,
            None => degrees(
                &say!("Longitude, west negative", "Longitud, oeste negativa"),
                "--longitude",
                180.0,
            )?,
        };
        let time_zone = match (args.time_zone, machine_zone()) {
            (Some(zone), _) | (None, Some(zone)) => zone,
            (None, None) => {
                required(&say!("Time zone (IANA name)", "Huso (nombre IANA)"), "--time-zone")?
            }
        };
        let quoted = |path: &Path| quoted(&absolute(path));
        let mut trust = String::new();
        if let Some(path) = &args.ca_file {
            trust += &format!("ca_file = {}\n", quoted(path));
        }
        if args.insecure {
            trust += "insecure = true\n";
        }
        let auth = match (&args.user, &args.password_file) {
            (Some(user), Some(file)) => {
                let user = self::quoted(user);
                format!("auth = {{ user = {user}, password_file = {} }}\n", quoted(file))
            }
            _ => String::new(),
        };
        Ok(Self {
            url,
            dir: dir.map(|dir| PathBuf::from(absolute(&dir))),
            has_user: args.user.is_some(),
            id: args.id.unwrap_or_else(|| "sky".to_owned()),
            latitude,
            longitude,
            time_zone,
            every: args.every.map_or_else(|| "10m".to_owned(), |every| every.to_string()),
            trust,
            auth,
        })
    }

    /// Whether a password is given, beside the address or in it.
    pub(super) fn has_login(&self) -> bool {
        let url = self.url.as_ref().and_then(|url| url::Url::parse(url).ok());
        self.has_user || url.is_some_and(|url| !url.username().is_empty())
    }

    /// Where the pictures are looked for, without what may be secret.
    pub(super) fn place(&self) -> String {
        match (&self.url, &self.dir) {
            (Some(url), _) => public_part(url),
            (None, Some(dir)) => dir.display().to_string(),
            (None, None) => String::new(),
        }
    }

    /// `celaje.toml` with these lines of `[station.source]`, or with Celaje's own names.
    pub(super) fn settings(&self, source: Option<&str>) -> String {
        let Self { latitude, longitude, every, trust, .. } = self;
        let (id, zone) = (quoted(&self.id), quoted(&self.time_zone));
        let heading = say!(
            "# Written by `celaje init`; docs/settings.md explains every key.",
            "# Escrito por `celaje init`; docs/es/ajustes.md explica cada clave."
        );
        let mut text = format!(
            "{heading}\n[station]\n\
             id = {id}\nlatitude = {latitude:?}\nlongitude = {longitude:?}\ntime_zone = {zone}\n\
             {trust}"
        );
        match source {
            None => {
                let url = quoted(self.url.as_deref().unwrap_or_default());
                text += &format!("url_base = {url}\n");
            }
            Some(lines) => {
                let auth = &self.auth;
                text += &format!("\n[station.source]\n{lines}every = \"{every}\"\n{auth}");
            }
        }
        text
    }
}

fn check_address(url: &str) -> Result<()> {
    let schemes = ["http", "https", "file", "s3"];
    let parsed = url::Url::parse(url);
    if parsed.is_ok_and(|url| schemes.contains(&url.scheme())) {
        return Ok(());
    }
    let shown = public_part(url);
    Err(Failure::usage(say!(
        "'{shown}' is no address of a camera; write --url http://host/path/",
        "'{shown}' no es una dirección de una cámara; escriba --url http://servidor/ruta/"
    )))
}

/// An answer without the quotes that a shell would take away.
fn unquoted(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(text).trim()
}

/// A path as a shell reads it: `~` is the home folder.
fn at_home(text: &str) -> PathBuf {
    let rest = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (rest, std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// This machine's time zone, where it has a name that is known.
fn machine_zone() -> Option<String> {
    let of_link = || {
        let link = std::fs::read_link("/etc/localtime").ok()?;
        let (_, zone) = link.to_str()?.split_once("zoneinfo/")?;
        Some(zone.to_owned())
    };
    let of_file = || std::fs::read_to_string("/etc/timezone").ok();
    let named = std::env::var("TZ").ok();
    let named = named.map(|zone| zone.trim_start_matches(':').to_owned());
    [named, of_file(), of_link()]
        .into_iter()
        .flatten()
        .map(|zone| zone.trim().to_owned())
        .find(|zone| zone.parse::<Zone>().is_ok())
}

/// Degrees of at most `limit` to either side; a mistyped answer is asked for again.
fn degrees(question: &Text, flag: &str, limit: f64) -> Result<f64> {
    loop {
        let text = required(question, flag)?;
        match text.replace(',', ".").parse::<f64>() {
            Ok(degrees) if degrees.abs() <= limit => return Ok(degrees),
            _ => output::note(say!(
                "'{text}' is no number from -{limit} to {limit}; write degrees such as -53.79",
                "'{text}' no es un número de -{limit} a {limit}; escriba grados como -53.79"
            )),
        }
    }
}

/// An answer on the terminal.
fn required(question: &Text, flag: &str) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(cannot_ask(question, flag));
    }
    let mut err = std::io::stderr();
    let _ = write!(err, "{question}: ").and_then(|()| err.flush());
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    let answer = line.trim().to_owned();
    match read {
        Ok(1..) if !answer.is_empty() => Ok(answer),
        _ => {
            output::note("");
            Err(cannot_ask(question, flag))
        }
    }
}

fn cannot_ask(question: &Text, flag: &str) -> Failure {
    let Text { en, es } = question;
    Failure::usage(say!(
        "this is needed: {en}; answer on a terminal, or write {flag}",
        "falta: {es}; responda en una terminal, o escriba {flag}"
    ))
}
