//! Several workers on one queue: jobs put in, workers started, stopped and killed, and what the queue's tables hold, read
//! from outside and not through the program under test.

mod invariants;
mod tables;
mod worker;

use std::path::PathBuf;

use overnight_testkit::postgres::{Durability, Postgres};
use serde_json::Value;

use super::{Outcome, Place, eventually, skipped};
pub(crate) use tables::{JobRow, Tables};
pub(crate) use worker::Worker;

/// The kinds of database that a queue can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A place whose queue is in a database of this kind; `None`, and said so, where there is none.
pub(crate) fn place_on(engine: Engine, test: &str) -> Option<Place> {
    let mut place = Place::new();
    hasten(&mut place);
    match engine {
        Engine::Sqlite => {}
        Engine::Postgres => {
            let server = Postgres::shared().inspect_err(|reason| skipped(test, reason)).ok()?;
            place.env("OVERNIGHT_DATABASE_URL", server.database());
        }
    }
    Some(place)
}

/// A PostgreSQL server that a test may kill; `None`, and said so, where there is none.
pub(crate) fn own_server(test: &str) -> Option<Postgres> {
    Postgres::start(Durability::Off).inspect_err(|reason| skipped(test, reason)).ok()
}

/// Times at which nothing has to be waited for long, and losses without end: most tests lose more workers than is usual.
pub(crate) fn hasten(place: &mut Place) {
    place.env("OVERNIGHT_WORKER_LEASE", "6s").env("OVERNIGHT_WORKER_HEARTBEAT", "1s");
    place.env("OVERNIGHT_WORKER_SWEEP", "1s").env("OVERNIGHT_WORKER_POLL", "2s");
    place.env("OVERNIGHT_WORKER_MOST_LOSSES", "1000").env("OVERNIGHT_WORKER_DISK_FLOOR", "1MiB");
    place.env("OVERNIGHT_AGENT_GRACE", "1s");
}

const AT_GATE: &str = "waiting at the gate";

/// One attempt that does the usual job and waits for a file before it ends, so that a test can hold it there.
pub(crate) fn held_until(file: &str) -> String {
    format!(
        "{{ write = {{ path = \"answer\", content = \"42\\n\" }} }}, {{ commit = {{ message = \"Correct the answer\" }} }}, \
         {{ say = \"{AT_GATE}\" }}, {{ wait_for_file = {{ path = \"{file}\" }} }}"
    )
}

/// The usual job, done at once.
pub(crate) const FIX: &str = super::forge::FIX;

impl Place {
    /// Puts a job of the scripted agent into the queue, and gives its key. `more`: further arguments of `add`.
    #[track_caller]
    pub(crate) fn add(&self, repo: &str, attempts: &[&str], more: &[&str]) -> String {
        let before = self.keys_in_tables();
        let script = self.script_for(before.len(), attempts);
        let repo = self.path(repo);
        let mut args = vec!["add", "-C", repo.to_str().unwrap(), "--agent", "rehearsal", "--script", &script];
        args.extend(more);
        args.push("Make the check pass");
        self.overnight_in(&self.home(), &args).expect_code(0);
        let mut keys = self.keys_in_tables();
        keys.retain(|key| !before.contains(key));
        assert_eq!(keys.len(), 1, "{keys:?}");
        keys.remove(0)
    }

    /// A script of its own for each job: a later one must not change an earlier.
    fn script_for(&self, number: usize, attempts: &[&str]) -> String {
        let text: String = attempts.iter().map(|steps| format!("[[attempt]]\nsteps = [{steps}]\n")).collect();
        self.write(&format!("scripts/{number}.toml"), &text).to_string_lossy().into_owned()
    }

    fn keys_in_tables(&self) -> Vec<String> {
        self.tables().try_jobs().unwrap_or_default().into_iter().map(|job| job.key).collect()
    }

    /// The queue's tables.
    pub(crate) fn tables(&self) -> Tables {
        let env = self.environment();
        let url = env.get(std::ffi::OsStr::new("OVERNIGHT_DATABASE_URL"));
        match url.map(|url| url.to_string_lossy().into_owned()) {
            Some(url) if url.starts_with("postgres") => Tables::postgres(url),
            Some(path) => Tables::sqlite(path.into()),
            None => Tables::sqlite(self.data().join("overnight.db")),
        }
    }

    /// A worker that works until it is stopped.
    pub(crate) fn worker(&self, more: &[&str]) -> Worker {
        Worker::start(self.command(&self.home(), &[&["work"], more].concat()), self)
    }

    /// A worker that works until nothing is left to do, and what came of it.
    #[track_caller]
    pub(crate) fn work_off(&self) -> Outcome {
        self.worker(&["--exit-when-idle"]).wait()
    }

    /// Waits until an event of this type of this job is recorded.
    #[track_caller]
    pub(crate) fn until_event(&self, key: &str, kind: &str) -> Value {
        let mut tables = self.tables();
        eventually(&format!("{kind} of {key}"), || {
            tables.events(key).into_iter().find(|event| event["type"] == kind)
        })
    }

    /// Waits until this job has ended, and gives why.
    #[track_caller]
    pub(crate) fn until_ended(&self, key: &str) -> String {
        let mut tables = self.tables();
        eventually(&format!("the end of {key}"), || tables.job(key).end_reason)
    }

    /// The scripted agents that run, without what they have started themselves.
    pub(crate) fn agents(&self) -> Vec<u32> {
        let dir = self.path("");
        let ours = |pid: &u32| {
            let proc = PathBuf::from(format!("/proc/{pid}"));
            std::fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&dir))
                && std::fs::read(proc.join("cmdline")).is_ok_and(|line| contains(&line, b"__rehearse"))
        };
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        let players: Vec<u32> =
            pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect();
        let is_copy = |pid: &u32| parent(*pid).is_some_and(|parent| players.contains(&parent));
        players.iter().copied().filter(|pid| !is_copy(pid)).collect()
    }

    /// Waits until the job's agent stands at its gate: nothing of it moves any more.
    #[track_caller]
    pub(crate) fn until_at_gate(&self, key: &str) {
        eventually(&format!("the agent of {key} at its gate"), || {
            self.agent_said(key, AT_GATE).then_some(())
        });
    }

    /// Whether a job's agent has said this in its first turn.
    pub(crate) fn agent_said(&self, key: &str, text: &str) -> bool {
        let id = self.tables().job(key).id;
        let log = self.data().join("jobs").join(id).join("log/turn-1.out.jsonl");
        std::fs::read(log).is_ok_and(|said| contains(&said, text.as_bytes()))
    }

    /// What must hold whatever happened to the workers, when none is alive any more.
    #[track_caller]
    pub(crate) fn check_fleet(&self) {
        invariants::nothing_runs(self);
        invariants::check(self);
    }
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
