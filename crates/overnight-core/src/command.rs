//! What to start and what came of it, as data. `overnight-proc` turns the first into the second; nobody else starts processes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::millis;

/// A command, complete: nothing is inherited from the runner's own environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// Absolute path, or a name looked up in `env["PATH"]`.
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub cwd: PathBuf,
    /// The whole environment of the child.
    pub env: BTreeMap<OsString, OsString>,
    pub stdin: Stdin,
    pub limits: Limits,
    pub isolation: Isolation,
}

impl CommandSpec {
    /// A command with no arguments, an empty environment, no input, default limits and full isolation.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            cwd: cwd.into(),
            env: BTreeMap::new(),
            stdin: Stdin::Null,
            limits: Limits::default(),
            isolation: Isolation::Contained(FileGuard::default()),
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    #[must_use]
    pub fn args<I, A>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = A>,
        A: Into<OsString>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }
}

/// Where a child reads from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// `/dev/null`.
    Null,
    /// These bytes, then end of file.
    Bytes(Vec<u8>),
    /// A pipe that stays open: a driver writes replies into it.
    Driven,
}

/// Bounds on one command. Every one of them ends or cuts the command, never the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest run in all.
    pub wall: Option<Duration>,
    /// Longest time without a byte of output in which the tree uses no processor time either. Where that cannot be measured,
    /// the longest time without output.
    pub silence: Option<Duration>,
    /// Longest time without a byte of output, whatever the tree uses: an endless loop is busy too.
    pub silence_busy: Option<Duration>,
    /// Time between TERM and KILL.
    pub grace: Duration,
    /// Time to wait for the pipes to close once the program itself has ended.
    pub drain: Duration,
    /// Bytes kept in the log file of each stream; what follows is counted and dropped.
    pub log_bytes: u64,
    /// Longest line handed to a driver, in bytes; a longer one is cut and marked.
    pub line_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: None,
            silence: None,
            silence_busy: None,
            grace: Duration::from_secs(10),
            drain: Duration::from_secs(2),
            log_bytes: 64 << 20,
            line_bytes: 1 << 20,
        }
    }
}

/// How far a command is kept apart from the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Isolation {
    /// Our own trusted helper (git on a mirror): ended with the runner, otherwise an ordinary process.
    Tethered,
    /// An agent or a check: the strongest containment the machine allows.
    Contained(FileGuard),
}

/// Paths that a contained command must not change or see. Holds where a mount namespace is available; the
/// [`Containment`] of the report says whether it did. Paths that do not exist are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileGuard {
    /// Seen, not written.
    pub read_only: Vec<PathBuf>,
    /// Writable again although below a read-only path.
    pub writable: Vec<PathBuf>,
    /// Seen as empty.
    pub hidden: Vec<PathBuf>,
}

/// What kept a process tree together, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Containment {
    /// Own process and mount namespace: ends as a whole, and the file guard held.
    PidNamespace,
    /// A sub-reaper that collects every orphan: ends as a whole, but files were not guarded.
    Subreaper,
}

/// Enough to find a process tree again after the runner was killed, and never to confuse it with another that was
/// given the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The tree's keeper: also its session and process group.
    pub pid: u32,
    /// Start time of `pid` in clock ticks since boot, from `/proc/PID/stat`.
    pub start_ticks: u64,
    /// The kernel's boot id.
    pub boot_id: String,
    pub containment: Containment,
}

/// Which output stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// How a program came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how", content = "value")]
pub enum Exit {
    /// It ended by itself with this status.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// Nobody saw it end: the runner was killed, and the tree with it.
    Unknown,
}

/// Why the runner ended a command before it ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// [`Limits::wall`] ran out.
    WallTimeout,
    /// [`Limits::silence`] ran out, or [`Limits::silence_busy`] did. `idle`: whether the tree used no processor time in the end;
    /// `None`: that could not be measured.
    SilenceTimeout { idle: Option<bool> },
    /// The caller asked (cancel, lost lease, shutdown).
    Asked,
    /// The driver asked: a budget is used up, or the turn is over and the program does not leave.
    Driver,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitReport {
    pub exit: Exit,
    /// Why we ended it; `None` when it ended by itself.
    pub stopped: Option<StopReason>,
    /// Processes were still there when the program had ended, and were killed.
    pub left_processes: bool,
    /// Bytes of output that the log cap cut off.
    pub dropped_bytes: u64,
    #[serde(with = "millis", rename = "elapsed_ms")]
    pub elapsed: Duration,
    /// Most memory that one process of the tree held, in KiB, where the kernel tells.
    pub peak_rss_kib: Option<u64>,
    pub containment: Containment,
}

impl ExitReport {
    /// Whether the program ended by itself with status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.exit == Exit::Code(0) && self.stopped.is_none()
    }
}
