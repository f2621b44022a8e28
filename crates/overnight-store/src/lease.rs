//! The lease of a job: proof of the right to act for it, and how it is kept, looked at and given back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use overnight_core::id::{Fence, JobId, WorkerId};
use overnight_core::job::{CancelledBy, Job, Label};
use overnight_core::units::Timestamp;

use crate::apply::free_slots;
use crate::error::StoreError;
use crate::free;
use crate::placement::{Phase, Placement};
use crate::row;
use crate::sql::{Row, sql};
use crate::store::{Store, retried};

/// The right to act for one job. Only a claim makes one, it cannot be copied, and every mutation of a job asks for it.
/// It may be lost at any time; the store then refuses it.
#[derive(Debug)]
pub struct Lease {
    held: Held,
    /// Where its holder works.
    place: Label,
    until: AtomicI64,
}

/// What a lease is proved by.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) job: JobId,
    pub(crate) worker: WorkerId,
    pub(crate) fence: Fence,
}

impl Held {
    pub(crate) fn lost(&self) -> StoreError {
        StoreError::LeaseLost { job: self.job.clone(), fence: self.fence }
    }
}

impl Lease {
    pub(crate) fn new(held: Held, place: Label, until: Timestamp) -> Self {
        Self { held, place, until: AtomicI64::new(until.0) }
    }

    #[must_use]
    pub fn job(&self) -> &JobId {
        &self.held.job
    }

    #[must_use]
    pub fn worker(&self) -> &WorkerId {
        &self.held.worker
    }

    #[must_use]
    pub fn fence(&self) -> Fence {
        self.held.fence
    }

    /// When it ends unless renewed, by the database's clock, as last confirmed by the store.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp(self.until.load(Ordering::Acquire))
    }

    pub(crate) fn held(&self) -> Held {
        self.held.clone()
    }

    pub(crate) fn place(&self) -> Label {
        self.place.clone()
    }

    pub(crate) fn extended(&self, until: Timestamp) {
        self.until.fetch_max(until.0, Ordering::AcqRel);
    }
}

/// The store's answer to a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// Still yours; `cancel` when somebody asked for one.
    Held { until: Timestamp, cancel: Option<CancelledBy> },
    /// Stop acting for the job.
    Lost,
}

impl Store {
    /// Makes the lease last `length` from now. A lease that is over but that nobody else has taken is renewed too.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`]. Neither means that the lease is lost.
    pub async fn lease_renew(&self, lease: &Lease, length: Duration) -> Result<Renewal, StoreError> {
        let operation = "renew the lease";
        let text = "UPDATE jobs SET lease_until = {now} + $4 WHERE id = $1 AND fence = $2 AND holder = $3 \
                    RETURNING lease_until, cancel";
        let held = &lease.held;
        let update = sql(text).bind(held.job.as_str()).bind(held.fence.0).bind(held.worker.as_str());
        let found = self.writer(operation)?.optional(update.bind(span(length))).await;
        renewal(lease, found.map_err(crate::error::failed(operation))?)
    }

    /// Asks the same without writing anything.
    ///
    /// # Errors
    /// As [`Store::lease_renew`].
    pub async fn lease_peek(&self, lease: &Lease) -> Result<Renewal, StoreError> {
        let text = "SELECT lease_until, cancel FROM jobs WHERE id = $1 AND fence = $2 AND holder = $3";
        let held = &lease.held;
        let query = sql(text).bind(held.job.as_str()).bind(held.fence.0).bind(held.worker.as_str());
        renewal(lease, self.optional("look at the lease", query).await?)
    }

    /// Lets every lease last `length` from now, whoever holds it. For when the database's clock was set: by what it shows now,
    /// leases that are kept would be over, or those of the dead would last for hours. Whoever lives goes on renewing its own.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn leases_restart(&self, length: Duration) -> Result<(), StoreError> {
        retried(|| self.restart_once(length)).await
    }

    async fn restart_once(&self, length: Duration) -> Result<(), StoreError> {
        let mut tx = self.begin("let every lease begin again").await?;
        // In the order of ids, as whoever else changes several jobs: nobody waits in a circle.
        tx.all(sql("SELECT j.id FROM jobs j WHERE j.phase = 'held' AND NOT j.ended ORDER BY j.id {lock}"))
            .await?;
        let text = "UPDATE jobs SET lease_until = {now} + $1 WHERE phase = 'held' AND NOT ended";
        tx.run(sql(text).bind(span(length))).await?;
        tx.commit().await
    }

    /// Gives the lease back and leaves the job where it is, for anybody to claim at once, or not before `rest` has passed.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when it was not held any more; [`StoreError::Database`].
    pub async fn lease_release(&self, lease: &Lease, rest: Option<Duration>) -> Result<(), StoreError> {
        self.release(&lease.held, rest).await
    }

    /// Gives back a lease of this worker that nobody has, because the answer to its claim was lost.
    ///
    /// # Errors
    /// As [`Store::lease_release`].
    pub async fn lease_abandon(
        &self,
        worker: &WorkerId,
        job: &JobId,
        fence: Fence,
    ) -> Result<(), StoreError> {
        let held = Held { job: job.clone(), worker: worker.clone(), fence };
        self.release(&held, None).await
    }

    async fn release(&self, held: &Held, rest: Option<Duration>) -> Result<(), StoreError> {
        let mut tx = self.begin("release the lease").await?;
        let locked = free::lock(&mut tx, held.job.as_str()).await?.ok_or_else(|| held.lost())?;
        let ours = locked.job.holder.as_ref().is_some_and(|holder| holder.worker == held.worker);
        if !ours || locked.job.fence != held.fence {
            return Err(held.lost());
        }
        let phase = released(&locked.job, rest)?;
        let text = "UPDATE jobs SET holder = NULL, lease_until = NULL, phase = $2, updated_at = {now}, \
                    wake_at = CASE WHEN $3 > 0 THEN {now} + $3 ELSE wake_at END WHERE id = $1";
        let update = sql(text).bind(held.job.as_str()).bind(phase.as_str());
        tx.run(update.bind(rest.map_or(0, span))).await?;
        free_slots(&mut tx, &[held.job.as_str().to_owned()]).await?;
        tx.gives_work();
        tx.commit().await
    }
}

/// Where a job stands when its holder lets go of it.
fn released(job: &Job, rest: Option<Duration>) -> Result<Phase, StoreError> {
    let phase = Placement::of(&job.state, false)?.phase;
    // Whoever wants it cancelled is not to wait for its rest.
    let rests = rest.is_some_and(|rest| !rest.is_zero()) && job.cancel.is_none();
    Ok(if phase == Phase::Ready && rests { Phase::Due } else { phase })
}

fn renewal(lease: &Lease, found: Option<Row>) -> Result<Renewal, StoreError> {
    let Some(found) = found else { return Ok(Renewal::Lost) };
    let job = lease.job().as_str();
    let until = Timestamp(row::number(&found, job, "lease_until")?);
    lease.extended(until);
    Ok(Renewal::Held { until, cancel: row::cancel(&found, job)? })
}

/// A length of time as the database counts it: milliseconds.
pub(crate) fn span(length: Duration) -> i64 {
    // A century: far above any lease, far below an overflow of the sum with the clock.
    const MOST: i64 = 100 * 365 * 24 * 60 * 60 * 1000;
    i64::try_from(length.as_millis()).unwrap_or(MOST).min(MOST)
}
