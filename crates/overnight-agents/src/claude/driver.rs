//! Reads the lines of a running Claude CLI.
//!
//! Owns what one turn has shown so far: session, open tool calls, usage, trouble, result. Each type of line has its own
//! function; what is unknown becomes a raw event, and a field of an unexpected type counts as missing.

use std::collections::HashMap;

use overnight_core::agent::{
    AgentEvent, BackendId, RemainingLimits, SessionStart, TurnOutcome, TurnReport, TurnRequest, Usage,
};
use overnight_core::command::{Exit, StopReason, Stream};
use overnight_core::id::SessionId;
use overnight_core::text;
use serde_json::Value;

use crate::asking::Asking;
use crate::claude::ledger::{Ledger, Price};
use crate::claude::outcome::{Ruling, Trouble, of_result, quota_of, reset_of};
use crate::driver::DriverOutput;
use crate::ending::{self, EVENT_CHARS, ErrorTail};
use crate::summary;

/// The name under which the CLI writes messages of its own into the conversation.
const OWN_MESSAGES: &str = "<synthetic>";

/// List prices, for what the CLI has not yet accounted for.
const PRICE: Price = overnight_core::price::cost_of;

#[derive(Debug)]
pub(crate) struct ClaudeDriver {
    /// Prefix that is left out of paths shown to people.
    workspace: String,
    remaining: RemainingLimits,
    /// The session that can be resumed: known once the CLI opened it.
    session: Option<SessionId>,
    started: bool,
    /// Names of running tool calls, by id.
    tools: HashMap<String, String>,
    asking: Asking,
    ledger: Ledger,
    reported: Usage,
    trouble: Trouble,
    ruling: Option<Ruling>,
    last_message: Option<String>,
    errors: ErrorTail,
}

fn string<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

fn bounded(text: &str) -> String {
    text::cut_chars(text, EVENT_CHARS)
}

