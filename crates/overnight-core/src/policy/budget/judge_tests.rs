use proptest::prelude::*;

use super::*;
use crate::id::TaskKey;
use crate::job::{EndReason, ParkReason, Trouble, tests_support};
use crate::policy::budget::{Amounts, consequence, day_of, day_start, explain};
use crate::units::Timestamp;

fn bound(scope: Scope, kind: LimitKind, limit: u64, spent: u64) -> Bound {
    Bound { scope, kind, limit, spent }
}

fn used(cost: Option<i64>, tokens: u64, turns: u32) -> Usage {
    Usage { output_tokens: tokens, turns, cost: cost.map(MicroDollars), ..Usage::default() }
}

#[test]
fn each_limit_is_reached_by_its_own_amount() {
    let reached = |kind, limit, usage: &Usage, time| {
        during(&[bound(Scope::Job, kind, limit, 10)], usage, time).map(|breach| breach.used)
    };
    assert_eq!(reached(LimitKind::Cost, 100, &used(Some(89), 999, 99), 999), None);
    assert_eq!(reached(LimitKind::Cost, 100, &used(Some(90), 0, 0), 0), Some(100));
    assert_eq!(reached(LimitKind::Tokens, 100, &used(None, 90, 0), 0), Some(100));
    assert_eq!(
        reached(LimitKind::Turns, 100, &used(None, 0, 90), 0),
        None,
        "the last answer may end the work"
    );
    assert_eq!(reached(LimitKind::Turns, 100, &used(None, 0, 91), 0), Some(101));
    assert_eq!(reached(LimitKind::Time, 100, &used(None, 0, 0), 90), Some(100));
    assert_eq!(reached(LimitKind::Sessions, 10, &used(None, 0, 0), 0), None, "it has begun");
}

#[test]
fn before_a_session_nothing_may_be_used_up() {
    for kind in LimitKind::ALL {
        assert_eq!(before(&[bound(Scope::Day, kind, 10, 9)]), None);
        let breach = before(&[bound(Scope::Attempt, kind, 11, 9), bound(Scope::Day, kind, 10, 10)]).unwrap();
        assert_eq!((breach.scope, breach.used), (Scope::Day, 10));
    }
}

#[test]
fn dollars_of_unknown_price_do_not_count_as_none() {
    let dollars = [bound(Scope::Day, LimitKind::Cost, 100, 0)];
    let breach = during(&dollars, &used(None, 1, 0), 0).unwrap();
    assert!(breach.unpriced);
    let key = TaskKey::parse("app-1").unwrap();
    assert_eq!(consequence(&breach, Timestamp(0), &key), Trouble::End(EndReason::BudgetCost));
    assert!(explain(&breach).contains("price is not known"));
    assert_eq!(during(&dollars, &used(None, 0, 1), 0), None, "nothing was used yet");
    assert_eq!(during(&[bound(Scope::Day, LimitKind::Tokens, 100, 0)], &used(None, 1, 0), 0), None);
}

#[test]
fn own_limits_end_a_job_and_those_of_a_day_let_it_wait() {
    let key = TaskKey::parse("app-1").unwrap();
    let now = Timestamp(20_000 * 86_400_000 + 5);
    for scope in Scope::ALL {
        let breach = bound(scope, LimitKind::Tokens, 10, 10).breach(12);
        match (scope, consequence(&breach, now, &key)) {
            (Scope::Attempt | Scope::Job | Scope::Task, Trouble::End(reason)) => {
                assert_eq!(reason, EndReason::BudgetTokens);
            }
            (Scope::Day | Scope::RepositoryDay, Trouble::Wait { reason, wake: Some(wake) }) => {
                assert_eq!(reason, ParkReason::DailyBudget);
                let late = wake.since(day_start(20_001));
                assert!(wake >= day_start(20_001) && late < std::time::Duration::from_secs(600));
            }
            (Scope::Velocity, Trouble::Wait { reason, wake: None }) => {
                assert_eq!(reason, ParkReason::Velocity);
            }
            (scope, other) => panic!("{scope:?}: {other:?}"),
        }
        let text = explain(&breach);
        assert!(text.contains("10 tokens") && text.contains("12 tokens"), "{text}");
    }
}

