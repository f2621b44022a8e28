//! Asking for a job's end.

use overnight_core::id::JobId;
use overnight_core::job::{CancelledBy, Input, Order, transition};

use crate::ends::release_dependents;
use crate::error::StoreError;
use crate::free::{self, Locked};
use crate::placement::Phase;
use crate::sql::sql;
use crate::store::{Store, retried};

/// The store's answer to somebody who wants a job cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelRequest {
    /// It had never run: it has ended now.
    Ended,
    /// Somebody holds it and sees the request with the next heartbeat. An earlier request stays as it was.
    Asked,
    /// Nobody holds it, but something is left of it to be cleared up: whoever claims it next ends it.
    Recorded,
    /// Or, of a cascade: its end is decided, and only clearing up is left.
    AlreadyEnded,
}

impl Store {
    /// Asks for a cancel.
    ///
    /// # Errors
    /// [`StoreError::UnknownJob`], [`StoreError::Database`].
    pub async fn cancel_request(&self, id: &JobId, by: CancelledBy) -> Result<CancelRequest, StoreError> {
        retried(|| self.cancel_once(id, &by)).await
    }

    async fn cancel_once(&self, id: &JobId, by: &CancelledBy) -> Result<CancelRequest, StoreError> {
        let mut tx = self.begin("record the cancel").await?;
        let unknown = || StoreError::UnknownJob { job: id.clone() };
        let locked = free::lock(&mut tx, id.as_str()).await?.ok_or_else(unknown)?;
        let Locked { job, now, .. } = locked;
        // What has failed by itself is not cancelled by the failure of another one.
        let decided = matches!(by, CancelledBy::Cascade { .. }) && job.state.end().is_some();
        if job.state.is_ended() || decided {
            return Ok(CancelRequest::AlreadyEnded);
        }
        if job.holder.is_none() && job.state.is_untouched() {
            let order = Order { key: &job.key, spec: &job.spec };
            let step = transition(&job.state, Input::Cancel { by: by.clone() }, now, order)
                .map_err(|source| StoreError::Transition { job: job.id.clone(), source })?;
            let ended = free::write_free(&mut tx, &job, now, step).await?;
            release_dependents(&mut tx, ended.into_iter().collect()).await?;
            tx.commit().await?;
            return Ok(CancelRequest::Ended);
        }
        let held = job.holder.is_some();
        // Nothing that it waits for matters any more.
        let phase = if held { Phase::Held } else { Phase::Ready };
        let text =
            "UPDATE jobs SET cancel = COALESCE(cancel, $2), phase = $3, updated_at = {now} WHERE id = $1";
        tx.run(sql(text).bind(id.as_str()).bind(by.to_string()).bind(phase.as_str())).await?;
        tx.gives_work();
        tx.commit().await?;
        Ok(if held { CancelRequest::Asked } else { CancelRequest::Recorded })
    }
}
