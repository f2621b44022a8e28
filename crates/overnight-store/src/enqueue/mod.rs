//! Accepting jobs: numbers, keys, orders, dependencies and first events in one transaction. Once that is committed no job
//! is lost; before, none is there.

mod again;
mod at_once;
mod line;
mod parents;
mod write;

use overnight_core::id::{JobId, RepositoryId};
use overnight_core::job::{AfterRule, Job, JobSpec, Queueing};

pub use line::{on_line, put_on_line};

use crate::error::StoreError;
use crate::row::{self, SELECT_JOB};
use crate::sql::{places, sql};
use crate::store::{Store, WriteTx};

/// A job to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    pub repository: RepositoryId,
    pub spec: JobSpec,
    pub queueing: Queueing,
    /// The sender's own name for this request: sent twice, it makes one job.
    pub request: Option<String>,
    pub after: Vec<After>,
}

impl NewJob {
    /// One that can run at once.
    #[must_use]
    pub fn new(repository: RepositoryId, spec: JobSpec) -> Self {
        Self { repository, spec, queueing: Queueing::default(), request: None, after: Vec::new() }
    }
}

/// A job that has to end first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    pub on: Parent,
    pub rule: AfterRule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    Job(JobId),
    /// The one at this place of the same batch, which must stand before. So there can be no circle.
    Earlier(usize),
}

/// A request that another process sent at the same time is found when it is tried again.
const TRIES: u32 = 3;

impl Store {
    /// Accepts a job, or returns the one that the same request made before.
    ///
    /// # Errors
    /// [`StoreError::RequestReused`] when the request made a job with another order, place in the queue or jobs to wait for
    /// (a time before which it is not to start, and what only a configuration decided, do not count); [`StoreError::ParentFailed`]; [`StoreError::UnknownJob`] for a job to wait
    /// for; [`StoreError::Database`], also when the repository is not registered.
    pub async fn job_enqueue(&self, new: &NewJob) -> Result<Job, StoreError> {
        if let Some(job) = self.enqueue_at_once(new).await? {
            return Ok(job);
        }
        let mut jobs = self.jobs_enqueue(std::slice::from_ref(new)).await?;
        jobs.pop().ok_or(StoreError::Internal { what: "a job was enqueued without an answer" })
    }

    /// Accepts all of these jobs or none of them, and returns them in the same order.
    ///
    /// # Errors
    /// As [`Store::job_enqueue`].
    pub async fn jobs_enqueue(&self, new: &[NewJob]) -> Result<Vec<Job>, StoreError> {
        let mut tried = 1;
        loop {
            match self.enqueue_once(new).await {
                Err(error) if (error.is_duplicate() || error.is_collision()) && tried < TRIES => tried += 1,
                done => return done,
            }
        }
    }

    /// The jobs that these requests made, in any order; a request that made none has none.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn jobs_of_requests(&self, requests: &[String]) -> Result<Vec<Job>, StoreError> {
        let mut jobs = Vec::new();
        for some in requests.chunks(64) {
            let text = format!(
                "{SELECT_JOB} WHERE j.id IN (SELECT q.job_id FROM job_specs q WHERE q.request IN ({}))",
                places(1, some.len())
            );
            let query = sql(text).bind_all(some.iter().map(String::as_str));
            for found in self.all("look for the jobs of earlier requests", query).await? {
                jobs.push(row::job(&found)?);
            }
        }
        Ok(jobs)
    }

    async fn enqueue_once(&self, new: &[NewJob]) -> Result<Vec<Job>, StoreError> {
        let mut tx = self.begin("enqueue").await?;
        let known = known_requests(&mut tx, new).await?;
        again::same_parents(&mut tx, new, &known).await?;
        let batch = write::batch(self, &mut tx, new, known).await?;
        tx.commit().await?;
        // Known only now that they are certain to be there.
        batch.lanes.into_iter().for_each(|lane| self.lanes.put(lane));
        Ok(batch.jobs)
    }
}

/// The jobs that these requests made before, by the place of the request.
async fn known_requests(tx: &mut WriteTx, new: &[NewJob]) -> Result<Vec<Option<Job>>, StoreError> {
    let mut known = vec![None; new.len()];
    let mut requests: Vec<&str> = new.iter().filter_map(|new| new.request.as_deref()).collect();
    requests.sort_unstable();
    if let Some(twice) = requests.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(StoreError::RequestTwice { request: twice[0].to_owned() });
    }
    for some in requests.chunks(64) {
        let text = format!(
            "SELECT s.request, s.job_id AS id FROM job_specs s WHERE s.request IN ({})",
            places(1, some.len())
        );
        for found in tx.all(sql(text).bind_all(some.iter().copied())).await? {
            let request = row::text(&found, "?", "request")?;
            let id = row::text(&found, "?", "id")?;
            let job = tx.optional(sql(format!("{SELECT_JOB} WHERE j.id = $1")).bind(&id)).await?;
            let Some(job) = job.map(|job| row::job(&job)).transpose()? else { continue };
            for (place, new) in new.iter().enumerate() {
                if new.request.as_deref() == Some(request.as_str()) {
                    known[place] = Some(same_or_refused(&job, new, &request)?);
                }
            }
        }
    }
    Ok(known)
}

fn same_or_refused(job: &Job, new: &NewJob, request: &str) -> Result<Job, StoreError> {
    let timeless = |queueing: &Queueing| Queueing { not_before: None, ..queueing.clone().tidy() };
    let same = job.spec.asks_the_same(&new.spec)
        && job.repository == new.repository
        && timeless(&job.queueing) == timeless(&new.queueing);
    if same {
        return Ok(job.clone());
    }
    Err(StoreError::RequestReused { request: request.to_owned(), key: job.key.clone() })
}
