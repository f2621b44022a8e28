//! The fail-cascade: when the failure of a task takes its epic's other work back, and by which steps. An epic is all or nothing; what a cascade
//! does must be harmless where that is wrong, so it cancels, closes, proposes and tidies, and never throws anything away.
//!
//! Pure. What is known of jobs and pull requests comes in, steps come out; whoever does them looks again afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::git::BranchName;
use crate::id::{JobId, TaskKey};
use crate::job::{EndReason, JobSpec, PullRequestRef};
use crate::units::Timestamp;

/// Longest a cascade goes on trying what a forge, a remote or a running job keeps from it. A day: an outage over night, and a token that
/// somebody renews in the morning.
pub const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// How far a cascade has come. What is to be done is not kept but found anew each time, from how things are by then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cascade {
    /// What it is about; fixed by its first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Announced, and perhaps done: whoever takes the job up finds out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doing: Vec<CascadeStep>,
    /// Names of steps that have a result.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub settled: BTreeSet<String>,
}

/// What a cascade is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pub epic: TaskKey,
    /// The jobs of the epic's other tasks, as they were when it began: what is started later is somebody's wish.
    pub jobs: Vec<JobId>,
    #[serde(rename = "until_ms")]
    pub until: Timestamp,
}

/// One thing that a cascade does. `key` is that of the job whose work it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum CascadeStep {
    CancelJob {
        key: TaskKey,
        job: JobId,
    },
    /// With a comment that says why.
    ClosePullRequest {
        key: TaskKey,
        pull_request: PullRequestRef,
    },
    /// A draft, for a person to decide on.
    OpenRevert {
        key: TaskKey,
        pull_request: PullRequestRef,
        branch: BranchName,
    },
    DeleteBranch {
        key: TaskKey,
        branch: BranchName,
    },
}

impl CascadeStep {
    /// Unique within a cascade, and the name of its outside effect.
    #[must_use]
    pub fn name(&self) -> String {
        format!("cascade-{}-{}", self.verb(), self.key())
    }

    #[must_use]
    pub fn key(&self) -> &TaskKey {
        match self {
            Self::CancelJob { key, .. }
            | Self::ClosePullRequest { key, .. }
            | Self::OpenRevert { key, .. }
            | Self::DeleteBranch { key, .. } => key,
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            Self::CancelJob { .. } => "cancel",
            Self::ClosePullRequest { .. } => "close",
            Self::OpenRevert { .. } => "revert",
            Self::DeleteBranch { .. } => "delete",
        }
    }

    /// As people read it: `close https://…/pull/3 (app-4)`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::CancelJob { key, .. } => format!("cancel {key}"),
            Self::ClosePullRequest { key, pull_request } => format!("close {} ({key})", pull_request.url),
            Self::OpenRevert { key, pull_request, .. } => {
                format!("open a pull request that reverts {} ({key})", pull_request.url)
            }
            Self::DeleteBranch { key, branch } => format!("delete the branch {branch} ({key})"),
        }
    }
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CascadeResult {
    pub outcome: CascadeOutcome,
    /// A sentence for people.
    pub detail: String,
    /// What a person can do about it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The pull request that the step has made or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequestRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CascadeOutcome {
    Done,
    /// There was nothing left to do.
    AlreadySo,
    /// On purpose: it would take something away, or only a person can decide.
    Left,
    Failed,
    /// It could not be done in time.
    GivenUp,
}

impl CascadeOutcome {
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadySo => "nothing to do",
            Self::Left => "left as it is",
            Self::Failed => "failed",
            Self::GivenUp => "not done",
        }
    }
}

impl CascadeResult {
    #[must_use]
    pub fn new(outcome: CascadeOutcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: detail.into(), command: None, pull_request: None }
    }

    #[must_use]
    pub fn by_hand(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
}

