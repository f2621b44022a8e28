//! What people type about the backlog: every kind of item there and back, and what is refused.

use super::{PLAN, place};
use crate::harness::Place;

#[test]
fn items_of_every_kind_are_added_changed_and_removed() {
    let place = place();
    place.overnight(&["repo", "add", ".", "--name", "app", "--draft", "true"]).expect_code(0);
    let add = |args: &[&str]| place.overnight(args).expect_code(0).stdout.trim().to_owned();
    let epic = add(&["epic", "add", "Big", "-d", "why"]);
    let story = add(&["story", "add", "Part", "--epic", &epic, "-a", "it works"]);
    let one = add(&["task", "add", "One", "--story", &story]);
    let two = add(&["task", "add", "Two", "--story", &story, "--after", &one, "--plan", "Change a.rs"]);
    let sprint = add(&["sprint", "add", "Week", "--task", &epic]);
    let idea = add(&["idea", "add", "Perhaps", "--wish", "more"]);
    assert_eq!(
        [&epic, &story, &one, &two, &sprint, &idea],
        ["app-1", "app-2", "app-3", "app-4", "app-5", "app-6"]
    );
    let shown = place.overnight(&["sprint", "show", &sprint, "--json"]).expect_code(0).json();
    assert_eq!(shown["data"]["item"]["members"], serde_json::json!([one, two]));
    assert_eq!(place.states("story"), ["app-2 in_sprint"]);
    assert_eq!(place.states("idea"), ["app-6 draft"]);
    place.overnight(&["idea", "edit", &idea, "--notes", "asked"]).expect_code(0);
    assert_eq!(place.states("idea"), ["app-6 grilled"]);

    place.overnight(&["task", "edit", &two, "--place", "1", "--title", "Second"]).expect_code(0);
    let listed = place.overnight(&["task", "ls", "--of", &epic]).expect_code(0).expect_plain().stdout;
    assert!(listed.find("Second").unwrap() < listed.find("One").unwrap(), "{listed}");
    place
        .overnight(&["task", "edit", &one, "--after", &two])
        .expect_code(2)
        .expect_said(&["circle", &one, &two]);
    place.overnight(&["task", "edit", &one]).expect_code(2).expect_said(&["nothing is to be changed"]);
    place
        .overnight(&["task", "edit", &one, "--story", &epic])
        .expect_code(2)
        .expect_said(&["cannot belong to"]);
    place
        .overnight(&["epic", "show", &one])
        .expect_code(2)
        .expect_said(&["is no epic", "overnight task show"]);
    place.overnight(&["task", "show", "app-33"]).expect_code(2).expect_said(&["did you mean app-"]);
    place.overnight(&["story", "rm", &story]).expect_code(2).expect_said(&["2 items belong to", "--all"]);
    place.overnight(&["epic", "mark", &epic, "blocked"]).expect_code(0).expect_said(&["blocked now"]);
    let start = ["epic", "start", &epic, "--command", "true"];
    place.overnight(&start).expect_code(2).expect_said(&["is blocked", "reopen"]);
    place.overnight(&["repo", "rm", "app"]).expect_code(2).expect_said(&["items in the backlog"]);
    place.overnight(&["epic", "rm", &epic, "--all"]).expect_code(0).expect_said(&["4 items"]);
    assert!(place.states("task").is_empty());
    let settings = place.overnight(&["repo", "show", "app", "--json"]).expect_code(0).json();
    assert_eq!(settings["data"]["settings"]["draft"], true);
    place.finish();
}

#[test]
fn hostile_words_are_refused_and_nothing_is_kept() {
    let place = place();
    for title in ["a\u{1b}[2Jb", "a\u{202e}b", "two\nlines", "  ", &"x".repeat(201)] {
        place.overnight(&["task", "add", title]).expect_code(2).expect_plain();
    }
    let large = "x".repeat(10 << 20);
    let bomb = "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    for (text, said) in [
        (large.as_str(), "longer than 4 MiB"),
        (bomb, "line 1"),
        ("epic:\n\ttitle: x\n", "line 2"),
        ("epic:\n  title: \"a\\u202eb\"\n", "line 2: the title holds the character U+202E"),
        (&PLAN.replace("- write", "- wrote"), "did you mean write?"),
        (&PLAN.replace("max_cost", "max_costs"), "did you mean max_cost?"),
        (&PLAN.replace("max_cost: 2.5", "repository: nowhere"), "no repository \"nowhere\""),
    ] {
        place.import(text, &[]).expect_code(2).expect_plain().expect_said(&[said, "help: "]);
    }
    assert!(place.states("epic").is_empty() && place.states("task").is_empty());
    place.import(&PLAN.replace('\n', "\r\n"), &[]).expect_code(0);
    place.import(&format!("\u{feff}{PLAN}"), &[]).expect_code(0);
    assert_eq!(place.states("epic").len(), 2);
    place.finish();
}

#[test]
fn a_place_that_is_no_repository_has_no_backlog() {
    let place = Place::bare();
    place.overnight(&["task", "add", "x"]).expect_code(2).expect_said(&["--repo"]);
    place.overnight(&["task", "ls"]).expect_code(0).expect_said(&["there is no such task"]);
    place.overnight(&["task", "start", "app-1"]).expect_code(2);
    place.finish();
}

#[test]
fn a_backlog_of_thousands_is_listed_in_a_moment() {
    let place = place();
    let tasks: String = (0..5_000).map(|number| format!("  - title: Task {number}\n")).collect();
    let plan = format!("epic:\n  title: Large\nstories:\n- title: All\n  tasks:\n{tasks}");
    place.import(&plan, &["-q"]).expect_code(0);
    let begun = std::time::Instant::now();
    assert_eq!(place.states("task").len(), 5_000);
    println!("5,000 tasks listed: {:?}", begun.elapsed());
    assert!(begun.elapsed() < std::time::Duration::from_secs(30));
    place.finish();
}
