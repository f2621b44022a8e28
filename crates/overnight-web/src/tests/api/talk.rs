//! Questions, messages and logs over the API, and the same through the tools of an assistant.

use overnight_core::job::{CancelledBy, JobState};
use serde_json::{Value, json};

use super::staged::asks;
use super::tools::tool;
use super::{Fixture, enqueue, fixture, fixture_on_postgres, refused};

async fn answered(f: Fixture) {
    let store = &f.server.store;
    let job = asks(store, 1).await;
    let listed = f.get("/questions").await.json();
    let question = &listed["data"][0];
    assert_eq!(
        (&question["name"], &question["state"], &question["options"]),
        (&json!("app-1/q1"), &json!("open"), &json!(["left", "right"])),
        "{listed:#}"
    );
    let id = question["id"].as_str().unwrap().to_owned();
    for name in ["app-1", "app-1%2Fq1", "APP-1%2FQ1", &id, job.id.as_str()] {
        assert_eq!(f.get(&format!("/questions/{name}")).await.json()["data"]["id"], id, "{name}");
    }
    let path = "/questions/app-1/answer";
    refused(&f.post(&f.read, path, r#"{"option":2}"#).await, 403, "scope-too-small");
    for wrong in [
        json!({}),
        json!({"text": "a", "option": 1}),
        json!({"option": 0}),
        json!({"option": 3}),
        json!({"option": -1}),
        json!({"text": " \n\u{1b}[0m"}),
        json!({"text": "x".repeat(1 << 20)}),
        json!({"text": 7}),
        json!({"words": "x"}),
    ] {
        refused(&f.post(&f.operate, path, &wrong.to_string()).await, 422, "bad-body");
    }
    assert!(matches!(store.job(&job.id).await.unwrap().state, JobState::Parked { .. }));

    // With an idempotency key the answer is given again; without it the second one is told who was first.
    let head = format!("POST /api/v1{path}\nContent-Type: application/json\nIdempotency-Key: k");
    let body = json!({"text": "the left\u{202e} one\u{0}"}).to_string();
    let first = f.ask(&f.operate, &head, &body).await;
    assert_eq!((first.status, &first.json()["data"]["state"]), (200, &json!("answered")), "{first:?}");
    assert_eq!(first.json()["data"]["answer"]["text"], "the left\\u{202e} one\\x00");
    let again = f.ask(&f.operate, &head, &body).await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), (Some("true"), &first.body));
    refused(&f.ask(&f.operate, &head, r#"{"option":1}"#).await, 409, "request-reused");
    let named = format!("/questions/{id}/answer");
    let late = f.post(&f.operate, &named, r#"{"option":1}"#).await;
    refused(&late, 409, "question-settled");
    assert!(late.json()["detail"].as_str().unwrap().contains("the left"), "{late:?}");
    refused(&f.post(&f.operate, &format!("/questions/{id}/take-back"), "{}").await, 409, "question-settled");
    refused(&f.get("/questions/app-1").await, 404, "unknown-question");
    assert!(matches!(store.job(&job.id).await.unwrap().state, JobState::Working { .. }), "it goes on");
    f.server.stop().await;
}

#[tokio::test]
async fn an_answer_over_the_api_lets_the_job_go_on_and_comes_once() {
    Box::pin(answered(fixture().await)).await;
    if let Some(f) = fixture_on_postgres("an_answer_over_the_api_lets_the_job_go_on_and_comes_once").await {
        Box::pin(answered(f)).await;
    }
}

#[tokio::test]
async fn questions_come_in_pages_and_one_of_several_has_to_be_named() {
    let f = fixture().await;
    asks(&f.server.store, 3).await;
    asks(&f.server.store, 2).await;
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = f.get(&format!("/questions?limit=2{cursor}")).await.json();
        names.extend(page["data"].as_array().unwrap().iter().map(|one| one["name"].clone()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    names.sort_by_key(Value::to_string);
    assert_eq!(json!(names), json!(["app-1/q1", "app-1/q2", "app-1/q3", "app-2/q1", "app-2/q2"]));
    assert_eq!(f.get("/questions?job=app-2").await.json()["data"].as_array().unwrap().len(), 2);
    let several = f.post(&f.operate, "/questions/app-2/answer", r#"{"option":1}"#).await;
    refused(&several, 409, "several-questions");
    assert!(several.json()["hint"].as_str().unwrap().contains("app-2/q1"), "{several:?}");
    assert_eq!(
        f.post(&f.operate, "/questions/app-2%2Fq1/take-back", "{}").await.json()["data"]["state"],
        "cancelled"
    );
    assert_eq!(f.post(&f.operate, "/questions/app-2/answer", r#"{"option":1}"#).await.status, 200);
    assert_eq!(f.get("/questions?all=true").await.json()["data"].as_array().unwrap().len(), 5);
    for (path, code) in [
        ("/questions/app-9", "unknown-job"),
        ("/questions/app-1%2Fq9", "unknown-question"),
        ("/questions/%00%2Fq1", "unknown-question"),
        ("/questions/%e2%80%ae%2Fq99999999999999999999", "unknown-question"),
    ] {
        refused(&f.get(path).await, 404, code);
    }
    for query in ["cursor=x", "cursor=1.%00", "limit=0", "all=2", "x=1"] {
        assert_eq!(f.get(&format!("/questions?{query}")).await.status, 400, "{query}");
    }
    f.server.stop().await;
}

async fn told(f: Fixture) {
    enqueue(&f.server.store, "x", None).await;
    let path = "/jobs/app-1/messages";
    refused(&f.post(&f.read, path, r#"{"text":"x"}"#).await, 403, "scope-too-small");
    let huge = json!({ "text": "x".repeat(1 << 20) }).to_string();
    refused(&f.post(&f.operate, path, &huge).await, 422, "bad-body");
    let head = format!("POST /api/v1{path}\nContent-Type: application/json\nIdempotency-Key: k");
    let body = json!({"text": "Use tabs \u{202e}\u{1b}[2J"}).to_string();
    // At once and again: one message.
    let many = (0..6).map(|_| f.ask(&f.operate, &head, &body));
    for said in futures_util::future::join_all(many).await {
        assert_eq!((said.status, &said.json()["data"]["number"]), (201, &json!(1)), "{said:?}");
    }
    assert_eq!(f.post(&f.operate, path, &body).await.json()["data"]["number"], 2);
    let listed = f.get(path).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "{listed:#}");
    let first = &listed["data"][0];
    assert_eq!(
        (&first["text"], &first["from"]["kind"], &first["delivered"], &first["acknowledged_at_ms"]),
        (&json!("Use tabs \\u{202e}\\x1b[2J"), &json!("operator"), &Value::Null, &Value::Null)
    );
    let job = f.server.store.job_find("app-1").await.unwrap();
    f.server.store.cancel_request(&job.id, CancelledBy::Command).await.unwrap();
    refused(&f.post(&f.operate, path, &body).await, 409, "job-ended");
    f.server.stop().await;
}

#[tokio::test]
async fn a_message_over_the_api_is_sent_once_and_its_fate_is_told() {
    told(fixture().await).await;
    if let Some(f) = fixture_on_postgres("a_message_over_the_api_is_sent_once_and_its_fate_is_told").await {
        told(f).await;
    }
}

#[tokio::test]
async fn a_log_comes_in_pages_with_a_place_to_go_on_from() {
    let f = fixture().await;
    enqueue(&f.server.store, "x", None).await;
    let (mut lines, mut cursor) = (Vec::new(), String::new());
    let last = loop {
        let page = f.get(&format!("/jobs/app-1/log?limit=4{cursor}")).await.json();
        lines.extend(page["data"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break page,
        }
    };
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[4], json!({"part": "turn", "turn": 2, "text": "turn-2.2"}));
    assert_eq!((&last["at"], &last["kept"]), (&json!("turn-3.3"), &json!(true)));
    let nothing_new = f.get("/jobs/app-1/log?cursor=turn-3.3").await.json();
    assert_eq!((&nothing_new["data"], &nothing_new["at"]), (&json!([]), &json!("turn-3.3")));
    assert_eq!(f.get("/jobs/app-1/log?turn=2").await.json()["data"].as_array().unwrap().len(), 3);
    for query in ["turn=9", "turn=0x", "part=x", "part=checks&turn=1", "limit=501", "x=1"] {
        refused(&f.get(&format!("/jobs/app-1/log?{query}")).await, 400, "bad-query");
    }
    refused(&f.get("/jobs/app-1/log?cursor=../../etc").await, 400, "bad-cursor");
    refused(&f.get("/jobs/app-7/log").await, 404, "unknown-job");
    let said = tool(&f, &f.read, "job_log", json!({"job": "app-1", "limit": 4})).await.unwrap();
    assert_eq!((&said["next_cursor"], &said["lines"][3]["text"]), (&json!("turn-2.1"), &json!("turn-2.1")));
    let wrong = tool(&f, &f.read, "job_log", json!({"job": "app-1", "cursor": "x"})).await.unwrap_err();
    assert_eq!(wrong["error"], "BAD_ARGUMENT");
    f.server.stop().await;
}

#[tokio::test]
async fn an_assistant_answers_tells_and_orders_again() {
    let f = fixture().await;
    let job = asks(&f.server.store, 1).await;
    let listed = tool(&f, &f.read, "list_questions", json!({"job": "app-1"})).await.unwrap();
    assert_eq!(listed["questions"][0]["name"], "app-1/q1", "{listed:#}");
    let answer = json!({"question": "app-1", "option": 2});
    assert!(tool(&f, &f.read, "answer_question", answer.clone()).await.is_err(), "it may only read");
    for wrong in [
        json!({"question": "app-1"}),
        json!({"question": "app-1", "text": "a", "option": 1}),
        json!({"question": "app-1", "text": "a", "take_back": true}),
        json!({"question": "app-1", "text": "\u{202e}".repeat(4_000)}),
        json!({"question": "app-1", "text": "x".repeat(500_000)}),
    ] {
        let said = tool(&f, &f.operate, "answer_question", wrong).await.unwrap_err();
        assert_eq!(said["error"], "BAD_ARGUMENT", "{said:#}");
    }
    let unknown = json!({"question": "x".repeat(800_000), "option": 1});
    assert_eq!(tool(&f, &f.operate, "answer_question", unknown).await.unwrap_err()["error"], "NOT_FOUND");
    let said = tool(&f, &f.operate, "answer_question", answer.clone()).await.unwrap();
    assert_eq!(said["question"]["answer"]["text"], "right");
    let id = said["question"]["id"].clone();
    let late =
        tool(&f, &f.operate, "answer_question", json!({"question": id, "option": 1})).await.unwrap_err();
    assert_eq!(late["error"], "QUESTION_SETTLED", "{late:#}");
    assert!(matches!(f.server.store.job(&job.id).await.unwrap().state, JobState::Working { .. }));

    let tell = json!({"job": "app-1", "text": "Use tabs", "request": "r"});
    for _ in 0..2 {
        let sent = tool(&f, &f.operate, "send_message", tell.clone()).await.unwrap();
        assert_eq!(sent["message"]["number"], 1, "{sent:#}");
    }
    let other = json!({"job": "app-1", "text": "Use blanks", "request": "r"});
    assert_eq!(tool(&f, &f.operate, "send_message", other).await.unwrap_err()["error"], "REQUEST_REUSED");
    let inbox = tool(&f, &f.read, "list_messages", json!({"job": "app-1"})).await.unwrap();
    assert_eq!(inbox["messages"].as_array().unwrap().len(), 1, "{inbox:#}");

    let again = json!({"job": "app-1", "request": "r"});
    assert_eq!(tool(&f, &f.operate, "retry_job", again.clone()).await.unwrap_err()["error"], "NOT_ENDED");
    enqueue(&f.server.store, "y", None).await;
    tool(&f, &f.operate, "cancel_job", json!({"job": "app-2"})).await.unwrap();
    let placed = tool(&f, &f.operate, "retry_job", json!({"job": "app-2"})).await.unwrap();
    assert_eq!((&placed["job"], &placed["new"]), (&json!("app-3"), &json!(true)));
    f.server.stop().await;
}
