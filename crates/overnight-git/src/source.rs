//! A look at the person's own repository, before any work is queued for it.
//!
//! Owns nothing and changes nothing. The repository is trusted: its configuration and the person's own count, but
//! hooks and file-system monitors stay off and no lock is waited for.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use overnight_core::git::CommitId;

use crate::error::GitError;
use crate::git::{Call, Git, Ran, commit};
use crate::parse::{Config, RemoteUrls, status_count};

/// Bytes of `git status` that are looked at: some 20,000 changed files, beyond which the number helps nobody.
const STATUS_LIMIT: u64 = 1 << 20;

/// What there is to know about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Absolute git directory; that of the linked work tree, when the path lies in one.
    pub git_dir: PathBuf,
    /// Absolute git directory that holds the objects and branches.
    pub common_dir: PathBuf,
    /// Top of the work tree; `None` for a bare repository.
    pub top_level: Option<PathBuf>,
    pub head: CommitId,
    /// Branch that is checked out, without `refs/heads/`; `None` when HEAD is detached.
    pub branch: Option<String>,
    pub bare: bool,
    pub shallow: bool,
    /// Objects are left at another place (`git clone --filter`): such a repository cannot be copied without that place.
    pub partial: bool,
    pub has_submodules: bool,
    pub has_lfs: bool,
    /// Changed, staged and untracked entries that a job would not see. A lower bound beyond some 20,000.
    pub uncommitted: u32,
    pub remotes: BTreeMap<String, RemoteUrls>,
    /// Remote and branch that `branch` follows.
    pub upstream: Option<(String, String)>,
    pub user_name: Option<String>,
    pub user_email: Option<String>,
}

impl Source {
    /// Whether HEAD names a commit and no branch.
    #[must_use]
    pub fn detached(&self) -> bool {
        self.branch.is_none()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("{} does not exist or is not a directory", path.display())]
    NoSuchDirectory { path: PathBuf },
    #[error("{} is not inside a git repository", path.display())]
    NotARepository { path: PathBuf },
    #[error("the repository at {} has no commits yet", path.display())]
    NoCommits { path: PathBuf },
    #[error("git does not trust {}: it belongs to another user (git config --global --add safe.directory {})", path.display(), path.display())]
    UnsafeOwnership { path: PathBuf },
    #[error(transparent)]
    Git(#[from] GitError),
}

impl Git {
    /// Looks at the repository that `path` lies in: its top, a directory below, a linked work tree or a bare repository.
    ///
    /// # Errors
    /// [`InspectError`] says what keeps the repository from being used.
    pub async fn inspect(&self, path: &Path) -> Result<Source, InspectError> {
        if !path.is_dir() {
            return Err(InspectError::NoSuchDirectory { path: path.to_owned() });
        }
        let (git_dir, common, top, flags, branch, head) = tokio::join!(
            self.find_git_dir(path),
            self.path_of(path, &["--path-format=absolute", "--git-common-dir"]),
            self.top_level(path),
            self.flags(path),
            self.branch(path),
            self.head(path),
        );
        // The first question tells best why there is no repository.
        let git_dir = git_dir?;
        let (common, top, (bare, shallow), branch, head) = (common?, top?, flags?, branch?, head?);
        let (config, has_submodules, has_lfs, uncommitted) = tokio::try_join!(
            self.configuration(path),
            self.has_submodules(path, &head),
            self.has_lfs(path, &head),
            self.uncommitted(path, top.is_some()),
        )?;
        let upstream = branch.as_deref().and_then(|branch| {
            let remote = config.get(&format!("branch.{branch}.remote"))?.to_owned();
            let merge =
                config.get(&format!("branch.{branch}.merge"))?.strip_prefix("refs/heads/")?.to_owned();
            Some((remote, merge))
        });
        Ok(Source {
            git_dir,
            common_dir: common,
            top_level: top,
            head,
            branch,
            bare,
            shallow,
            partial: config.is_partial(),
            has_submodules,
            has_lfs,
            uncommitted,
            remotes: config.remotes(),
            upstream,
            user_name: config.get("user.name").map(str::to_owned),
            user_email: config.get("user.email").map(str::to_owned),
        })
    }

    fn look(&self, operation: &'static str, path: &Path) -> Call {
        self.of_person(operation, path).about(path.display())
    }

