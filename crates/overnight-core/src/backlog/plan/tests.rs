//! Plans: what is read, what is refused and where, and that what is written is read as the same.

use proptest::prelude::*;

use super::super::settings::TaskSettings;
use super::*;
use crate::agent::Effort;
use crate::policy::alignment::VerifyRequired;
use crate::units::MicroDollars;

const SMALL: &str = "---
epic:
  title: Tables
  cascade: false
stories:
  - title: A sorted table
    acceptance:
      - rows are sorted
    tasks:
      - id: sort
        title: Sort the rows
        plan: |
          Change `src/rows.rs`.

          Then test.
        verify_required: aligned
        max_cost: 2.50
        max_time: 1h30m
      - title: Show the order
        after: sort
        verify_only: true
---

# Why

People look for names.
";

#[test]
fn a_plan_is_read() {
    let plan = read(SMALL).unwrap();
    assert_eq!((plan.title.as_str(), plan.epic.cascade), ("Tables", Some(false)));
    assert_eq!(plan.epic.description, "# Why\n\nPeople look for names.");
    let [story] = plan.stories.as_slice() else { panic!("{plan:?}") };
    assert_eq!(story.story.acceptance, ["rows are sorted"]);
    let [sort, show] = story.tasks.as_slice() else { panic!("{story:?}") };
    assert_eq!(sort.task.plan.as_deref(), Some("Change `src/rows.rs`.\n\nThen test."));
    assert_eq!(sort.task.verify_required, VerifyRequired::Aligned);
    assert_eq!(sort.task.settings.cost, Some(MicroDollars(2_500_000)));
    assert_eq!(sort.task.settings.time_ms, Some(5_400_000));
    assert_eq!((show.after.as_slice(), show.task.verify_only), ([0].as_slice(), true));
}

#[test]
fn line_ends_marks_of_order_and_missing_fences_are_of_no_matter() {
    let plan = read(SMALL).unwrap();
    assert_eq!(read(&SMALL.replace('\n', "\r\n")), Ok(plan.clone()));
    assert_eq!(read(&format!("\u{feff}{SMALL}")), Ok(plan));
    assert_eq!(read("epic: {title: x}").map(|plan| plan.title), Ok("x".to_owned()));
    assert_eq!(read("---\nepic: {title: x}").map(|plan| plan.title), Ok("x".to_owned()));
}

#[test]
fn every_mistake_has_its_line() {
    let table: &[(&str, usize, &str)] = &[
        ("", 1, "no plan"),
        ("---\n---\n", 2, "no plan"),
        ("stories: []", 1, "no epic"),
        ("epic: x", 1, "an epic was expected"),
        ("epic:\n  titel: x", 2, "no field \"titel\""),
        ("epic:\n  description: x", 2, "no title"),
        ("epic:\n  title: x\n  title: y", 3, "stands twice"),
        ("epic:\n\ttitle: x", 2, "not YAML"),
        ("epic:\n  title: a: b", 2, "not YAML"),
        ("epic:\n  title: x\nstories:\n  title: y", 4, "is a list"),
        ("epic:\n  title: x\nstories:\n  - title: y\n    tasks:\n      - plan: z", 6, "no title"),
        ("epic:\n  title: \"a\\u202eb\"", 2, "U+202E"),
        ("epic:\n  title: \"a\\nb\"", 2, "line break"),
        ("epic:\n  title: x\n  description: \"a\\0b\"", 3, "U+0000"),
        ("epic:\n  title: &a x", 2, "anchors"),
        ("epic:\n  title: *a", 2, ""),
        ("epic:\n  title: !!str x", 2, "tags"),
        ("epic:\n  title: x\n  cascade: maybe", 3, "neither true nor false"),
        ("epic: {title: x}\nstories:\n- title: y\n  tasks:\n  - {title: z, attempts: 0}", 5, "no attempts"),
        ("epic: {title: x}\nstories:\n- title: y\n  tasks:\n  - {title: z, after: q}", 5, "the id \"q\""),
        (
            "epic: {title: x}\nstories:\n- title: y\n  tasks:\n  - {title: z, id: a}\n  - {title: z, id: a}",
            6,
            "earlier",
        ),
        (
            "epic: {title: x}\nstories:\n- title: y\n  tasks:\n  - {title: z, id: a, after: a}",
            5,
            "circle: a after a",
        ),
        ("---\nepic: {title: x, description: y}\n---\n\nmore\n", 5, "behind the front matter"),
        ("epic: {title: x}\n...\n---\nepic: {title: y}", 3, "second document"),
    ];
    for (text, line, words) in table {
        let error = read(text).expect_err(text);
        assert_eq!(error.line, *line, "{text:?}: {error:?}");
        assert!(error.what.contains(words), "{text:?}: {error:?}");
        assert!(!error.help.is_empty(), "{text:?}");
    }
}

