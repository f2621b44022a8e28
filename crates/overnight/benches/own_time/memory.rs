//! The memory of the runner while its agent runs, from `/proc`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::Place;

/// Longest wait for a fact.
const PATIENCE: Duration = Duration::from_secs(60);

/// In KiB, as the kernel counts it.
pub(crate) struct Memory {
    /// Resident while the agent runs.
    pub(crate) agent: u64,
    /// Resident while the check runs.
    pub(crate) check: u64,
    /// The most that was resident up to the check.
    pub(crate) peak: u64,
}

/// Runs one job whose agent and check wait until the runner has been looked at.
pub(crate) fn sample(place: &Place) -> Memory {
    let gates = [Gate::new(place, "agent"), Gate::new(place, "check")];
    let script = place.path("waiting.toml");
    let text = format!(
        "[[attempt]]\nsteps = [{{ run = {{ command = \"{}\" }} }}, {{ write = {{ path = \"{}\", content = \"x\\n\" }} }}]\n",
        gates[0].command(),
        Place::EDITED,
    );
    std::fs::write(&script, text).unwrap();
    let mut command = place.overnight();
    command.args(["run", "--events", "--script"]).arg(&script);
    command.args(["--verify", &gates[1].command(), "Wait to be looked at"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let drain = std::thread::spawn(move || lines.map_while(Result::ok).last());
    let mut seen = gates.iter().map(|gate| gate.look(child.id()));
    let (agent, check) = (seen.next().unwrap(), seen.next().unwrap());
    assert!(child.wait().unwrap().success(), "the job failed");
    let last: Value = serde_json::from_str(&drain.join().unwrap().unwrap()).unwrap();
    assert_eq!(last["event"]["type"], "ended", "{last}");
    Memory { agent: agent.0, check: check.0, peak: check.1 }
}

/// Where a command waits until the bench lets it go on.
struct Gate {
    reached: PathBuf,
    open: PathBuf,
}

impl Gate {
    fn new(place: &Place, name: &str) -> Self {
        Self { reached: place.path(&format!("{name}.reached")), open: place.path(&format!("{name}.open")) }
    }

    fn command(&self) -> String {
        let (reached, open) = (self.reached.display(), self.open.display());
        format!("touch '{reached}'; until [ -e '{open}' ]; do sleep 0.02; done")
    }

    /// Resident and most resident memory of the runner when the gate is reached; then opens it.
    fn look(&self, runner: u32) -> (u64, u64) {
        wait_for(&self.reached);
        let status = std::fs::read_to_string(format!("/proc/{runner}/status")).unwrap();
        std::fs::write(&self.open, "").unwrap();
        (kib(&status, "VmRSS:"), kib(&status, "VmHWM:"))
    }
}

fn wait_for(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < PATIENCE, "{} was not reached", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
    // The writes that belong to the start of the turn are over a moment later.
    std::thread::sleep(Duration::from_millis(200));
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap()
}
