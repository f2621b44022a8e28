//! What an agent does while it works.

use serde::{Deserialize, Serialize};

use super::Usage;
use crate::id::SessionId;
use crate::units::Timestamp;

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
    /// The vendor said what is left of its account's quota, in whole per cent.
    Quota {
        left: u8,
        #[serde(rename = "reset_ms")]
        reset: Option<Timestamp>,
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
