//! `[station.source]`: where a station's pictures are, and how they are named.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use serde::Deserialize;
use url::Url;

use crate::camera::http::public_part;
use crate::settings::span::Span;
use celaje_sky::error::io_text;
use celaje_sky::naming::preset::{NameClock, Preset, SourceKind};
use celaje_sky::naming::{BadTemplate, NameTemplate};
use celaje_sky::say;
use celaje_sky::slot::SlotGrid;
use celaje_sky::station::{PictureNames, PicturePlace, StationSource, TimeFrom};
use celaje_sky::text::Text;

/// Time between two slots where nothing is said of it.
const USUAL_STEP: u32 = 600;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    kind: Option<SourceKind>,
    preset: Option<String>,
    path: Option<String>,
    url: Option<String>,
    dir: Option<PathBuf>,
    clock: Option<NameClock>,
    every: Option<Span>,
    tolerance: Option<Span>,
    time_from: Option<TimeFrom>,
    auth: Option<RawLogin>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLogin {
    user: String,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    scheme: Option<LoginScheme>,
}

/// How a password is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LoginScheme {
    Basic,
    Digest,
}

/// A source that was checked, and the slots that it asks for.
#[derive(Debug)]
pub(super) struct CheckedSource {
    pub(super) source: StationSource,
    pub(super) minutes: SlotGrid,
    /// Whether its password is given in no other way than as a digest.
    pub(super) only_digest: bool,
}

impl RawSource {
    /// Checks it for station `id`, whose paths are relative to `folder` and whose minutes may be
    /// said beside it.
    pub(super) fn check(
        self,
        id: &str,
        folder: &Path,
        minutes: Option<SlotGrid>,
    ) -> Result<CheckedSource, Text> {
        let preset = self.preset.as_deref().map(|name| preset(id, name)).transpose()?;
        let Some(kind) = self.kind.or(preset.map(|preset| preset.kind)) else {
            return Err(say!(
                "station '{id}': its source has neither kind nor preset; write kind = \
                 \"template\", \"tree\" or \"latest\"",
                "estación '{id}': su fuente no tiene kind ni preset; escriba kind = \"template\", \
                 \"tree\" o \"latest\""
            ));
        };
        let path = self.path.as_deref().or(preset.map(|preset| preset.path));
        let place = self.place(id, folder, kind, path, preset)?;
        let names = names(id, kind, path, self.time_from)?;
        if let (Some(path), PicturePlace::Address(_), PictureNames::Template(_)) =
            (path.filter(|path| path.contains('?')), &place, &names)
        {
            return Err(say!(
                "station '{id}': the template '{path}' has a '?', and names files alone; write a \
                 query that is always the same behind url",
                "estación '{id}': la plantilla '{path}' tiene un '?', y solo nombra archivos; \
                 escriba en url los parámetros que sean siempre los mismos"
            ));
        }
        let minutes = self.minutes(id, minutes)?;
        let tolerance = match self.tolerance {
            Some(span) if span.length() > TimeDelta::zero() => span.length(),
            Some(_) => {
                return Err(say!(
                    "station '{id}': the tolerance of its source must be longer than 0; write one \
                     such as 30s or 5m",
                    "estación '{id}': la tolerancia (tolerance) de su fuente debe ser mayor que 0; \
                     escriba una como 30s o 5m"
                ));
            }
            None => minutes.shortest() / 2,
        };
        let clock = self.clock.or(preset.map(|preset| preset.clock)).unwrap_or_default();
        let source =
            StationSource { place, names, clock, tolerance, is_archive: false, alone: None };
        let scheme = self.auth.as_ref().and_then(|login| login.scheme);
        let only_digest = scheme == Some(LoginScheme::Digest);
        Ok(CheckedSource { source, minutes, only_digest })
    }

    fn minutes(&self, id: &str, minutes: Option<SlotGrid>) -> Result<SlotGrid, Text> {
        match (self.every, minutes) {
            (Some(_), Some(_)) => Err(say!(
                "station '{id}' has both valid_minutes and the source's every; leave one out",
                "la estación '{id}' tiene valid_minutes y también every en su fuente; deje uno solo"
            )),
            (None, Some(minutes)) => Ok(minutes),
            (None, None) => SlotGrid::every(USUAL_STEP).map_err(|bad| {
                let bad = bad.to_string();
                say!("{bad}", "{bad}")
            }),
            (Some(every), None) => {
                let seconds = u32::try_from(every.length().num_seconds()).unwrap_or(0);
                SlotGrid::every(seconds).map_err(|_| {
                    say!(
                        "station '{id}': every = \"{every}\" must be from 15s to 1h and divide an \
                         hour, such as 15s, 1m or 10m",
                        "estación '{id}': every = \"{every}\" debe estar entre 15s y 1h y dividir \
                         una hora, como 15s, 1m o 10m"
                    )
                })
            }
        }
    }

    fn place(
        &self,
        id: &str,
        folder: &Path,
        kind: SourceKind,
        path: Option<&str>,
        preset: Option<&Preset>,
    ) -> Result<PicturePlace, Text> {
        match (&self.url, &self.dir) {
            (Some(address), None) => {
                let mut url = parse_url(id, address)?;
                if kind == SourceKind::Latest
                    && let Some(path) = path.filter(|_| self.path.is_some() || is_bare(&url))
                {
                    url = with_path(url, path);
                }
                if let Some(login) = &self.auth {
                    let in_query = preset.is_some_and(|preset| preset.login_in_query);
                    login.put_into(&mut url, id, folder, in_query)?;
                }
                Ok(PicturePlace::Address(url.into()))
            }
            (None, Some(dir)) => {
                let dir = folder.join(dir);
                Ok(PicturePlace::Folder(match (kind, path) {
                    (SourceKind::Latest, Some(path)) => dir.join(path),
                    _ => dir,
                }))
            }
            _ => Err(say!(
                "station '{id}': its source needs url or dir, one of them",
                "estación '{id}': su fuente necesita url o dir, uno de los dos"
            )),
        }
    }
}

