//! `celaje export`: what is in the files, read back by other means than they were written with.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::readme::{Serving, address_told};
use crate::support::netcdf::NetCdf;
use crate::support::server::Reply;
use crate::{Home, Told, camera_with, program, run};

const TERMS: &str = "[data]\nlicence = 'CC-BY-4.0'\ninstitution = 'Estación Ñandú'\n\
     contact = 'sky@example.org'\n[data.wigos]\nrio-grande = '0-20000-0-87934'\n";

/// A record of 30 slots: 18 readings, 11 misses, and one that was never asked for.
fn home() -> Home {
    let home = Home::new();
    let server = camera_with(|index| match index % 5 {
        3 => Some(Reply::not_found()),
        4 => Some(Reply::status(403)),
        _ => None,
    });
    let mut command = home.backfill(&server.base(), "2024-03-01T00:00", "2024-03-01T04:59");
    assert_eq!(run(command.args(["--layout", "root"])).status, 0);
    home.record("cielo.db").execute(
        "UPDATE observations SET taken_at = '2024-03-01T03:02:07Z', picture_name = 'ñ-1.jpg', \
             zenith_fraction = 0.123456, zones = '{\"south\":0.56789,\"trees\":null}', \
             cloud_fraction = 0.333333 \
             WHERE slot_local = '2024-03-01T00:02';
         INSERT INTO celaje_labels (station, slot_local, observer, okta, draw, created_at) VALUES
             ('rio-grande', '2024-03-01T00:12', 'Ana', 3, 'random', '2024-03-02 00:00:00'),
             ('rio-grande', '2024-03-01T00:12', 'Luz', 5, 'random', '2024-03-02 00:00:01'),
             ('rio-grande', '2024-03-01T00:22', 'Ana', 9, 'random', '2024-03-02 00:00:02');
         DELETE FROM misses WHERE slot_local = '2024-03-01T00:42';",
    );
    home.write("celaje.toml", TERMS);
    home
}

fn export(home: &Home, args: &[&str]) -> Told {
    let mut command = home.celaje(["export", "--db", "cielo.db"]);
    run(command.args(args))
}

fn done(home: &Home, args: &[&str]) -> Told {
    let told = export(home, args);
    assert_eq!(told.status, 0, "{told:?}");
    told
}

#[test]
fn a_table_has_every_slot_once_and_says_what_is_missing() {
    let home = home();
    let whole = ["--from", "2024-03-01T00:00", "--to", "2024-03-01T04:59"];
    let told = done(&home, &[&["--out", "sky.csv"][..], &whole].concat());
    assert_eq!(told.out, "");
    assert!(told.err.contains("18 readings and 11 slots without one (http_status 5, not_found 6)"));
    assert!(told.err.contains("1 further slots"), "{}", told.err);
    let text = std::fs::read_to_string(home.path("sky.csv")).unwrap();
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<_> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<BTreeMap<String, String>> = csv
        .records()
        .map(|row| names.iter().cloned().zip(row.unwrap().iter().map(str::to_owned)).collect())
        .collect();
    assert_eq!(rows.len(), 29);
    assert!(rows.is_sorted_by(|a, b| a["slot"] < b["slot"]));
    let first = &rows[0];
    for (name, value) in [
        ("station", "rio-grande"),
        ("slot", "2024-03-01T00:02"),
        ("slot_utc", "2024-03-01T03:02:00Z"),
        ("cloud_fraction", "0.3333"),
        ("zenith_fraction", "0.1235"),
        ("zones", "{\"south\":0.5679,\"trees\":null}"),
        ("taken_at", "2024-03-01T03:02:07Z"),
        ("picture_name", "ñ-1.jpg"),
        ("model", "red 3"),
        ("origin", "celaje"),
        ("miss", ""),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    assert_eq!(first["model_sha256"].len(), 64);
    let labelled = &rows[1];
    assert_eq!((&*labelled["label_okta"], &*labelled["label_low"]), ("3", "3"));
    assert_eq!(labelled["label_high"], "5");
    let missed = &rows[3];
    assert_eq!((&*missed["slot"], &*missed["miss"]), ("2024-03-01T00:32", "not_found"));
    assert_eq!((&*missed["okta"], &*missed["model"]), ("", ""));

    // The same by a pipe, and what the file has no place for beside it.
    let piped = done(&home, &whole);
    assert_eq!(piped.out, text);
    let about = std::fs::read(home.path("sky.csv.meta.json")).unwrap();
    let about: Value = serde_json::from_slice(&about).unwrap();
    assert_eq!(about["licence"], "CC-BY-4.0");
    assert!(about["program"].as_str().unwrap().starts_with("celaje 0."));
    assert!(about["cite"].as_str().unwrap().starts_with("Estación Ñandú: Cloud amount at"));
    let station = &about["stations"][0];
    assert_eq!(station["never_asked"], 1);
    assert_eq!(station["misses"]["http_status"], 5);
    assert_eq!(station["models"][0]["sha256"], first["model_sha256"].as_str());
    assert_eq!(about["columns"].as_array().unwrap().len(), names.len());

    let lines = done(&home, &["--format", "jsonl"]).out;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 29);
    for (line, row) in lines.iter().zip(&rows) {
        assert_eq!(line["slot"], row["slot"].as_str());
        let okta = line["okta"].as_i64().map(|okta| okta.to_string()).unwrap_or_default();
        assert_eq!(okta, row["okta"]);
        assert_eq!(line.as_object().unwrap().len(), names.len());
    }
    assert_eq!(lines[0]["zones"]["south"], 0.5679);
    assert!(lines[0]["quality"].is_array());
}

