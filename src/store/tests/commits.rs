use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::error::Fault;
use crate::store::{CommitEffect, CommitMode};
use celaje_sky::layout::Layout;

#[test]
fn an_observation_is_stored_whole() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    database.commit(run, CommitMode::Insert, &[seen(at("2024-07-01T12:02"), 3)]).unwrap();
    let row = texts(
        &mut database.connection,
        "SELECT concat_ws('|', station, slot_local, slot_utc, file_name, url, okta, \
             cloud_fraction, confidence, category, description, quality, model, \
             length(model_sha256), solar_elevation, day_phase, image_width, image_height, \
             length(image_sha256), captured_at, origin, run_id) FROM observations",
    );
    assert_eq!(
        row,
        ["rio-grande|2024-07-01T12:02|2024-07-01T15:02:00Z|2024-07011202.jpg|\
          http://camera/2024/2024-07011202.jpg|3|0.375|0.75|SCT|Nubes dispersas|ok|sky 1|64|12.5|\
          day|480|450|64|2024-07-01T12:02|celaje|1"]
    );
    let shape = "____-__-__ __:__:__";
    assert_eq!(
        count(&mut database.connection, &format!("observations WHERE created_at LIKE '{shape}'")),
        1
    );
    let old = texts(
        &mut database.connection,
        "SELECT concat_ws('|', filename, url_imagen, fecha_captura, octas_predichas, confianza, \
             categoria, descripcion, modelo_version) FROM registro_historico",
    );
    assert_eq!(
        old,
        ["2024-07011202.jpg|http://camera/2024/2024-07011202.jpg|2024-07-01T12:02|3|0.75|SCT|\
          Nubes dispersas|sky 1"]
    );
}

#[test]
fn parts_of_the_sky_are_stored_beside_the_whole() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let mut outcomes = [seen(nth(0), 3), seen(nth(1), 4)];
    if let Outcome::Observed(observation) = &mut outcomes[1] {
        let zones = [("south".to_owned(), Some(0.25)), ("\"trees\"".to_owned(), None)];
        observation.parts = SkyParts { zenith: Some(0.5), zones: zones.into() };
    }
    database.commit(run, CommitMode::Insert, &outcomes).unwrap();
    let query = "SELECT ifnull(zenith_fraction, '-') || ' ' || ifnull(zones, '-') FROM \
                 observations ORDER BY slot_local";
    let zones = r#"0.5 {"\"trees\"":null,"south":0.25}"#;
    assert_eq!(texts(&mut database.connection, query), ["- -", zones]);
    let item = place.reader().observation("rio-grande", nth(1)).unwrap().unwrap();
    let told = serde_json::to_value(&item).unwrap();
    assert_eq!(told["zones"], serde_json::json!({"\"trees\"": null, "south": 0.25}));
    assert_eq!(told["zenith_fraction"], 0.5);
}

#[test]
fn the_last_row_of_another_program_is_found() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let outcomes: Vec<Outcome> = (0..6).map(|n| seen(nth(n), 3)).collect();
    database.commit(run, CommitMode::Insert, &outcomes).unwrap();
    let last = |to: u32| place.reader().last_replaced("rio-grande", (nth(0), nth(to))).unwrap();
    assert_eq!(last(5), None);
    let old = format!("slot_local <= '{}'", crate::store::rows::slot_text(nth(2)));
    let change = format!("UPDATE observations SET origin = 'registro_historico' WHERE {old}");
    diesel::sql_query(change).execute(&mut database.connection).unwrap();
    assert_eq!((last(5), last(1)), (Some(nth(2)), Some(nth(1))));
    // By its index, whatever the number of rows.
    let plan = "EXPLAIN QUERY PLAN SELECT slot_local FROM observations WHERE station = 'a' AND \
                slot_local BETWEEN 'b' AND 'c' AND (origin <> 'celaje') ORDER BY slot_local DESC";
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let steps: Vec<Step> = diesel::sql_query(plan).load(&mut database.connection).unwrap();
    assert!(steps[0].detail.contains("observations_of_others"), "{}", steps[0].detail);
}

