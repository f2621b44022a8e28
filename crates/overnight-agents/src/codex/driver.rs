//! Reads the lines of a running `codex exec --json`.
//!
//! What is unknown becomes a raw event, and a field of an unexpected type counts as missing.

use overnight_core::agent::{AgentEvent, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{Exit, StopReason, Stream};
use overnight_core::text;
use serde_json::Value;

use crate::codex::outcome::{of_failure, reconnecting, status_of};
use crate::driver::DriverOutput;
use crate::ending::{self, EVENT_CHARS};
use crate::json::{self, string};
use crate::turn::Turn;

/// How the CLI says, on standard error alone, that a session is not there.
const NO_SESSION: &str = "no rollout found for thread id";

#[derive(Debug)]
pub(crate) struct CodexDriver {
    turn: Turn,
    used_before: Usage,
    /// A line of the CLI's own came: it had opened its session.
    opened: bool,
    /// Why the CLI waits before it asks again; gone once it went on.
    waiting: Option<TurnOutcome>,
    outcome: Option<TurnOutcome>,
}

impl CodexDriver {
    pub(crate) fn new(request: &TurnRequest) -> Self {
        Self {
            turn: Turn::new(request),
            used_before: request.used_before,
            opened: false,
            waiting: None,
            outcome: None,
        }
    }

    pub(crate) fn on_line(&mut self, stream: Stream, line: &[u8]) -> DriverOutput {
        match stream {
            Stream::Stderr => DriverOutput::events(self.turn.complained(line)),
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
            Some("thread.started") => {
                self.opened = true;
                Some(self.turn.in_session(string(&value, "thread_id"), None).into_iter().collect())
            }
            Some("turn.started") => Some(Vec::new()),
            Some("item.started" | "item.updated") => self.item(&value, false),
            Some("item.completed") => self.item(&value, true),
            Some("error") => Some(vec![self.trouble(string(&value, "message").unwrap_or_default())]),
            Some("turn.completed") => return self.completed(&value),
            Some("turn.failed") => return self.failed(&value),
            Some(_) | None => None,
        };
        DriverOutput::events(events.unwrap_or_else(|| vec![ending::raw(line)]))
    }

    /// `None`: an item that we do not know.
    fn item(&mut self, line: &Value, completed: bool) -> Option<Vec<AgentEvent>> {
        let item = line.get("item")?;
        self.waiting = None;
        match string(item, "type")? {
            "agent_message" if completed => Some(self.message(item)),
            "reasoning" if completed => {
                let text = text::cut_chars(string(item, "text").unwrap_or_default(), EVENT_CHARS);
                Some(vec![AgentEvent::Reasoning { text }])
            }
            "error" if completed => {
                let text = ending::detail(string(item, "message").unwrap_or_default());
                Some(vec![AgentEvent::Warning { text }])
            }
            "agent_message" | "reasoning" | "error" | "todo_list" => Some(Vec::new()),
            kind @ ("command_execution" | "file_change" | "mcp_tool_call" | "web_search"
            | "collab_tool_call") => Some(self.tool(kind, item, completed)),
            _ => None,
        }
    }

    fn message(&mut self, item: &Value) -> Vec<AgentEvent> {
        self.turn.count_answer();
        let message = self.turn.said(string(item, "text").unwrap_or_default());
        message.into_iter().chain(self.turn.used()).collect()
    }

    fn tool(&mut self, kind: &str, item: &Value, completed: bool) -> Vec<AgentEvent> {
        let id = string(item, "id").unwrap_or_default();
        let mut events = Vec::new();
        if !self.turn.is_open(id) {
            self.turn.count_answer();
            events.push(self.turn.tool_started(Some(id), name_of(kind, item), &input_of(kind, item)));
            events.extend(self.turn.used());
        }
        if completed {
            let ok = string(item, "status").is_none_or(|status| status == "completed");
            events.push(self.turn.tool_finished(Some(id), ok));
        }
        events
    }

    /// Comes for every failed request; which of them was the last one is known from what follows.
    fn trouble(&mut self, message: &str) -> AgentEvent {
        match reconnecting(message) {
            Some(again) => {
                self.waiting = Some(of_failure(again.why));
                AgentEvent::Retrying { attempt: again.attempt, status: status_of(again.why) }
            }
            None => AgentEvent::Warning { text: ending::detail(message) },
        }
    }

    fn completed(&mut self, line: &Value) -> DriverOutput {
        if let Some(usage) = line.get("usage") {
            let turns = self.turn.usage.turns;
            self.turn.usage =
                Usage { turns, ..beyond(&self.used_before, &session_usage(usage), self.turn.resumed) };
        }
        self.over(TurnOutcome::Completed)
    }

    fn failed(&mut self, line: &Value) -> DriverOutput {
        let message = json::at(line, &["error", "message"]).and_then(Value::as_str);
        self.over(of_failure(message.unwrap_or("the turn failed and the CLI does not say why")))
    }

    fn over(&mut self, outcome: TurnOutcome) -> DriverOutput {
        self.outcome = Some(outcome);
        let events = self.turn.used().into_iter().chain([AgentEvent::Finished]);
        DriverOutput { finished: true, ..DriverOutput::events(events) }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    pub(crate) fn conclude(self, exit: Exit, stop: Option<StopReason>) -> TurnReport {
        let outcome = match (self.outcome, stop) {
            (Some(outcome), _) => outcome,
            // It was silent because it waits for its vendor, however long that takes.
            (None, Some(StopReason::SilenceTimeout { .. })) if self.waiting.is_some() => {
                self.waiting.unwrap_or_else(|| self.turn.crash(exit))
            }
            (None, _) => match self.turn.stopped(stop) {
                Some(stopped) => stopped,
                None if self.turn.resumed && !self.opened && self.turn.complained_of(NO_SESSION) => {
                    TurnOutcome::SessionLost
                }
                None => {
                    let misused = if self.opened { None } else { self.turn.misused(exit) };
                    misused.unwrap_or_else(|| self.turn.crash(exit))
                }
            },
        };
        self.turn.report(outcome)
    }
}

fn name_of<'a>(kind: &'a str, item: &'a Value) -> &'a str {
    match kind {
        "command_execution" => "shell",
        "mcp_tool_call" => string(item, "tool").unwrap_or(kind),
        _ => kind,
    }
}

/// What a tool is called with, in the words that a summary is made of.
fn input_of(kind: &str, item: &Value) -> Value {
    match kind {
        "file_change" => {
            let path = json::items(item, "changes").find_map(|change| change.get("path"));
            serde_json::json!({"path": path})
        }
        "mcp_tool_call" => item.get("arguments").cloned().unwrap_or_default(),
        "command_execution" => {
            serde_json::json!({"command": without_shell(string(item, "command").unwrap_or_default())})
        }
        _ => item.clone(),
    }
}

/// Without the shell that the CLI starts every command with: a person wants to see the command.
fn without_shell(command: &str) -> &str {
    let inner = command.split_once(" -lc ").filter(|(shell, _)| !shell.contains(' ')).map(|(_, inner)| inner);
    let bare = |inner: &'_ str| {
        let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        inner.strip_prefix(quote)?.strip_suffix(quote).map(str::len)
    };
    match inner {
        Some(inner) => bare(inner).map_or(inner, |length| &inner[1..=length]),
        None => command,
    }
}

/// The whole session's usage. Cached tokens are part of the input, reasoning is part of the output.
fn session_usage(usage: &Value) -> Usage {
    let usage_without_writes =
        json::usage_with_cache_inside(usage, "input_tokens", "output_tokens", "cached_input_tokens");
    let written =
        json::number(usage, "cache_write_input_tokens").unwrap_or(0).min(usage_without_writes.input_tokens);
    Usage {
        input_tokens: usage_without_writes.input_tokens - written,
        cache_write_tokens: written,
        ..usage_without_writes
    }
}

/// What a turn used of a session's total. Where the session is younger than the job, the job has used more than the session,
/// and nothing can be taken off.
fn beyond(before: &Usage, session: &Usage, resumed: bool) -> Usage {
    let pairs = [
        (session.input_tokens, before.input_tokens),
        (session.output_tokens, before.output_tokens),
        (session.cache_read_tokens, before.cache_read_tokens),
        (session.cache_write_tokens, before.cache_write_tokens),
    ];
    if !resumed || pairs.iter().any(|(all, earlier)| all < earlier) {
        return *session;
    }
    let [input_tokens, output_tokens, cache_read_tokens, cache_write_tokens] =
        pairs.map(|(all, earlier)| all - earlier);
    Usage { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, ..Usage::default() }
}
