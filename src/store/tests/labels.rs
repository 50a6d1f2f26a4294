//! Labels, the skill that they show, and the confidence that follows from them.

use super::*;
use crate::store::{CommitMode, LabelOrder};
use celaje_sky::labelling::Draw;

fn order(n: u32, observer: &str, okta: Option<u8>, draw: Draw) -> LabelOrder {
    let cover = okta.map(|okta| Cover::from_code(okta).unwrap());
    LabelOrder { slot: nth(n), observer: observer.to_owned(), cover, draw }
}

/// A record of `n` readings of 4 oktas with a confidence of 0.75 and a range of 3 to 5.
fn filled(n: u32) -> (Place, Database) {
    let place = Place::new();
    let mut database = place.open();
    store(&mut database, 0, n, |_| ());
    (place, database)
}

fn store(database: &mut Database, from: u32, to: u32, change: impl Fn(&mut Observation)) {
    let run = begin(database);
    let outcomes: Vec<Outcome> = (from..to)
        .map(|n| {
            let mut outcome = seen(nth(n), 4);
            if let Outcome::Observed(observation) = &mut outcome {
                change(observation);
            }
            outcome
        })
        .collect();
    database.commit(run, CommitMode::Insert, &outcomes).unwrap();
}

#[test]
fn a_label_is_kept_replaced_and_taken_back() {
    let (place, mut database) = filled(3);
    assert!(database.keep_label(&order(0, "Ana", Some(5), Draw::Unsure)).unwrap());
    assert!(database.keep_label(&order(0, "Luz", None, Draw::Random)).unwrap());
    assert!(database.keep_label(&order(1, "Ana", Some(9), Draw::Random)).unwrap());
    // No reading, no label.
    assert!(!database.keep_label(&order(7, "Ana", Some(4), Draw::Random)).unwrap());
    assert!(database.keep_label(&order(0, "Ana", Some(6), Draw::Random)).unwrap());
    let id = station().id;
    let labels = place.reader().labels(&id).unwrap();
    let told: Vec<_> = labels
        .iter()
        .map(|label| (label.slot.as_str(), label.observer.as_str(), label.okta, label.okta_read))
        .collect();
    assert_eq!(
        told,
        [
            ("2024-01-01T00:02", "Ana", Some(6), Some(4)),
            ("2024-01-01T00:02", "Luz", None, Some(4)),
            ("2024-01-01T00:12", "Ana", Some(9), Some(4)),
        ]
    );
    assert_eq!(labels[0].draw, "random");
    assert!(database.remove_label(nth(0), "Ana").unwrap());
    assert!(!database.remove_label(nth(0), "Ana").unwrap());
    assert_eq!(place.reader().labels(&id).unwrap().len(), 2);
    let report = place.reader().skill(&id).unwrap();
    assert_eq!((report.labels.all, report.labels.cannot_tell), (2, 1));
    assert!(!report.skill.is_enough && report.skill.exact.is_none());
}

#[test]
fn the_queue_leaves_out_what_was_labelled_and_frozen_pictures() {
    let (place, mut database) = filled(30);
    // The same bytes twice: the camera stands still.
    store(&mut database, 30, 32, |observation| observation.image_sha256 = "cd".repeat(32));
    let id = station().id;
    let slots = |observer: &str| -> Vec<String> {
        let queue = place.reader().label_queue(&id, observer, 0, 100).unwrap();
        queue.into_iter().map(|item| item.slot).collect()
    };
    let first = slots("Ana");
    assert_eq!(first.len(), 31);
    for n in 0..30 {
        database.keep_label(&order(n, "Ana", Some(4), Draw::Random)).unwrap();
    }
    assert_eq!(slots("Ana"), ["2024-01-01T05:02"]);
    // Another one sees some of the same.
    assert!(slots("Luz").iter().filter(|slot| slot.as_str() < "2024-01-01T05:00").count() >= 20);
}

/// 100 readings that say 0.75, of which 40 are right; the others are two oktas too high, beyond
/// their range.
fn labelled() -> (Place, Database) {
    let (place, mut database) = filled(100);
    for n in 0..100 {
        let okta = if n % 5 < 2 { 4 } else { 2 };
        let draw = if n % 2 == 0 { Draw::Random } else { Draw::Unsure };
        database.keep_label(&order(n, "Ana", Some(okta), draw)).unwrap();
    }
    (place, database)
}

#[test]
fn the_skill_of_a_station_comes_out_right() {
    let (place, _database) = labelled();
    let report = place.reader().skill(&station().id).unwrap();
    let skill = &report.skill;
    // The random half alone.
    assert_eq!((skill.labels, report.labels.unsure), (50, 50));
    let exact = skill.exact.unwrap();
    assert!((exact.value - 0.4).abs() < 1e-9 && exact.low < 0.3 && exact.high > 0.5, "{exact:?}");
    assert!((skill.bias.unwrap().value - 1.2).abs() < 1e-9);
    assert!((skill.in_range.unwrap().value - 0.4).abs() < 1e-9);
    assert!((skill.overconfidence.unwrap() - 0.35).abs() < 1e-9);
    assert_eq!((skill.confusion[2][4], skill.confusion[4][4]), (30, 20));
    assert_eq!(report.offered.labels, 100);
    assert_eq!(report.offered.confidence_before, Some(0.75));
    let after = report.offered.confidence_after.unwrap();
    // The share of right ones, and a quarter of the way back to what the model says.
    assert!((0.4..0.55).contains(&after), "{after}");
    assert_eq!((report.offered.widening, report.calibration), (1, None));
}

