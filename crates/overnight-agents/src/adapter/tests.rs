//! A described CLI: its command line, and what is made of its output.

use std::ffi::OsStr;
use std::path::Path;

use overnight_core::agent::adapter::{
    AdapterName, Argv, CliProtocol, Counted, ExitMeaning, FieldPath, Fields, OutputFormat, PromptWay,
    Protocol,
};
use overnight_core::agent::{
    Adapter, AgentEvent, BackendId, Billing, Effort, SessionStart, TurnOutcome, TurnReport, TurnRequest,
    Usage,
};
use overnight_core::command::{Exit, Stdin, StopReason};
use overnight_core::units::MicroDollars;
use serde_json::json;

use crate::testing::{SESSION, exit, host, play, request, session, turn_of, word, words};
use crate::{PlanError, capabilities_of, given_files, replay, salvage};

fn paths(paths: &[&str]) -> Vec<FieldPath> {
    paths.iter().map(|path| FieldPath::parse(path).expect("a path")).collect()
}

fn fields() -> Fields {
    Fields {
        session: paths(&["session_id", "session.id"]),
        model: paths(&["model"]),
        result: paths(&["result"]),
        error: paths(&["error.message", "error"]),
        input_tokens: paths(&["usage.input"]),
        output_tokens: paths(&["usage.output"]),
        turns: paths(&["turns"]),
        cost: paths(&["cost"]),
        ..Fields::default()
    }
}

fn described(argv: &[&str], cli: CliProtocol) -> TurnRequest {
    let mut request = request(BackendId::Adapter);
    request.settings.adapter = Some(Box::new(Adapter {
        name: AdapterName::parse("aider").expect("a name"),
        argv: Argv::parse(argv).expect("words"),
        env: vec!["OPENAI_API_KEY".into()],
        login_env: vec!["AIDER_HOME".into()],
        protocol: Protocol::Cli(Box::new(cli)),
    }));
    request
}

fn jsonl() -> CliProtocol {
    CliProtocol {
        resume: Some(Argv::parse(["aider", "--resume", "{session}"]).expect("words")),
        output: OutputFormat::Jsonl,
        fields: fields(),
        exits: vec![
            (53, ExitMeaning::MaxTurns),
            (75, ExitMeaning::Overloaded),
            (9, ExitMeaning::SessionLost),
        ],
        ..CliProtocol::default()
    }
}

fn planned(request: &TurnRequest) -> Vec<String> {
    let spec = crate::plan(request, &host()).expect("a plan");
    words(&spec).into_iter().map(str::to_owned).collect()
}

#[test]
fn words_are_filled_in_and_the_prompt_goes_where_it_was_said() {
    let argv = ["aider", "--yes", "--model", "{model}", "-C", "{workspace}"];
    let mut request = described(&argv, jsonl());
    assert_eq!(planned(&request), ["--yes", "-C", "/workspace/repo"]);
    request.settings.model = Some("m1".into());
    assert_eq!(planned(&request), ["--yes", "--model", "m1", "-C", "/workspace/repo"]);
    let spec = crate::plan(&request, &host()).expect("a plan");
    assert_eq!(
        (spec.stdin, spec.program.as_path()),
        (Stdin::Bytes(request.prompt.clone().into()), Path::new("/opt/claude"))
    );
    request.session = SessionStart::Resume(session());
    assert_eq!(planned(&request), ["--resume", SESSION]);

    let by = |prompt| CliProtocol { prompt, ..CliProtocol::default() };
    let mut file = described(&["./a.sh", "--file", "{prompt_file}"], by(PromptWay::File));
    file.instructions = Some("/job/instructions.md".into());
    let spec = crate::plan(&file, &host()).expect("a plan");
    assert_eq!((words(&spec), spec.stdin.clone()), (vec!["--file", "/job/task.md"], Stdin::Null));
    assert_eq!(spec.program, Path::new("/workspace/repo/./a.sh"));
    let given = given_files(&file);
    assert_eq!((given.len(), given[0].path.as_path()), (1, Path::new("/job/task.md")));
    assert!(String::from_utf8_lossy(&given[0].content).contains("/job/instructions.md"));
    let argument = described(&["a", "-m", "{prompt}"], by(PromptWay::Argument));
    assert_eq!(planned(&argument)[1], "\n--help\nDo the work.", "no flag");
}

