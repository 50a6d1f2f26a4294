//! The interface of an inference engine. It is synchronous; each session has one owner.

/// Pictures in a batch on a processor. The best size differs between processors and gains a few
/// per cent; `celaje bench` measures it.
pub const USUAL_BATCH: usize = 4;

/// The device that the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// CUDA if it is built in and works, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA graphics card.
    Cuda,
}

impl Device {
    /// Each value with the name under which it is written.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("cpu", Self::Cpu), ("cuda", Self::Cuda)];
}

/// A batch of tensors, `[n, channels, height, width]` or `[n, height, width, channels]` as the
/// manifest says, row-major.
#[derive(Clone, Copy, Debug)]
pub struct InputBatch<'a> {
    /// `shape.iter().product()` numbers.
    pub data: &'a [f32],
    /// Four dimensions, the first is the batch.
    pub shape: [usize; 4],
}

/// The first output of a network for a batch, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputBatch {
    /// `shape.iter().product()` numbers.
    pub data: Vec<f32>,
    /// The first dimension is the batch.
    pub shape: Vec<usize>,
}

impl OutputBatch {
    /// Whether the numbers fill the shape and the batch has `n` results.
    pub fn is_batch_of(&self, n: usize) -> bool {
        self.shape.first() == Some(&n) && self.shape.iter().product::<usize>() == self.data.len()
    }
}

/// An input or output as the network declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredTensor {
    /// Name in the graph.
    pub name: String,
    /// Whether the elements are 32-bit floats; none if no type is declared.
    pub float: Option<bool>,
    /// Dimensions, none for a free one; none if no shape is declared.
    pub shape: Option<Vec<Option<usize>>>,
}

/// Inputs and outputs of a network as it declares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Inputs that must be fed; weights are not among them.
    pub inputs: Vec<DeclaredTensor>,
    /// Outputs in their order.
    pub outputs: Vec<DeclaredTensor>,
}

impl Signature {
    /// The number of pictures that every batch must have, if it is fixed.
    pub(super) fn fixed_batch(&self) -> Option<usize> {
        self.inputs.first()?.shape.as_ref()?.first().copied().flatten()
    }
}

/// A network that failed to load or to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The engine does not accept the model.
    #[error("the model could not be loaded: {0}")]
    Load(String),
    /// The engine failed on a batch.
    #[error("the model could not be run: {0}")]
    Run(String),
}

/// One session of a model, owned by one thread.
pub trait Backend: Send {
    /// Runs the network on one batch of any size from 1.
    ///
    /// # Errors
    /// If the engine fails. The session can be used again afterwards.
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError>;

    /// What the network declares; none if the engine does not know.
    fn signature(&self) -> Option<&Signature> {
        None
    }
}

/// Opens sessions of one model on one engine; shared by all threads.
pub trait Engine: Send + Sync {
    /// Opens a session that computes with `threads` threads. Slow: it parses and optimises the
    /// network.
    ///
    /// # Errors
    /// If the engine does not accept the model.
    fn open(&self, threads: usize) -> Result<Box<dyn Backend>, BackendError>;

    /// Name, version and device, such as `onnxruntime 1.23.2 (cpu)`.
    fn describe(&self) -> String;

    /// Whether sessions run on a graphics card rather than on the processor's cores.
    fn on_card(&self) -> bool {
        false
    }

    /// Pictures in a batch, unless the user asks for another number.
    fn usual_batch(&self) -> usize {
        USUAL_BATCH
    }
}