#[test]
fn a_calibration_is_for_new_readings_and_for_old_ones_on_request() {
    let (place, mut database) = labelled();
    let item = database.calibrate().unwrap().unwrap();
    assert_eq!((item.labels, item.widening, item.model.as_str()), (100, 1, "sky 1"));
    // Old rows are as they were; new ones have the station's confidence, range and flag.
    store(&mut database, 100, 102, |observation| observation.quality.add(Flag::Night));
    let rows = place.readings();
    let (old, new) = (&rows[0], &rows[100]);
    assert_eq!((old.confidence, old.okta_low, old.okta_high), (Some(0.75), Some(3), Some(5)));
    let confidence = new.confidence.unwrap();
    assert!((0.4..0.55).contains(&confidence), "{confidence}");
    assert_eq!((new.okta_low, new.okta_high), (Some(2), Some(6)));
    let flagged = new.quality.as_deref() == Some("night,low_confidence");
    assert_eq!(flagged, confidence < 0.5);
    let kept = "SELECT model_confidence || ' ' || model_okta_low || ' ' || model_okta_high \
        FROM observations WHERE calibration_id = 1";
    assert_eq!(texts(&mut place.other(), kept), ["0.75 3 5"; 2]);
    // Another model's rows have its own.
    store(&mut database, 102, 103, |observation| observation.model_sha256 = "ef".repeat(32));
    assert_eq!(place.readings()[102].confidence, Some(0.75));

    let report = database.recalibrate(&item).unwrap();
    assert_eq!((report.rows, report.changed), (102, 100));
    assert!(report.before > report.after);
    let rows = place.readings();
    assert_eq!((rows[0].confidence, rows[0].okta_low), (Some(confidence), Some(2)));
    assert_eq!(rows[102].confidence, Some(0.75));
    assert_eq!(database.recalibrate(&item).unwrap().changed, 0);
    // Labels are compared with what the model said, whatever the row says now: the newest
    // reading's model is another one, so take it away first.
    run_sql(&mut place.other(), "DELETE FROM observations WHERE model_sha256 LIKE 'ef%'");
    let again = database.calibrate().unwrap().unwrap();
    assert_eq!((again.intercept, again.slope), (item.intercept, item.slope));

    // And back: the model's own word.
    let none = database.end_calibration().unwrap().unwrap();
    assert_eq!(none.labels, 0);
    assert_eq!(database.recalibrate(&none).unwrap().changed, 102);
    let rows = place.readings();
    assert!(rows.iter().all(|row| row.confidence == Some(0.75) && row.okta_low == Some(3)));
    let (days, nights) = rows.split_at(100);
    assert!(days.iter().all(|row| row.quality.as_deref() == Some("ok")));
    assert!(nights.iter().all(|row| row.quality.as_deref() == Some("night")));
    let left = "observations WHERE calibration_id IS NOT NULL OR model_confidence IS NOT NULL";
    assert_eq!(count(&mut place.other(), left), 0);
    store(&mut database, 103, 104, |_| ());
    assert_eq!(place.readings().last().unwrap().confidence, Some(0.75));
}

#[test]
fn without_a_reading_there_is_nothing_to_calibrate() {
    let place = Place::new();
    let mut database = place.open();
    assert_eq!(database.calibrate().unwrap(), None);
    let report = place.reader().skill(&station().id).unwrap();
    assert_eq!((report.model, report.offered.labels), (None, 0));
    assert!(place.reader().label_queue(&station().id, "Ana", 0, 20).unwrap().is_empty());
}

#[test]
fn another_tools_okta_or_confidence_has_no_range() {
    let (place, mut database) = labelled();
    let item = database.calibrate().unwrap().unwrap();
    database.recalibrate(&item).unwrap();
    drop(database);
    let old = &mut place.other();
    let name = slot(nth(0)).file_name();
    let change =
        |what: &str| format!("UPDATE registro_historico SET {what} WHERE filename = '{name}'");
    run_sql(old, &change("url_imagen = 'http://elsewhere'"));
    assert_eq!(place.readings()[0].okta_low, Some(2));
    run_sql(old, &change("octas_predichas = 8, confianza = 0.99"));
    let row = &place.readings()[0];
    assert_eq!((row.okta, row.confidence), (8, Some(0.99)));
    assert_eq!((row.okta_low, row.okta_high), (None, None));
    assert_eq!(count(old, "observations WHERE calibration_id IS NULL"), 1);
    let mut database = place.open();
    assert_eq!(database.recalibrate(&item).unwrap().rows, 99);
    let findings = place.reader().check().unwrap();
    assert!(findings.iter().all(|finding| finding.result.is_ok()), "{findings:?}");
}
