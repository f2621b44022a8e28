//! The scripted model over real HTTP, with a client written by hand: what does not depend on the wire format, in the
//! Anthropic format, and each of the others in a file of its own.

mod chat;
mod gemini;
mod responses;

use super::http_client::{Answer, post, send};
use super::{Action, ModelServer, RequestKind, Scenario, Usage};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::AsyncReadExt;

const PATH: &str = "/v1/messages?beta=true";

fn question(stream: bool) -> Value {
    json!({"model": "m1", "stream": stream, "tools": [{"name": "Bash"}, {"name": "Write"}, {"name": "Edit"}],
        "messages": [{"role": "user", "content": "go"}]})
}

async fn ask(server: &ModelServer) -> Answer {
    post(&server.base_url(), PATH, &question(false)).await
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

#[tokio::test]
async fn a_streamed_answer_is_a_whole_sequence_of_events() {
    let usage = Usage { input_tokens: 5, output_tokens: 6, ..Usage::default() };
    let server = ModelServer::start(Scenario::new().say("short").costing(usage)).await.unwrap();
    let answer = post(&server.base_url(), PATH, &question(true)).await;
    assert!(answer.whole);
    assert_eq!(answer.headers["content-type"], "text/event-stream; charset=utf-8");
    let events = answer.events();
    let expected = [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "ping",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(events[0]["message"]["model"], "m1");
    assert_eq!(events[5]["usage"]["output_tokens"], 6);
    assert_eq!(events[5]["delta"]["stop_reason"], "end_turn");
}

#[tokio::test]
async fn steps_follow_each_other_and_become_the_offered_tools() {
    let scenario = Scenario::new()
        .shell("date")
        .write("/a", "text")
        .edit("/a", "text", "more")
        .tool("mcp__x__y", json!({"z": 1}))
        .say("end");
    let server = ModelServer::start(scenario).await.unwrap();
    let mut blocks = Vec::new();
    for _ in 0..6 {
        blocks.push(ask(&server).await.json()["content"][0].clone());
    }
    assert_eq!((&blocks[0]["name"], &blocks[0]["input"]["command"]), (&json!("Bash"), &json!("date")));
    assert_eq!(blocks[1]["input"], json!({"file_path": "/a", "content": "text"}));
    assert_eq!(blocks[2]["input"], json!({"file_path": "/a", "old_string": "text", "new_string": "more"}));
    assert_eq!((&blocks[3]["name"], &blocks[3]["input"]), (&json!("mcp__x__y"), &json!({"z": 1})));
    assert_eq!((&blocks[4]["text"], &blocks[5]["text"]), (&json!("end"), &json!("end")));
    let ids: std::collections::BTreeSet<String> =
        blocks[..4].iter().map(|block| block["id"].to_string()).collect();
    assert_eq!(ids.len(), 4, "each call has its own id");
}

#[tokio::test]
async fn a_request_without_tools_takes_no_step() {
    let server = ModelServer::start(Scenario::new().say("first").say("second")).await.unwrap();
    let side = post(&server.base_url(), PATH, &json!({"model": "m1", "messages": []})).await;
    assert_eq!(side.status, 200);
    assert_eq!(ask(&server).await.json()["content"][0]["text"], "first");
    let requests = server.wait_for_requests(2).await.unwrap();
    let kinds: Vec<RequestKind> = requests.iter().map(|request| request.kind).collect();
    assert_eq!(kinds, [RequestKind::Side, RequestKind::Main]);
    assert_eq!(server.main_requests(), 1);
    assert_eq!(requests[1].headers["x-api-key"], "test-key");
    assert_eq!((requests[1].method.as_str(), requests[1].path.as_str()), ("POST", PATH));
    assert_eq!(requests[1].body["messages"][0]["content"], "go");
}

#[tokio::test]
async fn refusals_carry_status_headers_and_the_vendors_error() {
    let quota = Action::Http {
        status: 429,
        retry_after: Some(9),
        reset_at: Some(1_900_000_000),
        message: Some("quota".into()),
    };
    let scenario = Scenario::new().then(quota).http(401).http(529).http(400);
    let server = ModelServer::start(scenario).await.unwrap();
    let answer = ask(&server).await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (429, "9"));
    assert_eq!(answer.headers["anthropic-ratelimit-unified-reset"], "1900000000");
    assert_eq!(answer.json()["error"], json!({"type": "rate_limit_error", "message": "quota"}));
    for (status, kind) in
        [(401, "authentication_error"), (529, "overloaded_error"), (400, "invalid_request_error")]
    {
        let answer = ask(&server).await;
        assert_eq!((answer.status, &answer.json()["error"]["type"]), (status, &json!(kind)));
        assert!(!answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_dropped_answer_begins_and_is_cut() {
    let server = ModelServer::start(Scenario::new().then(Action::Drop)).await.unwrap();
    let answer = post(&server.base_url(), PATH, &question(true)).await;
    assert_eq!((answer.status, answer.whole), (200, false));
    assert_eq!(kinds(&answer.events()), ["message_start", "content_block_start", "content_block_delta"]);
    let answer = ask(&server).await;
    assert_eq!((answer.status, answer.whole), (200, false));
}

#[tokio::test]
async fn hanging_answers_end_only_with_the_server() {
    let scenario = Scenario::new().then(Action::HangMid).then(Action::Hang);
    let server = ModelServer::start(scenario).await.unwrap();
    let mut started = send(&server.base_url(), PATH, &question(true)).await;
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains("content_block_delta") {
        let read = tokio::time::timeout(Duration::from_secs(30), started.read(&mut buffer)).await;
        seen.push_str(std::str::from_utf8(&buffer[..read.unwrap().unwrap()]).unwrap());
    }
    let mut silent = send(&server.base_url(), PATH, &question(true)).await;
    server.wait_for_requests(2).await.unwrap();
    assert_eq!(silent.try_read(&mut buffer).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(started.try_read(&mut buffer).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(server);
    for stream in [&mut started, &mut silent] {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut rest)).await;
        // Whether it ends cleanly or by a reset does not matter.
        let _closed = end.unwrap();
    }
}

#[tokio::test]
async fn a_big_answer_has_its_exact_length_in_both_forms() {
    let bytes = 3_000_000;
    let server = ModelServer::start(Scenario::new().then(Action::Big { bytes })).await.unwrap();
    assert_eq!(ask(&server).await.json()["content"][0]["text"].as_str().unwrap().len(), bytes);
    let events = post(&server.base_url(), PATH, &question(true)).await.events();
    let length: usize = events.iter().filter_map(|event| event["delta"]["text"].as_str()).map(str::len).sum();
    assert_eq!(length, bytes);
}

#[tokio::test]
async fn a_loop_never_ends_and_never_repeats() {
    let server = ModelServer::start(Scenario::new().then(Action::Loop)).await.unwrap();
    let one = ask(&server).await.json()["content"][0]["input"]["command"].clone();
    let two = ask(&server).await.json()["content"][0]["input"]["command"].clone();
    assert!(one.is_string() && two.is_string());
    assert_ne!(one, two);
}

#[tokio::test]
async fn keyed_sessions_have_their_own_progress() {
    let scenarios = BTreeMap::from([("pair".to_owned(), Scenario::new().say("one").say("two"))]);
    let server = ModelServer::start_many(scenarios).await.unwrap();
    let mut said = Vec::new();
    for key in ["a", "b", "a"] {
        let answer = post(&server.session_url("pair", key), PATH, &question(false)).await;
        said.push(answer.json()["content"][0]["text"].as_str().unwrap().to_owned());
    }
    assert_eq!(said, ["one", "one", "two"]);
    assert_eq!(server.session_requests("pair", "a").len(), 2);
    let unknown = post(&server.session_url("other", "a"), PATH, &question(false)).await;
    assert_eq!(unknown.status, 404);
    assert_eq!(post(&server.session_url("pair", "a"), "/v1/other", &json!({})).await.status, 404);
}

#[tokio::test]
async fn each_vendor_has_its_own_words_for_an_empty_account() {
    let server = ModelServer::start(Scenario::new().then(Action::NoCredit)).await.unwrap();
    let answer = ask(&server).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("credit balance is too low"), "{}", answer.body);
    let function = json!({"type": "function", "name": "shell", "function": {"name": "shell"}});
    let openai = json!({"model": "m1", "tools": [function]});
    for path in ["/v1/responses", "/v1/chat/completions"] {
        let answer = post(&server.base_url(), path, &openai).await;
        let code = answer.json()["error"]["code"].clone();
        assert_eq!((answer.status, code), (429, json!("insufficient_quota")));
    }
    let gemini = json!({"tools": [{"functionDeclarations": [{"name": "run_shell_command"}]}]});
    let answer = post(&server.base_url(), "/v1beta/models/m:generateContent", &gemini).await;
    assert_eq!((answer.status, answer.json()["error"]["status"].as_str()), (429, Some("RESOURCE_EXHAUSTED")));
}