#[test]
fn parquet_has_types_and_a_folder_for_each_station_and_year() {
    let home = home();
    home.record("cielo.db").execute(
        "UPDATE misses SET slot_local = '2025-03-01T04:52', slot_utc = '2025-03-01T07:52:00Z' \
             WHERE slot_local = '2024-03-01T04:52';",
    );
    done(&home, &["--format", "parquet", "--out", "sky"]);
    let place = |year: i32| format!("sky/station=rio-grande/year={year}/readings.parquet");
    let open = |name: &str| {
        let file = std::fs::File::open(home.path(name)).unwrap();
        SerializedFileReader::new(file).unwrap()
    };
    let rows = |name: &str| {
        let rows = open(name).into_iter().map(Result::unwrap);
        let cells = |row: parquet::record::Row| {
            row.into_columns().into_iter().collect::<BTreeMap<String, Field>>()
        };
        rows.map(cells).collect::<Vec<_>>()
    };
    let (first, second) = (rows(&place(2024)), rows(&place(2025)));
    assert_eq!((first.len(), second.len()), (28, 1));
    let reading = &first[0];
    let text = |text: &str| Field::Str(text.to_owned());
    // The folder's name says it: readers would find it twice.
    assert!(!reading.contains_key("station"));
    assert_eq!(reading["slot_utc"], Field::TimestampMillis(1_709_262_120_000));
    assert_eq!(reading["slot"], Field::TimestampMillis(1_709_251_320_000));
    assert_eq!(reading["taken_at"], Field::TimestampMillis(1_709_262_127_000));
    assert_eq!(reading["okta"], Field::Byte(0));
    assert_eq!(reading["cloud_fraction"], Field::Double(0.3333));
    assert_eq!(second[0]["miss"], text("http_status"));
    assert_eq!(second[0]["okta"], Field::Null);
    let reader = open(&place(2024));
    let told = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let told = |key: &str| {
        told.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone())
    };
    assert_eq!(told("license").as_deref(), Some("CC-BY-4.0"));
    let about: Value = serde_json::from_str(&told("celaje").unwrap()).unwrap();
    assert_eq!(about["stations"][0]["readings"], 18);
    assert_eq!(about["columns"][0]["name"], "slot");

    let told = done(&home, &["--format", "parquet", "--out", "sky", "--from", "2025-01-01"]);
    assert!(told.err.contains("were written to sky"), "{told:?}");
    assert!(told.err.contains("1 files of an earlier export still lie in the folder"), "{told:?}");
    // An ending makes a file, whatever it is.
    for name in ["one.parquet", "one.pq", "ONE.PARQUET"] {
        done(&home, &["--format", "parquet", "--out", name]);
        assert_eq!(rows(name).len(), 29);
        assert!(!home.has(&format!("{name}.meta.json")));
        assert_eq!(rows(name)[0]["station"], text("rio-grande"));
    }
}

