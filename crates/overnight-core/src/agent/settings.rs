//! What is asked of an agent, whoever makes it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Adapter, BackendId};
use crate::units::millis;

/// Who pays for the agent's model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Billing {
    /// The CLI's own login; key variables are kept from it.
    #[default]
    Subscription,
    /// An API key from the environment.
    Key,
}

/// How hard the model should think, where the vendor has such a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    pub const ALL: [Self; 5] = [Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The level for this many tokens of thinking; `None` for none at all. The steps are those between which vendors' models
    /// were seen to differ.
    #[must_use]
    pub fn for_budget(tokens: u64) -> Option<Self> {
        match tokens {
            0 => None,
            1..=6_000 => Some(Self::Medium),
            6_001..=12_000 => Some(Self::High),
            12_001..=24_000 => Some(Self::Xhigh),
            _ => Some(Self::Max),
        }
    }
}

/// Attempts after which a session is begun anew: a third correction in one conversation seldom helped where two had not, and each costs
/// the whole conversation again.
pub const COMPACT_AFTER: u32 = 3;
/// Two hours: longer than any build that one command of an agent's makes without a word.
fn usual_silence_busy() -> Duration {
    Duration::from_secs(2 * 60 * 60)
}

/// 30 s: long enough to write a session down. The slowest of the CLIs that were measured took 1.7 s.
fn usual_leave() -> Duration {
    Duration::from_secs(30)
}

/// The agent settings of a job, frozen when it is enqueued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSettings {
    pub backend: BackendId,
    /// The vendor's program, when it is not found by its usual name.
    pub program: Option<PathBuf>,
    pub model: Option<String>,
    pub effort: Option<Effort>,
    /// The vendor's own word for its permission mode.
    pub permission_mode: Option<String>,
    /// Empty: the backend's own default list.
    pub allowed_tools: Vec<String>,
    pub disallowed_tools: Vec<String>,
    pub billing: Billing,
    /// `command` backend: program and arguments, already split; never given to a shell by us.
    pub command: Vec<String>,
    /// `acp` and `adapter` backends: the agent as it was described when the job was ordered.
    #[serde(default)]
    pub adapter: Option<Box<Adapter>>,
    /// `rehearsal` backend: the script file.
    pub script: Option<PathBuf>,
    /// Longest time without output and without work before a turn counts as hung.
    #[serde(with = "millis", rename = "silence_ms")]
    pub silence: Duration,
    /// Longest time without output of a turn that works: an endless loop works too.
    #[serde(with = "millis", rename = "silence_busy_ms", default = "usual_silence_busy")]
    pub silence_busy: Duration,
    /// How long a program that has given its result may take to leave.
    #[serde(with = "millis", rename = "leave_ms", default = "usual_leave")]
    pub leave: Duration,
    /// Time between TERM and KILL.
    #[serde(with = "millis", rename = "grace_ms")]
    pub grace: Duration,
    /// After this many attempts in one session the next begins a fresh one, from what the earlier came to. 0 or `None`: never.
    #[serde(default)]
    pub compact_after: Option<u32>,
}

impl AgentSettings {
    /// Settings of a backend with nothing chosen: 15 minutes of silence without work, two hours with it, 30 s to leave, 10 s of grace.
    #[must_use]
    pub fn new(backend: BackendId) -> Self {
        Self {
            backend,
            program: None,
            model: None,
            effort: None,
            permission_mode: None,
            allowed_tools: Vec::new(),
            disallowed_tools: Vec::new(),
            billing: Billing::default(),
            command: Vec::new(),
            adapter: None,
            script: None,
            silence: Duration::from_secs(15 * 60),
            silence_busy: usual_silence_busy(),
            leave: usual_leave(),
            grace: Duration::from_secs(10),
            compact_after: Some(COMPACT_AFTER),
        }
    }
}
