//! A whole change out of the mirror, for those who judge it: which files differ, how large they are, and which lines. Bounded: what lies
//! beyond a limit is said to be unread, never left out in silence.
//!
//! The patch is made with every content taken for text, because attributes in the tree itself could otherwise hide lines from it.

use overnight_core::git::CommitId;
use overnight_core::policy::preflight::{Change, FileChange};

use super::Mirror;
use crate::error::GitError;
use crate::git::unexpected;
use crate::parse::{self, ChangedPath};

/// Bytes of a patch that are read. At 200 MB/s of reading and far less of judging, this is a second or two.
const MAX_PATCH: u64 = 16 * 1024 * 1024;
/// Files of a change that are judged one by one.
const MAX_FILES: usize = 20_000;
/// Bytes of a list of changed files: 100,000 paths of ordinary length several times over.
const MAX_LIST: u64 = 64 * 1024 * 1024;

impl Mirror {
    /// The change between two commits. A rename is a deletion and an addition. `known`: its commits are out already.
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn change(
        &self,
        base: &CommitId,
        tip: &CommitId,
        known: Option<&CommitId>,
    ) -> Result<Change, GitError> {
        let operation = "compare two commits";
        let raw = ["--raw", "--no-renames", "--no-abbrev", "-z"];
        let listing = self.diff_call(base, tip, &raw).output_limit(MAX_LIST).output().await?;
        let mut paths = parse::raw_diff(&listing).ok_or_else(|| unexpected(operation, &listing))?;
        let mut unread = None;
        if paths.len() > MAX_FILES {
            unread =
                Some(format!("{} files are changed; only the first {MAX_FILES} were looked at", paths.len()));
            paths.truncate(MAX_FILES);
        }
        let sizes = self.sizes(&paths).await?;
        let (patch, cut) = self.whole_patch(base, tip).await?;
        let read = parse::patch(&patch);
        let complete = read.sections.len() >= parse::sections_of(&paths) && !cut;
        if !complete {
            let why = format!(
                "the change is larger than {} MB of patch; its end was not looked at",
                MAX_PATCH >> 20
            );
            unread.get_or_insert(why);
        }
        let files = parse::with_lines(paths, &sizes, read.sections);
        let commits = self.commits(base, tip, known).await?;
        if commits.cut {
            unread.get_or_insert_with(|| "there are more commits than are read".to_owned());
        }
        Ok(Change { files, unread, commits: commits.read })
    }

    /// What every single commit between the two changed, without the names of files, and what it says; `None` where it is more than is read.
    /// `known` as for [`Mirror::change`].
    ///
    /// # Errors
    /// A commit is not in the mirror.
    pub async fn history(
        &self,
        base: &CommitId,
        tip: &CommitId,
        known: Option<&CommitId>,
    ) -> Result<Option<Change>, GitError> {
        let operation = "read the commits between two";
        let options = [
            "--patch",
            "--text",
            "--unified=0",
            "--no-renames",
            "--no-color",
            "--full-index",
            "--diff-merges=first-parent",
        ];
        let call = self.call(operation).about(base).about(tip).args([
            "log",
            "--format=",
            "--no-ext-diff",
            "--no-textconv",
        ]);
        let call = call.args(options).arg(format!("{base}..{tip}")).arg("--").output_limit(MAX_PATCH);
        let ran = call.finish().await?;
        if ran.truncated {
            return Ok(None);
        }
        if ran.status != 0 {
            return Err(ran.failed(operation, format!("{base}, {tip}")));
        }
        let file = |section: parse::Section| FileChange {
            new_mode: 0o100_644,
            hunks: section.hunks,
            ..FileChange::default()
        };
        let files = parse::patch(&ran.stdout).sections.into_iter().map(file).collect();
        let commits = self.commits(base, tip, known).await?;
        Ok((!commits.cut).then_some(Change { files, unread: None, commits: commits.read }))
    }

    async fn whole_patch(&self, base: &CommitId, tip: &CommitId) -> Result<(Vec<u8>, bool), GitError> {
        let options = [
            "--patch",
            "--text",
            "--unified=0",
            "--inter-hunk-context=0",
            "--no-renames",
            "--no-color",
            "--full-index",
        ];
        let ran = self.diff_call(base, tip, &options).output_limit(MAX_PATCH).finish().await?;
        if ran.status != 0 && !ran.truncated {
            return Err(ran.failed("compare two commits", format!("{base}, {tip}")));
        }
        Ok((ran.stdout, ran.truncated))
    }

    /// Bytes of each new content, in the order of the paths; `None` where there is none.
    async fn sizes(&self, paths: &[ChangedPath]) -> Result<Vec<Option<u64>>, GitError> {
        let operation = "ask for the sizes of files";
        let asked = |path: &&ChangedPath| path.has_content();
        let ids: String = paths.iter().filter(asked).map(|path| format!("{}\n", path.new_id)).collect();
        if ids.is_empty() {
            return Ok(vec![None; paths.len()]);
        }
        let call = self.call(operation).args(["cat-file", "--batch-check=%(objectsize)"]);
        let stdout = call.stdin(ids.into_bytes()).output_limit(MAX_LIST).output().await?;
        let text = String::from_utf8_lossy(&stdout);
        let mut lines = text.lines().map(|line| line.trim().parse::<u64>().ok());
        Ok(paths.iter().map(|path| if path.has_content() { lines.next().flatten() } else { None }).collect())
    }
}
