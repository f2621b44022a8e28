//! A job as the program itself tells of it: what it is, and everything that was recorded of it.

use serde_json::Value;

use super::{Outcome, Place};

/// `show --json` of one job.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) job: Value,
    pub(crate) events: Vec<Value>,
}

impl Place {
    /// Keys of all jobs, newest first.
    pub(crate) fn keys(&self) -> Vec<String> {
        let listed = self.overnight(&["ls", "--all", "--json"]).expect_code(0).json();
        let jobs = listed["data"].as_array().expect("a list of jobs");
        jobs.iter().map(|job| job["key"].as_str().expect("a key").to_owned()).collect()
    }

    pub(crate) fn shown(&self, key: &str) -> Shown {
        let shown = self.overnight(&["show", key, "--json"]).expect_code(0).json();
        let data = &shown["data"];
        let events = data["events"].as_array().expect("events").clone();
        Shown { job: data["job"].clone(), events }
    }

    /// The only job of this place.
    #[track_caller]
    pub(crate) fn only_job(&self) -> Shown {
        let keys = self.keys();
        assert_eq!(keys.len(), 1, "{keys:?}");
        self.shown(&keys[0])
    }

    /// Runs the scripted agent on the repository, one string of steps per attempt.
    pub(crate) fn rehearse(&self, attempts: &[&str], more: &[&str]) -> Outcome {
        let script = self.script(attempts);
        self.overnight(&with_prompt(&script, more))
    }
}

/// Arguments of a run with this rehearsal script.
pub(crate) fn with_prompt<'a>(script: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["run", "--agent", "rehearsal", "--script", script];
    args.extend(more);
    args.push("Make the check pass");
    args
}

/// A step that runs this text as a shell script.
pub(crate) fn sh(script: &str) -> String {
    assert!(!script.contains("'''"), "three quotes end the text");
    format!("{{ run = {{ command = '''\n{script}''' }} }}")
}

impl Shown {
    /// `ended`, `parked`, …
    pub(crate) fn state(&self) -> &str {
        self.job["state"].as_str().expect("a state")
    }

    /// Why it ended or waits.
    pub(crate) fn reason(&self) -> &str {
        self.job["reason"].as_str().unwrap_or("none")
    }

    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.events.iter().map(|record| record["event"]["type"].as_str().expect("a type")).collect()
    }

    /// Whether something was noted under this code.
    pub(crate) fn noticed(&self, code: &str) -> bool {
        let is = |record: &&Value| record["event"]["type"] == "noticed";
        self.events.iter().filter(is).any(|record| record["event"]["notice"]["code"] == code)
    }

    /// Whether its turns ran in namespaces of their own, where the file guard holds.
    pub(crate) fn guarded(&self) -> bool {
        let started = self.events.iter().filter(|record| record["event"]["type"] == "turn_started");
        let levels: Vec<&Value> = started.map(|record| &record["event"]["process"]["containment"]).collect();
        !levels.is_empty() && levels.iter().all(|level| **level == "pid-namespace")
    }
}