/// Whether an address names a host alone.
fn is_bare(url: &Url) -> bool {
    url.path() == "/" && url.query().is_none()
}

/// An address with `path`, which may have a query, behind it.
fn with_path(mut url: Url, path: &str) -> Url {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}/{}", path.trim_start_matches('/')));
    if query.is_some() {
        url.set_query(query);
    }
    url
}

/// The address of a source.
pub(crate) fn parse_url(id: &str, address: &str) -> Result<Url, Text> {
    let url = Url::parse(address).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https" | "s3") && url.has_host());
    url.ok_or_else(|| {
        let shown = public_part(address);
        say!(
            "station '{id}': the url of its source, '{shown}', is no address of http, https \
             or s3; write one such as http://host/path/",
            "estación '{id}': la url de su fuente, '{shown}', no es una dirección http, https \
             ni s3; escriba una como http://servidor/ruta/"
        )
    })
}

fn preset(id: &str, name: &str) -> Result<&'static Preset, Text> {
    Preset::named(name).ok_or_else(|| {
        let known: Vec<_> = Preset::ALL.iter().map(|preset| preset.name).collect();
        let known = known.join(", ");
        say!(
            "station '{id}': the preset '{name}' is not known; write one of: {known}",
            "estación '{id}': el preset '{name}' no se conoce; escriba uno de: {known}"
        )
    })
}

fn names(
    id: &str,
    kind: SourceKind,
    path: Option<&str>,
    time_from: Option<TimeFrom>,
) -> Result<PictureNames, Text> {
    if kind == SourceKind::Latest && time_from == Some(TimeFrom::Name) {
        return Err(say!(
            "station '{id}': the name of a latest picture says no moment; write time_from = \
             \"exif\", \"last-modified\" or \"fetch\"",
            "estación '{id}': el nombre de una última imagen no dice el momento; escriba \
             time_from = \"exif\", \"last-modified\" o \"fetch\""
        ));
    }
    if kind == SourceKind::Latest {
        return Ok(PictureNames::Latest(time_from));
    }
    if time_from.is_some_and(|from| from != TimeFrom::Name) {
        return Err(say!(
            "station '{id}': time_from is of a source of kind = \"latest\"; names say the moment \
             here: leave it out, or write \"name\"",
            "estación '{id}': time_from es de una fuente de kind = \"latest\"; aquí el momento lo \
             dicen los nombres: quítelo, o escriba \"name\""
        ));
    }
    let shown = kind.as_str();
    let Some(path) = path else {
        return Err(say!(
            "station '{id}': its source of kind = \"{shown}\" has no path; write a template such \
             as %Y/%m/%d/%H%M%S.jpg",
            "estación '{id}': su fuente de kind = \"{shown}\" no tiene path; escriba una plantilla \
             como %Y/%m/%d/%H%M%S.jpg"
        ));
    };
    let template: NameTemplate = path.parse().map_err(|BadTemplate(Text { en, es })| {
        say!("station '{id}': {en}", "estación '{id}': {es}")
    })?;
    match kind {
        SourceKind::Template if !template.is_exact() => Err(say!(
            "station '{id}': the template '{path}' gives no exact name, as it has *, %s or %f; \
             write kind = \"tree\"",
            "estación '{id}': la plantilla '{path}' no da un nombre exacto, porque tiene *, %s o \
             %f; escriba kind = \"tree\""
        )),
        SourceKind::Template => Ok(PictureNames::Template(template)),
        _ => Ok(PictureNames::Tree(template)),
    }
}

impl RawLogin {
    /// Puts user and password into the address.
    fn put_into(&self, url: &mut Url, id: &str, folder: &Path, in_query: bool) -> Result<(), Text> {
        let password = self.password(id, folder)?;
        if in_query {
            url.query_pairs_mut()
                .append_pair("user", &self.user)
                .append_pair("password", &password);
            return Ok(());
        }
        // They fail where there is no host, which was checked.
        let _ = url.set_username(&self.user);
        let _ = url.set_password(Some(&password));
        Ok(())
    }

    fn password(&self, id: &str, folder: &Path) -> Result<String, Text> {
        match (&self.password_file, &self.password_env) {
            (Some(file), None) => {
                let path = folder.join(file);
                let shown = path.display();
                let read = std::fs::read_to_string(&path);
                read.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()).map_err(|e| {
                    let Text { en, es } = io_text(&e);
                    say!(
                        "station '{id}': the password file '{shown}' cannot be read: {en}; write \
                         the camera's password into it, or correct password_file",
                        "estación '{id}': no se puede leer el archivo de la contraseña '{shown}': \
                         {es}; escriba en él la contraseña de la cámara, o corrija password_file"
                    )
                })
            }
            (None, Some(name)) => std::env::var(name).map_err(|_| {
                say!(
                    "station '{id}': the environment variable '{name}' with the camera's password \
                     is not set; set it, or write password_file in its place",
                    "estación '{id}': no está la variable de entorno '{name}' con la contraseña de \
                     la cámara; defínala, o escriba password_file en su lugar"
                )
            }),
            _ => Err(say!(
                "station '{id}': auth needs password_file or password_env, one of them",
                "estación '{id}': auth necesita password_file o password_env, uno de los dos"
            )),
        }
    }
}
