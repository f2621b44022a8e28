//! What can happen to a job.

use std::time::Duration;

use crate::agent::{SessionStart, TurnReport, Usage};
use crate::backlog::idea::Submission;
use crate::command::ProcessIdentity;
use crate::desk::Word;
use crate::git::CommitId;
use crate::id::{Fence, QuestionId, SessionId, TaskKey, WorkerId};
use crate::policy::cascade::{CascadeResult, CascadeStep, Scope};
use crate::policy::preflight::Inspection;
use crate::talk::{Given, Talk};
use crate::units::Timestamp;
use crate::verdict::{CheckedPair, DiffStat};

use super::CancelledBy;
use super::end::{EndReason, ParkReason, PullRequestRef};
use super::event::Notice;
use super::queueing::Label;
use super::spec::JobSpec;
use super::state::Ground;

/// What a job is measured against: its name and its frozen order.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    pub key: &'a TaskKey,
    pub spec: &'a JobSpec,
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A worker took the lease. `resumed`: another held it before. `moved`: what earlier holders left on disk is out of
    /// this worker's reach.
    Claimed {
        worker: WorkerId,
        fence: Fence,
        resumed: bool,
        moved: bool,
    },
    /// What the parked job waited for is there.
    Woken,
    /// A job that this one waits for ended in a way that leaves no sense in running it.
    DependencyFailed {
        key: TaskKey,
        reason: EndReason,
    },
    /// Its worker died or its lease ran out. `last`: it has happened too often.
    WorkerLost {
        worker: WorkerId,
        times: u32,
        last: bool,
    },
    /// The next turn's session is chosen; nothing has been started.
    TurnAnnounced {
        session: SessionStart,
        account: Option<Label>,
    },
    /// The agent's vendor is not asked now: it refused somebody, or its login is known not to work. `since`: when that began.
    NotAsked {
        reason: ParkReason,
        detail: String,
        since: Timestamp,
        until: Option<Timestamp>,
    },
    /// What the next turn is told beside its feedback. `gone_on`: questions that nobody will answer, `expired` those of them whose time
    /// is over.
    Given {
        given: Given,
        gone_on: Vec<QuestionId>,
        expired: Vec<QuestionId>,
    },
    /// Questions are open that the job has not waited for yet.
    Awaits {
        until: Timestamp,
    },
    /// Nobody answered in time, and the job is not to go on without.
    Unanswered {
        question: String,
    },
    /// Messages came that no turn was told of, so many, and the work is about to be published.
    MessagesLeft {
        count: u32,
    },
    /// Somebody wants the next turn to begin with a fresh session.
    Compact,
    /// Its process tree exists; no byte of it was read.
    TurnStarted {
        process: ProcessIdentity,
    },
    /// A turn of a dead runner is known not to have finished, and its tree to be gone. `session`: the conversation that
    /// can be taken up again; `used`: what the turn's log says it used.
    TurnInterrupted {
        session: Option<SessionId>,
        used: Usage,
    },
    /// The stage did its work.
    Done {
        output: StageOutput,
        elapsed: Duration,
    },
    /// The stage could not do its work.
    Failed {
        trouble: Trouble,
        detail: String,
        elapsed: Duration,
    },
    /// The commit was looked at; its checks come next, or the agent's next attempt.
    Inspected {
        inspection: Box<Inspection>,
        elapsed: Duration,
    },
    /// A person agrees to publish exactly this commit.
    Approved {
        by: String,
        commit: CommitId,
        message: Option<String>,
    },
    /// A person does not want this commit: the agent is told why, or the job ends.
    Rejected {
        by: String,
        commit: CommitId,
        message: String,
        end: bool,
    },
    /// The branch name belongs to work that is not ours.
    BranchTaken,
    /// The branch is on the other side, at our commit.
    BranchPushed {
        elapsed: Duration,
    },
    Noticed {
        notice: Notice,
    },
    /// The agent said something through its tools, while its turn runs.
    Told {
        word: Word,
    },
    Cancel {
        by: CancelledBy,
    },
    /// A cascade has found what it is about; `jobs` for people.
    CascadeBegan {
        scope: Scope,
        jobs: Vec<TaskKey>,
    },
    /// A step of a cascade is about to be done.
    CascadeAnnounced {
        step: CascadeStep,
    },
    CascadeStepped {
        step: CascadeStep,
        result: CascadeResult,
    },
    /// Somebody else holds the job now: nothing may be written any more.
    LeaseLost,
}

