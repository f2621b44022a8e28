//! What the runner asks of an agent CLI, and the small neutral vocabulary into which everything a vendor says is put.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::SessionId;
use crate::units::{MicroDollars, Timestamp, millis};

/// Our driver for one kind of agent program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendId {
    /// Claude Code CLI.
    Claude,
    /// OpenAI's Codex CLI.
    Codex,
    /// Google's Gemini CLI.
    Gemini,
    /// Qwen Code CLI.
    Qwen,
    /// The opencode CLI.
    Opencode,
    /// Any program that edits the tree; prompt on stdin and in a file.
    Command,
    /// Built in and offline, steered by a script file.
    Rehearsal,
}

impl BackendId {
    pub const ALL: [Self; 7] =
        [Self::Claude, Self::Codex, Self::Gemini, Self::Qwen, Self::Opencode, Self::Command, Self::Rehearsal];

    /// Those whose program a vendor makes: it is looked for on the machine and has a login. The order is the one in which an
    /// installed one is taken when none is named.
    pub const VENDORS: [Self; 5] = [Self::Claude, Self::Codex, Self::Gemini, Self::Qwen, Self::Opencode];

    #[must_use]
    pub fn is_vendor(self) -> bool {
        Self::VENDORS.contains(&self)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Qwen => "qwen",
            Self::Opencode => "opencode",
            Self::Command => "command",
            Self::Rehearsal => "rehearsal",
        }
    }
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a backend can do. What a job asks and its backend lacks is refused before the job is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// Can go on with a conversation that was cut.
    pub resume: bool,
    /// Reports tokens while it runs.
    pub tokens: bool,
    /// Reports turns while it runs.
    pub turns: bool,
    /// Its cost can be known while it runs.
    pub cost: bool,
    pub model: bool,
    pub effort: bool,
    pub tool_lists: bool,
    pub permission_mode: bool,
}

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// `rehearsal` backend: the script file.
    pub script: Option<PathBuf>,
    /// Longest time without output before a turn counts as hung.
    #[serde(with = "millis", rename = "silence_ms")]
    pub silence: Duration,
    /// Time between TERM and KILL.
    #[serde(with = "millis", rename = "grace_ms")]
    pub grace: Duration,
}

impl AgentSettings {
    /// Settings of a backend with nothing chosen: 15 minutes of silence (a long build inside a tool call prints nothing), 10 s of grace.
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
            script: None,
            silence: Duration::from_secs(15 * 60),
            grace: Duration::from_secs(10),
        }
    }
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

/// Tokens and money. `cost` is `None` when nobody knows it, which is not the same as zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    /// Model turns (answers), as the vendor counts them.
    pub turns: u32,
    #[serde(rename = "cost_microdollars")]
    pub cost: Option<MicroDollars>,
}

impl Usage {
    /// Tokens that count against a token limit: everything but cache reads, which vendors bill at a tenth or less.
    #[must_use]
    pub fn counted_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens).saturating_add(self.cache_write_tokens)
    }

    /// Sum of two usages. An unknown cost stays known only when the other side cost nothing to know: `None` + x = x,
    /// so callers that must tell "unknown" apart keep [`Usage`] records separate.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let cost = match (self.cost, other.cost) {
            (Some(a), Some(b)) => Some(a.plus(b)),
            (one, None) | (None, one) => one,
        };
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cache_read_tokens: self.cache_read_tokens.saturating_add(other.cache_read_tokens),
            cache_write_tokens: self.cache_write_tokens.saturating_add(other.cache_write_tokens),
            turns: self.turns.saturating_add(other.turns),
            cost,
        }
    }
}

/// One thing an agent did, in our words. Unknown vendor lines become [`AgentEvent::Raw`], never a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum AgentEvent {
    SessionStarted {
        session: Option<SessionId>,
        model: Option<String>,
    },
    Message {
        text: String,
    },
    Reasoning {
        text: String,
    },
    /// `summary` is one short line for people: the command, the file.
    ToolStarted {
        tool: String,
        summary: String,
    },
    ToolFinished {
        tool: String,
        ok: bool,
    },
    /// Usage of this CLI run so far (not since the last event).
    UsageSoFar {
        usage: Usage,
    },
    /// The CLI waits before asking its vendor again.
    Retrying {
        attempt: u32,
        status: Option<u16>,
    },
    PermissionDenied {
        tool: String,
    },
    Warning {
        text: String,
    },
    /// The CLI said that the turn is over; it may take a while to leave.
    Finished,
    /// A line that this driver does not know.
    Raw {
        line: String,
    },
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
    },
    Refused {
        detail: String,
    },
    TimedOut {
        silent: bool,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    Cost,
    Tokens,
    Turns,
    Time,
}

impl LimitKind {
    /// The command-line flag that sets it.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Cost => "--max-cost",
            Self::Tokens => "--max-tokens",
            Self::Turns => "--max-turns",
            Self::Time => "--max-time",
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
}
