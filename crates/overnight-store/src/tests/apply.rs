//! Steps of many jobs that share a transaction, and yet answer each for itself.

use overnight_core::job::{EffectChange, EffectName, JobEvent, Notice};

use super::*;

on_both!(
    steps_of_many_jobs_at_once_are_all_written,
    a_refused_step_keeps_no_other_from_being_written,
    an_effect_out_of_order_spoils_only_its_own_step,
    two_steps_of_one_job_at_once_are_not_both_written,
    a_caller_that_is_dropped_costs_nobody_else_an_answer,
);

async fn held(store: &Store, count: usize) -> Vec<Claimed> {
    let new = new_job(store, "app").await;
    store.jobs_enqueue(&vec![new; count]).await.unwrap();
    let claimed = claim_next(store, "w", count).await;
    assert_eq!(claimed.len(), count);
    claimed
}

fn notices(job: &Job, count: u32) -> Step {
    let events = (0..count).map(|n| JobEvent::Noticed { notice: Notice::UncommittedChanges(n) }).collect();
    Step {
        next: job.state.clone(),
        events,
        effects: Vec::new(),
        spend: Vec::new(),
        talk: Vec::new(),
        documents: Vec::new(),
    }
}

/// What each of these steps came to, all of them sent at once.
async fn at_once(store: &Store, steps: Vec<(Claimed, Step)>) -> Vec<(Claimed, Result<Applied, StoreError>)> {
    let tasks: Vec<_> = steps
        .into_iter()
        .map(|(claimed, step)| {
            let store = store.clone();
            tokio::spawn(async move {
                let applied = store.apply(&claimed.lease, &claimed.job.state, step).await;
                (claimed, applied)
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

async fn steps_of_many_jobs_at_once_are_all_written(f: &Fixture) {
    let steps = held(&f.store, 150).await.into_iter().zip(0..).map(|(claimed, count)| {
        let step = notices(&claimed.job, count % 4);
        (claimed, step)
    });
    for ((claimed, applied), count) in at_once(&f.store, steps.collect()).await.into_iter().zip(0..) {
        let applied = applied.unwrap();
        assert_eq!(applied.events.len(), count % 4);
        let stored = f.store.events(&claimed.job.id, EventNumber(0), 99).await.unwrap();
        for (number, at, event) in &applied.events {
            let stored = &stored[usize::try_from(number.0).unwrap() - 1];
            assert_eq!((stored.number, stored.at, stored.event.as_ref().unwrap()), (*number, *at, event));
        }
        assert_gapless(&numbers(&f.store, &claimed.job.id).await);
    }
}

async fn a_refused_step_keeps_no_other_from_being_written(f: &Fixture) {
    let claimed = held(&f.store, 64).await;
    // Every fourth is lost to a thief, every fourth was decided from a state that is not there any more.
    let mut steps = Vec::new();
    for (mut claimed, kind) in claimed.into_iter().zip((0..4).cycle()) {
        if kind == 1 {
            let taken = f.store.job_claim(&claimed.job.id, &claimant("thief"), &[worker("w")]).await.unwrap();
            assert!(matches!(taken, Claim::Taken(_)));
        }
        if kind == 2 {
            let old = claimed.job.state.clone();
            advance(&f.store, &claimed.lease, &mut claimed.job, prepared()).await;
            claimed.job.state = old;
        }
        let step = notices(&claimed.job, 1);
        steps.push((claimed, step));
    }
    for ((claimed, applied), kind) in at_once(&f.store, steps).await.into_iter().zip((0..4).cycle()) {
        let noticed = f.store.events(&claimed.job.id, EventNumber(0), 99).await.unwrap();
        let noticed = noticed.iter().any(|record| matches!(record.event, Ok(JobEvent::Noticed { .. })));
        match kind {
            1 => assert!(matches!(applied, Err(StoreError::LeaseLost { .. })), "{applied:?}"),
            2 => assert!(matches!(applied, Err(StoreError::StateMoved { .. })), "{applied:?}"),
            _ => assert!(applied.is_ok(), "{applied:?}"),
        }
        assert_eq!(noticed, applied.is_ok());
    }
}

async fn an_effect_out_of_order_spoils_only_its_own_step(f: &Fixture) {
    let done = EffectChange::Done { name: EffectName::PushBranch, result: "pushed".to_owned() };
    let reserve = EffectChange::Reserve { name: EffectName::PushBranch, detail: "branch".to_owned() };
    let steps = held(&f.store, 64).await.into_iter().zip((0..8).cycle()).map(|(claimed, kind)| {
        let effect = if kind == 5 { done.clone() } else { reserve.clone() };
        let step = Step { effects: vec![effect], ..notices(&claimed.job, 2) };
        (claimed, step)
    });
    for ((claimed, applied), kind) in at_once(&f.store, steps.collect()).await.into_iter().zip((0..8).cycle())
    {
        let refused = matches!(applied, Err(StoreError::EffectOutOfOrder { .. }));
        assert_eq!((refused, applied.is_ok()), (kind == 5, kind != 5), "{applied:?}");
        assert_eq!(f.store.effects(&claimed.job.id).await.unwrap().len(), usize::from(kind != 5));
        assert_gapless(&numbers(&f.store, &claimed.job.id).await);
    }
}

async fn two_steps_of_one_job_at_once_are_not_both_written(f: &Fixture) {
    for mut claimed in held(&f.store, 20).await {
        advance(&f.store, &claimed.lease, &mut claimed.job, prepared()).await;
        let Claimed { lease, job, .. } = &claimed;
        // Both change the state, and neither tells anything: nothing but the state could betray the second one.
        let silent = || Step { events: Vec::new(), ..step(job, &job.state, announced()) };
        let (one, two) = tokio::join!(
            f.store.apply(lease, &job.state, silent()),
            f.store.apply(lease, &job.state, silent())
        );
        let moved =
            |applied: &Result<Applied, StoreError>| matches!(applied, Err(StoreError::StateMoved { .. }));
        assert!(one.is_ok() && moved(&two) || two.is_ok() && moved(&one), "{one:?} {two:?}");
    }
}

async fn a_caller_that_is_dropped_costs_nobody_else_an_answer(f: &Fixture) {
    let mut hasty = Vec::new();
    let mut patient = Vec::new();
    for (claimed, number) in held(&f.store, 96).await.into_iter().zip(0_u64..) {
        let (store, step) = (f.store.clone(), notices(&claimed.job, 1));
        let id = claimed.job.id.clone();
        let task =
            tokio::spawn(
                async move { store.apply(&claimed.lease, &claimed.job.state, step).await.map(drop) },
            );
        if number % 3 == 0 { hasty.push((id, task, number)) } else { patient.push((id, task)) }
    }
    for (_, task, number) in &hasty {
        if number % 2 == 0 {
            tokio::task::yield_now().await;
        }
        task.abort();
    }
    for (id, task) in patient {
        task.await.unwrap().unwrap();
        assert_eq!(numbers(&f.store, &id).await.len(), 4);
    }
    // Each of the others happened or did not, and nothing of them comes later.
    let written = async || {
        let mut written = Vec::new();
        for (id, _, _) in &hasty {
            let numbers = numbers(&f.store, id).await;
            assert_gapless(&numbers);
            written.push(numbers.len());
        }
        written
    };
    while f.store.commits.free_turns() == 0 {
        tokio::task::yield_now().await;
    }
    let before = written().await;
    for claimed in held(&f.store, 3).await {
        f.store.apply(&claimed.lease, &claimed.job.state, notices(&claimed.job, 1)).await.unwrap();
    }
    assert_eq!(written().await, before, "a step was written long after its caller had gone");
}
