//! `celaje lens`: finds the circle of a fisheye lens in a few pictures and draws it over one.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::commands::output;
use crate::commands::predict::{Pictures, check_inputs, read};
use crate::commands::replacement::replace_file;
use crate::settings::layer::SpanishHelp;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_vision::lens_circle::{LensCircle, NoCircle, draw};
use celaje_vision::picture::decode::{DecodedPicture, Limits, decode};
use celaje_vision::reading::overlay;

/// Pictures that are looked at: the circle does not change from one to the next.
const MOST_PICTURES: usize = 24;

#[derive(Clone, Debug, Args)]
pub(super) struct LensArgs {
    /// Pictures of one camera, or folders of them; by day, the first 24 are looked at
    #[arg(value_name = "FILE|DIR", required = true)]
    paths: Vec<PathBuf>,
    /// Where the first picture is written with the circles over it
    #[arg(long, value_name = "FILE", env = "CELAJE_LENS_OUT", default_value = "lens.png")]
    out: PathBuf,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("lens", "Busca el círculo de una lente ojo de pez en unas imágenes y lo dibuja sobre una"),
    ("paths", "Imágenes de una cámara, o carpetas con ellas; de día, se miran las 24 primeras"),
    ("out", "Dónde se escribe la primera imagen con los círculos encima"),
];

impl LensArgs {
    pub(super) fn run(self) -> Result<u8> {
        check_inputs(&self.paths)?;
        let mut pictures = Vec::new();
        for path in Pictures::new(&self.paths).take(MOST_PICTURES) {
            pictures.push(picture(&path)?);
        }
        let circle = LensCircle::find(&pictures).map_err(failure)?;
        let Some(first) = pictures.first() else {
            return Err(failure(NoCircle::NoPicture));
        };
        let lens = circle.lens((first.width, first.height));
        let shown = self.out.display();
        let png = overlay::encode(first.width, first.height, &draw(first, &lens));
        let written = png.map_err(|error| error.to_string()).and_then(|png| {
            replace_file(&self.out, &png).map_err(|error| io_text(&error).to_string())
        });
        written.map_err(|error| {
            Failure::environment(say!(
                "'{shown}' cannot be written: {error}; name another file with --out",
                "no se puede escribir '{shown}': {error}; indique otro archivo con --out"
            ))
        })?;
        let [x, y] = lens.centre;
        let radius = lens.radius;
        output::line(format!(
            "[station.lens]\nprojection = \"equidistant\"\ncentre = [{x}, {y}]\nradius = {radius}"
        ))?;
        let (n, directions) = (pictures.len(), circle.directions);
        output::note(say!(
            "found in {n} pictures, in {directions} of 360 directions; look at '{shown}' (green: \
             the circle, taken for the horizon; amber: limit; blue: zenith), then put the lines \
             into celaje.toml",
            "hallado en {n} imágenes, en {directions} de 360 direcciones; mire '{shown}' (verde: \
             el círculo, tomado por el horizonte; ámbar: limit; azul: zenith) y luego ponga las \
             líneas en celaje.toml"
        ));
        Ok(0)
    }
}

fn picture(path: &Path) -> Result<DecodedPicture> {
    let limits = Limits::default();
    let bytes = read(path, &limits).map_err(|trouble| unusable(path, &trouble.detail))?;
    decode(&bytes, &limits).map_err(|error| unusable(path, &error.text().to_string()))
}

fn unusable(path: &Path, why: &str) -> Failure {
    let shown = path.display();
    Failure::usage(say!(
        "'{shown}' cannot be used: {why}; leave it out",
        "no se puede usar '{shown}': {why}; déjela fuera"
    ))
}

fn failure(why: NoCircle) -> Failure {
    Failure::usage(match why {
        NoCircle::NoPicture => say!(
            "there is no picture (jpg, jpeg, png) in what was named; name pictures of one camera",
            "no hay ninguna imagen (jpg, jpeg, png) en lo indicado; indique imágenes de una cámara"
        ),
        NoCircle::Sizes => say!(
            "the pictures differ in size; name pictures of one camera",
            "las imágenes difieren en tamaño; indique imágenes de una sola cámara"
        ),
        NoCircle::NoDarkCorners => say!(
            "no corner is darker than the middle of the pictures; name pictures taken by day, and \
             leave [station.lens] out if the camera is no fisheye",
            "ninguna esquina es más oscura que el medio de las imágenes; indique imágenes tomadas \
             de día, y no ponga [station.lens] si la cámara no tiene un ojo de pez"
        ),
        NoCircle::NotRound => say!(
            "the lit part of the pictures has no round edge; name more pictures taken by day, and \
             leave [station.lens] out if the camera is no fisheye",
            "la parte iluminada de las imágenes no tiene un borde redondo; indique más imágenes \
             tomadas de día, y no ponga [station.lens] si la cámara no tiene un ojo de pez"
        ),
    })
}
