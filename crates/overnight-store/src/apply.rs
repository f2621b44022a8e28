//! Writing steps: state, events and effects in one transaction, for whoever holds the lease and for nobody else. Several
//! jobs' steps go through one transaction when they come at the same time.

use std::collections::HashMap;

use overnight_core::id::{EventNumber, Fence, JobId};
use overnight_core::job::{EffectChange, JobEvent, JobState, Label, Step};
use overnight_core::units::Timestamp;

use crate::backlog;
use crate::ends;
use crate::error::StoreError;
use crate::insert::{Into, runs};
use crate::lease::{Held, Lease};
use crate::placement::{COLUMNS, IN_V, Phase, Placement};
use crate::records::Column;
use crate::row::{self, to_json};
use crate::spend;
use crate::sql::{Value, places, rows, sql};
use crate::store::{Store, WriteTx};
use crate::talk;

/// What a step wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    pub at: Timestamp,
    pub events: Vec<(EventNumber, Timestamp, JobEvent)>,
}

/// One step on its way to the database.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) held: Held,
    /// Where its holder works, and leaves what going on needs.
    pub(crate) place: Label,
    /// The state that the step was decided from; `None`: read in the same transaction.
    pub(crate) expected: Option<JobState>,
    pub(crate) step: Step,
}

pub(crate) const WRITE: &str = "write the step";

pub(crate) type Written = Result<Applied, StoreError>;

impl Store {
    /// Writes `step`, which was decided from the state `expected`. A step to `Parked` or `Ended` gives the lease back.
    ///
    /// # Errors
    /// Nothing is written on any of them. [`StoreError::LeaseLost`] when somebody else may act for the job;
    /// [`StoreError::StateMoved`] when the stored state is not `expected`; [`StoreError::EffectOutOfOrder`] when an effect
    /// is reserved after it was done, or done without being reserved or twice; [`StoreError::Row`], [`StoreError::Database`].
    pub async fn apply(&self, lease: &Lease, expected: &JobState, step: Step) -> Result<Applied, StoreError> {
        let (held, place) = (lease.held(), lease.place());
        self.commits.write(self, Write { held, place, expected: Some(expected.clone()), step }).await
    }
}

/// Writes these steps in one transaction, which is committed. A step that is refused does not keep the others from being
/// written; the outer error is that of the database, and nothing is written then.
pub(crate) async fn write_all(store: &Store, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
    let mut tx = store.begin(WRITE).await?;
    let written = write_steps(&mut tx, writes).await?;
    tx.commit().await?;
    Ok(written)
}

/// The same within a transaction of the caller. The results stand in the order of the writes.
pub(crate) async fn write_steps(tx: &mut WriteTx, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
    let found = update_jobs(tx, writes).await?;
    let mut results = Vec::with_capacity(writes.len());
    let mut events: Vec<Vec<Value>> = Vec::new();
    let mut ended = Vec::new();
    let mut freed = Vec::new();
    for write in writes {
        let Some(job) = found.get(write.held.job.as_str()) else {
            results.push(Err(why_not(tx, write).await?));
            continue;
        };
        let count = i64::try_from(write.step.events.len()).unwrap_or(i64::MAX);
        let applied = numbered(job.at, job.last_event - count, write.step.events.clone());
        for (number, at, event) in &applied.events {
            events.push(event_row(write.held.job.as_str(), *number, *at, event)?);
        }
        if !write.step.spend.is_empty() {
            Box::pin(spend::write(tx, write.held.job.as_str(), job.at, &write.step.spend)).await?;
        }
        if !write.step.talk.is_empty() {
            Box::pin(talk::write(tx, write.held.job.as_str(), job.at, &write.step.talk)).await?;
        }
        if !write.step.documents.is_empty() {
            Box::pin(backlog::write_documents(tx, &write.held.job, job.at, &write.step.documents)).await?;
        }
        for change in &write.step.effects {
            let Held { job: id, fence, .. } = &write.held;
            write_effect(tx, (id, *fence), job.at, change).await?;
        }
        if backlog::opened(&write.step).is_some() {
            Box::pin(backlog::write_opened(tx, &write.held.job, job.at, &write.step)).await?;
        }
        if job.limited {
            freed.push(write.held.job.as_str().to_owned());
        }
        if job.ready {
            tx.gives_work();
        }
        if let (Some(end), true) = (ended_as(&write.step.next), job.dependents) {
            ended.push(ends::Ending { job: write.held.job.clone(), key: job.key.clone(), reason: end });
        }
        results.push(Ok(applied));
    }
    EVENTS.rows(tx, &events).await?;
    free_slots(tx, &freed).await?;
    ends::release_dependents(tx, ended).await?;
    Ok(results)
}

