//! The mirror: our own bare repository for one remote. The only repository that host-side git trusts.
//!
//! Owns the directory `<mirrors>/<name>.git` with everything in it and the lock file beside it. Nothing but this
//! module writes there. It must not hold a work tree, a hook, a remote or a key.
//!
//! Refs: `refs/overnight/bases/<commit>` keeps a fetched base, `refs/overnight/jobs/<job>/<attempt>` what an attempt
//! made, `refs/overnight/grafts/<commit>` a commit of ours on top of a base.

mod change;
mod commits;
mod fetch;
mod import;
mod lock;
mod merge;
mod read;
mod recover;
mod revert;
mod tend;

use std::path::{Path, PathBuf};

use overnight_core::git::CommitId;

use crate::endpoint::Endpoint;
use crate::error::GitError;
use crate::git::{Call, Git, commit};

pub use fetch::{Fetched, Wanted};
pub use import::{Identity, Import};
pub use lock::LockWait;
pub use merge::Merge;
pub use revert::{Revert, RevertOrder, Reverted};
pub use tend::{CommitRef, JobRef, Load, Repack, Site, Tending};

/// Object format of a repository: the length of its ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Sha1,
    Sha256,
}

impl Format {
    pub(crate) fn of(id: &CommitId) -> Self {
        if id.as_str().len() == 64 { Self::Sha256 } else { Self::Sha1 }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// The whole configuration of a mirror. Written again when the file says anything else.
    fn config(self) -> &'static str {
        match self {
            Self::Sha1 => "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
            Self::Sha256 => {
                "[core]\n\trepositoryformatversion = 1\n\tfilemode = true\n\tbare = true\n\
                 [extensions]\n\tobjectformat = sha256\n"
            }
        }
    }
}

/// The directory of all mirrors.
#[derive(Debug, Clone)]
pub struct Mirrors {
    git: Git,
    dir: PathBuf,
}

/// One mirror, whole when it was opened.
#[derive(Debug, Clone)]
pub struct Mirror {
    git: Git,
    path: PathBuf,
    format: Format,
    root: read::KnownRoot,
}

impl Mirrors {
    #[must_use]
    pub fn new(git: Git, dir: PathBuf) -> Self {
        Self { git, dir }
    }

    /// The mirror of a remote: opened, mended after a crash, or made. Alone under the mirror's lock while it does so.
    ///
    /// # Errors
    /// The lock is not free within `wait`, the remote cannot be asked for its object format, or the disk fails.
    pub async fn open_or_create(&self, endpoint: &Endpoint, wait: &LockWait<'_>) -> Result<Mirror, GitError> {
        std::fs::create_dir_all(&self.dir)
            .map_err(GitError::io("make the directory of mirrors", &self.dir))?;
        let path = self.dir.join(format!("{}.git", endpoint.remote.mirror_dir_name()));
        let _alone = lock::acquire(&path, wait).await?;
        if let Some(format) = recover::mend(&path)? {
            return Ok(self.opened(path, format));
        }
        let format = self.git.format_of(endpoint).await?;
        self.create(&path, format).await?;
        Ok(self.opened(path, format))
    }

    fn opened(&self, path: PathBuf, format: Format) -> Mirror {
        Mirror { git: self.git.clone(), path, format, root: read::KnownRoot::default() }
    }

    /// Puts a mirror that turned out to be damaged aside, for a person to look at; the next
    /// [`Mirrors::open_or_create`] makes it anew.
    ///
    /// # Errors
    /// The lock is not free, or the directory cannot be renamed.
    pub async fn quarantine(&self, mirror: &Mirror, wait: &LockWait<'_>) -> Result<PathBuf, GitError> {
        let _alone = lock::acquire(&mirror.path, wait).await?;
        recover::put_aside(&mirror.path)
    }

    /// Made beside its place and renamed: a mirror is there whole or not at all.
    async fn create(&self, path: &Path, format: Format) -> Result<(), GitError> {
        let new = path.with_extension("git.new");
        crate::remove::remove_tree(&new).await?;
        let call = self.git.without_repository("make a mirror").about(path.display());
        let call = call.args(["init", "--quiet", "--bare", "--template=", "--initial-branch=none"]);
        call.arg(format!("--object-format={}", format.name())).arg("--").arg(&new).output().await?;
        let operation = "make a mirror";
        crate::git::write_private(&new.join("config"), format.config().as_bytes())
            .and_then(|()| std::fs::rename(&new, path))
            .and_then(|()| std::fs::File::open(&self.dir)?.sync_all())
            .map_err(GitError::io(operation, path))
    }
}

impl Mirror {
    /// The bare repository. What runs in containment may read it and must not write it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn call(&self, operation: &'static str) -> Call {
        self.git.on(operation, &self.path)
    }

    /// Points refs of ours at commits, all or none.
    async fn update_refs(&self, lines: &str) -> Result<(), GitError> {
        let call = self.call("keep a commit").stdin(lines.as_bytes().to_vec());
        call.args(["update-ref", "--stdin"]).output().await.map(drop)
    }

    /// The commit that a ref of ours points to.
    async fn read_ref(&self, name: &str) -> Result<Option<CommitId>, GitError> {
        let operation = "read a ref of the mirror";
        let call = self.call(operation).args(["rev-parse", "--verify", "--quiet"]);
        let ran = call.arg(format!("{name}^{{commit}}")).finish().await?;
        if ran.status == 0 { commit(operation, &ran.stdout).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests;
