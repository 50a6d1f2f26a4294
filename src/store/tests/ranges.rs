use super::*;

/// `count` misses and after them as many observations, ten minutes apart from 2020 on.
fn fill(connection: &mut SqliteConnection, count: u32) {
    let slots = |from: u32, to: u32| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to} - \
            1), \
                 t AS (SELECT strftime('%Y-%m-%dT%H:%M', '2020-01-01', (10 * i + 2) || ' minutes') \
                 AS s \
                       FROM n) "
        )
    };
    run_sql(
        connection,
        &format!(
            "{} INSERT INTO misses (station, slot_local, slot_utc, reason, attempts, detail, \
            last_tried, \
             source, layout) \
             SELECT 'rio-grande', s, s, 'not_found', 1, '', CURRENT_TIMESTAMP, 'http://camera/', \
             'auto' FROM t",
            slots(0, count)
        ),
    );
    run_sql(
        connection,
        &format!(
            "{} INSERT INTO observations (station, slot_local, file_name, okta, captured_at, \
            origin) \
             SELECT 'rio-grande', s, strftime('%Y-%m%d%H%M.jpg', s), 3, s, 'registro_historico' \
             FROM t",
            slots(count, 2 * count)
        ),
    );
}

fn plan(connection: &mut SqliteConnection, query: &str) -> String {
    #[derive(diesel::QueryableByName)]
    struct Step {
        #[diesel(sql_type = Text)]
        detail: String,
    }
    let steps: Vec<Step> =
        diesel::sql_query(format!("EXPLAIN QUERY PLAN {query}")).load(connection).unwrap();
    steps.into_iter().map(|step| step.detail).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_stored_is_answered_by_an_index_alone() {
    let place = Place::new();
    let mut database = place.open();
    fill(&mut database.connection, 100_000);
    let stored = database.stored_slots(whole()).unwrap();
    assert_eq!(stored.len(), 100_000);
    assert!(stored.is_sorted());
    assert_eq!(database.known_misses(whole(), &source()).unwrap().len(), 100_000);
    let day = SlotRange::new(stored[144], stored[287]).unwrap();
    assert_eq!(database.stored_slots(day).unwrap(), stored[144..=287]);

    let query = crate::store::queries::stored_in("rio-grande", "2020", "2030");
    let query = diesel::debug_query::<diesel::sqlite::Sqlite, _>(&query).to_string();
    // With statistics and without.
    for before in ["", "ANALYZE"] {
        run_sql(&mut database.connection, before);
        let plan = plan(&mut database.connection, &query);
        assert!(plan.starts_with("SEARCH observations USING COVERING INDEX"), "{plan}");
        assert!(plan.contains("slot_local>? AND slot_local<?"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[test]
fn the_view_uses_the_indices() {
    let place = Place::new();
    let mut database = place.open();
    fill(&mut database.connection, 1_000);
    for before in ["", "ANALYZE"] {
        run_sql(&mut database.connection, before);
        for query in [
            "SELECT * FROM registro_historico ORDER BY fecha_captura",
            "SELECT * FROM registro_historico ORDER BY fecha_captura DESC LIMIT 10",
            "SELECT * FROM registro_historico WHERE fecha_captura BETWEEN '2024' AND '2025' ORDER \
            BY fecha_captura",
            "SELECT * FROM registro_historico WHERE filename = '2024-01010002.jpg'",
        ] {
            let plan = plan(&mut database.connection, query);
            assert!(plan.contains("SEARCH observations USING INDEX"), "{query}: {plan}");
            assert!(!plan.contains("SCAN observations"), "{query}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{query}: {plan}");
        }
    }
}

#[test]
fn a_stations_counts_say_what_is_there() {
    let place = Place::new();
    let mut database = place.open();
    let empty = place.counts();
    assert_eq!((empty.observations, empty.first, empty.last), (0, None, None));
    fill(&mut database.connection, 1_000);
    let full = place.counts();
    assert_eq!((full.observations, full.misses), (1_000, 1_000));
    assert_eq!(full.first.as_deref(), Some("2020-01-07T22:42"));
    let last = database.stored_slots(whole()).unwrap().pop().map(crate::store::rows::slot_text);
    assert_eq!(full.last, last);
    assert_eq!(place.reader().schema_version().unwrap(), "0013");
    assert_eq!(place.reader().quick_check().unwrap(), Vec::<String>::new());
}
