//! The agent's part of the way: from a prepared workspace over its turns to a commit that can be verified.

use std::time::Duration;

use crate::agent::{SessionStart, TurnOutcome, TurnReport, Usage};
use crate::command::ProcessIdentity;
use crate::git::CommitId;
use crate::id::SessionId;
use crate::policy::budget;
use crate::units::Timestamp;
use crate::verdict::DiffStat;

use super::end::{EndReason, ParkReason};
use super::event::{JobEvent, Notice};
use super::input::Order;
use super::state::{Feedback, Ground, JobState, Trail, Turn};
use super::step::Step;

/// A vendor that says "overloaded" without saying until when is asked again after this long.
const OVERLOAD_WAIT: Duration = Duration::from_secs(60);
/// A quota without a reset time is asked again after this long.
const QUOTA_WAIT: Duration = Duration::from_secs(15 * 60);

pub(super) fn announced(state: &JobState, session: SessionStart, order: Order<'_>) -> Option<Step> {
    let JobState::Working { trail, ground, turn: None } = state else { return None };
    let mut trail = trail.clone();
    trail.turns = trail.turns.saturating_add(1);
    trail.session = Some(session.id().clone());
    let event = JobEvent::TurnAnnounced {
        attempt: trail.attempt,
        turn: trail.turns,
        backend: order.spec.agent.backend,
        session: session.clone(),
    };
    let turn = Some(Turn { session, process: None });
    Some(Step::to(JobState::Working { trail, ground: ground.clone(), turn }).event(event))
}

pub(super) fn started(state: &JobState, process: ProcessIdentity) -> Option<Step> {
    let JobState::Working { trail, ground, turn: Some(turn) } = state else { return None };
    let event = JobEvent::TurnStarted { turn: trail.turns, process: process.clone() };
    let turn = Some(Turn { session: turn.session.clone(), process: Some(process) });
    Some(Step::to(JobState::Working { trail: trail.clone(), ground: ground.clone(), turn }).event(event))
}

pub(super) fn interrupted(state: &JobState, session: Option<SessionId>, used: &Usage) -> Option<Step> {
    let JobState::Working { trail, ground, turn: Some(turn) } = state else { return None };
    let mut trail = trail.clone();
    let event = JobEvent::TurnInterrupted { turn: trail.turns, usage: *used };
    trail.session = session.or_else(|| match &turn.session {
        SessionStart::Resume(id) => Some(id.clone()),
        // It may never have come to exist.
        SessionStart::Fresh(_) => None,
    });
    trail.used = trail.used.plus(used);
    if turn.process.is_some() {
        trail.feedback.get_or_insert(Feedback::Interrupted);
    }
    Some(Step::to(JobState::Working { trail, ground: ground.clone(), turn: None }).event(event))
}

pub(super) fn prepared(trail: &Trail, ground: Ground, order: Order<'_>) -> Step {
    let event = JobEvent::Grounded {
        base: ground.base.clone(),
        base_branch: ground.base_branch.clone(),
        check_source: ground.check_source,
        checks: ground.checks.iter().map(|check| check.command.clone()).collect(),
    };
    let mut trail = trail.clone();
    trail.attempt = trail.attempt.max(1);
    work(trail, ground, order).event(event)
}

/// Enters the agent stage, unless a limit of the job is already used up.
pub(super) fn work(trail: Trail, ground: Ground, order: Order<'_>) -> Step {
    match budget::used_up(&order.spec.limits, &trail) {
        Some(limit) => {
            let detail = budget::explain(limit, &order.spec.limits);
            Step::ending(trail, limit.into(), detail)
        }
        None => Step::to(JobState::Working { trail, ground, turn: None }),
    }
}

pub(super) fn turn_ended(trail: &Trail, ground: &Ground, report: TurnReport, elapsed: Duration) -> Step {
    let mut trail = trail.clone();
    let event =
        JobEvent::TurnEnded { turn: trail.turns, result: report.outcome.clone(), usage: report.usage };
    trail.cost_unknown |= report.usage.cost.is_none();
    trail.used = trail.used.plus(&report.usage);
    trail.active = trail.active.saturating_add(elapsed);
    trail.session.clone_from(&report.session);
    if report.final_text.is_some() {
        trail.final_text.clone_from(&report.final_text);
    }
    Step::to(JobState::Collecting { trail, ground: ground.clone(), report }).event(event)
}

/// What a turn left, and when it was brought home.
pub(super) struct Harvest {
    pub(super) tip: Option<CommitId>,
    pub(super) diff: DiffStat,
    pub(super) now: Timestamp,
}

