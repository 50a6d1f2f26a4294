//! Batches in page-locked memory, which a graphics card reads and writes directly.

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session, SessionOutputs};
use ort::value::Tensor;

use crate::engine::backend::InputBatch;

/// A session's page-locked input, kept from batch to batch, and the binding of its output.
pub(super) struct PageLockedBatch {
    allocator: Allocator,
    input: Tensor<f32>,
    shape: [usize; 4],
    binding: IoBinding,
    input_name: String,
}

impl PageLockedBatch {
    /// Allocates memory for batches of `shape`.
    ///
    /// # Errors
    /// If the provider has no such memory.
    pub(super) fn new(session: &Session, shape: [usize; 4]) -> ort::Result<Self> {
        let memory =
            |kind| MemoryInfo::new(AllocationDevice::CUDA_PINNED, 0, AllocatorType::Device, kind);
        let allocator = Allocator::new(session, memory(MemoryType::CPUInput)?)?;
        let input = Tensor::<f32>::new(&allocator, shape)?;
        let mut binding = session.create_binding()?;
        let (Some(from), Some(to)) = (session.inputs().first(), session.outputs().first()) else {
            return Err(ort::Error::new("the network has no input or no output"));
        };
        // The network decides the shape of its output, so only the memory is bound.
        binding.bind_output_to_device(to.name(), &memory(MemoryType::CPUOutput)?)?;
        Ok(Self { allocator, input, shape, binding, input_name: from.name().to_owned() })
    }

    /// Runs one batch.
    ///
    /// # Errors
    /// If the engine fails.
    pub(super) fn run<'s>(
        &'s mut self,
        session: &'s mut Session,
        batch: InputBatch<'_>,
    ) -> ort::Result<SessionOutputs<'s>> {
        if batch.shape != self.shape {
            self.input = Tensor::<f32>::new(&self.allocator, batch.shape)?;
            self.shape = batch.shape;
        }
        let (_, numbers) = self.input.extract_tensor_mut();
        let n = numbers.len().min(batch.data.len());
        numbers[..n].copy_from_slice(&batch.data[..n]);
        self.binding.bind_input(&self.input_name, &self.input)?;
        session.run_binding(&self.binding)
    }
}
