//! Budgets that people raise for a while, repositories whose velocity counts from now, and warnings that come once.

use std::collections::BTreeMap;
use std::time::Duration;

use overnight_core::id::RepositoryId;
use overnight_core::policy::budget::{Amounts, Scope};
use overnight_core::units::{MicroDollars, Timestamp};

use super::whole;
use crate::error::{CorruptRow, StoreError};
use crate::lease::span;
use crate::row;
use crate::sql::{Row, sql};
use crate::store::Store;

/// A raise to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRaise {
    pub scope: Scope,
    /// `None`: of everything.
    pub repository: Option<RepositoryId>,
    /// What is added to the configured amounts.
    pub by: Amounts,
    /// From now on.
    pub length: Duration,
}

/// A raise that holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    pub scope: Scope,
    pub repository: Option<RepositoryId>,
    pub by: Amounts,
    pub until: Timestamp,
}

const AMOUNTS: &str = "CAST(SUM(cost) AS BIGINT) AS cost, CAST(SUM(tokens) AS BIGINT) AS tokens, \
    CAST(SUM(turns) AS BIGINT) AS turns, CAST(SUM(time_ms) AS BIGINT) AS time_ms, CAST(SUM(sessions) AS BIGINT) AS sessions";

impl Store {
    /// Raises a budget for a while; several raises add up. Jobs that wait for it are to be woken by the caller.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn budget_raise(&self, new: &NewRaise) -> Result<(), StoreError> {
        let NewRaise { scope, repository, by, length } = new;
        let text = "INSERT INTO budget_raises (id, scope, repository_id, cost, tokens, turns, time_ms, sessions, made_at, until) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {now}, {now} + $9)";
        let query = sql(text)
            .bind(uuid::Uuid::now_v7().to_string())
            .bind(scope.code())
            .bind(repository.as_ref().map_or("", RepositoryId::as_str))
            .bind(by.cost.map(|cost| cost.0))
            .bind(by.tokens.map(whole))
            .bind(by.turns.map(whole))
            .bind(by.time_ms.map(whole))
            .bind(by.sessions.map(whole))
            .bind(span(*length));
        self.run("raise the budget", query).await.map(drop)
    }

    /// Ends the raises of a scope that hold now. Returns how many.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn budget_lower(
        &self,
        scope: Scope,
        repository: Option<&RepositoryId>,
    ) -> Result<u64, StoreError> {
        let text = "UPDATE budget_raises SET until = {now} WHERE scope = $1 AND repository_id = $2 AND until > {now}";
        let repository = repository.map_or("", RepositoryId::as_str);
        self.run("end the raise", sql(text).bind(scope.code()).bind(repository)).await
    }

    /// The raises that hold now, in the order in which they end.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn budget_raises(&self) -> Result<Vec<Raise>, StoreError> {
        let text = "SELECT scope, repository_id, cost, tokens, turns, time_ms, sessions, until FROM budget_raises \
                    WHERE until > {now} ORDER BY until, id";
        let mut raises = Vec::new();
        for found in self.all("read the raised budgets", sql(text)).await? {
            let Some(scope) = Scope::of(&row::text(&found, "?", "scope")?) else { continue };
            let repository = match row::text(&found, "?", "repository_id")? {
                none if none.is_empty() => None,
                id => {
                    let bad = |error| CorruptRow::new("?", "repository_id", error);
                    Some(RepositoryId::parse(&id).map_err(bad)?)
                }
            };
            let until = Timestamp(row::number(&found, "?", "until")?);
            raises.push(Raise { scope, repository, by: amounts(&found)?, until });
        }
        Ok(raises)
    }

    pub(super) async fn budget_raised(
        &self,
        repository: &str,
        scopes: &[Scope],
    ) -> Result<BTreeMap<Scope, Amounts>, StoreError> {
        let mut raised = BTreeMap::new();
        let can_be = |scope: &Scope| matches!(scope, Scope::Day | Scope::RepositoryDay | Scope::Velocity);
        if !scopes.iter().any(can_be) {
            return Ok(raised);
        }
        let text = format!(
            "SELECT scope, {AMOUNTS} FROM budget_raises WHERE until > {{now}} AND repository_id IN ('', $1) GROUP BY scope"
        );
        for found in self.all("read the raised budgets", sql(text).bind(repository)).await? {
            if let Some(scope) = Scope::of(&row::text(&found, "?", "scope")?) {
                raised.insert(scope, amounts(&found)?);
            }
        }
        Ok(raised)
    }

    /// Lets the velocity of a repository count from now.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn velocity_clear(&self, repository: &RepositoryId) -> Result<(), StoreError> {
        let text = "INSERT INTO budget_marks (repository_id, at) VALUES ($1, {now}) \
                    ON CONFLICT (repository_id) DO UPDATE SET at = excluded.at";
        self.run("let the velocity count from now", sql(text).bind(repository.as_str())).await.map(drop)
    }

    /// Whether this warning is given for the first time.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn budget_warn_once(&self, warning: &str) -> Result<bool, StoreError> {
        let text =
            "INSERT INTO budget_warnings (warning, at) VALUES ($1, {now}) ON CONFLICT (warning) DO NOTHING";
        Ok(self.run("note a warning", sql(text).bind(warning)).await? > 0)
    }
}

fn amounts(found: &Row) -> Result<Amounts, CorruptRow> {
    let number = |column: &'static str| {
        let read = found.optional_number(column).map_err(|error| CorruptRow::new("?", column, error))?;
        Ok::<_, CorruptRow>(read.map(|number| u64::try_from(number).unwrap_or(0)))
    };
    let cost = found.optional_number("cost").map_err(|error| CorruptRow::new("?", "cost", error))?;
    Ok(Amounts {
        cost: cost.map(MicroDollars),
        tokens: number("tokens")?,
        turns: number("turns")?,
        time_ms: number("time_ms")?,
        sessions: number("sessions")?,
    })
}
