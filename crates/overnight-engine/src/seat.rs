//! A job that we hold: its lease, its state as last written, and the only way to move it.

use std::sync::Arc;
use std::time::Instant;

use overnight_core::id::EventNumber;
use overnight_core::job::{Configured, Input, Job, JobEvent, JobState, Notice, Order, transition};
use overnight_core::units::Timestamp;
use overnight_git::Mirror;
use overnight_store::{Applied, Lease, Renewal, StoreError};

use crate::dirs::JobDirs;
use crate::engine::Engine;
use crate::error::WorkError;
use crate::patience::Patience;
use crate::progress::{Progress, Watcher};
use crate::signals::{Cause, Signals};
use crate::trouble::StageError;

pub(crate) struct Seat<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) job: Job,
    pub(crate) dirs: JobDirs,
    pub(crate) watcher: &'a Watcher,
    pub(crate) signals: Arc<Signals>,
    lease: Arc<Lease>,
    /// The last event that the watcher was told of.
    told: Option<EventNumber>,
    /// A person asked for this job by its name: a vendor that is not asked for others is asked for it.
    pub(crate) insist: bool,
    /// When the stage at hand was begun by this runner.
    pub(crate) stage_began: Instant,
    /// Opened, and mended if need be, by the first stage that needed it.
    pub(crate) mirror: Option<Mirror>,
}

impl<'a> Seat<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        job: Job,
        lease: Arc<Lease>,
        watcher: &'a Watcher,
        signals: Arc<Signals>,
        insist: bool,
    ) -> Self {
        let dirs = engine.dirs().job(&job.id);
        let stage_began = Instant::now();
        Self { engine, job, dirs, watcher, signals, lease, told: None, insist, stage_began, mirror: None }
    }

    /// The watcher knows everything up to this event.
    pub(crate) fn told_up_to(&mut self, number: EventNumber) {
        self.told = Some(number);
    }

    /// Decides and writes one step, and tells the watcher what was written.
    pub(crate) async fn input(&mut self, input: Input) -> Result<(), WorkError> {
        let now = self.patience().until(|| self.engine.store().now()).await?;
        let order = Order { key: &self.job.key, spec: &self.job.spec };
        let step = transition(&self.job.state, input, now, order)?;
        let next = step.next.clone();
        let applied = self.patience().write(&self.lease, &self.job.state, step).await?;
        if next.is_ended() || matches!(next, JobState::Parked { .. }) {
            // The store gave the lease back in the same transaction.
            self.job.holder = None;
        }
        self.job.state = next;
        self.tell_applied(applied).await
    }

    async fn tell_applied(&mut self, applied: Applied) -> Result<(), WorkError> {
        if let (Some(told), Some((first, ..))) = (self.told, applied.events.first())
            && first.0 > told.0 + 1
        {
            self.catch_up(Some(*first)).await?;
        }
        for (number, at, event) in applied.events {
            self.job.updated_at = at;
            self.told = Some(number);
            self.watcher.tell(Progress::Event { number, at, event });
        }
        Ok(())
    }

    /// Tells the watcher what others wrote into the job's record meanwhile: questions, messages, what somebody asked for. `before`: only
    /// what stands before this event.
    pub(crate) async fn catch_up(&mut self, before: Option<EventNumber>) -> Result<(), WorkError> {
        let Some(told) = self.told.filter(|_| self.watcher.listens()) else { return Ok(()) };
        let missed =
            before.map_or(u32::MAX, |before| u32::try_from(before.0 - told.0 - 1).unwrap_or(u32::MAX));
        let records = self.until(|| self.engine.store().events(&self.job.id, told, missed)).await?;
        for record in records {
            self.told = Some(record.number);
            if let Ok(event) = record.event {
                self.watcher.tell(Progress::Event { number: record.number, at: record.at, event });
            }
        }
        Ok(())
    }

    /// Gives the job its settings for good, and tells the watcher.
    pub(crate) async fn configured(&mut self, settings: Configured) -> Result<(), WorkError> {
        let write = || self.engine.store().job_configure(&self.lease, &settings);
        let applied = self.patience().until(write).await?;
        self.job.spec = self.job.spec.clone().with_settings(settings);
        self.job.updated_at = applied.at;
        self.tell_applied(applied).await
    }

    /// Everything recorded of the job so far. An event that this version cannot read is left out.
    pub(crate) async fn history(&self) -> Result<Vec<(Timestamp, JobEvent)>, WorkError> {
        let events = || self.engine.store().events(&self.job.id, EventNumber(0), u32::MAX);
        let records = self.patience().until(events).await?;
        Ok(records.into_iter().filter_map(|record| Some((record.at, record.event.ok()?))).collect())
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Asks the store until it answers, or the lease is lost.
    pub(crate) async fn until<T, F>(&self, ask: impl FnMut() -> F) -> Result<T, WorkError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.patience().until(ask).await
    }

    fn patience(&self) -> Patience<'_> {
        Patience::new(self.engine.store(), &self.signals)
    }

    pub(crate) async fn notice(&mut self, notice: Notice) -> Result<(), WorkError> {
        self.input(Input::Noticed { notice }).await
    }

    pub(crate) fn state(&self) -> &JobState {
        &self.job.state
    }

    pub(crate) fn tell(&self, progress: Progress) {
        self.watcher.tell(progress);
    }

    pub(crate) fn waiting(&self, what: impl Into<String>) {
        self.watcher.tell(Progress::Waiting { what: what.into() });
    }

    /// Runs something that can be dropped at any point, until it is done or a signal comes.
    pub(crate) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, StageError>>,
    ) -> Result<T, StageError> {
        let token = self.signals.token().clone();
        tokio::select! {
            done = work => done,
            () = token.cancelled() => Err(StageError::Stopped),
        }
    }

    /// Asks once more right before something is published: what was cancelled a moment ago, and not heard of yet, is not.
    pub(crate) async fn still_wanted(&self) -> Result<(), StageError> {
        match self.standing().await? {
            None => Ok(()),
            Some(_) => Err(StageError::Stopped),
        }
    }

    /// Asks the store whether the job is still ours and wanted; if not, everything that runs for it hears of it.
    pub(crate) async fn standing(&self) -> Result<Option<Cause>, WorkError> {
        let renewal = self.patience().until(|| self.engine.store().lease_peek(&self.lease)).await?;
        let cause = match renewal {
            Renewal::Held { cancel: None, .. } => return Ok(None),
            Renewal::Held { cancel: Some(by), .. } => Cause::Cancel(by),
            Renewal::Lost => Cause::LeaseLost,
        };
        self.signals.raise(cause.clone());
        Ok(Some(cause))
    }

    /// Runs something that changes the other side. A cancel waits for it as long as an agent would get to end: what is
    /// broken off may be done over there all the same, and then the job's last word would not say so.
    pub(crate) async fn unless_stopped_for_long<T>(
        &self,
        work: impl Future<Output = Result<T, StageError>>,
    ) -> Result<T, StageError> {
        let signals = Arc::clone(&self.signals);
        let patience = self.job.agent().grace;
        let too_long = async move {
            signals.token().cancelled().await;
            tokio::time::sleep(patience).await;
        };
        tokio::select! {
            done = work => done,
            () = self.signals.lost().cancelled() => Err(StageError::Stopped),
            () = too_long => Err(StageError::Stopped),
        }
    }
}
