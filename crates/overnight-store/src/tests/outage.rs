//! A server that goes away: what is lost is nothing, what is told is the truth.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::*;
use crate::{ErrorClass, ReclaimPolicy};

/// How long these stores wait for a server that does not answer.
const TURN: Duration = Duration::from_secs(2);

/// A server of its own, which can be killed.
fn server(test: &str) -> Option<Postgres> {
    Postgres::start(overnight_testkit::postgres::Durability::Off)
        .inspect_err(|reason| println!("skipped: {test}: {reason}"))
        .ok()
}

async fn store(url: &str) -> Store {
    Store::open_postgres(Database::Postgres(url.to_owned()), url, TURN).await.unwrap()
}

/// What was acknowledged: of which job, up to which event.
type Acknowledged = Arc<Mutex<Vec<(JobId, i64)>>>;

/// Works until every job has ended. Whatever goes wrong with a job is left to whoever takes it back.
async fn work(store: Store, name: String, acknowledged: Acknowledged) -> BTreeSet<String> {
    let mut classes = BTreeSet::new();
    loop {
        let outcome = work_once(&store, &name, &acknowledged).await;
        match outcome {
            Ok(true) => return classes,
            Ok(false) => {}
            Err(error) => drop(classes.insert(format!("{:?}", error.class()))),
        }
    }
}

