//! A person's word on a commit, and exceptions: over the API, and through the tools of an assistant.

use overnight_core::id::EventNumber;
use overnight_core::job::{JobEvent, JobState};
use overnight_store::Store;
use serde_json::{Value, json};

use super::staged::{awaits_a_word, commit};
use super::tools::tool;
use super::{Fixture, enqueue, fixture, fixture_on_postgres, refused};

/// Who approved which commit.
async fn approvals(store: &Store, key: &str) -> Vec<(String, String)> {
    let job = store.job_find(key).await.unwrap();
    let events = store.events(&job.id, EventNumber(0), 999).await.unwrap();
    let said = |event: JobEvent| match event {
        JobEvent::Approved { by, commit, .. } => Some((by, commit.to_string())),
        _ => None,
    };
    events.into_iter().filter_map(|record| said(record.event.unwrap())).collect()
}

async fn judged(f: Fixture) {
    let store = &f.server.store;
    let job = awaits_a_word(store).await;
    enqueue(store, "another", None).await;
    let listed = f.get("/approvals").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed:#}");
    let asked = &listed["data"][0];
    assert_eq!((&asked["key"], &asked["commit"]), (&json!("app-1"), &json!(commit("b"))));
    assert_eq!(asked["inspection"]["findings"][0]["rule"], "ci-file", "{asked:#}");
    assert_eq!(f.get("/jobs/app-1/approval").await.json()["data"], *asked);
    refused(&f.get("/jobs/app-2/approval").await, 409, "no-approval-awaited");

    let yes = |commit: &str| json!({"commit": commit, "message": "Good \u{202e}"}).to_string();
    let path = "/jobs/app-1/approve";
    refused(&f.post(&f.read, path, &yes("bbbbbbb")).await, 403, "scope-too-small");
    for wrong in [
        json!({}),
        json!({"commit": "bbbbbb"}),
        json!({"commit": "HEAD~1~1"}),
        json!({"commit": "b".repeat(65)}),
        json!({"commit": "bbbbbbb", "message": "x".repeat(1 << 20)}),
        json!({"commit": "bbbbbbb", "force": true}),
    ] {
        refused(&f.post(&f.operate, path, &wrong.to_string()).await, 422, "bad-body");
    }
    let stale = f.post(&f.operate, path, &yes(&"c".repeat(40))).await;
    refused(&stale, 409, "other-commit");
    assert!(stale.json()["detail"].as_str().unwrap().contains("bbbbbbbbbb"), "{stale:?}");
    assert!(store.effects(&job.id).await.unwrap().is_empty(), "nothing goes out before");

    // Two at once: one is heard, and nothing is published twice.
    let (short, long) = (yes("bbbbbbb"), yes("BBBBBBBBBB"));
    let (one, two) = tokio::join!(f.post(&f.operate, path, &short), f.post(&f.admin, path, &long));
    let mut codes = [one.status, two.status];
    codes.sort_unstable();
    assert_eq!(codes, [200, 409]);
    refused(&f.post(&f.operate, path, &yes("bbbbbbb")).await, 409, "no-approval-awaited");
    let heard = approvals(store, "app-1").await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].0.starts_with("token ") && heard[0].1 == "b".repeat(40), "{heard:?}");
    assert_eq!(store.effects(&job.id).await.unwrap().len(), 1);
    assert_eq!(f.get("/approvals").await.json()["data"], json!([]));
    f.server.stop().await;
}

#[tokio::test]
async fn a_word_over_the_api_is_of_one_commit_and_heard_once() {
    Box::pin(judged(fixture().await)).await;
    if let Some(f) = fixture_on_postgres("a_word_over_the_api_is_of_one_commit_and_heard_once").await {
        Box::pin(judged(f)).await;
    }
}

