//! The server's folder, and the account that owns it and that the server runs as.
//!
//! Owns the making of the folder; the watcher removes it. PostgreSQL refuses to run as root, so root hands the folder to
//! an account without rights, which must be able to reach it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A socket's path may have 107 bytes; the name of our folder and of the socket in it take at most 35.
const LONGEST_PARENT: usize = 70;

/// An account's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
}

/// On nearly every system `nobody`, also where no file says so.
const NOBODY: Account = Account { uid: 65_534, gid: 65_534 };

/// A folder that only the server's account and root can enter: that is what guards the socket in it.
#[derive(Debug)]
pub(super) struct Home {
    dir: PathBuf,
    /// Whose programs run here, where that is not the account of this process.
    account: Option<Account>,
}

impl Home {
    /// Makes the folder. Nobody removes it before a watcher knows it.
    pub(super) fn make() -> Result<Self, String> {
        let mut last = "no temporary folder has a short path that the server can reach".to_owned();
        for parent in [std::env::temp_dir(), PathBuf::from("/tmp")] {
            match Self::make_in(&parent) {
                Ok(home) => return Ok(home),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn make_in(parent: &Path) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("cannot use {}: {error}", parent.display());
        let parent = parent.canonicalize().map_err(cannot)?;
        if parent.as_os_str().len() > LONGEST_PARENT {
            return Err(format!("the path of {} is too long for a socket", parent.display()));
        }
        let dir = tempfile::Builder::new().prefix("overnight-pg-").tempdir_in(&parent).map_err(cannot)?;
        let own_uid = fs::metadata(dir.path()).map_err(cannot)?.uid();
        let account = (own_uid == 0).then(|| account(&fs::read_to_string("/etc/passwd").unwrap_or_default()));
        if let Some(Account { uid, gid }) = account {
            if !parent.ancestors().all(others_may_pass) {
                return Err(format!("{} cannot be reached by the server's account", parent.display()));
            }
            chown(dir.path(), Some(uid), Some(gid)).map_err(cannot)?;
        }
        Ok(Self { dir: dir.keep(), account })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// A command as the server's account, out of reach of the terminal's signals. Setting a uid as root also drops
    /// root's other groups.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = clean_command(program);
        command.current_dir(&self.dir).process_group(0);
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// A command without input whose messages are English and which no `PG…` variable of the person leads elsewhere.
#[expect(clippy::disallowed_methods, reason = "the testkit does not depend on overnight-proc")]
pub(super) fn clean_command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    command
}

/// PostgreSQL's own account where its package made one, else the one without rights.
fn account(passwd: &str) -> Account {
    let named = |name: &str| passwd.lines().find_map(|line| account_named(name, line));
    named("postgres").or_else(|| named("nobody")).unwrap_or(NOBODY)
}

/// `name:x:uid:gid:…`
fn account_named(name: &str, line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    (uid != 0).then_some(Account { uid, gid })
}

fn others_may_pass(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_postgresql_is_preferred_and_there_is_always_one() {
        let both = "root:x:0:0::/root:/bin/sh\nnobody:x:99:98::/:/bin/false\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(account(both), Account { uid: 101, gid: 104 });
        assert_eq!(account(both.split("postgres").next().unwrap()), Account { uid: 99, gid: 98 });
        assert_eq!(account("postgres:x:0:0::/:/bin/sh\n"), NOBODY);
        assert_eq!(account("postgres:x:\n"), NOBODY);
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let long = root.path().join("x".repeat(LONGEST_PARENT));
        fs::create_dir(&long).unwrap();
        let reason = Home::make_in(&long).unwrap_err();
        assert!(reason.ends_with("is too long for a socket"), "{reason}");
    }
}
