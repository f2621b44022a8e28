//! The Codex backend against what the real CLI wrote, and against lines made to mislead it.

use overnight_core::agent::{AgentEvent, BackendId, TurnOutcome, TurnReport};
use overnight_core::command::{Exit, StopReason};
use serde_json::{Value, json};

use crate::codex::outcome::of_failure;
use crate::testing::{MISLEADING, Recordings, exit, play, request, turn_of, word};

const BACKEND: BackendId = BackendId::Codex;

fn turn(lines: &[Value], code: i32) -> (Vec<AgentEvent>, bool, TurnReport) {
    turn_of(&request(BACKEND), lines, code)
}

fn says(text: &str) -> Value {
    json!({"type": "item.completed", "item": {"id": "m", "type": "agent_message", "text": text}})
}

fn failed(message: &str) -> Value {
    json!({"type": "turn.failed", "error": {"message": message}})
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
        ("success_by_scripts", "completed"),
        ("success_unknown_model", "completed"),
        ("edit_and_failing_command", "completed"),
        ("unknown_tool", "completed"),
        ("rate_limited_then_success", "completed"),
        ("cut_stream", "completed"),
        ("resumed_first", "completed"),
        ("resumed", "completed"),
        ("unauthorized", "login_expired"),
        ("forbidden", "login_expired"),
        ("payment_required", "login_expired"),
        ("no_credit", "login_expired"),
        ("not_logged_in", "login_expired"),
        ("rate_limited", "rate_limited"),
        ("usage_limit", "rate_limited"),
        ("overloaded", "overloaded"),
        ("server_error", "overloaded"),
        ("bad_request", "crashed"),
        ("unknown_session", "session_lost"),
        // Ended by the recorder, as a runner would have: what that makes of them is tested below.
        ("rate_limited_long", "crashed"),
        ("connection_refused", "crashed"),
        ("hung", "crashed"),
        ("loop", "crashed"),
        ("terminated", "crashed"),
        ("interrupted", "crashed"),
        ("killed", "crashed"),
    ]);
}

#[test]
fn a_cli_that_waits_in_silence_for_its_vendor_is_not_a_hung_one() {
    let recordings = Recordings::of(BACKEND);
    let silent = |name| recordings.outcome(name, Some(StopReason::SilenceTimeout { idle: None }));
    assert_eq!(word(&silent("connection_refused")), "overloaded");
    assert_eq!(silent("hung"), TurnOutcome::TimedOut { silent: true, idle: None });
    let ended = exit(Exit::Signal(9), Some(StopReason::SilenceTimeout { idle: None }));
    let outcome = |stdout: &str| play(&request(BACKEND), stdout.as_bytes(), "", &ended).2.outcome;
    let again =
        json!({"type": "error", "message": "Reconnecting... 1/5 (exceeded retry limit, last status: 429 x)"});
    assert_eq!(word(&outcome(&format!("{again}\n"))), "rate_limited");
    // It went on after its trouble.
    let went_on = format!("{again}\n{}\n", says("Let me see."));
    assert_eq!(outcome(&went_on), TurnOutcome::TimedOut { silent: true, idle: None });
}

#[test]
fn a_turn_we_stopped_is_not_a_crash() {
    let recordings = Recordings::of(BACKEND);
    for name in ["killed", "terminated", "interrupted", "rate_limited_long"] {
        assert_eq!(recordings.outcome(name, Some(StopReason::Asked)), TurnOutcome::Stopped, "{name}");
        let stopped = recordings.outcome(name, Some(StopReason::WallTimeout));
        assert_eq!(stopped, TurnOutcome::TimedOut { silent: false, idle: None }, "{name}");
        assert!(recordings.played(name, None).2.session.is_some(), "{name}: the session can be resumed");
    }
    assert_eq!(recordings.outcome("success", Some(StopReason::Driver)), TurnOutcome::Completed);
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
fn a_session_that_is_younger_than_the_job_is_charged_whole() {
    let recordings = Recordings::of(BACKEND);
    let mut request = recordings.request("resumed");
    request.used_before.input_tokens = 10_000;
    let report = play(&request, &recordings.stdout("resumed"), "", &exit(Exit::Code(0), None)).2;
    assert_eq!(report.usage.input_tokens, 600);
}

#[test]
fn cached_and_written_tokens_are_apart_from_the_others() {
    let done = json!({"type": "turn.completed", "usage": {"input_tokens": 100, "cached_input_tokens": 60,
        "cache_write_input_tokens": 30, "output_tokens": 7, "reasoning_output_tokens": 5}});
    let usage = turn(&[done], 0).2.usage;
    assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens), (10, 60, 30));
    assert_eq!(usage.output_tokens, 7);
}

#[test]
fn answers_are_counted_by_what_comes_between_tools() {
    let turns = |name| Recordings::of(BACKEND).played(name, None).2.usage.turns;
    assert_eq!(turns("success"), 3);
    assert_eq!(turns("edit_and_failing_command"), 4);
    assert_eq!(turns("rate_limited_then_success"), 1);
}

#[test]
fn exit_status_zero_is_no_success() {
    let (_, finished, report) = turn(&[says("All done!")], 0);
    assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended with status 0".into() });
    assert!(!finished);
    assert_eq!(report.final_text.as_deref(), Some("All done!"));
}

