//! Taking jobs whose rows this transaction has locked: slots, fence, state and events of all of them with a few statements.

use std::collections::HashMap;

use overnight_core::id::Fence;
use overnight_core::job::{Holder, Input, Job, Order, Step, transition};
use overnight_core::units::Timestamp;

use crate::apply::{EVENTS, event_row, numbered};
use crate::error::StoreError;
use crate::insert::runs;
use crate::lease::{Held, Lease, span};
use crate::placement::{COLUMNS, IN_V, Placement};
use crate::record::EventRecord;
use crate::records::Column;
use crate::row;
use crate::sql::{Row, Value, rows, sql};
use crate::store::WriteTx;

use super::slots::{Slot, occupy};
use super::{Claimant, Claimed};

/// A job that may be taken.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) job: Job,
    pub(crate) now: Timestamp,
    /// Where what it needs lies; empty: nowhere.
    pub(crate) place: String,
    pub(crate) slots: Vec<Slot>,
}

/// Takes those of the candidates whose slots could be had.
pub(crate) async fn take(
    tx: &mut WriteTx,
    candidates: Vec<Candidate>,
    claimant: &Claimant,
) -> Result<Vec<Claimed>, StoreError> {
    let wanted: Vec<(String, Vec<Slot>)> =
        candidates.iter().map(|one| (one.job.id.as_str().to_owned(), one.slots.clone())).collect();
    let refused = occupy(tx, &wanted).await?;
    let mut decided = Vec::new();
    for candidate in candidates {
        if !refused.iter().any(|job| job == candidate.job.id.as_str()) {
            decided.push(decide(candidate, claimant)?);
        }
    }
    let written = write(tx, &decided, claimant).await?;
    let claimed = handed_over(decided, &written, claimant);
    let mut events = Vec::new();
    for one in &claimed {
        for record in &one.events {
            if let Ok(event) = &record.event {
                events.push(event_row(one.job.id.as_str(), record.number, record.at, event)?);
            }
        }
    }
    EVENTS.rows(tx, &events).await?;
    Ok(claimed)
}

/// The jobs that were taken, with their leases.
pub(super) fn handed_over(
    decided: Vec<Taking>,
    written: &HashMap<String, Written>,
    claimant: &Claimant,
) -> Vec<Claimed> {
    let taken = |taking: Taking| {
        let found = written.get(taking.job.id.as_str())?;
        Some(hand_over(taking, found, claimant))
    };
    decided.into_iter().filter_map(taken).collect()
}

/// What taking a job makes of it.
pub(super) struct Taking {
    pub(super) job: Job,
    fence: Fence,
    pub(super) step: Step,
    /// Where it can go on from now on; empty: anywhere.
    place: String,
}

impl Taking {
    /// In the order of the columns of `v`.
    pub(super) fn values(&self) -> Result<Vec<Value>, StoreError> {
        let mut values: Vec<Value> = vec![
            self.job.id.as_str().into(),
            self.job.fence.0.into(),
            count(&self.step).into(),
            (&self.place).into(),
        ];
        values.extend(Placement::of(&self.step.next, true)?.values());
        Ok(values)
    }
}

pub(super) fn decide(candidate: Candidate, claimant: &Claimant) -> Result<Taking, StoreError> {
    let Candidate { job, now, place, slots: _ } = candidate;
    let fence = Fence(job.fence.0 + 1);
    let moved = !place.is_empty() && place != claimant.place.as_str();
    let input =
        Input::Claimed { worker: claimant.worker.clone(), fence, resumed: job.fence > Fence(0), moved };
    let order = Order { key: &job.key, spec: &job.spec };
    let step = transition(&job.state, input, now, order)
        .map_err(|source| StoreError::Transition { job: job.id.clone(), source })?;
    let home = job.queueing.place.as_ref();
    // What is done so far is on this disk; before anything is done, another can begin as well.
    let place = if step.next.is_bound() { Some(&claimant.place) } else { home };
    let place = place.map_or_else(String::new, |place| place.as_str().to_owned());
    Ok(Taking { job, fence, step, place })
}

fn count(step: &Step) -> i64 {
    i64::try_from(step.events.len()).unwrap_or(i64::MAX)
}

/// What the database made of it.
pub(super) struct Written {
    last_event: i64,
    at: Timestamp,
    until: Timestamp,
}

impl Written {
    /// Reads the rows that [`change`] returned, by the ids of their jobs.
    pub(super) fn read(found: &[Row]) -> Result<HashMap<String, Self>, StoreError> {
        let mut written = HashMap::new();
        for found in found {
            let job = row::text(found, "?", "id")?;
            let one = Self {
                last_event: row::number(found, &job, "last_event")?,
                at: Timestamp(row::number(found, &job, "updated_at")?),
                until: Timestamp(row::number(found, &job, "lease_until")?),
            };
            written.insert(job, one);
        }
        Ok(written)
    }
}

async fn write(
    tx: &mut WriteTx,
    decided: &[Taking],
    claimant: &Claimant,
) -> Result<HashMap<String, Written>, StoreError> {
    let mut written = HashMap::new();
    for run in runs(decided) {
        let mut values: Vec<Value> = vec![claimant.worker.as_str().into(), span(claimant.lease).into()];
        for taking in run {
            values.extend(taking.values()?);
        }
        written.extend(Written::read(&tx.all(sql(text(run.len())).bind_all(values)).await?)?);
    }
    Ok(written)
}

/// Columns of `v` before those of the placement.
pub(super) const LEADING: [Column; 4] =
    [("v_id", "TEXT"), ("v_fence", "BIGINT"), ("v_events", "BIGINT"), ("v_place", "TEXT")];

fn text(count: usize) -> String {
    let (names, types): (Vec<&str>, Vec<&str>) = LEADING.into_iter().chain(IN_V).unzip();
    let (names, rows) = (names.join(", "), rows(3, &types, count));
    format!("WITH v ({names}) AS (VALUES {rows}) {} RETURNING jobs.id, {RETURNED}", change())
}

/// What is read of a job that was changed, besides its id.
pub(super) const RETURNED: &str = "last_event, updated_at, lease_until";

/// The change of the jobs that `v` names, for worker `$1` and `$2` milliseconds. The fence that was judged is named again:
/// whoever came in between makes this touch nothing. That the job has not ended was judged with it.
pub(super) fn change() -> String {
    let set: Vec<String> = COLUMNS.iter().map(|column| format!("{column} = v_{column}")).collect();
    format!(
        "UPDATE jobs SET {}, fence = fence + 1, holder = $1, place = v_place, lease_until = {{now}} + $2, \
         last_event = last_event + v_events, claimed_at = {{now}}, updated_at = {{now}} \
         FROM v WHERE jobs.id = v_id AND fence = v_fence",
        set.join(", "),
    )
}

fn hand_over(taking: Taking, found: &Written, claimant: &Claimant) -> Claimed {
    let applied = numbered(found.at, found.last_event - count(&taking.step), taking.step.events.clone());
    let Taking { mut job, fence, step, place: _ } = taking;
    let held = Held { job: job.id.clone(), worker: claimant.worker.clone(), fence };
    job.fence = fence;
    job.state = step.next;
    job.holder = Some(Holder { worker: claimant.worker.clone(), lease_until: found.until });
    job.updated_at = found.at;
    let record = |(number, at, event)| EventRecord { number, at, event: Ok(event) };
    let events = applied.events.into_iter().map(record).collect();
    Claimed { lease: Lease::new(held, claimant.place.clone(), found.until), job, events }
}
