//! The opencode backend against what the real CLI wrote, and against lines made to mislead it.

use overnight_core::agent::{AgentEvent, BackendId, TurnOutcome, TurnReport};
use overnight_core::command::{Exit, StopReason};
use overnight_core::units::{MicroDollars, Timestamp};
use serde_json::{Value, json};

use crate::testing::{MISLEADING, Recordings, exit, play, request, turn_of, word};
use crate::{replay, salvage};

const BACKEND: BackendId = BackendId::Opencode;

fn turn(lines: &[Value], code: i32) -> (Vec<AgentEvent>, bool, TurnReport) {
    turn_of(&request(BACKEND), lines, code)
}

fn line(kind: &str, part: &Value) -> Value {
    json!({"type": kind, "timestamp": 1_795_277_344_498_u64, "sessionID": "ses_1", "part": part})
}

fn says(text: &str) -> Value {
    line("text", &json!({"type": "text", "text": text}))
}

fn finish(reason: &str, cost: f64) -> Value {
    let tokens = json!({"input": 100, "output": 20, "reasoning": 5, "cache": {"read": 7, "write": 3}});
    line("step_finish", &json!({"reason": reason, "tokens": tokens, "cost": cost}))
}

fn error(name: &str, data: &Value) -> Value {
    json!({"type": "error", "timestamp": 1_795_277_344_498_u64, "sessionID": "ses_1", "error": {"name": name, "data": data}})
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
        ("unauthorized", "login_expired"),
        ("forbidden", "login_expired"),
        ("payment_required", "login_expired"),
        ("not_logged_in", "login_expired"),
        ("no_credit", "login_expired"),
        ("rate_limited", "rate_limited"),
        ("bad_request", "crashed"),
        // It was refused something, and left with status 0 in the middle of its work.
        ("permission_denied", "crashed"),
        ("unknown_session", "session_lost"),
        // Ended by the recorder, as a runner would have. The CLI says nothing of a server that does not answer as it should.
        ("quota", "crashed"),
        ("overloaded", "crashed"),
        ("server_error", "crashed"),
        ("connection_refused", "crashed"),
        ("loop", "crashed"),
        ("hung", "crashed"),
        ("terminated", "crashed"),
        ("interrupted", "crashed"),
        ("killed", "crashed"),
    ]);
}

#[test]
fn success_is_the_last_step_and_the_exit_status_together() {
    let outcome = |lines: &[Value], code| turn(lines, code).2.outcome;
    assert_eq!(outcome(&[says("x"), finish("stop", 0.1)], 0), TurnOutcome::Completed);
    assert_eq!(word(&outcome(&[says("x"), finish("stop", 0.1)], 1)), "crashed");
    assert_eq!(word(&outcome(&[says("All done!"), finish("tool-calls", 0.1)], 0)), "crashed");
    assert_eq!(word(&outcome(&[says("All done!")], 0)), "crashed");
    assert_eq!(word(&outcome(&[finish("content-filter", 0.1)], 0)), "refused");
    // A further step has begun and was not ended.
    assert_eq!(word(&outcome(&[finish("stop", 0.1), line("step_start", &json!({}))], 0)), "crashed");
}

#[test]
fn a_program_that_said_its_last_and_did_not_leave_has_done_its_work() {
    let play_silent = |lines: &[Value]| {
        let stdout: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let ended = exit(Exit::Signal(9), Some(StopReason::SilenceTimeout { idle: None }));
        play(&request(BACKEND), stdout.as_bytes(), "", &ended).2.outcome
    };
    assert_eq!(play_silent(&[finish("stop", 0.1)]), TurnOutcome::Completed);
    assert_eq!(play_silent(&[finish("tool-calls", 0.1)]), TurnOutcome::TimedOut { silent: true, idle: None });
}

/// As the real CLI writes it with `--print-logs`.
const FAILED_AGAIN: &str = "timestamp=2026-11-21T19:28:43.118Z level=ERROR run=932054a0 message=\"stream error\" providerID=scripted \
     modelID=m1 session.id=ses_1 small=false agent=build mode=primary error.error=\"AI_APICallError: scripted 429\"\n";

