//! Claiming: the only way to a [`Lease`]. The new fence, the state, the slots of limits and the events are written together.
//!
//! Here: one job by its id, and what both ways of claiming share. Taking the next jobs of the queue is in `next`, how a
//! worker's free slots are shared out in `plan`, concurrency limits in `slots`.

mod at_once;
pub(crate) mod few;
pub(crate) mod heads;
pub(crate) mod next;
pub(crate) mod plan;
pub(crate) mod slots;
pub(crate) mod take;

use std::time::Duration;

use overnight_core::id::{JobId, WorkerId};
use overnight_core::job::{Holder, Job, Label};
use overnight_core::units::Timestamp;

use crate::apply::free_slots;
use crate::error::StoreError;
use crate::free::{self, Locked};
use crate::lane::{Lane, LimitKey};
use crate::lease::Lease;
use crate::record::EventRecord;
use crate::store::Store;

pub(crate) use at_once::Crowd;
pub(crate) use heads::LastLook;
pub use next::{ClaimOrder, Claims};

use take::{Candidate, take};

/// What came of a claim.
#[derive(Debug)]
pub enum Claim {
    Taken(Box<Claimed>),
    /// Another worker holds it, until then at least.
    Held {
        by: WorkerId,
        until: Timestamp,
    },
    /// It waits for other jobs.
    Blocked,
    /// It can only be done in another data directory: this one.
    Elsewhere {
        place: Label,
    },
    /// As many jobs of this kind are held as its limit allows.
    Full {
        limit: LimitKey,
    },
    Ended,
}

/// A claimed job.
#[derive(Debug)]
pub struct Claimed {
    pub lease: Lease,
    /// As it is after the claim.
    pub job: Job,
    /// What the claim recorded.
    pub events: Vec<EventRecord>,
}

/// Who claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    pub worker: WorkerId,
    /// The identity of its data directory: jobs that go on from what is on a disk go on there.
    pub place: Label,
    /// How long a lease lasts.
    pub lease: Duration,
}

impl Store {
    /// Takes the lease of a job that has not ended and that nobody holds, or whose lease is over by the database's clock,
    /// or whose holder is one of `dead`. A job that waits can be claimed before its time, unless it waits for other jobs. One that
    /// was bound to a place when it was enqueued can be claimed there only; one whose work so far lies elsewhere begins again.
    /// Earlier leases of the job are lost.
    ///
    /// # Errors
    /// [`StoreError::UnknownJob`], [`StoreError::Row`] when this version cannot read the job, [`StoreError::Database`].
    pub async fn job_claim(
        &self,
        id: &JobId,
        claimant: &Claimant,
        dead: &[WorkerId],
    ) -> Result<Claim, StoreError> {
        let mut tx = self.begin("claim the job").await?;
        let unknown = || StoreError::UnknownJob { job: id.clone() };
        let locked = free::lock(&mut tx, id.as_str()).await?.ok_or_else(unknown)?;
        let Locked { job, now, place, phase } = locked;
        if job.state.is_ended() {
            return Ok(Claim::Ended);
        }
        if let Some(Holder { worker: by, lease_until }) = &job.holder
            && *lease_until > now
            && !dead.contains(by)
        {
            return Ok(Claim::Held { by: by.clone(), until: *lease_until });
        }
        // A cancel ends it wherever it stands.
        if phase == "blocked" && job.cancel.is_none() {
            return Ok(Claim::Blocked);
        }
        let home = job.queueing.place.as_ref().filter(|home| **home != claimant.place);
        if let (Some(home), None) = (home, &job.cancel) {
            return Ok(Claim::Elsewhere { place: home.clone() });
        }
        if job.holder.is_some() {
            // Those of the holder that is followed.
            free_slots(&mut tx, &[job.id.as_str().to_owned()]).await?;
        }
        let lane = Lane::of(&job.repository, &job.repository_name, &job.spec, &job.queueing);
        // A cancel starts nothing that is limited.
        let keys: &[String] = if job.cancel.is_some() { &[] } else { &lane.limit_keys };
        let limits = slots::of(&mut tx, keys).await?;
        let Some(wanted) = limits.next_free(keys) else {
            let full =
                limits.full(&lane.limit_keys).unwrap_or_else(|| LimitKey::repository(&job.repository_name));
            return Ok(Claim::Full { limit: full });
        };
        let candidate = Candidate { job, now, place, slots: wanted };
        let Some(claimed) = take(&mut tx, vec![candidate], claimant).await?.pop() else {
            // Somebody else was faster for the last slot.
            return Ok(Claim::Full {
                limit: LimitKey::parse(&lane.limit_keys[0]).unwrap_or_else(|_| LimitKey::repository("?")),
            });
        };
        tx.commit().await?;
        Ok(Claim::Taken(Box::new(claimed)))
    }
}
