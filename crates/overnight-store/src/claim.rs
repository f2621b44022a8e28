//! Claiming a job: the only way to a [`Lease`]. The new fence, the state and the events are written together.

use std::time::Duration;

use overnight_core::id::{Fence, JobId, WorkerId};
use overnight_core::job::{Holder, Input, Job, Order, transition};
use overnight_core::units::Timestamp;

use crate::apply::write_step;
use crate::error::{StoreError, failed};
use crate::lease::{Lease, span};
use crate::record::EventRecord;
use crate::row::{self, SELECT_JOB};
use crate::store::{Store, WriteTx};

/// What came of a claim.
#[derive(Debug)]
pub enum Claim {
    Taken(Box<Claimed>),
    /// Another worker holds it, until then at least.
    Held {
        by: WorkerId,
        until: Timestamp,
    },
    Ended,
}

/// A claimed job.
#[derive(Debug)]
pub struct Claimed {
    pub lease: Lease,
    /// As it is after the claim.
    pub job: Job,
    /// What the claim recorded.
    pub events: Vec<EventRecord>,
}

impl Store {
    /// Takes the lease of a job that has not ended and that nobody holds, or whose lease is over by the database's clock,
    /// or whose holder is one of `dead`. A parked job can be claimed before its time. Earlier leases of the job are lost.
    ///
    /// # Errors
    /// [`StoreError::UnknownJob`], [`StoreError::Row`] when this version cannot read the job, [`StoreError::Database`].
    pub async fn job_claim(
        &self,
        id: &JobId,
        worker: &WorkerId,
        lease: Duration,
        dead: &[WorkerId],
    ) -> Result<Claim, StoreError> {
        let mut tx = self.begin("claim the job").await?;
        let (job, now) = read(&mut tx, id).await?;
        if job.state.is_ended() {
            return Ok(Claim::Ended);
        }
        if let Some(Holder { worker: by, lease_until }) = &job.holder
            && *lease_until > now
            && !dead.contains(by)
        {
            return Ok(Claim::Held { by: by.clone(), until: *lease_until });
        }
        let claimed = take(&mut tx, job, worker, lease, now).await?;
        tx.commit().await?;
        Ok(Claim::Taken(Box::new(claimed)))
    }
}

async fn read(tx: &mut WriteTx, id: &JobId) -> Result<(Job, Timestamp), StoreError> {
    let operation = tx.operation;
    let query =
        sqlx::query(tx.dialect.sql(&format!("{SELECT_JOB} WHERE j.id = $1 {{lock}}"))).bind(id.as_str());
    let found = query.fetch_optional(tx.connection()).await.map_err(failed(operation))?;
    let found = found.ok_or_else(|| StoreError::UnknownJob { job: id.clone() })?;
    let now = Timestamp(row::number(&found, id.as_str(), "now")?);
    Ok((row::job(&found)?, now))
}

async fn take(
    tx: &mut WriteTx,
    mut job: Job,
    worker: &WorkerId,
    length: Duration,
    now: Timestamp,
) -> Result<Claimed, StoreError> {
    let operation = tx.operation;
    let before = job.fence;
    // The fence that was judged is named again: whoever came in between makes this touch nothing.
    let text = tx.dialect.sql(
        "UPDATE jobs SET fence = fence + 1, holder = $3, lease_until = {now} + $4 \
         WHERE id = $1 AND fence = $2 AND NOT ended RETURNING fence, lease_until",
    );
    let update =
        sqlx::query(text).bind(job.id.as_str()).bind(before.0).bind(worker.as_str()).bind(span(length));
    let taken = update.fetch_optional(tx.connection()).await.map_err(failed(operation))?;
    let taken = taken.ok_or_else(|| StoreError::LeaseLost { job: job.id.clone(), fence: before })?;
    let fence = Fence(row::number(&taken, job.id.as_str(), "fence")?);
    let until = Timestamp(row::number(&taken, job.id.as_str(), "lease_until")?);
    let lease = Lease::new(job.id.clone(), worker.clone(), fence, until);
    let input = Input::Claimed { worker: worker.clone(), fence, resumed: before > Fence(0) };
    let order = Order { key: &job.key, spec: &job.spec };
    let step = transition(&job.state, input, now, order)
        .map_err(|source| StoreError::Transition { job: job.id.clone(), source })?;
    let next = step.next.clone();
    let applied = write_step(tx, &lease, step).await?;
    job.fence = fence;
    job.state = next;
    job.holder = Some(Holder { worker: worker.clone(), lease_until: until });
    job.updated_at = applied.at;
    let events = applied.events.into_iter();
    let events = events.map(|(number, at, event)| EventRecord { number, at, event: Ok(event) }).collect();
    Ok(Claimed { lease, job, events })
}
