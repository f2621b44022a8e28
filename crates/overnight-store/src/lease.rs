//! The lease of a job: proof of the right to act for it, and how it is kept, looked at, given back and recalled.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use overnight_core::id::{Fence, JobId, WorkerId};
use overnight_core::job::CancelledBy;
use overnight_core::units::Timestamp;

use crate::error::{StoreError, failed};
use crate::row;
use crate::store::Store;

/// The right to act for one job. Only a claim makes one, it cannot be copied, and every mutation of a job asks for it.
/// It may be lost at any time; the store then refuses it.
#[derive(Debug)]
pub struct Lease {
    job: JobId,
    worker: WorkerId,
    fence: Fence,
    until: AtomicI64,
}

impl Lease {
    pub(crate) fn new(job: JobId, worker: WorkerId, fence: Fence, until: Timestamp) -> Self {
        Self { job, worker, fence, until: AtomicI64::new(until.0) }
    }

    #[must_use]
    pub fn job(&self) -> &JobId {
        &self.job
    }

    #[must_use]
    pub fn worker(&self) -> &WorkerId {
        &self.worker
    }

    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// When it ends unless renewed, by the database's clock, as last confirmed by the store.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp(self.until.load(Ordering::Acquire))
    }

    pub(crate) fn lost(&self) -> StoreError {
        StoreError::LeaseLost { job: self.job.clone(), fence: self.fence }
    }
}

/// The store's answer to a holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Still yours; `cancel` when somebody asked for one.
    Held { until: Timestamp, cancel: Option<CancelledBy> },
    /// Stop acting for the job.
    Lost,
}

/// The store's answer to somebody who wants a job cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelRequest {
    /// The holder, or the next one, will see it. An earlier request stays as it was.
    Recorded,
    AlreadyEnded,
}

impl Store {
    /// Makes the lease last `length` from now. A lease that is over but that nobody else has taken is renewed too.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`]. Neither means that the lease is lost.
    pub async fn lease_renew(&self, lease: &Lease, length: Duration) -> Result<Renewal, StoreError> {
        let operation = "renew the lease";
        let text = self.dialect.sql(
            "UPDATE jobs SET lease_until = {now} + $4 WHERE id = $1 AND fence = $2 AND holder = $3 \
             RETURNING lease_until, cancel",
        );
        let update =
            sqlx::query(text).bind(lease.job.as_str()).bind(lease.fence.0).bind(lease.worker.as_str());
        let found = update.bind(span(length)).fetch_optional(self.writer(operation)?).await;
        renewal(lease, found.map_err(failed(operation))?)
    }

    /// Asks the same without writing anything.
    ///
    /// # Errors
    /// As [`Store::lease_renew`].
    pub async fn lease_peek(&self, lease: &Lease) -> Result<Renewal, StoreError> {
        let text = "SELECT lease_until, cancel FROM jobs WHERE id = $1 AND fence = $2 AND holder = $3";
        let query =
            sqlx::query(text).bind(lease.job.as_str()).bind(lease.fence.0).bind(lease.worker.as_str());
        renewal(lease, query.fetch_optional(self.reader()).await.map_err(failed("look at the lease"))?)
    }

    /// Gives the lease back and leaves the job where it is, for anybody to claim.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when it was not held any more; [`StoreError::Database`].
    pub async fn lease_release(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tx = self.begin("release the lease").await?;
        let text = tx.dialect.sql(
            "UPDATE jobs SET holder = NULL, lease_until = NULL, updated_at = {now} \
             WHERE id = $1 AND fence = $2 AND holder = $3",
        );
        let update =
            sqlx::query(text).bind(lease.job.as_str()).bind(lease.fence.0).bind(lease.worker.as_str());
        let done = update.execute(tx.connection()).await.map_err(failed(tx.operation))?;
        if done.rows_affected() == 0 {
            return Err(lease.lost());
        }
        tx.commit().await
    }

    /// Asks for a cancel. The holder sees it with its next look at its lease; a job that nobody holds is ended by whoever
    /// claims it next.
    ///
    /// # Errors
    /// [`StoreError::UnknownJob`], [`StoreError::Database`].
    pub async fn cancel_request(&self, id: &JobId, by: CancelledBy) -> Result<CancelRequest, StoreError> {
        let mut tx = self.begin("record the cancel").await?;
        let operation = tx.operation;
        let text = tx.dialect.sql(
            "UPDATE jobs SET cancel = COALESCE(cancel, $2), updated_at = {now} WHERE id = $1 AND NOT ended",
        );
        let update = sqlx::query(text).bind(id.as_str()).bind(row::cancel_text(by));
        let done = update.execute(tx.connection()).await.map_err(failed(operation))?;
        if done.rows_affected() > 0 {
            tx.commit().await?;
            return Ok(CancelRequest::Recorded);
        }
        let query = sqlx::query("SELECT ended FROM jobs WHERE id = $1").bind(id.as_str());
        match query.fetch_optional(tx.connection()).await.map_err(failed(operation))? {
            Some(row) if row.try_get("ended").map_err(failed(operation))? => Ok(CancelRequest::AlreadyEnded),
            Some(_) | None => Err(StoreError::UnknownJob { job: id.clone() }),
        }
    }
}

fn renewal(lease: &Lease, found: Option<SqliteRow>) -> Result<Renewal, StoreError> {
    let Some(found) = found else { return Ok(Renewal::Lost) };
    let until = Timestamp(row::number(&found, lease.job.as_str(), "lease_until")?);
    lease.until.fetch_max(until.0, Ordering::AcqRel);
    Ok(Renewal::Held { until, cancel: row::cancel(&found, lease.job.as_str())? })
}

/// A length of time as the database counts it: milliseconds.
pub(crate) fn span(length: Duration) -> i64 {
    // A century: far above any lease, far below an overflow of the sum with the clock.
    const MOST: i64 = 100 * 365 * 24 * 60 * 60 * 1000;
    i64::try_from(length.as_millis()).unwrap_or(MOST).min(MOST)
}
