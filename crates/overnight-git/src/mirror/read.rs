//! Questions to the mirror. Object readers only: no work tree, no attribute driver, no configuration but ours.
//!
//! Owns nothing. It must not write anything into the mirror.

use overnight_core::git::CommitId;
use overnight_core::verdict::DiffStat;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Mutex, PoisonError};

use super::Mirror;
use crate::error::GitError;
use crate::git::unexpected;
use crate::parse::{self, ChangedPath, TreeEntry};

/// Modes of regular files; everything else (links, submodules) has no content to read.
const FILE_MODES: [u32; 2] = [0o100_644, 0o100_755];

/// The last root that was listed: a job asks the same commit for many files.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownRoot(Arc<Mutex<Option<Root>>>);

#[derive(Debug)]
struct Root {
    commit: CommitId,
    entries: Arc<Vec<TreeEntry>>,
}

impl KnownRoot {
    fn of(&self, commit: &CommitId) -> Option<Arc<Vec<TreeEntry>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|root| root.commit == *commit).map(|root| Arc::clone(&root.entries))
    }

    fn keep(&self, commit: &CommitId, entries: Vec<TreeEntry>) -> Arc<Vec<TreeEntry>> {
        let entries = Arc::new(entries);
        let root = Root { commit: commit.clone(), entries: Arc::clone(&entries) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(root);
        entries
    }
}

impl Mirror {
    /// Names at the top of a commit's tree, as bytes.
    ///
    /// # Errors
    /// The commit is not in the mirror.
    pub async fn list_root(&self, commit: &CommitId) -> Result<Vec<Vec<u8>>, GitError> {
        Ok(self.root(commit).await?.iter().map(|entry| entry.path.clone()).collect())
    }

    /// The entries at the top of a commit's tree. Asked for once: what an id names never changes.
    async fn root(&self, commit: &CommitId) -> Result<Arc<Vec<TreeEntry>>, GitError> {
        if let Some(entries) = self.root.of(commit) {
            return Ok(entries);
        }
        let operation = "list the files of a commit";
        let call = self.call(operation).about(commit);
        let listing = call.args(["ls-tree", "-z", "-l", "--full-tree", commit.as_str()]).output().await?;
        let entries = parse::ls_tree(&listing).ok_or_else(|| unexpected(operation, &listing))?;
        Ok(self.root.keep(commit, entries))
    }

    /// The content of a regular file; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] beyond `max_bytes`; the commit is not in the mirror.
    pub async fn read_file(
        &self,
        commit: &CommitId,
        path: &[u8],
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, GitError> {
        let operation = "read a file of a commit";
        let entries = if path.contains(&b'/') {
            Arc::new(self.entries_at(operation, commit, path).await?)
        } else {
            self.root(commit).await?
        };
        let file = entries.iter().find(|entry| entry.path == path && FILE_MODES.contains(&entry.mode));
        let Some(file) = file else { return Ok(None) };
        if file.size.is_none_or(|size| size > max_bytes) {
            let what = String::from_utf8_lossy(path).into_owned();
            return Err(GitError::TooLarge { what, limit: max_bytes });
        }
        let call = self.call(operation).output_limit(max_bytes.saturating_add(1));
        call.args(["cat-file", "blob", &file.id]).output().await.map(Some)
    }

    async fn entries_at(
        &self,
        operation: &'static str,
        commit: &CommitId,
        path: &[u8],
    ) -> Result<Vec<TreeEntry>, GitError> {
        let name = String::from_utf8_lossy(path);
        let call = self.call(operation).about(commit).about(name.escape_debug());
        let call = call.args(["ls-tree", "-z", "-l", "--full-tree", commit.as_str(), "--"]);
        let listing = call.arg(OsStr::from_bytes(path)).output().await?;
        parse::ls_tree(&listing).ok_or_else(|| unexpected(operation, &listing))
    }

    /// Size of the change between two commits.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn diff_stat(&self, base: &CommitId, tip: &CommitId) -> Result<DiffStat, GitError> {
        let stdout = self.diff(base, tip, &["--numstat", "--no-renames", "-z"]).await?;
        parse::numstat(&stdout).ok_or_else(|| unexpected("compare two commits", &stdout))
    }

