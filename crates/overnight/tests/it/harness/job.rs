//! What the program itself says about the one job of a test, and where a text stands that must stand nowhere.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Outcome, Place};

impl Place {
    /// The one job of this place, in its public shape.
    #[track_caller]
    pub(crate) fn job(&self) -> Value {
        let listed = self.overnight(&["ls", "--all", "--json"]).expect_code(0).json();
        let jobs = listed["data"].as_array().unwrap_or_else(|| panic!("no list of jobs: {listed:#}")).clone();
        assert_eq!(jobs.len(), 1, "{jobs:#?}");
        jobs[0].clone()
    }

    /// Events of the one job, without their envelope.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        let job = self.job();
        let key = job["key"].as_str().expect("a key");
        let shown = self.overnight(&["show", key, "--events", "--json"]).expect_code(0);
        shown.events()
    }

    #[track_caller]
    pub(crate) fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// The one job ended, or waits, with this public code.
    #[track_caller]
    pub(crate) fn expect_reason(&self, state: &str, reason: &str) -> Value {
        let job = self.job();
        let found = (job["state"].as_str().unwrap_or_default(), job["reason"].as_str().unwrap_or_default());
        assert_eq!(found, (state, reason), "{job:#}");
        job
    }

    /// The one job's directory; there is one as soon as its first stage began.
    pub(crate) fn job_dir(&self) -> Option<PathBuf> {
        let mut dirs = std::fs::read_dir(self.data().join("jobs")).ok()?.flatten();
        dirs.next().map(|entry| entry.path())
    }

    /// A log of the one job, as far as it is written.
    pub(crate) fn log(&self, name: &str) -> String {
        let path = self.job_dir().map(|dir| dir.join("log").join(name));
        let bytes = path.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// No file of the data directory holds this text, whatever the file is.
    #[track_caller]
    pub(crate) fn expect_not_stored(&self, secret: &str) {
        let found = files_with(&self.data(), secret.as_bytes());
        assert!(found.is_empty(), "the secret stands in {found:#?}");
    }
}

impl Outcome {
    /// What `--events` streamed, without its envelope.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        let event = |line: &str| -> Value {
            let mut line: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            line["event"].take()
        };
        self.stdout.lines().map(event).collect()
    }

    /// Neither stream holds this text.
    #[track_caller]
    pub(crate) fn expect_silent_about(self, secret: &str) -> Self {
        assert!(!self.stdout.contains(secret), "on standard output:\n{}", self.stdout);
        assert!(!self.stderr.contains(secret), "on standard error:\n{}", self.stderr);
        self
    }
}

/// Files below `dir` that hold these bytes.
pub(crate) fn files_with(dir: &Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).unwrap_or_default();
                if bytes.windows(needle.len()).any(|window| window == needle) {
                    found.push(entry.path());
                }
            }
        }
    }
    found
}
