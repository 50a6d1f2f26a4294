//! What is wrong with the command line or the settings: status 2, one sentence, nothing made.

use crate::support::server::closed;
use crate::{Home, run};

/// Runs a backfill with these arguments in place of, or after, good ones.
fn refused(args: &[&str], parts: &[&str]) {
    let home = Home::new();
    let base = format!("http://{}/", closed());
    let mut all = vec!["backfill", "--db", "cielo.db"];
    for (flag, value) in [
        ("--engine", "rten"),
        ("--desde", "2024-03-01"),
        ("--hasta", "2024-03-01"),
        ("--url-base", &base),
    ] {
        if !args.contains(&flag) {
            all.extend([flag, value]);
        }
    }
    all.extend(args);
    run(&mut home.celaje(all)).refused(2, parts);
    assert!(!home.has("cielo.db"), "{args:?} made a database");
}

#[test]
fn dates_that_are_none() {
    for date in
        ["ayer", "2024-13-01", "2023-02-29", "2024-03-01T24:00", "2024-03-01T08", "01/03/2024", ""]
    {
        let how = "write 2024-01-31T08:02";
        refused(&["--desde", date], &["--desde", date, how]);
        refused(&["--hasta", date], &["--hasta", date, how]);
    }
}

#[test]
fn a_range_that_ends_before_it_begins() {
    refused(
        &["--desde", "2024-03-02", "--hasta", "2024-03-01T23:59"],
        &["--hasta (2024-03-01T23:59)", "--desde (2024-03-02T00:00)", "swap"],
    );
}

#[test]
fn years_that_no_file_name_has() {
    for date in ["0000-01-01", "1899-12-31T23:59"] {
        refused(&["--desde", date], &["--desde", "1900", "9999"]);
    }
    refused(&["--hasta", "+10000-01-01"], &["--hasta", "10000", "9999"]);
    let home = Home::new();
    let none = ["simulate", "--from", "0000-01-01", "--to", "2024-01-01"];
    run(&mut home.celaje(none)).refused(2, &["--from", "1900"]);
}

#[test]
fn ranges_without_a_slot_and_with_too_many() {
    refused(
        &["--desde", "2024-03-01T00:03", "--hasta", "2024-03-01T00:11"],
        &["no slot", "2024-03-01T00:03", "2024-03-01T00:11", "2, 12, 22"],
    );
    for (from, to) in [("1900-01-01", "9999-12-31"), ("1974-01-01", "2024-01-01T00:00")] {
        refused(&["--desde", from, "--hasta", to], &["50 years", from, "a part"]);
    }
}

#[test]
fn a_range_without_an_end() {
    let home = Home::new();
    run(&mut home.celaje(["backfill", "--desde", "2024-03-01"])).refused(2, &["--hasta"]);
    run(&mut home.celaje(["simulate", "--from", "2024-03-01"])).refused(2, &["--to"]);
}

#[test]
fn numbers_out_of_bounds() {
    for (flag, bad) in [
        ("--concurrency", &["0", "1025", "many", "-1"][..]),
        ("--threads", &["0", "257"]),
        ("--batch", &["0", "1025", "1.5"]),
        ("--timeout", &["0", "4000", "NaN", "inf"]),
        ("--max-bytes", &["0", "1000000001"]),
    ] {
        for value in bad {
            refused(&[&format!("{flag}={value}")], &[&flag[2..], value]);
        }
    }
}