#[tokio::test]
async fn a_no_over_the_api_goes_to_the_agent_or_ends_the_job() {
    let f = fixture().await;
    let job = awaits_a_word(&f.server.store).await;
    let no = |end: bool| json!({"commit": "bbbbbbb", "message": "No", "end": end}).to_string();
    refused(&f.post(&f.operate, "/jobs/app-1/reject", r#"{"commit":"bbbbbbb"}"#).await, 422, "bad-body");
    let blank = json!({"commit": "bbbbbbb", "message": " \n"}).to_string();
    refused(&f.post(&f.operate, "/jobs/app-1/reject", &blank).await, 422, "bad-body");
    let said = f.post(&f.operate, "/jobs/app-1/reject", &no(false)).await;
    assert_eq!((said.status, &said.json()["data"]["key"]), (200, &json!("app-1")), "{said:?}");
    assert!(matches!(f.server.store.job(&job.id).await.unwrap().state, JobState::Working { .. }));
    awaits_a_word(&f.server.store).await;
    let said = f.post(&f.operate, "/jobs/app-2/reject", &no(true)).await;
    // A worker clears away what is left of it, and then it has ended.
    assert_eq!(said.json()["data"]["state"], "cleaning", "{said:?}");
    f.server.stop().await;
}

#[tokio::test]
async fn pages_of_approvals_hold_each_job_once() {
    let f = fixture().await;
    for _ in 0..5 {
        awaits_a_word(&f.server.store).await;
    }
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = f.get(&format!("/approvals?limit=2{cursor}")).await.json();
        keys.extend(page["data"].as_array().unwrap().iter().map(|one| one["key"].clone()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(json!(keys), json!(["app-5", "app-4", "app-3", "app-2", "app-1"]));
    assert_eq!(f.get("/approvals?repository=app").await.json()["data"].as_array().unwrap().len(), 5);
    for query in ["limit=51", "limit=0", "cursor=x", "repository=nobody", "x=1"] {
        assert_eq!(f.get(&format!("/approvals?{query}")).await.status, 400, "{query}");
    }
    let (mut keys, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = tool(&f, &f.read, "list_approvals", json!({"limit": 2, "cursor": cursor})).await.unwrap();
        keys.extend(page["approvals"].as_array().unwrap().iter().map(|one| one["key"].clone()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(json!(keys), json!(["app-5", "app-4", "app-3", "app-2", "app-1"]));
    f.server.stop().await;
}

#[tokio::test]
async fn an_assistant_says_a_persons_word_on_exactly_one_commit() {
    let f = fixture().await;
    let store = &f.server.store;
    let job = awaits_a_word(store).await;
    let yes = |commit: &str| json!({"job": "app-1", "commit": commit, "message": "Good"});
    assert!(tool(&f, &f.read, "approve_job", yes("bbbbbbb")).await.is_err(), "it may only read");
    for (arguments, code) in [
        (yes("ccccccc"), "OTHER_COMMIT"),
        (yes("bbb"), "BAD_ARGUMENT"),
        (json!({"job": "app-1"}), "BAD_ARGUMENT"),
        (json!({"job": "app-9", "commit": "bbbbbbb"}), "NOT_FOUND"),
        (json!({"job": "app-1", "commit": "bbbbbbb", "message": "x".repeat(900_000)}), "BAD_ARGUMENT"),
    ] {
        assert_eq!(tool(&f, &f.operate, "approve_job", arguments).await.unwrap_err()["error"], code);
    }
    assert!(store.effects(&job.id).await.unwrap().is_empty());
    let said = tool(&f, &f.operate, "approve_job", yes("bbbbbbb")).await.unwrap();
    assert_eq!(said["commit"], json!(commit("b")));
    assert_eq!(approvals(store, "app-1").await, [("token o".to_owned(), "b".repeat(40))]);
    let twice = tool(&f, &f.operate, "approve_job", yes("bbbbbbb")).await.unwrap_err();
    assert_eq!(twice["error"], "NO_APPROVAL_AWAITED");
    awaits_a_word(store).await;
    let no = json!({"job": "app-2", "commit": "bbbbbbb", "message": "Not wanted", "end": true});
    tool(&f, &f.operate, "reject_job", no).await.unwrap();
    assert_eq!(store.job_find("app-2").await.unwrap().state.name(), "cleaning");
    f.server.stop().await;
}

async fn excepted(f: Fixture) {
    enqueue(&f.server.store, "x", None).await;
    let new = json!({"repository": "app", "rule": "ci-file", "path": ".github/", "message": "We know", "until": "2d"});
    refused(&f.post(&f.operate, "/exceptions", &new.to_string()).await, 403, "scope-too-small");
    for (field, value) in [
        ("repository", json!("nobody")),
        ("repository", json!("x".repeat(1 << 20))),
        ("rule", json!("x".repeat(1 << 20))),
        ("rule", json!("no-rule")),
        ("path", json!("/etc/passwd")),
        ("path", json!("../x")),
        ("path", json!("a\u{0}b")),
        ("until", json!("91d")),
        ("until", json!("never")),
        ("message", json!(" \u{1b}[0m ")),
        ("message", json!("x".repeat(1 << 20))),
        ("by", json!("somebody else")),
    ] {
        let mut wrong = new.clone();
        wrong[field] = value;
        refused(&f.post(&f.admin, "/exceptions", &wrong.to_string()).await, 422, "bad-body");
    }
    let head = "POST /api/v1/exceptions\nContent-Type: application/json\nIdempotency-Key: k";
    let body = new.to_string();
    let many = (0..4).map(|_| f.ask(&f.admin, head, &body));
    for said in futures_util::future::join_all(many).await {
        assert_eq!(said.status, 201, "{said:?}");
    }
    let listed = f.get("/exceptions").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed:#}");
    let made = &listed["data"][0];
    assert_eq!((&made["rule"], &made["by"]), (&json!("ci-file"), &json!("token a")));
    assert_eq!(made["until_ms"].as_i64().unwrap() - made["made_at_ms"].as_i64().unwrap(), 2 * 86_400_000);
    let id = made["id"].as_str().unwrap();
    refused(&f.ask(&f.operate, &format!("DELETE /api/v1/exceptions/{id}"), "").await, 403, "scope-too-small");
    assert_eq!(
        f.ask(&f.admin, &format!("DELETE /api/v1/exceptions/{id}"), "").await.json()["data"]["id"],
        id
    );
    for gone in [id, "nobody", "%00", "%e2%80%ae"] {
        let said = f.ask(&f.admin, &format!("DELETE /api/v1/exceptions/{gone}"), "").await;
        refused(&said, 404, "unknown-exception");
    }
    assert_eq!(f.get("/exceptions").await.json()["data"], json!([]));
    assert_eq!(f.get("/exceptions?all=true").await.json()["data"].as_array().unwrap().len(), 1);
    refused(&f.get("/exceptions?cursor=1.%00").await, 400, "bad-cursor");

    assert!(tool(&f, &f.operate, "add_exception", new.clone()).await.is_err(), "it may only operate");
    let mut named = new.clone();
    named["request"] = json!("r");
    let made = tool(&f, &f.admin, "add_exception", named.clone()).await.unwrap();
    assert_eq!(tool(&f, &f.admin, "add_exception", named.clone()).await.unwrap(), made);
    named["rule"] = json!("secret");
    let other = tool(&f, &f.admin, "add_exception", named).await.unwrap_err();
    assert_eq!(other["error"], "REQUEST_REUSED", "{other:#}");
    let id = made["exception"]["id"].clone();
    assert_eq!(tool(&f, &f.read, "list_exceptions", json!({})).await.unwrap()["exceptions"][0]["id"], id);
    tool(&f, &f.admin, "end_exception", json!({"id": id})).await.unwrap();
    for gone in [id, json!("\u{0}")] {
        let said = tool(&f, &f.admin, "end_exception", json!({"id": gone})).await.unwrap_err();
        assert_eq!(said["error"], "NOT_FOUND");
    }
    f.server.stop().await;
}

#[tokio::test]
async fn an_exception_needs_an_admin_ends_and_is_made_once() {
    excepted(fixture().await).await;
    if let Some(f) = fixture_on_postgres("an_exception_needs_an_admin_ends_and_is_made_once").await {
        excepted(f).await;
    }
}
