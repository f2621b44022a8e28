//! Agents' programs that do what no test with a real one could wait for: scripts under the vendor's name that hang, ask, lie, break
//! off and flood.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Outcome, Place};

pub(crate) const INIT: &str = r#"echo '{"type":"system","subtype":"init","session_id":"7d7f6a52-6f0e-4d0c-9a53-2f4f6a1f0c11","model":"m"}'"#;
pub(crate) const RESULT: &str = r#"echo '{"type":"result","subtype":"success","is_error":false,"result":"Done.","num_turns":1,"usage":{}}'"#;
const FIX: &str = "echo 42 > answer";
/// Far longer than any of these tests.
const STAY: &str = "sleep 600";
/// The call of the tool with which it asks a person.
pub(crate) const ASK: &str = r#"echo '{"type":"assistant","message":{"id":"m","model":"x","usage":{},"content":[{"type":"tool_use","id":"q","name":"AskUserQuestion","input":{"questions":[{"question":"Which of the two?"}]}}]}}'"#;
pub(crate) const NO_ANSWER: &str = r#"echo '{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"q","is_error":true,"content":"disabled"}]}}'"#;

/// A place whose Claude Code CLI is this script.
fn place(lines: &[&str]) -> Place {
    with_program("claude", &format!("[ \"$1\" = --version ] && exec echo 2.1.328\n{}", lines.join("\n")))
}

pub(crate) fn with_program(name: &str, script: &str) -> Place {
    let mut place = Place::new();
    let file = place.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.env(&format!("OVERNIGHT_AGENT_PROGRAM_{}", name.to_uppercase()), file);
    place.env("OVERNIGHT_AGENT_DEFAULT", name).env("OVERNIGHT_AGENT_GRACE", "1s");
    // Nobody is there to answer.
    place.env("OVERNIGHT_QUESTIONS_POLICY", "end");
    place
}

fn run(place: &Place, more: &[&str]) -> Outcome {
    place.overnight(&[&["run"], more, &["Make the check pass"]].concat())
}

fn outcome(place: &Place, turn: usize) -> Value {
    place.events_of("turn_ended")[turn - 1]["result"].clone()
}

#[test]
fn a_program_that_has_given_its_result_and_stays_is_ended() {
    let mut place = place(&[INIT, FIX, RESULT, STAY]);
    place.env("OVERNIGHT_AGENT_LEAVE", "1s");
    let began = Instant::now();
    run(&place, &[]).expect_code(0);
    assert!(began.elapsed() < Duration::from_secs(25), "it was not the usual time to leave");
    place.expect_reason("ended", "published");
    assert_eq!(outcome(&place, 1)["outcome"], "completed");
    place.finish();
}

#[test]
fn silent_work_is_no_hang() {
    let mut place = place(&[INIT, "timeout 7 sh -c 'while :; do :; done'", FIX, RESULT]);
    place.env("OVERNIGHT_AGENT_SILENCE", "2s");
    run(&place, &["--attempts", "1"]).expect_code(0);
    place.expect_reason("ended", "published");
    place.finish();
}

#[test]
fn silent_work_without_end_is_ended_too() {
    let mut place = place(&[INIT, "while :; do :; done"]);
    place.env("OVERNIGHT_AGENT_SILENCE", "1s").env("OVERNIGHT_AGENT_SILENCE_BUSY", "4s");
    run(&place, &["--attempts", "1"]).expect_code(6).expect_said(&["agent.silence_busy"]);
    place.expect_reason("ended", "agent_timed_out");
    assert_eq!(
        outcome(&place, 1),
        serde_json::json!({"outcome": "timed_out", "silent": true, "idle": false})
    );
    place.finish();
}

#[test]
fn a_question_that_nobody_answers_is_told_and_uses_up_no_other_attempt() {
    let mut place = place(&[INIT, ASK, STAY]);
    place.env("OVERNIGHT_AGENT_SILENCE", "2s");
    run(&place, &[]).expect_code(6).expect_said(&["Which of the two?", "overnight logs repo-1"]);
    let job = place.expect_reason("ended", "needs_input");
    assert_eq!(job["detail"], "Which of the two?", "{job:#}");
    assert_eq!(outcome(&place, 1)["outcome"], "needs_input");
    assert_eq!(place.events_of("turn_announced").len(), 1);
    place.finish();
}

#[test]
fn a_question_that_was_refused_counts_only_where_no_work_was_done() {
    let asks = place(&[INIT, ASK, NO_ANSWER, RESULT]);
    run(&asks, &[]).expect_code(6).expect_said(&["Which of the two?"]);
    asks.expect_reason("ended", "needs_input");
    asks.finish();
    let works = place(&[INIT, FIX, ASK, NO_ANSWER, RESULT]);
    run(&works, &[]).expect_code(0);
    works.expect_reason("ended", "published");
    works.finish();
}

