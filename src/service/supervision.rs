//! How the actors of a pipeline are supervised, and where they run.

use std::io::Write as _;
use std::sync::Arc;

use crate::actors::failpoint::Failpoints;
use crate::actors::health::ActorHealth;
use crate::actors::pool::Executor;
use crate::actors::watchdog::Patience;
#[cfg(feature = "testing")]
use crate::camera::http::scripted::ScriptedCamera;
use celaje_sky::error::Class;
use celaje_sky::restarts::RestartBudget;
use celaje_sky::say;

/// See the module. The default is what the program runs with.
#[derive(Clone)]
pub struct Supervision {
    /// How many failures of an actor are tolerated.
    pub budget: RestartBudget,
    /// The health of the station's actors in earlier pipelines, with its budget.
    pub health: Option<Arc<ActorHealth>>,
    /// How long an actor may be at one message.
    pub patience: Patience,
    /// Where a test makes the actors fail.
    pub failpoints: Failpoints,
    /// Where the stages run.
    pub executor: Executor,
    /// Answers in place of the network.
    #[cfg(feature = "testing")]
    pub script: Option<Arc<dyn ScriptedCamera>>,
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
            health: None,
            patience: Patience::default(),
            failpoints: Failpoints::default(),
            executor: Executor::default(),
            #[cfg(feature = "testing")]
            script: None,
            last_resort: Arc::new(|| {}),
        }
    }
}
