//! What was asked, frozen when the job is enqueued: later changes of configuration do not change it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::AgentSettings;
use crate::git::CommitId;
use crate::policy::budget::JobBudget;
use crate::units::MicroDollars;
use crate::verdict::Check;

use super::choice::Choice;

/// A job's order, complete and immutable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// First line of the wish, for lists, branches and pull requests.
    pub title: String,
    /// The wish as the person wrote it.
    pub prompt: String,
    /// Where the mirror fetches from: a local path or a remote URL, without credentials.
    pub source: String,
    /// The git directory of the repository that the job was ordered in, also when its code comes from a remote: nothing
    /// that the job runs may write there.
    #[serde(default)]
    pub ordered_in: Option<PathBuf>,
    pub base: Base,
    pub publication: Publication,
    pub verify: VerifyRequest,
    /// Publish although no check passed, as long as each that fails failed on the base as well.
    pub accept_base_failures: bool,
    pub agent: AgentSettings,
    #[serde(default)]
    pub choice: Choice,
    pub limits: JobLimits,
    #[serde(default)]
    pub budget: JobBudget,
    /// Author of commits that the runner makes, `Name <address>`.
    pub author: String,
}

/// Which commit the agent starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Base {
    /// This commit of a local repository; `branch` is where it was found.
    Commit { commit: CommitId, branch: Option<String> },
    /// The tip of the remote's default branch, asked at prepare time.
    RemoteDefault,
    /// The tip of this branch of the remote, asked at prepare time.
    RemoteBranch { branch: String },
}

/// Where a verified result goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Publication {
    /// A branch in the local repository at this path.
    LocalBranch { repository: String },
    /// A branch on the remote, and a pull request for it.
    PullRequest { remote: String, draft: bool },
}

/// Which checks judge the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum VerifyRequest {
    /// These, from the command line.
    Commands { checks: Vec<Check> },
    /// Those of the base commit's `overnight.toml`, else detected ones.
    FromRepository {
        /// Longest run of one check, unless the repository says otherwise.
        #[serde(with = "crate::units::millis", rename = "timeout_ms")]
        timeout: Duration,
    },
    /// None: the result is published as not verified.
    Nothing,
}

/// Limits of a whole job. `None` is "no limit".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLimits {
    /// Paid tries, at least 1.
    pub attempts: u32,
    pub cost: Option<MicroDollars>,
    /// Input, output and cache-write tokens together.
    pub tokens: Option<u64>,
    pub turns: Option<u32>,
    /// Agent and check time together, in milliseconds.
    pub time_ms: Option<u64>,
}

impl Default for JobLimits {
    /// Three attempts and no other limit.
    fn default() -> Self {
        Self { attempts: 3, cost: None, tokens: None, turns: None, time_ms: None }
    }
}
