//! The one place that decides how a job moves. Total, synchronous, without a clock: the same arguments always give the
//! same step, so a step can be tested in a table and repeated after a crash.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::{SessionStart, TurnOutcome, TurnReport, Usage};
use crate::command::ProcessIdentity;
use crate::git::{BranchName, CommitId};
use crate::id::{Fence, SessionId, TaskKey, WorkerId};
use crate::policy::{budget, gate};
use crate::units::Timestamp;
use crate::verdict::{CheckedPair, DiffStat};

use super::CancelledBy;
use super::end::{End, EndReason, ParkReason, Published, PullRequestRef};
use super::event::{JobEvent, Notice};
use super::spec::{JobSpec, Publication};
use super::state::{Feedback, Ground, JobState, Stage, Trail, Turn};

/// A vendor that says "overloaded" without saying until when is asked again after this long.
const OVERLOAD_WAIT: Duration = Duration::from_secs(60);
/// A quota without a reset time is asked again after this long.
const QUOTA_WAIT: Duration = Duration::from_secs(15 * 60);
/// After this many names that are taken by other people's work something else is wrong.
const MAX_TAKEN: u32 = 20;

/// What a job is measured against: its name and its frozen order.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    pub key: &'a TaskKey,
    pub spec: &'a JobSpec,
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A worker took the lease. `resumed`: another held it before.
    Claimed {
        worker: WorkerId,
        fence: Fence,
        resumed: bool,
    },
    /// The next turn's session is chosen; nothing has been started.
    TurnAnnounced {
        session: SessionStart,
    },
    /// Its process tree exists; no byte of it was read.
    TurnStarted {
        process: ProcessIdentity,
    },
    /// A turn of a dead runner is known not to have finished, and its tree to be gone. `session`: the conversation that
    /// can be taken up again; `used`: what the turn's log says it used.
    TurnInterrupted {
        session: Option<SessionId>,
        used: Usage,
    },
    /// The stage did its work.
    Done {
        output: StageOutput,
        elapsed: Duration,
    },
    /// The stage could not do its work.
    Failed {
        trouble: Trouble,
        detail: String,
        elapsed: Duration,
    },
    /// The branch name belongs to work that is not ours.
    BranchTaken,
    /// The branch is on the other side, at our commit.
    BranchPushed {
        elapsed: Duration,
    },
    Noticed {
        notice: Notice,
    },
    Cancel {
        by: CancelledBy,
    },
    /// Somebody else holds the job now: nothing may be written any more.
    LeaseLost,
}

/// What a stage leaves for the next one.
#[derive(Debug, Clone, PartialEq)]
pub enum StageOutput {
    Prepared {
        ground: Ground,
    },
    Turn {
        report: TurnReport,
    },
    Collected {
        tip: Option<CommitId>,
        diff: DiffStat,
    },
    Verified {
        pairs: Vec<CheckedPair>,
    },
    /// The pull request is there: made now, or `adopted` from an earlier try.
    PullRequest {
        pull_request: PullRequestRef,
        adopted: bool,
    },
    Cleaned,
}

/// Why a stage could not do its work, by what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Not the job's fault: wait, and go on at the same stage.
    Wait { reason: ParkReason, wake: Option<Timestamp> },
    /// Trying again cannot help.
    End(EndReason),
}

/// Name of an outside effect: unique within its job, so that each is reserved once and done once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectName {
    PushBranch,
    OpenPullRequest,
}

