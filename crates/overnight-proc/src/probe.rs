//! What this machine allows, found out by doing it once. Owns the cached answer.
#![expect(unsafe_code, reason = "asks for the process's own ids")]

use std::fs;
use std::sync::OnceLock;

use overnight_core::command::Stdin;

use crate::child::Failure;
use crate::cpu;
use crate::identity;
use crate::launch::{LaunchError, launch};
use crate::plan::{Mode, Plan};
use crate::spawn::Pipes;

/// Whose privilege makes the namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceMode {
    /// The runner's own (root).
    Direct,
    /// A user namespace around them: any user, where the system permits it.
    UserNamespace,
}

/// What containment can rely on here. Every error says what was refused, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Process and mount namespaces: full containment.
    pub pid_namespace: Result<NamespaceMode, String>,
    /// The fallback: collecting orphans and finding children.
    pub subreaper: Result<(), String>,
    /// Signalling a recorded process without a chance to meet another one.
    pub pidfd: Result<(), String>,
    /// Measuring the processor time of a tree, to tell a command that works in silence from one that hangs.
    pub processor_time: Result<(), String>,
}

/// Tries each capability for real on the first call (a few milliseconds, blocking) and remembers the answer.
pub fn probe() -> &'static Capabilities {
    static CACHE: OnceLock<Capabilities> = OnceLock::new();
    CACHE.get_or_init(|| Capabilities {
        pid_namespace: probe_namespace(),
        subreaper: probe_subreaper(),
        pidfd: identity::probe_pidfd().map_err(|error| format!("pidfd_open: {error}")),
        processor_time: cpu::probe(),
    })
}

pub(crate) fn own_ids() -> (u32, u32) {
    // SAFETY: take no memory, cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Whether namespaces of this kind work here.
pub(crate) fn try_namespace(kind: NamespaceMode) -> Result<(), String> {
    let (uid, gid) = own_ids();
    dry_run(Mode::namespace(kind, uid, gid))
}

fn probe_namespace() -> Result<NamespaceMode, String> {
    let (uid, _) = own_ids();
    let mut refusals = Vec::new();
    let candidates: &[NamespaceMode] = if uid == 0 {
        &[NamespaceMode::Direct, NamespaceMode::UserNamespace]
    } else {
        &[NamespaceMode::UserNamespace]
    };
    for &kind in candidates {
        match try_namespace(kind) {
            Ok(()) => return Ok(kind),
            Err(refusal) => refusals.push(format!("{kind:?}: {refusal}")),
        }
    }
    Err(refusals.join("; "))
}

fn probe_subreaper() -> Result<(), String> {
    dry_run(Mode::Subreaper)?;
    fs::read("/proc/thread-self/children").map(|_| ()).map_err(|error| format!("list of children: {error}"))
}

/// Builds the whole chain and executes nothing at its end.
fn dry_run(mode: Mode) -> Result<(), String> {
    let (ours, theirs) = Pipes::open(&Stdin::Null).map_err(|error| format!("pipes: {error}"))?;
    let plan = Plan::new(mode, true, None, theirs.numbers(None), None);
    match launch(&plan, theirs.into_ends(), ours.setup, ours.lifeline) {
        Ok(keeper) => {
            keeper.end();
            Ok(())
        }
        Err(LaunchError::Fork(error)) => Err(format!("fork: {error}")),
        Err(LaunchError::Vanished) => Err("the supervisor was killed".to_owned()),
        Err(LaunchError::Child(Failure { step, errno, .. })) => {
            Err(format!("{step:?}: {}", std::io::Error::from_raw_os_error(errno)))
        }
    }
}
