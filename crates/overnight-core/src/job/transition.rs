//! The one place that decides how a job moves. Total, synchronous, without a clock: the same arguments always give the
//! same step, so a step can be tested in a table and repeated after a crash.
//!
//! Here: which input belongs to which state, and what can happen anywhere (claim, cancel, failure). What the agent's turns
//! lead to is in `turns`, the way out in `publishing`.

use std::time::Duration;

use crate::desk::Word;
use crate::units::Timestamp;
use crate::verdict::DiffStat;

use super::CancelledBy;
use super::approval::{Rejection, StatusReport, approved, inspected, rejected};
use super::cascading;
use super::event::JobEvent;
use super::input::{Input, Order, StageOutput, Trouble};
use super::publishing::{Opened, branch_pushed, branch_taken, pushed_work, request_open, verified};
use super::queued::{claimed, dependency_failed, ends_at_once, woken, worker_lost};
use super::spend::{self, Told};
use super::state::{JobState, Turn};
use super::step::Step;
use super::talking;
use super::turns::{
    Harvest, announced, collected, compacted, interrupted, not_asked, prepared, rejoined, started, turn_ended,
};

/// An input that cannot happen in this state. Always a bug of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {state} cannot take the input {input}")]
pub struct IllegalTransition {
    state: &'static str,
    input: &'static str,
}

/// Decides what follows from `input`.
///
/// # Errors
/// [`IllegalTransition`] when the input does not belong to the state.
pub fn transition(
    state: &JobState,
    input: Input,
    now: Timestamp,
    order: Order<'_>,
) -> Result<Step, IllegalTransition> {
    let told = Told::by(&input);
    let mut step = decided(state, input, now, order)?;
    step.spend = spend::changes(state, &step.next, told, order);
    Ok(step)
}

fn decided(
    state: &JobState,
    input: Input,
    now: Timestamp,
    order: Order<'_>,
) -> Result<Step, IllegalTransition> {
    let illegal = IllegalTransition { state: state.name(), input: input.name() };
    if state.is_ended() {
        return match input {
            Input::LeaseLost => Ok(Step::still(state)),
            Input::Claimed { .. }
            | Input::Woken
            | Input::DependencyFailed { .. }
            | Input::WorkerLost { .. }
            | Input::TurnAnnounced { .. }
            | Input::NotAsked { .. }
            | Input::Given { .. }
            | Input::Awaits { .. }
            | Input::Unanswered { .. }
            | Input::MessagesLeft { .. }
            | Input::Compact
            | Input::TurnStarted { .. }
            | Input::TurnInterrupted { .. }
            | Input::Done { .. }
            | Input::Failed { .. }
            | Input::Inspected { .. }
            | Input::Approved { .. }
            | Input::Rejected { .. }
            | Input::BranchTaken
            | Input::BranchPushed { .. }
            | Input::Noticed { .. }
            | Input::Told { .. }
            | Input::CascadeBegan { .. }
            | Input::CascadeAnnounced { .. }
            | Input::CascadeStepped { .. }
            | Input::Cancel { .. } => Err(illegal),
        };
    }
    match input {
        Input::Claimed { worker, fence, resumed, moved } => Ok(claimed(state, worker, fence, resumed, moved)),
        Input::Woken => woken(state).ok_or(illegal),
        Input::DependencyFailed { key, reason } => dependency_failed(state, &key, reason).ok_or(illegal),
        Input::WorkerLost { worker, times, last } => Ok(worker_lost(state, worker, times, last, order)),
        Input::LeaseLost => Ok(Step::still(state)),
        Input::Noticed { notice } => Ok(Step::still(state).event(JobEvent::Noticed { notice })),
        Input::Told { word } => told(state, word).ok_or(illegal),
        Input::Cancel { by } => Ok(cancelled(state, by)),
        Input::CascadeBegan { scope, jobs } => cascading::began(state, scope, jobs).ok_or(illegal),
        Input::CascadeAnnounced { step } => cascading::announced(state, step).ok_or(illegal),
        Input::CascadeStepped { step, result } => cascading::stepped(state, step, result).ok_or(illegal),
        Input::Failed { trouble, detail, elapsed } => {
            failed(state, trouble, detail, elapsed, now).ok_or(illegal)
        }
        Input::TurnAnnounced { session, account } => announced(state, session, account, order).ok_or(illegal),
        Input::NotAsked { reason, detail, since, until } => {
            not_asked(state, (reason, detail), (since, until), now, order).map(Step::starting).ok_or(illegal)
        }
        Input::Given { given, gone_on, expired } => {
            talking::given(state, given, gone_on, &expired).ok_or(illegal)
        }
        Input::Awaits { until } => talking::awaits(state, until).ok_or(illegal),
        Input::Unanswered { question } => {
            talking::unanswered(state, &question, order).map(Step::starting).ok_or(illegal)
        }
        Input::MessagesLeft { count } => talking::messages_left(state, count, order).ok_or(illegal),
        Input::Compact => compacted(state).ok_or(illegal),
        Input::TurnStarted { process } => started(state, process).ok_or(illegal),
        Input::TurnInterrupted { session, used } => interrupted(state, session, &used).ok_or(illegal),
        Input::Inspected { inspection, elapsed } => {
            inspected(state, inspection, elapsed, order).ok_or(illegal)
        }
        Input::Approved { by, commit, message } => {
            approved(state, &by, &commit, message, order).ok_or(illegal)
        }
        Input::Rejected { by, commit, message, end } => {
            rejected(state, Rejection { by, commit, message, end }, order).ok_or(illegal)
        }
        Input::BranchTaken => branch_taken(state, order).ok_or(illegal),
        Input::BranchPushed { elapsed } => branch_pushed(state, elapsed, order).ok_or(illegal),
        Input::Done { output, elapsed } => done(state, output, elapsed, now, order).ok_or(illegal),
    }
}

