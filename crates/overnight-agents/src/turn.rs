//! What the readers of all vendors' lines have in common: the session, the open tool calls, the usage and the last words of
//! one turn, and the report that they make.
//!
//! Knows no vendor's format. Must not decide how a turn ended; it only puts a decision into a report.

use std::collections::HashMap;

use overnight_core::agent::{
    AgentEvent, BackendId, RemainingLimits, SessionStart, TurnOutcome, TurnReport, TurnRequest, Usage,
};
use overnight_core::command::{Exit, StopReason};
use overnight_core::id::SessionId;
use overnight_core::text;
use serde_json::Value;

use crate::asking::Asking;
use crate::ending::{self, EVENT_CHARS, ErrorTail};
use crate::summary;

/// Longest name of a tool, in characters.
const TOOL_CHARS: usize = 120;

#[derive(Debug)]
pub(crate) struct Turn {
    backend: BackendId,
    /// Prefix that is left out of paths shown to people.
    workspace: String,
    remaining: RemainingLimits,
    /// The turn was to go on with a session.
    pub(crate) resumed: bool,
    /// The session that can be resumed: known once the CLI named it.
    session: Option<SessionId>,
    started: bool,
    /// Names of running tool calls, by id.
    tools: HashMap<String, String>,
    asking: Asking,
    /// Within one answer of the model: its words and the tool calls that came with them.
    answering: bool,
    pub(crate) usage: Usage,
    told: Usage,
    pub(crate) last_message: Option<String>,
    errors: ErrorTail,
}

impl Turn {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        let (session, resumed) = match &request.session {
            SessionStart::Fresh(_) => (None, false),
            SessionStart::Resume(id) => (Some(id.clone()), true),
        };
        let backend = request.settings.backend;
        Self {
            backend,
            workspace: request.workspace.to_string_lossy().into_owned(),
            remaining: request.remaining,
            resumed,
            session,
            started: false,
            tools: HashMap::new(),
            asking: Asking::new(backend),
            answering: false,
            usage: Usage::default(),
            told: Usage::default(),
            last_message: None,
            errors: ErrorTail::default(),
        }
    }

    /// A line of standard error.
    pub(crate) fn complained(&mut self, line: &[u8]) -> Option<AgentEvent> {
        self.errors.push(line)
    }

    /// The session's name stood in a line. The first time, that is worth an event.
    pub(crate) fn in_session(&mut self, id: Option<&str>, model: Option<&str>) -> Option<AgentEvent> {
        if let Some(Ok(id)) = id.map(SessionId::parse) {
            self.session = Some(id);
        }
        if std::mem::replace(&mut self.started, true) {
            return None;
        }
        Some(AgentEvent::SessionStarted { session: self.session.clone(), model: model.map(str::to_owned) })
    }

    /// The agent's own words.
    pub(crate) fn said(&mut self, words: &str) -> Option<AgentEvent> {
        if words.is_empty() {
            return None;
        }
        let text = text::cut_chars(words, EVENT_CHARS);
        self.last_message = Some(text.clone());
        Some(AgentEvent::Message { text })
    }

    pub(crate) fn tool_started(&mut self, id: Option<&str>, name: &str, input: &Value) -> AgentEvent {
        let tool = text::one_line(name, TOOL_CHARS);
        if let Some(id) = id {
            self.tools.insert(id.to_owned(), tool.clone());
        }
        self.asking.called(id, name, input);
        AgentEvent::ToolStarted { tool, summary: summary::of_tool(input, &self.workspace) }
    }

    pub(crate) fn tool_finished(&mut self, id: Option<&str>, ok: bool) -> AgentEvent {
        let known = id.and_then(|id| self.tools.remove(id));
        self.asking.ended(id, ok);
        self.answering &= !self.tools.is_empty();
        AgentEvent::ToolFinished { tool: known.unwrap_or_else(|| "unknown".to_owned()), ok }
    }

    /// A part of an answer came, from a CLI that does not count them. What comes before the next tool has ended belongs to the
    /// same answer. Calls of one answer that the CLI makes one after the other look like several: the count is never too
    /// small because of that, so that a limit is kept.
    pub(crate) fn count_answer(&mut self) {
        if !std::mem::replace(&mut self.answering, true) {
            self.usage.turns = self.usage.turns.saturating_add(1);
        }
    }

    pub(crate) fn is_open(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// The usage so far, when it has changed since it was last told.
    pub(crate) fn used(&mut self) -> Option<AgentEvent> {
        let usage = self.usage;
        (std::mem::replace(&mut self.told, usage) != usage).then_some(AgentEvent::UsageSoFar { usage })
    }

    /// How the program ended, with the last that it said on standard error.
    pub(crate) fn explain(&self, exit: Exit) -> String {
        self.errors.explain(exit)
    }

    pub(crate) fn crash(&self, exit: Exit) -> TurnOutcome {
        TurnOutcome::Crashed { detail: self.explain(exit) }
    }

    /// Whether standard error, near its end, says this. Only for what a CLI says nowhere else, and only before its session is
    /// open: until then nothing that a model or a tool wrote can stand there.
    pub(crate) fn complained_of(&self, words: &str) -> bool {
        self.errors.lines().any(|line| line.contains(words))
    }

    /// The program refused what it was started with. Only before its session is open, for the same reason.
    pub(crate) fn misused(&self, exit: Exit) -> Option<TurnOutcome> {
        self.errors.misused(self.backend, exit)
    }

    /// Why we ended the program, as an outcome; `None` when it ended by itself.
    pub(crate) fn stopped(&self, stop: Option<StopReason>) -> Option<TurnOutcome> {
        ending::stopped(stop, self.asking.open(), &self.usage, &self.remaining)
    }

    pub(crate) fn report(self, outcome: TurnOutcome) -> TurnReport {
        let session = if outcome == TurnOutcome::SessionLost { None } else { self.session };
        let (asked, options) = self.asking.left_with(&outcome);
        TurnReport { outcome, session, usage: self.usage, final_text: self.last_message, asked, options }
    }
}
