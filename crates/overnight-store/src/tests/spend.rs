//! The ledger: what sessions used, what limits see of it, and what stays when their jobs are gone.

use overnight_core::agent::{TurnOutcome, TurnReport};
use overnight_core::command::{Containment, ProcessIdentity};
use overnight_core::policy::budget::{Amounts, Scope, Spent};

use super::*;
use crate::{CostBy, NewRaise, SpendQuery, SpendSoFar};

on_both!(
    a_session_is_in_the_accounts_from_its_start_to_its_end,
    an_end_that_tells_nothing_leaves_what_was_known,
    a_session_that_told_nothing_is_unaccounted_and_not_free,
    each_scope_counts_its_own_sessions,
    only_the_holder_writes_what_a_session_has_used,
    a_raise_adds_up_and_ends_by_itself,
    the_velocity_counts_from_the_last_published_job,
    the_accounts_outlive_their_jobs,
    a_warning_is_given_once
);

fn process() -> ProcessIdentity {
    let containment = Containment::PidNamespace;
    ProcessIdentity { pid: 1, start_ticks: 2, boot_id: "b".to_owned(), containment }
}

fn used(tokens: u64, cost: Option<i64>) -> Usage {
    Usage { output_tokens: tokens, turns: 1, cost: cost.map(MicroDollars), ..Usage::default() }
}

/// A claimed job whose first session runs.
async fn running(store: &Store, repository: &str) -> Claimed {
    let job = enqueue_in(store, repository, "x").await;
    let mut claimed = claim(store, &job.id, "w").await;
    next_session(store, &mut claimed, true).await;
    claimed
}

async fn next_session(store: &Store, claimed: &mut Claimed, first: bool) {
    let Claimed { lease, job, .. } = claimed;
    if first {
        advance(store, lease, job, prepared()).await;
    }
    advance(store, lease, job, announced()).await;
    advance(store, lease, job, Input::TurnStarted { process: process() }).await;
}

async fn ended(store: &Store, claimed: &mut Claimed, usage: Usage) {
    let report = TurnReport {
        outcome: TurnOutcome::Completed,
        session: None,
        usage,
        final_text: None,
        asked: None,
        options: Vec::new(),
    };
    let output = StageOutput::Turn { report };
    let done = Input::Done { output, elapsed: Duration::from_secs(3) };
    advance(store, &claimed.lease, &mut claimed.job, done).await;
}

async fn so_far(store: &Store, claimed: &Claimed, usage: Usage) -> bool {
    let model = Some("m-1".to_owned());
    store.spend_so_far(&claimed.lease, &SpendSoFar { turn: 1, usage, model, wall_ms: 2000 }).await.unwrap()
}

async fn day(store: &Store) -> Spent {
    let query = SpendQuery { session: None, repository: None, scopes: vec![Scope::Day] };
    store.spend_totals(&query).await.unwrap().spent(Scope::Day)
}

fn spent(sessions: u64, tokens: u64, cost: i64, time_ms: u64) -> Spent {
    let turns = u64::from(tokens > 0) * sessions;
    Spent { sessions, tokens, turns, time_ms, cost: MicroDollars(cost), ..Spent::default() }
}

async fn a_session_is_in_the_accounts_from_its_start_to_its_end(f: &Fixture) {
    let mut claimed = running(&f.store, "app").await;
    assert_eq!(day(&f.store).await, spent(1, 0, 0, 0), "one that runs has not told nothing yet");
    assert!(so_far(&f.store, &claimed, used(5, Some(50))).await);
    assert_eq!(day(&f.other().await).await, spent(1, 5, 50, 2000));
    ended(&f.store, &mut claimed, used(7, Some(70))).await;
    assert_eq!(day(&f.store).await, spent(1, 7, 70, 3000));
    assert!(!so_far(&f.store, &claimed, used(5, Some(50))).await, "it is over");
    assert_eq!(day(&f.store).await, spent(1, 7, 70, 3000));
}

