//! Branch lines: jobs that share one branch and one pull request, one after the other. Which branch a job's work goes to and
//! where that branch has to be are answered here, for lines, follow-ups and all other jobs alike.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::git::{BranchName, CommitId};
use crate::id::{ItemId, JobId, SessionId, TaskKey};
use crate::watch::LineStanding;

use super::Job;
use super::queueing::Label;
use super::spec::JobSpec;
use super::state::{Ground, JobState};

/// What the jobs of a line belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Tasks in any order, each in a conversation of its own.
    Story,
    /// Tasks in a fixed order and in one conversation; the pull request is a draft until the last is done.
    Sprint,
}

impl LineKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Story => "story",
            Self::Sprint => "sprint",
        }
    }
}

/// A job's place on a branch that it shares with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchLine {
    pub kind: LineKind,
    /// Of the story or sprint.
    pub key: TaskKey,
    /// Title of the pull request.
    pub title: String,
    pub branch: BranchName,
    /// This job's place, from 1. A job that is ordered again keeps it.
    pub number: u32,
    /// How many there were when this one was ordered.
    pub count: u32,
    /// The pull request is opened as a draft, and is ready when the last job is published.
    pub draft: bool,
    /// Each job goes on in the conversation of the one before it, where that can be had.
    pub keep_session: bool,
}

impl BranchLine {
    /// The place `number` of `count` on the line of a story or sprint.
    #[must_use]
    pub fn of(kind: LineKind, key: TaskKey, title: &str, (number, count): (u32, u32)) -> Self {
        let branch = BranchName::for_line(kind.as_str(), &key, title);
        let sprint = kind == LineKind::Sprint;
        let title = title.to_owned();
        Self { kind, key, title, branch, number, count, draft: sprint, keep_session: sprint }
    }

    /// Jobs of one repository in this group run one at a time. Two lines whose keys are very long may share one, which
    /// only makes them wait for each other.
    #[must_use]
    pub fn group(&self) -> Label {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
        let text: String =
            format!("{}.{}", self.kind.as_str(), self.key).chars().map(plain).take(64).collect();
        match Label::parse(&text) {
            Ok(label) => label,
            Err(_) => unreachable!("letters, digits and dots are a label"),
        }
    }

    /// Whether both places are on the same line.
    #[must_use]
    pub fn is_with(&self, other: &Self) -> bool {
        self.kind == other.kind && self.key == other.key
    }

    #[must_use]
    pub fn is_last(&self) -> bool {
        self.number >= self.count
    }
}

/// How a job found its line, fixed when it was prepared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnLine {
    /// Where the branch was: its push expects exactly that. `None`: there was no such branch.
    pub begins: Option<CommitId>,
    /// The tip of the branch that the pull request is for: what it says of checks and to agents holds, because no agent of this line
    /// wrote it.
    pub target: Option<CommitId>,
    /// What is on the branch already, oldest first.
    pub earlier: Vec<EarlierTask>,
    /// What the agent has to merge before anything else.
    pub unmerged: Vec<Unmerged>,
    /// The job's own commits as they stand on the branch by now; its agent goes on there.
    pub own: Option<CommitId>,
    /// The job before it, whose conversation it goes on with.
    pub before: Option<Before>,
}

/// A task whose work is on the branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierTask {
    pub key: TaskKey,
    pub title: String,
}

/// A commit that belongs into the result and that git cannot merge by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmerged {
    pub commit: CommitId,
    pub what: UnmergedWork,
    /// Where both sides changed the same.
    pub paths: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum UnmergedWork {
    /// The branch that the pull request is for has moved.
    Target { branch: String },
    /// What this job itself did before others moved the branch.
    Own,
}

/// The job before this one on a line that is one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub job: JobId,
    pub key: TaskKey,
    pub session: Option<SessionId>,
    pub account: Option<Label>,
}

impl JobSpec {
    /// The branch that the work is to go to, before anybody knows whether that name is free.
    #[must_use]
    pub fn branch(&self, key: &TaskKey) -> BranchName {
        self.shared_branch().cloned().unwrap_or_else(|| BranchName::for_task(key, &self.title))
    }

