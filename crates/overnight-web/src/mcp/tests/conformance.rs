//! The official conformance tests of the protocol, in both of its eras, against an endpoint that lets everybody in.

use std::process::Stdio;

use overnight_testkit::tools;
use serde_json::{Value, json};

use super::{OneToken, listening};

/// What the tests are known not to find here, and why: a file for each revision.
const EXPECTED_FAILURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/mcp/tests/conformance");

/// A schema that uses what the newest draft offers: all of it has to reach the client.
pub(super) fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

async fn conforms(version: &str) {
    let program = match tools::mcp_conformance() {
        Ok(program) => program,
        Err(reason) => {
            println!("skipped: the conformance tests of {version}: {reason}");
            return;
        }
    };
    let address = listening(OneToken(None)).await;
    let dir = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test program, and this crate never sees overnight-proc")]
    let mut command = tokio::process::Command::new(&program.path);
    command
        .args(&program.arguments)
        .args([
            "server",
            "--suite",
            "all",
            "--url",
            &format!("http://{address}/mcp"),
            "--spec-version",
            version,
        ])
        .args(["--expected-failures", &format!("{EXPECTED_FAILURES}/{version}.yaml"), "--output-dir"])
        .arg(dir.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{version}: {text}\n{errors}");
    // Something was tested at all.
    assert!(text.contains("passed"), "{text}\n{errors}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_present_revision_is_kept() {
    conforms("2026-07-28").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_revision_before_it_is_kept() {
    conforms("2025-11-25").await;
}
