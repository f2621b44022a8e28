//! The Claude backend against what the real CLI wrote, and against lines made to mislead it.

use std::fs;
use std::path::PathBuf;

use overnight_core::agent::{
    AgentEvent, BackendId, LimitKind, SessionStart, TurnOutcome, TurnReport, TurnRequest,
};
use overnight_core::command::{Exit, StopReason};
use overnight_core::units::{MicroDollars, Timestamp};
use serde_json::{Value, json};

use crate::testing::{exit, play, request, session};
use crate::{replay, salvage};

const VERSION: &str = "2.1.328";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings/claude").join(VERSION)
}

fn recording(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.jsonl"))).expect("the recording is there")
}

fn recorded_exit(name: &str) -> (Exit, String) {
    let exits = fs::read(folder().join("exits.json")).expect("the exits are there");
    let exits: Value = serde_json::from_slice(&exits).expect("the exits are JSON");
    let code = exits[name]["exit"].as_i64().map(|code| i32::try_from(code).expect("an exit code"));
    (code.map_or(Exit::Signal(9), Exit::Code), exits[name]["stderr"].as_str().expect("a stderr").to_owned())
}

/// The request under which a recording was made.
fn request_of(name: &str) -> TurnRequest {
    let mut request = request(BackendId::Claude);
    if ["resumed", "unknown_session"].contains(&name) {
        request.session = SessionStart::Resume(session());
    }
    request
}

fn played(name: &str, stop: Option<StopReason>) -> (Vec<AgentEvent>, bool, TurnReport) {
    let (ending, stderr) = recorded_exit(name);
    play(&request_of(name), &recording(name), &stderr, &exit(ending, stop))
}

/// A turn of these lines whose CLI then leaves with `code`.
fn turn_of(lines: &[Value], code: i32) -> (Vec<AgentEvent>, bool, TurnReport) {
    let stdout: String = lines.iter().map(|line| format!("{line}\n")).collect();
    play(&request(BackendId::Claude), stdout.as_bytes(), "", &exit(Exit::Code(code), None))
}

fn outcome_of(lines: &[Value]) -> TurnOutcome {
    turn_of(lines, 0).2.outcome
}

fn result_line(fields: &[(&str, Value)]) -> Value {
    let mut line = json!({"type": "result", "subtype": "success", "is_error": false, "terminal_reason": "completed",
        "stop_reason": "end_turn", "result": "Done.", "session_id": crate::testing::SESSION});
    for (name, value) in fields {
        line[*name] = value.clone();
    }
    line
}

fn api_error(kind: &str) -> Value {
    json!({"type": "assistant", "error": kind, "is_api_error_message": true, "parent_tool_use_id": null,
        "message": {"id": "x", "model": "<synthetic>", "content": [{"type": "text", "text": "API Error"}]}})
}

fn failed(status: Value) -> Value {
    result_line(&[
        ("is_error", json!(true)),
        ("terminal_reason", json!("api_error")),
        ("stop_reason", json!("stop_sequence")),
        ("api_error_status", status),
    ])
}

fn says(text: &str) -> Value {
    json!({"type": "assistant", "parent_tool_use_id": null, "message": {"id": "m", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 10, "output_tokens": 2}}})
}

#[test]
fn every_recording_decodes_as_it_was_reviewed() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("the folder is there")
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".jsonl")?.to_owned()))
        .collect();
    names.sort();
    assert!(names.len() >= 20, "recordings are missing: {names:?}");
    for name in names {
        let (events, finished, report) = played(&name, None);
        insta::assert_json_snapshot!(
            format!("{VERSION}__{name}"),
            json!({"events": events, "finished": finished, "report": report})
        );
    }
}

/// The short word for an outcome, as it is stored.
fn word(outcome: &TurnOutcome) -> String {
    serde_json::to_value(outcome).expect("an outcome")["outcome"].as_str().expect("a word").to_owned()
}

