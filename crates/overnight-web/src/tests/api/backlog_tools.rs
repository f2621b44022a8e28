//! The tools of an assistant about the backlog, over HTTP.

use serde_json::{Value, json};

use super::{Fixture, fixture};

const FORM: &str = "POST /mcp\nContent-Type: application/json\nAccept: application/json, text/event-stream\n\
                    MCP-Protocol-Version: 2025-11-25";

async fn call(f: &Fixture, token: &str, name: &str, arguments: Value) -> Value {
    let params = json!({ "name": name, "arguments": arguments });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let said = f.ask(token, FORM, &body.to_string()).await;
    assert_eq!(said.status, 200, "{said:?}");
    said.json()["result"]["structuredContent"].clone()
}

#[tokio::test]
async fn an_assistant_keeps_the_backlog() {
    let f = fixture().await;
    super::backlog::fill(&f).await;
    let token = f.operate.clone();
    let call = |name: &'static str, arguments: Value| call(&f, &token, name, arguments);
    let plan =
        "epic: {title: Planned}\nstories: [{title: s, tasks: [{title: t, id: t}, {title: u, after: [t]}]}]";
    let bad = call("import_plan", json!({ "repository": "app", "plan": "epic:\n  tilte: x\n" })).await;
    assert_eq!(bad["error"], "PLAN_REFUSED");
    assert!(bad["message"].as_str().unwrap().contains("line 2"), "{bad:#}");
    let import = json!({ "repository": "app", "plan": plan, "request": "p" });
    let made = call("import_plan", import.clone()).await;
    assert_eq!(
        (&made["epic"], &made["tasks"], &made["new"]),
        (&json!("app-5"), &json!(2), &json!(true)),
        "{made:#}"
    );
    assert_eq!(call("import_plan", import).await["new"], false);
    let text = call("get_item", json!({ "item": "app-5", "as_plan": true })).await;
    assert!(text["plan"].as_str().unwrap().contains("Planned"), "{text:#}");

    let listed = call("list_items", json!({ "of": "app-5", "kind": "task", "limit": 1 })).await;
    assert_eq!((&listed["items"][0]["key"], &listed["items"][0]["state"]), (&json!("app-7"), &json!("todo")));
    let more = json!({ "of": "app-5", "kind": "task", "cursor": listed["next_cursor"] });
    let rest = call("list_items", more).await;
    assert_eq!(
        (&rest["items"][0]["after"], &rest["next_cursor"]),
        (&json!(["app-7"]), &Value::Null),
        "{rest:#}"
    );

    let task = json!({ "kind": "task", "title": "Mine", "parent": "app-6", "body": { "plan": "Change `a`." }, "request": "t" });
    let made = call("create_item", task.clone()).await;
    let key = made["item"]["key"].as_str().unwrap().to_owned();
    assert_eq!((&call("create_item", task).await["item"]["key"], &made["new"]), (&json!(key), &json!(true)));
    let change = json!({ "item": key, "version": 1, "body": { "plan": null, "acceptance": ["it works"] } });
    let changed = call("update_item", change.clone()).await;
    assert_eq!(
        (&changed["item"]["body"]["plan"], &changed["item"]["version"]),
        (&Value::Null, &json!(2)),
        "{changed:#}"
    );
    assert_eq!(call("update_item", change).await["error"], "CHANGED");
    assert_eq!(call("mark_item", json!({ "item": key, "mark": "excluded" })).await["state"], "excluded");

    let start = json!({ "items": ["app-7"], "request": "s" });
    let started = call("start_items", start.clone()).await;
    assert_eq!(
        (&started["jobs"][0]["job"], &started["jobs"][0]["task"]),
        (&json!("app-7"), &json!("app-7")),
        "{started:#}"
    );
    assert_eq!(
        call("start_items", start).await["jobs"],
        json!([{ "job": "app-7", "task": "app-7", "new": false }])
    );
    assert_eq!(call("mark_item", json!({ "item": "app-7", "mark": "done" })).await["error"], "BUSY");
    let shown = call("get_item", json!({ "item": "app-7" })).await;
    assert_eq!(
        (&shown["state"], &shown["runs"][0]["job"]),
        (&json!("in_progress"), &json!("app-7")),
        "{shown:#}"
    );
    f.server.stop().await;
}

#[tokio::test]
async fn what_a_tool_is_given_that_cannot_be_is_told_and_changes_nothing() {
    let f = fixture().await;
    super::backlog::fill(&f).await;
    let before = f.get("/items").await.json();
    for (name, arguments, code) in [
        ("create_item", json!({ "kind": "task", "title": "a\u{202e}b", "repository": "app" }), "REFUSED"),
        (
            "create_item",
            json!({ "kind": "task", "title": "x".repeat(500_000), "repository": "app" }),
            "REFUSED",
        ),
        (
            "create_item",
            json!({ "kind": "task", "title": "x", "repository": "app", "body": 7 }),
            "BAD_ARGUMENT",
        ),
        (
            "create_item",
            json!({ "kind": "task", "title": "x", "repository": "app", "request": "\n" }),
            "REFUSED",
        ),
        ("create_item", json!({ "kind": "task", "title": "x" }), "REFUSED"),
        ("update_item", json!({ "item": "app-99", "title": "x" }), "NOT_FOUND"),
        ("update_item", json!({ "item": "app-3", "body": { "goal": "x" } }), "REFUSED"),
        ("get_item", json!({ "item": "app-33" }), "NOT_FOUND"),
        ("get_item", json!({ "item": "app-3", "as_plan": true }), "REFUSED"),
        ("mark_item", json!({ "item": "app-3", "mark": "finished" }), "REFUSED"),
        ("start_items", json!({ "items": ["app-99"] }), "ORDER_REFUSED"),
        ("list_items", json!({ "cursor": "7" }), "BAD_ARGUMENT"),
        ("list_items", json!({ "repository": "nowhere" }), "REFUSED"),
    ] {
        let said = call(&f, &f.operate, name, arguments).await;
        assert_eq!(said["error"], code, "{name}: {said:#}");
        assert!(said["message"].as_str().unwrap().len() < 600, "{name}");
    }
    for name in ["create_item", "update_item", "mark_item", "start_items", "import_plan"] {
        let params = json!({ "name": name, "arguments": { "item": "app-3", "mark": "done" } });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let said = f.ask(&f.read, FORM, &body.to_string()).await.json();
        assert!(said["error"].is_object(), "{name}: {said:#}");
    }
    assert_eq!(f.get("/items").await.json(), before);
    f.server.stop().await;
}
