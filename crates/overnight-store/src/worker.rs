//! The processes that claim jobs: who they are, what they say of themselves, and what they are told to do. Whether one is
//! dead, the caller decides.

use overnight_core::id::WorkerId;
use overnight_core::job::Label;
use overnight_core::units::Timestamp;

use crate::error::{StoreError, failed};
use crate::free;
use crate::sql::{Row, sql};
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
    /// The identity of its data directory.
    pub place: Label,
}

/// A worker as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSeen {
    pub worker: WorkerRow,
    pub started_at: Timestamp,
    pub last_seen: Timestamp,
    /// What it said of itself with its last heartbeat: JSON.
    pub report: Option<String>,
    /// It was told to take no more jobs.
    pub drain: bool,
    /// Jobs it holds.
    pub held: u64,
}

const SELECT: &str = "SELECT id, host, boot_id, pid, start_ticks, version, place, started_at, last_seen, report, drain, \
    (SELECT COUNT(*) FROM jobs j WHERE j.phase = 'held' AND NOT j.ended AND j.holder = workers.id) AS held FROM workers";

impl Store {
    /// Records a worker, before its first claim. Each start of a process is a new worker.
    ///
    /// # Errors
    /// [`StoreError::Database`], also when there is a worker with this id.
    pub async fn worker_register(&self, worker: &WorkerRow) -> Result<(), StoreError> {
        let text = "INSERT INTO workers (id, host, boot_id, pid, start_ticks, version, place, started_at, last_seen) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7, {now}, {now})";
        let insert = sql(text)
            .bind(worker.id.as_str())
            .bind(&worker.host)
            .bind(&worker.boot_id)
            .bind(i64::from(worker.pid))
            .bind(i64::try_from(worker.start_ticks).unwrap_or(i64::MAX))
            .bind(&worker.version)
            .bind(worker.place.as_str());
        let mut tx = self.begin("register the worker").await?;
        tx.run(insert).await?;
        // What no other worker could read, this one's version may.
        free::try_again(&mut tx).await?;
        tx.commit().await
    }

    /// Forgets a worker that has stopped. One that still holds a job is kept, because its job is found by it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn worker_forget(&self, id: &WorkerId) -> Result<(), StoreError> {
        let text = "DELETE FROM workers WHERE id = $1 \
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE phase = 'held' AND NOT ended AND holder = $1)";
        self.run("forget the worker", sql(text).bind(id.as_str())).await.map(drop)
    }

    /// Tells a worker to finish what it has and take no more; `false` takes that back. `false` is returned when there is no
    /// such worker.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn worker_drain(&self, id: &WorkerId, drain: bool) -> Result<bool, StoreError> {
        let mut tx = self.begin("drain the worker").await?;
        let changed =
            tx.run(sql("UPDATE workers SET drain = $2 WHERE id = $1").bind(id.as_str()).bind(drain)).await?;
        // It is told at once where it listens.
        tx.gives_work();
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// All recorded workers, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn workers(&self) -> Result<Vec<WorkerSeen>, StoreError> {
        let operation = "list the workers";
        let rows = self.all(operation, sql(format!("{SELECT} ORDER BY started_at, id"))).await?;
        rows.iter().map(|row| worker(row).map_err(failed(operation))).collect()
    }
}

fn worker(row: &Row) -> Result<WorkerSeen, sqlx::Error> {
    let decode = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
    let small = |column| u32::try_from(row.number(column)?).map_err(|error| decode(error.into()));
    let large = |column| u64::try_from(row.number(column)?).map_err(|error| decode(error.into()));
    // Rows of a version that had no places.
    let place = row.optional_text("place")?.unwrap_or_else(|| "unknown".to_owned());
    Ok(WorkerSeen {
        worker: WorkerRow {
            id: WorkerId::parse(&row.text("id")?).map_err(|error| decode(error.into()))?,
            host: row.text("host")?,
            boot_id: row.text("boot_id")?,
            pid: small("pid")?,
            start_ticks: large("start_ticks")?,
            version: row.text("version")?,
            place: Label::parse(&place).map_err(|error| decode(error.into()))?,
        },
        started_at: Timestamp(row.number("started_at")?),
        last_seen: Timestamp(row.number("last_seen")?),
        report: row.optional_text("report")?,
        drain: row.flag("drain")?,
        held: large("held")?,
    })
}
