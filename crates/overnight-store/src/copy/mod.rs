//! Moving everything from one database to another, between engines or within one, so that nothing is lost on the way.
//!
//! ```text
//! source ──one snapshot──► pages by key ──1,000 rows a transaction──► target
//!    │                         └─ hash of every row ═ must equal ═ hash of every row, read again
//!    └─ read once more at the end: somebody may have changed it meanwhile
//! ```
//!
//! A copy that was killed goes on where it stopped: rows are written in the order of their keys and never overwritten, so
//! that n rows in the target are the first n of the source. What belongs to running processes is not copied: on a copy
//! nobody holds a job.

mod backup;
mod guard;
mod part;
mod report;
mod restore;
mod rows;
mod status;
mod sum;
mod tables;
#[cfg(test)]
mod tests;

use crate::error::{StoreError, failed};
use crate::insert;
use crate::sql::{Pool, Tx, Value, sql};
use crate::store::Store;

pub use backup::{BackupError, backup};
pub use report::{CopyError, CopyProgress, CopyReport, CopyStep, Difference, Side, Tell};
pub use restore::{BackupReport, TableCount, check_backup, restore};
pub use status::DatabaseFacts;
pub use sum::{RowsHash, TableSum};

use report::differences;
use rows::Page;
use tables::{TABLES, Table};

/// Copies everything from one database to another, which is empty or holds a part of the same copy. Killed at any moment and
/// called again it ends the same.
///
/// `force`: workers that seem to be running are known to be dead.
///
/// # Errors
/// [`CopyError`]. What was written stays written, and is what a later call goes on from.
pub async fn copy(from: &Store, to: &Store, force: bool, tell: Tell<'_>) -> Result<CopyReport, CopyError> {
    if from.database() == to.database() {
        return Err(CopyError::Same { place: from.database().to_string() });
    }
    if !force {
        guard::idle(Side::Source, from).await?;
        guard::idle(Side::Target, to).await?;
    }
    let report = transfer(from, to, tell).await?;
    let again = sums(from, CopyStep::LookingAgain, tell).await?;
    let differences = differences(&report.tables, &again);
    if differences.is_empty() {
        return Ok(report);
    }
    Err(CopyError::SourceChanged { place: from.database().to_string(), differences })
}

/// Copies one moment of the source, and compares what came of it.
async fn transfer(from: &Store, to: &Store, tell: Tell<'_>) -> Result<CopyReport, CopyError> {
    let mut source = snapshot(from).await?;
    guard::nothing_else(&mut source, to).await?;
    let report = walk(&mut source, Some(to), CopyStep::Copying, tell).await?;
    source.commit().await.map_err(failed(SNAPSHOT))?;
    let found = sums(to, CopyStep::Comparing, tell).await?;
    let differences = differences(&report.tables, &found);
    if differences.is_empty() {
        return Ok(report);
    }
    Err(CopyError::Differs { place: to.database().to_string(), differences })
}

const SNAPSHOT: &str = "read the database in one moment";

async fn snapshot(store: &Store) -> Result<Tx, StoreError> {
    let mut tx = store.reader().begin_snapshot().await.map_err(failed(SNAPSHOT))?;
    if let Pool::Postgres(_) = store.reader() {
        // It idles while the other side writes; longer than any page takes, short enough not to hold up the server.
        let text = "SET LOCAL idle_in_transaction_session_timeout = '10min'";
        tx.run(sql(text)).await.map_err(failed(SNAPSHOT))?;
    }
    Ok(tx)
}

/// What the tables of a database hold.
async fn sums(store: &Store, step: CopyStep, tell: Tell<'_>) -> Result<Vec<TableSum>, StoreError> {
    let mut tx = snapshot(store).await?;
    let report = walk(&mut tx, None, step, tell).await?;
    tx.commit().await.map_err(failed(SNAPSHOT))?;
    Ok(report.tables)
}

/// Reads every row, and writes those that `to` has not.
async fn walk(
    source: &mut Tx,
    to: Option<&Store>,
    step: CopyStep,
    tell: Tell<'_>,
) -> Result<CopyReport, StoreError> {
    let mut report = CopyReport { tables: Vec::new(), written: 0, freed: 0 };
    for table in &TABLES {
        let of = rows::count(source, table.name()).await?;
        let there = match to {
            Some(to) if table.resumes => rows_there(to, table).await?,
            Some(_) | None => 0,
        };
        let mut sum = TableSum::new(table.name());
        let mut last: Option<Vec<Value>> = None;
        loop {
            let page = Page::read(source, table, last.as_deref()).await?;
            let before = sum.rows;
            page.rows.iter().for_each(|row| sum.add(row));
            if let Some(to) = to {
                let skipped = usize::try_from(there.saturating_sub(before)).unwrap_or(usize::MAX);
                report.written += write(to, table, page.rows.get(skipped..).unwrap_or_default()).await?;
            }
            report.freed += page.freed;
            tell(CopyProgress { step, table: table.name(), rows: sum.rows, of });
            if !page.is_full(table) {
                break;
            }
            last = page.rows.into_iter().next_back();
        }
        report.tables.push(sum);
    }
    Ok(report)
}

async fn rows_there(to: &Store, table: &Table) -> Result<u64, StoreError> {
    let query = sql(format!("SELECT COUNT(*) AS count FROM {}", table.name()));
    Ok(crate::row::count(&to.one("count what was copied before", query).await?, "count")?)
}

async fn write(to: &Store, table: &Table, rows: &[Vec<Value>]) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let mut tx = to.begin("write the copied rows").await?;
    let into: insert::Into = table.into;
    let written = into.rows(&mut tx, rows).await?;
    tx.commit().await?;
    Ok(written)
}
