//! Reads the lines of a running Gemini CLI.
//!
//! What is unknown becomes a raw event, and a field of an unexpected type counts as missing.

use overnight_core::agent::{AgentEvent, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{Exit, StopReason, Stream};
use serde_json::Value;

use crate::driver::DriverOutput;
use crate::ending::{self, EVENT_CHARS};
use crate::gemini::outcome::{Failure, without_result};
use crate::json::{self, string};
use crate::turn::Turn;

/// How the CLI says that it stopped a model that goes round in circles; what follows is called a success.
const LOOP: &str = "Loop detected";

/// What the last line says.
#[derive(Debug)]
enum Result {
    Success,
    Failure(Failure),
}

#[derive(Debug)]
pub(crate) struct GeminiDriver {
    turn: Turn,
    /// The words of the answer that is being written.
    words: String,
    /// The CLI's own note about a loop.
    looped: Option<String>,
    result: Option<Result>,
    /// A line of the CLI's own came: it had opened its session.
    opened: bool,
}

impl GeminiDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        Self { turn: Turn::new(request), words: String::new(), looped: None, result: None, opened: false }
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
            Some("init") => Some(self.init(&value)),
            Some("message") => Some(self.message(&value)),
            Some("tool_use") => Some(self.tool_use(&value)),
            Some("tool_result") => Some(vec![self.tool_result(&value)]),
            Some("error") => Some(vec![self.trouble(&value)]),
            Some("result") => return self.result(&value),
            Some(_) | None => None,
        };
        DriverOutput::events(events.unwrap_or_else(|| vec![ending::raw(line)]))
    }

    fn init(&mut self, line: &Value) -> Vec<AgentEvent> {
        self.opened = true;
        self.turn.in_session(string(line, "session_id"), string(line, "model")).into_iter().collect()
    }

    /// The agent's words come in pieces, ours come back whole.
    fn message(&mut self, line: &Value) -> Vec<AgentEvent> {
        if string(line, "role") != Some("assistant") {
            return Vec::new();
        }
        let piece = string(line, "content").unwrap_or_default();
        // Four bytes per character at most: what is beyond that would be cut anyway.
        if self.words.len() <= EVENT_CHARS * 4 {
            self.words.push_str(piece);
        }
        self.turn.count_answer();
        let whole = line.get("delta").and_then(Value::as_bool) != Some(true);
        let message = if whole { self.say() } else { None };
        message.into_iter().chain(self.turn.used()).collect()
    }

    fn say(&mut self) -> Option<AgentEvent> {
        let words = std::mem::take(&mut self.words);
        self.turn.said(&words)
    }

    fn tool_use(&mut self, line: &Value) -> Vec<AgentEvent> {
        self.turn.count_answer();
        let message = self.say();
        let name = string(line, "tool_name").unwrap_or("unknown");
        let input = line.get("parameters").cloned().unwrap_or_default();
        let started = self.turn.tool_started(string(line, "tool_id"), name, &input);
        message.into_iter().chain([started]).chain(self.turn.used()).collect()
    }

    fn tool_result(&mut self, line: &Value) -> AgentEvent {
        let ok = string(line, "status") == Some("success");
        self.turn.tool_finished(string(line, "tool_id"), ok)
    }

    fn trouble(&mut self, line: &Value) -> AgentEvent {
        let message = string(line, "message").unwrap_or_default();
        if message.starts_with(LOOP) {
            self.looped = Some(ending::detail(message));
        }
        AgentEvent::Warning { text: ending::detail(message) }
    }

    fn result(&mut self, line: &Value) -> DriverOutput {
        let message = self.say();
        self.result = Some(match string(line, "status") {
            Some("success") => Result::Success,
            Some(_) | None => Result::Failure(Failure::of(line)),
        });
        if let Some(stats) = line.get("stats") {
            self.turn.usage = Usage { turns: self.turn.usage.turns, ..usage_of(stats) };
        }
        let events = message.into_iter().chain(self.turn.used()).chain([AgentEvent::Finished]);
        DriverOutput { finished: true, ..DriverOutput::events(events) }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.result.is_some()
    }

    pub(crate) fn conclude(mut self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        // What was said when the turn was cut.
        let _ = self.say();
        let outcome = match (&self.result, &self.looped) {
            (Some(Result::Success), Some(detail)) => TurnOutcome::Looped { detail: detail.clone() },
            (Some(Result::Success), None) => TurnOutcome::Completed,
            (Some(Result::Failure(failure)), _) => failure.outcome(exit),
            (None, _) => self.turn.stopped(stop).unwrap_or_else(|| {
                let misused = if self.opened { None } else { self.turn.misused(exit) };
                misused.unwrap_or_else(|| {
                    without_result(exit, self.turn.resumed, self.opened, self.turn.explain(exit))
                })
            }),
        };
        self.turn.report(outcome)
    }
}

/// The whole run's usage.
fn usage_of(stats: &Value) -> Usage {
    json::usage_with_cache_inside(stats, "input_tokens", "output_tokens", "cached")
}
