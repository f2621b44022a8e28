//! The door of agents: each token opens its own desk, as long as its turn runs.

use std::sync::{Arc, Mutex};

use overnight_core::desk::{Ask, Refusal, Told, Word};
use serde_json::{Value, json};

use super::{ask, call, modern};
use crate::mcp::{AgentDoor, Answer, Desk, Opened};

/// Remembers what it was told; refuses on demand.
#[derive(Default)]
struct Notebook {
    heard: Mutex<Vec<Ask>>,
    refusal: Option<Refusal>,
}

impl Desk for Notebook {
    fn ask(&self, ask: Ask) -> Answer<'_, Result<Told, Refusal>> {
        self.heard.lock().unwrap().push(ask);
        let told = self.refusal.clone().map_or(Ok(Told::Noted { recorded: true, left: 9 }), Err);
        Box::pin(std::future::ready(told))
    }
}

async fn say(opened: &Opened, token: &str, name: &str, arguments: &Value) -> (Value, bool) {
    call(address(opened), token, name, arguments).await
}

fn address(opened: &Opened) -> std::net::SocketAddr {
    opened.url.strip_prefix("http://").unwrap().strip_suffix("/mcp").unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_token_reaches_its_own_job_and_no_other() {
    let door = AgentDoor::default();
    let (one, other) = (Arc::new(Notebook::default()), Arc::new(Notebook::default()));
    let first = door.open(one.clone()).await.unwrap();
    let second = door.open(other.clone()).await.unwrap();
    assert_eq!(first.url, second.url);
    assert!(address(&first).ip().is_loopback());
    assert_ne!(first.token.expose(), second.token.expose());
    assert!(first.token.expose().starts_with("ova_") && first.token.expose().len() == 53);
    let (said, is_error) = say(&first, first.token.expose(), "log", &json!({"text": "half-way"})).await;
    assert_eq!((said, is_error), (json!({"recorded": true, "left": 9}), false));
    let heard = one.heard.lock().unwrap().clone();
    assert_eq!(heard, [Ask::Say(Word::Note { text: "half-way".to_owned() })]);
    assert!(other.heard.lock().unwrap().is_empty());
    assert!(!format!("{first:?}{door:?}").contains(first.token.expose()));
}

#[tokio::test]
async fn a_token_dies_with_its_turn_and_a_guessed_one_never_lived() {
    let door = AgentDoor::default();
    let opened = door.open(Arc::new(Notebook::default())).await.unwrap();
    let (token, address) = (opened.token.expose().to_owned(), address(&opened));
    let listing = modern(1, "tools/list", json!({}));
    assert_eq!(ask(address, &token, &listing).await.status, 200);
    let mut near = token.clone();
    near.pop();
    for wrong in [near.as_str(), "ova_", &format!("{token}0"), &token.to_uppercase()] {
        assert_eq!(ask(address, wrong, &listing).await.status, 401, "{wrong}");
    }
    drop(opened);
    assert_eq!(ask(address, &token, &listing).await.status, 401);
    let again = door.open(Arc::new(Notebook::default())).await.unwrap();
    assert_eq!(ask(address, &token, &listing).await.status, 401);
    assert_eq!(ask(address, again.token.expose(), &listing).await.status, 200);
}

#[tokio::test]
async fn an_agent_has_its_own_tools_and_none_of_a_persons() {
    let door = AgentDoor::default();
    let opened = door.open(Arc::new(Notebook::default())).await.unwrap();
    let listed =
        ask(address(&opened), opened.token.expose(), &modern(1, "tools/list", json!({}))).await.json();
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "get_context",
            "report_status",
            "log",
            "verify_against_plan",
            "ask_question",
            "read_inbox",
            "acknowledge"
        ]
    );
    let foreign = modern(1, "tools/call", json!({"name": "cancel_job", "arguments": {"job": "app-1"}}));
    let reply = ask(address(&opened), opened.token.expose(), &foreign).await;
    assert_eq!(reply.json()["error"]["code"], -32_602);
}

#[tokio::test]
async fn a_refusal_says_what_to_do_now() {
    let door = AgentDoor::default();
    for (refusal, code, next) in [
        (Some(Refusal::HeldElsewhere), "LEASE_LOST", json!("stop_now")),
        (Some(Refusal::Cancelled), "JOB_CANCELLED", json!("cancelled_stop_now")),
        (Some(Refusal::Busy), "BUSY", Value::Null),
        (Some(Refusal::TurnOver), "TURN_OVER", json!("stop_now")),
    ] {
        let opened = door.open(Arc::new(Notebook { refusal, ..Notebook::default() })).await.unwrap();
        let (said, is_error) =
            say(&opened, opened.token.expose(), "report_status", &json!({"status": "done"})).await;
        assert!(is_error, "{said}");
        assert_eq!((said["error"].as_str(), said["next_action"].clone()), (Some(code), next), "{said}");
    }
}

#[tokio::test]
async fn what_is_too_long_or_unknown_never_reaches_the_desk() {
    let door = AgentDoor::default();
    let desk = Arc::new(Notebook::default());
    let opened = door.open(desk.clone()).await.unwrap();
    for (name, arguments) in [
        ("report_status", json!({"status": "finished"})),
        ("report_status", json!({"status": "done", "summary": "x".repeat(4_001)})),
        ("report_status", json!({"status": "skipped"})),
        ("report_status", json!({"status": "done", "job_id": "another"})),
        ("log", json!({"text": "x".repeat(2_001)})),
        ("log", json!({"text": " "})),
        ("log", json!({"text": ["a"]})),
        ("get_context", json!({"job": "app-2"})),
    ] {
        let (said, is_error) = say(&opened, opened.token.expose(), name, &arguments).await;
        assert!(is_error && said["error"] == "BAD_ARGUMENT", "{name}: {said}");
    }
    assert!(desk.heard.lock().unwrap().is_empty());
}
