//! Batches through page-locked memory, from and to which a card copies by itself.

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::value::Tensor;

use crate::engine::backend::{InputBatch, OutputBatch};
use crate::engine::onnxruntime::first_output;

/// A session's page-locked input, kept from batch to batch, and where its output goes.
pub(super) struct Pinned {
    allocator: Allocator,
    input: Tensor<f32>,
    shape: [usize; 4],
    binding: IoBinding,
    names: (String, String),
}

impl Pinned {
    /// Memory for batches of `shape`.
    ///
    /// # Errors
    /// When the provider has no such memory.
    pub(super) fn new(session: &Session, shape: [usize; 4]) -> ort::Result<Self> {
        let memory =
            |kind| MemoryInfo::new(AllocationDevice::CUDA_PINNED, 0, AllocatorType::Device, kind);
        let allocator = Allocator::new(session, memory(MemoryType::CPUInput)?)?;
        let input = Tensor::<f32>::new(&allocator, shape)?;
        let mut binding = session.create_binding()?;
        let (Some(from), Some(to)) = (session.inputs().first(), session.outputs().first()) else {
            return Err(ort::Error::new("the network has no input or no output"));
        };
        let names = (from.name().to_owned(), to.name().to_owned());
        // The shape of the output is the network's to say.
        binding.bind_output_to_device(&names.1, &memory(MemoryType::CPUOutput)?)?;
        Ok(Self { allocator, input, shape, binding, names })
    }

    /// Runs one batch.
    ///
    /// # Errors
    /// When the engine fails.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        batch: InputBatch<'_>,
    ) -> ort::Result<OutputBatch> {
        if batch.shape != self.shape {
            self.input = Tensor::<f32>::new(&self.allocator, batch.shape)?;
            self.shape = batch.shape;
        }
        let (_, room) = self.input.extract_tensor_mut();
        let n = room.len().min(batch.data.len());
        room[..n].copy_from_slice(&batch.data[..n]);
        self.binding.bind_input(&self.names.0, &self.input)?;
        first_output(&session.run_binding(&self.binding)?)
    }
}
