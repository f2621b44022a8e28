//! From the way a conversation ended to the outcome of the turn.
//!
//! Reasons and codes are the protocol's. An agent's own status is looked for in the fields beside them; its sentences decide
//! nothing.

use overnight_core::agent::TurnOutcome;
use serde_json::Value;

use super::wire::TurnEnd;
use crate::ending::detail;
use crate::{json, status};

/// The protocol's code for an agent that wants a login.
const LOGIN: i64 = -32000;
/// Where agents put the status of a request to their vendor that failed.
const STATUS_FIELDS: &[&[&str]] = &[
    &["statusCode"],
    &["status"],
    &["code"],
    &["httpStatus"],
    &["error", "statusCode"],
    &["error", "status"],
    &["error", "code"],
    &["data", "statusCode"],
];
/// Where they put the text that begins with it.
const TEXT_FIELDS: &[&[&str]] = &[&["details"], &["message"], &["error", "message"]];

/// How the turn ended, `None`: it was stopped, and the process layer knows why.
pub(super) fn of_end(end: &TurnEnd) -> Option<TurnOutcome> {
    Some(match end {
        TurnEnd::Answered { answer } => return of_reason(json::string(answer, "stopReason")),
        TurnEnd::Failed { method, error } => of_error(method, error),
        TurnEnd::CannotLoad => TurnOutcome::SessionLost,
        TurnEnd::Unusable { why } => TurnOutcome::Crashed { detail: detail(why) },
        TurnEnd::Cancelled => return None,
    })
}

fn of_reason(reason: Option<&str>) -> Option<TurnOutcome> {
    Some(match reason {
        Some("end_turn") => TurnOutcome::Completed,
        // An answer that was too long for one turn is gone on with like too many of them.
        Some("max_turn_requests" | "max_tokens") => TurnOutcome::MaxTurns,
        Some("refusal") => TurnOutcome::Refused { detail: "the model refuses to go on".to_owned() },
        Some("cancelled") => return None,
        Some(other) => TurnOutcome::Crashed { detail: detail(&format!("the agent stopped: {other}")) },
        None => TurnOutcome::Crashed { detail: "the agent does not say why it stopped".to_owned() },
    })
}

fn of_error(method: &str, error: &Value) -> TurnOutcome {
    let code = error.get("code").and_then(Value::as_i64);
    let explained = explain(method, error);
    if code == Some(LOGIN) {
        return TurnOutcome::LoginExpired { detail: explained };
    }
    let data = error.get("data").unwrap_or(&Value::Null);
    if let Some(status) = code.and_then(as_status).or_else(|| status_in(data)) {
        return status::outcome(status, explained, None);
    }
    if method == "session/load" {
        return TurnOutcome::SessionLost;
    }
    TurnOutcome::Crashed { detail: explained }
}

fn as_status(number: i64) -> Option<u16> {
    u16::try_from(number).ok().filter(|status| (400..=599).contains(status))
}

/// The status in an error's data: a number in its field, or the beginning of a text.
fn status_in(data: &Value) -> Option<u16> {
    let numbers = STATUS_FIELDS.iter().filter_map(|path| json::at(data, path)?.as_i64());
    let texts = TEXT_FIELDS.iter().filter_map(|path| json::at(data, path)?.as_str()).chain(data.as_str());
    let failed = |status: &u16| *status >= 400;
    numbers.filter_map(as_status).chain(texts.filter_map(status::leading).filter(failed)).next()
}

fn explain(method: &str, error: &Value) -> String {
    let message = json::string(error, "message").unwrap_or("an error without a message");
    let more = error.get("data").map(|data| match data {
        Value::String(text) => format!(": {text}"),
        other => format!(": {other}"),
    });
    detail(&format!("{method} failed: {message}{}", more.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{MISLEADING, word};

    #[test]
    fn codes_and_data_decide() {
        let failed = |error: Value| word(&of_error("session/prompt", &error));
        assert_eq!(failed(json!({"code": -32000, "message": "x"})), "login_expired");
        assert_eq!(failed(json!({"code": 401, "message": "x"})), "login_expired");
        assert_eq!(failed(json!({"code": 429, "message": "x"})), "rate_limited");
        assert_eq!(failed(json!({"code": -32603, "data": {"details": "401 no"}})), "login_expired");
        assert_eq!(failed(json!({"code": -32603, "data": {"statusCode": 529}})), "overloaded");
        assert_eq!(failed(json!({"code": -32603, "data": {"error": {"code": 403}}})), "login_expired");
        assert_eq!(failed(json!({"code": -32603, "data": "500 oh"})), "overloaded");
        assert_eq!(failed(json!({"code": -32603, "data": {"details": "200 ok"}})), "crashed");
        assert_eq!(failed(json!("no")), "crashed");
        let load = |error: Value| word(&of_error("session/load", &error));
        assert_eq!(load(json!({"code": -32602, "message": "Session not found"})), "session_lost");
        assert_eq!(load(json!({"code": 401})), "login_expired");
    }

    #[test]
    fn sentences_decide_nothing() {
        for text in MISLEADING {
            let error = json!({"code": -32603, "message": text});
            assert_eq!(word(&of_error("session/prompt", &error)), "crashed", "{text}");
            let answer = json!({"stopReason": "end_turn", "text": text});
            assert_eq!(of_end(&TurnEnd::Answered { answer }), Some(TurnOutcome::Completed));
        }
    }
}
