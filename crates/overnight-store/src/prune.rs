//! Forgetting: records of jobs that ended long ago, and of workers that are gone. And what whoever clears up must know of
//! jobs before anything of theirs is deleted elsewhere.

use std::collections::BTreeSet;

use overnight_core::command::ProcessIdentity;
use overnight_core::git::CommitId;
use overnight_core::id::{JobId, TaskKey, WorkerId};
use overnight_core::job::{Base, EndReason, JobSpec, JobState, Label, Turn};
use overnight_core::units::Timestamp;

use crate::backlog::keep_ends;
use crate::error::{CorruptRow, StoreError};
use crate::feed;
use crate::row;
use crate::sql::{Row, Sql, places, sql};
use crate::store::{Store, WriteTx};

/// Jobs deleted in one transaction: some thousand events, so that nobody waits long for SQLite's one writer.
const AT_ONCE: usize = 32;

/// How far a job has come, for whoever finds something of it on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFate {
    pub id: JobId,
    pub key: TaskKey,
    /// Somebody has its lease, run out or not.
    pub held: bool,
    pub ended: Option<Ended>,
}

/// The end of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub at: Timestamp,
    /// `None`: one that this version does not know.
    pub reason: Option<EndReason>,
}

/// The commits that jobs need in the mirrors of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NeededCommits {
    pub commits: BTreeSet<CommitId>,
    /// `false`: one of the jobs is being given its base at this moment, or cannot be read by this version.
    pub all_known: bool,
}

/// A turn that was started and whose end is not recorded, of a job that nobody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTurn {
    pub job: JobId,
    pub key: TaskKey,
    pub process: ProcessIdentity,
}

/// Follows a SELECT of jobs as `j`: ended before `$1`, and no unfinished job was told to wait for it.
const PRUNABLE: &str = "j.ended_at < $1 AND NOT EXISTS (SELECT 1 FROM job_dependencies d \
    JOIN jobs c ON c.id = d.child_id WHERE d.parent_id = j.id AND NOT c.ended)";