async fn an_end_that_tells_nothing_leaves_what_was_known(f: &Fixture) {
    let mut claimed = running(&f.store, "app").await;
    so_far(&f.store, &claimed, used(5, Some(50))).await;
    advance(&f.store, &claimed.lease, &mut claimed.job, interrupted()).await;
    assert_eq!(day(&f.store).await, spent(1, 5, 50, 2000));
}

async fn a_session_that_told_nothing_is_unaccounted_and_not_free(f: &Fixture) {
    let mut claimed = running(&f.store, "app").await;
    ended(&f.store, &mut claimed, Usage::default()).await;
    let mut other = running(&f.store, "app").await;
    ended(&f.store, &mut other, used(5, None)).await;
    let day = day(&f.store).await;
    assert_eq!((day.sessions, day.unaccounted, day.unpriced), (2, 1, 1));
}

async fn each_scope_counts_its_own_sessions(f: &Fixture) {
    let mut first = running(&f.store, "app").await;
    ended(&f.store, &mut first, used(1, Some(1))).await;
    let mut again = new_job(&f.store, "app").await;
    again.spec.budget.first = Some(first.job.id.clone());
    let again = f.store.job_enqueue(&again).await.unwrap();
    let mut second = claim(&f.store, &again.id, "w").await;
    next_session(&f.store, &mut second, true).await;
    ended(&f.store, &mut second, used(10, Some(10))).await;
    let mut elsewhere = running(&f.store, "lib").await;
    ended(&f.store, &mut elsewhere, used(100, Some(100))).await;
    let asked = |turn, attempt| SpendQuery {
        session: Some((again.id.clone(), first.job.id.clone(), turn, attempt)),
        repository: Some(again.repository.clone()),
        scopes: Scope::ALL.to_vec(),
    };
    let totals = f.store.spend_totals(&asked(2, 1)).await.unwrap();
    let tokens = Scope::ALL.map(|scope| totals.spent(scope).tokens);
    assert_eq!(tokens, [10, 10, 11, 11, 111, 11]);
    let totals = f.store.spend_totals(&asked(1, 2)).await.unwrap();
    let tokens = Scope::ALL.map(|scope| totals.spent(scope).tokens);
    assert_eq!(tokens, [0, 0, 1, 1, 101, 1], "the session at hand and other attempts are left out");
}

async fn only_the_holder_writes_what_a_session_has_used(f: &Fixture) {
    let claimed = running(&f.store, "app").await;
    f.store.lease_release(&claimed.lease, None).await.unwrap();
    let next = claim(&f.store, &claimed.job.id, "other").await;
    assert!(!so_far(&f.store, &claimed, used(5, Some(50))).await);
    assert!(so_far(&f.store, &next, used(6, Some(60))).await);
}

async fn a_raise_adds_up_and_ends_by_itself(f: &Fixture) {
    let repository = enqueue(&f.store).await.repository;
    let raise = |scope, repository, tokens, length| NewRaise {
        scope,
        repository,
        by: Amounts { tokens: Some(tokens), ..Amounts::default() },
        length,
    };
    for new in [
        raise(Scope::Day, None, 1, MINUTE),
        raise(Scope::Day, None, 2, MINUTE),
        raise(Scope::Day, None, 4, Duration::ZERO),
        raise(Scope::RepositoryDay, Some(repository.clone()), 8, MINUTE),
    ] {
        f.store.budget_raise(&new).await.unwrap();
    }
    let raised = async |repository: Option<RepositoryId>| {
        let scopes = vec![Scope::Day, Scope::RepositoryDay];
        let totals = f.store.spend_totals(&SpendQuery { session: None, repository, scopes }).await.unwrap();
        (totals.raised(Scope::Day).tokens, totals.raised(Scope::RepositoryDay).tokens)
    };
    assert_eq!(raised(Some(repository.clone())).await, (Some(3), Some(8)));
    assert_eq!(raised(None).await, (Some(3), None));
    assert_eq!(f.store.budget_raises().await.unwrap().len(), 3);
    assert_eq!(f.store.budget_lower(Scope::Day, None).await.unwrap(), 2);
    assert_eq!(raised(Some(repository)).await, (None, Some(8)));
}

