//! Limits: what is left of one, whether one is used up and what follows from it, and which of them a backend cannot keep.
//!
//! A limit belongs to a [`Scope`] and is about one kind of use. The limits of an attempt, a job or a task end the job; those
//! of a day, or of a repository that publishes nothing, let it wait. Dollars count as far as they are known, whoever pays: on a
//! subscription they are what the same tokens would cost otherwise, and tokens, time and sessions are what holds.

mod amounts;
mod judge;
mod words;

use crate::agent::{Capabilities, LimitKind};
use crate::job::{JobLimits, JobSpec, Trail};

pub use amounts::{Amounts, Budgets, JobBudget, Scope, Spent, Totals, day_of, day_start, shown};
pub use judge::{Bound, Breach, WARN_AT, before, bounds, during, left, nearly_used_up, tightest};
pub use words::{cannot_be_kept, consequence, explain, flag, warning};

/// The first limit that finished turns and checks have used up.
#[must_use]
pub fn used_up(limits: &JobLimits, trail: &Trail) -> Option<Breach> {
    before(&judge::of_job(limits, trail))
}

/// Limits that are set but that this backend gives no way to keep. A job with such a limit is refused: a limit that
/// silently does nothing is worse than none.
#[must_use]
pub fn unenforceable(limits: &JobLimits, can: Capabilities) -> Vec<LimitKind> {
    let set = [
        (LimitKind::Cost, limits.cost.is_some(), can.cost),
        (LimitKind::Tokens, limits.tokens.is_some(), can.tokens),
        (LimitKind::Turns, limits.turns.is_some(), can.turns),
    ];
    set.into_iter().filter(|(_, set, can)| *set && !can).map(|(kind, ..)| kind).collect()
}

/// The same for all other limits. `can`: what is told while a turn runs, which the limits of an attempt and a task need;
/// `at_end`: what is told at its end, which is enough for a day.
#[must_use]
pub fn not_kept(
    order: &JobSpec,
    budgets: &Budgets,
    can: Capabilities,
    at_end: Capabilities,
) -> Vec<(Scope, LimitKind)> {
    let scoped = [
        (Scope::Attempt, &order.budget.attempt, can),
        (Scope::Task, &order.budget.task, can),
        (Scope::RepositoryDay, &budgets.repository_day, at_end),
        (Scope::Day, &budgets.day, at_end),
        (Scope::Velocity, &budgets.velocity, at_end),
    ];
    let mut all = Vec::new();
    for (scope, amounts, can) in scoped {
        let lacks = |kind: &LimitKind| match kind {
            LimitKind::Cost => !can.cost,
            LimitKind::Tokens => !can.tokens,
            LimitKind::Turns => !can.turns,
            // The runner counts these itself.
            LimitKind::Time | LimitKind::Sessions => false,
        };
        let set = LimitKind::ALL.into_iter().filter(|kind| amounts.get(*kind).is_some());
        all.extend(set.filter(lacks).map(|kind| (scope, kind)));
    }
    all
}

/// One sentence about a limit of the vendor's own that was used up.
#[must_use]
pub fn of_vendor(limit: LimitKind) -> String {
    format!(
        "the vendor's own limit used up; the work so far is kept, raise {} and retry to go on",
        limit.flag()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MicroDollars;

    #[test]
    fn a_limit_that_a_backend_cannot_keep_is_named() {
        let can = Capabilities {
            resume: false,
            tokens: false,
            turns: false,
            cost: false,
            model: false,
            effort: false,
            tool_lists: false,
            permission_mode: false,
        };
        let limits = JobLimits {
            attempts: 3,
            cost: Some(MicroDollars(5_000_000)),
            tokens: Some(1000),
            turns: Some(10),
            time_ms: Some(60_000),
        };
        assert_eq!(unenforceable(&limits, can), [LimitKind::Cost, LimitKind::Tokens, LimitKind::Turns]);
        assert_eq!(unenforceable(&JobLimits { time_ms: Some(1), ..JobLimits::default() }, can), []);
    }

    #[test]
    fn a_day_can_be_kept_by_what_is_told_at_the_end_and_an_attempt_cannot() {
        let all = Amounts {
            cost: Some(MicroDollars(1)),
            tokens: Some(1),
            turns: Some(1),
            time_ms: Some(1),
            sessions: Some(1),
        };
        let none = Capabilities {
            resume: false,
            tokens: false,
            turns: false,
            cost: false,
            model: false,
            effort: false,
            tool_lists: false,
            permission_mode: false,
        };
        let mut order = crate::job::tests_support::spec();
        order.budget.attempt = all;
        let budgets = Budgets { day: all, ..Budgets::default() };
        let at_end = Capabilities { tokens: true, turns: true, ..none };
        let lacking = not_kept(&order, &budgets, none, at_end);
        let wanted = [
            (Scope::Attempt, LimitKind::Cost),
            (Scope::Attempt, LimitKind::Tokens),
            (Scope::Attempt, LimitKind::Turns),
            (Scope::Day, LimitKind::Cost),
        ];
        assert_eq!(lacking, wanted);
    }
}
