//! Lists of pull requests that are looked after.

use overnight_core::id::RepositoryId;

use super::{SELECT, Watched, watched};
use crate::error::StoreError;
use crate::sql::sql;
use crate::store::Store;

impl Store {
    /// Our pull requests, newest first; `all`: also those that are merged or closed.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn watches(&self, all: bool, most: u32) -> Result<Vec<Watched>, StoreError> {
        let which = if all { "" } else { "WHERE p.state = 'open' " };
        let text = format!("{SELECT} {which}ORDER BY w.job_id DESC, w.number DESC LIMIT {most}");
        let found = self.all("list the pull requests", sql(text)).await?;
        found.iter().map(watched).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn watch(&self, repository: &RepositoryId, number: u64) -> Result<Option<Watched>, StoreError> {
        let text = format!("{SELECT} WHERE w.repository_id = $1 AND w.number = $2");
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let query = sql(text).bind(repository.as_str()).bind(number);
        self.optional("read a pull request", query).await?.as_ref().map(watched).transpose()
    }

    /// Those that wait for a person.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn watches_for_people(&self) -> Result<Vec<Watched>, StoreError> {
        let mut open = self.watches(false, u32::MAX).await?;
        open.retain(|one| one.memory.person.is_some());
        Ok(open)
    }
}
