//! What this process uses of the machine, as `/proc` tells it.

use overnight_web::ProcessUsage;

/// Looks, in some ten microseconds.
#[must_use]
pub(super) fn of_this_process() -> ProcessUsage {
    let status = std::fs::read_to_string("/proc/self/status").ok();
    let fds = std::fs::read_dir("/proc/self/fd").ok();
    ProcessUsage {
        resident_bytes: status.as_deref().and_then(resident),
        // One of them is that of this look.
        open_fds: fds.map(|fds| (fds.count() as u64).saturating_sub(1)),
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_memory_and_files() {
        let usage = of_this_process();
        assert!(usage.resident_bytes.is_some_and(|bytes| bytes > 1 << 20), "{usage:?}");
        assert!(usage.open_fds.is_some_and(|fds| fds >= 3), "{usage:?}");
        assert_eq!(resident("VmPeak:\t 9 kB\nVmRSS:\t     12 kB\n"), Some(12 << 10));
        assert_eq!(resident("Name:\tx\n"), None);
    }
}
