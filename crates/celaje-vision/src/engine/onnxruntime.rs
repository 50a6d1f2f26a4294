//! The engine ONNX Runtime, through `ort`.

use std::sync::Arc;

use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionOutputs};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};

use crate::engine::backend::{
    Backend, BackendError, DeclaredTensor, Device, Engine, InputBatch, OutputBatch, Signature,
    USUAL_BATCH,
};
use crate::engine::batch::in_pieces;
use crate::engine::library::{Library, first_line};
use crate::engine::page_locked::PageLockedBatch;
use crate::model::source::Model;
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// One model on ONNX Runtime.
pub(super) struct OnnxRuntime {
    library: Library,
    bytes: Arc<[u8]>,
    cuda: bool,
}

impl OnnxRuntime {
    /// Prepares `model` for sessions on `device`.
    ///
    /// # Errors
    /// If `device` is CUDA and the program was built without it or it does not register.
    pub(super) fn new(library: Library, model: &Model, device: Device) -> Result<Self> {
        let mut engine = Self { library, bytes: model.bytes.clone(), cuda: false };
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
    pub(super) fn on_cuda(&self) -> bool {
        self.cuda
    }

    /// Tries to register CUDA. The provider may claim to be available and then fail to register
    /// because a library is missing.
    fn register_cuda(&self) -> ort::Result<()> {
        with_cuda(Session::builder(&self.library.environment)?).map(drop)
    }

    fn session(&self, threads: usize) -> ort::Result<Session> {
        // Spinning threads would take processor time from the decoders and other sessions.
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

/// Registers CUDA on the first card.
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
        let tensors = |outlets: &[Outlet]| outlets.iter().map(declared).collect();
        let signature =
            Signature { inputs: tensors(session.inputs()), outputs: tensors(session.outputs()) };
        let memory = if self.cuda { BatchMemory::Untried } else { BatchMemory::Plain };
        Ok(Box::new(OnnxSession { session, signature, memory }))
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

fn declared(outlet: &Outlet) -> DeclaredTensor {
    let name = outlet.name().to_owned();
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        return DeclaredTensor { name, float: Some(false), shape: None };
    };
    // A free side is -1. Without a declared shape there are no sides.
    let side = |side: &i64| usize::try_from(*side).ok().filter(|side| *side > 0);
    let shape: Vec<_> = shape.iter().map(side).collect();
    DeclaredTensor {
        name,
        float: Some(*ty == TensorElementType::Float32),
        shape: (!shape.is_empty()).then_some(shape),
    }
}

struct OnnxSession {
    session: Session,
    signature: Signature,
    memory: BatchMemory,
}

/// The memory that holds the numbers of a batch.
enum BatchMemory {
    /// The program's own.
    Plain,
    /// Page-locked if the first batch shows that the provider has such memory.
    Untried,
    /// Page-locked.
    PageLocked(Box<PageLockedBatch>),
}

impl OnnxSession {
    fn run_piece(
        session: &mut Session,
        memory: &mut BatchMemory,
        piece: InputBatch<'_>,
    ) -> ort::Result<OutputBatch> {
        if let BatchMemory::Untried = memory {
            *memory = match PageLockedBatch::new(session, piece.shape) {
                Ok(batch) => BatchMemory::PageLocked(Box::new(batch)),
                Err(error) => {
                    tracing::debug!(%error, "no page-locked memory: batches are copied twice");
                    BatchMemory::Plain
                }
            };
        }
        match memory {
            BatchMemory::PageLocked(batch) => first_output(&batch.run(session, piece)?),
            BatchMemory::Plain | BatchMemory::Untried => {
                let tensor = TensorRef::from_array_view((piece.shape, piece.data))?;
                first_output(&session.run(ort::inputs![tensor])?)
            }
        }
    }
}

impl Backend for OnnxSession {
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let Self { session, signature, memory } = self;
        in_pieces(signature.fixed_batch(), input, |piece| {
            Self::run_piece(session, memory, piece)
                .map_err(|error| BackendError::Run(brief(&error)))
        })
    }

    fn signature(&self) -> Option<&Signature> {
        Some(&self.signature)
    }
}

/// The first output of a run, copied out of the engine's memory.
fn first_output(outputs: &SessionOutputs<'_>) -> ort::Result<OutputBatch> {
    let (shape, data) = outputs[0].try_extract_tensor::<f32>()?;
    let shape = shape.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
    Ok(OutputBatch { data: data.to_vec(), shape })
}
