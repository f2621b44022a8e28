//! One kill of a worker: after an event, inside a system call, or after a time.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::Place;
use crate::harness::fleet::Worker;

/// When a worker is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kill {
    /// As soon as it has recorded so many more events.
    Event(u64),
    /// When one of its threads makes this system call for the nth time, before the call does anything.
    Call { call: String, nth: u32 },
    /// So many milliseconds after its start.
    After(u64),
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(nth) => write!(f, "event {nth}"),
            Self::Call { call, nth } => write!(f, "{call} {nth}"),
            Self::After(ms) => write!(f, "after {ms}"),
        }
    }
}

impl Kill {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (word, number) = text.split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        Some(match word {
            "event" => Self::Event(number),
            "after" => Self::After(number),
            call => Self::Call { call: call.to_owned(), nth: u32::try_from(number).ok()? },
        })
    }

    /// The kind, for sums.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Event(_) => "an event".to_owned(),
            Self::Call { call, .. } => call.clone(),
            Self::After(_) => "a time".to_owned(),
        }
    }

    /// Starts a worker and kills it so. Whether it was killed; otherwise it ended before, with nothing left to do.
    pub(super) fn strike(&self, place: &Place) -> bool {
        match self {
            Self::Event(more) => after_event(place, *more),
            Self::Call { call, nth } => {
                let inject = format!("inject={call}:signal=KILL:when={nth}");
                let options = ["-e", &format!("trace={call}"), "-e", &inject];
                in_call(place, &options)
            }
            Self::After(ms) => after_time(place, Duration::from_millis(*ms)),
        }
    }
}

/// The worker that is to be killed.
pub(super) const ARGS: [&str; 2] = ["--exit-when-idle", "--slots=2"];

fn after_event(place: &Place, more: u64) -> bool {
    let mut tables = place.tables();
    let wanted = tables.count_events() + more;
    let mut worker = place.worker(&ARGS);
    while tables.count_events() < wanted {
        if ended(&mut worker) {
            return false;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    // Nobody but the worker has the database open when it dies.
    tables.close();
    worker.kill();
    true
}

fn after_time(place: &Place, time: Duration) -> bool {
    let began = Instant::now();
    let mut worker = place.worker(&ARGS);
    while began.elapsed() < time {
        if ended(&mut worker) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    worker.kill();
    true
}

/// Under strace, which follows every thread and lets go of each program that is started.
fn in_call(place: &Place, options: &[&str]) -> bool {
    let status = Worker::start(traced(place, options), place).wait();
    match status.code {
        // strace ends as the worker did: by the signal.
        None => true,
        Some(0) => false,
        Some(code) => panic!("a worker under strace ended with {code}:\n{}", status.stderr),
    }
}

/// A worker below strace with these options.
pub(super) fn traced(place: &Place, options: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-b", "execve"]).args(options);
    if !options.contains(&"-o") {
        command.args(["-o", "/dev/null"]);
    }
    command.arg("--").arg(env!("CARGO_BIN_EXE_overnight")).arg("work").args(ARGS);
    command.current_dir(place.home()).env_clear().envs(place.environment()).stdin(Stdio::null());
    command
}

/// Whether it has ended by itself, which it may only with success.
fn ended(worker: &mut Worker) -> bool {
    let Some(status) = worker.ended() else { return false };
    assert!(status.success(), "a worker that nobody killed ended with {status}:\n{}", worker.said());
    true
}
