//! An engine for tests that follows a script.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::engine::backend::{Backend, BackendError, Engine, InputBatch, OutputBatch};

/// The outcome of one run of a [`FakeEngine`].
#[derive(Clone, Debug)]
pub enum Act {
    /// Gives each picture this output (of this shape, without the batch).
    Give {
        /// Numbers of one picture.
        data: Vec<f32>,
        /// Shape of one picture's output, such as `[9]` or `[3, 96, 96]`.
        shape: Vec<usize>,
    },
    /// Gives one result too few.
    Short,
    /// Gives NaN, nine times a picture.
    NotANumber,
    /// Fails with this message.
    Fail(String),
    /// Panics with this message.
    Panic(String),
}

impl Act {
    /// The logits of a classification that is sure of `okta`.
    pub fn okta(okta: usize) -> Self {
        let data = (0..9).map(|class| if class == okta { 20.0 } else { 0.0 }).collect();
        Self::Give { data, shape: vec![9] }
    }

    /// The logits of a segmentation (background, sky, cloud; `side`×`side`) whose first
    /// `cloud` pixels, row by row, are cloud and whose others are sky.
    pub fn cloud_pixels(side: usize, cloud: usize) -> Self {
        let pixels = side * side;
        let mut data = vec![0.0; 3 * pixels];
        for pixel in 0..pixels {
            let class = if pixel < cloud { 2 } else { 1 };
            data[class * pixels + pixel] = 20.0;
        }
        Self::Give { data, shape: vec![3, side, side] }
    }
}

/// Decides the outcome of a run.
pub type Script = dyn Fn(Call<'_>) -> Act + Send + Sync;

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Number of this run over all sessions, from 0.
    pub number: usize,
    /// The input of the run.
    pub input: InputBatch<'a>,
}

/// An engine whose sessions follow a script. Clones share their counters.
#[derive(Clone)]
pub struct FakeEngine {
    script: Arc<Script>,
    delay: Duration,
    refuse: Option<String>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    sessions: AtomicUsize,
    runs: AtomicUsize,
    pictures: AtomicUsize,
    largest: AtomicUsize,
}

impl FakeEngine {
    /// An engine whose runs all have this outcome.
    pub fn always(act: Act) -> Self {
        Self::scripted(move |_| act.clone())
    }

    /// An engine that asks `script` before each run.
    pub fn scripted(script: impl Fn(Call<'_>) -> Act + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            delay: Duration::ZERO,
            refuse: None,
            counters: Arc::default(),
        }
    }

    /// Each run takes at least this long.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// No session opens; the error has this message.
    #[must_use]
    pub fn refusing(mut self, message: &str) -> Self {
        self.refuse = Some(message.to_owned());
        self
    }

    /// Sessions opened so far.
    pub fn sessions(&self) -> usize {
        self.counters.sessions.load(Ordering::SeqCst)
    }

    /// Runs so far, those that failed too.
    pub fn runs(&self) -> usize {
        self.counters.runs.load(Ordering::SeqCst)
    }

    /// Pictures in all runs so far.
    pub fn pictures(&self) -> usize {
        self.counters.pictures.load(Ordering::SeqCst)
    }

    /// Pictures in the largest batch so far.
    pub fn largest_batch(&self) -> usize {
        self.counters.largest.load(Ordering::SeqCst)
    }
}

impl Engine for FakeEngine {
    fn open(&self, _: usize) -> Result<Box<dyn Backend>, BackendError> {
        if let Some(message) = &self.refuse {
            return Err(BackendError::Load(message.clone()));
        }
        self.counters.sessions.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FakeSession(self.clone())))
    }

    fn describe(&self) -> String {
        "fake".to_owned()
    }
}

struct FakeSession(FakeEngine);

impl Backend for FakeSession {
    #[allow(clippy::panic, reason = "a test asked for it")]
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let FakeEngine { script, delay, counters, .. } = &self.0;
        let n = input.shape[0];
        let number = counters.runs.fetch_add(1, Ordering::SeqCst);
        counters.pictures.fetch_add(n, Ordering::SeqCst);
        counters.largest.fetch_max(n, Ordering::SeqCst);
        if !delay.is_zero() {
            std::thread::sleep(*delay);
        }
        let batch = |n: usize, data: &[f32], shape: &[usize]| OutputBatch {
            data: data.repeat(n),
            shape: [&[n], shape].concat(),
        };
        match script(Call { number, input }) {
            Act::Give { data, shape } => Ok(batch(n, &data, &shape)),
            Act::Short => Ok(batch(n.saturating_sub(1), &[0.0; 9], &[9])),
            Act::NotANumber => Ok(batch(n, &[f32::NAN; 9], &[9])),
            Act::Fail(message) => Err(BackendError::Run(message)),
            Act::Panic(message) => panic!("{message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_follow_the_script_and_are_counted() {
        let engine = FakeEngine::scripted(|call| {
            if call.number == 0 { Act::Fail("once".into()) } else { Act::okta(3) }
        });
        let mut session = engine.open(1).unwrap();
        let data = [0.0; 24];
        let input = InputBatch { data: &data, shape: [2, 3, 2, 2] };
        assert_eq!(session.run(input), Err(BackendError::Run("once".into())));
        let output = session.run(input).unwrap();
        assert!(output.is_batch_of(2));
        assert_eq!(output.data[9 + 3], 20.0);
        assert_eq!((engine.sessions(), engine.runs(), engine.pictures()), (1, 2, 4));
        assert_eq!(engine.largest_batch(), 2);
    }

    #[test]
    fn cloud_pixels_are_cloud() {
        let Act::Give { data, shape } = Act::cloud_pixels(2, 1) else { panic!("gives") };
        assert_eq!(shape, [3, 2, 2]);
        assert_eq!(data[4..], [0.0, 20.0, 20.0, 20.0, 20.0, 0.0, 0.0, 0.0]);
    }
}
