//! Agents and assistants that use our tools over the Model Context Protocol: real CLIs, real pipes, and programs that misuse them.

mod assistant;
mod backlog;
mod misuse;
mod talking;

use overnight_testkit::model::Scenario;
use serde_json::{Value, json};

use crate::harness::Place;
use crate::harness::model::{self as claude, finish};
use crate::vendors::cli::{self, Vendor};

/// The model reads what its job is about, leaves a note, does the work and says so.
fn with_tools(names: impl Fn(&str) -> String) -> Scenario {
    let asks = Scenario::new()
        .tool(&names("get_context"), json!({}))
        .tool(&names("log"), json!({"text": "I have read what it is about."}));
    let done = json!({"status": "done", "summary": "The answer is 42 now."});
    let works = asks.shell("sed -i s/41/42/ answer && git commit --quiet --all --message='Correct it'");
    works.tool(&names("report_status"), done).say("Done.")
}

/// What the agent said is on record, once, before the end of its turn; the result is what was measured.
fn told(place: &Place) {
    let noted = place.events_of("agent_noted");
    assert_eq!(noted.len(), 1, "{noted:#?}");
    assert_eq!((&noted[0]["turn"], &noted[0]["text"]), (&json!(1), &json!("I have read what it is about.")));
    let reported = place.events_of("agent_reported");
    assert_eq!(reported.len(), 1, "{reported:#?}");
    assert_eq!(
        (&reported[0]["status"], &reported[0]["summary"]),
        (&json!("done"), &json!("The answer is 42 now."))
    );
    let kinds: Vec<Value> = place.events().iter().map(|event| event["type"].clone()).collect();
    let at = |kind: &str| kinds.iter().position(|found| found == kind).unwrap();
    assert!(at("agent_noted") < at("agent_reported") && at("agent_reported") < at("turn_ended"), "{kinds:?}");
    place.expect_reason("ended", "published");
}

#[test]
fn claude_uses_the_tools_of_its_job() {
    let Some(mut place) = claude::place("claude_uses_the_tools_of_its_job") else { return };
    let model = claude::model(&mut place, with_tools(|tool| format!("mcp__overnight__{tool}")));
    claude::run(&place, &[]).expect_code(0);
    told(&place);
    let asked = model.asked();
    let context = claude::conversation(&asked[1]);
    for word in ["Make the check pass", "sh check.sh", "attempts", "repo-1"] {
        assert!(context.contains(word), "{word}: {context}");
    }
    let answer = claude::conversation(&asked[4]);
    assert!(answer.contains("end_your_turn") && !answer.contains("LEASE_LOST"), "{answer}");
    place.finish();
}

/// The repository's own servers are not obeyed, whatever they are called.
#[test]
fn a_server_of_the_repository_is_not_started_in_place_of_ours() {
    let Some(mut place) = claude::place("a_server_of_the_repository_is_not_started") else { return };
    let started = place.path("started");
    let server = json!({"command": "touch", "args": [started]});
    let servers = json!({"mcpServers": {"overnight": server, "other": server}});
    place.write("repo/.mcp.json", &servers.to_string());
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "--message=Servers"]);
    let _model = claude::model(&mut place, with_tools(|tool| format!("mcp__overnight__{tool}")));
    claude::run(&place, &[]).expect_code(0);
    told(&place);
    assert!(!started.exists());
    place.finish();
}

/// A lie about the result changes nothing: it is measured.
#[test]
fn a_report_moves_no_job() {
    let Some(mut place) = claude::place("a_report_moves_no_job") else { return };
    let lie = json!({"status": "done", "summary": "All tests pass."});
    let lies = Scenario::new().tool("mcp__overnight__report_status", lie).say("Done.");
    let _model = claude::model(&mut place, lies);
    claude::run(&place, &["--attempts", "1"]).expect_code(6);
    place.expect_reason("ended", "no_changes");
    assert_eq!(place.events_of("agent_reported").len(), 1);
    place.finish();
}

#[test]
fn tools_can_be_switched_off() {
    let Some(mut place) = claude::place("tools_can_be_switched_off") else { return };
    place.env("OVERNIGHT_AGENT_TOOLS", "off");
    let asks = Scenario::new().tool("mcp__overnight__get_context", json!({}));
    let model = claude::model(&mut place, finish(asks));
    claude::run(&place, &[]).expect_code(0);
    let seen = claude::conversation(&model.asked()[1]);
    assert!(seen.contains("No such tool") && !seen.contains("limits_left"), "{seen}");
    place.finish();
}

fn vendor_uses_the_tools(vendor: Vendor, test: &str, names: impl Fn(&str) -> String) {
    let Some(mut place) = cli::place(vendor, test) else { return };
    let model = cli::model(vendor, &mut place, with_tools(names));
    claude::run(&place, &[]).expect_code(0);
    let seen: Vec<String> = model.asked().iter().map(|request| request.body.to_string()).collect();
    assert!(seen[1].contains("limits_left"), "the context came: {}", seen[1]);
    told(&place);
    place.finish();
}

#[test]
fn codex_uses_the_tools_of_its_job() {
    let names = |tool: &str| format!("mcp__overnight__{tool}");
    vendor_uses_the_tools(Vendor::Codex, "codex_uses_the_tools_of_its_job", names);
}

#[test]
fn qwen_uses_the_tools_of_its_job() {
    let names = |tool: &str| format!("mcp__overnight__{tool}");
    vendor_uses_the_tools(Vendor::Qwen, "qwen_uses_the_tools_of_its_job", names);
}

#[test]
fn opencode_uses_the_tools_of_its_job() {
    let names = |tool: &str| format!("overnight_{tool}");
    vendor_uses_the_tools(Vendor::Opencode, "opencode_uses_the_tools_of_its_job", names);
}
