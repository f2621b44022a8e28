//! From what the CLI last said to the outcome of a turn.

use std::time::Duration;

use overnight_core::agent::TurnOutcome;
use overnight_core::command::Exit;
use overnight_core::units::Timestamp;
use serde_json::Value;

use crate::ending::detail;
use crate::json::{self, string};
use crate::status;

/// How a step ended when the model had nothing more to do.
const STOPPED: &str = "stop";
/// How it ended when the vendor held back the answer.
const FILTERED: &str = "content-filter";

/// Reads an error line. Its time stands in the line, in milliseconds.
pub(crate) fn of_error(line: &Value) -> TurnOutcome {
    let error = line.get("error").unwrap_or(&Value::Null);
    let name = string(error, "name").unwrap_or("unknown error");
    let message = json::at(error, &["data", "message"]).and_then(Value::as_str);
    let detail = detail(message.filter(|text| !text.is_empty()).unwrap_or(name));
    let code = json::at(error, &["data", "statusCode"]).and_then(Value::as_u64);
    match code_of(error).as_deref() {
        Some("insufficient_quota") => return TurnOutcome::LoginExpired { detail },
        Some("model_not_found") => return TurnOutcome::Misconfigured { detail },
        Some("context_length_exceeded") => return TurnOutcome::ContextFull { detail },
        Some(_) | None => {}
    }
    if let Some(code) = code.and_then(|code| u16::try_from(code).ok()) {
        return status::outcome(code, detail, reset(line));
    }
    match name {
        "ContextOverflowError" => TurnOutcome::ContextFull { detail },
        "ProviderModelNotFoundError" => TurnOutcome::Misconfigured { detail },
        "ProviderAuthError" => TurnOutcome::LoginExpired { detail },
        // A request that got no answer at all.
        "APIError" => TurnOutcome::Overloaded { detail },
        _ => TurnOutcome::Crashed { detail },
    }
}

/// The code in the server's answer, which the CLI hands on. The same status may stand for several of them.
fn code_of(error: &Value) -> Option<String> {
    let body = json::at(error, &["data", "responseBody"]).and_then(Value::as_str)?;
    let answer = serde_json::from_str::<Value>(body).ok()?;
    json::at(&answer, &["error", "code"]).and_then(Value::as_str).map(str::to_owned)
}

/// When the vendor wants to be asked again: its header counts whole seconds.
fn reset(line: &Value) -> Option<Timestamp> {
    let header = json::at(line, &["error", "data", "responseHeaders", "retry-after"])?;
    let seconds: u64 = header.as_str()?.parse().ok()?;
    let now = json::number(line, "timestamp").and_then(|millis| i64::try_from(millis).ok())?;
    Some(Timestamp(now).plus(Duration::from_secs(seconds)))
}

/// The outcome of a run without an error, by how its last step and its program ended. There is no line for the end of a turn,
/// and a program that was refused something ends with status 0 as well.
pub(crate) fn of_end(reason: Option<&str>, exit: Exit, explain: impl FnOnce() -> String) -> TurnOutcome {
    match (reason, exit) {
        (Some(STOPPED), Exit::Code(0)) => TurnOutcome::Completed,
        (Some(FILTERED), Exit::Code(0)) => {
            TurnOutcome::Refused { detail: "the vendor held back the answer".to_owned() }
        }
        (Some(reason), Exit::Code(0)) => TurnOutcome::Crashed {
            detail: detail(&format!(
                "it left in the middle of its work: the last step ended with {reason:?}"
            )),
        },
        (_, Exit::Code(_) | Exit::Signal(_) | Exit::Unknown) => TurnOutcome::Crashed { detail: explain() },
    }
}

/// A line of the CLI's log about a request of the agent's that failed and is made again, for as long as it fails: why. It names no
/// status, so a used-up quota is not told from an overloaded server. The log's format quotes what others have said, so that
/// nobody else can write such a line.
pub(crate) fn of_log(line: &str) -> Option<TurnOutcome> {
    let rest = line.strip_prefix("timestamp=")?;
    let (_, rest) = rest.split_once(" level=ERROR ")?;
    let (head, why) = rest.split_once(" error.error=\"AI_APICallError")?;
    let own = head.contains(" message=\"stream error\" ") && head.contains(" small=false ");
    let why = why.trim_start_matches(": ").trim_end_matches('"');
    own.then(|| TurnOutcome::Overloaded {
        detail: detail(&format!("its vendor refuses or fails, again and again: {why}")),
    })
}

/// Whether the last step was the last one, as far as the model is concerned.
pub(crate) fn is_last(reason: Option<&str>) -> bool {
    reason == Some(STOPPED)
}
