//! A file that becomes visible under its name only when it is whole.
//!
//! Owns the unfinished file beside it. What a killed process left is used again by the next one, so that unattended backups
//! never pile up half files.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::backup::BackupError;

/// An unfinished file, locked against other processes. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    /// Closed after everybody else in this process has closed the file: closing it drops SQLite's locks.
    file: File,
}

impl Part {
    /// Makes an empty one beside `target`, readable for this user only.
    pub(crate) fn beside(target: &Path) -> Result<Self, BackupError> {
        let name = target.file_name().ok_or_else(|| BackupError::NoName { path: target.to_owned() })?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".part");
        let path = target.with_file_name(hidden);
        let failed = |source| BackupError::File { what: "write", path: path.clone(), source };
        let file = loop {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
            let file = file.map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(BackupError::Busy { path: target.to_owned() }),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Its last owner may have renamed or removed it between the opening and the lock.
            let ours = file.metadata().map_err(failed)?;
            if std::fs::metadata(&path)
                .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
            {
                break file;
            }
        };
        let part = Self { path: path.clone(), file };
        part.remove_companions();
        part.file.set_len(0).map_err(failed)?;
        part.file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(part)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it durable and gives it its name, which must be free.
    pub(crate) fn finish(self, target: &Path) -> Result<(), BackupError> {
        let failed = |source| BackupError::File { what: "finish", path: target.to_owned(), source };
        if target.symlink_metadata().is_ok() {
            return Err(BackupError::Exists { path: target.to_owned() });
        }
        self.file.sync_all().map_err(failed)?;
        std::fs::rename(&self.path, target).map_err(failed)?;
        let dir = target.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
    }

    /// What SQLite keeps beside a file.
    fn remove_companions(&self) {
        for end in ["-wal", "-shm", "-journal"] {
            let mut name = self.path.clone().into_os_string();
            name.push(end);
            // Usually there is none.
            let _ = std::fs::remove_file(name);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.remove_companions();
        // It is gone already when it was finished.
        let _ = std::fs::remove_file(&self.path);
    }
}
