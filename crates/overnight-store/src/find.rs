//! Finding jobs: by what a person typed, and as lists. Reads only.

use std::fmt::Write as _;

use overnight_core::id::{JobId, RepositoryId, TaskKey};
use overnight_core::job::{BranchLine, Job, Label, ParkReason};
use overnight_core::units::Timestamp;

use crate::error::{CorruptRow, ErrorClass, StoreError, failed};
use crate::lane::LimitKey;
use crate::row::{self, SELECT_JOB};
use crate::sql::{Row, sql};
use crate::store::Store;

/// Shortest part of an id that is looked for.
const PREFIX_MIN: usize = 4;
/// How many jobs an ambiguous prefix names.
const AMBIGUOUS_MAX: usize = 5;
/// How many of the newest keys are compared with a mistyped one, how different they may be, and how many are shown.
const NEAR_POOL: i64 = 500;
/// Longest text that is compared with keys, in bytes: twice the longest key.
const NEAR_TYPED: usize = 256;
const NEAR_EDITS: usize = 2;
const NEAR_MAX: usize = 3;
/// By a whole id or key.
const BY_NAME: &str =
    "WHERE j.id = $1 OR j.id = (SELECT k.job_id FROM job_specs k WHERE k.key = $1) ORDER BY j.id = $1 DESC";

/// Which jobs to list. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub repository: Option<RepositoryId>,
    /// Names as of [`JobState::name`](overnight_core::job::JobState::name). Empty: any.
    pub states: Vec<String>,
    pub label: Option<Label>,
    /// The name of a repository, and one of its groups.
    pub group: Option<(String, Label)>,
    /// Only those that wait for this.
    pub parked: Option<ParkReason>,
    /// Only ended ones, or only unfinished ones.
    pub ended: Option<bool>,
    pub limit: Option<u32>,
    /// Only jobs that come after this one in the list: when it was made, and its id.
    pub after: Option<(Timestamp, JobId)>,
}

impl JobFilter {
    /// Whether the list goes by the time of making. An id begins with that time and is enough; only those that are not over, which
    /// their own index gathers, are sorted.
    fn by_time(&self) -> bool {
        self.ended == Some(false)
    }
}

/// A list of jobs, newest first. A job that this version cannot read does not hide the others.
#[derive(Debug, Default)]
pub struct Jobs {
    pub jobs: Vec<Job>,
    pub unreadable: Vec<CorruptRow>,
}

/// Why there is no one job for what was typed.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// `nearest`: existing keys that look like it, nearest first.
    #[error("there is no job {wanted:?}")]
    NotFound { wanted: String, nearest: Vec<TaskKey> },
    /// Some of the jobs whose ids start with it, newest first.
    #[error("{wanted:?} is the start of more than one job's id")]
    Ambiguous { wanted: String, matches: Vec<(TaskKey, JobId)> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FindError {
    /// `None`: nothing is wrong with the store.
    #[must_use]
    pub fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::NotFound { .. } | Self::Ambiguous { .. } => None,
            Self::Store(error) => Some(error.class()),
        }
    }
}

