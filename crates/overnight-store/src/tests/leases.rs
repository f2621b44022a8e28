//! Who may act for a job: claims by id, leases and fences.

use std::time::{Duration, Instant};

use overnight_core::job::{CancelledBy, JobEvent};

use super::*;
use crate::apply::{Write, write_steps};
use crate::{CancelRequest, Renewal};

on_both!(
    a_claim_moves_the_job_and_keeps_others_out_until_it_is_released,
    a_dead_workers_lease_is_taken_at_once,
    a_lease_ends_by_the_databases_clock_and_a_late_holder_that_nobody_followed_renews_it,
    a_stale_fence_writes_nothing,
    a_step_from_another_state_than_the_stored_one_is_refused,
    parking_and_ending_give_the_lease_back,
    a_cancel_is_seen_by_the_holders_next_look_and_the_first_one_counts,
);

async fn a_claim_moves_the_job_and_keeps_others_out_until_it_is_released(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let first = claim(&f.store, &id, "w1").await;
    assert_eq!(first.lease.fence(), Fence(1));
    assert_eq!(f.store.job(&id).await.unwrap(), first.job);
    assert!(matches!(first.job.state, JobState::Preparing { .. }));
    let recorded = first.events[0].event.as_ref().unwrap();
    assert_eq!(recorded, &JobEvent::Claimed { worker: worker("w1"), fence: Fence(1), resumed: false });

    let Claim::Held { by, until } = f.store.job_claim(&id, &claimant("w2"), &[]).await.unwrap() else {
        panic!("claimed twice")
    };
    assert_eq!((by, until), (worker("w1"), first.lease.until()));

    f.store.lease_release(&first.lease, None).await.unwrap();
    let second = claim(&f.store, &id, "w2").await;
    assert_eq!((second.lease.fence(), &second.job.state), (Fence(2), &first.job.state));
    let recorded = second.events[0].event.as_ref().unwrap();
    assert_eq!(recorded, &JobEvent::Claimed { worker: worker("w2"), fence: Fence(2), resumed: true });
    assert_gapless(&numbers(&f.store, &id).await);
}

async fn a_dead_workers_lease_is_taken_at_once(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let _dead = claim(&f.store, &id, "dead").await;
    let taken = f.store.job_claim(&id, &claimant("w2"), &[worker("dead")]).await.unwrap();
    assert!(matches!(taken, Claim::Taken(_)), "{taken:?}");
}

