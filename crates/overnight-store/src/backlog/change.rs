//! Changing items. Each change names the version that it was made from: of two at once the second is refused.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::backlog::{self, Circle, Item, ItemBody, ItemKind, in_order};
use overnight_core::id::{ItemId, RepositoryId, TaskKey};

use super::documents::plan_given;
use super::error::{BacklogError, retried};
use super::rows::{Counter, DEPENDENCIES, MEMBERS, SELECT, by_id, check_parent, item_id, last_position};
use crate::error::StoreError;
use crate::row::{self, to_json};
use crate::sql::sql;
use crate::store::{Store, WriteTx};

/// A change of an item. `None`: stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemChange {
    pub id: ItemId,
    /// Of the item that the change was made from.
    pub version: i64,
    pub title: Option<String>,
    /// Of the same kind.
    pub body: Option<ItemBody>,
    /// Where it is to belong; `Some(None)`: to nothing.
    pub parent: Option<Option<ItemId>>,
    /// Its place among those with the same parent, from 1.
    pub place: Option<usize>,
    /// All tasks that this task waits for.
    pub after: Option<Vec<ItemId>>,
    /// All tasks of this sprint, in order.
    pub members: Option<Vec<ItemId>>,
}

impl ItemChange {
    /// One that changes nothing yet.
    #[must_use]
    pub fn of(item: &Item) -> Self {
        let (id, version) = (item.id.clone(), item.version);
        Self { id, version, title: None, body: None, parent: None, place: None, after: None, members: None }
    }
}

impl Store {
    /// Changes an item.
    ///
    /// # Errors
    /// [`BacklogError`]; [`BacklogError::Changed`] when somebody else was faster.
    pub async fn item_change(&self, change: &ItemChange) -> Result<Item, BacklogError> {
        let mut change = change.clone();
        change.title = change.title.as_deref().map(backlog::title).transpose()?;
        change.body = change.body.map(ItemBody::checked).transpose()?;
        retried(|| self.change_once(&change)).await
    }

    async fn change_once(&self, change: &ItemChange) -> Result<Item, BacklogError> {
        let mut tx = self.begin("change the item").await?;
        let before = by_id(&mut tx, &change.id).await?;
        Counter::take(&mut tx, &before.repository, 0).await?;
        let before = by_id(&mut tx, &change.id).await?;
        if before.version != change.version {
            return Err(BacklogError::Changed { key: before.key });
        }
        let kind = before.kind();
        if let Some(body) = change.body.as_ref().filter(|body| body.kind() != kind) {
            return Err(BacklogError::WrongKind { key: before.key, wanted: body.kind() });
        }
        let mut after = before.clone();
        after.title = change.title.clone().unwrap_or(after.title);
        after.body = change.body.clone().unwrap_or(after.body);
        if let Some(parent) = change.parent.clone().filter(|parent| *parent != before.parent) {
            check_parent(&mut tx, &before.repository, kind, parent.as_ref()).await?;
            after.position = last_position(&mut tx, &before.repository, kind, parent.as_ref()).await?;
            after.parent = parent;
        }
        write(&mut tx, &after).await?;
        plan_given(&mut tx, &after, Some(&before)).await?;
        if let Some(place) = change.place {
            put_at(&mut tx, &after, place).await?;
        }
        if let Some(needs) = &change.after {
            wait_for(&mut tx, &after, needs).await?;
        }
        if let Some(members) = &change.members {
            fill(&mut tx, &after, members).await?;
        }
        let after = by_id(&mut tx, &change.id).await?;
        tx.commit().await?;
        Ok(after)
    }
}

async fn write(tx: &mut WriteTx, after: &Item) -> Result<(), BacklogError> {
    let text = "UPDATE items SET title = $2, body = $3, parent_id = $4, position = $5, version = version + 1, updated_at = {now} \
                WHERE id = $1 AND version = $6";
    let update = sql(text)
        .bind(after.id.as_str())
        .bind(&after.title)
        .bind(to_json("body", &after.body)?)
        .bind(after.parent.as_ref().map(ItemId::as_str))
        .bind(after.position)
        .bind(after.version);
    match tx.run(update).await? {
        0 => Err(BacklogError::Changed { key: after.key.clone() }),
        _ => Ok(()),
    }
}

