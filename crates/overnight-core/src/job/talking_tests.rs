//! Questions and messages: when a job waits, what it goes on with, and what is told twice rather than lost.

use super::*;
use crate::id::{MessageId, QuestionId};
use crate::job::state::Turn;
use crate::talk::{Given, OnQuestion, QuestionPolicy, Talk, TalkChange};

fn talk() -> Talk {
    let policy = QuestionPolicy { on_question: OnQuestion::Park, ..QuestionPolicy::default() };
    Talk { policy, ..no_talk() }
}

fn expiry() -> Timestamp {
    NOW.plus(QuestionPolicy::default().expire)
}

fn home(talk: Talk) -> StageOutput {
    StageOutput::Collected {
        tip: Some(commit('b')),
        diff: DiffStat::default(),
        asking: Asking::AsItSaid,
        talk,
    }
}

fn needs_input() -> TurnOutcome {
    TurnOutcome::NeedsInput { detail: "Which one?".to_owned() }
}

fn id() -> QuestionId {
    QuestionId::parse("q-1").unwrap()
}

fn given() -> Given {
    Given { questions: vec![id()], messages: vec![MessageId::parse("m-1").unwrap()] }
}

#[test]
fn a_question_parks_the_job_for_its_answer_and_uses_up_no_attempt() {
    let walk = Walk::queued().prepared().turn(needs_input()).done(home(talk()));
    let JobState::Parked { reason, wake, then, .. } = &walk.state else { panic!("{:?}", walk.state) };
    assert_eq!((*reason, *wake), (ParkReason::Answer, Some(expiry())));
    let trail = then.trail().unwrap();
    assert_eq!((trail.attempt, &trail.feedback), (1, &Some(Feedback::Asked)));
    assert_eq!(trail.session, Some(SessionId::parse("s-1").unwrap()), "its session goes on");
    assert_eq!(trail.preserved, Some(commit('b')), "its work was brought home first");
    assert!(
        matches!(&walk.talk[..], [TalkChange::Asked { turn: 1, .. }, TalkChange::Awaited]),
        "{:?}",
        walk.talk
    );
    let told: Vec<_> = walk.events.iter().rev().take(2).collect();
    assert!(matches!(told[..], [JobEvent::Parked { .. }, JobEvent::StageFinished { .. }]), "{told:?}");
    assert!(walk.events.iter().any(|event| matches!(event, JobEvent::QuestionAsked { .. })));
    let walk = walk.claimed();
    assert!(matches!(walk.state, JobState::Working { turn: None, .. }));
}

#[test]
fn by_policy_the_job_ends_and_one_that_asks_too_often_goes_on_without() {
    let ended = Walk::queued().prepared().turn(needs_input()).done(home(no_talk()));
    assert_eq!(ended.ended(), EndReason::NeedsInput);
    let often = Talk { asked: talk().policy.most, ..talk() };
    let mut walk = Walk::queued().prepared();
    for attempt in 1..=3 {
        assert_eq!(walk.state.trail().unwrap().attempt, attempt);
        walk = walk.turn(needs_input()).done(home(often.clone()));
    }
    assert_eq!(walk.ended(), EndReason::NeedsInput, "it is not asked for ever");
}

#[test]
fn open_questions_of_a_turn_go_before_its_outcome() {
    let open = || Talk { open_until: Some(expiry()), asked: 1, ..no_talk() };
    for outcome in [
        TurnOutcome::Completed,
        TurnOutcome::MaxTurns,
        TurnOutcome::TimedOut { silent: true, idle: None },
        TurnOutcome::Crashed { detail: "x".to_owned() },
        needs_input(),
    ] {
        let walk = Walk::queued().prepared().turn(outcome.clone()).done(home(open()));
        assert!(
            matches!(&walk.state, JobState::Parked { reason: ParkReason::Answer, then, .. } if then.trail().unwrap().attempt == 1),
            "{outcome:?}: {:?}",
            walk.state
        );
    }
    let diff = DiffStat { files: 1, insertions: 1, deletions: 0 };
    let collected =
        StageOutput::Collected { tip: Some(commit('b')), diff, asking: Asking::AsItSaid, talk: open() };
    let walk = Walk::queued().prepared().turn(TurnOutcome::Completed).done(collected);
    assert!(
        matches!(walk.state, JobState::Parked { reason: ParkReason::Answer, .. }),
        "work is not judged before"
    );
    let later =
        Walk::queued().prepared().turn(TurnOutcome::Overloaded { detail: "x".to_owned() }).done(home(open()));
    assert!(matches!(later.state, JobState::Parked { reason: ParkReason::Overloaded, .. }));
    let later = later.claimed().input(Input::Awaits { until: expiry() });
    assert!(matches!(later.state, JobState::Parked { reason: ParkReason::Answer, .. }));
}

