//! What is taken, what comes next and how far an idea is, as tables and as properties.

use proptest::prelude::*;

use super::super::item::{IdeaBody, Item, ItemBody};
use super::super::state::{Run, RunEnd};
use super::*;
use crate::job::EndReason;

const GRILL: &str = "# Export\n\n## Scope\nOnly CSV.\n\n## Acceptance points\n- one\n- two\n* three\n\n## Risks\n1. slow\n\n## Open ends\nnone\n";
const PLAN: &str = "---
epic:
  title: Export
stories:
  - title: CSV
    tasks:
      - title: Write rows
        id: rows
        plan: Change `src/rows.rs`.
      - title: Quote them
        after: [rows]
---
";

fn order(part: DocumentPart, round: u32) -> DocumentOrder {
    DocumentOrder {
        item: ItemId::parse("i-1").unwrap(),
        key: TaskKey::parse("app-1").unwrap(),
        part,
        round,
        rounds: 3,
        through: true,
        plan: (part == DocumentPart::Review).then(|| PLAN.to_owned()),
    }
}

fn judged(part: DocumentPart, text: &str) -> Judgement {
    judge(&order(part, 1), &Submission::Text(text.to_owned()))
}

#[track_caller]
fn taken(part: DocumentPart, text: &str) -> Vec<DocumentFacts> {
    match judged(part, text) {
        Judgement::Taken(new) => new.into_iter().map(|new| new.facts).collect(),
        Judgement::Refused(why) => panic!("{why:?}"),
    }
}

#[track_caller]
fn refused(part: DocumentPart, text: &str) -> String {
    match judged(part, text) {
        Judgement::Refused(why) => why.join("\n"),
        Judgement::Taken(new) => panic!("{new:?}"),
    }
}

fn review(front: &str) -> String {
    format!("---\n{front}\n---\n{PLAN}")
}

#[test]
fn a_grill_has_its_four_parts() {
    let facts = [DocumentFacts::Grill { acceptance: 3, risks: 1, open: 0 }];
    assert_eq!(taken(DocumentPart::Grill, GRILL), facts);
    assert_eq!(taken(DocumentPart::Grill, &GRILL.replace('\n', "\r\n")), facts);
    let without = |section: &str| GRILL.replace(section, "## Something else");
    for (text, why) in [
        (without("## Scope"), "no section \"## Scope\""),
        (without("## Risks"), "no section \"## Risks\""),
        (GRILL.replace("- two\n", ""), "line 6: \"Acceptance\" has 2 list entries"),
        (GRILL.replace("- two\n", "  - two\n- …\n    - deeper\n```\n- code\n```\n"), ""),
        (GRILL.replace("- two\n", "- …\n    - deeper\n```\n- code\n```\n"), "has 2 list entries"),
        (GRILL.replace("1. slow\n", ""), "\"Risks\" has 0 list entries"),
        (GRILL.replace("Only CSV.\n", ""), "line 3: \"Scope\" says nothing"),
        (GRILL.replace("none\n", ""), "\"Open ends\" says nothing"),
        (format!("```\n{GRILL}```\n"), "no section \"## Scope\""),
    ] {
        if why.is_empty() {
            taken(DocumentPart::Grill, &text);
        } else {
            let found = refused(DocumentPart::Grill, &text);
            assert!(found.contains(why), "{found}\nof {text}");
        }
    }
    assert_eq!(
        refused(DocumentPart::Grill, "nothing of it").lines().count(),
        4,
        "every problem is told at once"
    );
}

