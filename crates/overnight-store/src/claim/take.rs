//! Taking jobs whose rows this transaction has locked: slots, fence, state and events of all of them with a few statements.

use std::collections::HashMap;

use overnight_core::id::Fence;
use overnight_core::job::{Holder, Input, Job, Order, Step, transition};
use overnight_core::units::Timestamp;

use crate::apply::{EVENTS, event_row, numbered};
use crate::error::StoreError;
use crate::insert::runs;
use crate::lease::{Held, Lease, span};
use crate::placement::{COLUMNS, Placement, TYPES};
use crate::record::EventRecord;
use crate::row;
use crate::sql::{Value, rows, sql};
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
    let mut events = Vec::new();
    let mut claimed = Vec::with_capacity(decided.len());
    for taking in decided {
        let Some(found) = written.get(taking.job.id.as_str()) else { continue };
        let applied = numbered(found.at, found.last_event - count(&taking.step), taking.step.events.clone());
        for (number, at, event) in &applied.events {
            events.push(event_row(taking.job.id.as_str(), *number, *at, event)?);
        }
        claimed.push(hand_over(taking, found, applied.events, claimant));
    }
    EVENTS.rows(tx, &events).await?;
    Ok(claimed)
}

struct Taking {
    job: Job,
    fence: Fence,
    step: Step,
    /// Where it can go on from now on; empty: anywhere.
    place: String,
}

fn decide(candidate: Candidate, claimant: &Claimant) -> Result<Taking, StoreError> {
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

struct Written {
    last_event: i64,
    at: Timestamp,
    until: Timestamp,
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
            values.push(taking.job.id.as_str().into());
            values.push(taking.job.fence.0.into());
            values.push(count(&taking.step).into());
            values.push((&taking.place).into());
            values.extend(Placement::of(&taking.step.next, true)?.values());
        }
        for found in tx.all(sql(text(run.len())).bind_all(values)).await? {
            let job = row::text(&found, "?", "id")?;
            let one = Written {
                last_event: row::number(&found, &job, "last_event")?,
                at: Timestamp(row::number(&found, &job, "updated_at")?),
                until: Timestamp(row::number(&found, &job, "lease_until")?),
            };
            written.insert(job, one);
        }
    }
    Ok(written)
}

/// The fence that was judged is named again: whoever came in between makes this touch nothing. That the job has not ended was
/// judged with it.
fn text(count: usize) -> String {
    let types: Vec<&str> = ["TEXT", "BIGINT", "BIGINT", "TEXT"].into_iter().chain(TYPES).collect();
    let named: Vec<String> = COLUMNS.iter().map(|column| format!("v_{column}")).collect();
    let set: Vec<String> = COLUMNS.iter().map(|column| format!("{column} = v_{column}")).collect();
    format!(
        "WITH v (v_id, v_fence, v_events, v_place, {}) AS (VALUES {}) \
         UPDATE jobs SET {}, fence = fence + 1, holder = $1, place = v_place, lease_until = {{now}} + $2, \
         last_event = last_event + v_events, claimed_at = {{now}}, updated_at = {{now}} \
         FROM v WHERE jobs.id = v_id AND fence = v_fence \
         RETURNING jobs.id AS id, last_event, updated_at, lease_until",
        named.join(", "),
        rows(3, &types, count),
        set.join(", "),
    )
}

fn hand_over(
    taking: Taking,
    found: &Written,
    events: Vec<(overnight_core::id::EventNumber, Timestamp, overnight_core::job::JobEvent)>,
    claimant: &Claimant,
) -> Claimed {
    let Taking { mut job, fence, step, place: _ } = taking;
    let held = Held { job: job.id.clone(), worker: claimant.worker.clone(), fence };
    job.fence = fence;
    job.state = step.next;
    job.holder = Some(Holder { worker: claimant.worker.clone(), lease_until: found.until });
    job.updated_at = found.at;
    let events =
        events.into_iter().map(|(number, at, event)| EventRecord { number, at, event: Ok(event) }).collect();
    Claimed { lease: Lease::new(held, claimant.place.clone(), found.until), job, events }
}
