//! Heartbeats, and jobs that are taken back from workers that are lost.

use overnight_core::job::{AfterRule, CancelledBy, JobEvent};

use super::*;
use crate::{After, CancelRequest, HeldJob, LimitKey, Parent, ReclaimPolicy, Reclaimed, Renewal};

on_both!(
    one_heartbeat_renews_every_lease_of_its_worker_and_no_other,
    a_heartbeat_tells_what_is_lost_what_is_to_be_cancelled_and_when_to_stop,
    an_expired_lease_is_taken_back_and_its_holder_is_refused,
    a_holder_that_renewed_in_time_keeps_its_job,
    jobs_of_a_dead_worker_are_taken_back_at_once,
    a_job_that_was_lost_too_often_ends_and_takes_those_with_it_that_wait,
    a_cancel_outlives_the_worker_that_did_not_see_it,
    a_lost_job_that_cannot_be_read_keeps_no_other_from_being_taken_back,
    two_sweeps_at_once_take_each_job_back_once,
    heartbeats_and_steps_of_one_worker_do_not_wait_in_a_circle,
);

const POLICY: ReclaimPolicy = ReclaimPolicy { most_losses: 3, lease: Duration::ZERO, seen: None };
const NEVER: [WorkerId; 0] = [];

/// Makes the leases of these workers run out, as if nobody had been heard of for long.
async fn expire(store: &Store, names: &[&str]) {
    for name in names {
        let text = "UPDATE jobs SET lease_until = {now} - 1 WHERE holder = $1";
        store.run("test", sql(text).bind(*name)).await.unwrap();
    }
}

async fn one_heartbeat_renews_every_lease_of_its_worker_and_no_other(f: &Fixture) {
    f.store.worker_register(&worker_row("w1")).await.unwrap();
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 5]).await.unwrap();
    let (mine, other) = (claim_next(&f.store, "w1", 4).await, claim_next(&f.store, "w2", 1).await);
    let before = f.store.now().await.unwrap();
    let beat = f.store.worker_beat(&worker("w1"), MINUTE * 5, "{\"slots\":4}").await.unwrap();
    let after = f.store.now().await.unwrap();
    let mut held: Vec<_> = beat.held.iter().map(|held| (&held.job, held.fence)).collect();
    held.sort();
    assert_eq!(held, mine.iter().map(|one| (&one.job.id, Fence(1))).collect::<Vec<_>>());
    assert!(
        beat.held.iter().all(|held| (before.plus(MINUTE * 5)..=after.plus(MINUTE * 5)).contains(&held.until))
    );
    for one in &mine {
        assert!(
            f.store.job(&one.job.id).await.unwrap().holder.unwrap().lease_until >= before.plus(MINUTE * 5)
        );
    }
    let untouched = f.store.job(&other[0].job.id).await.unwrap().holder.unwrap().lease_until;
    assert_eq!(untouched, other[0].lease.until());
    let seen = &f.store.workers().await.unwrap()[0];
    assert!(seen.last_seen >= before && seen.report.as_deref() == Some("{\"slots\":4}") && seen.held == 4);
    assert_eq!(f.store.worker_peek(&worker("w1")).await.unwrap().held.len(), 4);
    assert!(f.store.worker_beat(&worker("unknown"), MINUTE, "{}").await.unwrap().held.is_empty());
}

async fn a_heartbeat_tells_what_is_lost_what_is_to_be_cancelled_and_when_to_stop(f: &Fixture) {
    f.store.worker_register(&worker_row("w")).await.unwrap();
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 3]).await.unwrap();
    let held = claim_next(&f.store, "w", 3).await;
    let cancel = f.store.cancel_request(&held[0].job.id, CancelledBy::Command).await.unwrap();
    assert_eq!(cancel, CancelRequest::Asked);
    let lost = f.store.job_claim(&held[1].job.id, &claimant("thief"), &[worker("w")]).await.unwrap();
    assert!(matches!(lost, Claim::Taken(_)));
    let mut wakes = f.store.subscribe();
    assert!(f.store.worker_drain(&worker("w"), true).await.unwrap());
    assert!(wakes.has_changed().unwrap());
    wakes.mark_unchanged();
    assert!(!f.store.worker_drain(&worker("nobody"), true).await.unwrap());
    for beat in [
        f.store.worker_peek(&worker("w")).await.unwrap(),
        f.store.worker_beat(&worker("w"), MINUTE, "{}").await.unwrap(),
    ] {
        assert!(beat.drain);
        let told: Vec<_> =
            beat.held.iter().map(|HeldJob { job, cancel, .. }| (job, cancel.clone())).collect();
        assert_eq!(told, [(&held[0].job.id, Some(CancelledBy::Command)), (&held[2].job.id, None)]);
    }
    // A later version may know more ways to ask for it.
    let text = "UPDATE jobs SET cancel = 'telepathy' WHERE id = $1";
    f.store.run("test", sql(text).bind(held[2].job.id.as_str())).await.unwrap();
    let beat = f.store.worker_beat(&worker("w"), MINUTE, "{}").await.unwrap();
    assert!(beat.held.iter().all(|held| held.cancel.is_some()));
    assert!(f.store.worker_drain(&worker("w"), false).await.unwrap());
    assert!(!f.store.worker_beat(&worker("w"), MINUTE, "{}").await.unwrap().drain);
    assert!(wakes.has_changed().unwrap());
}

