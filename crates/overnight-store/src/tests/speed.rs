//! How long the operations of a job take, with every commit synced to the disk. Prints figures and judges nothing.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures of this machine"]
async fn latencies() {
    let f = fixture().await;
    let mut spans: [(&str, Vec<Duration>); 6] =
        ["enqueue", "claim", "apply", "renew", "peek", "release"].map(|name| (name, Vec::new()));
    let repository = enqueue(&f.store).await.repository;
    for _ in 0..300 {
        let new = NewJob { repository: repository.clone(), spec: spec("Fix it"), request: None };
        let mut marks = vec![Instant::now()];
        let id = f.store.job_enqueue(&new).await.unwrap().id;
        marks.push(Instant::now());
        let Claimed { lease, job, .. } = claim(&f.store, &id, "w").await;
        marks.push(Instant::now());
        let next = step(&job, &job.state, prepared());
        f.store.apply(&lease, &job.state, next).await.unwrap();
        marks.push(Instant::now());
        f.store.lease_renew(&lease, MINUTE).await.unwrap();
        marks.push(Instant::now());
        f.store.lease_peek(&lease).await.unwrap();
        marks.push(Instant::now());
        f.store.lease_release(&lease).await.unwrap();
        marks.push(Instant::now());
        for ((_, spans), pair) in spans.iter_mut().zip(marks.windows(2)) {
            spans.push(pair[1] - pair[0]);
        }
    }
    for (name, mut spans) in spans {
        spans.sort_unstable();
        println!("{name}: median {:?}, p99 {:?}", spans[spans.len() / 2], spans[spans.len() * 99 / 100]);
    }
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, mut job, .. } = claim(&f.store, &id, "w").await;
    advance(&f.store, &lease, &mut job, prepared()).await;
    let start = Instant::now();
    for _ in 0..200 {
        advance(&f.store, &lease, &mut job, announced()).await;
        advance(&f.store, &lease, &mut job, interrupted()).await;
    }
    println!("400 applies in a row: {:?} each", start.elapsed() / 400);
}
