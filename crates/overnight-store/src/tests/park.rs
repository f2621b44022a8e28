//! Jobs that wait: without a lease, a slot or a process, until they are woken.

use overnight_core::job::JobEvent;

use super::*;
use crate::LimitKey;

on_both!(
    a_parked_job_holds_nothing_and_goes_on_where_it_was,
    a_job_whose_time_has_come_can_be_claimed_again,
    many_jobs_come_due_at_once_and_each_is_claimed_once,
    jobs_are_woken_by_their_reason_and_backend,
    one_job_is_sent_ahead_to_see_whether_the_reason_is_gone,
    waking_twice_at_once_wakes_once,
    only_a_job_that_waits_is_woken,
    a_release_undoes_what_a_claim_wrote,
);

async fn park(store: &Store, job: &JobId, reason: ParkReason, wake: Option<Timestamp>) {
    let Claimed { lease, mut job, .. } = claim(store, job, "w").await;
    advance(store, &lease, &mut job, prepared()).await;
    advance(store, &lease, &mut job, parks(reason, wake)).await;
}

async fn parked(store: &Store, backend: BackendId, reason: ParkReason, wake: Option<Timestamp>) -> Job {
    let mut new = new_job(store, "app").await;
    new.spec.agent = AgentSettings::new(backend);
    let job = store.job_enqueue(&new).await.unwrap();
    park(store, &job.id, reason, wake).await;
    job
}

async fn a_parked_job_holds_nothing_and_goes_on_where_it_was(f: &Fixture) {
    f.store.limit_set(&LimitKey::repository("app"), Some(1)).await.unwrap();
    // A job waits for others only from the start.
    for reason in ParkReason::ALL.into_iter().filter(|reason| *reason != ParkReason::Dependency) {
        let id = enqueue(&f.store).await.id;
        park(&f.store, &id, reason, None).await;
        let job = f.store.job(&id).await.unwrap();
        assert!(
            job.holder.is_none()
                && matches!(&job.state, JobState::Parked { reason: why, .. } if *why == reason)
        );
        assert_eq!(f.store.limits().await.unwrap()[0].held, 0, "{reason:?} keeps its slot");
        assert!(claim_next(&f.store, "w", 9).await.is_empty(), "{reason:?}");
        let stats = f.store.queue_stats().await.unwrap();
        assert_eq!((stats.held, stats.parked), (0, vec![(reason.code().to_owned(), 1)]));

        assert!(f.store.job_wake(&id).await.unwrap());
        let mut again = claim_next(&f.store, "w", 9).await.pop().unwrap();
        assert!(matches!(again.job.state, JobState::Working { .. }), "{:?}", again.job.state);
        let events = f.store.events(&id, EventNumber(0), 99).await.unwrap();
        let woken = JobEvent::Woken { reason };
        assert!(events.iter().any(|record| *record.event.as_ref().unwrap() == woken));
        end(&f.store, &mut again, EndReason::NoChanges).await;
    }
}

async fn a_job_whose_time_has_come_can_be_claimed_again(f: &Fixture) {
    let now = f.store.now().await.unwrap();
    let (soon, later) = (now.plus(Duration::from_millis(400)), now.plus(MINUTE * 60));
    let job = parked(&f.store, BackendId::Rehearsal, ParkReason::RateLimited, Some(soon)).await;
    parked(&f.store, BackendId::Rehearsal, ParkReason::RateLimited, Some(later)).await;
    loop {
        let next = f.store.jobs_due().await.unwrap();
        let before = f.store.now().await.unwrap();
        let taken = claim_next(&f.store, "w", 9).await;
        if next == Some(soon) {
            assert!(taken.is_empty(), "claimed before its time");
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        assert!(before >= soon);
        assert_eq!((keys(&taken), next), (vec![job.key.to_string()], Some(later)));
        assert!(matches!(taken[0].job.state, JobState::Working { .. }));
        return;
    }
}

async fn many_jobs_come_due_at_once_and_each_is_claimed_once(f: &Fixture) {
    let now = f.store.now().await.unwrap();
    let soon = Queueing { not_before: Some(now.plus(Duration::from_secs(1))), ..Queueing::default() };
    let new = NewJob { queueing: soon, ..new_job(&f.store, "app").await };
    f.store.jobs_enqueue(&vec![new; 500]).await.unwrap();
    f.store.run("test", sql("UPDATE jobs SET wake_at = 1 WHERE phase = 'due'")).await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..4 {
        let store = f.other().await;
        tasks.push(tokio::spawn(async move {
            let mut taken = 0;
            loop {
                let next = store.jobs_due().await.unwrap();
                let now = claim_next(&store, &format!("w{number}"), 50).await.len();
                taken += now;
                if next.is_none() && now == 0 {
                    return taken;
                }
            }
        }));
    }
    let mut taken = 0;
    for task in tasks {
        taken += task.await.unwrap();
    }
    assert_eq!((taken, f.store.queue_stats().await.unwrap().held), (500, 500));
}

async fn jobs_are_woken_by_their_reason_and_backend(f: &Fixture) {
    let later = Some(Timestamp(i64::MAX));
    parked(&f.store, BackendId::Claude, ParkReason::AgentLogin, None).await;
    parked(&f.store, BackendId::Rehearsal, ParkReason::AgentLogin, later).await;
    parked(&f.store, BackendId::Claude, ParkReason::Overloaded, later).await;
    assert_eq!(f.store.jobs_wake(ParkReason::ForgeLogin, None, false).await.unwrap(), 0);
    assert_eq!(
        f.store.jobs_wake(ParkReason::AgentLogin, Some(BackendId::Rehearsal), false).await.unwrap(),
        1
    );
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), ["app-2"]);
    assert_eq!(f.store.jobs_wake(ParkReason::AgentLogin, None, false).await.unwrap(), 1);
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), ["app-1"]);
    assert_eq!(f.store.jobs_wake(ParkReason::AgentLogin, None, false).await.unwrap(), 0);
    let stats = f.store.queue_stats().await.unwrap();
    assert_eq!(stats.parked, [("overloaded".to_owned(), 1)]);
}

