//! A wrong command line in one sentence: which flag, which value, what to do.
//!
//! An environment twin that is empty counts as not set.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

use celaje_sky::say;
use celaje_sky::text::{BadValue, Text};

/// `command`, which ignores variables that are empty.
pub(super) fn without_empty_variables(command: Command) -> Command {
    let is_empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|v| v.is_empty());
    forget_variables(command, &is_empty)
}

fn forget_variables(command: Command, is_empty: &dyn Fn(&std::ffi::OsStr) -> bool) -> Command {
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if is_empty(name) => {
                // The help still names it.
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                let note = format!("{help} [env: {}=]", name.to_string_lossy());
                let help = if arg.is_hide_env_set() { help } else { note };
                arg.env(clap::builder::Resettable::Reset).help(help)
            }
            _ => arg,
        })
        .mut_subcommands(|below| forget_variables(below, is_empty))
}

/// What is wrong with `args` (without the program's name); none where help was asked for.
pub(super) fn explain(error: &Error, command: &Command, args: &[String]) -> Option<Text> {
    let mut command = command.clone();
    command.build();
    let (command, path) = addressed(&command, args);
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let known = |kind| context(kind).filter(|list| !list.is_empty());
    // The library sorts what is near, the nearest last.
    let nearest = |kind| match error.get(kind) {
        Some(ContextValue::Strings(names)) => names.last().cloned(),
        _ => known(kind),
    };
    let shown = context(ContextKind::InvalidArg).unwrap_or_default();
    let arg = command
        .get_arguments()
        .find(|arg| arg.to_string() == shown)
        .or_else(|| command.get_arguments().find(|arg| shown == flag(arg)));
    let place = arg.map_or_else(|| shown.clone(), flag);
    let help = format!("{path} --help");
    Some(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::InvalidValue
        | ErrorKind::ValueValidation
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues
        | ErrorKind::NoEquals => {
            let value = context(ContextKind::InvalidValue).unwrap_or_default();
            let choices = known(ContextKind::ValidValue);
            let advice = advice(error, choices, &help);
            let (en, es) = (advice.en, advice.es);
            match arg.and_then(|arg| variable(arg, args)) {
                Some(name) => say!(
                    "'{value}' in the variable {name} is no value for {place}; {en}",
                    "el valor '{value}' de la variable {name} no sirve para {place}; {es}"
                ),
                None if value.is_empty() => say!(
                    "a value is missing for {place}; {en}",
                    "falta un valor para {place}; {es}"
                ),
                None => say!(
                    "'{value}' is no value for {place}; {en}",
                    "el valor '{value}' no sirve para {place}; {es}"
                ),
            }
        }
        ErrorKind::TooManyValues => {
            let value = context(ContextKind::InvalidValue).unwrap_or_default();
            say!(
                "{place} takes no value, and was given '{value}'; leave the value out",
                "{place} no lleva valor y se le dio '{value}'; quite el valor"
            )
        }
        ErrorKind::UnknownArgument => match nearest(ContextKind::SuggestedArg) {
            Some(near) => say!(
                "'{shown}' is not known; did you mean '{near}'?",
                "no se conoce '{shown}'; ¿quiso decir '{near}'?"
            ),
            None => {
                say!("'{shown}' is not known; see {help}", "no se conoce '{shown}'; vea {help}")
            }
        },
        ErrorKind::InvalidSubcommand => {
            let name = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            match nearest(ContextKind::SuggestedSubcommand) {
                Some(near) => say!(
                    "there is no command '{name}'; did you mean '{near}'?",
                    "no existe el comando '{name}'; ¿quiso decir '{near}'?"
                ),
                None => say!(
                    "there is no command '{name}'; see {help}",
                    "no existe el comando '{name}'; vea {help}"
                ),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            let names = missing(error, command);
            say!("{names} is missing; see {help}", "falta {names}; vea {help}")
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let names: Vec<_> = command
                .get_subcommands()
                .map(Command::get_name)
                .filter(|name| *name != "help")
                .collect();
            let names = names.join(", ");
            say!(
                "'{path}' needs one more word: {names}; see {help}",
                "a '{path}' le falta una palabra: {names}; vea {help}"
            )
        }
        ErrorKind::ArgumentConflict => match context(ContextKind::PriorArg) {
            Some(prior) if prior != shown => say!(
                "{shown} and {prior} do not go together; leave one of them out",
                "{shown} y {prior} no van juntos; quite uno de los dos"
            ),
            _ => say!(
                "{place} was given more than once; give it once",
                "{place} se indicó más de una vez; indíquelo una sola"
            ),
        },
        ErrorKind::InvalidUtf8 => say!(
            "an argument or a variable is not valid UTF-8; see {help}",
            "un argumento o una variable no es UTF-8 válido; vea {help}"
        ),
        _ => say!(
            "the command line is not right; see {help}",
            "la línea de comandos no es correcta; vea {help}"
        ),
    })
}