#[test]
fn inserting_keeps_and_replacing_replaces() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let first = [seen(nth(0), 3), missed(nth(1), MissReason::NotFound, 1), seen(nth(0), 4)];
    let done = database.commit(run, CommitMode::Insert, &first).unwrap();
    // What the run itself has stored is new still when it comes again, and counts once.
    assert_eq!(done, [CommitEffect::New, CommitEffect::Missed, CommitEffect::New]);
    let later = begin(&mut database);
    let again = [seen(nth(0), 4)];
    let done = database.commit(later, CommitMode::Insert, &again).unwrap();
    assert_eq!(done, [CommitEffect::Duplicate]);
    let second = [seen(nth(0), 5), seen(nth(1), 6)];
    let done = database.commit(run, CommitMode::Replace, &second).unwrap();
    assert_eq!(done, [CommitEffect::Replaced, CommitEffect::New]);
    let oktas: Vec<i32> = place.readings().iter().map(|item| item.okta).collect();
    assert_eq!(oktas, [5, 6]);
    let counted = "runs WHERE new = 2 AND duplicates = 0 AND missed = 0";
    assert_eq!(count(&mut place.other(), counted), 1);
    assert_eq!(database.known_misses(whole(), &source()).unwrap(), []);
    assert_eq!(database.commit(run, CommitMode::Insert, &[]).unwrap(), []);
}

#[test]
fn misses_add_up_until_the_slot_is_seen() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let later = begin(&mut database);
    let mut commit = |run, outcome| database.commit(run, CommitMode::Insert, &[outcome]).unwrap();
    commit(run, missed(nth(0), MissReason::Timeout, 3));
    commit(run, missed(nth(0), MissReason::NotFound, 1));
    commit(run, seen(nth(1), 2));
    // A stored slot has no miss, whatever a later run met.
    assert_eq!(commit(later, missed(nth(1), MissReason::Reset, 3)), [CommitEffect::Duplicate]);
    let rows = texts(
        &mut database.connection,
        "SELECT concat_ws('|', slot_local, slot_utc, reason, http_status, attempts, detail) FROM \
        misses",
    );
    assert_eq!(rows, ["2024-01-01T00:02|2024-01-01T03:02:00Z|not_found|404|4|said the camera"]);
    let known = database.known_misses(whole(), &source()).unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].slot, known[0].reason), (nth(0), MissReason::NotFound));
    assert!((chrono::Utc::now() - known[0].last_tried).num_seconds() < 60);
    database.commit(run, CommitMode::Insert, &[seen(nth(0), 1)]).unwrap();
    assert_eq!(database.known_misses(whole(), &source()).unwrap(), []);
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(0), nth(1)]);
}

#[test]
fn a_miss_speaks_for_what_was_asked_alone() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let first = [0, 1].map(|n| missed(nth(n), MissReason::NotFound, 1));
    database.commit(run, CommitMode::Insert, &first).unwrap();
    let other = [
        PictureSource { address: "http://other/".to_owned(), ..source() },
        PictureSource { layout: LayoutChoice::Root, ..source() },
    ];
    assert_eq!(database.known_misses(whole(), &source()).unwrap().len(), 2);
    for other in &other {
        assert_eq!(database.known_misses(whole(), other).unwrap(), []);
    }
    // Who asked last is whom it speaks for.
    let again = database
        .begin_run(&RunStart {
            kind: RunKind::Backfill,
            range: SlotRange::new(nth(0), nth(0)).unwrap(),
            source: other[0].clone(),
            version: "0.1.0".to_owned(),
            engine: "fake".to_owned(),
            model: "sky 1".to_owned(),
        })
        .unwrap();
    database.commit(again, CommitMode::Insert, &first[..1]).unwrap();
    let slots = |database: &mut Database, source: &PictureSource| -> Vec<_> {
        let known = database.known_misses(whole(), source).unwrap();
        known.into_iter().map(|miss| miss.slot).collect()
    };
    assert_eq!(slots(&mut database, &source()), [nth(1)]);
    assert_eq!(slots(&mut database, &other[0]), [nth(0)]);
}

