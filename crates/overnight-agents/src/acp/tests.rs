//! The conversation, and what is made of it.

use std::path::Path;
use std::time::Duration;

use overnight_core::agent::adapter::{AdapterName, Argv, Protocol};
use overnight_core::agent::{Adapter, AgentEvent, BackendId, SessionStart, TurnOutcome, TurnRequest, Usage};
use overnight_core::command::{Exit, Stdin, StopReason};
use overnight_core::units::MicroDollars;
use serde_json::{Value, json};

use super::client::{Action, Client, response};
use super::request::{Refusal, Request};
use super::wire::{Line, Order, Policy, TurnEnd};
use crate::testing::{MISLEADING, SESSION, exit, host, play, request, session, word, words};
use crate::{PlanError, capabilities_of, given_files, replay, salvage};

fn spoken() -> TurnRequest {
    let mut request = request(BackendId::Acp);
    request.settings.adapter = Some(Box::new(Adapter {
        name: AdapterName::parse("mine").expect("a name"),
        argv: Argv::parse(["mine", "--acp", "--model", "{model}"]).expect("words"),
        env: Vec::new(),
        login_env: Vec::new(),
        protocol: Protocol::Acp,
    }));
    request
}

fn order(request: &TurnRequest) -> Order {
    match crate::plan(request, &host()).expect("a plan").stdin {
        Stdin::Bytes(bytes) => serde_json::from_slice(&bytes).expect("an order"),
        other => panic!("another input: {other:?}"),
    }
}

#[test]
fn our_own_client_starts_the_agent_and_the_prompt_is_no_argument() {
    let mut request = spoken();
    request.instructions = Some("/job/instructions.md".into());
    let spec = crate::plan(&request, &host()).expect("a plan");
    assert_eq!((spec.program.as_path(), words(&spec)), (Path::new("/usr/bin/overnight"), vec!["__acp"]));
    let fresh = order(&request);
    assert_eq!(
        (fresh.program.as_path(), fresh.args.as_slice()),
        (Path::new("/opt/claude"), ["--acp".to_owned()].as_slice())
    );
    assert!(fresh.prompt.ends_with(&request.prompt) && fresh.prompt.contains("/job/instructions.md"));
    assert_eq!((fresh.resume, fresh.policy), (None, Policy::Allow));
    assert_eq!((fresh.readable, fresh.grace), (vec!["/job/instructions.md".into()], Duration::from_secs(10)));
    request.session = SessionStart::Resume(session());
    request.settings.model = Some("m1".into());
    request.settings.permission_mode = Some("read-only".into());
    let resumed = order(&request);
    assert_eq!((resumed.resume.as_deref(), resumed.policy), (Some(SESSION), Policy::ReadOnly));
    assert_eq!(resumed.args, ["--acp", "--model", "m1"]);
    request.settings.permission_mode = Some("ask".into());
    let refused = crate::plan(&request, &host()).err();
    assert_eq!(refused, Some(PlanError::WaitsForApproval { backend: BackendId::Acp, mode: "ask".into() }));
    request.settings.adapter = None;
    request.settings.permission_mode = None;
    request.settings.model = None;
    assert_eq!(crate::plan(&request, &host()).err(), Some(PlanError::NoAdapter));
    let can = capabilities_of(&spoken().settings);
    assert!(can.resume && can.model && can.turns && !can.effort && !can.tokens && !can.cost);
}

#[test]
fn a_vendors_own_program_gets_what_its_vendor_needs() {
    let planned = |program: &str| {
        let mut request = spoken();
        let adapter = request.settings.adapter.as_deref_mut().expect("an adapter");
        adapter.argv = Argv::parse([program, "--acp"]).expect("words");
        let env = crate::plan(&request, &host()).expect("a plan").env;
        let has = |name: &str| env.contains_key(std::ffi::OsStr::new(name));
        (
            has("GEMINI_CLI_TRUST_WORKSPACE"),
            has("QWEN_CODE_SYSTEM_SETTINGS_PATH"),
            given_files(&request).len(),
        )
    };
    assert_eq!(planned("/opt/bin/gemini"), (true, false, 0));
    assert_eq!(planned("qwen"), (false, true, 1));
    assert_eq!(planned("mine"), (false, false, 0));
}

fn client(resume: bool, policy: Policy) -> Client {
    let mut request = spoken();
    if resume {
        request.session = SessionStart::Resume(session());
    }
    Client::new(&Order { policy, ..order(&request) })
}