/// Events in a table: one row each.
pub(crate) const EVENTS: Into = Into {
    table: "events",
    columns: &[("job_id", "TEXT"), ("number", "BIGINT"), ("at", "BIGINT"), ("event", "TEXT")],
    extra: Some(("tx", "{tx}")),
    tail: "",
};

pub(crate) fn event_row(
    job: &str,
    number: EventNumber,
    at: Timestamp,
    event: &JobEvent,
) -> Result<Vec<Value>, StoreError> {
    Ok(vec![job.into(), number.0.into(), at.0.into(), to_json("event", event)?.into()])
}

pub(crate) fn numbered(at: Timestamp, before: i64, events: Vec<JobEvent>) -> Applied {
    let numbers = before + 1..;
    let events = numbers.zip(events).map(|(number, event)| (EventNumber(number), at, event)).collect();
    Applied { at, events }
}

pub(crate) fn ended_as(state: &JobState) -> Option<overnight_core::job::EndReason> {
    match state {
        JobState::Ended { end, .. } => Some(end.reason),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Parked { .. } => None,
    }
}

/// What the update of a job told.
struct Updated {
    key: overnight_core::id::TaskKey,
    last_event: i64,
    at: Timestamp,
    dependents: bool,
    /// It gave its lease back, and slots of concurrency limits are still taken for it.
    limited: bool,
    /// Anybody can claim it at once: it was to wait, and somebody wants it cancelled.
    ready: bool,
}

async fn update_jobs(tx: &mut WriteTx, writes: &[Write]) -> Result<HashMap<String, Updated>, StoreError> {
    let mut found = HashMap::new();
    for run in runs(writes) {
        let mut values: Vec<Value> = Vec::with_capacity(run.len() * 24);
        for write in run {
            values.extend(values_of(write)?);
        }
        for row in tx.all(sql(update_text(run.len())).bind_all(values)).await? {
            let job = row::text(&row, "?", "id")?;
            let updated = Updated {
                key: row::key(&row, &job)?,
                last_event: row::number(&row, &job, "last_event")?,
                at: Timestamp(row::number(&row, &job, "updated_at")?),
                dependents: row::flag(&row, &job, "dependents")?,
                limited: row::flag(&row, &job, "limited")?,
                ready: row::text(&row, &job, "phase")? == Phase::Ready.as_str(),
            };
            found.insert(job, updated);
        }
    }
    Ok(found)
}

/// Columns of `v` before those of the placement.
pub(crate) const LEADING: [Column; 6] = [
    ("v_id", "TEXT"),
    ("v_fence", "BIGINT"),
    ("v_holder", "TEXT"),
    ("v_expected", "TEXT"),
    ("v_events", "BIGINT"),
    ("v_place", "TEXT"),
];

/// What a write puts into `v`, in the order of its columns.
pub(crate) fn values_of(write: &Write) -> Result<Vec<Value>, StoreError> {
    let expected = write.expected.as_ref().map(|state| to_json("state", state)).transpose()?;
    let mut values: Vec<Value> = vec![
        write.held.job.as_str().into(),
        write.held.fence.0.into(),
        write.held.worker.as_str().into(),
        expected.into(),
        i64::try_from(write.step.events.len()).unwrap_or(i64::MAX).into(),
        write.step.next.is_bound().then_some(write.place.as_str()).into(),
    ];
    values.extend(Placement::of(&write.step.next, true)?.values());
    Ok(values)
}