impl ClaudeDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        let (session, resumed) = match &request.session {
            SessionStart::Fresh(_) => (None, false),
            SessionStart::Resume(id) => (Some(id.clone()), true),
        };
        let ledger = Ledger::new(PRICE);
        Self {
            workspace: request.workspace.to_string_lossy().into_owned(),
            remaining: request.remaining,
            session,
            started: false,
            tools: HashMap::new(),
            asking: Asking::new(request.settings.backend),
            reported: ledger.total(),
            ledger,
            trouble: Trouble { resumed, ..Trouble::default() },
            ruling: None,
            last_message: None,
            errors: ErrorTail::default(),
        }
    }

    pub(crate) fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        match stream {
            Stream::Stderr => DriverOutput::events(self.errors.push(line)),
            Stream::Stdout => self.on_output(line),
        }
    }

    fn on_output(&mut self, line: &[u8]) -> DriverOutput {
        if line.iter().all(u8::is_ascii_whitespace) {
            return DriverOutput::default();
        }
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            return DriverOutput::events([ending::raw(line)]);
        };
        let events = match string(&value, "type") {
            Some("system") => self.system(&value),
            Some("assistant") => Some(self.assistant(&value)),
            Some("user") => Some(self.user(&value)),
            Some("stream_event") => Some(self.stream_event(&value)),
            Some("rate_limit_event") => Some(self.rate_limit(&value)),
            Some("result") => return self.result(&value),
            Some(_) | None => None,
        };
        DriverOutput::events(events.unwrap_or_else(|| vec![ending::raw(line)]))
    }

    /// `None`: a line about the CLI itself that we do not know.
    fn system(&mut self, line: &Value) -> Option<Vec<AgentEvent>> {
        match string(line, "subtype")? {
            "init" => Some(self.init(line)),
            "api_retry" => Some(vec![retrying(line)]),
            "permission_denied" => {
                let tool = string(line, "tool_name").unwrap_or("unknown").to_owned();
                Some(vec![AgentEvent::PermissionDenied { tool }])
            }
            "status" | "ui_invalidate" => Some(Vec::new()),
            _ => None,
        }
    }

    /// Comes again with every message that the CLI takes up by itself.
    fn init(&mut self, line: &Value) -> Vec<AgentEvent> {
        self.note_session(line);
        if std::mem::replace(&mut self.started, true) {
            return Vec::new();
        }
        let model = string(line, "model").map(str::to_owned);
        vec![AgentEvent::SessionStarted { session: self.session.clone(), model }]
    }

    fn note_session(&mut self, line: &Value) {
        if let Some(Ok(id)) = string(line, "session_id").map(SessionId::parse) {
            self.session = Some(id);
        }
    }

    /// One content block of an answer, or a message of the CLI's own.
    fn assistant(&mut self, line: &Value) -> Vec<AgentEvent> {
        let Some(message) = line.get("message") else { return Vec::new() };
        let parent = string(line, "parent_tool_use_id");
        if string(message, "model") == Some(OWN_MESSAGES) {
            return self.own_message(line, message, parent.is_none());
        }
        if parent.is_none() {
            self.trouble.kind = None;
        }
        self.ledger.message(message, parent);
        let mut events: Vec<AgentEvent> =
            blocks(message).filter_map(|block| self.answer(block, parent.is_none())).collect();
        events.extend(self.usage());
        events
    }

    /// A failed request stands in the conversation as a message with an `error` beside it, not inside it, where the model
    /// could have written it.
    fn own_message(&mut self, line: &Value, message: &Value, own: bool) -> Vec<AgentEvent> {
        let Some(kind) = string(line, "error") else { return Vec::new() };
        if own {
            self.trouble.kind = Some(kind.to_owned());
            self.note_reset(line.get("api_error_params"));
        }
        let text = blocks(message).filter_map(|block| string(block, "text")).collect::<Vec<_>>().join("\n");
        vec![AgentEvent::Warning { text: ending::detail(if text.is_empty() { kind } else { &text }) }]
    }

    /// The words of a sub-agent are its talk with the agent, not with us: only its tools are shown.
    fn answer(&mut self, block: &Value, own: bool) -> Option<AgentEvent> {
        match string(block, "type")? {
            "text" if own => {
                let text = bounded(string(block, "text").filter(|text| !text.is_empty())?);
                self.last_message = Some(text.clone());
                Some(AgentEvent::Message { text })
            }
            "thinking" if own => {
                let text = bounded(string(block, "thinking").filter(|text| !text.is_empty())?);
                Some(AgentEvent::Reasoning { text })
            }
            "tool_use" | "server_tool_use" => Some(self.tool_call(block)),
            _ => None,
        }
    }

    fn tool_call(&mut self, block: &Value) -> AgentEvent {
        let tool = text::one_line(string(block, "name").unwrap_or("unknown"), 120);
        if let Some(id) = string(block, "id") {
            self.tools.insert(id.to_owned(), tool.clone());
        }
        self.asking.called(string(block, "id"), &tool, block.get("input").unwrap_or(&Value::Null));
        let summary =
            block.get("input").map(|input| summary::of_tool(input, &self.workspace)).unwrap_or_default();
        AgentEvent::ToolStarted { tool, summary }
    }

    fn user(&mut self, line: &Value) -> Vec<AgentEvent> {
        let Some(message) = line.get("message") else { return Vec::new() };
        let results = blocks(message).filter(|block| string(block, "type") == Some("tool_result"));
        results.map(|block| self.tool_result(block)).collect()
    }

    fn tool_result(&mut self, block: &Value) -> AgentEvent {
        let known = string(block, "tool_use_id").and_then(|id| self.tools.remove(id));
        let ok = block.get("is_error").and_then(Value::as_bool) != Some(true);
        self.asking.ended(string(block, "tool_use_id"), ok);
        AgentEvent::ToolFinished { tool: known.unwrap_or_else(|| "unknown".to_owned()), ok }
    }

    /// Partial answers: only their usage is of interest, the words come whole in `assistant` lines.
    fn stream_event(&mut self, line: &Value) -> Vec<AgentEvent> {
        let parent = string(line, "parent_tool_use_id");
        let Some(event) = line.get("event") else { return Vec::new() };
        match string(event, "type") {
            Some("message_start") => {
                if let Some(message) = event.get("message") {
                    self.ledger.message(message, parent);
                }
            }
            Some("message_delta") => {
                if let Some(usage) = event.get("usage") {
                    self.ledger.delta(usage, parent);
                }
            }
            Some(_) | None => return Vec::new(),
        }
        self.usage().into_iter().collect()
    }

    fn rate_limit(&mut self, line: &Value) -> Vec<AgentEvent> {
        self.note_reset(Some(line));
        line.get("rate_limit_info").and_then(quota_of).into_iter().collect()
    }

    fn note_reset(&mut self, told: Option<&Value>) {
        if let Some(reset) = told.and_then(|told| told.get("rate_limit_info")).and_then(reset_of) {
            self.trouble.reset = Some(reset);
        }
    }

    /// Several results come when background work wakes the CLI up again: the last one counts, except that a cut never
    /// undoes a result.
    fn result(&mut self, line: &Value) -> DriverOutput {
        self.note_session(line);
        self.ledger.settle(line);
        let ruling = of_result(line, &self.trouble);
        if let (Ruling::Over(TurnOutcome::Completed), Some(text)) = (&ruling, string(line, "result")) {
            self.last_message = Some(bounded(text));
        }
        match (&self.ruling, &ruling) {
            (Some(Ruling::Over(_)), Ruling::Cut { .. }) => {}
            (None | Some(_), _) => self.ruling = Some(ruling),
        }
        let events = self.usage().into_iter().chain([AgentEvent::Finished]);
        DriverOutput { finished: true, ..DriverOutput::events(events) }
    }

    /// The usage so far, when it has changed since it was last told.
    fn usage(&mut self) -> Option<AgentEvent> {
        let usage = self.ledger.total();
        (std::mem::replace(&mut self.reported, usage) != usage).then_some(AgentEvent::UsageSoFar { usage })
    }

    /// Whether a result came that no signal had cut.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.ruling, Some(Ruling::Over(_)))
    }

    pub(crate) fn conclude(self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        let usage = self.ledger.total();
        let stopped = || ending::stopped(stop, self.asking.open(), &usage, &self.remaining);
        let outcome = match self.ruling {
            Some(Ruling::Over(outcome)) => outcome,
            Some(Ruling::Cut { detail }) => stopped().unwrap_or(TurnOutcome::Crashed { detail }),
            None => stopped().unwrap_or_else(|| {
                let misused = if self.started { None } else { self.errors.misused(BackendId::Claude, exit) };
                misused.unwrap_or_else(|| TurnOutcome::Crashed { detail: self.errors.explain(exit) })
            }),
        };
        let session = if outcome == TurnOutcome::SessionLost { None } else { self.session };
        let (asked, options) = self.asking.left_with(&outcome);
        TurnReport { outcome, session, usage, final_text: self.last_message, asked, options }
    }
}

/// The content blocks of a message. Text alone, which a user message may be, has none.
fn blocks(message: &Value) -> impl Iterator<Item = &Value> {
    message.get("content").and_then(Value::as_array).into_iter().flatten()
}

fn retrying(line: &Value) -> AgentEvent {
    let number = |field: &str| line.get(field).and_then(Value::as_u64);
    AgentEvent::Retrying {
        attempt: number("attempt").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        status: number("error_status").and_then(|n| u16::try_from(n).ok()),
    }
}
