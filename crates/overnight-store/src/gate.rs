//! A person's word on a commit, and an operator's exceptions from rules.

use overnight_core::git::{CommitId, CommitPrefix};
use overnight_core::id::{EventNumber, JobId, RepositoryId, TaskKey};
use overnight_core::job::{AwaitedApproval, Input, Job, JobEvent, Order, transition};
use overnight_core::policy::preflight::{Exception, ExceptionTerms, Glob, Rule};
use overnight_core::talk::{InvalidWords, words};
use overnight_core::units::Timestamp;
use serde::Serialize;

use crate::answers::id_of_request;
use crate::ends::release_dependents;
use crate::error::StoreError;
use crate::free;
use crate::lease::span;
use crate::row;
use crate::sql::{Row, sql};
use crate::store::{Store, retried};

/// What a person says of the commit that a job waits with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub by: String,
    /// The commit that it is about; of another one nothing is said.
    pub commit: CommitId,
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Approve {
        message: Option<String>,
    },
    /// `end`: no other attempt is wanted either.
    Reject {
        message: String,
        end: bool,
    },
}

/// What became of a person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The job goes on accordingly.
    Done,
    /// It waits with another commit by now.
    OtherCommit(CommitId),
    /// It does not wait for a word, or not any more.
    NotAsked,
    /// It is to be cancelled.
    Cancelled,
    /// A worker is looking at it at this moment.
    Held,
}

/// Why a person's word was not taken. Nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum WordError {
    #[error(transparent)]
    Words(#[from] InvalidWords),
    /// With the job as it is by now.
    #[error("{} does not wait for approval: it is {}", job.key, job.state.name())]
    NotAsked { job: Box<Job> },
    #[error("{key} waits with another commit by now: {}", tip.short())]
    OtherCommit { key: TaskKey, tip: CommitId },
    #[error("{key} is to be cancelled, and nothing of it is published")]
    Cancelled { key: TaskKey },
    #[error("a worker looks at {key} at this moment")]
    Held { key: TaskKey },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Events read at once.
const EVENTS_AT_ONCE: u32 = 1_000;
/// Characters of what a person says of a commit: as much as is kept of it.
const WORD_CHARS: usize = 4_000;

impl Answer {
    /// The same with its words cleaned, or refused where they are too many or needed and missing.
    fn clean(self) -> Result<Self, InvalidWords> {
        match self {
            Self::Approve { message } => {
                let said = message.filter(|message| !message.trim().is_empty());
                let message = said.map(|said| words("message", &said, WORD_CHARS)).transpose()?;
                Ok(Self::Approve { message })
            }
            Self::Reject { message, end } => {
                Ok(Self::Reject { message: words("message", &message, WORD_CHARS)?, end })
            }
        }
    }
}

/// An exception to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewException {
    pub repository: RepositoryId,
    pub terms: ExceptionTerms,
    pub by: String,
}

/// An exception as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedException {
    pub id: String,
    pub repository: String,
    pub rule: String,
    pub path: Option<String>,
    pub message: String,
    pub by: String,
    #[serde(rename = "made_at_ms")]
    pub made_at: Timestamp,
    #[serde(rename = "until_ms")]
    pub until: Timestamp,
}

/// Which exceptions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExceptionFilter {
    /// Also those that are over.
    pub all: bool,
    /// The newest so many; `None`: the newest thousand.
    pub limit: Option<u32>,
    /// Only those that come after this one in the list: when it was made, and its id.
    pub after: Option<(Timestamp, String)>,
}

/// Most exceptions of one list.
const LISTED: u32 = 1_000;

const EXCEPTIONS: &str = "SELECT e.id, r.name AS repository, e.rule, e.path, e.message, e.made_by, e.made_at, e.until \
    FROM exceptions e JOIN repositories r ON r.id = e.repository_id";

