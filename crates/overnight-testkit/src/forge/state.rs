//! What the fake forge knows: tokens, repositories and pull requests.
//!
//! Owns all of it. Knows no wire format.

use std::collections::BTreeMap;

use super::fault::FaultQueue;
use super::log::LoggedRequest;
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
}

impl Repository {
    pub(super) fn owner(&self) -> &str {
        self.full_name.split('/').next().unwrap_or("")
    }

    pub(super) fn name(&self) -> &str {
        self.full_name.split('/').nth(1).unwrap_or("")
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tokens: BTreeMap<String, FakeToken>,
    pub(super) repositories: Vec<Repository>,
    pub(super) faults: FaultQueue,
    pub(super) log: Vec<LoggedRequest>,
}

impl State {
    pub(super) fn repository(&self, full_name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.full_name.eq_ignore_ascii_case(full_name))
    }

    pub(super) fn repository_mut(&mut self, full_name: &str) -> Option<&mut Repository> {
        self.repositories.iter_mut().find(|repository| repository.full_name.eq_ignore_ascii_case(full_name))
    }
}