impl Store {
    /// How far these jobs have come. A job that is not there is not in the answer.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn job_fates(&self, ids: &[JobId]) -> Result<Vec<JobFate>, StoreError> {
        let mut fates = Vec::with_capacity(ids.len());
        for some in ids.chunks(64) {
            let text = format!(
                "SELECT id, key, phase, ended, end_reason, updated_at FROM jobs WHERE id IN ({})",
                places(1, some.len())
            );
            let query = sql(text).bind_all(some.iter().map(JobId::as_str));
            for found in self.all("look how far jobs have come", query).await? {
                fates.push(fate(&found)?);
            }
        }
        Ok(fates)
    }

    /// The commits that these jobs need: those that they stand on, that they have made, and that they were told to start from.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn commits_needed(&self, ids: &[JobId]) -> Result<NeededCommits, StoreError> {
        let mut needed = NeededCommits { commits: BTreeSet::new(), all_known: true };
        for some in ids.chunks(64) {
            let text = format!(
                "SELECT j.id, j.phase, j.state, s.spec FROM jobs j JOIN job_specs s ON s.job_id = j.id WHERE j.id IN ({})",
                places(1, some.len())
            );
            let query = sql(text).bind_all(some.iter().map(JobId::as_str));
            for found in self.all("look which commits jobs need", query).await? {
                match needs(&found) {
                    Ok(Some(commits)) => needed.commits.extend(commits),
                    Ok(None) | Err(_) => needed.all_known = false,
                }
            }
        }
        Ok(needed)
    }

    /// Turns of this place that were started and not ended, of jobs that nobody holds: their processes have no runner. A job
    /// that this version cannot read is passed over.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn open_turns(&self, place: &Label) -> Result<Vec<OpenTurn>, StoreError> {
        let text = "SELECT id, key, state FROM jobs \
                    WHERE NOT ended AND phase <> 'held' AND state_name = 'working' AND place = $1 ORDER BY id";
        let mut turns = Vec::new();
        for found in self.all("look for turns without a runner", sql(text).bind(place.as_str())).await? {
            let (job, key) = named(&found)?;
            let state = row::state(job.as_str(), &row::text(&found, job.as_str(), "state")?);
            if let Ok(JobState::Working { turn: Some(Turn { process: Some(process), .. }), .. }) = state {
                turns.push(OpenTurn { job, key, process });
            }
        }
        Ok(turns)
    }

    /// Up to `limit` jobs that ended before this time and that no unfinished job was told to wait for, oldest end first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn jobs_prunable(&self, before: Timestamp, limit: u32) -> Result<Vec<JobFate>, StoreError> {
        let text = format!(
            "SELECT j.id, j.key, j.phase, j.ended, j.end_reason, j.updated_at FROM jobs j WHERE {PRUNABLE} \
             ORDER BY j.ended_at, j.id LIMIT $2"
        );
        let query = sql(text).bind(before.0).bind(i64::from(limit));
        let found = self.all("look for jobs to forget", query).await?;
        Ok(found.iter().map(fate).collect::<Result<_, _>>()?)
    }

    /// Deletes the records of those of these jobs that ended before this time and that no unfinished job was told to wait for:
    /// their orders, events, effects and keys of requests. Their sums stay in the queue's numbers. Returns the jobs that were
    /// deleted; they are deleted a few at a time, and those that were stay so when an error follows.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn jobs_prune(&self, before: Timestamp, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let mut pruned = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            pruned.extend(self.prune_some(before, some).await?);
        }
        Ok(pruned)
    }

    async fn prune_some(&self, before: Timestamp, ids: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let mut tx = self.begin("forget old jobs").await?;
        let text = format!(
            "SELECT j.id FROM jobs j WHERE j.ended_at < $1 AND j.id IN ({}) ORDER BY j.id {{lock}}",
            places(2, ids.len())
        );
        tx.all(sql(text).bind(before.0).bind_all(ids.iter().map(JobId::as_str))).await?;
        // Looked at again now that nobody can come to wait for them any more.
        let text = format!(
            "SELECT j.id FROM jobs j WHERE {PRUNABLE} AND j.id IN ({}) ORDER BY j.id",
            places(2, ids.len())
        );
        let found = tx.all(sql(text).bind(before.0).bind_all(ids.iter().map(JobId::as_str))).await?;
        let going = found.iter().map(|row| id(&row::text(row, "?", "id")?)).collect::<Result<Vec<_>, _>>()?;
        if going.is_empty() {
            return Ok(going);
        }
        add_to_tallies(&mut tx, &going).await?;
        keep_accounts(&mut tx, before, &going).await?;
        keep_ends(&mut tx, &going).await?;
        feed::mark_pruned(&mut tx, &going).await?;
        delete(&mut tx, &going).await?;
        tx.commit().await?;
        Ok(going)
    }

    /// Forgets workers that were not heard of since this time and hold nothing. Returns them.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn workers_prune(&self, before: Timestamp) -> Result<Vec<WorkerId>, StoreError> {
        let text = "DELETE FROM workers WHERE last_seen < $1 AND started_at < $1 \
                    AND NOT EXISTS (SELECT 1 FROM jobs WHERE phase = 'held' AND NOT ended AND holder = workers.id) RETURNING id";
        let mut tx = self.begin("forget workers that are gone").await?;
        let found = tx.all(sql(text).bind(before.0)).await?;
        tx.commit().await?;
        let read = |row: &Row| {
            let raw = row::text(row, "?", "id")?;
            WorkerId::parse(&raw).map_err(|error| CorruptRow::new("?", "worker", error))
        };
        Ok(found.iter().map(read).collect::<Result<_, _>>()?)
    }
}

fn named(found: &Row) -> Result<(JobId, TaskKey), CorruptRow> {
    let raw = row::text(found, "?", "id")?;
    Ok((id(&raw)?, row::key(found, &raw)?))
}

fn id(raw: &str) -> Result<JobId, CorruptRow> {
    JobId::parse(raw).map_err(|error| CorruptRow::new(raw, "id", error))
}

fn fate(found: &Row) -> Result<JobFate, CorruptRow> {
    let (id, key) = named(found)?;
    let raw = id.as_str();
    let code = row::optional_text(found, raw, "end_reason")?;
    let at = Timestamp(row::number(found, raw, "updated_at")?);
    let reason = EndReason::ALL.into_iter().find(|reason| Some(reason.code()) == code.as_deref());
    let ended = row::flag(found, raw, "ended")?.then_some(Ended { at, reason });
    let held = row::text(found, raw, "phase")? == "held";
    Ok(JobFate { id, key, held, ended })
}

