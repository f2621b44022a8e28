//! Reads the lines of a running Qwen CLI.
//!
//! What is unknown becomes a raw event, and a field of an unexpected type counts as missing.

use std::collections::BTreeMap;

use overnight_core::agent::{AgentEvent, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{Exit, StopReason, Stream};
use overnight_core::text;
use serde_json::Value;

use crate::driver::DriverOutput;
use crate::ending::{self, EVENT_CHARS};
use crate::json::{self, string};
use crate::qwen::outcome::{failure, of_result, without_result};
use crate::turn::Turn;

/// How the CLI says, on standard error alone, that a session is not there.
const NO_SESSION: &str = "No saved session found";

#[derive(Debug)]
pub(crate) struct QwenDriver {
    turn: Turn,
    /// What each message of the model used, by its id. The result's account covers the whole session and is not used.
    messages: BTreeMap<String, Usage>,
    /// A line of the CLI's own came: it had opened its session.
    opened: bool,
    /// Why the CLI waits before it asks again; gone once it went on.
    waiting: Option<TurnOutcome>,
    outcome: Option<TurnOutcome>,
}

impl QwenDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        Self {
            turn: Turn::new(request),
            messages: BTreeMap::new(),
            opened: false,
            waiting: None,
            outcome: None,
        }
    }

    pub(crate) fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        match stream {
            // What it says there in every turn would hide what matters; it is in the log.
            Stream::Stderr => {
                let _ = self.turn.complained(line);
                DriverOutput::default()
            }
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
            Some("stream_event") => Some(Vec::new()),
            Some("result") => return self.result(&value),
            Some(_) | None => None,
        };
        DriverOutput::events(events.unwrap_or_else(|| vec![ending::raw(line)]))
    }

    /// `None`: a line about the CLI itself that we do not know.
    fn system(&mut self, line: &Value) -> Option<Vec<AgentEvent>> {
        match string(line, "subtype")? {
            "init" => {
                self.opened = true;
                let started = self.turn.in_session(string(line, "session_id"), string(line, "model"));
                Some(started.into_iter().collect())
            }
            "retry" => Some(vec![self.waits(line)]),
            _ => None,
        }
    }

    /// The CLI does not say what it was answered. Without a delay it asks again at once.
    fn waits(&mut self, line: &Value) -> AgentEvent {
        let number = |field: &str| json::at(line, &["data", field]).and_then(Value::as_u64);
        if number("delayMs").is_some() {
            let detail = "the CLI waits before it asks its vendor again".to_owned();
            self.waiting = Some(TurnOutcome::Overloaded { detail });
        }
        let attempt = number("attempt").and_then(|number| u32::try_from(number).ok());
        AgentEvent::Retrying { attempt: attempt.unwrap_or(0), status: None }
    }

    fn assistant(&mut self, line: &Value) -> Vec<AgentEvent> {
        let Some(message) = line.get("message") else { return Vec::new() };
        let own = string(line, "parent_tool_use_id").is_none();
        self.waiting = None;
        self.account(message, own);
        let mut events: Vec<AgentEvent> =
            json::items(message, "content").filter_map(|block| self.answer(block, own)).collect();
        events.extend(self.turn.used());
        events
    }

    /// A message of the CLI's own, about a failed request, has used nothing and is no turn.
    fn account(&mut self, message: &Value, own: bool) {
        let (Some(id), Some(usage)) = (string(message, "id"), message.get("usage")) else { return };
        let usage =
            json::usage_with_cache_inside(usage, "input_tokens", "output_tokens", "cache_read_input_tokens");
        let turns = u32::from(own && usage != Usage::default());
        self.messages.insert(id.to_owned(), Usage { turns, ..usage });
        self.turn.usage = self.messages.values().fold(Usage::default(), |sum, usage| sum.plus(usage));
    }

    /// The words of a sub-agent are its talk with the agent, not with us: only its tools are shown.
    fn answer(&mut self, block: &Value, own: bool) -> Option<AgentEvent> {
        match string(block, "type")? {
            "text" if own => self.turn.said(string(block, "text")?),
            "thinking" if own => {
                let text = string(block, "thinking").filter(|text| !text.is_empty())?;
                Some(AgentEvent::Reasoning { text: text::cut_chars(text, EVENT_CHARS) })
            }
            "tool_use" => {
                let input = block.get("input").cloned().unwrap_or_default();
                let name = string(block, "name").unwrap_or("unknown");
                Some(self.turn.tool_started(string(block, "id"), name, &input))
            }
            _ => None,
        }
    }

    fn user(&mut self, line: &Value) -> Vec<AgentEvent> {
        let Some(message) = line.get("message") else { return Vec::new() };
        let results =
            json::items(message, "content").filter(|block| string(block, "type") == Some("tool_result"));
        results
            .map(|block| {
                let ok = block.get("is_error").and_then(Value::as_bool) != Some(true);
                self.turn.tool_finished(string(block, "tool_use_id"), ok)
            })
            .collect()
    }

    fn result(&mut self, line: &Value) -> DriverOutput {
        // The CLI repeats its words about a failed request as if the agent had said them.
        if failure(line).is_some() && failure(line) == self.turn.last_message.as_deref() {
            self.turn.last_message = None;
        }
        self.outcome = Some(of_result(line));
        let events = self.turn.used().into_iter().chain([AgentEvent::Finished]);
        DriverOutput { finished: true, ..DriverOutput::events(events) }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    pub(crate) fn conclude(self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        let outcome = match (self.outcome, stop, self.waiting) {
            (Some(outcome), _, _) => outcome,
            // It was silent because it waits for its vendor, however long that takes.
            (None, Some(StopReason::SilenceTimeout { .. }), Some(waiting)) => waiting,
            (None, _, _) => self.turn.stopped(stop).unwrap_or_else(|| {
                let lost = self.turn.resumed && !self.opened && self.turn.complained_of(NO_SESSION);
                let misused = if self.opened { None } else { self.turn.misused(exit) };
                misused.unwrap_or_else(|| without_result(exit, lost, self.turn.explain(exit)))
            }),
        };
        self.turn.report(outcome)
    }
}
