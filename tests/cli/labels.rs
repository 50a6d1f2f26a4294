//! `celaje labels export` and `celaje recalibrate`.

use crate::support::server::Server;
use crate::{Home, Told, camera, run};

/// A home with the record of six hours before a camera, and labels of the first twenty slots: every
/// other one is an okta less than was read. One has two observers.
fn home() -> (Home, Server) {
    let home = Home::new();
    let server = camera();
    let mut command = home.backfill(&server.base(), "2024-03-01T00:00", "2024-03-01T05:59");
    assert_eq!(run(&mut command).status, 0);
    let mut record = home.record("cielo.db");
    record.execute(
        "INSERT INTO celaje_labels
         SELECT station, slot_local, 'Ana',
             max(okta - row_number() OVER (ORDER BY slot_local) % 2, 0), 'random', image_sha256,
             '2024-03-02 00:00:00'
         FROM observations ORDER BY slot_local LIMIT 20;
         INSERT INTO celaje_labels
         SELECT station, slot_local, 'Luz', 8, 'random', image_sha256, '2024-03-03 00:00:00'
         FROM observations ORDER BY slot_local LIMIT 1;
         INSERT INTO celaje_labels
         SELECT station, slot_local, 'Luz', NULL, 'random', image_sha256, '2024-03-03 00:00:00'
         FROM observations ORDER BY slot_local DESC LIMIT 1;",
    );
    (home, server)
}

fn export(home: &Home, server: &Server) -> Told {
    let mut command = home.celaje(["labels", "export", "mine", "--db", "cielo.db"]);
    run(command.args(["--url-base", &server.base()]))
}

#[test]
fn labelled_pictures_are_written_for_training_and_evaluation() {
    let (home, server) = home();
    let told = export(&home, &server);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.out.contains("20 labelled pictures; 0 could not be had"), "{told:?}");
    let table = std::fs::read_to_string(home.path("mine/labels.csv")).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "group,image,mask,camera,cloud_fraction,okta,okta_lo,okta_hi");
    // From the least to the greatest that somebody saw.
    assert_eq!(lines[1], "rio-grande,images/2024-03010002.jpg,,rio-grande,,0,0,8");
    assert_eq!(lines[2], "rio-grande,images/2024-03010012.jpg,,rio-grande,,1,1,1");
    assert_eq!(lines.len(), 21);
    // A second time only the table is written.
    server.forget_requests();
    assert_eq!(export(&home, &server).status, 0);
    assert_eq!(server.requests(), Vec::<String>::new());
    let mut evaluate = home.celaje(["evaluate", "mine/labels.csv", "--json", "--quiet"]);
    let told = run(evaluate.args(["--engine", "rten", "--model", "red.onnx", "--threads", "1"]));
    assert_eq!(told.status, 0, "{told:?}");
    assert_eq!(told.json()["all"]["n"], 20);
    assert_eq!(told.json()["all"]["within_one"], 1.0);
    // Another picture than the one that was looked at is no label.
    let changed = "UPDATE celaje_labels SET image_sha256 = 'other' WHERE observer = 'Ana' \
        AND slot_local = '2024-03-01T00:12'";
    home.record("cielo.db").execute(changed);
    let told = export(&home, &server);
    assert_eq!(told.status, 1, "{told:?}");
    assert!(told.err.contains("another picture than the one that was labelled"), "{told:?}");
}

#[test]
fn stored_confidences_follow_the_labels_and_come_back() {
    let (home, _server) = home();
    let recalibrate = |more: &[&str]| {
        let mut command = home.celaje(["recalibrate", "--db", "cielo.db"]);
        run(command.args(more))
    };
    let before = home.record("cielo.db").rows();
    let told = recalibrate(&["--dry-run"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.out.contains("20 labels of readings of red 3"), "{told:?}");
    assert_eq!(home.record("cielo.db").rows(), before);
    let told = recalibrate(&[]);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.out.contains("36 of 36 stored readings of red 3 changed"), "{told:?}");
    let mut record = home.record("cielo.db");
    let fitted = "observations WHERE calibration_id = 1 AND confidence < model_confidence";
    assert!(record.count(fitted) >= 20, "{:?}", record.rows());
    let told = recalibrate(&["--reset"]);
    assert!(told.out.contains("36 of 36"), "{told:?}");
    assert_eq!(home.record("cielo.db").rows(), before);
    let checked = run(home.celaje(["db", "check"]).args(["--db", "cielo.db"]));
    assert_eq!(checked.status, 0, "{checked:?}");
}

#[test]
fn without_labels_it_is_said_what_to_do() {
    let home = Home::new();
    let server = camera();
    let mut command = home.backfill(&server.base(), "2024-03-01T00:00", "2024-03-01T00:59");
    assert_eq!(run(&mut command).status, 0);
    let told = run(home.celaje(["recalibrate"]).args(["--db", "cielo.db"]));
    told.refused(2, &["rio-grande", "label some pictures"]);
    export(&home, &server).refused(2, &["rio-grande", "label pictures"]);
    assert!(!home.has("mine"));
    let told = run(home.celaje(["recalibrate"]).args(["--db", "none.db"]));
    assert_ne!(told.status, 0);
    assert!(!home.has("none.db"));
}
