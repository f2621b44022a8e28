//! Where a job is. Each variant carries what is valid there and nothing else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::{SessionStart, TurnReport, Usage};
use crate::command::ProcessIdentity;
use crate::git::{BranchName, CommitId};
use crate::id::SessionId;
use crate::policy::cascade::Cascade;
use crate::policy::preflight::Inspection;
use crate::talk::Given;
use crate::units::{Timestamp, millis};
use crate::verdict::{Check, CheckSource, CheckedPair, DiffStat};

use super::approval::{Approval, StatusReport};
use super::end::{End, ParkReason};
use super::line::OnLine;
use super::queueing::Label;

/// The state of a job; stored as it is, and the only status there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum JobState {
    Queued,
    Preparing {
        trail: Trail,
    },
    /// The agent's stage. `turn` is there from just before its CLI is started until its end is recorded.
    Working {
        trail: Trail,
        ground: Ground,
        turn: Option<Turn>,
    },
    Collecting {
        trail: Trail,
        ground: Ground,
        report: TurnReport,
    },
    Verifying {
        trail: Trail,
        ground: Ground,
        tip: CommitId,
        diff: DiffStat,
        /// What was found in the commit; absent until it was looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inspected: Option<Box<Inspection>>,
    },
    Publishing {
        trail: Trail,
        ground: Ground,
        tip: CommitId,
        diff: DiffStat,
        pairs: Vec<CheckedPair>,
        /// The name under which the work is, or is about to be, pushed.
        branch: BranchName,
        /// How many names were found taken by work that is not ours.
        taken: u32,
        pushed: bool,
        /// Whether a person has to agree to exactly this commit.
        #[serde(default)]
        approval: Approval,
    },
    Cleaning {
        trail: Trail,
        end: End,
    },
    /// It has failed, and takes its epic's other work back.
    Cascading {
        trail: Trail,
        end: End,
        cascade: Box<Cascade>,
    },
    /// Waits with no process, no slot and no lease; goes on in `then`.
    Parked {
        reason: ParkReason,
        detail: String,
        #[serde(rename = "wake_ms")]
        wake: Option<Timestamp>,
        then: Box<JobState>,
    },
    Ended {
        trail: Trail,
        end: End,
    },
}

/// Where in its way a job is, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Prepare,
    Agent,
    Collect,
    Verify,
    Publish,
    Cleanup,
    Cascade,
}

impl Stage {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Agent => "agent",
            Self::Collect => "collect",
            Self::Verify => "verify",
            Self::Publish => "publish",
            Self::Cleanup => "cleanup",
            Self::Cascade => "cascade",
        }
    }
}

/// What a job has behind it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    /// The paid try it is at, from 1; 0 before the first.
    pub attempt: u32,
    /// How often an agent CLI was started.
    pub turns: u32,
    /// The conversation to go on with.
    pub session: Option<SessionId>,
    /// Used by all finished turns.
    pub used: Usage,
    /// Some finished turn used an unknown amount of money.
    pub cost_unknown: bool,
    /// Time spent in finished agent turns and checks.
    #[serde(with = "millis", rename = "active_ms")]
    pub active: Duration,
    /// What to tell the agent next, besides the task.
    pub feedback: Option<Feedback>,
    /// Class of the last failed verification.
    pub last_class: Option<String>,
    /// The last commit brought home from the workspace.
    pub preserved: Option<CommitId>,
    /// The agent's last words.
    pub final_text: Option<String>,
    /// Which of the order's agents works.
    #[serde(default)]
    pub who: Who,
    /// Attempts that were over when this agent took the job up.
    #[serde(default)]
    pub attempts_before: u32,
    /// The vendor's login that the session belongs to.
    #[serde(default)]
    pub account: Option<Label>,
    /// Since when the agent's vendor has not answered the job.
    #[serde(default, rename = "refused_since_ms")]
    pub refused: Option<Timestamp>,
    /// Turns in a row that ended because the CLI had used up its own number of answers.
    #[serde(default)]
    pub continued: u32,
    /// The attempt in which the session began.
    #[serde(default)]
    pub session_attempt: u32,
    /// What the agent said of its last turn in a structured way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<StatusReport>,
    /// What the next turn, or the one that runs, is told of questions and messages.
    #[serde(default, skip_serializing_if = "Given::is_empty")]
    pub given: Given,
}

