//! What a task says about how it is to be done, and what a repository says about all of its tasks.

use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Effort};
use crate::choose::{Layer, LimitLayer, Say, Thinking};
use crate::units::MicroDollars;

/// Settings of a task. They go before what is asked for when it is started, and before every configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskSettings {
    /// By name: which agents there are is known where the task is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<MicroDollars>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
}

impl TaskSettings {
    /// The layer of the task; `agent` is the one that [`TaskSettings::agent`] names.
    #[must_use]
    pub fn layer(&self, agent: Option<Agent>) -> Layer {
        Layer {
            agent,
            model: self.model.clone(),
            thinking: self.effort.map(Thinking::Level),
            limits: LimitLayer {
                attempts: self.attempts,
                cost: self.cost.map(Say::To),
                tokens: self.tokens.map(Say::To),
                turns: self.turns.map(Say::To),
                time_ms: self.time_ms.map(Say::To),
            },
            ..Layer::default()
        }
    }
}

/// Which tasks share a branch and a pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullStrategy {
    #[default]
    Task,
    Story,
    Sprint,
}

impl PullStrategy {
    pub const ALL: [Self; 3] = [Self::Task, Self::Story, Self::Sprint];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Story => "story",
            Self::Sprint => "sprint",
        }
    }
}

/// What holds for all tasks of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepositorySettings {
    /// Tasks start from this branch of the remote; `None`: from its default branch.
    pub base: Option<String>,
    pub strategy: PullStrategy,
    /// Pull requests are opened as drafts.
    pub draft: bool,
    /// A failed task takes its epic's other jobs with it.
    pub cascade: bool,
    /// Checks of a task's result; empty: those of the repository.
    pub verify: Vec<String>,
}

impl Default for RepositorySettings {
    fn default() -> Self {
        Self {
            base: None,
            strategy: PullStrategy::default(),
            draft: false,
            cascade: true,
            verify: Vec::new(),
        }
    }
}
