//! The backlog through the API: what is made once, refused, and kept apart from what somebody else changed.

use overnight_core::job::TaskOrder;
use overnight_core::policy::alignment::VerifyRequired;
use overnight_store::{NewJob, Store};
use serde_json::{Value, json};

use super::{Fixture, Said, Started, fixture, fixture_on_postgres, refused, spec, unusable};
use crate::api::{NewStart, Refusal};

/// Jobs as the desk of the program makes them, as far as the store is concerned.
pub(super) async fn start(store: &Store, start: NewStart) -> Result<Started, Refusal> {
    let asked = store.now().await.unwrap();
    let mut new = Vec::new();
    for item in store.items_named(&start.items).await.map_err(|error| unusable(error.to_string()))? {
        let task = TaskOrder {
            item: item.id.clone(),
            key: item.key.clone(),
            story: None,
            epic: None,
            plan: None,
            verify_required: VerifyRequired::default(),
            verify_only: false,
        };
        let mut spec = spec(&item.title);
        spec.task = Some(Box::new(task));
        let request = start.request.as_ref().map(|request| format!("{request}:{}", item.id));
        new.push(NewJob { request, ..NewJob::new(item.repository.clone(), spec) });
    }
    let names: Vec<String> = new.iter().filter_map(|new| new.request.clone()).collect();
    let jobs = match store.jobs_enqueue(&new).await {
        Ok(jobs) => jobs,
        // The same request came twice at once, and the other one was faster; or somebody else started it.
        Err(error) => match store.jobs_of_requests(&names).await {
            Ok(earlier) if !earlier.is_empty() => earlier,
            Ok(_) | Err(_) => return Err(unusable(error.to_string())),
        },
    };
    let jobs = jobs.into_iter().map(|job| (job.id, job.created_at >= asked)).collect();
    Ok(Started { jobs, ..Started::default() })
}

/// An epic, a story and a task, behind the jobs that there are, and an idea.
pub(super) async fn fill(f: &Fixture) {
    let repository = json!({ "remote": "/src/app" }).to_string();
    assert!(f.post(&f.admin, "/repositories", &repository).await.status < 300);
    for (kind, parent) in [("epic", None), ("story", Some(0)), ("task", Some(1)), ("idea", None)] {
        let items = f.get("/items?limit=500").await.json();
        let parent = parent.map(|place: usize| items["data"][place]["key"].clone());
        let item = json!({ "kind": kind, "title": format!("The {kind}"), "repository": "app" });
        let mut item = item.as_object().unwrap().clone();
        item.extend(parent.map(|key| ("parent".to_owned(), key)));
        let said = f.post(&f.operate, "/items", &Value::Object(item).to_string()).await;
        assert_eq!(said.status, 201, "{said:?}");
    }
}

async fn both(test: &str) -> Vec<Fixture> {
    let mut all = vec![fixture().await];
    all.extend(fixture_on_postgres(test).await);
    for f in &all {
        fill(f).await;
    }
    all
}

async fn patch(f: &Fixture, path: &str, tag: Option<&str>, body: &Value) -> Said {
    let tag = tag.map(|tag| format!("\nIf-Match: {tag}")).unwrap_or_default();
    let head = format!("PATCH /api/v1{path}\nContent-Type: application/json{tag}");
    f.ask(&f.operate, &head, &body.to_string()).await
}

async fn post(f: &Fixture, path: &str, key: &str, body: &Value) -> Said {
    let head = format!("POST /api/v1{path}\nContent-Type: application/json\nIdempotency-Key: {key}");
    f.ask(&f.operate, &head, &body.to_string()).await
}