/// The subcommand that `args` are for, and its full name.
fn addressed<'a>(command: &'a Command, args: &[String]) -> (&'a Command, String) {
    let (mut command, mut path) = (command, command.get_name().to_owned());
    let mut args = args.iter().take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        if let Some(below) = command.find_subcommand(arg) {
            command = below;
            path.push(' ');
            path.push_str(below.get_name());
        } else if command
            .get_arguments()
            .any(|known| flag(known) == *arg && known.get_action().takes_values())
        {
            // The next word is its value.
            args.next();
        }
    }
    (command, path)
}

/// `--flag`, or the name of a positional argument.
fn flag(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.to_string(),
    }
}

/// The variable that `arg` took its value from; none when `args` has the flag, which is stronger.
fn variable(arg: &Arg, args: &[String]) -> Option<String> {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    let mut names = arg.get_long().into_iter().chain(aliases);
    let given = names.any(|name| {
        let mut words = args.iter().filter_map(|word| word.strip_prefix("--"));
        words.any(|word| {
            word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    });
    let name = arg.get_env().filter(|_| !given)?;
    Some(name.to_string_lossy().into_owned())
}

/// How to write the value.
fn advice(error: &Error, choices: Option<String>, help: &str) -> Text {
    if let Some(BadValue(text)) = error.source().and_then(|why| why.downcast_ref()) {
        return text.clone();
    }
    match choices {
        Some(choices) => say!("write one of: {choices}", "valores posibles: {choices}"),
        None => say!("see {help}", "vea {help}"),
    }
}

/// The flags that are missing, with the variables that may stand for them.
fn missing(error: &Error, command: &Command) -> String {
    let shown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(shown)) => shown.clone(),
        Some(ContextValue::String(shown)) => vec![shown.clone()],
        _ => Vec::new(),
    };
    let named = |shown: String| {
        let arg = command.get_arguments().find(|arg| arg.to_string() == shown);
        match arg.and_then(Arg::get_env) {
            Some(name) => format!("{shown} ({})", name.to_string_lossy()),
            None => shown,
        }
    };
    shown.into_iter().map(named).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::{Cli, spanish};
    use clap::CommandFactory;

    /// The same mistake in an English and a Spanish command line.
    fn explained(line: &str) -> (String, String) {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let text = |command: Command| {
            let all = std::iter::once("celaje".to_owned()).chain(args.clone());
            let error = command.clone().try_get_matches_from(all).unwrap_err();
            explain(&error, &command, &args).unwrap()
        };
        let (en, es) = (text(Cli::command()), text(spanish::localize(Cli::command())));
        (en.en, es.es)
    }

    #[test]
    fn a_mistake_is_one_sentence_in_each_language() {
        let range = "backfill --desde 2024-01-01 --hasta 2024-01-02";
        for (line, en, es) in [
            (
                "backfill --desde 2024-01-01 --hasta ayer".to_owned(),
                "'ayer' is no value for --hasta; write 2024-01-31T08:02 or 2024-01-31",
                "el valor 'ayer' no sirve para --hasta; escriba 2024-01-31T08:02 o 2024-01-31",
            ),
            (
                format!("{range} --engine x"),
                "'x' is no value for --engine; write one of: auto, onnxruntime, rten",
                "el valor 'x' no sirve para --engine; valores posibles: auto, onnxruntime, rten",
            ),
            (
                format!("{range} --concurrency many"),
                "'many' is no value for --concurrency; write a whole number from 1 to 1024",
                "el valor 'many' no sirve para --concurrency; escriba un número entero de 1 a 1024",
            ),
            (
                "demo --days 0".to_owned(),
                "'0' is no value for --days; write a whole number from 1 to 31",
                "el valor '0' no sirve para --days; escriba un número entero de 1 a 31",
            ),
            (
                format!("{range} --db"),
                "a value is missing for --db; see celaje backfill --help",
                "falta un valor para --db; vea celaje backfill --help",
            ),
            (
                format!("{range} --db a --db b"),
                "--db was given more than once; give it once",
                "--db se indicó más de una vez; indíquelo una sola",
            ),
            (
                format!("{range} --json=yes"),
                "--json takes no value, and was given 'yes'; leave the value out",
                "--json no lleva valor y se le dio 'yes'; quite el valor",
            ),
            (
                "backfill --desde 2024-01-01".to_owned(),
                "--hasta <TIME> (CELAJE_HASTA) is missing; see celaje backfill --help",
                "falta --hasta <HORA> (CELAJE_HASTA); vea celaje backfill --help",
            ),
            (
                "backfill --asta 2024-01-02".to_owned(),
                "'--asta' is not known; did you mean '--hasta'?",
                "no se conoce '--asta'; ¿quiso decir '--hasta'?",
            ),
            (
                "doctor now".to_owned(),
                "'now' is not known; see celaje doctor --help",
                "no se conoce 'now'; vea celaje doctor --help",
            ),
            (
                "bakfill".to_owned(),
                "there is no command 'bakfill'; did you mean 'backfill'?",
                "no existe el comando 'bakfill'; ¿quiso decir 'backfill'?",
            ),
            (
                "reportx".to_owned(),
                "there is no command 'reportx'; did you mean 'report'?",
                "no existe el comando 'reportx'; ¿quiso decir 'report'?",
            ),
            (
                "--config doctor runtime".to_owned(),
                "'celaje runtime' needs one more word: install, path, list; see celaje runtime \
                 --help",
                "a 'celaje runtime' le falta una palabra: install, path, list; vea celaje runtime \
                 --help",
            ),
            (
                "simulate --size 10x10".to_owned(),
                "'10x10' is no value for --size; write it as 800x600, each side from 48 to 4096",
                "el valor '10x10' no sirve para --size; escriba p. ej. 800x600, cada lado de 48 a \
                 4096",
            ),
        ] {
            let told = explained(&line);
            assert_eq!(told, (en.to_owned(), es.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_flag_is_stronger_than_its_variable() {
        let command = Cli::command();
        let arg = command
            .find_subcommand("backfill")
            .and_then(|below| below.get_arguments().find(|arg| arg.get_id() == "desde"))
            .unwrap();
        let from = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            variable(arg, &words)
        };
        assert_eq!(from(&["--desdex"]), Some("CELAJE_DESDE".to_owned()));
        for given in ["--desde", "--desde=x", "--from", "--from=x"] {
            assert_eq!(from(&["backfill", given]), None, "{given}");
        }
    }

    #[test]
    fn help_is_no_mistake() {
        let command = Cli::command();
        let error =
            command.clone().try_get_matches_from(["celaje", "backfill", "--help"]).unwrap_err();
        assert_eq!(explain(&error, &command, &[]), None);
    }
}
