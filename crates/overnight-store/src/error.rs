//! What can go wrong with the store, in classes that a caller can act on. Owns no state and performs no IO.

use std::error::Error;
use std::path::PathBuf;

use overnight_core::id::{Fence, JobId, TaskKey};
use overnight_core::job::IllegalTransition;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Somebody else holds the job: stop acting for it.
    LeaseLost,
    /// Another process kept the database for too long. Trying again may help.
    Busy,
    /// The disk or the file's quota is full.
    Full,
    ReadOnly,
    /// The file, or a row of it, is not what was written.
    Corrupt,
    /// The operating system failed a read, a write or a sync.
    Io,
    /// The schema belongs to a newer version of Overnight.
    Newer,
    /// A mistake in Overnight itself.
    Bug,
}

impl ErrorClass {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::LeaseLost => None,
            Self::Busy => Some("another process keeps the database locked; try again, or stop that process"),
            Self::Full => Some("free some space on the disk that holds the database, then try again"),
            Self::ReadOnly => Some("make the database file and its directory writable for this user"),
            Self::Corrupt => {
                Some("run `overnight doctor`; if the file is damaged, put a backup in its place")
            }
            Self::Io => Some("look at the system log for disk errors, then try again"),
            Self::Newer => Some("use the newer version of overnight that wrote this database"),
            Self::Bug => Some("this is a bug in overnight: please report it"),
        }
    }

    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                database.code().and_then(|code| code.parse().ok()).map_or(Self::Bug, sqlite_class)
            }
            sqlx::Error::Io(io) => io_class(io),
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => Self::Io,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt,
            // sqlx's enum is open; everything else is a wrong call.
            _ => Self::Bug,
        }
    }
}

/// Result codes of SQLite: <https://sqlite.org/rescode.html>. The low byte is the primary code.
fn sqlite_class(code: i32) -> ErrorClass {
    /// The shared-memory file could not be enlarged, which only a full disk does.
    const IOERR_SHMSIZE: i32 = 4874;
    match (code, code & 0xff) {
        (IOERR_SHMSIZE, _) | (_, 13) => ErrorClass::Full,
        (_, 5 | 6) => ErrorClass::Busy,
        (_, 3 | 8) => ErrorClass::ReadOnly,
        (_, 10 | 14) => ErrorClass::Io,
        (_, 11 | 26) => ErrorClass::Corrupt,
        (_, _) => ErrorClass::Bug,
    }
}

pub(crate) fn io_class(error: &std::io::Error) -> ErrorClass {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => ErrorClass::ReadOnly,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorClass::Full,
        // std's enum is open.
        _ => ErrorClass::Io,
    }
}

