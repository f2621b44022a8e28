//! What a step means for the ledger of what agents use: a session that began, or one that is over.

use std::time::Duration;

use crate::agent::{AgentSettings, BackendId, Billing, Usage};
use crate::id::JobId;

use super::input::{Input, Order, StageOutput};
use super::state::{JobState, Trail, Turn};

/// Who pays for a session, as far as it can be known from the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingMode {
    /// A plan with a quota: dollars are what the same tokens would cost otherwise.
    Subscription,
    /// Each token is paid for.
    Metered,
    Unknown,
}

impl BillingMode {
    /// An API key is metered; a vendor's own login is a subscription, except where logins of both kinds look alike.
    #[must_use]
    pub fn of(settings: &AgentSettings) -> Self {
        match (settings.backend, settings.billing) {
            (BackendId::Command | BackendId::Rehearsal, _) => Self::Unknown,
            (_, Billing::Key) => Self::Metered,
            (BackendId::Opencode | BackendId::Acp | BackendId::Adapter, Billing::Subscription) => {
                Self::Unknown
            }
            (
                BackendId::Claude | BackendId::Codex | BackendId::Gemini | BackendId::Qwen,
                Billing::Subscription,
            ) => Self::Subscription,
        }
    }

    /// The public code, as in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Metered => "metered",
            Self::Unknown => "unknown",
        }
    }
}

/// A change of the ledger, written in the same transaction as the step that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpendChange {
    /// A session began.
    Opened(OpenedSession),
    /// It is over. What was written while it ran stays where nothing better is known.
    Closed {
        turn: u32,
        /// `None`, or one that holds nothing: it told nothing.
        usage: Option<Usage>,
        /// How long it ran, as far as its end was seen.
        wall: Option<Duration>,
    },
}

/// A session that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedSession {
    pub turn: u32,
    pub attempt: u32,
    /// First job of the line that the job belongs to; `None`: itself.
    pub task: Option<JobId>,
    pub backend: BackendId,
    /// As ordered; `None`: the CLI's own choice.
    pub model: Option<String>,
    /// Empty: the backend's usual one.
    pub account: String,
    pub billing: BillingMode,
}

/// What the input told about a session's end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    usage: Option<Usage>,
    wall: Option<Duration>,
}

impl Told {
    pub(super) fn by(input: &Input) -> Self {
        match input {
            Input::Done { output: StageOutput::Turn { report }, elapsed } => {
                Self { usage: Some(report.usage), wall: Some(*elapsed) }
            }
            Input::TurnInterrupted { used, .. } => Self { usage: Some(*used), wall: None },
            Input::Done { .. }
            | Input::Claimed { .. }
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
            | Input::Failed { .. }
            | Input::Inspected { .. }
            | Input::Approved { .. }
            | Input::Rejected { .. }
            | Input::BranchTaken
            | Input::BranchPushed { .. }
            | Input::Noticed { .. }
            | Input::Told { .. }
            | Input::Cancel { .. }
            | Input::CascadeBegan { .. }
            | Input::CascadeAnnounced { .. }
            | Input::CascadeStepped { .. }
            | Input::LeaseLost => Self::default(),
        }
    }
}

/// What the way from one state to the next means for the ledger.
pub(super) fn changes(from: &JobState, to: &JobState, told: Told, order: Order<'_>) -> Vec<SpendChange> {
    let (before, after) = (turn(from), turn(to));
    let running = |turn: Option<(&Trail, &Turn)>| turn.is_some_and(|(_, turn)| turn.process.is_some());
    let mut changes = Vec::new();
    match (before, after) {
        (_, Some((trail, _))) if running(after) && !running(before) => changes.push(opened(trail, order)),
        (Some((trail, _)), None) => {
            let used = told.usage.is_some_and(|usage| !usage.is_empty());
            if !running(before) && !used {
                return changes;
            }
            if !running(before) {
                // It had begun when its runner died, before that could be written.
                changes.push(opened(trail, order));
            }
            changes.push(SpendChange::Closed { turn: trail.turns, usage: told.usage, wall: told.wall });
        }
        (_, _) => {}
    }
    changes
}

/// The turn that a state is in, whether somebody holds the job or it waits.
fn turn(state: &JobState) -> Option<(&Trail, &Turn)> {
    match state {
        JobState::Working { trail, turn: Some(turn), .. } => Some((trail, turn)),
        JobState::Parked { then, .. } => turn(then),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { turn: None, .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. }
        | JobState::Ended { .. } => None,
    }
}

fn opened(trail: &Trail, order: Order<'_>) -> SpendChange {
    let agent = order.spec.agent_of(trail.who);
    SpendChange::Opened(OpenedSession {
        turn: trail.turns,
        attempt: trail.attempt,
        task: order.spec.budget.first.clone(),
        backend: agent.backend,
        model: agent.model.clone(),
        account: trail.account.as_ref().map(ToString::to_string).unwrap_or_default(),
        billing: BillingMode::of(agent),
    })
}

#[cfg(test)]
#[path = "spend_tests.rs"]
mod tests;
