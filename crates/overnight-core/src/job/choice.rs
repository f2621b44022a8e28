//! How the agent of a job was chosen: for which kind of job, who takes over when it gives up, and where each value came from.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::AgentSettings;
use crate::units::millis;

use super::spec::JobLimits;

/// What a job does. Settings can be given for each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// Changes code for one task.
    #[default]
    Implement,
    /// The tasks of several stories, one after the other, on one branch.
    Sprint,
    /// Questions an idea.
    Grill,
    /// Turns an idea into epic, stories and tasks.
    Plan,
    /// Judges a change or a plan.
    Review,
    /// A recurring duty.
    Formula,
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JobKind {
    pub const ALL: [Self; 6] =
        [Self::Implement, Self::Sprint, Self::Grill, Self::Plan, Self::Review, Self::Formula];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Implement => "implement",
            Self::Sprint => "sprint",
            Self::Grill => "grill",
            Self::Plan => "plan",
            Self::Review => "review",
            Self::Formula => "formula",
        }
    }
}

/// Where a value came from, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The task says so.
    Task,
    /// Asked for when the job was ordered.
    Job,
    /// The configuration of the repository.
    Repository,
    /// The configuration of the kind of job.
    Kind,
    /// The configuration of the agent.
    Agent,
    /// The configuration for everything, or the built-in value.
    Default,
}

impl Origin {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Job => "job",
            Self::Repository => "repository",
            Self::Kind => "kind",
            Self::Agent => "agent",
            Self::Default => "default",
        }
    }
}

/// How the agent of a job was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    #[serde(default)]
    pub kind: JobKind,
    /// Who takes over when the agent gives up.
    #[serde(default)]
    pub backup: Option<Box<Backup>>,
    /// By the name of the setting, as in a file: `model`, `limits.cost`. What is not named came from [`Origin::Default`],
    /// except that `agent` always is: a job that says nothing was ordered by a version that did not keep it.
    #[serde(default)]
    pub origins: BTreeMap<String, Origin>,
    /// Resolved by the worker that claimed the job first: nothing changes any more.
    #[serde(default)]
    pub frozen: bool,
}

impl Choice {
    /// Where this setting came from.
    #[must_use]
    pub fn origin(&self, name: &str) -> Origin {
        self.origins.get(name).copied().unwrap_or(Origin::Default)
    }

    /// Whether the job was ordered by a version that kept where its settings came from.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.origins.is_empty()
    }
}

/// The settings of a job and where they came from: what the layers of the configuration come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    pub agent: AgentSettings,
    pub limits: JobLimits,
    pub choice: Choice,
}

/// Another agent, for when the first one gives up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    pub agent: AgentSettings,
    /// How long a used-up quota, an overloaded vendor or an expired login of the first agent is waited for.
    #[serde(with = "millis", rename = "patience_ms")]
    pub patience: Duration,
}