/// A stored value that this version cannot read: damaged, or written by a newer version.
#[derive(Debug, thiserror::Error)]
#[error("the stored {column} of job {job} cannot be read")]
pub struct CorruptRow {
    /// Text, because the id itself may be what cannot be read.
    pub job: String,
    pub column: &'static str,
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl CorruptRow {
    pub(crate) fn new(
        job: &str,
        column: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { job: job.to_owned(), column, source: source.into() }
    }
}

/// A failed operation on an open store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written.
    #[error("job {job} is no longer held under fence {}", .fence.0)]
    LeaseLost { job: JobId, fence: Fence },
    #[error("there is no job {job}")]
    UnknownJob { job: JobId },
    #[error("job {job} is {found} in another way than the step for {expected} expects")]
    StateMoved { job: JobId, expected: &'static str, found: &'static str },
    #[error("effect {effect} of job {job} cannot become {wanted}: it is already done, or was never reserved")]
    EffectOutOfOrder { job: JobId, effect: &'static str, wanted: &'static str },
    #[error("request {request:?} was used before, for the different job {key}")]
    RequestReused { request: String, key: TaskKey },
    #[error("failed to claim job {job}")]
    Transition { job: JobId, source: IllegalTransition },
    #[error("failed to write the {column} of a job as JSON")]
    Encode { column: &'static str, source: serde_json::Error },
    #[error(transparent)]
    Row(#[from] CorruptRow),
    #[error("failed to {operation}: the store was opened for reading only")]
    OpenedReadOnly { operation: &'static str },
    #[error("failed to {operation}: the database is damaged: {findings}")]
    Damaged { operation: &'static str, findings: String },
    #[error("failed to {operation}: {path} cannot be named in SQL", path = .path.display())]
    UnusablePath { operation: &'static str, path: PathBuf },
    #[error("failed to {operation}")]
    Database { operation: &'static str, source: sqlx::Error },
}

impl StoreError {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::LeaseLost { .. } => ErrorClass::LeaseLost,
            Self::Row(_) | Self::Damaged { .. } => ErrorClass::Corrupt,
            Self::OpenedReadOnly { .. } => ErrorClass::ReadOnly,
            Self::Database { source, .. } => ErrorClass::of(source),
            Self::UnknownJob { .. }
            | Self::StateMoved { .. }
            | Self::EffectOutOfOrder { .. }
            | Self::RequestReused { .. }
            | Self::Transition { .. }
            | Self::Encode { .. }
            | Self::UnusablePath { .. } => ErrorClass::Bug,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::RequestReused { .. } => Some("give a different job a request name of its own"),
            Self::UnusablePath { .. } => Some("choose a path that is valid UTF-8"),
            Self::LeaseLost { .. }
            | Self::UnknownJob { .. }
            | Self::StateMoved { .. }
            | Self::EffectOutOfOrder { .. }
            | Self::Transition { .. }
            | Self::Encode { .. }
            | Self::Row(_)
            | Self::OpenedReadOnly { .. }
            | Self::Damaged { .. }
            | Self::Database { .. } => self.class().hint(),
        }
    }
}

/// Names the operation that a database error belongs to.
pub(crate) fn failed(operation: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { operation, source }
}

/// Why a store could not be opened. The file is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to create the directory {}", .path.display())]
    CreateDirectory { path: PathBuf, source: std::io::Error },
    #[error("failed to create the database {}", .path.display())]
    CreateFile { path: PathBuf, source: std::io::Error },
    #[error("there is no database at {}", .path.display())]
    Missing { path: PathBuf },
    #[error("{} is not a database", .path.display())]
    NotADatabase { path: PathBuf, source: sqlx::Error },
    #[error("{} is a database, but not one of overnight", .path.display())]
    Foreign { path: PathBuf },
    #[error("the database {} is damaged or cut short", .path.display())]
    Damaged { path: PathBuf, source: sqlx::Error },
    #[error("the database {} has schema {found}, and this version of overnight knows schema {supported}", .path.display())]
    Newer { path: PathBuf, found: i64, supported: i64 },
    #[error("the database {} has schema {found}, and reading it without writing needs schema {supported}", .path.display())]
    Older { path: PathBuf, found: i64, supported: i64 },
    #[error("the database {}, or its directory, cannot be written", .path.display())]
    ReadOnly { path: PathBuf, source: sqlx::Error },
    #[error("the database {} is locked by another process", .path.display())]
    Locked { path: PathBuf, source: sqlx::Error },
    #[error("the disk that holds the database {} is full", .path.display())]
    Full { path: PathBuf, source: sqlx::Error },
    #[error("failed to open the database {}", .path.display())]
    Failed { path: PathBuf, source: sqlx::Error },
}

impl OpenError {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::CreateDirectory { source, .. } | Self::CreateFile { source, .. } => io_class(source),
            Self::Missing { .. } => ErrorClass::Io,
            Self::NotADatabase { .. } | Self::Foreign { .. } | Self::Damaged { .. } => ErrorClass::Corrupt,
            Self::Newer { .. } => ErrorClass::Newer,
            Self::Older { .. } | Self::ReadOnly { .. } => ErrorClass::ReadOnly,
            Self::Locked { .. } => ErrorClass::Busy,
            Self::Full { .. } => ErrorClass::Full,
            Self::Failed { source, .. } => ErrorClass::of(source),
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => Some("nothing was ever queued here; `overnight run` makes the database"),
            Self::NotADatabase { .. } | Self::Foreign { .. } => {
                Some("the file was left untouched; move it away, or name another path for the database")
            }
            Self::Damaged { .. } => Some("the file was left untouched; put a backup in its place"),
            Self::Older { .. } => Some("run any overnight command once where the directory is writable"),
            Self::CreateDirectory { .. }
            | Self::CreateFile { .. }
            | Self::Newer { .. }
            | Self::ReadOnly { .. }
            | Self::Locked { .. }
            | Self::Full { .. }
            | Self::Failed { .. } => self.class().hint(),
        }
    }
}
