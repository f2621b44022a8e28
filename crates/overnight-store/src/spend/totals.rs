//! What was spent so far, of each scope that a limit is about.

use overnight_core::id::{JobId, RepositoryId};
use overnight_core::policy::budget::{Scope, Spent, Totals};
use overnight_core::units::MicroDollars;

use crate::error::{CorruptRow, StoreError};
use crate::row;
use crate::sql::{Row, sql};
use crate::store::Store;

/// Whose spend is asked for. The session at hand is left out: whoever runs it knows better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendQuery {
    /// The job, the first job of its line, the session at hand and its attempt; `None`: only what belongs to no job.
    pub session: Option<(JobId, JobId, u32, u32)>,
    /// `None`: only what belongs to no repository.
    pub repository: Option<RepositoryId>,
    pub scopes: Vec<Scope>,
}

/// Sums over `s`, as one row.
pub(super) const SUMS: &str = "COUNT(*) AS sessions, CAST(COALESCE(SUM(s.cost), 0) AS BIGINT) AS cost, \
    CAST(COALESCE(SUM(s.input_tokens + s.output_tokens + s.cache_write_tokens), 0) AS BIGINT) AS tokens, \
    CAST(COALESCE(SUM(s.answers), 0) AS BIGINT) AS answers, CAST(COALESCE(SUM(s.wall_ms), 0) AS BIGINT) AS wall_ms, \
    CAST(COALESCE(SUM(CASE WHEN s.cost IS NULL AND s.accounted THEN 1 ELSE 0 END), 0) AS BIGINT) AS unpriced, \
    CAST(COALESCE(SUM(CASE WHEN s.ended_at IS NOT NULL AND NOT s.accounted THEN 1 ELSE 0 END), 0) AS BIGINT) AS unaccounted";

/// From when on a repository's spend counts against its velocity. The repository is a column `q.repository`.
pub(super) const SINCE: &str = "COALESCE((SELECT MAX(x.at) FROM ( \
      SELECT MAX(j.ended_at) AS at FROM jobs j WHERE j.repository_id = q.repository AND j.end_reason = 'published' \
      UNION ALL SELECT m.at FROM budget_marks m WHERE m.repository_id = q.repository) x), 0)";

fn condition(scope: Scope) -> String {
    match scope {
        Scope::Attempt => "s.job_id = q.job AND s.attempt = q.attempt".to_owned(),
        Scope::Job => "s.job_id = q.job".to_owned(),
        Scope::Task => "s.task_id = q.task".to_owned(),
        Scope::RepositoryDay => "s.day = q.day AND s.repository_id = q.repository".to_owned(),
        Scope::Day => "s.day = q.day".to_owned(),
        Scope::Velocity => format!("s.repository_id = q.repository AND s.started_at > {SINCE}"),
    }
}

impl Store {
    /// What was spent of each of the scopes, and by how much their budgets are raised now.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn spend_totals(&self, asked: &SpendQuery) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        if asked.scopes.is_empty() {
            return Ok(totals);
        }
        let part = |scope: &Scope| {
            let (code, which) = (scope.code(), condition(*scope));
            format!(
                "SELECT '{code}' AS scope, {SUMS} FROM q JOIN spend s ON {which} \
                 WHERE NOT (s.job_id = q.job AND s.turn = q.turn)"
            )
        };
        let parts: Vec<String> = asked.scopes.iter().map(part).collect();
        let text = format!(
            "WITH q AS (SELECT CAST($1 AS TEXT) AS job, CAST($2 AS TEXT) AS task, CAST($3 AS BIGINT) AS turn, \
             CAST($4 AS BIGINT) AS attempt, CAST($5 AS TEXT) AS repository, {{now}} / 86400000 AS day) {}",
            parts.join(" UNION ALL ")
        );
        let (job, task, turn, attempt) = match &asked.session {
            Some((job, task, turn, attempt)) => (job.as_str(), task.as_str(), *turn, *attempt),
            None => ("", "", 0, 0),
        };
        let repository = asked.repository.as_ref().map_or("", RepositoryId::as_str);
        let query =
            sql(text).bind(job).bind(task).bind(i64::from(turn)).bind(i64::from(attempt)).bind(repository);
        for found in self.all("add up what was spent", query).await? {
            let code = row::text(&found, "?", "scope")?;
            if let Some(scope) = Scope::of(&code) {
                totals.spent.insert(scope, spent(&found)?);
            }
        }
        totals.raised = self.budget_raised(repository, &asked.scopes).await?;
        Ok(totals)
    }
}

pub(super) fn spent(found: &Row) -> Result<Spent, CorruptRow> {
    Ok(Spent {
        cost: MicroDollars(row::number(found, "?", "cost")?),
        tokens: row::count(found, "tokens")?,
        turns: row::count(found, "answers")?,
        time_ms: row::count(found, "wall_ms")?,
        sessions: row::count(found, "sessions")?,
        unpriced: row::count(found, "unpriced")?,
        unaccounted: row::count(found, "unaccounted")?,
    })
}
