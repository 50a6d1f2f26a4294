//! The takeover tried in memory, on the file's schema without its rows.
//!
//! Which views, triggers and virtual tables of the user's it breaks is not read from their text:
//! SQLite says what it makes of each, before and after. That a statement still compiles is not
//! enough. SQLite takes an unknown name in double quotes for a text, and looks for an unknown name
//! of a subquery in the query around it, so that a statement may read something else from then on.
//! Such a name shows in the program that SQLite makes of the statement: it is compiled over two
//! tables that differ in the name of one column alone, and the programs differ where that name is
//! used.
//!
//! The names of a row's number are columns of these two tables, though not of the old one: what
//! takes all columns (`*`) has them too, in both, and its program is the same for both.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::store::connection::transaction;
use crate::store::error::Fault;
use crate::store::takeover::plan::BrokenObject;
use crate::store::takeover::rows::{COLUMNS, OldColumn};
use crate::store::takeover::{prepare, take_over_within};
use celaje_sky::station::Station;

/// The names of a row's number.
const ROWIDS: [&str; 3] = ["rowid", "oid", "_rowid_"];
/// A column that nothing names.
const NAMELESS: &str = "celaje: no such name";

/// An entry of `sqlite_schema`.
pub(super) struct SchemaEntry {
    /// `table`, `index`, `view`, `trigger`.
    pub(super) kind: String,
    pub(super) name: String,
    table: String,
    /// The statement that makes it.
    pub(super) text: String,
}

impl SchemaEntry {
    fn is_virtual(&self) -> bool {
        self.text.starts_with("CREATE VIRTUAL")
    }

    pub(super) fn is_old_table(&self) -> bool {
        self.kind == "table" && self.name.eq_ignore_ascii_case("registro_historico")
    }

    fn is_on_old_table(&self) -> bool {
        self.table.eq_ignore_ascii_case("registro_historico")
    }
}

/// What the file holds, in an order in which it can be made. The tables that a virtual table keeps
/// for itself are left out: it makes them.
pub(super) fn schema(connection: &mut SqliteConnection) -> Result<Vec<SchemaEntry>, Fault> {
    let entries: Vec<(String, String, String, String)> = sql::<(Text, Text, Text, Text)>(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema \
         WHERE sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_' \
             AND NOT (type = 'table' AND name IN (SELECT name FROM pragma_table_list \
                 WHERE schema = 'main' AND type = 'shadow')) \
         ORDER BY type = 'trigger', type = 'view', type = 'index', \
             sql LIKE 'CREATE VIRTUAL%', rowid",
    )
    .load(connection)?;
    let entry = |(kind, name, table, text)| SchemaEntry { kind, name, table, text };
    Ok(entries.into_iter().map(entry).collect())
}

/// A file's schema, to be taken over in memory.
pub(super) struct Rehearsal<'a> {
    pub(super) entries: &'a [SchemaEntry],
    /// Of the replaced system's table.
    pub(super) columns: &'a [OldColumn],
    /// Whether that table has a `rowid`.
    pub(super) has_rowid: bool,
}

/// What SQLite makes of an object: the answer for each statement that may use it.
type Answers = Vec<Result<Understanding, String>>;

/// A statement as SQLite understands it.
#[derive(Debug, PartialEq)]
struct Understanding {
    /// Names of its columns.
    columns: Vec<String>,
    program: Vec<Operation>,
}

/// Name and parameters of an operation of SQLite's virtual machine.
type Operation = (String, i64, i64, i64, Option<String>, i64);

/// Two tables that differ in one thing, and what an object that tells them apart suffers from.
struct Change {
    reason: String,
    with: String,
    without: String,
    differ_in: Difference,
}

/// What two tables differ in.
#[derive(Clone, Copy, PartialEq)]
enum Difference {
    /// The name of a column.
    Name,
    /// The name of a row's number, which no statement gets by `*`.
    RowNumber,
    /// A column that the second one has more, which shows in what uses all of them in their order.
    Order,
}

impl Change {
    /// Whether a statement that uses `entry` tells the two tables apart.
    fn is_seen(
        &self,
        entry: &SchemaEntry,
        with: &Result<Understanding, String>,
        without: &Result<Understanding, String>,
    ) -> bool {
        let (Ok(before), after) = (with, without) else { return false };
        let fails = after.is_err();
        match self.differ_in {
            Difference::Name => after.as_ref() != Ok(before),
            Difference::RowNumber => {
                fails || after.as_ref().is_ok_and(|after| after.program != before.program)
            }
            // What writes a row writes all its columns, whether it names them or not.
            Difference::Order if entry.kind == "trigger" => fails,
            Difference::Order => after.as_ref() != Ok(before),
        }
    }
}

