//! The leases that this worker watches over, and what the store's answers mean for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use overnight_core::id::{Fence, JobId};
use overnight_proc::boot_clock;
use overnight_store::{HeldJob, Lease};

use crate::signals::{Cause, Signals};

#[derive(Debug)]
struct Hold {
    fence: Fence,
    signals: Arc<Signals>,
    /// An answer to a question asked before this moment cannot know of it.
    since: Duration,
    /// Time since boot at which its holder stops, unless the lease is confirmed before.
    deadline: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Holds(Mutex<HashMap<JobId, Hold>>);

/// A lease that is watched over. Ends when the job is let go.
#[derive(Debug)]
pub(crate) struct Holding {
    holds: Arc<Holds>,
    job: JobId,
    fence: Fence,
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut all = self.holds.lock();
        // The same job may have been claimed anew already.
        if all.get(&self.job).is_some_and(|hold| hold.fence == self.fence) {
            all.remove(&self.job);
        }
    }
}

impl Holds {
    pub(crate) fn add(
        self: &Arc<Self>,
        lease: &Lease,
        signals: &Arc<Signals>,
        deadline: Duration,
    ) -> Holding {
        let (job, fence) = (lease.job().clone(), lease.fence());
        let hold = Hold { fence, signals: Arc::clone(signals), since: boot_clock(), deadline };
        self.lock().insert(job.clone(), hold);
        Holding { holds: Arc::clone(self), job, fence }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Stops the holders whose deadline is over.
    pub(crate) fn expire(&self, now: Duration) {
        for (job, hold) in self.lock().iter().filter(|(_, hold)| hold.deadline <= now) {
            if hold.signals.raise(Cause::LeaseLost) {
                tracing::error!(job.id = %job, "the lease could not be renewed in time; standing down");
            }
        }
    }

    /// What an answer to a question asked at `asked` says: who is not in it has lost its lease. `deadline`: until when those
    /// that are in it are confirmed, when the answer renewed them. It is counted from before the question, because the
    /// database may have set the expiry at any moment since.
    pub(crate) fn judge(&self, held: &[HeldJob], asked: Duration, deadline: Option<Duration>) {
        for (job, hold) in self.lock().iter_mut().filter(|(_, hold)| hold.since < asked) {
            match held.iter().find(|held| held.job == *job && held.fence == hold.fence) {
                Some(found) => {
                    hold.deadline = deadline.unwrap_or(hold.deadline);
                    if let Some(by) = found.cancel.clone() {
                        hold.signals.raise(Cause::Cancel(by));
                    }
                }
                None => {
                    hold.signals.raise(Cause::LeaseLost);
                }
            }
        }
    }

    /// Leases of this worker that nobody here works under: the answer to their claim was lost.
    pub(crate) fn unknown(&self, held: &[HeldJob]) -> Vec<(JobId, Fence)> {
        let all = self.lock();
        let known = |found: &&HeldJob| all.get(&found.job).is_some_and(|hold| hold.fence == found.fence);
        held.iter().filter(|found| !known(found)).map(|found| (found.job.clone(), found.fence)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
