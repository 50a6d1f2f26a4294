//! How a model is best run on this machine: sessions × threads × batch, found out by trying.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::usage::Usage;
use celaje_sky::station::region::Region;
use celaje_vision::engine::backend::{BackendError, Engine};
use celaje_vision::model::source::Model;
use celaje_vision::picture::decode::Decoded;
use celaje_vision::picture::prepare::{Frame, prepare_decoded};
use celaje_vision::reading::run_batch;

/// How long a candidate is tried, after a first batch that does not count.
const TRIAL: Duration = Duration::from_millis(80);
/// How long all of them are tried: with a slow network the last ones are not.
const PATIENCE: Duration = Duration::from_secs(8);
/// What a smaller batch may cost: memory and latency are worth that much.
const WORTH: f64 = 0.03;

/// How a model is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Arrangement {
    /// Sessions at work at the same time.
    pub sessions: usize,
    /// Threads that each of them computes with.
    pub threads: usize,
    /// Pictures in a full batch.
    pub batch: usize,
}

/// What an arrangement gives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Which one.
    #[serde(flatten)]
    pub arrangement: Arrangement,
    /// Pictures a second, all sessions together.
    pub pictures_per_s: f64,
    /// CPU milliseconds a picture, where the system counts them.
    pub cpu_ms: Option<f64>,
}

/// What is worth trying on `cores` cores, or on a card.
pub fn candidates(cores: usize, on_card: bool) -> Vec<Arrangement> {
    let cores = cores.max(1);
    let mut teams = match (on_card, cores) {
        (true, _) => vec![(1, 1), (2, 1)],
        (false, 1) => vec![(1, 1)],
        (false, 2..=3) => vec![(cores, 1), (1, cores)],
        (false, _) => vec![(cores, 1), (cores / 2, 2), (1, cores)],
    };
    teams.dedup();
    let batches: &[usize] = if on_card {
        &[32, 64, 128]
    } else {
        &[1, 2, 4, 8]
    };
    let each = |&(sessions, threads): &(usize, usize)| {
        batches.iter().map(move |&batch| Arrangement {
            sessions,
            threads,
            batch,
        })
    };
    teams.iter().flat_map(each).collect()
}

/// The quickest; of those that are nearly as quick, the one with the smallest batch.
pub fn best(measured: &[Measured]) -> Option<Arrangement> {
    let most = measured.iter().map(|m| m.pictures_per_s).reduce(f64::max)?;
    measured
        .iter()
        .filter(|m| m.pictures_per_s >= most * (1.0 - WORTH))
        .min_by_key(|m| {
            let Arrangement {
                sessions,
                threads,
                batch,
            } = m.arrangement;
            (batch, threads, sessions)
        })
        .map(|m| m.arrangement)
}

/// Runs frames through the sessions of `arrangement` for some `time`.
///
/// # Errors
/// When a session does not open or run.
pub fn measure(
    engine: &dyn Engine,
    model: &Model,
    arrangement: Arrangement,
    frames: &[Frame],
    time: Duration,
) -> Result<Measured, BackendError> {
    let Arrangement {
        sessions,
        threads,
        batch,
    } = arrangement;
    let run = |number: usize, ready: Sender<()>, go: Receiver<()>| -> Result<u64, BackendError> {
        let batch: Vec<&Frame> = frames.iter().cycle().skip(number).take(batch).collect();
        let (manifest, region) = (&model.manifest, Region::whole());
        let (mut session, mut tensor) = (engine.open(threads)?, Vec::new());
        run_batch(session.as_mut(), manifest, &batch, &region, &mut tensor)?;
        // Whoever has failed drops this, and is not waited for.
        let _ = (ready.send(()), go.recv());
        let (begun, mut pictures) = (Instant::now(), 0);
        while begun.elapsed() < time || pictures == 0 {
            run_batch(session.as_mut(), manifest, &batch, &region, &mut tensor)?;
            pictures += batch.len() as u64;
        }
        Ok(pictures)
    };
    std::thread::scope(|scope| {
        let run = &run;
        let workers: Vec<_> = (0..sessions)
            .map(|number| {
                let (ready, is_ready) = channel();
                let (start, go) = channel();
                let worker = scope.spawn(move || run(number, ready, go));
                (worker, is_ready, start)
            })
            .collect();
        for (_, is_ready, _) in &workers {
            let _ = is_ready.recv();
        }
        let (begun, before) = (Instant::now(), Usage::now());
        for (_, _, start) in &workers {
            let _ = start.send(());
        }
        let mut pictures = 0;
        for (worker, ..) in workers {
            pictures += worker
                .join()
                .unwrap_or_else(|_| Err(BackendError::Run("a session panicked".to_owned())))?;
        }
        let elapsed = begun.elapsed().as_secs_f64();
        let used = before.and_then(|before| Some(Usage::now()?.since(before)));
        Ok(Measured {
            arrangement,
            pictures_per_s: pictures as f64 / elapsed,
            cpu_ms: used.map(|used| 1000.0 * used.cpu.as_secs_f64() / pictures as f64),
        })
    })
}

