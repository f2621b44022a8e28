//! The queue's numbers, asked for at most once in a while: however many scrape, the store counts once.

use std::sync::Arc;
use std::time::Duration;

use overnight_core::queue::QueueStats;
use overnight_store::Store;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// Why there are no numbers. The cause is in the log: it may name what is not everybody's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StatsError {
    #[error("the store does not answer")]
    TimedOut,
    #[error("the store cannot be read")]
    Failed,
}

type Answer = Result<Arc<QueueStats>, StatsError>;

pub(crate) struct StatsCache {
    store: Store,
    patience: Duration,
    fresh_for: Duration,
    /// Held while the store is asked, so that those who come meanwhile get the same answer. A failure is kept as well:
    /// a store in trouble is not helped by being asked more often.
    last: Mutex<Option<(Instant, Answer)>>,
}

impl StatsCache {
    pub(crate) fn new(store: Store, patience: Duration, fresh_for: Duration) -> Self {
        Self { store, patience, fresh_for, last: Mutex::new(None) }
    }

    pub(crate) async fn get(&self) -> Answer {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = last.as_ref().filter(|(at, _)| at.elapsed() < self.fresh_for) {
            tracing::trace!(age = ?at.elapsed(), "the numbers of a moment ago");
            return answer.clone();
        }
        let answer = self.ask().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn ask(&self) -> Answer {
        match timeout(self.patience, self.store.queue_stats()).await {
            Ok(Ok(stats)) => Ok(Arc::new(stats)),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no numbers of the queue");
                Err(StatsError::Failed)
            }
            Err(_) => {
                tracing::warn!(patience = ?self.patience, "the store does not answer");
                Err(StatsError::TimedOut)
            }
        }
    }
}
