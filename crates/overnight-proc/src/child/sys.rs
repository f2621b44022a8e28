//! System calls for the time after fork, each with a safe face. Owns nothing. Nothing in here may allocate or panic:
//! the memory is a copy of a multi-threaded process, and any lock in it may be held for ever.
#![expect(unsafe_code, reason = "system calls between fork and exec have no safe interface")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;

pub(crate) type Errno = i32;
pub(crate) type Fd = libc::c_int;
pub(crate) type Pid = libc::pid_t;

pub(crate) fn errno() -> Errno {
    // SAFETY: the location is thread-local and always valid.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn check(result: libc::c_int) -> Result<libc::c_int, Errno> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

pub(crate) fn check_long(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

pub(crate) fn exit(code: libc::c_int) -> ! {
    // SAFETY: ends this process without running anything of the parent's (exit handlers, buffers).
    unsafe { libc::_exit(code) }
}

/// Forks without the C library's own book-keeping, optionally into new namespaces. Only for a process that will make
/// nothing but system calls.
pub(crate) fn clone(namespaces: libc::c_int) -> Result<Pid, Errno> {
    let flags = libc::c_long::from(namespaces | libc::SIGCHLD);
    // SAFETY: no shared memory and no new stack: the child continues on its own copy of this one, like fork. All
    // pointer arguments are null, so their order, which differs between machines, does not matter.
    let pid = check_long(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    Ok(pid as Pid)
}

pub(crate) fn write_all(fd: Fd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: pointer and length describe `bytes`.
        let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(_) if errno() == libc::EINTR => {}
            Err(_) => return false,
        }
    }
    true
}

pub(crate) fn read(fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        // SAFETY: pointer and length describe `buffer`.
        let count = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) if errno() == libc::EINTR => {}
            Err(_) => return Err(errno()),
        }
    }
}

pub(crate) fn open(path: &CStr, flags: libc::c_int, mode: libc::mode_t) -> Result<Fd, Errno> {
    // SAFETY: `path` ends with NUL; the mode is read only when a file is created.
    check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, libc::c_uint::from(mode)) })
}

/// Opens, writes once, closes: for control files.
pub(crate) fn write_file(path: &CStr, bytes: &[u8]) -> Result<(), Errno> {
    let fd = open(path, libc::O_WRONLY, 0)?;
    let whole = write_all(fd, bytes);
    let error = errno();
    close(fd);
    if whole { Ok(()) } else { Err(error) }
}

pub(crate) fn close(fd: Fd) {
    // SAFETY: closing a number that is not open is an error we do not care about; nobody else uses it here.
    unsafe { libc::close(fd) };
}

pub(crate) fn fsync(fd: Fd) {
    // SAFETY: takes no memory.
    unsafe { libc::fsync(fd) };
}

pub(crate) fn set_nonblocking(fd: Fd) {
    // SAFETY: takes no memory.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
}

/// Makes `to` a copy of `from`, open across exec.
pub(crate) fn dup_onto(from: Fd, to: Fd) -> Result<(), Errno> {
    // SAFETY: takes no memory.
    check(unsafe { libc::dup2(from, to) }).map(|_| ())
}

pub(crate) fn pipe() -> Result<(Fd, Fd), Errno> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for both numbers.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let [read, write] = ends;
    Ok((read, write))
}

/// Closes everything from 3 up that is not in `keep`, which is sorted.
pub(crate) fn close_all_but(keep: &[Fd]) {
    let mut first = 3;
    for &fd in keep {
        if fd > first {
            close_range(first, fd - 1);
        }
        first = first.max(fd + 1);
    }
    close_range(first, libc::c_int::MAX);
}

fn close_range(first: Fd, last: Fd) {
    // SAFETY: takes no memory; the numbers belong to nobody in this process.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
        return;
    }
    // Kernels before 5.9. The table rarely holds more, and a number above it would have to be set by hand.
    for fd in first..=last.min(65_536) {
        close(fd);
    }
}