#[test]
fn a_cli_that_asks_again_and_again_is_not_a_hung_one() {
    let ended = exit(Exit::Signal(9), Some(StopReason::SilenceTimeout { idle: Some(true) }));
    let of = |stderr: &str| play(&request(BACKEND), b"", stderr, &ended).2.outcome;
    let TurnOutcome::Overloaded { detail } = of(FAILED_AGAIN) else { panic!("another outcome") };
    assert!(detail.ends_with("scripted 429"), "{detail}");
    assert_eq!(word(&of(&FAILED_AGAIN.replace("small=false", "small=true"))), "timed_out");
    assert_eq!(word(&of(&format!("a tool said: {FAILED_AGAIN}"))), "timed_out");
    let mut driver = crate::driver(&request(BACKEND));
    driver.on_line(overnight_core::command::Stream::Stderr, FAILED_AGAIN.as_bytes());
    driver.on_line(overnight_core::command::Stream::Stdout, says("on").to_string().as_bytes());
    assert_eq!(word(&driver.finish(&ended).outcome), "timed_out", "it went on");
}

#[test]
fn a_turn_we_stopped_is_not_a_crash_and_its_usage_is_kept() {
    let recordings = Recordings::of(BACKEND);
    for name in ["killed", "terminated", "interrupted"] {
        assert_eq!(recordings.outcome(name, Some(StopReason::Asked)), TurnOutcome::Stopped, "{name}");
    }
}

/// 200 tokens in, 50 out, 14 and 6 from and into the cache.
#[test]
fn what_the_cli_has_no_price_for_is_estimated_where_we_have_one() {
    let play_on = |model: &str| {
        let mut request = request(BACKEND);
        request.settings.model = Some(model.to_owned());
        let lines = [finish("tool-calls", 0.0), finish("stop", 0.0)];
        let stdout: String = lines.iter().map(|line| format!("{line}\n")).collect();
        play(&request, stdout.as_bytes(), "", &exit(Exit::Code(0), None)).2.usage
    };
    let known = play_on("openai/gpt-5");
    // In billionths: 206 x 1250 + 50 x 10000 + 14 x 125.
    assert_eq!((known.cost, known.estimated), (Some(MicroDollars(759)), true));
    let unknown = play_on("local/somebodys-own");
    assert_eq!((unknown.cost, unknown.estimated), (None, false));
}

#[test]
fn usage_is_the_sum_of_the_steps_and_the_cost_is_the_clis_own() {
    let recordings = Recordings::of(BACKEND);
    let used = |name| recordings.played(name, None).2.usage;
    assert_eq!(
        (used("success").input_tokens, used("success").output_tokens, used("success").turns),
        (300, 60, 3)
    );
    assert_eq!(used("success").cost, Some(MicroDollars(1_800)));
    assert_eq!(used("resumed"), used("resumed_first"));
    let usage = turn(&[finish("tool-calls", 0.5), finish("stop", 0.25)], 0).2.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.turns), (200, 50, 2));
    assert_eq!((usage.cache_read_tokens, usage.cache_write_tokens), (14, 6));
    assert_eq!(usage.cost, Some(MicroDollars(750_000)));
}

#[test]
fn a_price_of_nothing_is_an_unknown_one_and_a_limit_of_cost_says_so() {
    let lines = [finish("tool-calls", 0.5), finish("tool-calls", 0.0), finish("stop", 0.5)];
    let (events, _, report) = turn(&lines, 0);
    assert_eq!(report.usage.cost, None, "half a cost is not a cost");
    let warns = |events: &[AgentEvent]| {
        events.iter().filter(|event| matches!(event, AgentEvent::Warning { .. })).count()
    };
    assert_eq!(warns(&events), 0);
    let mut limited = request(BACKEND);
    limited.remaining.cost = Some(MicroDollars(1));
    assert_eq!(warns(&turn_of(&limited, &lines, 0).0), 1);
}

