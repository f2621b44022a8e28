//! The limit of open files. A worker with hundreds of jobs needs more than the thousand that is usual; what it starts gets the
//! usual limit back, because a program that waits with `select` cannot count further.
#![expect(unsafe_code, reason = "resource limits have no safe interface in the standard library")]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// The limit before it was raised; 0: it was not.
static USUAL: AtomicU64 = AtomicU64::new(0);

/// Lets this process open as many files as it may allow itself, and returns how many those are.
///
/// # Errors
/// When the kernel refuses; the limit then stays.
pub fn raise_file_limit() -> io::Result<u64> {
    let mut limit = get()?;
    if limit.rlim_cur < limit.rlim_max {
        USUAL.store(limit.rlim_cur, Ordering::Relaxed);
        limit.rlim_cur = limit.rlim_max;
        set(&limit)?;
    }
    Ok(limit.rlim_cur)
}

/// In a child, after fork: the limit as this process was given it. Makes system calls only.
pub(crate) fn restore_file_limit() {
    let usual = USUAL.load(Ordering::Relaxed);
    if usual == 0 {
        return;
    }
    if let Ok(mut limit) = get() {
        limit.rlim_cur = usual;
        // With a higher limit the program works as well.
        let _ = set(&limit);
    }
}

fn get() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result == 0 { Ok(limit) } else { Err(io::Error::last_os_error()) }
}

fn set(limit: &libc::rlimit) -> io::Result<()> {
    // SAFETY: `limit` is valid.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