async fn velocity(store: &Store, repository: &RepositoryId) -> u64 {
    let query =
        SpendQuery { session: None, repository: Some(repository.clone()), scopes: vec![Scope::Velocity] };
    store.spend_totals(&query).await.unwrap().spent(Scope::Velocity).tokens
}

/// Until the clock of the database has moved on: times are compared by the millisecond.
async fn a_moment_later(store: &Store) {
    let then = store.now().await.unwrap();
    while store.now().await.unwrap() <= then {
        tokio::task::yield_now().await;
    }
}

async fn the_velocity_counts_from_the_last_published_job(f: &Fixture) {
    let mut claimed = running(&f.store, "app").await;
    let repository = claimed.job.repository.clone();
    ended(&f.store, &mut claimed, used(5, None)).await;
    assert_eq!(velocity(&f.store, &repository).await, 5);
    end(&f.store, &mut claimed, EndReason::Published).await;
    a_moment_later(&f.store).await;
    assert_eq!(velocity(&f.store, &repository).await, 0);
    let mut next = running(&f.store, "app").await;
    ended(&f.store, &mut next, used(7, None)).await;
    end(&f.store, &mut next, EndReason::NoChanges).await;
    assert_eq!(velocity(&f.store, &repository).await, 7);
    a_moment_later(&f.store).await;
    f.store.velocity_clear(&repository).await.unwrap();
    assert_eq!(velocity(&f.store, &repository).await, 0);
}

async fn the_accounts_outlive_their_jobs(f: &Fixture) {
    let mut done = running(&f.store, "app").await;
    so_far(&f.store, &done, used(1, None)).await;
    ended(&f.store, &mut done, used(5, Some(50))).await;
    end(&f.store, &mut done, EndReason::Published).await;
    let mut failed = running(&f.store, "app").await;
    ended(&f.store, &mut failed, Usage { estimated: true, ..used(2, Some(20)) }).await;
    end(&f.store, &mut failed, EndReason::NoChanges).await;
    let before = f.store.costs(CostBy::Repository, 0).await.unwrap();
    let [line] = &before[..] else { panic!("{before:?}") };
    assert_eq!((line.name.as_deref(), line.jobs, line.published, line.estimated), (Some("app"), 2, 1, 20));
    assert_eq!((line.spent.cost, line.spent.sessions), (MicroDollars(70), 2));
    a_moment_later(&f.store).await;
    let now = f.store.now().await.unwrap();
    let ids = [done.job.id.clone(), failed.job.id.clone()];
    assert_eq!(f.store.jobs_prune(now, &ids).await.unwrap().len(), 2);
    assert_eq!(f.store.costs(CostBy::Repository, 0).await.unwrap(), before);
    assert_eq!(velocity(&f.store, &done.job.repository).await, 2, "what was published stays so");
    let models = f.store.costs(CostBy::Model, 0).await.unwrap();
    let names: Vec<_> = models.iter().map(|line| line.name.as_deref()).collect();
    assert_eq!(names, [Some("m-1"), None]);
    assert_eq!(f.store.costs(CostBy::Backend, 0).await.unwrap().len(), 1);
    let days = f.store.costs(CostBy::Day, 0).await.unwrap();
    let today = overnight_core::policy::budget::day_of(now);
    assert!(days.iter().any(|line| line.name == Some(today.to_string())), "{days:?}");
    assert_eq!(f.store.costs(CostBy::Day, today + 1).await.unwrap(), []);
}

async fn a_warning_is_given_once(f: &Fixture) {
    assert!(f.store.budget_warn_once("day:1:cost:5").await.unwrap());
    assert!(!f.other().await.budget_warn_once("day:1:cost:5").await.unwrap());
    assert!(f.store.budget_warn_once("day:2:cost:5").await.unwrap());
}