#[test]
fn a_variable_is_blamed_by_its_name() {
    let home = Home::new();
    let told = |lang: &str, args: &[&str]| {
        let mut command = home.celaje(["--lang", lang, "doctor"]);
        run(command.args(args).env("CELAJE_CONCURRENCY", "abc"))
    };
    let en = "celaje: 'abc' in the variable CELAJE_CONCURRENCY is no value for --concurrency; \
              write a whole number from 1 to 1024\n";
    let es = "celaje: el valor 'abc' de la variable CELAJE_CONCURRENCY no sirve para \
        --concurrency; \
              escriba un número entero de 1 a 1024\n";
    for (lang, sentence) in [("en", en), ("es", es)] {
        let told = told(lang, &[]);
        assert_eq!((told.status, told.err.as_str()), (2, sentence));
    }
    let sentence =
        "celaje: 'x' is no value for --concurrency; write a whole number from 1 to 1024\n";
    assert_eq!(told("en", &["--concurrency", "x"]).err, sentence);
    // A variable of another flag plays no part.
    let mut command = home.celaje(["backfill", "--hasta", "2024-03-01"]);
    let told = run(command.env("CELAJE_ORT_LIB", "lib.so"));
    let sentence = "celaje: --desde <TIME> (CELAJE_DESDE) is missing; see celaje backfill --help\n";
    assert_eq!((told.status, told.err.as_str()), (2, sentence));
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    let mut command = home.celaje(["doctor", "--engine"]);
    let told = run(command.arg(std::ffi::OsStr::from_bytes(b"\xff")));
    told.refused(2, &["--engine", "write one of"]);
}

#[test]
fn choices_that_are_none() {
    refused(&["--layout", "tree"], &["--layout", "tree", "auto"]);
    refused(&["--engine", "torch"], &["--engine", "torch"]);
    refused(&["--device", "tpu"], &["--device", "tpu"]);
    refused(&["--lang", "fr"], &["--lang", "fr"]);
    refused(&["--log", "=]nonsense["], &["--log"]);
    refused(&["--device", "cuda"], &["rten", "cuda", "onnxruntime"]);
}

#[test]
fn addresses_that_are_none() {
    for base in ["", "pictures", "ftp://host/x/", "http://", "gopher://host/", "/var/www"] {
        refused(&["--url-base", base], &[base, "http://"]);
    }
}

#[test]
fn folders_that_are_none() {
    refused(&["--dir", "no-such-folder"], &["no-such-folder", "--dir"]);
    refused(&["--dir", "red.onnx"], &["red.onnx", "--dir"]);
}

#[test]
fn stations_that_are_unknown() {
    refused(&["--station", "atlantis"], &["atlantis", "rio-grande"]);
}

const STATION: &str = "[station]\nid = 'a'\nlatitude = -53.8\nlongitude = -67.7\n\
    time_zone = 'UTC'\nurl_base = 'http://127.0.0.1:9/'\n";

#[test]
fn settings_files_with_mistakes() {
    let stations = STATION.replace("[station]", "[[station]]");
    for (toml, parts) in [
        ("threads = 1\nworkers = 4\n".to_owned(), &["workers", "line 2"][..]),
        ("threads = \n".to_owned(), &["line 1"]),
        ("threads = 'two'\n".to_owned(), &["threads", "line 1"]),
        ("threads = 2026-01-01\n".to_owned(), &["threads", "it is a date"]),
        ("batch = 0\n".to_owned(), &["batch", "0"]),
        (STATION.replace("'UTC'", "'America/Narnia'"), &["America/Narnia", "'a'", "IANA"]),
        (format!("{STATION}colour = 'red'\n"), &["colour", "line 7"]),
        (format!("{stations}{stations}"), &["'a'", "two stations"]),
        (format!("{stations}{}shape = 1\n", stations.replace("'a'", "'b'")), &["shape", "line 13"]),
        (STATION.replace("-53.8", "-153.8"), &["latitude -153.8", "Earth"]),
        (STATION.replace("'a'", "'a b'"), &["'a b'"]),
        (STATION.replace("time_zone = 'UTC'\n", ""), &["time_zone"]),
        (format!("{STATION}valid_minutes = [5, 60]\n"), &["60", "0 to 59"]),
        (format!("{STATION}[station.region]\nbottom = 1.2\n"), &["margins"]),
        (format!("{STATION}[station.region]\nmask = 'none.png'\n"), &["none.png"]),
        (format!("{STATION}url_base = 'http://x/'\n"), &["url_base", "line 7"]),
    ] {
        let home = Home::new();
        home.write("celaje.toml", &toml);
        let told = run(&mut home.backfill("http://127.0.0.1:9/", "2024-03-01", "2024-03-01"));
        told.refused(2, parts);
        assert!(told.err.contains("celaje.toml") || parts[0] == "batch", "{told:?}");
        assert!(!home.has("cielo.db"));
    }
}