    async fn find_git_dir(&self, path: &Path) -> Result<PathBuf, InspectError> {
        let operation = "find the repository";
        let ran = self.look(operation, path).args(["rev-parse", "--absolute-git-dir"]).finish().await?;
        if ran.status == 0 {
            return Ok(printed_path(&ran.stdout));
        }
        let stderr = String::from_utf8_lossy(&ran.stderr);
        let path = path.to_owned();
        Err(if stderr.contains("dubious ownership") {
            InspectError::UnsafeOwnership { path }
        } else if stderr.contains("not a git repository") {
            InspectError::NotARepository { path }
        } else {
            ran.failed(operation, path.display().to_string()).into()
        })
    }

    async fn path_of(&self, path: &Path, question: &[&str]) -> Result<PathBuf, GitError> {
        let call = self.look("ask where the repository lies", path).arg("rev-parse").args(question);
        Ok(printed_path(&call.output().await?))
    }

    async fn top_level(&self, path: &Path) -> Result<Option<PathBuf>, GitError> {
        let call = self.look("find the top of the work tree", path);
        let ran = call.args(["rev-parse", "--show-toplevel"]).finish().await?;
        Ok((ran.status == 0).then(|| printed_path(&ran.stdout)))
    }

    async fn flags(&self, path: &Path) -> Result<(bool, bool), GitError> {
        let call = self.look("ask what kind of repository it is", path);
        let out =
            call.args(["rev-parse", "--is-bare-repository", "--is-shallow-repository"]).output().await?;
        let text = String::from_utf8_lossy(&out);
        let mut answers = text.lines().map(|line| line == "true");
        Ok((answers.next().unwrap_or(false), answers.next().unwrap_or(false)))
    }

    async fn branch(&self, path: &Path) -> Result<Option<String>, GitError> {
        let ran = self.look("read HEAD", path).args(["symbolic-ref", "--quiet", "HEAD"]).finish().await?;
        let name = String::from_utf8_lossy(&ran.stdout);
        Ok(name.trim_end_matches('\n').strip_prefix("refs/heads/").map(str::to_owned))
    }

    async fn head(&self, path: &Path) -> Result<CommitId, InspectError> {
        let operation = "read HEAD";
        let ran = self
            .look(operation, path)
            .args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
            .finish()
            .await?;
        match ran.status {
            0 => Ok(commit(operation, &ran.stdout)?),
            _ if ran.stderr.is_empty() => Err(InspectError::NoCommits { path: path.to_owned() }),
            _ => Err(ran.failed(operation, path.display().to_string()).into()),
        }
    }

    async fn configuration(&self, path: &Path) -> Result<Config, GitError> {
        let call = self.look("read the configuration", path).args(["config", "--list", "--null"]);
        Ok(Config::parse(&call.output().await?))
    }

    async fn has_submodules(&self, path: &Path, head: &CommitId) -> Result<bool, GitError> {
        let call = self.look("look for submodules", path);
        let ran: Ran = call.args(["cat-file", "-e", &format!("{head}:.gitmodules")]).finish().await?;
        Ok(ran.status == 0)
    }

    async fn has_lfs(&self, path: &Path, head: &CommitId) -> Result<bool, GitError> {
        let call = self.look("look for LFS files", path);
        let search = ["grep", "--quiet", "--fixed-strings", "-e", "filter=lfs", head.as_str(), "--"];
        Ok(call.args(search).arg(":(top,glob)**/.gitattributes").finish().await?.status == 0)
    }

    async fn uncommitted(&self, path: &Path, has_work_tree: bool) -> Result<u32, GitError> {
        if !has_work_tree {
            return Ok(0);
        }
        let operation = "look for uncommitted changes";
        let call = self.look(operation, path).output_limit(STATUS_LIMIT);
        let ran = call
            .args(["status", "--porcelain", "-z", "--ignore-submodules=all", "--untracked-files=normal"])
            .finish()
            .await?;
        match ran.status {
            0 => Ok(status_count(&ran.stdout)),
            _ if ran.truncated => Ok(status_count(&ran.stdout)),
            _ => Err(ran.failed(operation, path.display().to_string())),
        }
    }
}

/// A path that git printed on a line of its own; it may hold further line feeds.
fn printed_path(stdout: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(stdout.strip_suffix(b"\n").unwrap_or(stdout)))
}

#[cfg(test)]
mod tests;
