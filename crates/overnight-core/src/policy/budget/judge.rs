//! Whether a limit holds: from what was used, and what the running session adds, to whether it may begin or go on.

use serde::{Deserialize, Serialize};

use super::amounts::{Budgets, JobBudget, Scope, Spent, Totals};
use crate::agent::{LimitKind, RemainingLimits, Usage};
use crate::job::{JobLimits, JobSpec, Trail};
use crate::units::MicroDollars;

/// A budget of which this share is used is warned of, in per cent.
pub const WARN_AT: u64 = 80;

/// One limit, and what was used of it without the running session. In the unit of the kind: see [`super::shown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub scope: Scope,
    pub kind: LimitKind,
    pub limit: u64,
    pub spent: u64,
}

/// A limit that does not hold any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    pub scope: Scope,
    pub kind: LimitKind,
    pub limit: u64,
    pub used: u64,
    /// It is not used up but cannot be kept: tokens were used at a price that nobody knows.
    #[serde(default)]
    pub unpriced: bool,
}

impl Bound {
    fn breach(&self, used: u64) -> Breach {
        let Self { scope, kind, limit, .. } = *self;
        Breach { scope, kind, limit, used, unpriced: false }
    }

    /// With what the running session adds.
    #[must_use]
    pub fn with(&self, own: &Spent) -> u64 {
        self.spent.saturating_add(own.get(self.kind))
    }
}

/// Every limit that holds for a session of this job. `totals` must not hold the running session.
#[must_use]
pub fn bounds(order: &JobSpec, trail: &Trail, budgets: &Budgets, totals: &Totals) -> Vec<Bound> {
    let mut bounds = of_job(&order.limits, trail);
    let JobBudget { sessions, attempt, task, .. } = &order.budget;
    if let Some(limit) = *sessions {
        let spent = totals.spent(Scope::Job).sessions;
        bounds.push(Bound { scope: Scope::Job, kind: LimitKind::Sessions, limit, spent });
    }
    let scoped = [
        (Scope::Attempt, attempt),
        (Scope::Task, task),
        (Scope::RepositoryDay, &budgets.repository_day),
        (Scope::Day, &budgets.day),
        (Scope::Velocity, &budgets.velocity),
    ];
    for (scope, amounts) in scoped {
        let (amounts, spent) = (amounts.raised(&totals.raised(scope)), totals.spent(scope));
        bounds.extend(LimitKind::ALL.into_iter().filter_map(|kind| {
            let limit = amounts.get(kind)?;
            Some(Bound { scope, kind, limit, spent: spent.get(kind) })
        }));
    }
    bounds
}

/// Those that the job's own record keeps: they count checks too, where time is meant.
pub(super) fn of_job(limits: &JobLimits, trail: &Trail) -> Vec<Bound> {
    let micros = |cost: MicroDollars| u64::try_from(cost.0).unwrap_or(0);
    let active = u64::try_from(trail.active.as_millis()).unwrap_or(u64::MAX);
    let all = [
        (LimitKind::Cost, limits.cost.map(micros), micros(trail.used.cost.unwrap_or_default())),
        (LimitKind::Tokens, limits.tokens, trail.used.counted_tokens()),
        (LimitKind::Turns, limits.turns.map(u64::from), u64::from(trail.used.turns)),
        (LimitKind::Time, limits.time_ms, active),
    ];
    let bound =
        |(kind, limit, spent)| Option::map(limit, |limit| Bound { scope: Scope::Job, kind, limit, spent });
    all.into_iter().filter_map(bound).collect()
}

/// The first limit that leaves nothing for another session.
#[must_use]
pub fn before(bounds: &[Bound]) -> Option<Breach> {
    bounds.iter().find(|bound| bound.spent >= bound.limit).map(|bound| bound.breach(bound.spent))
}

/// The first limit that ends a running session, which has used this much in this time.
///
/// The answer that uses up the last of the turns may still bring the work to an end; one more is too many. A session that
/// could begin is not ended because sessions are counted.
#[must_use]
pub fn during(bounds: &[Bound], usage: &Usage, time_ms: u64) -> Option<Breach> {
    let own = Spent::of_session(usage, time_ms);
    let over = |bound: &&Bound| match bound.kind {
        LimitKind::Cost | LimitKind::Tokens | LimitKind::Time => bound.with(&own) >= bound.limit,
        LimitKind::Turns => bound.with(&own) > bound.limit,
        LimitKind::Sessions => false,
    };
    let used_up = bounds.iter().find(over).map(|bound| bound.breach(bound.with(&own)));
    used_up.or_else(|| unpriced(bounds, usage))
}

/// A limit in dollars, while tokens were used whose price nobody knows.
fn unpriced(bounds: &[Bound], usage: &Usage) -> Option<Breach> {
    if !usage.is_unpriced() {
        return None;
    }
    let bound = bounds.iter().find(|bound| bound.kind == LimitKind::Cost)?;
    Some(Breach { unpriced: true, ..bound.breach(bound.spent) })
}

/// The limit of this kind that leaves least: what a vendor's own stop is about.
#[must_use]
pub fn tightest(bounds: &[Bound], kind: LimitKind, own: &Spent) -> Option<Breach> {
    let of_kind = bounds.iter().filter(|bound| bound.kind == kind);
    let least = of_kind.min_by_key(|bound| bound.limit.saturating_sub(bound.spent))?;
    Some(least.breach(least.with(own)))
}

/// What a session may use of each kind: the least that any limit leaves.
#[must_use]
pub fn left(bounds: &[Bound]) -> RemainingLimits {
    let least = |kind| {
        let of_kind = bounds.iter().filter(|bound| bound.kind == kind);
        of_kind.map(|bound| bound.limit.saturating_sub(bound.spent)).min()
    };
    RemainingLimits {
        cost: least(LimitKind::Cost).map(|left| MicroDollars(i64::try_from(left).unwrap_or(i64::MAX))),
        tokens: least(LimitKind::Tokens),
        turns: least(LimitKind::Turns).map(|left| u32::try_from(left).unwrap_or(u32::MAX)),
        wall: least(LimitKind::Time).map(std::time::Duration::from_millis),
    }
}

/// The limits of which so much is used that people should hear of it.
#[must_use]
pub fn nearly_used_up(bounds: &[Bound], own: &Spent) -> Vec<Breach> {
    let near = |bound: &&Bound| {
        let (used, limit) = (u128::from(bound.with(own)), u128::from(bound.limit));
        limit > 0 && used * 100 >= limit * u128::from(WARN_AT)
    };
    bounds.iter().filter(near).map(|bound| bound.breach(bound.with(own))).collect()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
