//! What an agent is told of its job: what it is about, and how it stands.

use serde::Serialize;

use super::{NextAction, ReportedStatus};
use crate::agent::RemainingLimits;
use crate::git::{BranchName, CommitId};
use crate::id::{JobId, TaskKey};
use crate::job::{Feedback, Job, JobState, LineKind, TaskOrder};
use crate::prompt;
use crate::units::{MicroDollars, Timestamp};
use crate::verdict::Check;

/// What a job is about, as its agent may read it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Context {
    pub job_id: JobId,
    pub key: TaskKey,
    pub title: String,
    /// What was asked for.
    pub prompt: String,
    /// What is to be done now, where the job follows up on another.
    pub message: Option<String>,
    /// The task of the backlog that it carries out, with its plan, as it was when the job was enqueued.
    pub task: Option<TaskOrder>,
    /// Its place in the story or sprint whose branch it shares.
    pub execution: Option<Execution>,
    pub base: Option<CommitId>,
    pub base_branch: Option<String>,
    /// What judges the result, on a clean checkout of what was committed.
    pub checks: Vec<Check>,
    pub attempt: u32,
    pub attempts: u32,
    /// What became of the turn before.
    pub feedback: Option<String>,
    pub limits_left: LimitsLeft,
}

/// What the turn could still use when it began. Absent: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LimitsLeft {
    pub cost_micro_dollars: Option<MicroDollars>,
    pub tokens: Option<u64>,
    pub turns: Option<u32>,
    pub time_ms: Option<u64>,
}

impl From<RemainingLimits> for LimitsLeft {
    fn from(left: RemainingLimits) -> Self {
        let RemainingLimits { cost, tokens, turns, wall } = left;
        let time_ms = wall.map(|wall| u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        Self { cost_micro_dollars: cost, tokens, turns, time_ms }
    }
}

/// Which of the tasks of a story or sprint a job carries out. Each is a job of its own, so a report of a job is one of its execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Execution {
    pub of: LineKind,
    pub key: TaskKey,
    /// From 1.
    pub number: u32,
    pub count: u32,
}

impl Execution {
    fn of(job: &Job) -> Option<Self> {
        let line = job.spec.line.as_ref()?;
        Some(Self { of: line.kind, key: line.key.clone(), number: line.number, count: line.count })
    }
}

/// How a job stands, as the answer to a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    pub job_id: JobId,
    pub key: TaskKey,
    /// The job's state; never what was reported.
    pub status: &'static str,
    pub reported: ReportedStatus,
    pub execution: Option<Execution>,
    /// Where the work goes to when it has passed; a name that is taken gets a number behind it.
    pub branch: BranchName,
    /// Nothing is pushed while a turn runs, so what follows from a push is not known before its end.
    pub pushed_at_ms: Option<Timestamp>,
    pub pr_url: Option<String>,
    pub verify_result: Option<String>,
    pub summary: String,
    /// What the turn before came to, where it has not passed.
    pub error: Option<String>,
    pub started_at_ms: Timestamp,
    pub finished_at_ms: Option<Timestamp>,
    pub next_action: NextAction,
}

/// What the agent of this job may read of it.
#[must_use]
pub fn context(job: &Job, left: RemainingLimits) -> Context {
    let trail = job.state.trail();
    let ground = match &job.state {
        JobState::Working { ground, .. }
        | JobState::Collecting { ground, .. }
        | JobState::Verifying { ground, .. }
        | JobState::Publishing { ground, .. } => Some(ground),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Parked { .. }
        | JobState::Ended { .. } => None,
    };
    Context {
        job_id: job.id.clone(),
        key: job.key.clone(),
        title: job.spec.title.clone(),
        prompt: job.spec.prompt.clone(),
        message: job.spec.follows.as_ref().map(|follows| follows.message.clone()),
        task: job.spec.task.as_deref().cloned(),
        execution: Execution::of(job),
        base: ground.map(|ground| ground.base.clone()),
        base_branch: ground.and_then(|ground| ground.base_branch.clone()),
        checks: ground.map(|ground| ground.checks.clone()).unwrap_or_default(),
        attempt: trail.map_or(0, |trail| trail.attempt),
        attempts: job.spec.limits.attempts,
        feedback: trail.and_then(|trail| trail.feedback.as_ref()).map(prompt::told),
        limits_left: left.into(),
    }
}

/// What went wrong in the turn before, where something did.
fn failure(feedback: &Feedback) -> Option<String> {
    match feedback {
        Feedback::ChecksFailed { .. }
        | Feedback::NoChanges
        | Feedback::Crashed { .. }
        | Feedback::TimedOut
        | Feedback::OutOfTurns
        | Feedback::Refused { .. }
        | Feedback::DocumentRefused { .. }
        | Feedback::Rejected { .. }
        | Feedback::AskedTooOften => Some(prompt::told(feedback)),
        Feedback::Interrupted
        | Feedback::NextTask
        | Feedback::BranchMoved
        | Feedback::FollowUp { .. }
        | Feedback::Asked
        | Feedback::Messages
        | Feedback::TakenOver { .. } => None,
    }
}

/// The answer to a report of a turn that began at `started`.
#[must_use]
pub fn standing(job: &Job, (status, summary): (ReportedStatus, String), started: Timestamp) -> Standing {
    Standing {
        job_id: job.id.clone(),
        key: job.key.clone(),
        status: job.state.name(),
        reported: status,
        execution: Execution::of(job),
        branch: job.spec.branch(&job.key),
        pushed_at_ms: None,
        pr_url: None,
        verify_result: None,
        summary,
        error: job.state.trail().and_then(|trail| trail.feedback.as_ref()).and_then(failure),
        started_at_ms: started,
        finished_at_ms: None,
        next_action: NextAction::after(status),
    }
}
