//! Hearing of work: within a process, from other processes, and when nothing is heard.

use tokio::sync::watch;

use super::*;

on_both!(
    commits_that_give_work_wake_those_who_wait_in_this_process,
    commits_of_others_are_heard,
    work_that_nobody_was_told_of_is_found_by_looking,
);

async fn heard(wakes: &mut watch::Receiver<u64>) {
    tokio::time::timeout(MINUTE, wakes.changed()).await.expect("nothing was heard").unwrap();
}

async fn commits_that_give_work_wake_those_who_wait_in_this_process(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    let mut wakes = f.store.subscribe();
    let store = f.store.clone();
    let waiting = tokio::spawn(async move {
        heard(&mut wakes).await;
        claim_next(&store, "w", 9).await.len()
    });
    f.store.job_enqueue(&new).await.unwrap();
    // Whoever is woken can see what it was woken for.
    assert_eq!(waiting.await.unwrap(), 1);
    let mut wakes = f.store.subscribe();
    wakes.mark_unchanged();
    let id = f.store.job_enqueue(&new).await.unwrap().id;
    assert!(wakes.has_changed().unwrap());
    wakes.mark_unchanged();
    let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w").await;
    advance(&f.store, &lease, &mut job, prepared()).await;
    f.store.lease_renew(&lease, MINUTE).await.unwrap();
    f.store.worker_beat(&worker("w"), MINUTE, "{}").await.unwrap();
    assert!(!wakes.has_changed().unwrap(), "what gives nobody work woke somebody");
    f.store.lease_release(&lease, None).await.unwrap();
    assert!(wakes.has_changed().unwrap());
}

async fn commits_of_others_are_heard(f: &Fixture) {
    let other = f.other().await;
    let _listening = f.store.listen();
    let mut wakes = f.store.subscribe();
    let new = new_job(&other, "app").await;
    for _ in 0..5 {
        // A wake of the listening's own beginning, or of the one before, may come first: work is what counts.
        other.job_enqueue(&new).await.unwrap();
        while claim_next(&f.store, "w", 9).await.is_empty() {
            heard(&mut wakes).await;
        }
    }
}

async fn work_that_nobody_was_told_of_is_found_by_looking(f: &Fixture) {
    let wakes = f.store.subscribe();
    let other = f.other().await;
    let job = enqueue(&other).await;
    // Nobody listens here, as when a connection was lost.
    assert!(!wakes.has_changed().unwrap());
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), [job.key.to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_again_and_what_was_missed_is_made_up_for() {
    let Some(f) =
        Fixture::postgres("a_lost_connection_is_made_again_and_what_was_missed_is_made_up_for").await
    else {
        return;
    };
    let other = f.other().await;
    let _listening = f.store.listen();
    let mut wakes = f.store.subscribe();
    heard(&mut wakes).await;
    let listener = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'";
    for round in 1..=3 {
        let cut = format!("SELECT CASE WHEN pg_terminate_backend(pid) THEN pid END AS pid {listener}");
        let cut = other.all("test", sql(cut)).await.unwrap();
        assert_eq!(cut.len(), 1, "nobody listened in round {round}");
        // Heard of now, or once it listens again.
        let job = enqueue(&other).await;
        loop {
            heard(&mut wakes).await;
            if claim_next(&f.store, "w", 9).await.iter().any(|one| one.job.id == job.id) {
                break;
            }
        }
        // It does listen again.
        let found = format!("SELECT COUNT(*) AS count {listener}");
        while other.one("test", sql(found.clone())).await.unwrap().number("count").unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
