//! The user's own triggers on the record's tables.

use super::*;
use crate::store::error::Fault;
use celaje_sky::error::Failure;

/// What the check and the opening refuse the file for, which is the same.
fn refused(place: &Place) -> Option<(String, String)> {
    let examined = Database::foresee(&place.db).map(drop);
    let opened = Database::open(&place.db, &station()).map(drop);
    let said = [examined, opened].map(|done| {
        let error = done.err()?;
        let Fault::Trigger { names, reason } = &error.fault else { panic!("{error}") };
        Some((names.clone(), reason.clone()))
    });
    assert_eq!(said[0], said[1]);
    said[0].clone()
}

#[test]
fn one_that_cannot_run_is_named_before_a_run() {
    let place = Place::new();
    drop(place.open());
    let old = &mut place.other();
    for (n, (on, statement)) in [
        ("INSERT ON observations", "INSERT INTO nowhere VALUES (1)"),
        ("UPDATE OF okta ON observations", "INSERT INTO nowhere VALUES (1)"),
        ("DELETE ON Misses", "INSERT INTO nowhere VALUES (1)"),
        ("UPDATE ON alert_outbox", "DELETE FROM nowhere"),
        ("INSERT ON runs", "INSERT INTO mine VALUES (no_such_function(NEW.id))"),
        ("UPDATE ON stations", "UPDATE mine SET y = NEW.name"),
        ("INSERT ON observations", "UPDATE mine SET x = NEW.octas"),
        ("INSERT ON observations", "INSERT INTO further VALUES (NEW.okta)"),
    ]
    .into_iter()
    .enumerate()
    {
        run_sql(
            old,
            &format!(
                "CREATE TABLE mine (x); CREATE TABLE further (x);
                 CREATE TRIGGER sound AFTER {on} BEGIN INSERT INTO mine VALUES (1); END;
                 CREATE TRIGGER \"it's\" AFTER {on} BEGIN {statement}; END;
                 CREATE TRIGGER behind AFTER INSERT ON further BEGIN
                     INSERT INTO nowhere VALUES (1); END;"
            ),
        );
        let schema = "SELECT group_concat(sql) FROM sqlite_schema";
        let before = (texts(old, schema), place.files());
        let (names, reason) = refused(&place).unwrap_or_else(|| panic!("{n}"));
        assert_eq!(names, "it's", "{n}");
        assert!(reason.contains("no such ") || reason.contains("no column"), "{n}: {reason}");
        assert_eq!((texts(old, schema), place.files()), before, "{n}");
        // What the message says helps.
        run_sql(old, "DROP TRIGGER \"it's\"");
        assert_eq!(refused(&place), None, "{n}");
        run_sql(old, "DROP TRIGGER sound; DROP TABLE further; DROP TABLE mine");
    }
}

#[test]
fn the_message_says_what_to_do_in_both_languages() {
    let place = Place::new();
    drop(place.open());
    run_sql(
        &mut place.other(),
        "CREATE TRIGGER mine AFTER INSERT ON observations BEGIN
             INSERT INTO nowhere VALUES (1); END;
         CREATE TRIGGER yours AFTER DELETE ON runs BEGIN DELETE FROM nowhere; END;",
    );
    let text = Failure::from(Database::foresee(&place.db).map(drop).unwrap_err()).text;
    for text in [&text.en, &text.es] {
        for part in ["'yours, mine'", "no such table: main.nowhere", "DROP TRIGGER"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn those_that_run_or_are_elsewhere_hinder_nothing() {
    let place = Place::new();
    drop(place.open());
    run_sql(
        &mut place.other(),
        "CREATE TABLE seen (name TEXT);
         CREATE TRIGGER sound AFTER INSERT ON observations BEGIN
             INSERT INTO seen VALUES (NEW.file_name); END;
         CREATE TRIGGER elsewhere AFTER INSERT ON seen WHEN false BEGIN SELECT 1; END;
         CREATE TABLE theirs (x);
         CREATE TRIGGER broken AFTER INSERT ON theirs BEGIN INSERT INTO nowhere VALUES (1); END;",
    );
    assert_eq!(refused(&place), None);
    let mut database = place.open();
    let run = begin(&mut database);
    database.commit(run, crate::store::CommitMode::Insert, &[seen(nth(0), 3)]).unwrap();
    assert_eq!(count(&mut place.other(), "seen"), 1);
}
