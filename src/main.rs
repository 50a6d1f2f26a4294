//! The `celaje` program: parse, run, print the error, exit.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use celaje::commands::{Cli, output};
use celaje_sky::text::Lang;

fn main() -> ExitCode {
    let lang = wanted_language();
    lang.choose();
    let cli = match Cli::parse_in(lang) {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(cli.global.log_filter())
        .with_ansi(colour)
        .with_writer(std::io::stderr)
        .init();
    match actix::System::new().block_on(cli.run()) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            output::note(format!("celaje: {failure}"));
            ExitCode::from(failure.class.exit_status())
        }
    }
}

/// The language has to be known before the command line is parsed: its help depends on it.
fn wanted_language() -> Lang {
    let lossy = |arg: OsString| arg.to_string_lossy().into_owned();
    let args = std::env::args_os().skip(1).map(lossy);
    let mut args = args.take_while(|arg| arg != "--");
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
