//! What a takeover will do, found out before anything is changed.
//!
//! Which of the user's views and triggers will fail is not read from their text: the takeover is
//! tried on the file's schema, without its rows, in memory, and SQLite says what it understands
//! before and after.

use std::collections::BTreeSet;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::store::connection::{MIGRATIONS, objects};
use crate::store::error::Fault;
use crate::store::takeover::{rows, take_over_within};
use celaje_sky::station::Station;
use diesel_migrations::MigrationHarness;

/// What opening a file of the replaced system for writing does to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakeoverPlan {
    /// Rows of its table.
    pub rows: i64,
    /// The name under which its table stays in the file; none when the record has all of it.
    pub stays_as: Option<String>,
    /// Its columns beyond the nine.
    pub columns: Vec<String>,
    /// Its indices, but for those by file name or moment: the record has these.
    pub indices: Vec<String>,
    /// Its triggers.
    pub triggers: Vec<String>,
    /// The tables that it refers to by a foreign key, or that refer to it.
    pub foreign_keys: Vec<String>,
    /// The user's views and triggers that fail after it.
    pub broken: Vec<BrokenObject>,
}

/// A view or a trigger that SQLite does not understand any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenObject {
    /// Its name.
    pub name: String,
    /// What SQLite says.
    pub reason: String,
}

/// An entry of `sqlite_schema`.
type SchemaEntry = (String, String, String, String);

/// Plans the takeover of the file, which has the replaced system's table. Writes nothing.
///
/// # Errors
/// When a column is missing or a name stands in the way: [`take_over`](super::take_over) would fail
/// for the same reason.
pub(in crate::store) fn plan(connection: &mut SqliteConnection) -> Result<TakeoverPlan, Fault> {
    let entries = schema(connection)?;
    if let Some((_, name, ..)) = clash(&entries)? {
        return Err(Fault::Clash(name.clone()));
    }
    let rows = sql::<BigInt>("SELECT count(*) FROM registro_historico").get_result(connection)?;
    let (columns, foreign_keys) = (rows::further_columns(connection)?, foreign_keys(connection)?);
    let name = free_name(&objects(connection)?);
    let broken = rehearse(&entries, &name)?;
    let stays = !(columns.is_empty() && foreign_keys.is_empty() && broken.is_empty());
    let mut names = |query: &str| sql::<Text>(query).load::<String>(connection);
    Ok(TakeoverPlan {
        rows,
        stays_as: stays.then_some(name),
        columns,
        // Those without a text belong to a key.
        indices: names(
            "SELECT name FROM sqlite_schema AS it \
             WHERE type = 'index' AND lower(tbl_name) = 'registro_historico' AND sql IS NOT NULL \
                 AND (SELECT group_concat(coalesce(lower(name), '')) \
                     FROM pragma_index_info(it.name)) \
                     NOT IN ('filename', 'fecha_captura', 'fecha_hora_prediccion') \
             ORDER BY name",
        )?,
        triggers: names(
            "SELECT name FROM sqlite_schema \
             WHERE type = 'trigger' AND lower(tbl_name) = 'registro_historico' ORDER BY name",
        )?,
        foreign_keys,
        broken,
    })
}

/// Type, name, table and text of what the file holds, in an order in which it can be made.
fn schema(connection: &mut SqliteConnection) -> Result<Vec<SchemaEntry>, Fault> {
    Ok(sql::<(Text, Text, Text, Text)>(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema \
         WHERE sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_' \
         ORDER BY type = 'trigger', type = 'view', type = 'index', rowid",
    )
    .load(connection)?)
}

/// The entry whose name the record needs for itself.
fn clash(entries: &[SchemaEntry]) -> Result<Option<&SchemaEntry>, Fault> {
    let mut fresh = SqliteConnection::establish(":memory:")?;
    fresh.run_pending_migrations(MIGRATIONS).map_err(|e| Fault::Migration(e.to_string()))?;
    let own = schema(&mut fresh)?;
    // Triggers have names of their own; tables, views and indices share theirs.
    let key = |(kind, name, ..): &SchemaEntry| (kind == "trigger", name.to_lowercase());
    let own: BTreeSet<_> = own.iter().map(key).collect();
    let replaced = (false, "registro_historico".to_owned());
    Ok(entries.iter().find(|entry| key(entry) != replaced && own.contains(&key(entry))))
}

/// The tables that the replaced system's table refers to by a foreign key, or that refer to it.
fn foreign_keys(connection: &mut SqliteConnection) -> Result<Vec<String>, Fault> {
    Ok(sql::<Text>(
        "SELECT it.name FROM sqlite_schema AS it, pragma_foreign_key_list(it.name) AS key \
         WHERE it.type = 'table' AND it.sql NOT LIKE 'CREATE VIRTUAL%' \
             AND lower(it.name) <> 'registro_historico' \
             AND lower(key.\"table\") = 'registro_historico' \
         UNION SELECT \"table\" FROM pragma_foreign_key_list('registro_historico') ORDER BY 1",
    )
    .load(connection)?)
}

