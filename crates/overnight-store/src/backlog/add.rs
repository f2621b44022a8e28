//! New items.

use overnight_core::backlog::{self, Item, ItemBody};
use overnight_core::id::{ItemId, RepositoryId};

use super::change::{fill, wait_for};
use super::documents::plan_given;
use super::error::{BacklogError, retried};
use super::import::{known, sha256};
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

/// What a new item is connected with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewLinks {
    /// The tasks that a task waits for.
    pub after: Vec<ItemId>,
    /// The tasks of a sprint, in order.
    pub members: Vec<ItemId>,
}

/// An item that is kept now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub item: Item,
    /// `false`: the same request had made it before.
    pub new: bool,
}

impl Store {
    /// Keeps an item, behind the others of its parent.
    ///
    /// # Errors
    /// [`BacklogError`].
    pub async fn item_add(&self, new: &NewItem) -> Result<Item, BacklogError> {
        Ok(self.item_add_linked(new, &NewLinks::default(), None).await?.item)
    }

    /// Keeps an item and what it is connected with, or finds the one that the same request made before.
    ///
    /// # Errors
    /// [`BacklogError::RequestReused`] when the request came with something else before.
    pub async fn item_add_linked(
        &self,
        new: &NewItem,
        links: &NewLinks,
        request: Option<&str>,
    ) -> Result<Added, BacklogError> {
        let new =
            NewItem { title: backlog::title(&new.title)?, body: new.body.clone().checked()?, ..new.clone() };
        let hash = hash(&new, links)?;
        let request = request.map(|request| (request, hash.as_str()));
        retried(|| self.add_once(&new, links, request)).await
    }

    async fn add_once(
        &self,
        new: &NewItem,
        links: &NewLinks,
        request: Option<(&str, &str)>,
    ) -> Result<Added, BacklogError> {
        let mut tx = self.begin("add to the backlog").await?;
        if let Some(request) = request
            && let Some(item) = known(&mut tx, request).await?
        {
            return Ok(Added { item, new: false });
        }
        let mut counter = Counter::take(&mut tx, &new.repository, 1).await?;
        let (kind, parent) = (new.body.kind(), new.parent.as_ref());
        check_parent(&mut tx, &new.repository, kind, parent).await?;
        let (number, key) = counter.number()?;
        let item = Item {
            id: new_id()?,
            repository: new.repository.clone(),
            key,
            title: new.title.clone(),
            body: new.body.clone(),
            parent: new.parent.clone(),
            position: last_position(&mut tx, &new.repository, kind, parent).await?,
            version: 1,
            created_at: counter.now,
            updated_at: counter.now,
        };
        ITEMS.rows(&mut tx, &[values(&item, number, request)?]).await?;
        if !links.after.is_empty() {
            wait_for(&mut tx, &item, &links.after).await?;
        }
        if !links.members.is_empty() {
            fill(&mut tx, &item, &links.members).await?;
        }
        plan_given(&mut tx, &item, None).await?;
        tx.commit().await?;
        Ok(Added { item, new: true })
    }
}

/// What a request asked for, to tell it from another one of the same name.
fn hash(new: &NewItem, links: &NewLinks) -> Result<String, StoreError> {
    let NewItem { repository, title, body, parent } = new;
    let NewLinks { after, members } = links;
    let ids = |ids: &[ItemId]| ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
    let said =
        (repository.as_str(), title, body, parent.as_ref().map(ItemId::as_str), ids(after), ids(members));
    Ok(sha256(&[to_json("request", &said)?.as_str()]))
}