async fn an_expired_lease_is_taken_back_and_its_holder_is_refused(f: &Fixture) {
    f.store.limit_set(&LimitKey::repository("app"), Some(1)).await.unwrap();
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 2]).await.unwrap();
    let Claimed { lease, mut job, .. } = claim_next(&f.store, "w1", 1).await.pop().unwrap();
    advance(&f.store, &lease, &mut job, prepared()).await;
    assert!(f.store.jobs_reclaim(&NEVER, POLICY).await.unwrap().is_empty());
    expire(&f.store, &["w1"]).await;
    assert_eq!(f.store.queue_stats().await.unwrap().leases_expired, 1);
    let mut wakes = f.store.subscribe();
    wakes.mark_unchanged();
    let taken = f.store.jobs_reclaim(&NEVER, POLICY).await.unwrap();
    let wanted = Reclaimed { key: job.key.clone(), worker: worker("w1"), times: 1, ended: false };
    assert_eq!(taken, [wanted]);
    assert!(wakes.has_changed().unwrap());
    assert!(f.store.jobs_reclaim(&NEVER, POLICY).await.unwrap().is_empty());

    // The late holder, of the same name and unaware, is refused everything.
    assert_eq!(f.store.lease_renew(&lease, MINUTE).await.unwrap(), Renewal::Lost);
    assert!(f.store.worker_beat(&worker("w1"), MINUTE, "{}").await.unwrap().held.is_empty());
    let late = step(&job, &job.state, announced());
    assert!(matches!(f.store.apply(&lease, &job.state, late).await, Err(StoreError::LeaseLost { .. })));
    assert!(matches!(f.store.lease_release(&lease, None).await, Err(StoreError::LeaseLost { .. })));

    let stored = f.store.job(&job.id).await.unwrap();
    assert_eq!((&stored.state, stored.lost, &stored.holder), (&job.state, 1, &None));
    // It stands where it stood, so it comes first; its slot is free.
    let again = claim_next(&f.store, "w2", 9).await;
    assert_eq!((keys(&again), again[0].lease.fence()), (vec![job.key.to_string()], Fence(3)));
    let events = f.store.events(&job.id, EventNumber(0), 99).await.unwrap();
    let lost = events.iter().find(|record| matches!(record.event, Ok(JobEvent::WorkerLost { times: 1, .. })));
    assert!(lost.is_some());
    assert_gapless(&numbers(&f.store, &job.id).await);
}

async fn a_holder_that_renewed_in_time_keeps_its_job(f: &Fixture) {
    enqueue(&f.store).await;
    let held = claim_next(&f.store, "w", 1).await;
    expire(&f.store, &["w"]).await;
    // Late, but nobody followed.
    assert!(matches!(f.store.lease_renew(&held[0].lease, MINUTE).await.unwrap(), Renewal::Held { .. }));
    assert!(f.store.jobs_reclaim(&NEVER, POLICY).await.unwrap().is_empty());
    expire(&f.store, &["w"]).await;
    assert_eq!(f.store.worker_beat(&worker("w"), MINUTE, "{}").await.unwrap().held.len(), 1);
    assert!(f.store.jobs_reclaim(&NEVER, POLICY).await.unwrap().is_empty());
}

async fn jobs_of_a_dead_worker_are_taken_back_at_once(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 70]).await.unwrap();
    assert_eq!(claim_next(&f.store, "dead", 69).await.len(), 69);
    let alive = claim_next(&f.store, "alive", 9).await;
    // However long the server has been there: that the worker is dead was seen.
    let patient = ReclaimPolicy { lease: MINUTE * 60 * 24 * 365, ..POLICY };
    let taken = f.store.jobs_reclaim(&[worker("other"), worker("dead")], patient).await.unwrap();
    assert_eq!(taken.len(), 69);
    assert!(taken.iter().all(|one| one.worker == worker("dead") && one.times == 1));
    assert!(matches!(f.store.lease_peek(&alive[0].lease).await.unwrap(), Renewal::Held { .. }));
    assert_eq!(claim_next(&f.store, "w", 99).await.len(), 69);
}

