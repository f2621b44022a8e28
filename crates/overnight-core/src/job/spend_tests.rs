use super::*;
use crate::agent::{SessionStart, TurnOutcome, TurnReport};
use crate::command::{Containment, ProcessIdentity};
use crate::id::SessionId;
use crate::job::tests_support::{ground, key, spec};
use crate::job::{CancelledBy, EndReason, ParkReason, Trouble, transition};
use crate::units::Timestamp;

fn session() -> SessionStart {
    SessionStart::Fresh(SessionId::parse("s-1").unwrap())
}

fn process() -> ProcessIdentity {
    let containment = Containment::PidNamespace;
    ProcessIdentity { pid: 1, start_ticks: 2, boot_id: "b".to_owned(), containment }
}

fn working(process: Option<ProcessIdentity>) -> JobState {
    let trail = Trail { attempt: 2, turns: 3, ..Trail::default() };
    JobState::Working { trail, ground: ground(), turn: Some(Turn { session: session(), process }) }
}

fn step(state: &JobState, input: Input) -> Vec<SpendChange> {
    let (key, mut spec) = (key(), spec());
    spec.agent.model = Some("claude-opus-5".to_owned());
    spec.budget.first = Some(JobId::parse("first").unwrap());
    transition(state, input, Timestamp(1), Order { key: &key, spec: &spec }).unwrap().spend
}

fn usage(tokens: u64) -> Usage {
    Usage { output_tokens: tokens, ..Usage::default() }
}

fn opened_3() -> SpendChange {
    SpendChange::Opened(OpenedSession {
        turn: 3,
        attempt: 2,
        task: Some(JobId::parse("first").unwrap()),
        backend: BackendId::Claude,
        model: Some("claude-opus-5".to_owned()),
        account: String::new(),
        billing: BillingMode::Subscription,
    })
}

#[test]
fn a_session_is_opened_when_its_process_is_there_and_not_before() {
    let announced = JobState::Working { trail: Trail::default(), ground: ground(), turn: None };
    assert_eq!(step(&announced, Input::TurnAnnounced { session: session(), account: None }), []);
    assert_eq!(step(&working(None), Input::TurnStarted { process: process() }), [opened_3()]);
}

#[test]
fn its_end_closes_it_with_what_was_told() {
    let report = TurnReport {
        outcome: TurnOutcome::Completed,
        session: None,
        usage: usage(7),
        final_text: None,
        asked: None,
        options: Vec::new(),
    };
    let elapsed = Duration::from_secs(9);
    let input = Input::Done { output: StageOutput::Turn { report }, elapsed };
    let closed = SpendChange::Closed { turn: 3, usage: Some(usage(7)), wall: Some(elapsed) };
    assert_eq!(step(&working(Some(process())), input), [closed]);
    let input = Input::TurnInterrupted { session: None, used: usage(5) };
    let closed = SpendChange::Closed { turn: 3, usage: Some(usage(5)), wall: None };
    assert_eq!(step(&working(Some(process())), input.clone()), std::slice::from_ref(&closed));
    assert_eq!(step(&working(None), input), [opened_3(), closed], "it had begun unseen");
    let nothing = Input::TurnInterrupted { session: None, used: Usage::default() };
    assert_eq!(step(&working(None), nothing), [], "it never began");
}

#[test]
fn whatever_else_ends_it_closes_it_too() {
    let closed = [SpendChange::Closed { turn: 3, usage: None, wall: None }];
    let running = working(Some(process()));
    assert_eq!(step(&running, Input::Cancel { by: CancelledBy::Command }), closed);
    let failed = |trouble| Input::Failed { trouble, detail: String::new(), elapsed: Duration::ZERO };
    assert_eq!(step(&running, failed(Trouble::End(EndReason::InternalError))), closed);
    let wait = Trouble::Wait { reason: ParkReason::Unavailable, wake: None };
    assert_eq!(step(&running, failed(wait)), closed);
    let worker = crate::id::WorkerId::parse("host:1").unwrap();
    let lost = |last| Input::WorkerLost { worker: worker.clone(), times: 4, last };
    assert_eq!(step(&running, lost(true)), closed);
    assert_eq!(step(&running, lost(false)), [], "the next holder looks at what it left");
}

#[test]
fn who_pays_is_said_only_where_it_is_known() {
    let mut settings = AgentSettings::new(BackendId::Claude);
    assert_eq!(BillingMode::of(&settings), BillingMode::Subscription);
    settings.billing = Billing::Key;
    assert_eq!(BillingMode::of(&settings), BillingMode::Metered);
    assert_eq!(BillingMode::of(&AgentSettings::new(BackendId::Opencode)), BillingMode::Unknown);
    assert_eq!(BillingMode::of(&AgentSettings::new(BackendId::Command)), BillingMode::Unknown);
}
