//! Looking at a backup, and restoring one into an empty database.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::database::Database;
use crate::error::{ErrorClass, OpenError, StoreError};
use crate::migrate::{SCHEMA_VERSION, Schema};
use crate::open::{BUSY, has_log, opening, options, peek_schema, refusal};
use crate::row;
use crate::sql::{Pool, sql};
use crate::store::Store;

use super::backup::{BackupError, SEAL};
use super::part::Part;
use super::report::{CopyError, CopyReport, CopyStep, Side, Tell};
use super::sum::{RowsHash, TableSum};
use super::tables::TABLES;
use super::{guard, sums, transfer};

/// A backup that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    pub schema: i64,
    /// It carries hashes from when it was made, and its rows have them.
    pub sealed: bool,
    pub tables: Vec<TableCount>,
}

/// What a table of a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableCount {
    pub table: &'static str,
    pub rows: u64,
    /// `None`: of an older schema, whose rows are not those of this version.
    pub hash: Option<RowsHash>,
}

impl From<TableSum> for TableCount {
    fn from(sum: TableSum) -> Self {
        Self { table: sum.table, rows: sum.rows, hash: Some(sum.hash) }
    }
}

/// Reads all of a backup and says what is in it. Writes nothing.
///
/// # Errors
/// [`BackupError::Damaged`] with what was found; [`BackupError::Open`] when it is no backup that this version knows.
pub async fn check_backup(path: &Path, tell: Tell<'_>) -> Result<BackupReport, BackupError> {
    let (schema, options) = look(path).await?;
    let store = reading(path, options);
    let found = inspect(path, &store, schema, tell).await;
    store.close().await;
    found
}

/// Copies a backup into a database that is empty, or holds a part of the same backup. `force` as with
/// [`copy`](super::copy()), for the database.
///
/// # Errors
/// As [`check_backup`] and [`copy`](super::copy()). What was written stays written, and is what a later call goes on from.
pub async fn restore(
    path: &Path,
    to: &Store,
    force: bool,
    tell: Tell<'_>,
) -> Result<CopyReport, BackupError> {
    if to.database() == &Database::Sqlite(path.to_owned()) {
        return Err(CopyError::Same { place: to.database().to_string() }.into());
    }
    if !force {
        guard::idle(Side::Target, to).await?;
    }
    let report = check_backup(path, tell).await?;
    let (_, options) = look(path).await?;
    if report.schema == SCHEMA_VERSION {
        let from = reading(path, options);
        let done = transfer(&from, to, tell).await;
        from.close().await;
        return Ok(done?);
    }
    // Brought forward in a copy of its own; the backup stays as it is.
    let part = older(path, report.schema)?;
    let from = Store::open(part.path()).await?;
    let done = transfer(&from, to, tell).await;
    from.close().await;
    Ok(done?)
}

fn older(path: &Path, found: i64) -> Result<Part, BackupError> {
    if has_log(path) {
        return Err(BackupError::Unfolded { path: path.to_owned(), found });
    }
    let part = Part::beside(path)?;
    let copied = std::fs::copy(path, part.path());
    copied.map_err(|source| BackupError::File { what: "copy", path: path.to_owned(), source })?;
    Ok(part)
}

/// The schema of a file that nobody writes to, and how it is read without leaving anything beside it.
async fn look(path: &Path) -> Result<(i64, SqliteConnectOptions), OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing { path: path.to_owned() });
    }
    let options = options(path, BUSY).read_only(true).immutable(!has_log(path));
    match peek_schema(&options).await.map_err(|source| opening(path, source))? {
        Schema::Version(version) if version <= SCHEMA_VERSION => Ok((version, options)),
        Schema::Empty => Err(OpenError::Foreign { place: path.display().to_string() }),
        found @ (Schema::Foreign | Schema::Version(_)) => Err(refusal(path, found)),
    }
}

fn reading(path: &Path, options: SqliteConnectOptions) -> Store {
    let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
    Store::new(Database::Sqlite(path.to_owned()), None, Pool::Sqlite(pool))
}

