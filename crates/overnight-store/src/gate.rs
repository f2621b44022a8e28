//! A person's word on a commit, and an operator's exceptions from rules.

use std::time::Duration;

use overnight_core::git::CommitId;
use overnight_core::id::{JobId, RepositoryId};
use overnight_core::job::{Input, Order, transition};
use overnight_core::policy::preflight::{Exception, Glob, Rule};
use overnight_core::units::Timestamp;

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

/// An exception to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewException {
    pub repository: RepositoryId,
    pub rule: Rule,
    pub path: Option<Glob>,
    pub message: String,
    pub by: String,
    /// From now on.
    pub length: Duration,
}

/// An exception as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedException {
    pub id: String,
    pub repository: String,
    pub rule: String,
    pub path: Option<String>,
    pub message: String,
    pub by: String,
    pub made_at: Timestamp,
    pub until: Timestamp,
}

impl Store {
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

    /// Makes an exception; its id.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn exception_add(&self, new: &NewException) -> Result<String, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        let text = "INSERT INTO exceptions (id, repository_id, rule, path, message, made_by, made_at, until) \
                    VALUES ($1, $2, $3, $4, $5, $6, {now}, {now} + $7)";
        let query = sql(text)
            .bind(&id)
            .bind(new.repository.as_str())
            .bind(new.rule.code())
            .bind(new.path.as_ref().map(Glob::as_str))
            .bind(&new.message)
            .bind(&new.by)
            .bind(span(new.length));
        self.run("make an exception", query).await?;
        Ok(id)
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

    /// All exceptions that hold now, or also those that are over; the newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn exceptions(&self, also_over: bool) -> Result<Vec<ListedException>, StoreError> {
        let text = format!(
            "SELECT e.id, r.name AS repository, e.rule, e.path, e.message, e.made_by, e.made_at, e.until FROM exceptions e \
             JOIN repositories r ON r.id = e.repository_id {} ORDER BY e.made_at DESC, e.id DESC LIMIT 1000",
            if also_over { "" } else { "WHERE e.until > {now}" }
        );
        let rows = self.all("read the exceptions", sql(text)).await?;
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
