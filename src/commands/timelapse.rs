//! `celaje timelapse`: a film of the pictures that were kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::commands::{output, range};
use crate::figures::film::{Film, FilmFault, FilmForm, FilmWanted};
use crate::settings::Settings;
use crate::settings::layer::{DatabaseGroup, Flags, SpanishHelp};
use crate::settings::values::whole;
use crate::store::reader::Reader;
use celaje_sky::error::{Failure, Result};
use celaje_sky::moment::Moment;
use celaje_sky::say;
use celaje_sky::text::Lang;

#[derive(Clone, Debug, Args)]
pub(super) struct TimelapseArgs {
    /// The film: .avi, or with ffmpeg .mp4, .webm or .webp; .jpg for the trails of the stars
    #[arg(long, value_name = "FILE", env = "CELAJE_TIMELAPSE_OUT")]
    out: PathBuf,
    /// First minute, station local time: YYYY-MM-DDTHH:MM, or a date
    #[arg(
        long,
        alias = "desde",
        value_name = "TIME",
        env = "CELAJE_FROM",
        value_parser = Moment::parse
    )]
    from: Moment,
    /// Last minute, included
    #[arg(
        long,
        alias = "hasta",
        value_name = "TIME",
        env = "CELAJE_TO",
        value_parser = Moment::parse
    )]
    to: Moment,
    /// Pictures a second
    #[arg(
        long,
        value_name = "N",
        env = "CELAJE_FPS",
        default_value = "12",
        value_parser = whole(1..=60_u32)
    )]
    fps: u32,
    /// The station [default: the record's own]
    #[arg(long, value_name = "ID", env = "CELAJE_STATION")]
    station: Option<String>,
    #[command(flatten)]
    db: Flags<DatabaseGroup>,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("timelapse", "Hace una película acelerada con las imágenes guardadas"),
    (
        "out",
        "La película: .avi o, con ffmpeg, .mp4, .webm o .webp; .jpg para las trazas de las \
         estrellas",
    ),
    ("from", "Primer minuto, hora local de la estación: AAAA-MM-DDTHH:MM, o una fecha"),
    ("to", "Último minuto, incluido"),
    ("fps", "Imágenes por segundo"),
    ("station", "La estación [por omisión: la propia del registro]"),
];

impl TimelapseArgs {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8> {
        let settings = Settings::read(self.db.0.clone(), config)?;
        let (form, ending) = form_of(&self.out)?;
        let range = range::between(self.from, self.to, "--from", "--to")?;
        let mut reader = Reader::open(&settings.db)?;
        let id = match self.station {
            Some(id) => id,
            None => reader.home_station()?.unwrap_or_default(),
        };
        let station = settings.stations.iter().find(|station| station.id == id);
        let Some(station) = station.cloned().map(Arc::new) else {
            return Err(Failure::usage(say!(
                "the settings name no station '{id}'",
                "los ajustes no nombran ninguna estación '{id}'"
            )));
        };
        let wanted = FilmWanted {
            station,
            policy: settings.keep.clone(),
            range: (range.from(), range.to()),
            rate: self.fps,
            limits: settings.tuning.picture,
            lang: Lang::current(),
        };
        let film = Film::read(&mut reader, wanted)?;
        let pictures = write(&film, form, ending, &self.out)?;
        let shown = self.out.display();
        output::note(say!("{shown}: {pictures} pictures", "{shown}: {pictures} imágenes"));
        Ok(0)
    }
}

fn form_of(out: &Path) -> Result<(FilmForm, &'static str)> {
    let ending = out.extension().unwrap_or_default().to_ascii_lowercase();
    let known = FilmForm::ENDINGS.iter().find(|(name, _)| ending == *name);
    known.map(|(name, form)| (*form, *name)).ok_or_else(|| {
        let shown = out.display();
        Failure::usage(say!(
            "'{shown}' ends in none of .avi, .mp4, .webm, .webp and .jpg; give --out one of these \
             endings",
            "'{shown}' no termina en .avi, .mp4, .webm, .webp ni .jpg; dé a --out una de esas \
             terminaciones"
        ))
    })
}

/// Makes the film beside its place, which it takes when it is whole.
fn write(film: &Film, form: FilmForm, ending: &str, out: &Path) -> Result<usize> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let suffix = format!(".{ending}");
    let mut builder = tempfile::Builder::new();
    builder.suffix(&suffix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As any file that the user makes: less what the umask takes.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let made = builder.tempfile_in(folder.unwrap_or(Path::new("."))).map_err(FilmFault::File)?;
    let pictures = film.write(form, made.path())?;
    made.persist(out).map_err(|error| FilmFault::File(error.error))?;
    Ok(pictures)
}
