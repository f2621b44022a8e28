//! Reads the lines of our client: the agent's messages in its envelope.
//!
//! What is unknown is passed over, and a field of an unexpected type counts as missing.

use overnight_core::agent::{AgentEvent, SessionStart, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{Exit, StopReason, Stream};
use overnight_core::units::MicroDollars;
use serde_json::Value;

use super::outcome::of_end;
use super::wire::{Line, TurnEnd};
use crate::driver::DriverOutput;
use crate::ending::{self, EVENT_CHARS};
use crate::json::{self, number, string};
use crate::turn::Turn;

#[derive(Debug)]
pub(crate) struct AcpDriver {
    turn: Turn,
    /// What a session that goes on had cost: agents tell the sum.
    cost_before: MicroDollars,
    /// The prompt was given: what came before is the history of a session that was loaded.
    prompted: bool,
    words: String,
    end: Option<TurnEnd>,
}

impl AcpDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        let before = match &request.session {
            SessionStart::Fresh(_) => None,
            SessionStart::Resume(_) => request.used_before.cost,
        };
        Self {
            turn: Turn::new(request),
            cost_before: before.unwrap_or_default(),
            prompted: false,
            words: String::new(),
            end: None,
        }
    }

    pub(crate) fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        if stream == Stream::Stderr {
            // What agents say there in every turn would hide what matters; it is in the log.
            let _ = self.turn.complained(line);
            return DriverOutput::default();
        }
        match Line::decode(line) {
            Some(Line::Received { message }) => DriverOutput::events(self.received(&message)),
            Some(Line::Sent { method }) => {
                self.prompted |= method == "session/prompt";
                DriverOutput::default()
            }
            Some(Line::Session { id }) => DriverOutput::events(self.turn.in_session(Some(&id), None)),
            Some(Line::Denied { tool }) => DriverOutput::events([AgentEvent::PermissionDenied { tool }]),
            Some(Line::Noise { line }) => DriverOutput::events([ending::raw(line.as_bytes())]),
            Some(Line::Result { end }) => self.result(end),
            None => DriverOutput::events([ending::raw(line)]),
        }
    }

    fn received(&mut self, message: &Value) -> Vec<AgentEvent> {
        let update = json::at(message, &["params", "update"]);
        match (string(message, "method"), update) {
            (Some("session/update"), Some(update)) if self.prompted => self.update(update),
            // Some agents tell of a call that needs permission here and nowhere else.
            (Some("session/request_permission"), _) => {
                let call = json::at(message, &["params", "toolCall"]).unwrap_or(&Value::Null);
                let new = string(call, "toolCallId").is_some_and(|id| !self.turn.is_open(id));
                if new { self.tool_call(call) } else { Vec::new() }
            }
            (Some(_) | None, _) => Vec::new(),
        }
    }

    fn update(&mut self, update: &Value) -> Vec<AgentEvent> {
        match string(update, "sessionUpdate") {
            Some("agent_message_chunk") => self.chunk(update, true),
            Some("agent_thought_chunk") => self.chunk(update, false),
            Some("tool_call") => self.tool_call(update),
            Some("tool_call_update") => self.tool_ended(update).into_iter().collect(),
            Some("usage_update") => self.cost(update),
            Some(_) | None => Vec::new(),
        }
    }

    /// The agent's words come in pieces, ours come back whole. Some agents tell what an answer used beside its last piece,
    /// which is empty.
    fn chunk(&mut self, update: &Value, said: bool) -> Vec<AgentEvent> {
        let piece = json::at(update, &["content", "text"]).and_then(Value::as_str).unwrap_or_default();
        if !piece.is_empty() {
            self.turn.count_answer();
        }
        // Four bytes per character at most: what is beyond that would be cut anyway.
        if said && self.words.len() <= EVENT_CHARS * 4 {
            self.words.push_str(piece);
        }
        if let Some(usage) = json::at(update, &["_meta", "usage"]) {
            let turns = self.turn.usage.turns;
            self.turn.usage = Usage { turns, ..self.turn.usage.plus(&usage_of(usage)) };
        }
        self.turn.used().into_iter().collect()
    }

    fn say(&mut self) -> Option<AgentEvent> {
        let words = std::mem::take(&mut self.words);
        self.turn.said(&words)
    }

    fn tool_call(&mut self, update: &Value) -> Vec<AgentEvent> {
        self.turn.count_answer();
        let message = self.say();
        let name = string(update, "kind").filter(|kind| *kind != "other").or(string(update, "title"));
        let input = update.get("rawInput").cloned().unwrap_or_default();
        let id = string(update, "toolCallId");
        let started = self.turn.tool_started(id, name.unwrap_or("unknown"), &input);
        let ended = self.tool_ended(update);
        message.into_iter().chain([started]).chain(ended).chain(self.turn.used()).collect()
    }

    fn tool_ended(&mut self, update: &Value) -> Option<AgentEvent> {
        let ok = match string(update, "status") {
            Some("completed") => true,
            Some("failed") => false,
            Some(_) | None => return None,
        };
        let id = string(update, "toolCallId").filter(|id| self.turn.is_open(id))?;
        Some(self.turn.tool_finished(Some(id), ok))
    }

    /// The sum of the session, in a currency. An agent without a price for its model says zero.
    fn cost(&mut self, update: &Value) -> Vec<AgentEvent> {
        let Some(cost) = update.get("cost") else { return Vec::new() };
        let amount = cost.get("amount").and_then(Value::as_f64).filter(|amount| *amount > 0.0);
        let dollars = string(cost, "currency").is_none_or(|currency| currency == "USD");
        if let Some(sum) = amount.filter(|_| dollars).and_then(MicroDollars::from_dollars) {
            self.turn.usage.cost = Some(MicroDollars(sum.0.saturating_sub(self.cost_before.0)));
        }
        self.turn.used().into_iter().collect()
    }

    fn result(&mut self, end: TurnEnd) -> DriverOutput {
        let message = self.say();
        if let TurnEnd::Answered { answer } = &end {
            let told = answer.get("usage").or_else(|| json::at(answer, &["_meta", "quota", "token_count"]));
            if let Some(told) = told {
                let Usage { turns, cost, .. } = self.turn.usage;
                self.turn.usage = Usage { turns, cost, ..usage_of(told) };
            }
        }
        self.end = Some(end);
        let events = message.into_iter().chain(self.turn.used()).chain([AgentEvent::Finished]);
        DriverOutput { finished: true, ..DriverOutput::events(events) }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    pub(crate) fn conclude(mut self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        // What was said when the turn was cut.
        let _ = self.say();
        let told = self.end.as_ref().and_then(of_end);
        let outcome = told.or_else(|| self.turn.stopped(stop)).unwrap_or_else(|| match self.end {
            Some(_) => TurnOutcome::Crashed { detail: "the agent cancelled the turn by itself".to_owned() },
            None => self.turn.crash(exit),
        });
        self.turn.report(outcome)
    }
}

/// Agents name the same figures in two ways.
fn usage_of(told: &Value) -> Usage {
    let of = |names: [&str; 2]| names.iter().find_map(|name| number(told, name)).unwrap_or(0);
    Usage {
        input_tokens: of(["inputTokens", "input_tokens"]),
        output_tokens: of(["outputTokens", "output_tokens"]),
        cache_read_tokens: of(["cachedReadTokens", "cached_read_tokens"]),
        cache_write_tokens: of(["cachedWriteTokens", "cached_write_tokens"]),
        ..Usage::default()
    }
}
