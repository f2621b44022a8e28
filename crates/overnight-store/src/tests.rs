//! What the tests share: a store of its own on either engine, orders, and a walk along the core's transitions.
//!
//! One text of each case runs on both engines: `on_both!` makes two tests of it. What only a file can do is in `files`.

/// Makes two tests of each `async fn name(f: &Fixture)`: `sqlite::name` and `postgres::name`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&crate::tests::Fixture::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(fixture) = crate::tests::Fixture::postgres(stringify!($name)).await {
                    super::$name(&fixture).await;
                }
            })+
        }
    };
}

mod additions;
mod apply;
mod backlog;
mod cancel;
mod cascade;
mod circuits;
mod claims;
mod clock;
mod configure;
mod depends;
mod enqueue;
mod feed;
mod files;
mod gate;
mod ideas;
mod leases;
mod limits;
mod lines;
mod lost;
mod migrate;
mod outage;
mod park;
mod places;
mod plans;
mod processes;
mod prune;
mod records;
mod spend;
mod standing;
mod talk;
mod tokens;
mod wakes;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use overnight_core::agent::{AgentSettings, BackendId, SessionStart, Usage};
use overnight_core::git::CommitId;
use overnight_core::id::{EventNumber, Fence, JobId, RepositoryId, SessionId, WorkerId};
use overnight_core::job::{
    Base, Choice, EndReason, Ground, Input, Job, JobEvent, JobLimits, JobSpec, JobState, Label, Order,
    ParkReason, Priority, Publication, Queueing, StageOutput, Step, Trouble, VerifyRequest, transition,
};
use overnight_core::policy::budget::JobBudget;
use overnight_core::units::{MicroDollars, Timestamp};
use overnight_core::verdict::CheckSource;
use overnight_testkit::postgres::Postgres;

use crate::sql::sql;
use crate::{
    Applied, Claim, ClaimOrder, Claimant, Claimed, Database, Lease, NewJob, NewRepository, Offer, Store,
    StoreError, WorkerRow,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A store on a new, empty database.
struct Fixture {
    store: Store,
    _dir: Option<tempfile::TempDir>,
}

impl Fixture {
    async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("data/overnight.db")).await.unwrap();
        Self { store, _dir: Some(dir) }
    }

    /// `None`: this machine has no PostgreSQL.
    async fn postgres(test: &str) -> Option<Self> {
        let url = match Postgres::shared() {
            Ok(server) => server.database(),
            Err(reason) => {
                println!("skipped: {test}: {reason}");
                return None;
            }
        };
        Some(Self { store: Store::connect(&Database::Postgres(url)).await.unwrap(), _dir: None })
    }

    /// The same database through connections of its own, as another process has them.
    async fn other(&self) -> Store {
        Store::connect(self.store.database()).await.unwrap()
    }

    fn path(&self) -> PathBuf {
        match self.store.database() {
            Database::Sqlite(path) => path.clone(),
            Database::Postgres(_) => panic!("no file"),
        }
    }
}

