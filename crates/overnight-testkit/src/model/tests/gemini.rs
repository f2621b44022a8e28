//! The Gemini API over real HTTP.

use crate::model::http_client::{Answer, post};
use crate::model::{Action, ModelServer, RequestKind, Scenario, Usage};
use serde_json::{Value, json};

const STREAM: &str = "/v1beta/models/gemini-x:streamGenerateContent?alt=sse";
const WHOLE: &str = "/v1beta/models/gemini-x:generateContent";

fn question() -> Value {
    let function = |name: &str| json!({"name": name});
    let functions = json!([function("run_shell_command"), function("write_file"), function("replace")]);
    json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}], "tools": [{"functionDeclarations": functions}]})
}

async fn ask(server: &ModelServer) -> Answer {
    post(&server.base_url(), STREAM, &question()).await
}

fn part(chunk: &Value) -> &Value {
    &chunk["candidates"][0]["content"]["parts"][0]
}

#[tokio::test]
async fn a_text_comes_in_pieces_and_the_last_one_has_reason_and_usage() {
    let usage = Usage { input_tokens: 5, output_tokens: 6, cache_read_tokens: 3, cache_write_tokens: 0 };
    let server =
        ModelServer::start(Scenario::new().say("a rather long text in pieces").costing(usage)).await.unwrap();
    let answer = ask(&server).await;
    assert_eq!(answer.headers["content-type"], "text/event-stream; charset=utf-8");
    let chunks = answer.events();
    let said: String = chunks.iter().filter_map(|chunk| part(chunk)["text"].as_str()).collect();
    assert_eq!(said, "a rather long text in pieces");
    let (last, before) = chunks.split_last().unwrap();
    assert!(before.len() > 1 && before.iter().all(|chunk| chunk.get("usageMetadata").is_none()));
    let expected = json!({"promptTokenCount": 8, "candidatesTokenCount": 6, "cachedContentTokenCount": 3,
        "totalTokenCount": 14});
    assert_eq!(last["usageMetadata"], expected);
    assert_eq!(
        (&last["candidates"][0]["finishReason"], &last["modelVersion"]),
        (&json!("STOP"), &json!("gemini-x"))
    );
}

#[tokio::test]
async fn steps_become_function_calls() {
    let scenario = Scenario::new().shell("date").write("/a", "text").edit("/a", "text", "more");
    let server = ModelServer::start(scenario).await.unwrap();
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(part(&ask(&server).await.events()[0])["functionCall"].clone());
    }
    assert_eq!(
        (&calls[0]["name"], &calls[0]["args"]["command"]),
        (&json!("run_shell_command"), &json!("date"))
    );
    assert_eq!(calls[1]["args"], json!({"file_path": "/a", "content": "text"}));
    assert_eq!((&calls[2]["name"], &calls[2]["args"]["new_string"]), (&json!("replace"), &json!("more")));
}

#[tokio::test]
async fn a_router_asks_on_the_side() {
    let server = ModelServer::start(Scenario::new().say("mine")).await.unwrap();
    let body = json!({"contents": [], "generationConfig": {"responseMimeType": "application/json"}});
    let answer = post(&server.base_url(), WHOLE, &body).await.json();
    assert_eq!(part(&answer)["text"], "Scripted side answer");
    assert_eq!(part(&ask(&server).await.events()[0])["text"], "mine");
    let kinds: Vec<RequestKind> = server.requests().iter().map(|request| request.kind).collect();
    assert_eq!(kinds, [RequestKind::Side, RequestKind::Main]);
}

#[tokio::test]
async fn refusals_have_the_vendors_shape_with_quota_and_delay() {
    let quota = Action::Http { status: 429, retry_after: None, reset_at: Some(1_900_000_000), message: None };
    let scenario = Scenario::new().rate_limited(9).then(quota).http(401).http(503);
    let server = ModelServer::start(scenario).await.unwrap();
    let answer = ask(&server).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (429, "9"));
    let error = answer.json()["error"].clone();
    assert_eq!((&error["code"], &error["status"]), (&json!(429), &json!("RESOURCE_EXHAUSTED")));
    let expected = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "9s"});
    assert_eq!(error["details"][1], expected);
    assert!(error["details"][0].to_string().contains("PerMinute"));
    let day = ask(&server).await.json()["error"]["details"].to_string();
    assert!(day.contains("PerDay") && !day.contains("RetryInfo"), "{day}");
    for (status, name) in [(401, "UNAUTHENTICATED"), (503, "UNAVAILABLE")] {
        let answer = ask(&server).await;
        let error = json!({"code": status, "message": format!("scripted {status}"), "status": name});
        assert_eq!((answer.status, answer.json()), (status, json!({"error": error})));
    }
}

#[tokio::test]
async fn a_dropped_answer_shows_some_text_and_is_cut() {
    let server = ModelServer::start(Scenario::new().then(Action::Drop)).await.unwrap();
    let answer = ask(&server).await;
    assert!(!answer.whole);
    assert_eq!(answer.events().len(), 1);
    assert!(answer.events()[0]["candidates"][0].get("finishReason").is_none());
}
