//! Chooses the engine that runs a model, and tries it with one picture.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::agreement::{check_declared, check_output};
use crate::engine::backend::{Backend, BackendError, Device, Engine, InputBatch};
use crate::engine::library::{self, Library};
use crate::engine::onnxruntime::OnnxRuntime;
use crate::engine::rten::Rten;
use crate::engine::search::Search;
use crate::model::source::Model;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::text::Text;

/// The engine that the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// ONNX Runtime if its library is found and takes the model, else `rten`.
    #[default]
    Auto,
    /// ONNX Runtime.
    OnnxRuntime,
    /// The pure-Rust engine.
    Rten,
}

impl EngineChoice {
    /// Each value with the name under which it is written.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("onnxruntime", Self::OnnxRuntime), ("rten", Self::Rten)];
}

/// Chooses an engine for `model`, opens a session on it and runs one empty picture through it.
///
/// `library` is the path that the user names, if any. Gives the engine and notices for the user.
/// Takes some tenths of a second.
///
/// # Errors
/// If no allowed engine runs the model on that device, a named library does not load, or the
/// network contradicts its manifest.
pub fn engine(
    choice: EngineChoice,
    device: Device,
    library: Option<&Path>,
    model: &Model,
) -> Result<(Arc<dyn Engine>, Vec<Text>)> {
    engine_from(
        choice,
        device,
        &Search {
            prefer_cuda: cfg!(feature = "cuda") && device != Device::Cpu,
            ..Search::from_environment(library)
        },
        model,
    )
}

/// [`engine`], with the folders of the library given.
fn engine_from(
    choice: EngineChoice,
    device: Device,
    search: &Search,
    model: &Model,
) -> Result<(Arc<dyn Engine>, Vec<Text>)> {
    let rten_allowed = choice != EngineChoice::OnnxRuntime && device != Device::Cuda;
    if choice == EngineChoice::Rten {
        if !rten_allowed {
            return Err(Failure::usage(say!(
                "--engine rten does not run on --device cuda; use --engine onnxruntime",
                "--engine rten no funciona con --device cuda; use --engine onnxruntime"
            )));
        }
        return Ok((on_rten(model)?, Vec::new()));
    }
    let Some(library) = library::load(search)? else {
        return if rten_allowed {
            Ok((on_rten(model)?, vec![slower(search)]))
        } else {
            Err(no_library(search))
        };
    };
    match on_onnxruntime(library, model, device)? {
        Ok(engine) => Ok((engine, Vec::new())),
        Err(error) if rten_allowed => match on_rten(model) {
            Ok(engine) => {
                let notice = say!(
                    "ONNX Runtime does not take this model ({error}): the built-in engine rten is \
                    used, which is about three times slower",
                    "ONNX Runtime no acepta este modelo ({error}): se usa el motor incluido rten, \
                    unas tres veces más lento"
                );
                Ok((engine, vec![notice]))
            }
            Err(_) => Err(refused(&error, model)),
        },
        Err(error) => Err(refused(&error, model)),
    }
}

/// ONNX Runtime for `model`; the inner error means that it does not run the network.
fn on_onnxruntime(
    library: Library,
    model: &Model,
    device: Device,
) -> Result<Result<Arc<dyn Engine>, BackendError>> {
    let engine = OnnxRuntime::new(library.clone(), model, device)?;
    let on_card = engine.on_cuda();
    match tried(Box::new(engine), model) {
        Ok(engine) => Ok(Ok(Arc::new(engine))),
        Err(Trial::Failed(error)) if device == Device::Auto && on_card => {
            tracing::debug!(%error, "the model does not run on CUDA: the processor is used");
            on_onnxruntime(library, model, Device::Cpu)
        }
        Err(Trial::Failed(error)) => Ok(Err(error)),
        Err(Trial::Contradiction(failure)) => Err(failure),
    }
}

fn on_rten(model: &Model) -> Result<Arc<dyn Engine>> {
    let engine = Rten::new(model).map_err(|error| refused(&error, model))?;
    match tried(Box::new(engine), model) {
        Ok(engine) => Ok(Arc::new(engine)),
        Err(Trial::Failed(error)) => Err(refused(&error, model)),
        Err(Trial::Contradiction(failure)) => Err(failure),
    }
}

fn slower(search: &Search) -> Text {
    let Text { en, es } = library::why_none(search);
    say!(
        "{en}: the built-in engine rten is used, about three times slower; `celaje runtime \
         install` mends that",
        "{es}: se usa el motor incluido rten, unas tres veces más lento; `celaje runtime install` \
         lo remedia"
    )
}

fn no_library(search: &Search) -> Failure {
    let Text { en, es } = library::why_none(search);
    Failure::environment(say!(
        "{en}; run `celaje runtime install`, name its library with --ort-lib, or use --engine rten",
        "{es}; ejecute `celaje runtime install`, indique su biblioteca con --ort-lib, o use \
         --engine rten"
    ))
}

fn refused(error: &BackendError, model: &Model) -> Failure {
    let file = model.file();
    // ONNX's `StringStringEntryProto` with the key `location`: the name of a file with weights.
    const EXTERNAL: &[u8] = b"\x0a\x08location\x12";
    if model.bytes.windows(EXTERNAL.len()).any(|window| window == EXTERNAL) {
        return Failure::environment(say!(
            "{file} keeps its weights in another file; save the model as one file",
            "{file} guarda sus pesos en otro archivo; guarde el modelo en un solo archivo"
        ));
    }
    Failure::environment(say!(
        "the model {file} cannot be used: {error}; fetch it again, or try another --engine or \
         another --model",
        "no se puede usar el modelo {file}: {error}; vuelva a obtenerlo, o pruebe otro --engine u \
         otro --model"
    ))
}

/// An engine that has run its first session already, and hands it out at the first request.
struct TriedEngine {
    engine: Box<dyn Engine>,
    first: Mutex<Option<Box<dyn Backend>>>,
}

impl Engine for TriedEngine {
    fn open(&self, threads: usize) -> Result<Box<dyn Backend>, BackendError> {
        let first = (threads == 1)
            .then(|| self.first.lock().unwrap_or_else(PoisonError::into_inner))
            .and_then(|mut first| first.take());
        first.map_or_else(|| self.engine.open(threads), Ok)
    }

    fn describe(&self) -> String {
        self.engine.describe()
    }

    fn on_card(&self) -> bool {
        self.engine.on_card()
    }

    fn usual_batch(&self) -> usize {
        self.engine.usual_batch()
    }
}

enum Trial {
    /// The engine does not load or run the network.
    Failed(BackendError),
    /// The network contradicts its manifest.
    Contradiction(Failure),
}

/// Checks what the network declares and runs one empty picture, so that what cannot work fails here
/// and not in every slot.
fn tried(engine: Box<dyn Engine>, model: &Model) -> Result<TriedEngine, Trial> {
    let mut first = engine.open(1).map_err(Trial::Failed)?;
    if let Some(signature) = first.signature() {
        check_declared(signature, model).map_err(Trial::Contradiction)?;
    }
    let shape = model.manifest.input.shape(1);
    let data = vec![0.0; shape.iter().product()];
    let output = first.run(InputBatch { data: &data, shape }).map_err(Trial::Failed)?;
    check_output(&output.shape, model).map_err(Trial::Contradiction)?;
    Ok(TriedEngine { engine, first: Mutex::new(Some(first)) })
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
