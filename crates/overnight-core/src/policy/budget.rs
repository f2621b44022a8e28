//! Limits of a job: what is left, whether one is used up, and which of them a backend cannot keep.

use std::time::Duration;

use crate::agent::{Capabilities, LimitKind, RemainingLimits, Usage};
use crate::job::{JobLimits, Trail};

/// The first limit that finished turns and checks have used up.
#[must_use]
pub fn used_up(limits: &JobLimits, trail: &Trail) -> Option<LimitKind> {
    exceeded(limits, &trail.used, trail.active)
}

/// The first limit that is reached by this usage and this much active time. A limit is reached when nothing is left.
#[must_use]
pub fn exceeded(limits: &JobLimits, used: &Usage, active: Duration) -> Option<LimitKind> {
    if limits.cost.zip(used.cost).is_some_and(|(limit, cost)| cost >= limit) {
        return Some(LimitKind::Cost);
    }
    if limits.tokens.is_some_and(|limit| used.counted_tokens() >= limit) {
        return Some(LimitKind::Tokens);
    }
    if limits.turns.is_some_and(|limit| used.turns >= limit) {
        return Some(LimitKind::Turns);
    }
    if limits.time_ms.is_some_and(|limit| active >= Duration::from_millis(limit)) {
        return Some(LimitKind::Time);
    }
    None
}

/// What the next turn may use.
#[must_use]
pub fn remaining(limits: &JobLimits, trail: &Trail) -> RemainingLimits {
    let used = &trail.used;
    RemainingLimits {
        cost: limits.cost.map(|limit| {
            let spent = used.cost.unwrap_or_default();
            crate::units::MicroDollars(limit.0.saturating_sub(spent.0).max(0))
        }),
        tokens: limits.tokens.map(|limit| limit.saturating_sub(used.counted_tokens())),
        turns: limits.turns.map(|limit| limit.saturating_sub(used.turns)),
        wall: limits.time_ms.map(|limit| Duration::from_millis(limit).saturating_sub(trail.active)),
    }
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

/// One sentence about a used-up limit: what it was and what to do.
#[must_use]
pub fn explain(limit: LimitKind, limits: &JobLimits) -> String {
    let amount = match limit {
        LimitKind::Cost => limits.cost.map(|cost| cost.to_string()),
        LimitKind::Tokens => limits.tokens.map(|tokens| format!("{tokens} tokens")),
        LimitKind::Turns => limits.turns.map(|turns| format!("{turns} turns")),
        LimitKind::Time => limits.time_ms.map(|ms| format!("{} s", ms / 1000)),
    };
    let amount = amount.unwrap_or_else(|| "the vendor's own limit".to_owned());
    format!("{amount} used up; the work so far is kept, raise {} and retry to go on", limit.flag())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MicroDollars;

    fn limits() -> JobLimits {
        JobLimits {
            attempts: 3,
            cost: Some(MicroDollars(5_000_000)),
            tokens: Some(1000),
            turns: Some(10),
            time_ms: Some(60_000),
        }
    }

    fn used(cost: Option<i64>, tokens: u64, turns: u32) -> Usage {
        Usage { output_tokens: tokens, turns, cost: cost.map(MicroDollars), ..Usage::default() }
    }

    #[test]
    fn each_limit_is_reached_by_its_own_amount() {
        let none = Duration::ZERO;
        assert_eq!(exceeded(&limits(), &used(Some(4_999_999), 999, 9), none), None);
        assert_eq!(exceeded(&limits(), &used(Some(5_000_000), 0, 0), none), Some(LimitKind::Cost));
        assert_eq!(exceeded(&limits(), &used(None, 1000, 0), none), Some(LimitKind::Tokens));
        assert_eq!(exceeded(&limits(), &used(None, 0, 10), none), Some(LimitKind::Turns));
        assert_eq!(exceeded(&limits(), &used(None, 0, 0), Duration::from_secs(60)), Some(LimitKind::Time));
    }

    #[test]
    fn cache_reads_do_not_count_as_tokens() {
        let usage = Usage { cache_read_tokens: 1_000_000, ..Usage::default() };
        assert_eq!(exceeded(&limits(), &usage, Duration::ZERO), None);
    }

    #[test]
    fn what_is_left_never_goes_below_zero() {
        let trail = Trail {
            used: used(Some(9_000_000), 5000, 50),
            active: Duration::from_secs(90),
            ..Trail::default()
        };
        let left = remaining(&limits(), &trail);
        assert_eq!(
            (left.cost, left.tokens, left.turns, left.wall),
            (Some(MicroDollars(0)), Some(0), Some(0), Some(Duration::ZERO))
        );
    }

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
        assert_eq!(unenforceable(&limits(), can), [LimitKind::Cost, LimitKind::Tokens, LimitKind::Turns]);
        assert_eq!(unenforceable(&JobLimits { time_ms: Some(1), ..JobLimits::default() }, can), []);
    }
}
