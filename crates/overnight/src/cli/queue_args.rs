//! Arguments about the queue: what goes in, what may run at a time, what is in it, and how a job in it is moved.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use overnight_core::job::{Label, Priority};
use overnight_store::LimitKey;

use super::run_args::{OutputArgs, WishArgs};
use super::values;
use crate::moment::Moment;

/// `overnight add`.
#[derive(Debug, Clone, Default, Args)]
pub struct AddArgs {
    #[command(flatten)]
    pub wish: WishArgs,
    /// Add many jobs, all or none: a file with one JSON object on each line, `-`: from standard input (overnight help queue)
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Queue",
        conflicts_with_all = ["prompt", "prompt_file", "title", "key"]
    )]
    pub batch: Option<PathBuf>,
    /// The jobs of the batch are one sprint: in this order, on one branch, in one conversation, with one pull request
    #[arg(
        long,
        value_name = "NAME",
        value_parser = Label::parse,
        help_heading = "Queue",
        requires = "batch",
        conflicts_with_all = ["line", "group", "prompt", "prompt_file"]
    )]
    pub sprint: Option<Label>,
    #[command(flatten)]
    pub queue: QueueArgs,
    /// Print one JSON document
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// How a job stands in the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Queue")]
pub struct QueueArgs {
    /// From -100 to 100, higher goes first [default: 0]
    #[arg(long, value_name = "NUMBER", value_parser = values::priority, allow_negative_numbers = true)]
    pub priority: Option<Priority>,
    /// Not to be started before: 2026-11-22T03:00:00Z, '2026-11-22 03:00', 03:00 or +2h
    #[arg(long, value_name = "TIME")]
    pub not_before: Option<Moment>,
    /// Only when this job has been published; if it ends in another way, this one ends too (repeatable)
    #[arg(long, value_name = "JOB")]
    pub after: Vec<String>,
    /// Only when this job has ended, in whatever way (repeatable)
    #[arg(long, value_name = "JOB")]
    pub after_any: Vec<String>,
    /// Your own name for this order: added twice it is one job
    #[arg(long, value_name = "NAME", value_parser = values::key)]
    pub key: Option<String>,
    /// A word on the job, for lists and limits (repeatable)
    #[arg(long, value_name = "LABEL", value_parser = Label::parse)]
    pub label: Vec<Label>,
    /// Jobs of one repository and group run one at a time
    #[arg(long, value_name = "NAME", value_parser = Label::parse)]
    pub group: Option<Label>,
    /// Jobs of one repository and line share a branch and a pull request, and run one at a time
    #[arg(long, value_name = "NAME", value_parser = Label::parse, conflicts_with = "group")]
    pub line: Option<Label>,
    /// Only a worker that offers this may take it (repeatable)
    #[arg(long, value_name = "LABEL", value_parser = Label::parse)]
    pub requires: Vec<Label>,
}

/// `overnight limit`.
#[derive(Debug, Args)]
pub struct LimitCommandArgs {
    #[command(subcommand)]
    pub action: LimitAction,
}

#[derive(Debug, Subcommand)]
pub enum LimitAction {
    /// The limits that are set, and how many jobs they count now
    Ls {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Let at most so many of these jobs run at a time; 0: none
    Set {
        /// repository:NAME, label:NAME or group:REPOSITORY/NAME
        #[arg(value_name = "KEY", value_parser = LimitKey::parse)]
        key: LimitKey,
        #[arg(value_name = "NUMBER")]
        number: u32,
        /// Also for a repository of which no job was ever queued
        #[arg(long)]
        ahead: bool,
    },
    /// Take a limit away
    Rm {
        /// repository:NAME, label:NAME or group:REPOSITORY/NAME
        #[arg(value_name = "KEY", value_parser = LimitKey::parse)]
        key: LimitKey,
    },
}

/// `overnight ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// Only jobs in this state (repeatable)
    #[arg(long, value_name = "STATE", value_enum)]
    pub state: Vec<StateName>,
    /// Only jobs with this label
    #[arg(long, value_name = "LABEL", value_parser = Label::parse)]
    pub label: Option<Label>,
    /// Only jobs of this repository, by the name that their keys begin with
    #[arg(long, value_name = "NAME")]
    pub repo: Option<String>,
    /// Show at most this many jobs
    #[arg(long, short = 'n', default_value_t = 20, value_name = "NUMBER")]
    pub limit: u32,
    /// Show every job
    #[arg(long, short, conflicts_with = "limit")]
    pub all: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Names as of [`JobState::name`](overnight_core::job::JobState::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateName {
    Queued,
    Preparing,
    Working,
    Collecting,
    Verifying,
    Publishing,
    Cleaning,
    Cascading,
    Parked,
    Ended,
}

impl StateName {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Preparing => "preparing",
            Self::Working => "working",
            Self::Collecting => "collecting",
            Self::Verifying => "verifying",
            Self::Publishing => "publishing",
            Self::Cleaning => "cleaning",
            Self::Cascading => "cascading",
            Self::Parked => "parked",
            Self::Ended => "ended",
        }
    }
}

/// `overnight cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<String>,
    /// Do not wait until they have ended
    #[arg(long)]
    pub no_wait: bool,
    /// Print a JSON document for each job
    #[arg(long)]
    pub json: bool,
}

/// `overnight compact`.
#[derive(Debug, Args)]
pub struct CompactArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
}

/// `overnight resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Key (app-12), id or beginning of an id; without it the newest job that can go on
    #[arg(value_name = "JOB", conflicts_with = "all")]
    pub job: Option<String>,
    /// Each job that can go on, in turn
    #[arg(long)]
    pub all: bool,
    /// Work on it here, also when a worker is there to do it
    #[arg(long)]
    pub here: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}
