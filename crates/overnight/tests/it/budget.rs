//! Limits of a job, kept while the agent runs and not only between its attempts.

mod days;

use crate::harness::{Outcome, Place};

/// Longer than any test waits: a limit that is not kept in the middle of a turn is seen by that.
const LONG: &str = "{ wait = { ms = 600000 } }";
const FIX: &str = r#"{ write = { path = "answer", content = "42\n" } }"#;

fn canary(place: &Place) -> String {
    format!("{{ run = {{ command = \"touch {}\" }} }}", place.path("canary").display())
}

fn run(place: &Place, attempts: &[&str], more: &[&str]) -> Outcome {
    let script = place.script(attempts);
    let args =
        [&["run", "--agent", "rehearsal", "--script", &script], more, &["Make the check pass"]].concat();
    place.overnight(&args)
}

/// A turn that uses up its limit by `usage` and would go on for long is ended at once, with this reason.
fn ended_in_the_turn(usage: &str, limit: [&str; 2], reason: &str) -> (Place, serde_json::Value) {
    let place = Place::new();
    let steps = format!("{FIX}, {usage}, {LONG}, {}", canary(&place));
    run(&place, &[&steps], &limit).expect_code(7).expect_said(&[limit[0]]);
    let job = place.expect_reason("ended", reason);
    assert!(!place.path("canary").exists(), "the turn went on after its limit");
    assert!(!job["tip"].is_null(), "the work so far is kept: {job:#}");
    assert!(place.branches().is_empty());
    assert_eq!(place.events_of("turn_announced").len(), 1);
    (place, job)
}

#[test]
fn a_cost_limit_ends_the_turn() {
    let usage = "{ usage = { output = 1, cost = 0.6 } }, { usage = { output = 1, cost = 0.6 } }";
    let (place, job) = ended_in_the_turn(usage, ["--max-cost", "1.00"], "budget_cost");
    assert_eq!(job["used"]["cost_microdollars"], 1_200_000, "{job:#}");
    place.finish();
}

#[test]
fn a_token_limit_ends_the_turn() {
    let usage = "{ usage = { input = 600, output = 100 } }, { usage = { input = 300 } }";
    let (place, job) = ended_in_the_turn(usage, ["--max-tokens", "1k"], "budget_tokens");
    assert_eq!((&job["used"]["input_tokens"], &job["used"]["output_tokens"]), (&900.into(), &100.into()));
    place.finish();
}

#[test]
fn a_turn_limit_ends_the_turn_with_the_answer_after_the_last() {
    let usage = "{ usage = { output = 1 } }, { usage = { output = 1 } }, { usage = { output = 1 } }";
    let (place, job) = ended_in_the_turn(usage, ["--max-turns", "2"], "budget_turns");
    assert_eq!(job["used"]["turns"], 3, "{job:#}");
    place.finish();
}

#[test]
fn a_time_limit_ends_the_turn() {
    let (place, _job) = ended_in_the_turn("{ say = \"working\" }", ["--max-time", "3s"], "budget_time");
    place.finish();
}

#[test]
fn an_agent_that_ignores_term_is_ended_all_the_same() {
    let mut place = Place::new();
    place.env("OVERNIGHT_AGENT_GRACE", "1s");
    let steps =
        format!("\"ignore_term\", {{ usage = {{ output = 1, cost = 2.0 }} }}, {LONG}, {}", canary(&place));
    run(&place, &[&steps], &["--max-cost", "1.00"]).expect_code(7);
    place.expect_reason("ended", "budget_cost");
    assert!(!place.path("canary").exists());
    place.finish();
}

#[test]
fn a_limit_counts_all_attempts_together() {
    let place = Place::new();
    let miss =
        "{ write = { path = \"answer\", content = \"40\\n\" } }, { usage = { output = 1, cost = 0.6 } }";
    let second = format!("{{ usage = {{ output = 1, cost = 0.6 }} }}, {LONG}, {}", canary(&place));
    run(&place, &[miss, &second], &["--max-cost", "1.00"]).expect_code(7);
    let job = place.expect_reason("ended", "budget_cost");
    assert_eq!(
        (&job["attempt"], &job["used"]["cost_microdollars"]),
        (&2.into(), &1_200_000.into()),
        "{job:#}"
    );
    assert!(!place.path("canary").exists());
    place.finish();
}

