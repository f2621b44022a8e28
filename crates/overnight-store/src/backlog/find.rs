//! Finding items by what a person typed.

use overnight_core::backlog::{Item, ItemKind};
use overnight_core::id::TaskKey;

use super::error::BacklogError;
use super::rows::{SELECT, item};
use crate::error::StoreError;
use crate::row;
use crate::sql::sql;
use crate::store::Store;

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
        // No server takes such a text, and no item has it.
        if typed.contains('\0') {
            return Err(missing(Vec::new()));
        }
        let query = sql(format!("{SELECT} WHERE i.key = $1 OR i.id = $1 ORDER BY i.id LIMIT 1"));
        match self.optional("look for the item", query.bind(&typed)).await? {
            Some(found) => Ok(item(&found)?),
            None => Err(missing(self.nearest_items(&typed).await?)),
        }
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