/// Whether a task whose job ended like this has failed in a way that its epic's other work is taken back for.
///
/// The rule: the agent had its full chance, and what it made is not good. Where nothing was proven about the task, where a person
/// decided, or where only time, a login or a machine was missing, others go on.
#[must_use]
pub fn cascades(reason: EndReason) -> bool {
    match reason {
        // Measured on its commit, attempt after attempt.
        EndReason::VerificationFailed
        | EndReason::GateRefused
        // It gave up, did nothing, would not, or did not come to an end.
        | EndReason::AgentFailed
        | EndReason::NoChanges
        | EndReason::AgentRefused
        | EndReason::AgentTimedOut
        // The order said how much may be used, and it was not enough.
        | EndReason::BudgetCost
        | EndReason::BudgetTokens
        | EndReason::BudgetTurns
        | EndReason::BudgetTime
        | EndReason::BudgetSessions => true,
        // Done.
        EndReason::Published | EndReason::AlreadyDone | EndReason::Delivered => false,
        // A document is no task's work.
        EndReason::DocumentRefused => false,
        // People's decisions, or their silence.
        EndReason::Cancelled
        | EndReason::Interrupted
        | EndReason::Rejected
        | EndReason::NeedsInput
        | EndReason::BranchConflict => false,
        // What could not run proves nothing.
        EndReason::ChecksCouldNotRun
        | EndReason::NoChecks
        | EndReason::ConfigInvalid
        | EndReason::RepositoryUnusable
        | EndReason::AgentMissing
        | EndReason::WorkerLost
        | EndReason::InternalError => false,
        // The job that it waited for has a cascade of its own.
        EndReason::DependencyFailed => false,
    }
}

/// The epic whose other work a job takes back when it ends for this reason.
#[must_use]
pub fn epic_of(spec: &JobSpec, reason: EndReason) -> Option<&TaskKey> {
    let task = spec.task.as_deref()?;
    // A task that only looks has found nothing to change.
    let nothing_found = reason == EndReason::NoChanges && task.verify_only;
    // What a follow-up was to improve was published before, and stands.
    let improves = spec.follows.as_deref().is_some_and(|follows| follows.branch.is_some());
    task.epic.as_ref().filter(|_| cascades(reason) && !nothing_found && !improves)
}

/// What is known when a cascade is planned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CascadeFacts {
    pub jobs: Vec<JobFact>,
    pub works: Vec<WorkFact>,
}

/// Another job of the epic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFact {
    pub job: JobId,
    pub key: TaskKey,
    pub at: JobAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAt {
    Unfinished,
    /// It has failed by itself: its own cascade does its part.
    Failing,
    Ended,
}

/// Work that reached the outside: one pull request, or one branch without any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkFact {
    /// The first job whose work it is.
    pub key: TaskKey,
    /// Where it is: the same for two works means the same forge and repository.
    pub remote: String,
    pub branch: BranchName,
    pub pull_request: Option<PullRequestRef>,
    pub seen: PullSeen,
    pub branch_seen: BranchSeen,
    /// A pull request that reverts it is there, whatever became of that.
    pub reverted: bool,
    /// Jobs of other epics, or of none, whose work is on the same branch.
    pub others: Vec<TaskKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullSeen {
    /// There is none.
    Nowhere,
    Open,
    Closed,
    Merged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchSeen {
    Gone,
    /// All its commits are on the branch that it was for.
    Contained,
    /// So many commits are on no other branch that we know of.
    Ahead {
        commits: u64,
    },
    /// It was not looked at, or lies in a person's own repository.
    Unknown,
}

/// A step, and whether it is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub step: CascadeStep,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Do,
    /// It is only told that it is not done, and why.
    Leave {
        why: String,
        command: Option<String>,
    },
}

/// The branch of the pull request that reverts the work of this job.
#[must_use]
pub fn revert_branch(key: &TaskKey) -> Option<BranchName> {
    BranchName::parse(&format!("overnight/revert-{}", key.as_str().to_ascii_lowercase())).ok()
}

/// The steps that are due, in the order in which they are done: jobs are cancelled first, and nothing else is touched while one of them may
/// still publish something.
#[must_use]
pub fn plan(facts: &CascadeFacts, settled: &BTreeSet<String>) -> Vec<Planned> {
    let mut planned: Vec<Planned> = cancels(facts);
    if waits_for(facts).is_empty() {
        let mut works: Vec<&WorkFact> = facts.works.iter().collect();
        works.sort_by_key(|work| (work.remote.clone(), number(work), work.key.clone()));
        planned.extend(works.iter().filter_map(|work| close(work)));
        // The newest first: it is built on what came before.
        planned.extend(works.iter().rev().filter_map(|work| revert(work)));
        planned.extend(deletions(&works));
    }
    planned.retain(|planned| !settled.contains(&planned.step.name()));
    planned
}

