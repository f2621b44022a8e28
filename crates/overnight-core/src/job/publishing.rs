//! The way out: from verdicts to a branch and a pull request.

use std::time::Duration;

use crate::git::{BranchName, CommitId};
use crate::id::TaskKey;
use crate::policy::gate;
use crate::verdict::{CheckedPair, DiffStat};

use super::approval::{self, Approval};
use super::end::{End, EndReason, ParkReason, Published, PullRequestRef};
use super::event::{JobEvent, Notice};
use super::failover::{GivingUp, give_up};
use super::input::Order;
use super::spec::Publication;
use super::state::{Feedback, Ground, JobState, Stage, Trail};
use super::step::{EffectChange, EffectName, Step};
use super::turns::{Retry, retry};

/// After this many names that are taken by other people's work something else is wrong.
const MAX_TAKEN: u32 = 20;

pub(super) fn verified(
    state: &JobState,
    pairs: Vec<CheckedPair>,
    elapsed: Duration,
    order: Order<'_>,
) -> Option<Step> {
    // Nothing goes out that was not looked at.
    let JobState::Verifying { trail, ground, tip, diff, inspected: Some(inspected) } = state else {
        return None;
    };
    let mut trail = trail.clone();
    trail.active = trail.active.saturating_add(elapsed);
    let mut told: Vec<JobEvent> = Vec::new();
    for pair in &pairs {
        told.push(JobEvent::Checked { report: pair.tip.clone(), on_base: false });
        if let Some(base) = &pair.base {
            told.push(JobEvent::Checked { report: base.clone(), on_base: true });
        }
        told.push(JobEvent::Judged { check: pair.tip.check.clone(), standing: pair.standing() });
    }
    let mut step = match gate::decide(&pairs, &trail, ground, order.spec) {
        gate::Gate::Publish => {
            let approval = approval::wanted(inspected, tip, order);
            publish(trail, ground, tip, *diff, (pairs, approval), order)
        }
        gate::Gate::Retry { feedback, class, detail } => {
            let failure = Retry { feedback, last: EndReason::VerificationFailed, detail, class };
            retry(trail, ground, failure, order)
        }
        gate::Gate::Fail { reason, class, detail, feedback } => {
            let event = JobEvent::AttemptFailed { attempt: trail.attempt, class, reason: detail.clone() };
            give_up(trail, ground, GivingUp { reason, detail, feedback }, order).before(event)
        }
    };
    step.events.splice(0..0, told);
    Some(step)
}

/// What is done about the pull request of this order, in this sequence.
fn pull_request_effects(order: Order<'_>) -> Vec<EffectName> {
    let line = order.spec.line.as_ref();
    let ready = line.is_some_and(|line| line.draft && line.is_last());
    let more =
        line.map(|_| EffectName::UpdatePullRequest).into_iter().chain(ready.then_some(EffectName::MarkReady));
    std::iter::once(EffectName::OpenPullRequest).chain(more).collect()
}

fn publish(
    trail: Trail,
    ground: &Ground,
    tip: &CommitId,
    diff: DiffStat,
    (pairs, approval): (Vec<CheckedPair>, Approval),
    order: Order<'_>,
) -> Step {
    let branch = order.spec.branch(order.key);
    let unverified = pairs.is_empty();
    let next = JobState::Publishing {
        trail,
        ground: ground.clone(),
        tip: tip.clone(),
        diff,
        pairs,
        branch,
        taken: 0,
        pushed: false,
        approval: approval.clone(),
    };
    let mut step = match approval {
        // Nothing is reserved before somebody has agreed.
        Approval::Needed { why } => Step::parking(next, ParkReason::Approval, why, None),
        Approval::NotNeeded | Approval::Given { .. } => reserving(next, order),
    };
    if unverified {
        step = step.before(JobEvent::Noticed { notice: Notice::NotVerified });
    }
    step
}

/// Enters the publish stage with its effects reserved.
pub(super) fn reserving(next: JobState, order: Order<'_>) -> Step {
    let branch = match &next {
        JobState::Publishing { branch, .. } => branch.to_string(),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Parked { .. }
        | JobState::Ended { .. } => String::new(),
    };
    let step = Step::to(next).effect(EffectChange::Reserve { name: EffectName::PushBranch, detail: branch });
    match &order.spec.publication {
        // A document is taken where it is collected, and never comes here.
        Publication::LocalBranch { .. } | Publication::Document { .. } => step,
        Publication::PullRequest { remote, .. } => {
            let reserve =
                |step: Step, name| step.effect(EffectChange::Reserve { name, detail: remote.clone() });
            pull_request_effects(order).into_iter().fold(step, reserve)
        }
    }
}