/// A question in words is no question of the program's.
#[test]
fn a_question_in_words_is_not_one() {
    let says = r#"echo '{"type":"assistant","message":{"id":"m","model":"x","usage":{},"content":[{"type":"text","text":"AskUserQuestion: which of the two?"}]}}'"#;
    let mut place = place(&[INIT, says, STAY]);
    place.env("OVERNIGHT_AGENT_SILENCE", "2s");
    run(&place, &["--attempts", "1"]).expect_code(6);
    place.expect_reason("ended", "agent_timed_out");
    place.finish();
}

/// The first time it breaks off in the middle of a line and dies; then it does its work.
#[test]
fn half_a_line_and_a_death_are_an_attempt_and_no_more() {
    let place = place(&[
        INIT,
        "if [ ! -e \"$HOME/died\" ]; then touch \"$HOME/died\"; printf '{\"type\":\"result\",\"subtype\":\"succ'; kill -9 $$; fi",
        FIX,
        RESULT,
    ]);
    run(&place, &[]).expect_code(0);
    let job = place.expect_reason("ended", "published");
    assert_eq!(job["attempt"], 2, "{job:#}");
    assert_eq!(outcome(&place, 1), serde_json::json!({"outcome": "crashed", "detail": "ended by signal 9"}));
    place.finish();
}

#[test]
fn output_that_is_no_protocol_is_a_crash() {
    let place = place(&["printf '\\377\\376\\000\\033[2J\\n[]\\nnull\\n7\\n{\\n'", FIX]);
    run(&place, &["--attempts", "1"]).expect_code(6).expect_plain();
    let job = place.expect_reason("ended", "agent_failed");
    assert!(!job["tip"].is_null(), "the work is kept: {job:#}");
    place.finish();
}

/// A vendor's line is read up to 32 MB: the answer may stand in it.
#[test]
fn two_hundred_megabytes_in_a_line_are_survived() {
    let mut place = place(&[INIT, FIX, "head -c 200000000 /dev/zero | tr '\\0' x", "echo", RESULT]);
    place.env("OVERNIGHT_WORKER_LOG_BYTES", "1000000");
    let go = place.path("go");
    let hold = format!("until [ -e '{}' ]; do sleep 0.02; done; sh check.sh", go.display());
    let mut live = place.start(&["run", "--events", "--verify", &hold, "Flood"]);
    live.until("collected");
    let status = std::fs::read_to_string(format!("/proc/{}/status", live.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    std::fs::write(&go, "").unwrap();
    live.wait().expect_code(0);
    assert!(peak < 150_000, "{peak} KiB for 200 MB of output");
    place.finish();
}

#[test]
fn a_program_that_does_not_know_its_flags_ends_the_job_with_advice() {
    let script = "[ \"$1\" = --version ] && exec echo codex-cli 0.1.0\n\
        echo \"error: unexpected argument '--ignore-rules' found\" >&2; exit 2";
    let place = with_program("codex", script);
    run(&place, &[]).expect_code(2).expect_said(&[
        "warning: the codex CLI says it is codex-cli 0.1.0",
        "does not know what it is started with",
        "npm install -g @openai/codex",
    ]);
    place.expect_reason("ended", "config_invalid");
    assert_eq!(place.events_of("turn_announced").len(), 1);
    place.finish();
}

#[test]
fn an_old_program_is_warned_of_once_until_it_is_replaced() {
    let old = "[ \"$1\" = --version ] && exec echo codex-cli 0.1.0; exit 9";
    let place = with_program("codex", old);
    let add = || place.overnight(&["add", "Something"]).expect_code(0);
    add().expect_said(&["codex-cli 0.1.0", "tested with 0.169.0"]);
    assert!(!add().stderr.contains("warning"), "it was said");
    place.write("bin/codex", &format!("#!/bin/sh\n# another one\n{old}\n"));
    add().expect_said(&["codex-cli 0.1.0"]);
    let doctor = place.overnight(&["agent", "doctor", "codex"]);
    assert!(doctor.stdout.contains("0.1.0"), "{}", doctor.stdout);
    place.finish();
}

#[test]
fn a_worker_warns_of_an_old_program_while_it_works() {
    let place = with_program("codex", "[ \"$1\" = --version ] && exec echo codex-cli 0.1.0; exit 9");
    let worker = place.worker(&[]);
    worker.until_said("warning: the codex CLI says it is codex-cli 0.1.0");
    worker.stop().expect_code(0);
    place.finish();
}
