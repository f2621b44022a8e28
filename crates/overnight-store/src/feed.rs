//! The events of all jobs in one stream that nobody can fall out of: read in the order in which transactions became
//! visible, and only up to where nothing can appear any more.

use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::JobEvent;
use overnight_core::units::Timestamp;

use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::sql;
use crate::store::Store;

/// A place in the feed: after the event that it belongs to. Places of another database mean nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPosition {
    tx: i64,
    job: String,
    number: i64,
}

impl FeedPosition {
    /// Before the first event.
    #[must_use]
    pub fn start() -> Self {
        Self { tx: -1, job: String::new(), number: 0 }
    }
}

/// One event of some job.
#[derive(Debug)]
pub struct FeedItem {
    /// To go on after it.
    pub position: FeedPosition,
    pub job: JobId,
    pub number: EventNumber,
    pub at: Timestamp,
    pub event: Result<JobEvent, CorruptRow>,
}

impl Store {
    /// Up to `limit` events after a place. A job's events come in the order of their numbers and without gaps. An event may be
    /// held back for as long as an older transaction is open, of any database of the server, and is never left out.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn feed(&self, after: &FeedPosition, limit: u32) -> Result<Vec<FeedItem>, StoreError> {
        let text = "SELECT tx, job_id, number, at, event FROM events \
                    WHERE (tx, job_id, number) > ($1, $2, $3) AND tx < {horizon} ORDER BY tx, job_id, number LIMIT $4";
        let query = sql(text).bind(after.tx).bind(&after.job).bind(after.number).bind(i64::from(limit));
        let mut items = Vec::new();
        for found in self.all("read the feed", query).await? {
            let job = row::text(&found, "?", "job_id")?;
            let number = row::number(&found, &job, "number")?;
            items.push(FeedItem {
                position: FeedPosition { tx: row::number(&found, &job, "tx")?, job: job.clone(), number },
                job: JobId::parse(&job).map_err(|error| CorruptRow::new(&job, "job_id", error))?,
                number: EventNumber(number),
                at: Timestamp(row::number(&found, &job, "at")?),
                event: row::text(&found, &job, "event").and_then(|text| row::json(&job, "event", &text)),
            });
        }
        Ok(items)
    }
}
