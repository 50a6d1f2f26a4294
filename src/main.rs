//! The `celaje` program: parse, run, print the error, exit.

use std::io::IsTerminal;
use std::process::ExitCode;

use celaje::cli::{Cli, spanish};
use celaje::commands::{self, output};
use celaje::say;
use celaje::text::Lang;
use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let lang = wanted_language();
    let command = Cli::command();
    let command = if lang == Lang::Es {
        spanish::localize(command)
    } else {
        command
    };
    lang.choose();
    let parsed = command
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => match spanish::explain(&error).filter(|_| lang == Lang::Es) {
            Some(text) => {
                output::note(format!("celaje: {text}; vea --help"));
                return ExitCode::from(2);
            }
            None => error.exit(),
        },
    };
    let Ok(filter) = cli.global.log.parse::<EnvFilter>() else {
        let log = &cli.global.log;
        output::note(say!(
            "celaje: --log '{log}' is no filter",
            "celaje: --log '{log}' no es un filtro"
        ));
        return ExitCode::from(2);
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour)
        .with_writer(std::io::stderr)
        .init();
    match actix::System::new().block_on(commands::dispatch(cli)) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            output::note(format!("celaje: {failure}"));
            ExitCode::from(failure.class.exit_status())
        }
    }
}

/// The language has to be known before the command line is parsed: its help depends on it.
fn wanted_language() -> Lang {
    let mut args = std::env::args().skip(1).take_while(|arg| arg != "--");
    while let Some(arg) = args.next() {
        let value = match arg.strip_prefix("--lang=") {
            Some(value) => Some(value.to_owned()),
            None if arg == "--lang" => args.next(),
            None => continue,
        };
        if let Some(value) = value {
            return Lang::from_locale(&value);
        }
    }
    Lang::from_environment()
}
