//! Who is there to take jobs from the queue by itself: workers, not the commands that work on one job in the foreground and
//! register for it too.

use overnight_core::id::WorkerId;
use overnight_core::job::Label;
use overnight_core::units::Timestamp;
use overnight_store::Store;

use crate::commands::worker::view::{self, Presence, WorkerView};
use crate::error::AppError;

/// The workers that are there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workforce {
    /// Places of those that take jobs.
    places: Vec<Label>,
    /// Known to have ended.
    pub dead: Vec<WorkerId>,
    /// The database's clock when it was looked.
    pub now: Timestamp,
}

impl Workforce {
    /// Looks who is there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(store: &Store) -> Result<Self, AppError> {
        let (workers, now) = view::all(store).await?;
        let taking = workers.iter().filter(|worker| worker.takes_jobs());
        let gone = |worker: &&WorkerView| worker.presence == Presence::Gone;
        Ok(Self {
            places: taking.map(|worker| worker.place.clone()).collect(),
            dead: workers.iter().filter(gone).map(|worker| worker.id.clone()).collect(),
            now,
        })
    }

    /// Whether a worker is there that could take a job of this place; `None`: a job that any place can take.
    #[must_use]
    pub fn serves(&self, place: Option<&Label>) -> bool {
        self.places.iter().any(|there| place.is_none_or(|wanted| wanted == there))
    }
}
