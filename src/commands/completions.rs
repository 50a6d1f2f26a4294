//! `celaje completions`: a completion script for a shell.

use clap::{Args, CommandFactory};

use crate::commands::{Cli, output};
use crate::settings::layer::SpanishHelp;
use celaje_sky::error::Result;

#[derive(Clone, Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: clap_complete::Shell,
}

pub(super) const SPANISH: SpanishHelp =
    &[("completions", "Escribe un script de autocompletado para un shell"), ("shell", "El shell")];

impl CompletionsArgs {
    pub(super) fn run(self) -> Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "celaje", &mut script);
        output::line(String::from_utf8_lossy(&script).trim_end())?;
        Ok(0)
    }
}
