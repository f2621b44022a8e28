//! Merging a pull request, in our own words.
//!
//! Owns no state.

use overnight_core::git::CommitId;

/// Whether a pull request could be merged, as far as its branches are concerned: checks and reviews are not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mergeability {
    Clean,
    Conflict,
    /// It could be, and its target has commits that it lacks.
    Behind,
    /// The forge has not found out yet, or does not tell.
    #[default]
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeMethod {
    Squash,
    Merge,
    Rebase,
}

/// What is to be merged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeOrder {
    /// The commit that was judged. Anything newer is not merged.
    pub head: CommitId,
    pub method: MergeMethod,
    /// Subject of the commit that is made; the forge's own when `None`.
    pub title: Option<String>,
    pub message: Option<String>,
}

/// What came of an order to merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeAnswer {
    Merged {
        commit: Option<CommitId>,
    },
    /// By somebody, or by an earlier try of ours whose answer was lost.
    AlreadyMerged {
        commit: Option<CommitId>,
    },
    /// The branch is at another commit than the one that was judged. Nothing was merged.
    HeadMoved {
        now: Option<CommitId>,
    },
    Conflict,
    ChecksPending {
        waiting: Vec<String>,
    },
    ChecksFailed {
        failing: Vec<String>,
    },
    /// Closed, a draft, a missing review, a method that the repository does not have, no right to merge.
    NotAllowed {
        why: String,
    },
}