/// An export that is told to write over a record leaves it as it is.
#[test]
fn no_record_is_written_over() {
    let home = home();
    std::fs::hard_link(home.path("cielo.db"), home.path("sky.csv")).unwrap();
    let before = std::fs::read(home.path("cielo.db")).unwrap();
    for out in ["cielo.db", "./sky.csv", "cielo.db-wal"] {
        export(&home, &["--out", out]).refused(3, &[out, "is an SQLite database"]);
    }
    assert_eq!(std::fs::read(home.path("cielo.db")).unwrap(), before);
    assert!(!home.has("cielo.db-wal") && !home.has("cielo.db.meta.json"));
}

/// A row that another tool wrote does not say its moment; the station's clock does.
#[test]
fn a_row_of_another_tool_has_its_moment() {
    let home = home();
    home.record("cielo.db").execute(
        "UPDATE observations SET slot_utc = NULL, origin = 'registro_historico' \
             WHERE slot_local = '2024-03-01T00:02'",
    );
    let told = done(&home, &["--to", "2024-03-01T00:02"]);
    assert!(told.out.contains("2024-03-01T00:02,2024-03-01T03:02:00Z,"), "{told:?}");
}

#[test]
fn netcdf_is_a_time_series_of_one_station() {
    let home = home();
    done(&home, &["--format", "netcdf", "--out", "sky.nc"]);
    let file = NetCdf::read(&std::fs::read(home.path("sky.nc")).unwrap());
    assert_eq!(file.records, 29);
    for (name, told) in [
        ("Conventions", "CF-1.11, ACDD-1.3"),
        ("license", "CC-BY-4.0"),
        ("institution", "Estación Ñandú"),
        ("wigos_id", "0-20000-0-87934"),
        ("time_coverage_start", "2024-03-01T03:02:00Z"),
    ] {
        assert_eq!(file.text(name), told, "{name}");
    }
    assert!(file.text("source").contains("red 3 (SHA-256 "), "{}", file.text("source"));
    assert!(file.text("comment").contains("18 readings, 11 slots without one"));
    let near = |name: &str, at: usize, value: f64| {
        let found = file.number(name, at);
        assert!((found - value).abs() < 1e-6, "{name}: {found}");
    };
    near("time", 0, 1_709_262_120.0);
    near("taken_at", 0, 1_709_262_127.0);
    near("cloud_area_fraction", 0, 0.3333);
    near("zenith_cloud_fraction", 0, 0.1235);
    near("zone_1_south", 0, 0.5679);
    near("zone_2_trees", 0, -1.0);
    near("okta", 1, 1.0);
    near("label_okta", 1, 3.0);
    near("label_high", 1, 5.0);
    near("label_obscured", 1, 0.0);
    // A picture in which a person saw no sky is a labelled one.
    near("label_okta", 2, -127.0);
    near("label_obscured", 2, 1.0);
    near("slot_status", 0, 0.0);
    near("sky_obscured", 0, 0.0);
    near("model", 0, 0.0);
    // The fourth slot was not on the server.
    near("slot_status", 3, 1.0);
    near("okta", 3, -127.0);
    near("quality_flag", 3, -1.0);
    near("latitude", 0, -53.79);
    assert_eq!(file.chars("picture_name", 0), "ñ-1.jpg");
    assert_eq!(file.chars("station_id", 0), "rio-grande");
    // As many records as are announced, to the byte.
    assert_eq!(file.left_over, 0);

    done(&home, &["--format", "netcdf", "--out", "all"]);
    let whole = std::fs::read(home.path("all/rio-grande.nc")).unwrap();
    assert_eq!(NetCdf::read(&whole).records, 29);
}

#[test]
fn what_is_wrong_is_one_sentence_and_leaves_nothing() {
    let home = home();
    for (args, status, parts) in [
        (&["--station", "moon"][..], 2, &["'moon'", "rio-grande"][..]),
        (&["--from", "2024-03-02", "--to", "2024-03-01"], 2, &["--to", "swap"]),
        (&["--format", "hdf5"], 2, &["hdf5", "netcdf"]),
        (&["--out", "no/sky.csv"], 3, &["no/sky.csv"]),
    ] {
        export(&home, args).refused(status, parts);
    }
    let mut record = home.record("cielo.db");
    record.execute(
        "INSERT INTO stations (id, name, latitude, longitude, time_zone, is_home) \
             VALUES ('hill', 'The hill', 1, 2, 'UTC', 0);",
    );
    let told = export(&home, &["--format", "netcdf", "--out", "two.nc"]);
    told.refused(2, &["one station", "--station"]);
    assert!(!home.has("two.nc"));
    let left = std::fs::read_dir(home.path(".")).unwrap();
    let left: Vec<_> =
        left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.ends_with(".tmp")), "{left:?}");
    done(&home, &["--format", "netcdf", "--out", "two.nc", "--station", "hill"]);
    assert_eq!(NetCdf::read(&std::fs::read(home.path("two.nc")).unwrap()).records, 0);
}

