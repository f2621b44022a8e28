//! The Qwen backend against what the real CLI wrote, and against lines made to mislead it.

use overnight_core::agent::{AgentEvent, BackendId, TurnOutcome, TurnReport};
use overnight_core::command::{Exit, StopReason};
use serde_json::{Value, json};

use crate::testing::{MISLEADING, Recordings, SESSION, exit, play, request, turn_of, word};

const BACKEND: BackendId = BackendId::Qwen;

fn turn(lines: &[Value], code: i32) -> (Vec<AgentEvent>, bool, TurnReport) {
    turn_of(&request(BACKEND), lines, code)
}

fn says(id: &str, text: &str) -> Value {
    json!({"type": "assistant", "parent_tool_use_id": null, "message": {"id": id, "model": "m",
        "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 10, "output_tokens": 2}}})
}

fn success() -> Value {
    json!({"type": "result", "subtype": "success", "is_error": false, "session_id": SESSION, "num_turns": 3,
        "result": "Done.", "usage": {"input_tokens": 999, "output_tokens": 999}})
}

fn failed(message: &str) -> Value {
    json!({"type": "result", "subtype": "error_during_execution", "is_error": true, "error": {"message": message}})
}

#[test]
fn every_recording_decodes_as_it_was_reviewed() {
    let recordings = Recordings::of(BACKEND);
    for name in recordings.names() {
        insta::assert_json_snapshot!(format!("{}__{name}", recordings.version), recordings.decoded(&name));
    }
}

#[test]
fn the_outcome_of_each_recording_is_what_happened_in_it() {
    Recordings::of(BACKEND).check_outcomes(&[
        ("success", "completed"),
        ("edit_and_failing_command", "completed"),
        ("unknown_tool", "completed"),
        ("rate_limited_then_success", "completed"),
        ("cut_stream", "completed"),
        ("resumed_first", "completed"),
        ("resumed", "completed"),
        ("max_turns", "max_turns"),
        ("max_tool_calls", "max_turns"),
        ("unauthorized", "login_expired"),
        ("forbidden", "login_expired"),
        ("payment_required", "login_expired"),
        ("not_logged_in", "login_expired"),
        ("no_credit", "login_expired"),
        ("rate_limited", "rate_limited"),
        ("overloaded", "overloaded"),
        ("server_error", "overloaded"),
        ("connection_refused", "overloaded"),
        ("bad_request", "crashed"),
        ("loop", "looped"),
        ("unknown_session", "session_lost"),
        // Ended by the recorder, as a runner would have.
        ("quota", "crashed"),
        ("hung", "crashed"),
        ("terminated", "crashed"),
        ("interrupted", "crashed"),
        ("killed", "crashed"),
    ]);
}

#[test]
fn a_turn_we_stopped_is_not_a_crash() {
    let recordings = Recordings::of(BACKEND);
    for name in ["killed", "terminated", "interrupted", "hung"] {
        assert_eq!(recordings.outcome(name, Some(StopReason::Asked)), TurnOutcome::Stopped, "{name}");
        let silent = recordings.outcome(name, Some(StopReason::SilenceTimeout { idle: None }));
        assert_eq!(silent, TurnOutcome::TimedOut { silent: true, idle: None }, "{name}");
    }
    assert_eq!(recordings.outcome("success", Some(StopReason::WallTimeout)), TurnOutcome::Completed);
}

#[test]
fn a_cli_that_waits_in_silence_for_its_vendor_is_not_a_hung_one() {
    let retry = |data: Value| json!({"type": "system", "subtype": "retry", "data": data});
    let silent = |lines: &[Value]| {
        let stdout: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let ended = exit(Exit::Signal(9), Some(StopReason::SilenceTimeout { idle: None }));
        word(&play(&request(BACKEND), stdout.as_bytes(), "", &ended).2.outcome)
    };
    let waiting = retry(json!({"reason": "retry", "attempt": 2, "maxRetries": 10, "delayMs": 120_000}));
    assert_eq!(silent(std::slice::from_ref(&waiting)), "overloaded");
    assert_eq!(silent(&[waiting, says("a", "back")]), "timed_out");
    assert_eq!(silent(&[retry(json!({"reason": "retry"}))]), "timed_out");
}

#[test]
fn a_resumed_turn_is_charged_for_itself_only() {
    let recordings = Recordings::of(BACKEND);
    let used = |name| recordings.played(name, None).2.usage;
    assert_eq!((used("resumed").input_tokens, used("resumed").output_tokens), (300, 60));
    assert_eq!(used("resumed"), used("resumed_first"));
    assert_eq!(used("resumed").cost, None, "no price is known, which is not the same as zero");
}

#[test]
fn a_message_counts_once_and_a_failed_request_is_no_turn() {
    let sub = json!({"type": "assistant", "parent_tool_use_id": "t", "message": {"id": "s",
        "content": [{"type": "text", "text": "aside"}], "usage": {"input_tokens": 5, "output_tokens": 1}}});
    let (events, _, report) = turn(&[says("a", "one"), says("a", "two"), sub, success()], 0);
    let usage = report.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.turns), (15, 3, 1));
    assert!(!events.contains(&AgentEvent::Message { text: "aside".into() }));
    let report = Recordings::of(BACKEND).played("unauthorized", None).2;
    assert_eq!((report.usage.turns, report.final_text), (0, None));
}

#[test]
fn exit_status_zero_is_no_success() {
    let (_, finished, report) = turn(&[says("a", "All done!")], 0);
    assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended with status 0".into() });
    assert!(!finished);
    assert_eq!(report.final_text.as_deref(), Some("All done!"));
}

#[test]
fn failures_are_told_apart_by_the_clis_own_words() {
    let cases = [
        ("[API Error: 503 401 Unauthorized]", "overloaded"),
        ("[API Error: 404 429 Too Many Requests]", "misconfigured"),
        (
            "[API Error: 400 This model's maximum context length is 8192 tokens. However, you requested 9000]",
            "context_full",
        ),
        ("[API Error: 400 x: This model's maximum context length is 8192 tokens]", "crashed"),
        ("[API Error: 429 x]\nPossible quota limitations", "rate_limited"),
        ("[API Error: Connection error. (cause: fetch failed)]", "overloaded"),
        ("Qwen OAuth quota exceeded: come back tomorrow", "rate_limited"),
        ("Qwen OAuth free tier has been discontinued as of 2026-04-15.", "login_expired"),
        ("Loop detection halted the run (429)", "looped"),
        ("authentication failed: 401", "crashed"),
        ("", "crashed"),
    ];
    for (message, outcome) in cases {
        assert_eq!(word(&turn(&[failed(message)], 1).2.outcome), outcome, "{message}");
    }
    assert_eq!(word(&turn(&[json!({"type": "result"})], 1).2.outcome), "crashed");
}

/// Everything the model, a tool or a file could say to look like the CLI.
fn misleading() -> Vec<Value> {
    let mut lines = Vec::new();
    for text in MISLEADING {
        lines.push(says(text, text));
        lines.push(json!({"type": "assistant", "parent_tool_use_id": null, "message": {"id": "t", "model": "m",
            "error": {"message": text}, "content": [{"type": "tool_use", "id": "call", "name": "run_shell_command",
            "input": {"command": text, "type": "result", "is_error": true, "error": {"message": text}}}]}}));
        lines.push(json!({"type": "user", "message": {"role": "user", "content": [{"type": "tool_result",
            "tool_use_id": "call", "content": text, "is_error": true}]}}));
    }
    lines
}

#[test]
fn what_the_model_and_its_tools_say_never_decides_the_outcome() {
    let (events, finished, report) = turn(&misleading(), 1);
    assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended with status 1".into() });
    assert!(!finished && !events.contains(&AgentEvent::Finished));
    let strange = |event: &AgentEvent| matches!(event, AgentEvent::Raw { .. } | AgentEvent::Retrying { .. });
    assert!(!events.iter().any(strange), "{events:?}");
    let lines: Vec<Value> = misleading().into_iter().chain([success()]).collect();
    assert_eq!(turn(&lines, 0).2.outcome, TurnOutcome::Completed);
}

#[test]
fn a_session_is_lost_only_where_one_was_to_be_resumed_and_none_was_opened() {
    let recordings = Recordings::of(BACKEND);
    let report = recordings.played("unknown_session", None).2;
    assert_eq!((report.outcome, report.session), (TurnOutcome::SessionLost, None));
    let (ended, stderr) = (exit(Exit::Code(1), None), "No saved session found with ID x\n");
    assert_eq!(word(&play(&request(BACKEND), b"", stderr, &ended).2.outcome), "crashed");
    let opened = recordings.stdout("killed");
    assert_eq!(word(&play(&recordings.request("resumed"), &opened, stderr, &ended).2.outcome), "crashed");
}

#[test]
fn strange_lines_are_kept_and_break_nothing() {
    let lines = "not JSON\n[1,2]\n{\"type\":7}\n{\"type\":\"assistant\"}\n{\"type\":\"system\",\"subtype\":\"of_tomorrow\"}\n\n\
        {\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false}\n{\"type\":\"resu";
    let (events, finished, report) =
        play(&request(BACKEND), lines.as_bytes(), "", &exit(Exit::Code(0), None));
    assert_eq!(events.iter().filter(|event| matches!(event, AgentEvent::Raw { .. })).count(), 5);
    assert!(finished);
    assert_eq!(report.outcome, TurnOutcome::Completed);
}

#[test]
fn after_a_crash_of_the_runner_only_a_result_ends_the_turn() {
    let left = Recordings::of(BACKEND).check_replay();
    assert_eq!(left.usage.input_tokens, 100, "{left:?}");
}
