//! What the tests share: a store in a directory of its own, an order, and a walk along the core's transitions.

mod files;
mod processes;
mod queue;
mod records;

use std::path::PathBuf;
use std::time::Duration;

use overnight_core::agent::{AgentSettings, BackendId, SessionStart, Usage};
use overnight_core::git::CommitId;
use overnight_core::id::{EventNumber, JobId, SessionId, WorkerId};
use overnight_core::job::{
    Base, Ground, Input, Job, JobLimits, JobSpec, JobState, Order, Publication, StageOutput, Step,
    VerifyRequest, transition,
};
use overnight_core::verdict::CheckSource;

use crate::{Applied, Claim, Claimed, Lease, NewJob, NewRepository, Store, StoreError};

const MINUTE: Duration = Duration::from_secs(60);

struct Fixture {
    store: Store,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/overnight.db");
    Fixture { store: Store::open(&path).await.unwrap(), path, _dir: dir }
}

fn spec(prompt: &str) -> JobSpec {
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
        limits: JobLimits::default(),
        author: "A <a@example.org>".to_owned(),
    }
}

fn worker(name: &str) -> WorkerId {
    WorkerId::parse(name).unwrap()
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
    store.job_enqueue(&NewJob { repository, spec: spec(prompt), request: None }).await
}

async fn claim(store: &Store, job: &JobId, name: &str) -> Claimed {
    match store.job_claim(job, &worker(name), MINUTE, &[]).await.unwrap() {
        Claim::Taken(claimed) => *claimed,
        other => panic!("{other:?}"),
    }
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

fn prepared() -> Input {
    let ground = Ground {
        base: CommitId::parse(&"a".repeat(40)).unwrap(),
        base_branch: None,
        check_source: CheckSource::None,
        checks: Vec::new(),
    };
    Input::Done { output: StageOutput::Prepared { ground }, elapsed: Duration::from_secs(1) }
}

fn announced() -> Input {
    Input::TurnAnnounced { session: SessionStart::Fresh(SessionId::parse("s-1").unwrap()) }
}

fn interrupted() -> Input {
    Input::TurnInterrupted { session: None, used: Usage::default() }
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
