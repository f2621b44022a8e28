//! What is answered, held to the description of the API; and what is done once, however often it is asked.

use overnight_core::job::{EndReason, JobEvent};
use overnight_store::{CancelRequest, ErrorClass};
use serde_json::{Value, json};

use super::{Fixture, enqueue, fixture, fixture_on_postgres, refused, staged};
use crate::api::openapi;

/// The part of JSON Schema that the description uses.
fn check(schema: &Value, value: &Value, at: &str, whole: &Value) {
    if let Some(name) = schema["$ref"].as_str() {
        let found =
            whole.pointer(name.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{name} is not there"));
        return check(found, value, at, whole);
    }
    let fits = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{at}: {other} is no type"),
    };
    match &schema["type"] {
        Value::String(kind) => assert!(fits(kind), "{at}: {value} is not {kind}"),
        Value::Array(kinds) => {
            assert!(kinds.iter().any(|kind| fits(kind.as_str().unwrap())), "{at}: {value} is not {kinds:?}");
        }
        _ => panic!("{at}: {schema} has no type"),
    }
    if let Some(wanted) = schema.get("const") {
        assert_eq!(value, wanted, "{at}");
    }
    if let Some(some) = schema["enum"].as_array() {
        assert!(some.contains(value), "{at}: {value} is not one of {some:?}");
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{at}: {name} is missing in {value}");
    }
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            check(of, value, &format!("{at}.{name}"), whole);
        }
    }
    if let (Some(of), Some(items)) = (schema.get("items"), value.as_array()) {
        items.iter().enumerate().for_each(|(n, item)| check(of, item, &format!("{at}[{n}]"), whole));
    }
}

/// Every operation once as it should be, and once without anything that is there.
#[tokio::test]
async fn each_operation_answers_as_described() {
    let f = fixture().await;
    let whole = openapi();
    let store = &f.server.store;
    for prompt in ["one", "two", "three"] {
        enqueue(store, prompt, None).await;
    }
    let ended = store.job_find("app-3").await.unwrap();
    let by = overnight_core::job::CancelledBy::Command;
    assert_eq!(store.cancel_request(&ended.id, by).await.unwrap(), CancelRequest::Ended);
    super::backlog::fill(&f).await;
    staged::awaits_a_word(store).await;
    staged::awaits_a_word(store).await;
    staged::asks(store, 2).await;
    let mut count = 0;
    for (path, operations) in whole["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["responses"]["200"]["content"].get("text/event-stream").is_some() {
                continue;
            }
            count += 1;
            let key = match operation["operationId"].as_str().unwrap() {
                "retryJob" => "app-3",
                "cancelJob" => "app-2",
                "showItem" | "editItem" | "markItem" | "exportEpic" => "app-4",
                "removeItem" => "app-7",
                "showApproval" | "rejectJob" => "app-8",
                "approveJob" => "app-9",
                _ => "app-1",
            };
            let query = if operation["operationId"] == "removeLimit" { "?key=label:gpu" } else { "" };
            let question = if operation["operationId"] == "takeBackQuestion" { 2 } else { 1 };
            let question = format!("app-10%2Fq{question}");
            let path = path.replace("{key}", key).replace("{question}", &question).replace("{name}", "app");
            let path = path.replace("{id}", "nobody") + query;
            let body = match operation["operationId"].as_str().unwrap() {
                "placeJob" => "{\"repository\":\"app\",\"prompt\":\"x\"}",
                "addRepository" => "{\"remote\":\"/src/other\",\"settings\":{\"draft\":true}}",
                "editRepository" => "{\"strategy\":\"story\"}",
                "addItem" => "{\"repository\":\"app\",\"kind\":\"task\",\"title\":\"x\"}",
                "editItem" => "{\"title\":\"y\"}",
                "markItem" => "{\"mark\":\"blocked\"}",
                "startItems" => "{\"items\":[\"app-6\"]}",
                "importPlan" => "{\"repository\":\"app\",\"plan\":\"epic: {title: x}\"}",
                "answerQuestion" => "{\"option\":1}",
                "sendMessage" => "{\"text\":\"x\"}",
                "approveJob" => "{\"commit\":\"bbbbbbb\"}",
                "rejectJob" => "{\"commit\":\"bbbbbbb\",\"message\":\"No\",\"end\":true}",
                "addException" => "{\"repository\":\"app\",\"rule\":\"ci-file\",\"message\":\"x\"}",
                "setLimit" => "{\"key\":\"label:gpu\",\"slots\":3}",
                _ => "{}",
            };
            let body = if operation.get("requestBody").is_some() { body } else { "" };
            let method = method.to_uppercase();
            let said =
                f.ask(&f.admin, &format!("{method} {path}\nContent-Type: application/json"), body).await;
            let described = &operation["responses"][said.status.to_string()];
            assert!(!described.is_null(), "{method} {path}: {said:?}");
            let kind = said.header("content-type").unwrap();
            let schema = &described["content"][kind]["schema"];
            assert!(!schema.is_null(), "{method} {path}: {said:?}");
            check(schema, &said.json(), &path, &whole);
            // Nobody is there to be drained, no exception to be ended, and the repository is in use.
            let refused = ["drainWorker", "endException", "removeRepository"];
            let good = said.status < 300 || refused.contains(&operation["operationId"].as_str().unwrap());
            assert!(good, "{method} {path}: {said:?}");
        }
    }
    assert_eq!(count, 45);
    f.server.stop().await;
}

