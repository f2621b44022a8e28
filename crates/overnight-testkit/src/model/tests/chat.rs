//! OpenAI Chat Completions over real HTTP.

use crate::model::http_client::{Answer, post};
use crate::model::{Action, ModelServer, RequestKind, Scenario, Usage};
use serde_json::{Value, json};

const PATH: &str = "/v1/chat/completions";

fn question(stream: bool) -> Value {
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    json!({"model": "m1", "stream": stream, "stream_options": {"include_usage": true},
        "tools": [function("run_shell_command"), function("write_file"), function("edit")],
        "messages": [{"role": "user", "content": "go"}]})
}

async fn ask(server: &ModelServer, stream: bool) -> Answer {
    post(&server.base_url(), PATH, &question(stream)).await
}

#[tokio::test]
async fn a_streamed_text_ends_with_a_reason_its_usage_and_a_mark() {
    let usage = Usage { input_tokens: 5, output_tokens: 6, cache_read_tokens: 3, cache_write_tokens: 0 };
    let server =
        ModelServer::start(Scenario::new().say("a rather long text in pieces").costing(usage)).await.unwrap();
    let answer = ask(&server, true).await;
    assert!(answer.whole && answer.body.ends_with("data: [DONE]\n\n"));
    let events = answer.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let said: String =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "a rather long text in pieces");
    assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "stop");
    let expected = json!({"prompt_tokens": 8, "completion_tokens": 6, "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 3}});
    assert_eq!(events.last().unwrap()["usage"], expected);
    assert_eq!(ask(&server, false).await.json()["usage"], expected);
}

#[tokio::test]
async fn usage_is_streamed_only_when_asked_for() {
    let server = ModelServer::start(Scenario::new().say("short")).await.unwrap();
    let mut body = question(true);
    body["stream_options"] = json!(null);
    let events = post(&server.base_url(), PATH, &body).await.events();
    assert!(events.iter().all(|event| event.get("usage").is_none()));
}

#[tokio::test]
async fn a_call_is_named_once_and_its_arguments_come_in_pieces() {
    let scenario = Scenario::new().shell("echo a rather long command").edit("/a", "x", "y");
    let server = ModelServer::start(scenario).await.unwrap();
    let events = ask(&server, true).await.events();
    let calls: Vec<&Value> =
        events.iter().filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0")).collect();
    assert_eq!(calls[0]["function"]["name"], "run_shell_command");
    assert!(calls[1..].iter().all(|call| call.get("id").is_none()));
    let arguments: String = calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    let arguments: Value = serde_json::from_str(&arguments).unwrap();
    assert_eq!(arguments["command"], "echo a rather long command");
    assert!(calls.len() > 2);

    let choice = ask(&server, false).await.json()["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["name"], "edit");
}

#[tokio::test]
async fn requests_on_the_side_take_no_step_even_with_tools() {
    let server = ModelServer::start(Scenario::new().say("mine")).await.unwrap();
    let marks = [
        "[SUGGESTION MODE: Suggest what the user might naturally type next.]",
        "You are now acting as the managed memory extraction subagent for an AI coding assistant.",
    ];
    for mark in marks {
        let mut body = question(false);
        body["messages"][0]["content"] = json!(mark);
        let answer = post(&server.base_url(), PATH, &body).await.json();
        assert_eq!(answer["choices"][0]["message"]["content"], "Scripted side answer");
    }
    let mut judging = question(false);
    judging["tools"][0]["function"]["parameters"] =
        json!({"properties": {"shouldBlock": {"type": "boolean"}}});
    post(&server.base_url(), PATH, &judging).await;
    assert!(server.requests().iter().all(|request| request.kind == RequestKind::Side));
    assert_eq!(ask(&server, false).await.json()["choices"][0]["message"]["content"], "mine");
}

#[tokio::test]
async fn refusals_have_the_vendors_shape() {
    let quota =
        Action::Http { status: 429, retry_after: Some(9), reset_at: Some(1_900_000_000), message: None };
    let server = ModelServer::start(Scenario::new().then(quota).http(402)).await.unwrap();
    let answer = ask(&server, true).await;
    let headers = ["retry-after", "x-ratelimit-reset-requests", "x-ratelimit-reset"];
    assert_eq!(headers.map(|name| answer.headers[name].as_str()), ["9", "9s", "1900000000000"]);
    let expected = json!({"message": "scripted 429", "type": "requests", "param": null,
        "code": "rate_limit_exceeded"});
    assert_eq!((answer.status, &answer.json()["error"]), (429, &expected));
    let answer = ask(&server, true).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (402, &json!("insufficient_quota")));
}

#[tokio::test]
async fn an_endpoint_of_another_vendor_is_served_too() {
    let server = ModelServer::start(Scenario::new().say("mine")).await.unwrap();
    let path = "/openai/deployments/m1/chat/completions?api-version=2025-01-01";
    let answer = post(&server.base_url(), path, &question(false)).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "mine");
}
