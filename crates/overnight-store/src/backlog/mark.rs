//! What people say about items: facts with a time, never taken back, only followed by others.

use overnight_core::backlog::Mark;
use overnight_core::id::ItemId;

use super::error::{BacklogError, retried};
use super::link::unfinished;
use super::rows::by_id;
use crate::row;
use crate::sql::sql;
use crate::store::Store;

impl Store {
    /// Says something about an item.
    ///
    /// # Errors
    /// [`BacklogError::WrongKind`] when it cannot be said about this item, [`BacklogError::Running`] while a job of it goes on.
    pub async fn item_mark(&self, item: &ItemId, mark: Mark) -> Result<(), BacklogError> {
        retried(|| self.mark_once(item, mark)).await
    }

    async fn mark_once(&self, id: &ItemId, mark: Mark) -> Result<(), BacklogError> {
        let mut tx = self.begin("mark the item").await?;
        // Whoever starts a job of it waits until this is written, or is seen here.
        let text = "UPDATE items SET updated_at = {now} WHERE id = $1 RETURNING runs";
        let found = tx.optional(sql(text).bind(id.as_str())).await?;
        let missing = || BacklogError::NotFound { wanted: id.to_string(), nearest: Vec::new() };
        let runs = row::number(&found.ok_or_else(missing)?, "?", "runs")?;
        let item = by_id(&mut tx, id).await?;
        if !mark.fits(item.kind()) {
            let wanted = if mark == Mark::Blocked {
                overnight_core::backlog::ItemKind::Epic
            } else {
                overnight_core::backlog::ItemKind::Task
            };
            return Err(BacklogError::WrongKind { key: item.key, wanted });
        }
        if let Some(job) = unfinished(&mut tx, id).await? {
            return Err(BacklogError::Running { key: item.key, job });
        }
        let text = "INSERT INTO item_marks (item_id, number, mark, runs, at) \
             SELECT $1, CAST(COALESCE(MAX(m.number), 0) + 1 AS BIGINT), $2, CAST($3 AS BIGINT), {now} FROM item_marks m WHERE m.item_id = $1";
        tx.run(sql(text).bind(id.as_str()).bind(mark.as_str()).bind(runs)).await?;
        Ok(tx.commit().await?)
    }
}