pub(super) fn collected(
    trail: &Trail,
    ground: &Ground,
    report: &TurnReport,
    harvest: Harvest,
    order: Order<'_>,
) -> Step {
    let Harvest { tip, diff, now } = harvest;
    let mut trail = trail.clone();
    if tip.is_some() {
        trail.preserved.clone_from(&tip);
    }
    let event = JobEvent::Collected { tip: tip.clone(), diff };
    let tip = tip.filter(|_| diff.files > 0);
    let mut step = match (&report.outcome, tip) {
        (TurnOutcome::Completed, Some(tip)) => {
            Step::to(JobState::Verifying { trail, ground: ground.clone(), tip, diff })
        }
        (TurnOutcome::Completed, None) => match &report.asked {
            // Asked again, it would ask again.
            Some(question) => Step::ending(trail, EndReason::NeedsInput, question.clone()),
            None => {
                let detail = "the agent ended without changing anything";
                retry(trail, ground, Retry::new(Feedback::NoChanges, EndReason::NoChanges, detail), order)
            }
        },
        (TurnOutcome::RateLimited { reset, detail }, _) => {
            let wake = reset.unwrap_or_else(|| now.plus(QUOTA_WAIT));
            park(trail, ground, ParkReason::RateLimited, detail, Some(wake))
        }
        (TurnOutcome::Overloaded { detail }, _) => {
            park(trail, ground, ParkReason::Overloaded, detail, Some(now.plus(OVERLOAD_WAIT)))
        }
        (TurnOutcome::LoginExpired { detail }, _) => {
            park(trail, ground, ParkReason::AgentLogin, detail, None)
        }
        (TurnOutcome::NeedsInput { detail }, _) => Step::ending(trail, EndReason::NeedsInput, detail.clone()),
        (TurnOutcome::Refused { detail }, _) => Step::ending(trail, EndReason::AgentRefused, detail.clone()),
        (TurnOutcome::BudgetStop { limit }, _) => {
            let detail = budget::explain(*limit, &order.spec.limits);
            Step::ending(trail, (*limit).into(), detail)
        }
        (TurnOutcome::SessionLost, _) => {
            trail.session = None;
            work(trail, ground.clone(), order).event(JobEvent::Noticed { notice: Notice::SessionLost })
        }
        (TurnOutcome::Stopped, _) => {
            trail.feedback.get_or_insert(Feedback::Interrupted);
            work(trail, ground.clone(), order)
        }
        (TurnOutcome::MaxTurns, _) => {
            let detail = "the agent used up its own turn limit";
            retry(trail, ground, Retry::new(Feedback::Interrupted, EndReason::BudgetTurns, detail), order)
        }
        (TurnOutcome::TimedOut { .. }, _) => {
            let detail = "the agent gave no sign of life for too long and was stopped";
            retry(trail, ground, Retry::new(Feedback::TimedOut, EndReason::AgentTimedOut, detail), order)
        }
        (TurnOutcome::Misconfigured { detail }, _) => {
            Step::ending(trail, EndReason::ConfigInvalid, detail.clone())
        }
        (TurnOutcome::Looped { detail } | TurnOutcome::ContextFull { detail }, _) => {
            // The same conversation would come to the same end.
            trail.session = None;
            let feedback = Feedback::Crashed { detail: detail.clone() };
            retry(trail, ground, Retry::new(feedback, EndReason::AgentFailed, detail.clone()), order)
        }
        (TurnOutcome::Crashed { detail }, _) => {
            let feedback = Feedback::Crashed { detail: detail.clone() };
            retry(trail, ground, Retry::new(feedback, EndReason::AgentFailed, detail.clone()), order)
        }
    };
    step.events.insert(0, event);
    step
}

fn park(
    mut trail: Trail,
    ground: &Ground,
    reason: ParkReason,
    detail: &str,
    wake: Option<Timestamp>,
) -> Step {
    trail.feedback.get_or_insert(Feedback::Interrupted);
    let then = JobState::Working { trail, ground: ground.clone(), turn: None };
    Step::parking(then, reason, detail.to_owned(), wake)
}

/// A failed attempt: what the agent is told next, or how the job ends when no attempt is left.
pub(super) struct Retry {
    pub(super) feedback: Feedback,
    pub(super) last: EndReason,
    pub(super) detail: String,
    pub(super) class: Option<String>,
}

impl Retry {
    fn new(feedback: Feedback, last: EndReason, detail: impl Into<String>) -> Self {
        Self { feedback, last, detail: detail.into(), class: None }
    }
}

pub(super) fn retry(mut trail: Trail, ground: &Ground, retry: Retry, order: Order<'_>) -> Step {
    let event = JobEvent::AttemptFailed {
        attempt: trail.attempt,
        class: retry.class.clone(),
        reason: retry.detail.clone(),
    };
    if trail.attempt >= order.spec.limits.attempts {
        let detail =
            format!("{} (attempt {} of {})", retry.detail, trail.attempt, order.spec.limits.attempts);
        return Step::ending(trail, retry.last, detail).event(event);
    }
    trail.attempt += 1;
    trail.feedback = Some(retry.feedback);
    trail.last_class = retry.class;
    work(trail, ground.clone(), order).event(event)
}
