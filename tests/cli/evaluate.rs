//! `celaje evaluate`.

use image::{GrayImage, ImageEncoder, Luma};
use serde_json::Value;

use crate::support::pictures;
use crate::{Home, Told, run};

fn evaluate(home: &Home, args: &[&str]) -> Told {
    let mut command = home.celaje(["evaluate", "--engine", "rten", "--threads", "1", "--quiet"]);
    run(command.args(args))
}

/// A mask of which the upper part, `cloud` of its height, is cloud, and the last rows undefined.
fn mask(cloud: f64) -> Vec<u8> {
    let mask = GrayImage::from_fn(96, 72, |_, y| match y {
        66.. => Luma([0]),
        y if f64::from(y) < cloud * 72.0 => Luma([255]),
        _ => Luma([100]),
    });
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(&mask, 96, 72, image::ExtendedColorType::L8)
        .unwrap();
    bytes
}

/// Three pictures with labels in `data/`: clear, half, overcast; the last label is wrong.
fn home() -> Home {
    let home = Home::new();
    for (name, cloud) in [("clear", 0.0), ("half", 0.5), ("over", 1.0)] {
        home.write(&format!("data/{name}.jpg"), pictures::jpeg(cloud));
        home.write(&format!("data/{name}.png"), mask(cloud));
    }
    home.write(
        "data/labels.csv",
        "group,image,mask,camera,cloud_fraction,okta\n\
         one,clear.jpg,clear.png,\"a, b\",0.0,0\n\
         two,half.jpg,half.png,c,0.5,\n\
         two,over.jpg,,c,,1\n",
    );
    home
}

