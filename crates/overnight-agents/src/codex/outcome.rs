//! From the sentence with which the CLI reports a failure to the outcome of the turn.
//!
//! The sentences are those of `recordings/codex` and of the CLI's own list of errors. Each is recognised by how it begins:
//! behind that, a server's words may follow.

use overnight_core::agent::TurnOutcome;
use serde_json::Value;

use crate::ending::detail;
use crate::json;
use crate::status;

/// A status stands behind these.
const STATUS: &[&str] = &["unexpected status ", "exceeded retry limit, last status: "];

/// The plan's quota is used up. The time at which it comes back is told without a time zone, and is not used.
const LIMITED: &[&str] = &["You've hit your usage limit"];

/// The account cannot be used until a human sees to it.
const ACCOUNT: &[&str] = &[
    "Missing environment variable",
    "Not logged in",
    "Quota exceeded.",
    "To use Codex with your ChatGPT plan",
    "You hit your spend cap",
    "Your access token could not be refreshed",
    "Your workspace is out of credits",
];

/// The vendor or the way to it.
const OVERLOADED: &[&str] = &[
    "Connection failed",
    "Error while reading the server response",
    "Policy-restricted capacity is unavailable",
    "Selected model is at capacity",
    "We're currently experiencing high demand",
    "idle timeout waiting for SSE",
    "request timed out",
    "stream disconnected before completion",
];

const REFUSED: &[&str] = &[
    "Invalid prompt:",
    "This content was flagged",
    "This request has been flagged",
    "stream disconnected before completion: Incomplete response returned, reason: content_filter",
];

/// The conversation is longer than the model takes.
const FULL: &str = "Codex ran out of room in the model's context window";

/// The vendor has no such model, or not for this account: how its own sentences begin and go on. The CLI hands them on without
/// their code.
const NO_MODEL: &[(&str, &str)] =
    &[("The model `", "does not exist"), ("{\"detail\":\"The '", "model is not supported when using Codex")];

/// The outcome of a turn that failed with this sentence.
pub(crate) fn of_failure(message: &str) -> TurnOutcome {
    // The CLI writes a typographic apostrophe.
    let plain = message.trim().replace('\u{2019}', "'");
    let begins = |list: &[&str]| list.iter().any(|start| plain.starts_with(start));
    let detail = detail(message);
    if let Some(status) = STATUS.iter().find_map(|start| status::leading(plain.strip_prefix(start)?)) {
        return status::outcome(status, detail, None);
    }
    if plain.starts_with(FULL) {
        return TurnOutcome::ContextFull { detail };
    }
    if NO_MODEL.iter().any(|(start, then)| plain.starts_with(start) && plain.contains(then)) {
        return TurnOutcome::Misconfigured { detail };
    }
    if begins(REFUSED) {
        return TurnOutcome::Refused { detail };
    }
    if begins(LIMITED) {
        return TurnOutcome::RateLimited { reset: None, detail };
    }
    if begins(ACCOUNT) {
        return TurnOutcome::LoginExpired { detail };
    }
    if begins(OVERLOADED) {
        return TurnOutcome::Overloaded { detail };
    }
    of_body(&plain, detail)
}

/// A refused request is reported as the body that the server sent, whose code is the vendor's word for it.
fn of_body(message: &str, detail: String) -> TurnOutcome {
    let body = serde_json::from_str::<Value>(message).unwrap_or_default();
    match json::at(&body, &["error", "code"]).and_then(Value::as_str) {
        Some("invalid_api_key" | "insufficient_quota") => TurnOutcome::LoginExpired { detail },
        Some("rate_limit_exceeded") => TurnOutcome::RateLimited { reset: None, detail },
        Some("content_filter" | "invalid_prompt") => TurnOutcome::Refused { detail },
        Some("model_not_found") => TurnOutcome::Misconfigured { detail },
        Some("context_length_exceeded") => TurnOutcome::ContextFull { detail },
        Some("server_error" | "server_is_overloaded") => TurnOutcome::Overloaded { detail },
        Some(_) | None => TurnOutcome::Crashed { detail },
    }
}

/// A line about a request that is made again: which try it is, and why.
pub(crate) struct Reconnecting<'a> {
    pub(crate) attempt: u32,
    pub(crate) why: &'a str,
}

/// `Reconnecting... 1/5 (why)` or `Reconnecting... waiting for network (why)`.
pub(crate) fn reconnecting(message: &str) -> Option<Reconnecting<'_>> {
    let rest = message.strip_prefix("Reconnecting... ")?;
    let (how, why) = rest.split_once(" (").unwrap_or((rest, ""));
    let attempt = how.split('/').next().and_then(|number| number.parse().ok()).unwrap_or(0);
    Some(Reconnecting { attempt, why: why.strip_suffix(')').unwrap_or(why) })
}

/// The status that a failure names.
pub(crate) fn status_of(message: &str) -> Option<u16> {
    STATUS.iter().find_map(|start| status::leading(message.strip_prefix(start)?))
}
