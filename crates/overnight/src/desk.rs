//! What the API asks this program for: orders by the same way as `overnight add` and `overnight retry`, and documents by the same
//! code as `--json`. Owns no rule of its own.

mod backlog;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use overnight_core::job::{ExitCode, Job, Queueing};
use overnight_core::text::nearest;
use overnight_store::{JobFilter, NewJob, NewRepository, Repository, Store};
use overnight_web::api::{
    Answer, Desk, Document, LogPage, LogWanted, NewOrder, NewStart, Placed, Refusal, RefusalKind, Started,
};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::agents;
use crate::app::{App, store_error};
use crate::batch;
use crate::cli::Global;
use crate::cli::budget_args::CostByName;
use crate::cli::queue_args::QueueArgs;
use crate::cli::run_args::{OrderArgs, WishArgs};
use crate::cli::values;
use crate::commands::{add, as_value, budget, cost, events, retry, show, status, views, worker};
use crate::config::Environment;
use crate::error::AppError;
use crate::logbook;

/// Jobs of a repository that are looked through for a clone of it on this machine.
const LOOKED_AT: u32 = 20;

/// Logs that are read at once. Each takes a processor, and memory for its longest line.
const READERS: usize = 2;

/// The desk of a worker's process. The configuration is read anew for each question, as a command would.
#[derive(Debug, Clone)]
pub struct Front(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    global: Global,
    env: Environment,
    store: Store,
    readers: Semaphore,
}

impl Front {
    #[must_use]
    pub fn new(global: &Global, env: &Environment, store: &Store) -> Self {
        let readers = Semaphore::new(READERS);
        Self(Arc::new(Inner { global: global.clone(), env: env.clone(), store: store.clone(), readers }))
    }
}

impl Desk for Front {
    fn order(&self, order: NewOrder) -> Answer<Placed> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let app = App::new(&inner.global, inner.env.clone()).map_err(refusal)?;
            let placed = place(&app, &inner.store, order).await;
            app.close().await;
            placed
        })
    }

    fn again(&self, job: Job, request: Option<String>) -> Answer<Placed> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let app = App::new(&inner.global, inner.env.clone()).map_err(refusal)?;
            again(&app, &inner.store, &job, request).await.map_err(refusal)
        })
    }

    fn start(&self, start: NewStart) -> Answer<Started> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let app = App::new(&inner.global, inner.env.clone()).map_err(refusal)?;
            let started = Box::pin(backlog::start(&app, &inner.store, start)).await;
            app.close().await;
            started
        })
    }

    fn agents(&self, names: Vec<String>) -> Answer<()> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let app = App::new(&inner.global, inner.env.clone()).map_err(refusal)?;
            let known = |name: &String| agents::named(name, &app.config().agent).map(drop).map_err(refusal);
            names.iter().try_for_each(known)
        })
    }

    fn registration(&self, remote: String) -> Answer<NewRepository> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let app = App::new(&inner.global, inner.env.clone()).map_err(refusal)?;
            let new = backlog::registration(&app, &remote).await;
            app.close().await;
            new
        })
    }

    fn document(&self, wanted: Document) -> Answer<Value> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { document(&inner, wanted).await.map_err(refusal) })
    }

    fn log(&self, wanted: LogWanted) -> Answer<LogPage> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let app = App::new(&inner.global, inner.env.clone()).map_err(refusal)?;
            let dirs = app.dirs.job(&wanted.job.id);
            let unexpected = || AppError::unexpected("logs cannot be read any more");
            // A log may be large: few are read at a time, and none where requests are answered.
            let _turn = inner.readers.acquire().await.map_err(|_| refusal(unexpected()))?;
            let read = tokio::task::spawn_blocking(move || logbook::page(&dirs, &wanted));
            read.await.map_err(|_| refusal(unexpected()))?.map_err(refusal)
        })
    }
}

/// Causes and help go along; the place in a file, which is one of the server, does not.
fn refusal(error: AppError) -> Refusal {
    let kind = match error.code {
        ExitCode::Usage | ExitCode::Login | ExitCode::Budget => RefusalKind::Unusable,
        ExitCode::Store => RefusalKind::Store,
        ExitCode::Done
        | ExitCode::Unexpected
        | ExitCode::Cancelled
        | ExitCode::Verification
        | ExitCode::Agent
        | ExitCode::Pending
        | ExitCode::Interrupted => RefusalKind::Unexpected,
    };
    let what = std::iter::once(error.what).chain(error.causes).collect::<Vec<_>>().join(": ");
    Refusal { kind, what, help: error.help }
}

fn unusable(what: impl Into<String>, help: impl Into<String>) -> Refusal {
    Refusal { kind: RefusalKind::Unusable, what: what.into(), help: Some(help.into()) }
}

async fn document(inner: &Inner, wanted: Document) -> Result<Value, AppError> {
    let store = &inner.store;
    match wanted {
        Document::Jobs(jobs) => as_value(&views(store, &jobs).await?),
        Document::Job(job) => {
            let app = App::new(&inner.global, inner.env.clone())?;
            let records = events(store, &job.id).await?;
            show::document(&app, store, &job, &records).await
        }
        Document::Status => status::document(store).await,
        Document::Workers { all } => worker::document(store, all).await,
        Document::Budget => {
            let app = App::new(&inner.global, inner.env.clone())?;
            budget::document(store, &app.config().budget.all).await
        }
        Document::Cost { by, since } => {
            let by = CostByName::from_str(&by, false).map_err(AppError::usage)?;
            let since = since.as_deref().map(values::utc_day).transpose().map_err(AppError::usage)?;
            cost::document(store, by, since).await
        }
    }
}

