//! The queue's numbers, asked for at most once in a while: however many scrape, the store counts once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use overnight_core::queue::QueueStats;
use overnight_store::{Store, StoreError};
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

/// What the store said, or why it did not.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) stats: Result<Arc<QueueStats>, StatsError>,
    /// The version of its schema. Known also where this version cannot count what is in it.
    pub(crate) schema: Result<i64, StatsError>,
}

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
        let schema = self.answer("version of the schema", self.store.schema_version()).await;
        // A store that hangs hangs for both.
        let stats = match schema {
            Err(StatsError::TimedOut) => Err(StatsError::TimedOut),
            Ok(_) | Err(StatsError::Failed) => {
                self.answer("numbers of the queue", self.store.queue_stats()).await
            }
        };
        Answer { stats: stats.map(Arc::new), schema }
    }

    async fn answer<T>(
        &self,
        what: &'static str,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StatsError> {
        match timeout(self.patience, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::warn!(what, error = &error as &dyn std::error::Error, "the store cannot be read");
                Err(StatsError::Failed)
            }
            Err(_) => {
                tracing::warn!(what, patience = ?self.patience, "the store does not answer");
                Err(StatsError::TimedOut)
            }
        }
    }
}
