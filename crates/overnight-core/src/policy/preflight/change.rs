//! A change as it is looked at: which files differ, how, and which lines.

use crate::policy::alignment::ChangedFile;

/// A change between two commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Files in the order of their paths; a rename is a deletion and an addition.
    pub files: Vec<FileChange>,
    /// What of it could not be read, for people.
    pub unread: Option<String>,
    /// The commits that bring it, newest first: they go out with it.
    pub commits: Vec<Commit>,
}

/// One file that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileChange {
    /// As in the tree; any bytes but NUL.
    pub path: Vec<u8>,
    /// 0: it is new.
    pub old_mode: u32,
    /// 0: it is gone.
    pub new_mode: u32,
    /// Bytes of the new content, where it has one.
    pub size: Option<u64>,
    /// Its content is no text.
    pub binary: bool,
    pub hunks: Vec<Hunk>,
}

/// Lines that were replaced by others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hunk {
    /// First line in the old file, from 1.
    pub old_start: u32,
    /// First line in the new file, from 1.
    pub new_start: u32,
    pub removed: Vec<String>,
    pub added: Vec<String>,
}

/// A commit: whose name it bears, and what is written in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    /// `Name <address>`.
    pub author: String,
    pub committer: String,
    /// Its header but for tree and parents: the names, and whatever else somebody has put there.
    pub header: String,
    pub message: String,
}

impl Commit {
    /// Its id as people are shown it.
    #[must_use]
    pub fn short(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

impl FileChange {
    /// The path as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }

    #[must_use]
    pub fn is_new(&self) -> bool {
        self.old_mode == 0
    }

    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.new_mode == 0
    }

    /// Number and text of each line that it has now and had not.
    pub fn added(&self) -> impl Iterator<Item = (u32, &str)> {
        self.hunks.iter().flat_map(|hunk| (hunk.new_start..).zip(hunk.added.iter().map(String::as_str)))
    }

    /// Number and text of each line that it had and has no more.
    pub fn removed(&self) -> impl Iterator<Item = (u32, &str)> {
        self.hunks.iter().flat_map(|hunk| (hunk.old_start..).zip(hunk.removed.iter().map(String::as_str)))
    }
}

impl Change {
    /// For the comparison with a plan.
    #[must_use]
    pub fn files_changed(&self) -> Vec<ChangedFile> {
        let lines = |file: &FileChange| -> u64 {
            file.hunks.iter().map(|hunk| (hunk.added.len() + hunk.removed.len()) as u64).sum()
        };
        self.files.iter().map(|file| ChangedFile { path: file.name(), lines: lines(file) }).collect()
    }
}
