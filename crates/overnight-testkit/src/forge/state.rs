//! What the fake forge knows: tokens, repositories and pull requests.
//!
//! Owns all of it. Knows no wire format.

use std::collections::BTreeMap;

use super::fault::FaultQueue;
use super::log::LoggedRequest;
use super::people::People;
use super::repository::BareRepository;

/// Whom a token belongs to and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeToken {
    pub login: String,
    pub can_push: bool,
    /// GitHub's classic scopes, sent as `x-oauth-scopes`; `None` for a fine-grained token.
    pub scopes: Option<Vec<String>>,
}

impl FakeToken {
    /// May read and push; a classic GitHub token with the scope `repo`.
    #[must_use]
    pub fn writer(login: &str) -> Self {
        Self { login: login.to_owned(), can_push: true, scopes: Some(vec!["repo".to_owned()]) }
    }

    /// May read only; a fine-grained token.
    #[must_use]
    pub fn reader(login: &str) -> Self {
        Self { login: login.to_owned(), can_push: false, scopes: None }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullState {
    Open,
    Closed,
    Merged,
}

/// A pull request as the forge stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakePullRequest {
    pub number: u64,
    pub title: String,
    pub body: String,
    pub head: String,
    pub base: String,
    /// Full name of the repository that the head branch is in.
    pub head_repository: String,
    /// Moves with the branch while the pull request is open.
    pub head_commit: String,
    pub base_commit: String,
    pub draft: bool,
    pub state: PullState,
    pub author: String,
}

#[derive(Debug)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) full_name: String,
    pub(super) bare: BareRepository,
    pub(super) pulls: Vec<FakePullRequest>,
    pub(super) people: People,
}

impl Repository {
    /// Issues and pull requests share their numbers; not on GitLab, where nobody minds gaps.
    pub(super) fn next_number(&self) -> u64 {
        let issues = self.people.issues.iter().map(|issue| issue.number);
        self.pulls.iter().map(|pull| pull.number).chain(issues).max().unwrap_or(0) + 1
    }

    pub(super) fn owner(&self) -> &str {
        self.full_name.rsplit_once('/').map_or("", |(owner, _)| owner)
    }

    pub(super) fn name(&self) -> &str {
        self.full_name.rsplit_once('/').map_or("", |(_, name)| name)
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tokens: BTreeMap<String, FakeToken>,
    pub(super) repositories: Vec<Repository>,
    pub(super) faults: FaultQueue,
    pub(super) log: Vec<LoggedRequest>,
    /// Who may write, besides the owners of tokens.
    pub(super) people: BTreeMap<String, bool>,
    /// Limit, and what is left of it; without them an ample one is told.
    pub(super) rate: Option<(u32, u32)>,
    /// Tokens of a GitHub App that were made, and how many seconds each lives from the fake's date.
    pub(super) app: Option<i64>,
    pub(super) app_tokens: u32,
    /// Answers carry an `ETag`, and a repeated one is "not modified".
    pub(super) etags: bool,
}

impl State {
    pub(super) fn repository(&self, full_name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.full_name.eq_ignore_ascii_case(full_name))
    }

    pub(super) fn repository_mut(&mut self, full_name: &str) -> Option<&mut Repository> {
        self.repositories.iter_mut().find(|repository| repository.full_name.eq_ignore_ascii_case(full_name))
    }
}
