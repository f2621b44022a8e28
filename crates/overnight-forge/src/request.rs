//! What we ask of a forge and what it answers, in our own words.
//!
//! Owns no state. Must not know the wire format of any forge.

use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::JobId;

/// A pull request to be opened from one branch of a repository to another branch of the same repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPullRequest {
    /// The job it is for. Its marker must be in `body`: it tells our pull request from a later one of the same branch.
    pub job: JobId,
    /// From [`crate::body::title`].
    pub title: String,
    /// From [`crate::body::render`].
    pub body: String,
    pub head: BranchName,
    /// The target branch. Others made it, so it is plain text.
    pub base: String,
    /// The commit that `head` was pushed at.
    pub tip: CommitId,
    pub draft: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestState {
    Open,
    /// Somebody closed it without merging. It is never opened again by us.
    Closed,
    Merged,
}

/// The one pull request of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    /// For people, in a browser.
    pub url: String,
    pub state: PullRequestState,
    /// It was there already, from an earlier try or another hand.
    pub adopted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryInfo {
    pub default_branch: String,
    /// Whether the token may push; `None` when the forge does not say.
    pub can_push: Option<bool>,
    pub archived: bool,
}

/// Whom the token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub login: String,
    /// What a classic GitHub token is allowed; `None` for other tokens and forges, which do not tell.
    pub scopes: Option<Vec<String>>,
}

/// A pull request as a lookup finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) number: u64,
    pub(crate) url: String,
    pub(crate) state: PullRequestState,
    pub(crate) base: String,
    /// The branch name, without owner.
    pub(crate) head: String,
    pub(crate) head_commit: String,
    /// `owner/repo` that the head branch is in; `None` when that repository is gone.
    pub(crate) head_repository: Option<String>,
    pub(crate) body: String,
}

impl Found {
    pub(crate) fn report(&self, adopted: bool) -> PullRequest {
        PullRequest { number: self.number, url: self.url.clone(), state: self.state, adopted }
    }
}
