//! Finding items by what a person typed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use overnight_core::backlog::{Item, ItemKind};
use overnight_core::id::{ItemId, RepositoryId, TaskKey};

use super::error::BacklogError;
use super::read::Backlog;
use super::rows::{SELECT, item};
use crate::error::StoreError;
use crate::row;
use crate::sql::sql;
use crate::store::Store;

/// Bytes of a key: a repository's name and a number are far fewer.
const WANTED_MAX: usize = 256;
/// How many of the newest keys are compared with a mistyped one, how different they may be, and how many are shown.
const NEAR_POOL: i64 = 500;
const NEAR_EDITS: usize = 2;
const NEAR_MAX: usize = 3;

/// The item of this kind with exactly this key.
pub(crate) async fn item_of_key(
    store: &Store,
    key: &TaskKey,
    kind: ItemKind,
) -> Result<Option<Item>, StoreError> {
    let query =
        sql(format!("{SELECT} WHERE i.key = $1 AND i.kind = $2")).bind(key.as_str()).bind(kind.as_str());
    let found = store.optional("look for the item", query).await?;
    Ok(found.as_ref().map(item).transpose()?)
}

impl Store {
    /// Finds an item by its key or id, in any case.
    ///
    /// # Errors
    /// [`BacklogError::NotFound`], [`BacklogError::Store`].
    pub async fn item_find(&self, wanted: &str) -> Result<Item, BacklogError> {
        let typed = wanted.trim().to_ascii_lowercase();
        let missing = |nearest| BacklogError::NotFound { wanted: wanted.to_owned(), nearest };
        // No server takes such a text, and no item has it; nor is one that long compared with all keys.
        if typed.contains('\0') || typed.len() > WANTED_MAX {
            return Err(missing(Vec::new()));
        }
        let query = sql(format!("{SELECT} WHERE i.key = $1 OR i.id = $1 ORDER BY i.id LIMIT 1"));
        match self.optional("look for the item", query.bind(&typed)).await? {
            Some(found) => Ok(item(&found)?),
            None => Err(missing(self.nearest_items(&typed).await?)),
        }
    }

    /// The items of these keys, in their order.
    ///
    /// # Errors
    /// As [`Store::item_find`], for the first that is not there.
    pub async fn items_named(&self, keys: &[String]) -> Result<Vec<Item>, BacklogError> {
        let mut items = Vec::with_capacity(keys.len());
        for key in keys {
            items.push(self.item_find(key).await?);
        }
        Ok(items)
    }

    /// The tasks that these keys name, in their order: tasks by themselves, and all of those of a story, an epic or a sprint.
    ///
    /// # Errors
    /// As [`Store::items_named`].
    pub async fn tasks_named(&self, keys: &[String]) -> Result<Vec<ItemId>, BacklogError> {
        let mut backlogs: HashMap<RepositoryId, Backlog> = HashMap::new();
        let mut tasks = Vec::new();
        for item in self.items_named(keys).await? {
            let backlog = match backlogs.entry(item.repository.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(self.backlog(&item.repository).await?),
            };
            tasks.extend(backlog.tasks_of(&item).into_iter().map(|task| task.id.clone()));
        }
        Ok(tasks)
    }

    async fn nearest_items(&self, typed: &str) -> Result<Vec<TaskKey>, BacklogError> {
        let query = sql("SELECT key FROM items ORDER BY created_at DESC, id DESC LIMIT $1").bind(NEAR_POOL);
        let mut near = Vec::new();
        for found in self.all("look for similar items", query).await? {
            let key = row::key(&found, "?")?;
            let edits = strsim::damerau_levenshtein(typed, key.as_str());
            if edits <= NEAR_EDITS {
                near.push((edits, key));
            }
        }
        near.sort_by_key(|(edits, _)| *edits);
        Ok(near.into_iter().take(NEAR_MAX).map(|(_, key)| key).collect())
    }
}