#[tokio::test]
async fn an_item_is_changed_by_name_and_only_as_it_was_looked_at() {
    for f in both("an_item_is_changed_by_name_and_only_as_it_was_looked_at").await {
        let shown = f.get("/items/app-3").await;
        let tag = shown.header("etag").unwrap().to_owned();
        let change = json!({
            "title": "Sort", "body": { "description": "By name", "settings": { "agent": "claude", "attempts": 2 } },
        });
        let said = patch(&f, "/items/app-3", Some(&tag), &change).await;
        assert_eq!(said.status, 200, "{said:?}");
        let item = &said.json()["data"];
        assert_eq!((&item["title"], &item["version"]), (&json!("Sort"), &json!(2)), "{item:#}");
        assert_eq!(item["body"]["settings"], json!({ "agent": "claude", "attempts": 2 }));
        // Somebody who looked before that is told so, and nothing is changed.
        for old in [tag.as_str(), "\"x\"", "\"9.0\"", "*, \"1.0\""] {
            let said = patch(&f, "/items/app-3", Some(old), &json!({ "title": "Other" })).await;
            let star = old.starts_with('*');
            assert_eq!(said.status, if star { 200 } else { 412 }, "{old}: {said:?}");
        }
        let new = f.get("/items/app-3").await;
        let tag = new.header("etag").unwrap().to_owned();
        assert_eq!(new.json()["data"]["item"]["title"], "Other");
        let head = format!("GET /api/v1/items/app-3\nIf-None-Match: {tag}");
        assert_eq!(f.ask(&f.read, &head, "").await.status, 304);
        let gone = f.ask(&f.operate, "DELETE /api/v1/items/app-3\nIf-Match: \"1.0\"", "").await;
        refused(&gone, 412, "changed-meanwhile");
        let said =
            patch(&f, "/items/app-3", Some(&tag), &json!({ "parent": null, "body": { "settings": null } }))
                .await;
        assert_eq!(
            (&said.json()["data"]["parent"], &said.json()["data"]["body"]["settings"]),
            (&Value::Null, &json!({}))
        );
        f.server.stop().await;
    }
}

/// Who does not say what they looked at loses nothing that others say at the same time.
#[tokio::test]
async fn changes_of_several_at_once_are_all_there() {
    for f in both("changes_of_several_at_once_are_all_there").await {
        let change = |body: Value| {
            let f = &f;
            async move { patch(f, "/items/app-3", None, &json!({ "body": body })).await.status }
        };
        let all = tokio::join!(
            change(json!({ "description": "d" })),
            change(json!({ "plan": "p" })),
            change(json!({ "verify_only": true })),
            change(json!({ "settings": { "model": "m" } })),
        );
        assert_eq!(all, (200, 200, 200, 200));
        let body = f.get("/items/app-3").await.json()["data"]["item"]["body"].clone();
        let seen = (&body["description"], &body["plan"], &body["verify_only"], &body["settings"]["model"]);
        assert_eq!(seen, (&json!("d"), &json!("p"), &json!(true), &json!("m")), "{body:#}");
        f.server.stop().await;
    }
}

