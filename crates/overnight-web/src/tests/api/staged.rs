//! Jobs at the places where they wait for people, brought there by the same steps as by a worker.

use std::time::Duration;

use overnight_core::agent::{SessionStart, TurnOutcome, TurnReport, Usage};
use overnight_core::git::CommitId;
use overnight_core::id::{QuestionId, SessionId, WorkerId};
use overnight_core::job::{Asking, Ground, Input, Job, Label, Order, StageOutput, transition};
use overnight_core::policy::preflight::{Finding, Inspection, Level, Rule};
use overnight_core::talk::{Asked, QuestionPolicy, Talk};
use overnight_core::verdict::{CheckSource, DiffStat};
use overnight_store::{AgentOf, Claim, Claimant, Claimed, Lease, Store, WorkerRow};

use super::enqueue;

pub(super) fn commit(digit: &str) -> CommitId {
    CommitId::parse(&digit.repeat(40)).unwrap()
}

async fn claim(store: &Store, job: &Job) -> Claimed {
    // Each has a worker of its own: a row is written once.
    let worker = WorkerId::parse(&format!("w-{}", job.id)).unwrap();
    let place = Label::parse("p").unwrap();
    let row = WorkerRow {
        id: worker.clone(),
        host: "h".to_owned(),
        boot_id: "b".to_owned(),
        pid: 1,
        start_ticks: 1,
        version: "1".to_owned(),
        place: place.clone(),
    };
    store.worker_register(&row).await.unwrap();
    let claimant = Claimant { worker, place, lease: Duration::from_secs(600) };
    match store.job_claim(&job.id, &claimant, &[]).await.unwrap() {
        Claim::Taken(claimed) => *claimed,
        other => panic!("{other:?}"),
    }
}

async fn advance(store: &Store, lease: &Lease, job: &mut Job, input: Input) {
    let step =
        transition(&job.state, input, job.created_at, Order { key: &job.key, spec: &job.spec }).unwrap();
    let next = step.next.clone();
    store.apply(lease, &job.state, step).await.unwrap();
    job.state = next;
}

fn done(output: StageOutput) -> Input {
    Input::Done { output, elapsed: Duration::ZERO }
}

async fn working(store: &Store) -> Claimed {
    let job = enqueue(store, "x", None).await;
    let mut claimed = claim(store, &job).await;
    let ground = Ground {
        base: commit("a"),
        base_branch: None,
        check_source: CheckSource::None,
        checks: Vec::new(),
        line: None,
    };
    let session = SessionStart::Fresh(SessionId::parse("s-1").unwrap());
    for input in [done(StageOutput::Prepared { ground }), Input::TurnAnnounced { session, account: None }] {
        advance(store, &claimed.lease, &mut claimed.job, input).await;
    }
    claimed
}

async fn turn_ended(store: &Store, claimed: &mut Claimed, outcome: TurnOutcome) {
    let usage = Usage::default();
    let report =
        TurnReport { outcome, session: None, usage, final_text: None, asked: None, options: Vec::new() };
    advance(store, &claimed.lease, &mut claimed.job, done(StageOutput::Turn { report })).await;
}

async fn collected(store: &Store, claimed: &mut Claimed, tip: Option<CommitId>) {
    let standing = store.talk_standing(&claimed.job.id).await.unwrap();
    let talk = Talk {
        policy: QuestionPolicy::default(),
        fresh: QuestionId::parse("q-fresh").unwrap(),
        asked: standing.asked,
        open_until: standing.open_until(),
        settled: false,
    };
    let diff = DiffStat { files: 1, insertions: 1, deletions: 0 };
    let output = StageOutput::Collected { tip, diff, asking: Asking::AsItSaid, talk };
    advance(store, &claimed.lease, &mut claimed.job, done(output)).await;
}

/// A job that waits for the answers to this many questions, each with the offered answers `left` and `right`.
pub(super) async fn asks(store: &Store, questions: u32) -> Job {
    let mut claimed = working(store).await;
    let agent = AgentOf { job: claimed.job.id.clone(), fence: claimed.lease.fence() };
    for number in 1..=questions {
        let options = ["left".to_owned(), "right".to_owned()];
        let asked = Asked::parse(&format!("Which one, {number}?"), &options).unwrap();
        store.ask(&agent, &asked, Duration::from_secs(600), questions).await.unwrap();
    }
    turn_ended(store, &mut claimed, TurnOutcome::NeedsInput { detail: "Which?".to_owned() }).await;
    collected(store, &mut claimed, None).await;
    store.job(&claimed.job.id).await.unwrap()
}

/// A job that waits for a word on the commit `bbb…`, in which a pipeline was found.
pub(super) async fn awaits_a_word(store: &Store) -> Job {
    let mut claimed = working(store).await;
    turn_ended(store, &mut claimed, TurnOutcome::Completed).await;
    collected(store, &mut claimed, Some(commit("b"))).await;
    let finding = Finding {
        rule: Rule::CiFile,
        level: Level::Approve,
        file: "ci.yml".to_owned(),
        line: None,
        detail: "is run by the forge".to_owned(),
        before: None,
        after: None,
        excused: None,
    };
    let inspection = Box::new(Inspection { findings: vec![finding], more: 0, alignment: None });
    for input in [
        Input::Inspected { inspection, elapsed: Duration::ZERO },
        done(StageOutput::Verified { pairs: Vec::new() }),
    ] {
        advance(store, &claimed.lease, &mut claimed.job, input).await;
    }
    store.job(&claimed.job.id).await.unwrap()
}
