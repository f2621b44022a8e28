//! One heartbeat for all jobs of a worker: what it holds is renewed with one statement, and the answer says what it still
//! holds and what it was asked to end.

use std::time::Duration;

use overnight_core::id::{Fence, JobId, WorkerId};
use overnight_core::job::CancelledBy;
use overnight_core::units::Timestamp;

use crate::error::{CorruptRow, StoreError};
use crate::lease::span;
use crate::row;
use crate::sql::{Row, sql};
use crate::store::{Store, retried};

/// The store's answer to a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    /// Every lease of the worker. One that it thinks it has and that is not here is lost.
    pub held: Vec<HeldJob>,
    /// It was told to take no more jobs.
    pub drain: bool,
}

/// A lease that still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldJob {
    pub job: JobId,
    pub fence: Fence,
    pub until: Timestamp,
    pub cancel: Option<CancelledBy>,
}

impl Store {
    /// Renews every lease of a worker for `length` from now and says that it is there. `report` is what it says of itself, as
    /// JSON. A lease that is over but that nobody else has taken is renewed too.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`]. Neither means that a lease is lost.
    pub async fn worker_beat(
        &self,
        worker: &WorkerId,
        length: Duration,
        report: &str,
    ) -> Result<Beat, StoreError> {
        retried(|| self.beat_once(worker, length, report)).await
    }

    async fn beat_once(&self, worker: &WorkerId, length: Duration, report: &str) -> Result<Beat, StoreError> {
        let mut tx = self.begin("say that the worker is there").await?;
        let text = "UPDATE workers SET last_seen = {now}, report = $2 WHERE id = $1 RETURNING drain";
        let told = tx.optional(sql(text).bind(worker.as_str()).bind(report)).await?;
        let drain = told.map_or(Ok(false), |found| row::flag(&found, "?", "drain"))?;
        // In the order of ids, as whoever else changes several jobs: nobody waits in a circle.
        let text = "SELECT j.id FROM jobs j WHERE j.phase = 'held' AND NOT j.ended AND j.holder = $1 ORDER BY j.id {lock}";
        tx.all(sql(text).bind(worker.as_str())).await?;
        let text = "UPDATE jobs SET lease_until = {now} + $2 WHERE phase = 'held' AND NOT ended AND holder = $1 \
                    RETURNING id, fence, lease_until, cancel";
        let found = tx.all(sql(text).bind(worker.as_str()).bind(span(length))).await?;
        tx.commit().await?;
        Ok(Beat { held: found.iter().map(held).collect::<Result<_, _>>()?, drain })
    }

    /// Asks the same without writing anything: between heartbeats, to hear of a cancel soon.
    ///
    /// # Errors
    /// As [`Store::worker_beat`].
    pub async fn worker_peek(&self, worker: &WorkerId) -> Result<Beat, StoreError> {
        let operation = "look at what the worker holds";
        let text = "SELECT drain FROM workers WHERE id = $1";
        let told = self.optional(operation, sql(text).bind(worker.as_str())).await?;
        let drain = told.map_or(Ok(false), |found| row::flag(&found, "?", "drain"))?;
        let text = "SELECT id, fence, lease_until, cancel FROM jobs WHERE phase = 'held' AND NOT ended AND holder = $1";
        let found = self.all(operation, sql(text).bind(worker.as_str())).await?;
        Ok(Beat { held: found.iter().map(held).collect::<Result<_, _>>()?, drain })
    }
}

fn held(found: &Row) -> Result<HeldJob, CorruptRow> {
    let raw = row::text(found, "?", "id")?;
    Ok(HeldJob {
        job: JobId::parse(&raw).map_err(|error| CorruptRow::new(&raw, "id", error))?,
        fence: Fence(row::number(found, &raw, "fence")?),
        until: Timestamp(row::number(found, &raw, "lease_until")?),
        // Asked for in a way that this version does not know, it is a cancel all the same, and no reason to lose the others.
        cancel: row::cancel(found, &raw).unwrap_or(Some(CancelledBy::Command)),
    })
}
