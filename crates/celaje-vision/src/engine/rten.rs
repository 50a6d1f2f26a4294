//! The engine `rten`, in pure Rust, for machines without ONNX Runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rten::{
    DataType, Dimension, ModelOptions, NodeId, RunOptions, ThreadPool, ValueType, ValueView,
};
use rten_tensor::prelude::*;

use crate::engine::backend::{
    Backend, BackendError, DeclaredTensor, Engine, InputBatch, OutputBatch, Signature,
};
use crate::engine::batch::in_pieces;
use crate::engine::library::first_line;
use crate::model::source::Model;

/// The version of `rten`; a test compares it with `Cargo.lock`.
pub const VERSION: &str = "0.27.0";

/// One model on `rten`; its sessions share the weights.
pub struct Rten {
    model: Arc<rten::Model>,
    signature: Signature,
}

impl Rten {
    /// Loads `model`.
    ///
    /// # Errors
    /// If `rten` does not know an operator of the network, or the file is damaged.
    pub fn new(model: &Model) -> Result<Self, BackendError> {
        let bytes = model.bytes.to_vec();
        // A damaged file can make the parser panic: it asks for more memory than fits.
        let loaded = catch_unwind(AssertUnwindSafe(|| {
            ModelOptions::with_all_ops().prepack_weights(true).load(bytes)
        }))
        .map_err(|_| BackendError::Load("the file is damaged".to_owned()))?
        .map_err(|error| BackendError::Load(first_line(&error.to_string())))?;
        let tensors = |ids: &[NodeId]| ids.iter().map(|id| declared(&loaded, *id)).collect();
        let signature = Signature {
            inputs: tensors(loaded.input_ids()),
            outputs: tensors(loaded.output_ids()),
        };
        Ok(Self { model: Arc::new(loaded), signature })
    }
}

fn declared(model: &rten::Model, id: NodeId) -> DeclaredTensor {
    let node = model.node_info(id);
    let side = |side| match side {
        Dimension::Fixed(side) => Some(side).filter(|side| *side > 0),
        Dimension::Symbolic(_) => None,
    };
    let shape = node.as_ref().and_then(|node| node.shape());
    DeclaredTensor {
        name: node.as_ref().and_then(|node| node.name()).unwrap_or_default().to_owned(),
        float: node
            .and_then(|node| node.dtype())
            .map(|of| of == ValueType::Tensor(DataType::Float)),
        shape: shape.map(|shape| shape.into_iter().map(side).collect()),
    }
}

impl Engine for Rten {
    fn open(&self, threads: usize) -> Result<Box<dyn Backend>, BackendError> {
        // Each session has a pool: the default pool takes all cores.
        let pool = Arc::new(ThreadPool::with_num_threads(threads.max(1)));
        let options = RunOptions::default().with_thread_pool(Some(pool));
        let model = self.model.clone();
        let signature = self.signature.clone();
        Ok(Box::new(RtenSession { model, options, signature }))
    }

    fn describe(&self) -> String {
        format!("rten {VERSION} (cpu)")
    }
}

struct RtenSession {
    model: Arc<rten::Model>,
    options: RunOptions,
    signature: Signature,
}

impl Backend for RtenSession {
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        in_pieces(self.signature.fixed_batch(), input, |piece| {
            // A run does not change the network, so it is intact after an operator's panic.
            catch_unwind(AssertUnwindSafe(|| self.run_piece(piece)))
                .unwrap_or_else(|_| Err(BackendError::Run("an operator panicked".to_owned())))
        })
    }

    fn signature(&self) -> Option<&Signature> {
        Some(&self.signature)
    }
}

impl RtenSession {
    fn run_piece(&self, piece: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let view = ValueView::from_shape(piece.shape, piece.data).map_err(failed)?;
        let value = self
            .model
            .run_one(view.into(), Some(self.options.clone()))
            .map_err(failed)?
            .into_tensor::<f32>()
            .ok_or_else(|| BackendError::Run("the output is not of floats".to_owned()))?;
        Ok(OutputBatch { shape: value.shape().to_vec(), data: value.into_data() })
    }
}

fn failed(error: impl std::error::Error) -> BackendError {
    BackendError::Run(first_line(&error.to_string()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let lock = include_str!("../../../../Cargo.lock");
        let wanted = format!("name = \"rten\"\nversion = \"{}\"\n", super::VERSION);
        assert!(lock.contains(&wanted), "rten was updated: correct VERSION");
    }
}