#[test]
fn only_the_doubts_of_a_run_end_with_it() {
    let place = Place::new();
    let mut database = place.open();
    let doubted = |n| match missed(nth(n), MissReason::NotFound, 1) {
        Outcome::Missed(miss) => Outcome::Missed(Miss { unasked: Some(Layout::Year), ..miss }),
        seen => seen,
    };
    let run = begin(&mut database);
    let outcomes = [doubted(0), doubted(1)];
    database.commit(run, CommitMode::Insert, &outcomes).unwrap();
    let later = begin(&mut database);
    let outcomes = [doubted(2), doubted(3), seen(nth(4), 1)];
    database.commit(later, CommitMode::Insert, &outcomes).unwrap();
    let sure = [0, 2, 4].map(|n| slot(nth(n)));
    database.end_doubts(later, &sure).unwrap();
    let known = database.known_misses(whole(), &source()).unwrap();
    let left: Vec<_> = known.into_iter().map(|miss| miss.unasked).collect();
    let year = Some(Layout::Year);
    assert_eq!(left, [year, year, None, year]);
}

#[test]
fn a_slice_is_written_whole_or_not_at_all() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let Outcome::Observed(mut bad) = seen(nth(1), 2) else { unreachable!() };
    bad.confidence = Some(f64::NAN);
    let outcomes = [seen(nth(0), 1), Outcome::Observed(bad)];
    for mode in [CommitMode::Insert, CommitMode::Replace] {
        let error = database.commit(run, mode, &outcomes).unwrap_err();
        assert!(error.to_string().contains("celaje_rows_are_whole"), "{error}");
    }
    assert_eq!(database.stored_slots(whole()).unwrap(), []);
    let error = database.commit(RunId(99), CommitMode::Insert, &[seen(nth(0), 1)]).unwrap_err();
    assert!(matches!(error.fault, Fault::Renewed), "{error}");
    assert_eq!(count(&mut database.connection, "observations"), 0);
}

#[test]
fn layouts_are_remembered_by_year() {
    let place = Place::new();
    let mut database = place.open();
    for (year, layout) in [(2025, Layout::Root), (2024, Layout::Year), (2025, Layout::Year)] {
        database.remember_layout(year, layout).unwrap();
    }
    drop(database);
    let layouts = place.open().remembered_layouts().unwrap();
    assert_eq!(layouts, [(2024, Layout::Year), (2025, Layout::Year)]);
}

#[test]
fn a_sky_that_is_not_seen_is_stored_without_numbers() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let outcomes = [seen(nth(0), 9), seen(nth(1), 4)];
    let done = database.commit(run, CommitMode::Insert, &outcomes).unwrap();
    assert_eq!(done, [CommitEffect::New, CommitEffect::New]);
    let row = "SELECT concat_ws('|', okta, ifnull(cloud_fraction, '-'), ifnull(confidence, '-'), \
               category, description, quality) FROM observations ORDER BY slot_local";
    assert_eq!(texts(&mut database.connection, row)[0], "9|-|-|OBSC|Cielo no visible|placeholder");
    // Asked for no more, and no part of a mean of what can be seen.
    assert_eq!(database.stored_slots(whole()).unwrap(), [nth(0), nth(1)]);
    let mean = "SELECT format('%.2f %.2f', avg(cloud_fraction), avg(confidence)) FROM observations";
    assert_eq!(texts(&mut database.connection, mean), ["0.50 0.75"]);
    // A guess beside a nine is refused, and a nine from elsewhere too.
    for change in ["confidence = 0.5", "cloud_fraction = 1", "category = 'OVC'", "okta = 10"] {
        let sql = format!("UPDATE observations SET {change} WHERE okta = 9");
        assert!(database.connection.batch_execute(&sql).is_err(), "{change}");
    }
    let sql = "UPDATE observations SET origin = 'registro_historico' WHERE okta = 9";
    assert!(database.connection.batch_execute(sql).is_err());
}

