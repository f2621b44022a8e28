//! Writing a step: state, events and effects in one transaction, for whoever holds the lease and for nobody else.

use overnight_core::id::EventNumber;
use overnight_core::job::{EffectChange, JobEvent, JobState, Stage, Step};
use overnight_core::units::Timestamp;

use crate::error::{StoreError, failed};
use crate::lease::Lease;
use crate::row::{self, to_json};
use crate::store::{Store, WriteTx};

/// What a step wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    pub at: Timestamp,
    pub events: Vec<(EventNumber, Timestamp, JobEvent)>,
}

impl Store {
    /// Writes `step`, which was decided from the state `expected`. A step to `Parked` or `Ended` gives the lease back.
    ///
    /// # Errors
    /// Nothing is written on any of them. [`StoreError::LeaseLost`] when somebody else may act for the job;
    /// [`StoreError::StateMoved`] when the stored state is not `expected`; [`StoreError::EffectOutOfOrder`] when an effect
    /// is reserved after it was done, or done without being reserved or twice; [`StoreError::Row`], [`StoreError::Database`].
    pub async fn apply(&self, lease: &Lease, expected: &JobState, step: Step) -> Result<Applied, StoreError> {
        let mut tx = self.begin("write the step").await?;
        let found = held_state(&mut tx, lease).await?;
        // Compared as stored: the holder's own value may be finer (a duration in nanoseconds) than what is kept of it.
        if to_json("state", &found)? != to_json("state", expected)? {
            let (expected, found) = (expected.name(), found.name());
            return Err(StoreError::StateMoved { job: lease.job().clone(), expected, found });
        }
        let applied = write_step(&mut tx, lease, step).await?;
        tx.commit().await?;
        Ok(applied)
    }
}

async fn held_state(tx: &mut WriteTx, lease: &Lease) -> Result<JobState, StoreError> {
    let operation = tx.operation;
    let text = tx.dialect.sql("SELECT state FROM jobs WHERE id = $1 AND fence = $2 AND holder = $3 {lock}");
    let query =
        sqlx::query(text).bind(lease.job().as_str()).bind(lease.fence().0).bind(lease.worker().as_str());
    let found = query.fetch_optional(tx.connection()).await.map_err(failed(operation))?;
    let found = found.ok_or_else(|| lease.lost())?;
    let job = lease.job().as_str();
    Ok(row::state(job, &row::text(&found, job, "state")?)?)
}

/// Writes a step under the lease's fence, within a transaction that the caller commits.
pub(crate) async fn write_step(tx: &mut WriteTx, lease: &Lease, step: Step) -> Result<Applied, StoreError> {
    let operation = tx.operation;
    let place = placement(&step.next);
    let count = i64::try_from(step.events.len()).unwrap_or(i64::MAX);
    let text = tx.dialect.sql(
        "UPDATE jobs SET state = $4, state_name = $5, stage = $6, wake_at = $7, ended = $8, \
         holder = CASE WHEN $9 THEN NULL ELSE holder END, lease_until = CASE WHEN $9 THEN NULL ELSE lease_until END, \
         last_event = last_event + $10, updated_at = {now} \
         WHERE id = $1 AND fence = $2 AND holder = $3 AND NOT ended RETURNING last_event, updated_at",
    );
    let update = sqlx::query(text)
        .bind(lease.job().as_str())
        .bind(lease.fence().0)
        .bind(lease.worker().as_str())
        .bind(to_json("state", &step.next)?)
        .bind(place.name)
        .bind(place.stage)
        .bind(place.wake)
        .bind(place.ended)
        .bind(place.frees_lease)
        .bind(count);
    let written = update.fetch_optional(tx.connection()).await.map_err(failed(operation))?;
    let written = written.ok_or_else(|| lease.lost())?;
    let job = lease.job().as_str();
    let at = Timestamp(row::number(&written, job, "updated_at")?);
    let mut number = row::number(&written, job, "last_event")? - count;
    let mut events = Vec::with_capacity(step.events.len());
    for event in step.events {
        number += 1;
        insert_event(tx, job, EventNumber(number), at, &event).await?;
        events.push((EventNumber(number), at, event));
    }
    for change in &step.effects {
        write_effect(tx, lease, at, change).await?;
    }
    Ok(Applied { at, events })
}

pub(crate) async fn insert_event(
    tx: &mut WriteTx,
    job: &str,
    number: EventNumber,
    at: Timestamp,
    event: &JobEvent,
) -> Result<(), StoreError> {
    let insert = sqlx::query("INSERT INTO events (job_id, number, at, event) VALUES ($1, $2, $3, $4)");
    let insert = insert.bind(job).bind(number.0).bind(at.0).bind(to_json("event", event)?);
    insert.execute(tx.connection()).await.map_err(failed(tx.operation))?;
    Ok(())
}

/// A reservation may be repeated, by the same holder or a later one, until the effect is done; it is done once.
async fn write_effect(
    tx: &mut WriteTx,
    lease: &Lease,
    at: Timestamp,
    change: &EffectChange,
) -> Result<(), StoreError> {
    let (name, wanted, text, value) = match change {
        EffectChange::Reserve { name, detail } => (
            name.as_str(),
            "reserved",
            "INSERT INTO effects (job_id, name, detail, status, fence, at) VALUES ($1, $2, $3, 'reserved', $4, $5) \
             ON CONFLICT (job_id, name) DO UPDATE SET detail = excluded.detail, fence = excluded.fence, at = excluded.at \
             WHERE effects.status = 'reserved'",
            detail,
        ),
        EffectChange::Done { name, result } => (
            name.as_str(),
            "done",
            "UPDATE effects SET status = 'done', result = $3, fence = $4, at = $5 \
             WHERE job_id = $1 AND name = $2 AND status = 'reserved'",
            result,
        ),
    };
    let query =
        sqlx::query(text).bind(lease.job().as_str()).bind(name).bind(value).bind(lease.fence().0).bind(at.0);
    let operation = tx.operation;
    let done = query.execute(tx.connection()).await.map_err(failed(operation))?;
    if done.rows_affected() == 0 {
        return Err(StoreError::EffectOutOfOrder { job: lease.job().clone(), effect: name, wanted });
    }
    Ok(())
}

/// Columns that repeat a part of the state, for conditions in SQL. Written only together with it.
pub(crate) struct Placement {
    pub(crate) name: &'static str,
    pub(crate) stage: Option<&'static str>,
    pub(crate) wake: Option<i64>,
    pub(crate) ended: bool,
    pub(crate) frees_lease: bool,
}

pub(crate) fn placement(state: &JobState) -> Placement {
    let (wake, ended, frees_lease) = match state {
        JobState::Parked { wake, .. } => (wake.map(|at| at.0), false, true),
        JobState::Ended { .. } => (None, true, true),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. } => (None, false, false),
    };
    Placement { name: state.name(), stage: state.stage().map(Stage::as_str), wake, ended, frees_lease }
}
