//! The two fragments in which the engines' SQL differs. Everything else is one text for all of them.

use sqlx::AssertSqlSafe;

/// What is spliced into a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialect {
    /// Expression for the database's clock, in milliseconds since 1970-01-01 UTC. Constant within one statement.
    now: &'static str,
    /// Follows a `SELECT` whose row is changed later in the same transaction.
    lock: &'static str,
}

/// One writer at a time holds the whole database from `BEGIN IMMEDIATE` on, so a row needs no lock of its own.
pub(crate) const SQLITE: Dialect =
    Dialect { now: "CAST(ROUND(unixepoch('subsec') * 1000) AS BIGINT)", lock: "" };

impl Dialect {
    /// Splices `{now}` and `{lock}` into a statement. `text` is made of this crate's own literals; values are bound.
    pub(crate) fn sql(self, text: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(text.replace("{now}", self.now).replace("{lock}", self.lock))
    }
}
