//! The open store: its connections, and the signal that something was committed.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use overnight_core::units::Timestamp;

use crate::claim::{Crowd, LastLook};
use crate::commit::Commits;
use crate::database::Database;
use crate::dialect::Engine;
use crate::error::{StoreError, failed};
use crate::lane::LaneCache;
use crate::sql::{Pool, Row, Sql, Tx, sql};

/// What Overnight remembers. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    /// `None`: opened for reading only. With SQLite it is one connection: waiting for the one writer in this process is fair,
    /// waiting for it in the file is not.
    write: Option<Pool>,
    read: Pool,
    woken: watch::Sender<u64>,
    pub(crate) lanes: LaneCache,
    pub(crate) commits: Commits,
    pub(crate) crowd: Arc<Crowd>,
    pub(crate) last_look: Arc<LastLook>,
}

impl Store {
    pub(crate) fn new(database: Database, write: Option<Pool>, read: Pool) -> Self {
        Self {
            database,
            write,
            read,
            woken: watch::Sender::new(0),
            lanes: LaneCache::default(),
            commits: Commits::default(),
            crowd: Arc::default(),
            last_look: Arc::default(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The time, by the database's clock.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let name = "read the clock";
        let row = self.read.one(sql("SELECT {now} AS now")).await.map_err(failed(name))?;
        Ok(Timestamp(row.number("now").map_err(failed(name))?))
    }

    /// The version of the schema as it is now: another process may have brought it forward since this one opened it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let name = "read the version of the schema";
        let row = self.read.one(sql(crate::migrate::READ_VERSION)).await.map_err(failed(name))?;
        row.number("version").map_err(failed(name))
    }

    /// Counts the commits of this process that can give somebody work, and whatever [`Store::listen`] hears of others'.
    /// Renewed leases do not count.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.woken.subscribe()
    }

