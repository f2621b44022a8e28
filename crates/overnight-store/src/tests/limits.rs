//! Concurrency limits: how many jobs of a repository, a group or a label are held at a time.

use super::*;
use crate::{GROUP_LIMIT, Limit, LimitKey};

on_both!(
    jobs_of_one_group_run_one_at_a_time,
    a_limit_is_set_changed_and_taken_away,
    a_job_needs_a_slot_of_each_of_its_limits,
    a_limit_of_none_lets_nothing_run,
    jobs_that_are_held_when_a_limit_is_set_count,
    a_lowered_limit_is_kept_whichever_slots_are_free,
    a_full_lane_keeps_no_other_waiting,
    a_job_that_is_claimed_by_name_needs_a_slot_too,
    no_claim_of_many_at_once_goes_past_a_limit,
);

fn group(name: &str) -> Queueing {
    Queueing { group: Some(label(name)), ..Queueing::default() }
}

fn labelled(words: &[&str]) -> Queueing {
    Queueing { labels: words.iter().map(|word| label(word)).collect(), ..Queueing::default() }
}

async fn add(store: &Store, repository: &str, queueing: Queueing, count: usize) {
    let new = NewJob { queueing, ..new_job(store, repository).await };
    store.jobs_enqueue(&vec![new; count]).await.unwrap();
}

async fn release(store: &Store, claimed: &[Claimed]) {
    for one in claimed {
        // Far behind the others, for a while.
        store.lease_release(&one.lease, Some(MINUTE * 60)).await.unwrap();
    }
}

async fn jobs_of_one_group_run_one_at_a_time(f: &Fixture) {
    add(&f.store, "app", group("story"), 3).await;
    add(&f.store, "app", group("other"), 1).await;
    add(&f.store, "web", group("story"), 1).await;
    let mut taken = keys(&claim_next(&f.store, "w", 9).await);
    taken.sort();
    assert_eq!((taken, GROUP_LIMIT), (vec!["app-1".into(), "app-4".into(), "web-1".into()], 1));
    assert!(claim_next(&f.store, "w2", 9).await.is_empty());
    f.store.limit_set(&LimitKey::group("app", &label("story")), Some(2)).await.unwrap();
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), ["app-2"]);
}

async fn a_limit_is_set_changed_and_taken_away(f: &Fixture) {
    let key = LimitKey::repository("app");
    f.store.limit_set(&key, Some(2)).await.unwrap();
    add(&f.store, "app", Queueing::default(), 9).await;
    let first = claim_next(&f.store, "w", 9).await;
    assert_eq!(first.len(), 2);
    assert_eq!(f.store.limits().await.unwrap(), [Limit { key: key.clone(), slots: 2, held: 2 }]);
    let mut wakes = f.store.subscribe();
    f.store.limit_set(&key, Some(3)).await.unwrap();
    assert!(wakes.has_changed().unwrap(), "nobody is told that more can run");
    wakes.mark_unchanged();
    assert_eq!(claim_next(&f.store, "w", 9).await.len(), 1);
    release(&f.store, &first[..1]).await;
    assert!(wakes.has_changed().unwrap(), "nobody is told of the free slot");
    assert_eq!(claim_next(&f.store, "w", 9).await.len(), 1);
    f.store.limit_set(&key, None).await.unwrap();
    assert!(f.store.limits().await.unwrap().is_empty());
    assert_eq!(claim_next(&f.store, "w", 99).await.len(), 5);
}

async fn a_job_needs_a_slot_of_each_of_its_limits(f: &Fixture) {
    f.store.limit_set(&LimitKey::label(&label("gpu")), Some(1)).await.unwrap();
    f.store.limit_set(&LimitKey::repository("app"), Some(2)).await.unwrap();
    add(&f.store, "app", labelled(&["gpu", "free"]), 2).await;
    add(&f.store, "web", labelled(&["gpu"]), 1).await;
    add(&f.store, "app", Queueing::default(), 2).await;
    let taken = claim_next(&f.store, "w", 9).await;
    let mut names = keys(&taken);
    names.sort();
    assert_eq!(names, ["app-1", "app-3"]);
    // The slot of the repository that was in reach must not be lost to a job that lacks the other one.
    release(&f.store, &taken[..]).await;
    let mut names = keys(&claim_next(&f.store, "w", 9).await);
    names.sort();
    assert_eq!(names, ["app-4", "web-1"]);
    let left = f.store.one("test", sql("SELECT COUNT(*) AS count FROM slots")).await.unwrap();
    assert_eq!(left.number("count").unwrap(), 2);
}

