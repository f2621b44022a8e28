//! A place to measure in: a home, a repository, a queue, and a gate at which the agents wait for each other.
//!
//! Owns a temporary directory; it goes when the place goes.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Place {
    dir: TempDir,
    /// `None`: a SQLite file in the data directory.
    url: Option<String>,
}

impl Place {
    pub(crate) fn new(url: Option<String>) -> Self {
        let place = Self { dir: TempDir::with_prefix("overnight-bench-").unwrap(), url };
        for name in ["home", "repo", "started"] {
            std::fs::create_dir(place.path(name)).unwrap();
        }
        std::fs::write(place.path("repo/answer"), "41\n").unwrap();
        place.git(&["init", "--quiet", "-b", "main"]);
        place.git(&["add", "--all"]);
        place.git(&["commit", "--quiet", "--message", "Start"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An idle worker with a slot for each job.
    pub(crate) fn worker(&self, jobs: usize) -> Child {
        let mut command = self.overnight();
        command.args(["work", "--events", "--slots", &jobs.to_string()]);
        let mut worker =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(worker.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        assert!(first.contains("started"), "{first}");
        // What it tells later is read by nobody and must not hold it up.
        std::thread::spawn(move || lines.lines().for_each(drop));
        worker
    }

    /// Puts all jobs into the queue in one transaction, each in a group of its own, so that none waits for another.
    pub(crate) fn add(&self, jobs: usize) {
        let started = self.path("started").join("XXXXXXXX");
        let steps = format!(
            "[[attempt]]\nsteps = [{{ write = {{ path = \"answer\", content = \"42\\n\" }} }}, \
             {{ commit = {{ message = \"Correct it\" }} }}, {{ run = {{ command = \"mktemp '{}'\" }} }}, \
             {{ wait_for_file = {{ path = \"{}\" }} }}]\n",
            started.display(),
            self.path("gate").display(),
        );
        std::fs::write(self.path("script.toml"), steps).unwrap();
        let mut batch = String::new();
        for number in 0..jobs {
            let line = "{\"prompt\": \"Correct the answer\", \"verify\": [\"grep -q 42 answer\"]";
            writeln!(batch, "{line}, \"group\": \"g{number}\"}}").unwrap();
        }
        std::fs::write(self.path("batch.jsonl"), batch).unwrap();
        let mut command = self.overnight();
        command.args(["add", "--quiet", "--batch"]).arg(self.path("batch.jsonl"));
        done(command.arg("--script").arg(self.path("script.toml")));
    }

    pub(crate) fn agents_at_work(&self) -> usize {
        std::fs::read_dir(self.path("started")).unwrap().count()
    }

    pub(crate) fn open_gate(&self) {
        std::fs::write(self.path("gate"), "").unwrap();
    }

    pub(crate) fn branches(&self) -> usize {
        self.git(&["for-each-ref", "--format=%(refname)", "refs/heads/overnight"]).lines().count()
    }

    /// Lets the worker end what is left, and waits for it.
    pub(crate) fn drain(&self, worker: &mut Child) {
        let mut kill = self.command("kill");
        done(kill.args(["-TERM", &worker.id().to_string()]));
        assert!(worker.wait().unwrap().success(), "the worker failed");
    }

    /// Milliseconds from the queue to the first claim, of each job that is published.
    pub(crate) fn waits_for_a_claim(&self) -> Vec<i64> {
        let listed: Value = serde_json::from_str(&self.ask(&["ls", "--all", "--json"])).unwrap();
        let jobs = listed["data"].as_array().unwrap();
        let published = jobs.iter().filter(|job| job["reason"] == "published");
        published.map(|job| self.wait_of(job["key"].as_str().unwrap())).collect()
    }

    fn wait_of(&self, key: &str) -> i64 {
        let text = self.ask(&["show", key, "--events", "--json"]);
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let at = |kind: &str| {
            let found = events.iter().find(|event| event["event"]["type"] == kind);
            found.and_then(|event| event["at_ms"].as_i64()).unwrap()
        };
        at("claimed") - at("queued")
    }

    fn ask(&self, args: &[&str]) -> String {
        String::from_utf8(done(self.overnight().args(args)).stdout).unwrap()
    }

    fn git(&self, args: &[&str]) -> String {
        let mut command = self.command("git");
        command.args(args).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Person");
            command.env(format!("GIT_{who}_EMAIL"), "person@example.org");
        }
        String::from_utf8(done(&mut command).stdout).unwrap()
    }

    fn overnight(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_overnight"));
        command.env("OVERNIGHT_DATA_DIR", self.path("data"));
        if let Some(url) = &self.url {
            command.env("OVERNIGHT_DATABASE_URL", url);
        }
        command
    }

    /// A program with the place's home and the person's search path, and nothing else.
    #[expect(
        clippy::disallowed_methods,
        reason = "a bench starts processes and reads the search path itself"
    )]
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path("repo")).env_clear().env("HOME", self.path("home"));
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
    }
}

/// Runs a command to its end, which must be a success.
fn done(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
