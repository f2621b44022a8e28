//! What the API needs of the program around it: orders are placed and documents are made by the same code as those of the
//! command line, so that neither can drift from the other. The web knows neither repositories nor configuration.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use overnight_core::id::JobId;
use overnight_core::job::{Job, LogPart, LogPlace};
use overnight_store::NewRepository;
use serde_json::{Map, Value};

/// An answer that takes its time.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send>>;

/// The program around the API.
pub trait Desk: Debug + Send + Sync + 'static {
    /// Puts a job into the queue, or finds the one that the same request made before.
    fn order(&self, order: NewOrder) -> Answer<Placed>;

    /// The order of a job that has ended, again as a new job.
    fn again(&self, job: Job, request: Option<String>) -> Answer<Placed>;

    /// Makes jobs of tasks, as `overnight task start` does, or finds those that the same request made before.
    fn start(&self, start: NewStart) -> Answer<Started>;

    /// Refuses names of agents that are not known here.
    fn agents(&self, names: Vec<String>) -> Answer<()>;

    /// What a remote, or a directory of this machine, would be registered as.
    fn registration(&self, remote: String) -> Answer<NewRepository>;

    /// A document as the command of the same name prints it with `--json`, without what stands around it.
    fn document(&self, wanted: Document) -> Answer<Value>;

    /// A part of a job's log, as far as it is on this machine.
    fn log(&self, wanted: LogWanted) -> Answer<LogPage>;
}

/// Which lines of a job's log are wanted.
#[derive(Debug, Clone)]
pub struct LogWanted {
    pub job: Box<Job>,
    pub parts: LogParts,
    /// Only what comes after this place.
    pub after: Option<LogPlace>,
    /// Most lines.
    pub lines: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogParts {
    All,
    /// Every turn of the agent, and no checks.
    Agent,
    Checks,
    /// One turn, from 1.
    Turn(u32),
}

/// Lines of a job's log, in their order.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    pub lines: Vec<(LogPart, String)>,
    /// The place after the last of them. `None`: there is nothing yet, and nothing came before.
    pub at: Option<LogPlace>,
    /// There is more by now.
    pub more: bool,
    /// There is a log on this machine; otherwise it is on another one, was cleared away, or is not begun.
    pub kept: bool,
}

/// What is wanted, as it came.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// The body: its fields are for the desk to judge.
    pub fields: Map<String, Value>,
    /// The sender's own name for this request.
    pub request: Option<String>,
    /// Whether a directory may be named besides repositories that are known.
    pub any_directory: bool,
}

/// A job that is in the queue now.
#[derive(Debug, Clone)]
pub struct Placed {
    pub job: JobId,
    /// `false`: an earlier request had made it.
    pub new: bool,
    /// What to know about it, for people.
    pub notes: Vec<String>,
}

/// Tasks that are to become jobs, as it came.
#[derive(Debug, Clone)]
pub struct NewStart {
    /// Keys of tasks, or of what they belong to.
    pub items: Vec<String>,
    /// What else was said: its fields are for the desk to judge.
    pub fields: Map<String, Value>,
    /// The sender's own name for this request.
    pub request: Option<String>,
}

/// Jobs that were made of tasks.
#[derive(Debug, Clone, Default)]
pub struct Started {
    /// In the order in which they can be done; `false`: an earlier request had made it.
    pub jobs: Vec<(JobId, bool)>,
    /// Keys of tasks of a group that were left out, with their states.
    pub left: Vec<String>,
    /// What to know about them, for people.
    pub notes: Vec<String>,
}

/// What can be read.
#[derive(Debug, Clone)]
pub enum Document {
    /// As `overnight ls`.
    Jobs(Vec<Job>),
    /// As `overnight show`.
    Job(Box<Job>),
    Status,
    Workers {
        /// Also those that are gone.
        all: bool,
    },
    Budget,
    Cost {
        /// `day`, `repo`, `backend` or `model`.
        by: String,
        /// The first day, as in 2026-11-21.
        since: Option<String>,
    },
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: RefusalKind,
    pub what: String,
    pub help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// What was asked cannot be done: asking again does not help.
    Unusable,
    /// It needs a token of the scope `admin`.
    Forbidden,
    /// The store does not answer or fails.
    Store,
    /// A mistake of ours.
    Unexpected,
}
