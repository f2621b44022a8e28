//! Jobs that write a document: it is taken with the step that collects it, given back, or asked for again, and nothing goes out.

use super::*;
use crate::backlog::idea::{DocumentOrder, DocumentPart, NewDocument, Submission};
use crate::id::ItemId;
use crate::talk::{OnQuestion, QuestionPolicy, Talk};

const PLAN: &str = "epic: {title: Export}\nstories:\n  - title: CSV\n    tasks:\n      - {title: Write}\n";

fn writing() -> Walk {
    let document = DocumentOrder {
        item: ItemId::parse("i-1").unwrap(),
        key: key(),
        part: DocumentPart::Plan,
        round: 1,
        rounds: 3,
        through: false,
        plan: None,
    };
    Walk::with(JobSpec { publication: Publication::Document { document: Box::new(document) }, ..spec() })
}

fn written(document: Submission, talk: Talk) -> StageOutput {
    StageOutput::Written { document, asking: Asking::AsItSaid, talk }
}

fn text(text: &str) -> StageOutput {
    written(Submission::Text(text.to_owned()), no_talk())
}

/// The documents of the step that follows.
fn documents(walk: &Walk, output: StageOutput) -> Vec<NewDocument> {
    let key = key();
    let input = Input::Done { output, elapsed: SECOND };
    transition(&walk.state, input, NOW, Order { key: &key, spec: &walk.spec }).unwrap().documents
}

#[test]
fn a_good_document_ends_the_job_and_nothing_goes_out() {
    let walk = writing().prepared().turn(TurnOutcome::Completed);
    let kept = documents(&walk, text(PLAN));
    assert_eq!((kept.len(), kept[0].text.as_str()), (1, PLAN));
    let walk = walk.done(text(PLAN)).done(StageOutput::Cleaned);
    let end = walk.state.end().unwrap();
    assert_eq!((end.reason, &end.tip, &end.published), (EndReason::Delivered, &None, &None));
    assert!(walk.effects.is_empty(), "{:?}", walk.effects);
    let told: Vec<_> =
        walk.events.iter().filter(|event| matches!(event, JobEvent::DocumentTaken { .. })).collect();
    assert_eq!(told.len(), 1);
    assert!(
        !walk
            .events
            .iter()
            .any(|event| matches!(event, JobEvent::Collected { .. } | JobEvent::Checked { .. }))
    );
}

#[test]
fn a_bad_document_is_an_attempt_and_the_third_one_the_end() {
    let mut walk = writing().prepared();
    for (attempt, bad) in (1..).zip([
        written(Submission::Missing, no_talk()),
        written(Submission::Unusable("a link"), no_talk()),
        text("stories: []"),
    ]) {
        walk = walk.turn(TurnOutcome::Completed);
        assert!(documents(&walk, bad.clone()).is_empty());
        assert_eq!(walk.state.trail().unwrap().attempt, attempt);
        walk = walk.done(bad);
        if attempt < 3 {
            let feedback = walk.state.trail().unwrap().feedback.clone();
            assert!(matches!(feedback, Some(Feedback::DocumentRefused { .. })), "{feedback:?}");
        }
    }
    let end = walk.state.end().unwrap();
    assert_eq!(end.reason, EndReason::DocumentRefused);
    assert!(end.detail.contains("line 1") && end.detail.contains("attempt 3 of 3"), "{}", end.detail);
}

#[test]
fn only_a_turn_that_came_to_its_end_is_judged() {
    for outcome in [
        TurnOutcome::Crashed { detail: "x".to_owned() },
        TurnOutcome::Stopped,
        TurnOutcome::MaxTurns,
        TurnOutcome::RateLimited { reset: None, detail: String::new() },
        TurnOutcome::NeedsInput { detail: "?".to_owned() },
    ] {
        let walk = writing().prepared().turn(outcome.clone());
        assert!(documents(&walk, text(PLAN)).is_empty(), "{outcome:?}");
        let walk = walk.done(text(PLAN));
        assert_ne!(walk.state.end().map(|end| end.reason), Some(EndReason::Delivered), "{outcome:?}");
    }
}

#[test]
fn a_question_without_a_document_waits_for_its_answer() {
    let policy = QuestionPolicy { on_question: OnQuestion::Park, ..QuestionPolicy::default() };
    let talk = || Talk { policy, ..no_talk() };
    let asked = |submission| {
        let session = Some(SessionId::parse("s-1").unwrap());
        let report = TurnReport {
            outcome: TurnOutcome::Completed,
            session,
            usage: Usage::default(),
            final_text: None,
            asked: Some("CSV or JSON?".to_owned()),
            options: Vec::new(),
        };
        let walk = writing().prepared().announced().done(StageOutput::Turn { report });
        walk.done(written(submission, talk()))
    };
    let walk = asked(Submission::Missing);
    assert!(matches!(walk.state, JobState::Parked { reason: ParkReason::Answer, .. }), "{:?}", walk.state);
    // It asked and went on, and what it wrote stands by itself.
    let walk = asked(Submission::Text(PLAN.to_owned()));
    assert_eq!(walk.state.end().map(|end| end.reason), Some(EndReason::Delivered));
}
