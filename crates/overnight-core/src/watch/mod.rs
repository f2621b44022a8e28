//! What happens to our pull requests after they were opened: from what a forge shows of one and what was done about it so far to what is
//! done next. Decisions only; who looks is the engine, what is remembered lies in the store.
//!
//! ```text
//! Sight (state, checks, remarks, conflict) ─┐
//! Memory (rounds, running, person)          ├─► decide ─► Act + the next Memory + when to look again
//! WatchPolicy (caps, merging, pauses)       ─┘
//! ```

mod decide;
mod message;
mod pace;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backlog::PullState;
use crate::git::CommitId;
use crate::id::{JobId, TaskKey};
use crate::units::Timestamp;

pub use decide::{Act, Decision, decide, not_merged, wants_all};
pub use message::{looks_like_infrastructure, message};
pub use pace::{FIRST_LOOK, after_trouble};

/// What may be done about pull requests by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchPolicy {
    pub on: bool,
    /// Jobs that mend failing checks, of one pull request.
    pub ci_fixes: u32,
    /// Jobs that answer reviewers.
    pub review_rounds: u32,
    /// Jobs that bring the target branch in.
    pub conflict_fixes: u32,
    /// Between two looks at first.
    pub first: Duration,
    /// Between two looks at most.
    pub longest: Duration,
    pub merge: MergePolicy,
    pub method: MergeStyle,
    /// Merging needs somebody's approval.
    pub needs_approval: bool,
    /// The branch goes when it was merged and all of it is in the target.
    pub delete_branch: bool,
}

impl Default for WatchPolicy {
    fn default() -> Self {
        Self {
            on: true,
            ci_fixes: 3,
            review_rounds: 5,
            conflict_fixes: 3,
            first: FIRST_LOOK,
            longest: Duration::from_secs(60 * 60),
            merge: MergePolicy::Never,
            method: MergeStyle::Squash,
            needs_approval: true,
            delete_branch: false,
        }
    }
}

impl WatchPolicy {
    fn cap(&self, cause: Cause) -> u32 {
        match cause {
            Cause::Ci => self.ci_fixes,
            Cause::Review => self.review_rounds,
            Cause::Conflict => self.conflict_fixes,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergePolicy {
    Never,
    /// When every check has passed, and there is at least one.
    WhenGreen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeStyle {
    Squash,
    Merge,
    Rebase,
}

/// Why a pull request is worked on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A check failed.
    Ci,
    /// Somebody who may write wants something changed.
    Review,
    /// It cannot be merged into its target.
    Conflict,
}

impl Cause {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ci => "ci",
            Self::Review => "review",
            Self::Conflict => "conflict",
        }
    }
}

/// Why a job follows up on a pull request: part of its order, so that whoever made it twice finds the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullOrder {
    pub number: u64,
    pub cause: Cause,
    /// How far what people said is told by it.
    pub read_to: ReadTo,
}

/// How far what people said was read: a time, and what was seen of that very moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadTo {
    pub at: i64,
    pub seen: BTreeSet<String>,
}

/// How many jobs a pull request has been given for each cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rounds {
    pub ci: u32,
    pub review: u32,
    pub conflict: u32,
}

impl Rounds {
    #[must_use]
    pub fn of(self, cause: Cause) -> u32 {
        match cause {
            Cause::Ci => self.ci,
            Cause::Review => self.review,
            Cause::Conflict => self.conflict,
        }
    }

    fn count(&mut self, cause: Cause) {
        let round = match cause {
            Cause::Ci => &mut self.ci,
            Cause::Review => &mut self.review,
            Cause::Conflict => &mut self.conflict,
        };
        *round = round.saturating_add(1);
    }
}

/// The job that works on a pull request again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub job: JobId,
    pub key: TaskKey,
    pub cause: Cause,
}

/// What a person is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    Ci,
    Review,
    Conflict,
    Merge,
}

impl About {
    /// As part of the name of a comment.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ci => "ci",
            Self::Review => "review",
            Self::Conflict => "conflict",
            Self::Merge => "merge",
        }
    }
}

