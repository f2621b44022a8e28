//! The tools of an assistant behind the same tokens.

use overnight_core::access::{Scope, TOKEN_BYTES, TokenKind, TokenText};
use serde_json::{Value, json};

use super::{Fixture, fixture, token};

const FORM: &str = "POST /mcp\nContent-Type: application/json\nAccept: application/json, text/event-stream\n\
                    MCP-Protocol-Version: 2025-11-25";

async fn call(f: &Fixture, token: &str, method: &str, params: Value) -> super::Said {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    f.ask(token, FORM, &body.to_string()).await
}

/// What a tool says; `Err`: that it refuses.
pub(super) async fn tool(f: &Fixture, token: &str, name: &str, arguments: Value) -> Result<Value, Value> {
    let said = call(f, token, "tools/call", json!({"name": name, "arguments": arguments})).await.json();
    let result = &said["result"];
    match result["isError"] == true || said["error"].is_object() {
        true => Err(result["structuredContent"].clone()),
        false => Ok(result["structuredContent"].clone()),
    }
}

async fn tools(f: &Fixture, token: &str) -> Vec<String> {
    let said = call(f, token, "tools/list", json!({})).await;
    assert_eq!(said.status, 200, "{said:?}");
    let listed = said.json()["result"]["tools"].as_array().unwrap().clone();
    listed.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_token_opens_the_tools_of_its_scope_and_no_others() {
    let f = fixture().await;
    let (read, operate) = (tools(&f, &f.read).await, tools(&f, &f.operate).await);
    let has = |tools: &[String], name: &str| tools.iter().any(|tool| tool == name);
    assert!(has(&read, "list_jobs") && !has(&read, "create_job") && !has(&read, "cancel_job"), "{read:?}");
    assert!(has(&operate, "create_job") && has(&operate, "cancel_job"), "{operate:?}");

    let order = json!({"name": "create_job", "arguments": {"prompt": "Fix the door", "repository": "app"}});
    let refused = call(&f, &f.read, "tools/call", order.clone()).await.json();
    assert!(refused["error"].is_object() || refused["result"]["isError"] == true, "{refused:#}");
    let made = call(&f, &f.operate, "tools/call", order).await.json();
    assert_ne!(made["result"]["isError"], json!(true), "{made:#}");
    let listed = call(&f, &f.read, "tools/call", json!({"name": "list_jobs", "arguments": {}})).await.json();
    assert!(listed.to_string().contains("Fix the door"), "{listed:#}");
}

#[tokio::test]
async fn who_has_no_token_of_a_person_stays_outside() {
    let f = fixture().await;
    let worker = token(&f.server.store, "w", Scope::Worker).await;
    let agent = TokenText::new(TokenKind::Agent, &[7; TOKEN_BYTES]).expose().to_owned();
    let unknown = TokenText::new(TokenKind::Person, &[7; TOKEN_BYTES]).expose().to_owned();
    for wrong in [worker.as_str(), &agent, &unknown, "", "ovn_", &f.read[..50]] {
        assert_eq!(call(&f, wrong, "tools/list", json!({})).await.status, 401, "{wrong}");
    }
    assert!(!tools(&f, &f.read).await.is_empty());
}
