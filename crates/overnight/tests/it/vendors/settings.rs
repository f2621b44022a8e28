//! A repository's settings for agents would start programs of its own. They are not obeyed.

use overnight_testkit::model::Scenario;
use serde_json::json;

use super::cli::{Vendor, model, place};
use super::{finish, published};
use crate::harness::model::run;

/// The settings file that a repository would have for this CLI, with a server that leaves a trace when it is started.
fn settings(vendor: Vendor, trace: &str) -> (&'static str, String) {
    let server = json!({"command": "/usr/bin/touch", "args": [trace], "trust": true});
    match vendor {
        Vendor::Codex => {
            let server = format!("[mcp_servers.trap]\ncommand = \"/usr/bin/touch\"\nargs = [\"{trace}\"]\n");
            (".codex/config.toml", server)
        }
        Vendor::Gemini => (".gemini/settings.json", json!({"mcpServers": {"trap": server}}).to_string()),
        Vendor::Qwen => (".qwen/settings.json", json!({"mcpServers": {"trap": server}}).to_string()),
        Vendor::Opencode => {
            let server = json!({"type": "local", "command": ["/usr/bin/touch", trace], "enabled": true});
            ("opencode.json", json!({"mcp": {"trap": server}}).to_string())
        }
    }
}

fn starts_no_server_of_the_repository(vendor: Vendor, test: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let trace = place.path("trace");
    let (file, text) = settings(vendor, &trace.to_string_lossy());
    place.write_in(&place.repo(), file, &text);
    place.git(&["add", "--all"]);
    place.git(&["commit", "--quiet", "--message=Settings"]);
    let _model = model(vendor, &mut place, finish(Scenario::new()));
    let outcome = run(&place, &[]);
    if let Vendor::Qwen = vendor {
        // It writes the repository's settings anew in its newer form, which does not go out unseen.
        outcome.expect_code(8).expect_said(&[".qwen/settings.json", "agent-file"]);
        place.overnight(&["approve", "repo-1"]).expect_code(0);
    } else {
        outcome.expect_code(0);
    }
    published(&place);
    assert!(!trace.exists(), "the repository's server was started");
    place.finish();
}

/// The words of one vendor are no hindrance to another's agent, and each gets its own.
#[test]
fn a_configured_model_of_claude_does_not_reach_codex() {
    let Some(mut place) = place(Vendor::Codex, "a_configured_model_of_claude_does_not_reach_codex") else {
        return;
    };
    place.env("OVERNIGHT_AGENT_DEFAULT", "claude").env("OVERNIGHT_AGENT_MODEL", "claude-opus-4-5");
    place.env("OVERNIGHT_AGENT_PERMISSION_MODE", "acceptEdits").env("OVERNIGHT_AGENT_ALLOWED_TOOLS", "Edit");
    place.env("OVERNIGHT_AGENT_CODEX_MODEL", "gpt-5.5").env("OVERNIGHT_AGENT_CODEX_EFFORT", "high");
    let model = model(Vendor::Codex, &mut place, finish(Scenario::new()));
    place.overnight(&["add", "--agent", "codex", "Make the check pass"]).expect_code(0);
    // The worker's configuration is what counts in the end.
    place.env("OVERNIGHT_AGENT_CODEX_EFFORT", "low");
    place.overnight(&["work", "--exit-when-idle"]).expect_code(0);
    published(&place);
    let asked = model.asked().remove(0).body;
    assert_eq!((&asked["model"], &asked["reasoning"]["effort"]), (&json!("gpt-5.5"), &json!("low")));
    let shown = place.overnight(&["show", "repo-1", "--json"]).expect_code(0).json();
    let settings = &shown["data"]["settings"];
    assert_eq!(settings["model"], json!({"value": "gpt-5.5", "origin": "agent"}));
    assert_eq!(settings["permission_mode"], json!({"value": null, "origin": "default"}));
    place.finish();
}

#[test]
fn codex_starts_no_server_of_the_repository() {
    starts_no_server_of_the_repository(Vendor::Codex, "codex_starts_no_server_of_the_repository");
}

#[test]
fn gemini_starts_no_server_of_the_repository() {
    starts_no_server_of_the_repository(Vendor::Gemini, "gemini_starts_no_server_of_the_repository");
}

#[test]
fn qwen_starts_no_server_of_the_repository() {
    starts_no_server_of_the_repository(Vendor::Qwen, "qwen_starts_no_server_of_the_repository");
}

#[test]
fn opencode_starts_no_server_of_the_repository() {
    starts_no_server_of_the_repository(Vendor::Opencode, "opencode_starts_no_server_of_the_repository");
}
