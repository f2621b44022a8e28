//! What a limit that does not hold means for the job, and the sentence that says so.

use super::amounts::{Scope, day_of, day_start, shown};
use super::judge::Breach;
use crate::agent::LimitKind;
use crate::id::TaskKey;
use crate::job::{EndReason, ParkReason, Trouble};
use crate::units::Timestamp;

/// Jobs that wait for a new day are woken over this time, so that they do not all begin in its first second. In milliseconds.
const SPREAD_MS: u64 = 10 * 60 * 1000;

/// What a breach does to its job: the job's own limits end it, those of a day or a repository let it wait.
#[must_use]
pub fn consequence(breach: &Breach, now: Timestamp, key: &TaskKey) -> Trouble {
    if breach.unpriced {
        return Trouble::End(EndReason::BudgetCost);
    }
    match breach.scope {
        Scope::Attempt | Scope::Job | Scope::Task => Trouble::End(breach.kind.into()),
        Scope::RepositoryDay | Scope::Day => {
            Trouble::Wait { reason: ParkReason::DailyBudget, wake: Some(next_day(now, key)) }
        }
        Scope::Velocity => Trouble::Wait { reason: ParkReason::Velocity, wake: None },
    }
}

/// The beginning of the next UTC day, a little later for each job.
fn next_day(now: Timestamp, key: &TaskKey) -> Timestamp {
    // FNV-1a: any even spread will do, as long as it is the same whenever it is asked.
    let hash = key.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let late = std::time::Duration::from_millis((hash >> 16) % SPREAD_MS);
    day_start(day_of(now) + 1).plus(late)
}

/// Which limit it is, how much was used, and how to go on.
#[must_use]
pub fn explain(breach: &Breach) -> String {
    let Breach { scope, kind, limit, used, unpriced } = *breach;
    let limit = shown(kind, limit);
    if unpriced {
        return format!(
            "the limit of {limit} of {} cannot be kept: this model's price is not known; choose a model whose price is, or \
             limit tokens, sessions or time instead",
            whose(scope)
        );
    }
    let used = shown(kind, used);
    format!("{limit} of {} used up ({used} used); {}", whose(scope), how_to_go_on(scope, kind))
}

/// Why an order is refused: limits that this agent gives no way to keep, and what to do.
#[must_use]
pub fn cannot_be_kept(agent: &str, limits: &[(Scope, LimitKind)]) -> String {
    let named = |(scope, kind): &(Scope, LimitKind)| match scope {
        Scope::Attempt | Scope::Job | Scope::Task => flag(*scope, *kind),
        Scope::RepositoryDay | Scope::Day | Scope::Velocity => {
            format!("budget.{}.{}", scope.code(), kind.code())
        }
    };
    let all: Vec<String> = limits.iter().map(named).collect();
    let dollars = limits.iter().any(|(_, kind)| *kind == LimitKind::Cost);
    let priced = if dollars { "name a model whose price is known with --model, or " } else { "" };
    format!(
        "the {agent} agent gives no way to keep {}; {priced}limit time and sessions instead, or choose another agent",
        all.join(" and ")
    )
}

/// What people are told once, when a limit is nearly used up.
#[must_use]
pub fn warning(near: &Breach) -> String {
    let Breach { scope, kind, limit, used, .. } = *near;
    format!("{} of {} of {} are used", shown(kind, used), shown(kind, limit), whose(scope))
}

fn whose(scope: Scope) -> &'static str {
    match scope {
        Scope::Attempt => "the attempt",
        Scope::Job => "the job",
        Scope::Task => "the task",
        Scope::RepositoryDay => "the repository's day",
        Scope::Day => "the day",
        Scope::Velocity => "the repository since its last published job",
    }
}

fn how_to_go_on(scope: Scope, kind: LimitKind) -> String {
    match scope {
        Scope::Attempt | Scope::Job | Scope::Task => {
            format!("the work so far is kept, raise {} and retry to go on", flag(scope, kind))
        }
        Scope::RepositoryDay | Scope::Day => {
            let more = raise(kind);
            let name = if scope == Scope::Day { "day" } else { "day --repo NAME" };
            format!(
                "it goes on after 00:00 UTC; to go on now: overnight budget raise {name} {more} --for 12h"
            )
        }
        Scope::Velocity => format!(
            "nothing of it was published since; look why, then: overnight budget clear velocity --repo NAME, or: overnight \
             budget raise velocity --repo NAME {} --for 12h",
            raise(kind)
        ),
    }
}

/// The flag of an order that sets a limit of a job.
#[must_use]
pub fn flag(scope: Scope, kind: LimitKind) -> String {
    let plain = kind.flag();
    match scope {
        Scope::Attempt => plain.replacen("--", "--attempt-", 1),
        Scope::Task => plain.replacen("--", "--task-", 1),
        Scope::Job | Scope::RepositoryDay | Scope::Day | Scope::Velocity => plain.to_owned(),
    }
}

fn raise(kind: LimitKind) -> &'static str {
    match kind {
        LimitKind::Cost => "--cost 10",
        LimitKind::Tokens => "--tokens 1M",
        LimitKind::Turns => "--turns 100",
        LimitKind::Time => "--time 2h",
        LimitKind::Sessions => "--sessions 10",
    }
}