#[test]
fn texts_that_would_grow_or_never_end_are_refused_at_once() {
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n";
    let deep = format!("epic: {}", "[".repeat(200_000));
    let deep_blocks = format!("epic: {}x", "- ".repeat(100_000));
    let many: String = (0..200_000).map(|n| format!("k{n}: 1\n")).collect();
    let large = "x".repeat(10 << 20);
    for text in [bomb, &deep, &deep_blocks, &many, &large] {
        assert!(read(text).is_err());
    }
    assert!(read(&large).unwrap_err().what.contains("bytes"));
}

#[test]
fn two_tasks_of_one_title_are_two_tasks() {
    let plan =
        read("epic: {title: x}\nstories:\n- title: y\n  tasks:\n  - title: z\n  - title: z\n").unwrap();
    assert_eq!(plan.tasks().count(), 2);
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", "[ -~äß漢🎉]{1,20}"]
        .prop_filter_map("a title", |text| crate::backlog::title(&text).ok())
}

fn some_text() -> impl Strategy<Value = String> {
    let lines = proptest::collection::vec(
        prop_oneof!["[ -~é]{0,20}", "[ \t#:|>&*!'\"-]{0,6}", Just(String::new())],
        0..5,
    );
    lines.prop_filter_map("a text", |lines| crate::backlog::text("text", &lines.join("\n"), 1000).ok())
}

fn some_settings() -> impl Strategy<Value = TaskSettings> {
    let number = || proptest::option::of(1_u32..9_000_000);
    (number(), number(), number(), proptest::option::of(line()), 0_usize..6).prop_map(
        |(cost, turns, seconds, model, effort)| TaskSettings {
            agent: None,
            model,
            effort: Effort::ALL.get(effort).copied(),
            attempts: turns,
            cost: cost.map(|cost| MicroDollars(i64::from(cost))),
            tokens: turns.map(u64::from),
            turns,
            time_ms: seconds.map(|seconds| u64::from(seconds) * 1000),
        },
    )
}

fn some_task() -> impl Strategy<Value = PlannedTask> {
    let body = (some_text(), proptest::collection::vec(line(), 0..3), some_text(), 0..3, any::<bool>());
    (line(), body, some_settings(), proptest::option::of(line())).prop_map(
        |(title, (description, acceptance, plan, required, verify_only), settings, repository)| PlannedTask {
            title,
            task: TaskBody {
                description,
                acceptance,
                plan: Some(plan).filter(|plan| !plan.is_empty()),
                verify_required: match required {
                    0 => VerifyRequired::Aligned,
                    1 => VerifyRequired::AlignedOrPartial,
                    _ => VerifyRequired::Any,
                },
                verify_only,
                settings,
                repository,
            },
            after: Vec::new(),
        },
    )
}

fn some_plan() -> impl Strategy<Value = Plan> {
    let story = (
        line(),
        some_text(),
        proptest::collection::vec(line(), 0..3),
        proptest::collection::vec(some_task(), 0..4),
    );
    let story = story.prop_map(|(title, description, acceptance, tasks)| PlannedStory {
        title,
        story: StoryBody { description, acceptance },
        tasks,
    });
    let stories = proptest::collection::vec(story, 0..4);
    (line(), some_text(), proptest::option::of(any::<bool>()), stories, any::<u64>()).prop_map(
        |(title, description, cascade, stories, waits)| {
            let mut plan = Plan { title, epic: EpicBody { description, cascade }, stories };
            for (place, task) in plan.stories.iter_mut().flat_map(|story| &mut story.tasks).enumerate() {
                // Only for earlier ones, so that there is no circle.
                task.after = (0..place).filter(|at| waits >> ((at * 7 + place) % 64) & 1 == 1).collect();
            }
            plan
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(plan in some_plan()) {
        let text = write(&plan, |place| format!("t{place}"));
        prop_assert_eq!(read(&text), Ok(plan), "{}", text);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "[ -~\n\t]{0,200}", cut in 0_usize..600) {
        let _ = read(&text);
        let part: String = SMALL.chars().take(cut).collect();
        let _ = read(&part);
        let _ = read(&format!("{part}{text}"));
    }
}
