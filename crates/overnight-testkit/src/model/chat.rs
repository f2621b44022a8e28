//! The OpenAI Chat Completions API, as far as agent CLIs use it: streamed and whole answers, and error bodies.
//!
//! Pure rendering of a [`super::reply::Reply`]; owns no state and must not know scenarios or sessions.

use super::calls::Tool;
use super::openai;
use super::pieces::pieces;
use super::reply::{Content, Message, Refusal, Rendered};
use super::scenario::Usage;
use serde_json::{Value, json};

/// When each answer says it was made, in seconds since the Unix epoch. No client looks at it.
const CREATED: u64 = 1_790_000_000;

/// The tools that a request offers.
pub(super) fn offered_tools(body: &Value) -> Vec<Tool> {
    let tools = body.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = |tool: &Value| {
        let function = tool.get("function")?;
        Some(Tool::function(function.get("name")?.as_str()?, function.get("parameters")))
    };
    tools.iter().filter_map(named).collect()
}

/// Whether a streamed answer is to say its usage.
pub(super) fn wants_usage(body: &Value) -> bool {
    body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false)
}

/// One answer as a JSON document.
pub(super) fn whole(message: &Message, model: &str, id: &str) -> Value {
    let said = match &message.content {
        Content::Text(text) => json!({"role": "assistant", "content": text}),
        Content::Call(call) => {
            let function = json!({"name": call.name, "arguments": call.input.fields().to_string()});
            let call = json!({"id": call_id(id), "type": "function", "function": function});
            json!({"role": "assistant", "content": null, "tool_calls": [call]})
        }
    };
    let choice = json!({"index": 0, "message": said, "finish_reason": finish_reason(&message.content)});
    json!({"id": answer_id(id), "object": "chat.completion", "created": CREATED, "model": model,
        "choices": [choice], "usage": usage(message.usage)})
}

/// One answer as server-sent events, in order.
pub(super) fn events(message: &Message, model: &str, id: &str, with_usage: bool) -> Vec<String> {
    let chunk = |choices: Value| {
        json!({"id": answer_id(id), "object": "chat.completion.chunk", "created": CREATED, "model": model,
            "choices": choices})
    };
    let step =
        |delta: Value, end: Option<&str>| chunk(json!([{"index": 0, "delta": delta, "finish_reason": end}]));
    let mut chunks = vec![step(json!({"role": "assistant", "content": ""}), None)];
    chunks.extend(deltas(&message.content, id).into_iter().map(|delta| step(delta, None)));
    chunks.push(step(json!({}), Some(finish_reason(&message.content))));
    if with_usage {
        let mut last = chunk(json!([]));
        last["usage"] = usage(message.usage);
        chunks.push(last);
    }
    let chunks = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    chunks.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

/// A refusal.
pub(super) fn refusal(refusal: &Refusal) -> Rendered {
    let mut headers = openai::headers(refusal);
    if let Some(seconds) = refusal.reset_at {
        // In milliseconds, as OpenRouter sends it; the format's first vendor names only durations.
        headers.push(("x-ratelimit-reset", (seconds * 1000).to_string()));
    }
    Rendered { status: refusal.status, headers, body: openai::error(refusal) }
}

fn deltas(content: &Content, id: &str) -> Vec<Value> {
    match content {
        Content::Text(text) => pieces(text).into_iter().map(|piece| json!({"content": piece})).collect(),
        Content::Call(call) => {
            let function = json!({"name": call.name, "arguments": ""});
            let start = json!({"tool_calls": [{"index": 0, "id": call_id(id), "type": "function",
                "function": function}]});
            let arguments = call.input.fields().to_string();
            let more = |piece: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
            [start].into_iter().chain(pieces(&arguments).into_iter().map(more)).collect()
        }
    }
}

fn answer_id(id: &str) -> String {
    format!("chatcmpl-{id}")
}

fn call_id(id: &str) -> String {
    format!("call_{id}")
}

fn finish_reason(content: &Content) -> &'static str {
    match content {
        Content::Text(_) => "stop",
        Content::Call(_) => "tool_calls",
    }
}

/// The vendor counts cached tokens as part of the prompt.
fn usage(usage: Usage) -> Value {
    let prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens;
    json!({"prompt_tokens": prompt, "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens}})
}
