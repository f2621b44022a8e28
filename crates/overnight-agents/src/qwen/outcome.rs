//! From a result line, or the lack of one, to the outcome of a turn.

use overnight_core::agent::TurnOutcome;
use overnight_core::command::Exit;
use serde_json::Value;

use crate::ending::detail;
use crate::json::{self, string};
use crate::status;

/// How the CLI ends, without a result, when the turns are used up.
const TURNS_USED_UP: i32 = 53;
/// The same for the tool calls or the time that the person's settings allow.
const BUDGET_USED_UP: i32 = 55;

/// How the CLI's words begin when nothing is configured to log in with.
const NO_LOGIN: &[&str] =
    &["Missing API key", "No auth type is selected", "Qwen OAuth free tier has been discontinued"];
/// How they begin when the vendor's own login has no quota left.
const QUOTA: &str = "Qwen OAuth quota exceeded:";

/// What every failed request is quoted with; its status follows.
const QUOTE: &str = "[API Error: ";

/// The vendor's sentence for an account without money, behind the quote. Its status is that of a used-up quota.
const NO_CREDIT: &str = "429 You exceeded your current quota, please check your plan and billing details";

/// How the CLI's words begin when it stopped a model that goes round in circles.
const LOOP: &str = "Loop detection halted the run";
/// The vendors' sentences, behind the quote, for a conversation that is longer than the model takes.
const FULL: &[&str] = &[
    "400 This model's maximum context length is",
    "400 Your input exceeds the context window of this model",
];

/// Reads a result line.
pub(crate) fn of_result(line: &Value) -> TurnOutcome {
    let failed = line.get("is_error").and_then(Value::as_bool) != Some(false);
    if !failed && string(line, "subtype") == Some("success") {
        return TurnOutcome::Completed;
    }
    let message = failure(line);
    let detail = detail(message.unwrap_or("the CLI does not say why it failed"));
    if NO_LOGIN.iter().any(|start| detail.starts_with(start)) {
        return TurnOutcome::LoginExpired { detail };
    }
    if detail.starts_with(QUOTA) {
        return TurnOutcome::RateLimited { reset: None, detail };
    }
    if detail.starts_with(LOOP) {
        return TurnOutcome::Looped { detail };
    }
    let Some(quoted) = message.and_then(|message| message.strip_prefix(QUOTE)) else {
        return TurnOutcome::Crashed { detail };
    };
    if quoted.starts_with(NO_CREDIT) {
        return TurnOutcome::LoginExpired { detail };
    }
    if FULL.iter().any(|start| quoted.starts_with(start)) {
        return TurnOutcome::ContextFull { detail };
    }
    match status::leading(quoted) {
        Some(status) => status::outcome(status, detail, None),
        // A request that got no answer at all.
        None => TurnOutcome::Overloaded { detail },
    }
}

/// The CLI's own words about a failure.
pub(crate) fn failure(line: &Value) -> Option<&str> {
    json::at(line, &["error", "message"]).and_then(Value::as_str)
}

/// The outcome of a run that ended by itself and gave no result. `lost`: its session is not there.
pub(crate) fn without_result(exit: Exit, lost: bool, detail: String) -> TurnOutcome {
    match exit {
        Exit::Code(TURNS_USED_UP | BUDGET_USED_UP) => TurnOutcome::MaxTurns,
        Exit::Code(_) if lost => TurnOutcome::SessionLost,
        Exit::Code(_) | Exit::Signal(_) | Exit::Unknown => TurnOutcome::Crashed { detail },
    }
}
