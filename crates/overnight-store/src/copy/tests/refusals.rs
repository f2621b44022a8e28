//! Copies that must not be made, or must not be taken for copies.

use super::*;
use crate::copy::Side;
use seed::{fill, job_id};

#[tokio::test]
async fn a_target_with_jobs_of_its_own_is_refused_and_left_alone() {
    let Some(places) = Places::new("a_target_with_jobs_of_its_own_is_refused_and_left_alone") else { return };
    for (there, back) in BOTH_WAYS {
        let (from, to) = (places.store(there, "from").await, places.store(back, "to").await);
        fill(&from, 50).await;
        fill(&to, 60).await;
        let before = sums_of(&to).await;
        let error = copied(&from, &to).await.unwrap_err();
        assert!(matches!(error, CopyError::NotEmpty { table: "jobs", rows: 10, .. }), "{error:?}");
        assert_eq!(sums_of(&to).await, before);
    }
}

#[tokio::test]
async fn a_target_with_a_repository_of_its_own_is_refused() {
    let Some(places) = Places::new("a_target_with_a_repository_of_its_own_is_refused") else { return };
    for (there, back) in BOTH_WAYS {
        let (from, to) = (places.store(there, "from").await, places.store(back, "to").await);
        fill(&from, 5).await;
        // The same name as one of the source's, and another identity.
        change(&to, "INSERT INTO repositories (id, name, remote, last_number, created_at) VALUES ('other', 'app0', '/src/other', 0, 1)").await;
        let error = copied(&from, &to).await.unwrap_err();
        assert!(matches!(error, CopyError::NotEmpty { table: "repositories", rows: 1, .. }), "{error:?}");
        assert_eq!(number(&to, "SELECT COUNT(*) FROM jobs").await, 0);
    }
}

#[tokio::test]
async fn a_target_that_was_used_since_is_not_overwritten() {
    let Some(places) = Places::new("a_target_that_was_used_since_is_not_overwritten") else { return };
    let (from, to) = (places.store(Engine::Sqlite, "from").await, places.store(Engine::Postgres, "to").await);
    fill(&from, 50).await;
    copied(&from, &to).await.unwrap();
    change(&to, "UPDATE jobs SET fence = fence + 1 WHERE number = 4").await;
    let used = sums_of(&to).await;
    let error = copied(&from, &to).await.unwrap_err();
    let CopyError::Differs { differences, .. } = &error else { panic!("{error:?}") };
    assert_eq!(differences.iter().map(|d| d.table).collect::<Vec<_>>(), ["jobs"]);
    assert!(error.to_string().contains("jobs (as many rows, with other content)"), "{error}");
    assert_eq!(sums_of(&to).await, used);
}

#[tokio::test]
async fn databases_that_somebody_works_on_are_refused_unless_forced() {
    let Some(places) = Places::new("databases_that_somebody_works_on_are_refused_unless_forced") else {
        return;
    };
    for (there, back) in BOTH_WAYS {
        let (from, to) = (places.store(there, "from").await, places.store(back, "to").await);
        let held = fill(&from, 50).await;
        change(&from, "UPDATE jobs SET lease_until = {now} + 60000 WHERE phase = 'held'").await;
        let error = copied(&from, &to).await.unwrap_err();
        let CopyError::InUse { side: Side::Source, leases, workers: 0, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(i64::try_from(leases).unwrap(), held);
        change(&from, "UPDATE jobs SET lease_until = {now} - 1 WHERE phase = 'held'").await;
        change(&from, "UPDATE workers SET last_seen = {now} - 50000").await;
        let error = copied(&from, &to).await.unwrap_err();
        assert!(
            matches!(error, CopyError::InUse { side: Side::Source, leases: 0, workers: 1, .. }),
            "{error:?}"
        );
        assert!(is_empty(&to).await);
        copy(&from, &to, true, &mut quietly()).await.unwrap();
        change(&from, "UPDATE workers SET last_seen = {now} - 70000").await;
        copied(&from, &to).await.unwrap();
        let worker = "INSERT INTO workers (id, host, boot_id, pid, start_ticks, version, started_at, last_seen) \
                      VALUES ('w-2', 'h', 'b', 1, 1, '0', 1, {now})";
        change(&to, worker).await;
        let error = copied(&from, &to).await.unwrap_err();
        assert!(matches!(error, CopyError::InUse { side: Side::Target, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_database_is_not_copied_to_itself() {
    let Some(places) = Places::new("a_database_is_not_copied_to_itself") else { return };
    let store = places.store(Engine::Sqlite, "one").await;
    assert!(matches!(copied(&store, &store.clone()).await.unwrap_err(), CopyError::Same { .. }));
}

/// Somebody else's statement, from another connection, done before this returns.
fn meanwhile(database: &Database, text: &'static str) {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let store = Store::connect(database).await.unwrap();
                change(&store, text).await;
                store.close().await;
            });
        });
        other.join().unwrap();
    });
}

#[tokio::test]
async fn a_source_that_is_changed_while_it_is_copied_is_noticed() {
    let Some(places) = Places::new("a_source_that_is_changed_while_it_is_copied_is_noticed") else { return };
    let changes = [
        ("jobs", "UPDATE jobs SET cancel = 'interrupt' WHERE number = 40"),
        (
            "events",
            "INSERT INTO events (job_id, number, at, event) SELECT id, 3, 1, 'x' FROM jobs WHERE number = 0",
        ),
        ("limits", "INSERT INTO limits VALUES ('label:late', 1)"),
    ];
    for (there, back) in BOTH_WAYS {
        for (changed, (table, text)) in changes.into_iter().enumerate() {
            for step in [CopyStep::Copying, CopyStep::Comparing] {
                let name = |side: &str| format!("{side}-{changed}-{step:?}");
                let (from, to) =
                    (places.store(there, &name("from")).await, places.store(back, &name("to")).await);
                fill(&from, 50).await;
                let before = sums_of(&from).await;
                let mut done = false;
                let result = copy(&from, &to, false, &mut |progress| {
                    if progress.step == step && !std::mem::replace(&mut done, true) {
                        meanwhile(from.database(), text);
                    }
                })
                .await;
                let error = result.unwrap_err();
                let CopyError::SourceChanged { differences, .. } = &error else { panic!("{error:?}") };
                assert_eq!(differences.iter().map(|d| d.table).collect::<Vec<_>>(), [table]);
                // What was copied is one moment of the source all the same.
                assert_eq!(sums_of(&to).await, before);
            }
        }
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_copied_as_it_is() {
    let Some(places) = Places::new("a_row_that_cannot_be_read_is_copied_as_it_is") else { return };
    let (from, to) = (places.store(Engine::Sqlite, "from").await, places.store(Engine::Postgres, "to").await);
    fill(&from, 50).await;
    change(
        &from,
        "UPDATE jobs SET state = '{\"state\":\"of a later version\"}' WHERE phase IN ('held', 'due')",
    )
    .await;
    copied(&from, &to).await.unwrap();
    let id = overnight_core::id::JobId::parse(&job_id(2)).unwrap();
    assert!(to.job(&id).await.is_err());
}