    /// Every path that differs between two commits, with its modes; a rename is a deletion and an addition.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn changed_paths(&self, base: &CommitId, tip: &CommitId) -> Result<Vec<ChangedPath>, GitError> {
        let stdout = self.diff(base, tip, &["--raw", "--no-renames", "--no-abbrev", "-z"]).await?;
        parse::raw_diff(&stdout).ok_or_else(|| unexpected("compare two commits", &stdout))
    }

    /// The change as a patch, and whether it was cut at `max_bytes`.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn patch(
        &self,
        base: &CommitId,
        tip: &CommitId,
        max_bytes: u64,
    ) -> Result<(Vec<u8>, bool), GitError> {
        let options = ["--patch", "--find-renames", "--no-color", "--full-index"];
        let call = self.diff_call(base, tip, &options).output_limit(max_bytes);
        let ran = call.finish().await?;
        // A git whose output is no longer read may end by a broken pipe: what was kept is still the patch.
        if ran.status != 0 && !ran.truncated {
            return Err(ran.failed("compare two commits", format!("{base}, {tip}")));
        }
        Ok((ran.stdout, ran.truncated))
    }

    async fn diff(&self, base: &CommitId, tip: &CommitId, options: &[&str]) -> Result<Vec<u8>, GitError> {
        self.diff_call(base, tip, options).output().await
    }

    pub(super) fn diff_call(&self, base: &CommitId, tip: &CommitId, options: &[&str]) -> crate::git::Call {
        let call = self.call("compare two commits").about(base).about(tip);
        let call =
            call.args(["diff-tree", "-r", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"]);
        call.args(options).args([base.as_str(), tip.as_str(), "--"])
    }

    /// Whether `base` is `tip` or lies in its history.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn is_ancestor(&self, base: &CommitId, tip: &CommitId) -> Result<bool, GitError> {
        let operation = "compare two histories";
        let call = self.call(operation).args(["merge-base", "--is-ancestor", base.as_str(), tip.as_str()]);
        let ran = call.finish().await?;
        match ran.status {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(ran.failed(operation, format!("{base}, {tip}"))),
        }
    }

    /// First lines of the messages of the newest `max` commits of `tip` that `base` does not have, newest first.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn log_subjects(
        &self,
        base: &CommitId,
        tip: &CommitId,
        max: u32,
    ) -> Result<Vec<String>, GitError> {
        Ok(self.log(base, tip, max).await?.into_iter().map(|(_, subject)| subject).collect())
    }

    /// Those commits with their ids, newest first.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn log(
        &self,
        base: &CommitId,
        tip: &CommitId,
        max: u32,
    ) -> Result<Vec<(CommitId, String)>, GitError> {
        let operation = "list commits";
        let call = self.call(operation).about(base).about(tip);
        let call = call.args([
            "log",
            "-z",
            "--no-color",
            "--no-show-signature",
            "--encoding=UTF-8",
            "--format=%H %s",
        ]);
        let call = call.arg(format!("--max-count={max}")).args([format!("{base}..{tip}").as_str(), "--"]);
        let stdout = call.output().await?;
        let lines = stdout.split(|b| *b == 0).filter(|line| !line.is_empty());
        let parsed = lines.map(|line| {
            let text = String::from_utf8_lossy(line);
            let (id, subject) = text.split_once(' ').unwrap_or((&text, ""));
            CommitId::parse(id).map(|id| (id, subject.to_owned())).map_err(|_| unexpected(operation, line))
        });
        parsed.collect()
    }

    /// Number of commits of `tip` that `base` does not have.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn count_commits(&self, base: &CommitId, tip: &CommitId) -> Result<u64, GitError> {
        let operation = "count commits";
        let call = self.call(operation).about(base).about(tip);
        let stdout = call.args(["rev-list", "--count", &format!("{base}..{tip}"), "--"]).output().await?;
        crate::git::line(operation, &stdout)?.parse().map_err(|_| unexpected(operation, &stdout))
    }
}
