//! Backups of either engine, and what is made of them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sqlx::{Connection, Executor};

use super::*;
use crate::copy::part::Part;
use crate::copy::{BackupError, BackupReport, TableCount, backup, check_backup, restore};
use crate::migrate::SCHEMA_VERSION;
use crate::{ErrorClass, OpenError};
use seed::fill;

pub(super) async fn backed_up(database: &Database, path: &Path) -> Result<BackupReport, BackupError> {
    backup(database, path, &mut quietly()).await
}

pub(super) async fn checked(path: &Path) -> Result<BackupReport, BackupError> {
    check_backup(path, &mut quietly()).await
}

pub(super) async fn restored(path: &Path, to: &Store) -> Result<CopyReport, BackupError> {
    restore(path, to, false, &mut quietly()).await
}

fn names(dir: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_while_workers_run_is_one_private_file_with_every_row() {
    let Some(places) = Places::new("a_backup_while_workers_run_is_one_private_file_with_every_row") else {
        return;
    };
    for engine in ENGINES {
        let store = places.store(engine, "one").await;
        fill(&store, 300).await;
        change(&store, "UPDATE workers SET last_seen = {now}").await;
        change(&store, "UPDATE jobs SET lease_until = {now} + 60000 WHERE phase = 'held'").await;
        let dir = places.path(&format!("backups-{engine:?}"));
        std::fs::create_dir(&dir).unwrap();
        let path = dir.join("ünï code.db");
        let report = backed_up(store.database(), &path).await.unwrap();
        let tables: Vec<TableCount> = sums_of(&store).await.into_iter().map(TableCount::from).collect();
        assert_eq!(report, BackupReport { schema: SCHEMA_VERSION, sealed: true, tables });
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(checked(&path).await.unwrap(), report);
        // Neither making nor reading it leaves another file.
        assert_eq!(names(&dir), ["ünï code.db"]);
        for target in ENGINES {
            let to = places.store(target, &format!("restored-{engine:?}")).await;
            let done = restored(&path, &to).await.unwrap();
            assert_eq!(done.tables, sums_of(&store).await);
            assert_eq!(number(&to, "SELECT COUNT(*) FROM jobs WHERE phase = 'held'").await, 0);
            to.check().await.unwrap();
        }
        assert_eq!(names(&dir), ["ünï code.db"]);
    }
}

#[tokio::test]
async fn a_backup_is_a_database_that_can_be_put_in_place() {
    let Some(places) = Places::new("a_backup_is_a_database_that_can_be_put_in_place") else { return };
    for engine in ENGINES {
        let store = places.store(engine, "one").await;
        fill(&store, 50).await;
        let path = places.path(&format!("{engine:?}.db"));
        backed_up(store.database(), &path).await.unwrap();
        let place = Store::open(&path).await.unwrap();
        assert_eq!(sums_of(&place).await, sums_of(&store).await);
        for nothing in
            ["SELECT COUNT(*) FROM workers", "SELECT COUNT(holder) FROM jobs", "SELECT COUNT(*) FROM slots"]
        {
            assert_eq!(number(&place, nothing).await, 0, "{nothing}");
        }
        // And backed up in turn, with a seal of its own.
        change(&place, "DELETE FROM limits").await;
        let second = places.path(&format!("{engine:?}-2.db"));
        backed_up(place.database(), &second).await.unwrap();
        assert!(checked(&second).await.unwrap().sealed);
    }
}

#[tokio::test]
async fn a_backup_never_replaces_a_file_and_never_leaves_half_of_one() {
    let Some(places) = Places::new("a_backup_never_replaces_a_file_and_never_leaves_half_of_one") else {
        return;
    };
    let store = places.store(Engine::Sqlite, "one").await;
    fill(&store, 20).await;
    let dir = places.path("backups");
    std::fs::create_dir(&dir).unwrap();
    let path = dir.join("b.db");
    std::fs::write(&path, "mine").unwrap();
    let error = backed_up(store.database(), &path).await.unwrap_err();
    assert!(matches!(error, BackupError::Exists { .. }), "{error:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    std::fs::remove_file(&path).unwrap();
    // Somebody else is writing it.
    let other = Part::beside(&path).unwrap();
    let error = backed_up(store.database(), &path).await.unwrap_err();
    assert!(matches!(error, BackupError::Busy { .. }), "{error:?}");
    drop(other);
    assert!(names(&dir).is_empty());
    // What a killed one left is used up.
    std::fs::write(dir.join(".b.db.part"), "half").unwrap();
    std::fs::write(dir.join(".b.db.part-wal"), "half").unwrap();
    backed_up(store.database(), &path).await.unwrap();
    assert_eq!(names(&dir), ["b.db"]);
    checked(&path).await.unwrap();
    let nowhere = places.path("nowhere/b.db");
    let error = backed_up(store.database(), &nowhere).await.unwrap_err();
    assert!(matches!(error, BackupError::File { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_not_there_or_foreign_is_not_backed_up() {
    let Some(places) = Places::new("what_is_not_there_or_foreign_is_not_backed_up") else { return };
    let path = places.path("b.db");
    let missing = Database::Sqlite(places.path("missing"));
    let error = backed_up(&missing, &path).await.unwrap_err();
    assert!(matches!(error, BackupError::Open(OpenError::Missing { .. })), "{error:?}");
    let empty = places.database(Engine::Postgres, "");
    let error = backed_up(&empty, &path).await.unwrap_err();
    assert!(matches!(error, BackupError::Open(OpenError::Foreign { .. })), "{error:?}");
    let newer = places.store(Engine::Postgres, "").await;
    change(&newer, "UPDATE overnight_schema SET version = version + 1").await;
    let error = backed_up(newer.database(), &path).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Newer);
    assert!(!path.exists() && !places.path(".b.db.part").exists());
}

/// A file as the first version left it, with two jobs.
async fn first_version(path: &Path) {
    std::fs::write(path, "").unwrap();
    let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    connection.execute(include_str!("../../../migrations/sqlite/0001_jobs.sql")).await.unwrap();
    let rows = "CREATE TABLE overnight_schema (version BIGINT NOT NULL); INSERT INTO overnight_schema VALUES (1); \
        INSERT INTO repositories (id, name, remote, last_number, created_at) VALUES ('r', 'app', '/src', 2, 1); \
        INSERT INTO jobs VALUES ('a', 'r', 1, 'app-1', NULL, '{\"state\":\"queued\"}', 'queued', 'prepare', NULL, FALSE, 0, \
          NULL, NULL, NULL, 1, 1, 1), ('b', 'r', 2, 'app-2', NULL, '{\"state\":\"queued\"}', 'queued', 'prepare', NULL, \
          FALSE, 1, 'w', 5, NULL, 1, 1, 1); \
        INSERT INTO job_specs VALUES ('a', '{}'), ('b', '{}'); \
        INSERT INTO events VALUES ('a', 1, 1, '{}'), ('b', 1, 1, '{}')";
    connection.execute(rows).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_of_an_older_schema_can_be_looked_at_and_restored() {
    let Some(places) = Places::new("a_backup_of_an_older_schema_can_be_looked_at_and_restored") else {
        return;
    };
    let path = places.path("old.db");
    first_version(&path).await;
    let before = std::fs::read(&path).unwrap();
    let report = checked(&path).await.unwrap();
    assert_eq!((report.schema, report.sealed), (1, false));
    assert!(report.tables.contains(&TableCount { table: "jobs", rows: 2, hash: None }), "{report:?}");
    let to = places.store(Engine::Postgres, "").await;
    restored(&path, &to).await.unwrap();
    assert_eq!(
        number(&to, "SELECT COUNT(*) FROM jobs WHERE phase = 'ready' AND lane_id = 'first:r'").await,
        2
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(!places.path(".old.db.part").exists());
}

#[tokio::test]
async fn an_older_schema_is_backed_up_before_it_is_brought_forward() {
    let Some(places) = Places::new("an_older_schema_is_backed_up_before_it_is_brought_forward") else {
        return;
    };
    let (path, out) = (places.path("old.db"), places.path("b.db"));
    first_version(&path).await;
    let report = backed_up(&Database::Sqlite(path.clone()), &out).await.unwrap();
    assert_eq!(report.schema, SCHEMA_VERSION);
    assert_eq!(checked(&out).await.unwrap(), report);
    assert_eq!(checked(&path).await.unwrap().schema, 1);
}

#[tokio::test]
async fn a_restore_wants_an_empty_database_that_is_not_the_backup() {
    let Some(places) = Places::new("a_restore_wants_an_empty_database_that_is_not_the_backup") else {
        return;
    };
    let store = places.store(Engine::Sqlite, "one").await;
    fill(&store, 20).await;
    let path = places.path("b.db");
    backed_up(store.database(), &path).await.unwrap();
    // Other jobs than those of the backup.
    let to = places.store(Engine::Postgres, "").await;
    fill(&to, 30).await;
    let error = restored(&path, &to).await.unwrap_err();
    assert!(matches!(error, BackupError::Copy(CopyError::NotEmpty { .. })), "{error:?}");
    let itself = Store::open(&path).await.unwrap();
    let error = restored(&path, &itself).await.unwrap_err();
    assert!(matches!(error, BackupError::Copy(CopyError::Same { .. })), "{error:?}");
}
