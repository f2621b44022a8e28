//! `overnight mcp`: a person's assistant at the other end of the pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::harness::Place;

pub(super) struct Assistant {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last: u64,
}

impl Assistant {
    pub(super) fn start(place: &Place, more: &[&str]) -> Self {
        let mut command = place.command(&place.repo(), &[&["mcp"], more].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { input: child.stdin.take(), child, output, last: 0 }
    }

    fn send(&mut self, line: &str) -> Value {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params});
        let answer = self.send(&request.to_string());
        assert_eq!(answer["id"], self.last, "{answer}");
        answer["result"].clone()
    }

    pub(super) fn call(&mut self, name: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": name, "arguments": arguments}))["structuredContent"].clone()
    }

    /// Closes the pipe, which is how an assistant leaves.
    pub(super) fn leave(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn an_assistant_orders_looks_and_cancels() {
    let place = Place::new();
    let mut assistant = Assistant::start(&place, &[]);
    let hello = assistant.ask("initialize", &json!({"protocolVersion": "2025-11-25", "capabilities": {}}));
    assert_eq!(hello["serverInfo"]["name"], "overnight");
    let tools = assistant.ask("tools/list", &json!({}));
    let names: Vec<&str> =
        tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"create_job") && names.contains(&"list_jobs"), "{names:?}");
    let refused = assistant.call("create_job", &json!({"prompt": "x", "agent": "nobody"}));
    assert_eq!(refused["error"], "ORDER_REFUSED", "{refused}");
    let refused = assistant.call("create_job", &json!({"prompt": "x", "repository": "/nowhere"}));
    assert_eq!(refused["error"], "ORDER_REFUSED", "{refused}");
    assistant.leave();

    place.overnight(&["add", "--command", "true", "First"]).expect_code(0);
    let mut assistant = Assistant::start(&place, &[]);
    let listed = assistant.call("list_jobs", &json!({}));
    assert_eq!(
        (&listed["jobs"][0]["key"], &listed["jobs"][0]["state"]),
        (&json!("repo-1"), &json!("queued"))
    );
    let cancelled = assistant.call("cancel_job", &json!({"job": "repo-1"}));
    assert_eq!(cancelled["outcome"], "ended", "{cancelled}");
    assert_eq!(assistant.call("get_job", &json!({"job": "repo-1"}))["reason"], "cancelled");
    assert_eq!(assistant.call("queue_status", &json!({}))["ready"], 0);
    assistant.leave();
    place.finish();
}

#[test]
fn an_order_through_a_tool_is_one_like_any_other() {
    let mut place = Place::new();
    let agent = place.write("bin/claude", "#!/bin/sh\nexit 0\n");
    std::fs::set_permissions(&agent, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.env("OVERNIGHT_AGENT_PROGRAM_CLAUDE", agent);
    let mut assistant = Assistant::start(&place, &[]);
    let order =
        json!({"prompt": "Fix it \u{202e}\u{1b}[2J", "agent": "claude", "title": "Fix", "request": "k1"});
    let made = assistant.call("create_job", &order);
    assert_eq!(made["job"], "repo-1", "{made}");
    assert_eq!(assistant.call("create_job", &order)["job"], "repo-1", "the same key, the same job");
    let other = json!({"prompt": "Another", "agent": "claude", "request": "k1"});
    assert_eq!(assistant.call("create_job", &other)["error"], "ORDER_REFUSED");
    assistant.leave();
    let job = place.job();
    assert_eq!(
        (&job["title"], &job["agent"], &job["state"]),
        (&json!("Fix"), &json!("claude"), &json!("queued"))
    );
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    place.finish();
}

#[test]
fn who_may_only_read_is_offered_nothing_else_and_garbage_ends_nothing() {
    let place = Place::new();
    let mut assistant = Assistant::start(&place, &["--read-only"]);
    assert_eq!(assistant.send("nonsense")["error"]["code"], -32_700);
    assert_eq!(assistant.send(&"[".repeat(100_000))["error"]["code"], -32_700);
    assert_eq!(assistant.send(&"x".repeat(3 << 20))["error"]["code"], -32_600);
    let tools = assistant.ask("tools/list", &json!({}));
    let changes = |tool: &Value| tool["annotations"]["readOnlyHint"] != true;
    assert!(!tools["tools"].as_array().unwrap().iter().any(changes), "{tools}");
    let request = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "create_job", "arguments": {"prompt": "x"}}});
    assert_eq!(assistant.send(&request.to_string())["error"]["code"], -32_602);
    assert_eq!(assistant.call("list_jobs", &json!({}))["jobs"], json!([]));
    assistant.leave();
    place.finish();
}

/// Also where no server runs: what the assistant says is recorded, and whoever goes on with the job heeds it.
#[test]
fn an_assistant_at_a_terminal_says_its_persons_word() {
    let mut place = Place::new();
    place.env("USER", "ada");
    let ci = "{ write = { path = \".github/workflows/ci.yml\", content = \"on: push\\n\" } }, { write = { path = \"answer\", content = \"42\\n\" } }, \
              { commit = { message = \"With a pipeline\" } }";
    place.rehearse(&[ci], &[]).expect_code(8);
    let mut assistant = Assistant::start(&place, &[]);
    let waiting = assistant.call("list_approvals", &json!({}));
    let commit = waiting["approvals"][0]["commit"].as_str().unwrap().to_owned();
    let log = assistant.call("job_log", &json!({"job": "repo-1", "limit": 3}));
    assert!(log["kept"] == true && !log["lines"].as_array().unwrap().is_empty(), "{log:#}");
    assert_eq!(assistant.call("retry_job", &json!({"job": "repo-1"}))["error"], "NOT_ENDED");
    let yes = json!({"job": "repo-1", "commit": commit});
    assert_eq!(assistant.call("approve_job", &yes)["commit"], commit.as_str());
    assert_eq!(assistant.call("approve_job", &yes)["error"], "NO_APPROVAL_AWAITED");
    let rule = json!({"repository": "repo", "rule": "ci-file", "message": "We know"});
    assert_eq!(assistant.call("add_exception", &rule)["exception"]["by"], "ada");
    assistant.leave();
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    place.expect_reason("ended", "published");
    assert_eq!(place.events_of("approved")[0]["by"], "ada");
    assert_eq!(place.git(&["rev-parse", &place.branches()[0]]), commit);
    place.finish();
}
