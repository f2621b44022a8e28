//! One turn: what it is given, and what it comes to.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AgentSettings, Usage};
use crate::id::SessionId;
use crate::policy::budget::Breach;
use crate::secret::Secret;
use crate::units::{MicroDollars, Timestamp};

/// Where an agent finds its tools while its turn runs: a server that speaks the Model Context Protocol over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolServer {
    /// On the loopback device; no key stands in it.
    pub url: String,
    /// Opens the tools of this job and no other, until the turn ends.
    pub token: Secret,
}

/// One start of an agent CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnRequest {
    pub settings: AgentSettings,
    pub prompt: String,
    /// The prompt as a file, for programs that want one.
    pub prompt_file: PathBuf,
    /// The repository's own instructions for agents, as of the base commit: a file of ours, because a CLI that is kept from
    /// the repository's settings does not read them by itself.
    pub instructions: Option<PathBuf>,
    pub workspace: PathBuf,
    /// Private temporary directory of the job.
    pub tmp: PathBuf,
    /// `None`: it has no tools of ours.
    pub tools: Option<ToolServer>,
    /// A new conversation under an id that we chose, or the continuation of one.
    pub session: SessionStart,
    /// What is left of the job's limits for this turn.
    pub remaining: RemainingLimits,
    /// What the finished turns of the job used. A CLI that reports its usage for a whole session is charged for what goes
    /// beyond this.
    pub used_before: Usage,
    /// Number of this turn within the job, from 1.
    pub turn: u32,
    /// Number of the attempt within the job, from 1.
    pub attempt: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum SessionStart {
    Fresh(SessionId),
    Resume(SessionId),
}

impl SessionStart {
    #[must_use]
    pub fn id(&self) -> &SessionId {
        match self {
            Self::Fresh(id) | Self::Resume(id) => id,
        }
    }

    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh(_))
    }
}

/// What a turn may still use. `None` is "no limit".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemainingLimits {
    pub cost: Option<MicroDollars>,
    pub tokens: Option<u64>,
    pub turns: Option<u32>,
    pub wall: Option<Duration>,
}

/// How a turn ended. Taken from structured output first; from text only where a vendor gives nothing else, and never
/// from the model's own prose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum TurnOutcome {
    /// The agent says that it is done. Nothing follows from that but a look at what it left.
    Completed,
    MaxTurns,
    RateLimited {
        #[serde(rename = "reset_ms")]
        reset: Option<Timestamp>,
        detail: String,
    },
    Overloaded {
        detail: String,
    },
    LoginExpired {
        detail: String,
    },
    NeedsInput {
        detail: String,
    },
    /// A limit of the job was used up while the turn ran.
    BudgetStop {
        limit: LimitKind,
        /// Which limit it was, and how much was used; `None`: only the vendor knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        breach: Option<Breach>,
    },
    Refused {
        detail: String,
    },
    /// It was stopped: after too long a silence, or else after too long in all.
    TimedOut {
        silent: bool,
        /// Of a silent turn: whether its processes used no processor time either. `None`: not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idle: Option<bool>,
    },
    /// The vendor's program, or its vendor, does not take what it is configured to: a model that is not there, a flag that
    /// the program does not know. Trying again does not help.
    Misconfigured {
        detail: String,
    },
    /// It was ended because the model repeated itself. The session would go on with that.
    Looped {
        detail: String,
    },
    /// The conversation is longer than the model takes. The session cannot go on.
    ContextFull {
        detail: String,
    },
    /// The session to be resumed is not there any more.
    SessionLost,
    /// It ended without a result: a crash, an unknown error, garbage.
    Crashed {
        detail: String,
    },
    /// We stopped it (cancel, shutdown, lost lease).
    Stopped,
}

/// A limit of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    Cost,
    Tokens,
    Turns,
    Time,
    /// Starts of an agent CLI.
    Sessions,
}

impl LimitKind {
    pub const ALL: [Self; 5] = [Self::Cost, Self::Tokens, Self::Turns, Self::Time, Self::Sessions];

    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Tokens => "tokens",
            Self::Turns => "turns",
            Self::Time => "time",
            Self::Sessions => "sessions",
        }
    }

    /// The command-line flag that sets it.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Cost => "--max-cost",
            Self::Tokens => "--max-tokens",
            Self::Turns => "--max-turns",
            Self::Time => "--max-time",
            Self::Sessions => "--max-sessions",
        }
    }
}

/// What a finished turn amounts to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnReport {
    pub outcome: TurnOutcome,
    /// The session to resume; `None` when the backend has none.
    pub session: Option<SessionId>,
    /// What this turn alone used.
    pub usage: Usage,
    /// The agent's last words, cut to 20,000 characters. Data for people, evidence of nothing.
    pub final_text: Option<String>,
    /// What the agent asked a person, when it left off with that and was given no answer. Data for people, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The answers that it offered to choose from, to that question or the one of its outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}
