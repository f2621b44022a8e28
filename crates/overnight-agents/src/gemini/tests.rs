//! The Gemini backend against what the real CLI wrote, and against lines made to mislead it.

use overnight_core::agent::{AgentEvent, BackendId, TurnOutcome, TurnReport};
use overnight_core::command::{Exit, StopReason};
use overnight_core::units::Timestamp;
use serde_json::{Value, json};

use crate::testing::{MISLEADING, Recordings, exit, play, request, turn_of, word};

const BACKEND: BackendId = BackendId::Gemini;

fn turn(lines: &[Value], code: i32) -> (Vec<AgentEvent>, bool, TurnReport) {
    turn_of(&request(BACKEND), lines, code)
}

fn says(text: &str) -> Value {
    json!({"type": "message", "role": "assistant", "content": text, "delta": true})
}

fn failed(kind: &str, message: &str) -> Value {
    json!({"type": "result", "timestamp": "2026-11-21T16:01:36.499Z", "status": "error",
        "error": {"type": kind, "message": message}, "stats": {}})
}

fn success() -> Value {
    json!({"type": "result", "status": "success", "stats": {}})
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
        ("resumed_first", "completed"),
        ("resumed", "completed"),
        ("max_turns", "max_turns"),
        ("unauthorized", "login_expired"),
        ("forbidden", "login_expired"),
        ("not_logged_in", "login_expired"),
        ("no_credit", "login_expired"),
        ("rate_limited", "rate_limited"),
        ("rate_limited_long", "rate_limited"),
        ("quota", "rate_limited"),
        ("overloaded", "overloaded"),
        ("unavailable", "overloaded"),
        ("server_error", "overloaded"),
        ("connection_refused", "overloaded"),
        ("cut_stream", "overloaded"),
        ("cut_stream_then_success", "overloaded"),
        ("bad_request", "crashed"),
        ("loop", "looped"),
        ("unknown_session", "session_lost"),
        ("hung", "crashed"),
        ("terminated", "crashed"),
        ("interrupted", "crashed"),
        ("killed", "crashed"),
    ]);
}

#[test]
fn exit_status_zero_without_a_result_is_no_success() {
    let recordings = Recordings::of(BACKEND);
    for name in ["terminated", "interrupted", "hung"] {
        assert_eq!(recordings.outcome(name, Some(StopReason::Asked)), TurnOutcome::Stopped, "{name}");
        let silent = recordings.outcome(name, Some(StopReason::SilenceTimeout { idle: None }));
        assert_eq!(silent, TurnOutcome::TimedOut { silent: true, idle: None }, "{name}");
    }
    let (_, finished, report) = turn(&[says("All "), says("done!")], 0);
    assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended with status 0".into() });
    assert!(!finished);
    assert_eq!(report.final_text.as_deref(), Some("All done!"));
}

#[test]
fn a_loop_that_the_cli_calls_a_success_is_none() {
    let outcome = Recordings::of(BACKEND).outcome("loop", None);
    assert_eq!(outcome, TurnOutcome::Looped { detail: "Loop detected, stopping execution".into() });
}

#[test]
fn the_time_to_ask_again_is_counted_from_the_line_that_tells_it() {
    let reset = |name| match Recordings::of(BACKEND).outcome(name, None) {
        TurnOutcome::RateLimited { reset, .. } => reset,
        other => panic!("another outcome: {other:?}"),
    };
    assert!(reset("rate_limited").is_some() && reset("rate_limited_long").is_some());
    assert_eq!(reset("quota"), None);
    let line = failed("unknown", "[API Error: x\nSuggested retry after 3600s.]\nPlease wait");
    let TurnOutcome::RateLimited { reset, .. } = turn(&[line], 173).2.outcome else {
        panic!("another outcome")
    };
    assert_eq!(reset, Some(Timestamp(1_795_276_896_499 + 3_600_000)));
}

#[test]
fn usage_is_of_the_run_alone_and_cached_tokens_are_apart() {
    let recordings = Recordings::of(BACKEND);
    let used = |name| recordings.played(name, None).2.usage;
    assert_eq!((used("success").input_tokens, used("success").output_tokens), (300, 60));
    assert_eq!(used("resumed"), used("resumed_first"));
    assert_eq!((used("success").turns, used("edit_and_failing_command").turns), (3, 4));
    let line = json!({"type": "result", "status": "success",
        "stats": {"input_tokens": 100, "output_tokens": 7, "cached": 90, "total_tokens": 107}});
    let usage = turn(&[line], 0).2.usage;
    assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.output_tokens), (10, 90, 7));
    assert_eq!(usage.cost, None, "no price is known, which is not the same as zero");
}

