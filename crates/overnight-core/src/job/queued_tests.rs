use crate::git::BranchName;
use crate::id::{Fence, TaskKey, WorkerId};
use crate::job::tests_support::{commit, ground, key, spec};
use crate::job::{
    EndReason, Input, JobEvent, JobState, Order, ParkReason, Published, Step, Trail, transition,
};
use crate::units::Timestamp;
use crate::verdict::DiffStat;

fn go(state: &JobState, input: Input) -> Step {
    let (key, spec) = (key(), spec());
    transition(state, input, Timestamp(0), Order { key: &key, spec: &spec }).unwrap()
}

fn worker() -> WorkerId {
    WorkerId::parse("w").unwrap()
}

fn claim(moved: bool) -> Input {
    Input::Claimed { worker: worker(), fence: Fence(2), resumed: true, moved }
}

fn waiting(reason: ParkReason, then: JobState) -> JobState {
    JobState::Parked { reason, detail: String::new(), wake: None, then: Box::new(then) }
}

fn working() -> JobState {
    let trail = Trail { attempt: 2, preserved: Some(commit('c')), ..Trail::default() };
    JobState::Working { trail, ground: ground(), turn: None }
}

fn publishing(pushed: bool) -> JobState {
    JobState::Publishing {
        trail: Trail { attempt: 1, ..Trail::default() },
        ground: ground(),
        tip: commit('b'),
        diff: DiffStat::default(),
        pairs: Vec::new(),
        branch: BranchName::parse("overnight/app-12-x").unwrap(),
        taken: 0,
        pushed,
        approval: crate::job::Approval::NotNeeded,
    }
}

fn end(step: &Step) -> (EndReason, Option<Published>) {
    let end = step.next.end().unwrap();
    (end.reason, end.published.clone())
}

#[test]
fn a_job_waits_for_every_reason_and_goes_on_where_it_was() {
    for reason in ParkReason::ALL {
        assert_eq!(go(&waiting(reason, working()), Input::Woken).next, working());
        assert_eq!(go(&waiting(reason, working()), claim(false)).next, working());
    }
}

#[test]
fn a_job_that_waited_in_the_queue_is_prepared_when_it_is_claimed() {
    let step = go(&waiting(ParkReason::Dependency, JobState::Queued), claim(false));
    assert_eq!(step.next, JobState::Preparing { trail: Trail::default() });
}

#[test]
fn a_job_that_was_never_started_ends_at_once_when_cancelled() {
    for state in [JobState::Queued, waiting(ParkReason::Dependency, JobState::Queued)] {
        let step = go(&state, Input::Cancel { by: crate::job::CancelledBy::Command });
        assert!(step.next.is_ended());
        assert_eq!(end(&step).0, EndReason::Cancelled);
        assert!(matches!(step.events.as_slice(), [JobEvent::CancelAsked { .. }, JobEvent::Ended { .. }]));
    }
}

#[test]
fn a_failed_dependency_ends_what_waits_and_nothing_else() {
    let failed =
        || Input::DependencyFailed { key: TaskKey::parse("app-1").unwrap(), reason: EndReason::NoChanges };
    let step = go(&waiting(ParkReason::Dependency, JobState::Queued), failed());
    assert_eq!(end(&step).0, EndReason::DependencyFailed);
    let (key, spec) = (key(), spec());
    assert!(transition(&working(), failed(), Timestamp(0), Order { key: &key, spec: &spec }).is_err());
}

#[test]
fn a_lost_worker_changes_nothing_until_it_has_happened_too_often() {
    let lost = |times, last| Input::WorkerLost { worker: worker(), times, last };
    let step = go(&working(), lost(1, false));
    assert_eq!(step.next, working());
    assert!(matches!(step.events.as_slice(), [JobEvent::WorkerLost { times: 1, .. }]));
    let step = go(&working(), lost(4, true));
    assert!(step.next.is_ended());
    assert_eq!(end(&step).0, EndReason::WorkerLost);
    assert_eq!(step.next.end().unwrap().tip, Some(commit('c')));
}

#[test]
fn what_was_decided_before_a_worker_was_lost_stands() {
    let cleaning = go(&publishing(true), Input::Cancel { by: crate::job::CancelledBy::Command }).next;
    let step = go(&cleaning, Input::WorkerLost { worker: worker(), times: 4, last: true });
    let (reason, published) = end(&step);
    assert_eq!(reason, EndReason::Cancelled);
    assert_eq!(published.unwrap().commit, commit('b'));
}

#[test]
fn another_place_starts_the_attempt_again_and_never_pushes_what_may_be_pushed_already() {
    let step = go(&working(), claim(true));
    let JobState::Preparing { trail } = &step.next else { panic!("{:?}", step.next) };
    assert_eq!((trail.attempt, &trail.preserved), (2, &None));
    assert!(step.events.contains(&JobEvent::Moved));
    assert_eq!(end(&go(&publishing(false), claim(true))).0, EndReason::WorkerLost);
    assert_eq!(go(&publishing(true), claim(true)).next, publishing(true));
    let fresh = JobState::Preparing { trail: Trail::default() };
    assert!(!go(&fresh, claim(true)).events.contains(&JobEvent::Moved));
}