async fn a_limit_of_none_lets_nothing_run(f: &Fixture) {
    f.store.limit_set(&LimitKey::repository("app"), Some(0)).await.unwrap();
    add(&f.store, "app", Queueing::default(), 1).await;
    assert!(claim_next(&f.store, "w", 9).await.is_empty());
    f.store.limit_set(&LimitKey::repository("app"), Some(1)).await.unwrap();
    assert_eq!(claim_next(&f.store, "w", 9).await.len(), 1);
}

async fn jobs_that_are_held_when_a_limit_is_set_count(f: &Fixture) {
    add(&f.store, "app", Queueing::default(), 5).await;
    add(&f.store, "web", Queueing::default(), 1).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.extend(claim_next(&f.store, "w", 1).await);
    }
    held.retain(|one| one.job.repository_name == "app");
    assert_eq!(held.len(), 2);
    let key = LimitKey::repository("app");
    f.store.limit_set(&key, Some(2)).await.unwrap();
    f.store.limit_set(&key, Some(2)).await.unwrap();
    assert_eq!(f.store.limits().await.unwrap()[0].held, 2);
    assert!(claim_next(&f.store, "w", 9).await.is_empty());
    let mut last = held.pop().unwrap();
    end(&f.store, &mut last, EndReason::NoChanges).await;
    assert_eq!(claim_next(&f.store, "w", 9).await.len(), 1);
}

async fn a_lowered_limit_is_kept_whichever_slots_are_free(f: &Fixture) {
    let key = LimitKey::repository("app");
    f.store.limit_set(&key, Some(3)).await.unwrap();
    add(&f.store, "app", Queueing::default(), 9).await;
    let held = claim_next(&f.store, "w", 9).await;
    f.store.limit_set(&key, Some(2)).await.unwrap();
    for (index, more) in [0, 1].into_iter().enumerate() {
        release(&f.store, &held[index..=index]).await;
        assert_eq!(claim_next(&f.store, "w", 9).await.len(), more, "after {} of them", index + 1);
    }
}

async fn a_full_lane_keeps_no_other_waiting(f: &Fixture) {
    for repository in ["a", "b", "c", "d", "e", "f"] {
        f.store.limit_set(&LimitKey::repository(repository), Some(1)).await.unwrap();
        add(&f.store, repository, Queueing::default(), 3).await;
    }
    assert_eq!(claim_next(&f.store, "w", 9).await.len(), 6);
    add(&f.store, "last", Queueing::default(), 1).await;
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), ["last-1"]);
}

async fn a_job_that_is_claimed_by_name_needs_a_slot_too(f: &Fixture) {
    add(&f.store, "app", group("story"), 2).await;
    let mut jobs = f.store.jobs_unfinished().await.unwrap().jobs;
    let (first, second) = (jobs.pop().unwrap(), jobs.pop().unwrap());
    let dead = claim(&f.store, &first.id, "dead").await;
    let refused = f.store.job_claim(&second.id, &claimant("w"), &[]).await.unwrap();
    let Claim::Full { limit } = refused else { panic!("{refused:?}") };
    assert_eq!(limit, LimitKey::group("app", &label("story")));
    // Its own slot, which its dead holder left taken, is not in the way of whoever follows.
    let followed = f.store.job_claim(&first.id, &claimant("w"), &[worker("dead")]).await.unwrap();
    assert!(matches!(followed, Claim::Taken(_)), "{followed:?}");
    assert!(matches!(f.store.lease_release(&dead.lease, None).await, Err(StoreError::LeaseLost { .. })));
    let refused = f.store.job_claim(&second.id, &claimant("w"), &[]).await.unwrap();
    assert!(matches!(refused, Claim::Full { .. }), "a late holder freed the slot of its follower");
}

async fn no_claim_of_many_at_once_goes_past_a_limit(f: &Fixture) {
    f.store.limit_set(&LimitKey::label(&label("gpu")), Some(7)).await.unwrap();
    for repository in ["a", "b", "c"] {
        add(&f.store, repository, labelled(&["gpu"]), 20).await;
    }
    let mut tasks = Vec::new();
    for number in 0..8 {
        let store = f.other().await;
        tasks.push(tokio::spawn(async move {
            let name = format!("w{number}");
            let mut held = claim_next(&store, &name, 3).await;
            for _ in 0..10 {
                if let Some(one) = held.pop() {
                    store.lease_release(&one.lease, None).await.unwrap();
                }
                held.extend(claim_next(&store, &name, 2).await);
            }
            held.len()
        }));
    }
    let text = "SELECT COUNT(*) AS count FROM jobs WHERE phase = 'held'";
    while tasks.iter().any(|task| !task.is_finished()) {
        let held = f.store.one("test", sql(text)).await.unwrap().number("count").unwrap();
        assert!(held <= 7, "{held} at once");
    }
    let mut held = 0;
    for task in tasks {
        held += task.await.unwrap();
    }
    held += claim_next(&f.store, "last", 99).await.len();
    assert_eq!(held, 7, "slots were lost, or given twice");
}
