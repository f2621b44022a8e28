//! What forges say about pull requests. Who asks them is elsewhere; here it is written down, for the states of tasks. The pull request that
//! a job has opened or found is written down with the step that says so.

use overnight_core::backlog::PullState;
use overnight_core::id::{JobId, RepositoryId};
use overnight_core::job::{JobEvent, PullRequestRef, Step};
use overnight_core::units::Timestamp;

use super::error::BacklogError;
use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::{Row, sql};
use crate::store::{Store, WriteTx};

/// A pull request as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    pub repository: RepositoryId,
    /// As the forge counts.
    pub number: i64,
    pub url: String,
    pub branch: String,
    /// The job that speaks: the task that it carries out is as far as this pull request. Several jobs may share one.
    pub job: JobId,
    pub state: PullState,
    /// When it was seen like this; an older sight changes nothing.
    pub updated_at: Timestamp,
}

impl Store {
    /// Writes down what was seen of a pull request, and that the job belongs to it. Seen twice is seen once.
    ///
    /// # Errors
    /// [`BacklogError::Store`].
    pub async fn pull_request_put(&self, seen: &PullRequest) -> Result<(), BacklogError> {
        super::error::retried(|| self.put_once(seen)).await
    }

    async fn put_once(&self, seen: &PullRequest) -> Result<(), BacklogError> {
        let mut tx = self.begin("write down a pull request").await?;
        let text = "INSERT INTO pull_requests (repository_id, number, url, branch, job_id, state, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (repository_id, number) DO UPDATE SET url = excluded.url, \
             branch = excluded.branch, state = excluded.state, updated_at = excluded.updated_at \
             WHERE pull_requests.updated_at <= excluded.updated_at";
        let put = sql(text)
            .bind(seen.repository.as_str())
            .bind(seen.number)
            .bind(&seen.url)
            .bind(&seen.branch)
            .bind(seen.job.as_str())
            .bind(seen.state.as_str())
            .bind(seen.updated_at.0);
        tx.run(put).await?;
        let text = "UPDATE item_jobs SET pull_repository_id = $2, pull_number = $3 WHERE job_id = $1";
        let link = sql(text).bind(seen.job.as_str()).bind(seen.repository.as_str()).bind(seen.number);
        tx.run(link).await?;
        Ok(tx.commit().await?)
    }

    /// The pull requests of a repository, newest first.
    ///
    /// # Errors
    /// [`BacklogError::Store`].
    pub async fn pull_requests(&self, repository: &RepositoryId) -> Result<Vec<PullRequest>, BacklogError> {
        let text = "SELECT number, url, branch, job_id, state, updated_at FROM pull_requests WHERE repository_id = $1 \
                    ORDER BY number DESC";
        let found = self.all("read the pull requests", sql(text).bind(repository.as_str())).await?;
        Ok(found.iter().map(|found| pull(repository, found)).collect::<Result<_, _>>()?)
    }
}

/// The pull request that a step says was opened or found.
pub(crate) fn opened(step: &Step) -> Option<&PullRequestRef> {
    step.events.iter().find_map(|event| {
        if let JobEvent::PullRequestOpened { pull_request, .. } = event { Some(pull_request) } else { None }
    })
}

/// Writes down the pull request that a step of this job says was opened or found, and that the job belongs to it. One that is known to be
/// merged stays so; any other is open now.
pub(crate) async fn write_opened(
    tx: &mut WriteTx,
    job: &JobId,
    at: Timestamp,
    step: &Step,
) -> Result<(), StoreError> {
    let (Some(opened), Some(work)) = (opened(step), step.next.end().and_then(|end| end.published.as_ref()))
    else {
        return Ok(());
    };
    let number = i64::try_from(opened.number).unwrap_or(i64::MAX);
    let text = "INSERT INTO pull_requests (repository_id, number, url, branch, job_id, state, updated_at) \
         SELECT repository_id, $2, $3, $4, id, 'open', $5 FROM jobs WHERE id = $1 \
         ON CONFLICT (repository_id, number) DO UPDATE SET url = excluded.url, branch = excluded.branch, \
         state = CASE WHEN pull_requests.state = 'merged' THEN 'merged' ELSE excluded.state END, \
         updated_at = CASE WHEN pull_requests.updated_at > excluded.updated_at THEN pull_requests.updated_at \
         ELSE excluded.updated_at END";
    let put =
        sql(text).bind(job.as_str()).bind(number).bind(&opened.url).bind(work.branch.as_str()).bind(at.0);
    tx.run(put).await?;
    crate::watch::begin(tx, job, number, work.commit.as_str()).await?;
    let text = "UPDATE item_jobs SET pull_number = $2, \
         pull_repository_id = (SELECT j.repository_id FROM jobs j WHERE j.id = item_jobs.job_id) WHERE job_id = $1";
    tx.run(sql(text).bind(job.as_str()).bind(number)).await.map(drop)
}

fn pull(repository: &RepositoryId, found: &Row) -> Result<PullRequest, CorruptRow> {
    let raw = row::text(found, "?", "job_id")?;
    let word = row::text(found, &raw, "state")?;
    let state = PullState::ALL.into_iter().find(|state| state.as_str() == word);
    Ok(PullRequest {
        repository: repository.clone(),
        number: row::number(found, &raw, "number")?,
        url: row::text(found, &raw, "url")?,
        branch: row::text(found, &raw, "branch")?,
        job: JobId::parse(&raw).map_err(|why| CorruptRow::new(&raw, "job_id", why))?,
        state: state.ok_or_else(|| CorruptRow::new(&raw, "state", format!("{word:?} is no state")))?,
        updated_at: Timestamp(row::number(found, &raw, "updated_at")?),
    })
}