#[test]
fn a_job_is_held_to_every_scope_that_has_a_limit() {
    let mut order = tests_support::spec();
    order.limits.cost = Some(MicroDollars(5_000_000));
    order.budget.sessions = Some(4);
    order.budget.attempt = Amounts { tokens: Some(100), ..Amounts::default() };
    order.budget.task = Amounts { time_ms: Some(1000), ..Amounts::default() };
    let day = Amounts { cost: Some(MicroDollars(20)), ..Amounts::default() };
    let budgets = Budgets { day, velocity: Amounts { sessions: Some(7), ..day }, ..Budgets::default() };
    let mut totals = Totals::default();
    totals.spent.insert(Scope::Day, Spent { cost: MicroDollars(13), ..Spent::default() });
    totals.raised.insert(Scope::Day, Amounts { cost: Some(MicroDollars(5)), ..Amounts::default() });
    let trail = Trail { used: used(Some(7), 0, 0), ..Trail::default() };
    let bounds = bounds(&order, &trail, &budgets, &totals);
    let wanted = [
        bound(Scope::Job, LimitKind::Cost, 5_000_000, 7),
        bound(Scope::Job, LimitKind::Sessions, 4, 0),
        bound(Scope::Attempt, LimitKind::Tokens, 100, 0),
        bound(Scope::Task, LimitKind::Time, 1000, 0),
        bound(Scope::Day, LimitKind::Cost, 25, 13),
        bound(Scope::Velocity, LimitKind::Cost, 20, 0),
        bound(Scope::Velocity, LimitKind::Sessions, 7, 0),
    ];
    assert_eq!(bounds, wanted);
    let left = left(&bounds);
    assert_eq!((left.cost, left.tokens), (Some(MicroDollars(12)), Some(100)));
    assert_eq!((left.turns, left.wall), (None, Some(std::time::Duration::from_secs(1))));
    let own = Spent { cost: MicroDollars(12), ..Spent::default() };
    let tight = tightest(&bounds, LimitKind::Cost, &own).unwrap();
    assert_eq!((tight.scope, tight.used), (Scope::Day, 25));
    assert_eq!(tightest(&bounds, LimitKind::Turns, &own), None);
}

#[test]
fn a_raise_adds_to_what_is_limited_and_limits_nothing_else() {
    let base = Amounts { cost: Some(MicroDollars(10)), ..Amounts::default() };
    let by = Amounts { cost: Some(MicroDollars(5)), tokens: Some(9), ..Amounts::default() };
    assert_eq!(base.raised(&by), Amounts { cost: Some(MicroDollars(15)), ..Amounts::default() });
    assert_eq!(base.raised(&Amounts::default()), base);
}

#[test]
fn a_warning_comes_at_four_fifths() {
    let bounds = [bound(Scope::Day, LimitKind::Cost, 100, 70), bound(Scope::Job, LimitKind::Tokens, 100, 0)];
    let near = |cost| {
        let own = Spent { cost: MicroDollars(cost), ..Spent::default() };
        nearly_used_up(&bounds, &own).iter().map(|near| near.used).collect::<Vec<_>>()
    };
    assert_eq!(near(9), Vec::<u64>::new());
    assert_eq!(near(10), [80]);
}

#[test]
fn a_day_begins_at_midnight_utc() {
    assert_eq!(
        (day_of(Timestamp(0)), day_of(Timestamp(86_399_999)), day_of(Timestamp(86_400_000))),
        (0, 0, 1)
    );
    assert_eq!(day_of(Timestamp(-1)), -1);
}

fn any_bound() -> impl Strategy<Value = Bound> {
    (0..Scope::ALL.len(), 0..LimitKind::ALL.len(), 0_u64..1000, 0_u64..1000)
        .prop_map(|(scope, kind, limit, spent)| bound(Scope::ALL[scope], LimitKind::ALL[kind], limit, spent))
}

proptest! {
    #[test]
    fn what_is_left_is_never_a_breach_and_one_more_always_is(bounds in prop::collection::vec(any_bound(), 0..8)) {
        prop_assume!(before(&bounds).is_none());
        let left = left(&bounds);
        if let Some(tokens) = left.tokens {
            prop_assert!(tokens > 0);
            prop_assert_eq!(during(&bounds, &used(Some(0), tokens - 1, 0), 0), None);
            prop_assert_eq!(during(&bounds, &used(Some(0), tokens, 0), 0).map(|breach| breach.kind), Some(LimitKind::Tokens));
        }
        if let Some(cost) = left.cost {
            prop_assert_eq!(during(&bounds, &used(Some(cost.0 - 1), 0, 0), 0), None);
            prop_assert!(during(&bounds, &used(Some(cost.0), 0, 0), 0).is_some());
        }
    }

    #[test]
    fn using_more_never_undoes_a_breach(
        bounds in prop::collection::vec(any_bound(), 0..8),
        (cost, tokens, turns, time) in (0_i64..1000, 0_u64..1000, 0_u32..1000, 0_u64..1000),
        more in 0_u32..1000,
    ) {
        let (less, greater) =
            (used(Some(cost), tokens, turns), used(Some(cost + i64::from(more)), tokens + u64::from(more), turns + more));
        if during(&bounds, &less, time).is_some() {
            prop_assert!(during(&bounds, &greater, time + u64::from(more)).is_some());
        }
    }
}
