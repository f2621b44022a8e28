use std::time::Duration;

use super::*;
use crate::id::{Fence, JobId, WorkerId};
use crate::job::tests_support::key;
use crate::job::{
    CancelledBy, EndReason, Input, JobSpec, ParkReason, PullRequestRef, StageOutput, Trouble, transition,
};
use crate::policy::cascade::tests::of_epic;
use crate::policy::cascade::{CascadeOutcome, CascadeResult};
use crate::units::Timestamp;

const NOW: Timestamp = Timestamp(1_000);

fn go(state: &JobState, input: Input, spec: &JobSpec) -> Step {
    transition(state, input, NOW, Order { key: &key(), spec }).unwrap()
}

fn done(output: StageOutput) -> Input {
    Input::Done { output, elapsed: Duration::from_secs(1) }
}

fn cleaning(reason: EndReason) -> JobState {
    let end = End { reason, detail: "no".to_owned(), tip: None, published: None };
    JobState::Cleaning { trail: Trail::default(), end }
}

fn close() -> CascadeStep {
    let pull_request = PullRequestRef { number: 3, url: "https://forge/3".to_owned() };
    CascadeStep::ClosePullRequest { key: TaskKey::parse("app-3").unwrap(), pull_request }
}

fn told() -> CascadeResult {
    CascadeResult::new(CascadeOutcome::Done, "closed")
}

/// A job whose cascade has begun.
fn cascading() -> JobState {
    let state = go(&cleaning(EndReason::VerificationFailed), done(StageOutput::Cleaned), &of_epic()).next;
    let scope = Scope {
        epic: TaskKey::parse("app-1").unwrap(),
        jobs: vec![JobId::parse("j-3").unwrap()],
        until: Timestamp(2_000),
    };
    go(&state, Input::CascadeBegan { scope, jobs: Vec::new() }, &of_epic()).next
}

fn last(step: &Step) -> &JobEvent {
    step.events.last().unwrap()
}

#[test]
fn only_a_failed_task_of_an_epic_gets_there() {
    for reason in EndReason::ALL {
        let step = go(&cleaning(reason), done(StageOutput::Cleaned), &of_epic());
        let carried = crate::policy::cascade::cascades(reason);
        assert_eq!(step.next.stage(), carried.then_some(Stage::Cascade), "{reason:?}");
        assert_eq!(step.next.is_ended(), !carried);
        let started = matches!(last(&step), JobEvent::StageStarted { stage: Stage::Cascade });
        assert_eq!(started, carried, "{:?}", step.events);
        let alone = go(&cleaning(reason), done(StageOutput::Cleaned), &crate::job::tests_support::spec());
        assert!(alone.next.is_ended());
    }
}

#[test]
fn a_step_is_reserved_before_it_is_done_and_told_once() {
    let announced = go(&cascading(), Input::CascadeAnnounced { step: close() }, &of_epic());
    let reserved = matches!(&announced.effects[..], [EffectChange::Reserve { name, .. }] if name.as_str() == "cascade-close-app-3");
    assert!(reserved && announced.events.is_empty(), "{announced:?}");
    let ended = go(&announced.next, Input::CascadeStepped { step: close(), result: told() }, &of_epic());
    assert!(matches!(&ended.effects[..], [EffectChange::Done { .. }]), "{ended:?}");
    assert_eq!(last(&ended), &JobEvent::Cascaded { step: close(), result: told() });
    let again = |input| transition(&ended.next, input, NOW, Order { key: &key(), spec: &of_epic() });
    assert!(again(Input::CascadeAnnounced { step: close() }).is_err());
    assert!(again(Input::CascadeStepped { step: close(), result: told() }).is_err());
    // One that was announced and has no result is not passed over.
    let open = go(&announced.next, done(StageOutput::Cascaded), &of_epic());
    let stopped = open.events.iter().any(|event| matches!(event, JobEvent::CascadeStopped { .. }));
    assert!(stopped && open.next.is_ended(), "{open:?}");
    // What is only told is no effect.
    let left = go(&cascading(), Input::CascadeStepped { step: close(), result: told() }, &of_epic());
    assert!(left.effects.is_empty());
}

#[test]
fn nothing_changes_the_end_any_more() {
    let wanted = cascading().end().cloned().unwrap();
    let wait = Trouble::Wait { reason: ParkReason::Unavailable, wake: None };
    let failed = |trouble| Input::Failed { trouble, detail: "x".to_owned(), elapsed: Duration::ZERO };
    let parked = go(&cascading(), failed(wait), &of_epic()).next;
    assert_eq!((parked.end(), parked.stage()), (Some(&wanted), Some(Stage::Cascade)));
    let worker = WorkerId::parse("w").unwrap();
    let by = CancelledBy::Command;
    let inputs = [
        done(StageOutput::Cascaded),
        failed(Trouble::End(EndReason::InternalError)),
        Input::Cancel { by: by.clone() },
        Input::WorkerLost { worker: worker.clone(), times: 3, last: true },
    ];
    for input in inputs {
        let stops = !matches!(input, Input::Done { .. });
        let step = go(&cascading(), input, &of_epic());
        assert_eq!((step.next.is_ended(), step.next.end()), (true, Some(&wanted)), "{step:?}");
        assert_eq!(last(&step), &JobEvent::Ended { end: wanted.clone() });
        let told = step.events.iter().any(|event| matches!(event, JobEvent::CascadeStopped { .. }));
        assert_eq!(told, stops, "{:?}", step.events);
    }
    let stopped = go(&parked, Input::Cancel { by }, &of_epic()).next;
    assert_eq!((stopped.is_ended(), stopped.end()), (true, Some(&wanted)));
    // Whoever takes it up goes on with what is left, also elsewhere.
    let claimed = Input::Claimed { worker, fence: Fence(2), resumed: true, moved: true };
    assert_eq!(go(&parked, claimed, &of_epic()).next, cascading());
}

#[test]
fn a_worker_that_is_lost_while_it_clears_up_keeps_nothing_from_being_carried_on() {
    let lost = || Input::WorkerLost { worker: WorkerId::parse("w").unwrap(), times: 3, last: true };
    let step = go(&cleaning(EndReason::AgentFailed), lost(), &of_epic());
    assert_eq!(step.next.stage(), Some(Stage::Cascade));
    assert!(go(&cleaning(EndReason::Cancelled), lost(), &of_epic()).next.is_ended());
}

#[test]
fn who_asked_for_a_cancel_is_one_word() {
    let failed = TaskKey::parse("app-12").unwrap();
    for (by, text) in [
        (CancelledBy::Command, "command"),
        (CancelledBy::Interrupt, "interrupt"),
        (CancelledBy::Cascade { failed }, "cascade:app-12"),
    ] {
        assert_eq!(serde_json::to_value(&by).unwrap(), text);
        assert_eq!(CancelledBy::try_from(text.to_owned()).unwrap(), by);
    }
    assert!(CancelledBy::try_from("cascade:".to_owned()).is_err());
}

#[test]
fn a_job_that_another_one_took_with_it_says_which() {
    let by = CancelledBy::Cascade { failed: TaskKey::parse("app-12").unwrap() };
    for state in [JobState::Queued, JobState::Preparing { trail: Trail::default() }] {
        let step = go(&state, Input::Cancel { by: by.clone() }, &of_epic());
        let end = step.next.end().unwrap();
        assert!(end.reason == EndReason::Cancelled && end.detail.contains("app-12"), "{end:?}");
    }
}
