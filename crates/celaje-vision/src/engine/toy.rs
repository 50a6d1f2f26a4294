//! An engine for tests: blue is sky, other light is cloud, black is background.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::backend::{Backend, BackendError, Engine, InputBatch, OutputBatch};
use crate::model::manifest::Manifest;

/// Input side in pixels.
pub const SIDE: u32 = 64;
/// Pixels of the input for a cell of the output.
const STRIDE: usize = 2;

/// The manifest of [`Toy`].
pub fn manifest() -> Manifest {
    toml::from_str(&format!(
        "name = 'toy'\nversion = '1'\nkind = 'segmentation'\n\
         [input]\nwidth = {SIDE}\nheight = {SIDE}\n\
         [output]\nclasses = ['background', 'sky', 'cloud']\n"
    ))
    .unwrap()
}

/// Opens [`ToySession`]s; counts them.
#[derive(Default)]
pub struct Toy {
    /// Sessions that were opened.
    pub opened: AtomicUsize,
    /// A picture whose first pixel is this (RGB) makes the session panic.
    pub poison: Option<[u8; 3]>,
    /// No session can be opened.
    pub broken: bool,
}

impl Toy {
    /// The network as an engine.
    pub fn engine(self) -> Arc<dyn Engine> {
        Arc::new(self)
    }
}

impl Engine for Toy {
    fn open(&self, _: usize) -> Result<Box<dyn Backend>, BackendError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        if self.broken {
            return Err(BackendError::Load("no such operator".to_owned()));
        }
        Ok(Box::new(ToySession { poison: self.poison }))
    }

    fn describe(&self) -> String {
        "toy 1 (cpu)".to_owned()
    }
}

/// N×3×64×64 in 0..1 to N×3×32×32.
pub struct ToySession {
    poison: Option<[u8; 3]>,
}

impl Backend for ToySession {
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let [n, channels, height, width] = input.shape;
        if channels != 3 || input.data.len() != n * 3 * height * width {
            return Err(BackendError::Run(format!("a tensor of {:?}", input.shape)));
        }
        let (rows, columns) = (height / STRIDE, width / STRIDE);
        let mut data = vec![0.0; n * 3 * rows * columns];
        let plane = height * width;
        let pictures = input.data.chunks(3 * plane);
        for (picture, out) in pictures.zip(data.chunks_mut(3 * rows * columns)) {
            let first = [0, 1, 2].map(|c| (picture[c * plane] * 255.0).round() as u8);
            assert_ne!(self.poison, Some(first), "poisoned");
            for row in 0..rows {
                for column in 0..columns {
                    let at = row * STRIDE * width + column * STRIDE;
                    let [r, g, b] = [0, 1, 2].map(|c| picture[c * plane + at]);
                    let cell = row * columns + column;
                    out[cell] = if r + g + b < 0.15 { 20.0 } else { -20.0 };
                    out[rows * columns + cell] = 40.0 * (b - r - 0.15);
                    out[2 * rows * columns + cell] = -40.0 * (b - r - 0.15);
                }
            }
        }
        Ok(OutputBatch { data, shape: vec![n, 3, rows, columns] })
    }
}
