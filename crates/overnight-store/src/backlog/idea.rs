//! What becomes of an idea: the job that follows another one, and the epic that its plan is made into, once.

use overnight_core::backlog::idea::DocumentPart;
use overnight_core::backlog::plan::{self, Plan};
use overnight_core::backlog::{Item, ItemBody};
use overnight_core::id::{ItemId, JobId};

use super::documents;
use super::error::{BacklogError, retried};
use super::import::{Imported, write_plan};
use super::link::unfinished;
use super::rows::{Counter, SELECT, by_id, item};
use crate::error::StoreError;
use crate::row::{self, to_json};
use crate::sql::sql;
use crate::store::{Store, WriteTx};

/// Ideas that are looked at in one go.
const MOST: i64 = 32;

/// An idea whose newest job has brought its document, and of which nobody has seen yet what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoingOn {
    pub item: ItemId,
    pub job: JobId,
}

impl Store {
    /// Ideas of which somebody has to see what follows.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn ideas_going_on(&self) -> Result<Vec<GoingOn>, StoreError> {
        let text = "SELECT l.item_id, l.job_id FROM item_jobs l JOIN items i ON i.id = l.item_id JOIN jobs j ON j.id = l.job_id \
             WHERE l.goes_on AND l.run = i.runs AND j.end_reason = 'delivered' AND j.ended ORDER BY l.item_id LIMIT $1";
        let mut all = Vec::new();
        for found in self.all("look for ideas that go on", sql(text).bind(MOST)).await? {
            let raw = row::text(&found, "?", "job_id")?;
            let job = JobId::parse(&raw).map_err(|why| crate::error::CorruptRow::new(&raw, "job_id", why))?;
            all.push(GoingOn { item: super::rows::item_id(&found, "item_id")?, job });
        }
        Ok(all)
    }

    /// It was seen what follows this job of an idea.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn idea_went_on(&self, job: &JobId) -> Result<(), StoreError> {
        let mut tx = self.begin("go on with an idea").await?;
        tx.run(sql("UPDATE item_jobs SET goes_on = FALSE WHERE job_id = $1 AND goes_on").bind(job.as_str()))
            .await?;
        tx.commit().await
    }

    /// An item by its id; `None`: it is gone.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn item_of(&self, id: &ItemId) -> Result<Option<Item>, StoreError> {
        let query = sql(format!("{SELECT} WHERE i.id = $1")).bind(id.as_str());
        let found = self.optional("look for the item", query).await?;
        Ok(found.map(|found| item(&found)).transpose()?)
    }

    /// Makes the epic, the stories and the tasks of an idea's plan, and says so at the idea: all of it or nothing, and once.
    /// Without a revision the newest plan is taken.
    ///
    /// # Errors
    /// [`BacklogError::Planned`] when another revision was accepted before, [`BacklogError::NoPlan`], [`BacklogError::Plan`] when it
    /// cannot be read, [`BacklogError::Running`] while a job of the idea goes on.
    pub async fn idea_accept(&self, id: &ItemId, revision: Option<u32>) -> Result<Imported, BacklogError> {
        retried(|| self.accept_once(id, revision)).await
    }

    async fn accept_once(&self, id: &ItemId, revision: Option<u32>) -> Result<Imported, BacklogError> {
        let mut tx = self.begin("accept the plan").await?;
        let idea = by_id(&mut tx, id).await?;
        Counter::take(&mut tx, &idea.repository, 0).await?;
        let mut idea = by_id(&mut tx, id).await?;
        let key = idea.key.clone();
        let ItemBody::Idea(body) = &mut idea.body else {
            let wanted = overnight_core::backlog::ItemKind::Idea;
            return Err(BacklogError::WrongKind { key, wanted });
        };
        let found = documents::in_tx(&mut tx, id, DocumentPart::Plan, revision).await?;
        // Of an idea from before documents were kept.
        let given = body.plan.clone().filter(|_| revision.is_none()).map(|text| (0, text));
        let (number, text) = found
            .map(|document| (document.fact.revision, document.text))
            .or(given)
            .ok_or_else(|| BacklogError::NoPlan { key: key.clone(), revision })?;
        let request = format!("idea:{}:plan:{number}", id.as_str());
        if let Some(epic) = &body.epic
            && let Some((epic, made_by)) = by_key(&mut tx, epic.as_str()).await?
        {
            return if made_by.as_deref() == Some(request.as_str()) {
                Ok(Imported { epic, new: false })
            } else {
                Err(BacklogError::Planned { key, epic: epic.key })
            };
        }
        if let Some(job) = unfinished(&mut tx, id).await? {
            return Err(BacklogError::Running { key, job });
        }
        let plan = read(&key, &text)?;
        let hash = format!("{number}");
        let epic = write_plan(&mut tx, &idea.repository, &plan, Some((&request, &hash))).await?;
        body.epic = Some(epic.key.clone());
        let update = "UPDATE items SET body = $2, version = version + 1, updated_at = {now} WHERE id = $1";
        tx.run(sql(update).bind(id.as_str()).bind(to_json("body", &idea.body)?)).await?;
        tx.commit().await?;
        Ok(Imported { epic, new: true })
    }
}

fn read(key: &overnight_core::id::TaskKey, text: &str) -> Result<Plan, BacklogError> {
    plan::read(text).map_err(|why| BacklogError::Plan { key: key.clone(), why })
}

/// The item of this key, and the request that made it.
async fn by_key(tx: &mut WriteTx, key: &str) -> Result<Option<(Item, Option<String>)>, StoreError> {
    let text = SELECT.replacen("SELECT ", "SELECT i.request, ", 1);
    let found = tx.optional(sql(format!("{text} WHERE i.key = $1")).bind(key)).await?;
    let Some(found) = found else { return Ok(None) };
    let epic = item(&found)?;
    let request = row::optional_text(&found, epic.id.as_str(), "request")?;
    Ok(Some((epic, request)))
}
