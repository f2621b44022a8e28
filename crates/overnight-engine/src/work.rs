//! Takes one job as far as it goes: claim, stage after stage, and what a signal between or in them means.

use std::sync::Arc;
use std::time::{Duration, Instant};

use overnight_core::id::JobId;
use overnight_core::job::{CancelledBy, Input, Job, JobState, Stage};
use overnight_store::{Claim, Claimed, Lease};
use tokio_util::task::AbortOnDropHandle;

use crate::engine::Engine;
use crate::error::WorkError;
use crate::ideas;
use crate::progress::{Progress, Watcher};
use crate::seat::Seat;
use crate::signals::{Cause, Signals, Stop};
use crate::stages;
use crate::trouble::StageError;

/// Longest wait for a lease to be given back.
const GIVING_BACK: Duration = Duration::from_secs(5);

impl Engine {
    /// Claims this job and works on it until it has ended or waits for something.
    ///
    /// # Errors
    /// [`WorkError`]; none of them changes where the job is.
    pub async fn work(&self, id: &JobId, watcher: &Watcher, stop: &Stop) -> Result<Job, WorkError> {
        let claim = self.store().job_claim(id, self.claimant(), self.dead_workers()).await?;
        match claim {
            Claim::Taken(claimed) => self.work_on(*claimed, watcher, stop, true).await,
            Claim::Held { by, until } => Err(WorkError::Held { job: id.clone(), worker: by, until }),
            Claim::Blocked => Err(WorkError::Blocked(id.clone())),
            Claim::Elsewhere { place } => Err(WorkError::Elsewhere { job: id.clone(), place }),
            Claim::Full { limit } => Err(WorkError::Full { job: id.clone(), limit }),
            Claim::Ended => Err(WorkError::Ended(id.clone())),
        }
    }

    /// Works on a job that this worker has claimed until it has ended or waits for something. The lease is kept from the first
    /// moment on.
    ///
    /// # Errors
    /// As [`Engine::work`].
    pub async fn work_claimed(
        &self,
        claimed: Claimed,
        watcher: &Watcher,
        stop: &Stop,
    ) -> Result<Job, WorkError> {
        self.work_on(claimed, watcher, stop, false).await
    }

    /// `insist`: it was claimed by its name.
    async fn work_on(
        &self,
        claimed: Claimed,
        watcher: &Watcher,
        stop: &Stop,
        insist: bool,
    ) -> Result<Job, WorkError> {
        let Claimed { lease, job, events } = claimed;
        let lease = Arc::new(lease);
        let known = events.last().map(|record| record.number);
        for record in events {
            if let Ok(event) = record.event {
                watcher.tell(Progress::Event { number: record.number, at: record.at, event });
            }
        }
        let signals = Arc::new(Signals::default());
        let holding = self.heart().hold(&lease, &signals, self.rhythm());
        let listening = AbortOnDropHandle::new(tokio::spawn(listen(stop.clone(), Arc::clone(&signals))));
        if let Some(by) = job.cancel.clone() {
            // Asked for while nobody held the job: nothing is started any more.
            signals.raise(Cause::Cancel(by));
        }
        let mut seat = Seat::new(self, job, Arc::clone(&lease), watcher, signals, insist);
        if let Some(number) = known {
            seat.told_up_to(number);
        }
        let result = tokio::select! {
            result = Box::pin(go(&mut seat)) => result,
            // Also in the middle of a cancel that an agent lets wait: what runs is dropped, and its tree killed with it.
            () = stop.force.cancelled() => Err(WorkError::Forced),
        };
        let job = seat.job;
        drop((holding, listening));
        match result {
            Ok(()) => {
                if job.state.is_ended() && job.spec.document().is_some() {
                    // Before anybody looks whether the queue is empty. Where it fails, a worker's chore makes up for it.
                    if let Err(error) = Box::pin(ideas::go_on(self.store())).await {
                        tracing::warn!(job.id = %job.id, %error, "what follows an idea's job was not looked at");
                    }
                }
                Ok(job)
            }
            Err(error) => {
                self.let_go(&lease, &error).await;
                Err(error)
            }
        }
    }

    /// Best effort: a lease that is not given back runs out by itself.
    async fn let_go(&self, lease: &Lease, why: &WorkError) {
        if matches!(why, WorkError::LeaseLost) {
            return;
        }
        let released = tokio::time::timeout(GIVING_BACK, self.store().lease_release(lease, None)).await;
        if let Ok(Err(error)) = released {
            tracing::warn!(job.id = %lease.job(), %error, "the lease could not be given back");
        }
    }
}

async fn listen(stop: Stop, signals: Arc<Signals>) {
    stop.cancel.cancelled().await;
    signals.raise(Cause::Cancel(CancelledBy::Interrupt));
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
