//! What a takeover will do, found out before anything is changed.

use std::collections::BTreeSet;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::store::connection::{objects, run_migrations};
use crate::store::error::Fault;
use crate::store::takeover::rehearsal::{Rehearsal, SchemaEntry, schema};
use crate::store::takeover::rows;

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
    /// The rules of its definition that the view does not enforce: `UNIQUE (fecha_captura)`,
    /// `CHECK`.
    pub rules: Vec<String>,
    /// Its triggers.
    pub triggers: Vec<String>,
    /// The tables that it refers to by a foreign key, or that refer to it.
    pub foreign_keys: Vec<String>,
    /// The user's views, triggers and virtual tables that fail after it, or mean something else.
    pub broken: Vec<BrokenObject>,
}

/// A view, a trigger or a virtual table that no longer does what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenObject {
    /// Its name.
    pub name: String,
    /// What SQLite says, or would say if it took no unknown name for a text.
    pub reason: String,
}

/// Plans the takeover of the file, which has the replaced system's table. Writes nothing.
///
/// # Errors
/// When a column is missing or a name stands in the way: [`take_over`](super::take_over) would fail
/// for the same reason.
pub(in crate::store) fn plan(connection: &mut SqliteConnection) -> Result<TakeoverPlan, Fault> {
    let entries = schema(connection)?;
    if let Some(entry) = clash(&entries)? {
        return Err(Fault::Clash(entry.name.clone()));
    }
    let rows = sql::<BigInt>("SELECT count(*) FROM registro_historico").get_result(connection)?;
    let present = rows::present(connection)?;
    let (columns, foreign_keys) = (rows::further_columns(&present), foreign_keys(connection)?);
    let name = free_name(&objects(connection)?);
    let has_rowid = rows::has_rowid(connection)?;
    let broken = Rehearsal { entries: &entries, columns: &present, has_rowid }.broken(&name)?;
    let stays = !(columns.is_empty() && foreign_keys.is_empty() && broken.is_empty());
    let (indices, mut rules) = indices(connection)?;
    rules.extend(has_checks(&entries).then(|| "CHECK".to_owned()));
    let triggers = sql::<Text>(
        "SELECT name FROM sqlite_schema \
         WHERE type = 'trigger' AND lower(tbl_name) = 'registro_historico' ORDER BY name",
    )
    .load(connection)?;
    let stays_as = stays.then_some(name);
    Ok(TakeoverPlan { rows, stays_as, columns, indices, rules, triggers, foreign_keys, broken })
}

/// The entry whose name the record needs for itself.
fn clash(entries: &[SchemaEntry]) -> Result<Option<&SchemaEntry>, Fault> {
    let mut fresh = SqliteConnection::establish(":memory:")?;
    run_migrations(&mut fresh, usize::MAX)?;
    let own = schema(&mut fresh)?;
    // Triggers have names of their own; tables, views and indices share theirs.
    let key = |entry: &SchemaEntry| (entry.kind == "trigger", entry.name.to_lowercase());
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

/// The indices that the record does not have, by name, and the rules of uniqueness in the table's
/// definition that it does not enforce.
///
/// The record has a unique index by file name and an index by moment. The older form's key is its
/// moment, which the record does not need.
fn indices(connection: &mut SqliteConnection) -> Result<(Vec<String>, Vec<String>), Fault> {
    // Its name, whether it belongs to the definition, whether it is unique, its columns, and
    // whether one of them is an expression or has a collation of its own, or it has a condition.
    let all: Vec<(String, bool, bool, String, bool)> = sql::<(Text, Bool, Bool, Text, Bool)>(
        "SELECT it.name, it.origin <> 'c', it.\"unique\", \
             (SELECT group_concat(lower(coalesce(name, '?')), ', ') \
              FROM (SELECT name FROM pragma_index_xinfo(it.name) WHERE key ORDER BY seqno)), \
             it.partial OR EXISTS (SELECT 1 FROM pragma_index_xinfo(it.name) \
                 WHERE key AND (cid < 0 OR coll <> 'BINARY')) \
         FROM pragma_index_list('registro_historico') AS it ORDER BY it.name",
    )
    .load(connection)?;
    let (mut names, mut rules) = (Vec::new(), Vec::new());
    for (name, in_definition, is_unique, columns, is_special) in all {
        let is_succeeded = match columns.as_str() {
            "filename" => !is_special || in_definition,
            "fecha_captura" => !is_special && !is_unique,
            "fecha_hora_prediccion" => !is_special || in_definition,
            // Where the file name is unique, the name and more are.
            more => in_definition && more.split(", ").any(|column| column == "filename"),
        };
        if is_succeeded {
            continue;
        }
        if in_definition {
            rules.push(format!("UNIQUE ({columns})"));
        } else {
            names.push(name);
        }
    }
    Ok((names, rules))
}

/// Whether the table's definition has the word CHECK.
fn has_checks(entries: &[SchemaEntry]) -> bool {
    let mut tables = entries.iter().filter(|entry| entry.is_old_table());
    tables.any(|table| {
        let mut words = table.text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.any(|word| word.eq_ignore_ascii_case("check"))
    })
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