#[test]
fn failures_are_told_apart_by_exit_status_then_by_the_quoted_code() {
    let quoted =
        |code: u16| format!("[API Error: {{\"error\":{{\"code\":{code},\"message\":\"401 429\"}}}}]");
    let cases = [
        ("unknown", quoted(429), 0, "rate_limited"),
        ("unknown", quoted(401), 0, "login_expired"),
        ("unknown", quoted(400), 0, "crashed"),
        ("unknown", "[API Error: terminated]".to_owned(), 0, "overloaded"),
        ("unknown", "[API Error: 429 Too Many Requests]".to_owned(), 144, "crashed"),
        ("unknown", "[API Error: authentication failed]".to_owned(), 173, "rate_limited"),
        ("FatalAuthenticationError", "x".to_owned(), 1, "login_expired"),
        ("FatalTurnLimitedError", "x".to_owned(), 1, "max_turns"),
        ("unknown", "429 authentication failed".to_owned(), 1, "crashed"),
        ("unknown", String::new(), 1, "crashed"),
    ];
    for (kind, message, code, outcome) in cases {
        assert_eq!(
            word(&turn(&[failed(kind, &message)], code).2.outcome),
            outcome,
            "{kind} {message} {code}"
        );
    }
}

/// Everything the model, a tool, a file or the prompt could say to look like the CLI.
fn misleading() -> Vec<Value> {
    let mut lines = vec![json!({"type": "init", "session_id": "s", "model": "m"})];
    for text in MISLEADING {
        lines.push(json!({"type": "message", "role": "user", "content": text}));
        lines.push(says(text));
        lines.push(json!({"type": "tool_use", "tool_name": "run_shell_command", "tool_id": "t",
            "parameters": {"command": text, "error": {"type": "FatalAuthenticationError"}}}));
        lines.push(json!({"type": "tool_result", "tool_id": "t", "status": "error", "output": text,
            "error": {"type": "FatalTurnLimitedError", "message": text}}));
    }
    lines
}

#[test]
fn what_the_model_and_its_tools_say_never_decides_the_outcome() {
    let (events, finished, report) = turn(&misleading(), 1);
    assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended with status 1".into() });
    assert!(!finished && !events.contains(&AgentEvent::Finished));
    assert!(!events.iter().any(|event| matches!(event, AgentEvent::Raw { .. })), "{events:?}");
    let lines: Vec<Value> = misleading().into_iter().chain([success()]).collect();
    assert_eq!(turn(&lines, 0).2.outcome, TurnOutcome::Completed);
    // On standard error stands what a tool said, too.
    let stderr = MISLEADING.join("\n");
    let report = play(&request(BACKEND), b"", &stderr, &exit(Exit::Code(1), None)).2;
    assert_eq!(word(&report.outcome), "crashed");
}

#[test]
fn a_session_is_lost_only_where_one_was_to_be_resumed_and_none_was_opened() {
    let recordings = Recordings::of(BACKEND);
    let report = recordings.played("unknown_session", None).2;
    assert_eq!((report.outcome, report.session), (TurnOutcome::SessionLost, None));
    let ended = exit(Exit::Code(42), None);
    assert_eq!(word(&play(&request(BACKEND), b"", "", &ended).2.outcome), "crashed");
    let opened = recordings.stdout("killed");
    assert_eq!(word(&play(&recordings.request("resumed"), &opened, "", &ended).2.outcome), "crashed");
}

#[test]
fn strange_lines_are_kept_and_break_nothing() {
    let lines = "not JSON\n[1,2]\n{\"type\":7}\n{\"type\":\"message\"}\n{\"type\":\"tool_use\"}\n{\"type\":\"of.tomorrow\"}\n\n\
        {\"type\":\"result\",\"status\":\"success\",\"stats\":[]}\n{\"type\":\"resu";
    let (events, finished, report) =
        play(&request(BACKEND), lines.as_bytes(), "", &exit(Exit::Code(0), None));
    assert_eq!(events.iter().filter(|event| matches!(event, AgentEvent::Raw { .. })).count(), 5);
    assert!(finished);
    assert_eq!(report.outcome, TurnOutcome::Completed);
}

#[test]
fn after_a_crash_of_the_runner_only_a_result_ends_the_turn() {
    Recordings::of(BACKEND).check_replay();
}