/// Some frames as `model` is fed them, of no sky in particular.
pub fn frames(model: &Model) -> Vec<Frame> {
    let (width, height) = (256_u32, 192_u32);
    (0..4_u32)
        .filter_map(|k| {
            let value = |x: u32, y: u32, c: u32| ((x * (c + 1) + y * k) % 251) as u8;
            let rgb = (0..height)
                .flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| value(x, y, c))))
                .collect();
            let picture = Decoded { width, height, rgb };
            prepare_decoded(&picture, String::new(), &model.manifest, &Region::whole()).ok()
        })
        .collect()
}

/// Tries every candidate for this machine and gives the best one; none when not one of them ran.
///
/// Takes a second or two with a small network, and not much more than eight with any.
pub fn find(engine: &dyn Engine, model: &Model, cores: usize) -> Option<Arrangement> {
    let frames = frames(model);
    let begun = Instant::now();
    let measured: Vec<Measured> = candidates(cores, engine.on_card())
        .into_iter()
        .take_while(|_| begun.elapsed() < PATIENCE)
        .filter_map(|candidate| measure(engine, model, candidate, &frames, TRIAL).ok())
        .collect();
    for one in &measured {
        tracing::debug!(?one, "tried");
    }
    best(&measured)
}

/// What was found before, in a file of the user's cache; it may be deleted at any time.
#[derive(Debug)]
pub struct Remembered {
    path: PathBuf,
}

impl Remembered {
    /// In the user's cache folder; none where there is no such folder.
    pub fn usual() -> Option<Self> {
        use etcetera::BaseStrategy;
        let base = etcetera::choose_base_strategy().ok()?;
        Some(Self::at(&base.cache_dir().join("celaje")))
    }

    /// In this folder.
    pub fn at(folder: &Path) -> Self {
        Self {
            path: folder.join("arrangements.json"),
        }
    }

    fn all(&self) -> BTreeMap<String, Arrangement> {
        std::fs::read(&self.path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// What was found for this model, engine and number of cores.
    pub fn get(&self, engine: &dyn Engine, model: &Model, cores: usize) -> Option<Arrangement> {
        self.all()
            .get(&key(engine, model, cores))
            .copied()
            .filter(|found| candidates(cores, engine.on_card()).contains(found))
    }

    /// Keeps what was found; that it cannot be kept is no matter.
    pub fn put(&self, engine: &dyn Engine, model: &Model, cores: usize, found: Arrangement) {
        let mut all = self.all();
        all.insert(key(engine, model, cores), found);
        // A file that was cut off says nothing, and it is measured again.
        let kept = serde_json::to_vec_pretty(&all)
            .map_err(std::io::Error::from)
            .and_then(|text| {
                if let Some(folder) = self.path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                std::fs::write(&self.path, text)
            });
        if let Err(error) = kept {
            tracing::debug!(%error, "how the model is best run could not be kept");
        }
    }
}

fn key(engine: &dyn Engine, model: &Model, cores: usize) -> String {
    let sha: String = model.sha256.chars().take(16).collect();
    format!("{sha} · {} · {cores}", engine.describe())
}

#[cfg(test)]
mod tests {
    use super::*;
    use celaje_vision::engine::toy::Toy;

    fn measured(sessions: usize, batch: usize, pictures_per_s: f64) -> Measured {
        Measured {
            arrangement: Arrangement {
                sessions,
                threads: 1,
                batch,
            },
            pictures_per_s,
            cpu_ms: None,
        }
    }

    #[test]
    fn the_quickest_wins_and_a_small_batch_is_worth_a_little() {
        let all = [
            measured(2, 1, 80.0),
            measured(2, 4, 98.0),
            measured(2, 8, 100.0),
            measured(1, 4, 60.0),
        ];
        assert_eq!(best(&all), Some(all[1].arrangement));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn every_core_is_used_in_some_way() {
        for cores in 1..20 {
            let all = candidates(cores, false);
            assert!(all.iter().all(|a| a.sessions * a.threads <= cores));
            assert!(all.iter().any(|a| a.sessions == cores));
        }
        assert!(candidates(8, true).iter().all(|a| a.batch >= 32));
    }

    #[test]
    fn what_was_found_is_known_the_next_time_for_the_same_machine_alone() {
        let folder = tempfile::tempdir().unwrap();
        let remembered = Remembered::at(folder.path());
        let (engine, model) = (Toy::default().engine(), Model::bundled().unwrap());
        assert_eq!(remembered.get(&*engine, &model, 2), None);
        let found = candidates(2, false)[1];
        remembered.put(&*engine, &model, 2, found);
        assert_eq!(remembered.get(&*engine, &model, 2), Some(found));
        assert_eq!(remembered.get(&*engine, &model, 4), None);
        let tried = find(&*engine, &model, 2).unwrap();
        assert!(candidates(2, false).contains(&tried));
        // A file that says something else is none.
        std::fs::write(folder.path().join("arrangements.json"), "{").unwrap();
        assert_eq!(remembered.get(&*engine, &model, 2), None);
    }
}
