//! What another process does for the test that started it.

use std::io::{BufRead, Write};

use super::*;
use crate::apply::{Write as Written, write_steps};

pub(super) async fn play(role: &str, database: &Database, name: &str) {
    match role {
        "enqueue" => enqueue_many(database).await,
        "open" => open_once(database).await,
        "claim" => claim_all(database, name).await,
        "next" => claim_thousand_times(database, name).await,
        "drain" => drain(database, name).await,
        "write" => write_slowly(database, name).await,
        "walk" => walk_for_ever(database, name).await,
        other => panic!("{other}"),
    }
}

fn tell(fact: &str) {
    println!("@{fact}");
    std::io::stdout().flush().unwrap();
}

fn wait_for_go() {
    tell("ready");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

async fn enqueue_many(database: &Database) {
    wait_for_go();
    let store = Store::connect(database).await.unwrap();
    for _ in 0..20 {
        tell(enqueue(&store).await.key.as_str());
    }
}

async fn open_once(database: &Database) {
    wait_for_go();
    Store::connect(database).await.unwrap();
    tell("open");
}

/// Every job by its id, four tasks at a time.
async fn claim_all(database: &Database, name: &str) {
    let store = Store::connect(database).await.unwrap();
    let jobs = store.jobs_unfinished().await.unwrap().jobs;
    wait_for_go();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (store, claimant) = (store.clone(), claimant(name));
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
        tasks.push(tokio::spawn(async move {
            for id in ids {
                if let Claim::Taken(claimed) = store.job_claim(&id, &claimant, &[]).await.unwrap() {
                    tell(&format!("{} {}", claimed.job.id, claimed.lease.fence().0));
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// A thousand claims of the next job, all at once.
async fn claim_thousand_times(database: &Database, name: &str) {
    let store = Store::connect(database).await.unwrap();
    wait_for_go();
    let claims: Vec<_> = (0..1000)
        .map(|_| {
            let (store, name) = (store.clone(), name.to_owned());
            tokio::spawn(async move { claim_next(&store, &name, 1).await })
        })
        .collect();
    for claim in claims {
        for claimed in claim.await.unwrap() {
            tell(&format!("{} {}", claimed.job.id, claimed.lease.fence().0));
        }
    }
}

/// Takes jobs a few at a time, holds each for a moment and ends it, until no job is ready or held.
async fn drain(database: &Database, name: &str) {
    let store = Store::connect(database).await.unwrap();
    wait_for_go();
    loop {
        let claims = store.jobs_claim(&order(name, 4)).await.unwrap().taken;
        let mut ends = Vec::new();
        for mut claimed in claims {
            let store = store.clone();
            ends.push(tokio::spawn(async move {
                tell(&format!("{} {}", claimed.job.id, claimed.lease.fence().0));
                end(&store, &mut claimed, EndReason::NoChanges).await;
            }));
        }
        if ends.is_empty() {
            let stats = store.queue_stats().await.unwrap();
            if stats.ready + stats.held + stats.leases_expired == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
        for end in ends {
            end.await.unwrap();
        }
    }
}

/// Takes one job and writes a hundred steps of it, with transactions that stay open for different times.
async fn write_slowly(database: &Database, name: &str) {
    let store = Store::connect(database).await.unwrap();
    let Claimed { lease, mut job, .. } = claim_next(&store, name, 1).await.pop().unwrap();
    advance(&store, &lease, &mut job, prepared()).await;
    // A file has one writer: whoever keeps its transaction open keeps all others waiting.
    let longest = if matches!(database, Database::Sqlite(_)) { 1 } else { 20 };
    wait_for_go();
    for number in 0..100_u64 {
        let input = if number % 2 == 0 { announced() } else { interrupted() };
        let step = step(&job, &job.state, input);
        let next = step.next.clone();
        let mut tx = store.begin("test").await.unwrap();
        let write = Written { held: lease.held(), place: label("here"), expected: None, step };
        write_steps(&mut tx, &[write]).await.unwrap().pop().unwrap().unwrap();
        let open = u64::from(uuid::Uuid::now_v7().as_bytes()[15]) % longest;
        tokio::time::sleep(Duration::from_millis(open)).await;
        tx.commit().await.unwrap();
        job.state = next;
    }
}

async fn walk_for_ever(database: &Database, name: &str) {
    let store = Store::connect(database).await.unwrap();
    let id = store.job_find("app-1").await.unwrap().id;
    let dead: Vec<_> = store.workers().await.unwrap().into_iter().map(|seen| seen.worker.id).collect();
    store.worker_register(&worker_row(name)).await.unwrap();
    let Claim::Taken(claimed) = store.job_claim(&id, &claimant(name), &dead).await.unwrap() else { panic!() };
    let Claimed { lease, mut job, .. } = *claimed;
    loop {
        let input = match &job.state {
            JobState::Preparing { .. } => prepared(),
            JobState::Working { turn: None, .. } => announced(),
            JobState::Working { turn: Some(_), .. } => interrupted(),
            other => panic!("{other:?}"),
        };
        let applied = advance(&store, &lease, &mut job, input).await;
        tell(&applied.events.last().unwrap().0.0.to_string());
    }
}
