//! Items as rows, and what every change of the backlog begins with.

use overnight_core::backlog::{Item, ItemBody, ItemKind};
use overnight_core::id::{ItemId, RepositoryId, TaskKey};
use overnight_core::units::Timestamp;

use super::error::BacklogError;
use crate::error::{CorruptRow, StoreError};
use crate::insert::Into;
use crate::row;
use crate::sql::{Row, sql};
use crate::store::WriteTx;

/// Reads items; a condition on `i` and an order follow.
pub(super) const SELECT: &str = "SELECT i.id, i.repository_id, i.key, i.title, i.body, i.parent_id, i.position, i.version, \
     i.created_at, i.updated_at FROM items i ";

pub(super) const ITEMS: Into = Into {
    table: "items",
    columns: &[
        ("id", "TEXT"),
        ("repository_id", "TEXT"),
        ("number", "BIGINT"),
        ("key", "TEXT"),
        ("kind", "TEXT"),
        ("title", "TEXT"),
        ("body", "TEXT"),
        ("parent_id", "TEXT"),
        ("position", "BIGINT"),
        ("runs", "BIGINT"),
        ("request", "TEXT"),
        ("request_hash", "TEXT"),
        ("version", "BIGINT"),
        ("created_at", "BIGINT"),
        ("updated_at", "BIGINT"),
    ],
    extra: None,
    tail: "",
};

pub(super) const DEPENDENCIES: Into = Into {
    table: "item_dependencies",
    columns: &[("item_id", "TEXT"), ("needs_id", "TEXT")],
    extra: None,
    tail: "ON CONFLICT DO NOTHING",
};

pub(super) const MEMBERS: Into = Into {
    table: "sprint_members",
    columns: &[("sprint_id", "TEXT"), ("task_id", "TEXT"), ("position", "BIGINT")],
    extra: None,
    tail: "ON CONFLICT DO NOTHING",
};

pub(super) fn item(found: &Row) -> Result<Item, CorruptRow> {
    let raw = row::text(found, "?", "id")?;
    let body: ItemBody = row::json(&raw, "body", &row::text(found, &raw, "body")?)?;
    let parent = row::optional_text(found, &raw, "parent_id")?;
    Ok(Item {
        id: id(&raw)?,
        repository: RepositoryId::parse(&row::text(found, &raw, "repository_id")?)
            .map_err(|why| CorruptRow::new(&raw, "repository_id", why))?,
        key: row::key(found, &raw)?,
        title: row::text(found, &raw, "title")?,
        body,
        parent: parent.as_deref().map(id).transpose()?,
        position: row::number(found, &raw, "position")?,
        version: row::number(found, &raw, "version")?,
        created_at: Timestamp(row::number(found, &raw, "created_at")?),
        updated_at: Timestamp(row::number(found, &raw, "updated_at")?),
    })
}

pub(super) fn id(raw: &str) -> Result<ItemId, CorruptRow> {
    ItemId::parse(raw).map_err(|why| CorruptRow::new(raw, "item", why))
}

pub(super) fn item_id(found: &Row, column: &'static str) -> Result<ItemId, CorruptRow> {
    id(&row::text(found, "?", column)?)
}

pub(super) fn new_id() -> Result<ItemId, StoreError> {
    let unnamed = |_| StoreError::Internal { what: "a new item could not be named" };
    ItemId::parse(&uuid::Uuid::now_v7().to_string()).map_err(unnamed)
}

/// The repository's counter, counted on. Whoever has it is the only one to change this repository's backlog until the
/// transaction is over, so that what is judged (circles, parents, order) still stands when it is written.
pub(super) struct Counter {
    name: String,
    next: i64,
    pub(super) now: Timestamp,
}

impl Counter {
    pub(super) async fn take(
        tx: &mut WriteTx,
        repository: &RepositoryId,
        count: i64,
    ) -> Result<Self, StoreError> {
        let text = "UPDATE repositories SET last_number = last_number + $2 WHERE id = $1 \
                    RETURNING name, last_number, {now} AS now";
        let found = tx.optional(sql(text).bind(repository.as_str()).bind(count)).await?;
        let found = found.ok_or_else(|| StoreError::UnknownRepository { id: repository.clone() })?;
        Ok(Self {
            name: row::text(&found, "?", "name")?,
            next: row::number(&found, "?", "last_number")? - count + 1,
            now: Timestamp(row::number(&found, "?", "now")?),
        })
    }

    pub(super) fn number(&mut self) -> Result<(i64, TaskKey), StoreError> {
        let number = self.next;
        self.next += 1;
        let unnamed = |_| StoreError::Internal { what: "a new item could not be named" };
        Ok((number, TaskKey::parse(&format!("{}-{number}", self.name)).map_err(unnamed)?))
    }
}

/// The item as this transaction sees it.
pub(super) async fn by_id(tx: &mut WriteTx, id: &ItemId) -> Result<Item, BacklogError> {
    let found = tx.optional(sql(format!("{SELECT} WHERE i.id = $1")).bind(id.as_str())).await?;
    let missing = || BacklogError::NotFound { wanted: id.to_string(), nearest: Vec::new() };
    Ok(item(&found.ok_or_else(missing)?)?)
}

/// Refuses a parent that is not there, of another repository, or not what this kind belongs to.
pub(super) async fn check_parent(
    tx: &mut WriteTx,
    repository: &RepositoryId,
    kind: ItemKind,
    parent: Option<&ItemId>,
) -> Result<(), BacklogError> {
    let Some(parent) = parent else { return Ok(()) };
    let found = by_id(tx, parent).await?;
    if found.repository != *repository {
        return Err(BacklogError::Elsewhere { key: found.key });
    }
    if kind.parent() != Some(found.kind()) {
        let found = format!("{}, which is one of kind {}", found.key, found.kind().as_str());
        return Err(BacklogError::Parent { what: kind, found });
    }
    Ok(())
}

/// The position behind all others of the same parent.
pub(super) async fn last_position(
    tx: &mut WriteTx,
    repository: &RepositoryId,
    kind: ItemKind,
    parent: Option<&ItemId>,
) -> Result<i64, StoreError> {
    let text = "SELECT CAST(COALESCE(MAX(i.position), 0) AS BIGINT) AS last FROM items i \
                WHERE i.repository_id = $1 AND i.kind = $2 AND COALESCE(i.parent_id, '') = $3";
    let parent = parent.map_or("", ItemId::as_str);
    let query = sql(text).bind(repository.as_str()).bind(kind.as_str()).bind(parent);
    let found = tx.optional(query).await?;
    let last = found.map(|found| row::number(&found, "?", "last")).transpose()?.unwrap_or(0);
    Ok(last + 1)
}
