//! The main job on a local repository, with the scripted agent.

use crate::harness::Place;

const FIX: &str =
    r#"{ write = { path = "answer", content = "42\n" } }, { commit = { message = "Correct the answer" } }"#;
const MISS: &str =
    r#"{ write = { path = "answer", content = "40\n" } }, { write = { path = "note", content = "x" } }"#;

fn run(place: &Place, script: &str, more: &[&str]) -> crate::harness::Outcome {
    let mut args = vec!["run", "--agent", "rehearsal", "--script", script];
    args.extend(more);
    args.push("Make the check pass");
    place.overnight(&args)
}

#[test]
fn a_sentence_becomes_a_verified_branch_and_the_persons_tree_stays_as_it_was() {
    let place = Place::new();
    place.write_in(&place.repo(), "answer", "uncommitted\n");
    place.write_in(&place.repo(), "untracked", "mine\n");
    place.git(&["add", "answer"]);
    let before = (place.git(&["status", "--porcelain"]), place.git(&["rev-parse", "HEAD"]));
    let script = place.script(&[FIX]);

    let outcome = run(&place, &script, &[]).expect_code(0).expect_said(&["git", "merge", "uncommitted"]);

    assert_eq!(place.branches(), ["overnight/repo-1-make-the-check-pass"], "{}", outcome.stderr);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    assert_eq!(before, (place.git(&["status", "--porcelain"]), place.git(&["rev-parse", "HEAD"])));
    assert_eq!(place.git(&["branch", "--show-current"]), "main");
    place.finish();
}

#[test]
fn a_failed_check_comes_back_to_the_agent_and_its_second_attempt_counts() {
    let place = Place::new();
    let script = place.script(&[MISS, FIX]);
    let outcome = run(&place, &script, &["--json"]).expect_code(0);
    let job = &outcome.json()["data"];
    assert_eq!(job["attempt"], 2, "{job:#}");
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

#[test]
fn without_a_passing_check_there_is_no_branch_and_the_reason_is_told() {
    let place = Place::new();
    let script = place.script(&[MISS]);
    run(&place, &script, &["--attempts", "2"]).expect_code(5).expect_said(&["sh check.sh"]);
    assert!(place.branches().is_empty());
    place.finish();
}

#[test]
fn an_agent_that_changes_nothing_has_not_succeeded() {
    let place = Place::new();
    let script = place.script(&[r#"{ say = "All done, everything works!" }"#]);
    run(&place, &script, &["--attempts", "2"]).expect_code(6);
    assert!(place.branches().is_empty());
    place.finish();
}

#[test]
fn any_program_can_be_the_agent() {
    let place = Place::new();
    let fix = place.write(
        "fix.sh",
        "grep -q 'Make the check' \"$OVERNIGHT_PROMPT_FILE\" && cat >prompt.txt && echo 42 >answer\n",
    );
    let command = format!("sh {}", fix.display());
    place
        .overnight(&["run", "--agent", "command", "--command", &command, "Make the check pass"])
        .expect_code(0);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    assert!(place.show(&place.branches()[0], "prompt.txt").contains("Make the check pass"));
    place.finish();
}

#[test]
fn events_are_a_stream_of_json_lines() {
    let place = Place::new();
    let script = place.script(&[FIX]);
    let outcome = run(&place, &script, &["--events"]).expect_code(0);
    let kinds: Vec<String> = outcome
        .stdout
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event"]["type"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("queued"));
    assert_eq!(kinds.last().map(String::as_str), Some("ended"));
    assert!(kinds.contains(&"branch_pushed".to_owned()), "{kinds:?}");
    place.finish();
}
