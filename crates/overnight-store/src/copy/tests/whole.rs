//! Whole copies, there and back.

use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::Job;

use super::*;
use crate::copy::tables::TABLES;
use seed::{fill, job_id, states};

/// More than two pages.
const JOBS: usize = 2_100;

/// A job as it is on a copy.
fn free(job: Job) -> Job {
    Job { holder: None, ..job }
}

#[tokio::test]
async fn a_copy_to_the_other_engine_and_back_has_every_row() {
    let Some(places) = Places::new("a_copy_to_the_other_engine_and_back_has_every_row") else { return };
    for (there, back) in BOTH_WAYS {
        let first = places.store(there, "first").await;
        let held = fill(&first, JOBS).await;
        let second = places.store(back, "second").await;
        let report = copied(&first, &second).await.unwrap();
        assert_eq!(report.tables, sums_of(&first).await);
        assert_eq!(report.tables, sums_of(&second).await);
        assert_eq!(report.written, report.tables.iter().map(|table| table.rows).sum::<u64>());
        assert_eq!((i64::try_from(report.freed).unwrap(), held > 0), (held, true));
        for table in &report.tables {
            assert!(table.rows > 0, "{} was not tested", table.table);
        }
        let third = places.store(there, "third").await;
        assert_eq!(copied(&second, &third).await.unwrap().tables, report.tables);
        third.check().await.unwrap();
    }
}

#[tokio::test]
async fn jobs_read_the_same_on_the_copy() {
    let Some(places) = Places::new("jobs_read_the_same_on_the_copy") else { return };
    for (there, back) in BOTH_WAYS {
        let (from, to) = (places.store(there, "from").await, places.store(back, "to").await);
        let jobs = states().len() * 2;
        fill(&from, jobs).await;
        copied(&from, &to).await.unwrap();
        for number in 0..jobs {
            let id = JobId::parse(&job_id(number)).unwrap();
            let (job, copy) = (from.job(&id).await.unwrap(), to.job(&id).await.unwrap());
            assert_eq!(copy, free(job));
            let events = to.events(&id, EventNumber(0), 10).await.unwrap();
            assert_eq!(events.len(), 2);
            assert!(events.iter().all(|event| event.event.is_ok()));
        }
    }
}

#[tokio::test]
async fn nobody_holds_a_job_on_the_copy_and_blocked_ones_stay_blocked() {
    let Some(places) = Places::new("nobody_holds_a_job_on_the_copy_and_blocked_ones_stay_blocked") else {
        return;
    };
    for (there, back) in BOTH_WAYS {
        let (from, to) = (places.store(there, "from").await, places.store(back, "to").await);
        let held = fill(&from, 200).await;
        copied(&from, &to).await.unwrap();
        let count = async |store: &Store, phase: &str| {
            number(store, &format!("SELECT COUNT(*) FROM jobs WHERE phase = '{phase}'")).await
        };
        assert_eq!(count(&to, "held").await, 0);
        assert_eq!(count(&to, "ready").await, count(&from, "ready").await + held);
        for phase in ["blocked", "due", "asleep", "ended"] {
            assert!(count(&from, phase).await > 0);
            assert_eq!(count(&to, phase).await, count(&from, phase).await, "{phase}");
        }
        for nothing in [
            "SELECT COUNT(*) FROM workers",
            "SELECT COUNT(*) FROM slots",
            "SELECT COUNT(*) FROM jobs WHERE holder IS NOT NULL OR lease_until IS NOT NULL",
            "SELECT MAX(tx) FROM events",
        ] {
            assert_eq!(number(&to, nothing).await, 0, "{nothing}");
        }
    }
}

#[tokio::test]
async fn copying_again_writes_nothing_and_says_the_same() {
    let Some(places) = Places::new("copying_again_writes_nothing_and_says_the_same") else { return };
    let (from, to) = (places.store(Engine::Sqlite, "from").await, places.store(Engine::Postgres, "to").await);
    fill(&from, 100).await;
    let first = copied(&from, &to).await.unwrap();
    let again = copied(&from, &to).await.unwrap();
    assert_eq!((again.tables, again.written), (first.tables, 0));
}

#[tokio::test]
async fn progress_counts_every_table_to_its_end() {
    let Some(places) = Places::new("progress_counts_every_table_to_its_end") else { return };
    let (from, to) = (places.store(Engine::Postgres, "from").await, places.store(Engine::Sqlite, "to").await);
    fill(&from, JOBS).await;
    let mut told = Vec::new();
    copy(&from, &to, false, &mut |progress| told.push(progress)).await.unwrap();
    for step in [CopyStep::Copying, CopyStep::Comparing, CopyStep::LookingAgain] {
        for table in &TABLES {
            let last = told.iter().rfind(|told| told.step == step && told.table == table.name()).unwrap();
            assert_eq!(last.rows, last.of, "{last:?}");
        }
    }
    let jobs: Vec<u64> =
        told.iter().filter(|t| t.step == CopyStep::Copying && t.table == "jobs").map(|t| t.rows).collect();
    assert_eq!(jobs, [1000, 2000, 2100]);
}

#[tokio::test]
async fn an_empty_database_is_copied_too() {
    let Some(places) = Places::new("an_empty_database_is_copied_too") else { return };
    let (from, to) = (places.store(Engine::Postgres, "from").await, places.store(Engine::Sqlite, "to").await);
    assert_eq!(copied(&from, &to).await.unwrap().written, 0);
}
