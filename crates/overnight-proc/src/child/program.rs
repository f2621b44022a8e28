//! The last steps of the forked copy before it becomes the program. Owns nothing; ends in exec or in a failure message.
#![expect(unsafe_code, reason = "execve has no safe interface")]

use super::sys::{self, Pid};
use super::{Failure, SetupMessage, Step, capability};
use crate::plan::Plan;

/// How readily the kernel's memory killer picks an agent before the runner: 0 is normal, 1000 always first.
const OOM_SCORE: &[u8] = b"500";

/// Becomes the program. `keeper` is the parent to die with, where no pid namespace does that.
pub(crate) fn run(plan: &Plan, keeper: Option<Pid>) -> ! {
    sys::own_group(0);
    if let Some(keeper) = keeper {
        let _ = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
        if sys::parent_pid() != keeper {
            sys::exit(1);
        }
    }
    if plan.contained {
        // Dumpable again for a moment: otherwise the control file belongs to root.
        let _ = sys::prctl(libc::PR_SET_DUMPABLE, 1);
        let _ = sys::write_file(c"/proc/self/oom_score_adj", OOM_SCORE);
        capability::drop_most();
        let _ = sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1);
    }
    let Some(image) = &plan.image else {
        SetupMessage::Ready.send(plan.fds.setup);
        sys::exit(0);
    };
    if let Err(errno) = sys::chdir(&image.cwd) {
        fail(plan, Failure::at(Step::Chdir, errno));
    }
    sys::unblock_signals();
    SetupMessage::Ready.send(plan.fds.setup);
    // SAFETY: both lists end with null and point to texts that end with NUL, all owned by the plan.
    unsafe { libc::execve(image.program.as_ptr(), image.argv.as_ptr(), image.envp.as_ptr()) };
    fail(plan, Failure::at(Step::Exec, sys::errno()))
}

/// Tells the runner why there will be no program, and ends this process.
pub(crate) fn fail(plan: &Plan, failure: Failure) -> ! {
    SetupMessage::Failed(failure).send(plan.fds.setup);
    sys::exit(127)
}
