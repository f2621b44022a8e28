//! One writer per mirror, over all processes of the machine.
//!
//! Owns the lock file beside the mirror. The kernel frees the lock when its holder dies, so there is no stale one.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::GitError;

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// How long to wait for a mirror that another job uses, and whom to tell.
#[derive(Clone, Copy)]
pub struct LockWait<'a> {
    pub timeout: Duration,
    /// Called with the time waited so far, before every further try.
    pub progress: &'a (dyn Fn(Duration) + Sync),
}

impl LockWait<'_> {
    /// Waits for so long, silently.
    #[must_use]
    pub fn silent(timeout: Duration) -> Self {
        Self { timeout, progress: &|_| {} }
    }
}

impl std::fmt::Debug for LockWait<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LockWait").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Being alone with one mirror; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Alone {
    _file: File,
}

pub(super) async fn acquire(mirror: &Path, wait: &LockWait<'_>) -> Result<Alone, GitError> {
    let path = mirror.with_extension("lock");
    let operation = "lock a mirror";
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(GitError::io(operation, &path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Alone { _file: file }),
            Err(TryLockError::Error(source)) => return Err(GitError::io(operation, &path)(source)),
            Err(TryLockError::WouldBlock) => {}
        }
        let waited = started.elapsed();
        if waited >= wait.timeout {
            return Err(GitError::LockTimeout { path: mirror.to_owned(), waited });
        }
        (wait.progress)(waited);
        tokio::time::sleep(PAUSE).await;
    }
}