#[test]
fn only_the_variables_that_were_named_reach_it() {
    let mut host = host();
    host.env.extend([("AIDER_HOME".into(), "/a".into()), ("OPENAI_API_KEY".into(), "canary".into())]);
    let mut request = described(&["aider"], jsonl());
    let get = |request: &TurnRequest, name: &str| {
        crate::plan(request, &host).expect("a plan").env.get(OsStr::new(name)).cloned()
    };
    assert_eq!(get(&request, "AIDER_HOME"), Some("/a".into()));
    assert_eq!((get(&request, "OPENAI_API_KEY"), get(&request, "GITHUB_TOKEN")), (None, None));
    request.settings.billing = Billing::Key;
    assert_eq!(get(&request, "OPENAI_API_KEY"), Some("canary".into()));
    assert_eq!((get(&request, "ANTHROPIC_API_KEY"), get(&request, "GITHUB_TOKEN")), (None, None));
}

#[test]
fn what_it_can_do_follows_from_its_description() {
    let can = |request: &TurnRequest| capabilities_of(&request.settings);
    let all = can(&described(&["a", "{model}", "{effort}"], jsonl()));
    assert!(all.resume && all.tokens && all.turns && all.cost && all.model && all.effort);
    assert!(!all.tool_lists && !all.permission_mode);
    let at_the_end = can(&described(&["a"], CliProtocol { output: OutputFormat::Json, ..jsonl() }));
    assert!(at_the_end.resume && !at_the_end.tokens && !at_the_end.cost && !at_the_end.model);
    let plain = described(&["a"], CliProtocol::default());
    assert!(!can(&plain).resume);
    let backend = BackendId::Adapter;
    let refused = |change: &dyn Fn(&mut TurnRequest)| {
        let mut request = plain.clone();
        change(&mut request);
        crate::plan(&request, &host()).err()
    };
    assert_eq!(
        refused(&|request| request.settings.effort = Some(Effort::Low)),
        Some(PlanError::Unsupported { backend, setting: "effort" })
    );
    assert_eq!(
        refused(&|request| request.session = SessionStart::Resume(session())),
        Some(PlanError::CannotResume { backend })
    );
    assert_eq!(refused(&|request| request.settings.adapter = None), Some(PlanError::NoAdapter));
    let mut long = described(&["a", "{prompt}"], CliProtocol::default());
    long.prompt = "x".repeat(200_000);
    assert_eq!(crate::plan(&long, &host()).err(), Some(PlanError::ArgumentTooLong { bytes: 200_000 }));
}

#[test]
fn a_turn_is_read_line_by_line() {
    let lines = [
        json!({"session": {"id": "s-1"}, "model": "m1"}),
        json!({"kind": "thinking", "about": "429"}),
        json!({"usage": {"input": 10, "output": 2}, "turns": 1, "cost": 0.5}),
        json!({"usage": {"input": 30}, "turns": "two"}),
        json!({"result": "Done.", "error": null}),
    ];
    let (events, finished, report) = turn_of(&described(&["aider"], jsonl()), &lines, 0);
    assert!(
        !finished
            && matches!(&events[0], AgentEvent::SessionStarted { model: Some(model), .. } if model == "m1")
    );
    assert!(matches!(&events[1], AgentEvent::Raw { .. }));
    let cost = Some(MicroDollars(500_000));
    let usage = Usage { input_tokens: 30, output_tokens: 2, turns: 1, cost, ..Usage::default() };
    assert_eq!(report.usage, usage);
    assert_eq!((report.outcome, report.final_text.as_deref()), (TurnOutcome::Completed, Some("Done.")));
    assert_eq!(report.session.map(|id| id.to_string()), Some("s-1".to_owned()));
}

#[test]
fn figures_are_sums_of_what_was_said() {
    let lines = [json!({"usage": {"input": 100}, "cost": 1}), json!({"usage": {"input": 130}, "cost": 1.5})];
    let used = |counted, session| {
        let cli = CliProtocol { fields: Fields { counted, result: Vec::new(), ..fields() }, ..jsonl() };
        let mut request = described(&["aider"], cli);
        request.session = session;
        request.used_before =
            Usage { input_tokens: 90, cost: Some(MicroDollars(1_000_000)), ..Usage::default() };
        let usage = turn_of(&request, &lines, 0).2.usage;
        (usage.input_tokens, usage.cost.map(|cost| cost.0))
    };
    let (fresh, resumed) = (SessionStart::Fresh(session()), SessionStart::Resume(session()));
    assert_eq!(used(Counted::Turn, resumed.clone()), (130, Some(1_500_000)));
    assert_eq!(used(Counted::Line, resumed.clone()), (230, Some(2_500_000)));
    assert_eq!(used(Counted::Session, resumed), (40, Some(500_000)));
    assert_eq!(used(Counted::Session, fresh), (130, Some(1_500_000)));
}

