//! What we ask of a forge and what it answers, in our own words.
//!
//! Owns no state. Must not know the wire format of any forge.

use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::JobId;

use crate::merge::Mergeability;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PullRequestState {
    #[default]
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
    /// As people see it, without a prefix that only marks a draft.
    pub title: String,
    pub body: String,
    pub draft: bool,
    pub head: String,
    pub base: String,
    /// The commit that its branch is at, or was at when it was closed.
    pub tip: Option<CommitId>,
    /// What merging it made: a merge commit, or the squashed one. `None` when it is not merged or the forge does not say.
    pub merge_commit: Option<CommitId>,
}

/// What is to be changed about a pull request; `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullRequestChange {
    pub title: Option<String>,
    pub body: Option<String>,
    pub base: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    pub(crate) number: u64,
    pub(crate) url: String,
    pub(crate) state: PullRequestState,
    pub(crate) title: String,
    pub(crate) draft: bool,
    pub(crate) base: String,
    /// The branch name, without owner.
    pub(crate) head: String,
    pub(crate) head_commit: String,
    /// `owner/repo` that the head branch is in; `None` when that repository is gone.
    pub(crate) head_repository: Option<String>,
    pub(crate) body: String,
    pub(crate) merge_commit: Option<String>,
    pub(crate) fit: Fit,
    /// GitHub's name for it in GraphQL.
    pub(crate) node: Option<String>,
}

/// What a forge says about merging, and whether it may still change its mind by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fit {
    pub(crate) mergeability: Mergeability,
    pub(crate) settled: bool,
}

impl Fit {
    pub(crate) fn settled(mergeability: Mergeability) -> Self {
        Self { mergeability, settled: true }
    }
}

impl Found {
    pub(crate) fn report(&self, adopted: bool) -> PullRequest {
        let merged = self.state == PullRequestState::Merged;
        PullRequest {
            number: self.number,
            url: self.url.clone(),
            state: self.state,
            adopted,
            title: self.title.clone(),
            body: self.body.clone(),
            draft: self.draft,
            head: self.head.clone(),
            base: self.base.clone(),
            tip: CommitId::parse(&self.head_commit).ok(),
            merge_commit: self
                .merge_commit
                .as_deref()
                .filter(|_| merged)
                .and_then(|id| CommitId::parse(id).ok()),
        }
    }
}
