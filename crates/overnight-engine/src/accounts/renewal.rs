//! Lets one CLI at a time begin when a login has to be renewed. A vendor's token for renewing works once: of two CLIs that renew the same
//! login at the same moment, one would lose it for both.
//!
//! The lock is a file in the data directory; the kernel frees it when its holder dies.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use overnight_core::agent::Account;
use overnight_core::units::Timestamp;
use tokio::time::{Instant, sleep};

use crate::seat::Seat;
use crate::trouble::{self, StageError};

/// A login that runs out within this time is renewed by the next CLI that starts: vendors' CLIs renew from five minutes before on.
const SOON: Duration = Duration::from_secs(10 * 60);
/// Longest wait for somebody else's renewal. Whoever has not renewed by then has trouble of its own.
const LONGEST: Duration = Duration::from_secs(2 * 60);
/// How often the lock is tried.
const PAUSE: Duration = Duration::from_millis(100);
/// Largest file that is looked at.
const LOGIN_FILE: u64 = 1 << 20;

/// Held from before a CLI starts until its vendor has answered it.
#[derive(Debug)]
pub(crate) struct Renewal {
    _lock: File,
}

impl Renewal {
    /// Waits for its turn, where a renewal is near. `None`: none is.
    pub(crate) async fn wait(
        seat: &Seat<'_>,
        account: &Account,
        now: Timestamp,
    ) -> Result<Option<Self>, StageError> {
        let Some(file) = login_file(seat, account) else { return Ok(None) };
        if !is_near(account, file.clone(), now).await? {
            return Ok(None);
        }
        let path = seat
            .engine
            .dirs()
            .root()
            .join("locks")
            .join(format!("login-{}-{}.lock", account.id.backend, account.id.name));
        let began = Instant::now();
        let mut told = false;
        while began.elapsed() < LONGEST {
            if let Some(lock) = try_lock(path.clone()).await? {
                // Whoever was before us has renewed it.
                let still = is_near(account, file, now).await?;
                return Ok(still.then_some(Self { _lock: lock }));
            }
            if !std::mem::replace(&mut told, true) {
                seat.waiting(format!("another job is renewing the login of {}", account.id));
            }
            seat.unless_stopped(async {
                sleep(PAUSE).await;
                Ok(())
            })
            .await?;
        }
        Ok(None)
    }
}

fn login_file(seat: &Seat<'_>, account: &Account) -> Option<PathBuf> {
    let place = overnight_agents::login_places(account.id.backend)?;
    let host = seat.engine.host();
    let named = host.env.get(OsStr::new(place.variable)).filter(|value| !value.is_empty());
    let directory = account.login_dir.clone().or_else(|| named.map(PathBuf::from));
    match directory {
        Some(directory) => Some(directory.join(place.within)),
        None => Some(host.home.as_ref()?.join(place.at_home)),
    }
}

async fn is_near(account: &Account, file: PathBuf, now: Timestamp) -> Result<bool, StageError> {
    let backend = account.id.backend;
    trouble::blocking(move || {
        let mut text = Vec::new();
        // No file: the login is kept elsewhere, and nobody here can tell.
        let Ok(file) = File::open(file) else { return false };
        if file.take(LOGIN_FILE).read_to_end(&mut text).is_err() {
            return false;
        }
        overnight_agents::login_expiry(backend, &text).is_some_and(|at| at <= now.plus(SOON))
    })
    .await
}

async fn try_lock(path: PathBuf) -> Result<Option<File>, StageError> {
    let lock = move || {
        if let Some(dir) = path.parent() {
            trouble::private_dir(dir)?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    };
    trouble::blocking(lock).await?.map_err(trouble::io)
}