#[test]
fn the_end_is_told_by_status_result_and_error_and_by_nothing_else() {
    let ended = |lines: &[serde_json::Value], code| {
        word(&turn_of(&described(&["aider"], jsonl()), lines, code).2.outcome)
    };
    let (done, wrong) = (json!({"result": "429 Too Many Requests"}), json!({"error": {"message": "no"}}));
    assert_eq!(ended(std::slice::from_ref(&done), 0), "completed");
    assert_eq!(ended(&[], 0), "crashed", "no result");
    assert_eq!(ended(&[done.clone(), wrong.clone()], 0), "crashed");
    assert_eq!(ended(&[wrong.clone(), done.clone()], 0), "completed", "it went on");
    assert_eq!(ended(&[wrong], 75), "overloaded");
    assert_eq!(ended(std::slice::from_ref(&done), 53), "max_turns");
    assert_eq!(ended(std::slice::from_ref(&done), 9), "session_lost");
    assert_eq!(ended(&[done], 1), "crashed");
    let stopped = exit(Exit::Code(75), Some(StopReason::SilenceTimeout { idle: Some(true) }));
    let outcome = play(&described(&["aider"], jsonl()), b"", "", &stopped).2.outcome;
    assert_eq!(outcome, TurnOutcome::TimedOut { silent: true, idle: Some(true) });
}

#[test]
fn one_document_is_read_at_the_end() {
    let request = described(&["aider"], CliProtocol { output: OutputFormat::Json, ..jsonl() });
    let document =
        b"{\n  \"session_id\": \"s-2\",\n  \"result\": \"Done.\",\n\n  \"usage\": {\"input\": 7}\n}\n";
    let (events, _, report) = play(&request, document, "", &exit(Exit::Code(0), None));
    assert!(events.is_empty());
    assert_eq!((report.outcome, report.usage.input_tokens), (TurnOutcome::Completed, 7));
    assert_eq!(report.session.map(|id| id.to_string()), Some("s-2".to_owned()));
    for cut in 1..document.len() - 2 {
        let report = play(&request, &document[..cut], "", &exit(Exit::Code(0), None)).2;
        assert_eq!(word(&report.outcome), "crashed", "half a document is none");
    }
}

#[test]
fn garbage_is_passed_over() {
    let request = described(&["aider"], jsonl());
    let done = b"{\"result\":\"ok\"}\n";
    let stdout =
        [b"\xff\xfe\n[1]\n7\n{\"result\":\n\n{\"usage\":[],\"session_id\":{}}\n".as_slice(), done].concat();
    let (_, _, report) = play(&request, &stdout, "warning\n", &exit(Exit::Code(0), None));
    assert_eq!((report.outcome, report.session), (TurnOutcome::Completed, None));
    let killed: Vec<u8> = [b"{\"session_id\":\"s1\"}\n".as_slice(), b"{\"result\":\"o"].concat();
    let TurnReport { outcome, session, .. } = play(&request, &killed, "", &exit(Exit::Signal(9), None)).2;
    assert_eq!((word(&outcome).as_str(), session.is_some()), ("crashed", true));
    assert_eq!(replay(&request, &killed, Exit::Unknown), None);
    assert!(salvage(&request, &killed).session.is_some());
    assert_eq!(
        replay(&request, done, Exit::Code(0)).map(|report| report.outcome),
        Some(TurnOutcome::Completed)
    );
}

#[test]
fn a_session_that_we_named_is_known_from_its_first_line() {
    let cli = CliProtocol { fields: Fields { session: Vec::new(), ..fields() }, ..jsonl() };
    let request = described(&["aider", "--session", "{session}"], cli);
    let report = turn_of(&request, &[json!({"result": "ok"})], 0).2;
    assert_eq!(report.session, Some(session()));
}

#[test]
fn text_says_nothing_but_its_exit_status_does() {
    let cli = CliProtocol { exits: vec![(3, ExitMeaning::RateLimited)], ..CliProtocol::default() };
    let ended = |code| {
        play(&described(&["a"], cli.clone()), b"{\"error\": 1}\n", "", &exit(Exit::Code(code), None)).2
    };
    assert_eq!(ended(0).outcome, TurnOutcome::Completed);
    assert_eq!(ended(0).final_text.as_deref(), Some("{\"error\": 1}"));
    assert_eq!(
        ended(3).outcome,
        TurnOutcome::RateLimited { reset: None, detail: "ended with status 3".into() }
    );
    assert_eq!(word(&ended(75).outcome), "crashed", "only what was said");
}
