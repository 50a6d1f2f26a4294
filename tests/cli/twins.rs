//! Every flag has an environment twin.

use std::collections::BTreeMap;

use celaje::commands::Cli;
use clap::{Arg, Command, CommandFactory};

/// Each flag of a command and of those below it, with the command's name.
fn flags(command: &Command, found: &mut Vec<(String, Arg)>) {
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let hidden = arg.is_positional() || arg.is_hide_set();
        if !hidden && id != "help" && id != "version" {
            found.push((command.get_name().to_owned(), arg.clone()));
        }
    }
    // What is hidden is no user's to call.
    for below in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        flags(below, found);
    }
}

#[test]
fn every_flag_has_one_named_after_it() {
    let mut command = Cli::command();
    command.build();
    let mut found = Vec::new();
    flags(&command, &mut found);
    assert!(found.len() > 30, "{}", found.len());
    let mut users: BTreeMap<String, String> = BTreeMap::new();
    for (command, arg) in found {
        let long = arg.get_long().expect("a long name");
        let twin = arg.get_env().unwrap_or_else(|| panic!("--{long} of {command} has none"));
        let twin = twin.to_str().unwrap();
        assert!(twin.starts_with("CELAJE_"), "{twin}");
        // `--from` is another thing of simulate than of runtime install, and so on.
        let plain = format!("CELAJE_{}", long.to_uppercase().replace('-', "_"));
        let exceptions = [
            "CELAJE_SERVED_LAYOUT",
            "CELAJE_RUNTIME_FROM",
            "CELAJE_EVALUATE_OUT",
            "CELAJE_EXPORT_OUT",
            "CELAJE_REPORT_OUT",
            "CELAJE_TIMELAPSE_OUT",
            "CELAJE_LENS_OUT",
            "CELAJE_MERGE_KEEP",
        ];
        assert!(twin == plain || exceptions.contains(&twin), "--{long}: {twin}");
        // One name means one flag wherever it is read.
        let id = users.entry(twin.to_owned()).or_insert_with(|| arg.get_id().to_string());
        assert_eq!(*id, arg.get_id().to_string(), "{twin} stands for two flags");
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}