#[test]
fn the_description_refers_to_nothing_that_is_not_there() {
    fn walk(value: &Value, whole: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    assert!(whole.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to}");
                }
                fields.values().for_each(|field| walk(field, whole));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, whole)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let whole = openapi();
    walk(&whole, &whole);
    assert_eq!(whole["openapi"], "3.1.0");
    let mut ids: Vec<&str> = Vec::new();
    for (path, operations) in whole["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            ids.push(operation["operationId"].as_str().unwrap());
            let named = |name: &str| {
                operation["parameters"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|one| one["name"] == name && one["in"] == "path")
            };
            for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(named(part), "{path}: {part}");
            }
        }
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands twice");
}

#[tokio::test]
async fn pages_hold_every_job_once() {
    let f = fixture().await;
    for number in 0..23 {
        enqueue(&f.server.store, &number.to_string(), None).await;
    }
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = f.get(&format!("/jobs?limit=5{cursor}")).await.json();
        let some = page["data"].as_array().unwrap();
        assert!(some.len() == 5 || page["next"].is_null());
        keys.extend(some.iter().map(|job| job["key"].as_str().unwrap().to_owned()));
        // What comes meanwhile is newer, and does not move what is older.
        enqueue(&f.server.store, "later", None).await;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let wanted: Vec<String> = (1..=23).rev().map(|number| format!("app-{number}")).collect();
    assert_eq!(keys, wanted);
    assert_eq!(f.get("/jobs?state=queued,parked&ended=false&repository=app&limit=500").await.status, 200);
    let events = f.get("/jobs/app-1/events?limit=1").await.json();
    assert_eq!((&events["data"][0]["number"], &events["next"]), (&1.into(), &Value::Null));
    f.server.stop().await;
}

#[tokio::test]
async fn a_tag_says_whether_a_job_has_changed() {
    let f = fixture().await;
    let job = enqueue(&f.server.store, "x", None).await;
    let first = f.get("/jobs/app-1").await;
    let tag = first.header("etag").unwrap().to_owned();
    for field in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let again = f.ask(&f.read, &format!("GET /api/v1/jobs/app-1\nIf-None-Match: {field}"), "").await;
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag.as_str())));
    }
    f.server.store.cancel_request(&job.id, overnight_core::job::CancelledBy::Command).await.unwrap();
    let later = f.ask(&f.read, &format!("GET /api/v1/jobs/app-1\nIf-None-Match: {tag}"), "").await;
    assert_eq!(later.status, 200);
    assert_ne!(later.header("etag"), Some(tag.as_str()));
    f.server.stop().await;
}

