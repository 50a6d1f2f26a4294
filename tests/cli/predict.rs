//! `celaje predict`.

use serde_json::Value;

use crate::support::pictures;
use crate::{Home, Told, picture, run};

fn predict(home: &Home, args: &[&str]) -> Told {
    let mut command = home.celaje(["predict", "--engine", "rten", "--threads", "1"]);
    run(command.args(args))
}

/// Clear, overcast, and what is no picture.
fn home() -> Home {
    let home = Home::new();
    home.write("sky/a.jpg", pictures::jpeg(0.0));
    home.write("sky/b/c.jpg", pictures::jpeg(1.0));
    home.write("sky/notes.txt", "no picture");
    home.write("bad.jpg", pictures::html());
    home
}

#[test]
fn a_line_for_each_picture() {
    let home = home();
    let told = predict(&home, &["sky"]);
    assert_eq!(told.status, 0, "{told:?}");
    let lines: Vec<Vec<&str>> = told.out.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0][0], lines[1][0]), ("sky/a.jpg", "sky/b/c.jpg"));
    assert!(lines[0][1].parse::<u8>().unwrap() <= 1, "{told:?}");
    assert!(lines[1][1].parse::<u8>().unwrap() >= 7, "{told:?}");
    assert!(lines.iter().all(|fields| fields.len() == 6));
    assert!(!home.has("registros-octas.db"), "a database was made");
}

#[test]
fn an_object_for_each_picture_and_status_1_when_one_cannot_be_read() {
    let home = home();
    let told = predict(&home, &["--json", "bad.jpg", "sky/a.jpg"]);
    assert_eq!(told.status, 1);
    let objects: Vec<Value> =
        told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["error"], "not_an_image");
    assert_eq!(objects[1]["path"], "sky/a.jpg");
    for field in ["octas", "cloud_fraction", "confidence", "category", "quality"] {
        assert!(!objects[1][field].is_null(), "no {field} in {}", objects[1]);
    }
    let told = predict(&home, &["bad.jpg"]);
    assert_eq!(told.status, 1);
    assert!(told.out.starts_with("bad.jpg\terror\tnot_an_image\t"), "{}", told.out);
}

#[test]
fn frames_are_what_the_network_is_fed() {
    let home = home();
    let told = predict(&home, &["--frames", "out/frames", "--json", "sky"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(told.out.lines().count(), 2);
    for line in told.out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let frame = image::open(home.path(line["frame"].as_str().unwrap())).unwrap();
        assert_eq!((frame.width(), frame.height()), (192, 192));
    }
}

#[test]
fn overlays_are_pictures_of_the_pictures_size() {
    let home = home();
    let told = predict(&home, &["--overlay", "out/masks", "sky"]);
    assert_eq!(told.status, 0, "{told:?}");
    for name in ["a", "c"] {
        let overlay = image::open(home.path(&format!("out/masks/{name}.overlay.png"))).unwrap();
        assert_eq!((overlay.width(), overlay.height()), (96, 72));
    }
    // Of a network that judges pictures as a whole there is none.
    let told = predict(&home, &["--overlay", "out", "--model", "red.onnx", "sky"]);
    told.refused(2, &["--overlay", "red"]);
}

#[test]
fn classifications_have_no_fraction() {
    let home = Home::new();
    home.write("five.jpg", picture(5));
    let told = predict(&home, &["--model", "red.onnx", "--json", "five.jpg"]);
    let object = told.json();
    assert_eq!((&object["octas"], &object["category"]), (&5.into(), &"BKN".into()));
    assert!(object["cloud_fraction"].is_null());
}

/// Cloud in the lower part of the picture, which the first station leaves out.
#[test]
fn a_stations_region_counts_when_it_is_named() {
    let home = Home::new();
    home.write(
        "celaje.toml",
        "[station]\nid = 'low'\nlatitude = 0.0\nlongitude = 0.0\ntime_zone = 'UTC'\n\
         url_base = 'http://127.0.0.1:9/'\n[station.region]\ntop = 0.6\n",
    );
    home.write("sky.jpg", pictures::jpeg(0.5));
    let okta = |args: &[&str]| {
        let told = predict(&home, args);
        assert_eq!(told.status, 0, "{told:?}");
        told.json()["octas"].as_u64().unwrap()
    };
    let whole = okta(&["--json", "sky.jpg"]);
    let below = okta(&["--json", "--station", "low", "sky.jpg"]);
    assert!((3..=5).contains(&whole), "{whole}");
    assert!(below <= 1, "{below}");
}

#[test]
fn inputs_that_are_not_there() {
    let home = home();
    predict(&home, &["none.jpg"]).refused(2, &["none.jpg"]);
    std::fs::create_dir(home.path("bare")).unwrap();
    predict(&home, &["bare"]).refused(2, &["no picture in 'bare'", "jpg"]);
    predict(&home, &["--json", "bare"]).refused(2, &["no picture in 'bare'"]);
    // One folder without any among others is no mistake.
    assert_eq!(predict(&home, &["bare", "sky"]).out.lines().count(), 2);
    predict(&home, &[]).refused(2, &["FILE|DIR"]);
    predict(&home, &["--model", "none.onnx", "bad.jpg"]).refused(3, &["none.onnx"]);
    let told = predict(&home, &["--overlay", "bad.jpg", "sky"]);
    told.refused(3, &["bad.jpg", "--overlay"]);
}