/// The jobs that have to end before it goes on.
#[must_use]
pub fn waits_for(facts: &CascadeFacts) -> Vec<&JobFact> {
    facts.jobs.iter().filter(|job| job.at == JobAt::Unfinished).collect()
}

fn number(work: &WorkFact) -> u64 {
    work.pull_request.as_ref().map_or(0, |pull| pull.number)
}

fn cancels(facts: &CascadeFacts) -> Vec<Planned> {
    let mut jobs = waits_for(facts);
    // The newest first: it may wait for an older one, whose end would be its end before it hears why.
    jobs.sort_by(|a, b| b.job.cmp(&a.job));
    let cancel = |job: &&JobFact| Planned {
        step: CascadeStep::CancelJob { key: job.key.clone(), job: job.job.clone() },
        what: What::Do,
    };
    jobs.iter().map(cancel).collect()
}

/// What stands in the way of touching this work at all.
fn shared(work: &WorkFact) -> Option<String> {
    (!work.others.is_empty()).then(|| {
        let others: Vec<&str> = work.others.iter().take(5).map(TaskKey::as_str).collect();
        format!("it holds work of jobs that are not of this epic: {}", others.join(", "))
    })
}

fn close(work: &WorkFact) -> Option<Planned> {
    let pull_request = work.pull_request.clone().filter(|_| work.seen == PullSeen::Open)?;
    let what = match shared(work) {
        Some(why) => {
            let command = Some(format!("close {} by hand if none of it is wanted", pull_request.url));
            What::Leave { why, command }
        }
        None => What::Do,
    };
    Some(Planned { step: CascadeStep::ClosePullRequest { key: work.key.clone(), pull_request }, what })
}

fn revert(work: &WorkFact) -> Option<Planned> {
    let pull_request = work.pull_request.clone().filter(|_| work.seen == PullSeen::Merged)?;
    if work.reverted {
        return None;
    }
    let what = match shared(work) {
        Some(why) => {
            let command = Some(format!("revert what of {} belongs to this epic by hand", pull_request.url));
            What::Leave { why, command }
        }
        None => What::Do,
    };
    let branch = revert_branch(&work.key)?;
    Some(Planned { step: CascadeStep::OpenRevert { key: work.key.clone(), pull_request, branch }, what })
}

/// Each branch once: a later work of the same branch says the same of it.
fn deletions(works: &[&WorkFact]) -> Vec<Planned> {
    let mut branches: BTreeMap<(&str, &BranchName), Vec<&WorkFact>> = BTreeMap::new();
    for work in works {
        branches.entry((&work.remote, &work.branch)).or_default().push(work);
    }
    branches.values().filter_map(|works| deletion(works)).collect()
}

fn deletion(works: &[&WorkFact]) -> Option<Planned> {
    let first = works.first()?;
    let what = match works.iter().find_map(|work| kept_because(work)) {
        Some(why) => What::Leave { why, command: None },
        None if works.iter().all(|work| work.branch_seen == BranchSeen::Gone) => return None,
        None => What::Do,
    };
    Some(Planned {
        step: CascadeStep::DeleteBranch { key: first.key.clone(), branch: first.branch.clone() },
        what,
    })
}

fn kept_because(work: &WorkFact) -> Option<String> {
    if let Some(why) = shared(work) {
        return Some(why);
    }
    match work.branch_seen {
        BranchSeen::Gone | BranchSeen::Contained => None,
        BranchSeen::Ahead { commits } => {
            Some(format!("{commits} of its commits are on no other branch, so it is kept"))
        }
        BranchSeen::Unknown => Some("where else its commits are is not known, so it is kept".to_owned()),
    }
}

#[cfg(test)]
#[path = "cascade_tests.rs"]
pub(crate) mod tests;