/// Recorded: an agent's word moves no job. Its report is kept until its next turn, for the gate.
fn told(state: &JobState, word: Word) -> Option<Step> {
    let mut next = state.clone();
    let JobState::Working { trail, turn: Some(Turn { process: Some(_), .. }), .. } = &mut next else {
        return None;
    };
    let turn = trail.turns;
    let event = match word {
        Word::Report { status, summary } => {
            trail.report = Some(StatusReport { status, summary: summary.clone() });
            JobEvent::AgentReported { turn, status, summary }
        }
        Word::Note { text } => JobEvent::AgentNoted { turn, text },
    };
    Some(Step::to(next).event(event))
}

fn cancelled(state: &JobState, by: CancelledBy) -> Step {
    let asked = JobEvent::CancelAsked { by: by.clone() };
    if let JobState::Cleaning { .. } = state {
        return Step::still(state).event(asked);
    }
    if let Some(stopped) = cascading::stopped(state, &stopped_by(&by)) {
        return stopped.before(asked);
    }
    let because = because_of(&by);
    if state.is_untouched() {
        let detail = format!("cancelled before it was started{because}");
        return ends_at_once(state, by.into(), &detail).before(asked);
    }
    let trail = state.trail().cloned().unwrap_or_default();
    let published = pushed_work(state);
    let detail = match &published {
        Some(work) => format!("cancelled after the branch {} had been pushed{because}", work.branch),
        None => format!("cancelled; nothing was published{because}"),
    };
    let mut step = Step::ending(trail, by.into(), detail);
    if let JobState::Cleaning { end, .. } = &mut step.next {
        end.published = published;
    }
    step.event(asked).starting()
}

/// What stands behind "cancelled" for those who did not do it themselves.
fn because_of(by: &CancelledBy) -> String {
    match by {
        CancelledBy::Command | CancelledBy::Interrupt => String::new(),
        CancelledBy::Cascade { failed } => {
            format!("; {failed}, which belongs to the same epic, failed and took it with it")
        }
    }
}

fn stopped_by(by: &CancelledBy) -> String {
    match by {
        CancelledBy::Command | CancelledBy::Interrupt => "somebody stopped the cascade".to_owned(),
        CancelledBy::Cascade { failed } => format!("the cascade of {failed} is about the same epic"),
    }
}

