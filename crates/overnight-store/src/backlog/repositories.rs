//! What people decide about a repository.

use overnight_core::backlog::RepositorySettings;
use overnight_core::id::RepositoryId;

use super::error::BacklogError;
use crate::error::StoreError;
use crate::repository::Repository;
use crate::row::{self, to_json};
use crate::sql::sql;
use crate::store::Store;

/// A repository with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledRepository {
    pub repository: Repository,
    pub settings: RepositorySettings,
}

impl Store {
    /// A repository's settings.
    ///
    /// # Errors
    /// [`StoreError::UnknownRepository`], [`StoreError::Row`], [`StoreError::Database`].
    pub async fn repository_settings(&self, id: &RepositoryId) -> Result<RepositorySettings, StoreError> {
        let query = sql("SELECT settings FROM repositories WHERE id = $1").bind(id.as_str());
        let found = self.optional("read the repository's settings", query).await?;
        let found = found.ok_or_else(|| StoreError::UnknownRepository { id: id.clone() })?;
        Ok(row::json(id.as_str(), "settings", &row::text(&found, id.as_str(), "settings")?)?)
    }

    /// Replaces a repository's settings, if they still are as they were read.
    ///
    /// # Errors
    /// [`BacklogError::SettingsChanged`].
    pub async fn repository_settle(
        &self,
        id: &RepositoryId,
        before: &RepositorySettings,
        after: &RepositorySettings,
    ) -> Result<(), BacklogError> {
        let mut tx = self.begin("change the repository's settings").await?;
        // Nobody else changes the row until this is written.
        let text = "UPDATE repositories SET last_number = last_number WHERE id = $1 RETURNING settings";
        let found = tx.optional(sql(text).bind(id.as_str())).await?;
        let found = found.ok_or_else(|| StoreError::UnknownRepository { id: id.clone() })?;
        let text = row::text(&found, id.as_str(), "settings")?;
        if row::json::<RepositorySettings>(id.as_str(), "settings", &text)? != *before {
            return Err(BacklogError::SettingsChanged);
        }
        let text = "UPDATE repositories SET settings = $2 WHERE id = $1";
        tx.run(sql(text).bind(id.as_str()).bind(to_json("settings", after)?)).await?;
        Ok(tx.commit().await?)
    }

    /// Every repository with its settings, by name.
    ///
    /// # Errors
    /// [`StoreError::Row`], [`StoreError::Database`].
    pub async fn repositories_settled(&self) -> Result<Vec<SettledRepository>, StoreError> {
        let mut all = Vec::new();
        for repository in self.repositories().await? {
            let settings = self.repository_settings(&repository.id).await?;
            all.push(SettledRepository { repository, settings });
        }
        Ok(all)
    }

    /// Forgets a repository of which there are no jobs and no items.
    ///
    /// # Errors
    /// [`BacklogError::RepositoryInUse`].
    pub async fn repository_remove(&self, repository: &Repository) -> Result<(), BacklogError> {
        let mut tx = self.begin("forget the repository").await?;
        let text = "UPDATE repositories SET last_number = last_number WHERE id = $1";
        tx.run(sql(text).bind(repository.id.as_str())).await?;
        for (table, what) in [("jobs", "jobs"), ("items", "items in the backlog")] {
            let text = format!("SELECT id FROM {table} WHERE repository_id = $1 LIMIT 1");
            if tx.optional(sql(text).bind(repository.id.as_str())).await?.is_some() {
                return Err(BacklogError::RepositoryInUse { name: repository.name.clone(), what });
            }
        }
        for table in ["pull_requests", "pull_watches", "lanes"] {
            let text = format!("DELETE FROM {table} WHERE repository_id = $1");
            tx.run(sql(text).bind(repository.id.as_str())).await?;
        }
        tx.run(sql("DELETE FROM repositories WHERE id = $1").bind(repository.id.as_str())).await?;
        Ok(tx.commit().await?)
    }
}
