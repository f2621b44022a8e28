//! Another agent, another login, another turn: what happens when one does not come to an end.

use super::*;
use crate::agent::{AgentSettings, BackendId};
use crate::job::{Backup, Follows, Label, Trail, Who};

const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn with_backup() -> Walk {
    let mut order = spec();
    let agent = AgentSettings::new(BackendId::Codex);
    order.choice.backup = Some(Box::new(Backup { agent, patience: HOUR }));
    Walk::with(order)
}

fn trail(walk: &Walk) -> Trail {
    walk.state.trail().unwrap().clone()
}

fn taken_over(walk: &Walk) -> bool {
    walk.events.iter().any(|event| matches!(event, JobEvent::TakenOver { backend: BackendId::Codex, .. }))
}

fn refusal(until: Option<i64>) -> TurnOutcome {
    TurnOutcome::RateLimited { reset: until.map(Timestamp), detail: "five hours".to_owned() }
}

fn nothing(asking: Asking) -> StageOutput {
    StageOutput::Collected { tip: None, diff: DiffStat::default(), asking, talk: no_talk() }
}

#[test]
fn when_the_first_agent_has_no_attempt_left_the_backup_has_its_own() {
    let mut walk = with_backup().prepared();
    for _ in 0..3 {
        walk = walk.turn(TurnOutcome::Crashed { detail: "x".to_owned() }).done(nothing(Asking::AsItSaid));
    }
    let at = trail(&walk);
    assert_eq!((at.who, at.attempt, at.session, at.account), (Who::Backup, 4, None, None));
    assert!(taken_over(&walk) && matches!(at.feedback, Some(Feedback::TakenOver { last: Some(_), .. })));
    for _ in 0..3 {
        walk = walk.turn(TurnOutcome::Crashed { detail: "x".to_owned() }).done(nothing(Asking::AsItSaid));
    }
    assert_eq!(walk.ended(), EndReason::AgentFailed);
    assert!(walk.state.end().unwrap().detail.contains("attempt 3 of 3"), "{:?}", walk.state.end());
}

#[test]
fn the_same_class_twice_hands_over_with_the_failure_and_the_commits() {
    let same = |walk: Walk| {
        let pairs = vec![CheckedPair {
            tip: report("test", fail(), "error[E0308]: mismatched types\n --> src/lib.rs:1:1"),
            base: Some(report("test", Verdict::Pass, "")),
        }];
        walk.worked().done(StageOutput::Verified { pairs })
    };
    let walk = same(same(with_backup().prepared()));
    let at = trail(&walk);
    assert_eq!((at.who, at.attempt, at.preserved), (Who::Backup, 3, Some(commit('b'))));
    let Some(Feedback::TakenOver { last: Some(last), .. }) = at.feedback else { panic!("{:?}", at.feedback) };
    assert!(matches!(*last, Feedback::ChecksFailed { .. }));
    let walk = walk.announced();
    assert!(matches!(
        walk.events.last(),
        Some(JobEvent::TurnAnnounced { backend: BackendId::Codex, attempt: 3, .. })
    ));
}

#[test]
fn what_another_agent_cannot_help_is_not_handed_over() {
    let missing = Verdict::CouldNotRun { why: CouldNotRun::CommandMissing };
    let walk = with_backup().prepared().worked().verified(missing.clone(), Some(missing));
    assert_eq!(walk.ended(), EndReason::ChecksCouldNotRun);
    let mut order = with_backup().spec;
    order.limits.cost = Some(MicroDollars(1000));
    let walk = Walk::with(order).prepared().worked().verified(fail(), Some(Verdict::Pass));
    assert_eq!(walk.ended(), EndReason::BudgetCost);
}

#[test]
fn a_refusal_or_a_question_goes_to_the_backup_at_once() {
    for outcome in [
        TurnOutcome::Refused { detail: "no".to_owned() },
        TurnOutcome::NeedsInput { detail: "which?".to_owned() },
    ] {
        let walk = with_backup().prepared().turn(outcome).done(nothing(Asking::AsItSaid));
        assert_eq!(trail(&walk).who, Who::Backup);
    }
}

#[test]
fn a_vendor_is_waited_for_as_long_as_the_patience_lasts() {
    let soon = NOW.plus(HOUR / 2);
    let walk = with_backup().prepared().turn(refusal(Some(soon.0))).done(nothing(Asking::AsItSaid));
    let JobState::Parked { wake, .. } = &walk.state else { panic!("{:?}", walk.state) };
    assert_eq!(*wake, Some(soon));
    let late = NOW.plus(HOUR * 5);
    let walk = with_backup().prepared().turn(refusal(Some(late.0))).done(nothing(Asking::AsItSaid));
    let at = trail(&walk);
    assert_eq!((at.who, at.attempt, at.attempts_before), (Who::Backup, 1, 0), "no attempt is used up");
    let walk = Walk::queued().prepared().turn(refusal(Some(late.0))).done(nothing(Asking::AsItSaid));
    let JobState::Parked { wake, .. } = &walk.state else { panic!("without a backup it waits") };
    assert_eq!(*wake, Some(late));
}

