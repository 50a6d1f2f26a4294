//! The help in Spanish.
//!
//! Each command and the settings have their texts beside them ([`SpanishHelp`]); here they take the
//! place of the English ones. What clap itself would add to a flag's text (its values, its default,
//! its variable) is added in Spanish too.

use clap::builder::Str;
use clap::{Arg, Command};

use crate::commands::{
    alert, backfill, bench, completions, db, demo, doctor, evaluate, export, init, label, labels,
    lens, man, predict, recalibrate, report, runtime, serve, simulate, status, timelapse, worker,
};
use crate::settings::layer::{self, SpanishHelp};

/// The program itself, and the flags of every command.
const GENERAL: SpanishHelp = &[
    ("celaje", "Convierte una cámara de cielo en un registro confiable de nubosidad."),
    ("help", "Muestra la ayuda"),
    ("version", "Muestra la versión, su commit y los motores de inferencia"),
    (
        "config",
        "Archivo de ajustes [por omisión: ./celaje.toml, luego la carpeta de configuración del \
         usuario]",
    ),
    ("lang", "Idioma de los mensajes [por omisión: el del entorno]"),
    (
        "log",
        "Qué se anota en stderr: off, error, warn, info, debug, trace, o un filtro como \
         celaje=debug",
    ),
];

/// The texts of a command, and of those below it.
fn texts_of(command: &str) -> Option<SpanishHelp> {
    Some(match command {
        "backfill" => backfill::SPANISH,
        "worker" => worker::SPANISH,
        "predict" => predict::args::SPANISH,
        "evaluate" => evaluate::args::SPANISH,
        "serve" => serve::SPANISH,
        "simulate" => simulate::SPANISH,
        "demo" => demo::SPANISH,
        "bench" => bench::args::SPANISH,
        "doctor" => doctor::SPANISH,
        "init" => init::SPANISH,
        "db" => db::SPANISH,
        "export" => export::SPANISH,
        "report" => report::SPANISH,
        "timelapse" => timelapse::SPANISH,
        "label" => label::SPANISH,
        "labels" => labels::SPANISH,
        "recalibrate" => recalibrate::SPANISH,
        "status" => status::SPANISH,
        "alert" => alert::SPANISH,
        "lens" => lens::SPANISH,
        "runtime" => runtime::SPANISH,
        "completions" => completions::SPANISH,
        "man" => man::SPANISH,
        _ => return None,
    })
}

/// What stands for a value.
const VALUES: &[(&str, &str)] = &[
    ("FILE", "ARCHIVO"),
    ("FOLDER", "CARPETA"),
    ("DIR", "CARPETA"),
    ("FILE|DIR", "ARCHIVO|CARPETA"),
    ("LABELS.csv|DIR", "ETIQUETAS.csv|CARPETA"),
    ("NAME", "NOMBRE"),
    ("LANG", "IDIOMA"),
    ("FILTER", "FILTRO"),
    ("FORMAT", "FORMATO"),
    ("LAYOUT", "DISPOSICIÓN"),
    ("SECONDS", "SEGUNDOS"),
    ("ENGINE", "MOTOR"),
    ("DEVICE", "DISPOSITIVO"),
    ("TIME", "HORA"),
    ("SPAN", "LAPSO"),
    ("PORT", "PUERTO"),
    ("ADDRESS", "DIRECCIÓN"),
    ("ADDRESS:PORT", "DIRECCIÓN:PUERTO"),
    ("SCENE", "ESCENA"),
    ("WxH", "ANxAL"),
    ("COMMAND", "COMANDO"),
];

/// Flags that every command has.
const GLOBAL: [&str; 3] = ["config", "lang", "log"];

fn find(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let found = table.iter().find(|(id, _)| *id == name);
    found.map(|(_, text)| *text)
}

/// The text of a command or flag of the command that has `texts`.
fn text(texts: SpanishHelp, name: &str) -> Option<&'static str> {
    let tables = [texts, layer::SPANISH, GENERAL];
    tables.into_iter().find_map(|table| find(table, name))
}

/// `command` with its help in Spanish.
pub(super) fn localize(mut command: Command) -> Command {
    // Built first, so that clap's own help flag and help command are there to be translated.
    command.build();
    translate(GENERAL, command)
}

