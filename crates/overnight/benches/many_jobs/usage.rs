//! What a process uses of the machine, looked at again and again.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(20);

/// The most that was seen of each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    resident_kib: u64,
    pub(crate) files: u64,
    pub(crate) threads: u64,
}

impl Usage {
    pub(crate) fn memory(&self) -> String {
        format!("{} MiB", self.resident_kib >> 10)
    }

    fn of(pid: u32) -> Option<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        Some(Self { resident_kib: number("VmRSS:")?, files, threads: number("Threads:")? })
    }

    fn or_more(self, other: Self) -> Self {
        Self {
            resident_kib: self.resident_kib.max(other.resident_kib),
            files: self.files.max(other.files),
            threads: self.threads.max(other.threads),
        }
    }
}

/// Looks at a process until it is told to end.
pub(crate) struct Sampler {
    pid: u32,
    most: Arc<Mutex<Usage>>,
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Sampler {
    pub(crate) fn start(pid: u32) -> Self {
        let (end, ended) = channel();
        let most = Arc::new(Mutex::new(Usage::default()));
        let shared = Arc::clone(&most);
        let thread = std::thread::spawn(move || {
            while ended.recv_timeout(EVERY).is_err() {
                let Some(now) = Usage::of(pid) else { return };
                let mut most = shared.lock().unwrap();
                *most = most.or_more(now);
            }
        });
        Self { pid, most, end, thread }
    }

    /// So far.
    pub(crate) fn most(&self) -> Usage {
        let now = Usage::of(self.pid).expect("the process is there");
        self.most.lock().unwrap().or_more(now)
    }

    pub(crate) fn end(self) -> Usage {
        // It may have ended with the process.
        let _ = self.end.send(());
        self.thread.join().unwrap();
        *self.most.lock().unwrap()
    }
}