async fn inspect(
    path: &Path,
    store: &Store,
    schema: i64,
    tell: Tell<'_>,
) -> Result<BackupReport, BackupError> {
    let damaged = |findings| BackupError::Damaged { path: path.to_owned(), findings };
    let findings = findings(store).await?;
    if !findings.is_empty() {
        return Err(damaged(findings));
    }
    if schema < SCHEMA_VERSION {
        return Ok(BackupReport { schema, sealed: false, tables: counts(store).await? });
    }
    let sums = match sums(store, CopyStep::Comparing, tell).await {
        Err(error) if error.class() == ErrorClass::Corrupt => return Err(damaged(vec![words(&error)])),
        sums => sums?,
    };
    let seal = seal(store).await?;
    if let Some(seal) = &seal {
        let broken = broken_seals(seal, &sums);
        if !broken.is_empty() {
            return Err(damaged(broken));
        }
    }
    Ok(BackupReport {
        schema,
        sealed: seal.is_some(),
        tables: sums.into_iter().map(TableCount::from).collect(),
    })
}

/// What is wrong with the file, its references and its event numbers.
async fn findings(store: &Store) -> Result<Vec<String>, StoreError> {
    match store.check().await {
        Err(StoreError::Damaged { findings, .. }) => return Ok(vec![findings]),
        Err(error) if error.class() == ErrorClass::Corrupt => return Ok(vec![words(&error)]),
        checked => checked?,
    }
    let operation = "look for damage in the backup";
    let mut findings = Vec::new();
    // Also whether its indexes say what its tables do: somebody may put it in place as it is.
    for found in store
        .all(operation, sql("SELECT integrity_check AS line FROM pragma_integrity_check LIMIT 20"))
        .await?
    {
        findings.push(row::text(&found, "?", "line")?);
    }
    findings.retain(|line| line != "ok");
    let text = "SELECT COUNT(*) AS count FROM (SELECT e.job_id FROM events e GROUP BY e.job_id \
                HAVING COUNT(*) <> MAX(e.number)) AS gaps";
    let gaps = row::count(&store.one(operation, sql(text)).await?, "count")?;
    if gaps > 0 {
        findings.push(format!("jobs whose event numbers have gaps: {gaps}"));
    }
    Ok(findings)
}

/// An error with its causes, in one line.
fn words(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

/// A table's rows and hash from when the backup was made.
type Seal = Vec<(String, u64, String)>;

async fn seal(store: &Store) -> Result<Option<Seal>, StoreError> {
    let operation = "read the backup's seal";
    let there = sql("SELECT name FROM sqlite_schema WHERE name = $1").bind(SEAL);
    if store.optional(operation, there).await?.is_none() {
        return Ok(None);
    }
    let mut seal = Vec::new();
    for found in store.all(operation, sql(format!("SELECT name, count, hash FROM {SEAL}"))).await? {
        let name = row::text(&found, "?", "name")?;
        seal.push((name, row::count(&found, "count")?, row::text(&found, "?", "hash")?));
    }
    Ok(Some(seal))
}

fn broken_seals(seal: &Seal, sums: &[TableSum]) -> Vec<String> {
    let mut broken = Vec::new();
    for sum in sums {
        match seal.iter().find(|(name, ..)| name == sum.table) {
            Some((_, rows, hash)) if *rows == sum.rows && *hash == sum.hash.to_string() => {}
            Some((_, rows, _)) if *rows == sum.rows => {
                broken.push(format!("{} has other content than when it was backed up", sum.table));
            }
            Some((_, rows, _)) => {
                broken.push(format!("{} has {} instead of {rows} rows", sum.table, sum.rows));
            }
            None => broken.push(format!("{} is not in the list of what was backed up", sum.table)),
        }
    }
    broken
}

/// Rows of the tables that an older schema has.
async fn counts(store: &Store) -> Result<Vec<TableCount>, StoreError> {
    let operation = "count the rows of the backup";
    let mut counts = Vec::new();
    for table in &TABLES {
        let there = sql("SELECT name FROM sqlite_schema WHERE name = $1").bind(table.name());
        if store.optional(operation, there).await?.is_some() {
            let query = sql(format!("SELECT COUNT(*) AS count FROM {}", table.name()));
            let rows = row::count(&store.one(operation, query).await?, "count")?;
            counts.push(TableCount { table: table.name(), rows, hash: None });
        }
    }
    Ok(counts)
}
