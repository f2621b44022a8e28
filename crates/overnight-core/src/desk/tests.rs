//! What may be said at the desk, and what is answered.

use super::*;

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
