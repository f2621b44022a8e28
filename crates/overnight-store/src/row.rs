//! Rows to values and back. What cannot be read is an error of that row, never a panic and never a guess.

use overnight_core::id::{Fence, JobId, RepositoryId, TaskKey, WorkerId};
use overnight_core::job::{CancelledBy, Holder, Job, JobState};
use overnight_core::units::Timestamp;

use crate::error::{CorruptRow, StoreError};
use crate::sql::Row;

/// Reads jobs; a condition on `j` and an order follow.
pub(crate) const SELECT_JOB: &str = "SELECT j.id, j.key, j.repository_id, r.name AS repository_name, s.spec, j.state, j.fence, \
     j.holder, j.lease_until, j.cancel, j.queueing, j.lost, j.phase, j.lane_id, j.place, j.created_at, j.updated_at, {now} AS now \
     FROM jobs j JOIN repositories r ON r.id = j.repository_id JOIN job_specs s ON s.job_id = j.id ";

pub(crate) fn job(row: &Row) -> Result<Job, CorruptRow> {
    let raw = row.text("id").map_err(|e| CorruptRow::new("?", "id", e))?;
    Ok(Job {
        id: JobId::parse(&raw).map_err(|e| CorruptRow::new(&raw, "id", e))?,
        key: key(row, &raw)?,
        repository: RepositoryId::parse(&text(row, &raw, "repository_id")?)
            .map_err(|e| CorruptRow::new(&raw, "repository_id", e))?,
        repository_name: text(row, &raw, "repository_name")?,
        spec: json(&raw, "spec", &text(row, &raw, "spec")?)?,
        state: state(&raw, &text(row, &raw, "state")?)?,
        fence: Fence(number(row, &raw, "fence")?),
        holder: holder(row, &raw)?,
        cancel: cancel(row, &raw)?,
        queueing: json(&raw, "queueing", &text(row, &raw, "queueing")?)?,
        lost: u32::try_from(number(row, &raw, "lost")?).map_err(|e| CorruptRow::new(&raw, "lost", e))?,
        created_at: Timestamp(number(row, &raw, "created_at")?),
        updated_at: Timestamp(number(row, &raw, "updated_at")?),
    })
}

pub(crate) fn key(row: &Row, job: &str) -> Result<TaskKey, CorruptRow> {
    TaskKey::parse(&text(row, job, "key")?).map_err(|e| CorruptRow::new(job, "key", e))
}

pub(crate) fn state(job: &str, text: &str) -> Result<JobState, CorruptRow> {
    json(job, "state", text)
}

fn holder(row: &Row, job: &str) -> Result<Option<Holder>, CorruptRow> {
    let Some(worker) = optional_text(row, job, "holder")? else { return Ok(None) };
    let worker = WorkerId::parse(&worker).map_err(|e| CorruptRow::new(job, "holder", e))?;
    Ok(Some(Holder { worker, lease_until: Timestamp(number(row, job, "lease_until")?) }))
}

pub(crate) fn cancel(row: &Row, job: &str) -> Result<Option<CancelledBy>, CorruptRow> {
    let by = optional_text(row, job, "cancel")?.map(CancelledBy::try_from).transpose();
    by.map_err(|why| CorruptRow::new(job, "cancel", why))
}

pub(crate) fn text(row: &Row, job: &str, column: &'static str) -> Result<String, CorruptRow> {
    row.text(column).map_err(|e| CorruptRow::new(job, column, e))
}

pub(crate) fn optional_text(
    row: &Row,
    job: &str,
    column: &'static str,
) -> Result<Option<String>, CorruptRow> {
    row.optional_text(column).map_err(|e| CorruptRow::new(job, column, e))
}

pub(crate) fn number(row: &Row, job: &str, column: &'static str) -> Result<i64, CorruptRow> {
    row.number(column).map_err(|e| CorruptRow::new(job, column, e))
}

pub(crate) fn flag(row: &Row, job: &str, column: &'static str) -> Result<bool, CorruptRow> {
    row.flag(column).map_err(|e| CorruptRow::new(job, column, e))
}

/// A number that counts something.
pub(crate) fn count(row: &Row, column: &'static str) -> Result<u64, CorruptRow> {
    u64::try_from(number(row, "?", column)?).map_err(|e| CorruptRow::new("?", column, e))
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(
    job: &str,
    column: &'static str,
    text: &str,
) -> Result<T, CorruptRow> {
    serde_json::from_str(text).map_err(|e| CorruptRow::new(job, column, e))
}

pub(crate) fn to_json<T: serde::Serialize>(column: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Encode { column, source })
}
