//! What a failure means for the job: wait and go on later, or end. One table for every kind of error that a stage meets.

#![expect(clippy::needless_pass_by_value, reason = "these stand in map_err, which hands the error over")]

use std::io;
use std::path::Path;

use overnight_core::job::{EndReason, ParkReason, Trouble};
use overnight_forge::{ErrorClass, ForgeError};
use overnight_git::{Class, GitError};
use overnight_proc::SpawnError;

use crate::credentials::TokenError;
use crate::error::WorkError;

/// Why a stage has no output.
#[derive(Debug)]
pub(crate) enum StageError {
    /// A signal ended it; which one, the signals know.
    Stopped,
    Trouble {
        trouble: Trouble,
        detail: String,
    },
    /// Objects of the mirror are broken: it has to be made anew.
    MirrorDamaged {
        detail: String,
    },
    /// The job can no longer be moved by this runner.
    Work(WorkError),
}

impl From<WorkError> for StageError {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

impl From<overnight_store::StoreError> for StageError {
    fn from(error: overnight_store::StoreError) -> Self {
        Self::Work(error.into())
    }
}

fn wait(reason: ParkReason, detail: impl Into<String>) -> StageError {
    StageError::Trouble { trouble: Trouble::Wait { reason, wake: None }, detail: detail.into() }
}

pub(crate) fn wait_unavailable(detail: impl Into<String>) -> StageError {
    wait(ParkReason::Unavailable, detail)
}

pub(crate) fn wait_disk_full(detail: impl Into<String>) -> StageError {
    wait(ParkReason::DiskFull, detail)
}

pub(crate) fn end(reason: EndReason, detail: impl Into<String>) -> StageError {
    StageError::Trouble { trouble: Trouble::End(reason), detail: detail.into() }
}

pub(crate) fn config(detail: impl Into<String>) -> StageError {
    end(EndReason::ConfigInvalid, detail)
}

/// A state of our own program that cannot be.
pub(crate) fn bug(what: &str) -> StageError {
    end(EndReason::InternalError, format!("{what}; this is a fault of Overnight, please report it"))
}

pub(crate) fn git(error: GitError) -> StageError {
    let detail = chain(&error);
    match error.class() {
        Class::Transient => wait(ParkReason::Unavailable, detail),
        Class::Auth => wait(ParkReason::ForgeLogin, detail),
        Class::NoSpace => wait(ParkReason::DiskFull, detail),
        Class::Corrupt => StageError::MirrorDamaged { detail },
        Class::NotFound | Class::Setup => end(EndReason::RepositoryUnusable, detail),
        Class::Rejected => end(EndReason::BranchConflict, detail),
        Class::Bug => end(EndReason::InternalError, detail),
    }
}

pub(crate) fn forge(error: ForgeError) -> StageError {
    let detail = format!("{}; {}", chain(&error), error.hint());
    match error.class() {
        ErrorClass::Auth | ErrorClass::Permission => wait(ParkReason::ForgeLogin, detail),
        ErrorClass::RateLimited | ErrorClass::BudgetExhausted | ErrorClass::Unavailable => {
            wait(ParkReason::Unavailable, detail)
        }
        ErrorClass::NotFound => wait(ParkReason::ForgeLogin, detail),
        ErrorClass::Conflict => end(EndReason::BranchConflict, detail),
        ErrorClass::Validation
        | ErrorClass::Refused
        | ErrorClass::Redirected
        | ErrorClass::Unexpected
        | ErrorClass::Unusable => end(EndReason::RepositoryUnusable, detail),
    }
}

pub(crate) fn token(error: TokenError) -> StageError {
    // The forge itself has said why.
    if let TokenError::App(error) = error {
        return forge(error);
    }
    wait(ParkReason::ForgeLogin, chain(&error))
}

pub(crate) fn no_token(remote: &str) -> StageError {
    let detail = format!(
        "no token for {remote}; set GITHUB_TOKEN, or name a source in the configuration: \
         [forge.hosts.\"HOST\"] token_env, token_file, token_command or app_id"
    );
    wait(ParkReason::ForgeLogin, detail)
}

pub(crate) fn spawn(error: SpawnError) -> StageError {
    let detail = chain(&error);
    match error {
        SpawnError::NoSpace { .. } => wait(ParkReason::DiskFull, detail),
        SpawnError::OutOfResources { .. } | SpawnError::CwdMissing { .. } | SpawnError::Log { .. } => {
            wait(ParkReason::Unavailable, detail)
        }
        SpawnError::ProgramNotFound { .. } | SpawnError::NotExecutable { .. } => {
            end(EndReason::AgentMissing, detail)
        }
        SpawnError::ArgumentsTooLong { .. } | SpawnError::NulByte { .. } => config(detail),
        SpawnError::Guard { .. } | SpawnError::Setup { .. } => end(EndReason::InternalError, detail),
    }
}

pub(crate) fn io(error: io::Error) -> StageError {
    let detail = error.to_string();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => wait(ParkReason::DiskFull, detail),
        _ => wait(ParkReason::Unavailable, detail),
    }
}

/// File work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StageError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| bug("file work broke off"))
}

/// Makes a directory and its parents, closed to other users.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// An error and its causes, as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
