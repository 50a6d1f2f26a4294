//! The progress bar of a run: on a terminal only, on stderr.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actors::dispatch::DispatchCounts;
use celaje_sky::run::Progress;
use celaje_sky::say;

/// A bar that follows a run until it is dropped.
pub struct RunBar {
    bar: ProgressBar,
    task: JoinHandle<()>,
}

impl RunBar {
    /// Shows `progress` from now on, with the number of `workers` if there are any; nothing at all
    /// when `quiet` or stderr is no terminal.
    pub fn follow(
        mut progress: watch::Receiver<Progress>,
        workers: Option<Arc<DispatchCounts>>,
        quiet: bool,
    ) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Some(style) = style() {
            bar.set_style(style);
        }
        let shown = bar.clone();
        let task = actix::spawn(async move {
            loop {
                {
                    let now = progress.borrow_and_update();
                    let (new, missed) = (now.ledger.new_rows(), now.ledger.missed());
                    if now.planned > 0 {
                        // Drawn with each of these: a bar of no length would be a full one.
                        shown.set_length(now.planned);
                        shown.set_position(now.ledger.total());
                        let what =
                            say!("{new} new, {missed} missed", "nuevos {new}, fallidos {missed}");
                        let who = workers.as_ref().map(|counts| {
                            let n = counts.report().workers;
                            say!(" · {n} workers", " · {n} trabajadores").to_string()
                        });
                        shown.set_message(format!("{what}{}", who.unwrap_or_default()));
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                if progress.changed().await.is_err() {
                    return;
                }
            }
        });
        Self { bar, task }
    }
}

/// No line of it is longer than 80 columns with five digits a number: what does not fit is cut off.
fn style() -> Option<ProgressStyle> {
    let style = ProgressStyle::with_template("{bar:14} {pos}/{len}{rate}{left} · {wide_msg}");
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        if state.pos() > 0 {
            let _ = write!(out, " · {:.0}/s", state.per_sec());
        }
    };
    let style = style.ok()?.progress_chars("█▉▊▋▌▍▎▏ ");
    Some(style.with_key("rate", rate).with_key("left", left))
}

/// The time that is left; nothing while it is not known.
pub(super) fn left(state: &ProgressState, out: &mut dyn Write) {
    let eta = state.eta();
    if state.pos() > 0 && eta.as_secs() > 0 {
        let eta = HumanDuration(eta);
        let _ = write!(out, "{}", say!(" · {eta:#} left", " · faltan {eta:#}"));
    }
}

impl Drop for RunBar {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}
