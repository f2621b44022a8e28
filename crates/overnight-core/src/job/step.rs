//! A decision about a job, as data: the next state, what to tell, and what changes about the outside effects.

use std::time::Duration;

use crate::backlog::idea::NewDocument;
use crate::talk::TalkChange;
use crate::units::Timestamp;

use super::end::{End, EndReason, ParkReason};
use super::event::JobEvent;
use super::spend::SpendChange;
use super::state::{JobState, Stage, Trail};

/// Name of an outside effect: unique within its job, so that each is reserved once and done once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EffectName {
    PushBranch,
    OpenPullRequest,
    /// The text of a pull request that several jobs share tells of each of them.
    UpdatePullRequest,
    /// A draft becomes a pull request that is ready to be reviewed.
    MarkReady,
    /// A step of a cascade, by its [name](crate::policy::cascade::CascadeStep::name).
    Cascade(String),
}

impl EffectName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::PushBranch => "push-branch",
            Self::OpenPullRequest => "open-pull-request",
            Self::UpdatePullRequest => "update-pull-request",
            Self::MarkReady => "mark-ready",
            Self::Cascade(name) => name,
        }
    }
}

/// A change to the job's outside effects, written in the same transaction as its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectChange {
    /// It is about to be done; a later holder asks the other side before it does it again.
    Reserve {
        name: EffectName,
        detail: String,
    },
    Done {
        name: EffectName,
        result: String,
    },
}

/// A decision: the next state, what to tell, and what changes about the outside effects.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub next: JobState,
    pub events: Vec<JobEvent>,
    pub effects: Vec<EffectChange>,
    /// What it means for the ledger of what agents use.
    pub spend: Vec<SpendChange>,
    /// What it means for the questions and messages of the job.
    pub talk: Vec<TalkChange>,
    /// What was written about an idea.
    pub documents: Vec<NewDocument>,
}

impl Step {
    pub(super) fn to(next: JobState) -> Self {
        let (events, effects, spend) = (Vec::new(), Vec::new(), Vec::new());
        Self { next, events, effects, spend, talk: Vec::new(), documents: Vec::new() }
    }

    pub(super) fn still(state: &JobState) -> Self {
        Self::to(state.clone())
    }

    pub(super) fn event(mut self, event: JobEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Puts an event before those that are there.
    pub(super) fn before(mut self, event: JobEvent) -> Self {
        self.events.insert(0, event);
        self
    }

    pub(super) fn effect(mut self, change: EffectChange) -> Self {
        self.effects.push(change);
        self
    }

    pub(super) fn talk(mut self, change: TalkChange) -> Self {
        self.talk.push(change);
        self
    }

    /// Puts the end of the finished stage between what the stage brought and what was decided from it, and the start of the
    /// next one behind.
    pub(super) fn after(mut self, stage: Stage, elapsed: Duration) -> Self {
        let decided = |event: &JobEvent| {
            matches!(
                event,
                JobEvent::AttemptFailed { .. } | JobEvent::TakenOver { .. } | JobEvent::Parked { .. }
            )
        };
        let place = self.events.iter().position(decided).unwrap_or(self.events.len());
        self.events.insert(place, JobEvent::StageFinished { stage, elapsed });
        self.starting()
    }

    /// Announces the stage that the new state is in, unless nothing runs there.
    pub(super) fn starting(mut self) -> Self {
        if let (Some(stage), false) = (self.next.stage(), matches!(self.next, JobState::Parked { .. })) {
            self.events.push(JobEvent::StageStarted { stage });
        }
        self
    }

    pub(super) fn ending(trail: Trail, reason: EndReason, detail: impl Into<String>) -> Self {
        let end = End { reason, detail: detail.into(), tip: trail.preserved.clone(), published: None };
        Self::to(JobState::Cleaning { trail, end })
    }

    pub(super) fn parking(
        then: JobState,
        reason: ParkReason,
        detail: String,
        wake: Option<Timestamp>,
    ) -> Self {
        let event = JobEvent::Parked { reason, detail: detail.clone(), wake };
        Self::to(JobState::Parked { reason, detail, wake, then: Box::new(then) }).event(event)
    }
}
