//! `celaje worker`: read the pictures that a writer on another machine asks for.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::commands::output;
use crate::commands::signals::Signals;
use crate::draining::Draining;
use crate::queue::Queue;
use crate::service::worker::{JobWorker, WorkerReport, WorkerSetup};
use crate::settings::Settings;
use crate::settings::layer::{Flags, SpanishHelp, WorkerGroup};
use celaje_sky::error::{Failure, Result};
use celaje_sky::say;
use celaje_sky::text::Text;

#[derive(Clone, Debug, Args)]
pub(super) struct WorkerArgs {
    /// Folder of the pictures on this machine, where the backfill reads a folder [default: the one
    /// that the backfill names]
    #[arg(long, value_name = "FOLDER", env = "CELAJE_DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    work: Flags<WorkerGroup>,
    /// No notices
    #[arg(long, env = "CELAJE_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("worker", "Lee las imágenes que pide un backfill de otra máquina, a través de una cola"),
    (
        "dir",
        "Carpeta de las imágenes en esta máquina, donde el backfill lee una carpeta [por omisión: \
         la que nombra el backfill]",
    ),
    ("quiet", "Sin avisos"),
];

impl WorkerArgs {
    pub(super) async fn run(self, config: Option<&Path>) -> Result<u8> {
        let settings = Settings::read(self.work.0, config)?;
        let Some(address) = settings.queue.clone() else {
            return Err(Failure::usage(say!(
                "a worker takes its jobs from a queue; write --queue nats://HOST:4222",
                "un trabajador toma sus tareas de una cola; escriba --queue nats://SERVIDOR:4222"
            )));
        };
        let quiet = self.quiet;
        let notice = move |text: &Text| {
            if !quiet {
                output::note(text);
            }
        };
        let mut signals = Signals::listen();
        let name = format!("{:08x}", rand::random::<u32>());
        let queue = Queue::connect(&address, &format!("celaje worker {name}")).await?;
        let shown = address.to_string();
        notice(&say!(
            "worker {name} takes jobs from {shown}; Ctrl-C ends it",
            "el trabajador {name} toma tareas de {shown}; Ctrl-C lo termina"
        ));
        let drain = Draining::default();
        let ends = drain.clone();
        let setup = WorkerSetup { settings, folder: self.dir, queue, name, drain };
        let mut worker = JobWorker::new(setup, notice);
        let (done, signal) = signals.draining(worker.work(), move || ends.begin()).await;
        let WorkerReport { jobs, read, missed } = done?;
        notice(&say!(
            "{jobs} jobs done: {read} pictures read, {missed} missed",
            "{jobs} tareas hechas: {read} imágenes leídas, {missed} fallidas"
        ));
        Ok(signal.map_or(0, |signal| signal.exit_status()))
    }
}
