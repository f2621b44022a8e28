//! Commits into the mirror, from a remote.
//!
//! Owns the refs below `refs/overnight/bases`. It must not assume the name of a default branch, and must not take an
//! object for present before git has checked that everything below it is.

use overnight_core::git::{BranchName, CommitId};

use super::lock::{self, LockWait};
use super::{Format, Mirror};
use crate::endpoint::Endpoint;
use crate::error::GitError;
use crate::git::{Call, Git};
use crate::parse::{RemoteRefs, is_branch_name, ls_remote};

/// Where a fetch lands before it is known to be whole. One name is enough: the mirror's lock is held.
const INCOMING: &str = "refs/overnight/incoming";

/// Faults of the formatting of old commits, harmless and common in long histories. Objects of agents get no such
/// indulgence.
const OLD_FAULTS: [&str; 8] = [
    "badEmail",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "multipleAuthors",
    "zeroPaddedDate",
];

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// This commit, whether a branch of the remote points to it or not.
    Commit(CommitId),
    /// The tip of a branch, named without `refs/heads/`. Any name that git allows.
    Branch(String),
    /// The tip of the branch that the remote calls its default.
    DefaultBranch,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub commit: CommitId,
    /// The branch, unless a commit was asked for.
    pub branch: Option<String>,
}

impl Mirror {
    /// Brings a commit and all its history into the mirror and keeps it there. Costs no transfer when it is there.
    ///
    /// # Errors
    /// [`GitError::EmptyRemote`], [`GitError::NoDefaultBranch`], [`GitError::NoSuchBranch`],
    /// [`GitError::InvalidRef`], or what git says.
    pub async fn fetch_commit(&self, endpoint: &Endpoint, wanted: &Wanted) -> Result<Fetched, GitError> {
        match wanted {
            Wanted::Commit(id) => {
                self.fetch_once(endpoint, id, id.as_str()).await?;
                Ok(Fetched { commit: id.clone(), branch: None })
            }
            Wanted::Branch(_) | Wanted::DefaultBranch => {
                let branch = self.git.resolve_branch(endpoint, wanted).await?;
                let commit =
                    self.fetch_once(endpoint, &branch.commit, &format!("refs/heads/{}", branch.name)).await?;
                Ok(Fetched { commit, branch: Some(branch.name) })
            }
        }
    }

    /// The same for a branch of ours; `None` when the remote has no such branch.
    ///
    /// # Errors
    /// What git says.
    pub async fn fetch_branch(
        &self,
        endpoint: &Endpoint,
        branch: &BranchName,
    ) -> Result<Option<CommitId>, GitError> {
        match self.git.remote_branch(endpoint, branch).await? {
            Some(seen) => self.fetch_once(endpoint, &seen, &branch.full_ref()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Fetches `what` unless `expected` is kept already.
    async fn fetch_once(
        &self,
        endpoint: &Endpoint,
        expected: &CommitId,
        what: &str,
    ) -> Result<CommitId, GitError> {
        if self.read_ref(&base_ref(expected)).await?.is_some() {
            return Ok(expected.clone());
        }
        let _alone = lock::acquire(&self.path, &LockWait::silent(self.git().network_limit())).await?;
        if self.read_ref(&base_ref(expected)).await?.is_some() {
            return Ok(expected.clone());
        }
        self.fetch_call(endpoint, what).output().await?;
        let incoming = self.read_ref(INCOMING).await?;
        let commit = incoming.ok_or_else(|| crate::git::unexpected("fetch a commit", what.as_bytes()))?;
        self.update_refs(&format!("update {} {commit}\ndelete {INCOMING}\n", base_ref(&commit))).await?;
        Ok(commit)
    }

    fn fetch_call(&self, endpoint: &Endpoint, what: &str) -> Call {
        let mut call = self.call("fetch a commit").about(what).reaching(endpoint);
        for fault in OLD_FAULTS {
            call = call.config(&format!("fetch.fsck.{fault}=ignore"));
        }
        // Packs are kept as packs: one file to flush instead of thousands.
        let call = call.config("fetch.unpackLimit=1").args([
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
        ]);
        let call = call.args(["--no-auto-maintenance", "--update-shallow", "--end-of-options"]);
        call.arg(endpoint.remote.argument()).arg(format!("+{what}:{INCOMING}"))
    }
}

/// A branch of a remote.
struct Branch {
    name: String,
    commit: CommitId,
}

impl Git {
    /// Asks a remote for some of its refs, and always for the name of its default branch.
    pub(crate) async fn ask_remote(
        &self,
        endpoint: &Endpoint,
        refs: &[String],
    ) -> Result<RemoteRefs, GitError> {
        let call = self.without_repository("ask the remote for its branches").reaching(endpoint);
        let call = call.args(["ls-remote", "--quiet", "--symref", "--end-of-options"]);
        let call = call.arg(endpoint.remote.argument()).arg("HEAD").args(refs);
        Ok(ls_remote(&call.output().await?))
    }

    async fn resolve_branch(&self, endpoint: &Endpoint, wanted: &Wanted) -> Result<Branch, GitError> {
        let asked = match wanted {
            Wanted::Branch(name) if !is_branch_name(name) => {
                return Err(GitError::InvalidRef { name: name.clone() });
            }
            Wanted::Branch(name) => Some(format!("refs/heads/{name}")),
            Wanted::DefaultBranch | Wanted::Commit(_) => None,
        };
        let found = self.ask_remote(endpoint, asked.as_slice()).await?;
        let full = asked.clone().or_else(|| found.head_branch.clone());
        let commit = match &asked {
            Some(full) => found.refs.get(full),
            None => found.refs.get("HEAD"),
        };
        match (full, commit) {
            (Some(full), Some(commit)) => {
                let name = full.strip_prefix("refs/heads/").unwrap_or(&full).to_owned();
                Ok(Branch { name, commit: commit.clone() })
            }
            (_, _) => Err(self.why_no_branch(endpoint, asked).await?),
        }
    }

    async fn why_no_branch(&self, endpoint: &Endpoint, asked: Option<String>) -> Result<GitError, GitError> {
        let remote = endpoint.remote.display();
        let all = self.all_refs(endpoint).await?;
        Ok(match asked {
            _ if all.refs.is_empty() => GitError::EmptyRemote { remote },
            Some(branch) => GitError::NoSuchBranch { remote, branch: branch.replacen("refs/heads/", "", 1) },
            None => GitError::NoDefaultBranch { remote },
        })
    }

    async fn all_refs(&self, endpoint: &Endpoint) -> Result<RemoteRefs, GitError> {
        let call = self.without_repository("ask the remote for its refs").reaching(endpoint);
        let call = call.args(["ls-remote", "--quiet", "--end-of-options"]).arg(endpoint.remote.argument());
        Ok(ls_remote(&call.output().await?))
    }

    /// The object format of a remote, read off the length of its ids.
    pub(super) async fn format_of(&self, endpoint: &Endpoint) -> Result<Format, GitError> {
        let head = self.ask_remote(endpoint, &[]).await?;
        if let Some(id) = head.refs.values().next() {
            return Ok(Format::of(id));
        }
        let all = self.all_refs(endpoint).await?;
        let first = all.refs.values().next().map(Format::of);
        first.ok_or_else(|| GitError::EmptyRemote { remote: endpoint.remote.display() })
    }
}

pub(super) fn base_ref(commit: &CommitId) -> String {
    format!("refs/overnight/bases/{commit}")
}
