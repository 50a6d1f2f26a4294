//! Confidences of the replaced system that are no probabilities.

use super::*;
use crate::store::reader::{LegacyDays, Width};

/// What the column held, by slot.
const CONFIDENCES: [&str; 8] = ["0.5", "87.5", "-0.25", "9e999", "-9e999", "'nan'", "x'30'", "1"];

fn taken_over() -> Place {
    let place = Place::new();
    let old = &mut place.other();
    run_sql(old, REPLACED);
    for (n, confidence) in (0..).zip(CONFIDENCES) {
        let captured = nth(n).format("%Y-%m-%dT%H:%M");
        // A reading, and a row that is none.
        for (name, okta) in [(slot(nth(n)).file_name(), 3), (format!("odd {n}.jpg"), 9)] {
            run_sql(
                old,
                &format!(
                    "INSERT INTO registro_historico {COLUMNS} VALUES \
                     ('{name}', 'u', '{captured}', {okta}, {confidence}, 'SCT', NULL, 'v')"
                ),
            );
        }
    }
    drop(place.open());
    place
}

#[test]
fn what_is_no_probability_is_neither_told_nor_averaged() {
    let place = taken_over();
    let told: Vec<_> = place.readings().iter().map(|item| item.confidence).collect();
    assert_eq!(told, [Some(0.5), None, None, None, None, None, None, Some(1.0)]);
    let latest = place.reader().latest(&station().id).unwrap().unwrap();
    assert_eq!(latest.confidence, Some(1.0));

    let all = ReadingFilter::all(&station().id, (whole().from(), whole().to()));
    let buckets = place.reader().buckets(&all, Width::Day, 9).unwrap();
    assert_eq!(buckets.len(), 1);
    assert_eq!((buckets[0].n, buckets[0].mean_confidence), (8, Some(0.75)));

    let days = LegacyDays::between("2024", "2025");
    let (rows, _) = place.reader().legacy_rows(&days, days.first(), 99).unwrap();
    assert_eq!(rows.len(), 2 * CONFIDENCES.len());
    let mut told: Vec<_> = rows.iter().filter_map(|row| row.confianza).collect();
    told.sort_by(f64::total_cmp);
    assert_eq!(told, [0.5, 0.5, 1.0, 1.0]);
}

/// Whoever averages over the old name meets none of them; the record keeps what there was.
#[test]
fn the_view_does_not_show_them() {
    let place = taken_over();
    let old = &mut place.other();
    let mean = "SELECT avg(confianza) || ' ' || count(confianza) || ' ' || count(*) \
         FROM registro_historico";
    assert_eq!(texts(old, mean), ["0.75 4 16"]);
    let kept = "SELECT quote(confidence) FROM observations ORDER BY slot_local";
    let kept = texts(old, kept);
    assert_eq!(kept[1..5], ["87.5", "-0.25", "9.0e+999", "-9.0e+999"]);
    assert_eq!(count(old, "legacy_rows WHERE confianza = 87.5"), 1);

    // A change of another column leaves them, a change of this one does not.
    let second = slot(nth(1)).file_name();
    run_sql(
        old,
        &format!("UPDATE registro_historico SET descripcion = 'x' WHERE filename = '{second}'"),
    );
    assert_eq!(count(old, "observations WHERE confidence = 87.5 AND description = 'x'"), 1);
    run_sql(
        old,
        &format!("UPDATE registro_historico SET confianza = 0.25 WHERE filename = '{second}'"),
    );
    assert_eq!(count(old, "observations WHERE confidence = 0.25"), 1);
    run_sql(old, "DELETE FROM registro_historico");
    assert_eq!(count(old, "observations") + count(old, "legacy_rows"), 0);
}
