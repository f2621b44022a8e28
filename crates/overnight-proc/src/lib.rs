//! `CommandSpec` → supervised, contained, bounded process tree → `ExitReport`. The only crate that starts processes and
//! the only one with `unsafe`. It owns no state of its own: what must outlive a process is a file named by the caller.
//!
//! # The processes
//!
//! ```text
//! runner ──lifeline──► keeper ──orders──► init (pid 1 inside) ──► program ──► …        PidNamespace
//! runner ──lifeline──► keeper ─────────────────────────────────► program ──► …        Subreaper
//! ```
//!
//! The *keeper* is a copy of the runner that never executes anything else: single-threaded, leader of its own session,
//! no memory allocation, only system calls. It holds the read end of the *lifeline*, a pipe whose only write end is in
//! the runner. A byte on it is an order (terminate, kill); end of file says that the runner is gone, and the tree is
//! killed at once. No parent-death signal hangs on a thread of the runner, so a retiring pool thread ends nothing.
//!
//! # What is promised
//!
//! At every level: the environment, the working directory and the open files (0, 1, 2) of the program are exactly
//! those of the spec; no core files; no new privileges and, for root, only the capabilities a build needs
//! (`Contained`); the tree ends with the runner, even when the runner is killed; time, silence, line length and log
//! size are bounded; a program that ended by itself leaves its status in the exit record.
//!
//! [`Containment::PidNamespace`]: the tree ends as a whole, whatever it does (new sessions, double forks, ignored
//! signals, endless forking); it sees only its own processes, not the runner's environment or memory; the
//! [`FileGuard`] holds, and the program cannot undo it.
//!
//! [`Containment::Subreaper`], where namespaces are refused: every orphan comes back to the keeper, which kills until
//! nothing is left. It does **not** hold when somebody kills the keeper itself with SIGKILL (only the program
//! dies with it then; [`kill_tree`] collects what stayed in its session), and a tree that forks faster than it can be
//! killed delays the end. Files are not guarded and processes of the same user are visible, the runner among them:
//! [`harden_self`] at least keeps its memory and environment from them.
//!
//! Neither level limits the network, path-named sockets, memory or the number of processes, and neither is a jail for
//! code that holds root: root in a namespace still owns what root owns on the machine, except what the guard covers.
//!
//! # Numbers
//!
//! `elapsed` runs on the monotonic clock from before the fork. `peak_rss_kib` is the kernel's, and never below what the
//! runner itself had resident at the fork: each process begins as its copy. A program that has ended gives its leftovers
//! 200 ms to end by themselves before they count as left, then TERM, then 500 ms, then KILL.
//!
//! # Files
//!
//! Logs are redacted line by line, keep every other byte as it came, and stop at their cap with one marker line. The exit
//! record is one line, `code N` or `signal N`, written with fsync by the tree's own supervisor when the program ends by
//! itself: never after an order to stop. When the runner dies, the keeper saves what it had not yet read from the
//! program's stdout to `<stdout log>.tail` (at most what the pipe held, **not redacted**, mode 0600): [`read_tail`].
//!
//! [`Containment::PidNamespace`]: overnight_core::command::Containment::PidNamespace
//! [`Containment::Subreaper`]: overnight_core::command::Containment::Subreaper
//! [`FileGuard`]: overnight_core::command::FileGuard

mod child;
mod clock;
mod converse;
mod cpu;
mod drive;
mod error;
mod feed;
mod files;
mod identity;
mod launch;
mod lines;
mod log;
mod output;
mod plan;
mod prefill;
mod probe;
mod quiet;
mod record;
mod space;
mod spawn;
mod watch;

pub use clock::{boot_clock, monotonic_clock};
pub use converse::converse;
pub use drive::{Line, LineHandler, Reply, Running};
pub use error::SpawnError;
pub use files::raise_file_limit;
pub use identity::{
    KillOutcome, SelfIdentity, harden_self, is_alive, kill_tree, process_alive, self_identity, tree_is_there,
};
pub use log::{NoRedaction, Redact};
pub use output::{DEFAULT_OUTPUT_BYTES, Output, output};
pub use probe::{Capabilities, NamespaceMode, probe};
pub use record::{read_exit_record, read_tail, tail_path};
pub use space::free_space;
pub use spawn::{Capture, spawn};

#[cfg(test)]
mod tests;