pub(super) fn branch_taken(state: &JobState, order: Order<'_>) -> Option<Step> {
    let mut next = state.clone();
    let JobState::Publishing { trail, tip, branch, taken, pushed: false, approval, .. } = &mut next else {
        return None;
    };
    if approval.is_awaited() {
        return None;
    }
    let event = JobEvent::BranchTaken { branch: branch.clone() };
    if order.spec.line.is_some() {
        // It is looked at anew: whose the branch is, where it is by now, and whether the work can be put on that.
        let mut trail = trail.clone();
        trail.preserved = Some(tip.clone());
        trail.feedback = Some(Feedback::BranchMoved);
        return Some(Step::to(JobState::Preparing { trail }).event(event).starting());
    }
    if order.spec.shared_branch() == Some(branch) {
        let detail =
            format!("{branch} was changed by somebody while the follow-up was worked on; nothing was pushed");
        return Some(Step::ending(trail.clone(), EndReason::BranchConflict, detail).event(event).starting());
    }
    *taken += 1;
    if *taken > MAX_TAKEN {
        let detail = format!("{MAX_TAKEN} branch names are taken; delete old branches named {branch}*");
        return Some(Step::ending(trail.clone(), EndReason::BranchConflict, detail).event(event).starting());
    }
    *branch = BranchName::for_task(order.key, &order.spec.title).numbered(*taken + 1);
    let reserve = EffectChange::Reserve { name: EffectName::PushBranch, detail: branch.to_string() };
    Some(Step::to(next).event(event).effect(reserve))
}

pub(super) fn branch_pushed(state: &JobState, elapsed: Duration, order: Order<'_>) -> Option<Step> {
    let JobState::Publishing { trail, tip, branch, pushed: false, approval, .. } = state else { return None };
    if approval.is_awaited() {
        return None;
    }
    let event = JobEvent::BranchPushed { branch: branch.clone(), commit: tip.clone() };
    let effect = EffectChange::Done { name: EffectName::PushBranch, result: format!("{branch} {tip}") };
    Some(match &order.spec.publication {
        Publication::LocalBranch { .. } | Publication::Document { .. } => {
            published(trail, branch, tip, None).effect(effect).event(event).after(Stage::Publish, elapsed)
        }
        Publication::PullRequest { .. } => {
            let mut next = state.clone();
            if let JobState::Publishing { pushed, .. } = &mut next {
                *pushed = true;
            }
            Step::to(next).effect(effect).event(event)
        }
    })
}

/// The pull request is there.
pub(super) struct Opened {
    pub(super) pull_request: PullRequestRef,
    pub(super) adopted: bool,
    pub(super) open: Option<TaskKey>,
}

pub(super) fn request_open(
    (trail, branch, tip): (&Trail, &BranchName, &CommitId),
    opened: Opened,
    order: Order<'_>,
) -> Step {
    let Opened { pull_request, adopted, open } = opened;
    let url = pull_request.url.clone();
    let result = |name: &EffectName| match (name, &open) {
        (EffectName::MarkReady, Some(task)) => format!("it stays a draft: {task} is open"),
        (
            EffectName::PushBranch
            | EffectName::OpenPullRequest
            | EffectName::UpdatePullRequest
            | EffectName::MarkReady
            | EffectName::Cascade(_),
            _,
        ) => url.clone(),
    };
    let event = JobEvent::PullRequestOpened { pull_request: pull_request.clone(), adopted };
    let step = published(trail, branch, tip, Some(pull_request)).event(event);
    let done = |step: Step, name| {
        let result = result(&name);
        step.effect(EffectChange::Done { name, result })
    };
    pull_request_effects(order).into_iter().fold(step, done)
}

fn published(
    trail: &Trail,
    branch: &BranchName,
    tip: &CommitId,
    pull_request: Option<PullRequestRef>,
) -> Step {
    let detail = match &pull_request {
        Some(request) => format!("pull request {} is open", request.url),
        None => format!("branch {branch} is ready"),
    };
    let work = Published { branch: branch.clone(), commit: tip.clone(), pull_request };
    let end = End { reason: EndReason::Published, detail, tip: Some(tip.clone()), published: Some(work) };
    Step::to(JobState::Cleaning { trail: trail.clone(), end })
}

/// What is on the other side already, in a job that has not ended.
pub(super) fn pushed_work(state: &JobState) -> Option<Published> {
    match state {
        JobState::Publishing { branch, tip, pushed: true, .. } => {
            Some(Published { branch: branch.clone(), commit: tip.clone(), pull_request: None })
        }
        JobState::Parked { then, .. } => pushed_work(then),
        JobState::Publishing { pushed: false, .. }
        | JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Ended { .. } => None,
    }
}