#[test]
fn the_figures_are_those_of_the_readings() {
    let home = home();
    let told = evaluate(&home, &["--json", "data/labels.csv"]);
    assert_eq!((told.status, told.err.as_str()), (0, ""), "{told:?}");
    let report = told.json();
    assert_eq!(report["model"], "celaje-6 6");
    assert_eq!(report["station"], Value::Null);
    let all = &report["all"];
    assert_eq!((&all["n"], &all["failed"]), (&3.into(), &0.into()));
    assert_eq!((&all["fractions"], &all["masks"]), (&2.into(), &2.into()));
    assert!(all["pixel_accuracy"].as_f64().unwrap() > 0.85, "{all}");
    let names = |parts: &str| -> Vec<String> {
        let parts = report[parts].as_array().unwrap();
        let names = parts.iter().map(|part| part["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    assert_eq!(names("groups"), ["one", "two"]);
    assert_eq!(names("cameras"), ["a, b", "c"]);
    // The wrong label is seven oktas off.
    assert!(report["groups"][1]["okta_bias"].as_f64().unwrap() > 2.0, "{report}");
    assert_eq!(all["bins"].as_array().unwrap().len(), 10);
    let counts = all["confusion"].as_array().unwrap();
    let counts = counts.iter().flat_map(|row| row.as_array().unwrap());
    assert_eq!(counts.map(|n| n.as_u64().unwrap()).sum::<u64>(), 3);
    assert!(!home.has("registros-octas.db"), "a database was made");
}

#[test]
fn a_table_in_the_users_language_and_groups_that_are_chosen() {
    let home = home();
    let told = evaluate(&home, &["--group", "two", "data/labels.csv"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.out.contains("\nall  2       0 ") && !told.out.contains("\none"), "{}", told.out);
    let told = evaluate(&home, &["--lang", "es", "--group", "one,two", "data/labels.csv"]);
    assert!(told.out.contains("\ntodas ") && told.out.contains("100,0"), "{}", told.out);
    evaluate(&home, &["--group", "three", "data/labels.csv"]).refused(2, &["'three'", "one, two"]);
}

#[test]
fn bad_rows_are_a_sentence_each_and_status_1() {
    let home = home();
    home.write("data/bad.jpg", pictures::html());
    home.write("data/tall.png", pictures::flat([255; 3]));
    home.write("data/empty.png", mask(0.0).len().to_string());
    home.write(
        "data/bad.csv",
        "image,okta,mask\nnone.jpg,3,\nclear.jpg,12,\nclear.jpg,,\nbad.jpg,1,\n\
         clear.jpg,0,empty.png\n\
         half.jpg,4,tall.png\nclear.jpg,,clear.png\n",
    );
    let told = evaluate(&home, &["--json", "data/bad.csv", "--out", "rows.csv"]);
    assert_eq!(told.status, 1);
    let lines: Vec<&str> = told.err.lines().collect();
    assert_eq!(lines.len(), 6, "{}", told.err);
    for part in [
        "line 2: there is no file data/none.jpg",
        "line 3: an okta of 12",
        "line 4: clear.jpg has no label",
        "line 5: data/bad.jpg cannot be used (not_an_image",
        "line 6: data/empty.png cannot be used (not_an_image",
        "line 7: the mask data/tall.png ",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(part)), "{part}: {}", told.err);
    }
    let all = &told.json()["all"];
    assert_eq!((&all["n"], &all["failed"]), (&1.into(), &6.into()));
    // The mask alone is a label too.
    assert_eq!(all["fractions"], 1);
    let rows = std::fs::read_to_string(home.path("rows.csv")).unwrap();
    assert_eq!(rows.lines().count(), 1 + 5, "{rows}");
    assert!(rows.contains("none.jpg,,3,,"), "{rows}");
}

#[test]
fn what_cannot_be_understood_is_status_2() {
    let home = home();
    home.write("data/odd.csv", "picture,okta\na.jpg,3\n");
    evaluate(&home, &["data/odd.csv"]).refused(2, &["data/odd.csv", "'image'"]);
    evaluate(&home, &["data/bare.csv"]).refused(2, &["data/bare.csv"]);
    evaluate(&home, &["data"]).refused(2, &["octa_0"]);
    evaluate(&home, &[]).refused(2, &["LABELS.csv"]);
    evaluate(&home, &["data/labels.csv", "--out", "no/rows.csv"]).refused(3, &["no/rows.csv"]);
    evaluate(&home, &["data/labels.csv", "--plot", "red.onnx"]).refused(3, &["red.onnx"]);
}

#[test]
fn labelled_folders_of_the_replaced_system() {
    let home = Home::new();
    for (folder, cloud) in [("dia_octa_0", 0.0), ("dia_octa_8", 1.0), ("noche_okta_4", 0.5)] {
        home.write(&format!("old/{folder}/a.jpg"), pictures::jpeg(cloud));
    }
    let told = evaluate(&home, &["--json", "old"]);
    assert_eq!(told.status, 0, "{told:?}");
    let report = told.json();
    assert_eq!(report["all"]["n"], 3);
    assert_eq!(report["groups"][0]["name"], "dia");
    assert_eq!(report["groups"][1]["name"], "noche");
    assert_eq!(report["all"]["confusion"][4].as_array().unwrap().len(), 10);
    assert_eq!(report["all"]["fractions"], 0);
}

#[test]
fn its_own_rows_agree_with_it_and_others_do_not() {
    let home = home();
    let told = evaluate(&home, &["data/labels.csv", "--out", "rows.csv"]);
    assert_eq!(told.status, 0, "{told:?}");
    let told = evaluate(&home, &["data/labels.csv", "--against", "rows.csv", "--json"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(told.json()["against"]["compared"], 3);
    home.write("other.csv", "image,okta,cloud_fraction\nover.jpg,2,0.25\nx.jpg,1,0.1\n");
    let told = evaluate(&home, &["data/labels.csv", "--against", "other.csv"]);
    assert_eq!(told.status, 1);
    assert!(told.out.contains("over.jpg: 8 here, 2 there"), "{}", told.out);
    assert!(told.out.contains("1 pictures, 2 only here, 1 only there"), "{}", told.out);
    home.write("broken.csv", "image,okta\nover.jpg,many\n");
    evaluate(&home, &["data/labels.csv", "--against", "broken.csv"])
        .refused(2, &["broken.csv, line 2", "'many'"]);
}

#[test]
fn plots_are_pictures() {
    let home = home();
    let told = evaluate(&home, &["data/labels.csv", "--plot", "new/plots", "--lang", "es"]);
    assert_eq!(told.status, 0, "{told:?}");
    for name in ["confusion", "reliability"] {
        let png = home.path(&format!("new/plots/{name}.png"));
        assert!(std::fs::metadata(&png).unwrap().len() < 100_000);
        assert!(image::open(png).unwrap().width() > 400);
        let svg = std::fs::read_to_string(home.path(&format!("new/plots/{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("celaje-6 6"), "{svg}");
    }
}

#[test]
fn classifications_have_oktas_alone() {
    let home = Home::new();
    home.write("five.jpg", crate::picture(5));
    home.write("labels.csv", "image,okta,cloud_fraction\nfive.jpg,5,0.6\n");
    let told = evaluate(&home, &["--model", "red.onnx", "--json", "labels.csv"]);
    let all = &told.json()["all"];
    assert_eq!((&all["exact"]["value"], &all["fractions"]), (&1.0.into(), &0.into()));
    assert!(all["fraction_error"].is_null() && all["pixel_accuracy"].is_null());
}
