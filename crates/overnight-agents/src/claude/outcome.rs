//! From a result line to the outcome of the turn.
//!
//! Looks only at fields that the CLI writes about itself. The text of the answer is one of its fields too and is used
//! for explanations to people, never for a decision.

use overnight_core::agent::{AgentEvent, LimitKind, TurnOutcome};
use overnight_core::units::Timestamp;
use serde_json::Value;

use crate::ending::detail;

/// What the lines before the result said about a failed request.
#[derive(Debug, Default, Clone)]
pub(crate) struct Trouble {
    /// The CLI's own name for the last failed request of the agent itself; gone once an answer came.
    pub(crate) kind: Option<String>,
    /// When a used-up quota comes back.
    pub(crate) reset: Option<Timestamp>,
    /// The turn was to go on with a session.
    pub(crate) resumed: bool,
}

/// What a result line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// The turn is over with this outcome.
    Over(TurnOutcome),
    /// A signal cut the turn; who sent it is known from elsewhere.
    Cut { detail: String },
}

/// The CLI's words for a conversation that is longer than the model takes, and that it could not shorten.
const FULL: &[&str] = &["prompt_too_long", "blocking_limit", "rapid_refill_breaker"];

/// Reads a result line.
pub(crate) fn of_result(result: &Value, trouble: &Trouble) -> Ruling {
    let field = |name: &str| result.get(name).and_then(Value::as_str);
    let failed = result.get("is_error").and_then(Value::as_bool) != Some(false);
    if failed && field("terminal_reason").is_some_and(|reason| reason.starts_with("aborted_")) {
        return Ruling::Cut { detail: explanation(result) };
    }
    Ruling::Over(match field("subtype") {
        Some("error_max_turns") => TurnOutcome::MaxTurns,
        Some("error_max_budget_usd") => TurnOutcome::BudgetStop { limit: LimitKind::Cost, breach: None },
        _ if field("stop_reason") == Some("refusal") => TurnOutcome::Refused { detail: explanation(result) },
        Some("success") if !failed => TurnOutcome::Completed,
        Some("error_during_execution") if trouble.resumed && session_is_lost(result) => {
            TurnOutcome::SessionLost
        }
        Some(_) | None => of_failure(result, trouble),
    })
}

/// The CLI gives this failure no code; the sentence stands in a list that only the CLI writes.
fn session_is_lost(result: &Value) -> bool {
    errors(result).any(|error| error.starts_with("No conversation found"))
}

/// A failed request, by the CLI's name for it, then by its HTTP status.
fn of_failure(result: &Value, trouble: &Trouble) -> TurnOutcome {
    let detail = explanation(result);
    let status = result.get("api_error_status").and_then(Value::as_u64);
    if result.get("terminal_reason").and_then(Value::as_str).is_some_and(|reason| FULL.contains(&reason)) {
        return TurnOutcome::ContextFull { detail };
    }
    match trouble.kind.as_deref() {
        // The account cannot be used until a human sees to it.
        Some(
            "authentication_failed"
            | "oauth_org_not_allowed"
            | "account_on_hold"
            | "verification_required"
            | "billing_error"
            | "cloud_credential_error",
        ) => return TurnOutcome::LoginExpired { detail },
        Some("rate_limit") => return TurnOutcome::RateLimited { reset: trouble.reset, detail },
        Some("model_not_found") => return TurnOutcome::Misconfigured { detail },
        Some("overloaded" | "server_error") => return TurnOutcome::Overloaded { detail },
        Some(_) | None => {}
    }
    match status {
        Some(401..=403) => TurnOutcome::LoginExpired { detail },
        Some(429) => TurnOutcome::RateLimited { reset: trouble.reset, detail },
        Some(404) => TurnOutcome::Misconfigured { detail },
        Some(408 | 500..) => TurnOutcome::Overloaded { detail },
        None if is_network_failure(result, trouble) => TurnOutcome::Overloaded { detail },
        Some(_) | None => TurnOutcome::Crashed { detail },
    }
}

/// A request that got no answer at all has no status and no telling name.
fn is_network_failure(result: &Value, trouble: &Trouble) -> bool {
    result.get("terminal_reason").and_then(Value::as_str) == Some("api_error")
        && matches!(trouble.kind.as_deref(), None | Some("unknown"))
}

fn errors(result: &Value) -> impl Iterator<Item = &str> {
    result.get("errors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What to tell people about a turn that did not complete.
fn explanation(result: &Value) -> String {
    let listed = errors(result).collect::<Vec<_>>().join("; ");
    if !listed.is_empty() {
        return detail(&listed);
    }
    match result.get("result").and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() => detail(text),
        Some(_) | None => {
            let field = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or("unknown");
            format!("result {}, reason {}", detail(field("subtype")), detail(field("terminal_reason")))
        }
    }
}

/// When a quota comes back, from the CLI's account of a refused request. Unix time in seconds.
pub(crate) fn reset_of(info: &Value) -> Option<Timestamp> {
    if info.get("status").and_then(Value::as_str) != Some("rejected") {
        return None;
    }
    seconds_of(info)
}

fn seconds_of(window: &Value) -> Option<Timestamp> {
    let seconds = window.get("resetsAt").and_then(Value::as_f64)?;
    // Up to the year 5138; above that the number is not in seconds.
    (0.0..1e11).contains(&seconds).then_some(Timestamp((seconds * 1000.0) as i64))
}

/// What is left of the window that is closest to its end. The CLI passes on what its vendor's answer says: the used part, from 0 to 1, of
/// each window, or of one of them.
pub(crate) fn quota_of(info: &Value) -> Option<AgentEvent> {
    let windows = info.get("unifiedWindows").and_then(Value::as_object);
    let all = windows.into_iter().flat_map(|windows| windows.values()).chain([info]);
    let used = |window: &Value| window.get("utilization").and_then(Value::as_f64).filter(|used| *used >= 0.0);
    let (used, window) = all
        .filter_map(|window| Some((used(window)?, window)))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    let left = ((1.0 - used.min(1.0)) * 100.0).floor() as u8;
    Some(AgentEvent::Quota { left, reset: seconds_of(window) })
}
