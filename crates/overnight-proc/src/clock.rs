//! A clock that nobody sets and that goes on while the machine sleeps.
#![expect(unsafe_code, reason = "clock_gettime has no safe interface in the standard library")]

use std::time::Duration;

/// Time since boot, sleep included: a lease of a database runs on while this machine is suspended, and so must whoever
/// watches over it.
#[must_use]
pub fn boot_clock() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for writing, and the call has no other effect.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) } != 0;
    // Linux has had this clock since 2.6.39.
    debug_assert!(!failed);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::boot_clock;

    #[test]
    fn the_clock_runs_forward() {
        let first = boot_clock();
        let second = boot_clock();
        assert!(second >= first && first > std::time::Duration::ZERO);
    }
}
