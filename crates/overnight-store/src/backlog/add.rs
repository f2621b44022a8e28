//! New items.

use overnight_core::backlog::{self, Item, ItemBody};
use overnight_core::id::{ItemId, RepositoryId};

use super::documents::plan_given;
use super::error::{BacklogError, retried};
use super::rows::{Counter, ITEMS, check_parent, last_position, new_id};
use crate::error::StoreError;
use crate::row::to_json;
use crate::sql::Value;
use crate::store::Store;

/// An item to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewItem {
    pub repository: RepositoryId,
    pub title: String,
    pub body: ItemBody,
    pub parent: Option<ItemId>,
}

/// The values of a row, in the order of [`ITEMS`].
pub(super) fn values(
    item: &Item,
    number: i64,
    request: Option<(&str, &str)>,
) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        item.id.as_str().into(),
        item.repository.as_str().into(),
        number.into(),
        item.key.as_str().into(),
        item.kind().as_str().into(),
        item.title.as_str().into(),
        to_json("body", &item.body)?.into(),
        item.parent.as_ref().map(ItemId::as_str).into(),
        item.position.into(),
        0.into(),
        request.map(|(name, _)| name).into(),
        request.map(|(_, hash)| hash).into(),
        item.version.into(),
        item.created_at.0.into(),
        item.updated_at.0.into(),
    ])
}

impl Store {
    /// Keeps an item, behind the others of its parent.
    ///
    /// # Errors
    /// [`BacklogError`].
    pub async fn item_add(&self, new: &NewItem) -> Result<Item, BacklogError> {
        let title = backlog::title(&new.title)?;
        let body = new.body.clone().checked()?;
        retried(|| self.add_once(new, &title, &body)).await
    }

    async fn add_once(&self, new: &NewItem, title: &str, body: &ItemBody) -> Result<Item, BacklogError> {
        let mut tx = self.begin("add to the backlog").await?;
        let mut counter = Counter::take(&mut tx, &new.repository, 1).await?;
        let (kind, parent) = (body.kind(), new.parent.as_ref());
        check_parent(&mut tx, &new.repository, kind, parent).await?;
        let (number, key) = counter.number()?;
        let item = Item {
            id: new_id()?,
            repository: new.repository.clone(),
            key,
            title: title.to_owned(),
            body: body.clone(),
            parent: new.parent.clone(),
            position: last_position(&mut tx, &new.repository, kind, parent).await?,
            version: 1,
            created_at: counter.now,
            updated_at: counter.now,
        };
        ITEMS.rows(&mut tx, &[values(&item, number, None)?]).await?;
        plan_given(&mut tx, &item, None).await?;
        tx.commit().await?;
        Ok(item)
    }
}