#[test]
fn a_plan_is_one_that_can_be_imported_and_decides_nothing_that_costs() {
    assert_eq!(taken(DocumentPart::Plan, PLAN), [DocumentFacts::Plan { stories: 1, tasks: 2 }]);
    let task =
        |line: &str| PLAN.replace("        id: rows\n", &format!("        id: rows\n        {line}\n"));
    for (text, why) in [
        ("epic:\n  title: x\n".to_owned(), "no task"),
        (
            PLAN.replace("[rows]", "[row]"),
            "line 11: no task of this plan has the id \"row\"; did you mean rows?",
        ),
        (task("max_cost: 500"), "line 9: a task has no field \"max_cost\""),
        (task("agent: command"), "no field \"agent\""),
        (task("repository: secrets"), "no field \"repository\""),
        (PLAN.replace("  title: Export\n", "  title: Export\n  cascade: false\n"), "no field \"cascade\""),
        (PLAN.replace("Write rows", "Write\u{202e}rows"), "U+202E"),
        ("x".repeat(RESULT_MAX + 1), "at most 64000"),
        ("é".repeat(RESULT_MAX), "line 1"),
        (" \n\t\n".to_owned(), "empty"),
    ] {
        let found = refused(DocumentPart::Plan, &text);
        assert!(found.contains(why), "{found}");
    }
    for (submission, why) in
        [(Submission::Missing, "no file"), (Submission::Unusable("a directory"), "a directory")]
    {
        let Judgement::Refused(found) = judge(&order(DocumentPart::Plan, 1), &submission) else { panic!() };
        assert!(found[0].contains(why), "{found:?}");
    }
}

#[test]
fn a_review_has_a_verdict_of_its_own_and_the_whole_plan() {
    let issues =
        "verdict: approved\nissues:\n  - severity: error\n    text: a\n  - {severity: note, text: b}";
    let [DocumentFacts::Review(facts), plan] = taken(DocumentPart::Review, &review(issues))[..] else {
        panic!()
    };
    assert_eq!((facts.verdict, facts.errors, facts.warnings, facts.notes), (Verdict::Approved, 1, 0, 1));
    assert_eq!(facts.changed, Changed { lines: 0, of: 24 });
    assert_eq!(plan, DocumentFacts::Plan { stories: 1, tasks: 2 });
    for (text, why) in [
        (review("issues: []"), "the review has no verdict"),
        (review("verdict:"), "the review has no verdict"),
        (review("verdict: \"\""), "verdict"),
        (review("verdict: yes"), "\"yes\" is no verdict"),
        (review("verdict: Approved"), "is no verdict"),
        (review("verdict: [approved]"), "a text"),
        (review("verdict: approved\nscore: 100"), "no field \"score\""),
        (review("verdict: approved\nissues: [bad]"), "line 3: an issue has"),
        (review("verdict: approved\nissues:\n  - severity: fatal\n    text: x"), "\"fatal\" is no severity"),
        (review("verdict: approved\nissues:\n  - severity: error"), "has no text"),
        (PLAN.to_owned(), "no field"),
        (PLAN.replace("---\n", ""), "begins with its front matter"),
        ("---\nverdict: approved\n---\n\n".to_owned(), "no plan behind"),
        // Its line is that of the file, not of the plan.
        (review("verdict: approved").replace("[rows]", "[row]"), "line 14: no task"),
        (review("verdict: approved\n---\n\n").replace("[rows]", "[row]"), "line"),
    ] {
        let found = refused(DocumentPart::Review, &text);
        assert!(found.contains(why), "{found}\nof {text}");
    }
}

#[test]
fn how_much_a_plan_changed_is_counted_in_lines() {
    let lines = |count: usize| (0..count).map(|line| format!("line {line}\n")).collect::<String>();
    for (before, after, wanted, settled) in [
        (lines(100), lines(100), 0, true),
        (lines(100), lines(100).replace("line 7\n", "other\n"), 1, true),
        (lines(100), lines(100).replace("line 7\n", "  line 7\n"), 1, true),
        (lines(100), lines(100).replace('\n', "  \n\n"), 0, true),
        (lines(100), lines(90), 6, false),
        (String::new(), lines(3), 100, false),
        (String::new(), String::new(), 0, false),
    ] {
        let changed = changed(&before, &after);
        assert_eq!((changed.percent(), changed.is_settled()), (wanted, settled), "{changed:?}");
    }
}

