//! Jobs whose time has come, and jobs whose reason to wait is gone.

use overnight_core::agent::BackendId;
use overnight_core::id::JobId;
use overnight_core::job::{Input, Order, ParkReason, transition};
use overnight_core::units::Timestamp;

use crate::error::StoreError;
use crate::free;
use crate::row;
use crate::sql::sql;
use crate::store::{Store, WriteTx};

/// Jobs woken by one transaction.
const AT_ONCE: i64 = 100;

impl Store {
    /// Puts jobs whose time has come into the queue. Returns when the next one's will be, if any waits for a time.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn jobs_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let operation = "look for jobs whose time has come";
        let text = "SELECT MIN(wake_at) AS wake, {now} AS now FROM jobs WHERE phase = 'due'";
        let found = self.one(operation, sql(text)).await?;
        let number = |column| found.optional_number(column).map_err(crate::error::failed(operation));
        let (Some(wake), Some(now)) = (number("wake")?, number("now")?) else { return Ok(None) };
        if wake > now {
            return Ok(Some(Timestamp(wake)));
        }
        let mut tx = self.begin(operation).await?;
        // Passing over those that somebody else is about to change, who may want this one's in turn.
        let text = "UPDATE jobs SET phase = 'ready' WHERE id IN \
                    (SELECT j.id FROM jobs j WHERE j.phase = 'due' AND j.wake_at <= {now} ORDER BY j.id {lock_free})";
        let changed = tx.run(sql(text)).await?;
        if changed > 0 {
            tx.gives_work();
        }
        tx.commit().await?;
        let text = "SELECT MIN(wake_at) AS wake FROM jobs WHERE phase = 'due'";
        let found = self.one(operation, sql(text)).await?;
        Ok(found.optional_number("wake").map_err(crate::error::failed(operation))?.map(Timestamp))
    }

    /// Wakes a job that waits, whatever for. `false`: it does not wait, or somebody holds it.
    ///
    /// # Errors
    /// [`StoreError::Blocked`] when it waits for other jobs; [`StoreError::UnknownJob`], [`StoreError::Database`].
    pub async fn job_wake(&self, id: &JobId) -> Result<bool, StoreError> {
        let mut tx = self.begin("wake the job").await?;
        let found = free::lock(&mut tx, id.as_str()).await?;
        let locked = found.ok_or_else(|| StoreError::UnknownJob { job: id.clone() })?;
        if locked.phase == "blocked" {
            return Err(StoreError::Blocked { key: locked.job.key });
        }
        let waits = matches!(locked.phase.as_str(), "due" | "asleep");
        if !waits {
            return Ok(false);
        }
        if locked.job.state.name() == "parked" {
            free::move_free(&mut tx, id.as_str(), Input::Woken).await?;
        }
        // Also one that was not to be started before a time.
        tx.run(sql("UPDATE jobs SET phase = 'ready' WHERE id = $1 AND phase = 'due'").bind(id.as_str()))
            .await?;
        tx.gives_work();
        tx.commit().await?;
        Ok(true)
    }

    /// Lets the next turn of a job that nobody holds begin with a fresh session. `false`: it is held, or has no turn before it.
    ///
    /// # Errors
    /// [`StoreError::UnknownJob`], [`StoreError::Database`].
    pub async fn job_compact(&self, id: &JobId) -> Result<bool, StoreError> {
        let mut tx = self.begin("begin a conversation anew").await?;
        let found = free::lock(&mut tx, id.as_str()).await?;
        let locked = found.ok_or_else(|| StoreError::UnknownJob { job: id.clone() })?;
        let order = Order { key: &locked.job.key, spec: &locked.job.spec };
        if locked.job.holder.is_some() {
            return Ok(false);
        }
        let Ok(step) = transition(&locked.job.state, Input::Compact, locked.now, order) else {
            return Ok(false);
        };
        let phase = locked.phase.clone();
        free::write_free(&mut tx, &locked.job, locked.now, step).await?;
        if phase == "ready" {
            // It was woken before, and stays so.
            tx.run(sql("UPDATE jobs SET phase = 'ready' WHERE id = $1").bind(id.as_str())).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Wakes jobs that wait for this reason and, when one is named, for this backend: all of them, or only the one that has
    /// waited longest (`canary`), to see whether the reason is gone. Returns how many.
    ///
    /// # Errors
    /// [`StoreError::Database`]. Jobs woken before the error stay awake.
    pub async fn jobs_wake(
        &self,
        reason: ParkReason,
        backend: Option<BackendId>,
        canary: bool,
    ) -> Result<u64, StoreError> {
        let text = "SELECT j.id, s.spec FROM jobs j JOIN job_specs s ON s.job_id = j.id \
                    WHERE j.phase IN ('asleep', 'due') AND NOT j.ended AND j.park_reason = $1 AND j.id > $2 ORDER BY j.id LIMIT $3";
        let mut woken = 0;
        let mut after = String::new();
        loop {
            let query = sql(text).bind(reason.code()).bind(&after).bind(AT_ONCE);
            let page = self.all("look for waiting jobs", query).await?;
            let Some(last) = page.last() else { return Ok(woken) };
            after = row::text(last, "?", "id")?;
            let mut tx = self.begin("wake jobs").await?;
            for found in &page {
                let id = row::text(found, "?", "id")?;
                if !uses(&row::text(found, &id, "spec")?, backend) {
                    continue;
                }
                let moved = Box::pin(wake_one(&mut tx, &id, reason)).await?;
                woken += u64::from(moved);
                if canary && moved {
                    break;
                }
            }
            tx.commit().await?;
            if canary && woken > 0 {
                return Ok(woken);
            }
        }
    }
}

/// Looked at again under the row's lock: somebody else may have woken or taken it.
async fn wake_one(tx: &mut WriteTx, id: &str, reason: ParkReason) -> Result<bool, StoreError> {
    let text = "SELECT j.id FROM jobs j WHERE j.id = $1 AND j.phase IN ('asleep', 'due') AND j.park_reason = $2 {lock}";
    if tx.optional(sql(text).bind(id).bind(reason.code())).await?.is_none() {
        return Ok(false);
    }
    free::move_free(tx, id, Input::Woken).await?;
    Ok(true)
}

/// An order that cannot be read is woken too: whoever claims it says what is wrong with it.
fn uses(spec: &str, backend: Option<BackendId>) -> bool {
    let Ok(spec) = serde_json::from_str::<overnight_core::job::JobSpec>(spec) else { return true };
    let backup = spec.choice.backup.as_ref().map(|backup| backup.agent.backend);
    backend.is_none_or(|backend| backend == spec.agent.backend || Some(backend) == backup)
}