/// What a stage leaves for the next one.
#[derive(Debug, Clone, PartialEq)]
pub enum StageOutput {
    Prepared {
        ground: Ground,
    },
    /// Others had moved the branch of its line, and git put the work on it as it is now: `tip`.
    Rejoined {
        ground: Ground,
        tip: CommitId,
        diff: DiffStat,
    },
    Turn {
        report: TurnReport,
    },
    /// `asking`: what is known of the vendor, when it refused the turn. `talk`: what is known of questions.
    Collected {
        tip: Option<CommitId>,
        diff: DiffStat,
        asking: Asking,
        talk: Talk,
    },
    /// The same of a job whose result is a document.
    Written {
        document: Submission,
        asking: Asking,
        talk: Talk,
    },
    Verified {
        pairs: Vec<CheckedPair>,
    },
    /// The pull request is there: made now, or `adopted` from an earlier try.
    PullRequest {
        pull_request: PullRequestRef,
        adopted: bool,
        /// The task because of which a sprint's draft stays one after its last job: it was put there meanwhile.
        open: Option<TaskKey>,
    },
    Cleaned,
    /// Every step of the cascade has a result.
    Cascaded,
}

/// When a vendor that refused a turn is asked again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asking {
    /// When it said, or after the usual wait.
    #[default]
    AsItSaid,
    /// Not before this time, which all workers keep.
    From(Timestamp),
    /// At once, by another login.
    Elsewhere,
}

/// Why a stage could not do its work, by what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Not the job's fault: wait, and go on at the same stage.
    Wait { reason: ParkReason, wake: Option<Timestamp> },
    /// Trying again cannot help.
    End(EndReason),
}
impl Input {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Claimed { .. } => "claimed",
            Self::Woken => "woken",
            Self::DependencyFailed { .. } => "dependency failed",
            Self::WorkerLost { .. } => "worker lost",
            Self::TurnAnnounced { .. } => "turn announced",
            Self::NotAsked { .. } => "vendor not asked",
            Self::Given { .. } => "given",
            Self::Awaits { .. } => "awaits",
            Self::Unanswered { .. } => "unanswered",
            Self::MessagesLeft { .. } => "messages left",
            Self::Compact => "compact",
            Self::TurnStarted { .. } => "turn started",
            Self::TurnInterrupted { .. } => "turn interrupted",
            Self::Done { output, .. } => output.name(),
            Self::Failed { .. } => "failed",
            Self::Inspected { .. } => "inspected",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::BranchTaken => "branch taken",
            Self::BranchPushed { .. } => "branch pushed",
            Self::Noticed { .. } => "noticed",
            Self::Told { .. } => "told",
            Self::Cancel { .. } => "cancel",
            Self::CascadeBegan { .. } => "cascade began",
            Self::CascadeAnnounced { .. } => "cascade step announced",
            Self::CascadeStepped { .. } => "cascade step ended",
            Self::LeaseLost => "lease lost",
        }
    }
}

impl StageOutput {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Prepared { .. } => "prepared",
            Self::Rejoined { .. } => "rejoined",
            Self::Turn { .. } => "turn ended",
            Self::Collected { .. } => "collected",
            Self::Written { .. } => "written",
            Self::Verified { .. } => "verified",
            Self::PullRequest { .. } => "pull request opened",
            Self::Cleaned => "cleaned",
            Self::Cascaded => "cascaded",
        }
    }
}
