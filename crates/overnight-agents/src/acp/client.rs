//! The client's side of the protocol as a state machine: a message in, actions out. Does nothing itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::request::{self, Refusal, Request};
use super::wire::{Line, Order, Policy, Tools, TurnEnd};
use crate::tools::SERVER;

/// The version of the protocol that is spoken here.
const VERSION: u64 = 1;

/// Numbers of our requests. Each is sent once.
const INITIALIZE: u64 = 1;
const OPEN: u64 = 2;
const PROMPT: u64 = 3;

/// Characters kept of a line that is no message.
const NOISE_CHARS: usize = 2_000;

/// A session that was loaded counts as told once its agent has been silent for this long: gemini 0.61.0 sends the rest of the history within
/// some milliseconds of its answer to `session/load`.
pub const QUIET: Duration = Duration::from_millis(250);

/// Longest wait for that silence. An agent that always has something to say gets its prompt all the same.
pub const QUIET_WITHIN: Duration = Duration::from_secs(5);

/// What the client's process shall do, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Print this.
    Tell(Line),
    /// Send this to the agent.
    Send(Value),
    /// Do this and send [`response`] with what came of it.
    Serve { id: Value, request: Request },
    /// Call [`Client::on_quiet`] when nothing has come from the agent for [`QUIET`], and at the latest after [`QUIET_WITHIN`].
    AwaitQuiet,
    /// The turn is over: let the agent go.
    Leave,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Greeting,
    Opening {
        loading: bool,
    },
    /// The session is loaded, and what comes may still be its history.
    Settling {
        session: String,
    },
    Prompting {
        session: String,
        cancelled: bool,
    },
    Over,
}

/// One turn's client.
#[derive(Debug)]
pub struct Client {
    prompt: String,
    workspace: Value,
    resume: Option<String>,
    tools: Option<Tools>,
    policy: Policy,
    phase: Phase,
}

impl Client {
    #[must_use]
    pub fn new(order: &Order) -> Self {
        Self {
            prompt: order.prompt.clone(),
            workspace: json!(order.workspace),
            resume: order.resume.clone(),
            tools: order.tools.clone(),
            policy: order.policy,
            phase: Phase::Greeting,
        }
    }

    /// What is said first.
    #[must_use]
    pub fn begin(&self) -> Vec<Action> {
        let changes = self.policy == Policy::Allow;
        let params = json!({
            "protocolVersion": VERSION,
            "clientCapabilities": {
                "fs": {"readTextFile": true, "writeTextFile": changes},
                "terminal": changes,
            },
            "clientInfo": {"name": "overnight", "title": "Overnight", "version": env!("CARGO_PKG_VERSION")},
        });
        ask(INITIALIZE, "initialize", &params)
    }

    /// Whether the turn has come to its end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Takes a line of the agent's.
    pub fn on_line(&mut self, line: &[u8]) -> Vec<Action> {
        if self.is_over() || line.iter().all(u8::is_ascii_whitespace) {
            return Vec::new();
        }
        let message = serde_json::from_slice::<Value>(line).ok().filter(Value::is_object);
        let Some(message) = message else {
            let line = String::from_utf8_lossy(line).chars().take(NOISE_CHARS).collect();
            return vec![Action::Tell(Line::Noise { line })];
        };
        let mut actions = vec![Action::Tell(Line::Received { message: message.clone() })];
        actions.extend(self.on_message(&message));
        actions
    }

    fn on_message(&mut self, message: &Value) -> Vec<Action> {
        let id = message.get("id").filter(|id| !id.is_null());
        let method = message.get("method").and_then(Value::as_str);
        match (id, method) {
            (Some(id), Some(method)) => {
                self.on_request(id, method, message.get("params").unwrap_or(&Value::Null))
            }
            (Some(id), None) => match id.as_u64() {
                Some(id) => self.on_answer(id, message),
                None => Vec::new(),
            },
            // What is told in a notification is for whoever reads our lines.
            (None, _) => Vec::new(),
        }
    }

    fn on_request(&self, id: &Value, method: &str, params: &Value) -> Vec<Action> {
        if method == "session/request_permission" {
            return self.on_permission(id, params);
        }
        match Request::parse(method, params, self.policy) {
            Ok(request) => vec![Action::Serve { id: id.clone(), request }],
            Err(refusal) => vec![Action::Send(response(id, Err(refusal)))],
        }
    }

    fn on_permission(&self, id: &Value, params: &Value) -> Vec<Action> {
        if matches!(self.phase, Phase::Prompting { cancelled: true, .. }) {
            let result = json!({"outcome": {"outcome": "cancelled"}});
            return vec![Action::Send(response(id, Ok(result)))];
        }
        let permission = request::permission(params, self.policy);
        let told = permission.denied.map(|tool| Action::Tell(Line::Denied { tool }));
        told.into_iter().chain([Action::Send(response(id, Ok(permission.result)))]).collect()
    }

