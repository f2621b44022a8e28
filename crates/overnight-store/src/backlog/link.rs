//! Tasks and their jobs. A job that carries out a task is written in one transaction with its link, and a task has at most one
//! job that has not ended: the task's row is the referee.

use std::collections::{BTreeSet, HashMap};

use overnight_core::id::{ItemId, JobId, RepositoryId, TaskKey};
use overnight_core::job::Job;

use crate::enqueue::NewJob;
use crate::error::StoreError;
use crate::insert::Into;
use crate::row;
use crate::sql::{Value, places, sql};
use crate::store::WriteTx;

const LINKS: Into = Into {
    table: "item_jobs",
    columns: &[
        ("item_id", "TEXT"),
        ("run", "BIGINT"),
        ("job_id", "TEXT"),
        ("job_key", "TEXT"),
        ("at", "BIGINT"),
    ],
    extra: None,
    tail: "",
};

/// The tasks that jobs of a batch carry out, each held until the transaction is over.
#[derive(Debug, Default)]
pub(crate) struct Links {
    tasks: HashMap<ItemId, Task>,
    rows: Vec<Vec<Value>>,
}

#[derive(Debug)]
struct Task {
    repository: String,
    number: i64,
    runs: i64,
}

impl Links {
    /// Counts a run for each task that one of the new jobs carries out. A job whose task is no longer there has no link.
    pub(crate) async fn take(
        tx: &mut WriteTx,
        new: &[NewJob],
        known: &[Option<Job>],
    ) -> Result<Self, StoreError> {
        let made = new.iter().zip(known).filter(|(_, known)| known.is_none());
        let mut ids: Vec<&ItemId> = made.filter_map(|(new, _)| Some(&new.spec.task.as_ref()?.item)).collect();
        // In one order for everybody.
        ids.sort();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            let key = TaskKey::parse(twice[0].as_str());
            let key = key.map_err(|_| StoreError::Internal { what: "an item id is no key" })?;
            return Err(StoreError::TaskBusy { task: key.clone(), job: key });
        }
        let mut links = Self::default();
        lock_repositories(tx, new).await?;
        for id in ids {
            let text = "UPDATE items SET runs = runs + 1 WHERE id = $1 AND kind = 'task' \
                        RETURNING repository_id, number, key, runs";
            let Some(found) = tx.optional(sql(text).bind(id.as_str())).await? else { continue };
            if let Some(job) = unfinished(tx, id).await? {
                return Err(StoreError::TaskBusy { task: row::key(&found, "?")?, job });
            }
            let task = Task {
                repository: row::text(&found, "?", "repository_id")?,
                number: row::number(&found, "?", "number")?,
                runs: row::number(&found, "?", "runs")?,
            };
            links.tasks.insert(id.clone(), task);
        }
        Ok(links)
    }

    /// The number of a job that is the first of its task, in the task's own repository: they share it.
    pub(crate) fn number(&self, new: &NewJob) -> Option<i64> {
        let task = self.tasks.get(&new.spec.task.as_ref()?.item)?;
        (task.runs == 1 && task.repository == new.repository.as_str()).then_some(task.number)
    }

    pub(crate) fn add(&mut self, job: &Job) {
        let Some(order) = &job.spec.task else { return };
        if let Some(task) = self.tasks.get(&order.item) {
            self.rows.push(vec![
                order.item.as_str().into(),
                task.runs.into(),
                job.id.as_str().into(),
                job.key.as_str().into(),
                job.created_at.0.into(),
            ]);
        }
    }

    pub(crate) async fn write(self, tx: &mut WriteTx) -> Result<(), StoreError> {
        LINKS.rows(tx, &self.rows).await.map(drop)
    }
}

/// Whoever changes a backlog takes its repository first, then items: so does whoever makes jobs of them.
async fn lock_repositories(tx: &mut WriteTx, new: &[NewJob]) -> Result<(), StoreError> {
    let of_tasks = new.iter().filter(|new| new.spec.task.is_some());
    let repositories: BTreeSet<&RepositoryId> = of_tasks.map(|new| &new.repository).collect();
    for repository in repositories {
        let text = "UPDATE repositories SET last_number = last_number WHERE id = $1";
        tx.run(sql(text).bind(repository.as_str())).await?;
    }
    Ok(())
}

/// The job of an item that has not ended.
pub(super) async fn unfinished(tx: &mut WriteTx, item: &ItemId) -> Result<Option<TaskKey>, StoreError> {
    let text = "SELECT j.key FROM item_jobs l JOIN jobs j ON j.id = l.job_id WHERE l.item_id = $1 AND NOT j.ended \
                ORDER BY l.run DESC LIMIT 1";
    let found = tx.optional(sql(text).bind(item.as_str())).await?;
    Ok(found.map(|found| row::key(&found, "?")).transpose()?)
}

/// What becomes of items does not change when these jobs are forgotten.
pub(crate) async fn keep_ends(tx: &mut WriteTx, going: &[JobId]) -> Result<(), StoreError> {
    let text = format!(
        "UPDATE item_jobs SET end_reason = (SELECT j.end_reason FROM jobs j WHERE j.id = item_jobs.job_id), \
         ended_at = (SELECT j.updated_at FROM jobs j WHERE j.id = item_jobs.job_id) WHERE job_id IN ({})",
        places(1, going.len())
    );
    tx.run(sql(text).bind_all(going.iter().map(JobId::as_str))).await.map(drop)
}