    /// The branch that the job has in common with others: that of its line, or of the job that it follows up on. It has this
    /// name or none.
    #[must_use]
    pub fn shared_branch(&self) -> Option<&BranchName> {
        let line = self.line.as_ref().map(|line| &line.branch);
        line.or_else(|| self.follows.as_ref().and_then(|follows| follows.branch.as_ref()))
    }

    /// Where the branch has to be for the push; `None`: there is no such branch.
    #[must_use]
    pub fn expects<'a>(&self, ground: &'a Ground) -> Option<&'a CommitId> {
        match (&self.line, &ground.line) {
            (Some(_), Some(line)) => line.begins.as_ref(),
            (Some(_), None) => None,
            (None, _) => self.shared_branch().map(|_| &ground.base),
        }
    }
}

/// The last place of a sprint that nobody has to take again: its job is done, or has not ended. What failed before is done again behind it.
#[must_use]
pub fn taken<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> u32 {
    let stands = |job: &&Job| job.state.end().is_none_or(|end| end.reason.is_done());
    let places = jobs.into_iter().filter(stands).filter_map(|job| job.spec.line.as_ref());
    places.map(|line| line.number).max().unwrap_or(0)
}

/// How far the jobs of a line are. Its places are numbered without gaps; one that was done by any of its jobs is done.
#[must_use]
pub fn standing<'a>(jobs: impl IntoIterator<Item = &'a Job>) -> LineStanding {
    let (mut done, mut count) = (BTreeSet::new(), 0);
    for job in jobs {
        let Some(line) = &job.spec.line else { continue };
        let Some(end) = job.state.end().filter(|_| matches!(job.state, JobState::Ended { .. })) else {
            return LineStanding::Going;
        };
        count = count.max(line.count);
        if end.reason.is_done() {
            done.insert(line.number);
        }
    }
    if (1..=count).all(|number| done.contains(&number)) {
        LineStanding::Complete
    } else {
        LineStanding::Halted
    }
}

/// The places of a story's tasks, of which `jobs` have one already: a task that is done again keeps its own, the others stand behind all.
#[must_use]
pub fn places<'a>(jobs: &[Job], tasks: impl IntoIterator<Item = &'a ItemId>) -> Vec<u32> {
    let own = |job: &Job| {
        let (line, task) = (job.spec.line.as_ref()?, job.spec.task.as_ref());
        Some((line.number, task.map(|task| task.item.clone())))
    };
    let known: Vec<(u32, Option<ItemId>)> = jobs.iter().filter_map(own).collect();
    let mut last = known.iter().map(|(number, _)| *number).max().unwrap_or(0);
    let mut place = |task: &ItemId| {
        let own = known.iter().find(|(_, known)| known.as_ref() == Some(task));
        own.map_or_else(
            || {
                last = last.saturating_add(1);
                last
            },
            |(number, _)| *number,
        )
    };
    tasks.into_iter().map(&mut place).collect()
}

/// What a branch can be at when it is a line's: each commit that a job of the line published, and each that one may have pushed
/// without being able to say so.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub published: Vec<CommitId>,
    pub perhaps: Vec<CommitId>,
}

impl Made {
    #[must_use]
    pub fn by<'a>(states: impl IntoIterator<Item = &'a JobState>) -> Self {
        let mut made = Self::default();
        for state in states {
            made.add(state);
        }
        made
    }

    fn add(&mut self, state: &JobState) {
        match state {
            JobState::Publishing { tip, pushed: true, .. } => self.published.push(tip.clone()),
            JobState::Publishing { tip, pushed: false, .. } => self.perhaps.push(tip.clone()),
            JobState::Cleaning { end, .. }
            | JobState::Cascading { end, .. }
            | JobState::Ended { end, .. } => {
                self.published.extend(end.published.as_ref().map(|work| work.commit.clone()));
                self.perhaps.extend(end.tip.clone());
            }
            JobState::Parked { then, .. } => self.add(then),
            JobState::Queued
            | JobState::Preparing { .. }
            | JobState::Working { .. }
            | JobState::Collecting { .. }
            | JobState::Verifying { .. } => {}
        }
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