impl Rehearsal<'_> {
    /// The objects that fail after the takeover or mean something else, though they did not fail
    /// before. `stays_as`: the name under which the old table stays.
    ///
    /// # Errors
    /// [`Fault::Obstacle`] when something cannot be made here: SQLite would then copy no file.
    pub(super) fn broken(&self, stays_as: &str) -> Result<Vec<BrokenObject>, Fault> {
        let watched: Vec<_> = self.entries.iter().filter(|entry| is_watched(entry)).collect();
        let mut replica = self.replica(None)?;
        let before = look(&mut replica, &watched);
        prepare(&mut replica, true)?;
        transaction(&mut replica, |replica| {
            take_over_within(replica, &Station::rio_grande(), Some(stays_as))
        })?;
        let after = look(&mut replica, &watched);
        let mut reasons: Vec<Option<String>> = before
            .iter()
            .zip(&after)
            .map(|(before, after)| before.iter().zip(after).find_map(|two| failure(two.0, two.1)))
            .collect();
        for change in self.changes() {
            let with = look(&mut self.replica(Some(&change.with))?, &watched);
            let without = look(&mut self.replica(Some(&change.without))?, &watched);
            for (n, reason) in reasons.iter_mut().enumerate() {
                let answers = before[n].iter().zip(with[n].iter().zip(&without[n]));
                let mut answers = answers.filter(|(before, _)| before.is_ok());
                if reason.is_none() && answers.any(|(_, (a, b))| change.is_seen(watched[n], a, b)) {
                    *reason = Some(change.reason.clone());
                }
            }
        }
        let broken = watched.iter().zip(reasons).filter_map(|(entry, reason)| {
            Some(BrokenObject { name: entry.name.clone(), reason: reason? })
        });
        Ok(broken.collect())
    }

    /// What changes for those who use the old table by the names or the order of its columns.
    fn changes(&self) -> Vec<Change> {
        let own: Vec<(&str, &str)> =
            self.columns.iter().map(|it| (it.name.as_str(), it.declared.as_str())).collect();
        let has = |name: &str| self.columns.iter().any(|column| column.is(name));
        let more = |columns: &[(&str, &str)], name| table(&[columns, &[(name, "")]].concat());
        let mut columns = own.clone();
        let mut changes = Vec::new();
        for (n, column) in self.columns.iter().enumerate() {
            if column.is_in_view() {
                continue;
            }
            let (name, declared) = columns[n];
            columns[n] = (NAMELESS, declared);
            changes.push(Change {
                reason: format!("no such column: {name}"),
                with: table(&own),
                without: table(&columns),
                differ_in: Difference::Name,
            });
            columns[n] = (name, declared);
        }
        changes.extend(self.row_numbers(&own));
        for name in COLUMNS.into_iter().filter(|name| !has(name)) {
            changes.push(Change {
                reason: format!("new column: {name}"),
                with: more(&own, NAMELESS),
                without: more(&own, name),
                differ_in: Difference::Name,
            });
        }
        let begins_alike = self.columns.iter().zip(COLUMNS).all(|(column, name)| column.is(name));
        if !begins_alike || self.columns.len() < COLUMNS.len() {
            changes.push(Change {
                reason: "other columns, or in another order".to_owned(),
                with: table(&own),
                without: more(&own, NAMELESS),
                differ_in: Difference::Order,
            });
        }
        changes
    }

    /// What changes for those who name a row's number: the name is a further column, or the last
    /// one's for what is bound to the number of columns.
    fn row_numbers(&self, own: &[(&str, &str)]) -> Vec<Change> {
        let has = |name: &str| self.columns.iter().any(|column| column.is(name));
        let names = ROWIDS.into_iter().filter(|name| self.has_rowid && !has(name));
        let (last, others) = own.split_last().map_or((("", ""), own), |(last, all)| (*last, all));
        let change = |name: &str, columns: &[(&str, &str)], declared: &str| Change {
            reason: format!("no such column: {name}"),
            with: table(&[columns, &[(name, declared)]].concat()),
            without: table(&[columns, &[(NAMELESS, declared)]].concat()),
            differ_in: Difference::RowNumber,
        };
        names.flat_map(|name| [change(name, own, ""), change(name, others, last.1)]).collect()
    }

    /// The schema in memory, less the triggers; with `old_table`, that one stands for the replaced
    /// system's table, without its indices.
    fn replica(&self, old_table: Option<&str>) -> Result<SqliteConnection, Fault> {
        let mut replica = SqliteConnection::establish(":memory:")?;
        // The table that stands for the old one has no keys that others may refer to.
        let keys = if old_table.is_some() { "OFF" } else { "ON" };
        replica.batch_execute(&format!("PRAGMA foreign_keys = {keys}"))?;
        for entry in self.entries.iter().filter(|entry| entry.kind != "trigger") {
            let text = match old_table {
                Some(text) if entry.is_old_table() => text,
                Some(_) if entry.kind == "index" && entry.is_on_old_table() => continue,
                _ => entry.text.as_str(),
            };
            let Err(error) = diesel::sql_query(text).execute(&mut replica) else { continue };
            // A virtual table whose module is not here hinders nothing. Without an ordinary table,
            // though, SQLite copies no file.
            if entry.kind != "view" && !entry.is_virtual() {
                let name = format!("{} {}", entry.kind, entry.name);
                return Err(Fault::Obstacle { name, reason: error.to_string() });
            }
        }
        Ok(replica)
    }
}