impl From<Cause> for About {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Ci => Self::Ci,
            Cause::Review => Self::Review,
            Cause::Conflict => Self::Conflict,
        }
    }
}

/// Nothing more is done by itself until a person has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonNeeded {
    pub about: About,
    pub why: String,
    /// The commit that it is about.
    pub head: Option<CommitId>,
    #[serde(rename = "since_ms")]
    pub since: Timestamp,
}

/// What is known of a commit's checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChecksWord {
    None,
    Pending,
    Passed,
    Failed,
}

impl ChecksWord {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }
}

/// What was seen of a pull request at the last look, and what was done about it so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    pub head: Option<CommitId>,
    pub checks: Option<ChecksWord>,
    pub draft: bool,
    pub conflict: bool,
    pub rounds: Rounds,
    pub read_to: ReadTo,
    pub running: Option<Running>,
    pub person: Option<PersonNeeded>,
    /// Jobs that share its branch go on.
    pub line_goes_on: bool,
    /// Since when a check of the head has failed while others still run.
    pub failing_since: Option<Timestamp>,
    /// The commit whose failure looked like trouble of the checks' own machines, and since when it is waited for.
    pub excused: Option<(CommitId, Timestamp)>,
    /// Looks in a row that have seen nothing new.
    pub quiet: u32,
    /// Why the last look came to nothing.
    pub trouble: Option<String>,
}

/// What became of the job that works on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// None is known to work on it.
    None,
    Going,
    Published,
    /// It ended without a commit on the branch.
    Failed {
        why: String,
    },
}

/// How far the jobs are that share its branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineStanding {
    /// The branch is one job's, and its follow-ups'.
    Alone,
    /// Jobs of the line have not ended.
    Going,
    /// Every job of it has ended, and not every one well.
    Halted,
    /// Its last job has ended well.
    Complete,
}

/// One failing check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    pub name: String,
    pub url: Option<String>,
    /// What it says, or the end of its log. Untrusted.
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenChecks {
    None,
    Pending,
    Passed,
    Failed { failing: Vec<Failing>, waiting: usize },
}

impl SeenChecks {
    fn word(&self) -> ChecksWord {
        match self {
            Self::None => ChecksWord::None,
            Self::Pending => ChecksWord::Pending,
            Self::Passed => ChecksWord::Passed,
            Self::Failed { .. } => ChecksWord::Failed,
        }
    }
}

/// What somebody who may write said. Untrusted all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub author: String,
    pub text: String,
    pub path: Option<String>,
    pub line: Option<u64>,
    /// Its author has approved, so that words beside the code ask for nothing.
    pub approves: bool,
}

/// A pull request as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    pub state: PullState,
    pub draft: bool,
    pub head: Option<CommitId>,
    /// What the last of our jobs has pushed.
    pub ours: Option<CommitId>,
    pub target: String,
    pub fate: Fate,
    pub line: LineStanding,
    /// The line's pull request is a draft until it is complete.
    pub draft_line: bool,
    /// `None`: it was not looked at.
    pub more: Option<Closer>,
    pub now: Timestamp,
}

/// What is looked at only where something could follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closer {
    pub checks: SeenChecks,
    pub conflict: bool,
    /// Said since [`Memory::read_to`] by people who may write, without us and without bots.
    pub heard: Vec<Heard>,
    pub read_to: ReadTo,
    /// Somebody who may write, and not we, has approved this head.
    pub approved: bool,
    /// Somebody who may write wants changes.
    pub objected: bool,
}

/// Something that happened to a pull request, for the record of its job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PullNews {
    Merged {
        /// By us, because it was allowed.
        by_us: bool,
    },
    /// Somebody closed it without merging.
    Closed,
    /// It is open again.
    Reopened,
    /// Another job works on it.
    Continued {
        cause: Cause,
        key: TaskKey,
    },
    /// Nothing more is done by itself until a person has.
    PersonNeeded {
        about: About,
        why: String,
    },
    MarkedReady,
    BranchRemoved,
}
