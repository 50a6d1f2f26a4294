//! Several threads work on many pictures; their answers come in the order of the input.
//!
//! At most `AHEAD` jobs a worker are under way, so memory does not grow with the input.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Jobs under way for each worker.
const AHEAD: usize = 4;

/// Gives each of `jobs` to one of the `workers`, a thread each, and the answers to `each` in the
/// order of the jobs. When `each` breaks, jobs under way are finished and their answers dropped. A
/// panic of `work` continues here.
pub(super) fn run<W: Send, J: Send, A: Send, B>(
    workers: Vec<W>,
    jobs: impl Iterator<Item = J> + Send,
    work: impl Fn(&mut W, J) -> A + Sync,
    mut each: impl FnMut(A) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let threads = workers.len();
    let window = threads * AHEAD;
    thread::scope(|scope| {
        let (send_job, to_do) = sync_channel::<(u64, J)>(threads);
        let (send_answer, answers) = sync_channel::<(u64, thread::Result<A>)>(window);
        let (give, permits) = sync_channel::<()>(window);
        for _ in 0..window {
            let _ = give.send(());
        }
        let to_do = std::sync::Arc::new(Mutex::new(to_do));
        for worker in workers {
            let (to_do, send_answer, work) = (to_do.clone(), send_answer.clone(), &work);
            scope.spawn(move || serve(&to_do, &send_answer, worker, work));
        }
        drop((to_do, send_answer));
        scope.spawn(move || feed(jobs, &send_job, &permits));
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (index, answer) in answers {
            // Unwinding drops the channels, so the threads end, and the scope joins them.
            waiting.insert(index, answer.unwrap_or_else(|panic| resume_unwind(panic)));
            while let Some(answer) = waiting.remove(&next) {
                next += 1;
                each(answer)?;
                // The feeder may have ended already.
                let _ = give.send(());
            }
        }
        ControlFlow::Continue(())
    })
}

/// Sends the jobs one by one, each only after a permit.
fn feed<J>(jobs: impl Iterator<Item = J>, to_do: &SyncSender<(u64, J)>, permits: &Receiver<()>) {
    for job in (0..).zip(jobs) {
        if permits.recv().is_err() || to_do.send(job).is_err() {
            return;
        }
    }
}

/// Works until there are no more jobs, or nobody wants the answers.
fn serve<W, J, A>(
    to_do: &Mutex<Receiver<(u64, J)>>,
    answers: &SyncSender<(u64, thread::Result<A>)>,
    mut worker: W,
    work: &impl Fn(&mut W, J) -> A,
) {
    loop {
        let job = to_do.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((index, job)) = job else { return };
        let answer = catch_unwind(AssertUnwindSafe(|| work(&mut worker, job)));
        let panicked = answer.is_err();
        if answers.send((index, answer)).is_err() || panicked {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn answers_keep_the_order_and_jobs_are_not_taken_far_ahead() {
        let (taken, mut seen) = (AtomicU64::new(0), 0);
        let jobs = (0..500u64).inspect(|_| {
            taken.fetch_add(1, Ordering::SeqCst);
        });
        let end: ControlFlow<()> = run(
            vec![0u64; 3],
            jobs,
            |count, job| {
                *count += 1;
                // The even ones take longer.
                (0..(job + 1) % 2 * 20_000).for_each(|i| {
                    std::hint::black_box(i);
                });
                job * 10
            },
            |answer| {
                assert_eq!(answer, seen * 10);
                seen += 1;
                assert!(taken.load(Ordering::SeqCst) <= seen + 3 * AHEAD as u64 + 1);
                ControlFlow::Continue(())
            },
        );
        assert_eq!((end, seen), (ControlFlow::Continue(()), 500));
    }

    #[test]
    fn a_break_ends_the_work() {
        let end = run(
            vec![(); 2],
            0..,
            |(), job| job,
            |answer: u64| {
                if answer == 7 { ControlFlow::Break(answer) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(end, ControlFlow::Break(7));
    }

    #[test]
    fn a_panic_of_the_work_is_told_and_nobody_waits_for_its_answer() {
        let (ended, hears) = sync_channel(1);
        thread::spawn(move || {
            let work = |(): &mut (), job: u64| assert_ne!(job, 5, "a test asked for it");
            let all = catch_unwind(AssertUnwindSafe(|| {
                let _: ControlFlow<()> =
                    run(vec![(); 2], 0.., work, |()| ControlFlow::Continue(()));
            }));
            let _ = ended.send(all.is_err());
        });
        let told = hears.recv_timeout(std::time::Duration::from_secs(60));
        assert_eq!(told, Ok(true));
    }
}
