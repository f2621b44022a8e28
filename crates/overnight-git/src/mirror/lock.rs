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
    file: File,
}

const OPERATION: &str = "lock a mirror";
/// How long to try for a lock that is taken only if nobody has it: a process that was started at this moment may have a
/// copy of the lock's descriptor until it has closed what is not its own.
const BRIEFLY: Duration = Duration::from_millis(200);

/// Waits to be alone with a mirror in order to use it. The time of the lock file is when that was last done.
pub(super) async fn acquire(mirror: &Path, wait: &LockWait<'_>) -> Result<Alone, GitError> {
    let alone = take(mirror, wait).await?;
    // Setting a file's length sets its time, whatever the length was.
    alone.file.set_len(0).map_err(GitError::io(OPERATION, mirror))?;
    Ok(alone)
}

/// Being alone with a mirror to look after it, which is no use of it. `None`: somebody else is there.
pub(super) async fn if_free(mirror: &Path) -> Result<Option<Alone>, GitError> {
    match take(mirror, &LockWait::silent(BRIEFLY)).await {
        Err(GitError::LockTimeout { .. }) => Ok(None),
        alone => alone.map(Some),
    }
}

async fn take(mirror: &Path, wait: &LockWait<'_>) -> Result<Alone, GitError> {
    let path = mirror.with_extension("lock");
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(GitError::io(OPERATION, &path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Alone { file }),
            Err(TryLockError::Error(source)) => return Err(GitError::io(OPERATION, &path)(source)),
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
