//! The keeper, from fork to its end, and init where there is a namespace. Owns the chain of processes; the tree itself
//! is watched by [`Tree`].

use super::program::{self, fail};
use super::sys::{self, Fd, Pid, Reaped};
use super::tree::{Reach, Tree};
use super::{Failure, Order, ReportMessage, Step, mounts};
use crate::files::restore_file_limit;
use crate::plan::{Mode, Plan, Tail, UserMaps};

/// Runs in the forked child and never returns.
pub(crate) fn run(plan: &Plan) -> ! {
    sys::reset_signal_actions();
    sys::new_session();
    sys::close_all_but(&plan.keep);
    sys::no_core_files();
    restore_file_limit();
    let stdio = [(plan.fds.stdin, 0), (plan.fds.stdout, 1), (plan.fds.stderr, 2)];
    for (from, to) in stdio {
        if let Err(errno) = sys::dup_onto(from, to) {
            fail(plan, Failure::at(Step::Keeper, errno));
        }
        sys::close(from);
    }
    let watched = [libc::SIGCHLD, libc::SIGTERM, libc::SIGUSR1];
    let signals = sys::signal_fd(&watched).unwrap_or_else(|e| fail(plan, Failure::at(Step::Keeper, e)));
    match &plan.mode {
        Mode::Namespace(maps) => keep_namespace(plan, signals, maps.as_ref()),
        Mode::Subreaper => keep_children(plan, signals),
    }
}

/// Sub-reaper: the keeper watches the tree itself.
fn keep_children(plan: &Plan, signals: Fd) -> ! {
    if let Err(errno) = sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) {
        fail(plan, Failure::at(Step::Keeper, errno));
    }
    let keeper = sys::own_pid();
    let program = fork_program(plan, Some(keeper));
    let mut tree = Tree {
        plan,
        reach: Reach::Children,
        program,
        orders: plan.fds.lifeline,
        signals,
        ended: false,
        stopped: false,
        kill: false,
        orphaned: false,
        peak_rss_kib: 0,
    };
    tree.supervise();
    leave(plan, tree.orphaned, tree.peak_rss_kib)
}

/// Forks the program and lets go of what only the program should hold.
fn fork_program(plan: &Plan, keeper: Option<Pid>) -> Pid {
    let _ = sys::prctl(libc::PR_SET_DUMPABLE, 0);
    match sys::clone(0) {
        Ok(0) => program::run(plan, keeper),
        Ok(program) => {
            sys::own_group(program);
            let_go(plan);
            program
        }
        Err(errno) => fail(plan, Failure::at(Step::Fork, errno)),
    }
}

/// Gives up the program's streams and the setup pipe, so that their ends are seen.
fn let_go(plan: &Plan) {
    for fd in 0..3 {
        let _ = sys::dup_onto(plan.fds.null, fd);
    }
    sys::close(plan.fds.setup);
    // The directory the runner was started in must not stay busy because of us.
    let _ = sys::chdir(c"/");
}

/// Pid namespace: init watches the tree, the keeper watches init and the runner.
fn keep_namespace(plan: &Plan, signals: Fd, maps: Option<&UserMaps>) -> ! {
    let (orders_read, orders_write) =
        sys::pipe().unwrap_or_else(|errno| fail(plan, Failure::at(Step::Keeper, errno)));
    let user = if maps.is_some() { libc::CLONE_NEWUSER } else { 0 };
    match sys::clone(libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | user) {
        Ok(0) => {
            sys::close(orders_write);
            run_init(plan, orders_read, maps)
        }
        Ok(init) => {
            sys::close(orders_read);
            let_go(plan);
            let _ = sys::prctl(libc::PR_SET_DUMPABLE, 0);
            watch_init(plan, signals, init, orders_write)
        }
        Err(errno) => fail(plan, Failure::at(Step::Namespace, errno)),
    }
}

