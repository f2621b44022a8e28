//! Agents that misuse the tools of their job, or whose job is taken from them while they call.

use std::path::PathBuf;

use crate::harness::{Place, eventually};

/// What every program here begins with: a call of a tool, as JSON-RPC over HTTP.
const CALL: &str = r#"
import json, os, subprocess, sys, threading, time, urllib.request, urllib.error
def post(name, arguments, token=None, url=None):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
    head = {"Content-Type": "application/json", "Authorization": "Bearer " + (token or os.environ["OVERNIGHT_MCP_TOKEN"])}
    request = urllib.request.Request(url or os.environ["OVERNIGHT_MCP_URL"], body.encode(), head)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["result"]["structuredContent"]
    except urllib.error.HTTPError as error:
        return {"error": error.code}
def work():
    open("answer", "w").write("42\n")
    subprocess.run(["git", "commit", "-qam", "Correct it"], check=True)
"#;

/// A command agent that runs this Python program.
pub(super) fn agent(place: &Place, program: &str) -> String {
    let file = place.write("agent.py", &format!("{CALL}{program}"));
    format!("python3 {}", file.display())
}

fn run(place: &Place, program: &str) {
    place.overnight(&["run", "--command", &agent(place, program), "Do it"]).expect_code(0);
    place.expect_reason("ended", "published");
}

#[test]
fn any_program_finds_the_tools_in_its_environment() {
    let place = Place::new();
    run(
        &place,
        r#"
context = post("get_context", {})
assert context["prompt"] == "Do it" and context["key"] == "repo-1", context
assert context["checks"][0]["command"] == "sh check.sh", context
said = post("report_status", {"status": "running", "summary": "at it"})
assert said["next_action"] == "go_on" and said["status"] == "working" and said["reported"] == "running", said
said = post("report_status", {"status": "skipped", "summary": "short"})
assert said["error"] == "BAD_ARGUMENT", said
work()
said = post("report_status", {"status": "done", "summary": "done \u202e\u0000\u001b[2J"})
assert said["next_action"] == "end_your_turn" and said["pr_url"] is None, said
"#,
    );
    let reported = place.events_of("agent_reported");
    assert_eq!(reported.len(), 2, "{reported:#?}");
    // Recorded as it was said; shown so that a terminal can only print it.
    assert_eq!(reported[1]["summary"], "done \u{202e}\0\u{1b}[2J");
    place.overnight(&["show", "repo-1", "--events"]).expect_code(0).expect_silent_about("\u{1b}[2J");
    place.finish();
}

#[test]
fn ten_thousand_notes_leave_a_hundred_and_the_job_goes_on() {
    let place = Place::new();
    run(
        &place,
        r#"
answers = []
def many():
    for number in range(1250):
        answers.append(post("log", {"text": "note %d" % number}))
threads = [threading.Thread(target=many) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
recorded = [a for a in answers if a.get("recorded")]
refused = [a for a in answers if a.get("error") == "ENOUGH"]
busy = [a for a in answers if a.get("error") == "BUSY"]
assert len(answers) == 10000 and len(recorded) == 100, (len(answers), len(recorded))
assert len(recorded) + len(refused) + len(busy) == 10000, answers[-1]
assert post("log", {"text": "x" * 1000000})["error"] == "BAD_ARGUMENT"
assert post("log", {"text": "x" * 2000000})["error"] == 413
assert post("get_context", {})["key"] == "repo-1"
work()
"#,
    );
    assert_eq!(place.events_of("agent_noted").len(), 100);
    place.finish();
}

#[test]
fn a_token_that_is_kept_opens_nothing_after_its_turn() {
    let place = Place::new();
    let program = r#"
mine = os.environ["OVERNIGHT_MCP_TOKEN"]
if os.environ["OVERNIGHT_ATTEMPT"] == "1":
    open("first", "w").write(mine)
else:
    old = open("first").read()
    assert old != mine
    assert post("get_context", {}, token=old) == {"error": 401}
    assert post("get_context", {}, token=mine[:-1]) == {"error": 401}
    context = post("get_context", {})
    assert context["attempt"] == 2 and "not 42" in context["feedback"], context
    subprocess.run(["git", "rm", "-q", "--cached", "--ignore-unmatch", "first"], check=True)
    os.remove("first")
    work()
"#;
    run(&place, program);
    place.finish();
}

/// Waits, and then says how it stands. It does not end when it is asked to.
const WAITS: &str = r#"
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("started", "w").write("")
while not os.path.exists("go"):
    time.sleep(0.02)
print("SAID " + json.dumps(post("report_status", {"status": "running"})), flush=True)
"#;

/// The workspace of the agent, once it is at work.
fn begun(place: &Place) -> PathBuf {
    let tree = || Some(place.job_dir()?.join("workspace"));
    eventually("the agent has begun", || tree().filter(|dir| dir.join("started").exists()))
}

/// A cancel is heard of with the next call, and the turn ends.
#[test]
fn a_cancelled_job_tells_its_agent_to_stop() {
    let mut place = Place::new();
    // Otherwise the heart may be faster.
    place.env("OVERNIGHT_WORKER_LEASE", "10m").env("OVERNIGHT_WORKER_HEARTBEAT", "3m");
    place.env("OVERNIGHT_AGENT_GRACE", "5s");
    let live = place.start(&["run", "--events", "--command", &agent(&place, WAITS), "Do it"]);
    let tree = begun(&place);
    place.overnight(&["cancel", "--no-wait", "repo-1"]).expect_code(0);
    std::fs::write(tree.join("go"), "").unwrap();
    live.wait();
    let log = place.log("turn-1.out.jsonl");
    assert!(log.contains("JOB_CANCELLED") && log.contains("cancelled_stop_now"), "{log:?}");
    assert!(place.events_of("agent_reported").is_empty());
    place.expect_reason("ended", "cancelled");
    place.finish();
}

/// Somebody else took the job: the agent that was left behind hears it, and nothing that it says is written.
#[test]
fn an_agent_whose_job_was_taken_from_it_is_told_to_stop() {
    let mut place = Place::new();
    place.env("OVERNIGHT_WORKER_LEASE", "10m").env("OVERNIGHT_WORKER_HEARTBEAT", "3m");
    let live = place.start(&["run", "--events", "--command", &agent(&place, WAITS), "Do it"]);
    let tree = begun(&place);
    // As a claim of another worker leaves it.
    sql(&place, "UPDATE jobs SET fence = fence + 1");
    std::fs::write(tree.join("go"), "").unwrap();
    let ended = live.wait();
    assert_ne!(ended.code, Some(0), "{ended:?}");
    assert!(place.events_of("agent_reported").is_empty());
    let log = place.log("turn-1.out.jsonl");
    assert!(!log.contains("go_on") && !log.contains("end_your_turn"), "{log:?}");
    sql(&place, "UPDATE jobs SET fence = fence - 1");
    place.overnight(&["cancel", "repo-1"]);
    place.finish();
}

fn sql(place: &Place, text: &'static str) {
    use sqlx::Connection;
    let file = place.data().join("overnight.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut database = sqlx::SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
        sqlx::query(text).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    });
}
