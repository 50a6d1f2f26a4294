//! `--version`, `--help`, `completions`, `man`, `runtime`.

use crate::{Home, run};

#[test]
fn the_version_names_commit_and_engines() {
    let home = Home::new();
    for flag in ["--version", "-V"] {
        let told = run(&mut home.celaje([flag]));
        assert_eq!((told.status, told.err.as_str()), (0, ""));
        let lines: Vec<&str> = told.out.lines().collect();
        let first = format!("celaje {} (", env!("CARGO_PKG_VERSION"));
        assert!(lines[0].starts_with(&first) && lines[0].ends_with(')'), "{}", lines[0]);
        let commit = &lines[0][first.len()..lines[0].len() - 1];
        let hexadecimal = commit.len() >= 7 && commit.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(hexadecimal || commit == "unknown", "{commit}");
        assert!(lines[1].starts_with("ONNX Runtime: "), "{}", lines[1]);
        assert!(lines[2].starts_with("rten: 0."), "{}", lines[2]);
        assert!(lines[3].starts_with("installed by: "), "{}", lines[3]);
    }
}

/// The library is told that the settings name, be it in the file; the version is told in any case.
#[test]
fn the_version_looks_where_the_settings_say() {
    let home = Home::new();
    home.write("libfake.so", "no library");
    home.write("celaje.toml", "ort_lib = 'libfake.so'\n");
    let told = |variable: Option<&str>| {
        let mut command = home.celaje(["--version"]);
        if let Some(name) = variable {
            command.env(name, "other.so");
        }
        let told = run(&mut command);
        assert_eq!((told.status, told.out.lines().count()), (0, 4), "{told:?}");
        told.out.lines().nth(1).unwrap().to_owned()
    };
    assert!(told(None).contains("libfake.so"));
    for name in ["CELAJE_ORT_LIB", "ORT_DYLIB_PATH"] {
        assert!(told(Some(name)).contains("other.so"));
        let mut command = home.celaje(["runtime", "path"]);
        run(command.env(name, "other.so")).refused(3, &["other.so"]);
    }
    home.write("celaje.toml", "thread = 3\n");
    assert!(told(None).contains("line 1"));
}

#[test]
fn help_names_every_command() {
    let home = Home::new();
    let told = run(&mut home.celaje(["--help"]));
    assert_eq!((told.status, told.err.as_str()), (0, ""));
    for command in ["backfill", "predict", "simulate", "demo", "doctor", "runtime", "completions"] {
        assert!(told.out.contains(command), "{}", told.out);
        let told = run(&mut home.celaje([command, "--help"]));
        assert_eq!(told.status, 0);
    }
}

#[test]
fn the_circle_of_a_fisheye_is_found_and_drawn() {
    use celaje_simulate::{Scene, Spec};
    use celaje_sky::slot::{Slot, Zone};

    let home = Home::new();
    let zone: Zone = "America/Argentina/Ushuaia".parse().unwrap();
    for (scene, folder) in [(Scene::Fisheye, "dome"), (Scene::Landscape, "hills")] {
        let spec = Spec { scene, width: 480, height: 450, seed: 5, ..Spec::default() };
        for hour in ["1002", "1302"] {
            let local = Slot::parse_file_name(&format!("2024-0105{hour}.jpg")).unwrap();
            let drawn = celaje_simulate::draw(&spec, Slot::at(local, zone).unwrap()).unwrap();
            home.write(&format!("{folder}/{hour}.jpg"), drawn.jpeg);
        }
    }
    let told = run(&mut home.celaje(["lens", "dome", "--out", "circle.png"]));
    assert_eq!(told.status, 0, "{told:?}");
    let settings: toml::Table = told.out.parse().unwrap();
    let lens = &settings["station"]["lens"];
    // The horizon lies 213 of 480 pixels from the middle; trees stand up to two degrees above.
    let near =
        |value: &toml::Value, wanted: f64| (value.as_float().unwrap() - wanted).abs() < 0.012;
    assert!(near(&lens["centre"][0], 0.5) && near(&lens["centre"][1], 0.5), "{told:?}");
    assert!(near(&lens["radius"], 0.4448), "{told:?}");
    let picture = image::open(home.path("circle.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (480, 450));
    run(&mut home.celaje(["lens", "hills"])).refused(2, &["fisheye"]);
    run(&mut home.celaje(["lens", "nowhere"])).refused(2, &["nowhere"]);
    assert!(!home.has("lens.png"));
}

#[test]
fn completions_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let told = run(&mut home.celaje(["completions", shell]));
        assert_eq!((told.status, told.err.as_str()), (0, ""));
        assert!(told.out.contains("backfill") && told.out.contains("url-base"), "{shell}");
    }
    run(&mut home.celaje(["completions", "cmd"])).refused(2, &["cmd", "bash"]);
}

#[test]
fn the_program_alone_says_where_to_begin() {
    let home = Home::new();
    let told = run(&mut home.celaje([""; 0]));
    assert_eq!((told.status, told.out.as_str()), (2, ""));
    for part in ["celaje demo ", "celaje init ", "celaje --help "] {
        assert!(told.err.contains(part), "{}", told.err);
    }
}

#[test]
fn manual_pages_of_the_program_and_of_every_command() {
    let home = Home::new();
    let told = run(&mut home.celaje(["man"]));
    assert_eq!((told.status, told.err.as_str()), (0, ""));
    assert!(told.out.contains(".TH celaje 1"), "{}", told.out);
    for (lang, word) in [("en", "SYNOPSIS"), ("es", "Muestra")] {
        assert_eq!(run(&mut home.celaje(["--lang", lang, "man", lang])).status, 0);
        let page = std::fs::read_to_string(home.path(&format!("{lang}/celaje-serve.1"))).unwrap();
        assert!(page.contains(word), "{page}");
    }
    let pages = |lang| std::fs::read_dir(home.path(lang)).unwrap().count();
    assert_eq!(pages("es"), pages("en"));
    home.write("taken", "");
    run(&mut home.celaje(["man", "taken"])).refused(3, &["taken"]);
}

#[test]
fn a_library_that_is_named_and_does_not_load() {
    let home = Home::new();
    home.write("libfake.so", "no library");
    for action in ["path", "list"] {
        let mut command = home.celaje(["runtime", action]);
        let told = run(command.env("ORT_DYLIB_PATH", "libfake.so"));
        told.refused(3, &["libfake.so"]);
    }
    // A file that is no wheel and no library is not installed.
    let mut command = home.celaje(["runtime", "install", "--from", "libfake.so"]);
    let told = run(&mut command);
    assert_eq!(told.status, 3, "{told:?}");
    assert!(
        !home.has(".cache/celaje")
            || std::fs::read_dir(home.path(".cache/celaje")).unwrap().count() == 0
    );
}

/// Output that nobody reads any more ends quietly.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let home = Home::new();
    let line = format!("'{}' completions bash | head -c 1", crate::program().display());
    let output = std::process::Command::new("sh")
        .args(["-c", &line])
        .env("HOME", home.path("."))
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!err.contains("panicked"), "{err}");
}
