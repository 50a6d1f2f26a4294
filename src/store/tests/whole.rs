//! A takeover of today's form among views and triggers that take all its columns.

use super::*;

/// The views and triggers that the takeover of a file with these statements names, and why.
fn broken(statements: &str) -> Vec<(String, String)> {
    let place = Place::new();
    run_sql(&mut place.other(), REPLACED);
    run_sql(&mut place.other(), statements);
    let plan = planned(&place.db);
    let opened = Database::open(&place.db, &station()).unwrap();
    assert_eq!(opened.adopted.unwrap().rows, 0);
    plan.broken.into_iter().map(|it| (it.name, it.reason)).collect()
}

#[test]
fn what_takes_all_columns_goes_on() {
    let none: [(String, String); 0] = [];
    let found = broken(
        "CREATE TABLE notas (filename TEXT, oid INTEGER);
         CREATE TABLE otra (a, b, c, d, e, f, g, h, i);
         CREATE VIEW v AS SELECT * FROM registro_historico;
         CREATE VIEW over_v AS SELECT filename FROM v;
         CREATE VIEW joined AS SELECT r.* FROM registro_historico r JOIN notas n
             ON n.filename = r.filename;
         CREATE VIEW within AS SELECT count(*) AS n FROM (SELECT * FROM registro_historico);
         CREATE VIEW several AS SELECT * FROM registro_historico
             UNION SELECT * FROM otra ORDER BY 1;
         CREATE VIEW renamed (a, b, c, d, e, f, g, h, i) AS SELECT * FROM registro_historico;
         CREATE VIEW of_notas AS SELECT rowid, oid FROM notas;
         CREATE TRIGGER copies AFTER INSERT ON notas BEGIN
             INSERT INTO otra SELECT * FROM registro_historico; END;",
    );
    assert_eq!(found, none);
}

#[test]
fn what_names_a_row_number_is_named_also_beside_all_columns() {
    let found = broken(
        "CREATE TABLE notas (filename TEXT);
         CREATE TABLE otra (a, b, c, d, e, f, g, h, i);
         CREATE VIEW numbered AS SELECT rowid, * FROM registro_historico;
         CREATE VIEW quoted AS SELECT *, \"oid\" AS n FROM registro_historico;
         CREATE VIEW sorted AS SELECT * FROM registro_historico ORDER BY _rowid_;
         CREATE VIEW latest AS SELECT r.* FROM registro_historico r JOIN notas USING (filename)
             WHERE r.rowid > 7;
         CREATE VIEW several AS SELECT * FROM registro_historico WHERE rowid > 7
             UNION ALL SELECT * FROM otra;
         CREATE VIEW bound AS SELECT * FROM registro_historico WHERE \"rowid\" > 7
             UNION ALL SELECT * FROM otra;
         CREATE VIEW outer_number AS SELECT * FROM otra
             WHERE EXISTS (SELECT 1 FROM registro_historico WHERE rowid = 7);
         CREATE TRIGGER copies AFTER INSERT ON notas BEGIN
             INSERT INTO otra SELECT * FROM registro_historico WHERE oid = 1; END;",
    );
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["numbered", "quoted", "sorted", "latest", "several", "bound", "outer_number", "copies"]
    );
    for (name, reason) in &found {
        assert!(reason.starts_with("no such column: "), "{name}: {reason}");
    }
}
