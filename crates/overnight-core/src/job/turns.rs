//! The agent's part of the way: from a prepared workspace over its turns to a commit that can be verified.

use std::time::Duration;

use crate::agent::{LimitKind, SessionStart, TurnOutcome, TurnReport, Usage};
use crate::backlog::idea::{self, Judgement, Submission};
use crate::command::ProcessIdentity;
use crate::git::CommitId;
use crate::id::SessionId;
use crate::policy::budget::{self, Breach};
use crate::talk::Talk;
use crate::text::one_line;
use crate::units::Timestamp;
use crate::verdict::DiffStat;

use super::approval::nothing_to_do;
use super::end::{EndReason, ParkReason};
use super::event::{JobEvent, Notice};
use super::failover::{GivingUp, Refusal, give_up, refused};
use super::input::{Asking, Order, Trouble};
use super::line::Before;
use super::queueing::Label;
use super::spec::Follows;
use super::state::{Feedback, Ground, JobState, Trail, Turn};
use super::step::Step;
use super::talking;

/// Turns that may follow each other because the CLI's own number of answers is used up, before that counts as a failed attempt:
/// far more than any task was seen to need, and an end for an agent that never comes to one.
const MAX_CONTINUED: u32 = 20;
/// Characters of what is said of a document that cannot be used, for people.
const DETAIL_CHARS: usize = 600;