#[test]
fn a_camera_that_stands_still_is_frozen_from_its_second_picture_on() {
    let place = Place::new();
    let mut database = place.open();
    let run = begin(&mut database);
    let same = "cd".repeat(32);
    let hours: Vec<Outcome> = (0..30).map(|n| seen_as(nth(n), 4, &same)).collect();
    database.commit(run, CommitMode::Insert, &hours).unwrap();
    assert_eq!(frozen(&mut database), (1..30).collect::<Vec<_>>());
    // A miss in between makes no difference, a picture of its own does.
    let later = [
        missed(nth(30), MissReason::Timeout, 1),
        seen_as(nth(31), 9, &same),
        seen(nth(32), 4),
        seen_as(nth(33), 4, &same),
    ];
    database.commit(run, CommitMode::Insert, &later).unwrap();
    assert_eq!(frozen(&mut database), (1..30).chain([31]).collect::<Vec<_>>());
    let quality = "SELECT quality FROM observations WHERE okta = 9";
    assert_eq!(texts(&mut database.connection, quality), ["placeholder,frozen"]);
    // A picture that takes another's place is settled anew, and the one after it too.
    let again = [seen(nth(10), 4), seen_as(nth(32), 4, &same)];
    database.commit(run, CommitMode::Replace, &again).unwrap();
    let wanted = (1..10).chain(12..30).chain(31..34).collect::<Vec<_>>();
    assert_eq!(frozen(&mut database), wanted);
    // Another station's pictures are its own affair.
    drop(database);
    let other = Station { id: "north".to_owned(), ..station() };
    let mut north = Database::open(&place.db, &other).unwrap().database;
    let run = begin(&mut north);
    let outcomes = [seen_as(nth(5), 4, &same)];
    north.commit(run, CommitMode::Insert, &outcomes).unwrap();
    assert!(frozen(&mut north).is_empty());
}

/// The slots of the database's station that are flagged as frozen.
fn frozen(database: &mut Database) -> Vec<u32> {
    let station = database.station.clone();
    let sql = format!(
        "SELECT slot_local FROM observations \
         WHERE station = '{station}' AND quality LIKE '%frozen%' ORDER BY slot_local"
    );
    texts(&mut database.connection, &sql)
        .iter()
        .map(|slot| ((at(slot) - nth(0)).num_minutes() / 10) as u32)
        .collect()
}

/// A slot's number, with its okta or, where it was missed, none.
type Item = (u32, Option<u8>);

