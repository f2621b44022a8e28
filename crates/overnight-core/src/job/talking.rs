//! Questions and messages on a job's way: when it waits for a person, how it goes on, and what its next turn is told.
//!
//! An answer is not part of a job's state. It is a row that the next turn is told of, until a turn that was told has come to an
//! end of its own: whatever is killed in between, it is told again rather than lost.

use crate::agent::{TurnOutcome, TurnReport};
use crate::id::QuestionId;
use crate::policy::budget;
use crate::talk::{Asked, Given, OnQuestion, Talk, TalkChange};
use crate::text::one_line;
use crate::units::Timestamp;

use super::end::{EndReason, ParkReason};
use super::event::{JobEvent, Notice};
use super::failover::give_up;
use super::input::Order;
use super::state::{Feedback, Ground, JobState, Trail};
use super::step::Step;
use super::turns::{Retry, gives_up, retry};

/// Characters of a question in the detail of a job that waits for its answer.
const DETAIL_CHARS: usize = 300;

/// The agent left off with a question. By policy a person is asked, or it is as if the agent gave up: only then the backup, where there
/// is one, takes over.
pub(super) fn asked(
    trail: Trail,
    ground: &Ground,
    (question, options): (&str, &[String]),
    (talk, now): (&Talk, Timestamp),
    order: Order<'_>,
) -> Step {
    match talk.policy.on_question {
        // Asked again, it would ask again.
        OnQuestion::End => give_up(trail, ground, gives_up(EndReason::NeedsInput, question), order),
        OnQuestion::Park if talk.asked >= talk.policy.most => {
            let detail = format!("the agent asked more than {} questions", talk.policy.most);
            retry(trail, ground, Retry::new(Feedback::AskedTooOften, EndReason::NeedsInput, detail), order)
        }
        OnQuestion::Park => {
            let asked = Asked::cut(question, options);
            let expires_at = now.plus(talk.policy.expire);
            let event = JobEvent::QuestionAsked {
                id: talk.fresh.clone(),
                text: asked.text().to_owned(),
                options: asked.options().to_vec(),
                expires_at,
            };
            let (id, turn) = (talk.fresh.clone(), trail.turns);
            let until = talk.open_until.map_or(expires_at, |until| until.max(expires_at));
            let detail = format!("the agent asks: {}", one_line(asked.text(), DETAIL_CHARS));
            let change = TalkChange::Asked { id, turn, asked, expires_at };
            parked(trail, ground, detail, until).before(event).talk(change).talk(TalkChange::Awaited)
        }
    }
}

/// A turn that ended with questions open, or with answers that its agent has not seen, is not judged: whatever it came to was
/// brought home, and the agent goes on once the answers are there. `None`: there are none, or something else goes first.
pub(super) fn before_anything(
    trail: &Trail,
    ground: &Ground,
    report: &TurnReport,
    (talk, now): (&Talk, Timestamp),
    order: Order<'_>,
) -> Option<Step> {
    let mut trail = trail.clone();
    match &report.outcome {
        TurnOutcome::Completed
        | TurnOutcome::MaxTurns
        | TurnOutcome::NeedsInput { .. }
        | TurnOutcome::TimedOut { .. }
        | TurnOutcome::SessionLost
        | TurnOutcome::Stopped
        | TurnOutcome::Crashed { .. } => {}
        TurnOutcome::Looped { .. } | TurnOutcome::ContextFull { .. } => trail.session = None,
        // What the vendor, a limit or the settings say goes first; the agent's stage looks for open questions again.
        TurnOutcome::RateLimited { .. }
        | TurnOutcome::Overloaded { .. }
        | TurnOutcome::LoginExpired { .. }
        | TurnOutcome::BudgetStop { .. }
        | TurnOutcome::Refused { .. }
        | TurnOutcome::Misconfigured { .. } => return None,
    }
    if report.outcome == TurnOutcome::SessionLost {
        trail.session = None;
    }
    match talk.open_until.filter(|until| *until > now) {
        Some(until) => {
            let detail = "the agent asked something while it worked".to_owned();
            Some(parked(trail, ground, detail, until).talk(TalkChange::Awaited))
        }
        None if talk.settled && !matches!(report.outcome, TurnOutcome::NeedsInput { .. }) => {
            trail.feedback = Some(Feedback::Asked);
            Some(super::turns::work(trail, ground.clone(), order))
        }
        None => None,
    }
}

fn parked(mut trail: Trail, ground: &Ground, detail: String, until: Timestamp) -> Step {
    trail.feedback = Some(Feedback::Asked);
    let then = JobState::Working { trail, ground: ground.clone(), turn: None };
    Step::parking(then, ParkReason::Answer, detail, Some(until))
}

