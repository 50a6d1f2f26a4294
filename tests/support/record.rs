//! A database as another program sees it.

use std::collections::BTreeMap;
use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

/// A row of `misses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    pub reason: String,
    pub http_status: Option<i64>,
    pub attempts: i64,
    pub detail: String,
}

/// Another program's connection.
pub struct Record(SqliteConnection);

impl Record {
    pub fn open(path: &Path) -> Self {
        Self(SqliteConnection::establish(path.to_str().unwrap()).unwrap())
    }

    pub fn execute(&mut self, statements: &str) {
        self.0.batch_execute(statements).unwrap();
    }

    pub fn number(&mut self, query: &str) -> i64 {
        sql::<BigInt>(query).get_result(&mut self.0).unwrap()
    }

    pub fn count(&mut self, from: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {from}"))
    }

    /// One column of text.
    pub fn texts(&mut self, query: &str) -> Vec<String> {
        sql::<Text>(query).load(&mut self.0).unwrap()
    }

    /// Observations by slot, each but for when and by which run it was written.
    pub fn rows(&mut self) -> BTreeMap<String, String> {
        sql::<(Text, Text)>(
            "SELECT slot_local, okta || ' ' || confidence || ' ' || url || ' ' || image_sha256 \
             || ' ' || image_width || 'x' || image_height || ' ' || quality || ' ' || model \
             FROM observations ORDER BY slot_local",
        )
        .load(&mut self.0)
        .unwrap()
        .into_iter()
        .collect()
    }

    pub fn oktas(&mut self) -> Vec<i64> {
        sql::<BigInt>("SELECT okta FROM observations ORDER BY slot_local")
            .load(&mut self.0)
            .unwrap()
    }

    /// Misses by slot.
    pub fn misses(&mut self) -> BTreeMap<String, Missed> {
        sql::<(Text, Text, Nullable<BigInt>, BigInt, Text)>(
            "SELECT slot_local, reason, http_status, attempts, detail FROM misses",
        )
        .load::<(String, String, Option<i64>, i64, String)>(&mut self.0)
        .unwrap()
        .into_iter()
        .map(|(slot, reason, http_status, attempts, detail)| {
            (slot, Missed { reason, http_status, attempts, detail })
        })
        .collect()
    }

    /// Misses by reason.
    pub fn reasons(&mut self) -> BTreeMap<String, u64> {
        let mut count = BTreeMap::new();
        for missed in self.misses().into_values() {
            *count.entry(missed.reason).or_default() += 1;
        }
        count
    }

    /// `status total new duplicates missed` of the runs, oldest first.
    pub fn runs(&mut self) -> Vec<String> {
        self.texts(
            "SELECT status || ' ' || total || ' ' || new || ' ' || duplicates || ' ' || missed \
             FROM runs ORDER BY id",
        )
    }
}