/// Commits: whether they replace, and what they hold.
fn steps() -> impl Strategy<Value = Vec<(bool, Vec<Item>)>> {
    let outcome = (0..6u32, prop::option::of(0..=9u8));
    prop::collection::vec((any::<bool>(), prop::collection::vec(outcome, 1..5)), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_sequence_of_commits_leaves_what_a_map_would(steps in steps()) {
        let place = Place::new();
        let mut database = place.open();
        let mut stored: BTreeMap<u32, u8> = BTreeMap::new();
        let mut misses: BTreeMap<u32, i64> = BTreeMap::new();
        for (replace, slice) in steps {
            let mode = if replace { CommitMode::Replace } else { CommitMode::Insert };
            let run = begin(&mut database);
            let (before, mut ours) = (stored.len(), BTreeMap::new());
            let outcomes: Vec<Outcome> = slice
                .iter()
                .map(|(n, okta)| match okta {
                    Some(okta) => seen(nth(*n), *okta),
                    None => missed(nth(*n), MissReason::Timeout, 2),
                })
                .collect();
            let expected: Vec<CommitEffect> = slice
                .iter()
                .map(|(n, okta)| match (okta, stored.contains_key(n)) {
                    (_, true) if !replace && ours.contains_key(n) => CommitEffect::New,
                    (None, true) if ours.get(n) == Some(&CommitEffect::New) => CommitEffect::New,
                    (None, true) => CommitEffect::Duplicate,
                    (None, false) => {
                        *misses.entry(*n).or_default() += 2;
                        CommitEffect::Missed
                    }
                    (Some(_), true) if !replace => CommitEffect::Duplicate,
                    (Some(okta), was_stored) => {
                        stored.insert(*n, *okta);
                        misses.remove(n);
                        // What it has added is new, and what it has replaced is that, however
                        // often.
                        *ours.entry(*n).or_insert(match was_stored {
                            true => CommitEffect::Replaced,
                            false => CommitEffect::New,
                        })
                    }
                })
                .collect();
            prop_assert_eq!(database.commit(run, mode, &outcomes).unwrap(), expected);
            // The run's own count of new rows is that of the rows that it added.
            let new = format!("runs WHERE id = {} AND new = {}", run.0, stored.len() - before);
            prop_assert_eq!(count(&mut database.connection, &new), 1);
            // And of the rows that it replaced, each once, where it misses none.
            let replaced = ours.values().filter(|one| **one == CommitEffect::Replaced).count();
            let kept = slice.iter().any(|(_, okta)| okta.is_none());
            let counted = format!("runs WHERE id = {} AND duplicates = {replaced}", run.0);
            prop_assert!(!replace || kept || count(&mut database.connection, &counted) == 1);
        }
        let readings = place.readings();
        let read: Vec<_> = readings
            .iter()
            .map(|item| (item.time().unwrap(), item.cover().unwrap().code()))
            .collect();
        let wanted: Vec<_> = stored.iter().map(|(n, okta)| (nth(*n), *okta)).collect();
        prop_assert_eq!(read, wanted);
        let attempts = column::<BigInt, i64>(
            &mut database.connection, "SELECT attempts FROM misses ORDER BY slot_local");
        prop_assert_eq!(attempts, misses.values().copied().collect::<Vec<_>>());
        let both = "observations JOIN misses USING (station, slot_local)";
        prop_assert_eq!(count(&mut database.connection, both), 0);
        prop_assert_eq!(place.reader().quick_check().unwrap(), Vec::<String>::new());
    }

    /// Which pictures are frozen does not depend on the order in which they come.
    #[test]
    fn frozen_is_a_function_of_the_rows(
        pictures in prop::collection::vec(prop::option::of(0..3u8), 1..24),
        order in any::<u64>(),
        slice in 1..6usize,
    ) {
        let place = Place::new();
        let mut database = place.open();
        let run = begin(&mut database);
        let mut outcomes: Vec<(u64, Outcome)> = (0u32..)
            .zip(&pictures)
            .map(|(n, picture)| {
                let outcome = match picture {
                    Some(bytes) => seen_as(nth(n), 3, &format!("{bytes:064}")),
                    None => missed(nth(n), MissReason::Timeout, 1),
                };
                // An order of its own for each seed.
                let mixed = (order ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                (mixed.rotate_left(23), outcome)
            })
            .collect();
        outcomes.sort_by_key(|(key, _)| *key);
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        for slice in outcomes.chunks(slice) {
            database.commit(run, CommitMode::Insert, slice).unwrap();
        }
        let mut wanted = Vec::new();
        let mut before = None;
        for (n, picture) in (0u32..).zip(&pictures) {
            if let Some(bytes) = picture {
                if before == Some(bytes) {
                    wanted.push(n);
                }
                before = Some(bytes);
            }
        }
        prop_assert_eq!(frozen(&mut database), wanted);
    }
}
