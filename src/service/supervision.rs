//! How the actors of a pipeline are looked after, and on what they run.

use std::io::Write as _;
use std::sync::Arc;

use crate::actors::failpoint::Failpoints;
use crate::actors::inline::Delay;
use crate::actors::vitals::Vitals;
use crate::actors::watchdog::Patience;
use crate::camera::http::Scripted;
use celaje_sky::error::Class;
use celaje_sky::restarts::RestartBudget;
use celaje_sky::say;

/// On what the workers of a pipeline run.
#[derive(Clone, Default)]
pub enum Threads {
    /// On threads of their own, by the clock of the machine.
    #[default]
    Own,
    /// All on the thread that starts the pipeline, each message as late as the delay says: with a
    /// paused runtime a schedule is then a function of the delays.
    Inline(Delay),
}

/// See the module. The default is what the program runs with.
#[derive(Clone)]
pub struct Supervision {
    /// How many failures of an actor are borne.
    pub budget: RestartBudget,
    /// Those of an earlier pipeline in whose place this one is, with its budget and failpoints.
    pub vitals: Option<Arc<Vitals>>,
    /// How long an actor may be at one message.
    pub patience: Patience,
    /// Where a test makes the actors fail.
    pub failpoints: Failpoints,
    /// On what the workers run.
    pub threads: Threads,
    /// Answers in place of the network.
    pub script: Option<Arc<dyn Scripted>>,
    /// Ends the program when it does not end itself: called by the watchdog, when the main thread
    /// hangs.
    pub last_resort: Arc<dyn Fn() + Send + Sync>,
}

impl Supervision {
    /// That of a program: when the main thread hangs, the process ends.
    pub fn of_program() -> Self {
        Self {
            last_resort: Arc::new(|| {
                let text = say!(
                    "celaje: the program hangs and was ended; \
                     what is stored is safe: see the log and run the same command again",
                    "celaje: el programa está colgado y se terminó; \
                     lo guardado está a salvo: vea el registro y repita la orden"
                );
                let _ = writeln!(std::io::stderr(), "{text}");
                std::process::exit(i32::from(Class::Environment.exit_status()));
            }),
            ..Self::default()
        }
    }
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            budget: RestartBudget::default(),
            vitals: None,
            patience: Patience::default(),
            failpoints: Failpoints::default(),
            threads: Threads::Own,
            script: None,
            last_resort: Arc::new(|| {}),
        }
    }
}
