//! A worker: takes jobs from the queue as long as it has free slots, and looks after the queue while it does.
//!
//! ```text
//! store (wakes, polling) ─► intake ─► a task per job ─► ended ─► health ─► intake
//!                             ▲                                    │
//!       chores: due, lost, disk, probes, canaries ─────────────────┘          board ─► report (heartbeat, /health)
//! ```
//!
//! Here: what a worker is told and what it tells. The loop is in `run`, what it claims in `intake`, what a job's end means in
//! `outcome`, what is done from time to time in `chores`, what it says of itself in `board`.

mod board;
mod chores;
mod clock;
mod crew;
mod intake;
mod outcome;
mod run;
mod vendors;
mod watching;

use std::time::Duration;

use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::{EndReason, Job, ParkReason};
use overnight_core::units::Timestamp;
use overnight_core::watch::WatchPolicy;
use overnight_core::worker::{HealthPolicy, WorkerStatus};
use overnight_store::{Offer, Reclaimed, StoreError};
use tokio_util::sync::CancellationToken;

use crate::error::WorkError;

pub use run::{Wires, run};

/// How a worker works. All of it can change while it does.
#[derive(Debug, Clone, PartialEq)]
pub struct DispatchSettings {
    /// Jobs at a time.
    pub slots: usize,
    pub offer: Offer,
    /// How often the queue is looked at when nothing is heard of it.
    pub poll: Duration,
    /// How often lost jobs are looked for.
    pub sweep: Duration,
    /// A job goes back into the queue this often after its worker was lost; the next loss ends it.
    pub most_losses: u32,
    /// Jobs of a place that was not heard of for this long go on elsewhere.
    pub move_after: Duration,
    /// No job is taken while the data directory's disk has fewer bytes free.
    pub disk_floor: u64,
    pub health: HealthPolicy,
    /// What is done about our pull requests by itself.
    pub watch: WatchPolicy,
}

/// How long a worker works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Forever,
    /// Until nothing is ready and nothing runs.
    UntilIdle,
    /// One job, waiting at most this long for it.
    Once {
        wait: Duration,
    },
}

/// What may be asked of a running worker.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Take no more jobs, finish those that run, and end.
    pub drain: CancellationToken,
    /// Let go of everything at once: trees are killed, jobs stay where they are.
    pub force: CancellationToken,
}

/// Who a worker is, for its report.
#[derive(Debug, Clone)]
pub struct WorkerFacts {
    /// As of [`WorkerRow::host`](overnight_store::WorkerRow).
    pub host: String,
    pub pid: u32,
    pub version: String,
}

/// What a worker tells while it works.
#[derive(Debug)]
pub enum Told {
    Started {
        slots: usize,
    },
    Claimed {
        job: JobId,
        key: TaskKey,
        title: String,
    },
    Ended {
        job: JobId,
        key: TaskKey,
        reason: EndReason,
        detail: String,
    },
    Waits {
        job: JobId,
        key: TaskKey,
        reason: ParkReason,
        wake: Option<Timestamp>,
    },
    /// It was let go of where it was.
    Failed {
        job: JobId,
        key: TaskKey,
        why: String,
    },
    /// Jobs of lost workers were taken back.
    Reclaimed(Vec<Reclaimed>),
    /// Jobs that this version cannot read were set aside.
    Unreadable(Vec<String>),
    Status {
        from: WorkerStatus,
        to: WorkerStatus,
        why: Option<String>,
    },
    Draining {
        running: usize,
    },
    /// The drain was taken back: it takes jobs again.
    CalledBack,
}

/// How a worker's work ended.
#[derive(Debug)]
pub struct Finished {
    /// Jobs that were claimed.
    pub jobs: u64,
    /// With [`Mode::Once`].
    pub once: Option<OnceEnd>,
    pub forced: bool,
}

/// What came of the one job.
#[derive(Debug)]
pub enum OnceEnd {
    /// It has ended, or waits.
    Done(Box<Job>),
    /// It could not be worked on, and was given back.
    Failed { job: JobId, error: WorkError },
}

/// A worker that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    #[error("the store failed")]
    Store(#[from] StoreError),
}
