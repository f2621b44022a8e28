//! Takes from a contained program the capabilities with which root could undo its containment. Owns the list of those
//! that stay.
#![expect(unsafe_code, reason = "capset has no safe interface")]

use super::sys;

/// What package managers and builds run as root need: own, chmod and kill files and processes, change user, bind low ports.
/// Left out are those that reach beyond the tree: mounting, tracing (init's memory is a copy of the runner's),
/// device nodes, modules, raw disks, opening files by handle. Numbers as in `linux/capability.h`.
const KEPT: u64 = bit(0) // CHOWN
    | bit(1) // DAC_OVERRIDE
    | bit(3) // FOWNER
    | bit(4) // FSETID
    | bit(5) // KILL
    | bit(6) // SETGID
    | bit(7) // SETUID
    | bit(10) // NET_BIND_SERVICE
    | bit(13) // NET_RAW
    | bit(18) // SYS_CHROOT
    | bit(29) // AUDIT_WRITE
    | bit(31); // SETFCAP

/// Above the last one that any kernel knows; unknown numbers are refused without harm.
const HIGHEST: u32 = 63;

const fn bit(capability: u32) -> u64 {
    1 << capability
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION: u32 = 0x2008_0522;

/// Drops everything but [`KEPT`] for good. Refusals mean that there was nothing to drop.
pub(crate) fn drop_most() {
    for capability in 0..=HIGHEST {
        if KEPT & bit(capability) == 0 {
            let _ = sys::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability));
        }
    }
    let header = Header { version: VERSION, pid: 0 };
    let mut halves = [Half::default(); 2];
    // SAFETY: version 3 reads and writes two halves; both structures live on this stack.
    let known = unsafe { libc::syscall(libc::SYS_capget, &raw const header, halves.as_mut_ptr()) };
    if known != 0 {
        return;
    }
    let [low, high] = &mut halves;
    for (half, kept) in [(low, KEPT as u32), (high, (KEPT >> 32) as u32)] {
        half.effective &= kept;
        half.permitted &= kept;
        half.inheritable = 0;
    }
    // SAFETY: as above; the sets only shrink.
    unsafe { libc::syscall(libc::SYS_capset, &raw const header, halves.as_ptr()) };
}
