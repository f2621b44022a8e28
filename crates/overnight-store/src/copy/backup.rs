//! Backups: everything in one SQLite file, whatever the engine, made while workers go on.
//!
//! Such a file is a database in which nobody holds a job. It can be restored into either engine, and carries a seal: the
//! rows and hashes of its tables, by which later damage is found that leaves a readable file.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnection, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::database::Database;
use crate::error::{ErrorClass, OpenError, StoreError, io_class};
use crate::migrate::{SCHEMA_VERSION, Schema};
use crate::open::{BUSY, opening, options};
use crate::sql::{Pool, sql};
use crate::store::Store;

use super::part::Part;
use super::report::{CopyError, CopyStep, Tell};
use super::restore::{BackupReport, TableCount};
use super::rows::free_phase;
use super::sum::TableSum;
use super::{sums, transfer};

/// Why there is no backup, or no use of one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already", .path.display())]
    Exists { path: PathBuf },
    #[error("another process is writing {}", .path.display())]
    Busy { path: PathBuf },
    #[error("{} does not name a file", .path.display())]
    NoName { path: PathBuf },
    #[error("failed to {what} {}", .path.display())]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} is damaged: {}", .path.display(), .findings.join("; "))]
    Damaged { path: PathBuf, findings: Vec<String> },
    #[error("{} is of schema {found}, and its last changes stand in a log beside it", .path.display())]
    Unfolded { path: PathBuf, found: i64 },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Copy(#[from] CopyError),
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Copy(error.into())
    }
}

impl BackupError {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Exists { .. } | Self::NoName { .. } | Self::Unfolded { .. } => ErrorClass::Refused,
            Self::Busy { .. } => ErrorClass::Busy,
            Self::File { source, .. } => io_class(source),
            Self::Damaged { .. } => ErrorClass::Corrupt,
            Self::Open(error) => error.class(),
            Self::Copy(error) => error.class(),
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists { .. } => Some("name a file that is not there yet, or move that one away"),
            Self::Busy { .. } => Some("wait for it, or name another file"),
            Self::NoName { .. } => Some("name the file to be written"),
            Self::File { .. } => self.class().hint(),
            Self::Damaged { .. } => Some("nothing was written; use another backup"),
            Self::Unfolded { .. } => Some("open it once with the version of overnight that wrote it"),
            Self::Open(OpenError::Missing { .. }) => Some("look at the name of the file"),
            Self::Open(error) => error.hint(),
            Self::Copy(error) => error.hint(),
        }
    }
}

/// Writes everything in `database` into a new file at `path`, readable for this user only. Jobs that somebody holds are free
/// in it. An older schema is brought forward in the backup, and left as it is in a SQLite database.
///
/// # Errors
/// [`BackupError`]. There is no file at `path` then.
pub async fn backup(database: &Database, path: &Path, tell: Tell<'_>) -> Result<BackupReport, BackupError> {
    if path.symlink_metadata().is_ok() {
        return Err(BackupError::Exists { path: path.to_owned() });
    }
    let schema = Store::schema_of(database).await?;
    let part = match (database, schema) {
        (Database::Sqlite(from), Schema::Version(_)) => vacuumed(from, path).await?,
        (Database::Postgres(_), Schema::Version(SCHEMA_VERSION)) => Part::beside(path)?,
        (_, Schema::Empty | Schema::Foreign | Schema::Version(_)) => {
            return Err(refused(database, schema).into());
        }
    };
    let copy = Store::open(part.path()).await?;
    let filled = fill(database, &copy, tell).await;
    copy.close().await;
    let report = filled?;
    single_file(part.path()).await?;
    part.finish(path)?;
    Ok(report)
}

fn refused(database: &Database, schema: Schema) -> OpenError {
    let (place, supported) = (database.to_string(), SCHEMA_VERSION);
    match schema {
        Schema::Version(found) if found > supported => OpenError::Newer { place, found, supported },
        Schema::Version(found) => OpenError::Older { place, found, supported },
        Schema::Empty | Schema::Foreign => OpenError::Foreign { place },
    }
}

/// A consistent copy of a SQLite file, of whatever schema it is, and without changing that.
async fn vacuumed(from: &Path, path: &Path) -> Result<Part, BackupError> {
    let part = Part::beside(path)?;
    let pool =
        Pool::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options(from, BUSY)));
    let source = Store::new(Database::Sqlite(from.to_owned()), Some(pool.clone()), pool);
    let written = source.vacuum_into(part.path()).await;
    source.close().await;
    written?;
    Ok(part)
}

async fn fill(database: &Database, copy: &Store, tell: Tell<'_>) -> Result<BackupReport, BackupError> {
    let tables = match database {
        Database::Sqlite(_) => {
            free_all(copy).await?;
            sums(copy, CopyStep::Comparing, tell).await?
        }
        Database::Postgres(_) => {
            let from = Store::connect(database).await?;
            let transferred = transfer(&from, copy, tell).await;
            from.close().await;
            transferred?.tables
        }
    };
    copy.check().await?;
    seal(copy, &tables).await?;
    Ok(BackupReport {
        schema: SCHEMA_VERSION,
        sealed: true,
        tables: tables.into_iter().map(TableCount::from).collect(),
    })
}

/// Takes out whatever belongs to running processes.
async fn free_all(copy: &Store) -> Result<(), StoreError> {
    let mut tx = copy.begin("free the jobs of the backup").await?;
    for found in tx.all(sql("SELECT id, state FROM jobs WHERE phase = 'held' AND NOT ended")).await? {
        let id = crate::row::text(&found, "?", "id")?;
        let phase = free_phase(&crate::row::text(&found, &id, "state")?)?;
        tx.run(sql("UPDATE jobs SET phase = $2 WHERE id = $1").bind(id).bind(phase.as_str())).await?;
    }
    tx.run(sql("UPDATE jobs SET holder = NULL, lease_until = NULL WHERE NOT ended AND holder IS NOT NULL"))
        .await?;
    tx.run(sql("DELETE FROM slots")).await?;
    tx.run(sql("DELETE FROM workers")).await?;
    tx.commit().await
}

/// The table that says what the others held when the backup was made.
pub(super) const SEAL: &str = "overnight_backup";

async fn seal(copy: &Store, tables: &[TableSum]) -> Result<(), StoreError> {
    let mut tx = copy.begin("seal the backup").await?;
    // The source may itself have been a backup once.
    tx.run(sql(format!("DROP TABLE IF EXISTS {SEAL}"))).await?;
    let columns = "name TEXT NOT NULL PRIMARY KEY, count BIGINT NOT NULL, hash TEXT NOT NULL";
    tx.run(sql(format!("CREATE TABLE {SEAL} ({columns})"))).await?;
    for table in tables {
        let insert = sql(format!("INSERT INTO {SEAL} (name, count, hash) VALUES ($1, $2, $3)"));
        let count = i64::try_from(table.rows).unwrap_or(i64::MAX);
        tx.run(insert.bind(table.table).bind(count).bind(table.hash.to_string())).await?;
    }
    tx.commit().await
}

/// Folds SQLite's log into the file and lets it do without one, so that reading it leaves no other file beside it.
async fn single_file(path: &Path) -> Result<(), BackupError> {
    let name = |source| opening(path, source);
    let mut connection: SqliteConnection = options(path, BUSY).connect().await.map_err(name)?;
    sqlx::query("PRAGMA journal_mode = DELETE").execute(&mut connection).await.map_err(name)?;
    connection.close().await.map_err(name)?;
    Ok(())
}