async fn a_job_that_was_lost_too_often_ends_and_takes_those_with_it_that_wait(f: &Fixture) {
    let poison = enqueue(&f.store).await;
    let after = vec![After { on: Parent::Job(poison.id.clone()), rule: AfterRule::Done }];
    let child = f.store.job_enqueue(&NewJob { after, ..new_job(&f.store, "app").await }).await.unwrap();
    for times in 1..=4 {
        claim(&f.store, &poison.id, "w").await;
        expire(&f.store, &["w"]).await;
        let taken = f.store.jobs_reclaim(&NEVER, POLICY).await.unwrap();
        assert_eq!((taken[0].times, taken[0].ended), (times, times == 4));
    }
    for (job, reason) in [(&poison, EndReason::WorkerLost), (&child, EndReason::DependencyFailed)] {
        let job = f.store.job(&job.id).await.unwrap();
        assert!(job.state.is_ended() && job.holder.is_none());
        assert_eq!(job.state.end().unwrap().reason, reason);
        assert_gapless(&numbers(&f.store, &job.id).await);
    }
    let left = f.store.one("test", sql("SELECT COUNT(*) AS count FROM slots")).await.unwrap();
    assert_eq!(left.number("count").unwrap(), 0);
}

async fn a_cancel_outlives_the_worker_that_did_not_see_it(f: &Fixture) {
    let job = enqueue(&f.store).await;
    claim(&f.store, &job.id, "w").await;
    f.store.cancel_request(&job.id, CancelledBy::Command).await.unwrap();
    expire(&f.store, &["w"]).await;
    assert_eq!(f.store.jobs_reclaim(&NEVER, POLICY).await.unwrap().len(), 1);
    assert_eq!(claim_next(&f.store, "w2", 1).await[0].job.cancel, Some(CancelledBy::Command));
}

async fn a_lost_job_that_cannot_be_read_keeps_no_other_from_being_taken_back(f: &Fixture) {
    let (bad, good) = (enqueue(&f.store).await, enqueue(&f.store).await);
    assert_eq!(claim_next(&f.store, "w", 2).await.len(), 2);
    f.store
        .run("test", sql("UPDATE jobs SET state = '{}' WHERE id = $1").bind(bad.id.as_str()))
        .await
        .unwrap();
    // Its holder may be of a version that can read it.
    assert_eq!(f.store.jobs_reclaim(&[worker("w")], POLICY).await.unwrap().len(), 1);
    assert_eq!(f.store.queue_stats().await.unwrap().held, 1);
    assert_eq!(keys(&claim_next(&f.store, "w2", 2).await), [good.key.to_string()]);
    expire(&f.store, &["w", "w2"]).await;
    let taken = f.store.jobs_reclaim(&NEVER, POLICY).await.unwrap();
    assert_eq!(taken.iter().map(|one| &one.key).collect::<Vec<_>>(), [&good.key]);
    let stats = f.store.queue_stats().await.unwrap();
    assert_eq!((stats.held, stats.leases_expired, stats.ready), (0, 0, 1));
}

async fn two_sweeps_at_once_take_each_job_back_once(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 30]).await.unwrap();
    claim_next(&f.store, "w", 30).await;
    expire(&f.store, &["w"]).await;
    let (one, two) = (f.other().await, f.other().await);
    let (one, two) = tokio::join!(one.jobs_reclaim(&NEVER, POLICY), two.jobs_reclaim(&NEVER, POLICY));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 30);
    assert!(f.store.jobs_unfinished().await.unwrap().jobs.iter().all(|job| job.lost == 1));
}

async fn heartbeats_and_steps_of_one_worker_do_not_wait_in_a_circle(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 32]).await.unwrap();
    let claimed = claim_next(&f.store, "w", 32).await;
    let heart = f.other().await;
    let mut steps = Vec::new();
    for Claimed { lease, mut job, .. } in claimed {
        let store = f.store.clone();
        steps.push(tokio::spawn(async move {
            advance(&store, &lease, &mut job, prepared()).await;
            for _ in 0..10 {
                advance(&store, &lease, &mut job, announced()).await;
                advance(&store, &lease, &mut job, interrupted()).await;
            }
        }));
    }
    let mut longest = Duration::ZERO;
    while steps.iter().any(|step| !step.is_finished()) {
        let start = std::time::Instant::now();
        assert_eq!(heart.worker_beat(&worker("w"), MINUTE, "{}").await.unwrap().held.len(), 32);
        longest = longest.max(start.elapsed());
    }
    for step in steps {
        step.await.unwrap();
    }
    // A circle is found by the server after a second.
    assert!(longest < Duration::from_millis(900), "a heartbeat took {longest:?}");
}
