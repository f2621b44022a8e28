//! What a new job waits for, as it is in the moment of enqueueing.

use std::collections::BTreeMap;

use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::{AfterRule, EndReason, Job};

use crate::error::StoreError;
use crate::row;
use crate::sql::{places, sql};
use crate::store::WriteTx;

use super::{NewJob, Parent};

/// A job to wait for.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) key: TaskKey,
    /// `None`: it has not ended. The public code of its end, where one was recorded.
    ended: Option<Option<String>>,
}

/// Marks the jobs that are waited for, which also keeps them from ending before the waiting ones are there.
pub(super) async fn marked(
    tx: &mut WriteTx,
    new: &[NewJob],
    known: &[Option<Job>],
) -> Result<BTreeMap<String, Known>, StoreError> {
    let mut ids = Vec::new();
    for (new, _) in new.iter().zip(known).filter(|(_, known)| known.is_none()) {
        for after in &new.after {
            match &after.on {
                Parent::Job(job) => ids.push(job.as_str().to_owned()),
                // Made by an earlier sending of this batch.
                Parent::Earlier(at) => {
                    ids.extend(known.get(*at).and_then(Option::as_ref).map(|job| job.id.as_str().to_owned()));
                }
            }
        }
    }
    ids.sort();
    ids.dedup();
    let mut known = BTreeMap::new();
    // One after the other in one order for everybody.
    for some in ids.chunks(64) {
        let text = format!(
            "SELECT j.id FROM jobs j WHERE j.id IN ({}) ORDER BY j.id {{lock}}",
            places(1, some.len())
        );
        tx.all(sql(text).bind_all(some.iter().cloned())).await?;
        let text = format!(
            "UPDATE jobs SET dependents = TRUE WHERE id IN ({}) RETURNING id, key, ended, end_reason",
            places(1, some.len())
        );
        for found in tx.all(sql(text).bind_all(some.iter().cloned())).await? {
            let id = row::text(&found, "?", "id")?;
            let reason = row::optional_text(&found, &id, "end_reason")?;
            let ended = row::flag(&found, &id, "ended")?.then_some(reason);
            let one = Known { key: row::key(&found, &id)?, ended };
            known.insert(id, one);
        }
    }
    match ids.iter().find(|id| !known.contains_key(*id)) {
        Some(missing) => match JobId::parse(missing) {
            Ok(job) => Err(StoreError::UnknownJob { job }),
            Err(_) => Err(StoreError::Internal { what: "a job id was not one" }),
        },
        None => Ok(known),
    }
}

impl Known {
    /// Whether a job with this rule has to wait for it.
    pub(super) fn is_waited_for(&self, rule: AfterRule) -> Result<bool, StoreError> {
        let Some(code) = &self.ended else { return Ok(true) };
        let reason = EndReason::ALL.into_iter().find(|reason| Some(reason.code()) == code.as_deref());
        match (rule, reason) {
            (AfterRule::Ended, _) => Ok(false),
            (AfterRule::Done, Some(reason)) if reason.is_done() => Ok(false),
            (AfterRule::Done, reason) => {
                let reason = reason.unwrap_or(EndReason::InternalError);
                Err(StoreError::ParentFailed { key: self.key.clone(), reason })
            }
        }
    }
}
