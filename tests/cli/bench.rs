//! `celaje bench`.

use serde_json::Value;

use crate::support::pictures;
use crate::{Home, Told, run};

fn bench(home: &Home, args: &[&str]) -> Told {
    let mut command = home.celaje(["bench", "--engine", "rten", "--model", "red.onnx"]);
    command.args(["--threads", "1", "--batch", "2", "--rounds", "1", "--count", "24"]);
    run(command.args(args))
}

/// What a figure with this path is.
fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).expect(path)
}

#[test]
fn the_figures_are_those_of_one_round_and_follow_from_one_another() {
    let home = Home::new();
    let told = bench(&home, &["--size", "160x120", "--json", "--plot", "bench.png"]);
    assert_eq!(told.status, 0, "{}", told.err);
    let report: Value = serde_json::from_str(told.out.trim()).unwrap();
    assert_eq!(report["subject"]["size"], serde_json::json!([160, 120]));
    assert_eq!(report["subject"]["arrangement"]["batch"], 2);
    assert_eq!(report["rounds"].as_array().unwrap().len(), 1);
    assert_eq!(report["rounds"][0], report["median"]);
    // Every picture went through every stage: none was taken for another with the same bytes.
    for stage in 0..5 {
        let done = number(&report, &format!("/median/whole/flow/stages/{stage}/done"));
        assert_eq!(done, 24.0, "{stage}");
    }
    assert_eq!(number(&report, "/median/whole/flow/batched"), 24.0);
    assert_eq!(number(&report, "/median/whole/missed"), 0.0);
    let rate = number(&report, "/median/whole/pictures_per_s");
    let (bound, share) = (number(&report, "/median/bound"), number(&report, "/median/efficiency"));
    assert!((share - rate / bound).abs() < 1e-9 && rate > 0.0);
    if cfg!(unix) {
        let parts = ["fetch", "decode", "inference", "store"]
            .map(|stage| number(&report, &format!("/median/stages/{stage}/cpu_ms")));
        let camera = number(&report, "/median/whole/camera_cpu_ms");
        let work = parts.iter().sum::<f64>() + camera;
        let cores = number(&report, "/subject/cores");
        assert!((bound - 1000.0 * cores / work).abs() < 1e-6 * bound);
    }
    assert!(!report["engines"][0]["measured"].as_array().unwrap().is_empty());
    let plot = std::fs::read(home.path("bench.png")).unwrap();
    assert!(plot.starts_with(b"\x89PNG"));
}

#[test]
fn pictures_of_a_folder_over_a_slow_line() {
    let home = Home::new();
    for n in 0..3 {
        home.write(&format!("sky/{n}.jpg"), pictures::jpeg(0.3 * f64::from(n)));
    }
    let args = ["--dir", "sky", "--latency", "30", "--bandwidth", "20", "--lang", "es"];
    let told = bench(&home, &args);
    assert_eq!(told.status, 0, "{}", told.err);
    assert!(told.out.contains("3 imágenes distintas"), "{}", told.out);
    assert!(told.out.contains("a 30 ms, 20 Mbit/s"), "{}", told.out);
    assert!(told.out.contains("cota"), "{}", told.out);

    home.write("empty/readme.txt", "nothing");
    let told = bench(&home, &["--dir", "empty"]);
    assert_eq!((told.status, told.out.as_str()), (2, ""));
    assert!(told.err.contains("--dir"), "{}", told.err);
}
