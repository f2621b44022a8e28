//! The Agent Client Protocol with an agent that is a shell script: what our client does for an agent, and what it does not.

use std::time::{Duration, Instant};

use crate::harness::model::{run, start};
use crate::harness::{Place, eventually};

/// `ask ID METHOD PARAMS` prints a request and leaves the answer in `answer`; `update JSON` tells something.
const PROTOCOL: &str = r#"
number() { printf '%s' "$line" | sed 's/.*"id":\([0-9]*\).*/\1/'; }
reply() { printf '%s\n' "{\"jsonrpc\":\"2.0\",\"id\":$(number),\"result\":$1}"; }
ask() { printf '%s\n' "{\"jsonrpc\":\"2.0\",\"id\":\"$1\",\"method\":\"$2\",\"params\":$3}"; read -r answer; }
wants() { case "$answer" in *"$1"*) ;; *) echo "not $1: $answer" >&2; exit 9 ;; esac; }
update() { printf '%s\n' "{\"jsonrpc\":\"2.0\",\"method\":\"session/update\",\"params\":{\"sessionId\":\"s1\",\"update\":$1}}"; }
say() { update "{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{\"type\":\"text\",\"text\":\"$1\"}}"; }
echo 'Welcome to the agent!'
read -r line; reply '{"protocolVersion":1,"agentCapabilities":{}}'
read -r line; reply '{"sessionId":"s1"}'
read -r line; prompt=$line
"#;

fn place(script: &str) -> (Place, String) {
    let place = Place::new();
    let file = place.write("agent.sh", &format!("{PROTOCOL}\n{script}\n"));
    let command = format!("sh {}", file.display());
    (place, command)
}

#[test]
fn files_and_commands_of_the_workspace_are_served_and_nothing_else() {
    let script = r#"
case "$prompt" in *'Make the check pass'*) ;; *) exit 8 ;; esac
here=$(pwd)
ask r1 fs/read_text_file "{\"sessionId\":\"s1\",\"path\":\"$here/answer\"}"; wants '"content":"41\n"'
ask r2 fs/read_text_file "{\"sessionId\":\"s1\",\"path\":\"/etc/passwd\"}"; wants 'not in the workspace'
ask r3 fs/write_text_file "{\"sessionId\":\"s1\",\"path\":\"$here/../stray\",\"content\":\"x\"}"; wants 'not in the workspace'
ask r4 fs/write_text_file "{\"sessionId\":\"s1\",\"path\":\"$here/answer\",\"content\":\"42\n\"}"; wants '"result":null'
ask t1 terminal/create "{\"sessionId\":\"s1\",\"command\":\"sh\",\"args\":[\"-c\",\"cat answer; exit 3\"]}"; wants '"terminalId":"terminal-1"'
ask t2 terminal/wait_for_exit '{"sessionId":"s1","terminalId":"terminal-1"}'; wants '"exitCode":3'
ask t3 terminal/output '{"sessionId":"s1","terminalId":"terminal-1"}'; wants '"output":"42\n"'
ask t4 terminal/release '{"sessionId":"s1","terminalId":"terminal-1"}'; wants '"result":{}'
ask t5 terminal/create '{"sessionId":"s1","command":"pwd","cwd":"/"}'; wants 'not in the workspace'
ask p1 session/request_permission '{"sessionId":"s1","toolCall":{"toolCallId":"c","kind":"edit"},"options":[{"optionId":"no","kind":"reject_once"},{"optionId":"yes","kind":"allow_once"}]}'; wants '"optionId":"yes"'
ask u1 craft/unknown '{}'; wants '-32601'
say 'The answer is 42.'
line=$prompt; reply '{"stopReason":"end_turn","usage":{"inputTokens":30,"outputTokens":4}}'
read -r line
"#;
    let (place, command) = place(script);
    run(&place, &["--acp", &command]).expect_code(0);
    let job = place.expect_reason("ended", "published");
    assert_eq!((&job["used"]["input_tokens"], &job["agent"]), (&30.into(), &"acp-sh".into()), "{job:#}");
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    assert!(place.log("turn-1.out.jsonl").contains("Welcome to the agent!"), "noise is kept");
    place.finish();
}

#[test]
fn an_agent_that_only_looks_changes_nothing() {
    let script = r#"
ask p1 session/request_permission '{"sessionId":"s1","toolCall":{"toolCallId":"c","kind":"edit"},"options":[{"optionId":"no","kind":"reject_once"},{"optionId":"yes","kind":"allow_once"}]}'; wants '"optionId":"no"'
ask r1 fs/write_text_file "{\"sessionId\":\"s1\",\"path\":\"$(pwd)/answer\",\"content\":\"42\"}"; wants 'nothing may be changed'
ask t1 terminal/create '{"sessionId":"s1","command":"pwd"}'; wants 'nothing may be changed'
ask r2 fs/read_text_file '{"sessionId":"s1","path":"answer"}'; wants '"content":"41\n"'
line=$prompt; reply '{"stopReason":"end_turn"}'
read -r line
"#;
    let (place, command) = place(script);
    run(&place, &["--acp", &command, "--permission-mode", "read-only", "--attempts", "1"]);
    assert_eq!(place.job()["reason"], "no_changes", "{:#}", place.job());
    place.finish();
}