#[test]
fn an_answer_that_the_agent_has_not_seen_goes_before_a_verdict() {
    let settled = Talk { settled: true, asked: 1, ..talk() };
    let walk = Walk::queued().prepared().turn(TurnOutcome::Completed).done(home(settled));
    let JobState::Working { trail, turn: None, .. } = &walk.state else { panic!("{:?}", walk.state) };
    assert_eq!((trail.attempt, &trail.feedback), (1, &Some(Feedback::Asked)));
}

fn told(gone_on: Vec<QuestionId>) -> Input {
    Input::Given { given: given(), gone_on, expired: vec![id()] }
}

#[test]
fn what_a_turn_was_told_has_arrived_when_it_came_to_an_end_of_its_own() {
    let walk = Walk::queued().prepared().input(told(vec![id()])).turn(TurnOutcome::Completed);
    assert!(walk.events.contains(&JobEvent::QuestionExpired { id: id() }));
    assert!(walk.events.contains(&JobEvent::MessageDelivered { id: given().messages[0].clone(), turn: 1 }));
    assert_eq!(walk.talk.last(), Some(&TalkChange::Told { turn: 1, given: given() }));
    assert!(walk.state.trail().unwrap().given.is_empty());
    for outcome in [
        TurnOutcome::Crashed { detail: "x".to_owned() },
        TurnOutcome::Stopped,
        TurnOutcome::SessionLost,
        TurnOutcome::RateLimited { reset: None, detail: "x".to_owned() },
    ] {
        let walk = Walk::queued().prepared().input(told(Vec::new())).turn(outcome.clone());
        assert!(walk.talk.is_empty(), "{outcome:?}: {:?}", walk.talk);
        assert_eq!(walk.state.trail().unwrap().given, given(), "it is told again");
    }
}

#[test]
fn what_is_told_again_is_recorded_once() {
    let walk = Walk::queued().prepared().input(told(vec![id()])).announced();
    let walk = walk.input(Input::TurnInterrupted { session: None, used: Usage::default() });
    let walk = walk.input(told(vec![id()]));
    let expired = walk.events.iter().filter(|event| matches!(event, JobEvent::QuestionExpired { .. }));
    assert_eq!(expired.count(), 1);
}

#[test]
fn nobody_answered_and_the_policy_says_so() {
    let walk = Walk::queued().prepared().input(Input::Unanswered { question: "Which?".to_owned() });
    assert_eq!(walk.ended(), EndReason::NeedsInput);
}

#[test]
fn messages_that_came_too_late_get_a_turn_before_publishing_and_no_attempt() {
    let verified = || Walk::queued().prepared().worked().verified(Verdict::Pass, None);
    let walk = verified().input(Input::MessagesLeft { count: 1 });
    let JobState::Working { trail, turn: None, .. } = &walk.state else { panic!("{:?}", walk.state) };
    assert_eq!((trail.attempt, &trail.feedback), (1, &Some(Feedback::Messages)));
    let walk = walk.worked().verified(Verdict::Pass, None);
    assert!(matches!(walk.state, JobState::Publishing { .. }));

    let mut order = spec();
    order.limits = JobLimits { cost: Some(MicroDollars(1000)), ..JobLimits::default() };
    let walk = Walk::with(order).prepared().worked().verified(Verdict::Pass, None);
    let walk = walk.input(Input::MessagesLeft { count: 2 });
    assert!(matches!(walk.state, JobState::Publishing { .. }), "good work is not lost for want of money");
    assert!(walk.events.contains(&JobEvent::Noticed { notice: Notice::MessagesNotDelivered(2) }));
}

#[test]
fn nothing_of_it_can_be_said_in_another_state() {
    let running = || Walk::queued().prepared().announced();
    assert!(matches!(running().state, JobState::Working { turn: Some(Turn { .. }), .. }));
    for input in [told(Vec::new()), Input::Awaits { until: NOW }, Input::MessagesLeft { count: 1 }] {
        assert!(running().try_input(input.clone()).is_err(), "{input:?}");
        assert!(Walk::queued().try_input(input).is_err());
    }
}