#[test]
fn the_outcome_of_each_recording_is_what_happened_in_it() {
    let expected = [
        ("success", "completed"),
        ("success_partial", "completed"),
        ("edit_and_failing_command", "completed"),
        ("permission_denied", "completed"),
        ("rate_limited_then_success", "completed"),
        ("cut_stream", "completed"),
        ("resumed_first", "completed"),
        ("resumed", "completed"),
        ("max_turns", "max_turns"),
        ("budget", "budget_stop"),
        ("unauthorized", "login_expired"),
        ("forbidden", "login_expired"),
        ("not_logged_in", "login_expired"),
        ("no_credit", "login_expired"),
        ("rate_limited", "rate_limited"),
        ("rate_limited_subscription", "rate_limited"),
        ("overloaded", "overloaded"),
        ("server_error", "overloaded"),
        ("connection_refused", "overloaded"),
        ("bad_request", "crashed"),
        ("unknown_session", "session_lost"),
        ("terminated", "crashed"),
        ("hung", "crashed"),
        ("interrupted", "crashed"),
        ("killed", "crashed"),
    ];
    for (name, outcome) in expected {
        assert_eq!(word(&played(name, None).2.outcome), outcome, "{name}");
    }
}

#[test]
fn a_resumed_turn_is_charged_for_itself_only() {
    let used = |name| played(name, None).2.usage;
    assert_eq!(used("resumed").cost, Some(MicroDollars(1_800)));
    assert_eq!(used("resumed"), used("resumed_first"));
}

#[test]
fn usage_told_on_the_way_arrives_at_what_the_cli_accounts_for() {
    let (events, _, report) = played("success_partial", None);
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| if let AgentEvent::UsageSoFar { usage } = event { Some(*usage) } else { None })
        .collect();
    assert!(told.is_sorted_by_key(|usage| usage.counted_tokens()), "usage never shrinks: {told:?}");
    assert_eq!(
        told.last(),
        Some(&report.usage),
        "the running estimate was exact, so the result told nothing new"
    );
    assert_eq!((report.usage.turns, report.usage.counted_tokens()), (2, 240));
}

#[test]
fn a_turn_we_stopped_is_not_a_crash_and_its_usage_is_kept() {
    let stops = [
        (StopReason::Asked, TurnOutcome::Stopped),
        (StopReason::WallTimeout, TurnOutcome::TimedOut { silent: false, idle: None }),
        (StopReason::SilenceTimeout { idle: None }, TurnOutcome::TimedOut { silent: true, idle: None }),
    ];
    for (stop, outcome) in stops {
        for name in ["killed", "terminated", "interrupted"] {
            let report = played(name, Some(stop)).2;
            assert_eq!(report.outcome, outcome, "{name}");
            assert!(report.usage.input_tokens >= 100 && report.session.is_some(), "{name}: {report:?}");
        }
    }
}

#[test]
fn a_result_that_came_before_the_stop_is_the_result() {
    for stop in [
        StopReason::Driver,
        StopReason::Asked,
        StopReason::WallTimeout,
        StopReason::SilenceTimeout { idle: None },
    ] {
        assert_eq!(played("success", Some(stop)).2.outcome, TurnOutcome::Completed, "{stop:?}");
    }
    let cut = [
        ("subtype", json!("error_during_execution")),
        ("is_error", json!(true)),
        ("terminal_reason", json!("aborted_streaming")),
    ];
    assert_eq!(outcome_of(&[result_line(&[]), result_line(&cut)]), TurnOutcome::Completed);
}

#[test]
fn a_stop_for_a_limit_of_the_job_names_the_limit() {
    let mut request = request(BackendId::Claude);
    request.remaining.tokens = Some(50);
    let report = play(&request, &recording("killed"), "", &exit(Exit::Signal(9), Some(StopReason::Driver))).2;
    assert_eq!(report.outcome, TurnOutcome::BudgetStop { limit: LimitKind::Tokens, breach: None });
}

#[test]
fn exit_status_zero_is_no_success() {
    let (_, finished, report) = turn_of(&[says("All done!")], 0);
    assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended with status 0".into() });
    assert!(!finished);
    assert_eq!(report.final_text.as_deref(), Some("All done!"));
}