    fn on_answer(&mut self, id: u64, message: &Value) -> Vec<Action> {
        let waiting_for = match self.phase {
            Phase::Greeting => INITIALIZE,
            Phase::Opening { .. } => OPEN,
            Phase::Prompting { .. } => PROMPT,
            // Nothing is asked there.
            Phase::Settling { .. } | Phase::Over => return Vec::new(),
        };
        if id != waiting_for {
            return Vec::new();
        }
        if let Some(error) = message.get("error").filter(|error| !error.is_null()) {
            let method = self.waits_for().to_owned();
            return self.end(TurnEnd::Failed { method, error: error.clone() });
        }
        let result = message.get("result").cloned().unwrap_or_default();
        match self.phase.clone() {
            Phase::Greeting => self.greeted(&result),
            Phase::Opening { loading } => self.opened(loading, &result),
            Phase::Prompting { .. } => self.end(TurnEnd::Answered { answer: result }),
            Phase::Settling { .. } | Phase::Over => Vec::new(),
        }
    }

    /// The method whose answer is waited for.
    fn waits_for(&self) -> &'static str {
        match self.phase {
            Phase::Greeting => "initialize",
            Phase::Opening { loading: false } => "session/new",
            Phase::Opening { loading: true } => "session/load",
            Phase::Settling { .. } | Phase::Prompting { .. } | Phase::Over => "session/prompt",
        }
    }

    fn greeted(&mut self, result: &Value) -> Vec<Action> {
        match result.get("protocolVersion").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => {
                let why = format!("the agent speaks version {other} of the protocol, not {VERSION}");
                return self.end(TurnEnd::Unusable { why });
            }
            None => {
                let why = "the agent does not say which version of the protocol it speaks".to_owned();
                return self.end(TurnEnd::Unusable { why });
            }
        }
        let loads =
            result.get("agentCapabilities").and_then(|can| can.get("loadSession")) == Some(&json!(true));
        let over_http = result.pointer("/agentCapabilities/mcpCapabilities/http") == Some(&json!(true));
        let servers: Vec<Value> = self.tools.iter().filter(|_| over_http).map(server).collect();
        let mut params = json!({"cwd": self.workspace, "mcpServers": servers});
        match self.resume.clone() {
            Some(_) if !loads => return self.end(TurnEnd::CannotLoad),
            Some(session) => params["sessionId"] = json!(session),
            None => {}
        }
        self.phase = Phase::Opening { loading: self.resume.is_some() };
        ask(OPEN, self.waits_for(), &params)
    }

    fn opened(&mut self, loading: bool, result: &Value) -> Vec<Action> {
        let named = result.get("sessionId").and_then(Value::as_str).map(str::to_owned);
        let Some(session) = named.or_else(|| self.resume.clone().filter(|_| loading)) else {
            return self.end(TurnEnd::Unusable { why: "the agent gives its session no name".to_owned() });
        };
        let mut actions = vec![Action::Tell(Line::Session { id: session.clone() })];
        if loading {
            self.phase = Phase::Settling { session };
            actions.push(Action::AwaitQuiet);
        } else {
            actions.extend(self.prompt(session));
        }
        actions
    }

    fn prompt(&mut self, session: String) -> Vec<Action> {
        let prompt = [json!({"type": "text", "text": std::mem::take(&mut self.prompt)})];
        let params = json!({"sessionId": session, "prompt": prompt});
        self.phase = Phase::Prompting { session, cancelled: false };
        ask(PROMPT, "session/prompt", &params)
    }

    /// The agent is silent, or has been waited for long enough: see [`Action::AwaitQuiet`].
    pub fn on_quiet(&mut self) -> Vec<Action> {
        match self.phase.clone() {
            Phase::Settling { session } => self.prompt(session),
            Phase::Greeting | Phase::Opening { .. } | Phase::Prompting { .. } | Phase::Over => Vec::new(),
        }
    }

    /// We were asked to stop. The agent is told, and may still answer; without a prompt there is nothing to wait for.
    pub fn cancel(&mut self) -> Vec<Action> {
        match &mut self.phase {
            Phase::Greeting | Phase::Opening { .. } | Phase::Settling { .. } => self.end(TurnEnd::Cancelled),
            Phase::Prompting { session, cancelled } => {
                *cancelled = true;
                let params = json!({"sessionId": session});
                vec![Action::Send(json!({"jsonrpc": "2.0", "method": "session/cancel", "params": params}))]
            }
            Phase::Over => Vec::new(),
        }
    }

    fn end(&mut self, end: TurnEnd) -> Vec<Action> {
        self.phase = Phase::Over;
        vec![Action::Tell(Line::Result { end }), Action::Leave]
    }
}

/// The tools of the job, as the protocol names a server.
fn server(tools: &Tools) -> Value {
    let authorization = json!({"name": "Authorization", "value": tools.authorization});
    json!({"type": "http", "name": SERVER, "url": tools.url, "headers": [authorization]})
}

fn ask(id: u64, method: &str, params: &Value) -> Vec<Action> {
    let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    vec![Action::Tell(Line::Sent { method: method.to_owned() }), Action::Send(message)]
}

/// The answer to a request of the agent's.
#[must_use]
pub fn response(id: &Value, result: Result<Value, Refusal>) -> Value {
    match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(Refusal { code, message }) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
    }
}