#[tokio::test]
async fn the_same_request_adds_imports_and_starts_once() {
    for f in both("the_same_request_adds_imports_and_starts_once").await {
        let task = json!({ "kind": "task", "title": "Once", "parent": "app-2", "after": ["app-3"] });
        let (one, two) = tokio::join!(post(&f, "/items", "k1", &task), post(&f, "/items", "k1", &task));
        let key = one.json()["data"]["key"].clone();
        assert_eq!(key, two.json()["data"]["key"], "{one:?} {two:?}");
        let third = post(&f, "/items", "k1", &task).await;
        assert_eq!(
            (third.header("idempotency-replayed"), &third.json()["data"]["key"]),
            (Some("true"), &key)
        );
        let other = json!({ "kind": "task", "title": "Other", "parent": "app-2" });
        refused(&post(&f, "/items", "k1", &other).await, 409, "request-reused");
        assert_eq!(f.get("/items?of=app-2").await.json()["data"].as_array().unwrap().len(), 2);

        let plan = json!({ "repository": "app", "plan": "epic: {title: Planned}\nstories: [{title: s, tasks: [{title: t}]}]" });
        let dry = f.post(&f.operate, "/plans?dry_run=true", &plan.to_string()).await;
        assert_eq!((dry.status, &dry.json()["data"]["epic"]), (200, &Value::Null), "{dry:?}");
        let (one, two) = tokio::join!(post(&f, "/plans", "k2", &plan), post(&f, "/plans", "k2", &plan));
        let epic = one.json()["data"]["epic"]["key"].clone();
        assert_eq!(epic, two.json()["data"]["epic"]["key"], "{one:?} {two:?}");
        assert_eq!(f.get("/items?kind=epic").await.json()["data"].as_array().unwrap().len(), 2);

        let start = json!({ "items": ["app-3"] });
        let (one, two) = tokio::join!(post(&f, "/start", "k3", &start), post(&f, "/start", "k3", &start));
        let job = |said: &Said| said.json()["data"]["jobs"][0]["job"]["key"].clone();
        assert_eq!(job(&one), job(&two), "{one:?} {two:?}");
        let rivals = tokio::join!(post(&f, "/start", "k4", &start), post(&f, "/start", "k5", &start));
        assert_eq!((rivals.0.status, rivals.1.status), (422, 422));
        assert_eq!(f.get("/jobs").await.json()["data"].as_array().unwrap().len(), 1);
        assert_eq!(f.get("/items/app-3").await.json()["data"]["item"]["state"], "in_progress");
        refused(&f.post(&f.operate, "/items/app-3/mark", "{\"mark\":\"done\"}").await, 409, "item-busy");
        let gone = f.ask(&f.operate, "DELETE /api/v1/items/app-1?all=true", "").await;
        refused(&gone, 409, "item-busy");
        f.server.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_is_left_of_it() {
    let f = fixture().await;
    fill(&f).await;
    let before = f.get("/items").await.json();
    let task = |more: Value| {
        let mut task = json!({ "kind": "task", "title": "x", "repository": "app" });
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        task
    };
    for (bad, code) in [
        (task(json!({ "kind": "saga" })), "item-refused"),
        (task(json!({ "title": "" })), "item-refused"),
        (task(json!({ "title": "a\u{202e}b" })), "item-refused"),
        (task(json!({ "title": "a\u{1b}[2Jb" })), "item-refused"),
        (task(json!({ "title": "a\u{0}b" })), "item-refused"),
        (task(json!({ "title": "x".repeat(1 << 20) })), "item-refused"),
        (task(json!({ "title": 7 })), "bad-body"),
        (task(json!({ "colour": "red" })), "bad-body"),
        (task(json!({ "repository": "nowhere" })), "item-refused"),
        (task(json!({ "repository": "x".repeat(1 << 20) })), "item-refused"),
        (task(json!({ "parent": "app-99" })), "item-refused"),
        (task(json!({ "parent": "\u{0}" })), "item-refused"),
        (task(json!({ "parent": "x".repeat(1 << 20) })), "item-refused"),
        (task(json!({ "parent": "app-1" })), "item-refused"),
        (task(json!({ "after": ["app-1"] })), "item-refused"),
        (task(json!({ "after": vec!["app-3"; 501] })), "item-refused"),
        (task(json!({ "members": ["app-3"] })), "item-refused"),
        (task(json!({ "body": { "goal": "x" } })), "item-refused"),
        (task(json!({ "body": { "description": "\u{200b}" } })), "item-refused"),
        (task(json!({ "body": { "settings": { "attempts": 0 } } })), "item-refused"),
        (task(json!({ "body": { "settings": { "agent": "nobody" } } })), "order-refused"),
        (task(json!({ "body": { "repository": "nowhere" } })), "item-refused"),
        (json!({ "kind": "task", "title": "x" }), "item-refused"),
    ] {
        let said = f.post(&f.operate, "/items", &bad.to_string()).await;
        let shown = bad.to_string();
        assert_eq!(
            (said.status, &said.json()["code"]),
            (422, &json!(code)),
            "{}",
            &shown[..shown.len().min(200)]
        );
        assert!(said.json()["detail"].as_str().unwrap().len() < 600);
    }
    for (path, code, status) in [
        ("/items/app-99", "unknown-item", 404),
        ("/items/%00", "unknown-item", 404),
        ("/items?kind=saga", "bad-query", 400),
        ("/items?of=app-99", "bad-query", 400),
        ("/items?cursor=x", "bad-cursor", 400),
        ("/items?limit=0", "bad-query", 400),
        ("/repositories/nowhere", "unknown-repository", 404),
        ("/items/app-3/plan", "item-refused", 422),
    ] {
        refused(&f.get(path).await, status, code);
    }
    refused(&f.ask(&f.operate, "DELETE /api/v1/items/app-1", "").await, 409, "item-has-parts");
    refused(&f.post(&f.operate, "/items/app-3/mark", "{\"mark\":\"blocked\"}").await, 422, "item-refused");
    refused(&f.post(&f.operate, "/start", "{\"items\":7}").await, 422, "bad-body");
    refused(&patch(&f, "/items/app-3", None, &json!({ "after": ["app-3"] })).await, 422, "item-refused");
    refused(&patch(&f, "/items/app-3", None, &json!({ "place": 0 })).await, 422, "item-refused");
    let plan =
        json!({ "repository": "app", "plan": "epic:\n  title: x\nstories:\n  - tilte: y\n" }).to_string();
    let said = f.post(&f.operate, "/plans", &plan).await;
    refused(&said, 422, "plan-refused");
    assert_eq!(said.json()["line"], 4, "{said:?}");
    assert_eq!(f.get("/items").await.json(), before);
    f.server.stop().await;
}

#[tokio::test]
async fn a_scope_that_is_too_small_changes_nothing() {
    let f = fixture().await;
    fill(&f).await;
    let before = f.get("/items").await.json();
    let json = "Content-Type: application/json";
    for (token, head) in [
        (&f.read, "POST /api/v1/items"),
        (&f.read, "PATCH /api/v1/items/app-3"),
        (&f.read, "DELETE /api/v1/items/app-3"),
        (&f.read, "POST /api/v1/items/app-3/mark"),
        (&f.read, "POST /api/v1/start"),
        (&f.read, "POST /api/v1/plans"),
        (&f.operate, "POST /api/v1/repositories"),
        (&f.operate, "PATCH /api/v1/repositories/app"),
        (&f.operate, "DELETE /api/v1/repositories/app"),
    ] {
        refused(&f.ask(token, &format!("{head}\n{json}"), "{}").await, 403, "scope-too-small");
    }
    assert_eq!(f.get("/items").await.json(), before);
    f.server.stop().await;
}

#[tokio::test]
async fn settings_of_a_repository_are_changed_as_they_were_looked_at() {
    let f = fixture().await;
    fill(&f).await;
    let tag = f.get("/repositories/app").await.header("etag").unwrap().to_owned();
    let edit = |tag: String, body: Value| {
        let head = format!("PATCH /api/v1/repositories/app\nContent-Type: application/json\nIf-Match: {tag}");
        let f = &f;
        async move { f.ask(&f.admin, &head, &body.to_string()).await }
    };
    let said = edit(tag.clone(), json!({ "strategy": "story", "verify": ["make"], "base": "dev" })).await;
    assert_eq!(said.json()["data"]["settings"]["strategy"], "story", "{said:?}");
    let new = said.header("etag").unwrap().to_owned();
    refused(&edit(tag, json!({ "draft": true })).await, 412, "changed-meanwhile");
    let said = edit(new, json!({ "base": null })).await;
    let settings = &said.json()["data"]["settings"];
    assert_eq!((&settings["base"], &settings["verify"]), (&Value::Null, &json!(["make"])), "{said:?}");
    refused(&edit("*".into(), json!({ "verify": ["a\u{0}"] })).await, 422, "item-refused");
    let again = f.post(&f.admin, "/repositories", "{\"remote\":\"/src/app\",\"name\":\"other\"}").await;
    assert_eq!((again.status, &again.json()["data"]["name"]), (200, &json!("app")));
    f.server.stop().await;
}

/// Whatever happens between two pages, what is there all the time is on one of them, once.
#[tokio::test]
async fn pages_of_items_are_whole() {
    for f in both("pages_of_items_are_whole").await {
        let second = json!({ "remote": "/src/second" }).to_string();
        assert_eq!(f.post(&f.admin, "/repositories", &second).await.status, 201);
        for number in 0..5 {
            let name = if number % 2 == 0 { "app" } else { "second" };
            let item = json!({ "kind": "task", "title": format!("t{number}"), "repository": name });
            assert_eq!(f.post(&f.operate, "/items", &item.to_string()).await.status, 201);
        }
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = f.get(&format!("/items?limit=2{cursor}")).await.json();
            let keys =
                page["data"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned());
            seen.extend(keys);
            // What stands first is moved and removed meanwhile.
            let _ =
                patch(&f, "/items/app-3", None, &json!({ "title": format!("moved {}", seen.len()) })).await;
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let mut unique = seen.clone();
        unique.sort();
        unique.dedup();
        assert_eq!((seen.len(), unique.len()), (9, 9), "{seen:?}");
        let tasks = f.get("/items?kind=task&repository=second&state=todo,failed").await.json();
        assert_eq!(tasks["data"].as_array().unwrap().len(), 2, "{tasks:#}");
        assert_eq!(f.get("/items?state=done").await.json()["data"], json!([]));
        f.server.stop().await;
    }
}
