//! Our pull requests after they were opened: what is remembered of each, who looks at it, and what forges have delivered about it.
//!
//! A look is taken by compare and swap, so that of many workers one asks the forge. It is not a lease: whoever takes too long only finds
//! that somebody else has looked, because what a look leads to is done once by other means.

mod delivery;
mod look;
mod read;

use overnight_core::backlog::PullState;
use overnight_core::id::{JobId, RepositoryId};
use overnight_core::units::Timestamp;
use overnight_core::watch::Memory;

use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::{Row, sql};
use crate::store::WriteTx;

pub use delivery::{Delivery, Hint};
pub use look::LookEnd;

/// A pull request that is looked after, or was until it was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub repository: RepositoryId,
    pub repository_name: String,
    pub number: u64,
    pub url: String,
    pub branch: String,
    pub state: PullState,
    /// The job that published last.
    pub job: JobId,
    pub memory: Memory,
    /// `None`: it is over.
    pub next_look: Option<Timestamp>,
    version: i64,
    hints: i64,
}

const SELECT: &str = "SELECT w.repository_id, w.number, w.job_id, w.memory, w.version, w.hints, w.next_look, \
     p.url, p.branch, p.state, r.name AS repository FROM pull_watches w \
     JOIN pull_requests p ON p.repository_id = w.repository_id AND p.number = w.number \
     JOIN repositories r ON r.id = w.repository_id";

/// Begins to look after the pull request that a job has opened or gone on with. A look that is under way is an old one now.
pub(crate) async fn begin(tx: &mut WriteTx, job: &JobId, number: i64, head: &str) -> Result<(), StoreError> {
    let first = i64::try_from(overnight_core::watch::FIRST_LOOK.as_millis()).unwrap_or(i64::MAX);
    let text = "INSERT INTO pull_watches (repository_id, number, job_id, head, memory, version, hints, taken_until, next_look) \
         SELECT j.repository_id, p.number, j.id, $3, '{}', 0, 0, 0, CASE WHEN p.state = 'merged' THEN NULL ELSE {now} + $4 END \
         FROM jobs j JOIN pull_requests p ON p.repository_id = j.repository_id AND p.number = $2 WHERE j.id = $1 \
         ON CONFLICT (repository_id, number) DO UPDATE SET job_id = excluded.job_id, head = excluded.head, \
         version = pull_watches.version + 1, taken_until = 0, next_look = excluded.next_look";
    tx.run(sql(text).bind(job.as_str()).bind(number).bind(head).bind(first)).await.map(drop)
}

fn watched(found: &Row) -> Result<Watched, StoreError> {
    let raw = row::text(found, "?", "job_id")?;
    let bad = |column, why: String| StoreError::from(CorruptRow::new(&raw, column, why));
    let state = row::text(found, &raw, "state")?;
    let known = PullState::ALL.into_iter().find(|known| known.as_str() == state);
    let memory = row::text(found, &raw, "memory")?;
    let repository = row::text(found, &raw, "repository_id")?;
    let next = found.optional_number("next_look").map_err(|why| CorruptRow::new(&raw, "next_look", why))?;
    Ok(Watched {
        repository: RepositoryId::parse(&repository).map_err(|why| bad("repository_id", why.to_string()))?,
        repository_name: row::text(found, &raw, "repository")?,
        number: u64::try_from(row::number(found, &raw, "number")?)
            .map_err(|why| bad("number", why.to_string()))?,
        url: row::text(found, &raw, "url")?,
        branch: row::text(found, &raw, "branch")?,
        state: known.ok_or_else(|| bad("state", format!("{state:?} is no state")))?,
        job: JobId::parse(&raw).map_err(|why| bad("job_id", why.to_string()))?,
        memory: serde_json::from_str(&memory).map_err(|why| CorruptRow::new(&raw, "memory", why))?,
        next_look: next.map(Timestamp),
        version: row::number(found, &raw, "version")?,
        hints: row::number(found, &raw, "hints")?,
    })
}
