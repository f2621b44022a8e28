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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    lost: CancellationToken,
}

impl Signals {
    /// Whether it is the first. A later cause does not replace the first, except that a lost lease also ends all waiting.
    pub(crate) fn raise(&self, cause: Cause) -> bool {
        if cause == Cause::LeaseLost {
            self.lost.cancel();
        }
        let first = self.cause.set(cause).is_ok();
        self.stopped.cancel();
        first
    }

    /// Cancelled when the lease is lost, whatever came before.
    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.get().cloned()
    }

    /// Cancelled as soon as there is a cause.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.stopped
    }
}
