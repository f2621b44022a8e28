//! The processes that claim jobs, so that a later one can tell which of them are dead. Whether one is, the caller decides.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use overnight_core::id::WorkerId;

use crate::error::{StoreError, failed};
use crate::store::Store;

/// Enough to find a worker's process again, and never to take another process for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRow {
    pub id: WorkerId,
    pub host: String,
    /// The kernel's boot id: a process of another boot of the same host is dead.
    pub boot_id: String,
    pub pid: u32,
    /// Start time of `pid` in clock ticks since boot.
    pub start_ticks: u64,
    /// Of Overnight.
    pub version: String,
}

impl Store {
    /// Records a worker, before its first claim. Each start of a process is a new worker.
    ///
    /// # Errors
    /// [`StoreError::Database`], also when there is a worker with this id.
    pub async fn worker_register(&self, worker: &WorkerRow) -> Result<(), StoreError> {
        let operation = "register the worker";
        let text = self.dialect.sql(
            "INSERT INTO workers (id, host, boot_id, pid, start_ticks, version, started_at) \
             VALUES ($1, $2, $3, $4, $5, $6, {now})",
        );
        let insert = sqlx::query(text)
            .bind(worker.id.as_str())
            .bind(&worker.host)
            .bind(&worker.boot_id)
            .bind(i64::from(worker.pid))
            .bind(i64::try_from(worker.start_ticks).unwrap_or(i64::MAX))
            .bind(&worker.version);
        insert.execute(self.writer(operation)?).await.map_err(failed(operation))?;
        Ok(())
    }

    /// Forgets a worker that has stopped. One that still holds a job is kept, because its job is found by it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn worker_forget(&self, id: &WorkerId) -> Result<(), StoreError> {
        let operation = "forget the worker";
        let text = "DELETE FROM workers WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE NOT ended AND holder = $1)";
        let delete = sqlx::query(text).bind(id.as_str());
        delete.execute(self.writer(operation)?).await.map_err(failed(operation))?;
        Ok(())
    }

    /// All recorded workers, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        let operation = "list the workers";
        let text = "SELECT id, host, boot_id, pid, start_ticks, version FROM workers ORDER BY started_at, id";
        let rows = sqlx::query(text).fetch_all(self.reader()).await.map_err(failed(operation))?;
        rows.iter().map(|row| worker(row).map_err(failed(operation))).collect()
    }
}

fn worker(row: &SqliteRow) -> Result<WorkerRow, sqlx::Error> {
    let id: String = row.try_get("id")?;
    Ok(WorkerRow {
        id: WorkerId::parse(&id).map_err(|error| sqlx::Error::Decode(error.into()))?,
        host: row.try_get("host")?,
        boot_id: row.try_get("boot_id")?,
        pid: u32::try_from(row.try_get::<i64, _>("pid")?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
        start_ticks: u64::try_from(row.try_get::<i64, _>("start_ticks")?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
        version: row.try_get("version")?,
    })
}