fn fact(revision: u32, facts: DocumentFacts, job: Option<&str>, at: i64) -> DocumentFact {
    DocumentFact { revision, facts, job: job.map(|job| JobId::parse(job).unwrap()), at: Timestamp(at) }
}

const SHAPE: DocumentFacts = DocumentFacts::Plan { stories: 1, tasks: 2 };

fn round(round: u32, verdict: Verdict, percent: usize, errors: usize) -> ReviewFacts {
    let changed = Changed { lines: percent, of: 100 };
    ReviewFacts { round, rounds: 3, verdict, errors, warnings: 9, notes: 9, changed }
}

/// A plan, and what rounds made of it.
fn documents(rounds: &[ReviewFacts]) -> Vec<DocumentFact> {
    let mut all = vec![fact(1, SHAPE, Some("p"), 1)];
    for (number, facts) in (1..).zip(rounds) {
        let job = format!("r-{number}");
        all.push(fact(number, DocumentFacts::Review(*facts), Some(&job), i64::from(number) + 1));
        all.push(fact(number + 1, SHAPE, Some(&job), i64::from(number) + 1));
    }
    all
}

#[test]
fn only_a_plan_that_stays_and_has_no_error_is_approved() {
    use Verdict::{Approved, ChangesRequested, Rejected};
    type Round = (Verdict, usize, usize);
    let cases: [(&[Round], Outcome, Option<u32>); 10] = [
        (&[], Outcome::Open, None),
        (&[(Approved, 0, 0)], Outcome::Open, Some(2)),
        (&[(Approved, 0, 0), (Approved, 4, 0)], Outcome::Approved, None),
        (&[(ChangesRequested, 4, 3), (Approved, 4, 0)], Outcome::Approved, None),
        (&[(Approved, 0, 0), (Approved, 5, 0)], Outcome::Open, Some(3)),
        (&[(Approved, 5, 0), (Approved, 0, 0)], Outcome::Open, Some(3)),
        (&[(Approved, 0, 0), (Approved, 0, 1)], Outcome::Open, Some(3)),
        (&[(Approved, 9, 0), (ChangesRequested, 0, 0), (ChangesRequested, 0, 0)], Outcome::Open, None),
        (&[(Approved, 9, 0), (ChangesRequested, 0, 0), (Approved, 0, 0)], Outcome::Approved, None),
        (&[(Rejected, 0, 0)], Outcome::Rejected, None),
    ];
    for (rounds, wanted, then) in cases {
        let rounds: Vec<ReviewFacts> = (1..)
            .zip(rounds)
            .map(|(number, (verdict, percent, errors))| round(number, *verdict, *percent, *errors))
            .collect();
        assert_eq!(outcome(&rounds), wanted, "{rounds:?}");
        let after = After { part: DocumentPart::Review, through: false, rounds: None };
        let found = next(after, &documents(&rounds));
        assert_eq!(found, then.map(|round| (DocumentPart::Review, round)), "{rounds:?}");
    }
}

#[test]
fn a_plan_that_was_written_after_its_review_is_not_reviewed() {
    let rounds = [round(1, Verdict::Approved, 0, 0), round(2, Verdict::Approved, 0, 0)];
    let mut all = documents(&rounds);
    assert_eq!(reviews(&all).len(), 2);
    all.push(fact(4, SHAPE, None, 9));
    assert!(reviews(&all).is_empty());
    let body = IdeaBody::default();
    assert_eq!(state(&body, &all, None), IdeaState::PlanReady);
    // A second review counts by itself.
    let mut twice = documents(&[rounds[0], rounds[1], rounds[0]]);
    assert_eq!(reviews(&twice).len(), 1);
    assert_eq!(state(&body, &twice, None), IdeaState::PlanReviewFailed);
    twice.reverse();
    assert_eq!(reviews(&twice).len(), 1, "in whatever order they come");
}

fn run(part: DocumentPart, end: Option<EndReason>, goes_on: bool) -> Run {
    Run {
        number: 1,
        job: JobId::parse("j").unwrap(),
        key: TaskKey::parse("app-9").unwrap(),
        end: end.map(|reason| RunEnd { reason: Some(reason), at: Timestamp(100) }),
        pull: None,
        pull_url: None,
        part: Some(part),
        goes_on,
    }
}

