//! Files that an agent wrote, handled so that it gains nothing: trees are removed and files opened without ever
//! following a link.
//!
//! Owns no state. Every step works below an open directory (`/proc/self/fd/N`), so that a name swapped for a link
//! between two steps leads nowhere. It must not be called on an asynchronous thread except through [`remove_tree`].

use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::GitError;

/// Open directories held at a time. Deeper ones are first moved to the top: neither the stack nor the number of open
/// files grows with the depth of a tree.
const MAX_DEPTH: u32 = 64;

/// Removes a tree whatever its shape: closed directories, names of 255 bytes, any depth. Nothing there is no error.
///
/// # Errors
/// [`GitError::PathRefused`] when the path itself is a link or no directory; nothing is touched then.
pub async fn remove_tree(path: &Path) -> Result<(), GitError> {
    let operation = "remove a directory";
    let owned = path.to_owned();
    let done = tokio::task::spawn_blocking(move || remove_tree_now(&owned)).await;
    match done.unwrap_or_else(|lost| Err(io::Error::other(lost))) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            Err(GitError::PathRefused { path: path.to_owned(), why: "it is a symbolic link or no directory" })
        }
        other => other.map_err(GitError::io(operation, path)),
    }
}

/// The same on this thread. A link or file in place of the directory is `InvalidInput`.
pub(crate) fn remove_tree_now(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(meta) if !meta.is_dir() => return Err(ErrorKind::InvalidInput.into()),
        Ok(_) => {}
    }
    let root = open_directory(path)?;
    let mut sweep = Sweep { root: &root, moved: 0 };
    loop {
        let before = sweep.moved;
        sweep.empty(&root, 0)?;
        if sweep.moved == before {
            return fs::remove_dir(path);
        }
    }
}

struct Sweep<'a> {
    root: &'a File,
    /// Directories moved to the top so far: each gets its number as name.
    moved: u64,
}

impl Sweep<'_> {
    fn empty(&mut self, dir: &File, depth: u32) -> io::Result<()> {
        for entry in fs::read_dir(below(dir, OsStr::new("")))? {
            self.remove(dir, &entry?, depth)?;
        }
        Ok(())
    }

    fn remove(&mut self, dir: &File, entry: &DirEntry, depth: u32) -> io::Result<()> {
        let path = below(dir, &entry.file_name());
        if !entry.file_type()?.is_dir() {
            return fs::remove_file(path);
        }
        let child = open_directory(&path)?;
        if depth < MAX_DEPTH {
            self.empty(&child, depth + 1)?;
            return fs::remove_dir(path);
        }
        self.moved += 1;
        fs::rename(path, below(self.root, OsStr::new(&format!(".overnight-removed-{}", self.moved))))
    }
}

/// How deep references lie at most, where locks are looked for: git's own names have a handful of parts.
const REFERENCES_DEEP: u32 = 16;

/// Removes git's lock files of a repository: those at its top, and those beside its references. A repository that is gone, or a link
/// or file in its place, is left to whoever looks at it next.
pub(crate) fn remove_locks(repository: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(repository).is_ok_and(|meta| meta.is_dir()) {
        return Ok(());
    }
    let top = open_directory(repository)?;
    locks_in(&top)?;
    let references = below(&top, OsStr::new("refs"));
    if fs::symlink_metadata(&references).is_ok_and(|meta| meta.is_dir()) {
        locks_below(&open_directory(&references)?, REFERENCES_DEEP)?;
    }
    Ok(())
}

fn locks_below(dir: &File, deep: u32) -> io::Result<()> {
    locks_in(dir)?;
    for entry in fs::read_dir(below(dir, OsStr::new("")))? {
        let entry = entry?;
        if deep > 0 && entry.file_type()?.is_dir() {
            locks_below(&open_directory(&below(dir, &entry.file_name()))?, deep - 1)?;
        }
    }
    Ok(())
}

fn locks_in(dir: &File) -> io::Result<()> {
    for entry in fs::read_dir(below(dir, OsStr::new("")))? {
        let (name, entry) = entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?)))?;
        if entry.is_file() && name.as_encoded_bytes().ends_with(b".lock") {
            fs::remove_file(below(dir, &name))?;
        }
    }
    Ok(())
}

fn below(dir: &File, name: &OsStr) -> PathBuf {
    Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name)
}

/// Opens a directory, never through a link, and makes it ours to read and empty.
fn open_directory(path: &Path) -> io::Result<File> {
    let handle = File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(path)?;
    let itself = Path::new("/proc/self/fd").join(handle.as_raw_fd().to_string());
    if handle.metadata()?.permissions().mode() & 0o700 != 0o700 {
        fs::set_permissions(&itself, Permissions::from_mode(0o700))?;
    }
    File::options().read(true).custom_flags(libc::O_DIRECTORY).open(itself.join("."))
}

/// Opens a regular file of at most `max_bytes`, never through a link in its last part or that of its directory, and
/// without waiting for the other end of a pipe.
///
/// # Errors
/// `InvalidInput` for anything but a regular file, `FileTooLarge` for a larger one.
pub fn open_regular(path: &Path, max_bytes: u64) -> io::Result<File> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let dir = File::options().read(true).custom_flags(flags).open(parent).map_err(not_plain)?;
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(below(&dir, name)).map_err(not_plain)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if meta.len() > max_bytes {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {max_bytes} bytes")));
    }
    Ok(file)
}

/// The errors of a link, of a file in the place of a directory, and of a socket.
fn not_plain(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ELOOP | libc::ENOTDIR | libc::ENXIO | libc::ENODEV) => {
            io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")
        }
        Some(_) | None => error,
    }
}

#[cfg(test)]
mod tests;