#[test]
fn a_circuit_that_others_opened_counts_from_when_they_did() {
    let not_asked = |since: Duration| {
        let since = Timestamp(NOW.0 - i64::try_from(since.as_millis()).unwrap());
        let until = Some(NOW.plus(HOUR * 9));
        let detail = "429".to_owned();
        let reason = ParkReason::RateLimited;
        with_backup().prepared().input(Input::NotAsked { reason, detail, since, until })
    };
    assert_eq!(trail(&not_asked(Duration::ZERO)).who, Who::Backup, "it is known to last longer");
    let login = |since: i64| {
        let detail = "log in".to_owned();
        let (reason, since) = (ParkReason::AgentLogin, Timestamp(since));
        with_backup().prepared().input(Input::NotAsked { reason, detail, since, until: None })
    };
    let waits = login(NOW.0);
    let JobState::Parked { wake, reason, then, .. } = &waits.state else { panic!("{:?}", waits.state) };
    assert_eq!((*wake, *reason), (Some(NOW.plus(HOUR)), ParkReason::AgentLogin));
    assert_eq!(then.trail().unwrap().turns, 0, "no turn was started");
    assert_eq!(trail(&login(0)).who, Who::First);
    let long_ago = NOW.0 - 2 * i64::try_from(HOUR.as_millis()).unwrap();
    assert_eq!(trail(&login(long_ago)).who, Who::Backup);
}

#[test]
fn a_circuit_says_when_and_another_login_goes_on_at_once() {
    let at = Timestamp(NOW.0 + 77);
    let walk = Walk::queued().prepared().turn(refusal(None)).done(nothing(Asking::From(at)));
    let JobState::Parked { wake, .. } = &walk.state else { panic!("{:?}", walk.state) };
    assert_eq!(*wake, Some(at));
    let walk = Walk::queued().prepared().turn(refusal(None)).done(nothing(Asking::Elsewhere));
    assert!(
        matches!(&walk.state, JobState::Working { trail, .. } if trail.session.is_none() && trail.attempt == 1)
    );
}

#[test]
fn a_cli_that_is_out_of_answers_goes_on_in_its_session_and_fails_no_attempt() {
    let mut walk = Walk::queued().prepared();
    for _ in 0..5 {
        walk = walk.turn(TurnOutcome::MaxTurns).collected();
        let at = trail(&walk);
        assert_eq!((at.attempt, at.feedback), (1, Some(Feedback::OutOfTurns)));
        assert!(at.session.is_some());
    }
    let walk = walk.worked().verified(Verdict::Pass, None);
    assert!(matches!(walk.state, JobState::Publishing { .. }));
    let mut endless = Walk::queued().prepared();
    let mut turns = 0;
    while endless.state.end().is_none() {
        endless = endless.turn(TurnOutcome::MaxTurns).collected();
        turns += 1;
    }
    assert_eq!((endless.ended(), turns), (EndReason::BudgetTurns, 3 + 20));
}

#[test]
fn after_some_attempts_in_one_session_a_fresh_one_begins() {
    let mut order = spec();
    order.limits.attempts = 5;
    order.agent.compact_after = Some(2);
    let mut walk = Walk::with(order).prepared();
    let mut fresh = Vec::new();
    for _ in 0..4 {
        walk = walk.turn(TurnOutcome::TimedOut { silent: true, idle: None }).done(nothing(Asking::AsItSaid));
        fresh.push(trail(&walk).session.is_none());
    }
    assert_eq!(fresh, [false, true, false, true]);
    assert!(walk.events.contains(&JobEvent::Noticed { notice: Notice::Compacted }));
}

#[test]
fn compacting_on_demand_drops_the_session_of_a_job_that_nobody_works_on() {
    let walk = Walk::queued().prepared().turn(refusal(None)).done(nothing(Asking::AsItSaid));
    let walk = walk.input(Input::Compact);
    assert!(matches!(&walk.state, JobState::Parked { .. }) && trail(&walk).session.is_none());
    let mut working = Walk::queued().prepared().announced();
    assert!(working.try_input(Input::Compact).is_err(), "a turn is under way");
}

#[test]
fn a_follow_up_goes_on_in_the_session_and_on_the_branch() {
    let branch = crate::git::BranchName::for_task(&key(), "Fix the door");
    let mut order = spec();
    order.follows = Some(Box::new(Follows {
        job: crate::id::JobId::parse("j-1").unwrap(),
        key: key(),
        message: "And the window.".to_owned(),
        branch: Some(branch.clone()),
        base_branch: Some("main".to_owned()),
        preserved: None,
        session: Some(SessionId::parse("s-9").unwrap()),
        who: Who::First,
        account: Some(Label::parse("work").unwrap()),
        handover: String::new(),
        pull: None,
    }));
    let walk = Walk::with(order).prepared();
    let at = trail(&walk);
    assert_eq!(at.session, Some(SessionId::parse("s-9").unwrap()));
    assert_eq!(at.feedback, Some(Feedback::FollowUp { message: "And the window.".to_owned() }));
    let walk = walk.worked().verified(Verdict::Pass, None);
    let JobState::Publishing { branch: to, .. } = &walk.state else { panic!("{:?}", walk.state) };
    assert_eq!(*to, branch);
    let walk = walk.input(Input::BranchTaken);
    assert_eq!(walk.ended(), EndReason::BranchConflict, "no second branch for a follow-up");
}