async fn one_job_is_sent_ahead_to_see_whether_the_reason_is_gone(f: &Fixture) {
    parked(&f.store, BackendId::Rehearsal, ParkReason::AgentLogin, None).await;
    for _ in 0..3 {
        parked(&f.store, BackendId::Claude, ParkReason::AgentLogin, None).await;
    }
    let canary =
        async || f.store.jobs_wake(ParkReason::AgentLogin, Some(BackendId::Claude), true).await.unwrap();
    assert_eq!(canary().await, 1);
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), ["app-2"], "the one that has waited longest");
    assert_eq!((canary().await, canary().await, canary().await), (1, 1, 0));
}

async fn waking_twice_at_once_wakes_once(f: &Fixture) {
    for _ in 0..12 {
        parked(&f.store, BackendId::Rehearsal, ParkReason::Unavailable, None).await;
    }
    let (one, two) = (f.other().await, f.other().await);
    let wake = async |store: &Store| store.jobs_wake(ParkReason::Unavailable, None, false).await.unwrap();
    let (one, two, due) = tokio::join!(wake(&one), wake(&two), f.store.jobs_due());
    due.unwrap();
    assert_eq!(one + two, 12);
    for claimed in claim_next(&f.store, "w", 99).await {
        let events = f.store.events(&claimed.job.id, EventNumber(0), 99).await.unwrap();
        let woken = |record: &&crate::EventRecord| matches!(record.event, Ok(JobEvent::Woken { .. }));
        assert_eq!(events.iter().filter(woken).count(), 1);
    }
}

async fn only_a_job_that_waits_is_woken(f: &Fixture) {
    let job = enqueue(&f.store).await;
    assert!(!f.store.job_wake(&job.id).await.unwrap(), "it is ready");
    let mut claimed = claim(&f.store, &job.id, "w").await;
    assert!(!f.store.job_wake(&job.id).await.unwrap(), "it is held");
    end(&f.store, &mut claimed, EndReason::NoChanges).await;
    assert!(!f.store.job_wake(&job.id).await.unwrap(), "it has ended");
    let unknown = f.store.job_wake(&JobId::parse("nobody").unwrap()).await;
    assert!(matches!(unknown, Err(StoreError::UnknownJob { .. })));
}

/// Every column of the job that is not a mere record of who touched it when.
async fn standing(store: &Store, job: &Job) -> Vec<String> {
    const COLUMNS: [&str; 20] = [
        "state",
        "state_name",
        "stage",
        "wake_at",
        "ended",
        "holder",
        "lease_until",
        "cancel",
        "phase",
        "lane_id",
        "position",
        "priority",
        "queueing",
        "blocked_by",
        "dependents",
        "lost",
        "place",
        "park_reason",
        "end_reason",
        "attempts",
    ];
    let mut values = Vec::new();
    for column in COLUMNS {
        let text = format!("SELECT COALESCE(CAST({column} AS TEXT), '-') AS value FROM jobs WHERE id = $1");
        let found = store.one("test", sql(text).bind(job.id.as_str())).await.unwrap();
        values.push(format!("{column}={}", found.text("value").unwrap()));
    }
    let slots = store.one("test", sql("SELECT COUNT(*) AS count FROM slots")).await.unwrap();
    values.push(format!("slots={}", slots.number("count").unwrap()));
    values
}

async fn a_release_undoes_what_a_claim_wrote(f: &Fixture) {
    f.store.limit_set(&LimitKey::repository("app"), Some(1)).await.unwrap();
    let job = enqueue(&f.store).await;
    // Of a job that was never held the first claim leaves the stage that is due; from then on nothing changes.
    f.store.lease_release(&claim(&f.store, &job.id, "w0").await.lease, None).await.unwrap();
    let fresh = standing(&f.store, &job).await;
    let worked = claim(&f.store, &job.id, "w1").await;
    assert_ne!(standing(&f.store, &job).await, fresh);
    f.store.lease_release(&worked.lease, None).await.unwrap();
    assert_eq!(standing(&f.store, &job).await, fresh);

    let Claimed { lease, job: mut held, .. } = claim(&f.store, &job.id, "w2").await;
    advance(&f.store, &lease, &mut held, prepared()).await;
    f.store.lease_release(&lease, None).await.unwrap();
    let before = standing(&f.store, &job).await;
    f.store.lease_release(&claim(&f.store, &job.id, "w3").await.lease, None).await.unwrap();
    assert_eq!(standing(&f.store, &job).await, before);
}
