//! How much may be used and how much was, by kind: the numbers that budgets are made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::agent::{LimitKind, Usage};
use crate::id::JobId;
use crate::text::human_tokens;
use crate::units::{MicroDollars, Timestamp};

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One paid try of a job.
    Attempt,
    Job,
    /// A job and all jobs that repeat it.
    Task,
    /// One repository on one UTC day.
    RepositoryDay,
    /// Everything on one UTC day.
    Day,
    /// One repository since its last published job.
    Velocity,
}

impl Scope {
    pub const ALL: [Self; 6] =
        [Self::Attempt, Self::Job, Self::Task, Self::RepositoryDay, Self::Day, Self::Velocity];

    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Attempt => "attempt",
            Self::Job => "job",
            Self::Task => "task",
            Self::RepositoryDay => "repository_day",
            Self::Day => "day",
            Self::Velocity => "velocity",
        }
    }

    /// The scope of this code.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.code() == code)
    }
}

/// Most that may be used, of each kind. `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    #[serde(default)]
    pub cost: Option<MicroDollars>,
    /// Input, output and cache-write tokens together.
    #[serde(default)]
    pub tokens: Option<u64>,
    /// Answers of the model.
    #[serde(default)]
    pub turns: Option<u64>,
    /// Time in which agents ran, in milliseconds.
    #[serde(default)]
    pub time_ms: Option<u64>,
    /// Starts of an agent CLI.
    #[serde(default)]
    pub sessions: Option<u64>,
}

impl Amounts {
    /// In the unit of the kind: see [`shown`].
    #[must_use]
    pub fn get(&self, kind: LimitKind) -> Option<u64> {
        match kind {
            LimitKind::Cost => self.cost.map(|cost| u64::try_from(cost.0).unwrap_or(0)),
            LimitKind::Tokens => self.tokens,
            LimitKind::Turns => self.turns,
            LimitKind::Time => self.time_ms,
            LimitKind::Sessions => self.sessions,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// With more of each kind that is limited. What has no limit stays without one.
    #[must_use]
    pub fn raised(&self, by: &Self) -> Self {
        let more = |a: Option<u64>, b: Option<u64>| a.map(|a| a.saturating_add(b.unwrap_or(0)));
        Self {
            cost: self.cost.map(|cost| cost.plus(by.cost.unwrap_or_default())),
            tokens: more(self.tokens, by.tokens),
            turns: more(self.turns, by.turns),
            time_ms: more(self.time_ms, by.time_ms),
            sessions: more(self.sessions, by.sessions),
        }
    }
}

/// What was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// As far as it is known.
    pub cost: MicroDollars,
    /// Input, output and cache-write tokens together.
    pub tokens: u64,
    pub turns: u64,
    pub time_ms: u64,
    pub sessions: u64,
    /// Sessions that used tokens at a price that nobody knows.
    pub unpriced: u64,
    /// Sessions that ended without telling what they used.
    pub unaccounted: u64,
}

impl Spent {
    /// In the unit of the kind: see [`shown`].
    #[must_use]
    pub fn get(&self, kind: LimitKind) -> u64 {
        match kind {
            LimitKind::Cost => u64::try_from(self.cost.0).unwrap_or(0),
            LimitKind::Tokens => self.tokens,
            LimitKind::Turns => self.turns,
            LimitKind::Time => self.time_ms,
            LimitKind::Sessions => self.sessions,
        }
    }

    /// What a running session has used. It counts as a session from its start on.
    #[must_use]
    pub fn of_session(usage: &Usage, time_ms: u64) -> Self {
        Self {
            cost: usage.cost.unwrap_or_default(),
            tokens: usage.counted_tokens(),
            turns: u64::from(usage.turns),
            time_ms,
            sessions: 1,
            unpriced: u64::from(usage.is_unpriced()),
            unaccounted: 0,
        }
    }
}

/// The budgets that a worker keeps for everything it works on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Of each repository, on each UTC day.
    pub repository_day: Amounts,
    /// Of everything, on each UTC day.
    pub day: Amounts,
    /// Of each repository since its last published job.
    pub velocity: Amounts,
}

impl Budgets {
    /// The configured budget of a scope; `None` for those that belong to a job.
    #[must_use]
    pub fn of(&self, scope: Scope) -> Option<&Amounts> {
        match scope {
            Scope::RepositoryDay => Some(&self.repository_day),
            Scope::Day => Some(&self.day),
            Scope::Velocity => Some(&self.velocity),
            Scope::Attempt | Scope::Job | Scope::Task => None,
        }
    }
}

/// Limits of a job beside those of [`JobLimits`](crate::job::JobLimits), and the task that it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobBudget {
    /// Starts of an agent CLI.
    #[serde(default)]
    pub sessions: Option<u64>,
    /// Of each attempt.
    #[serde(default)]
    pub attempt: Amounts,
    /// Of the task: this job and all others of its line.
    #[serde(default)]
    pub task: Amounts,
    /// The first job of the line, where this one repeats another; `None`: this one is the first.
    #[serde(default)]
    pub first: Option<JobId>,
}

/// What the ledger says of each scope that has a limit, and by how much people have raised it for now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub spent: BTreeMap<Scope, Spent>,
    pub raised: BTreeMap<Scope, Amounts>,
}

impl Totals {
    #[must_use]
    pub fn spent(&self, scope: Scope) -> Spent {
        self.spent.get(&scope).copied().unwrap_or_default()
    }

    #[must_use]
    pub fn raised(&self, scope: Scope) -> Amounts {
        self.raised.get(&scope).copied().unwrap_or_default()
    }
}

/// An amount for people. Units: micro-dollars, tokens, answers, milliseconds, sessions.
#[must_use]
pub fn shown(kind: LimitKind, amount: u64) -> String {
    match kind {
        LimitKind::Cost => MicroDollars(i64::try_from(amount).unwrap_or(i64::MAX)).to_string(),
        LimitKind::Tokens => format!("{} tokens", human_tokens(amount)),
        LimitKind::Turns if amount == 1 => "1 turn".to_owned(),
        LimitKind::Turns => format!("{amount} turns"),
        LimitKind::Time if amount < 10 * 60_000 => format!("{} s", amount / 1000),
        LimitKind::Time => format!("{} min", amount / 60_000),
        LimitKind::Sessions if amount == 1 => "1 session".to_owned(),
        LimitKind::Sessions => format!("{amount} sessions"),
    }
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Number of the UTC day since 1970-01-01. A session counts on the day on which it began.
#[must_use]
pub fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// The first moment of a UTC day.
#[must_use]
pub fn day_start(day: i64) -> Timestamp {
    Timestamp(day.saturating_mul(DAY_MS))
}
