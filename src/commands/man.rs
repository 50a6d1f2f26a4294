//! `celaje man`: manual pages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::commands::{Cli, output};
use crate::settings::layer::SpanishHelp;
use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::text::Lang;

#[derive(Clone, Debug, Args)]
pub(super) struct ManArgs {
    /// Folder for the pages, one for the program and one for each command [default: the program's
    /// page on standard output]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) const SPANISH: SpanishHelp = &[
    ("man", "Escribe las páginas de manual"),
    (
        "dir",
        "Carpeta para las páginas, una del programa y una de cada comando [por omisión: la del \
         programa, en la salida estándar]",
    ),
];

impl ManArgs {
    pub(super) fn run(self) -> Result<u8> {
        // `celaje help serve` has no page of its own.
        let command = Cli::command().disable_help_subcommand(true);
        let command = Cli::localized(command, Lang::current());
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            // Writing to memory does not fail.
            let _ = Man::new(command).render(&mut page);
            output::line(String::from_utf8_lossy(&page).trim_end())?;
            return Ok(0);
        };
        fs::create_dir_all(&dir).and_then(|()| clap_mangen::generate_to(command, &dir)).map_err(
            |error| {
                let dir = dir.display();
                Failure::environment(say!(
                    "the manual pages cannot be written to {dir}: {error}; name another folder",
                    "no se pueden escribir las páginas de manual en {dir}: {error}; indique otra \
                     carpeta",
                    error = io_text(&error),
                ))
            },
        )?;
        Ok(0)
    }
}
