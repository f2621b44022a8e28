//! The tools of a person's assistant, before a real store.

use std::sync::{Arc, Mutex};

use overnight_core::agent::{AgentSettings, BackendId};
use overnight_core::git::CommitId;
use overnight_core::id::TaskKey;
use overnight_core::job::{Base, Choice, JobLimits, JobSpec, Publication, VerifyRequest};
use overnight_core::policy::budget::JobBudget;
use overnight_store::{NewJob, NewRepository, Store};
use serde_json::{Map, Value, json};

use crate::mcp::operator::{NewOrder, Operator, OrderRefused, Orders, Scope};
use crate::mcp::{Answer, Arguments, ToolError, Toolbox};

struct Fixture {
    store: Store,
    _dir: tempfile::TempDir,
}

/// A store with this many queued jobs.
async fn store(jobs: usize) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("overnight.db")).await.unwrap();
    let new = NewRepository { name: "app".to_owned(), remote: "/repo".to_owned() };
    let repository = store.repository_ensure(&new).await.unwrap();
    for number in 0..jobs {
        store.job_enqueue(&NewJob::new(repository.id.clone(), spec(number))).await.unwrap();
    }
    Fixture { store, _dir: dir }
}

fn spec(number: usize) -> JobSpec {
    JobSpec {
        title: format!("Wish {number}"),
        prompt: "Do it.".to_owned(),
        source: "/repo".to_owned(),
        ordered_in: None,
        base: Base::Commit { commit: CommitId::parse(&"a".repeat(40)).unwrap(), branch: None },
        publication: Publication::LocalBranch { repository: "/repo".to_owned() },
        verify: VerifyRequest::Nothing,
        accept_base_failures: false,
        agent: AgentSettings::new(BackendId::Claude),
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: JobBudget::default(),
        author: "A <a@example.org>".to_owned(),
    }
}

#[derive(Default)]
struct Ledger(Mutex<Vec<NewOrder>>);

impl Orders for Ledger {
    fn add(&self, order: NewOrder) -> Answer<'_, Result<TaskKey, OrderRefused>> {
        let refused = order.agent.as_deref() == Some("nobody");
        self.0.lock().unwrap().push(order);
        let answer = if refused {
            Err(OrderRefused("no such agent".to_owned()))
        } else {
            Ok(TaskKey::parse("app-9").unwrap())
        };
        Box::pin(std::future::ready(answer))
    }
}

fn operator(store: &Store, scope: Scope) -> Operator {
    let orders: Option<Arc<dyn Orders>> = Some(Arc::new(Ledger::default()));
    let (by, requests) = ("me".to_owned(), "t".to_owned());
    Operator { store: store.clone(), scope, by, requests, orders, desk: None }
}

async fn call(operator: &Operator, name: &str, arguments: Value) -> Result<Value, ToolError> {
    let Value::Object(map) = arguments else { panic!("an object") };
    operator.call(name, Arguments::new(map)).await
}

#[tokio::test]
async fn lists_come_in_pages_that_say_whether_there_is_more() {
    let fixture = store(5).await;
    let operator = operator(&fixture.store, Scope::Read);
    let mut titles = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let page = call(&operator, "list_jobs", json!({"limit": 2, "cursor": cursor})).await.unwrap();
        titles.extend(
            page["jobs"].as_array().unwrap().iter().map(|job| job["title"].as_str().unwrap().to_owned()),
        );
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(titles, ["Wish 4", "Wish 3", "Wish 2", "Wish 1", "Wish 0"]);
    let none = call(&operator, "list_jobs", json!({"ended": true})).await.unwrap();
    assert_eq!(none, json!({"jobs": [], "next_cursor": null}));
    for wrong in [
        json!({"limit": 0}),
        json!({"limit": 10_000}),
        json!({"cursor": "-1"}),
        json!({"repository": "other"}),
    ] {
        assert!(call(&operator, "list_jobs", wrong.clone()).await.is_err(), "{wrong}");
    }
    let events = call(&operator, "job_events", json!({"job": "app-1", "limit": 1})).await.unwrap();
    assert_eq!((&events["events"][0]["event"]["type"], &events["more"]), (&json!("queued"), &json!(false)));
}

