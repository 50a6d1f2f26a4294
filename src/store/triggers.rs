//! The user's triggers on the record's tables, tried before anything is written.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::store::connection::{OWN_TABLES, run_migrations};
use crate::store::error::Fault;

/// The tables that are written beside those of the record.
const FURTHER_TABLES: [&str; 4] =
    ["celaje_identity", "celaje_writer", "alert_states", "alert_outbox"];

/// Refuses a file with triggers on the record's tables that cannot run: what fires them would fail.
/// Changes nothing.
///
/// SQLite compiles a statement with the triggers that it fires, and with those that these fire.
///
/// # Errors
/// [`Fault::Trigger`] with the names of all that cannot.
pub(super) fn try_all(connection: &mut SqliteConnection) -> Result<(), Fault> {
    let (mut names, mut first) = (Vec::new(), None);
    for table in OWN_TABLES.into_iter().chain(FURTHER_TABLES) {
        let triggers = of_table(connection, table)?;
        if triggers.is_empty() {
            continue;
        }
        if let Err(reason) = writes(connection, table) {
            names.extend(failing(connection, table, &triggers)?);
            first = first.or(Some(reason));
        }
    }
    // Ours may fire theirs.
    if !names.is_empty() {
        let own = own_names()?;
        names.retain(|name| !own.contains(name));
    }
    match first {
        // What fails without them is no fault of theirs.
        Some(reason) if !names.is_empty() => {
            Err(Fault::Trigger { names: names.join(", "), reason })
        }
        _ => Ok(()),
    }
}

/// The names of this program's triggers.
fn own_names() -> Result<Vec<String>, Fault> {
    let mut fresh = SqliteConnection::establish(":memory:")?;
    run_migrations(&mut fresh, usize::MAX)?;
    Ok(sql::<Text>("SELECT name FROM sqlite_schema WHERE type = 'trigger'").load(&mut fresh)?)
}

/// Name and statement of each trigger on a table.
fn of_table(
    connection: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<(String, String)>, Fault> {
    Ok(sql::<(Text, Text)>(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = ",
    )
    .bind::<Text, _>(table)
    .sql(" ORDER BY rowid")
    .load(connection)?)
}

/// Compiles each kind of statement that fires triggers, and runs none.
fn writes(connection: &mut SqliteConnection, table: &str) -> Result<(), String> {
    let columns: Vec<String> = sql::<Text>("SELECT name FROM pragma_table_info(")
        .bind::<Text, _>(table)
        .sql(")")
        .load(connection)
        .unwrap_or_default();
    let sets: Vec<String> = columns.iter().map(|name| format!("{name} = {name}")).collect();
    for statement in [
        format!("INSERT INTO {table} DEFAULT VALUES"),
        format!("UPDATE {table} SET {}", sets.join(", ")),
        format!("DELETE FROM {table}"),
    ] {
        let explained = diesel::sql_query(format!("EXPLAIN {statement}")).execute(connection);
        explained.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The triggers that cannot run by themselves. Each is tried without the others, in a transaction
/// that is undone.
fn failing(
    connection: &mut SqliteConnection,
    table: &str,
    triggers: &[(String, String)],
) -> Result<Vec<String>, Fault> {
    let drop = |name: &str| format!("DROP TRIGGER \"{}\"", name.replace('"', "\"\""));
    let mut names = Vec::new();
    let tried = connection.immediate_transaction::<(), diesel::result::Error, _>(|connection| {
        for (name, _) in triggers {
            connection.batch_execute(&drop(name))?;
        }
        for (name, text) in triggers {
            connection.batch_execute(text)?;
            if writes(connection, table).is_err() {
                names.push(name.clone());
            }
            connection.batch_execute(&drop(name))?;
        }
        Err(diesel::result::Error::RollbackTransaction)
    });
    match tried {
        Err(diesel::result::Error::RollbackTransaction) | Ok(()) => Ok(names),
        Err(error) => Err(error.into()),
    }
}
