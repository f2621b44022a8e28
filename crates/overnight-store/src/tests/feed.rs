//! The stream of all jobs' events, and the queue in numbers.

use std::collections::BTreeMap;

use overnight_core::job::{AfterRule, CancelledBy, JobEvent};
use overnight_core::queue::EndedStats;

use super::*;
use crate::{After, FeedPosition, Parent, Phase};

on_both!(
    the_feed_has_every_event_once_whatever_the_size_of_a_page,
    an_event_waits_until_every_older_transaction_is_over,
    numbers_of_deleted_events_do_not_come_again,
    an_event_that_cannot_be_read_keeps_its_place,
    the_queue_in_numbers_is_what_counting_finds,
    what_ended_is_summed_up_with_what_was_deleted,
);

/// Everything up to the end, where at least `count` events must be: open transactions of other databases on the same server
/// hold them back for a while.
async fn read(
    store: &Store,
    after: &FeedPosition,
    page: u32,
    count: usize,
) -> (FeedPosition, Vec<(JobId, i64)>) {
    let (mut place, mut seen) = (after.clone(), Vec::new());
    loop {
        let items = store.feed(&place, page).await.unwrap();
        match items.last() {
            Some(last) => place = last.position.clone(),
            None if seen.len() >= count => return (place, seen),
            None => tokio::task::yield_now().await,
        }
        seen.extend(items.into_iter().map(|item| (item.job, item.number.0)));
    }
}

async fn the_feed_has_every_event_once_whatever_the_size_of_a_page(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 70]).await.unwrap();
    for mut claimed in claim_next(&f.store, "w", 20).await {
        end(&f.store, &mut claimed, EndReason::NoChanges).await;
    }
    let count = f.store.one("test", sql("SELECT COUNT(*) AS count FROM events")).await.unwrap();
    let count = usize::try_from(count.number("count").unwrap()).unwrap();
    let (_, whole) = read(&f.store, &FeedPosition::start(), 1000, count).await;
    assert_eq!(whole.len(), count);
    for page in [1, 2, 7, 64] {
        assert_eq!(read(&f.store, &FeedPosition::start(), page, count).await.1, whole);
    }
    let mut jobs: BTreeMap<JobId, Vec<i64>> = BTreeMap::new();
    for (job, number) in whole {
        jobs.entry(job).or_default().push(number);
    }
    assert_eq!(jobs.len(), 70);
    for (job, seen) in jobs {
        assert_eq!(seen, numbers(&f.store, &job).await);
    }
}

async fn an_event_waits_until_every_older_transaction_is_over(f: &Fixture) {
    let place = FeedPosition::start();
    if matches!(f.store.database(), Database::Sqlite(_)) {
        // A file has one writer, so there is no older one.
        enqueue(&f.store).await;
        assert_eq!(read(&f.store, &place, 99, 0).await.1.len(), 1);
        return;
    }
    let new = new_job(&f.store, "app").await;
    let mut older = f.store.begin("test").await.unwrap();
    let claim_number = "UPDATE repositories SET created_at = created_at + 0 WHERE name = 'other'";
    older.run(sql(claim_number)).await.unwrap();
    let numbered = older.optional(sql("SELECT {tx} AS tx")).await.unwrap().unwrap();
    let younger = f.store.job_enqueue(&new).await.unwrap();
    assert!(read(&f.store, &place, 99, 0).await.1.is_empty(), "the older one would be missed");
    let event = "INSERT INTO events (job_id, number, at, event, tx) VALUES ($1, 2, 0, '{}', {tx})";
    older.run(sql(event).bind(younger.id.as_str())).await.unwrap();
    older.commit().await.unwrap();
    let (_, seen) = read(&f.store, &place, 99, 2).await;
    assert_eq!(seen, [(younger.id.clone(), 2), (younger.id, 1)], "{numbered:?}");
}

async fn numbers_of_deleted_events_do_not_come_again(f: &Fixture) {
    let job = enqueue(&f.store).await;
    let (place, seen) = read(&f.store, &FeedPosition::start(), 99, 1).await;
    assert_eq!(seen.len(), 1);
    for table in ["events", "job_specs", "jobs"] {
        f.store.run("test", sql(format!("DELETE FROM {table}"))).await.unwrap();
    }
    let next = enqueue(&f.store).await;
    assert_ne!(next.id, job.id);
    assert_eq!(read(&f.store, &place, 99, 1).await.1, [(next.id, 1)]);
}

async fn an_event_that_cannot_be_read_keeps_its_place(f: &Fixture) {
    enqueue(&f.store).await;
    f.store.run("test", sql("UPDATE events SET event = '{\"type\":\"dreamt\"}'")).await.unwrap();
    enqueue(&f.store).await;
    read(&f.store, &FeedPosition::start(), 99, 2).await;
    let items = f.store.feed(&FeedPosition::start(), 99).await.unwrap();
    assert_eq!(items[0].event.as_ref().unwrap_err().column, "event");
    assert!(matches!(items[1].event, Ok(JobEvent::Queued { .. })));
}