/// Questions were asked in a turn that never came to be judged.
pub(super) fn awaits(state: &JobState, until: Timestamp) -> Option<Step> {
    let JobState::Working { trail, ground, turn: None } = state else { return None };
    let detail = "the agent asked something while it worked".to_owned();
    let mut trail = trail.clone();
    trail.feedback.get_or_insert(Feedback::Asked);
    let then = JobState::Working { trail, ground: ground.clone(), turn: None };
    Some(Step::parking(then, ParkReason::Answer, detail, Some(until)).talk(TalkChange::Awaited))
}

/// What the next turn is told. What it was to be told before is told no second time in the record.
pub(super) fn given(
    state: &JobState,
    given: Given,
    gone_on: Vec<QuestionId>,
    expired: &[QuestionId],
) -> Option<Step> {
    let JobState::Working { trail, ground, turn: None } = state else { return None };
    let mut trail = trail.clone();
    let known = std::mem::replace(&mut trail.given, given);
    let new = gone_on.iter().filter(|id| !known.questions.contains(id)).map(|id| {
        let id = id.clone();
        if expired.contains(&id) {
            JobEvent::QuestionExpired { id }
        } else {
            JobEvent::QuestionCancelled { id }
        }
    });
    let events: Vec<JobEvent> = new.collect();
    let mut step = Step::to(JobState::Working { trail, ground: ground.clone(), turn: None });
    step.events = events;
    if !gone_on.is_empty() {
        step = step.talk(TalkChange::GoneOn { questions: gone_on });
    }
    Some(step)
}

/// Nobody answered, and the job is not to go on without: it is as if the agent gave up.
pub(super) fn unanswered(state: &JobState, question: &str, order: Order<'_>) -> Option<Step> {
    let JobState::Working { trail, ground, turn: None } = state else { return None };
    let detail = format!("nobody answered in time: {}", one_line(question, DETAIL_CHARS));
    Some(give_up(trail.clone(), ground, gives_up(EndReason::NeedsInput, &detail), order))
}

/// What a turn was told of has arrived when the turn came to an end of its own. Otherwise the next one is told again.
pub(super) fn told(trail: &mut Trail, outcome: &TurnOutcome) -> (Vec<JobEvent>, Option<TalkChange>) {
    let arrived = match outcome {
        TurnOutcome::Completed
        | TurnOutcome::MaxTurns
        | TurnOutcome::NeedsInput { .. }
        | TurnOutcome::BudgetStop { .. }
        | TurnOutcome::Refused { .. } => true,
        TurnOutcome::RateLimited { .. }
        | TurnOutcome::Overloaded { .. }
        | TurnOutcome::LoginExpired { .. }
        | TurnOutcome::TimedOut { .. }
        | TurnOutcome::Misconfigured { .. }
        | TurnOutcome::Looped { .. }
        | TurnOutcome::ContextFull { .. }
        | TurnOutcome::SessionLost
        | TurnOutcome::Crashed { .. }
        | TurnOutcome::Stopped => false,
    };
    if !arrived {
        return (Vec::new(), None);
    }
    if matches!(trail.feedback, Some(Feedback::Asked | Feedback::AskedTooOften | Feedback::Messages)) {
        trail.feedback = None;
    }
    if trail.given.is_empty() {
        return (Vec::new(), None);
    }
    let (given, turn) = (std::mem::take(&mut trail.given), trail.turns);
    let events =
        given.messages.iter().map(|id| JobEvent::MessageDelivered { id: id.clone(), turn }).collect();
    (events, Some(TalkChange::Told { turn, given }))
}

/// The work is good, and nothing of it is outside yet: one more turn for messages that came too late for the last one. It uses up no
/// attempt. Where a limit is used up, what was verified is published all the same.
pub(super) fn messages_left(state: &JobState, count: u32, order: Order<'_>) -> Option<Step> {
    let JobState::Publishing { trail, ground, pushed: false, .. } = state else { return None };
    let mut trail = trail.clone();
    if budget::used_up(&order.spec.limits, &trail).is_some() {
        let notice = Notice::MessagesNotDelivered(count);
        return Some(Step::still(state).event(JobEvent::Noticed { notice }));
    }
    trail.feedback = Some(Feedback::Messages);
    Some(Step::to(JobState::Working { trail, ground: ground.clone(), turn: None }).starting())
}

/// Why a message does not reach a job's agent any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTold {
    Ended,
    Publishing,
}

/// Whether a turn can still come for a message. From the moment on that work is about to go out, none does: it may be half out already.
///
/// # Errors
/// [`NotTold`].
pub fn can_be_told(state: &JobState) -> Result<(), NotTold> {
    match state {
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. } => Ok(()),
        // Nothing of it is tried before a person has agreed.
        JobState::Parked { reason: ParkReason::Approval, then, .. }
            if matches!(**then, JobState::Publishing { pushed: false, .. }) =>
        {
            Ok(())
        }
        JobState::Parked { then, .. } => can_be_told(then),
        JobState::Publishing { .. } => Err(NotTold::Publishing),
        JobState::Cleaning { .. } | JobState::Cascading { .. } | JobState::Ended { .. } => {
            Err(NotTold::Ended)
        }
    }
}