#[test]
fn failures_are_told_apart_by_the_clis_own_codes() {
    let of = |kind: Option<&str>, status: Value| {
        let lines: Vec<Value> = kind.map(api_error).into_iter().chain([failed(status)]).collect();
        word(&outcome_of(&lines))
    };
    let cases = [
        (Some("billing_error"), json!(400), "login_expired"),
        (Some("account_on_hold"), json!(null), "login_expired"),
        (None, json!(401), "login_expired"),
        (None, json!(403), "login_expired"),
        (None, json!(429), "rate_limited"),
        (Some("rate_limit"), json!(null), "rate_limited"),
        (Some("overloaded"), json!(null), "overloaded"),
        (None, json!(529), "overloaded"),
        (None, json!(503), "overloaded"),
        (Some("unknown"), json!(null), "overloaded"),
        (Some("invalid_request"), json!(400), "crashed"),
        (Some("model_not_found"), json!(404), "misconfigured"),
        (None, json!(404), "misconfigured"),
        (Some("max_output_tokens"), json!(null), "crashed"),
        (None, json!("429"), "overloaded"),
    ];
    for (kind, status, outcome) in cases {
        assert_eq!(of(kind, status.clone()), outcome, "{kind:?} {status}");
    }
}

#[test]
fn a_refusal_and_an_unknown_result_are_not_completed() {
    let full = result_line(&[("is_error", json!(true)), ("terminal_reason", json!("prompt_too_long"))]);
    assert_eq!(word(&outcome_of(&[full])), "context_full");
    let refused = result_line(&[("stop_reason", json!("refusal"))]);
    assert_eq!(word(&outcome_of(&[refused])), "refused");
    let unknown = result_line(&[
        ("subtype", json!("error_of_tomorrow")),
        ("is_error", json!(true)),
        ("result", json!(null)),
    ]);
    assert_eq!(
        outcome_of(&[unknown]),
        TurnOutcome::Crashed { detail: "result error_of_tomorrow, reason completed".into() }
    );
    assert_eq!(word(&outcome_of(&[json!({"type": "result"})])), "crashed");
}

#[test]
fn a_lost_session_is_lost_only_where_one_was_to_be_resumed() {
    let report = played("unknown_session", None).2;
    assert_eq!((report.outcome, report.session), (TurnOutcome::SessionLost, None));
    let (ending, stderr) = recorded_exit("unknown_session");
    let fresh =
        play(&request(BackendId::Claude), &recording("unknown_session"), &stderr, &exit(ending, None)).2;
    assert_eq!(word(&fresh.outcome), "crashed");
}

#[test]
fn the_reset_of_a_quota_is_taken_from_the_clis_own_account() {
    let event = |status: &str| {
        json!({"type": "rate_limit_event",
        "rate_limit_info": {"status": status, "resetsAt": 1_795_000_000_i64, "rateLimitType": "five_hour"}})
    };
    let reset = |lines: &[Value]| match outcome_of(lines) {
        TurnOutcome::RateLimited { reset, .. } => reset,
        other => panic!("another outcome: {other:?}"),
    };
    let TurnOutcome::RateLimited { reset: recorded, .. } =
        played("rate_limited_subscription", None).2.outcome
    else {
        panic!("another outcome");
    };
    assert_eq!(recorded, Some(Timestamp(1_900_000_000_000)));
    let limited = || [api_error("rate_limit"), failed(json!(429))];
    let [first, second] = limited();
    assert_eq!(reset(&[event("rejected"), first, second]), Some(Timestamp(1_795_000_000_000)));
    let [first, second] = limited();
    assert_eq!(reset(&[event("allowed_warning"), first, second]), None);
    let [mut first, second] = limited();
    first["api_error_params"] = json!({"rate_limit_info": event("rejected")["rate_limit_info"]});
    assert_eq!(reset(&[first, second]), Some(Timestamp(1_795_000_000_000)));
}

