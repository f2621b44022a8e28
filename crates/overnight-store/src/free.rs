//! Moving a job that nobody holds: woken, ended by what it waited for, cancelled before it ran, taken from a lost worker.

use overnight_core::id::JobId;
use overnight_core::job::{Input, Job, Order, Step, transition};
use overnight_core::units::Timestamp;

use crate::apply::{EVENTS, ended_as, event_row, free_slots, numbered, write_effect};
use crate::ends::Ending;
use crate::error::StoreError;
use crate::placement::{COLUMNS, Phase, Placement};
use crate::row::{self, SELECT_JOB};
use crate::spend;
use crate::sql::sql;
use crate::store::WriteTx;
use crate::talk;

/// Stands for the reason of a job that waits because this version cannot read it.
const UNREADABLE: &str = "unreadable";

/// A job whose row this transaction has locked.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) job: Job,
    pub(crate) now: Timestamp,
    /// Where what it needs lies; empty: nowhere.
    pub(crate) place: String,
    pub(crate) phase: String,
}

/// Locks and reads a job. `None`: there is none.
pub(crate) async fn lock(tx: &mut WriteTx, id: &str) -> Result<Option<Locked>, StoreError> {
    let query = sql(format!("{SELECT_JOB} WHERE j.id = $1 {{lock}}")).bind(id);
    let Some(found) = tx.optional(query).await? else { return Ok(None) };
    Ok(Some(Locked {
        now: Timestamp(row::number(&found, id, "now")?),
        place: row::text(&found, id, "place")?,
        phase: row::text(&found, id, "phase")?,
        job: row::job(&found)?,
    }))
}

/// Sets a job that cannot be read aside, so that it keeps nobody from working: it waits for a version that can. Who holds it
/// can read it, and keeps it for as long as its lease lasts.
pub(crate) async fn set_aside(tx: &mut WriteTx, id: &str) -> Result<(), StoreError> {
    tracing::error!(job = id, "the job cannot be read by this version, and is set aside");
    let text = "UPDATE jobs SET phase = 'asleep', park_reason = $2, holder = NULL, lease_until = NULL, fence = fence + 1 \
                WHERE id = $1 AND NOT ended AND (holder IS NULL OR lease_until <= {now})";
    if tx.run(sql(text).bind(id).bind(UNREADABLE)).await? > 0 {
        free_slots(tx, &[id.to_owned()]).await?;
    }
    Ok(())
}

/// Puts the jobs that were set aside back into the queue.
pub(crate) async fn try_again(tx: &mut WriteTx) -> Result<(), StoreError> {
    let text = "UPDATE jobs SET phase = 'ready', park_reason = NULL WHERE phase = 'asleep' AND NOT ended AND park_reason = $1";
    if tx.run(sql(text).bind(UNREADABLE)).await? > 0 {
        tx.gives_work();
    }
    Ok(())
}

/// Decides and writes what `input` means for a job that nobody holds. Returns it when it ended by that and others wait for it.
pub(crate) async fn move_free(
    tx: &mut WriteTx,
    id: &str,
    input: Input,
) -> Result<Option<Ending>, StoreError> {
    let locked = match lock(tx, id).await {
        Ok(Some(locked)) => locked,
        Ok(None) => return Err(StoreError::Internal { what: "a job that was counted is not there" }),
        Err(StoreError::Row(_)) => {
            set_aside(tx, id).await?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if locked.job.holder.is_some() || locked.job.state.is_ended() {
        return Ok(None);
    }
    let Locked { job, now, .. } = locked;
    let order = Order { key: &job.key, spec: &job.spec };
    let step = transition(&job.state, input, now, order)
        .map_err(|source| StoreError::Transition { job: job.id.clone(), source })?;
    write_free(tx, &job, now, step).await
}

/// Writes a step of a job that this transaction has locked, and takes whoever held it out.
pub(crate) async fn write_free(
    tx: &mut WriteTx,
    job: &Job,
    now: Timestamp,
    step: Step,
) -> Result<Option<Ending>, StoreError> {
    let mut place = Placement::of(&step.next, false)?;
    if let (Phase::Ready, Some(at)) = (place.phase, job.queueing.not_before.filter(|at| *at > now)) {
        (place.phase, place.wake) = (Phase::Due, Some(at));
    }
    if matches!(place.phase, Phase::Ready | Phase::Due) {
        tx.gives_work();
    }
    let set: Vec<String> = COLUMNS.iter().zip(3..).map(|(column, n)| format!("{column} = ${n}")).collect();
    let ended = 3 + COLUMNS.iter().take_while(|column| **column != "ended").count();
    let text = format!(
        "UPDATE jobs SET holder = NULL, lease_until = NULL, last_event = last_event + $2, updated_at = {{now}}, \
         ended_at = CASE WHEN CAST(${ended} AS BOOLEAN) THEN {{now}} END, {} \
         WHERE id = $1 RETURNING last_event, updated_at, dependents",
        set.join(", ")
    );
    let count = i64::try_from(step.events.len()).unwrap_or(i64::MAX);
    let update = sql(text).bind(job.id.as_str()).bind(count).bind_all(place.values());
    let raw = job.id.as_str();
    let written = tx.optional(update).await?.ok_or_else(|| StoreError::UnknownJob { job: job.id.clone() })?;
    let at = Timestamp(row::number(&written, raw, "updated_at")?);
    let applied = numbered(at, row::number(&written, raw, "last_event")? - count, step.events);
    let mut events = Vec::with_capacity(applied.events.len());
    for (number, at, event) in &applied.events {
        events.push(event_row(raw, *number, *at, event)?);
    }
    EVENTS.rows(tx, &events).await?;
    if !step.spend.is_empty() {
        Box::pin(spend::write(tx, raw, at, &step.spend)).await?;
    }
    for change in &step.effects {
        write_effect(tx, (&job.id, job.fence), at, change).await?;
    }
    if !step.talk.is_empty() {
        Box::pin(talk::write(tx, raw, at, &step.talk)).await?;
    }
    free_slots(tx, &[raw.to_owned()]).await?;
    let waited_for = row::flag(&written, raw, "dependents")?;
    Ok(ended_as(&step.next).filter(|_| waited_for).map(|reason| Ending {
        job: JobId::clone(&job.id),
        key: job.key.clone(),
        reason,
    }))
}
