//! Reads the lines of a running `opencode run --format json`.
//!
//! What is unknown becomes a raw event, and a field of an unexpected type counts as missing.

use overnight_core::agent::{AgentEvent, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{Exit, StopReason, Stream};
use overnight_core::text;
use overnight_core::units::MicroDollars;
use serde_json::Value;

use crate::driver::DriverOutput;
use crate::ending::{self, EVENT_CHARS};
use crate::json::{self, string};
use crate::opencode::outcome::{is_last, of_end, of_error, of_log};
use crate::turn::Turn;

/// The tool that stands for calls of tools that are not there.
const NO_SUCH_TOOL: &str = "invalid";
/// How the CLI says, on standard error alone, that a session is not there.
const NO_SESSION: &str = "Session not found";

#[derive(Debug)]
pub(crate) struct OpencodeDriver {
    turn: Turn,
    /// A cost limit holds, and was said to be out of reach.
    cost_is_limited: bool,
    /// A line of the CLI's own came: it had opened its session.
    opened: bool,
    /// How the last step ended; `None` within one.
    reason: Option<String>,
    error: Option<TurnOutcome>,
    /// Why the CLI asks its vendor again; gone once it went on.
    waiting: Option<TurnOutcome>,
}

impl OpencodeDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        let mut turn = Turn::new(request);
        turn.usage.cost = Some(MicroDollars(0));
        Self {
            turn,
            cost_is_limited: request.remaining.cost.is_some(),
            opened: false,
            reason: None,
            error: None,
            waiting: None,
        }
    }

    pub(crate) fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        match stream {
            Stream::Stderr => {
                self.waiting = of_log(&text::lossy_line(line)).or_else(|| self.waiting.take());
                DriverOutput::events(self.turn.complained(line))
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
        let (kind, part) = (string(&value, "type"), value.get("part"));
        let told = match (kind, part) {
            (Some("step_start"), Some(_)) => Some(self.step_started()),
            (Some("text"), Some(part)) => Some(self.said(part)),
            (Some("reasoning"), Some(part)) => Some(reasoning(part)),
            (Some("tool_use"), Some(part)) => Some(self.tool(part)),
            (Some("step_finish"), Some(part)) => Some(self.step_finished(part)),
            (Some("error"), _) => Some(self.failed(&value)),
            (Some(_) | None, _) => None,
        };
        let Some(told) = told else { return DriverOutput::events([ending::raw(line)]) };
        self.opened = true;
        self.waiting = None;
        let started = self.turn.in_session(string(&value, "sessionID"), None);
        DriverOutput::events(started.into_iter().chain(told))
    }

    fn step_started(&mut self) -> Vec<AgentEvent> {
        self.reason = None;
        Vec::new()
    }

    fn said(&mut self, part: &Value) -> Vec<AgentEvent> {
        self.turn.said(string(part, "text").unwrap_or_default()).into_iter().collect()
    }

    /// A tool is told when it has ended, so that its beginning and its end come together.
    fn tool(&mut self, part: &Value) -> Vec<AgentEvent> {
        let state = |field: &str| json::at(part, &["state", field]);
        let id = string(part, "callID");
        let input = state("input").cloned().unwrap_or_default();
        let called = string(part, "tool").unwrap_or("unknown");
        // A tool that it does not have stands in the input of one that only says so, and "completes".
        let refused = (called == NO_SUCH_TOOL).then(|| string(&input, "tool")).flatten();
        let started = self.turn.tool_started(id, refused.unwrap_or(called), &input);
        let completed = refused.is_none() && state("status").and_then(Value::as_str) == Some("completed");
        let code = json::at(part, &["state", "metadata", "exit"]).and_then(Value::as_i64);
        let ok = completed && code.is_none_or(|code| code == 0);
        vec![started, self.turn.tool_finished(id, ok)]
    }

    fn step_finished(&mut self, part: &Value) -> Vec<AgentEvent> {
        self.reason = string(part, "reason").map(str::to_owned);
        let step = usage_of(part);
        let was_known = self.turn.usage.cost.is_some();
        // Half a cost is not a cost.
        let cost = self.turn.usage.cost.zip(step.cost).map(|(a, b)| a.plus(b));
        self.turn.usage = Usage { cost, ..self.turn.usage.plus(&step) };
        let unknown = was_known && cost.is_none() && self.cost_is_limited;
        let warning = unknown.then(|| AgentEvent::Warning {
            text: "opencode has no price for this model: the cost limit cannot be kept".to_owned(),
        });
        warning.into_iter().chain(self.turn.used()).collect()
    }

    fn failed(&mut self, line: &Value) -> Vec<AgentEvent> {
        let Some(error) = line.get("error") else { return Vec::new() };
        let message = json::at(error, &["data", "message"]).and_then(Value::as_str);
        let text = ending::detail(message.or(string(error, "name")).unwrap_or("unknown error"));
        self.error = Some(of_error(line));
        vec![AgentEvent::Warning { text }]
    }

    pub(crate) fn is_over(&self, exit: Exit) -> bool {
        match exit {
            Exit::Code(_) => self.error.is_some() || self.reason.is_some(),
            Exit::Signal(_) | Exit::Unknown => false,
        }
    }

    pub(crate) fn conclude(self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        let outcome = match (self.error, stop, self.waiting) {
            (Some(error), ..) => error,
            // It was silent because it waits for its vendor, however long that takes.
            (None, Some(StopReason::SilenceTimeout { .. }), Some(waiting)) => waiting,
            // All was said and done; only the program did not leave.
            (None, Some(StopReason::SilenceTimeout { .. }), None) if is_last(self.reason.as_deref()) => {
                TurnOutcome::Completed
            }
            (None, ..) => match self.turn.stopped(stop) {
                Some(stopped) => stopped,
                None if self.turn.resumed && !self.opened && self.turn.complained_of(NO_SESSION) => {
                    TurnOutcome::SessionLost
                }
                None if !self.opened
                    && let Some(misused) = self.turn.misused(exit) =>
                {
                    misused
                }
                None => of_end(self.reason.as_deref(), exit, || self.turn.explain(exit)),
            },
        };
        self.turn.report(outcome)
    }
}

fn reasoning(part: &Value) -> Vec<AgentEvent> {
    let text = string(part, "text").filter(|text| !text.is_empty());
    text.map(|text| AgentEvent::Reasoning { text: text::cut_chars(text, EVENT_CHARS) }).into_iter().collect()
}

/// One step's usage. A price of nothing for something means that the CLI knows no price.
fn usage_of(part: &Value) -> Usage {
    let tokens =
        |path: &[&str]| json::at(part, &[&["tokens"], path].concat()).and_then(Value::as_u64).unwrap_or(0);
    let used = Usage {
        input_tokens: tokens(&["input"]),
        output_tokens: tokens(&["output"]).saturating_add(tokens(&["reasoning"])),
        cache_read_tokens: tokens(&["cache", "read"]),
        cache_write_tokens: tokens(&["cache", "write"]),
        turns: 1,
        cost: None,
        estimated: false,
    };
    let cost = part.get("cost").and_then(Value::as_f64).and_then(MicroDollars::from_dollars);
    let free = used.counted_tokens() == 0;
    Usage { cost: cost.filter(|cost| free || cost.0 > 0), ..used }
}
