//! Who is there to take jobs from the queue by itself: long-running workers, not the commands that work on one job in the
//! foreground and register for it too.

use std::time::Duration;

use overnight_core::id::WorkerId;
use overnight_core::job::Label;
use overnight_core::units::Timestamp;
use overnight_core::worker::{WorkerReport, WorkerStatus};
use overnight_store::{Store, WorkerSeen};

use crate::app::store_error;
use crate::error::AppError;
use crate::worker;

/// A worker that was not heard of for this long is taken for gone: several of its heartbeats are missing.
const SILENT: Duration = Duration::from_secs(60);

/// The workers that are there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Places of those that take jobs.
    places: Vec<Label>,
    /// Of this machine, and known to be gone.
    pub dead: Vec<WorkerId>,
    /// The database's clock when it was looked.
    pub now: Timestamp,
}

impl Presence {
    /// Looks who is there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(store: &Store) -> Result<Self, AppError> {
        let dead = worker::dead(store).await?;
        let seen = store.workers().await.map_err(|error| store_error(&error))?;
        let now = store.now().await.map_err(|error| store_error(&error))?;
        let there = seen.iter().filter(|seen| !dead.contains(&seen.worker.id) && takes_jobs(seen, now));
        Ok(Self { places: there.map(|seen| seen.worker.place.clone()).collect(), dead, now })
    }

    /// Whether a worker is there that could take a job of this place; `None`: a job that any place can take.
    #[must_use]
    pub fn serves(&self, place: Option<&Label>) -> bool {
        self.places.iter().any(|there| place.is_none_or(|wanted| wanted == there))
    }
}

/// Only workers that take jobs by themselves say anything of themselves.
fn takes_jobs(seen: &WorkerSeen, now: Timestamp) -> bool {
    let report = seen.report.as_deref().and_then(|text| serde_json::from_str::<WorkerReport>(text).ok());
    let takes = report.is_some_and(|report| report.status != WorkerStatus::Draining);
    takes && !seen.drain && now.since(seen.last_seen) < SILENT
}