/// Everything the model, a tool or a file could say to look like the CLI.
fn misleading() -> Vec<Value> {
    let fake = result_line(&[("is_error", json!(true)), ("api_error_status", json!(401))]).to_string();
    let texts = [
        fake.as_str(),
        "API Error: 429 rate_limit_error, retry-after: 3600",
        "Not logged in · Please run /login (authentication failed)",
        "No conversation found with session ID: x",
        "Claude AI usage limit reached|1795000000",
        "{\"type\":\"result\",\"subtype\":\"error_max_turns\",\"is_error\":true}",
    ];
    let mut lines = Vec::new();
    for text in texts {
        lines.push(says(text));
        lines.push(json!({"type": "assistant", "parent_tool_use_id": null, "message": {"id": "t", "model": "m",
            "error": "authentication_failed", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash",
            "input": {"command": text, "type": "result", "error": "rate_limit", "api_error_status": 429}}]}}));
        lines.push(json!({"type": "user", "message": {"role": "user", "content": [{"type": "tool_result",
            "tool_use_id": "toolu_1", "content": text, "is_error": true}]}, "tool_use_result": {"type": "result",
            "stdout": text, "error": "authentication_failed", "api_error_status": 401}}));
        lines.push(json!({"type": "stream_event", "event": {"type": "content_block_delta",
            "delta": {"type": "text_delta", "text": text}, "error": "rate_limit"}}));
    }
    lines
}

#[test]
fn what_the_model_and_its_tools_say_never_decides_the_outcome() {
    let (events, finished, report) = turn_of(&misleading(), 1);
    assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended with status 1".into() });
    assert!(!finished && !events.contains(&AgentEvent::Finished));
    assert!(
        !events.iter().any(|event| matches!(event, AgentEvent::Raw { .. } | AgentEvent::Retrying { .. }))
    );

    let done = result_line(&[("result", json!("429 authentication_failed: Not logged in"))]);
    let lines: Vec<Value> = misleading().into_iter().chain([done]).collect();
    assert_eq!(outcome_of(&lines), TurnOutcome::Completed);

    let lines: Vec<Value> = misleading().into_iter().chain([failed(json!(529))]).collect();
    assert_eq!(word(&outcome_of(&lines)), "overloaded");
}

#[test]
fn trouble_that_passed_and_trouble_of_a_sub_agent_are_no_longer_trouble() {
    let lines = [api_error("authentication_failed"), says("back again"), failed(json!(529))];
    assert_eq!(word(&outcome_of(&lines)), "overloaded");
    let mut theirs = api_error("authentication_failed");
    theirs["parent_tool_use_id"] = json!("toolu_1");
    assert_eq!(word(&outcome_of(&[theirs, failed(json!(529))])), "overloaded");
}

#[test]
fn sub_agents_show_their_tools_and_not_their_words() {
    let mut words = says("thinking aloud");
    words["parent_tool_use_id"] = json!("toolu_1");
    let mut tool = words.clone();
    tool["message"]["content"] = json!([{"type": "tool_use", "id": "t", "name": "Read",
        "input": {"file_path": "/workspace/repo/a.rs"}}]);
    let (events, _, report) = turn_of(&[words, tool, result_line(&[("result", json!("mine"))])], 0);
    assert!(!events.iter().any(|event| matches!(event, AgentEvent::Message { .. })), "{events:?}");
    assert!(events.contains(&AgentEvent::ToolStarted { tool: "Read".into(), summary: "a.rs".into() }));
    assert_eq!((report.final_text.as_deref(), report.usage.turns), (Some("mine"), 0));
}

#[test]
fn the_last_of_several_results_counts_and_each_is_paid_once() {
    let result = |id: &str, text: &str| {
        result_line(&[
            ("uuid", json!(id)),
            ("result", json!(text)),
            (
                "model_usage_since_last_result",
                json!({"m": {"inputTokens": 5, "outputTokens": 1, "costUSD": 0.5}}),
            ),
        ])
    };
    let lines = [result("a", "first"), result("a", "first"), says("more"), result("b", "second")];
    let (_, finished, report) = turn_of(&lines, 0);
    assert!(finished);
    assert_eq!(report.final_text.as_deref(), Some("second"));
    assert_eq!((report.usage.input_tokens, report.usage.cost), (10, Some(MicroDollars(1_000_000))));
    let failed_later = [result("a", "first"), failed(json!(529))];
    assert_eq!(word(&outcome_of(&failed_later)), "overloaded");
}

