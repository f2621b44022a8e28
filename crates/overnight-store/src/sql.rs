//! One statement text for both engines: text and values here, and the two typed pools, transactions and rows behind enums.

use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction};

use crate::dialect::Engine;

/// A value that is bound to a statement. Nothing else can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Flag(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// A statement and its values. The text is made of this crate's own literals; whatever comes from outside is bound.
#[derive(Debug, Clone)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

/// A statement without values yet. `$1` is the first one bound.
pub(crate) fn sql(text: impl Into<String>) -> Sql {
    Sql { text: text.into(), values: Vec::new() }
}

impl Sql {
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    pub(crate) fn bind_all<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    fn sqlite(self) -> Query<'static, Sqlite, SqliteArguments> {
        let mut query = sqlx::query(AssertSqlSafe(Engine::Sqlite.render(&self.text)));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
                Value::Flag(flag) => query.bind(flag),
            };
        }
        query
    }

    fn postgres(self) -> Query<'static, Postgres, PgArguments> {
        let mut query = sqlx::query(AssertSqlSafe(Engine::Postgres.render(&self.text)));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
                Value::Flag(flag) => query.bind(flag),
            };
        }
        query
    }
}

/// `$from, …` for `count` values: the inside of an `IN (…)`.
pub(crate) fn places(from: usize, count: usize) -> String {
    let names: Vec<String> = (from..from + count).map(|number| format!("${number}")).collect();
    names.join(", ")
}

/// `($1, $2), ($3, $4), …` with each column's type, so that an engine that types its parameters knows it: the inside of a
/// `VALUES` list.
pub(crate) fn rows(from: usize, types: &[&str], count: usize) -> String {
    let mut number = from;
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let mut row = Vec::with_capacity(types.len());
        for kind in types {
            row.push(format!("CAST(${number} AS {kind})"));
            number += 1;
        }
        all.push(format!("({})", row.join(", ")));
    }
    all.join(", ")
}

/// One row of an answer.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn text(&self, column: &str) -> Result<String, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn number(&self, column: &str) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn optional_number(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }
}

/// The connections to a database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    pub(crate) async fn all(&self, sql: Sql) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => {
                Ok(sql.sqlite().fetch_all(pool).await?.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(pool) => {
                let found = sql.postgres().fetch_all(pool).await.map_err(unreachable)?;
                Ok(found.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Rows of a text that is a transaction by itself. SQLite's begins and commits one; what fails in between is undone here.
    /// Must not be dropped before it is done: the connection would be left within the transaction.
    pub(crate) async fn all_or_nothing(&self, sql: Sql) -> Result<Vec<Row>, sqlx::Error> {
        let Self::Sqlite(pool) = self else { return self.all(sql).await };
        let mut connection = pool.acquire().await?;
        let error = match sql.sqlite().fetch_all(&mut *connection).await {
            Ok(rows) => return Ok(rows.into_iter().map(Row::Sqlite).collect()),
            Err(error) => error,
        };
        // There is none to undo when it could not begin. A connection that is of no use any more is closed either way.
        if sqlx::query("ROLLBACK").execute(&mut *connection).await.is_err() {
            // What failed first is what matters.
            let _ = connection.close().await;
        }
        Err(error)
    }

    pub(crate) async fn optional(&self, sql: Sql) -> Result<Option<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => Ok(sql.sqlite().fetch_optional(pool).await?.map(Row::Sqlite)),
            Self::Postgres(pool) => {
                Ok(sql.postgres().fetch_optional(pool).await.map_err(unreachable)?.map(Row::Postgres))
            }
        }
    }

    pub(crate) async fn one(&self, sql: Sql) -> Result<Row, sqlx::Error> {
        self.optional(sql).await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// The number of rows that it changed.
    pub(crate) async fn run(&self, sql: Sql) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => Ok(sql.sqlite().execute(pool).await?.rows_affected()),
            Self::Postgres(pool) => {
                Ok(sql.postgres().execute(pool).await.map_err(unreachable)?.rows_affected())
            }
        }
    }

    /// SQLite takes its write lock at once: a transaction that wants it later would find itself refused.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await.map_err(unreachable)?)),
        }
    }

    /// A transaction that sees one moment of the database for as long as it is open, and changes nothing.
    pub(crate) async fn begin_snapshot(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin().await?)),
            Self::Postgres(pool) => {
                let begun = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
                Ok(Tx::Postgres(begun.map_err(unreachable)?))
            }
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// The driver keeps trying to reach a server that refuses, and in the end says only that its time is up.
fn unreachable(error: sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::PoolTimedOut => {
            let what = "the server could not be reached in time, or all connections to it were in use";
            sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
        }
        other => other,
    }
}

/// A transaction. Dropping it undoes it.
#[derive(Debug)]
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub(crate) async fn all(&mut self, sql: Sql) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(tx) => {
                Ok(sql.sqlite().fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(tx) => {
                Ok(sql.postgres().fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    pub(crate) async fn optional(&mut self, sql: Sql) -> Result<Option<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(tx) => Ok(sql.sqlite().fetch_optional(&mut **tx).await?.map(Row::Sqlite)),
            Self::Postgres(tx) => Ok(sql.postgres().fetch_optional(&mut **tx).await?.map(Row::Postgres)),
        }
    }

    pub(crate) async fn run(&mut self, sql: Sql) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(tx) => Ok(sql.sqlite().execute(&mut **tx).await?.rows_affected()),
            Self::Postgres(tx) => Ok(sql.postgres().execute(&mut **tx).await?.rows_affected()),
        }
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{places, rows};

    #[test]
    fn placeholders_are_counted_on() {
        assert_eq!(places(3, 2), "$3, $4");
        assert_eq!(
            rows(2, &["TEXT", "BIGINT"], 2),
            "(CAST($2 AS TEXT), CAST($3 AS BIGINT)), (CAST($4 AS TEXT), CAST($5 AS BIGINT))"
        );
    }
}