/// One of the agents of an order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    #[default]
    First,
    /// The one that takes over when the first gives up.
    Backup,
}

/// What the job stands on, fixed by the first prepare stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    pub base: CommitId,
    /// The branch that the base was found on: the target of a pull request.
    pub base_branch: Option<String>,
    pub check_source: CheckSource,
    pub checks: Vec<Check>,
    /// How a job of a line found the branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Box<OnLine>>,
}

impl Ground {
    /// The tip of the branch that the line's pull request is for.
    #[must_use]
    pub fn target(&self) -> Option<&CommitId> {
        self.line.as_ref().and_then(|line| line.target.as_ref())
    }
}

/// A turn that was announced, and perhaps started, but whose end is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub session: SessionStart,
    /// `None`: announced, and perhaps never started.
    pub process: Option<ProcessIdentity>,
}

/// What the agent is told at the start of its next turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Feedback {
    ChecksFailed {
        failures: Vec<FailedCheck>,
    },
    /// It ended without a commit or a change.
    NoChanges,
    /// The change may not go out as it is.
    Refused {
        /// Each with its place.
        reasons: Vec<String>,
    },
    /// What it wrote is not the document that was asked for.
    DocumentRefused {
        /// Each with its line, where it has one.
        problems: Vec<String>,
    },
    /// A person does not want the change as it is.
    Rejected {
        why: String,
    },
    /// Its last turn ended without a result.
    Crashed {
        detail: String,
    },
    TimedOut,
    /// The runner was interrupted; nothing is wrong with the work.
    Interrupted,
    /// The CLI had used up its own number of answers.
    OutOfTurns,
    /// Another agent gave up, and this one takes over.
    TakenOver {
        /// What the first one was told last, if anything.
        last: Option<Box<Feedback>>,
        why: String,
    },
    /// The conversation was about another task of the same line, which is done.
    NextTask,
    /// Others moved the branch while the job was worked on.
    BranchMoved,
    /// It asked something; what came of that is told beside.
    Asked,
    /// It asked more often than a job may.
    AskedTooOften,
    /// Messages came after its last turn; they are told beside.
    Messages,
    /// A person says what is to be done next.
    FollowUp {
        message: String,
    },
}

/// A failed check as the agent is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCheck {
    pub check: String,
    pub command: String,
    pub class: Option<String>,
    pub hint: Option<String>,
    pub evidence: String,
    pub output_tail: String,
    pub failed_on_base: bool,
}