/// Whether an entry is a view, a trigger or a virtual table, and none of the old table's own.
fn is_watched(entry: &SchemaEntry) -> bool {
    let kind = entry.kind.as_str();
    (matches!(kind, "view" | "trigger") || entry.is_virtual()) && !entry.is_on_old_table()
}

/// The statement that makes the old table with these columns: name and declared type.
fn table(columns: &[(&str, &str)]) -> String {
    let column = |(name, declared): &(&str, &str)| match declared.is_empty() {
        true => quoted(name),
        false => format!("{} {}", quoted(name), quoted(declared)),
    };
    let columns: Vec<_> = columns.iter().map(column).collect();
    format!("CREATE TABLE registro_historico ({})", columns.join(", "))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn look(replica: &mut SqliteConnection, watched: &[&SchemaEntry]) -> Vec<Answers> {
    watched.iter().map(|entry| understood(replica, entry)).collect()
}

/// Why what was understood before is not any more, or lacks a column.
fn failure(
    before: &Result<Understanding, String>,
    after: &Result<Understanding, String>,
) -> Option<String> {
    let before = before.as_ref().ok()?;
    let after = match after {
        Ok(after) => after,
        Err(reason) => return Some(reason.clone()),
    };
    let lost = before.columns.iter().find(|name| !after.columns.contains(name));
    lost.map(|name| format!("no such column: {name}"))
}

/// How SQLite understands a view or a virtual table, or each kind of statement that may fire a
/// trigger.
fn understood(replica: &mut SqliteConnection, entry: &SchemaEntry) -> Answers {
    let all = format!("SELECT * FROM {}", quoted(&entry.name));
    match entry.kind.as_str() {
        "trigger" => of_trigger(replica, entry),
        "view" => {
            let columns = column_names(replica, &entry.name, "");
            vec![explained(replica, &all).map(|program| Understanding { columns, program })]
        }
        // What a virtual table reads it asks for when it is read.
        _ => {
            let read = diesel::sql_query(format!("{all} LIMIT 1")).execute(replica);
            let nothing = || Understanding { columns: Vec::new(), program: Vec::new() };
            vec![read.map(|_| nothing()).map_err(|error| error.to_string())]
        }
    }
}

fn of_trigger(replica: &mut SqliteConnection, trigger: &SchemaEntry) -> Answers {
    let columns = column_names(replica, &trigger.table, "WHERE hidden = 0");
    let sets: Vec<String> = columns.iter().map(|name| format!("{0} = {0}", quoted(name))).collect();
    let table = quoted(&trigger.table);
    let statements = [
        format!("INSERT INTO {table} DEFAULT VALUES"),
        format!("UPDATE {table} SET {}", sets.join(", ")),
        format!("DELETE FROM {table}"),
    ];
    let mut answers = Vec::new();
    let _ = replica.transaction::<(), diesel::result::Error, _>(|replica| {
        diesel::sql_query(trigger.text.as_str()).execute(replica)?;
        let understood = |statement: &String| {
            explained(replica, statement)
                .map(|program| Understanding { columns: Vec::new(), program })
        };
        answers = statements.iter().map(understood).collect();
        Err(diesel::result::Error::RollbackTransaction)
    });
    answers
}

fn column_names(replica: &mut SqliteConnection, of: &str, which: &str) -> Vec<String> {
    sql::<Text>("SELECT name FROM pragma_table_xinfo(")
        .bind::<Text, _>(of)
        .sql(&format!(") {which}"))
        .load(replica)
        .unwrap_or_default()
}

/// The program of a statement, which is not run.
fn explained(replica: &mut SqliteConnection, statement: &str) -> Result<Vec<Operation>, String> {
    type Row = (BigInt, Text, BigInt, BigInt, BigInt, Nullable<Text>, BigInt, Nullable<Text>);
    type Read = (i64, String, i64, i64, i64, Option<String>, i64, Option<String>);
    let rows: Vec<Read> = sql::<Row>(&format!("EXPLAIN {statement}"))
        .load(replica)
        .map_err(|error| error.to_string())?;
    // The schema's version, where virtual tables are in memory, and how many columns a table has
    // say nothing of the meaning.
    let meant = rows.into_iter().filter(|row| row.1 != "Transaction");
    let operation = |(_, name, p1, p2, p3, p4, p5, _): Read| {
        let opens = name.starts_with("Open");
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let p4 = p4.filter(|text| !(text.starts_with("vtab:") || opens && is_number(text)));
        (name, p1, p2, p3, p4, p5)
    };
    Ok(meant.map(operation).collect())
}
