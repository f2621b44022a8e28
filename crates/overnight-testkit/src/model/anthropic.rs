//! The Anthropic Messages API, as far as agent CLIs use it: streamed and whole answers, and error bodies.
//!
//! Pure rendering of a [`Reply`]; owns no state and must not know scenarios or sessions.

use super::calls::Tool;
use super::pieces::pieces;
use super::reply::{Content, Message, Refusal, Rendered};
use super::scenario::Usage;
use serde_json::{Value, json};

/// The tools that a request offers.
pub(super) fn offered_tools(body: &Value) -> Vec<Tool> {
    let tools = body.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = |tool: &Value| Some(Tool::function(tool.get("name")?.as_str()?, tool.get("input_schema")));
    tools.iter().filter_map(named).collect()
}

/// One answer as a JSON document. `id` is unique among the answers of all servers that a session meets.
pub(super) fn whole(message: &Message, model: &str, id: &str) -> Value {
    let mut document = envelope(model, id, &usage(message.usage, message.usage.output_tokens));
    document["content"] = json!([block(&message.content, id)]);
    document["stop_reason"] = json!(stop_reason(&message.content));
    document
}

/// One answer as server-sent events, in order. The first three make a beginning that promises more.
pub(super) fn events(message: &Message, model: &str, id: &str) -> Vec<String> {
    // The vendor reports one output token at the start and the sum at the end.
    let start = envelope(model, id, &usage(message.usage, 1));
    let mut events = vec![
        event("message_start", json!({"message": start})),
        event("content_block_start", json!({"index": 0, "content_block": empty_block(&message.content, id)})),
    ];
    events.extend(deltas(&message.content));
    events.insert(3.min(events.len()), event("ping", json!({})));
    events.push(event("content_block_stop", json!({"index": 0})));
    let delta = json!({"stop_reason": stop_reason(&message.content), "stop_sequence": null});
    let sum = usage(message.usage, message.usage.output_tokens);
    events.push(event("message_delta", json!({"delta": delta, "usage": sum})));
    events.push(event("message_stop", json!({})));
    events
}

/// A refusal.
pub(super) fn refusal(refusal: &Refusal) -> Rendered {
    let mut headers = Vec::new();
    if let Some(seconds) = refusal.retry_after {
        headers.push(("retry-after", seconds.to_string()));
    }
    if let Some(seconds) = refusal.reset_at {
        headers.push(("anthropic-ratelimit-unified-status", "rejected".to_owned()));
        headers.push(("anthropic-ratelimit-unified-reset", seconds.to_string()));
        headers.push(("anthropic-ratelimit-unified-representative-claim", "five_hour".to_owned()));
    }
    let error = json!({"type": error_type(refusal.status), "message": refusal.message});
    let body = json!({"type": "error", "error": error, "request_id": "req_scripted"});
    Rendered { status: refusal.status, headers, body }
}

/// The refusal of an account that is empty: told apart by its words alone.
pub(super) fn no_credit() -> Rendered {
    let message = "Your credit balance is too low to access the Anthropic API.".to_owned();
    refusal(&Refusal { status: 400, retry_after: None, reset_at: None, message })
}

/// The vendor's error types: <https://docs.anthropic.com/en/api/errors>.
fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

fn envelope(model: &str, id: &str, usage: &Value) -> Value {
    json!({"id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage})
}

fn usage(usage: Usage, output_tokens: u64) -> Value {
    json!({"input_tokens": usage.input_tokens, "output_tokens": output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens})
}

fn stop_reason(content: &Content) -> &'static str {
    match content {
        Content::Text(_) => "end_turn",
        Content::Call(_) => "tool_use",
    }
}

fn block(content: &Content, id: &str) -> Value {
    match content {
        Content::Text(text) => json!({"type": "text", "text": text}),
        Content::Call(call) => {
            json!({"type": "tool_use", "id": tool_id(id), "name": call.name, "input": call.input.fields()})
        }
    }
}

fn empty_block(content: &Content, id: &str) -> Value {
    match content {
        Content::Text(_) => json!({"type": "text", "text": ""}),
        Content::Call(call) => json!({"type": "tool_use", "id": tool_id(id), "name": call.name, "input": {}}),
    }
}

fn tool_id(id: &str) -> String {
    format!("toolu_{id}")
}

fn deltas(content: &Content) -> Vec<String> {
    let (field, kind, text) = match content {
        Content::Text(text) => ("text", "text_delta", text.clone()),
        Content::Call(call) => ("partial_json", "input_json_delta", call.input.fields().to_string()),
    };
    let delta = |piece: &str| json!({"index": 0, "delta": {"type": kind, field: piece}});
    pieces(&text).into_iter().map(|piece| event("content_block_delta", delta(piece))).collect()
}

fn event(name: &str, mut data: Value) -> String {
    data["type"] = json!(name);
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::calls::{Input, ToolCall};

    fn data(events: &[String]) -> Vec<Value> {
        let data = |event: &String| event.split_once("data: ").map(|(_, data)| data.trim().to_owned());
        events.iter().filter_map(data).map(|data| serde_json::from_str(&data).unwrap()).collect()
    }

    #[test]
    fn streamed_pieces_add_up_to_the_text_and_to_the_arguments() {
        let words = "Größe äöü ".repeat(30);
        let text = Message { content: Content::Text(words.clone()), usage: Usage::default() };
        let events = data(&events(&text, "m", "1"));
        let joined: String =
            events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect::<Vec<_>>().concat();
        assert_eq!(joined, words);
        assert_eq!(events.last().unwrap()["type"], "message_stop");

        let input = json!({"command": "echo ".to_owned() + &"x".repeat(200)});
        let call = Content::Call(ToolCall {
            name: "Bash".into(),
            namespace: None,
            input: Input::Fields(input.clone()),
        });
        let call = Message { content: call, usage: Usage::default() };
        let events = data(&super::events(&call, "m", "1"));
        let joined: String = events
            .iter()
            .filter_map(|event| event["delta"]["partial_json"].as_str())
            .collect::<Vec<_>>()
            .concat();
        assert_eq!(serde_json::from_str::<Value>(&joined).unwrap(), input);
    }

    #[test]
    fn the_final_usage_is_in_the_message_delta() {
        let usage = Usage { input_tokens: 3, output_tokens: 9, cache_read_tokens: 5, cache_write_tokens: 4 };
        let message = Message { content: Content::Text("hi".into()), usage };
        let events = data(&events(&message, "m", "1"));
        assert_eq!(events[0]["message"]["usage"]["output_tokens"], 1);
        let delta = events.iter().find(|event| event["type"] == "message_delta").unwrap();
        let expected = json!({"input_tokens": 3, "output_tokens": 9, "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 4});
        assert_eq!(delta["usage"], expected);
        assert_eq!(whole(&message, "m", "1")["usage"], expected);
    }
}
