//! The schema's version, and its way forward. Never backward: a newer schema is refused.

use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

/// The schema that this version reads and writes.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// One step of the schema, for each engine.
struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// The nth entry leads from schema n to n + 1. Entries are never changed once released.
const MIGRATIONS: [Migration; 11] = [
    Migration {
        name: "jobs",
        sqlite: include_str!("../migrations/sqlite/0001_jobs.sql"),
        postgres: include_str!("../migrations/postgres/0001_jobs.sql"),
    },
    Migration {
        name: "queue",
        sqlite: include_str!("../migrations/sqlite/0002_queue.sql"),
        postgres: include_str!("../migrations/postgres/0002_queue.sql"),
    },
    Migration {
        name: "circuits",
        sqlite: include_str!("../migrations/sqlite/0003_circuits.sql"),
        postgres: include_str!("../migrations/postgres/0003_circuits.sql"),
    },
    Migration {
        name: "spend",
        sqlite: include_str!("../migrations/sqlite/0004_spend.sql"),
        postgres: include_str!("../migrations/postgres/0004_spend.sql"),
    },
    Migration {
        name: "backlog",
        sqlite: include_str!("../migrations/sqlite/0005_backlog.sql"),
        postgres: include_str!("../migrations/postgres/0005_backlog.sql"),
    },
    Migration {
        name: "exceptions",
        sqlite: include_str!("../migrations/sqlite/0006_exceptions.sql"),
        postgres: include_str!("../migrations/postgres/0006_exceptions.sql"),
    },
    Migration {
        name: "api",
        sqlite: include_str!("../migrations/sqlite/0007_api.sql"),
        postgres: include_str!("../migrations/postgres/0007_api.sql"),
    },
    Migration {
        name: "talk",
        sqlite: include_str!("../migrations/sqlite/0008_talk.sql"),
        postgres: include_str!("../migrations/postgres/0008_talk.sql"),
    },
    Migration {
        name: "lean",
        sqlite: include_str!("../migrations/sqlite/0009_lean.sql"),
        postgres: include_str!("../migrations/postgres/0009_lean.sql"),
    },
    Migration {
        name: "watch",
        sqlite: include_str!("../migrations/sqlite/0010_watch.sql"),
        postgres: include_str!("../migrations/postgres/0010_watch.sql"),
    },
    Migration {
        name: "documents",
        sqlite: include_str!("../migrations/sqlite/0011_documents.sql"),
        postgres: include_str!("../migrations/postgres/0011_documents.sql"),
    },
];

/// What a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    Empty,
    /// Tables, but none of ours.
    Foreign,
    Version(i64),
}

impl Schema {
    /// The names of the steps that lead from here to this version's schema.
    #[must_use]
    pub fn steps(self) -> Vec<&'static str> {
        let from = match self {
            Self::Empty => 0,
            Self::Version(version) => usize::try_from(version).unwrap_or(usize::MAX),
            Self::Foreign => usize::MAX,
        };
        MIGRATIONS.iter().skip(from).map(|migration| migration.name).collect()
    }
}

const MAKE_VERSION: &str =
    "CREATE TABLE overnight_schema (version BIGINT NOT NULL); INSERT INTO overnight_schema VALUES (0)";
pub(crate) const READ_VERSION: &str = "SELECT version FROM overnight_schema";
const WRITE_VERSION: &str = "UPDATE overnight_schema SET version = $1";

/// Where the way forward begins, or `None` when there is nothing to be done.
fn start(found: Schema) -> Option<usize> {
    match found {
        Schema::Empty => Some(0),
        Schema::Version(version) if version < SCHEMA_VERSION => usize::try_from(version).ok(),
        Schema::Version(_) | Schema::Foreign => None,
    }
}

