//! The fast engine: ONNX Runtime through `ort`.

use std::sync::Arc;

use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionOutputs};
use ort::value::TensorRef;

use crate::engine::backend::{Backend, BackendError, Engine, InputBatch, OutputBatch, USUAL_BATCH};
use crate::engine::batch::in_pieces;
use crate::engine::choose::Device;
use crate::engine::library::{Library, first_line};
use crate::engine::pinned::Pinned;
use crate::model::source::Model;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// One model on ONNX Runtime.
pub struct OnnxRuntime {
    library: Library,
    bytes: Arc<[u8]>,
    fixed_batch: Option<usize>,
    cuda: bool,
}

impl OnnxRuntime {
    /// Prepares `model` for sessions on `device`.
    ///
    /// `Auto` takes CUDA when the program was built for it and it registers, else the processor.
    ///
    /// # Errors
    /// When CUDA is asked for and the program was built without it or it does not register.
    pub fn new(library: Library, model: &Model, device: Device) -> Result<Self> {
        let mut engine = Self {
            library,
            bytes: model.bytes.clone(),
            fixed_batch: model.header.fixed_batch(),
            cuda: false,
        };
        match device {
            Device::Cpu => {}
            Device::Cuda if !cfg!(feature = "cuda") => {
                return Err(Failure::environment(say!(
                    "this program was built without CUDA; build it with `cargo build --release \
                    --features cuda`, or use --device cpu",
                    "este programa se compiló sin CUDA; compílelo con `cargo build --release \
                    --features cuda`, o use --device cpu"
                )));
            }
            Device::Cuda => {
                engine.register_cuda().map_err(|error| {
                    let (library, error) = (engine.library.path.display(), brief(&error));
                    Failure::environment(say!(
                        "CUDA cannot be used by {library}: {error}; install a GPU build of ONNX \
                        Runtime with its providers beside it and name it with --ort-lib, or use \
                        --device cpu",
                        "{library} no puede usar CUDA: {error}; instale una versión de ONNX \
                        Runtime para GPU con sus proveedores al lado e indíquela con --ort-lib, o \
                        use --device cpu"
                    ))
                })?;
                engine.cuda = true;
            }
            Device::Auto => {
                engine.cuda = cfg!(feature = "cuda")
                    && match engine.register_cuda() {
                        Ok(()) => true,
                        Err(error) => {
                            tracing::debug!(%error, "no CUDA: the processor is used");
                            false
                        }
                    };
            }
        }
        Ok(engine)
    }

    /// Whether sessions run on CUDA.
    pub fn on_cuda(&self) -> bool {
        self.cuda
    }

    /// Whether CUDA registers. Only registration tells: the provider may claim to be available
    /// and fail for want of a library.
    fn register_cuda(&self) -> ort::Result<()> {
        with_cuda(Session::builder(&self.library.environment)?).map(drop)
    }

    fn session(&self, threads: usize) -> ort::Result<Session> {
        // Spinning threads would take the processor from everybody else.
        let mut builder = Session::builder(&self.library.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads.max(1))?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?;
        if self.cuda {
            builder = with_cuda(builder)?;
        }
        builder.commit_from_memory(&self.bytes)
    }
}

/// Registers CUDA on the first card, or says why it does not register.
#[cfg(feature = "cuda")]
fn with_cuda(builder: SessionBuilder) -> ort::Result<SessionBuilder> {
    let provider = ort::ep::CUDA::default().with_device_id(0).build().error_on_failure();
    Ok(builder.with_execution_providers([provider])?)
}

#[cfg(not(feature = "cuda"))]
fn with_cuda(_: SessionBuilder) -> ort::Result<SessionBuilder> {
    Err(ort::Error::new("the program was built without CUDA"))
}

fn brief(error: &ort::Error) -> String {
    first_line(&error.to_string())
}

impl Engine for OnnxRuntime {
    fn open(&self, threads: usize) -> Result<Box<dyn Backend>, BackendError> {
        let session = self.session(threads).map_err(|error| BackendError::Load(brief(&error)))?;
        Ok(Box::new(OnnxSession {
            session,
            fixed_batch: self.fixed_batch,
            memory: if self.cuda { Memory::Unknown } else { Memory::Plain },
        }))
    }

    fn describe(&self) -> String {
        let device = if self.cuda { "cuda" } else { "cpu" };
        format!("onnxruntime {} ({device})", self.library.version)
    }

    fn on_card(&self) -> bool {
        self.cuda
    }

    fn usual_batch(&self) -> usize {
        if self.cuda { 64 } else { USUAL_BATCH }
    }
}

struct OnnxSession {
    session: Session,
    fixed_batch: Option<usize>,
    memory: Memory,
}

/// Where the numbers of a batch lie.
enum Memory {
    /// In the program's own.
    Plain,
    /// On a card's doorstep, once a first batch has shown that there is such a place.
    Unknown,
    /// There.
    Pinned(Box<Pinned>),
}

impl OnnxSession {
    fn run_piece(
        session: &mut Session,
        memory: &mut Memory,
        piece: InputBatch<'_>,
    ) -> ort::Result<OutputBatch> {
        if let Memory::Unknown = memory {
            *memory = match Pinned::new(session, piece.shape) {
                Ok(pinned) => Memory::Pinned(Box::new(pinned)),
                Err(error) => {
                    tracing::debug!(%error, "no page-locked memory: batches are copied twice");
                    Memory::Plain
                }
            };
        }
        match memory {
            Memory::Pinned(pinned) => pinned.run(session, piece),
            _ => run(session, piece),
        }
    }
}

impl Backend for OnnxSession {
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let Self { session, fixed_batch, memory } = self;
        in_pieces(*fixed_batch, input, |piece| {
            Self::run_piece(session, memory, piece)
                .map_err(|error| BackendError::Run(brief(&error)))
        })
    }
}

fn run(session: &mut Session, input: InputBatch<'_>) -> ort::Result<OutputBatch> {
    let tensor = TensorRef::from_array_view((input.shape, input.data))?;
    first_output(&session.run(ort::inputs![tensor])?)
}

/// What a run gave, copied out of the engine's memory.
pub(super) fn first_output(outputs: &SessionOutputs<'_>) -> ort::Result<OutputBatch> {
    let (shape, data) = outputs[0].try_extract_tensor::<f32>()?;
    let shape = shape.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
    Ok(OutputBatch { data: data.to_vec(), shape })
}
