//! The experiments that other queues fail, on our own code: limits, feeds and fan-ins with eight processes.

use std::collections::BTreeMap;

use overnight_core::job::{AfterRule, JobEvent};

use super::*;
use crate::{After, FeedPosition, JobFilter, LimitKey, Parent};

on_both!(
    no_limit_is_ever_exceeded_by_eight_processes,
    no_child_of_two_parents_that_end_together_is_left_behind,
    a_feed_read_while_eight_processes_write_misses_nothing,
);

/// Most jobs that were held at the same time, from what was recorded of them.
async fn most_at_once(store: &Store, jobs: &[Job]) -> i64 {
    let mut moments = Vec::new();
    for job in jobs {
        for record in store.events(&job.id, EventNumber(0), 99).await.unwrap() {
            match record.event.unwrap() {
                JobEvent::Claimed { .. } => moments.push((record.at, 1)),
                JobEvent::Ended { .. } => moments.push((record.at, -1)),
                _ => {}
            }
        }
    }
    // An end before a claim of the same millisecond: a slot is taken only after it was free.
    moments.sort_unstable();
    let mut held = 0;
    moments
        .into_iter()
        .map(|(_, change)| {
            held += change;
            held
        })
        .max()
        .unwrap_or(0)
}

async fn no_limit_is_ever_exceeded_by_eight_processes(f: &Fixture) {
    const EACH: usize = 60;
    let mut batch = Vec::new();
    for (repository, limit) in [("one", 1), ("three", 3)] {
        f.store.limit_set(&LimitKey::repository(repository), Some(limit)).await.unwrap();
        batch.extend(vec![new_job(&f.store, repository).await; EACH]);
    }
    f.store.jobs_enqueue(&batch).await.unwrap();
    let mut others = Other::crew("drain", f.store.database(), &EIGHT);
    others.iter_mut().for_each(Other::go);
    let text = "SELECT r.name, COUNT(*) AS held FROM jobs j JOIN repositories r ON r.id = j.repository_id \
                WHERE j.phase = 'held' GROUP BY r.name";
    let mut samples = 0;
    while others.iter_mut().any(|other| other.child.try_wait().unwrap().is_none()) {
        for found in f.store.all("test", sql(text)).await.unwrap() {
            let (name, held) = (found.text("name").unwrap(), found.number("held").unwrap());
            assert!(held <= if name == "one" { 1 } else { 3 }, "{name}: {held}");
            samples += 1;
        }
    }
    assert!(samples > 0, "nothing was ever seen held");
    for other in &mut others {
        other.facts();
    }
    for (repository, limit) in [("one", 1), ("three", 3)] {
        let filter = JobFilter {
            repository: Some(new_job(&f.store, repository).await.repository),
            ..JobFilter::default()
        };
        let jobs = f.store.jobs(&filter).await.unwrap().jobs;
        assert!(jobs.len() == EACH && jobs.iter().all(|job| job.state.is_ended()));
        let most = most_at_once(&f.store, &jobs).await;
        assert!((1..=limit).contains(&most), "{repository}: {most} at once");
    }
    let left = f.store.one("test", sql("SELECT COUNT(*) AS count FROM slots")).await.unwrap();
    assert_eq!(left.number("count").unwrap(), 0, "slots of ended jobs are still taken");
}

async fn no_child_of_two_parents_that_end_together_is_left_behind(f: &Fixture) {
    const FAMILIES: usize = 60;
    let plain = new_job(&f.store, "app").await;
    let mut batch = Vec::new();
    for family in 0..FAMILIES {
        batch.extend([plain.clone(), plain.clone()]);
        let after = |place| After { on: Parent::Earlier(place), rule: AfterRule::Ended };
        batch.push(NewJob { after: vec![after(family * 3), after(family * 3 + 1)], ..plain.clone() });
    }
    f.store.jobs_enqueue(&batch).await.unwrap();
    // Two parents of one child stand side by side in the queue, so that two processes have them at the same time.
    let mut others = Other::crew("drain", f.store.database(), &EIGHT);
    let done = run_all(&mut others).concat();
    let stats = f.store.queue_stats().await.unwrap();
    assert_eq!((stats.blocked, stats.ready, stats.held), (0, 0, 0));
    assert_eq!(done.len(), FAMILIES * 3);
}

async fn a_feed_read_while_eight_processes_write_misses_nothing(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 8]).await.unwrap();
    let mut others = Other::crew("write", f.store.database(), &EIGHT);
    others.iter_mut().for_each(Other::go);
    let all_visible = "SELECT MAX(tx) < {horizon} AS over FROM events";
    let (mut place, mut seen) = (FeedPosition::start(), BTreeMap::<JobId, Vec<i64>>::new());
    loop {
        // Everybody has ended, and no open transaction of another database holds anything back.
        let over = others.iter_mut().all(|other| other.child.try_wait().unwrap().is_some())
            && f.store.one("test", sql(all_visible)).await.unwrap().flag("over").unwrap();
        let page = f.store.feed(&place, 50).await.unwrap();
        let Some(last) = page.last() else {
            if over {
                break;
            }
            continue;
        };
        assert!(page.is_sorted_by(|a, b| a.position < b.position) && page[0].position > place);
        place = last.position.clone();
        for item in page {
            seen.entry(item.job).or_default().push(item.number.0);
        }
    }
    for other in &mut others {
        other.facts();
    }
    assert_eq!(seen.len(), 8);
    for (job, seen) in seen {
        assert_gapless(&seen);
        assert_eq!(seen, numbers(&f.store, &job).await, "{job}");
    }
}