impl Store {
    /// Finds a job by its whole id, its key, or the first four or more characters of its id, in this order and in any case.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn job_find(&self, wanted: &str) -> Result<Job, FindError> {
        let typed = wanted.trim().to_ascii_lowercase();
        // No server takes such a text, and no job has it.
        if typed.contains('\0') {
            return Err(FindError::NotFound { wanted: wanted.to_owned(), nearest: Vec::new() });
        }
        if let Some(found) = self.select(BY_NAME, &typed).await?.first() {
            return Ok(row::job(found).map_err(StoreError::from)?);
        }
        let is_id = typed.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        if typed.len() >= PREFIX_MIN && is_id {
            // Neither '%' nor '_' passes the check above.
            let found = self.select("WHERE j.id LIKE $1 || '%' ORDER BY j.id DESC", &typed).await?;
            match found.as_slice() {
                [] => {}
                [one] => return Ok(row::job(one).map_err(StoreError::from)?),
                several => return Err(ambiguous(wanted, several)),
            }
        }
        Err(FindError::NotFound { wanted: wanted.to_owned(), nearest: self.nearest(&typed).await? })
    }

    /// The job with this id.
    ///
    /// # Errors
    /// [`StoreError::UnknownJob`], [`StoreError::Row`], [`StoreError::Database`].
    pub async fn job(&self, id: &JobId) -> Result<Job, StoreError> {
        let found = self.select("WHERE j.id = $1", id.as_str()).await?;
        let found = found.first().ok_or_else(|| StoreError::UnknownJob { job: id.clone() })?;
        Ok(row::job(found)?)
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`]. Rows that cannot be read are part of the answer.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Jobs, StoreError> {
        let operation = "list jobs";
        let lanes = self.lanes_of(filter).await?;
        let mut query = sql(format!("{SELECT_JOB} {}", conditions(filter, lanes.as_ref().map(Vec::len))));
        if let Some(repository) = &filter.repository {
            query = query.bind(repository.as_str());
        }
        if let Some(reason) = filter.parked {
            query = query.bind(reason.code());
        }
        for name in filter.states.iter().chain(lanes.iter().flatten()) {
            query = query.bind(name.as_str());
        }
        if let Some((made, id)) = &filter.after {
            if filter.by_time() {
                query = query.bind(made.0);
            }
            query = query.bind(id.as_str());
        }
        let mut list = Jobs::default();
        for found in self.all(operation, query).await? {
            match row::job(&found) {
                Ok(job) => list.jobs.push(job),
                Err(error) => list.unreadable.push(error),
            }
        }
        Ok(list)
    }

    /// The jobs on the same line of this repository, oldest first. Those that this version cannot read are left out.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn jobs_of_line(&self, repository: &str, line: &BranchLine) -> Result<Vec<Job>, StoreError> {
        let group = Some((repository.to_owned(), line.group()));
        let mut jobs = self.jobs(&JobFilter { group, ..JobFilter::default() }).await?.jobs;
        jobs.retain(|job| job.spec.line.as_ref().is_some_and(|other| line.is_with(other)));
        jobs.reverse();
        Ok(jobs)
    }

    /// The lanes that a filter leaves; `None`: it leaves all of them.
    async fn lanes_of(&self, filter: &JobFilter) -> Result<Option<Vec<String>>, StoreError> {
        let group = filter.group.as_ref().map(|(repository, group)| LimitKey::group(repository, group));
        let keys = filter.label.as_ref().map(LimitKey::label).into_iter().chain(group);
        let mut left: Option<Vec<String>> = None;
        for key in keys {
            let mut lanes = self.lanes_with(&key).await?;
            lanes.retain(|lane| left.as_ref().is_none_or(|left| left.contains(lane)));
            left = Some(lanes);
        }
        Ok(left)
    }

    /// All jobs that have not ended, newest first.
    ///
    /// # Errors
    /// As [`Store::jobs`].
    pub async fn jobs_unfinished(&self) -> Result<Jobs, StoreError> {
        self.jobs(&JobFilter { ended: Some(false), ..JobFilter::default() }).await
    }

    async fn select(&self, condition: &str, value: &str) -> Result<Vec<Row>, StoreError> {
        let query = sql(format!("{SELECT_JOB} {condition} LIMIT 6")).bind(value);
        self.all("look for the job", query).await
    }

    async fn nearest(&self, typed: &str) -> Result<Vec<TaskKey>, StoreError> {
        // No key is like it, and comparing a megabyte with each of them takes minutes.
        if typed.len() > NEAR_TYPED {
            return Ok(Vec::new());
        }
        let operation = "look for similar jobs";
        let query = sql("SELECT key FROM jobs ORDER BY id DESC LIMIT $1").bind(NEAR_POOL);
        let mut near = Vec::new();
        for found in self.all(operation, query).await? {
            let key = found.text("key").map_err(failed(operation))?;
            let edits = strsim::damerau_levenshtein(typed, &key);
            if let (Ok(key), true) = (TaskKey::parse(&key), edits <= NEAR_EDITS) {
                near.push((edits, key));
            }
        }
        near.sort_by_key(|(edits, _)| *edits);
        Ok(near.into_iter().take(NEAR_MAX).map(|(_, key)| key).collect())
    }
}

/// Placeholders are counted in the order in which [`Store::jobs`] binds. `lanes`: how many there are to choose from.
fn conditions(filter: &JobFilter, lanes: Option<usize>) -> String {
    let mut count = 0;
    let mut next = || {
        count += 1;
        format!("${count}")
    };
    let mut wanted = Vec::new();
    if filter.repository.is_some() {
        wanted.push(format!("j.repository_id = {}", next()));
    }
    if filter.parked.is_some() {
        wanted.push(format!("j.park_reason = {}", next()));
    }
    // A plan that serves both values would leave the index of unfinished jobs alone.
    match filter.ended {
        None => {}
        Some(true) => wanted.push("j.ended".to_owned()),
        Some(false) => wanted.push("NOT j.ended".to_owned()),
    }
    if !filter.states.is_empty() {
        let names: Vec<String> = filter.states.iter().map(|_| next()).collect();
        wanted.push(format!("j.state_name IN ({})", names.join(", ")));
    }
    match lanes {
        None => {}
        Some(0) => wanted.push("j.id IS NULL".to_owned()),
        Some(count) => {
            let ids: Vec<String> = (0..count).map(|_| next()).collect();
            wanted.push(format!("j.lane_id IN ({})", ids.join(", ")));
        }
    }
    if filter.after.is_some() {
        wanted.push(match filter.by_time() {
            true => format!("(j.created_at, j.id) < ({}, {})", next(), next()),
            false => format!("j.id < {}", next()),
        });
    }
    let mut text = if wanted.is_empty() { String::new() } else { format!("WHERE {} ", wanted.join(" AND ")) };
    text.push_str(if filter.by_time() {
        "ORDER BY j.created_at DESC, j.id DESC"
    } else {
        "ORDER BY j.id DESC"
    });
    if let Some(limit) = filter.limit {
        // Writing to a String cannot fail.
        let _ = write!(text, " LIMIT {limit}");
    }
    text
}

fn ambiguous(wanted: &str, several: &[Row]) -> FindError {
    let name = |found: &Row| {
        let (key, id) = (found.text("key").ok()?, found.text("id").ok()?);
        Some((TaskKey::parse(&key).ok()?, JobId::parse(&id).ok()?))
    };
    let matches = several.iter().filter_map(name).take(AMBIGUOUS_MAX).collect();
    FindError::Ambiguous { wanted: wanted.to_owned(), matches }
}
