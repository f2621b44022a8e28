//! Whose turn it is: order, priorities, fairness, what a worker must offer, and rows that cannot be read.

use overnight_core::job::{CancelledBy, PRIORITY_STEP};

use super::*;
use crate::claim::take::Candidate;

on_both!(
    a_lane_is_served_in_the_order_of_arrival,
    an_idle_worker_takes_whatever_there_is_however_little_or_much,
    a_higher_priority_goes_first_and_waiting_makes_up_for_it,
    a_job_is_not_claimed_before_its_time,
    repositories_take_turns,
    a_worker_gets_only_what_it_has_the_backend_and_the_labels_for,
    one_claim_takes_from_as_many_lanes_as_it_has_slots_for,
    more_lanes_than_a_claim_has_tries_hide_no_job,
    claims_at_the_same_time_leave_no_slot_free_while_jobs_wait,
    a_job_that_cannot_be_read_is_set_aside_and_keeps_nobody_waiting,
    a_lane_that_cannot_be_read_keeps_nobody_waiting,
    a_job_that_changed_since_it_was_read_is_not_taken,
    a_stopped_claim_leaves_nothing_behind,
);

async fn with(store: &Store, repository: &str, queueing: Queueing) -> Job {
    let new = NewJob { queueing, ..new_job(store, repository).await };
    store.job_enqueue(&new).await.unwrap()
}

fn priority(number: i64) -> Queueing {
    Queueing { priority: Priority::new(number).unwrap(), ..Queueing::default() }
}

async fn a_lane_is_served_in_the_order_of_arrival(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 200]).await.unwrap();
    let mut taken = Vec::new();
    for slots in [1, 2, 70, 3, 200] {
        taken.extend(keys(&claim_next(&f.store, "w", slots).await));
    }
    let wanted: Vec<String> = (1..=200).map(|number| format!("app-{number}")).collect();
    assert_eq!(taken, wanted);
}

/// Below, at and above the number of jobs that are read on the chance that these are all, of one lane and of several.
async fn an_idle_worker_takes_whatever_there_is_however_little_or_much(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    let mut next = 1;
    for count in [1, 3, 8, 9, 20, 2] {
        f.store.jobs_enqueue(&vec![new.clone(); count]).await.unwrap();
        let wanted: Vec<String> = (next..next + count).map(|number| format!("app-{number}")).collect();
        assert_eq!(keys(&claim_next(&f.store, "w", 30).await), wanted);
        assert!(claim_next(&f.store, "w", 30).await.is_empty());
        next += count;
    }
    let gpu = Queueing { requires: vec![Label::parse("gpu").unwrap()], ..Queueing::default() };
    with(&f.store, "app", gpu).await;
    assert!(claim_next(&f.store, "w", 30).await.is_empty(), "it was not for this worker");
    for name in ["web", "app"] {
        enqueue_in(&f.store, name, "x").await;
    }
    assert_eq!(claim_next(&f.store, "w", 30).await.len(), 2);
    f.store.limit_set(&crate::LimitKey::parse("repository:api").unwrap(), Some(1)).await.unwrap();
    f.store.jobs_enqueue(&vec![new_job(&f.store, "api").await; 2]).await.unwrap();
    assert_eq!(keys(&claim_next(&f.store, "w", 30).await), ["api-1"]);
}

async fn a_higher_priority_goes_first_and_waiting_makes_up_for_it(f: &Fixture) {
    with(&f.store, "app", priority(0)).await;
    with(&f.store, "app", priority(-1)).await;
    with(&f.store, "app", priority(100)).await;
    with(&f.store, "app", priority(1)).await;
    let one_by_one = async || {
        let mut order = Vec::new();
        while let Some(claimed) = claim_next(&f.store, "w", 1).await.pop() {
            f.store.lease_release(&claimed.lease, Some(MINUTE)).await.unwrap();
            order.push(claimed.job.key.to_string());
        }
        order
    };
    assert_eq!(one_by_one().await, ["app-3", "app-4", "app-1", "app-2"]);

    // The lowest job is passed for two hundred steps of waiting, and then goes before the highest.
    let (low, high) =
        (with(&f.store, "web", priority(-100)).await, with(&f.store, "web", priority(100)).await);
    let age = i64::try_from(PRIORITY_STEP.as_millis()).unwrap() * 200;
    let aged = high.created_at.0 - low.created_at.0;
    let older = async |by: i64| {
        let text = "UPDATE jobs SET position = position - $1 WHERE id = $2";
        f.store.run("test", sql(text).bind(by).bind(low.id.as_str())).await.unwrap();
    };
    older(age - aged - 1).await;
    let first = claim_next(&f.store, "w", 1).await;
    assert_eq!(keys(&first), ["web-2"]);
    f.store.lease_release(&first[0].lease, None).await.unwrap();
    older(2).await;
    assert_eq!(keys(&claim_next(&f.store, "w", 1).await), ["web-1"]);
}

