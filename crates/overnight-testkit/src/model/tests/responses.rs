//! OpenAI Responses over real HTTP.

use super::kinds;
use crate::model::http_client::{Answer, post};
use crate::model::{Action, ModelServer, RequestKind, Scenario, Usage};
use serde_json::{Value, json};

const PATH: &str = "/v1/responses";

fn question(tools: &Value) -> Value {
    json!({"model": "gpt-x", "stream": true, "tools": tools, "input": [{"role": "user", "content": "go"}]})
}

async fn ask(server: &ModelServer, tools: &Value) -> Answer {
    post(&server.base_url(), PATH, &question(tools)).await
}

fn usual_tools() -> Value {
    json!([{"type": "function", "name": "exec_command"}, {"type": "custom", "name": "apply_patch"}])
}

fn joined(events: &[Value], kind: &str) -> String {
    let of_kind = events.iter().filter(|event| event["type"] == kind);
    of_kind.filter_map(|event| event["delta"].as_str()).collect()
}

/// The item of the last event but one, which must be the end of an item.
fn item(events: &[Value]) -> &Value {
    let done = &events[events.len() - 2];
    assert_eq!(done["type"], "response.output_item.done");
    &done["item"]
}

#[tokio::test]
async fn a_text_is_a_whole_sequence_of_numbered_events() {
    let usage = Usage { input_tokens: 5, output_tokens: 6, cache_read_tokens: 3, cache_write_tokens: 2 };
    let server = ModelServer::start(Scenario::new().say("short").costing(usage)).await.unwrap();
    let answer = ask(&server, &usual_tools()).await;
    assert!(answer.whole);
    let events = answer.events();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds(&events), expected);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    assert_eq!(events[2]["item"]["content"], json!([]));
    let response = &events[8]["response"];
    assert_eq!((&response["model"], &response["status"]), (&json!("gpt-x"), &json!("completed")));
    assert_eq!(response["output"][0]["content"][0]["text"], "short");
    let details = json!({"cached_tokens": 3, "cache_write_tokens": 2});
    assert_eq!(
        (&response["usage"]["input_tokens"], &response["usage"]["total_tokens"]),
        (&json!(10), &json!(16))
    );
    assert_eq!(response["usage"]["input_tokens_details"], details);
}

#[tokio::test]
async fn steps_become_function_calls_and_freeform_calls() {
    let scenario = Scenario::new().shell("date").write("/a", "text\n").tool("mcp__x__y", json!({"z": 1}));
    let server = ModelServer::start(scenario).await.unwrap();
    let events = ask(&server, &usual_tools()).await.events();
    let call = item(&events);
    assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("exec_command")));
    assert_eq!(joined(&events, "response.function_call_arguments.delta"), r#"{"cmd":"date"}"#);
    assert_eq!(call["arguments"], r#"{"cmd":"date"}"#);

    let events = ask(&server, &usual_tools()).await.events();
    let call = item(&events);
    assert_eq!((&call["type"], &call["name"]), (&json!("custom_tool_call"), &json!("apply_patch")));
    assert_eq!(joined(&events, "response.custom_tool_call_input.delta"), call["input"].as_str().unwrap());

    let events = ask(&server, &usual_tools()).await.events();
    assert_eq!((&item(&events)["name"], &item(&events)["namespace"]), (&json!("y"), &json!("mcp__x")));
}

#[tokio::test]
async fn tools_offered_in_the_conversation_count_as_offered() {
    let server = ModelServer::start(Scenario::new().shell("date")).await.unwrap();
    let group =
        json!({"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]});
    let input = json!([{"type": "additional_tools", "tools": [group]}, {"role": "user", "content": "go"}]);
    let body = json!({"model": "m", "stream": true, "input": input});
    let events = post(&server.base_url(), PATH, &body).await.events();
    let call = item(&events);
    assert_eq!((&call["name"], &call["namespace"]), (&json!("exec"), &json!("functions")));
    assert_eq!(call["input"], r#"text(await tools.exec_command({"cmd":"date"}));"#);
    assert_eq!(server.main_requests(), 1);
}

#[tokio::test]
async fn a_request_without_tools_is_a_side_request() {
    let server = ModelServer::start(Scenario::new().say("mine")).await.unwrap();
    let whole = json!({"model": "m", "input": "a title, please"});
    let answer = post(&server.base_url(), PATH, &whole).await.json();
    assert_eq!(answer["output"][0]["content"][0]["text"], "Scripted side answer");
    assert_eq!(server.requests()[0].kind, RequestKind::Side);
}

#[tokio::test]
async fn refusals_have_the_vendors_shape_and_a_quota_says_when_it_is_renewed() {
    let quota =
        Action::Http { status: 429, retry_after: Some(9), reset_at: Some(1_900_000_000), message: None };
    let scenario = Scenario::new().then(quota).http(429).http(401).http(500);
    let server = ModelServer::start(scenario).await.unwrap();
    let answer = ask(&server, &usual_tools()).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (429, "9"));
    assert_eq!(answer.headers["x-codex-primary-reset-at"], "1900000000");
    let expected = json!({"type": "usage_limit_reached", "message": "scripted 429", "plan_type": "plus",
        "resets_at": 1_900_000_000, "resets_in_seconds": 9});
    assert_eq!(answer.json()["error"], expected);
    for (status, code) in
        [(429, json!("rate_limit_exceeded")), (401, json!("invalid_api_key")), (500, json!(null))]
    {
        let answer = ask(&server, &usual_tools()).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &code));
        assert!(!answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_dropped_answer_shows_some_text_and_is_cut() {
    let server = ModelServer::start(Scenario::new().then(Action::Drop)).await.unwrap();
    let answer = ask(&server, &usual_tools()).await;
    assert!(!answer.whole);
    assert!(!joined(&answer.events(), "response.output_text.delta").is_empty());
    assert!(!kinds(&answer.events()).contains(&"response.completed"));
}
