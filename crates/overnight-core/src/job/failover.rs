//! When an agent gives up: another one takes over on its commits, or the job ends. And when its vendor does not answer: the job waits,
//! another login goes on, or, after some patience, the other agent.

use std::time::Duration;

use crate::units::Timestamp;

use super::end::{EndReason, ParkReason};
use super::event::{JobEvent, Notice};
use super::input::{Asking, Order};
use super::state::{Feedback, Ground, JobState, Trail, Who};
use super::step::Step;
use super::turns::work;

/// A vendor that says neither when nor why it does not answer is asked again after this long, where nothing else is known.
const USUAL_WAIT: Duration = Duration::from_secs(2 * 60);

/// Why an agent is not to try again.
pub(super) struct GivingUp {
    pub(super) reason: EndReason,
    pub(super) detail: String,
    /// What another agent has to know.
    pub(super) feedback: Option<Feedback>,
}

/// Hands the job over to the backup, or ends it.
pub(super) fn give_up(trail: Trail, ground: &Ground, why: GivingUp, order: Order<'_>) -> Step {
    if !has_backup(&trail, order) || !helps(why.reason) {
        return Step::ending(trail, why.reason, why.detail);
    }
    let mut trail = trail;
    trail.attempts_before = trail.attempt;
    trail.attempt = trail.attempt.saturating_add(1);
    take_over(trail, ground, why.feedback, why.detail, order)
}

fn has_backup(trail: &Trail, order: Order<'_>) -> bool {
    order.spec.choice.backup.is_some() && trail.who == Who::First
}

/// Whether another agent can do better. What was stopped for its cost, by a person, or because nothing can be known of the result
/// stays stopped.
fn helps(reason: EndReason) -> bool {
    match reason {
        EndReason::VerificationFailed
        | EndReason::AgentFailed
        | EndReason::AgentMissing
        // A vendor that refuses a setting, as a model that it does not have.
        | EndReason::ConfigInvalid
        | EndReason::AgentRefused
        | EndReason::AgentTimedOut
        | EndReason::NeedsInput
        | EndReason::GateRefused
        | EndReason::DocumentRefused
        | EndReason::NoChanges => true,
        EndReason::Published
        | EndReason::Delivered
        | EndReason::AlreadyDone
        | EndReason::Rejected
        | EndReason::Cancelled
        | EndReason::Interrupted
        | EndReason::RepositoryUnusable
        | EndReason::NoChecks
        | EndReason::ChecksCouldNotRun
        | EndReason::BudgetCost
        | EndReason::BudgetTokens
        | EndReason::BudgetTurns
        | EndReason::BudgetTime
        | EndReason::BudgetSessions
        | EndReason::BranchConflict
        | EndReason::WorkerLost
        | EndReason::DependencyFailed
        | EndReason::InternalError => false,
    }
}

/// The backup goes on in a session of its own.
fn take_over(
    mut trail: Trail,
    ground: &Ground,
    last: Option<Feedback>,
    why: String,
    order: Order<'_>,
) -> Step {
    let settings = order.spec.agent_of(Who::Backup);
    let event = JobEvent::TakenOver {
        backend: settings.backend,
        adapter: settings.adapter.as_ref().map(|adapter| adapter.name.clone()),
        model: settings.model.clone(),
        why: why.clone(),
    };
    trail.who = Who::Backup;
    trail.session = None;
    trail.account = None;
    trail.refused = None;
    trail.continued = 0;
    trail.last_class = None;
    trail.feedback = Some(Feedback::TakenOver { last: last.map(Box::new), why });
    work(trail, ground.clone(), order).before(event)
}

/// A vendor that does not answer, and what is known of when it will.
pub(super) struct Refusal {
    pub(super) reason: ParkReason,
    pub(super) detail: String,
    /// When the vendor began not to answer, as far as anybody knows.
    pub(super) since: Timestamp,
    /// As the vendor said.
    pub(super) until: Option<Timestamp>,
    pub(super) asking: Asking,
}

/// Another login, a wait, or the other agent. None of them uses up an attempt.
pub(super) fn refused(
    mut trail: Trail,
    ground: &Ground,
    refusal: Refusal,
    now: Timestamp,
    order: Order<'_>,
) -> Step {
    let Refusal { reason, detail, since, until, asking } = refusal;
    if asking == Asking::Elsewhere {
        trail.session = None;
        trail.feedback.get_or_insert(Feedback::Interrupted);
        let notice = Notice::AccountChanged(detail);
        return work(trail, ground.clone(), order).before(JobEvent::Noticed { notice });
    }
    let since = trail.refused.unwrap_or(since);
    trail.refused = Some(since);
    let until = match (asking, reason) {
        (Asking::From(until), _) => Some(until),
        // A person has to do something first.
        (Asking::AsItSaid | Asking::Elsewhere, ParkReason::AgentLogin) => until,
        (Asking::AsItSaid | Asking::Elsewhere, _) => Some(until.unwrap_or_else(|| now.plus(USUAL_WAIT))),
    };
    let patient = order
        .spec
        .choice
        .backup
        .as_ref()
        .filter(|_| trail.who == Who::First)
        .map(|backup| since.plus(backup.patience));
    let too_late = |patient: Timestamp| now >= patient || until.is_some_and(|until| until > patient);
    if patient.is_some_and(too_late) {
        let last = trail.feedback.take();
        trail.attempts_before = trail.attempt.saturating_sub(1);
        return take_over(trail, ground, last, detail, order);
    }
    trail.feedback.get_or_insert(Feedback::Interrupted);
    let then = JobState::Working { trail, ground: ground.clone(), turn: None };
    let wake = match (until, patient) {
        (Some(until), Some(patient)) => Some(until.min(patient)),
        (one, other) => one.or(other),
    };
    Step::parking(then, reason, detail, wake)
}