/// What the agent is sent after a message of its own.
fn sent(client: &mut Client, message: &Value) -> Vec<Value> {
    let actions = client.on_line(message.to_string().as_bytes());
    let sent = |action| match action {
        Action::Send(message) => Some(message),
        Action::Tell(_) | Action::Serve { .. } | Action::AwaitQuiet | Action::Leave => None,
    };
    actions.into_iter().filter_map(sent).collect()
}

fn greet(client: &mut Client, loads: bool) -> Vec<Value> {
    let result = json!({"protocolVersion": 1, "agentCapabilities": {"loadSession": loads}});
    sent(client, &json!({"jsonrpc": "2.0", "id": 1, "result": result}))
}

fn prompting(policy: Policy) -> Client {
    let mut client = client(false, policy);
    greet(&mut client, false);
    sent(&mut client, &json!({"id": 2, "result": {"sessionId": "s1"}}));
    client
}

fn end(actions: &[Action]) -> Option<&TurnEnd> {
    actions.iter().find_map(|action| match action {
        Action::Tell(Line::Result { end }) => Some(end),
        Action::Tell(_) | Action::Send(_) | Action::Serve { .. } | Action::AwaitQuiet | Action::Leave => None,
    })
}

#[test]
fn a_turn_is_greeting_session_and_prompt() {
    let mut client = client(false, Policy::Allow);
    let Some(Action::Send(first)) = client.begin().pop() else { panic!("nothing is said first") };
    assert_eq!((&first["method"], &first["params"]["protocolVersion"]), (&json!("initialize"), &json!(1)));
    let open = greet(&mut client, true);
    assert_eq!(open[0]["method"], "session/new");
    assert_eq!(open[0]["params"], json!({"cwd": "/workspace/repo", "mcpServers": []}));
    assert!(sent(&mut client, &json!({"id": 7, "result": {}})).is_empty(), "no answer of ours");
    let prompt = sent(&mut client, &json!({"id": 2, "result": {"sessionId": "s1"}}));
    assert_eq!(prompt[0]["params"]["sessionId"], "s1");
    assert_eq!(prompt[0]["params"]["prompt"][0]["text"], "--help\nDo the work.");
    let actions = client.on_line(br#"{"id":3,"result":{"stopReason":"end_turn"}}"#);
    assert_eq!(end(&actions), Some(&TurnEnd::Answered { answer: json!({"stopReason": "end_turn"}) }));
    assert_eq!(actions.last(), Some(&Action::Leave));
    assert!(client.is_over() && client.on_line(b"{}").is_empty() && client.cancel().is_empty());
}

#[test]
fn a_session_is_loaded_where_the_agent_can() {
    let mut loads = client(true, Policy::Allow);
    let load = greet(&mut loads, true);
    assert_eq!(
        (&load[0]["method"], &load[0]["params"]["sessionId"]),
        (&json!("session/load"), &json!(SESSION))
    );
    let actions = loads.on_line(br#"{"id": 2, "result": null}"#);
    assert_eq!(actions.last(), Some(&Action::AwaitQuiet), "its history may still be coming: {actions:?}");
    assert!(sent(&mut loads, &said("Old words.")).is_empty());
    let quiet = loads.on_quiet();
    let Some(Action::Send(prompt)) = quiet.last() else { panic!("no prompt: {quiet:?}") };
    assert_eq!(
        (&prompt["method"], &prompt["params"]["sessionId"]),
        (&json!("session/prompt"), &json!(SESSION))
    );
    assert!(loads.on_quiet().is_empty(), "the prompt is given once");
    let mut cannot = client(true, Policy::Allow);
    assert!(greet(&mut cannot, false).is_empty() && cannot.is_over());
    let mut lost = client(true, Policy::Allow);
    greet(&mut lost, true);
    let error = json!({"code": -32603, "message": "gone"});
    let actions = lost.on_line(json!({"id": 2, "error": error}).to_string().as_bytes());
    assert_eq!(end(&actions), Some(&TurnEnd::Failed { method: "session/load".into(), error }));
}

#[test]
fn what_is_not_the_protocol_ends_the_turn_or_is_passed_over() {
    for answer in [json!({"protocolVersion": 2}), json!({}), json!(null), json!("x")] {
        let mut client = client(false, Policy::Allow);
        let actions = client.on_line(json!({"id": 1, "result": answer}).to_string().as_bytes());
        assert!(matches!(end(&actions), Some(TurnEnd::Unusable { .. })), "{answer}");
    }
    let mut client = prompting(Policy::Allow);
    for line in [
        b"Welcome!".as_slice(),
        b"[]",
        b"\xff{",
        b"{\"id\":",
        b"{}",
        b"",
        b"{\"method\":\"x/y\"}",
        b"{\"id\":3.5}",
    ] {
        let actions = client.on_line(line);
        assert!(actions.iter().all(|action| matches!(action, Action::Tell(_))), "{actions:?}");
    }
    let unknown = sent(&mut client, &json!({"id": "a", "method": "craft/drain", "params": {}}));
    assert_eq!((&unknown[0]["id"], &unknown[0]["error"]["code"]), (&json!("a"), &json!(-32601)));
    let wrong = sent(&mut client, &json!({"id": 0, "method": "fs/read_text_file", "params": {"path": 7}}));
    assert_eq!(wrong[0]["error"]["code"], -32602);
}

fn permission(client: &mut Client, kind: &str, options: &[&str]) -> Value {
    let options: Vec<Value> = options
        .iter()
        .map(|option| json!({"optionId": format!("id-{option}"), "name": "x", "kind": option}))
        .collect();
    let params = json!({"sessionId": "s1", "toolCall": {"toolCallId": "c", "kind": kind, "title": "T"}, "options": options});
    let sent = sent(client, &json!({"id": 9, "method": "session/request_permission", "params": params}));
    sent[0]["result"]["outcome"].clone()
}

#[test]
fn permission_is_given_by_kind_of_option_and_policy() {
    let all = ["allow_always", "allow_once", "reject_once", "reject_always"];
    let selected = |option: &str| json!({"outcome": "selected", "optionId": format!("id-{option}")});
    let cancelled = json!({"outcome": "cancelled"});
    let mut allow = prompting(Policy::Allow);
    assert_eq!(permission(&mut allow, "execute", &all), selected("allow_once"));
    assert_eq!(permission(&mut allow, "edit", &["reject_once", "allow_always"]), selected("allow_always"));
    assert_eq!(permission(&mut allow, "edit", &["reject_once", "strange"]), cancelled);
    let mut look = prompting(Policy::ReadOnly);
    for kind in ["edit", "execute", "delete", "move", "other", "new"] {
        assert_eq!(permission(&mut look, kind, &all), selected("reject_once"), "{kind}");
    }
    assert_eq!(permission(&mut look, "read", &all), selected("allow_once"));
    assert_eq!(permission(&mut look, "edit", &["reject_always"]), selected("reject_always"));
    let write = json!({"id": 4, "method": "fs/write_text_file", "params": {"path": "/w/a", "content": ""}});
    assert_eq!(sent(&mut look, &write)[0]["error"]["code"], -32603);
    allow.cancel();
    assert_eq!(permission(&mut allow, "read", &all), cancelled, "after a cancellation nothing is allowed");
}

#[test]
fn files_and_terminals_are_handed_on() {
    let mut client = prompting(Policy::Allow);
    let params = json!({"sessionId": "s1", "command": "ls", "env": [{"name": "A", "value": "b"}], "outputByteLimit": 10});
    let asked = json!({"id": 5, "method": "terminal/create", "params": params});
    let actions = client.on_line(asked.to_string().as_bytes());
    let Some(Action::Serve { id, request: Request::CreateTerminal(terminal) }) = actions.last() else {
        panic!("not served: {actions:?}")
    };
    assert_eq!(
        (terminal.command.as_str(), terminal.output_byte_limit, terminal.env.len()),
        ("ls", Some(10), 1)
    );
    assert_eq!(response(id, Ok(json!({}))), json!({"jsonrpc": "2.0", "id": 5, "result": {}}));
    assert_eq!(response(id, Err(Refusal::failed("x")))["error"]["code"], -32603);
}

#[test]
fn a_cancellation_is_told_to_the_agent_once_it_works() {
    let mut early = client(false, Policy::Allow);
    assert_eq!(end(&early.cancel()), Some(&TurnEnd::Cancelled));
    let mut loaded = client(true, Policy::Allow);
    greet(&mut loaded, true);
    sent(&mut loaded, &opened());
    assert_eq!(end(&loaded.cancel()), Some(&TurnEnd::Cancelled));
    assert!(loaded.on_quiet().is_empty(), "nothing is asked after the end");
    let mut client = prompting(Policy::Allow);
    let cancel = client.cancel();
    assert!(
        matches!(&cancel[..], [Action::Send(message)] if message["method"] == "session/cancel"),
        "{cancel:?}"
    );
    assert!(!client.is_over());
}

/// The lines that the client prints in a turn of these messages, among which may be the end of a wait for quiet.
fn printed(resume: bool, messages: &[Value]) -> Vec<u8> {
    let mut client = client(resume, Policy::Allow);
    let mut actions = client.begin();
    let greeting =
        json!({"id": 1, "result": {"protocolVersion": 1, "agentCapabilities": {"loadSession": true}}});
    for message in [greeting].iter().chain(messages) {
        match message.get("quiet") {
            Some(_) => actions.extend(client.on_quiet()),
            None => actions.extend(client.on_line(message.to_string().as_bytes())),
        }
    }
    let line = |action: &Action| match action {
        Action::Tell(line) => Some(line.encode().expect("a line")),
        Action::Send(_) | Action::Serve { .. } | Action::AwaitQuiet | Action::Leave => None,
    };
    actions.iter().filter_map(line).collect::<String>().into_bytes()
}

fn opened() -> Value {
    json!({"id": 2, "result": {"sessionId": SESSION}})
}

fn update(update: &Value) -> Value {
    json!({"method": "session/update", "params": {"sessionId": SESSION, "update": update}})
}

fn said(text: &str) -> Value {
    update(&json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}))
}

