//! Takes one job as far as it goes: claim, stage after stage, and what a signal between or in them means.

use std::sync::Arc;
use std::time::Instant;

use overnight_core::id::JobId;
use overnight_core::job::{Input, Job, JobState, Stage};
use overnight_store::{Claim, Claimed};

use crate::engine::Engine;
use crate::error::WorkError;
use crate::heartbeat::{self, Rhythm};
use crate::progress::{Progress, Watcher};
use crate::seat::Seat;
use crate::signals::{Cause, Stop};
use crate::stages;
use crate::trouble::StageError;

impl Engine {
    /// Claims the job and works on it until it has ended or waits for something.
    ///
    /// # Errors
    /// [`WorkError`]; none of them changes where the job is.
    pub async fn work(&self, id: &JobId, watcher: &Watcher, stop: &Stop) -> Result<Job, WorkError> {
        let rhythm = Rhythm { lease: self.settings().lease, heartbeat: self.settings().heartbeat };
        let claim = self.store().job_claim(id, self.worker(), rhythm.lease, self.dead_workers()).await?;
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
        if let Some(by) = job.cancel {
            // Asked for while nobody held the job: nothing is started any more.
            signals.raise(Cause::Cancel(by));
        }
        let mut seat = Seat::new(self, job, Arc::clone(&lease), watcher, signals);
        let result = tokio::select! {
            result = Box::pin(go(&mut seat)) => result,
            // Also in the middle of a cancel that an agent lets wait: what runs is dropped, and its tree killed with it.
            () = stop.force.cancelled() => Err(WorkError::Forced),
        };
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
        if stood_down(seat, stage).await? {
            continue;
        }
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

/// A cancel between two stages, or one that came while a stage that cannot be stopped was finishing: whether it moved the
/// job. What ends the job is not undone any more.
async fn stood_down(seat: &mut Seat<'_>, stage: Stage) -> Result<bool, WorkError> {
    match (seat.signals.cause(), stage) {
        (None, _) | (Some(Cause::Cancel(_)), Stage::Cleanup) => Ok(false),
        (Some(_), _) => stopped(seat).await.map(|()| true),
    }
}

async fn stopped(seat: &mut Seat<'_>) -> Result<(), WorkError> {
    match seat.signals.cause() {
        Some(Cause::Cancel(by)) => seat.input(Input::Cancel { by }).await,
        Some(Cause::LeaseLost) => Err(WorkError::LeaseLost),
        // Only a signal stops a stage.
        None => Err(WorkError::Forced),
    }
}
