//! The queue's part of a job's way: claims, waking, lost workers, and jobs that end without ever having run.

use crate::id::{Fence, TaskKey, WorkerId};

use super::cascading;
use super::end::{End, EndReason};
use super::event::JobEvent;
use super::input::Order;
use super::publishing::pushed_work;
use super::state::{Feedback, JobState, Trail};
use super::step::Step;

pub(super) fn claimed(state: &JobState, worker: WorkerId, fence: Fence, resumed: bool, moved: bool) -> Step {
    let claimed = JobEvent::Claimed { worker, fence, resumed };
    let due = taken_up(state);
    if moved && due.is_bound() {
        return moved_away(&due).before(claimed);
    }
    Step::to(due).event(claimed).starting()
}

/// The state in which a holder goes on.
fn taken_up(state: &JobState) -> JobState {
    match state {
        JobState::Queued => JobState::Preparing { trail: Trail::default() },
        JobState::Parked { then, .. } => taken_up(then),
        JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Ended { .. } => state.clone(),
    }
}

/// Goes on without the disk of the earlier workers. What is published stays published; what may be half published is not
/// tried a second time from other commits, because that would make a second branch.
fn moved_away(state: &JobState) -> Step {
    match state {
        JobState::Publishing { pushed: false, trail, approval, .. } if !approval.is_awaited() => {
            let detail = "the machine that has its commits is gone, and they may be pushed already; look at the remote, \
                          then run it again with overnight retry";
            Step::ending(trail.clone(), EndReason::WorkerLost, detail).event(JobEvent::Moved).starting()
        }
        // The rest needs the forge only, or nothing.
        JobState::Publishing { pushed: true, .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. } => Step::still(state).event(JobEvent::Moved).starting(),
        JobState::Preparing { trail }
        | JobState::Working { trail, .. }
        | JobState::Collecting { trail, .. }
        | JobState::Verifying { trail, .. }
        | JobState::Publishing { trail, .. } => {
            let mut trail = trail.clone();
            trail.session = None;
            trail.preserved = None;
            trail.feedback =
                trail.feedback.filter(|feedback| matches!(feedback, Feedback::ChecksFailed { .. }));
            Step::to(JobState::Preparing { trail }).event(JobEvent::Moved).starting()
        }
        JobState::Queued | JobState::Parked { .. } | JobState::Ended { .. } => Step::still(state),
    }
}

pub(super) fn woken(state: &JobState) -> Option<Step> {
    let JobState::Parked { reason, then, .. } = state else { return None };
    Some(Step::to((**then).clone()).event(JobEvent::Woken { reason: *reason }))
}

pub(super) fn dependency_failed(state: &JobState, key: &TaskKey, reason: EndReason) -> Option<Step> {
    if !state.is_untouched() {
        return None;
    }
    let detail = format!("{key}, which it waits for, ended as {}", reason.code());
    Some(ends_at_once(state, EndReason::DependencyFailed, &detail))
}

/// The lease is taken from a worker that is gone. The job stays where it is, unless it has cost too many workers already.
pub(super) fn worker_lost(
    state: &JobState,
    worker: WorkerId,
    times: u32,
    last: bool,
    order: Order<'_>,
) -> Step {
    let lost = JobEvent::WorkerLost { worker, times };
    if !last {
        return Step::still(state).event(lost);
    }
    // Only clearing up was left, and what failed is carried on to its epic all the same.
    if let Some(next) = cascading::due(state, order) {
        return Step::to(next).event(lost);
    }
    if let Some(step) = cascading::stopped(state, &format!("its worker died or was lost {times} times")) {
        return step.before(lost);
    }
    let detail = format!(
        "its worker died or was lost {times} times; overnight logs shows what ran last, overnight retry runs it again"
    );
    ends_at_once(state, EndReason::WorkerLost, &detail).before(lost)
}

/// Ends a job that nobody works on: what is left of it on a disk is the sweeper's.
pub(super) fn ends_at_once(state: &JobState, reason: EndReason, detail: &str) -> Step {
    let trail = state.trail().cloned().unwrap_or_default();
    // What was decided already stands: only clearing up was left.
    let end = state.end().cloned().unwrap_or_else(|| End {
        reason,
        detail: detail.to_owned(),
        tip: trail.preserved.clone(),
        published: pushed_work(state),
    });
    Step::to(JobState::Ended { trail, end: end.clone() }).event(JobEvent::Ended { end })
}

#[cfg(test)]
#[path = "queued_tests.rs"]
mod tests;