fn answered(result: &Value) -> Value {
    json!({"id": 3, "result": result})
}

#[test]
fn a_turn_is_read_from_the_clients_lines() {
    let call = json!({"sessionUpdate": "tool_call", "toolCallId": "c", "title": "echo", "kind": "execute",
        "status": "pending", "rawInput": {"command": "echo 42 > answer"}});
    let messages = [
        opened(),
        said("I "),
        said("look."),
        update(&call),
        update(&json!({"sessionUpdate": "tool_call_update", "toolCallId": "c", "status": "in_progress"})),
        update(&json!({"sessionUpdate": "tool_call_update", "toolCallId": "c", "status": "completed"})),
        update(
            &json!({"sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": {"amount": 0.25, "currency": "USD"}}),
        ),
        said("Done."),
        answered(
            &json!({"stopReason": "end_turn", "usage": {"inputTokens": 10, "outputTokens": 3, "cachedReadTokens": 2}}),
        ),
    ];
    let stdout = printed(false, &messages);
    let (events, finished, report) = play(&spoken(), &stdout, "noise\n", &exit(Exit::Code(0), None));
    let kinds: Vec<String> =
        events.iter().map(|event| serde_json::to_value(event).expect("JSON")["type"].to_string()).collect();
    assert_eq!(
        kinds.join(" ").replace('"', ""),
        "session_started usage_so_far message tool_started tool_finished usage_so_far \
        usage_so_far message usage_so_far finished"
    );
    assert!(finished);
    assert_eq!(
        events[3],
        AgentEvent::ToolStarted { tool: "execute".into(), summary: "echo 42 > answer".into() }
    );
    let cost = Some(MicroDollars(250_000));
    let usage = Usage {
        input_tokens: 10,
        output_tokens: 3,
        cache_read_tokens: 2,
        turns: 2,
        cost,
        ..Usage::default()
    };
    assert_eq!(
        (report.outcome, report.usage, report.session),
        (TurnOutcome::Completed, usage, Some(session()))
    );
    assert_eq!(report.final_text.as_deref(), Some("Done."));
    assert_eq!(
        replay(&spoken(), &stdout, Exit::Unknown).map(|report| report.outcome),
        Some(TurnOutcome::Completed)
    );
    let killed = &stdout[..stdout.len() - 30];
    assert_eq!(replay(&spoken(), killed, Exit::Unknown), None);
    assert_eq!(salvage(&spoken(), killed).session, Some(session()));
}

