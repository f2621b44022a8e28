//! Names a process so that it is never confused with a later one of the same number, and ends a recorded tree. Owns the
//! cached boot id.
#![expect(unsafe_code, reason = "pidfd calls and prctl have no safe interface")]

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;
use std::time::Duration;

use overnight_core::command::{Containment, ProcessIdentity};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

/// What names this process among all that this machine ever ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfIdentity {
    pub pid: u32,
    /// Clock ticks since boot.
    pub start_ticks: u64,
    pub boot_id: String,
}

/// How [`kill_tree`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillOutcome {
    /// There was no such tree any more.
    AlreadyGone,
    /// It is gone now.
    Ended,
    /// It outlived KILL: a process hangs in the kernel.
    StillThere,
}

/// # Errors
/// When `/proc` does not tell.
pub fn self_identity() -> io::Result<SelfIdentity> {
    let pid = std::process::id();
    Ok(SelfIdentity { pid, start_ticks: stat(pid)?.start_ticks, boot_id: boot_id()?.to_owned() })
}

/// Whether exactly this process still runs; a zombie does not.
#[must_use]
pub fn process_alive(pid: u32, start_ticks: u64, boot: &str) -> bool {
    boot_id().is_ok_and(|id| id == boot)
        && stat(pid).is_ok_and(|stat| stat.start_ticks == start_ticks && !stat.dead)
}

/// Whether the keeper of this tree still runs, and with it possibly the tree.
#[must_use]
pub fn is_alive(identity: &ProcessIdentity) -> bool {
    process_alive(identity.pid, identity.start_ticks, &identity.boot_id)
}

/// Whether anything of this tree is there for [`kill_tree`] to end. Looks at every process when the keeper is gone.
#[must_use]
pub fn tree_is_there(identity: &ProcessIdentity) -> bool {
    is_alive(identity) || left_in_session(identity).next().is_some()
}

/// Ends a tree whose runner is gone (its keeper is ending it already) or does not react: TERM, `grace`, KILL. Signals
/// only the process that was recorded.
pub async fn kill_tree(identity: &ProcessIdentity, grace: Duration) -> KillOutcome {
    let stayed = |outcome| if kill_session(identity) { KillOutcome::Ended } else { outcome };
    let Some(keeper) = Pinned::open(identity) else { return stayed(KillOutcome::AlreadyGone) };
    // USR1 tells the keeper to kill the tree, which as the sub-reaper only it can. KILL on the keeper itself comes last.
    let ladder = [
        (libc::SIGTERM, grace),
        (libc::SIGUSR1, Duration::from_secs(3)),
        (libc::SIGKILL, Duration::from_secs(3)),
    ];
    for (signal, patience) in ladder {
        keeper.signal(signal);
        if keeper.gone_within(patience).await {
            return stayed(KillOutcome::Ended);
        }
    }
    KillOutcome::StillThere
}

/// Keeps the memory and the environment of this process from other processes of the same user (core files, ptrace,
/// `/proc/PID/environ`). Root with the right to trace is not kept out.
///
/// # Errors
/// When the kernel refuses.
pub fn harden_self() -> io::Result<()> {
    // SAFETY: takes one number.
    let result = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(crate) fn of_child(pid: u32, containment: Containment) -> io::Result<ProcessIdentity> {
    let boot_id = boot_id()?.to_owned();
    Ok(ProcessIdentity { pid, start_ticks: stat(pid)?.start_ticks, boot_id, containment })
}

pub(crate) fn probe_pidfd() -> io::Result<()> {
    pidfd_open(std::process::id()).map(|_| ())
}

fn boot_id() -> io::Result<&'static str> {
    static CACHE: OnceLock<String> = OnceLock::new();
    if let Some(id) = CACHE.get() {
        return Ok(id);
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    Ok(CACHE.get_or_init(|| id))
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    dead: bool,
    session: u32,
    start_ticks: u64,
}

fn stat(pid: u32) -> io::Result<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The name (field 2) may hold anything, brackets and spaces too; it ends with the last closing bracket.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    // Fields 4, 5 and 6 are parent, group and session; 22 is the start time.
    let session = fields.nth(2)?.parse().ok()?;
    let start_ticks = fields.nth(15)?.parse().ok()?;
    Some(Stat { dead: matches!(state, "Z" | "X"), session, start_ticks })
}

/// A recorded process, held so that its number cannot come to mean another.
enum Pinned<'a> {
    Descriptor(OwnedFd),
    /// Kernels before 5.3: looked at again right before every signal.
    Number(&'a ProcessIdentity),
}

