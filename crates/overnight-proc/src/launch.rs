//! The fork itself and the talk with the child until the program runs. Owns the keeper's process id until it is reaped.
#![expect(unsafe_code, reason = "fork and waitpid have no safe interface")]

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::thread;

use crate::child::sys::{self, Pid};
use crate::child::{Failure, MESSAGE_BYTES, Order, SetupMessage, keeper};
use crate::plan::Plan;

/// A living (or dead and not yet reaped) keeper. Dropping it closes the lifeline, which kills the tree.
#[derive(Debug)]
pub(crate) struct Keeper {
    pid: Pid,
    lifeline: Option<PipeWriter>,
    reaped: bool,
}

/// How the launch failed.
#[derive(Debug)]
pub(crate) enum LaunchError {
    Fork(io::Error),
    Child(Failure),
    /// The child ended without a word: somebody killed it.
    Vanished,
}

/// Forks, and waits until the program has been executed (about a millisecond) or could not be. `ends` are the descriptors
/// that only the child may keep.
pub(crate) fn launch(
    plan: &Plan,
    ends: Vec<OwnedFd>,
    setup: PipeReader,
    lifeline: PipeWriter,
) -> Result<Keeper, LaunchError> {
    let mask = sys::block_signals();
    // SAFETY: the child runs only `keeper::run`, which makes system calls on memory laid out before, and never returns.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        keeper::run(plan);
    }
    let error = io::Error::last_os_error();
    sys::set_signal_mask(&mask);
    if pid < 0 {
        return Err(LaunchError::Fork(error));
    }
    drop(ends);
    let keeper = Keeper { pid, lifeline: Some(lifeline), reaped: false };
    match await_setup(setup) {
        Ok(()) => Ok(keeper),
        Err(error) => {
            keeper.end();
            Err(error)
        }
    }
}

fn await_setup(mut setup: PipeReader) -> Result<(), LaunchError> {
    let mut ready = false;
    let mut message = [0_u8; MESSAGE_BYTES];
    while setup.read_exact(&mut message).is_ok() {
        match SetupMessage::decode(message) {
            Some(SetupMessage::Ready) => ready = true,
            Some(SetupMessage::Failed(failure)) => return Err(LaunchError::Child(failure)),
            None => return Err(LaunchError::Vanished),
        }
    }
    if ready { Ok(()) } else { Err(LaunchError::Vanished) }
}

impl Keeper {
    pub(crate) fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Never blocks: the few orders of one life fit into the pipe. A keeper that is gone needs none.
    pub(crate) fn order(&mut self, order: Order) {
        if let Some(lifeline) = &mut self.lifeline {
            let _ = lifeline.write_all(&[order as u8]);
        }
    }

    /// Kills the tree and waits for it: for trees that cannot take long.
    pub(crate) fn end(mut self) {
        self.lifeline = None;
        self.reap();
    }

    /// Waits for the keeper, which must have reported its end: only its last instructions are left.
    pub(crate) fn reap(&mut self) {
        if !self.reaped {
            wait_for(self.pid);
            self.reaped = true;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.lifeline = None;
        if self.reaped {
            return;
        }
        let pid = self.pid;
        // Killing a tree takes milliseconds, and for ever when a process hangs in the kernel: never on a caller's thread.
        let reaper = thread::Builder::new().name("reaper".to_owned()).stack_size(64 << 10);
        if let Err(error) = reaper.spawn(move || wait_for(pid)) {
            tracing::warn!(%error, pid, "a keeper stays unreaped");
        }
    }
}

fn wait_for(pid: Pid) {
    loop {
        // SAFETY: the status is not asked for; `pid` is our child and has not been reaped.
        let done = unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        if done >= 0 || sys::errno() != libc::EINTR {
            return;
        }
    }
}
