//! One job through the real program, and the times that its events and its processes tell.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::place::Place;

/// Milliseconds of each part of a run. The same parts are measured of the raw commands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Parts {
    /// The start of the program to the job's place in the queue.
    pub(crate) start: f64,
    /// Queued to the agent's process started.
    pub(crate) prepare: f64,
    /// The agent's last act to the first act of the first check.
    pub(crate) take_over: f64,
    /// The check's act to the branch pushed.
    pub(crate) publish: f64,
    /// The branch pushed to the end of the program.
    pub(crate) leave: f64,
    /// The whole program without the agent's turn.
    pub(crate) whole: f64,
}

/// Runs one job and gives its times.
pub(crate) fn run(place: &Place) -> Parts {
    let stamps = Stamps::new(place);
    let script = stamps.script(place);
    let began = now();
    let mut command = place.overnight();
    command.args(["run", "--events", "--script"]).arg(&script);
    command.args(["--verify", &stamps.command(&stamps.check), "Change one file"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let ended = now();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let events = events(place, &String::from_utf8_lossy(&output.stdout));
    let (queued, started) = (at(&events, "queued"), at(&events, "turn_started"));
    let pushed = at(&events, "branch_pushed");
    let (acted, checked) = (stamps.read(&stamps.agent), stamps.read(&stamps.check));
    Parts {
        start: queued - began,
        prepare: started - queued,
        take_over: checked - acted,
        publish: pushed - checked,
        leave: ended - pushed,
        whole: (ended - began) - (acted - started),
    }
}

/// Files into which the agent and the check write the time at which they ran, as `date` gives it: the one program for
/// that which is everywhere. Its start counts as ours, one or two milliseconds.
struct Stamps {
    agent: PathBuf,
    check: PathBuf,
}

impl Stamps {
    fn new(place: &Place) -> Self {
        let stamps = Self { agent: place.path("agent.stamp"), check: place.path("check.stamp") };
        for file in [&stamps.agent, &stamps.check] {
            std::fs::write(file, "").unwrap();
        }
        stamps
    }

    fn command(&self, file: &Path) -> String {
        format!("date +%s%N > '{}'", file.display())
    }

    /// One edit, one commit, and the time.
    fn script(&self, place: &Place) -> PathBuf {
        let path = place.path("script.toml");
        let text = format!(
            "[[attempt]]\nsteps = [{{ write = {{ path = \"{}\", content = \"{}\\n\" }} }}, \
             {{ commit = {{ message = \"Change one file\" }} }}, {{ run = {{ command = \"{}\" }} }}]\n",
            Place::EDITED,
            now(),
            self.command(&self.agent),
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    fn read(&self, file: &Path) -> f64 {
        let text = std::fs::read_to_string(file).unwrap();
        let nanoseconds: f64 = text.trim().parse().expect("a time in nanoseconds");
        nanoseconds / 1e6
    }
}

/// All persisted events of the job whose lines these are.
fn events(place: &Place, lines: &str) -> Vec<Value> {
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let job = first["job"].as_str().expect("the job's id");
    let output = place.overnight().args(["show", "--events", "--json", job]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// When the one event of this type was written, in milliseconds.
fn at(events: &[Value], kind: &str) -> f64 {
    let found = events.iter().find(|event| event["event"]["type"] == kind);
    let at = found.and_then(|event| event["at_ms"].as_f64());
    at.unwrap_or_else(|| panic!("no {kind} with its time among {events:#?}"))
}

/// The time of day in milliseconds, as the events and `date` have it.
#[expect(clippy::disallowed_methods, reason = "a bench has a clock of its own")]
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1e3
}
