//! Flags > environment > names of the replaced system > `celaje.toml` > defaults.

use assert_cmd::Command;

use crate::support::server::{Reply, Server};
use crate::{Home, camera, run};

/// A settings file with a station whose pictures are at `base`.
fn station(base: &str, more: &str) -> String {
    format!(
        "{more}\n[station]\nid = 'cerro'\nlatitude = -30.0\nlongitude = -70.0\n\
         time_zone = '-03:00'\nurl_base = '{base}'\nlayout = 'root'\n"
    )
}

fn slot(home: &Home) -> Command {
    let mut command = home.celaje(["backfill", "--engine", "rten", "--quiet"]);
    command.args(["--desde", "2024-03-01T00:02", "--hasta", "2024-03-01T00:02"]);
    command
}

#[test]
fn each_layer_is_stronger_than_the_one_below() {
    let servers: Vec<Server> = (0..4).map(|_| Server::start(|_, _| Reply::not_found())).collect();
    let base = |layer: usize| servers[layer].base();
    let home = Home::new();
    let file = "db = 'file.db'\nmodel = 'red.onnx'\nthreads = 1\n";
    home.write("celaje.toml", station(&base(3), file));
    for strongest in 0..4 {
        let mut command = slot(&home);
        if strongest == 0 {
            command.args(["--url-base", &base(0), "--db", "flag.db"]);
        }
        if strongest <= 1 {
            command.env("CELAJE_URL_BASE", base(1));
            command.env("CELAJE_DB", "twin.db");
        }
        if strongest <= 2 {
            command.env("IMG_URL_BASE", base(2));
            command.env("DB_FILE", "legacy.db");
        }
        servers.iter().for_each(Server::forget_requests);
        let told = run(&mut command);
        assert_eq!(told.status, 0, "{told:?}");
        for (layer, server) in servers.iter().enumerate() {
            let wanted = usize::from(layer == strongest);
            assert_eq!(server.requests().len(), wanted, "{layer} of {strongest}");
        }
        let db = ["flag.db", "twin.db", "legacy.db", "file.db"][strongest];
        assert_eq!(home.record(db).count("misses WHERE station = 'cerro'"), 1);
        std::fs::remove_file(home.path(db)).unwrap();
    }
}

#[test]
fn the_models_path_has_its_layers_too() {
    let home = Home::new();
    home.write("celaje.toml", "model = 'file.onnx'\n");
    let layers = [
        ("flag.onnx", ["--model", "flag.onnx"]),
        ("twin.onnx", ["CELAJE_MODEL", "twin.onnx"]),
        ("legacy.onnx", ["OCTAS_MODEL_PATH", "legacy.onnx"]),
    ];
    for strongest in 0..=layers.len() {
        let mut command = slot(&home);
        command.args(["--url-base", "http://127.0.0.1:9/"]);
        for (_, [name, value]) in &layers[strongest..] {
            if name.starts_with("--") {
                command.args([name, value]);
            } else {
                command.env(name, value);
            }
        }
        let wanted = layers.get(strongest).map_or("file.onnx", |(file, _)| file);
        run(&mut command).refused(3, &[wanted]);
    }
}

#[test]
fn empty_variables_say_nothing() {
    let home = Home::new();
    let server = camera();
    let mut command = slot(&home);
    command.args(["--url-base", &server.base(), "--model", "red.onnx"]);
    for name in [
        "IMG_URL_BASE",
        "DB_FILE",
        "OCTAS_MODEL_PATH",
        "ORT_DYLIB_PATH",
        "CELAJE_CONFIG",
        "CELAJE_LANG",
        "CELAJE_LOG",
        "CELAJE_DESDE",
        "CELAJE_STATION",
        "CELAJE_URL_BASE",
        "CELAJE_LAYOUT",
        "CELAJE_DB",
        "CELAJE_MODEL",
        "CELAJE_ORT_LIB",
        "CELAJE_ENGINE",
        "CELAJE_THREADS",
        "CELAJE_CONCURRENCY",
        "CELAJE_TIMEOUT",
        "CELAJE_DIR",
        "CELAJE_JSON",
    ] {
        command.env(name, "");
    }
    let told = run(&mut command);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(home.has("registros-octas.db"));
    // What is needed is missing then, and the help still names the variable.
    let mut command = home.celaje(["backfill", "--hasta", "2024-03-01"]);
    run(command.env("CELAJE_DESDE", "")).refused(2, &["--desde", "is missing"]);
    let told = run(home.celaje(["backfill", "--help"]).env("CELAJE_DB", ""));
    assert!(told.out.contains("[env: CELAJE_DB=]"), "{}", told.out);
}