/// What a body may say besides what a line of a batch may.
#[derive(Debug, Default)]
struct Outer {
    repository: String,
    agent: Option<String>,
    base: Option<String>,
    pr: Option<bool>,
    draft: bool,
    no_verify: bool,
}

impl Outer {
    /// Takes these fields out of the others.
    fn take(fields: &mut Map<String, Value>) -> Result<Self, Refusal> {
        let repository = text(fields, "repository")?.ok_or_else(|| {
            unusable("the order names no repository", "say \"repository\": one of GET /api/v1/repositories")
        })?;
        Ok(Self {
            repository,
            agent: text(fields, "agent")?,
            base: text(fields, "base")?,
            pr: flag(fields, "pr")?,
            draft: flag(fields, "draft")?.unwrap_or(false),
            no_verify: flag(fields, "no_verify")?.unwrap_or(false),
        })
    }
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.contains('\0') => Ok(Some(text)),
        Some(_) => {
            Err(unusable(format!("{name:?} is not a text"), "the API's description says what it may be"))
        }
    }
}

fn flag(fields: &mut Map<String, Value>, name: &str) -> Result<Option<bool>, Refusal> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => {
            Err(unusable(format!("{name:?} is neither true nor false"), "leave it out for the default"))
        }
    }
}

async fn place(app: &App, store: &Store, order: NewOrder) -> Result<Placed, Refusal> {
    let NewOrder { mut fields, request, any_directory } = order;
    let outer = Outer::take(&mut fields)?;
    let order: batch::Order = serde_json::from_value(Value::Object(fields)).map_err(|error| {
        unusable(
            error.to_string(),
            format!("an order may hold repository, agent, base, pr, draft, no_verify, {}", batch::FIELDS),
        )
    })?;
    let (repo, pr) = directory(store, &outer, any_directory).await?;
    let mut wish = WishArgs { repo, base: outer.base, ..WishArgs::default() };
    (wish.publish.pr, wish.publish.draft) = (outer.pr.unwrap_or(pr), outer.draft);
    wish.order.agent.agent = outer.agent;
    wish.order.verify.no_verify = outer.no_verify;
    let wish = order.wish(&wish);
    let queue = order.queue(&QueueArgs::default());
    let queue = QueueArgs { key: queue.key.clone().or(request), ..queue };
    batch::sound(&order, &app.config().agent).map_err(refusal)?;
    let queued = Box::pin(add::place_one(app, store, order.prompt, wish, queue)).await.map_err(refusal)?;
    let job = queued.jobs.first().ok_or_else(|| unusable("nothing was queued", "please report this"))?;
    Ok(Placed { job: job.id.clone(), new: queued.is_new(job), notes: queued.notes() })
}

/// Where to look at the repository, and whether its jobs end in pull requests unless something else is said.
async fn directory(store: &Store, outer: &Outer, any_directory: bool) -> Result<(PathBuf, bool), Refusal> {
    let failed = |error| refusal(store_error(&error));
    let all = store.repositories().await.map_err(failed)?;
    if let Some(known) = all.iter().find(|repository| repository.name == outer.repository) {
        return clone_of(store, known).await;
    }
    let path = Path::new(&outer.repository);
    if path.is_absolute() && any_directory {
        return Ok((path.to_owned(), false));
    }
    if path.is_absolute() {
        let what = "a directory of this machine may be named only with a token of the scope admin";
        let help = "name a registered repository: GET /api/v1/repositories lists them".to_owned();
        return Err(Refusal { kind: RefusalKind::Forbidden, what: what.to_owned(), help: Some(help) });
    }
    let near = nearest(&outer.repository, all.iter().map(|repository| repository.name.as_str()));
    let help = near.map_or_else(
        || "GET /api/v1/repositories lists them; a repository is known from its first job on".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(unusable(format!("there is no repository {:?}", outer.repository), help))
}

/// The directory that a repository was registered from, or that an earlier job of it was ordered in.
async fn clone_of(store: &Store, known: &Repository) -> Result<(PathBuf, bool), Refusal> {
    let remote = PathBuf::from(&known.remote);
    if remote.is_absolute() && remote.is_dir() {
        return Ok((tree_of(remote), false));
    }
    let filter =
        JobFilter { repository: Some(known.id.clone()), limit: Some(LOOKED_AT), ..JobFilter::default() };
    let jobs = store.jobs(&filter).await.map_err(|error| refusal(store_error(&error)))?.jobs;
    let mut places = jobs.into_iter().filter_map(|job| job.spec.ordered_in);
    places.find(|place| place.is_dir()).map(|place| (tree_of(place), true)).ok_or_else(|| {
        let what = format!("there is no clone of {} on this machine to look at", known.name);
        unusable(what, "order one job of it here with overnight add, or name a directory with a token of the scope admin")
    })
}

/// The git directory of a work tree: the tree says more.
fn tree_of(place: PathBuf) -> PathBuf {
    match place.parent() {
        Some(parent) if place.file_name().is_some_and(|name| name == ".git") => parent.to_owned(),
        Some(_) | None => place,
    }
}

async fn again(app: &App, store: &Store, old: &Job, request: Option<String>) -> Result<Placed, AppError> {
    let retry::Again { spec, place, notes } = retry::order_again(app, old, &OrderArgs::default())?;
    let asked = store.now().await.map_err(|error| store_error(&error))?;
    let queueing = Queueing { place, not_before: None, ..old.queueing.clone() };
    let new = NewJob { queueing, request, ..NewJob::new(old.repository.clone(), spec) };
    let job = store.job_enqueue(&new).await.map_err(|error| add::refused(&error))?;
    Ok(Placed { new: job.created_at >= asked, job: job.id, notes })
}
