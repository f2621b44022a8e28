//! The Gemini API, as far as agent CLIs use it: streamed and whole answers, and error bodies.
//!
//! Pure rendering of a [`super::reply::Reply`]; owns no state and must not know scenarios or sessions.

use super::calls::Tool;
use super::pieces::pieces;
use super::reply::{Content, Message, Refusal, Rendered};
use super::scenario::Usage;
use serde_json::{Value, json};

const STREAM: &str = ":streamGenerateContent";
const WHOLE: &str = ":generateContent";

/// Whether this path, which has no query, is a question to the model.
pub(super) fn is_question_path(path: &str) -> bool {
    path.contains("/models/") && (path.ends_with(STREAM) || path.ends_with(WHOLE))
}

/// Both are said by the path: `/v1beta/models/<model>:<method>`. A stream is always one of events (`alt=sse`):
/// no client asks for the other form.
pub(super) fn model_and_streaming(path: &str) -> (&str, bool) {
    let last = path.rsplit_once('/').map_or(path, |(_, last)| last);
    match last.strip_suffix(STREAM) {
        Some(model) => (model, true),
        None => (last.strip_suffix(WHOLE).unwrap_or(last), false),
    }
}

/// The tools that a request offers.
pub(super) fn offered_tools(body: &Value) -> Vec<Tool> {
    let tools = body.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let functions = tools.iter().filter_map(|tool| tool.get("functionDeclarations")?.as_array()).flatten();
    let named = |function: &Value| {
        let schema = function.get("parametersJsonSchema").or_else(|| function.get("parameters"));
        Some(Tool::function(function.get("name")?.as_str()?, schema))
    };
    functions.filter_map(named).collect()
}

/// One answer as a JSON document.
pub(super) fn whole(message: &Message, model: &str, id: &str) -> Value {
    let part = match &message.content {
        Content::Text(text) => json!({"text": text}),
        Content::Call(call) => json!({"functionCall": {"name": call.name, "args": call.input.fields()}}),
    };
    ended(chunk(&part, model, id), message.usage)
}

/// One answer as server-sent events, in order. A call comes in one piece.
pub(super) fn events(message: &Message, model: &str, id: &str) -> Vec<String> {
    let mut chunks: Vec<Value> = match &message.content {
        Content::Text(text) => {
            pieces(text).into_iter().map(|piece| chunk(&json!({"text": piece}), model, id)).collect()
        }
        Content::Call(_) => Vec::new(),
    };
    let last = match &message.content {
        Content::Text(_) => ended(chunk(&json!({"text": ""}), model, id), message.usage),
        Content::Call(_) => whole(message, model, id),
    };
    chunks.push(last);
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

/// A refusal; see <https://google.aip.dev/193>.
pub(super) fn refusal(refusal: &Refusal) -> Rendered {
    let mut headers = Vec::new();
    let mut details = Vec::new();
    if refusal.status == 429 {
        // A quota of the day is what a reset far away is about.
        let period = if refusal.reset_at.is_some() { "PerDay" } else { "PerMinute" };
        let violation = json!({"quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
            "quotaId": format!("GenerateRequests{period}PerProjectPerModel")});
        details.push(json!({"@type": detail("QuotaFailure"), "violations": [violation]}));
    }
    if let Some(seconds) = refusal.retry_after {
        headers.push(("retry-after", seconds.to_string()));
        details.push(json!({"@type": detail("RetryInfo"), "retryDelay": format!("{seconds}s")}));
    }
    let mut error =
        json!({"code": refusal.status, "message": refusal.message, "status": status(refusal.status)});
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    Rendered { status: refusal.status, headers, body: json!({"error": error}) }
}

/// The refusal of an account that is empty: a 429 without details.
pub(super) fn no_credit() -> Rendered {
    let message = "Your prepayment credits are depleted.";
    let error = json!({"code": 429, "message": message, "status": status(429)});
    Rendered { status: 429, headers: Vec::new(), body: json!({"error": error}) }
}

fn detail(name: &str) -> String {
    format!("type.googleapis.com/google.rpc.{name}")
}

/// The names of <https://cloud.google.com/apis/design/errors> for the statuses that tests use.
fn status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        501..=599 => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

fn chunk(part: &Value, model: &str, id: &str) -> Value {
    let candidate = json!({"index": 0, "content": {"role": "model", "parts": [part]}});
    json!({"candidates": [candidate], "modelVersion": model, "responseId": id})
}

fn ended(mut chunk: Value, usage: Usage) -> Value {
    chunk["candidates"][0]["finishReason"] = json!("STOP");
    // The vendor counts cached tokens as part of the prompt.
    let prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    chunk["usageMetadata"] = json!({"promptTokenCount": prompt, "candidatesTokenCount": usage.output_tokens,
        "cachedContentTokenCount": usage.cache_read_tokens, "totalTokenCount": prompt + usage.output_tokens});
    chunk
}
