//! What goes into the queue, one by one and in batches, and what does not.

use super::place;
use crate::harness::fleet::FIX;
use crate::harness::{Outcome, Place};

#[test]
fn an_added_job_waits_for_a_worker_and_says_so() {
    let place = place();
    let said = ["repo-1 Make the check pass", "rehearsal", "overnight work", "overnight resume repo-1"];
    let outcome = place.adds(&["Make the check pass"]).expect_code(0).expect_said(&said);
    assert_eq!(outcome.stdout, "repo-1\n");
    assert_eq!((place.only_job().state(), place.branches().len()), ("queued", 0));
    place.work_off().expect_code(0);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.check_fleet();
    place.finish();
}

#[test]
fn the_prompt_may_come_from_a_file_or_a_pipe() {
    let place = place();
    let script = place.script(&[FIX]);
    let file = place.write("wish.md", "# From a file\n").display().to_string();
    place.adds(&["--prompt-file", &file]).expect_code(0).expect_said(&["From a file"]);
    let command = place.command(&place.repo(), &super::adding(&script, &["-"]));
    Outcome::with_stdin(command, b"From a pipe").expect_code(0).expect_said(&["From a pipe"]);
    place.adds(&[" "]).expect_code(2).expect_said(&["the prompt is empty"]);
    place.adds(&["--priority", "101", "x"]).expect_code(2).expect_said(&["higher goes first"]);
    place.adds(&["--not-before", "soon", "x"]).expect_code(2).expect_said(&["+2h"]);
    place.adds(&["--label", "two words", "x"]).expect_code(2).expect_said(&["letters, digits"]);
    place.adds(&["--after", "repo-9", "x"]).expect_code(2).expect_said(&["repo-9", "did you mean"]);
    assert_eq!(place.keys(), ["repo-2", "repo-1"]);
    place.finish();
}

#[test]
fn the_same_key_is_the_same_job_and_another_order_is_an_error() {
    let place = place();
    let add = |more: &[&str]| place.adds(&[&["--key", "ticket 12"], more].concat());
    let document = add(&["--json", "Once"]).expect_code(0).json();
    assert_eq!((&document["kind"], &document["data"][0]["new"]), (&"added".into(), &true.into()));
    assert_eq!(add(&["Once"]).expect_code(0).expect_said(&["added before"]).stdout, "repo-1\n");
    let document = add(&["--json", "--not-before", "+3h", "Once"]).expect_code(0).json();
    assert_eq!(
        (&document["data"][0]["new"], &document["data"][0]["job"]["key"]),
        (&false.into(), &"repo-1".into())
    );
    for other in [&["Twice"][..], &["--priority", "3", "Once"], &["--max-time", "2h", "Once"]] {
        add(other).expect_code(2).expect_said(&["ticket 12", "repo-1", "a key of its own"]);
    }
    assert_eq!(place.keys(), ["repo-1"]);
    place.finish();
}

const BATCH: &str = r##"{"prompt": "First", "key": "one", "labels": ["b"]}

{"prompt": "Second", "after": ["#1"], "priority": 9, "title": "The second", "attempts": 1}
{"prompt": "Third", "after_any": ["#3", "one-of-mine"], "verify": ["sh check.sh"], "max_time": "1h"}
"##;

#[test]
fn a_batch_is_added_whole_and_runs_in_its_order() {
    let place = place();
    place.adds(&["Mine"]).expect_code(0);
    let batch = BATCH.replace("one-of-mine", "repo-1");
    let file = place.write("batch.jsonl", &batch).display().to_string();
    let outcome = place.adds(&["--batch", &file, "--label", "a"]).expect_code(0);
    assert_eq!(outcome.stdout, "repo-2\nrepo-3\nrepo-4\n");
    let (first, second, third) = (place.listed("repo-2"), place.listed("repo-3"), place.listed("repo-4"));
    assert_eq!(first["labels"], serde_json::json!(["a", "b"]));
    assert_eq!(
        (&second["title"], &second["priority"], &second["attempts"]),
        (&"The second".into(), &9.into(), &1.into())
    );
    assert_eq!(second["queue"]["waits_for"], serde_json::json!(["repo-2"]));
    assert_eq!(third["queue"]["waits_for"], serde_json::json!(["repo-1", "repo-3"]));
    assert_eq!(place.taken_in_turn().last().map(String::as_str), Some("repo-4"));
    assert_eq!(place.branches().len(), 4);
    place.check_fleet();
    place.finish();
}

