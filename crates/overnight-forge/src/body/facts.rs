//! What a pull request's text is made of.
//!
//! Owns no state. Every text in here is somebody else's and unsafe until it is defused.

use std::time::Duration;

use overnight_core::git::CommitId;
use overnight_core::id::{JobId, TaskKey};
use overnight_core::units::MicroDollars;
use overnight_core::verdict::{CheckSource, CheckedPair, DiffStat};

/// A commit as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitLine {
    pub id: CommitId,
    pub subject: String,
}

/// Everything that [`super::render`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestFacts {
    pub job: JobId,
    pub task: TaskKey,
    /// The task in the words of the person who wants it.
    pub asked: String,
    pub base_branch: String,
    pub base: CommitId,
    pub tip: CommitId,
    /// Oldest first.
    pub commits: Vec<CommitLine>,
    pub diff: DiffStat,
    pub checks: Vec<CheckedPair>,
    pub check_source: CheckSource,
    /// Backend and model.
    pub agent: String,
    pub attempts: u32,
    /// From the claim of the job until now.
    pub elapsed: Duration,
    /// `None` when the backend does not report any.
    pub tokens: Option<u64>,
    /// `None` when nobody knows.
    pub cost: Option<MicroDollars>,
    /// The agent's last words.
    pub final_text: Option<String>,
    /// What was found in the change before its checks were run, one line each.
    pub found: Vec<String>,
    /// Who agreed to publish it, where that was needed.
    pub approved: Option<String>,
    /// Hosts whose web addresses stay as they are in `asked` and `final_text`; a host's own links to issues do not.
    pub link_hosts: Vec<String>,
}