#[test]
fn an_idea_is_as_far_as_its_documents_and_its_newest_job() {
    use DocumentPart::{Grill, Plan, Review};
    use EndReason::{Cancelled, Delivered, DocumentRefused, NeedsInput};
    let grilled = vec![fact(1, DocumentFacts::Grill { acceptance: 3, risks: 1, open: 0 }, Some("g"), 0)];
    let planned = documents(&[]);
    let reviewed = documents(&[round(1, Verdict::Approved, 0, 0), round(2, Verdict::Approved, 0, 0)]);
    let open = documents(&[round(1, Verdict::Approved, 0, 0)]);
    let cases = [
        (&vec![], None, IdeaState::Draft),
        (&vec![], Some(run(Grill, None, false)), IdeaState::Grilling),
        (&vec![], Some(run(Grill, Some(NeedsInput), true)), IdeaState::GrillFailed),
        (&vec![], Some(run(Grill, Some(Cancelled), true)), IdeaState::Draft),
        (&grilled, Some(run(Grill, Some(Delivered), false)), IdeaState::Grilled),
        (&grilled, Some(run(Grill, Some(Delivered), true)), IdeaState::Planning),
        (&grilled, Some(run(Plan, None, false)), IdeaState::Planning),
        (&grilled, Some(run(Plan, Some(DocumentRefused), false)), IdeaState::PlanFailed),
        (&planned, Some(run(Plan, Some(Delivered), false)), IdeaState::PlanReady),
        (&planned, Some(run(Plan, Some(Delivered), true)), IdeaState::Reviewing),
        (&planned, Some(run(Review, None, false)), IdeaState::Reviewing),
        (&planned, Some(run(Review, Some(NeedsInput), false)), IdeaState::PlanReviewFailed),
        (&open, Some(run(Review, Some(Delivered), true)), IdeaState::Reviewing),
        (&open, Some(run(Review, Some(Delivered), false)), IdeaState::PlanReviewFailed),
        (&reviewed, Some(run(Review, Some(Delivered), true)), IdeaState::PlanReviewed),
        (&reviewed, None, IdeaState::PlanReviewed),
    ];
    for (documents, run, wanted) in cases {
        assert_eq!(state(&IdeaBody::default(), documents, run.as_ref()), wanted, "{documents:?} {run:?}");
        let epic = TaskKey::parse("app-3").ok();
        let became = IdeaBody { epic, ..IdeaBody::default() };
        assert_eq!(state(&became, documents, run.as_ref()), IdeaState::Planned);
    }
    // A plan that a person gave after a job had failed.
    let given = vec![fact(1, SHAPE, None, 101)];
    let failed = run(Plan, Some(DocumentRefused), false);
    assert_eq!(state(&IdeaBody::default(), &given, Some(&failed)), IdeaState::PlanReady);
    // From before documents were kept.
    let notes = IdeaBody { notes: "asked".into(), ..IdeaBody::default() };
    assert_eq!(state(&notes, &[], None), IdeaState::Grilled);
    let plan = IdeaBody { plan: Some("epic:".into()), ..IdeaBody::default() };
    assert_eq!(state(&plan, &[], None), IdeaState::PlanReady);
}