/// `true`: nothing is left to be done.
async fn work_once(store: &Store, name: &str, acknowledged: &Acknowledged) -> Result<bool, StoreError> {
    let hasty = Claimant { lease: Duration::from_millis(800), ..claimant(name) };
    let claims = store.jobs_claim(&ClaimOrder { claimant: hasty, ..order(name, 3) }).await?;
    for Claimed { lease, mut job, events } in claims.taken {
        let note = |number: i64| acknowledged.lock().unwrap().push((job.id.clone(), number));
        note(events.last().unwrap().number.0);
        while !job.state.is_ended() {
            let input = match &job.state {
                JobState::Preparing { .. } => prepared(),
                JobState::Working { turn: None, trail, .. } if trail.turns < 2 => announced(),
                JobState::Working { turn: Some(_), .. } => interrupted(),
                JobState::Cleaning { .. } => cleaned(),
                _ => Input::Failed {
                    trouble: Trouble::End(EndReason::NoChanges),
                    detail: String::new(),
                    elapsed: Duration::ZERO,
                },
            };
            let step = step(&job, &job.state, input);
            let next = step.next.clone();
            let applied = store.apply(&lease, &job.state, step).await?;
            note(applied.events.last().unwrap().0.0);
            job.state = next;
        }
    }
    let policy = ReclaimPolicy { most_losses: 99, lease: Duration::ZERO, seen: None };
    store.jobs_reclaim(&[], policy).await?;
    let stats = store.queue_stats().await?;
    Ok(stats.by_state.is_empty())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_of_claims_and_steps_loses_nothing_and_repeats_nothing() {
    const JOBS: usize = 300;
    let test = "a_server_killed_in_the_middle_of_claims_and_steps_loses_nothing_and_repeats_nothing";
    let Some(server) = server(test) else { return };
    let url = server.database();
    let first = store(&url).await;
    let new = new_job(&first, "app").await;
    first.jobs_enqueue(&vec![new; JOBS]).await.unwrap();
    let acknowledged = Acknowledged::default();
    let mut workers = Vec::new();
    for number in 0..4 {
        let (store, acknowledged) = (store(&url).await, Arc::clone(&acknowledged));
        workers.push(tokio::spawn(work(store, format!("w{number}"), acknowledged)));
    }
    for kill in 1..=3 {
        // In the middle: some work was done since the server came back.
        let before = acknowledged.lock().unwrap().len();
        while acknowledged.lock().unwrap().len() < before + 100 {
            assert!(workers.iter().any(|worker| !worker.is_finished()), "all was done before kill {kill}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::task::block_in_place(|| server.restart());
    }
    let mut classes = BTreeSet::new();
    for worker in workers {
        classes.extend(worker.await.unwrap());
    }
    let known = BTreeSet::from(["Io".to_owned(), "LeaseLost".to_owned()]);
    assert!(classes.contains("Io") && classes.is_subset(&known), "{classes:?}");

    let jobs = first.jobs(&crate::JobFilter::default()).await.unwrap().jobs;
    assert_eq!(jobs.len(), JOBS);
    for job in &jobs {
        let events = first.events(&job.id, EventNumber(0), 999).await.unwrap();
        assert_gapless(&events.iter().map(|record| record.number.0).collect::<Vec<_>>());
        let ends = events.iter().filter(|record| matches!(record.event, Ok(JobEvent::Ended { .. }))).count();
        let turns =
            events.iter().filter(|record| matches!(record.event, Ok(JobEvent::TurnAnnounced { .. }))).count();
        assert!(job.state.is_ended() && ends == 1 && turns == 2, "{}: {ends} ends, {turns} turns", job.key);
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    for (job, number) in &acknowledged {
        let last =
            first.one("test", sql("SELECT last_event FROM jobs WHERE id = $1").bind(job.as_str())).await;
        assert!(last.unwrap().number("last_event").unwrap() >= *number, "an acknowledged event was lost");
    }
    first.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_in_which_a_server_fails_is_told_as_what_it_is() {
    let Some(server) = server("each_way_in_which_a_server_fails_is_told_as_what_it_is") else { return };
    let url = server.database();
    let connect = async |url: &str| Store::connect(&Database::Postgres(url.to_owned())).await.unwrap_err();
    let nobody = url.replacen("overnight@", "nobody@", 1);
    assert_eq!(connect(&nobody).await.class(), ErrorClass::Refused, "no such user");
    let name =
        url.rsplit('/').find_map(|part| part.split('?').find(|part| part.starts_with("test_"))).unwrap();
    assert_eq!(connect(&url.replace(name, "absent")).await.class(), ErrorClass::Refused, "no such database");
    assert_eq!(connect("postgres://x@127.0.0.1:1/x").await.class(), ErrorClass::Io, "nobody listens");
    server.psql(&url, "ALTER ROLE overnight CONNECTION LIMIT 0");
    assert_eq!(connect(&url).await.class(), ErrorClass::Io, "too many connections");
    server.psql(&url, "ALTER ROLE overnight CONNECTION LIMIT -1");

    let store = store(&url).await;
    enqueue(&store).await;
    let mut tx = store.begin("test").await.unwrap();
    tx.run(sql("SET LOCAL statement_timeout = '10ms'")).await.unwrap();
    assert_eq!(
        tx.optional(sql("SELECT pg_sleep(9)")).await.unwrap_err().class(),
        ErrorClass::Io,
        "stopped by it"
    );
    drop(tx);

    let (mut one, mut two) = (store.begin("test").await.unwrap(), store.begin("test").await.unwrap());
    two.run(sql("SET LOCAL lock_timeout = '10ms'")).await.unwrap();
    one.run(sql("UPDATE jobs SET lost = lost")).await.unwrap();
    let error = two.run(sql("UPDATE jobs SET lost = lost")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Busy, "{error:?}");
    drop((one, two));

    let mut tx = store.begin("test").await.unwrap();
    server.psql(&url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'overnight'");
    let error = tx.run(sql("UPDATE jobs SET lost = lost")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Io, "{error:?}");
    drop(tx);
    store.close().await;

    server.psql(&url, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    let store = self::store(&url).await;
    let error = try_enqueue(&store, "app", "x").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::ReadOnly, "{error:?}");
    assert_eq!(store.jobs_unfinished().await.unwrap().jobs.len(), 1);

    let in_flight = store.clone();
    let in_flight =
        tokio::spawn(async move { in_flight.one("test", sql("SELECT pg_sleep(60)")).await.map(drop) });
    let seen = "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'";
    while server.psql(&url, seen) != "1" {}
    tokio::task::block_in_place(|| server.kill());
    let error = in_flight.await.unwrap().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Io, "{error:?}");
    let error = store.jobs_claim(&order("w", 1)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Io, "{error:?}");
    assert!(error.hint().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_nothing_is_asked_is_not_noticed_and_a_short_one_is_waited_for() {
    let test = "a_restart_while_nothing_is_asked_is_not_noticed_and_a_short_one_is_waited_for";
    let Some(server) = server(test) else { return };
    let store = store(&server.database()).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(store.begin("test").await.unwrap());
    }
    drop(open);
    let job = enqueue(&store).await;
    tokio::task::block_in_place(|| server.restart());
    // Connections are not trusted any more that nobody has used for a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..4 {
        assert_eq!(store.job(&job.id).await.unwrap(), job);
    }
    tokio::task::block_in_place(|| server.kill());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let waiting = store.clone();
    let waiting = tokio::spawn(async move { claim_next(&waiting, "w", 1).await.len() });
    tokio::task::block_in_place(|| server.restart());
    assert_eq!(waiting.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_waited_for() {
    let Some(server) = server("a_server_that_hangs_is_waited_for") else { return };
    let store = store(&server.database()).await;
    let job = enqueue(&store).await;
    let held = claim(&store, &job.id, "w").await;
    server.pause();
    let beating = store.clone();
    let beating = tokio::spawn(async move { beating.worker_beat(&worker("w"), MINUTE, "{}").await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!beating.is_finished());
    server.resume();
    let beat = beating.await.unwrap().unwrap();
    assert_eq!(beat.held.iter().map(|held| &held.job).collect::<Vec<_>>(), [held.lease.job()]);
}