/// The change of the jobs that `v` names, for whoever holds them in the expected state. `join` and `only` narrow it further.
pub(crate) fn update_of_v(join: &str, only: &str) -> String {
    // A job that waits would not hear of its cancel: somebody has to take it up.
    let value = |column: &str| match column {
        "phase" => {
            "CASE WHEN cancel IS NOT NULL AND v_phase NOT IN ('held', 'ended') THEN 'ready' ELSE v_phase END"
                .to_owned()
        }
        _ => format!("v_{column}"),
    };
    let set: Vec<String> = COLUMNS.iter().map(|column| format!("{column} = {}", value(column))).collect();
    // A held job has not ended: to say so would lead a planner to the index of all unfinished jobs.
    format!(
        "UPDATE jobs SET {}, last_event = last_event + v_events, updated_at = {{now}}, \
         ended_at = CASE WHEN v_ended THEN {{now}} END, \
         place = COALESCE(v_place, place), \
         holder = CASE WHEN v_phase = 'held' THEN holder ELSE NULL END, \
         lease_until = CASE WHEN v_phase = 'held' THEN lease_until ELSE NULL END \
         FROM v {join} WHERE jobs.id = v_id AND fence = v_fence AND holder = v_holder \
         AND (v_expected IS NULL OR state = v_expected) {only}",
        set.join(", ")
    )
}

/// In the order of ids, as a heartbeat locks them: nobody waits in a circle.
const ORDERED: &str =
    "l (l_id) AS MATERIALIZED (SELECT j.id FROM jobs j JOIN v ON j.id = v_id ORDER BY j.id {lock})";
const AND_ORDERED: &str = "JOIN l ON l_id = v_id";

fn update_text(count: usize) -> String {
    let (names, types): (Vec<&str>, Vec<&str>) = LEADING.into_iter().chain(IN_V).unzip();
    let (ordered, join) =
        if count == 1 { (String::new(), "") } else { (format!(", {ORDERED}"), AND_ORDERED) };
    format!(
        "WITH v ({}) AS (VALUES {}){ordered} {} \
         RETURNING jobs.id AS id, jobs.key AS key, last_event, updated_at, dependents, phase, \
         holder IS NULL AND EXISTS (SELECT 1 FROM slots s WHERE s.job_id = jobs.id) AS limited",
        names.join(", "),
        rows(1, &types, count),
        update_of_v(join, ""),
    )
}

/// Why a step was not written.
async fn why_not(tx: &mut WriteTx, write: &Write) -> Result<StoreError, StoreError> {
    let job = write.held.job.as_str();
    let text = "SELECT state FROM jobs WHERE id = $1 AND fence = $2 AND holder = $3 AND NOT ended";
    let query = sql(text).bind(job).bind(write.held.fence.0).bind(write.held.worker.as_str());
    let Some(row) = tx.optional(query).await? else { return Ok(write.held.lost()) };
    let expected = write.expected.as_ref().map_or("anything", JobState::name);
    Ok(match row::state(job, &row::text(&row, job, "state")?) {
        Ok(found) => StoreError::StateMoved { job: write.held.job.clone(), expected, found: found.name() },
        Err(error) => error.into(),
    })
}

pub(crate) async fn free_slots(tx: &mut WriteTx, jobs: &[String]) -> Result<(), StoreError> {
    for run in runs(jobs) {
        let text = format!("DELETE FROM slots WHERE job_id IN ({})", places(1, run.len()));
        if tx.run(sql(text).bind_all(run.iter().cloned())).await? > 0 {
            tx.gives_work();
        }
    }
    Ok(())
}

/// A reservation may be repeated, by the same holder or a later one, until the effect is done; it is done once.
pub(crate) async fn write_effect(
    tx: &mut WriteTx,
    (job, fence): (&JobId, Fence),
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
    let query = sql(text).bind(job.as_str()).bind(name).bind(value).bind(fence.0).bind(at.0);
    if tx.run(query).await? == 0 {
        return Err(StoreError::EffectOutOfOrder { job: job.clone(), effect: name.to_owned(), wanted });
    }
    Ok(())
}