    /// Tells those of this process who wait that there may be work.
    pub(crate) fn wake(&self) {
        self.woken.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// How many commits that give work have been heard of.
    pub(crate) fn heard(&self) -> u64 {
        *self.woken.borrow()
    }

    pub(crate) fn waker(&self) -> watch::Sender<u64> {
        self.woken.clone()
    }

    /// Looks for damage in the file: reads all of it. PostgreSQL looks after its own files; there, only the rows'
    /// references and numbers are looked at.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with what was found.
    pub async fn check(&self) -> Result<(), StoreError> {
        let operation = "check the database";
        let mut findings = Vec::new();
        if self.engine() == Engine::Sqlite {
            for row in self
                .all(operation, sql("SELECT quick_check AS line FROM pragma_quick_check LIMIT 20"))
                .await?
            {
                findings.push(row.text("line").map_err(failed(operation))?);
            }
            findings.retain(|line| line != "ok");
            let broken =
                self.all(operation, sql("SELECT \"table\" AS name FROM pragma_foreign_key_check")).await?;
            if !broken.is_empty() {
                findings.push(format!("{} rows refer to rows that are not there", broken.len()));
            }
        }
        let gaps = "SELECT COUNT(*) AS count FROM jobs j \
                    WHERE j.last_event <> (SELECT COUNT(*) FROM events e WHERE e.job_id = j.id)";
        let row = self.one(operation, sql(gaps)).await?;
        let count = row.number("count").map_err(failed(operation))?;
        if count > 0 {
            findings.push(format!("{count} jobs lack events"));
        }
        if findings.is_empty() {
            return Ok(());
        }
        Err(StoreError::Damaged { operation, findings: findings.join("; ") })
    }

    /// Writes a consistent copy of a SQLite file to `path`, where no file may be yet, while others go on working.
    pub(crate) async fn vacuum_into(&self, path: &Path) -> Result<(), StoreError> {
        let operation = "write a backup of the database";
        let Some(text) = path.to_str() else {
            return Err(StoreError::UnusablePath { operation, path: path.to_owned() });
        };
        // The writing connection: VACUUM is not allowed on those that only read.
        let write = self.writer(operation)?;
        write.run(sql("VACUUM INTO $1").bind(text)).await.map_err(failed(operation))?;
        Ok(())
    }

    /// Closes all connections, of all clones. The last process to do so folds SQLite's log into its file.
    pub async fn close(&self) {
        self.read.close().await;
        if let Some(write) = &self.write {
            write.close().await;
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        match &self.read {
            Pool::Sqlite(_) => Engine::Sqlite,
            Pool::Postgres(_) => Engine::Postgres,
        }
    }

    pub(crate) fn reader(&self) -> &Pool {
        &self.read
    }

    pub(crate) fn writer(&self, operation: &'static str) -> Result<&Pool, StoreError> {
        self.write.as_ref().ok_or(StoreError::OpenedReadOnly { operation })
    }

    pub(crate) async fn all(&self, operation: &'static str, sql: Sql) -> Result<Vec<Row>, StoreError> {
        self.read.all(sql).await.map_err(failed(operation))
    }

    pub(crate) async fn optional(
        &self,
        operation: &'static str,
        sql: Sql,
    ) -> Result<Option<Row>, StoreError> {
        self.read.optional(sql).await.map_err(failed(operation))
    }

    pub(crate) async fn one(&self, operation: &'static str, sql: Sql) -> Result<Row, StoreError> {
        self.read.one(sql).await.map_err(failed(operation))
    }

    /// One changing statement, in a transaction of its own. Returns the number of rows.
    pub(crate) async fn run(&self, operation: &'static str, sql: Sql) -> Result<u64, StoreError> {
        self.writer(operation)?.run(sql).await.map_err(failed(operation))
    }

    /// A change that is a transaction by itself: see [`crate::at_once`]. Once SQLite has begun, it is carried through, even when
    /// nobody waits for the answer any more; PostgreSQL does so by itself.
    pub(crate) async fn change(&self, operation: &'static str, sql: Sql) -> Result<Vec<Row>, StoreError> {
        let pool = self.writer(operation)?.clone();
        if self.engine() == Engine::Postgres {
            return pool.all(sql).await.map_err(failed(operation));
        }
        let changing = tokio::spawn(async move { pool.all_or_nothing(sql).await });
        let lost = |_| StoreError::Internal { what: "a change of the database broke off" };
        changing.await.map_err(lost)?.map_err(failed(operation))
    }

    pub(crate) async fn begin(&self, operation: &'static str) -> Result<WriteTx, StoreError> {
        let tx = self.writer(operation)?.begin().await.map_err(failed(operation))?;
        Ok(WriteTx { tx, operation, engine: self.engine(), gives_work: false, woken: self.woken.clone() })
    }
}

/// How often a transaction is tried that collides with others.
const TRIES: u32 = 3;

/// What collides with another transaction was undone by the database and can be done again.
pub(crate) async fn retried<T, A: Future<Output = Result<T, StoreError>>>(
    act: impl Fn() -> A,
) -> Result<T, StoreError> {
    let mut tried = 1;
    loop {
        match act().await {
            Err(error) if error.is_collision() && tried < TRIES => tried += 1,
            done => return done,
        }
    }
}

/// A transaction that changes something. Dropping it undoes it. With SQLite it holds the database's write lock from its start.
#[derive(Debug)]
pub(crate) struct WriteTx {
    tx: Tx,
    pub(crate) operation: &'static str,
    engine: Engine,
    gives_work: bool,
    woken: watch::Sender<u64>,
}

impl WriteTx {
    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    pub(crate) async fn all(&mut self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        self.tx.all(sql).await.map_err(failed(self.operation))
    }

    pub(crate) async fn optional(&mut self, sql: Sql) -> Result<Option<Row>, StoreError> {
        self.tx.optional(sql).await.map_err(failed(self.operation))
    }

    pub(crate) async fn run(&mut self, sql: Sql) -> Result<u64, StoreError> {
        self.tx.run(sql).await.map_err(failed(self.operation))
    }

    /// Somebody can do something after this commit: a job became ready, a slot free, a cancel was asked for.
    pub(crate) fn gives_work(&mut self) {
        self.gives_work = true;
    }

    /// Commits, and wakes those who wait only after they can see it.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        if self.gives_work && self.engine == Engine::Postgres {
            // The last statement, because the commit of a notification holds a lock of the whole server.
            self.run(sql(crate::wakes::NOTIFY)).await?;
        }
        self.tx.commit().await.map_err(failed(self.operation))?;
        if self.gives_work {
            self.woken.send_modify(|count| *count = count.wrapping_add(1));
        }
        Ok(())
    }
}
