//! Opens a model: one inside the program, or a file.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::model::manifest::{
    Activation, Filter, Fit, Input, Kind, Manifest, Output, TensorLayout,
};
use crate::model::validate;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::text::Text;

/// A network inside the program.
struct BundledModel {
    name: &'static str,
    onnx: &'static [u8],
    manifest: &'static str,
}

/// The networks inside the program; the first is the default.
static BUNDLED: [BundledModel; 3] = [
    BundledModel {
        name: "celaje-6",
        onnx: include_bytes!("../../../../models/celaje-6/celaje-6.onnx"),
        manifest: include_str!("../../../../models/celaje-6/celaje-6.toml"),
    },
    BundledModel {
        name: "celaje-4",
        onnx: include_bytes!("../../../../models/celaje-4/celaje-4.onnx"),
        manifest: include_str!("../../../../models/celaje-4/celaje-4.toml"),
    },
    BundledModel {
        name: "celaje-4-fp32",
        onnx: include_bytes!("../../../../models/celaje-4/celaje-4-fp32.onnx"),
        manifest: include_str!("../../../../models/celaje-4/celaje-4-fp32.toml"),
    },
];

/// The model inside the program with this name. A file of that name is written `./name`.
fn bundled(name: &Path) -> Option<&'static BundledModel> {
    BUNDLED.iter().find(|model| name.as_os_str() == model.name)
}

/// Where a model inside the program is good and where it is not, as its card begins; `name` may
/// have a version behind it. None of another model.
pub fn card_of(name: &str) -> Option<Text> {
    match name.split(' ').next()? {
        "celaje-6" => Some(say!(
            "Good by day and on cameras like those that it has learnt from (88 % and 100 % of the \
             oktas on two fisheyes, held-out days); on a camera that it has not seen it is within \
             one okta of nearly every day picture (93 to 100 %) and exactly right on half of them \
             (45 to 63 %), and colour nights of such a camera are not to be trusted (5 %).",
            "Buena de día y en cámaras como las que usó para aprender (88 % y 100 % de las octas \
             en dos ojos de pez, con días que no había visto); en una cámara que no conoce está a \
             lo sumo a una octa en casi todas las imágenes diurnas (93 a 100 %) y acierta \
             exactamente la mitad (45 a 63 %), y de las noches en color de una cámara así no hay \
             que fiarse (5 %)."
        )),
        "celaje-4" | "celaje-4-fp32" => Some(say!(
            "Good on the cameras that it learnt from and on no others: on cameras that it has not \
             seen it reads 17 to 50 % of the oktas, and its confidence is 0.2 to 0.5 too high \
             there.",
            "Buena en las cámaras que usó para aprender y en ninguna otra: en cámaras que no \
             conoce acierta del 17 al 50 % de las octas, y allí su confianza es entre 0,2 y 0,5 \
             demasiado alta."
        )),
        _ => None,
    }
}

/// Most bytes of a model file.
const LARGEST: u64 = 1 << 30;

/// Mean and standard deviation of ImageNet's channels, which the replaced system used. Source:
/// the documentation of torchvision's pretrained networks.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// A network and its manifest; cheap to clone.
#[derive(Clone)]
pub struct Model {
    /// The checked manifest.
    pub manifest: Manifest,
    /// The ONNX file.
    pub bytes: Arc<[u8]>,
    /// SHA-256 of the ONNX file, hexadecimal.
    pub sha256: String,
    /// A notice for the user if there is no manifest and the replaced system's form is assumed.
    pub notice: Option<Text>,
    /// Where the model was read from; `None` for the one inside the program.
    pub path: Option<PathBuf>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("label", &self.label()).field("path", &self.path).finish()
    }
}

impl Model {
    /// The default model inside the program.
    ///
    /// # Errors
    /// Only if the program was built from damaged files.
    pub fn bundled() -> Result<Self> {
        Self::inside(&BUNDLED[0])
    }

    /// The names of the models inside the program.
    pub const BUNDLED_NAMES: [&'static str; 3] =
        [BUNDLED[0].name, BUNDLED[1].name, BUNDLED[2].name];

    /// Whether `name` is that of a model inside the program.
    pub fn is_bundled(name: &Path) -> bool {
        bundled(name).is_some()
    }

    /// The default model without a path; with one, the bundled model of that name, or the ONNX file
    /// `path` with its manifest beside it.
    ///
    /// # Errors
    /// If the file is missing or not an ONNX model, or its manifest has a mistake or another hash.
    /// Whether network and manifest agree is checked with the engine.
    pub fn resolve(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            return Self::bundled();
        };
        match bundled(path) {
            Some(model) => Self::inside(model),
            None => Self::open(path),
        }
    }

    fn inside(model: &BundledModel) -> Result<Self> {
        let manifest_name = format!("{}.toml", model.name);
        Self::assemble(model.onnx.into(), Some(model.manifest), &manifest_name, model.name, None)
    }

