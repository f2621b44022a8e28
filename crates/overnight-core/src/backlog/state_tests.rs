//! The states of items, as a table and as properties.

use proptest::prelude::*;

use super::*;
use crate::id::{ItemId, JobId, RepositoryId, TaskKey};
use crate::job::EndReason;
use crate::units::Timestamp;

fn id(number: usize) -> ItemId {
    ItemId::parse(&format!("i-{number}")).unwrap()
}

fn item(number: usize, body: ItemBody, parent: Option<usize>) -> Item {
    Item {
        id: id(number),
        repository: RepositoryId::parse("r").unwrap(),
        key: TaskKey::parse(&format!("app-{number}")).unwrap(),
        title: "x".to_owned(),
        body,
        parent: parent.map(id),
        position: 0,
        version: 1,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

fn task(number: usize, story: Option<usize>) -> Item {
    item(number, ItemBody::Task(Box::default()), story)
}

fn run(number: u32, end: Option<EndReason>, pull: Option<PullState>) -> Run {
    Run {
        part: None,
        goes_on: false,
        number,
        job: JobId::parse("j").unwrap(),
        key: TaskKey::parse("app-9").unwrap(),
        end: end.map(|reason| RunEnd { reason: Some(reason), at: Timestamp(1) }),
        pull,
        pull_url: None,
    }
}

fn said(mark: Mark, runs: u32) -> MarkFact {
    MarkFact { mark, at: Timestamp(2), runs }
}

fn code(items: &[Item], facts: &Facts, number: usize) -> &'static str {
    states(items, facts)[&id(number)].0.code()
}

fn of_task(run: Option<Run>, mark: Option<MarkFact>) -> &'static str {
    let mut facts = Facts::default();
    facts.runs.extend(run.map(|run| (id(1), run)));
    facts.marks.extend(mark.map(|mark| (id(1), mark)));
    code(&[task(1, None)], &facts, 1)
}

#[test]
fn a_task_is_what_its_newest_job_and_people_say() {
    use EndReason::{Cancelled, DependencyFailed, NoChanges, Published, VerificationFailed};
    let table = [
        (None, None, "todo"),
        (Some(run(1, None, None)), None, "in_progress"),
        (Some(run(1, Some(Published), None)), None, "review"),
        (Some(run(1, Some(Published), Some(PullState::Open))), None, "review"),
        (Some(run(1, Some(Published), Some(PullState::Merged))), None, "done"),
        (Some(run(1, Some(Published), Some(PullState::Closed))), None, "todo"),
        (Some(run(1, Some(VerificationFailed), None)), None, "failed"),
        (Some(run(1, Some(NoChanges), None)), None, "failed"),
        (Some(run(1, Some(Cancelled), None)), None, "todo"),
        (Some(run(1, Some(DependencyFailed), None)), None, "todo"),
        (None, Some(said(Mark::Done, 0)), "done"),
        (None, Some(said(Mark::Excluded, 0)), "excluded"),
        (Some(run(1, Some(VerificationFailed), None)), Some(said(Mark::Done, 1)), "done"),
        (Some(run(1, Some(VerificationFailed), None)), Some(said(Mark::Reopened, 1)), "todo"),
        (Some(run(1, Some(Published), Some(PullState::Merged))), Some(said(Mark::Reopened, 1)), "todo"),
        // Said before the job was made.
        (Some(run(1, Some(VerificationFailed), None)), Some(said(Mark::Done, 0)), "failed"),
        (Some(run(2, None, None)), Some(said(Mark::Done, 2)), "in_progress"),
    ];
    for (run, mark, want) in table {
        assert_eq!(of_task(run.clone(), mark), want, "{run:?} {mark:?}");
    }
}

#[test]
fn a_task_that_only_looks_is_done_without_a_change() {
    let body = ItemBody::Task(Box::new(TaskBody { verify_only: true, ..TaskBody::default() }));
    let mut facts = Facts::default();
    facts.runs.insert(id(1), run(1, Some(EndReason::NoChanges), None));
    assert_eq!(code(&[item(1, body, None)], &facts, 1), "done");
}

/// An epic (1) with two stories (2, 3) of one task each (4, 5), and a sprint (6) over the first task.
fn tree() -> (Vec<Item>, Facts) {
    let items = vec![
        item(1, ItemBody::Epic(EpicBody::default()), None),
        item(2, ItemBody::Story(StoryBody::default()), Some(1)),
        item(3, ItemBody::Story(StoryBody::default()), Some(1)),
        task(4, Some(2)),
        task(5, Some(3)),
        item(6, ItemBody::Sprint(SprintBody::default()), None),
    ];
    let members = [(id(6), vec![id(4)])].into();
    (items, Facts { members, ..Facts::default() })
}

