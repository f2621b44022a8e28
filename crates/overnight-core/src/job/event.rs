//! Persisted facts about a job, numbered without gaps: the source of every view, stream and notification.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::adapter::AdapterName;
use crate::agent::{BackendId, SessionStart, TurnOutcome, Usage};
use crate::backlog::idea::DocumentFacts;
use crate::command::ProcessIdentity;
use crate::desk::ReportedStatus;
use crate::git::{BranchName, CommitId};
use crate::id::{Fence, MessageId, QuestionId, TaskKey, WorkerId};
use crate::policy::cascade::{CascadeResult, CascadeStep};
use crate::policy::preflight::Inspection;
use crate::talk::Sender;
use crate::units::{Timestamp, millis};
use crate::verdict::{CheckReport, CheckSource, DiffStat, Standing};
use crate::watch::PullNews;

use super::CancelledBy;
use super::choice::Configured;
use super::end::{End, ParkReason, PullRequestRef};
use super::queueing::Label;
use super::state::Stage;

/// One fact. Its serialised form is public (`--events`, `show --json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum JobEvent {
    Queued {
        title: String,
    },
    /// `resumed`: somebody held it before.
    Claimed {
        worker: WorkerId,
        fence: Fence,
        resumed: bool,
    },
    /// The worker that claimed it first resolved its settings from its own configuration, and they differ from those that
    /// it was ordered with. They do not change any more.
    Configured {
        settings: Box<Configured>,
    },
    StageStarted {
        stage: Stage,
    },
    StageFinished {
        stage: Stage,
        #[serde(with = "millis", rename = "elapsed_ms")]
        elapsed: Duration,
    },
    Grounded {
        base: CommitId,
        base_branch: Option<String>,
        check_source: CheckSource,
        checks: Vec<String>,
    },
    Noticed {
        notice: Notice,
    },
    TurnAnnounced {
        attempt: u32,
        turn: u32,
        backend: BackendId,
        session: SessionStart,
        /// The vendor's login; absent where there is only one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Label>,
    },
    TurnStarted {
        turn: u32,
        process: ProcessIdentity,
    },
    TurnEnded {
        turn: u32,
        result: TurnOutcome,
        usage: Usage,
    },
    /// The runner was killed while this turn ran; its tree is gone and it goes on in a later turn.
    TurnInterrupted {
        turn: u32,
        usage: Usage,
    },
    Collected {
        tip: Option<CommitId>,
        diff: DiffStat,
    },
    Checked {
        report: CheckReport,
        on_base: bool,
    },
    Judged {
        check: String,
        standing: Standing,
    },
    /// The commit was looked at before its checks are run.
    Inspected {
        commit: CommitId,
        inspection: Box<Inspection>,
    },
    /// A person agreed to publish exactly this commit.
    Approved {
        by: String,
        commit: CommitId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// A person does not want this commit. `ended`: nor another one.
    Rejected {
        by: String,
        commit: CommitId,
        message: String,
        ended: bool,
    },
    AttemptFailed {
        attempt: u32,
        class: Option<String>,
        reason: String,
    },
    /// What the agent wrote is the document that was asked for, and is kept.
    DocumentTaken {
        document: DocumentFacts,
    },
    /// The first agent gave up: the backup takes over on its commits, in a session of its own.
    TakenOver {
        backend: BackendId,
        /// Name of the description that it works by, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adapter: Option<AdapterName>,
        model: Option<String>,
        why: String,
    },
    BranchTaken {
        branch: BranchName,
    },
    BranchPushed {
        branch: BranchName,
        commit: CommitId,
    },
    /// `adopted`: it was already there, made by an earlier holder of this job.
    PullRequestOpened {
        pull_request: PullRequestRef,
        adopted: bool,
    },
    /// What the agent said of its work through its tools: data for people, evidence of nothing. It is asked for where the work
    /// itself cannot tell: why a change is not what the plan says, or why nothing had to be changed.
    AgentReported {
        turn: u32,
        status: ReportedStatus,
        summary: String,
    },
    /// A note of progress that the agent left through its tools.
    AgentNoted {
        turn: u32,
        text: String,
    },
    /// A job of an epic has failed, and takes the work of the epic's other jobs back.
    CascadeBegan {
        epic: TaskKey,
        jobs: Vec<TaskKey>,
    },
    Cascaded {
        step: CascadeStep,
        result: CascadeResult,
    },
    /// The cascade ended before everything had a result.
    CascadeStopped {
        why: String,
    },
    CancelAsked {
        by: CancelledBy,
    },
    Parked {
        reason: ParkReason,
        detail: String,
        #[serde(rename = "wake_ms")]
        wake: Option<Timestamp>,
    },
    /// What it waited for is there; it stands in the queue again.
    Woken {
        reason: ParkReason,
    },
    /// Its worker died or was not heard of for a whole lease; `times`: how often that happened.
    WorkerLost {
        worker: WorkerId,
        times: u32,
    },
    /// It goes on at another place, without what only the old place had: the agent starts from the base again.
    Moved,
    /// The agent asks a person.
    QuestionAsked {
        id: QuestionId,
        text: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
        #[serde(rename = "expires_at_ms")]
        expires_at: Timestamp,
    },
    QuestionAnswered {
        id: QuestionId,
        answer: String,
    },
    /// Taken back, or the job was told to go on without an answer.
    QuestionCancelled {
        id: QuestionId,
    },
    /// Nobody answered in time.
    QuestionExpired {
        id: QuestionId,
    },
    MessageSent {
        id: MessageId,
        from: Sender,
        text: String,
    },
    /// A turn that was told of it has come to an end of its own.
    MessageDelivered {
        id: MessageId,
        turn: u32,
    },
    /// The agent said that it has read it.
    MessageAcknowledged {
        id: MessageId,
    },
    Ended {
        end: End,
    },
    /// Something happened to its pull request after it had ended.
    PullRequestNews {
        number: u64,
        news: PullNews,
    },
}

/// Something a person should know that changes nothing about the job's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "code", content = "detail")]
pub enum Notice {
    /// Uncommitted changes in the person's own tree are not part of the base.
    UncommittedChanges(u32),
    SubmodulesNotFetched,
    LfsPointersNotFetched,
    ShallowSource,
    /// Less containment than this system can give was achieved, and why.
    WeakContainment(String),
    /// The agent deleted or broke its `.git`; its files were saved all the same.
    GitDirectorySalvaged,
    /// The agent rewrote history; its tree was put on the base as one commit.
    HistoryGrafted,
    /// A commit on the way held what must not go out: the work is one commit on its base.
    HistorySquashed,
    /// Uncommitted work of the agent was committed by the runner.
    LeftoversCommitted,
    /// Repositories inside the agent's tree are not part of the result.
    NestedRepositoriesLeftOut,
    /// Files that could not be read are not part of the result.
    UnreadableFilesLeftOut,
    /// The agent removed its whole work tree.
    WorkspaceGone,
    /// Processes were still there when a command had ended, and were killed.
    ProcessesKilled(String),
    OutputTruncated(u64),
    /// The session to be resumed was lost; a fresh one goes on with the commits.
    SessionLost,
    /// The session had become long: a fresh one goes on from what earlier attempts came to.
    Compacted,
    /// The vendor does not answer this login; another one goes on in a fresh session.
    AccountChanged(String),
    /// A budget is nearly used up: which, and how much of it.
    BudgetWarning(String),
    /// Messages came too late for the job's limits: it is published without a turn that is told of them. How many.
    MessagesNotDelivered(u32),
    NotVerified,
    /// A failed task would take its epic's other work back; the epic or its repository says that it does not.
    CascadeOff,
}
