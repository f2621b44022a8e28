//! The settings of a job, as the first worker that claims it resolves them: written once, under its lease.

use overnight_core::job::{Configured, JobEvent};
use overnight_core::units::Timestamp;

use crate::apply::{Applied, EVENTS, event_row, numbered};
use crate::error::StoreError;
use crate::free;
use crate::lease::Lease;
use crate::row::{self, to_json};
use crate::sql::sql;
use crate::store::{Store, retried};

impl Store {
    /// Gives a job these settings, which must be `frozen`, and tells so in its events. A job whose settings are frozen already
    /// keeps them: nothing is written then, and no event is returned.
    ///
    /// # Errors
    /// Nothing is written on any of them. [`StoreError::LeaseLost`] when somebody else may act for the job;
    /// [`StoreError::Row`], [`StoreError::Database`].
    pub async fn job_configure(&self, lease: &Lease, settings: &Configured) -> Result<Applied, StoreError> {
        retried(|| self.configure_once(lease, settings)).await
    }

    async fn configure_once(&self, lease: &Lease, settings: &Configured) -> Result<Applied, StoreError> {
        let held = lease.held();
        let id = held.job.as_str();
        let mut tx = self.begin("write the settings of the job").await?;
        let locked = free::lock(&mut tx, id).await?.ok_or_else(|| held.lost())?;
        let ours = locked.job.holder.as_ref().is_some_and(|holder| holder.worker == held.worker);
        if !ours || locked.job.fence != held.fence {
            return Err(held.lost());
        }
        if locked.job.spec.choice.frozen {
            return Ok(Applied { at: locked.job.updated_at, events: Vec::new() });
        }
        let spec = locked.job.spec.with_settings(settings.clone());
        let update = "UPDATE job_specs SET spec = $2 WHERE job_id = $1";
        tx.run(sql(update).bind(id).bind(to_json("spec", &spec)?)).await?;
        let count = "UPDATE jobs SET last_event = last_event + 1, updated_at = {now} WHERE id = $1 \
                     RETURNING last_event, updated_at";
        let counted = tx.optional(sql(count).bind(id)).await?.ok_or_else(|| held.lost())?;
        let at = Timestamp(row::number(&counted, id, "updated_at")?);
        let event = JobEvent::Configured { settings: Box::new(settings.clone()) };
        let applied = numbered(at, row::number(&counted, id, "last_event")? - 1, vec![event]);
        let mut events = Vec::with_capacity(1);
        for (number, at, event) in &applied.events {
            events.push(event_row(id, *number, *at, event)?);
        }
        EVENTS.rows(&mut tx, &events).await?;
        tx.commit().await?;
        Ok(applied)
    }
}