/// All signals to their default action; they stay blocked.
pub(crate) fn reset_signal_actions() {
    // The kernel's own structure, all zero: default action, no flags. It has at most four words. Not through the C
    // library, which does not touch the signals it keeps for itself, although they may have come to us ignored.
    let default = [0_u64; 4];
    let no_answer = ptr::null_mut::<u64>();
    for signal in 1..=64 {
        // SAFETY: `default` is large enough for every machine's layout, 8 is the size of the kernel's signal set; refusals
        // (KILL, STOP) do not matter.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), no_answer, 8) };
    }
}

/// Blocks every signal and returns the mask from before.
pub(crate) fn block_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: both sets are written before they are read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

pub(crate) fn set_signal_mask(mask: &libc::sigset_t) {
    // SAFETY: `mask` is an initialised set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}

pub(crate) fn unblock_signals() {
    let mut none = MaybeUninit::uninit();
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// A descriptor that tells of `signals`, which must be blocked. Does not block.
pub(crate) fn signal_fd(signals: &[libc::c_int]) -> Result<Fd, Errno> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        check(libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))
    }
}

/// The next signal waiting in a signal descriptor.
pub(crate) fn next_signal(fd: Fd) -> Option<libc::c_int> {
    // The first four bytes of `signalfd_siginfo` are the number.
    let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
    let count = read(fd, &mut info).ok()?;
    let [a, b, c, d, ..] = info;
    (count == info.len()).then(|| i32::from_ne_bytes([a, b, c, d]))
}

/// Waits until `orders` or `signals` has something to say (data or end of file); whether `orders` has. A negative
/// descriptor is left out. `timeout_ms` below 0 waits for ever.
pub(crate) fn poll(orders: Fd, signals: Fd, timeout_ms: i32) -> bool {
    let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut fds = [entry(orders), entry(signals)];
    // SAFETY: the pointer and the count describe `fds`.
    let count = unsafe { libc::poll(fds.as_mut_ptr(), 2, timeout_ms) };
    let [first, _] = fds;
    count > 0 && first.revents != 0
}

/// Milliseconds on the monotonic clock.
pub(crate) fn now_ms() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` has room for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// What one look at the children found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reaped {
    Child { pid: Pid, status: i32, peak_rss_kib: u64 },
    StillRunning,
    NoChildren,
}

pub(crate) fn reap() -> Reaped {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both out-pointers are valid; `__WALL` also takes children that were not made by fork.
        let pid = unsafe { libc::wait4(-1, &mut status, libc::WNOHANG | libc::__WALL, usage.as_mut_ptr()) };
        if pid > 0 {
            // SAFETY: all zero is a valid `rusage`, and the kernel may have written over it.
            let peak = unsafe { usage.assume_init() }.ru_maxrss;
            return Reaped::Child { pid, status, peak_rss_kib: u64::try_from(peak).unwrap_or(0) };
        }
        match errno() {
            _ if pid == 0 => return Reaped::StillRunning,
            libc::EINTR => {}
            _ => return Reaped::NoChildren,
        }
    }
}

pub(crate) fn kill(pid: Pid, signal: libc::c_int) {
    // SAFETY: takes no memory. A process that is gone is what the caller wanted.
    unsafe { libc::kill(pid, signal) };
}

pub(crate) fn new_session() {
    // SAFETY: takes no memory; cannot fail in a process that was just forked.
    unsafe { libc::setsid() };
}

pub(crate) fn own_group(pid: Pid) {
    // SAFETY: takes no memory; parent and child both call it, the second call changes nothing.
    unsafe { libc::setpgid(pid, pid) };
}

pub(crate) fn parent_pid() -> Pid {
    // SAFETY: takes no memory, cannot fail.
    unsafe { libc::getppid() }
}

pub(crate) fn own_pid() -> Pid {
    // SAFETY: takes no memory, cannot fail.
    unsafe { libc::getpid() }
}

pub(crate) fn prctl(option: libc::c_int, value: libc::c_ulong) -> Result<(), Errno> {
    // SAFETY: only options with one number are used.
    check(unsafe { libc::prctl(option, value, 0, 0, 0) }).map(|_| ())
}

pub(crate) fn no_core_files() {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid; lowering a limit is always allowed.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) };
}

pub(crate) fn chdir(path: &CStr) -> Result<(), Errno> {
    // SAFETY: `path` ends with NUL.
    check(unsafe { libc::chdir(path.as_ptr()) }).map(|_| ())
}
