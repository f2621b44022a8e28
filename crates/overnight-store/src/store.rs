//! The open store: one writing connection, a few reading ones, and the signal that something was committed.

use std::path::Path;

use sqlx::sqlite::SqlitePool;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};
use tokio::sync::watch;

use overnight_core::units::Timestamp;

use crate::dialect::{Dialect, SQLITE};
use crate::error::{StoreError, failed};

/// What Overnight remembers. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    /// `None`: opened for reading only. One connection, because SQLite has one writer: waiting for it in this process is
    /// fair, waiting for it in the file is not.
    write: Option<SqlitePool>,
    read: SqlitePool,
    pub(crate) dialect: Dialect,
    commits: watch::Sender<u64>,
}

impl Store {
    pub(crate) fn new(write: Option<SqlitePool>, read: SqlitePool) -> Self {
        Self { write, read, dialect: SQLITE, commits: watch::Sender::new(0) }
    }

    /// The time, by the database's clock.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let name = "read the clock";
        let row = sqlx::query(self.dialect.sql("SELECT {now} AS now")).fetch_one(&self.read).await;
        Ok(Timestamp(row.map_err(failed(name))?.try_get("now").map_err(failed(name))?))
    }

    /// Counts the commits of this process that can give somebody work: jobs, claims, steps, cancels. Renewed leases do not
    /// count, and neither do other processes' commits: those are found by asking again.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Looks for damage in the file. Reads all of it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what was found.
    pub async fn check(&self) -> Result<(), StoreError> {
        let operation = "check the database";
        let rows =
            sqlx::query("PRAGMA quick_check(20)").fetch_all(&self.read).await.map_err(failed(operation))?;
        let mut findings = Vec::new();
        for row in rows {
            findings.push(row.try_get::<String, _>(0).map_err(failed(operation))?);
        }
        let broken =
            sqlx::query("PRAGMA foreign_key_check").fetch_all(&self.read).await.map_err(failed(operation))?;
        if findings.iter().all(|line| line == "ok") && broken.is_empty() {
            return Ok(());
        }
        findings.retain(|line| line != "ok");
        if !broken.is_empty() {
            findings.push(format!("{} rows refer to rows that are not there", broken.len()));
        }
        Err(StoreError::Damaged { operation, findings: findings.join("; ") })
    }

    /// Writes a consistent copy to `path`, where no file may be yet, while others go on working.
    ///
    /// # Errors
    /// [`StoreError::Database`], also when there is a file at `path`.
    pub async fn backup(&self, path: &Path) -> Result<(), StoreError> {
        let operation = "write a backup of the database";
        let Some(text) = path.to_str() else {
            return Err(StoreError::UnusablePath { operation, path: path.to_owned() });
        };
        // The writing connection: VACUUM is not allowed on those that only read.
        let write = self.writer(operation)?;
        sqlx::query("VACUUM INTO $1").bind(text).execute(write).await.map_err(failed(operation))?;
        Ok(())
    }

    /// Closes all connections, of all clones. The last process to do so folds the log into the file.
    pub async fn close(&self) {
        self.read.close().await;
        if let Some(write) = &self.write {
            write.close().await;
        }
    }

    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.read
    }

    pub(crate) fn writer(&self, operation: &'static str) -> Result<&SqlitePool, StoreError> {
        self.write.as_ref().ok_or(StoreError::OpenedReadOnly { operation })
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<WriteTx, StoreError> {
        let tx = self.writer(operation)?.begin_with("BEGIN IMMEDIATE").await.map_err(failed(operation))?;
        Ok(WriteTx { tx, operation, dialect: self.dialect, commits: self.commits.clone() })
    }
}

/// A transaction that holds the database's write lock from its start. Dropping it undoes it.
#[derive(Debug)]
pub(crate) struct WriteTx {
    tx: Transaction<'static, Sqlite>,
    pub(crate) operation: &'static str,
    pub(crate) dialect: Dialect,
    commits: watch::Sender<u64>,
}

impl WriteTx {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    /// Commits, and wakes those who wait for commits only after others can see it.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await.map_err(failed(self.operation))?;
        self.commits.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }
}
