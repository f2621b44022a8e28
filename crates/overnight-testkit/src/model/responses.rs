//! The OpenAI Responses API, as far as agent CLIs use it: streamed and whole answers, and error bodies.
//!
//! Pure rendering of a [`super::reply::Reply`]; owns no state and must not know scenarios or sessions.

use super::calls::{Input, Tool};
use super::openai;
use super::pieces::pieces;
use super::reply::{Content, Message, Refusal, Rendered};
use super::scenario::Usage;
use serde_json::{Value, json};

/// The quota window that a refusal with a reset time speaks of: five hours.
const WINDOW_MINUTES: u32 = 300;

/// The tools that a request offers. Newer models are offered theirs in the conversation, and in groups.
pub(super) fn offered_tools(body: &Value) -> Vec<Tool> {
    let of = |holder: &Value| holder.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
    let items = body.get("input").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let additional = items.iter().filter(|item| item["type"] == "additional_tools").flat_map(of);
    let mut offered = Vec::new();
    for tool in of(body).into_iter().chain(additional) {
        if tool["type"] == "namespace" {
            let group = tool["name"].as_str();
            offered.extend(of(&tool).iter().filter_map(|tool| offer(tool, group)));
        } else {
            offered.extend(offer(&tool, None));
        }
    }
    offered
}

fn offer(tool: &Value, namespace: Option<&str>) -> Option<Tool> {
    let described = Tool::function(tool["name"].as_str()?, tool.get("parameters"));
    let freeform = tool["type"] == "custom";
    Some(Tool { namespace: namespace.map(str::to_owned), freeform, ..described })
}

/// One answer as a JSON document.
pub(super) fn whole(message: &Message, model: &str, id: &str) -> Value {
    let mut response = envelope(model, id, "completed");
    response["output"] = json!([item(&message.content, id)]);
    response["usage"] = usage(message.usage);
    response
}

/// One answer as server-sent events, in order.
pub(super) fn events(message: &Message, model: &str, id: &str) -> Vec<String> {
    let started = envelope(model, id, "in_progress");
    let done = item(&message.content, id);
    let mut events = vec![
        json!({"type": "response.created", "response": started}),
        json!({"type": "response.in_progress", "response": started}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": empty(&done)}),
    ];
    match &message.content {
        Content::Text(text) => events.extend(text_events(text, &done["id"])),
        Content::Call(call) => {
            let (kind, field, text) = match &call.input {
                Input::Fields(fields) => ("function_call_arguments", "arguments", fields.to_string()),
                Input::Text(text) => ("custom_tool_call_input", "input", text.clone()),
            };
            let part = |kind: String| json!({"type": kind, "item_id": done["id"], "output_index": 0});
            events.extend(pieces(&text).into_iter().map(|piece| {
                let mut event = part(format!("response.{kind}.delta"));
                event["delta"] = json!(piece);
                event
            }));
            let mut end = part(format!("response.{kind}.done"));
            end[field] = json!(text);
            events.push(end);
        }
    }
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": done}));
    events.push(json!({"type": "response.completed", "response": whole(message, model, id)}));
    events.into_iter().enumerate().map(|(number, event)| numbered(number, event)).collect()
}

/// A refusal. The one with a reset time is what a subscription's used-up quota looks like.
pub(super) fn refusal(refusal: &Refusal) -> Rendered {
    let (mut headers, mut body) = (openai::headers(refusal), openai::error(refusal));
    if let Some(reset_at) = refusal.reset_at {
        headers.push(("x-codex-primary-used-percent", "100".to_owned()));
        headers.push(("x-codex-primary-window-minutes", WINDOW_MINUTES.to_string()));
        headers.push(("x-codex-primary-reset-at", reset_at.to_string()));
        body["error"] = json!({"type": "usage_limit_reached", "message": refusal.message, "plan_type": "plus",
            "resets_at": reset_at, "resets_in_seconds": refusal.retry_after});
    }
    Rendered { status: refusal.status, headers, body }
}

fn text_events(text: &str, item: &Value) -> Vec<Value> {
    let place = |kind: &str| json!({"type": format!("response.{kind}"), "item_id": item, "output_index": 0, "content_index": 0});
    let with = |kind: &str, field: &str, value: Value| {
        let mut event = place(kind);
        event[field] = value;
        event
    };
    let mut events = vec![with("content_part.added", "part", part(""))];
    events.extend(pieces(text).into_iter().map(|piece| with("output_text.delta", "delta", json!(piece))));
    events.push(with("output_text.done", "text", json!(text)));
    events.push(with("content_part.done", "part", part(text)));
    events
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn envelope(model: &str, id: &str, status: &str) -> Value {
    json!({"id": format!("resp_{id}"), "object": "response", "status": status, "model": model, "output": [],
        "error": null, "incomplete_details": null, "usage": null})
}

fn item(content: &Content, id: &str) -> Value {
    let call = match content {
        Content::Text(text) => {
            return json!({"id": format!("msg_{id}"), "type": "message", "status": "completed",
                "role": "assistant", "content": [part(text)]});
        }
        Content::Call(call) => call,
    };
    let mut item = match &call.input {
        Input::Fields(fields) => json!({"id": format!("fc_{id}"), "type": "function_call",
            "arguments": fields.to_string()}),
        Input::Text(text) => json!({"id": format!("ctc_{id}"), "type": "custom_tool_call", "input": text}),
    };
    item["status"] = json!("completed");
    item["call_id"] = json!(format!("call_{id}"));
    item["name"] = json!(call.name);
    if let Some(namespace) = &call.namespace {
        item["namespace"] = json!(namespace);
    }
    item
}

/// The item as it is announced, before any of its content has come.
fn empty(item: &Value) -> Value {
    let mut item = item.clone();
    item["status"] = json!("in_progress");
    for (field, nothing) in [("content", json!([])), ("arguments", json!("")), ("input", json!(""))] {
        if item.get(field).is_some() {
            item[field] = nothing;
        }
    }
    item
}

/// The vendor counts cached tokens as part of the input.
fn usage(usage: Usage) -> Value {
    let input = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    json!({"input_tokens": input, 
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens},
        "output_tokens": usage.output_tokens, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input + usage.output_tokens})
}

fn numbered(number: usize, mut event: Value) -> String {
    event["sequence_number"] = json!(number);
    let kind = event["type"].as_str().unwrap_or_default();
    format!("event: {kind}\ndata: {event}\n\n")
}
