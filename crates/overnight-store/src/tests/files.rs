//! The file itself: who can read it, what is refused, full and read-only disks, backups.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, Executor};

use super::*;
use crate::{ErrorClass, OpenError, SCHEMA_VERSION};

/// A tmpfs of its own for one test, or the reason why there is none.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(size: &str) -> Result<Self, String> {
        let dir = tempfile::tempdir().unwrap();
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], dir.path())?;
        Ok(Self(dir))
    }

    fn read_only(&self) {
        mount(&["-o", "remount,ro"], self.0.path()).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = command("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests mount file systems of their own")]
fn command(program: &str) -> std::process::Command {
    std::process::Command::new(program)
}

fn mount(args: &[&str], at: &Path) -> Result<(), String> {
    let output = command("mount").args(args).arg(at).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

async fn run(path: &Path, statement: &'static str) {
    let mut connection = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn only_the_owner_can_read_what_is_created() {
    let f = Fixture::sqlite().await;
    enqueue(&f.store).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(f.path().parent().unwrap()), 0o700);
    for name in ["overnight.db", "overnight.db-wal", "overnight.db-shm"] {
        assert_eq!(mode(&f.path().with_file_name(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn opening_again_migrates_nothing_and_loses_nothing() {
    let f = Fixture::sqlite().await;
    let job = enqueue(&f.store).await;
    f.store.close().await;
    for _ in 0..3 {
        let store = Store::open(&f.path()).await.unwrap();
        assert_eq!(store.job(&job.id).await.unwrap(), job);
        store.check().await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
async fn every_commit_is_synced_and_keys_are_checked() {
    let f = Fixture::sqlite().await;
    let ask = async |pool: &crate::sql::Pool, pragma: &str| {
        let row = pool.one(sql(format!("SELECT CAST({pragma} AS TEXT) AS told FROM pragma_{pragma}"))).await;
        row.unwrap().text("told").unwrap()
    };
    let write = f.store.writer("test").unwrap();
    assert_eq!(ask(write, "journal_mode").await, "wal");
    assert_eq!(ask(write, "synchronous").await, "2");
    assert_eq!(ask(write, "foreign_keys").await, "1");
    assert_eq!(ask(f.store.reader(), "query_only").await, "1");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [("short", b"hello".to_vec()), ("long", b"not a database ".repeat(1000))] {
        let path = dir.path().join(name);
        std::fs::write(&path, &content).unwrap();
        let error = Store::open(&path).await.unwrap_err();
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Corrupt);
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
    let path = dir.path().join("foreign.db");
    std::fs::write(&path, b"").unwrap();
    run(&path, "CREATE TABLE theirs (x TEXT)").await;
    let before = std::fs::read(&path).unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_truncated_database_is_refused_and_left_alone() {
    let f = Fixture::sqlite().await;
    for _ in 0..5 {
        enqueue_in(&f.store, "app", &"x".repeat(20_000)).await;
    }
    f.store.close().await;
    let whole = std::fs::read(f.path()).unwrap();
    for length in [100, 4096, whole.len() / 2] {
        std::fs::write(f.path(), &whole[..length]).unwrap();
        let error = Store::open(&f.path()).await.unwrap_err();
        assert!(
            matches!(error, OpenError::Damaged { .. } | OpenError::NotADatabase { .. }),
            "{length}: {error:?}"
        );
        assert_eq!(std::fs::read(f.path()).unwrap(), whole[..length]);
    }
}

#[tokio::test]
async fn the_check_finds_damage() {
    let f = Fixture::sqlite().await;
    for _ in 0..20 {
        enqueue_in(&f.store, "app", &"x".repeat(20_000)).await;
    }
    f.store.check().await.unwrap();
    f.store.close().await;
    let mut bytes = std::fs::read(f.path()).unwrap();
    let tail = bytes.len() - 8 * 4096;
    bytes[tail..].fill(0xff);
    std::fs::write(f.path(), &bytes).unwrap();
    let error = Store::open(&f.path()).await.unwrap().check().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt, "{error:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions_named() {
    let f = Fixture::sqlite().await;
    f.store.close().await;
    run(&f.path(), "UPDATE overnight_schema SET version = 99").await;
    for error in
        [Store::open(&f.path()).await.unwrap_err(), Store::open_read_only(&f.path()).await.unwrap_err()]
    {
        assert_eq!(error.class(), ErrorClass::Newer);
        let text = error.to_string();
        assert!(text.contains("schema 99") && text.contains(&format!("schema {SCHEMA_VERSION}")), "{text}");
    }
}

#[tokio::test]
async fn a_locked_database_is_named_as_such_after_the_wait() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    std::fs::write(&path, b"").unwrap();
    let mut other = sqlx::SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let wait = Duration::from_millis(50);
    let error = Store::open_waiting(&path, wait).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    other.execute("ROLLBACK").await.unwrap();

    let store = Store::open_waiting(&path, wait).await.unwrap();
    let job = enqueue(&store).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = try_enqueue(&store, "app", "x").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Busy, "{error:?}");
    assert_eq!(store.job(&job.id).await.unwrap(), job, "readers wait for nobody");
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(try_enqueue(&store, "app", "x").await.unwrap().key.as_str(), "app-2");
}

#[tokio::test]
async fn a_read_only_directory_is_refused_for_writing_and_can_be_read() {
    let mount = match Mount::new("4m") {
        Ok(mount) => mount,
        Err(reason) => {
            return println!(
                "skipped: a_read_only_directory_is_refused_for_writing_and_can_be_read: {reason}"
            );
        }
    };
    let path = mount.0.path().join("overnight.db");
    let store = Store::open(&path).await.unwrap();
    let job = enqueue(&store).await;
    store.close().await;
    mount.read_only();
    let error = Store::open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
    let error = Store::open(&mount.0.path().join("other.db")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::ReadOnly, "{error:?}");
    let error = Store::open(&mount.0.path().join("sub/other.db")).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::ReadOnly, "{error:?}");

    let store = Store::open_read_only(&path).await.unwrap();
    assert_eq!(store.jobs_unfinished().await.unwrap().jobs, [job]);
    let error = try_enqueue(&store, "app", "x").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::ReadOnly);
    store.close().await;
}

#[tokio::test]
async fn reading_only_sees_what_others_write_and_never_creates() {
    let f = Fixture::sqlite().await;
    let reader = Store::open_read_only(&f.path()).await.unwrap();
    let job = enqueue(&f.store).await;
    assert_eq!(reader.jobs_unfinished().await.unwrap().jobs, [job]);
    let missing = f.path().with_file_name("missing.db");
    assert!(matches!(Store::open_read_only(&missing).await, Err(OpenError::Missing { .. })));
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_full_disk_corrupts_nothing_and_work_goes_on_when_there_is_space() {
    let mount = match Mount::new("2m") {
        Ok(mount) => mount,
        Err(reason) => {
            return println!(
                "skipped: a_full_disk_corrupts_nothing_and_work_goes_on_when_there_is_space: {reason}"
            );
        }
    };
    let filler = mount.0.path().join("filler");
    std::fs::write(&filler, vec![1; 600_000]).unwrap();
    let path = mount.0.path().join("overnight.db");
    let store = Store::open(&path).await.unwrap();
    let mut accepted = Vec::new();
    let error = loop {
        match try_enqueue(&store, "app", &"x".repeat(100_000)).await {
            Ok(job) => accepted.push(job.id),
            Err(error) => break error,
        }
    };
    assert_eq!(error.class(), ErrorClass::Full, "{error:?}");
    assert!(!accepted.is_empty());
    // Still full: the connection must have been left usable, and say the same again.
    let error = try_enqueue(&store, "app", &"x".repeat(100_000)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Full, "{error:?}");
    assert_eq!(store.jobs_unfinished().await.unwrap().jobs.len(), accepted.len());

    std::fs::remove_file(&filler).unwrap();
    let job = try_enqueue(&store, "app", "small").await.unwrap();
    assert_eq!(job.key.as_str(), format!("app-{}", accepted.len() + 1), "a refused job used up a number");
    store.check().await.unwrap();
    store.close().await;
    let error = Mount::new("16k").map(|tiny| async move {
        std::fs::write(tiny.0.path().join("filler"), [1; 12_000]).unwrap();
        (Store::open(&tiny.0.path().join("db")).await.unwrap_err(), tiny)
    });
    let (error, _tiny) = error.unwrap().await;
    assert_eq!(error.class(), ErrorClass::Full, "{error:?}");
}

#[tokio::test]
async fn a_backup_taken_while_others_write_is_whole() {
    let f = Fixture::sqlite().await;
    let store = f.store.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..50 {
            let job = enqueue(&store).await;
            claim(&store, &job.id, "w").await;
        }
    });
    let mut copies = Vec::new();
    while !writing.is_finished() {
        let path = f.path().with_file_name(format!("backup-{}.db", copies.len()));
        f.store.vacuum_into(&path).await.unwrap();
        copies.push(path);
    }
    writing.await.unwrap();
    for path in &copies {
        let copy = Store::open(path).await.unwrap();
        copy.check().await.unwrap();
        for job in copy.jobs_unfinished().await.unwrap().jobs {
            let numbers = numbers(&copy, &job.id).await;
            assert_gapless(&numbers);
            assert_eq!(job.holder.is_some(), numbers.len() > 1);
        }
    }
    assert!(f.store.vacuum_into(&copies[0]).await.is_err(), "a backup overwrote a file");
}