impl EffectName {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PushBranch => "push-branch",
            Self::OpenPullRequest => "open-pull-request",
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
}

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
    let illegal = IllegalTransition { state: state.name(), input: input.name() };
    if state.is_ended() {
        return match input {
            Input::LeaseLost => Ok(Step::still(state)),
            Input::Claimed { .. }
            | Input::TurnAnnounced { .. }
            | Input::TurnStarted { .. }
            | Input::TurnInterrupted { .. }
            | Input::Done { .. }
            | Input::Failed { .. }
            | Input::BranchTaken
            | Input::BranchPushed { .. }
            | Input::Noticed { .. }
            | Input::Cancel { .. } => Err(illegal),
        };
    }
    match input {
        Input::Claimed { worker, fence, resumed } => Ok(claimed(state, worker, fence, resumed)),
        Input::LeaseLost => Ok(Step::still(state)),
        Input::Noticed { notice } => Ok(Step::still(state).event(JobEvent::Noticed { notice })),
        Input::Cancel { by } => Ok(cancelled(state, by)),
        Input::Failed { trouble, detail, elapsed } => failed(state, trouble, detail, elapsed).ok_or(illegal),
        Input::TurnAnnounced { session } => announced(state, session, order).ok_or(illegal),
        Input::TurnStarted { process } => started(state, process).ok_or(illegal),
        Input::TurnInterrupted { session, used } => interrupted(state, session, &used).ok_or(illegal),
        Input::BranchTaken => branch_taken(state, order).ok_or(illegal),
        Input::BranchPushed { elapsed } => branch_pushed(state, elapsed, order).ok_or(illegal),
        Input::Done { output, elapsed } => done(state, output, elapsed, now, order).ok_or(illegal),
    }
}

impl Input {
    fn name(&self) -> &'static str {
        match self {
            Self::Claimed { .. } => "claimed",
            Self::TurnAnnounced { .. } => "turn announced",
            Self::TurnStarted { .. } => "turn started",
            Self::TurnInterrupted { .. } => "turn interrupted",
            Self::Done { output, .. } => output.name(),
            Self::Failed { .. } => "failed",
            Self::BranchTaken => "branch taken",
            Self::BranchPushed { .. } => "branch pushed",
            Self::Noticed { .. } => "noticed",
            Self::Cancel { .. } => "cancel",
            Self::LeaseLost => "lease lost",
        }
    }
}

impl StageOutput {
    fn name(&self) -> &'static str {
        match self {
            Self::Prepared { .. } => "prepared",
            Self::Turn { .. } => "turn ended",
            Self::Collected { .. } => "collected",
            Self::Verified { .. } => "verified",
            Self::PullRequest { .. } => "pull request opened",
            Self::Cleaned => "cleaned",
        }
    }
}

impl Step {
    fn to(next: JobState) -> Self {
        Self { next, events: Vec::new(), effects: Vec::new() }
    }

    fn still(state: &JobState) -> Self {
        Self::to(state.clone())
    }

    fn event(mut self, event: JobEvent) -> Self {
        self.events.push(event);
        self
    }

    fn event_first(mut self, event: JobEvent) -> Self {
        self.events.insert(0, event);
        self
    }

    fn effect(mut self, change: EffectChange) -> Self {
        self.effects.push(change);
        self
    }

    /// Puts the end of the finished stage and the start of the next one around this step's events.
    fn after(mut self, stage: Stage, elapsed: Duration) -> Self {
        self.events.insert(0, JobEvent::StageFinished { stage, elapsed });
        self.starting()
    }

    /// Announces the stage that the new state is in, unless nothing runs there.
    fn starting(mut self) -> Self {
        if let (Some(stage), false) = (self.next.stage(), matches!(self.next, JobState::Parked { .. })) {
            self.events.push(JobEvent::StageStarted { stage });
        }
        self
    }

    fn ending(trail: Trail, reason: EndReason, detail: impl Into<String>) -> Self {
        let end = End { reason, detail: detail.into(), tip: trail.preserved.clone(), published: None };
        Self::to(JobState::Cleaning { trail, end })
    }

    fn parking(then: JobState, reason: ParkReason, detail: String, wake: Option<Timestamp>) -> Self {
        let event = JobEvent::Parked { reason, detail: detail.clone(), wake };
        Self::to(JobState::Parked { reason, detail, wake, then: Box::new(then) }).event(event)
    }
}

fn claimed(state: &JobState, worker: WorkerId, fence: Fence, resumed: bool) -> Step {
    let next = match state {
        JobState::Queued => JobState::Preparing { trail: Trail::default() },
        JobState::Parked { then, .. } => (**then).clone(),
        JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Ended { .. } => state.clone(),
    };
    Step::to(next).event(JobEvent::Claimed { worker, fence, resumed }).starting()
}

