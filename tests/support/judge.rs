//! An engine for tests that judges a picture by its mean colour: red tells the okta, green a fault.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use celaje_vision::engine::backend::{Backend, BackendError, Engine, InputBatch, OutputBatch};
use celaje_vision::model::source::Model;

use super::pictures;

/// What a picture does to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    None = 0,
    /// Its numbers are none.
    NotANumber = 1,
    /// The batch that it is in fails.
    Fail = 2,
    /// The session that runs it panics.
    Panic = 3,
    /// Its batch gives one result too few.
    Short = 4,
}

const TROUBLES: [Trouble; 5] =
    [Trouble::None, Trouble::NotANumber, Trouble::Fail, Trouble::Panic, Trouble::Short];

/// A picture that is judged to show `okta`; `mark` makes its bytes its own.
pub fn picture(okta: u8, trouble: Trouble, mark: u8) -> Vec<u8> {
    pictures::shaded([okta * 30, trouble as u8 * 60, mark])
}

/// The model that [`Judge`] runs: nine classes, 16×16.
pub fn model() -> Arc<Model> {
    let mut model = Model::bundled().unwrap();
    model.manifest = toml::from_str(
        "name = 'judge'\nversion = '1'\nkind = 'classification'\n\
         [input]\nwidth = 16\nheight = 16\n\
         [output]\nclasses = ['0', '1', '2', '3', '4', '5', '6', '7', '8']\n",
    )
    .unwrap();
    Arc::new(model)
}

/// See the module. Clones share their log.
#[derive(Clone, Default)]
pub struct Judge {
    log: Arc<Mutex<Vec<Vec<Trouble>>>>,
    sessions: Arc<AtomicUsize>,
}

impl Judge {
    pub fn engine(&self) -> Arc<dyn Engine> {
        Arc::new(self.clone())
    }

    /// The batches run so far.
    pub fn batches(&self) -> Vec<Vec<Trouble>> {
        self.log.lock().unwrap().clone()
    }

    /// Sessions opened so far.
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }
}

impl Engine for Judge {
    fn open(&self, _: usize) -> Result<Box<dyn Backend>, BackendError> {
        self.sessions.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(self.clone()))
    }

    fn describe(&self) -> String {
        "judge".to_owned()
    }
}

impl Backend for Judge {
    fn run(&mut self, input: InputBatch<'_>) -> Result<OutputBatch, BackendError> {
        let [n, _, height, width] = input.shape;
        let plane = height * width;
        let seen: Vec<(usize, Trouble)> = input
            .data
            .chunks(3 * plane)
            .map(|picture| {
                let mean =
                    |c: usize| picture[c * plane..][..plane].iter().sum::<f32>() / plane as f32;
                let step = |c: usize, size: f32| (mean(c) * 255.0 / size).round() as usize;
                (step(0, 30.0), TROUBLES[step(1, 60.0)])
            })
            .collect();
        let troubles: Vec<Trouble> = seen.iter().map(|(_, trouble)| *trouble).collect();
        self.log.lock().unwrap().push(troubles.clone());
        assert!(!troubles.contains(&Trouble::Panic), "a test asked for it");
        if troubles.contains(&Trouble::Fail) {
            return Err(BackendError::Run("a test asked for it".to_owned()));
        }
        let given = n - usize::from(troubles.contains(&Trouble::Short));
        let data = seen
            .iter()
            .take(given)
            .flat_map(|(okta, trouble)| {
                (0..9).map(move |class| match trouble {
                    Trouble::NotANumber => f32::NAN,
                    _ if class == *okta => 20.0,
                    _ => 0.0,
                })
            })
            .collect();
        Ok(OutputBatch { data, shape: vec![given, 9] })
    }
}
