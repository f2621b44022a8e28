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
    run(&place, &[]).expect_code(0);
    published(&place);
    assert!(!trace.exists(), "the repository's server was started");
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
