//! What can go wrong with the store, in classes that a caller can act on. Owns no state and performs no IO.

use std::error::Error;
use std::path::PathBuf;

use overnight_core::id::{Fence, JobId, RepositoryId, TaskKey};
use overnight_core::job::{EndReason, IllegalTransition};
use sqlx::postgres::PgDatabaseError;

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
    /// The server does not let us in, or what was asked for cannot be.
    Refused,
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
            Self::Refused => {
                Some("look at the server's address, the database's name, the user and the password")
            }
            Self::Newer => Some("use the newer version of overnight that wrote this database"),
            Self::Bug => Some("this is a bug in overnight: please report it"),
        }
    }

    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
                Some(error) => postgres_class(error.code()),
                None => database.code().and_then(|code| code.parse().ok()).map_or(Self::Bug, sqlite_class),
            },
            sqlx::Error::Io(io) => io_class(io),
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed | sqlx::Error::Protocol(_) => Self::Io,
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => Self::Refused,
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

/// SQLSTATE classes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres_class(code: &str) -> ErrorClass {
    match (code, code.get(..2).unwrap_or_default()) {
        // Deadlock, serialisation failure, lock not available.
        ("40P01" | "40001" | "55P03", _) => ErrorClass::Busy,
        ("53100", _) => ErrorClass::Full,
        ("25006", _) => ErrorClass::ReadOnly,
        // Too many connections; connection lost, server shutting down or starting, statement cancelled by it.
        (_, "53" | "08" | "57" | "58") => ErrorClass::Io,
        // Authentication, missing database or schema, missing right, a value that cannot be stored.
        (_, "22" | "28" | "3D" | "3F") | ("42501", _) => ErrorClass::Refused,
        // Idle in a transaction for too long: this process stood still.
        (_, "25") => ErrorClass::Io,
        (_, "XX") => ErrorClass::Corrupt,
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
    #[error("there is no repository {id}")]
    UnknownRepository { id: RepositoryId },
    #[error("job {job} is {found} in another way than the step for {expected} expects")]
    StateMoved { job: JobId, expected: &'static str, found: &'static str },
    #[error("effect {effect} of job {job} cannot become {wanted}: it is already done, or was never reserved")]
    EffectOutOfOrder { job: JobId, effect: String, wanted: &'static str },
    #[error("request {request:?} was used before, for the different job {key}")]
    RequestReused { request: String, key: TaskKey },
    #[error("request {request:?} stands twice in one batch")]
    RequestTwice { request: String },
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
    /// The answer to a transaction was not heard, so it may or may not have happened.
    #[error("failed to {operation}: {why}")]
    Unheard { operation: &'static str, class: ErrorClass, why: String },
    #[error("a job that this one should wait for has ended already, as {}: {key}", .reason.code())]
    ParentFailed { key: TaskKey, reason: EndReason },
    /// A task has at most one job that has not ended.
    #[error("task {task} has a job that has not ended: {job}")]
    TaskBusy { task: TaskKey, job: TaskKey },
    #[error("job {key} waits for other jobs that have not ended")]
    Blocked { key: TaskKey },
    #[error("{what}; this is a fault of Overnight")]
    Internal { what: &'static str },
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
            Self::Unheard { class, .. } => *class,
            Self::UnknownJob { .. }
            | Self::UnknownRepository { .. }
            | Self::RequestReused { .. }
            | Self::RequestTwice { .. }
            | Self::ParentFailed { .. }
            | Self::TaskBusy { .. }
            | Self::Blocked { .. } => ErrorClass::Refused,
            Self::StateMoved { .. }
            | Self::EffectOutOfOrder { .. }
            | Self::Internal { .. }
            | Self::Transition { .. }
            | Self::Encode { .. }
            | Self::UnusablePath { .. } => ErrorClass::Bug,
        }
    }

    /// Two transactions wanted the same rows in another order, or at the same time: this one was undone and can be repeated.
    pub(crate) fn is_collision(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        let code = source.as_database_error().and_then(|error| error.code());
        matches!(code.as_deref(), Some("40P01" | "40001"))
    }

    /// Another transaction inserted the same key first.
    pub(crate) fn is_duplicate(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        source.as_database_error().is_some_and(|error| error.is_unique_violation())
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::RequestReused { .. } | Self::RequestTwice { .. } => {
                Some("give a different job a request name of its own")
            }
            Self::UnusablePath { .. } => Some("choose a path that is valid UTF-8"),
            Self::ParentFailed { .. } => Some("wait for it with --after-any, or run that job again first"),
            Self::TaskBusy { .. } => Some("wait for that job, or end it first: overnight cancel"),
            Self::Blocked { .. } => Some("see what it waits for: overnight show"),
            Self::UnknownJob { .. } => Some("overnight ls --all lists every job"),
            Self::LeaseLost { .. }
            | Self::UnknownRepository { .. }
            | Self::StateMoved { .. }
            | Self::Internal { .. }
            | Self::Unheard { .. }
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
    #[error("{place} is a database, but not one of overnight")]
    Foreign { place: String },
    #[error("the database {} is damaged or cut short", .path.display())]
    Damaged { path: PathBuf, source: sqlx::Error },
    #[error(
        "the database {place} has schema {found}, and this version of overnight knows schema {supported}"
    )]
    Newer { place: String, found: i64, supported: i64 },
    #[error(
        "the database {place} has schema {found}, and reading it without writing needs schema {supported}"
    )]
    Older { place: String, found: i64, supported: i64 },
    #[error("the database {}, or its directory, cannot be written", .path.display())]
    ReadOnly { path: PathBuf, source: sqlx::Error },
    #[error("the database {} is locked by another process", .path.display())]
    Locked { path: PathBuf, source: sqlx::Error },
    #[error("the disk that holds the database {} is full", .path.display())]
    Full { path: PathBuf, source: sqlx::Error },
    #[error("failed to open the database {}", .path.display())]
    Failed { path: PathBuf, source: sqlx::Error },
    /// `database`: without its password.
    #[error("failed to open {database}")]
    Server { database: String, source: sqlx::Error },
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
            Self::Failed { source, .. } | Self::Server { source, .. } => ErrorClass::of(source),
        }
    }

    /// Whether a server is out of reach, or not ready, which can pass by itself. A file that cannot be opened does not open
    /// itself later, and a server that refuses us goes on refusing.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Server { .. } => {
                matches!(self.class(), ErrorClass::Io | ErrorClass::Busy | ErrorClass::Full)
            }
            Self::CreateDirectory { .. }
            | Self::CreateFile { .. }
            | Self::Missing { .. }
            | Self::NotADatabase { .. }
            | Self::Foreign { .. }
            | Self::Damaged { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::ReadOnly { .. }
            | Self::Locked { .. }
            | Self::Full { .. }
            | Self::Failed { .. } => false,
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
            Self::Server { .. } if self.is_away() => {
                Some("see whether the server runs, and whether this machine reaches it at that address")
            }
            Self::CreateDirectory { .. }
            | Self::CreateFile { .. }
            | Self::Newer { .. }
            | Self::ReadOnly { .. }
            | Self::Locked { .. }
            | Self::Full { .. }
            | Self::Failed { .. }
            | Self::Server { .. } => self.class().hint(),
        }
    }
}