async fn a_job_is_not_claimed_before_its_time(f: &Fixture) {
    let now = f.store.now().await.unwrap();
    let at = |after: u64| Queueing {
        not_before: Some(now.plus(Duration::from_millis(after))),
        ..Queueing::default()
    };
    let (soon, later) = (with(&f.store, "app", at(2_000)).await, with(&f.store, "app", at(3_600_000)).await);
    with(&f.store, "app", Queueing { not_before: Some(Timestamp(1)), ..Queueing::default() }).await;
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), ["app-3"], "a time that has passed is none");
    assert_eq!(f.store.jobs_due().await.unwrap(), soon.queueing.not_before);
    loop {
        let next = f.store.jobs_due().await.unwrap();
        let taken = keys(&claim_next(&f.store, "w", 9).await);
        let now = f.store.now().await.unwrap();
        if !taken.is_empty() {
            assert_eq!((taken, next), (vec!["app-1".to_owned()], later.queueing.not_before));
            assert!(Some(now) >= soon.queueing.not_before);
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn repositories_take_turns(f: &Fixture) {
    for (repository, count) in [("busy", 20), ("calm", 3), ("late", 2)] {
        let new = new_job(&f.store, repository).await;
        f.store.jobs_enqueue(&vec![new; count]).await.unwrap();
    }
    let mut taken = Vec::new();
    for _ in 0..8 {
        taken.extend(keys(&claim_next(&f.store, "w", 1).await));
        // Turns are told by the time of the last claim: the next one has to be later.
        let claimed = f.store.now().await.unwrap();
        while f.store.now().await.unwrap() <= claimed {}
    }
    assert_eq!(taken, ["busy-1", "calm-1", "late-1", "busy-2", "calm-2", "late-2", "busy-3", "calm-3"]);
    assert_eq!(claim_next(&f.store, "w", 99).await.len(), 17, "a lonely repository gets every slot");
}

async fn a_worker_gets_only_what_it_has_the_backend_and_the_labels_for(f: &Fixture) {
    let needs = |words: &[&str]| Queueing {
        requires: words.iter().map(|w| label(w)).collect(),
        ..Queueing::default()
    };
    with(&f.store, "app", needs(&["gpu"])).await;
    with(&f.store, "app", needs(&["gpu", "big"])).await;
    with(&f.store, "app", needs(&[])).await;
    let mut other = NewJob { queueing: needs(&[]), ..new_job(&f.store, "app").await };
    other.spec.agent = AgentSettings::new(BackendId::Claude);
    f.store.job_enqueue(&other).await.unwrap();
    let offer = async |backends: &[BackendId], labels: &[&str]| {
        let offer = Offer::of(backends.to_vec(), labels.iter().map(|word| label(word)).collect());
        let claims = f.store.jobs_claim(&ClaimOrder { offer, ..order("w", 9) }).await.unwrap();
        for one in &claims.taken {
            f.store.lease_release(&one.lease, None).await.unwrap();
        }
        let mut keys = keys(&claims.taken);
        keys.sort();
        keys
    };
    assert!(offer(&[], &["gpu", "big"]).await.is_empty());
    assert_eq!(offer(&[BackendId::Rehearsal], &[]).await, ["app-3"]);
    assert_eq!(offer(&[BackendId::Claude], &["gpu"]).await, ["app-4"]);
    assert_eq!(offer(&[BackendId::Rehearsal], &["gpu", "more"]).await, ["app-1", "app-3"]);
    assert_eq!(offer(&BackendId::ALL, &["gpu", "big"]).await, ["app-1", "app-2", "app-3", "app-4"]);
}

async fn one_claim_takes_from_as_many_lanes_as_it_has_slots_for(f: &Fixture) {
    for number in 0..12 {
        let labels = vec![label(&format!("kind-{number}"))];
        with(&f.store, "app", Queueing { labels, ..Queueing::default() }).await;
    }
    assert_eq!(claim_next(&f.store, "w", 5).await.len(), 5);
    assert_eq!(claim_next(&f.store, "w", 99).await.len(), 7);
}

async fn more_lanes_than_a_claim_has_tries_hide_no_job(f: &Fixture) {
    // All of them come before the one that can be taken.
    for number in 0..20 {
        let elsewhere = Queueing { place: Some(label("elsewhere")), ..Queueing::default() };
        with(&f.store, &format!("r{number}"), elsewhere).await;
    }
    enqueue(&f.store).await;
    assert_eq!(keys(&claim_next(&f.store, "w", 1).await), ["app-1"]);
    assert!(claim_next(&f.store, "w", 1).await.is_empty());
}

async fn claims_at_the_same_time_leave_no_slot_free_while_jobs_wait(f: &Fixture) {
    for number in 0..10 {
        enqueue_in(&f.store, &format!("r{number}"), "x").await;
    }
    // Everybody sees the same first lane, and all but one find it barren.
    let mut tasks = Vec::new();
    for number in 0..10 {
        let store = f.other().await;
        tasks.push(tokio::spawn(async move { claim_next(&store, &format!("w{number}"), 1).await.len() }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), 1);
    }
}

async fn a_job_that_cannot_be_read_is_set_aside_and_keeps_nobody_waiting(f: &Fixture) {
    let (bad, good) = (enqueue(&f.store).await, enqueue(&f.store).await);
    let damage = "UPDATE jobs SET state = '{\"state\":\"dreaming\"}' WHERE id = $1";
    f.store.run("test", sql(damage).bind(bad.id.as_str())).await.unwrap();
    let claims = f.store.jobs_claim(&order("w", 1)).await.unwrap();
    assert_eq!((keys(&claims.taken), claims.unreadable.len()), (vec![good.key.to_string()], 1));
    assert_eq!(claims.unreadable[0].job, bad.id.as_str());
    let again = f.store.jobs_claim(&order("w", 1)).await.unwrap();
    assert!(again.taken.is_empty() && again.unreadable.is_empty(), "{again:?}");

    // A worker that is started later may be one that can read it.
    let repair = "UPDATE jobs SET state = '{\"state\":\"queued\"}' WHERE id = $1";
    f.store.run("test", sql(repair).bind(bad.id.as_str())).await.unwrap();
    f.store.worker_register(&worker_row("new")).await.unwrap();
    assert_eq!(keys(&claim_next(&f.store, "new", 1).await), [bad.key.to_string()]);
}

async fn a_lane_that_cannot_be_read_keeps_nobody_waiting(f: &Fixture) {
    with(&f.store, "app", Queueing { labels: vec![label("odd")], ..Queueing::default() }).await;
    f.store.run("test", sql("UPDATE lanes SET needs = '{}'")).await.unwrap();
    enqueue_in(&f.store, "web", "x").await;
    let other = f.other().await;
    assert_eq!(keys(&claim_next(&other, "w", 9).await), ["web-1"]);
}

/// What happens between the look and the change of a claim that does not lock.
async fn a_job_that_changed_since_it_was_read_is_not_taken(f: &Fixture) {
    let store = &f.store;
    let read = async |job: &Job| Candidate {
        job: store.job(&job.id).await.unwrap(),
        now: store.now().await.unwrap(),
        place: String::new(),
        slots: Vec::new(),
    };
    let take =
        async |candidate: Candidate| store.take_at_once(vec![candidate], &claimant("slow")).await.unwrap();
    let (taken, cancelled, parked, same) =
        (enqueue(store).await, enqueue(store).await, enqueue(store).await, enqueue(store).await);
    let (of_taken, of_cancelled, of_parked) =
        (read(&taken).await, read(&cancelled).await, read(&parked).await);
    claim(store, &taken.id, "fast").await;
    store.cancel_request(&cancelled.id, CancelledBy::Command).await.unwrap();
    let (mut brief, wake) = (claim(store, &parked.id, "fast").await, Timestamp(1));
    advance(store, &brief.lease, &mut brief.job, parks(ParkReason::RateLimited, Some(wake))).await;
    for candidate in [of_taken, of_cancelled, of_parked] {
        assert!(take(candidate).await.is_empty());
    }
    let took = take(read(&same).await).await.pop().unwrap();
    assert_eq!(took.job.holder, store.job(&same.id).await.unwrap().holder);
    assert_eq!(took.events.first().unwrap().number.0, 2);
    for job in [&taken, &cancelled, &parked, &same] {
        assert_gapless(&numbers(store, &job.id).await);
    }
}

async fn a_stopped_claim_leaves_nothing_behind(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 40]).await.unwrap();
    for after in 0..40_u64 {
        let store = f.store.clone();
        let claiming = tokio::spawn(async move { store.jobs_claim(&order("w", 1)).await.map(drop) });
        tokio::time::sleep(Duration::from_micros(after * 100)).await;
        claiming.abort();
        let _ = claiming.await;
    }
    // One that was stopped may still be on its way; this comes after it.
    f.store.run("test", sql("UPDATE jobs SET lost = lost")).await.unwrap();
    // Each either happened as a whole or did not.
    for job in f.store.jobs_unfinished().await.unwrap().jobs {
        let events = numbers(&f.store, &job.id).await;
        assert_gapless(&events);
        assert_eq!((job.holder.is_some(), job.fence.0), (events.len() > 1, i64::from(events.len() > 1)));
    }
    let held = f.store.queue_stats().await.unwrap().held;
    assert_eq!(claim_next(&f.store, "w", 99).await.len() as u64, 40 - held);
}
