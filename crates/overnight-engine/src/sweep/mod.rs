//! Clearing up: what dead workers, ended jobs and old repositories leave on this machine's disk and in the store.
//!
//! ```text
//! store, data directory, mirrors ─► facts ─► plan (pure) ─► items, each with its reason ─► carry
//! ```
//!
//! Deleted is only what nobody can need any more: what belongs to a job that has ended, to a process that is dead, or to
//! nothing at all. An unfinished job is never touched, whether it waits, runs or was lost; only processes of its that
//! no runner watches over are ended. What of a job nobody knows here is judged only where it is certain that the store is
//! the one that this data directory has always worked for (`stores`).
//!
//! Here: what others call. What is looked at is in `facts`, what follows from it in `plan`, how it is done in `carry`.

mod carry;
mod facts;
mod log;
mod plan;
mod stores;
mod target;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use overnight_core::job::Label;
use overnight_core::units::Timestamp;
use overnight_git::{Git, GitError, Mirrors};
use overnight_proc::Redact;
use overnight_store::{Store, StoreError};

use crate::dirs::Dirs;
use crate::engine::Engine;
use crate::host::Host;
use crate::masks::Masks;
use crate::trouble::chain;

pub use carry::{Failure, Report};
pub use log::{log_name, open_log};
pub use plan::{Item, Plan};
pub(crate) use stores::note as note_store;
pub use target::Target;

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// What a crash left, for a person to look at.
    pub crashed: Duration,
    /// Logs of an ended job as plain text; `None`: they are never compressed.
    pub compress: Option<Duration>,
    /// Logs of an ended job, and damaged mirrors that were put aside; `None`: for ever.
    pub logs: Option<Duration>,
    /// Records of an ended job; `None`: for ever.
    pub jobs: Option<Duration>,
    /// Mirrors that no job uses; `None`: for ever.
    pub mirrors: Option<Duration>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Retention {
    fn default() -> Self {
        Self { crashed: DAY, compress: Some(DAY), logs: Some(DAY * 30), jobs: Some(DAY * 90), mirrors: None }
    }
}

/// How much is done in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As much as fits between a worker's other chores; the rest is for the next time.
    Round,
    Everything,
}

impl Reach {
    /// Most records of jobs of one plan.
    fn records(self) -> u32 {
        match self {
            Self::Round => 1_000,
            Self::Everything => u32::MAX,
        }
    }

    /// No item is begun after this long.
    fn time(self) -> Option<Duration> {
        match self {
            Self::Round => Some(Duration::from_secs(10 * 60)),
            Self::Everything => None,
        }
    }
}

/// What a sweeper is made of.
#[derive(Debug)]
pub struct SweeperParts {
    pub store: Store,
    pub dirs: Dirs,
    pub git: Git,
    pub host: Host,
    /// The identity of the data directory.
    pub place: Label,
}

/// Clears up one data directory and the store that it works for.
#[derive(Clone)]
pub struct Sweeper {
    store: Store,
    dirs: Dirs,
    mirrors: Mirrors,
    place: Label,
    redactor: Arc<dyn Redact>,
    retention: Retention,
    reach: Reach,
}

impl std::fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Sweeper");
        debug.field("dirs", &self.dirs).field("retention", &self.retention).finish_non_exhaustive()
    }
}

/// Why nothing could be cleared up.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("{} cannot be looked at", path.display())]
    Look { path: PathBuf, source: io::Error },
    #[error("a mirror cannot be looked at")]
    Mirror(#[from] GitError),
    #[error("another process is clearing up")]
    Busy,
    #[error("looking at what is there took longer than {} s", .0.as_secs())]
    TooLong(Duration),
}

/// Longest look at what is there.
const LOOKING: Duration = Duration::from_secs(10 * 60);

impl Sweeper {
    /// A sweeper that does everything it finds.
    #[must_use]
    pub fn new(parts: SweeperParts, retention: Retention) -> Self {
        let SweeperParts { store, dirs, git, host, place } = parts;
        let mirrors = Mirrors::new(git, dirs.mirrors());
        let redactor = Arc::new(Masks::new(&host, &[]));
        Self { store, dirs, mirrors, place, redactor, retention, reach: Reach::Everything }
    }

    #[must_use]
    pub fn reaching(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// What there is to clear up at this time. Changes nothing.
    ///
    /// # Errors
    /// [`SweepError`]; a mirror that somebody uses is passed over, and no error.
    pub async fn plan(&self, now: Timestamp) -> Result<Plan, SweepError> {
        let looking = Box::pin(facts::gather(self, now));
        let facts = tokio::time::timeout(LOOKING, looking).await;
        let facts = facts.unwrap_or(Err(SweepError::TooLong(LOOKING)))?;
        Ok(plan::plan(&facts, &self.retention))
    }

    /// Does what was planned, item by item. What cannot be done is warned of and keeps nothing else from being done.
    /// Can be dropped at any point.
    ///
    /// # Errors
    /// [`SweepError::Busy`] while another process does the same; nothing was done then.
    pub async fn carry_out(
        &self,
        plan: Plan,
        progress: &(dyn Fn(&Item, Result<(), &str>) + Send + Sync),
    ) -> Result<Report, SweepError> {
        carry::carry_out(self, plan, progress).await
    }

    /// A plan for this moment, carried out: what a worker does from time to time.
    ///
    /// # Errors
    /// [`SweepError`].
    pub async fn round(&self) -> Result<Report, SweepError> {
        let plan = self.plan(self.store.now().await?).await?;
        if plan.items.is_empty() {
            return Ok(Report::default());
        }
        self.carry_out(plan, &|_, _| {}).await
    }

    /// Clears up now and then every so often, until it is dropped.
    pub async fn keep(self, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match Box::pin(self.round()).await {
                Ok(report) => {
                    let (done, failed, left) = (report.done.len(), report.failed.len(), report.left.len());
                    tracing::debug!(done, failed, left, "a round of clearing up is over");
                }
                // Another worker of the same data directory does it.
                Err(SweepError::Busy) => {}
                Err(error) => tracing::warn!(error = chain(&error), "nothing could be cleared up"),
            }
        }
    }
}

impl Engine {
    /// Clears up where this engine works, a round at a time.
    #[must_use]
    pub fn sweeper(&self, retention: Retention) -> Sweeper {
        Sweeper {
            store: self.store().clone(),
            dirs: self.dirs().clone(),
            mirrors: self.mirrors().clone(),
            place: self.claimant().place.clone(),
            redactor: self.redactor(),
            retention,
            reach: Reach::Round,
        }
    }
}
