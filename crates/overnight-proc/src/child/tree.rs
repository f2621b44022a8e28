//! Watches one program to its end and leaves nothing behind: the common work of init (pid 1 of a namespace) and of a
//! keeper that is the sub-reaper. Owns the state of that one tree.

use super::mounts::sys_decimal;
use super::sys::{self, Fd, Pid, Reaped};
use super::{Order, ReportMessage};
use crate::plan::Plan;

/// How this supervisor reaches the processes it is responsible for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Pid 1: everything inside the namespace.
    Namespace,
    /// The children, among them every orphan of the tree.
    Children,
}

pub(crate) struct Tree<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) reach: Reach,
    pub(crate) program: Pid,
    /// The lifeline, or the pipe from the keeper.
    pub(crate) orders: Fd,
    /// Tells of SIGCHLD, and of SIGTERM and SIGUSR1 where this process is the keeper.
    pub(crate) signals: Fd,
    pub(crate) ended: bool,
    /// An order to stop was given: the end is no longer the program's own.
    pub(crate) stopped: bool,
    pub(crate) kill: bool,
    /// The other end of the orders pipe is gone.
    pub(crate) orphaned: bool,
    pub(crate) peak_rss_kib: u64,
}

impl Tree<'_> {
    /// Returns when every process of the tree is gone, or, for pid 1, will be gone with it.
    pub(crate) fn supervise(&mut self) {
        while !self.ended && !self.kill {
            self.wait(-1);
            self.reap_all();
        }
        if !self.kill && !self.leaves_alone_within(self.plan.settle_ms) {
            ReportMessage::Left.send(self.plan.fds.report);
            self.signal_all(libc::SIGTERM);
            self.signal_all(libc::SIGCONT);
            self.leaves_alone_within(self.plan.left_ms);
        }
        if self.reach == Reach::Children {
            self.kill_until_empty();
        }
    }

    /// Whether no process is left before `limit_ms` have passed.
    fn leaves_alone_within(&mut self, limit_ms: i32) -> bool {
        let deadline = sys::now_ms() + i64::from(limit_ms);
        loop {
            if self.reap_all() {
                return true;
            }
            let left = deadline - sys::now_ms();
            if left <= 0 || self.kill {
                return false;
            }
            self.wait(i32::try_from(left).unwrap_or(limit_ms));
        }
    }

    /// Killing the children makes orphans of theirs, which become ours: repeat until there are none.
    fn kill_until_empty(&mut self) {
        loop {
            if self.reap_all() {
                return;
            }
            sys::kill(-self.program, libc::SIGKILL);
            self.signal_all(libc::SIGKILL);
            sys::poll(-1, self.signals, 5);
            while sys::next_signal(self.signals).is_some() {}
        }
    }

    fn wait(&mut self, timeout_ms: i32) {
        let ordered = sys::poll(if self.orphaned { -1 } else { self.orders }, self.signals, timeout_ms);
        if ordered {
            self.read_orders();
        }
        while let Some(signal) = sys::next_signal(self.signals) {
            match signal {
                libc::SIGTERM => self.obey(Order::Terminate),
                libc::SIGUSR1 => self.obey(Order::Kill),
                _ => {}
            }
        }
    }

    fn read_orders(&mut self) {
        let mut bytes = [0_u8; 8];
        match sys::read(self.orders, &mut bytes) {
            Ok(0) | Err(_) => {
                self.orphaned = true;
                self.obey(Order::Kill);
            }
            Ok(count) => {
                let given = bytes.get(..count).unwrap_or_default();
                for order in [Order::Terminate, Order::Kill] {
                    if given.contains(&(order as u8)) {
                        self.obey(order);
                    }
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        self.stopped = true;
        match order {
            Order::Terminate => {
                if !self.ended {
                    // The group only: a CLI ends the tools it started in sessions of their own by itself, in order.
                    sys::kill(-self.program, libc::SIGTERM);
                    sys::kill(-self.program, libc::SIGCONT);
                }
            }
            Order::Kill => self.kill = true,
            Order::Done => {}
        }
    }

    /// Takes in every process that has ended; true when none is left.
    fn reap_all(&mut self) -> bool {
        loop {
            match sys::reap() {
                Reaped::NoChildren => return true,
                Reaped::StillRunning => return false,
                Reaped::Child { pid, status, peak_rss_kib } => {
                    self.peak_rss_kib = self.peak_rss_kib.max(peak_rss_kib);
                    if pid == self.program && !self.ended {
                        self.program_ended(status);
                    }
                }
            }
        }
    }

    fn program_ended(&mut self, status: i32) {
        self.ended = true;
        if let Some(record) = self.plan.fds.record
            && !self.stopped
        {
            write_record(record, status);
        }
        ReportMessage::Ended { status }.send(self.plan.fds.report);
    }

    fn signal_all(&self, signal: i32) {
        match self.reach {
            Reach::Namespace => sys::kill(-1, signal),
            Reach::Children => signal_children(signal),
        }
    }
}

/// `code N` or `signal N` and a line end, on the disk before anybody is told.
fn write_record(fd: Fd, status: i32) {
    let (word, value) = if libc::WIFSIGNALED(status) {
        (&b"signal "[..], libc::WTERMSIG(status))
    } else {
        (&b"code "[..], libc::WEXITSTATUS(status))
    };
    let mut line = [0_u8; 32];
    let Some(place) = line.get_mut(..word.len()) else { return };
    place.copy_from_slice(word);
    let digits = line
        .get_mut(word.len()..)
        .and_then(|rest| sys_decimal(u64::try_from(value).unwrap_or(0), rest))
        .unwrap_or(0);
    let end = word.len() + digits;
    if let Some(byte) = line.get_mut(end) {
        *byte = b'\n';
    }
    sys::write_all(fd, line.get(..=end).unwrap_or_default());
    sys::fsync(fd);
}

/// Signals each child, read from the kernel's own list. Our children cannot vanish before we reap them, so no number is
/// ever a stranger's.
fn signal_children(signal: i32) {
    let Ok(list) = sys::open(c"/proc/thread-self/children", libc::O_RDONLY, 0) else { return };
    let mut buffer = [0_u8; 4096];
    let mut pid: Pid = 0;
    while let Ok(count) = sys::read(list, &mut buffer) {
        if count == 0 {
            break;
        }
        for byte in buffer.iter().take(count) {
            if byte.is_ascii_digit() {
                pid = pid.saturating_mul(10).saturating_add(Pid::from(byte - b'0'));
            } else if pid > 0 {
                sys::kill(pid, signal);
                pid = 0;
            }
        }
    }
    sys::close(list);
}
