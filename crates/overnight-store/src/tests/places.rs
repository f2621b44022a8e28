//! Jobs whose work lies on somebody's disk go on there.

use overnight_core::job::JobEvent;

use super::*;

on_both!(
    a_job_bound_to_a_place_is_claimed_only_there,
    a_job_that_was_worked_on_goes_on_where_its_work_is,
    a_job_that_nothing_was_done_for_is_bound_to_nobody,
    a_job_whose_place_is_gone_goes_on_elsewhere_from_the_start,
);

fn at(place: &str, name: &str) -> ClaimOrder {
    let claimant = Claimant { place: label(place), ..claimant(name) };
    ClaimOrder { claimant, ..order(name, 9) }
}

async fn taken_at(store: &Store, place: &str) -> Vec<Claimed> {
    store.jobs_claim(&at(place, "w")).await.unwrap().taken
}

async fn a_job_bound_to_a_place_is_claimed_only_there(f: &Fixture) {
    let bound = Queueing { place: Some(label("attic")), ..Queueing::default() };
    f.store.job_enqueue(&NewJob { queueing: bound, ..new_job(&f.store, "app").await }).await.unwrap();
    enqueue(&f.store).await;
    assert_eq!(keys(&taken_at(&f.store, "cellar").await), ["app-2"]);
    // Nobody was seen in its place for ever, and it stays bound all the same.
    assert_eq!(f.store.jobs_move(Timestamp(i64::MAX)).await.unwrap(), 0);
    assert!(taken_at(&f.store, "cellar").await.is_empty());
    let taken = taken_at(&f.store, "attic").await;
    assert_eq!(keys(&taken), ["app-1"]);
    f.store.lease_release(&taken[0].lease, None).await.unwrap();
    assert!(taken_at(&f.store, "cellar").await.is_empty(), "a release unbound it");
    let by_name = async |place: &str| {
        let claimant = Claimant { place: label(place), ..claimant("w") };
        f.store.job_claim(&taken[0].job.id, &claimant, &[]).await.unwrap()
    };
    assert!(matches!(by_name("cellar").await, Claim::Elsewhere { place } if place == label("attic")));
    assert!(matches!(by_name("attic").await, Claim::Taken(_)));
}

async fn a_job_that_was_worked_on_goes_on_where_its_work_is(f: &Fixture) {
    enqueue(&f.store).await;
    let Claimed { lease, mut job, .. } = taken_at(&f.store, "attic").await.pop().unwrap();
    advance(&f.store, &lease, &mut job, prepared()).await;
    advance(&f.store, &lease, &mut job, parks(ParkReason::Approval, None)).await;
    assert!(f.store.job_wake(&job.id).await.unwrap());
    assert!(taken_at(&f.store, "cellar").await.is_empty());
    let again = taken_at(&f.store, "attic").await.pop().unwrap();
    assert!(matches!(again.job.state, JobState::Working { .. }), "{:?}", again.job.state);
}

async fn a_job_that_nothing_was_done_for_is_bound_to_nobody(f: &Fixture) {
    enqueue(&f.store).await;
    let taken = taken_at(&f.store, "attic").await;
    f.store.lease_release(&taken[0].lease, None).await.unwrap();
    let Claimed { lease, mut job, .. } = taken_at(&f.store, "cellar").await.pop().unwrap();
    advance(&f.store, &lease, &mut job, parks(ParkReason::Unavailable, None)).await;
    assert!(f.store.job_wake(&job.id).await.unwrap());
    let third = taken_at(&f.store, "attic").await;
    let moved = third[0].events.iter().any(|record| matches!(record.event, Ok(JobEvent::Moved)));
    assert!(!moved, "{third:?}");
}

async fn a_job_whose_place_is_gone_goes_on_elsewhere_from_the_start(f: &Fixture) {
    let attic = WorkerRow { place: label("attic"), ..worker_row("w-attic") };
    f.store.worker_register(&attic).await.unwrap();
    enqueue(&f.store).await;
    let Claimed { lease, mut job, .. } = taken_at(&f.store, "attic").await.pop().unwrap();
    advance(&f.store, &lease, &mut job, prepared()).await;
    f.store.lease_release(&lease, None).await.unwrap();
    let released = f.store.job(&job.id).await.unwrap().updated_at;
    // Its place was seen since, or the job itself was touched since.
    for before in [f.store.workers().await.unwrap()[0].last_seen, released] {
        assert_eq!(f.store.jobs_move(before).await.unwrap(), 0);
    }
    f.store.worker_forget(&attic.id).await.unwrap();
    assert_eq!(f.store.jobs_move(released).await.unwrap(), 0);
    assert!(taken_at(&f.store, "cellar").await.is_empty());

    assert_eq!(f.store.jobs_move(Timestamp(released.0 + 1)).await.unwrap(), 1);
    assert_eq!(f.store.jobs_move(Timestamp(released.0 + 1)).await.unwrap(), 0, "it is moved once");
    let taken = taken_at(&f.store, "cellar").await.pop().unwrap();
    assert!(matches!(taken.job.state, JobState::Preparing { .. }), "{:?}", taken.job.state);
    let moved = taken.events.iter().filter(|record| matches!(record.event, Ok(JobEvent::Moved))).count();
    assert_eq!(moved, 1);
    f.store.lease_release(&taken.lease, None).await.unwrap();
    let again = taken_at(&f.store, "attic").await.pop().unwrap();
    assert!(again.events.iter().all(|record| !matches!(record.event, Ok(JobEvent::Moved))), "moved twice");
}