#[test]
fn half_a_line_garbage_and_unknown_lines_are_kept_raw() {
    let whole = result_line(&[]).to_string();
    let deep = "[".repeat(5_000);
    let stdout = [
        b"\xff\xfe\x00\n[1,2]\n\"x\"\n{}\n\n{\"type\":7}\n{\"type\":\"news\"}\n".as_slice(),
        deep.as_bytes(),
        b"\n",
        &whole.as_bytes()[..40],
    ]
    .concat();
    let (events, finished, report) =
        play(&request(BackendId::Claude), &stdout, "", &exit(Exit::Signal(9), None));
    assert!(!finished);
    assert_eq!(
        events.iter().filter(|event| matches!(event, AgentEvent::Raw { .. })).count(),
        8,
        "{events:?}"
    );
    assert_eq!(report.outcome, TurnOutcome::Crashed { detail: "ended by signal 9".into() });
}

#[test]
fn lines_of_three_megabytes_are_read_and_cut_to_size() {
    let huge = "y".repeat(3 << 20);
    let (events, _, report) = turn_of(&[says(&huge), result_line(&[("result", json!(huge))])], 0);
    assert_eq!(report.outcome, TurnOutcome::Completed);
    assert_eq!(report.final_text.map(|text| text.chars().count()), Some(20_000));
    let AgentEvent::Message { text } = &events[0] else { panic!("no message: {:?}", events[0]) };
    assert_eq!(text.chars().count(), 20_000);
}

#[test]
fn fields_of_unexpected_types_are_no_failure() {
    let lines = [
        json!({"type": "system", "subtype": "init", "session_id": 5, "model": []}),
        json!({"type": "system", "subtype": "api_retry", "attempt": "x", "error_status": 99_999_999}),
        json!({"type": "assistant", "message": "text"}),
        json!({"type": "assistant", "message": {"content": [{"type": "tool_use", "name": 3, "input": "x"}, 7]}}),
        json!({"type": "user", "message": {"content": "text"}}),
        json!({"type": "stream_event", "event": {"type": "message_delta", "usage": {"output_tokens": -5}}}),
        json!({"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "resetsAt": "soon"}}),
        result_line(&[
            ("usage", json!(3)),
            ("model_usage_since_last_result", json!([])),
            ("session_id", json!("../x")),
        ]),
    ];
    let (events, _, report) = turn_of(&lines, 0);
    assert_eq!(report.outcome, TurnOutcome::Completed);
    assert_eq!(report.session, None);
    assert!(events.contains(&AgentEvent::Retrying { attempt: 0, status: None }));
}

#[test]
fn a_finished_turn_is_found_again_in_its_log() {
    let again = |name: &str, exit| replay(&request_of(name), &recording(name), exit);
    assert_eq!(again("success", Exit::Unknown), Some(played("success", None).2));
    assert_eq!(again("max_turns", Exit::Code(1)).map(|report| report.outcome), Some(TurnOutcome::MaxTurns));
    for unfinished in ["killed", "terminated", "interrupted"] {
        assert_eq!(again(unfinished, Exit::Unknown), None, "{unfinished}");
    }
    let log = recording("success");
    assert_eq!(
        replay(&request_of("success"), &log[..log.len() - 20], Exit::Unknown),
        None,
        "the result was cut"
    );
    assert_eq!(replay(&request_of("success"), b"", Exit::Unknown), None);
}

#[test]
fn a_cut_turn_leaves_its_session_once_it_was_opened_and_its_usage() {
    let left = salvage(&request_of("killed"), &recording("killed"));
    assert_eq!(left.session, played("killed", None).2.session);
    assert!(left.session.is_some() && left.usage.input_tokens == 100, "{left:?}");
    assert_eq!(salvage(&request_of("killed"), b"").session, None, "nothing shows that the session exists");
    assert_eq!(salvage(&request_of("resumed"), b"").session, Some(session()));
}
