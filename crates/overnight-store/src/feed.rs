//! The events of all jobs in one stream that nobody can fall out of: read in the order in which transactions became
//! visible, and only up to where nothing can appear any more.

use std::fmt;
use std::str::FromStr;

use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::JobEvent;
use overnight_core::units::Timestamp;

use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::{places, sql};
use crate::store::{Store, WriteTx};

/// Marks how far events were deleted.
const PRUNED: &str = "pruned";

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

impl fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tx, job, number } = self;
        write!(f, "{tx}.{number}.{job}")
    }
}

/// Text that names no place in a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no position in the feed; one looks like 812.3.0190a1b2-…, as it came with an event")]
pub struct InvalidPosition;

impl FromStr for FeedPosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).filter(|number| *number >= 0_i64);
        let (tx, number) = (number().ok_or(InvalidPosition)?, number().ok_or(InvalidPosition)?);
        let job = JobId::parse(parts.next().unwrap_or_default()).map_err(|_| InvalidPosition)?;
        Ok(Self { tx, job: job.into(), number })
    }
}

/// What of the feed there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedWindow {
    /// Up to here events were deleted with their jobs; below every position: none.
    pruned: i64,
    /// Of the newest event that there is or was.
    newest: i64,
}

impl FeedWindow {
    /// Whether everything after this place is still there. `false` also for a place of another database.
    #[must_use]
    pub fn is_whole_after(self, place: &FeedPosition) -> bool {
        (place.tx > self.pruned || self.pruned < 0) && place.tx <= self.newest
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

    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn feed_window(&self) -> Result<FeedWindow, StoreError> {
        let text = "SELECT COALESCE((SELECT tx FROM feed_marks WHERE mark = $1), -1) AS pruned, \
                    COALESCE((SELECT MAX(tx) FROM events), -1) AS newest";
        let found = self.one("look how far the feed goes", sql(text).bind(PRUNED)).await?;
        let (pruned, newest) = (row::number(&found, "?", "pruned")?, row::number(&found, "?", "newest")?);
        Ok(FeedWindow { pruned, newest: newest.max(pruned) })
    }

    /// The place after the newest event that can be read now: for those who want only what comes from now on.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn feed_end(&self) -> Result<FeedPosition, StoreError> {
        let text = "SELECT tx, job_id, number FROM events WHERE tx < {horizon} ORDER BY tx DESC, job_id DESC, number DESC LIMIT 1";
        let Some(found) = self.optional("look for the end of the feed", sql(text)).await? else {
            return Ok(FeedPosition::start());
        };
        let job = row::text(&found, "?", "job_id")?;
        Ok(FeedPosition {
            tx: row::number(&found, &job, "tx")?,
            number: row::number(&found, &job, "number")?,
            job,
        })
    }
}

/// Notes that the events of these jobs are about to be deleted.
pub(crate) async fn mark_pruned(tx: &mut WriteTx, going: &[JobId]) -> Result<(), StoreError> {
    let text = format!(
        "INSERT INTO feed_marks (mark, tx) SELECT $1, COALESCE(MAX(tx), -1) FROM events WHERE job_id IN ({}) \
         ON CONFLICT (mark) DO UPDATE SET tx = CASE WHEN excluded.tx > feed_marks.tx THEN excluded.tx ELSE feed_marks.tx END",
        places(2, going.len())
    );
    tx.run(sql(text).bind(PRUNED).bind_all(going.iter().map(JobId::as_str))).await.map(drop)
}
