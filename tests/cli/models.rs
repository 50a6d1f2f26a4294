//! Networks of the replaced system's form, with and without a manifest.

use crate::support::server::{Reply, Server};
use crate::support::{asked, onnx, shared};
use crate::{Home, Told, camera, okta, picture, run};

/// ImageNet's mean and standard deviation of red, as the replaced system used them.
const RED: (f32, f32) = (0.485, 0.229);

/// 3×224×224 → 9, as the replaced system's: it sees normalised pictures.
fn replaced_form() -> Vec<u8> {
    let seen = |v: f32| (v / 255.0 - RED.0) / RED.1;
    onnx::red_classifier(224, seen(0.0), seen(240.0))
}

const MANIFEST: &str = "name = 'efficientnet'\nversion = 'b0'\nkind = 'classification'\n\
    [input]\nwidth = 224\nheight = 224\nmean = [0.485, 0.456, 0.406]\n\
    std = [0.229, 0.224, 0.225]\n\
    [output]\nclasses = ['0', '1', '2', '3', '4', '5', '6', '7', '8']\n";

fn hour(home: &Home, base: &str, model: &str) -> Told {
    let mut command = home.celaje(["backfill", "--engine", "rten", "--db", "cielo.db", "--json"]);
    command.args(["--desde", "2024-03-01T00:00", "--hasta", "2024-03-01T01:29"]);
    run(command.args(["--url-base", base, "--model", model, "--threads", "1"]))
}

#[test]
fn without_a_manifest_it_is_taken_for_the_replaced_systems() {
    let home = Home::new();
    home.write("modelo.onnx", replaced_form());
    let server = camera();
    let told = hour(&home, &server.base(), "modelo.onnx");
    assert_eq!(told.status, 0, "{told:?}");
    assert!(
        told.err.contains("modelo.onnx has no manifest")
            && told.err.contains("224x224")
            && told.err.contains("modelo.toml"),
        "{}",
        told.err
    );
    assert_eq!(told.json()["model"], "modelo");
    let wanted: Vec<i64> = (0..9).map(|i| i64::from(okta(i))).collect();
    assert_eq!(home.record("cielo.db").oktas(), wanted);
    let fractions = "observations WHERE cloud_fraction IS NOT NULL";
    assert_eq!(home.record("cielo.db").count(fractions), 0);
}

#[test]
fn with_a_manifest_nothing_is_guessed() {
    let home = Home::new();
    home.write("modelo.onnx", replaced_form());
    home.write("modelo.toml", MANIFEST);
    let server = camera();
    // Naming the manifest names the model beside it.
    for name in ["modelo.onnx", "modelo.toml"] {
        let told = hour(&home, &server.base(), name);
        assert_eq!((told.status, told.err.as_str()), (0, ""), "{told:?}");
        assert_eq!(told.json()["model"], "efficientnet b0");
    }
    let wanted: Vec<i64> = (0..9).map(|i| i64::from(okta(i))).collect();
    assert_eq!(home.record("cielo.db").oktas(), wanted);
}

/// The replaced system's network itself, untrained: it runs, and its answers are probabilities.
#[test]
fn the_replaced_systems_network_runs() {
    let Some(network) = shared("models/efficientnet-b0-untrained.onnx") else {
        return;
    };
    let home = Home::new();
    std::fs::copy(network, home.path("b0.onnx")).unwrap();
    home.write("b0.toml", MANIFEST);
    let server = Server::start(|path, _| match asked(path) {
        Some(asked) => Reply::Body(picture(asked.index)),
        None => Reply::not_found(),
    });
    let told = hour(&home, &server.base(), "b0.onnx");
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(told.json()["new"], 9);
    let sure = "observations WHERE confidence BETWEEN 1.0 / 9 AND 1";
    assert_eq!(home.record("cielo.db").count(sure), 9);
}