#[tokio::test]
async fn a_job_is_shown_cancelled_and_not_resumed_after_its_end() {
    let fixture = store(1).await;
    let operator = operator(&fixture.store, Scope::Operate);
    let job = call(&operator, "get_job", json!({"job": "app-1"})).await.unwrap();
    assert_eq!(
        (&job["state"], &job["phase"], &job["order"]["prompt"]),
        (&json!("queued"), &json!("ready"), &json!("Do it."))
    );
    let resumed = call(&operator, "resume_job", json!({"job": "app-1"})).await.unwrap();
    assert_eq!(resumed["woken"], false);
    let cancelled = call(&operator, "cancel_job", json!({"job": "app-1"})).await.unwrap();
    assert_eq!(cancelled["outcome"], "ended");
    let again = call(&operator, "cancel_job", json!({"job": "app-1"})).await.unwrap();
    assert_eq!(again["outcome"], "already_ended");
    assert_eq!(call(&operator, "resume_job", json!({"job": "app-1"})).await.unwrap_err().code, "ENDED");
    let missing = call(&operator, "get_job", json!({"job": "app-11"})).await.unwrap_err();
    assert!(missing.code == "NOT_FOUND" && missing.message.contains("app-1"), "{missing:?}");
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let fixture = store(1).await;
    let operator = operator(&fixture.store, Scope::Read);
    let tools = operator.tools();
    assert!(tools.iter().all(|tool| tool.read_only), "{tools:?}");
    for name in ["cancel_job", "resume_job", "create_job", "nonsense"] {
        let refused = call(&operator, name, json!({"job": "app-1", "prompt": "x"})).await.unwrap_err();
        assert_eq!(refused.code, "NOT_ALLOWED", "{name}");
    }
    assert_eq!(call(&operator, "get_job", json!({"job": "app-1"})).await.unwrap()["state"], "queued");
}

#[tokio::test]
async fn an_order_is_handed_on_as_it_was_given() {
    let fixture = store(0).await;
    let ledger = Arc::new(Ledger::default());
    let operator = Operator { orders: Some(ledger.clone()), ..operator(&fixture.store, Scope::Operate) };
    let order = json!({"prompt": "Fix it", "model": "opus", "pull_request": true, "request": "k1"});
    assert_eq!(call(&operator, "create_job", order).await.unwrap(), json!({"job": "app-9"}));
    let refused = call(&operator, "create_job", json!({"prompt": "x", "agent": "nobody"})).await.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), ("ORDER_REFUSED", "no such agent"));
    assert!(call(&operator, "create_job", json!({"prompt": "  "})).await.is_err());
    let first = ledger.0.lock().unwrap()[0].clone();
    let model = Some("opus".to_owned());
    let request = Some("k1".to_owned());
    let wanted =
        NewOrder { prompt: "Fix it".to_owned(), model, pull_request: true, request, ..NewOrder::default() };
    assert_eq!(first, wanted);
    let deaf = Operator { orders: None, scope: Scope::Admin, ..operator };
    assert!(!deaf.tools().iter().any(|tool| tool.name == "create_job"));
}

#[tokio::test]
async fn every_tool_that_needs_nothing_answers() {
    let fixture = store(2).await;
    let operator = operator(&fixture.store, Scope::Admin);
    for tool in operator.tools() {
        let required = tool.arguments["required"].as_array().unwrap();
        if required.is_empty() {
            let answer = operator.call(tool.name, Arguments::new(Map::new())).await;
            assert!(answer.as_ref().is_ok_and(Value::is_object), "{}: {answer:?}", tool.name);
        }
    }
    let workers = call(&operator, "list_workers", json!({})).await.unwrap();
    assert_eq!(workers["workers"], json!([]));
}
