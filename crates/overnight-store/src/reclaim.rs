//! Taking jobs back from workers that are dead or were not heard of for a whole lease.

use std::time::Duration;

use overnight_core::id::{TaskKey, WorkerId};
use overnight_core::job::{Holder, Input, Order, transition};
use overnight_core::units::Timestamp;

use crate::dialect::Engine;
use crate::ends::release_dependents;
use crate::error::{StoreError, failed};
use crate::free::{self, Locked};
use crate::lease::span;
use crate::row;
use crate::sql::{places, sql};
use crate::store::{Store, retried};

/// Jobs looked at by one sweep.
const AT_ONCE: i64 = 200;

/// Stands for the place of a job whose place is gone. No place can have this name.
pub(crate) const GONE: &str = "*";

/// When a lost job is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReclaimPolicy {
    /// A job goes back into the queue this often; the next loss ends it.
    pub most_losses: u32,
    /// How long a lease lasts: leases that ran out while nobody could reach the database are not held against anybody for
    /// this long after it is back.
    pub lease: Duration,
    /// What the database's clock has shown when somebody made sure that it had not been set; leases that end later are not
    /// over. `None`: the clock is believed.
    pub seen: Option<Timestamp>,
}

/// A job that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reclaimed {
    pub key: TaskKey,
    pub worker: WorkerId,
    pub times: u32,
    /// It had been lost too often.
    pub ended: bool,
}

impl Store {
    /// Takes back jobs whose lease is over, and those of workers that are known to be `dead`.
    ///
    /// # Errors
    /// [`StoreError::Database`]. What was taken back before the error stays so.
    pub async fn jobs_reclaim(
        &self,
        dead: &[WorkerId],
        policy: ReclaimPolicy,
    ) -> Result<Vec<Reclaimed>, StoreError> {
        let expired_count = if self.just_started(policy.lease).await? { 0 } else { AT_ONCE };
        let mut ids = Vec::new();
        let text = "SELECT id FROM jobs WHERE phase = 'held' AND NOT ended AND lease_until <= {now} AND lease_until <= $2 \
             ORDER BY lease_until LIMIT $1";
        let seen = policy.seen.map_or(i64::MAX, |seen| seen.0);
        for found in self.all("look for lost jobs", sql(text).bind(expired_count).bind(seen)).await? {
            ids.push(row::text(&found, "?", "id")?);
        }
        for some in dead.chunks(64) {
            let text = format!(
                "SELECT id FROM jobs WHERE phase = 'held' AND NOT ended AND holder IN ({})",
                places(1, some.len())
            );
            let query = sql(text).bind_all(some.iter().map(|worker| worker.as_str()));
            for found in self.all("look for lost jobs", query).await? {
                ids.push(row::text(&found, "?", "id")?);
            }
        }
        ids.sort();
        ids.dedup();
        let mut reclaimed = Vec::new();
        for id in ids {
            reclaimed.extend(retried(|| self.reclaim(&id, dead, policy)).await?);
        }
        Ok(reclaimed)
    }

    /// Looked at again under the row's lock: its holder may have come back, or somebody else may have been faster.
    async fn reclaim(
        &self,
        id: &str,
        dead: &[WorkerId],
        policy: ReclaimPolicy,
    ) -> Result<Option<Reclaimed>, StoreError> {
        let mut tx = self.begin("take a lost job back").await?;
        let locked = match free::lock(&mut tx, id).await {
            Ok(locked) => locked,
            Err(StoreError::Row(_)) => {
                free::set_aside(&mut tx, id).await?;
                tx.commit().await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Some(Locked { job, now, .. }) = locked else { return Ok(None) };
        let Some(Holder { worker, lease_until }) = job.holder.clone() else { return Ok(None) };
        let is_over = lease_until <= policy.seen.map_or(now, |seen| seen.min(now));
        if !is_over && !dead.contains(&worker) {
            return Ok(None);
        }
        let times = job.lost.saturating_add(1);
        let last = times > policy.most_losses;
        let order = Order { key: &job.key, spec: &job.spec };
        let input = Input::WorkerLost { worker: worker.clone(), times, last };
        let step = transition(&job.state, input, now, order)
            .map_err(|source| StoreError::Transition { job: job.id.clone(), source })?;
        // A new fence: whatever the old holder still writes touches nothing.
        tx.run(sql("UPDATE jobs SET fence = fence + 1, lost = lost + 1 WHERE id = $1").bind(id)).await?;
        let ended = free::write_free(&mut tx, &job, now, step).await?;
        release_dependents(&mut tx, ended.into_iter().collect()).await?;
        tx.commit().await?;
        Ok(Some(Reclaimed { key: job.key, worker, times, ended: last }))
    }

    /// Whether the server has been there for less than a lease, so that leases ran out while nobody could renew them.
    async fn just_started(&self, lease: Duration) -> Result<bool, StoreError> {
        if self.engine() == Engine::Sqlite {
            return Ok(false);
        }
        let operation = "ask the server how long it has been there";
        let text = "SELECT CAST(EXTRACT(EPOCH FROM statement_timestamp() - pg_postmaster_start_time()) * 1000 AS BIGINT) AS up";
        let up = self.one(operation, sql(text)).await?.number("up").map_err(failed(operation))?;
        // A time below zero: the server's clock was set back since it started.
        Ok((0..span(lease)).contains(&up))
    }

    /// Frees jobs from a place that was not heard of since `before`, so that they go on elsewhere; what only that place had is
    /// done again. Jobs that were bound to a place when they were enqueued stay. Returns how many.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn jobs_move(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin("move jobs from places that are gone").await?;
        // It stays written down: whoever claims the job sees that the place is not its own.
        let text = "UPDATE jobs SET place = $2 WHERE phase = 'ready' AND NOT ended AND place <> '' AND place <> $2 \
                    AND updated_at < $1 AND queueing NOT LIKE '%\"place\":\"%' \
                    AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.place = jobs.place AND w.last_seen >= $1)";
        let moved = tx.run(sql(text).bind(before.0).bind(GONE)).await?;
        if moved > 0 {
            tx.gives_work();
        }
        tx.commit().await?;
        Ok(moved)
    }
}