#[test]
fn a_call_may_be_told_of_only_when_permission_is_asked_for() {
    let call = json!({"toolCallId": "c", "title": "ls", "kind": "execute", "status": "pending"});
    let params = json!({"toolCall": call, "options": [{"optionId": "o", "kind": "allow_once"}]});
    let asked = json!({"id": 0, "method": "session/request_permission", "params": params});
    let done =
        update(&json!({"sessionUpdate": "tool_call_update", "toolCallId": "c", "status": "completed"}));
    let messages =
        [opened(), asked.clone(), asked, done, said("Done."), answered(&json!({"stopReason": "end_turn"}))];
    let (events, _, report) = play(&spoken(), &printed(false, &messages), "", &exit(Exit::Code(0), None));
    let started = |event: &&AgentEvent| matches!(event, AgentEvent::ToolStarted { .. });
    let finished = |event: &&AgentEvent| matches!(event, AgentEvent::ToolFinished { ok: true, .. });
    assert_eq!((events.iter().filter(started).count(), events.iter().filter(finished).count()), (1, 1));
    assert_eq!(report.usage.turns, 2);
}

#[test]
fn the_history_of_a_loaded_session_is_no_news_and_its_cost_was_paid() {
    let mut request = spoken();
    request.session = SessionStart::Resume(session());
    request.used_before = Usage { cost: Some(MicroDollars(1_000_000)), ..Usage::default() };
    let cost = |amount: f64| {
        update(&json!({"sessionUpdate": "usage_update", "cost": {"amount": amount, "currency": "USD"}}))
    };
    let messages = [
        said("Old words."),
        cost(1.0),
        json!({"id": 2, "result": {}}),
        said("More old words."),
        json!({"quiet": true}),
        cost(1.5),
        answered(&json!({"stopReason": "end_turn"})),
    ];
    let (events, _, report) = play(&request, &printed(true, &messages), "", &exit(Exit::Code(0), None));
    assert!(!events.iter().any(|event| matches!(event, AgentEvent::Message { .. })));
    assert_eq!((report.usage.turns, report.usage.cost), (0, Some(MicroDollars(500_000))));
    assert_eq!((report.final_text, report.session), (None, Some(session())));
}