/// `None`: whoever holds the job is about to find out what it stands on.
fn needs(found: &Row) -> Result<Option<Vec<CommitId>>, CorruptRow> {
    let raw = row::text(found, "?", "id")?;
    let state = row::state(&raw, &row::text(found, &raw, "state")?)?;
    let spec: JobSpec = row::json(&raw, "spec", &row::text(found, &raw, "spec")?)?;
    let held = row::text(found, &raw, "phase")? == "held";
    if held && state.ground().is_none() && state.end().is_none() {
        return Ok(None);
    }
    let from = match spec.base {
        Base::Commit { commit, .. } => Some(commit),
        Base::RemoteDefault | Base::RemoteBranch { .. } => None,
    };
    Ok(Some(state.commits().into_iter().cloned().chain(from).collect()))
}

/// What the queue's numbers say of them does not change. As there, a job without a reason does not count.
async fn add_to_tallies(tx: &mut WriteTx, going: &[JobId]) -> Result<(), StoreError> {
    let text = format!(
        "INSERT INTO tallies (end_reason, jobs, attempts, input_tokens, output_tokens, cost, cost_unknown) \
         SELECT end_reason, COUNT(*), CAST(SUM(attempts) AS BIGINT), CAST(SUM(input_tokens) AS BIGINT), \
           CAST(SUM(output_tokens) AS BIGINT), CAST(SUM(cost) AS BIGINT), SUM(CASE WHEN cost_unknown THEN 1 ELSE 0 END) \
         FROM jobs WHERE end_reason IS NOT NULL AND id IN ({}) GROUP BY end_reason ORDER BY end_reason \
         ON CONFLICT (end_reason) DO UPDATE SET jobs = tallies.jobs + excluded.jobs, \
           attempts = tallies.attempts + excluded.attempts, input_tokens = tallies.input_tokens + excluded.input_tokens, \
           output_tokens = tallies.output_tokens + excluded.output_tokens, cost = tallies.cost + excluded.cost, \
           cost_unknown = tallies.cost_unknown + excluded.cost_unknown",
        places(1, going.len())
    );
    tx.run(all_of(text, going)).await.map(drop)
}

/// What the accounts say of them does not change: which were published, and when a repository's last one was. Warnings and
/// raises of budgets that are as old go too.
async fn keep_accounts(tx: &mut WriteTx, before: Timestamp, going: &[JobId]) -> Result<(), StoreError> {
    let named = places(1, going.len());
    let published = format!("SELECT id FROM jobs WHERE end_reason = 'published' AND id IN ({named})");
    let text = format!("UPDATE spend SET published = TRUE WHERE job_id IN ({published})");
    tx.run(all_of(text, going)).await?;
    let text = format!(
        "INSERT INTO budget_marks (repository_id, at) SELECT repository_id, MAX(ended_at) FROM jobs \
         WHERE end_reason = 'published' AND id IN ({named}) GROUP BY repository_id ORDER BY repository_id \
         ON CONFLICT (repository_id) DO UPDATE SET at = \
           CASE WHEN excluded.at > budget_marks.at THEN excluded.at ELSE budget_marks.at END"
    );
    tx.run(all_of(text, going)).await?;
    tx.run(sql("DELETE FROM budget_warnings WHERE at < $1").bind(before.0)).await?;
    tx.run(sql("DELETE FROM budget_raises WHERE until < $1").bind(before.0)).await.map(drop)
}

async fn delete(tx: &mut WriteTx, going: &[JobId]) -> Result<(), StoreError> {
    let named = places(1, going.len());
    // Whoever refers to another row goes first.
    for (table, column) in [
        ("job_dependencies", "child_id"),
        ("job_dependencies", "parent_id"),
        ("slots", "job_id"),
        ("effects", "job_id"),
        ("questions", "job_id"),
        ("messages", "job_id"),
        ("events", "job_id"),
        ("job_specs", "job_id"),
        ("jobs", "id"),
    ] {
        tx.run(all_of(format!("DELETE FROM {table} WHERE {column} IN ({named})"), going)).await?;
    }
    Ok(())
}

fn all_of(text: String, ids: &[JobId]) -> Sql {
    sql(text).bind_all(ids.iter().map(JobId::as_str))
}
