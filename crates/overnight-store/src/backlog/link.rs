//! Tasks, ideas and their jobs. A job that carries out a task, or writes about an idea, is written in one transaction with its
//! link, and an item has at most one job that has not ended: the item's row is the referee.

use std::collections::{BTreeSet, HashMap};

use overnight_core::backlog::idea::DocumentOrder;
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
        ("part", "TEXT"),
        ("goes_on", "BOOLEAN"),
    ],
    extra: None,
    tail: "",
};

/// The items that jobs of a batch are for, each held until the transaction is over.
#[derive(Debug, Default)]
pub(crate) struct Links {
    items: HashMap<ItemId, Linked>,
    rows: Vec<Vec<Value>>,
}

#[derive(Debug)]
struct Linked {
    repository: String,
    number: i64,
    runs: i64,
    is_task: bool,
}

impl Links {
    /// Counts a run for each item that one of the new jobs is for. A job whose item is no longer there has no link.
    pub(crate) async fn take(
        tx: &mut WriteTx,
        new: &[NewJob],
        known: &[Option<Job>],
    ) -> Result<Self, StoreError> {
        let made = new.iter().zip(known).filter(|(_, known)| known.is_none());
        let mut ids: Vec<&ItemId> = made.filter_map(|(new, _)| new.spec.item()).collect();
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
            let text = "UPDATE items SET runs = runs + 1 WHERE id = $1 AND kind IN ('task', 'idea') \
                        RETURNING repository_id, number, key, kind, runs";
            let Some(found) = tx.optional(sql(text).bind(id.as_str())).await? else { continue };
            if let Some(job) = unfinished(tx, id).await? {
                return Err(StoreError::TaskBusy { task: row::key(&found, "?")?, job });
            }
            let item = Linked {
                repository: row::text(&found, "?", "repository_id")?,
                number: row::number(&found, "?", "number")?,
                runs: row::number(&found, "?", "runs")?,
                is_task: row::text(&found, "?", "kind")? == "task",
            };
            links.items.insert(id.clone(), item);
        }
        Ok(links)
    }

    /// The number of a job that is the first of its task, in the task's own repository: they share it.
    pub(crate) fn number(&self, new: &NewJob) -> Option<i64> {
        // An idea has several jobs of different kinds, and none of them is the idea itself.
        let task = self.items.get(new.spec.item()?).filter(|item| item.is_task)?;
        (task.runs == 1 && task.repository == new.repository.as_str()).then_some(task.number)
    }

    pub(crate) fn add(&mut self, job: &Job) {
        let Some(id) = job.spec.item() else { return };
        let document = job.spec.document();
        if let Some(item) = self.items.get(id) {
            self.rows.push(vec![
                id.as_str().into(),
                item.runs.into(),
                job.id.as_str().into(),
                job.key.as_str().into(),
                job.created_at.0.into(),
                document.map(|document| document.part.as_str()).into(),
                document.is_some_and(DocumentOrder::may_go_on).into(),
            ]);
        }
    }

    pub(crate) async fn write(self, tx: &mut WriteTx) -> Result<(), StoreError> {
        LINKS.rows(tx, &self.rows).await.map(drop)
    }
}

/// Whoever changes a backlog takes its repository first, then items: so does whoever makes jobs of them.
async fn lock_repositories(tx: &mut WriteTx, new: &[NewJob]) -> Result<(), StoreError> {
    let of_tasks = new.iter().filter(|new| new.spec.item().is_some());
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
