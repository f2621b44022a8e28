//! The view of the file system inside a mount namespace: private mounts, the file guard, a fresh `/proc`. Changes only
//! the namespace it is called in. It never creates a file or directory: a mount point that has to be made is a way to
//! write outside.
#![expect(unsafe_code, reason = "the mount calls have no safe interface")]

use std::ffi::{CStr, c_void};
use std::mem;
use std::ptr;

use super::sys::{self, Errno, Fd, check, check_long};
use super::{Failure, Step};
use crate::plan::{GuardEntry, GuardKind};

/// Applies the whole view. Must run as pid 1 of a new mount namespace, while the outer `/proc` is still mounted.
pub(crate) fn apply(guard: &[GuardEntry]) -> Result<(), Failure> {
    mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)
        .map_err(|errno| Failure::at(Step::PrivateMounts, errno))?;
    for (index, entry) in guard.iter().enumerate() {
        match apply_entry(entry) {
            Ok(()) | Err(libc::ENOENT) => {}
            Err(errno) => {
                let index = u16::try_from(index).unwrap_or(u16::MAX);
                return Err(Failure { step: Step::Guard, index, errno });
            }
        }
    }
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(Some(c"proc"), c"/proc", Some(c"proc"), flags, None).map_err(|errno| Failure::at(Step::Proc, errno))
}

fn apply_entry(entry: &GuardEntry) -> Result<(), Errno> {
    let path = entry.path.as_c_str();
    match entry.kind {
        GuardKind::ReadOnly => {
            bind_onto_itself(path)?;
            with_path_fd(path, |fd, via| set_read_only(fd, via, true))
        }
        GuardKind::Writable => {
            bind_onto_itself(path)?;
            with_path_fd(path, |fd, via| set_read_only(fd, via, false))
        }
        GuardKind::HiddenDirectory => with_path_fd(path, |_, via| {
            let flags = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV;
            mount(Some(c"tmpfs"), via, Some(c"tmpfs"), flags, Some(c"mode=0555,size=4k"))
        }),
        GuardKind::HiddenFile => {
            with_path_fd(path, |_, via| mount(Some(c"/dev/null"), via, None, libc::MS_BIND, None))
        }
    }
}

/// Gives `path` a mount of its own. The root has one already, and a second one over it would not be seen.
fn bind_onto_itself(path: &CStr) -> Result<(), Errno> {
    if path.to_bytes() == b"/" {
        return Ok(());
    }
    with_path_fd(path, |_, via| mount(Some(via), via, None, libc::MS_BIND | libc::MS_REC, None))
}

/// Opens `path` without following any symbolic link and hands on the descriptor and a name for exactly what it opened,
/// so that nothing can be exchanged between the look and the mount.
fn with_path_fd(path: &CStr, act: impl FnOnce(Fd, &CStr) -> Result<(), Errno>) -> Result<(), Errno> {
    let fd = open_path(path)?;
    let mut name = [0_u8; 32];
    let result = descriptor_name(fd, &mut name).ok_or(libc::EINVAL).and_then(|via| act(fd, via));
    sys::close(fd);
    result
}

fn open_path(path: &CStr) -> Result<Fd, Errno> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: all zero is a valid `open_how`.
    let mut how: libc::open_how = unsafe { mem::zeroed() };
    how.flags = flags as u64;
    how.resolve = libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: `path` ends with NUL, `how` and its size belong together.
    let opened = check_long(unsafe {
        libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), &raw const how, size_of_val(&how))
    });
    match opened {
        Ok(fd) => Ok(fd as Fd),
        // Kernels before 5.6 check only the last component.
        Err(libc::ENOSYS) => sys::open(path, flags, 0),
        Err(errno) => Err(errno),
    }
}

/// `/proc/self/fd/N` in `buffer`.
fn descriptor_name(fd: Fd, buffer: &mut [u8; 32]) -> Option<&CStr> {
    let prefix = b"/proc/self/fd/";
    buffer.get_mut(..prefix.len())?.copy_from_slice(prefix);
    sys_decimal(u64::try_from(fd).ok()?, buffer.get_mut(prefix.len()..)?)?;
    CStr::from_bytes_until_nul(buffer).ok()
}

/// Writes `value` in decimal digits followed by NUL; how many digits.
pub(crate) fn sys_decimal(value: u64, buffer: &mut [u8]) -> Option<usize> {
    let mut digits = 1;
    let mut rest = value / 10;
    while rest > 0 {
        digits += 1;
        rest /= 10;
    }
    let mut rest = value;
    for place in (0..digits).rev() {
        *buffer.get_mut(place)? = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    *buffer.get_mut(digits)? = 0;
    Some(digits)
}

/// Read-only takes everything mounted below along; writable concerns only the mount itself, so that a read-only one below
/// a writable one stays what it is.
fn set_read_only(fd: Fd, via: &CStr, on: bool) -> Result<(), Errno> {
    // SAFETY: all zero is a valid `mount_attr`.
    let mut attr: libc::mount_attr = unsafe { mem::zeroed() };
    let flags = if on {
        attr.attr_set = libc::MOUNT_ATTR_RDONLY;
        libc::AT_EMPTY_PATH | libc::AT_RECURSIVE
    } else {
        attr.attr_clr = libc::MOUNT_ATTR_RDONLY;
        libc::AT_EMPTY_PATH
    };
    // SAFETY: the path is an empty string, `attr` and its size belong together.
    let done = check_long(unsafe {
        libc::syscall(libc::SYS_mount_setattr, fd, c"".as_ptr(), flags, &raw const attr, size_of_val(&attr))
    });
    match done {
        Ok(_) => Ok(()),
        Err(libc::ENOSYS) => remount(fd, via, on),
        Err(errno) => Err(errno),
    }
}

/// For kernels before 5.12: this one mount only. The other flags are repeated, since dropping one is refused.
fn remount(fd: Fd, via: &CStr, on: bool) -> Result<(), Errno> {
    // SAFETY: all zero is a valid `statvfs`.
    let mut state: libc::statvfs = unsafe { mem::zeroed() };
    // SAFETY: `state` has room for the answer.
    check(unsafe { libc::fstatvfs(fd, &mut state) })?;
    let keep = state.f_flag
        & (libc::ST_NOSUID | libc::ST_NODEV | libc::ST_NOEXEC | libc::ST_NOATIME | libc::ST_NODIRATIME);
    let read_only = if on { libc::MS_RDONLY } else { 0 };
    mount(None, via, None, libc::MS_REMOUNT | libc::MS_BIND | read_only | keep, None)
}

fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<&CStr>,
) -> Result<(), Errno> {
    let pointer = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: every text ends with NUL or is null, which mount allows for these arguments.
    let result = unsafe {
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, pointer(data).cast::<c_void>())
    };
    check(result).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_names_are_written_without_allocation() {
        let mut buffer = [0xff; 32];
        assert_eq!(descriptor_name(0, &mut buffer), Some(c"/proc/self/fd/0"));
        let mut buffer = [0xff; 32];
        assert_eq!(descriptor_name(i32::MAX, &mut buffer), Some(c"/proc/self/fd/2147483647"));
        assert_eq!(sys_decimal(100, &mut [0; 3]), None);
    }
}
