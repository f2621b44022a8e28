//! Clocks that nobody sets.
#![expect(unsafe_code, reason = "clock_gettime has no safe interface in the standard library")]

use std::time::Duration;

/// Time since boot, sleep included: a lease of a database runs on while this machine is suspended, and so must whoever
/// watches over it.
#[must_use]
pub fn boot_clock() -> Duration {
    read(libc::CLOCK_BOOTTIME)
}

/// Time since boot without sleep: what a service manager calls the monotonic clock.
#[must_use]
pub fn monotonic_clock() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is valid for writing, and the call has no other effect.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut now) } != 0;
    // Linux has had both clocks since 2.6.39.
    debug_assert!(!failed);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{boot_clock, monotonic_clock};

    #[test]
    fn the_clocks_run_forward_and_one_of_them_counts_sleep() {
        for clock in [boot_clock, monotonic_clock] {
            let first = clock();
            assert!(clock() >= first && first > std::time::Duration::ZERO);
        }
        assert!(monotonic_clock() <= boot_clock());
    }
}
