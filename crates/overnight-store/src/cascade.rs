//! What a cascade has to know and to wait for: the jobs of an epic's tasks, whether its failures are to be carried on, and the ends of jobs
//! that it has cancelled.

use overnight_core::backlog::{ItemBody, ItemKind};
use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::{AfterRule, Job};

use crate::backlog::item_of_key;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::row::{self, SELECT_JOB};
use crate::sql::{places, sql};
use crate::store::{Store, retried};

/// An epic as a cascade sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct EpicJobs {
    /// Whether a failed task takes the others' work back: as the epic says, else its repository.
    pub cascade: bool,
    /// All jobs of its tasks that have not been forgotten, oldest first.
    pub jobs: Vec<Job>,
}

impl Store {
    /// The jobs of an epic. `None`: there is no such epic any more. A job that this version cannot read is left out.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn epic_jobs(&self, epic: &TaskKey) -> Result<Option<EpicJobs>, StoreError> {
        let Some(item) = item_of_key(self, epic, ItemKind::Epic).await? else { return Ok(None) };
        let said = match &item.body {
            ItemBody::Epic(epic) => epic.cascade,
            ItemBody::Story(_) | ItemBody::Task(_) | ItemBody::Sprint(_) | ItemBody::Idea(_) => None,
        };
        let cascade = match said {
            Some(said) => said,
            None => self.repository_settings(&item.repository).await?.cascade,
        };
        let text = format!(
            "{SELECT_JOB} WHERE j.id IN (SELECT l.job_id FROM items s JOIN items t ON t.parent_id = s.id \
             JOIN item_jobs l ON l.item_id = t.id WHERE s.parent_id = $1) ORDER BY j.id"
        );
        let found = self.all("read the jobs of an epic", sql(text).bind(item.id.as_str())).await?;
        // What cannot be read was made by a later version, which has a cascade of its own.
        let of_epic = |job: &Job| job.spec.task.as_ref().is_some_and(|task| task.epic.as_ref() == Some(epic));
        let jobs = found.iter().filter_map(|found| row::job(found).ok()).filter(of_epic).collect();
        Ok(Some(EpicJobs { cascade, jobs }))
    }

    /// Lets the ends of these jobs wake a job that is held, once it waits. Returns how many of them have not ended. The holder is to wait
    /// with a time of its own as well: one that ends right now is not waited for any more.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::Database`].
    pub async fn job_await_ends(&self, lease: &Lease, ends: &[JobId]) -> Result<u64, StoreError> {
        retried(|| self.await_once(lease, ends)).await
    }

    async fn await_once(&self, lease: &Lease, ends: &[JobId]) -> Result<u64, StoreError> {
        let held = lease.held();
        let mut tx = self.begin("wait for the ends of jobs").await?;
        let mut ids: Vec<&str> = ends.iter().map(JobId::as_str).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut waited: i64 = 0;
        for some in ids.chunks(64) {
            // In one order for everybody, and before our own row, as an end does it.
            let text = format!(
                "SELECT j.id FROM jobs j WHERE j.id IN ({}) ORDER BY j.id {{lock}}",
                places(1, some.len())
            );
            tx.all(sql(text).bind_all(some.iter().copied())).await?;
            let text = format!(
                "UPDATE jobs SET dependents = TRUE WHERE NOT ended AND id IN ({}) RETURNING id",
                places(1, some.len())
            );
            for found in tx.all(sql(text).bind_all(some.iter().copied())).await? {
                let parent = row::text(&found, "?", "id")?;
                let text = "INSERT INTO job_dependencies (child_id, parent_id, rule) VALUES ($1, $2, $3) \
                            ON CONFLICT (child_id, parent_id) DO NOTHING";
                let rule = AfterRule::Ended.as_str();
                tx.run(sql(text).bind(held.job.as_str()).bind(&parent).bind(rule)).await?;
                waited += 1;
            }
        }
        let text = "UPDATE jobs SET blocked_by = $4 WHERE id = $1 AND fence = $2 AND holder = $3";
        let update = sql(text).bind(held.job.as_str()).bind(held.fence.0).bind(held.worker.as_str());
        if tx.run(update.bind(waited)).await? == 0 {
            return Err(held.lost());
        }
        tx.commit().await?;
        Ok(u64::try_from(waited).unwrap_or(0))
    }
}