/// A name for the replaced system's table that nothing in the file has.
fn free_name(objects: &[(String, String)]) -> String {
    let names = (1..).map(|n| match n {
        1 => "registro_historico_anterior".to_owned(),
        _ => format!("registro_historico_anterior_{n}"),
    });
    let mut free = names.filter(|name| !objects.iter().any(|(_, taken)| taken == name));
    free.next().unwrap_or_default()
}

/// Takes the schema over in memory, and gives what SQLite understood of it before and not after.
fn rehearse(entries: &[SchemaEntry], stays_as: &str) -> Result<Vec<BrokenObject>, Fault> {
    let mut replica = SqliteConnection::establish(":memory:")?;
    let (triggers, others): (Vec<_>, Vec<_>) =
        entries.iter().partition(|(kind, ..)| kind == "trigger");
    for (kind, name, _, text) in &others {
        let Err(error) = diesel::sql_query(text.as_str()).execute(&mut replica) else { continue };
        let reason = error.to_string();
        // A virtual table whose module is not here hinders nothing; one that is made makes its
        // own tables. Without an ordinary table, though, SQLite copies no file.
        let hinders = kind != "view" && !text.starts_with("CREATE VIRTUAL");
        if hinders && !reason.contains("already exists") {
            return Err(Fault::Obstacle { name: format!("{kind} {name}"), reason });
        }
    }
    let watched: Vec<_> = others
        .into_iter()
        .filter(|(kind, ..)| kind == "view")
        .chain(triggers)
        .filter(|(_, _, table, _)| !table.eq_ignore_ascii_case("registro_historico"))
        .collect();
    let look = |replica: &mut SqliteConnection| -> Vec<Vec<Result<(), String>>> {
        watched.iter().map(|entry| understood(replica, entry)).collect()
    };
    let before = look(&mut replica);
    prepare(&mut replica, true)?;
    replica.immediate_transaction(|replica| {
        take_over_within(replica, &Station::rio_grande(), Some(stays_as))
    })?;
    let after = look(&mut replica);
    let broken = watched.iter().zip(before.iter().zip(after)).filter_map(|(entry, (old, new))| {
        let failed = old.iter().zip(new).filter(|(old, _)| old.is_ok());
        let reason = failed.filter_map(|(_, new)| new.err()).next()?;
        Some(BrokenObject { name: entry.1.clone(), reason })
    });
    Ok(broken.collect())
}

/// Sets how SQLite renames and drops a table, which it lets nobody set inside a transaction.
///
/// A table that stays takes the foreign keys to it along under its new name, while views and
/// triggers go on naming `registro_historico`. One that goes is dropped with foreign keys off: else
/// SQLite deletes its rows first, and acts upon what refers to them.
pub(super) fn prepare(connection: &mut SqliteConnection, stays: bool) -> Result<(), Fault> {
    let keys = if stays { "ON" } else { "OFF" };
    connection
        .batch_execute(&format!("PRAGMA legacy_alter_table = ON; PRAGMA foreign_keys = {keys}"))?;
    Ok(())
}

/// Whether SQLite understands a view, or each kind of statement that may fire a trigger.
fn understood(
    replica: &mut SqliteConnection,
    (kind, name, table, text): &SchemaEntry,
) -> Vec<Result<(), String>> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    if kind == "view" {
        return vec![explained(replica, &format!("SELECT * FROM {}", quoted(name)))];
    }
    let columns: Vec<String> = sql::<Text>("SELECT name FROM pragma_table_xinfo(")
        .bind::<Text, _>(table)
        .sql(") WHERE hidden = 0")
        .load(replica)
        .unwrap_or_default();
    let sets: Vec<String> = columns.iter().map(|name| format!("{0} = {0}", quoted(name))).collect();
    let table = quoted(table);
    let statements = [
        format!("INSERT INTO {table} DEFAULT VALUES"),
        format!("UPDATE {table} SET {}", sets.join(", ")),
        format!("DELETE FROM {table}"),
    ];
    let mut answers = Vec::new();
    let _ = replica.transaction::<(), diesel::result::Error, _>(|replica| {
        diesel::sql_query(text.as_str()).execute(replica)?;
        answers = statements.iter().map(|statement| explained(replica, statement)).collect();
        Err(diesel::result::Error::RollbackTransaction)
    });
    answers
}

/// Whether SQLite understands a statement, which is not run.
fn explained(replica: &mut SqliteConnection, statement: &str) -> Result<(), String> {
    diesel::sql_query(format!("EXPLAIN {statement}"))
        .execute(replica)
        .map(drop)
        .map_err(|error| error.to_string())
}