async fn the_queue_in_numbers_is_what_counting_finds(f: &Fixture) {
    let plain = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![plain.clone(); 12]).await.unwrap();
    let jobs = f.store.jobs_unfinished().await.unwrap().jobs;
    let later = Queueing { not_before: Some(Timestamp(i64::MAX / 2)), ..Queueing::default() };
    f.store.job_enqueue(&NewJob { queueing: later, ..plain.clone() }).await.unwrap();
    let after = vec![After { on: Parent::Job(jobs[0].id.clone()), rule: AfterRule::Done }];
    f.store.job_enqueue(&NewJob { after, ..plain }).await.unwrap();
    for (mut claimed, number) in claim_next(&f.store, "w", 8).await.into_iter().zip(0..) {
        let Claimed { lease, job, .. } = &mut claimed;
        match number {
            0 | 1 => end(&f.store, &mut claimed, EndReason::NoChanges).await,
            2 => drop(advance(&f.store, lease, job, parks(ParkReason::Ci, None)).await),
            3 => drop(advance(&f.store, lease, job, parks(ParkReason::Overloaded, Some(Timestamp(1)))).await),
            4 => drop(advance(&f.store, lease, job, prepared()).await),
            _ => {}
        }
    }
    f.store
        .run(
            "test",
            sql("UPDATE jobs SET lease_until = 1 WHERE id = (SELECT MAX(id) FROM jobs WHERE phase = 'held')"),
        )
        .await
        .unwrap();
    f.store.worker_register(&worker_row("w")).await.unwrap();
    f.store.worker_register(&worker_row("old")).await.unwrap();
    f.store.run("test", sql("UPDATE workers SET last_seen = 1 WHERE id = 'old'")).await.unwrap();

    let stats = f.store.queue_stats().await.unwrap();
    let now = f.store.now().await.unwrap();
    let all = f.store.jobs_unfinished().await.unwrap().jobs;
    let standings =
        f.store.standings(&all.iter().map(|job| job.id.clone()).collect::<Vec<_>>()).await.unwrap();
    let count = |phase: Phase| standings.values().filter(|standing| standing.phase == phase).count() as u64;
    let mut by_state: BTreeMap<String, u64> = BTreeMap::new();
    let mut parked: BTreeMap<String, u64> = BTreeMap::new();
    for job in &all {
        *by_state.entry(job.state.name().to_owned()).or_default() += 1;
        if let JobState::Parked { reason, .. } = &job.state {
            *parked.entry(reason.code().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(stats.by_state, by_state.into_iter().collect::<Vec<_>>());
    assert_eq!(stats.parked, parked.into_iter().collect::<Vec<_>>());
    assert_eq!(
        (stats.ready, stats.waiting, stats.blocked),
        (count(Phase::Ready), count(Phase::Due), count(Phase::Blocked))
    );
    assert_eq!((stats.ready, stats.waiting, stats.blocked), (4, 2, 1));
    assert_eq!((stats.held + stats.leases_expired, stats.leases_expired), (count(Phase::Held), 1));
    let oldest =
        all.iter().filter(|job| standings[&job.id].phase == Phase::Ready).map(|job| job.created_at).min();
    let waited = u64::try_from(now.0 - oldest.unwrap().0).unwrap();
    assert!(stats.oldest_ready_ms.is_some_and(|oldest| oldest <= waited && oldest + 5_000 > waited));
    assert_eq!((stats.workers, stats.ended.len(), stats.ended[0].jobs), (1, 1, 2));
}

async fn what_ended_is_summed_up_with_what_was_deleted(f: &Fixture) {
    for reason in [EndReason::NoChanges, EndReason::NoChanges, EndReason::Published] {
        let id = enqueue(&f.store).await.id;
        let mut claimed = claim(&f.store, &id, "w").await;
        let Claimed { lease, job, .. } = &mut claimed;
        advance(&f.store, lease, job, prepared()).await;
        advance(&f.store, lease, job, announced()).await;
        let used = Usage {
            input_tokens: 100,
            cache_write_tokens: 10,
            output_tokens: 7,
            cost: Some(MicroDollars(5)),
            ..Usage::default()
        };
        advance(&f.store, lease, job, Input::TurnInterrupted { session: None, used }).await;
        end(&f.store, &mut claimed, reason).await;
    }
    let cancelled = enqueue(&f.store).await;
    f.store.cancel_request(&cancelled.id, CancelledBy::Command).await.unwrap();
    let tally = "INSERT INTO tallies VALUES ('no_changes', 1000, 2000, 3000, 4000, 5000, 6), ('agent_failed', 1, 1, 1, 1, 1, 1)";
    f.store.run("test", sql(tally)).await.unwrap();
    let ended = f.store.queue_stats().await.unwrap().ended;
    let find = |reason: &str| ended.iter().find(|end| end.reason == reason).cloned().unwrap();
    let EndedStats { jobs, input_tokens, output_tokens, cost_micro_usd, .. } = find("no_changes");
    assert_eq!((jobs, input_tokens, output_tokens, cost_micro_usd), (1002, 3220, 4014, 5010));
    let EndedStats { jobs, input_tokens, output_tokens, cost_micro_usd, .. } = find("published");
    assert_eq!((jobs, input_tokens, output_tokens, cost_micro_usd), (1, 110, 7, 5));
    assert_eq!(
        (find("cancelled").jobs, find("cancelled").input_tokens, find("agent_failed").cost_unknown_jobs),
        (1, 0, 1)
    );
    assert!(ended.is_sorted_by(|a, b| a.reason < b.reason));
}
