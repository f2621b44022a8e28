//! Opening a SQLite file: its directory and permissions, its schema, the two pools, and precise refusals.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use crate::database::Database;
use crate::error::{ErrorClass, OpenError};
use crate::migrate::{SCHEMA_VERSION, Schema, migrate_sqlite, schema_sqlite};
use crate::postgres::TURN as TURN_OF_SERVER;
use crate::sql::Pool;
use crate::store::Store;

/// How long a statement waits for another process's transaction. Ours last milliseconds, and SQLite's waiting is unfair:
/// under eight busy processes a single wait of more than a second was measured.
pub(crate) const BUSY: Duration = Duration::from_secs(10);
/// How long a task waits for its turn at the one writing connection.
const TURN: Duration = Duration::from_secs(30);
/// Reads are short and rare; more connections would only cost memory.
const READERS: u32 = 4;

impl Store {
    /// Opens a database, makes its schema where there is none, and brings an older one forward.
    ///
    /// # Errors
    /// [`OpenError`]; the database is left as it was.
    pub async fn connect(database: &Database) -> Result<Self, OpenError> {
        match database {
            Database::Sqlite(path) => Self::open(path).await,
            Database::Postgres(url) => Self::open_postgres(database.clone(), url, TURN_OF_SERVER).await,
        }
    }

    /// Opens the SQLite file at `path`, creates it where there is none, and brings its schema forward.
    /// A created directory is closed to other users, and so is a created file.
    ///
    /// # Errors
    /// [`OpenError`]; the file is left as it was.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_waiting(path, BUSY).await
    }

    /// Opens it, and waits `busy` for other processes, now and with every later statement.
    pub(crate) async fn open_waiting(path: &Path, busy: Duration) -> Result<Self, OpenError> {
        create(path)?;
        let name = |source| opening(path, source);
        let options = options(path, busy);
        // A switch to WAL does not wait for other openers: SQLite reports "busy" at once.
        let deadline = tokio::time::Instant::now() + busy;
        loop {
            match prepare(path, &options).await {
                Err(OpenError::Locked { .. }) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let write = pool(1).connect_with(options.clone()).await.map_err(name)?;
        let read = pool(READERS).connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self::new(Database::Sqlite(path.to_owned()), Some(Pool::Sqlite(write)), Pool::Sqlite(read)))
    }

    /// Opens an existing database for reading, also where its directory cannot be written.
    /// Every mutation then fails with [`StoreError::OpenedReadOnly`](crate::StoreError::OpenedReadOnly).
    ///
    /// # Errors
    /// [`OpenError`], also when the schema is older than this version's.
    pub async fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        let found = peek(path).await?;
        match found {
            (Schema::Version(SCHEMA_VERSION), options) => {
                let read = Pool::Sqlite(pool(READERS).connect_lazy_with(options));
                Ok(Self::new(Database::Sqlite(path.to_owned()), None, read))
            }
            (found, _) => Err(refusal(path, found)),
        }
    }
}

pub(crate) fn options(path: &Path, busy: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(busy)
        // An acknowledged commit is on the disk: FULL syncs the log with every commit.
        .synchronous(SqliteSynchronous::Full)
        // The driver would warn of every wait for another process as of a slow statement.
        .disable_statement_logging()
}

fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .min_connections(0)
        .acquire_timeout(TURN)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // When SQLite itself undoes a transaction (full disk, IO error), the driver still counts it as open and would
        // refuse every later BEGIN on this connection.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

fn create(path: &Path) -> Result<(), OpenError> {
    /// Closing any descriptor of a file drops all locks that this process holds on it, those of SQLite included. So
    /// nobody in this process may open the database while another thread is about to close what it created.
    static CREATING: Mutex<()> = Mutex::new(());
    let _turn = CREATING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|source| OpenError::CreateDirectory { path: parent.to_owned(), source })?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists || path.exists() => Ok(()),
        Err(source) => Err(OpenError::CreateFile { path: path.to_owned(), source }),
    }
}

