//! Processes that are killed in the middle of a write.

use overnight_core::job::JobEvent;

use super::*;
use crate::row::{self, SELECT_JOB};

on_both!(a_worker_killed_while_it_writes_leaves_state_and_events_that_agree);

#[tokio::test]
async fn a_process_killed_while_it_makes_the_file_leaves_one_that_can_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut cut = 0;
    for round in 0_u32..24 {
        let path = dir.path().join(format!("{round}/overnight.db"));
        cut += usize::from(kill_opener(&Database::Sqlite(path.clone()), Duration::from_micros(400) * round));
        let store = Store::open(&path).await.unwrap();
        assert_eq!(enqueue(&store).await.key.as_str(), "app-1");
        store.check().await.unwrap();
    }
    assert!(cut > 0, "every kill came too late");
}

#[tokio::test]
async fn a_process_killed_while_it_makes_the_schema_leaves_a_database_that_can_be_opened() {
    let server = match Postgres::shared() {
        Ok(server) => server,
        Err(reason) => {
            return println!(
                "skipped: a_process_killed_while_it_makes_the_schema_leaves_a_database_that_can_be_opened: {reason}"
            );
        }
    };
    let mut cut = 0;
    for round in 0_u32..12 {
        let database = Database::Postgres(server.database());
        cut += usize::from(kill_opener(&database, Duration::from_millis(3) * round));
        let store = Store::connect(&database).await.unwrap();
        assert_eq!(enqueue(&store).await.key.as_str(), "app-1");
        store.check().await.unwrap();
        store.close().await;
    }
    assert!(cut > 0, "every kill came too late");
}

/// Kills a process that makes the database, this long after it has begun. `false`: it was done before.
fn kill_opener(database: &Database, after: Duration) -> bool {
    let mut other = Other::crew("open", database, &["w"]).pop().unwrap();
    other.go();
    // Not a wait for anything: the kill has to come at another moment each time, from at once to about when it is done.
    let start = std::time::Instant::now();
    while start.elapsed() < after {
        std::hint::spin_loop();
    }
    other.child.kill().unwrap();
    other.fact().is_none()
}

/// State and events of one moment: what the killed process had sent to a server may still be on its way.
async fn moment(store: &Store, id: &JobId) -> (Job, Vec<JobEvent>) {
    let mut tx = store.reader().begin_snapshot().await.unwrap();
    let found = tx.optional(sql(format!("{SELECT_JOB} WHERE j.id = $1")).bind(id.as_str())).await.unwrap();
    let job = row::job(&found.unwrap()).unwrap();
    let text = "SELECT number, event FROM events WHERE job_id = $1 ORDER BY number";
    let events = tx.all(sql(text).bind(id.as_str())).await.unwrap();
    assert_gapless(&events.iter().map(|found| found.number("number").unwrap()).collect::<Vec<_>>());
    (job, events.iter().map(|found| serde_json::from_str(&found.text("event").unwrap()).unwrap()).collect())
}

async fn a_worker_killed_while_it_writes_leaves_state_and_events_that_agree(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let mut acknowledged = 0;
    for round in 0..12 {
        let mut other = Other::start("walk", f.store.database(), &format!("w{round}"));
        // A different number of facts each time; where the next write is when it is killed, nobody knows.
        for _ in 0..=uuid::Uuid::now_v7().as_bytes()[15] % 32 {
            acknowledged = other.fact().expect("the worker failed by itself").parse().unwrap();
        }
        drop(other);
        let (job, events) = moment(&f.store, &id).await;
        assert!(events.len() >= acknowledged, "an acknowledged event was lost");
        let (mut turns, mut open) = (0, false);
        for event in &events {
            if let JobEvent::TurnAnnounced { turn, .. } = event {
                (turns, open) = (*turn, true);
            }
            open &= !matches!(event, JobEvent::TurnInterrupted { .. });
        }
        let JobState::Working { trail, turn, .. } = &job.state else { panic!("{:?}", job.state) };
        assert_eq!((trail.turns, turn.is_some()), (turns, open), "state and events disagree");
        assert_eq!(job.holder.unwrap().worker.as_str(), format!("w{round}"));
    }
    f.store.check().await.unwrap();
}