impl JobState {
    /// The stage whose work is due, or `None` when nothing is to be done.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Queued | Self::Preparing { .. } => Some(Stage::Prepare),
            Self::Working { .. } => Some(Stage::Agent),
            Self::Collecting { .. } => Some(Stage::Collect),
            Self::Verifying { .. } => Some(Stage::Verify),
            Self::Publishing { .. } => Some(Stage::Publish),
            Self::Cleaning { .. } => Some(Stage::Cleanup),
            Self::Cascading { .. } => Some(Stage::Cascade),
            Self::Parked { then, .. } => then.stage(),
            Self::Ended { .. } => None,
        }
    }

    /// One word for lists and filters.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Preparing { .. } => "preparing",
            Self::Working { .. } => "working",
            Self::Collecting { .. } => "collecting",
            Self::Verifying { .. } => "verifying",
            Self::Publishing { .. } => "publishing",
            Self::Cleaning { .. } => "cleaning",
            Self::Cascading { .. } => "cascading",
            Self::Parked { .. } => "parked",
            Self::Ended { .. } => "ended",
        }
    }

    #[must_use]
    pub fn end(&self) -> Option<&End> {
        match self {
            Self::Cleaning { end, .. } | Self::Cascading { end, .. } | Self::Ended { end, .. } => Some(end),
            Self::Parked { then, .. } => then.end(),
            Self::Queued
            | Self::Preparing { .. }
            | Self::Working { .. }
            | Self::Collecting { .. }
            | Self::Verifying { .. }
            | Self::Publishing { .. } => None,
        }
    }

    /// The commits that going on, or looking at what came of the job, can need.
    #[must_use]
    pub fn commits(&self) -> Vec<&CommitId> {
        let tip = match self {
            Self::Verifying { tip, .. } | Self::Publishing { tip, .. } => Some(tip),
            Self::Parked { then, .. } => return then.commits(),
            Self::Queued
            | Self::Preparing { .. }
            | Self::Working { .. }
            | Self::Collecting { .. }
            | Self::Cleaning { .. }
            | Self::Cascading { .. }
            | Self::Ended { .. } => None,
        };
        let base = self.ground().map(|ground| &ground.base);
        let line = self.ground().and_then(|ground| ground.line.as_ref());
        let target = line.and_then(|line| line.target.as_ref());
        let unmerged = line.into_iter().flat_map(|line| line.unmerged.iter().map(|work| &work.commit));
        let preserved = self.trail().and_then(|trail| trail.preserved.as_ref());
        let kept = self.end().and_then(|end| end.tip.as_ref());
        let published = self.end().and_then(|end| end.published.as_ref()).map(|published| &published.commit);
        [base, target, tip, preserved, kept, published].into_iter().flatten().chain(unmerged).collect()
    }

    /// Nothing was ever done for it, so nothing is there to be cleaned up.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        match self {
            Self::Queued => true,
            Self::Parked { then, .. } => then.is_untouched(),
            Self::Preparing { .. }
            | Self::Working { .. }
            | Self::Collecting { .. }
            | Self::Verifying { .. }
            | Self::Publishing { .. }
            | Self::Cleaning { .. }
            | Self::Cascading { .. }
            | Self::Ended { .. } => false,
        }
    }

    /// Whether going on needs what an earlier worker left on its disk: the workspace, the mirror's commits, the logs.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        match self {
            // A cascade needs forges, and mirrors that can be made anew.
            Self::Queued | Self::Cascading { .. } | Self::Ended { .. } => false,
            // Sent back because its branch moved: its commits are in this worker's mirror only.
            Self::Preparing { trail } => trail.preserved.is_some(),
            Self::Working { .. }
            | Self::Collecting { .. }
            | Self::Verifying { .. }
            | Self::Publishing { .. }
            | Self::Cleaning { .. } => true,
            Self::Parked { then, .. } => then.is_bound(),
        }
    }

    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    #[must_use]
    pub fn trail(&self) -> Option<&Trail> {
        match self {
            Self::Queued => None,
            Self::Preparing { trail }
            | Self::Working { trail, .. }
            | Self::Collecting { trail, .. }
            | Self::Verifying { trail, .. }
            | Self::Publishing { trail, .. }
            | Self::Cleaning { trail, .. }
            | Self::Cascading { trail, .. }
            | Self::Ended { trail, .. } => Some(trail),
            Self::Parked { then, .. } => then.trail(),
        }
    }

    #[must_use]
    pub fn ground(&self) -> Option<&Ground> {
        match self {
            Self::Working { ground, .. }
            | Self::Collecting { ground, .. }
            | Self::Verifying { ground, .. }
            | Self::Publishing { ground, .. } => Some(ground),
            Self::Parked { then, .. } => then.ground(),
            Self::Queued
            | Self::Preparing { .. }
            | Self::Cleaning { .. }
            | Self::Cascading { .. }
            | Self::Ended { .. } => None,
        }
    }
}