/// Checks the file, migrates it and switches it to write-ahead logging. A file that is not ours is not written to.
async fn prepare(path: &Path, options: &SqliteConnectOptions) -> Result<(), OpenError> {
    let name = |source| opening(path, source);
    let mut connection = SqliteConnection::connect_with(options).await.map_err(name)?;
    match migrate_sqlite(&mut connection).await.map_err(name)? {
        Schema::Version(version) if version > SCHEMA_VERSION => {
            return Err(refusal(path, Schema::Version(version)));
        }
        Schema::Foreign => return Err(refusal(path, Schema::Foreign)),
        Schema::Empty | Schema::Version(_) => {}
    }
    let row = sqlx::query("PRAGMA journal_mode = WAL").fetch_one(&mut connection).await.map_err(name)?;
    let mode: String = row.try_get(0).map_err(name)?;
    if mode != "wal" {
        tracing::warn!(%mode, path = %path.display(), "this file system has no shared memory: readers will wait for writers");
    }
    connection.close().await.map_err(name)
}

/// What an existing file holds, and how it can be read without writing anything.
pub(crate) async fn peek(path: &Path) -> Result<(Schema, SqliteConnectOptions), OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing { path: path.to_owned() });
    }
    let options = options(path, BUSY).read_only(true);
    // Without a log, and without the right to make one, the file itself is all there is.
    match peek_schema(&options).await {
        Ok(found) => Ok((found, options)),
        Err(error) if !has_log(path) => {
            tracing::debug!(%error, "reading the database file as it stands");
            let options = options.immutable(true);
            Ok((peek_schema(&options).await.map_err(|source| opening(path, source))?, options))
        }
        Err(error) => Err(opening(path, error)),
    }
}

pub(crate) async fn peek_schema(options: &SqliteConnectOptions) -> Result<Schema, sqlx::Error> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    let found = schema_sqlite(&mut connection).await?;
    connection.close().await?;
    Ok(found)
}

/// Whether commits stand in the write-ahead log that are not in the file yet.
pub(crate) fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(PathBuf::from(log)).is_ok_and(|metadata| metadata.len() > 0)
}

pub(crate) fn refusal(path: &Path, found: Schema) -> OpenError {
    let place = path.display().to_string();
    match found {
        Schema::Empty => OpenError::Older { place, found: 0, supported: SCHEMA_VERSION },
        Schema::Foreign => OpenError::Foreign { place },
        Schema::Version(found) if found > SCHEMA_VERSION => {
            OpenError::Newer { place, found, supported: SCHEMA_VERSION }
        }
        Schema::Version(found) => OpenError::Older { place, found, supported: SCHEMA_VERSION },
    }
}

pub(crate) fn opening(path: &Path, source: sqlx::Error) -> OpenError {
    /// "File is not a database", and "unable to open the file" or one of the files beside it.
    const NOT_A_DATABASE: i32 = 26;
    const CANNOT_OPEN: i32 = 14;
    let path = path.to_owned();
    let code = source.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
    match (code.map(|code| code & 0xff), ErrorClass::of(&source)) {
        (Some(NOT_A_DATABASE), _) => OpenError::NotADatabase { path, source },
        (Some(CANNOT_OPEN), _) if path.is_dir() => OpenError::Failed { path, source },
        (Some(CANNOT_OPEN), _) | (_, ErrorClass::ReadOnly) => OpenError::ReadOnly { path, source },
        (_, ErrorClass::Corrupt) => OpenError::Damaged { path, source },
        (_, ErrorClass::Busy) => OpenError::Locked { path, source },
        (_, ErrorClass::Full) => OpenError::Full { path, source },
        (
            _,
            ErrorClass::LeaseLost
            | ErrorClass::Io
            | ErrorClass::Newer
            | ErrorClass::Refused
            | ErrorClass::Bug,
        ) => OpenError::Failed { path, source },
    }
}