/// Numbers the siblings anew, as far as they move.
async fn put_at(tx: &mut WriteTx, item: &Item, place: usize) -> Result<(), StoreError> {
    let text = "SELECT i.id, i.position FROM items i WHERE i.repository_id = $1 AND i.kind = $2 AND COALESCE(i.parent_id, '') = $3 \
                ORDER BY i.position, i.number";
    let parent = item.parent.as_ref().map_or("", ItemId::as_str);
    let query = sql(text).bind(item.repository.as_str()).bind(item.kind().as_str()).bind(parent);
    let mut siblings = Vec::new();
    for found in tx.all(query).await? {
        siblings.push((item_id(&found, "id")?, row::number(&found, "?", "position")?));
    }
    if let Some(from) = siblings.iter().position(|(id, _)| *id == item.id) {
        let own = siblings.remove(from);
        siblings.insert(place.saturating_sub(1).min(siblings.len()), own);
    }
    for (position, (id, before)) in (1_i64..).zip(siblings) {
        if position != before {
            tx.run(sql("UPDATE items SET position = $2 WHERE id = $1").bind(id.as_str()).bind(position))
                .await?;
        }
    }
    Ok(())
}

/// Those of these items that are tasks of the repository.
async fn tasks(tx: &mut WriteTx, repository: &RepositoryId, ids: &[ItemId]) -> Result<(), BacklogError> {
    for id in ids {
        let found = by_id(tx, id).await?;
        if found.repository != *repository {
            return Err(BacklogError::Elsewhere { key: found.key });
        }
        if found.kind() != ItemKind::Task {
            return Err(BacklogError::WrongKind { key: found.key, wanted: ItemKind::Task });
        }
    }
    Ok(())
}

pub(super) async fn wait_for(tx: &mut WriteTx, item: &Item, needs: &[ItemId]) -> Result<(), BacklogError> {
    if item.kind() != ItemKind::Task {
        return Err(BacklogError::WrongKind { key: item.key.clone(), wanted: ItemKind::Task });
    }
    tasks(tx, &item.repository, needs).await?;
    let text = "SELECT d.item_id, d.needs_id FROM item_dependencies d JOIN items i ON i.id = d.item_id WHERE i.repository_id = $1";
    let mut waits: BTreeMap<ItemId, BTreeSet<ItemId>> = BTreeMap::new();
    for found in tx.all(sql(text).bind(item.repository.as_str())).await? {
        waits.entry(item_id(&found, "item_id")?).or_default().insert(item_id(&found, "needs_id")?);
    }
    waits.insert(item.id.clone(), needs.iter().cloned().collect());
    let nodes: BTreeSet<&ItemId> = waits.iter().flat_map(|(one, needs)| needs.iter().chain([one])).collect();
    let nodes: Vec<ItemId> = nodes.into_iter().cloned().collect();
    if let Err(Circle(circle)) = in_order(&nodes, &waits) {
        return Err(BacklogError::Circle(keys(tx, &circle).await?));
    }
    tx.run(sql("DELETE FROM item_dependencies WHERE item_id = $1").bind(item.id.as_str())).await?;
    let rows = needs.iter().map(|needs| vec![item.id.as_str().into(), needs.as_str().into()]);
    DEPENDENCIES.rows(tx, &rows.collect::<Vec<_>>()).await?;
    Ok(())
}

async fn keys(tx: &mut WriteTx, ids: &[ItemId]) -> Result<Vec<TaskKey>, BacklogError> {
    let mut keys = Vec::with_capacity(ids.len());
    for id in ids {
        let found = tx.optional(sql(format!("{SELECT} WHERE i.id = $1")).bind(id.as_str())).await?;
        keys.extend(found.map(|found| row::key(&found, id.as_str())).transpose()?);
    }
    Ok(keys)
}

pub(super) async fn fill(tx: &mut WriteTx, sprint: &Item, members: &[ItemId]) -> Result<(), BacklogError> {
    if sprint.kind() != ItemKind::Sprint {
        return Err(BacklogError::WrongKind { key: sprint.key.clone(), wanted: ItemKind::Sprint });
    }
    tasks(tx, &sprint.repository, members).await?;
    tx.run(sql("DELETE FROM sprint_members WHERE sprint_id = $1").bind(sprint.id.as_str())).await?;
    let mut seen = BTreeSet::new();
    let once = members.iter().filter(|task| seen.insert(task.as_str()));
    let rows = (1_i64..)
        .zip(once)
        .map(|(position, task)| vec![sprint.id.as_str().into(), task.as_str().into(), position.into()]);
    MEMBERS.rows(tx, &rows.collect::<Vec<_>>()).await?;
    Ok(())
}
