//! The ledger: what each start of an agent CLI used, whoever ran it and whether or not its job is still there.
//!
//! A session's row is opened and closed in the transaction of the step that begins and ends it; while it runs, its worker writes
//! now and then what it has used so far, so that others' limits count it and a crash leaves what was known.

mod raise;
mod report;
mod totals;

use overnight_core::agent::Usage;
use overnight_core::job::{OpenedSession, SpendChange};
use overnight_core::units::Timestamp;

use crate::error::StoreError;
use crate::lease::Lease;
use crate::sql::{Sql, Value, sql};
use crate::store::{Store, WriteTx};

pub use raise::{NewRaise, Raise};
pub use report::{CostBy, CostLine};
pub use totals::SpendQuery;

/// What a running session has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendSoFar {
    pub turn: u32,
    pub usage: Usage,
    /// As the agent named it; `None`: not named yet.
    pub model: Option<String>,
    pub wall_ms: u64,
}

/// Follows an UPDATE of a session: `$1` to `$7` are [`of_usage`].
const USED: &str = "input_tokens = CAST($1 AS BIGINT), output_tokens = CAST($2 AS BIGINT), \
    cache_read_tokens = CAST($3 AS BIGINT), cache_write_tokens = CAST($4 AS BIGINT), answers = CAST($5 AS BIGINT), \
    cost = CAST($6 AS BIGINT), estimated = CAST($7 AS BOOLEAN), accounted = TRUE";

fn of_usage(usage: &Usage) -> [Value; 7] {
    [
        whole(usage.input_tokens).into(),
        whole(usage.output_tokens).into(),
        whole(usage.cache_read_tokens).into(),
        whole(usage.cache_write_tokens).into(),
        i64::from(usage.turns).into(),
        usage.cost.map(|cost| cost.0).into(),
        usage.estimated.into(),
    ]
}

pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Store {
    /// Writes what a running session has used so far. `false`: it is over, or somebody else may act for the job.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn spend_so_far(&self, lease: &Lease, so_far: &SpendSoFar) -> Result<bool, StoreError> {
        let SpendSoFar { turn, usage, model, wall_ms } = so_far;
        let used = if usage.is_empty() { String::new() } else { format!("{USED}, ") };
        let from = if usage.is_empty() { 1 } else { 8 };
        let [wall, named, job, number, fence, holder] = [0, 1, 2, 3, 4, 5].map(|n| from + n);
        let text = format!(
            "UPDATE spend SET {used}wall_ms = CAST(${wall} AS BIGINT), model = COALESCE(CAST(${named} AS TEXT), model) \
             WHERE job_id = ${job} AND turn = ${number} AND ended_at IS NULL AND EXISTS \
             (SELECT 1 FROM jobs j WHERE j.id = spend.job_id AND j.fence = ${fence} AND j.holder = ${holder})"
        );
        let mut query = sql(text);
        if !usage.is_empty() {
            query = query.bind_all(of_usage(usage));
        }
        let held = lease.held();
        let query = query
            .bind(whole(*wall_ms))
            .bind(model.clone())
            .bind(held.job.as_str())
            .bind(i64::from(*turn))
            .bind(held.fence.0)
            .bind(held.worker.as_str());
        Ok(self.run("write what a session has used", query).await? > 0)
    }
}

/// Writes what a step means for the ledger. `at`: when the step was written.
pub(crate) async fn write(
    tx: &mut WriteTx,
    job: &str,
    at: Timestamp,
    changes: &[SpendChange],
) -> Result<(), StoreError> {
    for change in changes {
        match change {
            SpendChange::Opened(opened) => {
                if opened.turn > 1 {
                    close_forgotten(tx, job, opened.turn, at).await?;
                }
                tx.run(open(job, at, opened)).await?;
            }
            SpendChange::Closed { turn, usage, wall } => {
                let wall = wall.map_or(0, |wall| i64::try_from(wall.as_millis()).unwrap_or(i64::MAX));
                tx.run(close(job, *turn, at, usage.as_ref(), wall)).await?;
            }
        }
    }
    Ok(())
}

/// Sessions that a claim from another place left behind: their end was nobody's step.
async fn close_forgotten(tx: &mut WriteTx, job: &str, turn: u32, at: Timestamp) -> Result<(), StoreError> {
    let text = "UPDATE spend SET ended_at = $3 WHERE job_id = $1 AND turn < $2 AND ended_at IS NULL";
    tx.run(sql(text).bind(job).bind(i64::from(turn)).bind(at.0)).await.map(drop)
}

fn open(job: &str, at: Timestamp, opened: &OpenedSession) -> Sql {
    let OpenedSession { turn, attempt, task, backend, model, account, billing } = opened;
    let text = "INSERT INTO spend (job_id, turn, attempt, task_id, repository_id, backend, model, account, billing, day, started_at) \
                SELECT j.id, CAST($2 AS BIGINT), CAST($3 AS BIGINT), COALESCE(CAST($4 AS TEXT), j.id), j.repository_id, \
                  CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS TEXT), CAST($8 AS TEXT), CAST($9 AS BIGINT), CAST($10 AS BIGINT) \
                FROM jobs j WHERE j.id = $1 ON CONFLICT (job_id, turn) DO NOTHING";
    sql(text)
        .bind(job)
        .bind(i64::from(*turn))
        .bind(i64::from(*attempt))
        .bind(task.as_ref().map(|task| task.as_str().to_owned()))
        .bind(backend.as_str())
        .bind(model.clone())
        .bind(account)
        .bind(billing.code())
        .bind(overnight_core::policy::budget::day_of(at))
        .bind(at.0)
}

/// A session whose end told nothing keeps what it told while it ran.
fn close(job: &str, turn: u32, at: Timestamp, usage: Option<&Usage>, wall: i64) -> Sql {
    let told = usage.filter(|usage| !usage.is_empty());
    let (used, from) = if told.is_some() { (format!("{USED}, "), 8) } else { (String::new(), 1) };
    let [ended, length, id, number] = [0, 1, 2, 3].map(|n| from + n);
    let text = format!(
        "UPDATE spend SET {used}ended_at = CAST(${ended} AS BIGINT), \
         wall_ms = CASE WHEN CAST(${length} AS BIGINT) > wall_ms THEN CAST(${length} AS BIGINT) ELSE wall_ms END \
         WHERE job_id = ${id} AND turn = ${number} AND ended_at IS NULL"
    );
    let query = told.map_or_else(|| sql(text.clone()), |usage| sql(text.clone()).bind_all(of_usage(usage)));
    query.bind(at.0).bind(wall).bind(job).bind(i64::from(turn))
}
