//! What is recorded of a job: its events and its outside effects. Reads only.

use overnight_core::id::{EventNumber, Fence, JobId};
use overnight_core::job::JobEvent;
use overnight_core::units::Timestamp;

use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::sql;
use crate::store::Store;

/// One stored event.
#[derive(Debug)]
pub struct EventRecord {
    pub number: EventNumber,
    pub at: Timestamp,
    /// An event that this version cannot read keeps its number, so that the sequence has no gap.
    pub event: Result<JobEvent, CorruptRow>,
}

/// How far an outside effect is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectStatus {
    /// It may or may not have happened: the other side knows.
    Reserved,
    Done {
        result: String,
    },
}

/// One outside effect of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectRecord {
    /// As of [`EffectName::as_str`](overnight_core::job::EffectName::as_str).
    pub name: String,
    pub detail: String,
    pub status: EffectStatus,
    /// Of the holder that changed it last.
    pub fence: Fence,
    pub at: Timestamp,
}

impl Store {
    /// Up to `limit` events after number `after`, in order and without gaps. `EventNumber(0)` starts at the first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`] when a number or time is not one.
    pub async fn events(
        &self,
        id: &JobId,
        after: EventNumber,
        limit: u32,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let text =
            "SELECT number, at, event FROM events WHERE job_id = $1 AND number > $2 ORDER BY number LIMIT $3";
        let query = sql(text).bind(id.as_str()).bind(after.0).bind(i64::from(limit));
        let job = id.as_str();
        let mut events = Vec::new();
        for found in self.all("read the events", query).await? {
            let number = EventNumber(row::number(&found, job, "number")?);
            let at = Timestamp(row::number(&found, job, "at")?);
            let event = row::text(&found, job, "event").and_then(|text| row::json(job, "event", &text));
            events.push(EventRecord { number, at, event });
        }
        Ok(events)
    }

    /// The job's outside effects, in the order in which they were last changed.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn effects(&self, id: &JobId) -> Result<Vec<EffectRecord>, StoreError> {
        let text = "SELECT name, detail, result, fence, at FROM effects WHERE job_id = $1 ORDER BY at, name";
        let query = sql(text).bind(id.as_str());
        let job = id.as_str();
        let mut effects = Vec::new();
        for found in self.all("read the effects", query).await? {
            // The schema allows a result exactly for those that are done.
            let status = match row::optional_text(&found, job, "result")? {
                Some(result) => EffectStatus::Done { result },
                None => EffectStatus::Reserved,
            };
            effects.push(EffectRecord {
                name: row::text(&found, job, "name")?,
                detail: row::text(&found, job, "detail")?,
                status,
                fence: Fence(row::number(&found, job, "fence")?),
                at: Timestamp(row::number(&found, job, "at")?),
            });
        }
        Ok(effects)
    }
}
