//! What passes between the runner and its client in the containment: one order in, one JSON object per line out.
//!
//! Reader and writer stand side by side so that they cannot drift apart.

use std::path::PathBuf;
use std::time::Duration;

use overnight_core::units::millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// All that the client needs to know of a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Absolute.
    pub program: PathBuf,
    pub args: Vec<String>,
    pub workspace: PathBuf,
    /// Files outside the workspace that the agent may be read.
    pub readable: Vec<PathBuf>,
    /// The session to go on with.
    pub resume: Option<String>,
    /// The tools of the job.
    #[serde(default)]
    pub tools: Option<Tools>,
    pub prompt: String,
    pub policy: Policy,
    /// What the runner leaves between TERM and KILL.
    #[serde(with = "millis", rename = "grace_ms")]
    pub grace: Duration,
}

/// Where an agent finds the tools of its job.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    pub url: String,
    /// The header that opens them.
    pub authorization: String,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How an agent that asks for permission is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    Allow,
    /// Nothing that changes something.
    ReadOnly,
}

/// A line of the client's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Line {
    /// A request of ours went out.
    Sent { method: String },
    /// A message of the agent's, as it came.
    Received { message: Value },
    /// The agent wrote something that is no message.
    Noise { line: String },
    /// The session is open, under this name.
    Session { id: String },
    /// The agent was refused something by policy.
    Denied { tool: String },
    /// The turn is over. Nothing is read after it.
    Result { end: TurnEnd },
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum TurnEnd {
    /// The agent answered the prompt.
    Answered { answer: Value },
    /// The agent answered a request of ours with an error.
    Failed { method: String, error: Value },
    /// The agent says from the start that it cannot take up a session again.
    CannotLoad,
    /// What it says is not the protocol.
    Unusable { why: String },
    /// We were asked to stop before the prompt was given.
    Cancelled,
}

impl Line {
    /// As it is written, with its line ending.
    ///
    /// # Errors
    /// Only those of the JSON serializer.
    pub fn encode(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|line| line + "\n")
    }

    /// `None` for anything that is not a line of ours.
    pub(crate) fn decode(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}
