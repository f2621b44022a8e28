//! The words of a worker's health: what can happen to it, how patient it is, and what it answers.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::BackendId;
use crate::units::Timestamp;

/// How patient a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthPolicy {
    /// The wait after the first failure; each further one in a row doubles it.
    pub backoff_start: Duration,
    pub backoff_max: Duration,
    /// So many failures in a row make the worker unhealthy.
    pub unhealthy_after: u32,
    /// How often one job of a backend with an expired login may try.
    pub login_probe: Duration,
    /// How often an unhealthy worker, or one without disk space, looks whether it can go on.
    pub probe: Duration,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            backoff_start: Duration::from_secs(5),
            backoff_max: Duration::from_secs(300),
            unhealthy_after: 5,
            login_probe: Duration::from_secs(60),
            probe: Duration::from_secs(30),
        }
    }
}

impl HealthPolicy {
    /// The wait after the `nth` failure in a row, from 1.
    #[must_use]
    pub fn backoff(&self, nth: u32) -> Duration {
        let factor = 1_u32.checked_shl(nth.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff_start.saturating_mul(factor).min(self.backoff_max)
    }
}

/// What a job's end, or its pause, says of the worker that ran it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// Any regular end: published, failed its checks, refused by the agent, … The worker is well.
    Done,
    /// It is parked for something outside the worker: a quota, a dependency. Says nothing of the worker.
    Waits,
    /// The worker could not do its part: the store was lost, a process not started, a disk not written.
    Trouble { detail: String },
    /// The agent CLI said that it is not logged in.
    LoginExpired { backend: BackendId, detail: String },
}

/// Something that happened to a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthEvent {
    JobEnded(JobOutcome),
    /// The store could not be reached or did not do as asked, outside of a job.
    StoreFailed {
        detail: String,
    },
    /// The store did as asked: forgives the store's failures and no others, so it may be reported with every heartbeat.
    StoreWorks,
    /// A look at the store and the directories found everything in order.
    ProbeOk,
    ProbeFailed {
        detail: String,
    },
    /// A turn of this backend got an answer from its vendor.
    LoginWorks {
        backend: BackendId,
    },
    /// A job of a backend with an expired login was let out, or there was none to let out.
    CanaryStarted {
        backend: BackendId,
    },
    DiskLow {
        path: PathBuf,
        free_bytes: u64,
        floor_bytes: u64,
    },
    DiskOk,
    DrainAsked,
    /// Whoever asked for it has taken it back.
    DrainUndone,
}

/// The one word for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerStatus {
    Running,
    Idle,
    /// Takes no jobs for a while: after a failure, or because the disk is nearly full. Goes on by itself.
    Backoff,
    Unhealthy,
    /// The login of at least one backend has expired. Jobs of other backends go on.
    LoginExpired,
    /// Finishes what it has and takes nothing more.
    Draining,
}

impl WorkerStatus {
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Idle, Self::Backoff, Self::Unhealthy, Self::LoginExpired, Self::Draining];

    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Idle => "idle",
            Self::Backoff => "backoff",
            Self::Unhealthy => "unhealthy",
            Self::LoginExpired => "login-expired",
            Self::Draining => "draining",
        }
    }
}

/// Whether jobs may be claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Intake {
    Open {
        /// Jobs that need one of these stay where they are.
        not_backends: Vec<BackendId>,
    },
    Closed {
        reason: ClosedReason,
        /// When this is looked at again; `None`: never.
        #[serde(rename = "until_ms")]
        until: Option<Timestamp>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClosedReason {
    Draining,
    Unhealthy,
    DiskLow,
    Backoff,
}

impl ClosedReason {
    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Unhealthy => "unhealthy",
            Self::DiskLow => "disk-low",
            Self::Backoff => "backoff",
        }
    }
}
