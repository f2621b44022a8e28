//! The backends, and what one may be able to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Our driver for one kind of agent program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// Any agent that speaks the Agent Client Protocol.
    Acp,
    /// A CLI that is described in the configuration.
    Adapter,
    /// Any program that edits the tree; prompt on stdin and in a file.
    Command,
    /// Built in and offline, steered by a script file.
    Rehearsal,
}

impl BackendId {
    pub const ALL: [Self; 9] = [
        Self::Claude,
        Self::Codex,
        Self::Gemini,
        Self::Qwen,
        Self::Opencode,
        Self::Acp,
        Self::Adapter,
        Self::Command,
        Self::Rehearsal,
    ];

    /// Those whose program a vendor makes: it is looked for on the machine and has a login. The order is the one in which an
    /// installed one is taken when none is named.
    pub const VENDORS: [Self; 5] = [Self::Claude, Self::Codex, Self::Gemini, Self::Qwen, Self::Opencode];

    #[must_use]
    pub fn is_vendor(self) -> bool {
        Self::VENDORS.contains(&self)
    }

    /// Whether each agent of it needs a description of its own.
    #[must_use]
    pub fn is_described(self) -> bool {
        matches!(self, Self::Acp | Self::Adapter)
    }

    /// The backend of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.as_str() == name)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Qwen => "qwen",
            Self::Opencode => "opencode",
            Self::Acp => "acp",
            Self::Adapter => "adapter",
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