#[test]
fn the_table_for_bufr_has_the_identifier_and_the_code() {
    let home = home();
    home.record("cielo.db").execute(
        "UPDATE observations SET okta = 9, cloud_fraction = NULL, confidence = NULL, \
             category = 'OBSC', okta_low = NULL, okta_high = NULL, quality = 'night,no_sky' \
             WHERE slot_local = '2024-03-01T00:12'",
    );
    let told = done(&home, &["--format", "wmo"]);
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(lines.len(), 30);
    assert!(lines[0].starts_with("wsi_series,wsi_issuer,wsi_issue_number,wsi_local,year,"));
    assert!(lines[1].starts_with("0,20000,0,87934,2024,3,1,3,2,-53.79"), "{}", lines[1]);
    assert!(lines[1].ends_with(",0,33"), "{}", lines[1]);
    assert!(lines[2].ends_with(",9,"), "{}", lines[2]);
    assert!(lines[4].ends_with(",,"), "{}", lines[4]);
}

/// A Python that has these modules; none where it has not, which is said.
fn python(modules: &str) -> Option<String> {
    let python = std::env::var("CELAJE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked = Command::new(&python)
        .args(["-c", &format!("import {modules}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if asked.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    println!("skipped: {python} does not import {modules}; CELAJE_TEST_PYTHON names another one");
    None
}

/// DuckDB, polars, pyarrow, xarray and the compliance checker, as far as they are installed.
#[test]
fn readers_of_others_read_the_files() {
    let Some(python) = python("json") else { return };
    let home = home();
    for (format, name) in [
        ("csv", "sky.csv"),
        ("jsonl", "sky.jsonl"),
        ("parquet", "sky.parquet"),
        ("parquet", "tree"),
        ("netcdf", "sky.nc"),
        ("wmo", "sky.wmo.csv"),
    ] {
        done(&home, &["--format", format, "--out", name]);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/readers.py");
    let told = Command::new(python).arg(script).current_dir(home.path(".")).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    println!("{out}");
    assert!(told.status.success(), "{out}\n{err}");
}

/// The lines of docs/notebook.md and its Spanish twin, as they stand there.
#[test]
fn the_notebook_runs() {
    let modules = "pandas, pyarrow, matplotlib, duckdb, polars, xarray, netCDF4";
    let Some(python) = python(modules) else { return };
    let home = home();
    std::fs::rename(home.path("cielo.db"), home.path("registros-octas.db")).unwrap();
    let mut serving = Command::new(program());
    serving
        .args(["serve", "--read-only", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("HOME", home.path("."))
        .current_dir(home.path("."));
    let mut serving =
        Serving(serving.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let address = address_told(&mut serving);
    for document in ["docs/notebook.md", "docs/es/cuaderno.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let text = std::fs::read_to_string(path).unwrap().replace("127.0.0.1:8080", &address);
        let (mut shells, mut pythons) = (0, 0);
        for part in text.split("```").skip(1).step_by(2) {
            let (language, block) = part.split_once('\n').unwrap();
            let mut command = match language {
                "sh" => {
                    shells += 1;
                    let mut shell = Command::new("/bin/sh");
                    shell.args(["-e", "-c", block]);
                    shell
                }
                "python" => {
                    pythons += 1;
                    let mut command = Command::new(&python);
                    command.args(["-W", "error::DeprecationWarning", "-c", block]);
                    command
                }
                _ => continue,
            };
            let path = std::env::var("PATH").unwrap_or_default();
            let path = format!("{}:{path}", program().parent().unwrap().display());
            command.env("PATH", path).env("MPLBACKEND", "Agg").current_dir(home.path("."));
            let told = command.output().unwrap();
            let err = String::from_utf8_lossy(&told.stderr);
            assert!(told.status.success(), "{document}:\n{block}\n{err}");
        }
        assert!(shells > 0 && pythons >= 4, "{document}: {shells} {pythons}");
    }
    assert!(home.has("sky.png"));
}
