//! A job as JSON: the public shape of `--json`, schema `overnight/v1`, kind `job`.

use overnight_core::agent::Usage;
use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::{JobId, TaskKey, WorkerId};
use overnight_core::job::{
    BranchLine, CancelledBy, ExitCode, Job, JobState, Label, LineKind, Published, Stage, TaskOrder,
};
use overnight_core::units::Timestamp;
use overnight_store::{Phase, QueueStanding};
use serde::Serialize;

/// A job's present state.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobView {
    pub id: JobId,
    pub key: TaskKey,
    pub title: String,
    pub repository: String,
    /// The task of the backlog that it carries out, with its story and epic.
    pub task: Option<TaskView>,
    pub agent: String,
    pub state: &'static str,
    pub stage: Option<Stage>,
    pub attempt: u32,
    pub attempts: u32,
    pub turns: u32,
    pub used: Usage,
    /// Some turn's cost is not known: `used.cost` is a lower bound.
    pub cost_unknown: bool,
    /// Why it ended or waits, from the public lists.
    pub reason: Option<&'static str>,
    pub detail: Option<String>,
    /// When a waiting job can go on by itself.
    pub wake_ms: Option<Timestamp>,
    pub tip: Option<CommitId>,
    pub published: Option<Published>,
    pub held_by: Option<WorkerId>,
    pub lease_until_ms: Option<Timestamp>,
    /// Who asked for its end.
    pub cancel_asked: Option<CancelledBy>,
    /// How often a worker died with it or was lost.
    pub lost: u32,
    /// Higher goes first.
    pub priority: i64,
    /// Of a job that was never started: when it may be.
    pub not_before_ms: Option<Timestamp>,
    pub group: Option<Label>,
    /// Its place on a branch that it shares with other jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<LineView>,
    pub labels: Vec<Label>,
    /// What a worker must offer.
    pub requires: Vec<Label>,
    /// Where it stands in the queue, until it has ended.
    pub queue: Option<QueueView>,
    pub created_at_ms: Timestamp,
    pub updated_at_ms: Timestamp,
    /// What `run` and `resume` end with in this state.
    pub exit_code: u8,
}

/// The task of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskView {
    pub key: TaskKey,
    pub story: Option<TaskKey>,
    pub epic: Option<TaskKey>,
}

impl TaskView {
    fn of(task: &TaskOrder) -> Self {
        Self { key: task.key.clone(), story: task.story.clone(), epic: task.epic.clone() }
    }
}

/// A place on a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LineView {
    /// `story` or `sprint`.
    pub kind: LineKind,
    /// Of the story or sprint.
    pub key: TaskKey,
    pub branch: BranchName,
    pub number: u32,
    pub count: u32,
}

impl LineView {
    fn of(line: &BranchLine) -> Self {
        let BranchLine { kind, key, branch, number, count, .. } = line;
        Self { kind: *kind, key: key.clone(), branch: branch.clone(), number: *number, count: *count }
    }
}

/// Where an unfinished job stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueView {
    /// `ready`, `due`, `blocked`, `asleep` or `held`.
    pub phase: &'static str,
    /// When it can go on.
    pub wake_ms: Option<Timestamp>,
    /// Keys of the jobs that have to end first.
    pub waits_for: Vec<TaskKey>,
    /// The data directory that going on needs.
    pub place: Option<Label>,
}

impl QueueView {
    fn of(standing: &QueueStanding) -> Option<Self> {
        let QueueStanding { phase, wake, place, waits_for } = standing;
        let phase = match phase {
            Phase::Ready | Phase::Due | Phase::Blocked | Phase::Asleep | Phase::Held => phase.as_str(),
            Phase::Ended => return None,
        };
        Some(Self { phase, wake_ms: *wake, waits_for: waits_for.clone(), place: place.clone() })
    }
}

impl JobView {
    #[must_use]
    pub fn of(job: &Job, standing: Option<&QueueStanding>) -> Self {
        let trail = job.state.trail();
        let end = job.state.end();
        let (reason, detail, wake) = match (&job.state, end) {
            (JobState::Parked { reason, detail, wake, .. }, _) => {
                (Some(reason.code()), Some(detail.clone()), *wake)
            }
            (_, Some(end)) => (Some(end.reason.code()), Some(end.detail.clone()), None),
            (_, None) => (None, None, None),
        };
        Self {
            id: job.id.clone(),
            key: job.key.clone(),
            title: job.spec.title.clone(),
            repository: job.repository_name.clone(),
            task: job.spec.task.as_deref().map(TaskView::of),
            agent: job.spec.agent.name().to_owned(),
            state: job.state.name(),
            stage: job.state.stage(),
            attempt: trail.map_or(0, |trail| trail.attempt),
            attempts: job.spec.limits.attempts,
            turns: trail.map_or(0, |trail| trail.turns),
            used: trail.map(|trail| trail.used).unwrap_or_default(),
            cost_unknown: trail.is_some_and(|trail| trail.cost_unknown),
            reason,
            detail,
            wake_ms: wake,
            tip: trail.and_then(|trail| trail.preserved.clone()),
            published: end.and_then(|end| end.published.clone()),
            held_by: job.holder.as_ref().map(|holder| holder.worker.clone()),
            lease_until_ms: job.holder.as_ref().map(|holder| holder.lease_until),
            cancel_asked: job.cancel.clone().filter(|_| !job.state.is_ended()),
            lost: job.lost,
            priority: job.queueing.priority.number(),
            not_before_ms: job.queueing.not_before.filter(|_| job.state.is_untouched()),
            group: job.queueing.group.clone(),
            line: job.spec.line.as_deref().map(LineView::of),
            labels: job.queueing.labels.clone(),
            requires: job.queueing.requires.clone(),
            queue: standing.and_then(QueueView::of),
            created_at_ms: job.created_at,
            updated_at_ms: job.updated_at,
            exit_code: exit_code(&job.state).number(),
        }
    }
}

/// The exit code that a state stands for.
#[must_use]
pub fn exit_code(state: &JobState) -> ExitCode {
    match state {
        JobState::Ended { end, .. } => end.reason.exit_code(),
        JobState::Parked { reason, .. } => reason.exit_code(),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. } => ExitCode::Pending,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use overnight_core::job::{End, EndReason, ParkReason, Trail};

    use super::*;

    #[test]
    fn every_end_and_every_wait_has_its_exit_code() {
        let mut table = String::new();
        for reason in EndReason::ALL {
            let end = End { reason, detail: String::new(), tip: None, published: None };
            let state = JobState::Ended { trail: Trail::default(), end };
            writeln!(table, "{:<22}{}", reason.code(), exit_code(&state).number()).unwrap();
        }
        for reason in ParkReason::ALL {
            let then = Box::new(JobState::Queued);
            let state = JobState::Parked { reason, detail: String::new(), wake: None, then };
            writeln!(table, "{:<22}{}", reason.code(), exit_code(&state).number()).unwrap();
        }
        writeln!(table, "{:<22}{}", "queued", exit_code(&JobState::Queued).number()).unwrap();
        insta::assert_snapshot!(table);
    }
}