/// Reads the version without writing anything.
pub(crate) async fn schema_sqlite(connection: &mut SqliteConnection) -> Result<Schema, sqlx::Error> {
    let text =
        "SELECT COUNT(*) AS tables, COALESCE(SUM(name = 'overnight_schema'), 0) AS ours FROM sqlite_schema";
    let row = sqlx::query(text).fetch_one(&mut *connection).await?;
    match (row.try_get::<i64, _>("tables")?, row.try_get::<i64, _>("ours")?) {
        (0, _) => Ok(Schema::Empty),
        (_, 0) => Ok(Schema::Foreign),
        (_, _) => {
            let row = sqlx::query(READ_VERSION).fetch_one(connection).await?;
            Ok(Schema::Version(row.try_get("version")?))
        }
    }
}

/// Tables of every version. Another program may have some of these too, and not all of them.
const TABLES: &str = "'repositories', 'jobs', 'job_specs', 'events', 'effects', 'workers', 'lanes', 'limits', 'slots', \
    'job_dependencies', 'tallies', 'circuits', 'spend', 'budget_raises', 'budget_marks', 'budget_warnings', \
    'items', 'item_dependencies', 'sprint_members', 'item_jobs', 'item_marks', 'pull_requests', \
     'exceptions', 'tokens', 'kept_answers', 'feed_marks', 'questions', 'messages', \
     'pull_watches', 'deliveries'";

/// The same in PostgreSQL, where other programs' tables may stand in the same schema, but none with our tables' names.
pub(crate) async fn schema_postgres(connection: &mut PgConnection) -> Result<Schema, sqlx::Error> {
    let text = format!(
        "SELECT to_regclass('overnight_schema') IS NOT NULL AS ours, EXISTS (SELECT 1 FROM pg_class \
         WHERE relnamespace = to_regnamespace(current_schema()::text) AND relname IN ({TABLES})) AS taken"
    );
    let row = sqlx::query(AssertSqlSafe(text)).fetch_one(&mut *connection).await?;
    match (row.try_get::<bool, _>("ours")?, row.try_get::<bool, _>("taken")?) {
        (false, false) => Ok(Schema::Empty),
        (false, true) => Ok(Schema::Foreign),
        (true, _) => {
            let row = sqlx::query(READ_VERSION).fetch_one(connection).await?;
            Ok(Schema::Version(row.try_get("version")?))
        }
    }
}

/// Brings an empty or older schema to [`SCHEMA_VERSION`] in one transaction, so that a crash leaves the old one.
/// Returns what it found, and changes nothing unless that was empty or older.
pub(crate) async fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<Schema, sqlx::Error> {
    let found = schema_sqlite(connection).await?;
    if start(found).is_none() {
        return Ok(found);
    }
    // A table that others refer to is made anew under its old name; within a transaction this cannot be switched.
    sqlx::raw_sql("PRAGMA foreign_keys = OFF").execute(&mut *connection).await?;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Read again: another process may have done it between the look and the lock.
    let found = schema_sqlite(&mut tx).await?;
    let Some(from) = start(found) else { return Ok(found) };
    if found == Schema::Empty {
        sqlx::raw_sql(MAKE_VERSION).execute(&mut *tx).await?;
    }
    for migration in MIGRATIONS.iter().skip(from) {
        sqlx::raw_sql(migration.sqlite).execute(&mut *tx).await?;
    }
    sqlx::query(WRITE_VERSION).bind(SCHEMA_VERSION).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}

/// The same in PostgreSQL.
pub(crate) async fn migrate_postgres(connection: &mut PgConnection) -> Result<Schema, sqlx::Error> {
    let found = schema_postgres(connection).await?;
    if start(found).is_none() {
        return Ok(found);
    }
    let mut tx = connection.begin().await?;
    // Any number that others are unlikely to use: processes that start together take turns.
    sqlx::query("SELECT pg_advisory_xact_lock(7305807)").execute(&mut *tx).await?;
    let found = schema_postgres(&mut tx).await?;
    let Some(from) = start(found) else { return Ok(found) };
    if found == Schema::Empty {
        sqlx::raw_sql(MAKE_VERSION).execute(&mut *tx).await?;
    }
    for migration in MIGRATIONS.iter().skip(from) {
        sqlx::raw_sql(migration.postgres).execute(&mut *tx).await?;
    }
    sqlx::query(WRITE_VERSION).bind(SCHEMA_VERSION).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}
