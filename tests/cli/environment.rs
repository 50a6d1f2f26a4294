//! What is wrong with files, libraries and the database: status 3, one sentence, nothing changed.

use celaje::store::Database;

use crate::support::server::closed;
use crate::support::{onnx, station};
use crate::{Home, run};

fn refused(home: &Home, args: &[&str], parts: &[&str]) {
    let base = format!("http://{}/", closed());
    let mut all = vec!["backfill", "--desde", "2024-03-01", "--hasta", "2024-03-01"];
    all.extend(["--url-base", &base]);
    for (flag, value) in [("--engine", "rten"), ("--db", "cielo.db"), ("--model", "red.onnx")] {
        if !args.contains(&flag) {
            all.extend([flag, value]);
        }
    }
    all.extend(args);
    run(&mut home.celaje(all)).refused(3, parts);
}

#[test]
fn models_that_cannot_be_used() {
    let home = Home::new();
    let whole = onnx::red_classifier(32, 0.0, 1.0);
    let manifest = onnx::red_manifest("red", "3");
    home.write("text.onnx", "this is no network");
    home.write("cut.onnx", &whole[..whole.len() / 2]);
    home.write("empty.onnx", "");
    home.write("bare.onnx", &whole);
    home.write("other.onnx", &whole);
    home.write("other.toml", manifest.replace("32", "64"));
    home.write("wrong.onnx", &whole);
    let hash = format!("sha256 = '{}'\nkind", "0".repeat(64));
    home.write("wrong.toml", manifest.replace("kind", &hash));
    home.write("odd.onnx", &whole);
    home.write("odd.toml", manifest.replace("version", "versoin"));
    for (model, parts) in [
        ("none.onnx", &["none.onnx", "--model"][..]),
        ("text.onnx", &["text.onnx", "not an ONNX model"]),
        ("cut.onnx", &["cut.onnx", "cannot be used", "fetch it again"]),
        ("empty.onnx", &["empty.onnx", "empty"]),
        (".", &["not a file"]),
        // Of another form than the replaced system's: the sentence says what to write.
        ("bare.onnx", &["bare.toml", "[input]", "classes"]),
        ("other.onnx", &["Nx3x32x32", "Nx3x64x64", "correct the manifest"]),
        ("wrong.onnx", &["SHA-256", "wrong.toml"]),
        ("odd.onnx", &["odd.toml", "line 2", "versoin"]),
    ] {
        refused(&home, &["--model", model], parts);
    }
    assert!(!home.has("cielo.db"));
}

#[test]
fn libraries_that_cannot_be_used() {
    let home = Home::new();
    home.write("libfake.so", "no library");
    for lib in ["none.so", "libfake.so"] {
        for engine in ["onnxruntime", "auto"] {
            let args = ["--engine", engine, "--ort-lib", lib];
            refused(&home, &args, &[lib]);
        }
    }
    assert!(!home.has("cielo.db"));
}

#[test]
fn databases_that_cannot_be_used() {
    let home = Home::new();
    std::fs::create_dir(home.path("folder")).unwrap();
    home.write("text.db", "no database at all, and long enough to have a header ".repeat(9));
    home.record("foreign.db").execute("CREATE TABLE invoices (x)");
    home.record("odd.db").execute("CREATE TABLE registro_historico (filename)");
    let before: Vec<Vec<u8>> = ["text.db", "foreign.db", "odd.db"]
        .map(|name| std::fs::read(home.path(name)).unwrap())
        .into();
    for (db, parts) in [
        ("folder", &["'folder'", "not a file"][..]),
        ("no/folder.db", &["no/folder.db", "folder"]),
        ("text.db/x.db", &["text.db/x.db"]),
        ("text.db", &["text.db", "not an SQLite database"]),
        ("foreign.db", &["foreign.db", "invoices", "another program"]),
        ("odd.db", &["odd.db", "octas_predichas"]),
    ] {
        refused(&home, &["--db", db], parts);
    }
    let after: Vec<Vec<u8>> = ["text.db", "foreign.db", "odd.db"]
        .map(|name| std::fs::read(home.path(name)).unwrap())
        .into();
    assert!(before == after, "a refused file was changed");
    let mut names: Vec<_> = std::fs::read_dir(home.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("red."))
        .collect();
    names.sort();
    assert_eq!(names, ["folder", "foreign.db", "odd.db", "text.db"]);
}

#[test]
fn a_database_that_another_celaje_writes() {
    let home = Home::new();
    let db = home.path("cielo.db");
    let held = Database::open(&db, &station("http://127.0.0.1:9/")).unwrap();
    let process = format!("process {}", std::process::id());
    refused(&home, &[], &["cielo.db", "another celaje", &process]);
    drop(held);
}

/// Its database is not deleted under it.
#[test]
fn a_demo_in_the_folder_of_another() {
    let home = Home::new();
    std::fs::create_dir(home.path("out")).unwrap();
    let db = home.path("out/demo.db");
    let held = Database::open(&db, &station("http://127.0.0.1:9/")).unwrap();
    let args = ["demo", "--once", "--engine", "rten", "--out", "out"];
    run(&mut home.celaje(args)).refused(3, &["another demo", "'out'", "--out"]);
    assert!(db.is_file());
    drop(held);
}

/// Waits for the time that a busy database is given.
#[test]
fn a_database_that_another_program_holds() {
    let home = Home::new();
    drop(Database::open(&home.path("cielo.db"), &station("http://127.0.0.1:9/")));
    let mut other = home.record("cielo.db");
    other.execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
    refused(&home, &[], &["cielo.db", "locked"]);
}

#[test]
fn the_sentences_come_in_spanish_too() {
    let home = Home::new();
    refused(&home, &["--lang", "es", "--model", "none.onnx"], &["no existe el modelo none.onnx"]);
    std::fs::create_dir(home.path("folder")).unwrap();
    refused(
        &home,
        &["--lang", "es", "--db", "folder"],
        &["la base de datos 'folder' no es un archivo"],
    );
}