#[test]
fn a_batch_may_come_from_a_pipe_and_again() {
    let place = place();
    let script = place.script(&[FIX]);
    let lines =
        "{\"prompt\": \"One\", \"key\": \"a\"}\n{\"prompt\": \"Two\", \"key\": \"b\", \"after\": [\"#1\"]}\n";
    let add = || {
        let command = place.command(&place.repo(), &super::adding(&script, &["--batch", "-"]));
        Outcome::with_stdin(command, lines.as_bytes()).expect_code(0)
    };
    assert_eq!(add().stdout, "repo-1\nrepo-2\n");
    assert_eq!(add().expect_said(&["added before", "repo-1, repo-2"]).stdout, "repo-1\nrepo-2\n");
    assert_eq!(place.keys().len(), 2);
    place.finish();
}

/// One bad line, and nothing of the batch is there.
#[test]
fn a_batch_with_a_bad_line_is_not_there_at_all() {
    let place = place();
    let good = "{\"prompt\": \"One\"}";
    let bad = [
        ("{\"prompt\": \"Two\", \"colour\": 1}", &["line 2, column 19", "colour"][..]),
        ("{\"prompt\": \"Two\"", &["line 2, column", "EOF"]),
        ("{\"prompt\": \"Two\", \"after\": [\"#2\"]}", &["line 2, column 29", "#2"]),
        ("{\"prompt\": \"Two\", \"after\": [\"repo-7\"]}", &["line 2", "repo-7"]),
        ("{\"prompt\": \"Two\", \"model\": \"m\"}", &["line 2", "model"]),
        ("{\"prompt\": \"\"}", &["line 2", "the prompt is empty"]),
    ];
    for (line, said) in bad {
        let file = place.write("batch.jsonl", &format!("{good}\n{line}\n")).display().to_string();
        place.adds(&["--batch", &file]).expect_code(2).expect_said(said).expect_plain();
    }
    let missing = place.path("nowhere").display().to_string();
    place.adds(&["--batch", &missing]).expect_code(2).expect_said(&["cannot be read"]);
    place.adds(&["--batch", "-"]).expect_code(2).expect_said(&["there is no job in standard input"]);
    place.adds(&["--batch", &missing, "a prompt"]).expect_code(2).expect_said(&["--batch"]);
    assert!(place.keys().is_empty());
    place.finish();
}

/// What is missing on this machine may be there on the one that does the job, unless it can only be this one.
#[test]
fn a_missing_agent_is_an_error_only_where_the_job_has_to_be_done_here() {
    let place = place();
    place.git(&["remote", "add", "origin", "https://github.com/somebody/something.git"]);
    let add = |more: &[&str]| {
        place.overnight(&[&["add", "--command", "no-such-agent --now"], more, &["x"]].concat())
    };
    add(&[]).expect_code(2).expect_said(&["no-such-agent", "was not found"]);
    add(&["--pr"]).expect_code(0).expect_said(&["no-such-agent", "on this machine", "no token"]);
    let job = place.listed("repo-1");
    assert_eq!((&job["state"], &job["queue"]["place"]), (&"queued".into(), &serde_json::Value::Null));
    let run = ["run", "--command", "no-such-agent --now", "--pr", "x"];
    assert_ne!(place.overnight(&run).code, Some(0));
    assert_eq!(place.keys(), ["repo-1"]);
    place.finish();
}

/// Ten thousand jobs are one transaction and one list.
#[test]
fn a_large_batch_is_added_in_one_go() {
    let place = place();
    let line = |number: u32| {
        format!("{{\"prompt\": \"Job {number}\", \"key\": \"k{number}\", \"labels\": [\"many\"]}}\n")
    };
    let text: String = (0..2_000).map(line).collect();
    let file = place.write("batch.jsonl", &text).display().to_string();
    let outcome = place.adds(&["--batch", &file]).expect_code(0);
    assert_eq!(outcome.stdout.lines().count(), 2_000);
    assert_eq!(outcome.stdout.lines().last(), Some("repo-2000"));
    count(&place, 2_000);
    place.adds(&["--batch", &file]).expect_code(0).expect_said(&["added before"]);
    count(&place, 2_000);
    // `finish` would look at each of them.
    assert!(place.tables().jobs().iter().all(|job| job.phase == "ready" && job.last_event == 1));
}

#[track_caller]
fn count(place: &Place, jobs: usize) {
    assert_eq!(place.tables().jobs().len(), jobs);
}
