//! The progress bar of a run: on a terminal only, on stderr.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
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
        let template = say!(
            "{{bar:32}} {{pos}}/{{len}} slots · {{rate}}/s · {{eta}} left · {{msg}}",
            "{{bar:32}} {{pos}}/{{len}} turnos · {{rate}}/s · faltan {{eta}} · {{msg}}"
        );
        if let Ok(style) = ProgressStyle::with_template(&template.to_string()) {
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                let _ = write!(out, "{:.0}", state.per_sec());
            };
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ ").with_key("rate", rate));
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
                            say!("{new} new, {missed} missed", "{new} nuevos, {missed} fallidos");
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

impl Drop for RunBar {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}