pub(super) fn announced(
    state: &JobState,
    session: SessionStart,
    account: Option<Label>,
    order: Order<'_>,
) -> Option<Step> {
    let JobState::Working { trail, ground, turn: None } = state else { return None };
    let mut trail = trail.clone();
    trail.turns = trail.turns.saturating_add(1);
    trail.session = Some(session.id().clone());
    trail.account.clone_from(&account);
    trail.report = None;
    if session.is_fresh() {
        trail.session_attempt = trail.attempt;
    }
    let event = JobEvent::TurnAnnounced {
        attempt: trail.attempt,
        turn: trail.turns,
        backend: order.spec.agent_of(trail.who).backend,
        session: session.clone(),
        account,
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
    let event = grounded(&ground);
    let mut trail = trail.clone();
    trail.attempt = trail.attempt.max(1);
    if trail.turns == 0 {
        if let Some(before) = ground.line.as_ref().and_then(|line| line.before.as_ref()) {
            next_task(&mut trail, before);
        }
        if let Some(follows) = order.spec.follows.as_ref() {
            taken_up(&mut trail, follows);
        }
    }
    if let (Some(_), Some(line)) = (&order.spec.line, &ground.line) {
        trail.preserved.clone_from(&line.own);
    }
    if trail.feedback == Some(Feedback::BranchMoved) {
        let detail = match order.spec.shared_branch() {
            Some(branch) => {
                format!("{branch} was moved while it was worked on, and git cannot merge the two")
            }
            None => "its branch was moved while it was worked on".to_owned(),
        };
        let moved = Retry::new(Feedback::BranchMoved, EndReason::BranchConflict, detail);
        return retry(trail, &ground, moved, order).before(event);
    }
    work(trail, ground, order).event(event)
}

/// The work is on the branch as it is by now, and has to be verified there: nobody has to be asked for anything.
pub(super) fn rejoined(trail: &Trail, ground: Ground, tip: CommitId, diff: DiffStat) -> Step {
    let event = grounded(&ground);
    let trail = Trail { preserved: Some(tip.clone()), feedback: None, ..trail.clone() };
    Step::to(JobState::Verifying { trail, ground, tip, diff, inspected: None }).event(event)
}

fn grounded(ground: &Ground) -> JobEvent {
    JobEvent::Grounded {
        base: ground.base.clone(),
        base_branch: ground.base_branch.clone(),
        check_source: ground.check_source,
        checks: ground.checks.iter().map(|check| check.command.clone()).collect(),
    }
}

/// The next task of a line that is one conversation.
fn next_task(trail: &mut Trail, before: &Before) {
    trail.session.clone_from(&before.session);
    trail.session_attempt = trail.attempt;
    trail.account.clone_from(&before.account);
    trail.feedback = Some(Feedback::NextTask);
}

/// A follow-up begins where the job before it ended.
fn taken_up(trail: &mut Trail, follows: &Follows) {
    trail.session.clone_from(&follows.session);
    trail.session_attempt = trail.attempt;
    trail.who = follows.who;
    trail.account.clone_from(&follows.account);
    trail.preserved.clone_from(&follows.preserved);
    trail.feedback = Some(Feedback::FollowUp { message: follows.message.clone() });
}

/// The next turn begins with a fresh session, from what earlier ones came to.
pub(super) fn compacted(state: &JobState) -> Option<Step> {
    let mut next = state.clone();
    let inner = match &mut next {
        JobState::Parked { then, .. } => then.as_mut(),
        other => other,
    };
    match inner {
        JobState::Working { trail, turn: None, .. } | JobState::Preparing { trail } => trail.session = None,
        JobState::Queued
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Parked { .. }
        | JobState::Ended { .. } => return None,
    }
    Some(Step::to(next).event(JobEvent::Noticed { notice: Notice::Compacted }))
}

/// Enters the agent stage, unless a limit of the job is already used up.
pub(super) fn work(trail: Trail, ground: Ground, order: Order<'_>) -> Step {
    match budget::used_up(&order.spec.limits, &trail) {
        Some(breach) => Step::ending(trail, breach.kind.into(), budget::explain(&breach)),
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
    let (told, given) = talking::told(&mut trail, &report.outcome);
    let mut step = Step::to(JobState::Collecting { trail, ground: ground.clone(), report }).event(event);
    step.events.extend(told);
    step.talk.extend(given);
    step
}

/// What a turn left, and when it was brought home.
pub(super) struct Harvest {
    pub(super) tip: Option<CommitId>,
    pub(super) diff: DiffStat,
    pub(super) document: Option<Submission>,
    pub(super) asking: Asking,
    pub(super) talk: Talk,
    pub(super) now: Timestamp,
}

pub(super) fn collected(
    trail: &Trail,
    ground: &Ground,
    report: &TurnReport,
    harvest: Harvest,
    order: Order<'_>,
) -> Step {
    let Harvest { tip, diff, document, asking, talk, now } = harvest;
    let mut trail = trail.clone();
    if tip.is_some() {
        trail.preserved.clone_from(&tip);
    }
    if !refuses(&report.outcome) {
        trail.refused = None;
    }
    if report.outcome != TurnOutcome::MaxTurns {
        trail.continued = 0;
    }
    // Of a document's job no code is brought home.
    let event = document.is_none().then(|| JobEvent::Collected { tip: tip.clone(), diff });
    let tip = tip.filter(|_| diff.files > 0);
    if let Some(mut step) = talking::before_anything(&trail, ground, report, (&talk, now), order) {
        step.events.splice(0..0, event);
        return step;
    }
    let mut step = match (&report.outcome, tip) {
        (TurnOutcome::Completed, _) if let Some(wanted) = order.spec.document() => {
            let submission = document.unwrap_or(Submission::Missing);
            match (&submission, &report.asked) {
                (Submission::Missing, Some(question)) => {
                    talking::asked(trail, ground, (question, &report.options), (&talk, now), order)
                }
                (Submission::Missing | Submission::Unusable(_) | Submission::Text(_), _) => {
                    written(trail, ground, idea::judge(wanted, &submission), order)
                }
            }
        }
        (TurnOutcome::Completed, Some(tip)) => {
            Step::to(JobState::Verifying { trail, ground: ground.clone(), tip, diff, inspected: None })
        }
        (TurnOutcome::Completed, None) if nothing_to_do(&trail, order).is_some() => {
            let detail = nothing_to_do(&trail, order).unwrap_or_default();
            Step::ending(trail, EndReason::AlreadyDone, detail)
        }
        (TurnOutcome::Completed, None) => match &report.asked {
            Some(question) => talking::asked(trail, ground, (question, &report.options), (&talk, now), order),
            None => {
                let detail = "the agent ended without changing anything";
                retry(trail, ground, Retry::new(Feedback::NoChanges, EndReason::NoChanges, detail), order)
            }
        },
        (TurnOutcome::RateLimited { reset, detail }, _) => {
            no_answer(trail, ground, (ParkReason::RateLimited, detail, *reset), (asking, now), order)
        }
        (TurnOutcome::Overloaded { detail }, _) => {
            no_answer(trail, ground, (ParkReason::Overloaded, detail, None), (asking, now), order)
        }
        (TurnOutcome::LoginExpired { detail }, _) => {
            no_answer(trail, ground, (ParkReason::AgentLogin, detail, None), (asking, now), order)
        }
        (TurnOutcome::NeedsInput { detail }, _) => {
            talking::asked(trail, ground, (detail, &report.options), (&talk, now), order)
        }
        (TurnOutcome::Refused { detail }, _) => {
            give_up(trail, ground, gives_up(EndReason::AgentRefused, detail), order)
        }
        (TurnOutcome::BudgetStop { limit, breach }, _) => {
            budget_stop(trail, ground, *limit, breach.as_ref(), now, order)
        }
        (TurnOutcome::SessionLost, _) => {
            trail.session = None;
            work(trail, ground.clone(), order).event(JobEvent::Noticed { notice: Notice::SessionLost })
        }
        (TurnOutcome::Stopped, _) => {
            trail.feedback.get_or_insert(Feedback::Interrupted);
            work(trail, ground.clone(), order)
        }
        (TurnOutcome::MaxTurns, _) if trail.continued < MAX_CONTINUED => {
            trail.continued += 1;
            trail.feedback = Some(Feedback::OutOfTurns);
            work(trail, ground.clone(), order)
        }
        (TurnOutcome::MaxTurns, _) => {
            let detail = format!(
                "the agent used up its own number of answers {MAX_CONTINUED} times without coming to an end"
            );
            retry(trail, ground, Retry::new(Feedback::OutOfTurns, EndReason::BudgetTurns, detail), order)
        }
        (TurnOutcome::TimedOut { .. }, _) => {
            let detail = "the agent gave no sign of life for too long and was stopped";
            retry(trail, ground, Retry::new(Feedback::TimedOut, EndReason::AgentTimedOut, detail), order)
        }
        (TurnOutcome::Misconfigured { detail }, _) => {
            give_up(trail, ground, gives_up(EndReason::ConfigInvalid, detail), order)
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
    step.events.splice(0..0, event);
    step
}

/// The agent says that its document is there. Nothing else goes out, so the job is over where it is taken.
fn written(trail: Trail, ground: &Ground, judgement: Judgement, order: Order<'_>) -> Step {
    match judgement {
        Judgement::Taken(documents) => {
            let events = documents.iter().map(|new| JobEvent::DocumentTaken { document: new.facts });
            let events: Vec<JobEvent> = events.collect();
            let what = order.spec.document().map_or("document", |wanted| wanted.part.as_str());
            let mut step = Step::ending(trail, EndReason::Delivered, format!("the {what} is there"));
            step.events.extend(events);
            Step { documents, ..step }
        }
        Judgement::Refused(problems) => {
            let detail = format!("what the agent wrote cannot be used: {}", problems.join("; "));
            let detail = one_line(&detail, DETAIL_CHARS);
            let feedback = Feedback::DocumentRefused { problems };
            retry(trail, ground, Retry::new(feedback, EndReason::DocumentRefused, detail), order)
        }
    }
}

/// Whether the vendor did not do what it was asked for.
fn refuses(outcome: &TurnOutcome) -> bool {
    matches!(
        outcome,
        TurnOutcome::RateLimited { .. } | TurnOutcome::Overloaded { .. } | TurnOutcome::LoginExpired { .. }
    )
}

fn budget_stop(
    mut trail: Trail,
    ground: &Ground,
    limit: LimitKind,
    breach: Option<&Breach>,
    now: Timestamp,
    order: Order<'_>,
) -> Step {
    let Some(breach) = breach else {
        return Step::ending(trail, limit.into(), budget::of_vendor(limit));
    };
    let detail = budget::explain(breach);
    match budget::consequence(breach, now, order.key) {
        Trouble::End(reason) => Step::ending(trail, reason, detail),
        Trouble::Wait { reason, wake } => {
            trail.feedback.get_or_insert(Feedback::Interrupted);
            let then = JobState::Working { trail, ground: ground.clone(), turn: None };
            Step::parking(then, reason, detail, wake)
        }
    }
}

fn no_answer(
    trail: Trail,
    ground: &Ground,
    (reason, detail, until): (ParkReason, &str, Option<Timestamp>),
    (asking, now): (Asking, Timestamp),
    order: Order<'_>,
) -> Step {
    let refusal = Refusal { reason, detail: detail.to_owned(), since: now, until, asking };
    refused(trail, ground, refusal, now, order)
}

pub(super) fn gives_up(reason: EndReason, detail: &str) -> GivingUp {
    GivingUp { reason, detail: detail.to_owned(), feedback: None }
}

/// The vendor is not asked: others have been told that it does not answer.
pub(super) fn not_asked(
    state: &JobState,
    (reason, detail): (ParkReason, String),
    (since, until): (Timestamp, Option<Timestamp>),
    now: Timestamp,
    order: Order<'_>,
) -> Option<Step> {
    let JobState::Working { trail, ground, turn: None } = state else { return None };
    let refusal = Refusal { reason, detail, since, until, asking: Asking::AsItSaid };
    Some(refused(trail.clone(), ground, refusal, now, order))
}

/// A failed attempt: what the agent is told next, or how the job ends when no attempt is left.
pub(super) struct Retry {
    pub(super) feedback: Feedback,
    pub(super) last: EndReason,
    pub(super) detail: String,
    pub(super) class: Option<String>,
}

impl Retry {
    pub(super) fn new(feedback: Feedback, last: EndReason, detail: impl Into<String>) -> Self {
        Self { feedback, last, detail: detail.into(), class: None }
    }
}

pub(super) fn retry(mut trail: Trail, ground: &Ground, retry: Retry, order: Order<'_>) -> Step {
    let event = JobEvent::AttemptFailed {
        attempt: trail.attempt,
        class: retry.class.clone(),
        reason: retry.detail.clone(),
    };
    let (most, tried) = (order.spec.limits.attempts, trail.attempt.saturating_sub(trail.attempts_before));
    if tried >= most {
        let detail = format!("{} (attempt {tried} of {most})", retry.detail);
        let why = GivingUp { reason: retry.last, detail, feedback: Some(retry.feedback) };
        return give_up(trail, ground, why, order).before(event);
    }
    trail.attempt += 1;
    trail.feedback = Some(retry.feedback);
    trail.last_class = retry.class;
    let compact = order.spec.agent_of(trail.who).compact_after.filter(|most| *most > 0);
    let long = compact.is_some_and(|most| trail.attempt.saturating_sub(trail.session_attempt) >= most);
    let had_one = long && trail.session.take().is_some();
    let step = work(trail, ground.clone(), order).event(event);
    if had_one { step.event(JobEvent::Noticed { notice: Notice::Compacted }) } else { step }
}
