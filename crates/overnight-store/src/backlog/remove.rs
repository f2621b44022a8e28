//! Taking items out of the backlog. Their jobs stay: what was done was done.

use overnight_core::backlog::Item;
use overnight_core::id::ItemId;

use super::error::{BacklogError, retried};
use super::link::unfinished;
use super::rows::{Counter, SELECT, by_id, item};
use crate::sql::sql;
use crate::store::{Store, WriteTx};

impl Store {
    /// Removes an item, and `with_parts` everything that belongs to it. What waited for a removed task does not wait for it any
    /// more. Returns how many items were removed.
    ///
    /// # Errors
    /// [`BacklogError::HasParts`] when something belongs to it, [`BacklogError::Running`] while a job goes on.
    pub async fn item_remove(&self, id: &ItemId, with_parts: bool) -> Result<usize, BacklogError> {
        retried(|| self.remove_once(id, with_parts)).await
    }

    async fn remove_once(&self, id: &ItemId, with_parts: bool) -> Result<usize, BacklogError> {
        let mut tx = self.begin("remove the item").await?;
        let top = by_id(&mut tx, id).await?;
        Counter::take(&mut tx, &top.repository, 0).await?;
        let found = by_id(&mut tx, id).await?;
        let going = with_all_parts(&mut tx, found).await?;
        if going.len() > 1 && !with_parts {
            return Err(BacklogError::HasParts { key: top.key, count: going.len() - 1 });
        }
        for gone in &going {
            delete(&mut tx, gone).await?;
        }
        tx.commit().await?;
        Ok(going.len())
    }
}

async fn with_all_parts(tx: &mut WriteTx, top: Item) -> Result<Vec<Item>, BacklogError> {
    let mut all = vec![top];
    let mut next = 0;
    while let Some(one) = all.get(next).map(|item| item.id.clone()) {
        let text = format!("{SELECT} WHERE i.parent_id = $1 ORDER BY i.id");
        for found in tx.all(sql(text).bind(one.as_str())).await? {
            all.push(item(&found)?);
        }
        next += 1;
    }
    Ok(all)
}

async fn delete(tx: &mut WriteTx, gone: &Item) -> Result<(), BacklogError> {
    // Whoever starts a job of it comes before, and is seen, or after, and finds nothing.
    let lock = "UPDATE items SET updated_at = {now} WHERE id = $1";
    tx.run(sql(lock).bind(gone.id.as_str())).await?;
    if let Some(job) = unfinished(tx, &gone.id).await? {
        return Err(BacklogError::Running { key: gone.key.clone(), job });
    }
    for (table, column) in [
        ("item_dependencies", "item_id"),
        ("item_dependencies", "needs_id"),
        ("sprint_members", "sprint_id"),
        ("sprint_members", "task_id"),
        ("documents", "item_id"),
        ("item_jobs", "item_id"),
        ("item_marks", "item_id"),
        ("items", "id"),
    ] {
        let text = format!("DELETE FROM {table} WHERE {column} = $1");
        tx.run(sql(text).bind(gone.id.as_str())).await?;
    }
    Ok(())
}
