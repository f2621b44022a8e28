//! Where jobs stand in the queue, and what they wait for. Reads only: for people and programs that look at the queue.

use std::collections::HashMap;

use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::{AfterRule, Label};
use overnight_core::units::Timestamp;

use crate::error::{CorruptRow, StoreError};
use crate::reclaim::GONE;
use crate::row;
use crate::sql::{Row, places, sql};
use crate::store::Store;

pub use crate::placement::Phase;

/// Jobs asked for with one statement.
const AT_ONCE: usize = 64;

/// Where a job stands for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStanding {
    pub phase: Phase,
    /// When a job that waits for a time can go on.
    pub wake: Option<Timestamp>,
    /// The data directory that going on needs; `None`: any will do.
    pub place: Option<Label>,
    /// Unfinished jobs that have to end first, in the order of their creation.
    pub waits_for: Vec<TaskKey>,
}

/// A job that another one was told to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub job: JobId,
    pub key: TaskKey,
    pub rule: AfterRule,
    /// Name of its state, as of [`JobState::name`](overnight_core::job::JobState::name).
    pub state: String,
    /// Code of its end, once it has ended.
    pub end: Option<String>,
}

impl Store {
    /// Where these jobs stand. A job that is not there is not in the answer.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn standings(&self, jobs: &[JobId]) -> Result<HashMap<JobId, QueueStanding>, StoreError> {
        let mut standings = HashMap::new();
        for some in jobs.chunks(AT_ONCE) {
            let ids = || some.iter().map(JobId::as_str);
            let named = places(1, some.len());
            let text = format!("SELECT id, phase, wake_at, place FROM jobs WHERE id IN ({named})");
            for found in self.all("look where jobs stand", sql(text).bind_all(ids())).await? {
                let raw = row::text(&found, "?", "id")?;
                standings.insert(id(&raw)?, standing(&found, &raw)?);
            }
            let text = format!(
                "SELECT d.child_id, p.key FROM job_dependencies d JOIN jobs p ON p.id = d.parent_id \
                 WHERE d.child_id IN ({named}) AND NOT p.ended ORDER BY p.created_at, p.id"
            );
            for found in self.all("look what jobs wait for", sql(text).bind_all(ids())).await? {
                let child = row::text(&found, "?", "child_id")?;
                if let Some(standing) = standings.get_mut(&id(&child)?) {
                    standing.waits_for.push(row::key(&found, &child)?);
                }
            }
        }
        Ok(standings)
    }

    /// Where this job stands.
    ///
    /// # Errors
    /// [`StoreError::UnknownJob`], [`StoreError::Database`], [`StoreError::Row`].
    pub async fn standing(&self, job: &JobId) -> Result<QueueStanding, StoreError> {
        let mut found = self.standings(std::slice::from_ref(job)).await?;
        found.remove(job).ok_or_else(|| StoreError::UnknownJob { job: job.clone() })
    }

    /// The jobs that this one was told to wait for and that had not ended then, in the order of their creation.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn parents(&self, job: &JobId) -> Result<Vec<Dependency>, StoreError> {
        let text = "SELECT p.id, p.key, d.rule, p.state_name, p.end_reason FROM job_dependencies d \
                    JOIN jobs p ON p.id = d.parent_id WHERE d.child_id = $1 ORDER BY p.created_at, p.id";
        let found = self.all("read what the job waits for", sql(text).bind(job.as_str())).await?;
        found.iter().map(|row| Ok(dependency(row)?)).collect()
    }
}

fn id(raw: &str) -> Result<JobId, CorruptRow> {
    JobId::parse(raw).map_err(|error| CorruptRow::new(raw, "id", error))
}

fn standing(found: &Row, job: &str) -> Result<QueueStanding, CorruptRow> {
    let phase = row::text(found, job, "phase")?;
    let wake = found.optional_number("wake_at").map_err(|error| CorruptRow::new(job, "wake_at", error))?;
    // What only a place that is gone had is done again, wherever that is.
    let place = row::text(found, job, "place")?;
    let place = (!place.is_empty() && place != GONE).then(|| Label::parse(&place)).transpose();
    Ok(QueueStanding {
        phase: Phase::parse(&phase).map_err(|why| CorruptRow::new(job, "phase", why))?,
        wake: wake.map(Timestamp),
        place: place.map_err(|error| CorruptRow::new(job, "place", error))?,
        waits_for: Vec::new(),
    })
}

fn dependency(found: &Row) -> Result<Dependency, CorruptRow> {
    let raw = row::text(found, "?", "id")?;
    let rule = row::text(found, &raw, "rule")?;
    let known = [AfterRule::Done, AfterRule::Ended].into_iter().find(|known| known.as_str() == rule);
    Ok(Dependency {
        job: id(&raw)?,
        key: row::key(found, &raw)?,
        rule: known.ok_or_else(|| CorruptRow::new(&raw, "rule", format!("{rule:?} is not a rule")))?,
        state: row::text(found, &raw, "state_name")?,
        end: row::optional_text(found, &raw, "end_reason")?,
    })
}
