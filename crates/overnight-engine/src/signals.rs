//! Everything that may end a stage early, as one thing that a stage can wait on.

use std::sync::OnceLock;

use overnight_core::job::CancelledBy;
use tokio_util::sync::CancellationToken;

/// What the caller of [`crate::Engine::work`] may ask for while a job runs.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Cancel the job cleanly: its tree ends with grace, its end is recorded. Ctrl-C.
    pub cancel: CancellationToken,
    /// Leave at once: the tree is killed, the job stays where it is and can be resumed. A second Ctrl-C.
    pub force: CancellationToken,
}

/// Why a stage was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Cancel(CancelledBy),
    /// Somebody else may hold the job: nothing may be written any more.
    LeaseLost,
}

/// The first cause wins and stays.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    cause: OnceLock<Cause>,
    stopped: CancellationToken,
}

impl Signals {
    pub(crate) fn raise(&self, cause: Cause) {
        // A later cause does not replace the first, except that a lost lease is seen by every write anyway.
        let _ = self.cause.set(cause);
        self.stopped.cancel();
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.get().copied()
    }

    /// Cancelled as soon as there is a cause.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.stopped
    }
}