fn watch_init(plan: &Plan, signals: Fd, init: Pid, orders: Fd) -> ! {
    let mut orphaned = false;
    loop {
        let ordered = sys::poll(if orphaned { -1 } else { plan.fds.lifeline }, signals, -1);
        if ordered {
            let mut bytes = [0_u8; 8];
            let count = sys::read(plan.fds.lifeline, &mut bytes).unwrap_or(0);
            orphaned = count == 0;
            if orphaned || bytes.iter().take(count).any(|byte| *byte == Order::Kill as u8) {
                sys::kill(init, libc::SIGKILL);
            } else {
                sys::write_all(orders, &[Order::Terminate as u8]);
            }
        }
        while let Some(signal) = sys::next_signal(signals) {
            match signal {
                libc::SIGTERM => {
                    sys::write_all(orders, &[Order::Terminate as u8]);
                }
                libc::SIGUSR1 => sys::kill(init, libc::SIGKILL),
                _ => {}
            }
        }
        // The namespace is empty once its init can be reaped: the kernel waits for the last process in it.
        if let Reaped::Child { peak_rss_kib, .. } = sys::reap() {
            leave(plan, orphaned, peak_rss_kib);
        }
    }
}

/// Pid 1 of the namespace. Ends when its orders pipe does, so that a killed keeper takes everything along.
fn run_init(plan: &Plan, orders: Fd, maps: Option<&UserMaps>) -> ! {
    let _ = sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
    if let Some(maps) = maps {
        // A hardened runner is not dumpable, and the control files of such a process belong to root.
        let _ = sys::prctl(libc::PR_SET_DUMPABLE, 1);
        if let Err(errno) = write_maps(maps) {
            fail(plan, Failure::at(Step::UserMap, errno));
        }
    }
    if let Err(failure) = mounts::apply(&plan.guard) {
        fail(plan, failure);
    }
    let signals =
        sys::signal_fd(&[libc::SIGCHLD]).unwrap_or_else(|e| fail(plan, Failure::at(Step::Keeper, e)));
    let program = fork_program(plan, None);
    let mut tree = Tree {
        plan,
        reach: Reach::Namespace,
        program,
        orders,
        signals,
        ended: false,
        stopped: false,
        kill: false,
        orphaned: false,
        peak_rss_kib: 0,
    };
    tree.supervise();
    sys::exit(0)
}

fn write_maps(maps: &UserMaps) -> Result<(), sys::Errno> {
    sys::write_file(c"/proc/self/uid_map", &maps.uid)?;
    // Without this an unprivileged group map is refused; kernels before 3.19 do not have the file and do not need it.
    match sys::write_file(c"/proc/self/setgroups", b"deny") {
        Ok(()) | Err(libc::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    sys::write_file(c"/proc/self/gid_map", &maps.gid)
}

/// The tree is gone. Reports it, and where a tail was asked for stays until the runner has read everything or is gone.
fn leave(plan: &Plan, mut orphaned: bool, peak_rss_kib: u64) -> ! {
    ReportMessage::Gone { peak_rss_kib }.send(plan.fds.report);
    let Some(tail) = &plan.tail else { sys::exit(0) };
    while !orphaned {
        let mut bytes = [0_u8; 8];
        let count = sys::read(plan.fds.lifeline, &mut bytes).unwrap_or(0);
        if bytes.iter().take(count).any(|byte| *byte == Order::Done as u8) {
            sys::exit(0);
        }
        orphaned = count == 0;
    }
    save_tail(tail);
    sys::exit(0)
}

/// Moves what is still in the stdout pipe to the tail file. Every writer is dead, so end of file comes after it.
fn save_tail(tail: &Tail) {
    let mut buffer = [0_u8; 4096];
    let mut file = None;
    sys::set_nonblocking(tail.pipe);
    while let Ok(count) = sys::read(tail.pipe, &mut buffer) {
        if count == 0 {
            break;
        }
        if file.is_none() {
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_NOFOLLOW;
            file = sys::open(&tail.path, flags, 0o600).ok();
        }
        let Some(fd) = file else { return };
        sys::write_all(fd, buffer.get(..count).unwrap_or_default());
    }
    if let Some(fd) = file {
        sys::fsync(fd);
    }
}