#[test]
fn a_settings_file_that_is_named_must_be_there() {
    let home = Home::new();
    let mut command = home.backfill("http://127.0.0.1:9/", "2024-03-01", "2024-03-01");
    run(command.args(["--config", "other.toml"])).refused(2, &["other.toml"]);
}

#[test]
fn foreign_commands_and_flags() {
    let home = Home::new();
    run(&mut home.celaje(["dance"])).refused(2, &["dance"]);
    run(&mut home.celaje(["port"])).refused(2, &["did you mean 'export'?"]);
    run(&mut home.celaje(["backfill", "--colour"])).refused(2, &["--colour"]);
}

#[test]
fn sentences_come_in_spanish_too() {
    let home = Home::new();
    let args = ["backfill", "--desde", "2024-03-02", "--hasta", "2024-03-01"];
    for (flag, value) in [("CELAJE_LANG", "es"), ("LC_ALL", "es_AR.UTF-8"), ("LANG", "es_ES")] {
        let told = run(home.celaje(args).env(flag, value));
        told.refused(2, &["es anterior a --desde", "inviértalos"]);
    }
    for lang in [&["--lang", "es"][..], &["--lang=es"]] {
        let told = run(home.celaje(args).args(lang));
        told.refused(2, &["es anterior a --desde"]);
    }
    // The flag is stronger than the environment.
    let told = run(home.celaje(args).env("LANG", "es_AR.UTF-8").args(["--lang", "en"]));
    told.refused(2, &["lies before"]);
    let told = run(&mut home.celaje(["--lang", "es", "backfill", "--desde", "ayer"]));
    told.refused(2, &["'ayer' no sirve para --desde", "escriba 2024-01-31"]);
    let told = run(home.celaje(["backfill"]).env("LANG", "es_AR.UTF-8").arg("--help"));
    assert_eq!(told.status, 0);
    assert!(told.out.contains("Uso:") && told.out.contains("turnos ya guardados"));
}

/// What the system says of a file or a camera is in the reader's language.
#[cfg(unix)]
#[test]
fn refusals_of_the_system_come_in_spanish_too() {
    let home = Home::new();
    let gone = format!("http://{}/", closed());
    home.write("taken", "x");
    let server = crate::camera();
    run(&mut home.backfill(&server.base(), "2024-03-01", "2024-03-01T00:12"));
    let place = ["--latitude", "1", "--longitude", "2", "--time-zone", "UTC"];
    let own = ["--engine", "rten", "--model", "red.onnx"];
    let init = |how: [&'static str; 2]| [&["init"], &how[..], &place, &own].concat();
    let doctor = ["doctor", "--url-base", &gone];
    for (args, words) in [
        (vec!["predict", "/nowhere/x.jpg"], "no existe"),
        (vec!["man", "taken/pages"], "no es una carpeta"),
        (vec!["db", "backup", "/nowhere/b.db", "--db", "cielo.db"], "no existe"),
        (vec!["report", "--out", "/nowhere/x.pdf", "--db", "cielo.db"], "no existe"),
        (vec!["man", "taken"], "ya existe"),
        (init(["--dir", "/nowhere"]), "no existe"),
        (vec!["predict", "--ort-lib", "/bin/ls", "--engine", "onnxruntime", "x.jpg"], "biblioteca"),
        ([&doctor[..], &own].concat(), "se rechaza la conexión"),
        ([&["init", "--url", &gone], &place[..], &own].concat(), "se rechaza la conexión"),
    ] {
        let told = run(home.celaje(args.clone()).args(["--lang", "es"]));
        assert_ne!(told.status, 0, "{args:?}: {told:?}");
        let said = format!("{}{}", told.out, told.err);
        let english =
            ["os error", "No such", "File exists", "Not a", "refused", "dlopen", "no such"];
        assert!(!english.iter().any(|part| said.contains(part)), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}