/// The answer that used the limit up came with the result: nothing was to be stopped any more, and nothing is started.
#[test]
fn a_limit_used_up_by_the_last_answer_starts_no_other_attempt() {
    let place = Place::new();
    let miss = "{ write = { path = \"answer\", content = \"40\\n\" } }, { usage = { output = 1000 } }";
    run(&place, &[miss, &canary(&place)], &["--max-tokens", "1000"]).expect_code(7);
    place.expect_reason("ended", "budget_tokens");
    assert!(!place.path("canary").exists());
    assert_eq!(place.events_of("turn_announced").len(), 1);
    place.finish();
}

#[test]
fn time_in_checks_counts_too() {
    let place = Place::new();
    place.write_in(&place.repo(), "overnight.toml", "[verify]\nchecks = [\"sleep 3; sh check.sh\"]\n");
    place.git(&["commit", "--quiet", "--all", "--message=A slow check"]);
    let miss = "{ write = { path = \"answer\", content = \"40\\n\" } }";
    run(&place, &[miss, &canary(&place)], &["--max-time", "2s"]).expect_code(7);
    place.expect_reason("ended", "budget_time");
    assert!(!place.path("canary").exists());
    place.finish();
}

#[test]
fn a_job_within_its_limits_is_done() {
    let place = Place::new();
    let steps = format!("{FIX}, {{ usage = {{ input = 500, output = 99, cost = 0.99 }} }}");
    let limits = ["--max-cost", "1.00", "--max-tokens", "600", "--max-turns", "1", "--max-time", "5m"];
    run(&place, &[&steps], &limits).expect_code(0);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

#[test]
fn a_limit_is_raised_by_a_retry() {
    let place = Place::new();
    let go = place.path("go");
    let steps = format!(
        "{FIX}, {{ usage = {{ output = 1, cost = 1.5 }} }}, {{ wait_for_file = {{ path = {go:?} }} }}"
    );
    run(&place, &[&steps], &["--max-cost", "1.00"]).expect_code(7).expect_said(&["--max-cost", "retry"]);
    place.write("go", "");
    place.overnight(&["retry", "repo-1", "--max-cost", "2.00"]).expect_code(0);
    assert_eq!(place.branches().len(), 1);
    place.finish();
}

#[test]
fn limits_that_an_agent_gives_no_way_to_keep_are_refused() {
    let place = Place::new();
    let refused = |more: &[&str]| {
        let args = [&["run", "--command", "true"], more, &["Make the check pass"]].concat();
        place.overnight(&args).expect_code(2)
    };
    refused(&["--max-cost", "1.00"]).expect_said(&["--max-cost", "command"]);
    refused(&["--max-tokens", "1k"]).expect_said(&["--max-tokens", "command"]);
    refused(&["--max-turns", "3"]).expect_said(&["--max-turns", "command"]);
    refused(&["--max-turns", "3", "--max-cost", "1"]).expect_said(&["--max-turns", "--max-cost"]);
    assert!(!place.data().join("jobs").exists(), "nothing was queued");
    place.finish();
}

#[test]
fn a_configured_limit_is_refused_as_well_and_can_be_lifted() {
    let mut place = Place::new();
    place.env("OVERNIGHT_LIMITS_COST", "5.00");
    let args = ["run", "--command", "sh -c 'echo 42 > answer'", "Make the check pass"];
    place.overnight(&args).expect_code(2).expect_said(&["--max-cost"]);
    place.env("OVERNIGHT_LIMITS_COST", "none");
    place.overnight(&args).expect_code(0);
    place.finish();
}

#[test]
fn a_time_limit_is_kept_for_any_program() {
    let place = Place::new();
    let slow = format!("sh -c 'echo 42 > answer; sleep 600; touch {}'", place.path("canary").display());
    let args = ["run", "--command", &slow, "--max-time", "3s", "Make the check pass"];
    place.overnight(&args).expect_code(7).expect_said(&["--max-time"]);
    place.expect_reason("ended", "budget_time");
    assert!(!place.path("canary").exists());
    place.finish();
}