fn failed(
    state: &JobState,
    trouble: Trouble,
    detail: String,
    elapsed: Duration,
    now: Timestamp,
) -> Option<Step> {
    if let JobState::Parked { .. } | JobState::Queued = state {
        return None;
    }
    let mut state = state.clone();
    if let JobState::Working { trail, .. } | JobState::Verifying { trail, .. } = &mut state {
        trail.active = trail.active.saturating_add(elapsed);
    }
    if let JobState::Working { trail, turn, .. } = &mut state {
        let never_begun = turn.take().is_some_and(|turn| turn.process.is_none() && turn.session.is_fresh());
        if never_begun {
            trail.session = None;
        }
    }
    let published = pushed_work(&state);
    Some(match trouble {
        Trouble::Wait { reason, wake } => {
            let again = reason.tried_again_after().map(|span| now.plus(span));
            Step::parking(state, reason, detail, wake.or(again))
        }
        Trouble::End(_) if state.cascade().is_some() => cascading::stopped(&state, &detail)?,
        Trouble::End(reason) => {
            let trail = state.trail().cloned().unwrap_or_default();
            let mut step = Step::ending(trail, reason, detail);
            if let JobState::Cleaning { end, .. } = &mut step.next {
                end.published = published;
            }
            step.starting()
        }
    })
}

fn done(
    state: &JobState,
    output: StageOutput,
    elapsed: Duration,
    now: Timestamp,
    order: Order<'_>,
) -> Option<Step> {
    let stage = state.stage()?;
    let step = match (state, output) {
        (JobState::Preparing { trail }, StageOutput::Prepared { ground }) => prepared(trail, ground, order),
        (JobState::Preparing { trail }, StageOutput::Rejoined { ground, tip, diff }) => {
            rejoined(trail, ground, tip, diff)
        }
        (JobState::Working { trail, ground, turn: Some(_) }, StageOutput::Turn { report }) => {
            turn_ended(trail, ground, report, elapsed)
        }
        (
            JobState::Collecting { trail, ground, report },
            StageOutput::Collected { tip, diff, asking, talk },
        ) => {
            let harvest = Harvest { tip, diff, document: None, asking, talk, now };
            collected(trail, ground, report, harvest, order)
        }
        (JobState::Collecting { trail, ground, report }, StageOutput::Written { document, asking, talk }) => {
            let (tip, diff) = (None, DiffStat::default());
            let harvest = Harvest { tip, diff, document: Some(document), asking, talk, now };
            collected(trail, ground, report, harvest, order)
        }
        (JobState::Verifying { .. }, StageOutput::Verified { pairs }) => {
            verified(state, pairs, elapsed, order)?
        }
        (
            JobState::Publishing { trail, tip, branch, pushed: true, .. },
            StageOutput::PullRequest { pull_request, adopted, open },
        ) => request_open((trail, branch, tip), Opened { pull_request, adopted, open }, order),
        (JobState::Cleaning { trail, end }, StageOutput::Cleaned) => {
            return Some(cascading::cleaned(trail, end, elapsed, order));
        }
        (JobState::Cascading { .. }, StageOutput::Cascaded) => return cascading::cascaded(state, elapsed),
        (
            JobState::Queued
            | JobState::Preparing { .. }
            | JobState::Working { .. }
            | JobState::Collecting { .. }
            | JobState::Verifying { .. }
            | JobState::Publishing { .. }
            | JobState::Cleaning { .. }
            | JobState::Cascading { .. }
            | JobState::Parked { .. }
            | JobState::Ended { .. },
            StageOutput::Prepared { .. }
            | StageOutput::Rejoined { .. }
            | StageOutput::Turn { .. }
            | StageOutput::Collected { .. }
            | StageOutput::Written { .. }
            | StageOutput::Verified { .. }
            | StageOutput::PullRequest { .. }
            | StageOutput::Cleaned
            | StageOutput::Cascaded,
        ) => return None,
    };
    Some(step.after(stage, elapsed))
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
