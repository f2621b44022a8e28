//! The limits of an order beside those of its job: from configuration and arguments, and whether its agent can keep them.

use overnight_core::id::JobId;
use overnight_core::job::JobSpec;
use overnight_core::policy::budget::{self, Amounts, Budgets, JobBudget};

use crate::cli::budget_args::{AmountArgs, JobBudgetArgs};
use crate::error::AppError;
use crate::order::whole_millis;

/// The limits of a new order.
#[must_use]
pub fn of(args: &JobBudgetArgs, base: &JobBudget) -> JobBudget {
    let (attempt, task) = (base.attempt, base.task);
    JobBudget {
        sessions: args.max_sessions.map(u64::from).or(base.sessions),
        attempt: Amounts {
            cost: args.attempt_max_cost.or(attempt.cost),
            tokens: args.attempt_max_tokens.or(attempt.tokens),
            turns: args.attempt_max_turns.map(u64::from).or(attempt.turns),
            time_ms: args.attempt_max_time.map(whole_millis).or(attempt.time_ms),
            sessions: attempt.sessions,
        },
        task: Amounts {
            cost: args.task_max_cost.or(task.cost),
            tokens: args.task_max_tokens.or(task.tokens),
            turns: task.turns,
            time_ms: args.task_max_time.map(whole_millis).or(task.time_ms),
            sessions: args.task_max_sessions.map(u64::from).or(task.sessions),
        },
        first: base.first.clone(),
    }
}

/// The limits of an order that repeats that of `old`: it belongs to the same task.
#[must_use]
pub fn again(args: &JobBudgetArgs, old: &JobId, base: &JobBudget) -> JobBudget {
    let first = base.first.clone().or_else(|| Some(old.clone()));
    JobBudget { first, ..of(args, base) }
}

/// Refuses what the agent gives no way to keep.
///
/// # Errors
/// Names the flags and settings.
pub fn check(spec: &JobSpec, budgets: &Budgets) -> Result<(), AppError> {
    let (can, at_end) =
        (overnight_agents::capabilities_of(&spec.agent), overnight_agents::capabilities_at_end(&spec.agent));
    let not_kept = budget::not_kept(spec, budgets, can, at_end);
    if not_kept.is_empty() {
        return Ok(());
    }
    Err(AppError::usage(budget::cannot_be_kept(spec.agent.name(), &not_kept))
        .help("a configured limit is lifted with none, as in OVERNIGHT_BUDGET_DAY_COST=none"))
}

/// Amounts as they were typed.
#[must_use]
pub fn amounts(args: AmountArgs) -> Amounts {
    Amounts {
        cost: args.cost,
        tokens: args.tokens,
        turns: args.turns.map(u64::from),
        time_ms: args.time.map(whole_millis),
        sessions: args.sessions.map(u64::from),
    }
}
