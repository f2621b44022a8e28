//! What an agent may ask of its client, and how it is answered.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::Policy;

/// Something that the client does for the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    ReadFile(ReadFile),
    WriteFile(WriteFile),
    CreateTerminal(CreateTerminal),
    TerminalOutput(TerminalId),
    WaitForExit(TerminalId),
    KillTerminal(TerminalId),
    ReleaseTerminal(TerminalId),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReadFile {
    pub path: PathBuf,
    /// The first line that is wanted, from 1.
    pub line: Option<u64>,
    /// How many lines are wanted.
    pub limit: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WriteFile {
    pub path: PathBuf,
    pub content: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateTerminal {
    pub command: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: Vec<Variable>,
    pub cwd: Option<PathBuf>,
    /// Bytes of the output's end that are kept.
    pub output_byte_limit: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Variable {
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalId {
    pub terminal_id: String,
}

/// Why a request is not served, as JSON-RPC says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: i64,
    pub message: String,
}

impl Refusal {
    /// The request cannot be understood.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: -32602, message: message.into() }
    }

    /// It was tried, or is not allowed.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: -32603, message: message.into() }
    }

    /// What it is about is not there.
    #[must_use]
    pub fn missing(message: impl Into<String>) -> Self {
        Self { code: -32002, message: message.into() }
    }

    fn unknown(method: &str) -> Self {
        let method: String = method.chars().take(80).collect();
        Self { code: -32601, message: format!("there is no method {method}") }
    }
}

impl Request {
    /// # Errors
    /// With the [`Refusal`] to answer with: an unknown method, missing parameters, or what the policy does not allow.
    pub fn parse(method: &str, params: &Value, policy: Policy) -> Result<Self, Refusal> {
        let request = match method {
            "fs/read_text_file" => Self::ReadFile(read(params)?),
            "fs/write_text_file" => Self::WriteFile(read(params)?),
            "terminal/create" => Self::CreateTerminal(read(params)?),
            "terminal/output" => Self::TerminalOutput(read(params)?),
            "terminal/wait_for_exit" => Self::WaitForExit(read(params)?),
            "terminal/kill" => Self::KillTerminal(read(params)?),
            "terminal/release" => Self::ReleaseTerminal(read(params)?),
            _ => return Err(Refusal::unknown(method)),
        };
        match (&request, policy) {
            (Self::WriteFile(_) | Self::CreateTerminal(_), Policy::ReadOnly) => {
                Err(Refusal::failed("nothing may be changed in this session"))
            }
            (_, Policy::Allow | Policy::ReadOnly) => Ok(request),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(params: &Value) -> Result<T, Refusal> {
    T::deserialize(params).map_err(|error| Refusal::invalid(error.to_string()))
}

/// The answer to a request for permission.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Permission {
    pub(super) result: Value,
    /// What was refused, for people.
    pub(super) denied: Option<String>,
}

/// Nobody is asked. What only looks is always allowed; what the agent does not name is taken for a change.
pub(super) fn permission(params: &Value, policy: Policy) -> Permission {
    let tool = |field: &str| params.get("toolCall").and_then(|call| call.get(field)).and_then(Value::as_str);
    let looks = matches!(tool("kind"), Some("read" | "search" | "think" | "fetch"));
    let allowed = policy == Policy::Allow || looks;
    let kinds = if allowed { ["allow_once", "allow_always"] } else { ["reject_once", "reject_always"] };
    let options = || params.get("options").and_then(Value::as_array).into_iter().flatten();
    let of_kind = |kind: &&str| {
        let option = options().find(|option| option.get("kind").and_then(Value::as_str) == Some(kind))?;
        option.get("optionId").cloned()
    };
    let chosen = kinds.iter().find_map(of_kind);
    let denied = (!allowed || chosen.is_none())
        .then(|| tool("title").or(tool("kind")).or(tool("toolCallId")).unwrap_or("unknown").to_owned());
    let outcome = match chosen {
        Some(option) => json!({"outcome": "selected", "optionId": option}),
        None => json!({"outcome": "cancelled"}),
    };
    Permission { result: json!({"outcome": outcome}), denied }
}
