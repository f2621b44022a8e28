//! Why the engine had to let go of a job.

use overnight_core::id::{JobId, WorkerId};
use overnight_core::job::{IllegalTransition, Label};
use overnight_core::units::Timestamp;
use overnight_store::{ErrorClass, LimitKey, StoreError};

/// Why a job could not be worked on to its end, its pause or its cancellation. The job itself is unharmed.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error("job {job} is being worked on by {worker}")]
    Held { job: JobId, worker: WorkerId, until: Timestamp },
    #[error("job {0} waits for other jobs")]
    Blocked(JobId),
    #[error("job {job} can only be done in the data directory {place}")]
    Elsewhere { job: JobId, place: Label },
    #[error("as many jobs of {limit} are running as its limit allows")]
    Full { job: JobId, limit: LimitKey },
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