#[test]
fn what_becomes_of_tasks_goes_upward() {
    let (items, mut facts) = tree();
    let all = |facts: &Facts| [1, 2, 3, 6].map(|number| code(&items, facts, number));
    assert_eq!(all(&facts), ["open", "in_sprint", "open", "open"]);
    facts.marks.insert(id(4), said(Mark::Done, 0));
    // The sprint is over although the epic is not.
    assert_eq!(all(&facts), ["open", "done", "open", "done"]);
    facts.runs.insert(id(5), run(1, Some(EndReason::AgentFailed), None));
    assert_eq!(all(&facts), ["failed", "done", "failed", "done"]);
    facts.marks.insert(id(1), said(Mark::Blocked, 0));
    assert_eq!(all(&facts)[0], "blocked");
    facts.marks.insert(id(1), said(Mark::Reopened, 0));
    facts.marks.insert(id(5), said(Mark::Excluded, 1));
    assert_eq!(all(&facts), ["done", "done", "done", "done"]);
    let count = states(&items, &facts)[&id(1)].1;
    assert_eq!((count.done, count.of), (1, 1));
}

#[test]
fn what_is_empty_is_open() {
    let (items, facts) = tree();
    let epics: Vec<Item> = items.into_iter().filter(|item| item.kind() != ItemKind::Task).collect();
    for number in [1, 2, 3, 6] {
        assert!(matches!(code(&epics, &facts, number), "open"), "{number}");
    }
}

proptest! {
    /// Any failed: failed. None failed and none left: done. Otherwise open. And the order of items is of no matter.
    #[test]
    fn a_story_is_what_its_tasks_are(kinds in proptest::collection::vec(0_usize..4, 1..9), turn in 0_usize..9) {
        let mut items = vec![item(100, ItemBody::Story(StoryBody::default()), None)];
        let mut facts = Facts::default();
        for (number, kind) in kinds.iter().enumerate() {
            items.push(task(number, Some(100)));
            match kind {
                0 => {}
                1 => { facts.runs.insert(id(number), run(1, Some(EndReason::AgentFailed), None)); }
                2 => { facts.marks.insert(id(number), said(Mark::Done, 0)); }
                _ => { facts.marks.insert(id(number), said(Mark::Excluded, 0)); }
            }
        }
        let want = if kinds.contains(&1) { "failed" } else if kinds.contains(&0) { "open" } else { "done" };
        prop_assert_eq!(code(&items, &facts, 100), want);
        let turn = turn % items.len();
        items.rotate_left(turn);
        prop_assert_eq!(code(&items, &facts, 100), want);
    }
}

#[test]
fn what_is_still_open_of_a_sprint_is_what_somebody_has_to_start_here() {
    let elsewhere = TaskBody { repository: Some("other".to_owned()), ..TaskBody::default() };
    let items = [
        task(1, None),
        task(2, None),
        item(3, ItemBody::Task(Box::new(elsewhere)), None),
        task(4, None),
        item(5, ItemBody::Sprint(crate::backlog::SprintBody::default()), None),
    ];
    let here = RepositoryId::parse("r").unwrap();
    let open = |runs: &[(usize, Option<EndReason>)], marks: &[(usize, Mark)], name: &str| {
        let mut facts = Facts::default();
        // The fourth is in no sprint.
        facts.members.insert(id(5), vec![id(1), id(2), id(3)]);
        facts.runs.extend(runs.iter().map(|(task, end)| (id(*task), run(1, *end, None))));
        facts.marks.extend(marks.iter().map(|(task, mark)| (id(*task), said(*mark, 1))));
        still_open(&items, &facts, &id(5), (&here, name)).map(|task| task.id.clone())
    };
    let published = Some(EndReason::Published);
    assert_eq!(open(&[], &[], "app"), Some(id(1)));
    assert_eq!(open(&[(1, published), (2, None)], &[], "app"), None);
    assert_eq!(open(&[(1, published)], &[], "app"), Some(id(2)));
    assert_eq!(open(&[(1, published)], &[(2, Mark::Excluded)], "app"), None);
    assert_eq!(open(&[(1, published), (2, Some(EndReason::VerificationFailed))], &[], "app"), Some(id(2)));
    let there = RepositoryId::parse("r-2").unwrap();
    let mut facts = Facts::default();
    facts.members.insert(id(5), vec![id(1), id(2), id(3)]);
    assert_eq!(
        still_open(&items, &facts, &id(5), (&there, "other")).map(|task| task.id.clone()),
        Some(id(3))
    );
}
