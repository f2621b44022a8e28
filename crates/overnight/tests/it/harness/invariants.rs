//! What must hold after every test, whatever was killed in it.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::{Place, eventually};

pub(crate) fn check(place: &Place) {
    no_process_is_left(place);
    if place.data().join("overnight.db").exists() {
        for job in jobs(place) {
            check_job(place, &job);
        }
    }
}

fn jobs(place: &Place) -> Vec<Value> {
    let listed = place.overnight(&["ls", "--all", "--json"]).expect_code(0).json();
    listed["data"].as_array().expect("a list of jobs").clone()
}

fn check_job(place: &Place, job: &Value) {
    let key = job["key"].as_str().expect("a key");
    let shown = place.overnight(&["show", key, "--events", "--json"]).expect_code(0);
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let events: Vec<Value> = shown.stdout.lines().map(line).collect();
    assert!(!events.is_empty(), "{key} has no events");
    gapless(key, &events);
    nothing_is_done_twice(key, &events);
    if job["state"].as_str().expect("a state") == "ended" {
        nothing_is_left(place, job);
    }
}

fn gapless(key: &str, events: &[Value]) {
    for (number, event) in (1..).zip(events) {
        assert_eq!(event["number"], number, "events of {key} have a gap: {events:#?}");
    }
}

/// A finished stage is not run again in the same attempt, a branch is pushed once, a pull request is opened once, and a
/// turn that has ended is not started again.
fn nothing_is_done_twice(key: &str, events: &[Value]) {
    let mut times: HashMap<String, u32> = HashMap::new();
    let mut attempt = 1;
    for record in events {
        let event = &record["event"];
        let kind = event["type"].as_str().expect("a type");
        if kind == "attempt_failed" {
            attempt += 1;
        }
        if kind == "branch_taken" {
            // A job of a line is prepared and verified anew on what others have put there.
            times.retain(|what, _| what != "stage \"prepare\"" && !what.starts_with("verify"));
        }
        let what = match kind {
            "branch_pushed" | "pull_request_opened" | "ended" => kind.to_owned(),
            "turn_ended" => format!("turn {} ended", event["turn"]),
            "stage_finished"
                if matches!(event["stage"].as_str(), Some("prepare" | "publish" | "cleanup")) =>
            {
                format!("stage {}", event["stage"])
            }
            "stage_finished" if event["stage"] == "verify" => format!("verify of attempt {attempt}"),
            _ => continue,
        };
        let count = times.entry(what.clone()).or_default();
        *count += 1;
        assert_eq!(*count, 1, "{key}: {what} more than once: {events:#?}");
    }
}

fn nothing_is_left(place: &Place, job: &Value) {
    let dir = place.data().join("jobs").join(job["id"].as_str().expect("an id"));
    for scratch in ["workspace", "tmp", "out", "verify"] {
        assert!(!dir.join(scratch).exists(), "{scratch} of {} is still there", job["key"]);
    }
}

/// No process works in, or was started from, the test's directory any more.
pub(super) fn no_process_is_left(place: &Place) {
    eventually("every process of this test has ended", || {
        let left = processes_in(place.dir.path());
        if left.is_empty() { Some(()) } else { None }
    });
}

impl Place {
    /// The processes that work in the test's directory, by number and command line.
    pub(crate) fn processes(&self) -> Vec<String> {
        processes_in(self.dir.path())
    }
}

fn processes_in(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let inside = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        if inside {
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(format!("{name} {}", String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}