pub(crate) fn spec(prompt: &str) -> JobSpec {
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

fn worker(name: &str) -> WorkerId {
    WorkerId::parse(name).unwrap()
}

fn label(word: &str) -> Label {
    Label::parse(word).unwrap()
}

fn claimant(name: &str) -> Claimant {
    Claimant { worker: worker(name), place: label("here"), lease: MINUTE }
}

fn order(name: &str, slots: usize) -> ClaimOrder {
    ClaimOrder { claimant: claimant(name), slots, offer: Offer::any_backend() }
}

/// A job of this repository, which is registered where it is not yet.
async fn new_job(store: &Store, repository: &str) -> NewJob {
    let new = NewRepository { name: repository.to_owned(), remote: format!("/src/{repository}") };
    NewJob::new(store.repository_ensure(&new).await.unwrap().id, spec("Fix it"))
}

async fn enqueue(store: &Store) -> Job {
    enqueue_in(store, "app", "Fix it").await
}

async fn enqueue_in(store: &Store, repository: &str, prompt: &str) -> Job {
    try_enqueue(store, repository, prompt).await.unwrap()
}

async fn try_enqueue(store: &Store, repository: &str, prompt: &str) -> Result<Job, StoreError> {
    let new = NewRepository { name: repository.to_owned(), remote: format!("/src/{repository}") };
    let repository = store.repository_ensure(&new).await?.id;
    store.job_enqueue(&NewJob::new(repository, spec(prompt))).await
}

async fn claim(store: &Store, job: &JobId, name: &str) -> Claimed {
    match store.job_claim(job, &claimant(name), &[]).await.unwrap() {
        Claim::Taken(claimed) => *claimed,
        other => panic!("{other:?}"),
    }
}

/// The next jobs of the queue; all of them must be readable.
async fn claim_next(store: &Store, name: &str, slots: usize) -> Vec<Claimed> {
    let claims = store.jobs_claim(&order(name, slots)).await.unwrap();
    assert!(claims.unreadable.is_empty(), "{:?}", claims.unreadable);
    claims.taken
}

fn keys(claimed: &[Claimed]) -> Vec<String> {
    claimed.iter().map(|one| one.job.key.to_string()).collect()
}

/// The step that the core decides on for a job in `state`.
fn step(job: &Job, state: &JobState, input: Input) -> Step {
    transition(state, input, job.created_at, Order { key: &job.key, spec: &job.spec }).unwrap()
}

async fn advance(store: &Store, lease: &Lease, job: &mut Job, input: Input) -> Applied {
    let step = step(job, &job.state, input);
    let next = step.next.clone();
    let applied = store.apply(lease, &job.state, step).await.unwrap();
    job.state = next;
    applied
}

/// Ends a claimed job for this reason.
async fn end(store: &Store, claimed: &mut Claimed, reason: EndReason) {
    let Claimed { lease, job, .. } = claimed;
    let failed =
        Input::Failed { trouble: Trouble::End(reason), detail: String::new(), elapsed: Duration::ZERO };
    advance(store, lease, job, failed).await;
    advance(store, lease, job, cleaned()).await;
}

fn prepared() -> Input {
    let ground = Ground {
        base: CommitId::parse(&"a".repeat(40)).unwrap(),
        base_branch: None,
        check_source: CheckSource::None,
        checks: Vec::new(),
        line: None,
    };
    Input::Done { output: StageOutput::Prepared { ground }, elapsed: Duration::from_secs(1) }
}

fn announced() -> Input {
    Input::TurnAnnounced { session: SessionStart::Fresh(SessionId::parse("s-1").unwrap()), account: None }
}

fn interrupted() -> Input {
    Input::TurnInterrupted { session: None, used: Usage::default() }
}

fn cleaned() -> Input {
    Input::Done { output: StageOutput::Cleaned, elapsed: Duration::ZERO }
}

fn parks(reason: ParkReason, wake: Option<Timestamp>) -> Input {
    Input::Failed {
        trouble: Trouble::Wait { reason, wake },
        detail: "waits".to_owned(),
        elapsed: Duration::ZERO,
    }
}

/// All event numbers of a job; every event must be readable.
async fn numbers(store: &Store, job: &JobId) -> Vec<i64> {
    let events = store.events(job, EventNumber(0), u32::MAX).await.unwrap();
    events.iter().map(|record| record.event.as_ref().map(|_| record.number.0).unwrap()).collect()
}

fn assert_gapless(numbers: &[i64]) {
    let wanted: Vec<i64> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, wanted);
}

fn worker_row(name: &str) -> WorkerRow {
    WorkerRow {
        id: worker(name),
        host: "h".to_owned(),
        boot_id: "b".to_owned(),
        pid: std::process::id(),
        start_ticks: 0,
        version: "0".to_owned(),
        place: label("here"),
    }
}
