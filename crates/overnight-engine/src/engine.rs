//! The engine: what it needs, and the loop that takes one job as far as it goes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use overnight_core::id::{JobId, WorkerId};
use overnight_core::job::{IllegalTransition, Input, Job, JobState, Stage};
use overnight_core::units::Timestamp;
use overnight_git::{Git, HostEnv, Mirrors};
use overnight_proc::Redact;
use overnight_store::{Claim, Claimed, ErrorClass, Store, StoreError};

use crate::credentials::ForgeSettings;
use crate::dirs::Dirs;
use crate::heartbeat::{self, Rhythm};
use crate::masks::Masks;
use crate::progress::{Progress, Watcher};
use crate::seat::Seat;
use crate::signals::{Cause, Stop};
use crate::stages::{self, StageError};

/// Facts about the machine and the person's environment, read once by the composition root.
#[derive(Debug, Clone)]
pub struct Host {
    /// The runner's own environment: agents and checks get an allow-listed part of it.
    pub env: BTreeMap<OsString, OsString>,
    pub home: Option<PathBuf>,
    /// Running as uid 0.
    pub root: bool,
    /// Our own program, for the rehearsal backend.
    pub self_exe: PathBuf,
}

/// Times that the engine keeps. All of them are settings.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// How long a lease holds without a renewal.
    pub lease: Duration,
    pub heartbeat: Duration,
    /// Bytes kept of one turn's or check's output.
    pub log_bytes: u64,
    /// Longest fetch, clone or push.
    pub git_timeout: Duration,
    /// Longest collect: add, commit and bundle inside the containment.
    pub collect_timeout: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            heartbeat: Duration::from_secs(10),
            log_bytes: 64 << 20,
            git_timeout: Duration::from_secs(15 * 60),
            collect_timeout: Duration::from_secs(10 * 60),
        }
    }
}

/// What an engine is made of.
#[derive(Debug)]
pub struct EngineParts {
    pub store: Store,
    pub dirs: Dirs,
    pub git: Git,
    pub host: Host,
    pub worker: WorkerId,
    /// Workers that are known to be dead: their leases are taken at once instead of when they run out.
    pub dead_workers: Vec<WorkerId>,
    pub forges: ForgeSettings,
    pub settings: EngineSettings,
}

/// Takes jobs through their stages.
pub struct Engine {
    parts: EngineParts,
    mirrors: Mirrors,
    git_env: HostEnv,
    redactor: Arc<dyn Redact>,
}