#[test]
fn a_whole_run_can_be_told_by_the_environment() {
    let home = Home::new();
    let server = camera();
    let mut command = home.celaje(["backfill"]);
    for (name, value) in [
        ("CELAJE_DESDE", "2024-03-01T00:00"),
        ("CELAJE_HASTA", "2024-03-01T00:59"),
        ("CELAJE_URL_BASE", &server.base()),
        ("CELAJE_LAYOUT", "year"),
        ("CELAJE_DB", "env.db"),
        ("CELAJE_MODEL", "red.onnx"),
        ("CELAJE_ENGINE", "rten"),
        ("CELAJE_THREADS", "1"),
        ("CELAJE_CONCURRENCY", "2"),
        ("CELAJE_BATCH", "3"),
        ("CELAJE_JSON", "1"),
        ("CELAJE_QUIET", "true"),
        ("CELAJE_REPROCESS", "0"),
        ("CELAJE_RETRY_MISSED", "false"),
    ] {
        command.env(name, value);
    }
    let told = run(&mut command);
    assert_eq!((told.status, told.out.lines().count()), (0, 1), "{told:?}");
    assert_eq!(told.json()["new"], 6);
    let paths = server.requests();
    assert!(paths.iter().all(|path| path.starts_with("/sky/2024/")), "{paths:?}");
    assert!(server.most_at_once() <= 2);
    assert_eq!(home.record("env.db").count("observations"), 6);
    // Read as false, not as set.
    assert_eq!(run(&mut command).json()["reprocessed"], 0);
}

#[test]
fn stations_are_chosen_by_their_id() {
    let (a, b) = (camera(), camera());
    let home = Home::new();
    let two: String = [("norte", &a), ("sur", &b)]
        .map(|(id, server)| {
            station(&server.base(), "").replace("[station]", "[[station]]").replace("cerro", id)
        })
        .concat();
    home.write("conf/celaje.toml", format!("db = 'both.db'\nmodel = '../red.onnx'\n{two}"));
    for (args, wanted) in
        [(&[][..], "norte"), (&["--station", "sur"], "sur"), (&["--station", "norte"], "norte")]
    {
        a.forget_requests();
        b.forget_requests();
        let mut command = slot(&home);
        let told = run(command.args(["--config", "conf/celaje.toml", "--json"]).args(args));
        assert_eq!(told.json()["station"], wanted);
        let asked = [a.requests().len(), b.requests().len()];
        assert!(asked[usize::from(wanted == "norte")] == 0, "{asked:?}");
    }
    // Paths are relative to the file; each station has rows of its own.
    let mut record = home.record("conf/both.db");
    assert_eq!(record.texts("SELECT station FROM observations ORDER BY station"), ["norte", "sur"]);
    run(slot(&home).args(["--config", "conf/celaje.toml"]).args(["--station", "este"]))
        .refused(2, &["este", "norte, sur"]);
}

#[test]
fn the_users_own_settings_file_is_found() {
    let home = Home::new();
    let server = camera();
    home.write(
        ".config/celaje/celaje.toml",
        station(&server.base(), "db = '../../mine.db'\nmodel = '../../red.onnx'\n"),
    );
    assert_eq!(run(&mut slot(&home)).status, 0);
    assert_eq!(home.record("mine.db").count("observations"), 1);
    // One in the working folder comes first.
    home.write("celaje.toml", station(&server.base(), "db = 'here.db'\nmodel = 'red.onnx'\n"));
    assert_eq!(run(&mut slot(&home)).status, 0);
    assert_eq!(home.record("here.db").count("observations"), 1);
}
