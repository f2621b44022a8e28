//! The forges behind one enum.
//!
//! Owns nothing but the choice. Each method is one operation with one budget of time and repetitions.

use overnight_core::git::BranchName;

use crate::address::{ForgeAddress, ForgeKind};
use crate::error::ForgeError;
use crate::gitea::Gitea;
use crate::github::GitHub;
use crate::http::Http;
use crate::publish;
use crate::request::{Account, Found, NewPullRequest, PullRequest, RepositoryInfo};
use crate::retry::{Budget, Settings};
use overnight_core::secret::Secret;

/// A repository on a forge, and the token to speak for.
#[derive(Debug)]
pub enum Forge {
    GitHub(GitHub),
    Gitea(Gitea),
}

impl Forge {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// [`ForgeError::Unusable`] when no HTTP header can hold the token, or the proxy's URL is none.
    pub fn connect(address: ForgeAddress, token: Secret, settings: Settings) -> Result<Self, ForgeError> {
        match address.kind() {
            ForgeKind::GitHub => GitHub::connect(address, token, settings).map(Self::GitHub),
            ForgeKind::Gitea => Gitea::connect(address, token, settings).map(Self::Gitea),
        }
    }

    #[must_use]
    pub fn address(&self) -> &ForgeAddress {
        match self {
            Self::GitHub(forge) => forge.address(),
            Self::Gitea(forge) => forge.address(),
        }
    }

    /// Opens the pull request of a job, or finds the one that is there. May be repeated at any time and from any number
    /// of processes: there is never a second one. A pull request that somebody closed or merged is returned in that
    /// state and left as it is.
    ///
    /// # Errors
    /// Any [`ForgeError`], after bounded repetitions where they can help. Repeating the whole call later is safe.
    pub async fn open_pull_request(&self, request: &NewPullRequest) -> Result<PullRequest, ForgeError> {
        publish::open(self, request).await
    }

    /// Every pull request from `head` to `base` of this repository, open or not. Of long closed ones Gitea may show none.
    ///
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn find_pull_requests(
        &self,
        head: &BranchName,
        base: &str,
    ) -> Result<Vec<PullRequest>, ForgeError> {
        let found = self.find(head, &mut self.budget()).await?;
        Ok(found.iter().filter(|pull| pull.base == base).map(|pull| pull.report(true)).collect())
    }

    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn pull_request(&self, number: u64) -> Result<PullRequest, ForgeError> {
        let mut budget = self.budget();
        let found = match self {
            Self::GitHub(forge) => forge.get(number, &mut budget).await?,
            Self::Gitea(forge) => forge.get(number, &mut budget).await?,
        };
        Ok(found.report(true))
    }

    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn repository(&self) -> Result<RepositoryInfo, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.repository(&mut self.budget()).await,
            Self::Gitea(forge) => forge.repository(&mut self.budget()).await,
        }
    }

    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn account(&self) -> Result<Account, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.account(&mut self.budget()).await,
            Self::Gitea(forge) => forge.account(&mut self.budget()).await,
        }
    }

    /// The pull requests from `head` in this very repository: those of forks with a branch of the same name, and those
    /// that a filter let through, are left out.
    pub(crate) async fn find(
        &self,
        head: &BranchName,
        budget: &mut Budget<'_>,
    ) -> Result<Vec<Found>, ForgeError> {
        let mut found = match self {
            Self::GitHub(forge) => forge.find(head, budget).await?,
            Self::Gitea(forge) => forge.find(head, budget).await?,
        };
        let here = self.address().to_string();
        let is_here = |name: &String| name.eq_ignore_ascii_case(&here);
        found.retain(|pull| pull.head == head.as_str() && pull.head_repository.as_ref().is_some_and(is_here));
        Ok(found)
    }

    pub(crate) async fn create(
        &self,
        request: &NewPullRequest,
        budget: &Budget<'_>,
    ) -> Result<Found, ForgeError> {
        match self {
            Self::GitHub(forge) => forge.create(request, budget).await,
            Self::Gitea(forge) => forge.create(request, budget).await,
        }
    }

    pub(crate) fn budget(&self) -> Budget<'_> {
        Budget::new(&self.http().settings)
    }

    pub(crate) fn http(&self) -> &Http {
        match self {
            Self::GitHub(forge) => forge.http(),
            Self::Gitea(forge) => forge.http(),
        }
    }
}
