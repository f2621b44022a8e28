//! The API on a real socket before a real store, with a desk that knows only the store.

mod backlog;
mod backlog_tools;
mod documents;
mod gate;
mod hostile;
mod staged;
mod streams;
mod talk;
mod tools;

use std::sync::Arc;

use overnight_core::access::Scope;
use overnight_core::agent::{AgentSettings, BackendId};
use overnight_core::job::{
    Base, Choice, Job, JobLimits, JobSpec, Label, LogPart, LogPlace, Publication, VerifyRequest,
};
use overnight_core::policy::budget::JobBudget;
use overnight_store::{Database, NewJob, NewRepository, Store};
use overnight_testkit::postgres::Postgres;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Answer as Said, Server, send, served};
use crate::Limits;
use crate::api::{
    Answer, Desk, Document, LogPage, LogParts, LogWanted, NewOrder, NewStart, Placed, Refusal, RefusalKind,
    Started,
};

pub(super) fn spec(prompt: &str) -> JobSpec {
    JobSpec {
        title: "Fix the door".to_owned(),
        prompt: prompt.to_owned(),
        source: "/repo".to_owned(),
        ordered_in: None,
        base: Base::RemoteDefault,
        publication: Publication::LocalBranch { repository: "/repo".to_owned() },
        verify: VerifyRequest::Nothing,
        accept_base_failures: false,
        agent: AgentSettings::new(BackendId::Rehearsal),
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: JobBudget::default(),
        author: "A <a@example.org>".to_owned(),
    }
}

pub(super) async fn enqueue(store: &Store, prompt: &str, request: Option<String>) -> Job {
    let new = NewRepository { name: "app".to_owned(), remote: "/src/app".to_owned() };
    let repository = store.repository_ensure(&new).await.unwrap();
    store.job_enqueue(&NewJob { request, ..NewJob::new(repository.id, spec(prompt)) }).await.unwrap()
}

/// Queues whatever has a prompt, and shows of a job what the description of the API asks for.
#[derive(Debug)]
struct Counter(Store);

fn view(job: &Job) -> Value {
    json!({
        "id": job.id, "key": job.key, "title": job.spec.title, "repository": job.repository_name,
        "agent": job.spec.agent.name(), "state": job.state.name(), "created_at_ms": job.created_at,
        "updated_at_ms": job.updated_at, "exit_code": 8,
    })
}

impl Desk for Counter {
    fn order(&self, order: NewOrder) -> Answer<Placed> {
        let store = self.0.clone();
        Box::pin(async move {
            let prompt = order.fields.get("prompt").and_then(Value::as_str).ok_or_else(|| Refusal {
                kind: RefusalKind::Unusable,
                what: "there is no prompt".to_owned(),
                help: None,
            })?;
            let asked = store.now().await.unwrap();
            let job = enqueue(&store, prompt, order.request).await;
            Ok(Placed { new: job.created_at >= asked, job: job.id, notes: Vec::new() })
        })
    }

    fn again(&self, job: Job, request: Option<String>) -> Answer<Placed> {
        let store = self.0.clone();
        Box::pin(async move {
            let job = enqueue(&store, &job.spec.prompt, request).await;
            Ok(Placed { job: job.id, new: true, notes: Vec::new() })
        })
    }

    /// One job for each task that is named, as the real desk makes them.
    fn start(&self, start: NewStart) -> Answer<Started> {
        let store = self.0.clone();
        Box::pin(async move { backlog::start(&store, start).await })
    }

    fn agents(&self, names: Vec<String>) -> Answer<()> {
        let unknown = names.into_iter().find(|name| name != "claude");
        Box::pin(async move {
            match unknown {
                None => Ok(()),
                Some(name) => Err(unusable(format!("there is no agent {name:?}"))),
            }
        })
    }

    fn registration(&self, remote: String) -> Answer<NewRepository> {
        Box::pin(async move {
            let name = remote.rsplit('/').next().unwrap_or_default().to_owned();
            if remote.contains('\0') {
                Err(unusable("that is no remote".to_owned()))
            } else {
                Ok(NewRepository { name, remote })
            }
        })
    }

    fn document(&self, wanted: Document) -> Answer<Value> {
        let data = match wanted {
            Document::Jobs(jobs) => Value::Array(jobs.iter().map(view).collect()),
            Document::Job(job) => json!({
                "job": view(&job), "after": [], "prompt": job.spec.prompt, "settings": {}, "story": {},
            }),
            Document::Workers { .. } => json!([]),
            Document::Cost { since: Some(_), .. } => {
                let what = "that is no day".to_owned();
                return Box::pin(async { Err(Refusal { kind: RefusalKind::Unusable, what, help: None }) });
            }
            Document::Status | Document::Budget | Document::Cost { since: None, .. } => json!({}),
        };
        Box::pin(async move { Ok(data) })
    }

