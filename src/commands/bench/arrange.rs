//! Ways to run a model on this machine, sessions × threads × batch, and how quick each is.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::service::inference::Arrangement;
use crate::usage::Usage;
use celaje_sky::station::region::Region;
use celaje_vision::engine::backend::{BackendError, Engine};
use celaje_vision::model::source::Model;
use celaje_vision::picture::prepare::Frame;
use celaje_vision::reading::run_batch;

/// The measured speed of an arrangement.
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
    let batches: &[usize] = if on_card { &[32, 64, 128] } else { &[1, 2, 4, 8] };
    let each = |&(sessions, threads): &(usize, usize)| {
        batches.iter().map(move |&batch| Arrangement { sessions, threads, batch })
    };
    teams.iter().flat_map(each).collect()
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
    let Arrangement { sessions, threads, batch } = arrangement;
    let run = |number: usize, ready: Sender<()>, go: Receiver<()>| -> Result<u64, BackendError> {
        let batch: Vec<&Frame> = frames.iter().cycle().skip(number).take(batch).collect();
        let (manifest, region) = (&model.manifest, Region::whole());
        let (mut session, mut tensor) = (engine.open(threads)?, Vec::new());
        run_batch(session.as_mut(), manifest, &batch, &region, &mut tensor)?;
        // A session that failed drops this and is not waited for.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_core_is_used_in_some_way() {
        for cores in 1..20 {
            let all = candidates(cores, false);
            assert!(all.iter().all(|a| a.sessions * a.threads <= cores));
            assert!(all.iter().any(|a| a.sessions == cores));
        }
        assert!(candidates(8, true).iter().all(|a| a.batch >= 32));
    }
}
