//! What a wire format has to render for one request: a step, resolved against the tools that the client offers.
//!
//! Pure and free of any vendor's words.

use super::calls::{self, Tool, ToolCall};
use super::filler;
use super::scenario::{Action, Step, Usage};
use serde_json::Value;

/// What side requests (titles, summaries: those that offer no tools) are answered.
const SIDE_ANSWER: &str = "Scripted side answer";

/// One answer, ready to be rendered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// A whole answer.
    Message(Message),
    /// A refusal.
    Refusal(Refusal),
    /// A refusal for want of money, which vendors do not agree about.
    NoCredit,
    /// No answer at all, ever.
    Silence,
    /// The beginning of this answer, then what [`Ending`] says.
    Partial(Message, Ending),
}

/// How an answer that is not whole goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The connection stays open and silent.
    Silence,
    /// The connection is cut.
    Cut,
}

/// A model's message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) content: Content,
    pub(super) usage: Usage,
}

/// What a message holds, which also says whether the turn ends with it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// Ends the turn.
    Text(String),
    /// Goes on with the tool's result.
    Call(ToolCall),
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) reset_at: Option<u64>,
    pub(super) message: String,
}

/// A refusal in a vendor's words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rendered {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

impl Reply {
    /// The answer to a request that is none of the agent's own.
    pub(super) fn to_side_request() -> Self {
        text(SIDE_ANSWER.to_owned(), Usage::default())
    }

    /// The answer to main request number `number` of a session (from 0), whose client offers these tools. `acted`: a tool has been used
    /// in the conversation.
    pub(super) fn to_main_request(step: Option<&Step>, number: usize, offered: &[Tool], acted: bool) -> Self {
        let Some(Step { action, usage }) = step else {
            return text("The scenario has no steps.".to_owned(), Usage::default());
        };
        match action {
            Action::Say { text: words } => text(words.clone(), *usage),
            Action::Big { bytes } => text(filler::text(*bytes), *usage),
            Action::Shell { command } => call(calls::shell(offered, command), *usage),
            Action::Work { text: words, .. } if acted => text(words.clone(), *usage),
            Action::Work { command, .. } => call(calls::shell(offered, command), *usage),
            Action::Write { path, content } => call(calls::write(offered, path, content), *usage),
            Action::Edit { path, old, new } => call(calls::edit(offered, path, old, new), *usage),
            Action::Tool { name, input } => call(Some(calls::named(offered, name, input)), *usage),
            Action::Loop => call(calls::shell(offered, &format!("echo round {number}")), *usage),
            Action::Http { status, retry_after, reset_at, message } => Self::Refusal(Refusal {
                status: *status,
                retry_after: *retry_after,
                reset_at: *reset_at,
                message: message.clone().unwrap_or_else(|| format!("scripted {status}")),
            }),
            Action::NoCredit => Self::NoCredit,
            Action::Hang => Self::Silence,
            Action::HangMid => Self::Partial(unfinished(*usage), Ending::Silence),
            Action::Drop => Self::Partial(unfinished(*usage), Ending::Cut),
        }
    }
}

fn text(words: String, usage: Usage) -> Reply {
    Reply::Message(Message { content: Content::Text(words), usage })
}

/// A client without the tool ends its turn with words that say so, which a test sees in the final text.
fn call(call: Option<ToolCall>, usage: Usage) -> Reply {
    match call {
        Some(call) => Reply::Message(Message { content: Content::Call(call), usage }),
        None => text("The client offers no tool for the scripted step.".to_owned(), usage),
    }
}

fn unfinished(usage: Usage) -> Message {
    Message { content: Content::Text("This answer stops in the".to_owned()), usage }
}
