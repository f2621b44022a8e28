//! What is found before the checks, plans, and a person's word.

use super::*;
use crate::desk::{ReportedStatus, Word};
use crate::id::ItemId;
use crate::job::{Approval, TaskOrder};
use crate::policy::alignment::{Alignment, AlignmentReport, VerifyRequired};

pub(super) fn finding(level: Level) -> Finding {
    Finding {
        rule: Rule::CiFile,
        level,
        file: "ci.yml".to_owned(),
        line: Some(3),
        detail: "is run by the forge".to_owned(),
        before: None,
        after: None,
        excused: None,
    }
}

fn waiting() -> Walk {
    Walk::queued().prepared().worked().inspected(vec![finding(Level::Approve)]).verified(Verdict::Pass, None)
}

fn approve(digit: char) -> Input {
    Input::Approved { by: "me".to_owned(), commit: commit(digit), message: Some("fine".to_owned()) }
}

fn reject(end: bool) -> Input {
    Input::Rejected { by: "me".to_owned(), commit: commit('b'), message: "Not like this".to_owned(), end }
}

#[test]
fn what_is_refused_goes_back_to_the_agent_and_ends_when_no_attempt_is_left() {
    let mut walk = Walk::queued().prepared();
    for attempt in 1..=3 {
        walk = walk.worked().inspected(vec![finding(Level::Block)]);
        if attempt < 3 {
            let trail = walk.state.trail().unwrap();
            assert_eq!(trail.attempt, attempt + 1);
            let Some(Feedback::Refused { reasons }) = &trail.feedback else { panic!("{trail:?}") };
            assert!(reasons[0].contains("ci.yml:3"), "{reasons:?}");
        }
    }
    assert_eq!(walk.ended(), EndReason::GateRefused);
    assert!(walk.effects.is_empty());
}

#[test]
fn nothing_is_verified_that_was_not_looked_at() {
    let mut walk = Walk::queued().prepared().worked();
    let verified = StageOutput::Verified { pairs: vec![pair(Verdict::Pass, None)] };
    assert!(walk.try_input(Input::Done { output: verified, elapsed: SECOND }).is_err());
    let walk = walk.inspected(vec![finding(Level::Warn)]);
    let again = Input::Inspected {
        inspection: Box::new(Inspection { findings: Vec::new(), more: 0, alignment: None }),
        elapsed: SECOND,
    };
    let mut walk = walk;
    assert!(walk.try_input(again).is_err(), "looked at once");
    assert!(matches!(walk.verified(Verdict::Pass, None).state, JobState::Publishing { .. }));
}

#[test]
fn a_person_agrees_to_exactly_one_commit() {
    let mut walk = waiting();
    assert!(matches!(walk.state, JobState::Parked { reason: ParkReason::Approval, .. }), "{:?}", walk.state);
    assert_eq!(walk.state.awaits_approval(), Some(&commit('b')));
    assert!(walk.effects.is_empty(), "nothing is reserved before somebody agreed");
    assert!(walk.try_input(approve('c')).is_err(), "another commit");
    let walk = walk.input(approve('b'));
    assert!(matches!(walk.state, JobState::Publishing { approval: Approval::Given { .. }, .. }));
    assert!(!walk.effects.is_empty());
    let mut walk = walk.claimed();
    assert!(walk.try_input(approve('b')).is_err(), "once");
    let walk = walk.input(Input::BranchPushed { elapsed: SECOND }).done(StageOutput::Cleaned);
    assert_eq!(walk.ended(), EndReason::Published);
}

#[test]
fn whatever_wakes_a_job_that_waits_for_a_word_it_is_not_published_without_one() {
    let walk = waiting().input(Input::Woken).claimed();
    let mut walk = walk;
    assert!(walk.try_input(Input::BranchPushed { elapsed: SECOND }).is_err());
    assert!(walk.try_input(Input::BranchTaken).is_err());
    // On a machine that has nothing of it, it begins again.
    let worker = WorkerId::parse("other:1").unwrap();
    let moved = waiting().input(Input::Claimed { worker, fence: Fence(2), resumed: true, moved: true });
    assert!(matches!(moved.state, JobState::Preparing { .. }), "{:?}", moved.state);
}