#[test]
fn the_job_that_follows_is_asked_for_what_is_known_by_then() {
    use crate::job::{JobKind, Origin, Publication};
    let body = IdeaBody { wish: "Rows as files.".into(), notes: "CSV".into(), ..IdeaBody::default() };
    let mut idea = Item {
        id: ItemId::parse("i-1").unwrap(),
        repository: crate::id::RepositoryId::parse("r").unwrap(),
        key: TaskKey::parse("app-1").unwrap(),
        title: "Export".into(),
        body: ItemBody::Idea(body.clone()),
        parent: None,
        position: 0,
        version: 1,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    };
    let mut before = crate::job::tests_support::spec();
    before.publication = Publication::Document { document: Box::new(order(DocumentPart::Plan, 1)) };
    before.choice.frozen = true;
    before.choice.origins.insert("agent".into(), Origin::Job);
    let all = documents(&[]);
    let spec = next_spec(&before, &idea, &all, (Some("the grill"), Some(PLAN))).unwrap();
    let found = spec.document().unwrap();
    assert_eq!((found.part, found.round, found.plan.as_deref()), (DocumentPart::Review, 1, Some(PLAN)));
    assert_eq!((spec.choice.kind, spec.choice.frozen), (JobKind::Review, false));
    assert_eq!(spec.title, "Review 1: Export");
    for known in ["Rows as files.", "CSV", "the grill"] {
        assert!(spec.prompt.contains(known), "{}", spec.prompt);
    }
    // Nobody reviews what is not there, what is too long to be read, or what became an epic.
    assert_eq!(next_spec(&before, &idea, &all, (None, None)), None);
    assert_eq!(next_spec(&before, &idea, &all, (None, Some(&"x".repeat(RESULT_MAX + 1)))), None);
    idea.body = ItemBody::Idea(IdeaBody { epic: TaskKey::parse("app-2").ok(), ..body });
    assert_eq!(next_spec(&before, &idea, &all, (None, Some(PLAN))), None);
}

#[test]
fn the_words_of_states_are_those_of_the_json() {
    for state in IdeaState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    for part in DocumentPart::ALL {
        assert_eq!(serde_json::to_value(part).unwrap(), part.as_str());
        assert_eq!(DocumentPart::find(part.as_str()), Some(part));
    }
    for verdict in Verdict::ALL {
        assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
    }
}

#[test]
fn the_prompts_can_be_read() {
    let result = std::path::Path::new("/data/jobs/1/result/x.md");
    for part in DocumentPart::ALL {
        let order = order(part, 2);
        insta::assert_snapshot!(
            format!("prompt_{part}"),
            task("Export rows\n\nAs CSV.\n", &order, Some(result))
        );
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_judge_and_only_what_it_takes_is_kept(
        text in prop_oneof![
            any::<String>(),
            "(---\n|verdict: |approved|issues:\n|  - |epic:\n|title: |stories:|tasks:|[a-z:#\n &*!-]){0,60}",
            Just(PLAN.to_owned()), Just(GRILL.to_owned()), Just(review("verdict: approved")),
        ],
        part in prop_oneof![Just(DocumentPart::Grill), Just(DocumentPart::Plan), Just(DocumentPart::Review)],
    ) {
        match judged(part, &text) {
            Judgement::Taken(new) => {
                prop_assert_eq!(new[0].facts.part(), part);
                for new in &new {
                    prop_assert!(!new.text.is_empty() && new.text.chars().count() <= RESULT_MAX);
                    if let DocumentFacts::Plan { .. } = new.facts {
                        prop_assert!(super::super::plan::read(&new.text).is_ok());
                    }
                }
            }
            Judgement::Refused(why) => prop_assert!(!why.is_empty()),
        }
    }

    #[test]
    fn what_changed_is_the_same_from_both_sides(one in "[ab\n ]{0,40}", two in "[ab\n ]{0,40}") {
        let there = changed(&one, &two);
        prop_assert_eq!(there, changed(&two, &one));
        prop_assert!(there.lines <= there.of && changed(&one, &one).lines == 0);
    }

    #[test]
    fn without_an_approval_nothing_is_approved(
        rounds in prop::collection::vec((0_u32..2, 0_usize..8, 0_usize..2), 0..6)
    ) {
        let rounds: Vec<ReviewFacts> = (1..).zip(&rounds).map(|(number, (verdict, percent, errors))| {
            let verdict = if *verdict == 0 { Verdict::ChangesRequested } else { Verdict::Rejected };
            round(number, verdict, *percent, *errors)
        }).collect();
        prop_assert_ne!(outcome(&rounds), Outcome::Approved);
    }
}
