//! Outlasting a database server that is away for a while: whoever holds a job goes on asking until its lease is over.

use std::time::Duration;

use overnight_core::id::EventNumber;
use overnight_core::job::{JobState, Step};
use overnight_store::{Applied, Database, ErrorClass, Lease, Store, StoreError};

use crate::error::WorkError;
use crate::signals::Signals;

/// Between two questions: the first soon, then longer.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

pub(crate) struct Patience<'a> {
    store: &'a Store,
    signals: &'a Signals,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(store: &'a Store, signals: &'a Signals) -> Self {
        Self { store, signals }
    }

    /// Asks until there is an answer, or the lease is lost.
    pub(crate) async fn until<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, WorkError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = FIRST;
        loop {
            match ask().await {
                Err(error) if self.may_pass(&error) => self.rest(&mut pause, &error).await?,
                answer => return Ok(answer?),
            }
        }
    }

    /// Writes a step once. When the answer to a commit is lost, the job itself tells whether it happened.
    pub(crate) async fn write(
        &self,
        lease: &Lease,
        expected: &JobState,
        step: Step,
    ) -> Result<Applied, WorkError> {
        let mut pause = FIRST;
        let mut unheard = false;
        loop {
            match self.store.apply(lease, expected, step.clone()).await {
                Err(error) if self.may_pass(&error) => {
                    unheard = true;
                    self.rest(&mut pause, &error).await?;
                }
                Err(StoreError::StateMoved { .. } | StoreError::LeaseLost { .. }) if unheard => {
                    let written = self.until(|| self.written(lease, &step)).await?;
                    return written.ok_or(WorkError::LeaseLost);
                }
                answer => return Ok(answer?),
            }
        }
    }

    /// What the step wrote, when the job is where the step leads and nobody has claimed it since.
    async fn written(&self, lease: &Lease, step: &Step) -> Result<Option<Applied>, StoreError> {
        let job = self.store.job(lease.job()).await?;
        let as_stored = |state: &JobState| serde_json::to_value(state).ok();
        if job.fence != lease.fence() || as_stored(&job.state) != as_stored(&step.next) {
            return Ok(None);
        }
        let records = self.store.events(lease.job(), EventNumber(0), u32::MAX).await?;
        let first = records.len().saturating_sub(step.events.len());
        let last = records.into_iter().skip(first);
        let events = last.filter_map(|record| Some((record.number, record.at, record.event.ok()?))).collect();
        Ok(Some(Applied { at: job.updated_at, events }))
    }

    /// A server can come back. A file whose disk fails does not.
    fn may_pass(&self, error: &StoreError) -> bool {
        let remote = matches!(self.store.database(), Database::Postgres(_));
        remote && matches!(error.class(), ErrorClass::Io | ErrorClass::Busy | ErrorClass::Full)
    }

    async fn rest(&self, pause: &mut Duration, error: &StoreError) -> Result<(), WorkError> {
        tracing::warn!(%error, "the database does not answer; the job goes on, and its lease is watched");
        tokio::select! {
            () = tokio::time::sleep(*pause) => {}
            () = self.signals.lost().cancelled() => return Err(WorkError::LeaseLost),
        }
        *pause = (*pause * 2).min(LONGEST);
        Ok(())
    }
}
