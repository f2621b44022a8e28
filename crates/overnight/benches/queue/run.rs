//! One measurement: an empty database, the contestant's program in it, and the one line that it prints.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::contestant::{self, Contestant, Engine, Program};
use crate::database::{Database, Files, Server};
use crate::install::{Peer, Start};
use crate::machine::command;
use crate::scenario::{Outcome, Scenario};

/// Far above what the slowest contestant needs for one measurement.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Runner {
    server: Result<Server, String>,
    files: Files,
    contestants: Vec<Contestant>,
    skipped: Vec<(String, String)>,
    starts: Vec<(Peer, Start)>,
}

impl Runner {
    /// Installs what is missing, and leaves out who cannot take part.
    pub(crate) fn new(only: &[String]) -> Self {
        let server = Server::start();
        let mut runner = Self {
            server,
            files: Files::new(),
            contestants: Vec::new(),
            skipped: Vec::new(),
            starts: Vec::new(),
        };
        let wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part.as_str()));
        for contestant in contestant::all().into_iter().filter(|contestant| wanted(&contestant.name())) {
            match runner.admit(&contestant) {
                Ok(()) => runner.contestants.push(contestant),
                Err(reason) => {
                    println!("skipped: {}: {reason}", contestant.name());
                    runner.skipped.push((contestant.name(), reason));
                }
            }
        }
        runner
    }

    fn admit(&mut self, contestant: &Contestant) -> Result<(), String> {
        if contestant.engine == Engine::Postgres {
            self.server.as_ref().map_err(Clone::clone)?;
        }
        let Program::Peer(peer, _) = contestant.program else { return Ok(()) };
        if !self.starts.iter().any(|(ready, _)| *ready == peer) {
            self.starts.push((peer, peer.ready()?));
        }
        Ok(())
    }

    pub(crate) fn contestants(&self) -> &[Contestant] {
        &self.contestants
    }

    /// Who could not take part, and why.
    pub(crate) fn skipped(&self) -> &[(String, String)] {
        &self.skipped
    }

    pub(crate) fn database(&self) -> Result<&Server, &String> {
        self.server.as_ref()
    }

    pub(crate) fn measure(&self, contestant: &Contestant, scenario: Scenario, size: usize) -> Outcome {
        self.try_measure(contestant, scenario, size).unwrap_or_else(Outcome::Failed)
    }

    fn try_measure(
        &self,
        contestant: &Contestant,
        scenario: Scenario,
        size: usize,
    ) -> Result<Outcome, String> {
        let database = Database::new(contestant.engine, self.database(), &self.files)?;
        let tell = |what: &str, count: usize| self.tell(contestant, &database, what, count);
        tell("setup", 0)?;
        if let Some(load) = scenario.load() {
            tell(load, size)?;
        }
        database.settle();
        let told = tell(scenario.name(), size)?;
        outcome(&told).ok_or_else(|| format!("it printed {told}"))
    }

    fn tell(
        &self,
        contestant: &Contestant,
        database: &Database<'_>,
        what: &str,
        count: usize,
    ) -> Result<Value, String> {
        let mut command = self.command(contestant);
        command.arg(what).arg(count.to_string()).env("DATABASE_URL", database.url());
        if let Ok(server) = &self.server {
            command.env("PGBENCH", server.pgbench());
        }
        let printed = output(&mut command).map_err(|reason| format!("{what}: {reason}"))?;
        let line = printed.lines().last().unwrap_or_default();
        serde_json::from_str(line).map_err(|error| format!("{what}: {error} in {line:?}"))
    }

    fn command(&self, contestant: &Contestant) -> Command {
        match contestant.program {
            Program::Own(name) => {
                let mut own = command(std::env::current_exe().unwrap());
                own.args(["--as", name]).env("RUST_BACKTRACE", "0");
                own
            }
            Program::Peer(peer, mode) => {
                let (_, start) =
                    self.starts.iter().find(|(ready, _)| *ready == peer).expect("it was admitted");
                let mut command = start.command();
                command.arg(mode);
                command
            }
        }
    }
}

fn outcome(told: &Value) -> Option<Outcome> {
    if let Some(rate) = told.get("rate") {
        return rate.as_f64().map(Outcome::Rate);
    }
    if let Some(fade) = told.get("fade") {
        return fade
            .get(0)?
            .as_f64()
            .zip(fade.get(1)?.as_f64())
            .map(|(first, last)| Outcome::Fade(first, last));
    }
    let mut ms = told.get("ms")?.as_array()?.iter().map(Value::as_f64).collect::<Option<Vec<_>>>()?;
    ms.sort_by(f64::total_cmp);
    Some(Outcome::Latency(ms))
}

/// What it printed. A program that does not end is killed.
fn output(command: &mut Command) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start it: {error}"))?;
    let out = reader(child.stdout.take().unwrap());
    let err = reader(child.stderr.take().unwrap());
    let ended = wait(&mut child);
    let (out, err) = (out.join().unwrap(), err.join().unwrap());
    match ended {
        Some(status) if status.success() => Ok(out),
        ended => {
            // A panic's reason is followed by a note on how to see more.
            let told = |line: &&str| !line.trim().is_empty() && !line.starts_with("note: ");
            let last = err.lines().rfind(told).unwrap_or_default();
            let how = ended.map_or_else(|| "it did not end".to_owned(), |status| status.to_string());
            Err(format!("{how}: {last}"))
        }
    }
}

fn reader(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        // What arrived before a broken pipe is what there is.
        let _ = stream.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// `None` when it had to be killed.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}