async fn asked_twice(f: Fixture) {
    let place = async |key: &str, token: &str, prompt: &str| {
        let head = format!("POST /api/v1/jobs\nContent-Type: application/json\nIdempotency-Key: {key}");
        f.ask(token, &head, &json!({ "prompt": prompt }).to_string()).await
    };
    let first = place("k-1", &f.operate, "x").await;
    assert_eq!((first.status, first.header("location")), (201, Some("/api/v1/jobs/app-1")), "{first:?}");
    let again = place("k-1", &f.operate, "x").await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body);
    refused(&place("k-1", &f.operate, "y").await, 409, "request-reused");
    assert_eq!(place("k-1", &f.admin, "x").await.status, 201, "another's key is another key");
    refused(&place("", &f.operate, "x").await, 400, "bad-idempotency-key");
    refused(&place(&"k".repeat(201), &f.operate, "x").await, 400, "bad-idempotency-key");
    // Many at once, none of which has an answer to look at yet, are one job.
    let many = (0..8).map(|_| place("k-2", &f.operate, "z"));
    for said in futures_util::future::join_all(many).await {
        assert!(matches!(said.status, 200 | 201), "{said:?}");
        assert_eq!(said.json()["data"]["job"]["key"], "app-3");
    }
    assert_eq!(f.get("/jobs").await.json()["data"].as_array().unwrap().len(), 3);
    f.server.stop().await;
}

#[tokio::test]
async fn a_request_that_comes_again_does_nothing_again() {
    asked_twice(fixture().await).await;
    if let Some(f) = fixture_on_postgres("a_request_that_comes_again_does_nothing_again").await {
        asked_twice(f).await;
    }
}

#[tokio::test]
async fn what_cannot_be_asked_of_a_job_now_is_a_conflict() {
    let f = fixture().await;
    let job = enqueue(&f.server.store, "x", None).await;
    refused(&f.post(&f.operate, "/jobs/app-1/retry", "{}").await, 409, "job-not-ended");
    assert_eq!(f.post(&f.operate, "/jobs/app-1/resume", "{}").await.status, 200);
    assert_eq!(f.post(&f.operate, "/jobs/app-1/cancel", "{}").await.json()["data"]["state"], "ended");
    refused(&f.post(&f.operate, "/jobs/app-1/cancel", "{}").await, 409, "job-ended");
    refused(&f.post(&f.operate, "/jobs/app-1/resume", "{}").await, 409, "job-ended");
    refused(&f.post(&f.operate, "/jobs/app-1/cancel", "{\"x\":1}").await, 422, "bad-body");
    refused(&f.post(&f.operate, "/jobs/app-9/cancel", "{}").await, 404, "unknown-job");
    let events = f.server.store.events(&job.id, overnight_core::id::EventNumber(0), 9).await.unwrap();
    let last = events.last().and_then(|record| record.event.as_ref().ok());
    assert!(matches!(last, Some(JobEvent::Ended { end }) if end.reason == EndReason::Cancelled), "{last:?}");
    let wrong = f.ask(&f.read, "PATCH /api/v1/jobs", "").await;
    refused(&wrong, 405, "method-not-allowed");
    assert_eq!(wrong.header("allow"), Some("get,head,post"), "{wrong:?}");
    f.server.store.close().await;
    let lost = f.get("/jobs").await;
    refused(&lost, 503, "store-failed");
    assert!(!lost.body.contains("overnight.db"), "{lost:?}");
    assert_ne!(ErrorClass::Io, ErrorClass::Bug);
    f.server.stop().await;
}
