//! The schema's version, and its way forward. Never backward: a newer schema is refused.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

/// The schema that this version reads and writes.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// The nth entry leads from schema n to n + 1. Entries are never changed once released.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/sqlite/0001_jobs.sql")];

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    Empty,
    /// Tables, but none of ours.
    Foreign,
    Version(i64),
}

/// Reads the version without writing anything.
pub(crate) async fn schema(connection: &mut SqliteConnection) -> Result<Schema, sqlx::Error> {
    let text =
        "SELECT COUNT(*) AS tables, COALESCE(SUM(name = 'overnight_schema'), 0) AS ours FROM sqlite_schema";
    let row = sqlx::query(text).fetch_one(&mut *connection).await?;
    match (row.try_get::<i64, _>("tables")?, row.try_get::<i64, _>("ours")?) {
        (0, _) => Ok(Schema::Empty),
        (_, 0) => Ok(Schema::Foreign),
        (_, _) => {
            let row = sqlx::query("SELECT version FROM overnight_schema").fetch_one(connection).await?;
            Ok(Schema::Version(row.try_get("version")?))
        }
    }
}

/// Brings an empty or older schema to [`SCHEMA_VERSION`] in one transaction, so that a crash leaves the old one.
/// Returns what it found, and changes nothing unless that was empty or older.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<Schema, sqlx::Error> {
    if let Schema::Version(SCHEMA_VERSION) = schema(connection).await? {
        return Ok(Schema::Version(SCHEMA_VERSION));
    }
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Read again: another process may have done it between the look and the lock.
    let found = schema(&mut tx).await?;
    let from = match found {
        Schema::Empty => {
            sqlx::raw_sql("CREATE TABLE overnight_schema (version BIGINT NOT NULL); INSERT INTO overnight_schema VALUES (0)")
                .execute(&mut *tx)
                .await?;
            0
        }
        Schema::Version(version) if version < SCHEMA_VERSION => version,
        Schema::Version(_) | Schema::Foreign => return Ok(found),
    };
    for script in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(usize::MAX)) {
        sqlx::raw_sql(*script).execute(&mut *tx).await?;
    }
    sqlx::query("UPDATE overnight_schema SET version = $1").bind(SCHEMA_VERSION).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}