#[test]
fn a_no_is_told_to_the_agent_or_ends_the_job() {
    let again = waiting().input(reject(false));
    let trail = again.state.trail().unwrap();
    assert_eq!(
        (trail.attempt, &trail.feedback),
        (2, &Some(Feedback::Rejected { why: "Not like this".to_owned() }))
    );
    let over = waiting().input(reject(true));
    assert_eq!(over.ended(), EndReason::Rejected);
    assert!(over.effects.is_empty());
    let mut cancelled = waiting().input(Input::Cancel { by: CancelledBy::Command });
    assert!(cancelled.try_input(approve('b')).is_err() && cancelled.try_input(reject(true)).is_err());
}

fn with_task(required: VerifyRequired, verify_only: bool) -> Walk {
    let mut order = spec();
    order.task = Some(Box::new(TaskOrder {
        item: ItemId::parse("0190c0de-0000-7000-8000-000000000001").unwrap(),
        key: key(),
        story: None,
        epic: None,
        plan: Some("`src/a.rs`".to_owned()),
        verify_required: required,
        verify_only,
    }));
    Walk::with(order).prepared()
}

fn report(status: ReportedStatus, summary: &str) -> Input {
    Input::Told { word: Word::Report { status, summary: summary.to_owned() } }
}

fn compared(alignment: Alignment) -> Inspection {
    let alignment = AlignmentReport {
        alignment,
        plan_paths: vec!["src/a.rs".to_owned()],
        missing: vec!["src/a.rs".to_owned()],
        unplanned: Vec::new(),
        why: "1 of 1 paths of the plan were not changed".to_owned(),
    };
    Inspection { findings: Vec::new(), more: 0, alignment: Some(alignment) }
}

#[test]
fn a_change_that_is_not_the_plan_is_accepted_when_the_agent_says_why() {
    let said = |walk: Walk, text: &str| {
        let session = Some(SessionId::parse("s-1").unwrap());
        let (usage, final_text) = (Usage::default(), Some(text.to_owned()));
        let report = TurnReport {
            outcome: TurnOutcome::Completed,
            session,
            usage,
            final_text,
            asked: None,
            options: Vec::new(),
        };
        walk.announced().done(StageOutput::Turn { report }).collected()
    };
    let walk = said(with_task(VerifyRequired::AlignedOrPartial, false), "Done.")
        .inspection(compared(Alignment::Partial));
    let Some(Feedback::Refused { reasons }) = &walk.state.trail().unwrap().feedback else { panic!() };
    assert!(reasons[0].contains("src/a.rs"), "{reasons:?}");
    let walk =
        said(walk, "The plan names a file that is generated.").inspection(compared(Alignment::Divergent));
    assert!(matches!(walk.state, JobState::Verifying { .. }));
    let walk = said(with_task(VerifyRequired::Aligned, false), "The plan names a file that is generated.");
    assert!(matches!(walk.inspection(compared(Alignment::Partial)).state, JobState::Working { .. }));
}

#[test]
fn nothing_to_do_is_an_end_and_no_failure() {
    let nothing = |walk: Walk| {
        let diff = DiffStat::default();
        let session = Some(SessionId::parse("s-1").unwrap());
        let usage = Usage::default();
        let report = TurnReport {
            outcome: TurnOutcome::Completed,
            session,
            usage,
            final_text: None,
            asked: None,
            options: Vec::new(),
        };
        walk.done(StageOutput::Turn { report }).done(StageOutput::Collected {
            tip: None,
            diff,
            asking: Asking::AsItSaid,
            talk: crate::job::tests_support::no_talk(),
        })
    };
    let walk = nothing(
        Walk::queued()
            .prepared()
            .announced()
            .started()
            .input(report(ReportedStatus::Skipped, "It is in main already.")),
    );
    assert_eq!(walk.ended(), EndReason::AlreadyDone);
    let walk = nothing(
        Walk::queued().prepared().announced().started().input(report(ReportedStatus::Skipped, "  done   ")),
    );
    assert_eq!(walk.state.trail().unwrap().attempt, 2, "too short to be a reason");
    // What was said in one turn does not count for the next.
    let walk = Walk::queued()
        .prepared()
        .announced()
        .started()
        .input(report(ReportedStatus::Skipped, "It is in main already."));
    let walk = walk.input(interrupted(None)).announced();
    assert_eq!(nothing(walk).state.trail().unwrap().attempt, 2);
    let walk = nothing(with_task(VerifyRequired::Aligned, true).announced());
    assert_eq!(walk.ended(), EndReason::AlreadyDone);
}