impl Store {
    /// Says a person's word on the commit that a job waits with, if it is `named` so; on whichever it is where none is named. Gives that
    /// commit.
    ///
    /// # Errors
    /// [`WordError`].
    pub async fn job_say(
        &self,
        job: &Job,
        named: Option<&CommitPrefix>,
        by: &str,
        answer: Answer,
    ) -> Result<CommitId, WordError> {
        let answer = answer.clean()?;
        let Some(commit) = job.state.awaits_approval().cloned() else {
            return Err(WordError::NotAsked { job: Box::new(job.clone()) });
        };
        let key = job.key.clone();
        if named.is_some_and(|named| !named.begins(&commit)) {
            return Err(WordError::OtherCommit { key, tip: commit });
        }
        let word = Word { by: by.to_owned(), commit: commit.clone(), answer };
        match self.job_word(&job.id, &word).await? {
            Heard::Done => Ok(commit),
            Heard::OtherCommit(tip) => Err(WordError::OtherCommit { key, tip }),
            Heard::NotAsked => Err(WordError::NotAsked { job: Box::new(self.job(&job.id).await?) }),
            Heard::Cancelled => Err(WordError::Cancelled { key }),
            Heard::Held => Err(WordError::Held { key }),
        }
    }

    /// What a person is shown who has to say a word on this job's commit; `None`: it waits for none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn awaited_approval(&self, job: &Job) -> Result<Option<AwaitedApproval>, StoreError> {
        if job.state.awaits_approval().is_none() {
            return Ok(None);
        }
        let mut events: Vec<JobEvent> = Vec::new();
        let mut last = EventNumber(0);
        loop {
            let page = self.events(&job.id, last, EVENTS_AT_ONCE).await?;
            let Some(end) = page.last() else { return Ok(AwaitedApproval::of(job, &events)) };
            last = end.number;
            // One that this version cannot read is passed over.
            events.extend(page.into_iter().filter_map(|record| record.event.ok()));
        }
    }

    /// Gives a person's word to a job that waits for it. Of two words at once one is heard.
    ///
    /// # Errors
    /// [`StoreError::UnknownJob`], [`StoreError::Database`].
    pub async fn job_word(&self, id: &JobId, word: &Word) -> Result<Heard, StoreError> {
        retried(|| self.word_once(id, word)).await
    }

    async fn word_once(&self, id: &JobId, word: &Word) -> Result<Heard, StoreError> {
        let mut tx = self.begin("record a person's word").await?;
        let found = free::lock(&mut tx, id.as_str()).await?;
        let locked = found.ok_or_else(|| StoreError::UnknownJob { job: id.clone() })?;
        let job = &locked.job;
        match job.state.awaits_approval() {
            None => return Ok(Heard::NotAsked),
            Some(other) if *other != word.commit => return Ok(Heard::OtherCommit(other.clone())),
            Some(_) => {}
        }
        if job.cancel.is_some() {
            return Ok(Heard::Cancelled);
        }
        if job.holder.as_ref().is_some_and(|holder| holder.lease_until > locked.now) {
            return Ok(Heard::Held);
        }
        let order = Order { key: &job.key, spec: &job.spec };
        let Ok(step) = transition(&job.state, input(word), locked.now, order) else {
            return Ok(Heard::NotAsked);
        };
        let ended = free::write_free(&mut tx, job, locked.now, step).await?;
        release_dependents(&mut tx, ended.into_iter().collect()).await?;
        tx.commit().await?;
        Ok(Heard::Done)
    }

    /// Makes an exception. A request with a name of its own that comes again is the exception that it made before.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn exception_add(
        &self,
        new: &NewException,
        request: Option<&str>,
    ) -> Result<ListedException, StoreError> {
        let id = id_of_request(request);
        let text = "INSERT INTO exceptions (id, repository_id, rule, path, message, made_by, made_at, until) \
                    VALUES ($1, $2, $3, $4, $5, $6, {now}, {now} + $7) ON CONFLICT (id) DO NOTHING";
        let ExceptionTerms { rule, path, message, length } = &new.terms;
        let query = sql(text)
            .bind(&id)
            .bind(new.repository.as_str())
            .bind(rule.code())
            .bind(path.as_ref().map(Glob::as_str))
            .bind(message)
            .bind(&new.by)
            .bind(span(*length));
        self.run("make an exception", query).await?;
        let made = self.exception(&id).await?;
        made.ok_or(StoreError::Internal { what: "an exception that was made is not there" })
    }

    /// The exception with this id, whether it holds or is over.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn exception(&self, id: &str) -> Result<Option<ListedException>, StoreError> {
        let text = format!("{EXCEPTIONS} WHERE e.id = $1");
        let found = self.optional("read the exception", sql(text).bind(id)).await?;
        found.as_ref().map(listed).transpose()
    }

    /// Ends an exception that holds now. Returns how many that were: none or one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn exception_end(&self, id: &str) -> Result<u64, StoreError> {
        let text = "UPDATE exceptions SET until = {now} WHERE id = $1 AND until > {now}";
        self.run("end an exception", sql(text).bind(id)).await
    }

    /// The exceptions that hold now in a repository, for the inspection of a change. One that this version cannot read excuses nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn exceptions_of(&self, repository: &RepositoryId) -> Result<Vec<Exception>, StoreError> {
        let text = "SELECT id, rule, path, until FROM exceptions WHERE repository_id = $1 AND until > {now} ORDER BY id";
        let rows = self.all("read the exceptions", sql(text).bind(repository.as_str())).await?;
        let mut exceptions = Vec::new();
        for found in &rows {
            let id = row::text(found, "?", "id")?;
            let path = path(found, &id)?;
            let glob = path.as_deref().map(Glob::parse).transpose();
            let (Some(rule), Ok(path)) = (Rule::parse(&row::text(found, &id, "rule")?), glob) else {
                continue;
            };
            let until = Timestamp(row::number(found, &id, "until")?);
            exceptions.push(Exception { id, rule, path, until });
        }
        Ok(exceptions)
    }

    /// The exceptions that hold now, or also those that are over; the newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn exceptions(&self, filter: &ExceptionFilter) -> Result<Vec<ListedException>, StoreError> {
        let mut conditions = vec!["1 = 1"];
        if filter.after.is_some() {
            conditions.push("(e.made_at, e.id) < ($1, $2)");
        }
        if !filter.all {
            conditions.push("e.until > {now}");
        }
        let limit = filter.limit.unwrap_or(LISTED).min(LISTED);
        let text = format!(
            "{EXCEPTIONS} WHERE {} ORDER BY e.made_at DESC, e.id DESC LIMIT {limit}",
            conditions.join(" AND ")
        );
        let mut query = sql(text);
        if let Some((made, id)) = &filter.after {
            query = query.bind(made.0).bind(id.as_str());
        }
        let rows = self.all("read the exceptions", query).await?;
        rows.iter().map(listed).collect()
    }
}

fn input(word: &Word) -> Input {
    let (by, commit) = (word.by.clone(), word.commit.clone());
    match &word.answer {
        Answer::Approve { message } => Input::Approved { by, commit, message: message.clone() },
        Answer::Reject { message, end } => {
            Input::Rejected { by, commit, message: message.clone(), end: *end }
        }
    }
}

fn path(found: &Row, id: &str) -> Result<Option<String>, StoreError> {
    Ok(row::optional_text(found, id, "path")?)
}

fn listed(found: &Row) -> Result<ListedException, StoreError> {
    let id = row::text(found, "?", "id")?;
    Ok(ListedException {
        repository: row::text(found, &id, "repository")?,
        rule: row::text(found, &id, "rule")?,
        path: path(found, &id)?,
        message: row::text(found, &id, "message")?,
        by: row::text(found, &id, "made_by")?,
        made_at: Timestamp(row::number(found, &id, "made_at")?),
        until: Timestamp(row::number(found, &id, "until")?),
        id,
    })
}
