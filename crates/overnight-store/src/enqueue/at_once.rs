//! One plain job with one round trip: what otherwise takes seven statements, each waiting for the answer to the one before, is
//! one statement for PostgreSQL, and several that are sent together for SQLite; either way a transaction by itself.

use overnight_core::job::{Job, JobEvent, JobState, PRIORITY_STEP};
use overnight_core::units::Timestamp;

use crate::dialect::Engine;
use crate::error::StoreError;
use crate::lane::Lane;
use crate::row::{self, to_json};
use crate::sql::sql;
use crate::store::Store;

use super::NewJob;
use super::write::{Counter, made, new_id};

/// The rows are those of `write`, for a job that waits for nothing. The notification is the last thing that happens.
const POSTGRES: &str = "WITH counted AS ( \
      UPDATE repositories SET last_number = last_number + 1 WHERE id = $2 \
      RETURNING name, last_number AS number, {now} AS now, CAST($6 AS BIGINT) AS not_before), \
    job AS (INSERT INTO jobs (id, repository_id, number, key, state, state_name, stage, wake_at, ended, fence, last_event, \
        created_at, updated_at, phase, lane_id, position, priority, queueing, place) \
      SELECT $1, $2, number, name || '-' || CAST(number AS TEXT), $3, $4, $5, \
        CASE WHEN not_before > now THEN not_before END, FALSE, 0, 1, now, now, \
        CASE WHEN not_before > now THEN 'due' ELSE 'ready' END, $7, \
        CASE WHEN not_before > now THEN not_before ELSE now END - CAST($8 AS BIGINT) * CAST($9 AS BIGINT), \
        CAST($8 AS BIGINT), $10, $11 FROM counted), \
    spec AS (INSERT INTO job_specs (job_id, key, spec) \
      SELECT $1, name || '-' || CAST(number AS TEXT), $12 FROM counted), \
    event AS (INSERT INTO events (job_id, number, at, event, tx) SELECT $1, 1, now, $13, {tx} FROM counted) \
    SELECT number, now, CAST(pg_notify('overnight', '') AS TEXT) AS told FROM counted";

/// An unknown repository counts nothing, and the rest finds nothing to go by.
const SQLITE: &str = "BEGIN IMMEDIATE; \
    UPDATE repositories SET last_number = last_number + 1 WHERE id = $2; \
    INSERT INTO jobs (id, repository_id, number, key, state, state_name, stage, wake_at, ended, fence, last_event, \
        created_at, updated_at, phase, lane_id, position, priority, queueing, place) \
      SELECT $1, id, last_number, name || '-' || last_number, $3, $4, $5, \
        CASE WHEN $6 > now THEN $6 END, FALSE, 0, 1, now, now, \
        CASE WHEN $6 > now THEN 'due' ELSE 'ready' END, $7, \
        CASE WHEN $6 > now THEN $6 ELSE now END - $8 * $9, $8, $10, $11 \
      FROM (SELECT id, last_number, name, {now} AS now FROM repositories WHERE id = $2) \
      RETURNING number, created_at AS now; \
    INSERT INTO job_specs (job_id, key, spec) SELECT id, key, $12 FROM jobs WHERE id = $1; \
    INSERT INTO events (job_id, number, at, event, tx) SELECT id, 1, created_at, $13, {tx} FROM jobs WHERE id = $1; \
    COMMIT";

impl Store {
    /// Accepts this job if that can be done at once; `None`: it has to be done step by step.
    pub(super) async fn enqueue_at_once(&self, new: &NewJob) -> Result<Option<Job>, StoreError> {
        let plain = new.request.is_none() && new.after.is_empty() && new.spec.item().is_none();
        let name = self.lanes.name_of(&new.repository);
        let (true, Some(name)) = (plain, name) else { return Ok(None) };
        let queueing = new.queueing.clone().tidy();
        let lane = Lane::of(&new.repository, &name, &new.spec, &queueing);
        if self.lanes.get(&lane.id).is_none() {
            return Ok(None);
        }
        let state = JobState::Queued;
        let id = new_id()?;
        let step = i64::try_from(PRIORITY_STEP.as_millis()).unwrap_or(i64::MAX);
        let text = match self.engine() {
            Engine::Sqlite => SQLITE,
            Engine::Postgres => POSTGRES,
        };
        let insert = sql(text)
            .bind(id.as_str())
            .bind(new.repository.as_str())
            .bind(to_json("state", &state)?)
            .bind(state.name())
            .bind(state.stage().map(overnight_core::job::Stage::as_str))
            .bind(queueing.not_before.map(|at| at.0))
            .bind(&lane.id)
            .bind(queueing.priority.number())
            .bind(step)
            .bind(to_json("queueing", &queueing)?)
            .bind(queueing.place.as_ref().map_or("", |place| place.as_str()))
            .bind(to_json("spec", &new.spec)?)
            .bind(to_json("event", &JobEvent::Queued { title: new.spec.title.clone() })?);
        let found = self.change("enqueue", insert).await?.pop();
        let found = found.ok_or_else(|| StoreError::UnknownRepository { id: new.repository.clone() })?;
        self.wake();
        let next = row::number(&found, id.as_str(), "number")?;
        let counter = Counter { name, next, now: Timestamp(row::number(&found, id.as_str(), "now")?) };
        made(id, new, &counter, &[]).map(Some)
    }
}