fn cancelled(state: &JobState, by: CancelledBy) -> Step {
    let asked = JobEvent::CancelAsked { by };
    if let JobState::Cleaning { .. } = state {
        return Step::still(state).event(asked);
    }
    let trail = state.trail().cloned().unwrap_or_default();
    let reason = match by {
        CancelledBy::Command => EndReason::Cancelled,
        CancelledBy::Interrupt => EndReason::Interrupted,
    };
    let published = pushed_work(state);
    let detail = match &published {
        Some(work) => format!("cancelled after the branch {} had been pushed", work.branch),
        None => "cancelled; nothing was published".to_owned(),
    };
    let mut step = Step::ending(trail, reason, detail);
    if let JobState::Cleaning { end, .. } = &mut step.next {
        end.published = published;
    }
    step.event(asked).starting()
}

fn pushed_work(state: &JobState) -> Option<Published> {
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
        | JobState::Ended { .. } => None,
    }
}

fn failed(state: &JobState, trouble: Trouble, detail: String, elapsed: Duration) -> Option<Step> {
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
        Trouble::Wait { reason, wake } => Step::parking(state, reason, detail, wake),
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

fn announced(state: &JobState, session: SessionStart, order: Order<'_>) -> Option<Step> {
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

fn started(state: &JobState, process: ProcessIdentity) -> Option<Step> {
    let JobState::Working { trail, ground, turn: Some(turn) } = state else { return None };
    let event = JobEvent::TurnStarted { turn: trail.turns, process: process.clone() };
    let turn = Some(Turn { session: turn.session.clone(), process: Some(process) });
    Some(Step::to(JobState::Working { trail: trail.clone(), ground: ground.clone(), turn }).event(event))
}

fn interrupted(state: &JobState, session: Option<SessionId>, used: &Usage) -> Option<Step> {
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

fn branch_taken(state: &JobState, order: Order<'_>) -> Option<Step> {
    let mut next = state.clone();
    let JobState::Publishing { trail, branch, taken, pushed: false, .. } = &mut next else { return None };
    let event = JobEvent::BranchTaken { branch: branch.clone() };
    *taken += 1;
    if *taken > MAX_TAKEN {
        let detail = format!("{MAX_TAKEN} branch names are taken; delete old branches named {branch}*");
        return Some(Step::ending(trail.clone(), EndReason::BranchConflict, detail).event(event).starting());
    }
    *branch = BranchName::for_task(order.key, &order.spec.title).numbered(*taken + 1);
    let reserve = EffectChange::Reserve { name: EffectName::PushBranch, detail: branch.to_string() };
    Some(Step::to(next).event(event).effect(reserve))
}

fn branch_pushed(state: &JobState, elapsed: Duration, order: Order<'_>) -> Option<Step> {
    let JobState::Publishing { trail, tip, branch, pushed: false, .. } = state else { return None };
    let event = JobEvent::BranchPushed { branch: branch.clone(), commit: tip.clone() };
    let effect = EffectChange::Done { name: EffectName::PushBranch, result: format!("{branch} {tip}") };
    Some(match &order.spec.publication {
        Publication::LocalBranch { .. } => {
            let step = published(trail, branch, tip, None).after(Stage::Publish, elapsed);
            step.effect(effect).event_first(event)
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
        (JobState::Working { trail, ground, turn: Some(_) }, StageOutput::Turn { report }) => {
            turn_ended(trail, ground, report, elapsed)
        }
        (JobState::Collecting { trail, ground, report }, StageOutput::Collected { tip, diff }) => {
            collected(trail, ground, report, Harvest { tip, diff, now }, order)
        }
        (JobState::Verifying { .. }, StageOutput::Verified { pairs }) => {
            verified(state, pairs, elapsed, order)?
        }
        (
            JobState::Publishing { trail, tip, branch, pushed: true, .. },
            StageOutput::PullRequest { pull_request, adopted },
        ) => {
            let result = pull_request.url.clone();
            let event = JobEvent::PullRequestOpened { pull_request: pull_request.clone(), adopted };
            published(trail, branch, tip, Some(pull_request))
                .event(event)
                .effect(EffectChange::Done { name: EffectName::OpenPullRequest, result })
        }
        (JobState::Cleaning { trail, end }, StageOutput::Cleaned) => {
            let event = JobEvent::Ended { end: end.clone() };
            Step::to(JobState::Ended { trail: trail.clone(), end: end.clone() }).event(event)
        }
        (
            JobState::Queued
            | JobState::Preparing { .. }
            | JobState::Working { .. }
            | JobState::Collecting { .. }
            | JobState::Verifying { .. }
            | JobState::Publishing { .. }
            | JobState::Cleaning { .. }
            | JobState::Parked { .. }
            | JobState::Ended { .. },
            StageOutput::Prepared { .. }
            | StageOutput::Turn { .. }
            | StageOutput::Collected { .. }
            | StageOutput::Verified { .. }
            | StageOutput::PullRequest { .. }
            | StageOutput::Cleaned,
        ) => return None,
    };
    Some(step.after(stage, elapsed))
}

fn prepared(trail: &Trail, ground: Ground, order: Order<'_>) -> Step {
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
fn work(trail: Trail, ground: Ground, order: Order<'_>) -> Step {
    match budget::used_up(&order.spec.limits, &trail) {
        Some(limit) => {
            let detail = budget::explain(limit, &order.spec.limits);
            Step::ending(trail, limit.into(), detail)
        }
        None => Step::to(JobState::Working { trail, ground, turn: None }),
    }
}

fn turn_ended(trail: &Trail, ground: &Ground, report: TurnReport, elapsed: Duration) -> Step {
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
struct Harvest {
    tip: Option<CommitId>,
    diff: DiffStat,
    now: Timestamp,
}

fn collected(
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
        (TurnOutcome::Completed, None) => {
            let detail = "the agent ended without changing anything";
            retry(trail, ground, Retry::new(Feedback::NoChanges, EndReason::NoChanges, detail), order)
        }
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
struct Retry {
    feedback: Feedback,
    last: EndReason,
    detail: String,
    class: Option<String>,
}

impl Retry {
    fn new(feedback: Feedback, last: EndReason, detail: impl Into<String>) -> Self {
        Self { feedback, last, detail: detail.into(), class: None }
    }
}

fn retry(mut trail: Trail, ground: &Ground, retry: Retry, order: Order<'_>) -> Step {
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

fn verified(state: &JobState, pairs: Vec<CheckedPair>, elapsed: Duration, order: Order<'_>) -> Option<Step> {
    let JobState::Verifying { trail, ground, tip, diff } = state else { return None };
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
        gate::Gate::Publish => publish(trail, ground, tip, *diff, pairs, order),
        gate::Gate::Retry { feedback, class, detail } => {
            let failure = Retry { feedback, last: EndReason::VerificationFailed, detail, class };
            retry(trail, ground, failure, order)
        }
        gate::Gate::Fail { reason, class, detail } => {
            let event = JobEvent::AttemptFailed { attempt: trail.attempt, class, reason: detail.clone() };
            Step::ending(trail, reason, detail).event(event)
        }
    };
    step.events.splice(0..0, told);
    Some(step)
}

fn publish(
    trail: Trail,
    ground: &Ground,
    tip: &CommitId,
    diff: DiffStat,
    pairs: Vec<CheckedPair>,
    order: Order<'_>,
) -> Step {
    let branch = BranchName::for_task(order.key, &order.spec.title);
    let push = EffectChange::Reserve { name: EffectName::PushBranch, detail: branch.to_string() };
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
    };
    let mut step = Step::to(next).effect(push);
    if unverified {
        step = step.event(JobEvent::Noticed { notice: Notice::NotVerified });
    }
    match &order.spec.publication {
        Publication::LocalBranch { .. } => step,
        Publication::PullRequest { remote, .. } => {
            step.effect(EffectChange::Reserve { name: EffectName::OpenPullRequest, detail: remote.clone() })
        }
    }
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