fn translate(texts: SpanishHelp, command: Command) -> Command {
    let is_program = texts.first() == GENERAL.first();
    // The first text is the command's own: `db` is a flag, too.
    let flags = texts.get(1..).unwrap_or_default();
    let mut command = command
        .subcommand_help_heading("Comandos")
        .subcommand_value_name("COMANDO")
        .help_template("{about-with-newline}\nUso: {usage}\n\n{all-args}")
        .mut_args(|arg| argument(flags, arg))
        .mut_subcommands(|below| {
            // A command's own commands may have the name of another one: `labels export`.
            let of_command = is_program.then(|| texts_of(below.get_name())).flatten();
            translate(of_command.unwrap_or(texts), below)
        });
    if let Some(about) = text(texts, command.get_name()) {
        command = command.about(about).long_about(None);
    }
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let usage = usage.replace("[OPTIONS]", "[OPCIONES]").replace("[COMMAND]", "[COMANDO]");
    command.override_usage(usage)
}

fn argument(texts: SpanishHelp, arg: Arg) -> Arg {
    let id = arg.get_id().to_string();
    let heading = if arg.is_positional() {
        "Argumentos"
    } else if GLOBAL.contains(&id.as_str()) {
        "Opciones generales"
    } else {
        "Opciones"
    };
    let mut arg = arg.help_heading(heading);
    let Some(text) = text(texts, &id) else {
        return arg;
    };
    let mut notes = String::from(text);
    let mut note = |what: &str, list: Vec<String>| {
        if !list.is_empty() {
            notes.push_str(&format!(" [{what}: {}]", list.join(", ")));
        }
    };
    if arg.get_action().takes_values() {
        let values = arg.get_possible_values();
        note("valores", values.iter().map(|v| v.get_name().to_owned()).collect());
        let defaults = arg.get_default_values().iter();
        note("por omisión", defaults.map(|v| v.to_string_lossy().into()).collect());
        let names = arg.get_value_names().unwrap_or_default();
        let names: Vec<_> = names
            .iter()
            .map(|name| find(VALUES, name).map_or_else(|| name.clone(), Str::from))
            .collect();
        if !names.is_empty() {
            arg = arg.value_names(names);
        }
    }
    let variable = arg.get_env().map(|name| name.to_string_lossy().into());
    note("entorno", variable.into_iter().collect());
    arg.help(notes)
        .long_help(None::<&str>)
        .hide_possible_values(true)
        .hide_default_value(true)
        .hide_env(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Cli;
    use clap::CommandFactory;

    /// The names of what is shown of a command and of those below it.
    fn names(command: &Command) -> Vec<String> {
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let mut all = vec![command.get_name().to_owned()];
        all.extend(shown.map(|arg| arg.get_id().to_string()));
        all.extend(command.get_subcommands().flat_map(names));
        all
    }

    #[test]
    fn every_command_and_flag_has_a_spanish_text_and_no_text_is_left_over() {
        let cli = Cli::command();
        let mut of_all = names(&cli);
        of_all.push("help".to_owned());
        for command in cli.get_subcommands().filter(|below| !below.is_hide_set()) {
            let texts = texts_of(command.get_name()).unwrap();
            let names = names(command);
            for name in &names {
                assert!(text(texts, name).is_some(), "no text for {name}");
            }
            for (name, _) in texts {
                assert!(names.iter().any(|known| known == name), "what is {name}?");
            }
        }
        for (name, _) in layer::SPANISH.iter().chain(GENERAL) {
            assert!(of_all.iter().any(|known| known == name), "what is {name}?");
        }
    }

    #[test]
    fn the_spanish_help_is_spanish() {
        fn check(mut command: Command) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Uso: celaje"), "{help}");
            for english in [
                "Print", "Usage", "OPTIONS", "Options", "Commands", "Possible", "default:", "env:",
                "<FILE", "<TIME", "This ", " the ",
            ] {
                assert!(!help.contains(english), "'{english}' in:\n{help}");
            }
            for shown in command.get_subcommands().filter(|c| !c.is_hide_set()) {
                check(shown.clone());
            }
        }
        check(localize(Cli::command()));
    }

    #[test]
    fn a_flag_named_like_its_command_has_the_flags_text() {
        let help = localize(Cli::command())
            .try_get_matches_from(["celaje", "db", "check", "--help"])
            .unwrap_err();
        assert!(help.to_string().contains("registros-octas.db"), "{help}");
    }

    #[test]
    fn translated_commands_parse_as_the_english_ones() {
        let line = [
            "celaje",
            "backfill",
            "--from",
            "2024-01-01",
            "--to",
            "2024-01-02",
            "--layout",
            "year",
            "--json",
            "--log",
            "info",
        ];
        let matches = localize(Cli::command()).try_get_matches_from(line).unwrap();
        assert_eq!(matches.subcommand_name(), Some("backfill"));
        let help = localize(Cli::command())
            .try_get_matches_from(["celaje", "help", "backfill"])
            .unwrap_err();
        assert_eq!(help.kind(), clap::error::ErrorKind::DisplayHelp);
        assert!(help.to_string().contains("Uso: celaje backfill"), "{help}");
    }
}
