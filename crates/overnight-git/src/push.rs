//! The one write to the outside that git makes: a branch of ours, from the mirror, to a literal address.
//!
//! Owns no state. It must not push to a default branch or to any branch outside `overnight/`, must not overwrite a
//! value that it was not told to expect, and must not touch a work tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use overnight_core::git::{BranchName, CommitId};

use crate::endpoint::Endpoint;
use crate::error::{GitError, tail};
use crate::git::Git;
use crate::mirror::Mirror;
use crate::parse::{PushLine, RemoteRefs, checked_out, push_line};

/// What all our branches start with.
const OURS: &str = "overnight/";

/// What the branch must be at the remote for the push to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// No branch of that name.
    Absent,
    /// A branch at this commit.
    At(CommitId),
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    Pushed,
    /// The branch was at the commit before: an earlier push had arrived.
    AlreadyThere,
    /// The branch is not what was expected; nothing was changed.
    Rejected {
        found: Option<CommitId>,
    },
    /// The remote did not take it, although the branch is what was expected; in its own words. Nothing was changed.
    Declined {
        said: String,
    },
}

impl Git {
    /// Where a branch is at the remote.
    ///
    /// # Errors
    /// What git says; a remote without that branch is no error.
    pub async fn remote_branch(
        &self,
        endpoint: &Endpoint,
        branch: &BranchName,
    ) -> Result<Option<CommitId>, GitError> {
        Ok(self.ask_remote(endpoint, &[branch.full_ref()]).await?.refs.remove(&branch.full_ref()))
    }

    /// A branch that is checked out in a local remote must stay as it is, or its work tree would seem changed.
    async fn refuse_checked_out(&self, endpoint: &Endpoint, branch: &BranchName) -> Result<(), GitError> {
        let Some(path) = endpoint.remote.as_path() else { return Ok(()) };
        let call = self.of_person("list the work trees of the remote", path).about(path.display());
        let trees = checked_out(&call.args(["worktree", "list", "--porcelain", "-z"]).output().await?);
        match trees.get(&branch.full_ref()) {
            Some(tree) => Err(GitError::CheckedOut {
                branch: branch.clone(),
                path: PathBuf::from(OsStr::from_bytes(tree)),
            }),
            None => Ok(()),
        }
    }
}

impl Mirror {
    /// Makes `branch` point to `commit` at the remote, if it is there what is expected. Safe to repeat: a branch that
    /// is at `commit` already is [`PushOutcome::AlreadyThere`], whatever was expected.
    ///
    /// # Errors
    /// [`GitError::BranchRefused`], [`GitError::CheckedOut`], or what git says.
    pub async fn push(
        &self,
        endpoint: &Endpoint,
        branch: &BranchName,
        commit: &CommitId,
        expected: &Expected,
    ) -> Result<PushOutcome, GitError> {
        refuse_unless_ours(branch)?;
        let asked = [branch.full_ref()];
        let (seen, free) = tokio::join!(
            self.git().ask_remote(endpoint, &asked),
            self.git().refuse_checked_out(endpoint, branch)
        );
        if let Some(outcome) = decide(&seen?, branch, commit, expected)? {
            return Ok(outcome);
        }
        free?;
        let (line, said) = self.push_once(endpoint, branch, commit, expected).await?;
        match line {
            PushLine::Updated => Ok(PushOutcome::Pushed),
            PushLine::UpToDate => Ok(PushOutcome::AlreadyThere),
            PushLine::Rejected => {
                let found = self.git().remote_branch(endpoint, branch).await?;
                Ok(match (found, expected) {
                    (Some(found), _) if found == *commit => PushOutcome::AlreadyThere,
                    (None, Expected::Absent) => PushOutcome::Declined { said },
                    (Some(found), Expected::At(old)) if found == *old => PushOutcome::Declined { said },
                    (found, Expected::Absent | Expected::At(_)) => PushOutcome::Rejected { found },
                })
            }
        }
    }

    async fn push_once(
        &self,
        endpoint: &Endpoint,
        branch: &BranchName,
        commit: &CommitId,
        expected: &Expected,
    ) -> Result<(PushLine, String), GitError> {
        let operation = "push a branch";
        let full = branch.full_ref();
        let lease = match expected {
            Expected::Absent => format!("--force-with-lease={full}:"),
            Expected::At(old) => format!("--force-with-lease={full}:{old}"),
        };
        let call = self.call(operation).about(branch).about(commit).reaching(endpoint);
        let call = call.args(["push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed"]);
        let call = call.args(["--recurse-submodules=no", &lease, "--end-of-options"]);
        let ran = call.arg(endpoint.remote.argument()).arg(format!("{commit}:{full}")).finish().await?;
        // A refused push ends with a status as well: the line for the ref says more than the status.
        push_line(&ran.stdout, &full)
            .map(|line| (line, tail(&ran.stderr)))
            .ok_or_else(|| ran.failed(operation, format!("{branch}, {}", endpoint.remote.display())))
    }
}

fn refuse_unless_ours(branch: &BranchName) -> Result<(), GitError> {
    if branch.as_str().starts_with(OURS) {
        return Ok(());
    }
    Err(GitError::BranchRefused { branch: branch.clone(), why: "its name does not start with overnight/" })
}

/// What is clear before anything is sent.
fn decide(
    seen: &RemoteRefs,
    branch: &BranchName,
    commit: &CommitId,
    expected: &Expected,
) -> Result<Option<PushOutcome>, GitError> {
    let full = branch.full_ref();
    if seen.head_branch.as_deref() == Some(full.as_str()) {
        return Err(GitError::BranchRefused {
            branch: branch.clone(),
            why: "it is the default branch there",
        });
    }
    let found = seen.refs.get(&full);
    let as_expected = match expected {
        Expected::Absent => found.is_none(),
        Expected::At(old) => found == Some(old),
    };
    Ok(if found == Some(commit) {
        Some(PushOutcome::AlreadyThere)
    } else if as_expected {
        None
    } else {
        Some(PushOutcome::Rejected { found: found.cloned() })
    })
}

#[cfg(test)]
mod tests;
