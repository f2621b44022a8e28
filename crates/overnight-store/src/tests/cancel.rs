//! Asking for a job's end, wherever it stands.

use overnight_core::job::{AfterRule, CancelledBy};

use super::*;
use crate::{After, CancelRequest, Parent, Renewal};

on_both!(
    a_job_that_has_never_run_ends_at_once,
    a_held_job_is_cancelled_by_its_holder_and_the_first_request_counts,
    a_parked_job_is_taken_up_to_be_cancelled,
    a_job_that_parks_without_having_seen_its_cancel_is_taken_up_at_once,
    a_job_that_is_released_to_rest_and_was_cancelled_does_not_rest,
    what_has_ended_or_never_was_cannot_be_cancelled,
    a_cancel_and_a_claim_at_the_same_time_agree,
);

const BY: CancelledBy = CancelledBy::Command;

async fn cancel(store: &Store, job: &Job) -> CancelRequest {
    store.cancel_request(&job.id, BY).await.unwrap()
}

async fn a_job_that_has_never_run_ends_at_once(f: &Fixture) {
    let queued = enqueue(&f.store).await;
    let late = Queueing { not_before: Some(queued.created_at.plus(MINUTE * 60)), ..Queueing::default() };
    let due =
        f.store.job_enqueue(&NewJob { queueing: late, ..new_job(&f.store, "app").await }).await.unwrap();
    let after = vec![After { on: Parent::Job(due.id.clone()), rule: AfterRule::Done }];
    let blocked = f.store.job_enqueue(&NewJob { after, ..new_job(&f.store, "app").await }).await.unwrap();
    for job in [&queued, &blocked, &due] {
        assert_eq!(cancel(&f.store, job).await, CancelRequest::Ended);
        let job = f.store.job(&job.id).await.unwrap();
        assert_eq!((job.state.is_ended(), job.state.end().unwrap().reason), (true, EndReason::Cancelled));
        assert_gapless(&numbers(&f.store, &job.id).await);
    }
    assert!(claim_next(&f.store, "w", 9).await.is_empty());
    assert_eq!(f.store.jobs_due().await.unwrap(), None);
}

async fn a_held_job_is_cancelled_by_its_holder_and_the_first_request_counts(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w").await;
    let look = |renewal| match renewal {
        Renewal::Held { cancel, .. } => cancel,
        Renewal::Lost => panic!("lost"),
    };
    assert_eq!(look(f.store.lease_peek(&lease).await.unwrap()), None);
    let mut wakes = f.store.subscribe();
    wakes.mark_unchanged();
    for by in [CancelledBy::Interrupt, BY] {
        assert_eq!(f.store.cancel_request(&id, by).await.unwrap(), CancelRequest::Asked);
    }
    assert!(wakes.has_changed().unwrap(), "the holder could hear of it at once");
    assert_eq!(look(f.store.lease_peek(&lease).await.unwrap()), Some(CancelledBy::Interrupt));
    assert_eq!(look(f.store.lease_renew(&lease, MINUTE).await.unwrap()), Some(CancelledBy::Interrupt));
    // It is asked only: the holder goes on until it has seen it.
    advance(&f.store, &lease, &mut job, prepared()).await;
    advance(&f.store, &lease, &mut job, Input::Cancel { by: CancelledBy::Interrupt }).await;
    advance(&f.store, &lease, &mut job, cleaned()).await;
    let ended = f.store.job(&id).await.unwrap();
    assert_eq!((ended.state.end().unwrap().reason, ended.holder), (EndReason::Interrupted, None));
    assert_eq!(f.store.cancel_request(&id, BY).await.unwrap(), CancelRequest::AlreadyEnded);
}

async fn a_parked_job_is_taken_up_to_be_cancelled(f: &Fixture) {
    for wake in [None, Some(Timestamp(i64::MAX))] {
        let id = enqueue(&f.store).await.id;
        let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w").await;
        advance(&f.store, &lease, &mut job, prepared()).await;
        advance(&f.store, &lease, &mut job, parks(ParkReason::Approval, wake)).await;
        assert!(claim_next(&f.store, "w", 9).await.is_empty());
        assert_eq!(cancel(&f.store, &job).await, CancelRequest::Recorded);
        let Claimed { lease, mut job, .. } = claim_next(&f.store, "w2", 9).await.pop().unwrap();
        assert_eq!((&job.id, &job.cancel), (&id, &Some(BY)));
        advance(&f.store, &lease, &mut job, Input::Cancel { by: BY }).await;
        advance(&f.store, &lease, &mut job, cleaned()).await;
        assert_eq!(f.store.job(&id).await.unwrap().state.end().unwrap().reason, EndReason::Cancelled);
    }
}

async fn a_job_that_parks_without_having_seen_its_cancel_is_taken_up_at_once(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w").await;
    advance(&f.store, &lease, &mut job, prepared()).await;
    assert_eq!(cancel(&f.store, &job).await, CancelRequest::Asked);
    let mut wakes = f.store.subscribe();
    wakes.mark_unchanged();
    advance(&f.store, &lease, &mut job, parks(ParkReason::Answer, None)).await;
    assert!(wakes.has_changed().unwrap());
    let taken = claim_next(&f.store, "w2", 9).await.pop().unwrap();
    assert_eq!((taken.job.id, taken.job.cancel), (id, Some(BY)));
}

async fn a_job_that_is_released_to_rest_and_was_cancelled_does_not_rest(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let held = claim(&f.store, &id, "w").await;
    cancel(&f.store, &held.job).await;
    f.store.lease_release(&held.lease, Some(MINUTE)).await.unwrap();
    assert_eq!(claim_next(&f.store, "w2", 9).await.len(), 1);
}

async fn what_has_ended_or_never_was_cannot_be_cancelled(f: &Fixture) {
    let job = enqueue(&f.store).await;
    assert_eq!(cancel(&f.store, &job).await, CancelRequest::Ended);
    let before = numbers(&f.store, &job.id).await;
    assert_eq!(cancel(&f.store, &job).await, CancelRequest::AlreadyEnded);
    assert_eq!(numbers(&f.store, &job.id).await, before);
    let unknown = f.store.cancel_request(&JobId::parse("nobody").unwrap(), BY).await;
    assert!(matches!(unknown, Err(StoreError::UnknownJob { .. })));
}

async fn a_cancel_and_a_claim_at_the_same_time_agree(f: &Fixture) {
    let other = f.other().await;
    for _ in 0..40 {
        let job = enqueue(&f.store).await;
        let (answer, taken) = tokio::join!(cancel(&f.store, &job), claim_next(&other, "w", 1));
        match answer {
            CancelRequest::Ended => assert!(taken.is_empty(), "claimed after its end"),
            CancelRequest::Asked => {
                assert_eq!(
                    other.lease_peek(&taken[0].lease).await.unwrap(),
                    Renewal::Held { until: taken[0].lease.until(), cancel: Some(BY) }
                );
            }
            CancelRequest::Recorded | CancelRequest::AlreadyEnded => panic!("{answer:?}"),
        }
    }
}