#[test]
fn usage_is_taken_where_an_agent_tells_it() {
    let used = |messages: &[Value]| {
        let messages = [&[opened()], messages].concat();
        let usage = play(&spoken(), &printed(false, &messages), "", &exit(Exit::Code(0), None)).2.usage;
        (usage.input_tokens, usage.output_tokens, usage.cost)
    };
    let quota = json!({"quota": {"token_count": {"input_tokens": 200, "output_tokens": 40}}});
    assert_eq!(used(&[answered(&json!({"stopReason": "end_turn", "_meta": quota}))]), (200, 40, None));
    let chunk =
        update(&json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": ""},
        "_meta": {"usage": {"inputTokens": 100, "outputTokens": 20}}}));
    assert_eq!(used(&[chunk.clone(), chunk]), (200, 40, None));
    let free = update(&json!({"sessionUpdate": "usage_update", "cost": {"amount": 0, "currency": "USD"}}));
    let euros = update(&json!({"sessionUpdate": "usage_update", "cost": {"amount": 2, "currency": "EUR"}}));
    assert_eq!(used(&[free, euros]), (0, 0, None));
}

#[test]
fn every_end_has_its_outcome() {
    let ended = |message: Value, stop| {
        let stdout = printed(false, &[opened(), message]);
        word(&play(&spoken(), &stdout, "", &exit(Exit::Code(0), stop)).2.outcome)
    };
    let reason = |reason: &str| answered(&json!({"stopReason": reason}));
    for (why, outcome) in [
        ("end_turn", "completed"),
        ("max_tokens", "max_turns"),
        ("max_turn_requests", "max_turns"),
        ("refusal", "refused"),
        ("cancelled", "crashed"),
        ("new", "crashed"),
    ] {
        assert_eq!(ended(reason(why), None), outcome, "{why}");
    }
    assert_eq!(
        ended(reason("cancelled"), Some(StopReason::SilenceTimeout { idle: Some(true) })),
        "timed_out"
    );
    assert_eq!(ended(reason("cancelled"), Some(StopReason::Asked)), "stopped");
    assert_eq!(ended(reason("end_turn"), Some(StopReason::Asked)), "completed", "it was done");
    assert_eq!(ended(json!({"id": 3, "error": {"code": 401, "message": "x"}}), None), "login_expired");
    assert_eq!(ended(json!({}), None), "crashed", "no end at all");
    for text in MISLEADING {
        let messages = [opened(), said(text), reason("end_turn")];
        let report = play(&spoken(), &printed(false, &messages), text, &exit(Exit::Code(0), None)).2;
        assert_eq!(report.outcome, TurnOutcome::Completed, "{text}");
    }
}