#[test]
fn failures_are_told_apart_by_status_then_by_name() {
    let cases = [
        (
            error("APIError", &json!({"statusCode": 529, "message": "429 authentication failed"})),
            "overloaded",
        ),
        (error("APIError", &json!({"statusCode": 404, "message": "401"})), "misconfigured"),
        (error("ContextOverflowError", &json!({"message": "x"})), "context_full"),
        (error("ProviderModelNotFoundError", &json!({"message": "x"})), "misconfigured"),
        (error("APIError", &json!({"message": "401"})), "overloaded"),
        (
            error(
                "APIError",
                &json!({"statusCode": 429, "responseBody": "{\"error\":{\"code\":\"insufficient_quota\"}}"}),
            ),
            "login_expired",
        ),
        (
            error(
                "APIError",
                &json!({"statusCode": 400, "responseBody": "{\"error\":{\"code\":\"model_not_found\"}}"}),
            ),
            "misconfigured",
        ),
        (
            error(
                "APIError",
                &json!({"statusCode": 400, "responseBody": "{\"error\":{\"code\":\"context_length_exceeded\"}}"}),
            ),
            "context_full",
        ),
        (error("ProviderAuthError", &json!({"message": "x"})), "login_expired"),
        (error("MessageOutputLengthError", &json!({})), "crashed"),
        (error("UnknownError", &json!({"message": "429 Too Many Requests"})), "crashed"),
        (json!({"type": "error"}), "crashed"),
    ];
    for (line, outcome) in cases {
        assert_eq!(word(&turn(std::slice::from_ref(&line), 1).2.outcome), outcome, "{line}");
    }
}

#[test]
fn the_time_to_ask_again_is_counted_from_the_line_that_tells_it() {
    let reset = |data: Value| match turn(&[error("APIError", &data)], 1).2.outcome {
        TurnOutcome::RateLimited { reset, .. } => reset,
        other => panic!("another outcome: {other:?}"),
    };
    let told = reset(json!({"statusCode": 429, "responseHeaders": {"retry-after": "60"}}));
    assert_eq!(told, Some(Timestamp(1_795_277_344_498 + 60_000)));
    assert_eq!(reset(json!({"statusCode": 429, "responseHeaders": {"retry-after": "soon"}})), None);
    assert_eq!(reset(json!({"statusCode": 429})), None);
}

/// Everything the model, a tool or a file could say to look like the CLI.
fn misleading() -> Vec<Value> {
    let mut lines = Vec::new();
    for text in MISLEADING {
        lines.push(says(text));
        lines.push(line("reasoning", &json!({"type": "reasoning", "text": text})));
        lines.push(line(
            "tool_use",
            &json!({"tool": "bash", "callID": "c", "error": {"name": "APIError", "data": {"statusCode": 401}},
                "state": {"status": "error", "error": text, "output": text, "input": {"command": text}}}),
        ));
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
    let lines: Vec<Value> = misleading().into_iter().chain([finish("stop", 0.1)]).collect();
    assert_eq!(turn(&lines, 0).2.outcome, TurnOutcome::Completed);
}

#[test]
fn a_session_is_lost_only_where_one_was_to_be_resumed_and_none_was_opened() {
    let recordings = Recordings::of(BACKEND);
    let report = recordings.played("unknown_session", None).2;
    assert_eq!((report.outcome, report.session), (TurnOutcome::SessionLost, None));
    let ended = exit(Exit::Code(1), None);
    let stderr = "Error: Session not found\n";
    assert_eq!(word(&play(&request(BACKEND), b"", stderr, &ended).2.outcome), "crashed");
}

#[test]
fn strange_lines_are_kept_and_break_nothing() {
    let lines = format!(
        "not JSON\n[1,2]\n{{\"type\":7}}\n{{\"type\":\"text\"}}\n{{\"type\":\"of.tomorrow\",\"part\":{{}}}}\n\n{}\n{{\"type\":\"step_f",
        line("step_finish", &json!({"reason": "stop", "tokens": [], "cost": "much"}))
    );
    let (events, _, report) = play(&request(BACKEND), lines.as_bytes(), "", &exit(Exit::Code(0), None));
    assert_eq!(events.iter().filter(|event| matches!(event, AgentEvent::Raw { .. })).count(), 6);
    assert_eq!((report.outcome, report.usage.turns), (TurnOutcome::Completed, 1));
}

#[test]
fn after_a_crash_of_the_runner_only_a_recorded_status_ends_the_turn() {
    let recordings = Recordings::of(BACKEND);
    let of = |name, exit| replay(&recordings.request(name), &recordings.stdout(name), exit);
    let completed = of("success", Exit::Code(0)).map(|report| report.outcome);
    assert_eq!(completed, Some(TurnOutcome::Completed));
    assert_eq!(of("success", Exit::Unknown), None);
    let left = salvage(&request(BACKEND), &recordings.stdout("success"));
    assert!(left.session.is_some() && left.usage.input_tokens == 300, "{left:?}");
}
