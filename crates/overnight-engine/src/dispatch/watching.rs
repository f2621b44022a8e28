//! The worker's looks at pull requests: beside its jobs, a round at a time, because a forge may take its time to answer.

use std::sync::Arc;
use std::time::Duration;

use overnight_core::job::{Job, JobState};
use overnight_core::watch::WatchPolicy;
use overnight_store::Hint;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::watch;

#[derive(Debug)]
pub(super) struct Watching {
    round: Option<JoinHandle<usize>>,
    due: Instant,
}

impl Watching {
    pub(super) fn new(due: Instant) -> Self {
        Self { round: None, due }
    }

    pub(super) fn is_running(&self) -> bool {
        self.round.is_some()
    }

    /// When the next round is begun; `None` while one runs.
    pub(super) fn next(&self) -> Option<Instant> {
        self.round.is_none().then_some(self.due)
    }

    /// Begins a round when it is time for one; the next is due `pause` later.
    pub(super) fn begin(&mut self, engine: &Arc<Engine>, policy: WatchPolicy, pause: Duration) {
        let now = Instant::now();
        if self.is_running() || now < self.due {
            return;
        }
        self.due = now + pause;
        let engine = Arc::clone(engine);
        self.round = Some(tokio::spawn(async move {
            match watch::round(&engine, &policy).await {
                Ok(looks) => looks,
                Err(error) => {
                    let why = crate::trouble::chain(&error);
                    tracing::warn!(%why, "pull requests could not be looked at");
                    0
                }
            }
        }));
    }

    /// Waits until the round that runs is over; for ever when none runs. Returns how many pull requests were looked at.
    pub(super) async fn ended(&mut self) -> usize {
        let Some(round) = &mut self.round else { return std::future::pending().await };
        let looks = round.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a round of looks at pull requests broke off; this is a fault of Overnight");
            0
        });
        self.round = None;
        looks
    }

    /// A job has ended without publishing onto a branch that it shares: what waits for it there need not wait for the next look.
    pub(super) fn ended_beside(&self, engine: &Arc<Engine>, job: &Job) {
        let unpublished = matches!(&job.state, JobState::Ended { end, .. } if end.published.is_none());
        let Some(branch) = job.spec.shared_branch().filter(|_| unpublished) else { return };
        let (store, repository) = (engine.store().clone(), job.repository.clone());
        let hint = Hint::Branch(branch.to_string());
        tokio::spawn(async move {
            if let Err(error) = store.watch_hint(&repository, &hint).await {
                tracing::debug!(%error, "the next look comes by itself");
            }
        });
    }

    /// Leaves it: what it had not finished is done at the next look.
    pub(super) fn stop(&mut self) {
        if let Some(round) = self.round.take() {
            round.abort();
        }
    }
}
