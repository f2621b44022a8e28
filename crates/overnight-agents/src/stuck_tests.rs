//! What every vendor's driver makes of an agent that asks a person, and of a program that does not know its flags.

use overnight_core::agent::{BackendId, TurnOutcome, TurnReport};
use overnight_core::command::{Exit, StopReason};
use serde_json::{Value, json};

use crate::testing::{exit, play, request, turn_of, word};

/// The lines of a turn that begins and calls this tool.
fn call(backend: BackendId, tool: &str) -> Vec<Value> {
    let input = json!({"questions": [{"question": "Which one?"}]});
    match backend {
        BackendId::Claude | BackendId::Qwen => vec![
            json!({"type": "system", "subtype": "init", "session_id": "s"}),
            json!({"type": "assistant", "message": {"id": "m", "model": "x", "usage": {},
                "content": [{"type": "tool_use", "id": "c", "name": tool, "input": input}]}}),
        ],
        BackendId::Gemini => vec![
            json!({"type": "init", "session_id": "s"}),
            json!({"type": "tool_use", "tool_name": tool, "tool_id": "c", "parameters": input}),
        ],
        BackendId::Codex => vec![
            json!({"type": "thread.started", "thread_id": "s"}),
            json!({"type": "item.started", "item": {"id": "c", "type": "mcp_tool_call", "tool": tool, "arguments": input}}),
        ],
        other => panic!("{other} tells of a tool when it has ended"),
    }
}

/// The call fails, and the turn ends well.
fn refused(backend: BackendId) -> Vec<Value> {
    match backend {
        BackendId::Claude | BackendId::Qwen => vec![
            json!({"type": "user", "message": {"content": [
                {"type": "tool_result", "tool_use_id": "c", "is_error": true, "content": "no"}]}}),
            json!({"type": "result", "subtype": "success", "is_error": false, "result": "?", "usage": {}}),
        ],
        BackendId::Gemini => vec![
            json!({"type": "tool_result", "tool_id": "c", "status": "error", "output": "no"}),
            json!({"type": "result", "status": "success", "stats": {}}),
        ],
        BackendId::Codex => vec![
            json!({"type": "item.completed", "item": {"id": "c", "type": "mcp_tool_call", "status": "failed"}}),
            json!({"type": "turn.completed", "usage": {}}),
        ],
        other => panic!("{other} tells of a tool when it has ended"),
    }
}

const ASKING: [(BackendId, &str); 4] = [
    (BackendId::Claude, "AskUserQuestion"),
    (BackendId::Codex, "request_user_input"),
    (BackendId::Gemini, "ask_user"),
    (BackendId::Qwen, "ask_user_question"),
];

fn ended_by_us(backend: BackendId, lines: &[Value], idle: Option<bool>) -> TurnOutcome {
    let stdout: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let ended = exit(Exit::Signal(15), Some(StopReason::SilenceTimeout { idle }));
    play(&request(backend), stdout.as_bytes(), "", &ended).2.outcome
}

#[test]
fn a_silent_turn_with_an_open_question_needs_an_answer() {
    for (backend, tool) in ASKING {
        for idle in [Some(true), None] {
            let outcome = ended_by_us(backend, &call(backend, tool), idle);
            assert_eq!(outcome, TurnOutcome::NeedsInput { detail: "Which one?".into() }, "{backend}");
        }
        let busy = TurnOutcome::TimedOut { silent: true, idle: Some(false) };
        assert_eq!(ended_by_us(backend, &call(backend, tool), Some(false)), busy, "{backend}");
        let hung = TurnOutcome::TimedOut { silent: true, idle: Some(true) };
        assert_eq!(ended_by_us(backend, &call(backend, "shell"), Some(true)), hung, "{backend}");
    }
}

#[test]
fn a_turn_that_leaves_off_with_a_refused_question_tells_it() {
    let report = |backend, tool: &str| -> TurnReport {
        let lines = [call(backend, tool), refused(backend)].concat();
        turn_of(&request(backend), &lines, 0).2
    };
    for (backend, tool) in ASKING {
        let asked = report(backend, tool);
        assert_eq!((asked.outcome, asked.asked.as_deref()), (TurnOutcome::Completed, Some("Which one?")));
        assert_eq!(report(backend, "shell").asked, None, "{backend}");
    }
}

#[test]
fn opencode_tells_a_refused_question_as_a_tool_that_is_not_there() {
    let refused = json!({"type": "tool_use", "sessionID": "s", "part": {"tool": "invalid", "callID": "c",
        "state": {"status": "completed", "input": {"tool": "question", "error": "unavailable"}}}});
    let end = json!({"type": "step_finish", "sessionID": "s", "part": {"reason": "stop", "tokens": {}}});
    let report = turn_of(&request(BackendId::Opencode), &[refused, end], 0).2;
    assert_eq!(report.outcome, TurnOutcome::Completed);
    assert!(report.asked.is_some_and(|asked| asked.contains("question")));
}

#[test]
fn a_flag_that_the_program_does_not_know_is_a_matter_of_its_version() {
    let cases = [
        (BackendId::Claude, "error: unknown option '--setting-sources'", 1),
        (BackendId::Codex, "error: unexpected argument '--ignore-rules' found\n\n  tip: x", 2),
        (BackendId::Gemini, "Unknown argument: extensions\nUsage: gemini [options] [command]", 1),
        (BackendId::Qwen, "Unknown arguments: a, b\nUsage: qwen [options] [command]", 1),
        (BackendId::Opencode, "opencode run [message..]\n\nrun opencode with a message", 1),
    ];
    for (backend, stderr, code) in cases {
        let ended = exit(Exit::Code(code), None);
        let outcome =
            play(&request(backend), b"", &format!("{stderr}\n{}", "usage\n".repeat(40)), &ended).2.outcome;
        let TurnOutcome::Misconfigured { detail } = outcome else { panic!("{backend}: {outcome:?}") };
        assert!(detail.contains("npm install") && detail.contains("agent doctor"), "{detail}");
        let well = play(&request(backend), b"", stderr, &exit(Exit::Signal(9), None)).2.outcome;
        assert_eq!(word(&well), "crashed", "{backend}");
    }
}

#[test]
fn words_about_flags_in_an_open_session_are_not_the_programs_own() {
    for backend in [BackendId::Claude, BackendId::Codex, BackendId::Gemini, BackendId::Qwen] {
        let stdout: String = call(backend, "shell").iter().map(|line| format!("{line}\n")).collect();
        let stderr = "error: unknown option '--x'\nUnknown argument: x\n";
        let ended = exit(Exit::Code(1), None);
        let outcome = play(&request(backend), stdout.as_bytes(), stderr, &ended).2.outcome;
        assert_eq!(word(&outcome), "crashed", "{backend}");
    }
}
