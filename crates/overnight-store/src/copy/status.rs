//! What a database is like, seen from outside: its schema without bringing it forward, its size, and whether what it
//! acknowledges is on the disk.

use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::database::Database;
use crate::dialect::Engine;
use crate::error::{OpenError, StoreError, failed};
use crate::migrate::{Schema, schema_postgres};
use crate::open::peek;
use crate::row;
use crate::sql::sql;
use crate::store::Store;

use super::tables::TABLES;

/// Round trips that are timed.
const ROUND_TRIPS: usize = 9;

/// What somebody who looks after a database wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// `SQLite 3.50.2` or `PostgreSQL 17.5`.
    pub engine: String,
    /// Of the file, or of the whole database on the server.
    pub bytes: u64,
    /// Of SQLite's log, which is folded into the file from time to time.
    pub log_bytes: Option<u64>,
    /// Rows of each table.
    pub rows: Vec<(&'static str, u64)>,
    /// The engine's settings that decide whether an acknowledged commit survives a crash, by their own names.
    pub settings: Vec<(&'static str, String)>,
    /// The median of some questions that write nothing.
    pub round_trip: Duration,
}

impl Store {
    /// What a database holds, without changing it. A file that is not there is not made.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn schema_of(database: &Database) -> Result<Schema, OpenError> {
        match database {
            Database::Sqlite(path) => Ok(peek(path).await?.0),
            Database::Postgres(url) => {
                let name = |source| OpenError::Server { database: database.to_string(), source };
                let options: PgConnectOptions = url.parse().map_err(name)?;
                let mut connection = PgConnection::connect_with(&options).await.map_err(name)?;
                let found = schema_postgres(&mut connection).await.map_err(name)?;
                // A goodbye that is not heard changes nothing.
                let _ = connection.close().await;
                Ok(found)
            }
        }
    }

    /// Counts every table, and asks the engine about itself.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn facts(&self) -> Result<DatabaseFacts, StoreError> {
        let mut rows = Vec::new();
        for name in TABLES.iter().map(super::tables::Table::name).chain(["workers"]) {
            let query = sql(format!("SELECT COUNT(*) AS count FROM {name}"));
            rows.push((name, row::count(&self.one("count the rows", query).await?, "count")?));
        }
        let log_bytes = match self.database() {
            Database::Sqlite(path) => {
                let mut log = path.clone().into_os_string();
                log.push("-wal");
                Some(std::fs::metadata(log).map_or(0, |log| log.len()))
            }
            Database::Postgres(_) => None,
        };
        Ok(DatabaseFacts {
            engine: self
                .told(match self.engine() {
                    Engine::Sqlite => "'SQLite ' || sqlite_version()",
                    Engine::Postgres => "'PostgreSQL ' || current_setting('server_version')",
                })
                .await?,
            bytes: self.bytes().await?,
            log_bytes,
            rows,
            settings: self.settings().await?,
            round_trip: self.round_trip().await?,
        })
    }

    async fn bytes(&self) -> Result<u64, StoreError> {
        let text = match self.engine() {
            Engine::Sqlite => {
                "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size"
            }
            Engine::Postgres => "SELECT pg_database_size(current_database()) AS bytes",
        };
        Ok(row::count(&self.one("ask for the size", sql(text)).await?, "bytes")?)
    }

    async fn settings(&self) -> Result<Vec<(&'static str, String)>, StoreError> {
        let asked: &[(&str, &str)] = match self.engine() {
            Engine::Sqlite => &[
                ("journal_mode", "(SELECT journal_mode FROM pragma_journal_mode)"),
                ("synchronous", SYNCHRONOUS),
                (
                    "foreign_keys",
                    "(SELECT CASE foreign_keys WHEN 1 THEN 'on' ELSE 'off' END FROM pragma_foreign_keys)",
                ),
            ],
            Engine::Postgres => &[
                ("fsync", "current_setting('fsync')"),
                ("synchronous_commit", "current_setting('synchronous_commit')"),
                ("full_page_writes", "current_setting('full_page_writes')"),
                ("in_recovery", "CASE WHEN pg_is_in_recovery() THEN 'on' ELSE 'off' END"),
            ],
        };
        let mut settings = Vec::new();
        for (name, expression) in asked {
            settings.push((*name, self.told(expression).await?));
        }
        Ok(settings)
    }

    async fn told(&self, expression: &str) -> Result<String, StoreError> {
        let operation = "ask the database about itself";
        let found = self.one(operation, sql(format!("SELECT {expression} AS answer"))).await?;
        found.text("answer").map_err(failed(operation))
    }

    async fn round_trip(&self) -> Result<Duration, StoreError> {
        let mut times = Vec::with_capacity(ROUND_TRIPS);
        for _ in 0..ROUND_TRIPS {
            let began = Instant::now();
            self.one("time a question", sql("SELECT 1 AS one")).await?;
            times.push(began.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(ROUND_TRIPS / 2).copied().unwrap_or_default())
    }
}

const SYNCHRONOUS: &str = "(SELECT CASE synchronous WHEN 0 THEN 'off' WHEN 1 THEN 'normal' WHEN 2 THEN 'full' \
                           ELSE 'extra' END FROM pragma_synchronous)";
