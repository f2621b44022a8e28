//! A plan becomes an epic with its stories and tasks: all of it or nothing, and once for each request.

use overnight_core::backlog::plan::{self, Plan};
use overnight_core::backlog::{Item, ItemBody};
use overnight_core::id::{ItemId, RepositoryId};
use sha2::{Digest, Sha256};

use super::add::values;
use super::error::{BacklogError, retried};
use super::rows::{Counter, DEPENDENCIES, ITEMS, SELECT, item, last_position, new_id};
use crate::error::StoreError;
use crate::row;
use crate::sql::{Value, sql};
use crate::store::{Store, WriteTx};

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub epic: Item,
    /// `false`: the same request had made it before.
    pub new: bool,
}

#[derive(Default)]
struct Rows {
    items: Vec<Vec<Value>>,
    tasks: Vec<ItemId>,
}

impl Store {
    /// Keeps the epic, the stories and the tasks of a plan.
    ///
    /// # Errors
    /// [`BacklogError::RequestReused`] when the request came with another plan before.
    pub async fn plan_import(
        &self,
        repository: &RepositoryId,
        plan: &Plan,
        request: Option<&str>,
    ) -> Result<Imported, BacklogError> {
        let hash = hash(repository, plan);
        let request = request.map(|request| (request, hash.as_str()));
        retried(|| self.import_once(repository, plan, request)).await
    }

    async fn import_once(
        &self,
        repository: &RepositoryId,
        plan: &Plan,
        request: Option<(&str, &str)>,
    ) -> Result<Imported, BacklogError> {
        let mut tx = self.begin("import a plan").await?;
        if let Some(request) = request
            && let Some(epic) = known(&mut tx, request).await?
        {
            return Ok(Imported { epic, new: false });
        }
        let epic = write_plan(&mut tx, repository, plan, request).await?;
        tx.commit().await?;
        Ok(Imported { epic, new: true })
    }
}

/// Writes the epic, the stories and the tasks of a plan.
pub(super) async fn write_plan(
    tx: &mut WriteTx,
    repository: &RepositoryId,
    plan: &Plan,
    request: Option<(&str, &str)>,
) -> Result<Item, BacklogError> {
    let count = 1 + plan.stories.len() + plan.tasks().count();
    let mut counter = Counter::take(tx, repository, i64::try_from(count).unwrap_or(i64::MAX)).await?;
    let body = ItemBody::Epic(plan.epic.clone());
    let position = last_position(tx, repository, body.kind(), None).await?;
    let mut rows = Rows::default();
    let epic = rows.add(&mut counter, repository, (&plan.title, body), (None, position), request)?;
    rows.stories(&mut counter, repository, plan, &epic.id)?;
    ITEMS.rows(tx, &rows.items).await?;
    DEPENDENCIES.rows(tx, &waits(plan, &rows.tasks)).await?;
    Ok(epic)
}

fn waits(plan: &Plan, ids: &[ItemId]) -> Vec<Vec<Value>> {
    let mut waits = Vec::new();
    for (task, id) in plan.tasks().zip(ids) {
        for before in task.after.iter().filter_map(|place| ids.get(*place)) {
            waits.push(vec![id.as_str().into(), before.as_str().into()]);
        }
    }
    waits
}

impl Rows {
    fn stories(
        &mut self,
        counter: &mut Counter,
        repository: &RepositoryId,
        plan: &Plan,
        epic: &ItemId,
    ) -> Result<(), StoreError> {
        for (position, story) in (1..).zip(&plan.stories) {
            let body = ItemBody::Story(story.story.clone());
            let made = self.add(counter, repository, (&story.title, body), (Some(epic), position), None)?;
            for (position, task) in (1..).zip(&story.tasks) {
                let body = ItemBody::Task(Box::new(task.task.clone()));
                let parent = (Some(&made.id), position);
                let made = self.add(counter, repository, (&task.title, body), parent, None)?;
                self.tasks.push(made.id);
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        counter: &mut Counter,
        repository: &RepositoryId,
        (title, body): (&str, ItemBody),
        (parent, position): (Option<&ItemId>, i64),
        request: Option<(&str, &str)>,
    ) -> Result<Item, StoreError> {
        let (number, key) = counter.number()?;
        let item = Item {
            id: new_id()?,
            repository: repository.clone(),
            key,
            title: title.to_owned(),
            body,
            parent: parent.cloned(),
            position,
            version: 1,
            created_at: counter.now,
            updated_at: counter.now,
        };
        self.items.push(values(&item, number, request)?);
        Ok(item)
    }
}

/// What the same request made before.
pub(super) async fn known(
    tx: &mut WriteTx,
    (request, hash): (&str, &str),
) -> Result<Option<Item>, BacklogError> {
    let text = SELECT.replacen("SELECT ", "SELECT i.request_hash, ", 1);
    let found = tx.optional(sql(format!("{text} WHERE i.request = $1")).bind(request)).await?;
    let Some(found) = found else { return Ok(None) };
    let epic = item(&found)?;
    if row::text(&found, epic.id.as_str(), "request_hash")? == hash {
        return Ok(Some(epic));
    }
    Err(BacklogError::RequestReused { request: request.to_owned(), key: epic.key })
}

/// Two plans that say the same have the same hash, however they are written.
fn hash(repository: &RepositoryId, plan: &Plan) -> String {
    sha256(&[repository.as_str(), &plan::write(plan, |place| format!("t{place}"))])
}

/// The hash of some texts, one behind the other.
pub(super) fn sha256(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    texts.iter().for_each(|text| hash.update(text));
    let mut text = String::new();
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
    }
    text
}