impl<'a> Pinned<'a> {
    /// Opens first and compares then: what was opened is what was compared. `None` when it is gone.
    fn open(identity: &'a ProcessIdentity) -> Option<Self> {
        let pinned = match pidfd_open(identity.pid) {
            Ok(pidfd) => Self::Descriptor(pidfd),
            Err(_) => Self::Number(identity),
        };
        is_alive(identity).then_some(pinned)
    }

    fn signal(&self, signal: libc::c_int) {
        match self {
            Self::Descriptor(pidfd) => pidfd_signal(pidfd, signal),
            Self::Number(identity) if is_alive(identity) => {
                // SAFETY: takes two numbers.
                unsafe { libc::kill(identity.pid.cast_signed(), signal) };
            }
            Self::Number(_) => {}
        }
    }

    async fn gone_within(&self, patience: Duration) -> bool {
        match self {
            Self::Descriptor(pidfd) => timeout(patience, exited(pidfd)).await.is_ok_and(|exited| exited),
            Self::Number(identity) => {
                let looks = async {
                    while is_alive(identity) {
                        tokio::time::sleep(LOOK_AGAIN).await;
                    }
                };
                timeout(patience, looks).await.is_ok()
            }
        }
    }
}

/// Between two looks at a process that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

fn pidfd_signal(pidfd: &OwnedFd, signal: libc::c_int) {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open; no information block is handed over.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) };
}

/// A process descriptor can be read from once the process has ended.
async fn exited(pidfd: &OwnedFd) -> bool {
    // SAFETY: the borrowed descriptor outlives the registration, which ends with this function.
    match unsafe { AsyncFd::register_with_interest(pidfd.as_fd(), Interest::READABLE) } {
        Ok(watched) => watched.readable().await.is_ok(),
        Err(_) => false,
    }
}

fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers; the result is checked.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave us this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// For a keeper that was itself killed: ends what is left in its session. True when something was there.
fn kill_session(identity: &ProcessIdentity) -> bool {
    let mut found = false;
    for pidfd in left_in_session(identity) {
        pidfd_signal(&pidfd, libc::SIGKILL);
        found = true;
    }
    found
}

/// What is left in the session of a keeper that is gone. The number of a session is not given to a new process while a member
/// lives, unless a process with that number started the session itself, which is then the keeper or a stranger to be left
/// alone.
fn left_in_session(identity: &ProcessIdentity) -> impl Iterator<Item = OwnedFd> + '_ {
    let possible = boot_id().ok() == Some(identity.boot_id.as_str()) && stat(identity.pid).is_err();
    let entries = possible.then(|| fs::read_dir("/proc").ok()).flatten();
    let numbers = entries.into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter_map(|pid| {
        // Opened first and compared then: what is signalled is what was compared.
        let pidfd = pidfd_open(pid).ok()?;
        let stat = stat(pid).ok()?;
        let member = stat.session == identity.pid && stat.start_ticks >= identity.start_ticks;
        (member && !stat.dead).then_some(pidfd)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_forge_the_start_time() {
        let text = b"7 (a) Z 1 2 3) S 1 7 5 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 1";
        assert_eq!(parse_stat(text), Some(Stat { dead: false, session: 5, start_ticks: 4242 }));
        assert_eq!(parse_stat(b"7 (x) S 1"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[tokio::test]
    async fn an_old_kernel_without_process_descriptors_can_still_end_a_tree() {
        let mut spec = overnight_core::command::CommandSpec::new("/bin/sleep", "/").arg("600");
        spec.isolation = overnight_core::command::Isolation::Tethered;
        let started = crate::spawn::start(None, &spec, None, None).unwrap();
        let identity = started.identity.clone();
        let mut namesake = identity.clone();
        namesake.start_ticks += 1;
        Pinned::Number(&namesake).signal(libc::SIGKILL);
        let pinned = Pinned::Number(&identity);
        assert!(!pinned.gone_within(Duration::ZERO).await);
        pinned.signal(libc::SIGUSR1);
        assert!(pinned.gone_within(Duration::from_secs(10)).await);
    }

    #[test]
    fn a_process_is_itself_and_not_a_namesake() {
        let own = self_identity().unwrap();
        assert!(process_alive(own.pid, own.start_ticks, &own.boot_id));
        assert!(!process_alive(own.pid, own.start_ticks + 1, &own.boot_id));
        assert!(!process_alive(own.pid, own.start_ticks, "another boot"));
    }
}
