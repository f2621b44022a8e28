//! `overnight agent`: what is said of agents that are there, old, silent or missing.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::harness::{Outcome, Place};

/// A home with programs of these names; `PATH` holds nothing else.
fn with_programs(programs: &[(&str, &str)]) -> Place {
    let mut place = Place::bare();
    for (name, script) in programs {
        let file = place.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let bin = place.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    place.env("PATH", bin);
    place
}

fn agents(outcome: &Outcome) -> Vec<Value> {
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(document["kind"], "agents", "{document:#}");
    document["data"].as_array().unwrap().clone()
}

#[test]
fn agents_are_listed_with_what_can_be_known_of_them() {
    let mut place = with_programs(&[
        ("codex", "echo codex-cli 0.1.0"),
        ("gemini", "echo 99.0.0"),
        ("qwen", "echo broken >&2; exit 3"),
    ]);
    place.write("home/.codex/auth.json", "{}");
    place.env("GEMINI_API_KEY", "k");
    let listed = agents(&place.overnight(&["agent", "ls", "--json"]).expect_code(0));
    let of = |name: &str| listed.iter().find(|agent| agent["agent"] == name).unwrap();
    assert_eq!(listed.len(), 5, "{listed:#?}");
    assert_eq!(
        (&of("codex")["standing"], &of("codex")["login"]["state"]),
        (&"older".into(), &"stored".into())
    );
    assert_eq!(
        (&of("gemini")["standing"], &of("gemini")["login"]["state"]),
        (&"newer".into(), &"unknown".into())
    );
    assert_eq!((&of("qwen")["standing"], &of("qwen")["version"]), (&"unknown".into(), &Value::Null));
    assert!(of("claude")["program"].is_null() && of("opencode")["program"].is_null());
    assert_eq!(of("codex")["capabilities"]["cost"], false);
    place.env("OVERNIGHT_AGENT_BILLING", "key");
    let listed = agents(&place.overnight(&["agent", "ls", "--json"]).expect_code(0));
    let states: Vec<&Value> = listed.iter().map(|agent| &agent["login"]["state"]).collect();
    // opencode takes the keys of many vendors.
    assert_eq!(states, ["unknown", "unknown", "variable", "unknown", "variable"]);
    let table = place.overnight(&["agent", "ls"]).expect_code(0).expect_plain();
    assert!(table.stdout.contains("not installed"), "{}", table.stdout);
}

#[test]
fn an_agent_that_is_named_has_to_be_usable() {
    let place = with_programs(&[("codex", "echo codex-cli 0.169.0"), ("qwen", "exit 3")]);
    let page = place.overnight(&["agent", "doctor", "codex"]).expect_code(0);
    assert!(page.stdout.contains("as tested") && page.stdout.contains("codex login"), "{}", page.stdout);
    let page = place.overnight(&["agent", "doctor", "gemini"]).expect_code(1);
    assert!(page.stdout.contains("npm install -g @google/gemini-cli"), "{}", page.stdout);
    place.overnight(&["agent", "doctor", "qwen", "--json"]).expect_code(1);
    place.overnight(&["agent", "doctor", "rehearsal"]).expect_code(2);
    let all = agents(&place.overnight(&["agent", "doctor", "--json"]));
    assert_eq!(all.len(), 2, "those that are not installed are passed over: {all:#?}");
}

#[test]
fn a_setting_that_a_vendor_lacks_is_refused_before_anything_is_queued() {
    let place = Place::new();
    for (agent, flag, value, says) in [
        ("codex", "--max-cost", "5", "--max-cost"),
        ("gemini", "--max-tokens", "1000", "--max-tokens"),
        ("codex", "--permission-mode", "acceptEdits", "workspace-write"),
        ("qwen", "--permission-mode", "plan", "yolo"),
        ("gemini", "--effort", "high", "effort"),
        ("opencode", "--model", "sonnet", "provider/model"),
    ] {
        place.overnight(&["run", "--agent", agent, flag, value, "x"]).expect_code(2).expect_said(&[says]);
    }
    assert!(place.branches().is_empty());
    place.finish();
}
