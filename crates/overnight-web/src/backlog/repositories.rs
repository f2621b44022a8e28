//! Repositories and what holds for all of their tasks.

use overnight_store::{NewRepository, RepositoryView, SettledRepository};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Reach, Refused};

/// A repository to be registered, as it was said.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepositorySaid {
    remote: String,
    name: Option<String>,
    #[serde(default)]
    settings: Map<String, Value>,
}

/// As JSON; a struct of texts and numbers is always that.
pub(crate) fn view(settled: &SettledRepository) -> Value {
    serde_json::to_value(RepositoryView::of(settled)).unwrap_or_default()
}

impl Reach<'_> {
    pub(crate) async fn repositories(self) -> Result<Vec<SettledRepository>, Refused> {
        Ok(self.store.repositories_settled().await?)
    }

    pub(crate) async fn settled(self, name: &str) -> Result<SettledRepository, Refused> {
        let repository = self.repository(name).await?;
        let settings = self.store.repository_settings(&repository.id).await?;
        Ok(SettledRepository { repository, settings })
    }

    /// Registers a repository, or finds the one of the same remote; and whether it was registered now.
    pub(crate) async fn register(self, said: RepositorySaid) -> Result<(SettledRepository, bool), Refused> {
        let found = self.desk()?.registration(said.remote).await?;
        let new = NewRepository { name: said.name.unwrap_or(found.name), ..found };
        let before = self.store.repositories().await?;
        // Looked at first, so that nothing is registered with settings that cannot be.
        let _ = overnight_core::backlog::RepositorySettings::default().merged(&said.settings)?;
        let made = self.store.repository_ensure(&new).await?;
        let fresh = !before.iter().any(|known| known.id == made.id);
        let settled = self.settle(&made.name, &said.settings, |_| true).await?;
        Ok((settled, fresh))
    }

    /// Changes settings, if they still are as they were `looked_at`.
    pub(crate) async fn settle(
        self,
        name: &str,
        said: &Map<String, Value>,
        looked_at: impl FnOnce(&SettledRepository) -> bool,
    ) -> Result<SettledRepository, Refused> {
        let before = self.settled(name).await?;
        if !looked_at(&before) {
            return Err(Refused::Stale { what: format!("the settings of {name} are others by now") });
        }
        let after = before.settings.merged(said)?;
        if after != before.settings {
            self.store.repository_settle(&before.repository.id, &before.settings, &after).await?;
        }
        Ok(SettledRepository { settings: after, ..before })
    }

    /// Forgets a repository of which there are no jobs and no items.
    pub(crate) async fn forget(self, name: &str) -> Result<(), Refused> {
        let repository = self.repository(name).await?;
        Ok(self.store.repository_remove(&repository).await?)
    }
}