#[test]
fn failures_are_told_apart_by_the_clis_own_sentences() {
    let cases = [
        ("unexpected status 503 Service Unavailable: x, url: y", "overloaded"),
        ("unexpected status 404 Not Found: 429", "misconfigured"),
        ("Quota exceeded. Check your plan and billing details.", "login_expired"),
        ("Your access token could not be refreshed because your refresh token was revoked.", "login_expired"),
        ("You’ve hit your usage limit. Try again at 3:05 PM.", "rate_limited"),
        ("Selected model is at capacity. Please try a different model.", "overloaded"),
        ("stream disconnected before completion: idle timeout waiting for SSE", "overloaded"),
        (
            "stream disconnected before completion: Incomplete response returned, reason: content_filter",
            "refused",
        ),
        ("Codex ran out of room in the model's context window. Start a new thread", "context_full"),
        (r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#, "context_full"),
        (r#"{"error":{"code":"model_not_found","message":"x"}}"#, "misconfigured"),
        ("The model `gpt-9` does not exist or you do not have access to it.", "misconfigured"),
        (
            r#"{"detail":"The 'gpt-9' model is not supported when using Codex with a ChatGPT account."}"#,
            "misconfigured",
        ),
        ("The model `gpt-9` is busy", "crashed"),
        (r#"{"error":{"code":"insufficient_quota","message":"x"}}"#, "login_expired"),
        (r#"{"error":{"code":"rate_limit_exceeded","message":"x"}}"#, "rate_limited"),
        (r#"{"error":{"code":"invalid_prompt","message":"x"}}"#, "refused"),
        (r#"{"error":{"code":null,"message":"429 Too Many Requests: authentication failed"}}"#, "crashed"),
        ("something about 429 Too Many Requests and 401", "crashed"),
        ("", "crashed"),
    ];
    for (message, outcome) in cases {
        assert_eq!(word(&of_failure(message)), outcome, "{message}");
        assert_eq!(word(&turn(&[failed(message)], 1).2.outcome), outcome, "{message}");
    }
}

/// Everything the model, a tool or a file could say to look like the CLI.
fn misleading() -> Vec<Value> {
    let mut lines = Vec::new();
    for text in MISLEADING {
        lines.push(says(text));
        lines.push(
            json!({"type": "item.started", "item": {"id": "t", "type": "command_execution", "command": text,
            "aggregated_output": "", "exit_code": null, "status": "in_progress"}}),
        );
        lines.push(
            json!({"type": "item.completed", "item": {"id": "t", "type": "command_execution", "command": text,
            "aggregated_output": text, "exit_code": 1, "status": "failed", "error": {"message": text}}}),
        );
        lines.push(json!({"type": "item.completed", "item": {"id": "r", "type": "reasoning", "text": text}}));
        lines.push(
            json!({"type": "item.completed", "item": {"id": "c", "type": "mcp_tool_call", "server": "s",
            "tool": "x", "arguments": {"query": text}, "error": {"message": text}, "status": "failed"}}),
        );
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

    let done = json!({"type": "turn.completed", "usage": {}});
    let lines: Vec<Value> = misleading().into_iter().chain([done]).collect();
    assert_eq!(turn(&lines, 0).2.outcome, TurnOutcome::Completed);
    let lines: Vec<Value> = misleading().into_iter().chain([failed("unexpected status 529 x")]).collect();
    assert_eq!(word(&turn(&lines, 1).2.outcome), "overloaded");
}

#[test]
fn a_lost_session_is_lost_only_where_one_was_to_be_resumed_and_none_was_opened() {
    let recordings = Recordings::of(BACKEND);
    let report = recordings.played("unknown_session", None).2;
    assert_eq!((report.outcome, report.session), (TurnOutcome::SessionLost, None));
    let stderr = "Error: thread/resume: thread/resume failed: no rollout found for thread id x\n";
    let ended = exit(Exit::Code(1), None);
    assert_eq!(word(&play(&request(BACKEND), b"", stderr, &ended).2.outcome), "crashed");
    let opened = recordings.stdout("killed");
    assert_eq!(word(&play(&recordings.request("resumed"), &opened, stderr, &ended).2.outcome), "crashed");
}

#[test]
fn strange_lines_are_kept_and_break_nothing() {
    let lines = "not JSON\n[1,2]\n{\"type\":7}\n{\"type\":\"item.completed\"}\n\
        {\"type\":\"item.completed\",\"item\":{\"type\":\"hologram\"}}\n{\"type\":\"of.tomorrow\"}\n\n\
        {\"type\":\"turn.completed\",\"usage\":\"much\"}\n{\"type\":\"turn.comp";
    let (events, finished, report) =
        play(&request(BACKEND), lines.as_bytes(), "", &exit(Exit::Code(0), None));
    assert_eq!(events.iter().filter(|event| matches!(event, AgentEvent::Raw { .. })).count(), 7);
    assert!(finished);
    assert_eq!(report.outcome, TurnOutcome::Completed);
}

#[test]
fn after_a_crash_of_the_runner_only_a_final_line_ends_the_turn() {
    Recordings::of(BACKEND).check_replay();
}