    /// The model in the ONNX file `path`, with its manifest beside it.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn open(path: &Path) -> Result<Self> {
        // A manifest stands for the model beside it.
        let path = &if path.extension().is_some_and(|extension| extension == "toml") {
            path.with_extension("onnx")
        } else {
            path.to_owned()
        };
        let bytes = read(path)?;
        let manifest_path = path.with_extension("toml");
        let manifest = match std::fs::read_to_string(&manifest_path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(&manifest_path, &error)),
        };
        let manifest_name = manifest_path.display().to_string();
        let file = path.display().to_string();
        Self::assemble(bytes.into(), manifest.as_deref(), &manifest_name, &file, Some(path))
    }

    /// Name and version, such as `celaje-6 6`.
    pub fn label(&self) -> String {
        let Manifest { name, version, .. } = &self.manifest;
        format!("{name} {version}").trim().to_owned()
    }

    /// The name of the ONNX file, for messages.
    pub(crate) fn file(&self) -> String {
        self.path.as_ref().map_or_else(|| self.label(), |path| path.display().to_string())
    }

    /// The name of the manifest, for messages.
    pub(crate) fn manifest_file(&self) -> String {
        Path::new(&self.file()).with_extension("toml").display().to_string()
    }

    /// Whether there is no manifest and the replaced system's form is assumed.
    pub(crate) fn has_assumed_manifest(&self) -> bool {
        self.notice.is_some()
    }

    fn assemble(
        bytes: Arc<[u8]>,
        manifest: Option<&str>,
        manifest_name: &str,
        file: &str,
        path: Option<&Path>,
    ) -> Result<Self> {
        let sha256 = hex(&Sha256::digest(&bytes));
        let (manifest, notice) = match manifest {
            Some(text) => (validate::parse(text, manifest_name)?, None),
            None => {
                let name = path
                    .and_then(Path::file_stem)
                    .map_or("model".into(), |stem| stem.to_string_lossy());
                let notice = say!(
                    "{file} has no manifest: taken for the replaced system's form (224x224, \
                     ImageNet normalisation, nine oktas); {manifest_name} would say it for certain",
                    "{file} no tiene manifiesto: se toma por la forma del sistema anterior \
                     (224x224, normalización de ImageNet, nueve octas); {manifest_name} lo diría \
                     con certeza"
                );
                (replaced_form(&name), Some(notice))
            }
        };
        if let Some(wanted) = &manifest.sha256
            && !wanted.eq_ignore_ascii_case(&sha256)
        {
            return Err(Failure::environment(say!(
                "{file} is not the file that {manifest_name} describes: its SHA-256 is {sha256}; \
                 fetch the model again, or correct or remove sha256 in the manifest",
                "{file} no es el archivo que describe {manifest_name}: su SHA-256 es {sha256}; \
                 vuelva a obtener el modelo, o corrija o quite sha256 del manifiesto"
            )));
        }
        Ok(Self { manifest, bytes, sha256, notice, path: path.map(Path::to_owned) })
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    Failure::environment(say!(
        "{path} cannot be read: {error}",
        "no se puede leer {path}: {error}",
        error = io_text(error),
    ))
}

/// Reads a model file, and refuses what cannot be one.
fn read(path: &Path) -> Result<Vec<u8>> {
    let file = path.display();
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let names = BUNDLED.each_ref().map(|model| model.name).join(", ");
            return Err(Failure::environment(say!(
                "there is no model {file}; name an ONNX file or a bundled model ({names}), or \
                leave --model out",
                "no existe el modelo {file}; indique un archivo ONNX o un modelo incluido \
                ({names}), u omita --model"
            )));
        }
        Err(error) => return Err(unreadable(path, &error)),
    };
    if !metadata.is_file() {
        return Err(Failure::environment(say!(
            "the model {file} is not a file; name the ONNX file itself",
            "el modelo {file} no es un archivo; indique el archivo ONNX mismo"
        )));
    }
    let size = metadata.len();
    if size > LARGEST {
        return Err(Failure::environment(say!(
            "the model {file} has {size} bytes, and at most {LARGEST} are taken",
            "el modelo {file} tiene {size} bytes, y se aceptan a lo sumo {LARGEST}"
        )));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    if bytes.is_empty() {
        return Err(Failure::environment(say!(
            "the model {file} is empty; fetch it again",
            "el modelo {file} está vacío; vuelva a obtenerlo"
        )));
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Failure::environment(say!(
            "the model {file} is only a Git LFS pointer; run `git lfs pull` in its repository",
            "el modelo {file} es solo un puntero de Git LFS; ejecute `git lfs pull` en su \
            repositorio"
        )));
    }
    // The first field of an ONNX file is the number `ir_version`.
    if bytes.first() != Some(&0x08) {
        return Err(Failure::environment(say!(
            "{file} is not an ONNX model; export the network to ONNX and name that file",
            "{file} no es un modelo ONNX; exporte la red a ONNX e indique ese archivo"
        )));
    }
    Ok(bytes)
}

/// The manifest of the replaced system's form.
fn replaced_form(name: &str) -> Manifest {
    Manifest {
        name: name.to_owned(),
        version: String::new(),
        kind: Kind::Classification,
        sha256: None,
        input: Input {
            width: 224,
            height: 224,
            layout: TensorLayout::Nchw,
            fit: Fit::Stretch,
            filter: Filter::Bilinear,
            mean: IMAGENET.0,
            std: IMAGENET.1,
        },
        output: Output {
            classes: (0..9).map(|okta| okta.to_string()).collect(),
            activation: Activation::Logits,
        },
        use_region: None,
        calibration: None,
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
