//! Accepting a job: its number, key, order and first event in one transaction. Once that is committed the job is not lost.

use sqlx::Row;

use overnight_core::id::{EventNumber, RepositoryId};
use overnight_core::job::{Job, JobEvent, JobSpec, JobState};
use overnight_core::units::Timestamp;

use crate::apply::{insert_event, placement};
use crate::error::{StoreError, failed};
use crate::row::{self, SELECT_JOB, to_json};
use crate::store::{Store, WriteTx};

/// A job to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    pub repository: RepositoryId,
    pub spec: JobSpec,
    /// The sender's own name for this request: sent twice, it makes one job.
    pub request: Option<String>,
}

impl Store {
    /// Accepts a job, or returns the one that the same request made before.
    ///
    /// # Errors
    /// [`StoreError::RequestReused`] when the request made a job with another order; [`StoreError::Database`], also when
    /// the repository is not registered.
    pub async fn job_enqueue(&self, new: &NewJob) -> Result<Job, StoreError> {
        let mut tx = self.begin("enqueue the job").await?;
        if let Some(request) = &new.request
            && let Some(job) = by_request(&mut tx, request).await?
        {
            return if job.spec == new.spec && job.repository == new.repository {
                Ok(job)
            } else {
                Err(StoreError::RequestReused { request: request.clone(), key: job.key })
            };
        }
        let id = uuid::Uuid::now_v7().to_string();
        let at = insert_job(&mut tx, &id, new).await?;
        let event = JobEvent::Queued { title: new.spec.title.clone() };
        insert_event(&mut tx, &id, EventNumber(1), at, &event).await?;
        let query = sqlx::query(tx.dialect.sql(&format!("{SELECT_JOB} WHERE j.id = $1"))).bind(&id);
        let job = row::job(&query.fetch_one(tx.connection()).await.map_err(failed(tx.operation))?)?;
        tx.commit().await?;
        Ok(job)
    }
}

async fn by_request(tx: &mut WriteTx, request: &str) -> Result<Option<Job>, StoreError> {
    let query = sqlx::query(tx.dialect.sql(&format!("{SELECT_JOB} WHERE j.request = $1"))).bind(request);
    let operation = tx.operation;
    let found = query.fetch_optional(tx.connection()).await.map_err(failed(operation))?;
    Ok(found.map(|found| row::job(&found)).transpose()?)
}

async fn insert_job(tx: &mut WriteTx, id: &str, new: &NewJob) -> Result<Timestamp, StoreError> {
    let operation = tx.operation;
    let text =
        "UPDATE repositories SET last_number = last_number + 1 WHERE id = $1 RETURNING name, last_number";
    let query = sqlx::query(text).bind(new.repository.as_str());
    let counted = query.fetch_one(tx.connection()).await.map_err(failed(operation))?;
    let name: String = counted.try_get("name").map_err(failed(operation))?;
    let number: i64 = counted.try_get("last_number").map_err(failed(operation))?;
    let state = JobState::Queued;
    let place = placement(&state);
    let text = tx.dialect.sql(
        "INSERT INTO jobs (id, repository_id, number, key, request, state, state_name, stage, wake_at, ended, fence, \
         last_event, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 1, {now}, {now}) \
         RETURNING created_at",
    );
    let insert = sqlx::query(text)
        .bind(id)
        .bind(new.repository.as_str())
        .bind(number)
        .bind(format!("{name}-{number}"))
        .bind(new.request.as_deref())
        .bind(to_json("state", &state)?)
        .bind(place.name)
        .bind(place.stage)
        .bind(place.wake)
        .bind(place.ended);
    let inserted = insert.fetch_one(tx.connection()).await.map_err(failed(operation))?;
    let insert = sqlx::query("INSERT INTO job_specs (job_id, spec) VALUES ($1, $2)");
    let insert = insert.bind(id).bind(to_json("spec", &new.spec)?);
    insert.execute(tx.connection()).await.map_err(failed(operation))?;
    Ok(Timestamp(inserted.try_get("created_at").map_err(failed(operation))?))
}
