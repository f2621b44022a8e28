//! What was asked, frozen when the job is enqueued; the settings that only a configuration gave are frozen when the first worker
//! claims it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::AgentSettings;
use crate::backlog::idea::DocumentOrder;
use crate::choose::Layer;
use crate::git::{BranchName, CommitId};
use crate::id::{ItemId, JobId, SessionId, TaskKey};
use crate::policy::budget::JobBudget;
use crate::units::MicroDollars;
use crate::verdict::Check;
use crate::watch::PullOrder;

use super::choice::{Choice, Configured, Origin};
use super::line::BranchLine;
use super::queueing::Label;
use super::state::Who;
use super::task::TaskOrder;

/// A job's order, complete. Only its settings may change, once: when the first worker claims it.
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
    /// The job that this one follows up on.
    #[serde(default)]
    pub follows: Option<Box<Follows>>,
    /// The task of the backlog that it carries out, if it was ordered from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<TaskOrder>>,
    /// Its place on a branch that it shares with other jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Box<BranchLine>>,
}

impl JobSpec {
    /// The settings of one of the order's agents. Without a backup there is only the first.
    #[must_use]
    pub fn agent_of(&self, who: Who) -> &AgentSettings {
        match (who, &self.choice.backup) {
            (Who::Backup, Some(backup)) => &backup.agent,
            (Who::First, _) | (Who::Backup, None) => &self.agent,
        }
    }
}

/// Where a follow-up takes the work up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follows {
    pub job: JobId,
    pub key: TaskKey,
    /// What is to be done now; the order's prompt is what was asked at first.
    pub message: String,
    /// The published branch that the work goes on on; `None`: nothing was published, and the work gets a branch of its own.
    pub branch: Option<BranchName>,
    /// The target of the pull request.
    pub base_branch: Option<String>,
    /// What was brought home and not published.
    pub preserved: Option<CommitId>,
    /// The conversation to go on with, the agent and the login that it belongs to, and where it was held.
    pub session: Option<SessionId>,
    pub who: Who,
    pub account: Option<Label>,
    /// What the earlier job came to, for a conversation that has to be begun anew.
    pub handover: String,
    /// Where it answers what happened to a pull request of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullOrder>,
}

impl JobSpec {
    /// The settings and where they came from.
    #[must_use]
    pub fn settings(&self) -> Configured {
        Configured { agent: self.agent.clone(), limits: self.limits.clone(), choice: self.choice.clone() }
    }

    /// The same order with these settings.
    #[must_use]
    pub fn with_settings(self, settings: Configured) -> Self {
        let Configured { agent, limits, choice } = settings;
        Self { agent, limits, choice, ..self }
    }

    /// The document that the job is to write, where its result is one.
    #[must_use]
    pub fn document(&self) -> Option<&DocumentOrder> {
        match &self.publication {
            Publication::Document { document } => Some(document),
            Publication::LocalBranch { .. } | Publication::PullRequest { .. } => None,
        }
    }

    /// Where the code is fetched from: the result's other side, or the source where no code goes back.
    #[must_use]
    pub fn remote(&self) -> &str {
        match &self.publication {
            Publication::PullRequest { remote, .. } => remote,
            Publication::LocalBranch { repository } => repository,
            Publication::Document { .. } => &self.source,
        }
    }

    /// The item of the backlog that it is done for.
    #[must_use]
    pub fn item(&self) -> Option<&ItemId> {
        let task = self.task.as_ref().map(|task| &task.item);
        task.or_else(|| self.document().map(|document| &document.item))
    }

    /// Whether both ask for the same. What a configuration decided is left out: it may have changed in between, and the worker
    /// that claimed one of them may have decided it anew.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        if !(self.choice.is_known() && other.choice.is_known()) {
            return self
                .clone()
                .with_settings(Configured { choice: other.choice.clone(), ..self.settings() })
                == *other;
        }
        let layer = |spec: &Self| Layer::of_job(spec, |origin| matches!(origin, Origin::Task | Origin::Job));
        let same_program =
            (&self.agent.command, &self.agent.script) == (&other.agent.command, &other.agent.script);
        same_program
            && self.choice.kind == other.choice.kind
            && layer(self) == layer(other)
            && self.on_same_line(other)
            && Self { line: other.line.clone(), ..self.clone().with_settings(other.settings()) } == *other
    }

    /// Whether both are on one line, or on none. Their places differ where the line has grown in between.
    fn on_same_line(&self, other: &Self) -> bool {
        match (&self.line, &other.line) {
            (Some(one), Some(two)) => one.is_with(two),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
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
    /// No code goes anywhere: what the agent writes about an idea is kept beside it.
    Document { document: Box<DocumentOrder> },
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
