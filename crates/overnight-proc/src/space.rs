//! Room on a disk.
#![expect(unsafe_code, reason = "statvfs has no safe interface in the standard library")]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Bytes that this user can still write on the file system of `path`.
///
/// # Errors
/// When the path is not there or cannot be looked at.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: a structure of numbers, for which zero is a value.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with a NUL, and `found` is valid for writing.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::free_space;

    #[test]
    fn there_is_room_somewhere_and_none_where_nothing_is() {
        assert!(free_space(std::path::Path::new("/")).unwrap() > 0);
        assert!(free_space(std::path::Path::new("/no/such/place")).is_err());
    }
}
