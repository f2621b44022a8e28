//! The last stage of a job whose failure takes its epic's other work back. The end of the job is decided when it comes here, and nothing
//! that happens here changes it: a step that fails is told, and the next one is done.

use std::time::Duration;

use crate::id::TaskKey;
use crate::policy::cascade::{self, Cascade, CascadeResult, CascadeStep, Scope};

use super::end::End;
use super::event::JobEvent;
use super::input::Order;
use super::state::{JobState, Stage, Trail};
use super::step::{EffectChange, EffectName, Step};

/// Scratch is gone: the job has ended, or its failure is carried on to others first.
pub(super) fn cleaned(trail: &Trail, end: &End, elapsed: Duration, order: Order<'_>) -> Step {
    match entered(trail, end, order) {
        Some(next) => Step::to(next).after(Stage::Cleanup, elapsed),
        // The end of a job is the last thing that is told of it.
        None => ended(trail, end).after(Stage::Cleanup, elapsed).event(JobEvent::Ended { end: end.clone() }),
    }
}

/// The cascade of a job that was being cleaned up, if its end has one.
pub(super) fn due(state: &JobState, order: Order<'_>) -> Option<JobState> {
    let JobState::Cleaning { trail, end } = state else { return None };
    entered(trail, end, order)
}

fn entered(trail: &Trail, end: &End, order: Order<'_>) -> Option<JobState> {
    cascade::epic_of(order.spec, end.reason)?;
    let cascade = Box::new(Cascade::default());
    Some(JobState::Cascading { trail: trail.clone(), end: end.clone(), cascade })
}

/// Everything has a result. A step that was announced and has none is not passed over in silence.
pub(super) fn cascaded(state: &JobState, elapsed: Duration) -> Option<Step> {
    let JobState::Cascading { trail, end, cascade } = state else { return None };
    let open: Vec<String> = cascade.doing.iter().map(CascadeStep::words).collect();
    if !open.is_empty() {
        return stopped(state, &format!("it is not known what came of this: {}", open.join("; ")));
    }
    Some(ended(trail, end).after(Stage::Cascade, elapsed).event(JobEvent::Ended { end: end.clone() }))
}

fn ended(trail: &Trail, end: &End) -> Step {
    Step::to(JobState::Ended { trail: trail.clone(), end: end.clone() })
}

/// It was looked at what it is about.
pub(super) fn began(state: &JobState, scope: Scope, jobs: Vec<TaskKey>) -> Option<Step> {
    let mut next = state.clone();
    let JobState::Cascading { cascade, .. } = &mut next else { return None };
    if cascade.scope.is_some() {
        return None;
    }
    let event = JobEvent::CascadeBegan { epic: scope.epic.clone(), jobs };
    cascade.scope = Some(scope);
    Some(Step::to(next).event(event))
}

/// A step is about to be done; whoever holds the job later finds out whether it was.
pub(super) fn announced(state: &JobState, step: CascadeStep) -> Option<Step> {
    let mut next = state.clone();
    let JobState::Cascading { cascade, .. } = &mut next else { return None };
    let name = step.name();
    if cascade.scope.is_none() || cascade.doing.contains(&step) || cascade.settled.contains(&name) {
        return None;
    }
    let reserve = EffectChange::Reserve { name: EffectName::Cascade(name), detail: step.words() };
    cascade.doing.push(step);
    Some(Step::to(next).effect(reserve))
}

/// A step has a result. One that was not announced was not done either: it is only told why.
pub(super) fn stepped(state: &JobState, step: CascadeStep, result: CascadeResult) -> Option<Step> {
    let mut next = state.clone();
    let JobState::Cascading { cascade, .. } = &mut next else { return None };
    let name = step.name();
    if cascade.scope.is_none() || !cascade.settled.insert(name.clone()) {
        return None;
    }
    let announced = cascade.doing.contains(&step);
    cascade.doing.retain(|doing| *doing != step);
    let done = EffectChange::Done { name: EffectName::Cascade(name), result: result.detail.clone() };
    let told = Step::to(next).event(JobEvent::Cascaded { step, result });
    Some(if announced { told.effect(done) } else { told })
}

/// It ends here, whatever is left to be done.
pub(super) fn stopped(state: &JobState, why: &str) -> Option<Step> {
    match state {
        JobState::Cascading { trail, end, .. } => {
            let why = format!("{why}; overnight cascade KEY --dry-run shows what is left");
            let end = end.clone();
            Some(ended(trail, &end).event(JobEvent::CascadeStopped { why }).event(JobEvent::Ended { end }))
        }
        JobState::Parked { then, .. } => stopped(then, why),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Ended { .. } => None,
    }
}

impl JobState {
    /// The cascade that a job is at, also while it waits.
    #[must_use]
    pub fn cascade(&self) -> Option<&Cascade> {
        match self {
            Self::Cascading { cascade, .. } => Some(cascade),
            Self::Parked { then, .. } => then.cascade(),
            Self::Queued
            | Self::Preparing { .. }
            | Self::Working { .. }
            | Self::Collecting { .. }
            | Self::Verifying { .. }
            | Self::Publishing { .. }
            | Self::Cleaning { .. }
            | Self::Ended { .. } => None,
        }
    }
}

#[cfg(test)]
#[path = "cascading_tests.rs"]
mod tests;