/// Why a job could not be worked on to its end, its pause or its cancellation. The job itself is unharmed.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error("job {job} is being worked on by {worker}")]
    Held { job: JobId, worker: WorkerId, until: Timestamp },
    #[error("job {0} has ended already")]
    Ended(JobId),
    #[error("another worker took the job over; this one has stopped")]
    LeaseLost,
    #[error("left at once; the job can be resumed")]
    Forced,
    #[error("the store failed")]
    Store(#[source] StoreError),
    #[error("the job was moved in a way that cannot be")]
    Illegal(#[from] IllegalTransition),
}

impl From<StoreError> for WorkError {
    fn from(error: StoreError) -> Self {
        if error.class() == ErrorClass::LeaseLost { Self::LeaseLost } else { Self::Store(error) }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Engine {
    #[must_use]
    pub fn new(parts: EngineParts) -> Self {
        let mirrors = Mirrors::new(parts.git.clone(), parts.dirs.mirrors());
        let git_env = HostEnv::from_vars(parts.host.env.clone());
        let redactor = Arc::new(Masks::new(&parts.host));
        Self { parts, mirrors, git_env, redactor }
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    #[must_use]
    pub fn dirs(&self) -> &Dirs {
        &self.parts.dirs
    }

    pub(crate) fn mirrors(&self) -> &Mirrors {
        &self.mirrors
    }

    /// What git may see of the person's environment.
    pub(crate) fn git_env(&self) -> &HostEnv {
        &self.git_env
    }

    /// Takes known secrets out of every line that is stored.
    pub(crate) fn redactor(&self) -> Arc<dyn Redact> {
        Arc::clone(&self.redactor)
    }

    pub(crate) fn host(&self) -> &Host {
        &self.parts.host
    }

    pub(crate) fn forges(&self) -> &ForgeSettings {
        &self.parts.forges
    }

    pub(crate) fn settings(&self) -> &EngineSettings {
        &self.parts.settings
    }

    /// Claims the job and works on it until it has ended or waits for something.
    ///
    /// # Errors
    /// [`WorkError`]; none of them changes where the job is.
    pub async fn work(&self, id: &JobId, watcher: &Watcher, stop: &Stop) -> Result<Job, WorkError> {
        let rhythm = Rhythm { lease: self.parts.settings.lease, heartbeat: self.parts.settings.heartbeat };
        let claim =
            self.store().job_claim(id, &self.parts.worker, rhythm.lease, &self.parts.dead_workers).await?;
        let Claimed { lease, job, events } = match claim {
            Claim::Taken(claimed) => *claimed,
            Claim::Held { by, until } => return Err(WorkError::Held { job: id.clone(), worker: by, until }),
            Claim::Ended => return Err(WorkError::Ended(id.clone())),
        };
        let lease = Arc::new(lease);
        for record in events {
            if let Ok(event) = record.event {
                watcher.tell(Progress::Event { number: record.number, at: record.at, event });
            }
        }
        let (heartbeat, signals) = heartbeat::start(self.store().clone(), Arc::clone(&lease), rhythm, stop);
        let mut seat = Seat::new(self, job, Arc::clone(&lease), watcher, signals);
        let result = go(&mut seat).await;
        let job = seat.job;
        drop(heartbeat);
        if let Err(error) = result {
            if !matches!(error, WorkError::LeaseLost) {
                // Best effort: a lease that is not given back runs out by itself.
                if let Err(error) = self.store().lease_release(&lease).await {
                    tracing::warn!(job.id = %job.id, %error, "the lease could not be given back");
                }
            }
            return Err(error);
        }
        Ok(job)
    }
}

/// Does stage after stage until none is due.
async fn go(seat: &mut Seat<'_>) -> Result<(), WorkError> {
    loop {
        let due = match seat.state() {
            JobState::Parked { .. } => None,
            state => state.stage(),
        };
        let Some(stage) = due else { return Ok(()) };
        stand_down_if_asked(seat, stage).await?;
        seat.stage_began = Instant::now();
        let done = stages::run(stage, seat).await;
        let elapsed = seat.stage_began.elapsed();
        match done {
            Ok(Some(output)) => seat.input(Input::Done { output, elapsed }).await?,
            Ok(None) => {}
            Err(StageError::Stopped) => stopped(seat).await?,
            Err(StageError::Trouble { trouble, detail }) => {
                tracing::warn!(job.id = %seat.job.id, stage = stage.as_str(), %detail, "a stage could not be done");
                seat.input(Input::Failed { trouble, detail, elapsed }).await?;
            }
            Err(StageError::MirrorDamaged { detail }) => {
                let (trouble, detail) = stages::put_mirror_aside(seat, detail).await;
                seat.input(Input::Failed { trouble, detail, elapsed }).await?;
            }
            Err(StageError::Work(error)) => return Err(error),
        }
    }
}

/// A cancel between two stages, or one that came while a stage that cannot be stopped was finishing. What ends the job
/// is not undone any more.
async fn stand_down_if_asked(seat: &mut Seat<'_>, stage: Stage) -> Result<(), WorkError> {
    match (seat.signals.cause(), stage) {
        (None, _) | (Some(Cause::Cancel(_)), Stage::Cleanup) => Ok(()),
        (Some(_), _) => stopped(seat).await,
    }
}

async fn stopped(seat: &mut Seat<'_>) -> Result<(), WorkError> {
    match seat.signals.cause() {
        Some(Cause::Cancel(by)) => seat.input(Input::Cancel { by }).await,
        Some(Cause::LeaseLost) => Err(WorkError::LeaseLost),
        Some(Cause::Forced) | None => Err(WorkError::Forced),
    }
}