#[test]
fn an_agent_that_wants_a_login_waits_for_a_person_and_one_that_refuses_ends_the_job() {
    for (answer, code, state, reason) in [
        ("\"error\":{\"code\":-32000,\"message\":\"Authentication required\"}", 4, "parked", "agent_login"),
        ("\"error\":{\"code\":429,\"message\":\"x\"}", 7, "parked", "rate_limited"),
        ("\"result\":{\"stopReason\":\"refusal\"}", 1, "ended", "agent_refused"),
    ] {
        let script = format!("line=$prompt; echo '{{\"id\":'$(number)',{answer}}}'; read -r line");
        let (place, command) = place(&script);
        let outcome = run(&place, &["--acp", &command]);
        let job = place.expect_reason(state, reason);
        assert!(state == "ended" || outcome.code == Some(code), "{job:#}");
        place.finish();
    }
}

/// It hears neither the protocol nor a signal, and has a command running for it.
#[test]
fn an_agent_that_does_not_stop_is_killed_within_its_grace() {
    let script = r#"
trap '' TERM
ask t1 terminal/create '{"sessionId":"s1","command":"sleep","args":["1000"]}'
touch "$(pwd)/deaf"
while :; do sleep 1; done
"#;
    let (mut place, command) = place(script);
    place.env("OVERNIGHT_AGENT_GRACE", "4s").env("OVERNIGHT_AGENT_DEFAULT", "deaf");
    let adapter = format!("[agent.adapters.deaf]\nprotocol = 'acp'\nargv = ['sh', '{}']\n", &command[3..]);
    place.write("home/.config/overnight/config.toml", &adapter);
    let live = start(&place);
    let deaf = || place.job_dir().map(|dir| dir.join("workspace/deaf")).filter(|file| file.exists());
    eventually("an agent that is deaf", deaf);
    let began = Instant::now();
    place.overnight(&["cancel", "repo-1"]);
    live.wait();
    // Its grace and the time that everything else takes on a busy machine.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    place.expect_reason("ended", "cancelled");
    place.finish();
}

#[test]
fn an_agent_that_dies_is_a_failed_attempt_and_says_why() {
    let (place, command) = place("echo 'no space left' >&2; exit 5");
    run(&place, &["--acp", &command, "--attempts", "1"]);
    let job = place.expect_reason("ended", "agent_failed");
    let detail = job["detail"].to_string();
    assert!(detail.contains("no space left") && detail.contains("ended with status 5"), "{job:#}");
    place.finish();
}

/// An agent whose first turn changes nothing, so that a second one loads the session; then it sends `history` after its answer.
fn loading(history: &str) -> (Place, String) {
    let script = r#"
read -r line; reply '{"protocolVersion":1,"agentCapabilities":{"loadSession":true}}'
read -r line
case "$line" in
*session/load*) reply 'null'; HISTORY ;;
*) reply '{"sessionId":"s1"}'; read -r line; say 'I look.'; reply '{"stopReason":"end_turn"}'; read -r line; exit 0 ;;
esac
read -r line; say 'Live words.'
echo 42 > answer
reply '{"stopReason":"end_turn"}'
read -r line
"#;
    let place = Place::new();
    let functions = PROTOCOL.split("echo 'Welcome").next().expect("functions");
    let file = place.write("agent.sh", &format!("{functions}\n{}\n", script.replace("HISTORY", history)));
    let command = format!("sh {}", file.display());
    (place, command)
}

#[test]
fn what_a_loaded_session_tells_late_is_its_history() {
    // Each piece comes within the time that counts as silence, and the last comes long after the answer to the load.
    let history = r#"for piece in 1 2 3 4; do
        sleep 0.1
        say "Old words $piece."
        update "{\"sessionUpdate\":\"tool_call\",\"toolCallId\":\"old$piece\",\"kind\":\"read\",\"status\":\"completed\"}"
    done"#;
    let (place, command) = loading(history);
    run(&place, &["--acp", &command]).expect_code(0);
    let job = place.expect_reason("ended", "published");
    assert_eq!(job["used"]["turns"], 2, "one answer of each turn: {job:#}");
    place.finish();
}

#[test]
fn a_loaded_session_that_is_never_silent_gets_its_prompt_all_the_same() {
    let history = "(while :; do sleep 0.1; say 'More.'; done) & noise=$!; trap 'kill $noise' EXIT";
    let (place, command) = loading(history);
    let began = Instant::now();
    run(&place, &["--acp", &command]).expect_code(0);
    assert!(began.elapsed() >= Duration::from_secs(5), "its history was not waited for");
    place.expect_reason("ended", "published");
    place.finish();
}
