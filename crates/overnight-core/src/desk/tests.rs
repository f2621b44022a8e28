//! What may be said at the desk, and what is answered.

use super::*;
use crate::agent::RemainingLimits;
use crate::id::{JobId, TaskKey};
use crate::job::{Feedback, JobState, LineKind};

#[test]
fn a_report_is_bounded_and_a_skip_is_explained() {
    let refused = |status: &str, summary: &str| Word::report(status, summary).is_err();
    assert!(refused("finished", "") && refused("", ""));
    assert!(refused("done", &"é".repeat(MAX_SUMMARY + 1)));
    assert!(!refused("done", &"é".repeat(MAX_SUMMARY)) && !refused("running", ""));
    assert!(refused("skipped", "too short") && refused("skipped", "   short         "));
    assert!(!refused("skipped", "is in main already"));
}

#[test]
fn a_note_says_something_and_not_too_much() {
    assert!(Word::note(" \n").is_err() && Word::note(&"x".repeat(MAX_NOTE + 1)).is_err());
    assert!(Word::note(&"x".repeat(MAX_NOTE)).is_ok());
}

#[test]
fn who_is_through_ends_its_turn_and_who_lost_its_job_stops() {
    let next = ReportedStatus::ALL.map(|status| NextAction::after(status).code());
    assert_eq!(next, ["go_on", "end_your_turn", "end_your_turn", "end_your_turn"]);
    assert_eq!(Refusal::Cancelled.next_action(), Some(NextAction::CancelledStopNow));
    assert_eq!(Refusal::HeldElsewhere.to_string(), "this job is held by somebody else now: stop");
    assert_eq!(Refusal::Busy.next_action(), None);
}

fn job(line: Option<crate::job::BranchLine>, feedback: Option<Feedback>) -> Job {
    use crate::job::tests_support::{ground, key, spec};
    let trail = crate::job::Trail { feedback, ..crate::job::Trail::default() };
    Job {
        id: JobId::parse("j-1").unwrap(),
        key: key(),
        repository: crate::id::RepositoryId::parse("r-1").unwrap(),
        repository_name: "app".to_owned(),
        spec: crate::job::JobSpec { line: line.map(Box::new), ..spec() },
        state: JobState::Working { trail, ground: ground(), turn: None },
        fence: crate::id::Fence(1),
        holder: None,
        cancel: None,
        queueing: crate::job::Queueing::default(),
        lost: 0,
        created_at: Timestamp(1),
        updated_at: Timestamp(2),
    }
}

#[test]
fn a_report_is_answered_with_where_the_work_goes_and_what_came_before() {
    let said = |job: &Job| standing(job, (ReportedStatus::Done, "It closes.".to_owned()), Timestamp(7));
    let alone = said(&job(None, None));
    assert_eq!(
        (alone.branch.as_str(), &alone.execution, &alone.error),
        ("overnight/app-12-fix-the-door", &None, &None)
    );
    let key = TaskKey::parse("app-3").unwrap();
    let line = crate::job::BranchLine::of(LineKind::Sprint, key, "Night", (2, 3));
    let second = said(&job(Some(line.clone()), Some(Feedback::NextTask)));
    assert_eq!((&second.branch, &second.error), (&line.branch, &None), "the next task is no failure");
    let shown = serde_json::to_value(&second).unwrap();
    let execution = serde_json::json!({"of": "sprint", "key": "app-3", "number": 2, "count": 3});
    assert_eq!(shown["execution"], execution);
    let left = RemainingLimits::default();
    assert_eq!(context(&job(Some(line.clone()), None), left).execution, second.execution);
    let failed = said(&job(Some(line), Some(Feedback::NoChanges)));
    assert!(failed.error.unwrap().contains("without any change"));
    // The contract, whatever else is told.
    for field in [
        "job_id",
        "status",
        "branch",
        "pushed_at_ms",
        "pr_url",
        "verify_result",
        "summary",
        "error",
        "started_at_ms",
        "finished_at_ms",
        "next_action",
    ] {
        assert!(shown.get(field).is_some(), "{field} is missing in {shown:#}");
    }
}