    /// Each line says its number; there are three turns of three lines.
    fn log(&self, wanted: LogWanted) -> Answer<LogPage> {
        let turns: Vec<u32> = match wanted.parts {
            LogParts::All | LogParts::Agent => vec![1, 2, 3],
            LogParts::Checks => Vec::new(),
            LogParts::Turn(turn) if turn <= 3 => vec![turn],
            LogParts::Turn(_) => {
                let what = "there is no such turn".to_owned();
                return Box::pin(async { Err(Refusal { kind: RefusalKind::Unusable, what, help: None }) });
            }
        };
        let all =
            turns.into_iter().flat_map(|turn| (1..=3).map(move |lines| (LogPart::Turn { turn }, lines)));
        let behind = |(part, lines): &(LogPart, u64)| {
            wanted.after.is_none_or(|after| (*part, *lines) > (after.part, after.lines))
        };
        let mut left: Vec<(LogPart, u64)> = all.filter(behind).collect();
        let more = left.len() > wanted.lines as usize;
        left.truncate(wanted.lines as usize);
        let at = left.last().map(|(part, lines)| LogPlace { part: *part, lines: *lines }).or(wanted.after);
        let lines = left.into_iter().map(|(part, lines)| (part, format!("{part}.{lines}"))).collect();
        Box::pin(async move { Ok(LogPage { lines, at, more, kept: true }) })
    }
}

fn unusable(what: String) -> Refusal {
    Refusal { kind: RefusalKind::Unusable, what, help: None }
}

/// A server with its API, and a token of each scope.
pub(super) struct Fixture {
    pub(super) server: Server,
    pub(super) read: String,
    pub(super) operate: String,
    pub(super) admin: String,
}

pub(super) async fn fixture() -> Fixture {
    fixture_with(Limits::default()).await
}

pub(super) async fn fixture_with(limits: Limits) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("overnight.db")).await.unwrap();
    before(store, dir, limits).await
}

/// The same before PostgreSQL; `None`: this machine has none.
pub(super) async fn fixture_on_postgres(test: &str) -> Option<Fixture> {
    let url = match Postgres::shared() {
        Ok(server) => server.database(),
        Err(reason) => {
            println!("skipped: {test}: {reason}");
            return None;
        }
    };
    let store = Store::connect(&Database::Postgres(url)).await.unwrap();
    Some(before(store, tempfile::tempdir().unwrap(), Limits::default()).await)
}

async fn before(store: Store, dir: tempfile::TempDir, limits: Limits) -> Fixture {
    let [read, operate, admin] = [
        token(&store, "r", Scope::Read).await,
        token(&store, "o", Scope::Operate).await,
        token(&store, "a", Scope::Admin).await,
    ];
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let desk: Arc<dyn Desk> = Arc::new(Counter(store.clone()));
    let server = served(listener, limits, store, Some(desk), dir).await;
    Fixture { server, read, operate, admin }
}

pub(super) async fn token(store: &Store, name: &str, scope: Scope) -> String {
    let (_, text) = store.token_add(&Label::parse(name).unwrap(), scope, None).await.unwrap();
    text.expose().to_owned()
}

impl Fixture {
    /// Sends a request as `token`'s owner: `head` is its first line without the version, and fields after it.
    pub(super) async fn ask(&self, token: &str, head: &str, body: &str) -> Said {
        let (line, fields) = head.split_once('\n').unwrap_or((head, ""));
        let fields: String = fields.lines().map(|field| format!("{field}\r\n")).collect();
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{fields}{length}\r\n{body}"
        );
        send(self.server.address, &request).await
    }

    pub(super) async fn get(&self, path: &str) -> Said {
        self.ask(&self.read, &format!("GET /api/v1{path}"), "").await
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: &str) -> Said {
        self.ask(token, &format!("POST /api/v1{path}\nContent-Type: application/json"), body).await
    }
}

/// The answer is a problem with this status and code.
#[track_caller]
pub(super) fn refused(said: &Said, status: u16, code: &str) {
    assert_eq!(
        (said.status, said.header("content-type")),
        (status, Some("application/problem+json")),
        "{said:?}"
    );
    let problem = said.json();
    assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{problem:#}");
    assert!(problem["type"].as_str().unwrap().ends_with(code), "{problem:#}");
}