async fn a_lease_ends_by_the_databases_clock_and_a_late_holder_that_nobody_followed_renews_it(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let short = Duration::from_millis(80);
    let hasty = Claimant { lease: short, ..claimant("w1") };
    let Claim::Taken(first) = f.store.job_claim(&id, &hasty, &[]).await.unwrap() else { panic!() };
    let deadline = Instant::now() + MINUTE;
    while f.store.now().await.unwrap() <= first.lease.until() {
        let early = f.store.job_claim(&id, &claimant("w2"), &[]).await.unwrap();
        // The claim's own look at the clock may come after the end, ours having come before.
        if let Claim::Taken(taken) = early {
            assert!(f.store.now().await.unwrap() >= first.lease.until());
            assert_eq!(taken.lease.fence(), Fence(2));
            return;
        }
        assert!(Instant::now() < deadline);
    }
    assert!(matches!(f.store.lease_renew(&first.lease, short).await.unwrap(), Renewal::Held { .. }));
    while f.store.now().await.unwrap() <= first.lease.until() {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    assert_eq!(claim(&f.store, &id, "w2").await.lease.fence(), Fence(2));
    assert_eq!(f.store.lease_renew(&first.lease, MINUTE).await.unwrap(), Renewal::Lost);
}

async fn a_stale_fence_writes_nothing(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let stale = claim(&f.store, &id, "w1").await;
    // The same worker id on purpose: the fence alone must tell them apart.
    let taken = f.store.job_claim(&id, &claimant("w1"), &[worker("w1")]).await.unwrap();
    let Claim::Taken(current) = taken else { panic!("{taken:?}") };
    let before = (f.store.job(&id).await.unwrap(), numbers(&f.store, &id).await);

    let next = step(&stale.job, &stale.job.state, prepared());
    let error = f.store.apply(&stale.lease, &stale.job.state, next).await.unwrap_err();
    assert!(matches!(&error, StoreError::LeaseLost { job, fence: Fence(1) } if *job == id), "{error:?}");
    assert_eq!(f.store.lease_renew(&stale.lease, MINUTE).await.unwrap(), Renewal::Lost);
    assert_eq!(f.store.lease_peek(&stale.lease).await.unwrap(), Renewal::Lost);
    assert!(matches!(f.store.lease_release(&stale.lease, None).await, Err(StoreError::LeaseLost { .. })));
    let mut end = step(&stale.job, &stale.job.state, Input::Cancel { by: CancelledBy::Command });
    end = step(&stale.job, &end.next, cleaned());
    assert!(matches!(
        f.store.apply(&stale.lease, &stale.job.state, end).await,
        Err(StoreError::LeaseLost { .. })
    ));

    // The write is fenced by itself, and not only by the look at the state before it.
    let mut tx = f.store.begin("test").await.unwrap();
    let next = step(&stale.job, &stale.job.state, prepared());
    let blind = Write { held: stale.lease.held(), place: label("here"), expected: None, step: next };
    let written = write_steps(&mut tx, &[blind]).await.unwrap();
    assert!(matches!(written.as_slice(), [Err(StoreError::LeaseLost { .. })]), "{written:?}");
    drop(tx);

    assert_eq!((f.store.job(&id).await.unwrap(), numbers(&f.store, &id).await), before);
    assert!(matches!(f.store.lease_peek(&current.lease).await.unwrap(), Renewal::Held { .. }));
}

async fn a_step_from_another_state_than_the_stored_one_is_refused(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w").await;
    let (old, again) = (job.state.clone(), step(&job, &job.state, prepared()));
    advance(&f.store, &lease, &mut job, prepared()).await;
    let error = f.store.apply(&lease, &old, again).await.unwrap_err();
    assert!(
        matches!(error, StoreError::StateMoved { expected: "preparing", found: "working", .. }),
        "{error:?}"
    );
    assert_eq!(f.store.job(&id).await.unwrap().state, job.state);
}

async fn parking_and_ending_give_the_lease_back(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w").await;
    let wake = Some(job.created_at.plus(MINUTE * 60));
    advance(&f.store, &lease, &mut job, parks(ParkReason::Unavailable, wake)).await;
    assert_eq!(f.store.job(&id).await.unwrap().holder, None);
    let late = step(&job, &job.state, Input::Cancel { by: CancelledBy::Command });
    assert!(matches!(f.store.apply(&lease, &job.state, late).await, Err(StoreError::LeaseLost { .. })));

    // Its wake time is an hour away; claimed by hand it goes on where it was.
    let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w2").await;
    assert!(matches!(job.state, JobState::Preparing { .. }));
    advance(&f.store, &lease, &mut job, Input::Cancel { by: CancelledBy::Command }).await;
    advance(&f.store, &lease, &mut job, cleaned()).await;
    let ended = f.store.job(&id).await.unwrap();
    assert_eq!((ended.state.end().unwrap().reason, ended.holder), (EndReason::Cancelled, None));
    let again = f.store.job_claim(&id, &claimant("w3"), &[worker("w2")]).await.unwrap();
    assert!(matches!(again, Claim::Ended), "{again:?}");
    assert_eq!(f.store.cancel_request(&id, CancelledBy::Command).await.unwrap(), CancelRequest::AlreadyEnded);
    assert_gapless(&numbers(&f.store, &id).await);
}

async fn a_cancel_is_seen_by_the_holders_next_look_and_the_first_one_counts(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let held = claim(&f.store, &id, "w").await;
    let look = |renewal| match renewal {
        Renewal::Held { cancel, .. } => cancel,
        Renewal::Lost => panic!("lost"),
    };
    assert_eq!(look(f.store.lease_peek(&held.lease).await.unwrap()), None);
    for by in [CancelledBy::Interrupt, CancelledBy::Command] {
        assert_eq!(f.store.cancel_request(&id, by).await.unwrap(), CancelRequest::Asked);
    }
    assert_eq!(look(f.store.lease_peek(&held.lease).await.unwrap()), Some(CancelledBy::Interrupt));
    assert_eq!(look(f.store.lease_renew(&held.lease, MINUTE).await.unwrap()), Some(CancelledBy::Interrupt));
    let nobody = JobId::parse("nobody").unwrap();
    let unknown = f.store.cancel_request(&nobody, CancelledBy::Command).await;
    assert!(matches!(unknown, Err(StoreError::UnknownJob { .. })));
}
