//! What OpenAI's two model APIs have in common: the shape of an error, and which one a status stands for.
//!
//! Pure rendering; see <https://platform.openai.com/docs/guides/error-codes>.

use super::reply::{Refusal, Rendered};
use serde_json::{Value, json};

/// The headers of a refusal that both APIs send.
pub(super) fn headers(refusal: &Refusal) -> Vec<(&'static str, String)> {
    let Some(seconds) = refusal.retry_after else { return Vec::new() };
    vec![
        ("retry-after", seconds.to_string()),
        ("x-ratelimit-remaining-requests", "0".to_owned()),
        ("x-ratelimit-reset-requests", format!("{seconds}s")),
    ]
}

/// The body of a refusal.
pub(super) fn error(refusal: &Refusal) -> Value {
    let (kind, code) = kind_and_code(refusal.status);
    json!({"error": {"message": refusal.message, "type": kind, "param": null, "code": code}})
}

/// The refusal of an account that is empty: a 429 with a code of its own.
pub(super) fn no_credit() -> Rendered {
    let message = "You exceeded your current quota, please check your plan and billing details.";
    let code = "insufficient_quota";
    let body = json!({"error": {"message": message, "type": code, "param": null, "code": code}});
    Rendered { status: 429, headers: Vec::new(), body }
}

fn kind_and_code(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        // Sent by other vendors with this format.
        402 => ("insufficient_quota", Some("insufficient_quota")),
        403 => ("invalid_request_error", Some("unsupported_country_region_territory")),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500..=599 => ("server_error", None),
        _ => ("invalid_request_error", None),
    }
}
