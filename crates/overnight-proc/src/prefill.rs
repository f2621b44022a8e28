//! Input that is in the pipe before its program starts. A runner that is killed between the start of an agent and the writing of its
//! prompt would otherwise leave it with none, and what the agent makes of an empty prompt would count as its turn.
#![expect(unsafe_code, reason = "fcntl has no safe interface in the standard library")]

use std::io::{self, PipeWriter, Write};
use std::os::fd::AsRawFd;

/// What a pipe holds when it is made.
const USUAL: usize = 64 * 1024;
/// What an unprivileged process may let it hold: `/proc/sys/fs/pipe-max-size`, unless somebody has changed that.
const MOST: usize = 1024 * 1024;

/// Writes as much as the pipe takes, never waiting, and says how much that was. More than a mebibyte, or what the kernel has no room for,
/// is left to be written while the program runs.
pub(crate) fn prefill(pipe: &mut PipeWriter, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    if (USUAL + 1..=MOST).contains(&bytes.len()) {
        let size = libc::c_int::try_from(bytes.len().next_power_of_two()).unwrap_or(libc::c_int::MAX);
        // SAFETY: fcntl on a descriptor that is open. Refused, the pipe stays as it is, and holds less.
        unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, size) };
    }
    // SAFETY: fcntl on a descriptor that is open; nobody else writes to this end.
    if unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut given = 0;
    while let Some(left) = bytes.get(given..).filter(|left| !left.is_empty()) {
        match pipe.write(left) {
            Ok(count) => given += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{MOST, USUAL, prefill};

    #[test]
    fn what_fits_is_there_when_the_writer_is_gone() {
        for size in [0, 1, USUAL, USUAL + 1, 300_000, MOST] {
            let bytes = vec![b'x'; size];
            let (mut read, mut write) = std::io::pipe().unwrap();
            assert_eq!(prefill(&mut write, &bytes).unwrap(), size);
            drop(write);
            let mut found = Vec::new();
            read.read_to_end(&mut found).unwrap();
            assert_eq!(found, bytes, "{size}");
        }
    }

    #[test]
    fn what_does_not_fit_waits_for_nobody() {
        let (_read, mut write) = std::io::pipe().unwrap();
        let given = prefill(&mut write, &vec![b'x'; 3 * MOST]).unwrap();
        assert!((1..=MOST).contains(&given), "{given}");
    }
}
