//! Columns that repeat a part of a job's state, for conditions and sums in SQL. Written only together with the state.

use overnight_core::job::{JobState, ParkReason, Stage};
use overnight_core::units::Timestamp;

use crate::error::StoreError;
use crate::records::Column;
use crate::row::to_json;
use crate::sql::Value;

/// In the order of [`Placement::values`].
pub(crate) const COLUMNS: [&str; 13] = [
    "state",
    "state_name",
    "stage",
    "phase",
    "wake_at",
    "park_reason",
    "ended",
    "end_reason",
    "attempts",
    "input_tokens",
    "output_tokens",
    "cost",
    "cost_unknown",
];

/// The same as columns of the list `v` of changes that a statement makes.
pub(crate) const IN_V: [Column; 13] = [
    ("v_state", "TEXT"),
    ("v_state_name", "TEXT"),
    ("v_stage", "TEXT"),
    ("v_phase", "TEXT"),
    ("v_wake_at", "BIGINT"),
    ("v_park_reason", "TEXT"),
    ("v_ended", "BOOLEAN"),
    ("v_end_reason", "TEXT"),
    ("v_attempts", "BIGINT"),
    ("v_input_tokens", "BIGINT"),
    ("v_output_tokens", "BIGINT"),
    ("v_cost", "BIGINT"),
    ("v_cost_unknown", "BOOLEAN"),
];

/// Where a job stands for a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It can be claimed.
    Ready,
    /// It can be from some time on.
    Due,
    /// It waits for other jobs.
    Blocked,
    /// It waits for something that has no time.
    Asleep,
    /// Somebody has its lease, or had it until it ran out.
    Held,
    Ended,
}

impl Phase {
    const ALL: [Self; 6] = [Self::Ready, Self::Due, Self::Blocked, Self::Asleep, Self::Held, Self::Ended];

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|phase| phase.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is not a phase"))
    }

    /// The public word, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Due => "due",
            Self::Blocked => "blocked",
            Self::Asleep => "asleep",
            Self::Held => "held",
            Self::Ended => "ended",
        }
    }
}

pub(crate) struct Placement {
    state: String,
    name: &'static str,
    stage: Option<&'static str>,
    pub(crate) phase: Phase,
    pub(crate) wake: Option<Timestamp>,
    park: Option<ParkReason>,
    end: Option<&'static str>,
    attempts: i64,
    tokens: (i64, i64),
    cost: i64,
    cost_unknown: bool,
}

impl Placement {
    /// `held`: somebody has the lease, and keeps it unless the state gives it back.
    pub(crate) fn of(state: &JobState, held: bool) -> Result<Self, StoreError> {
        let (phase, wake, park) = match state {
            JobState::Parked { reason: ParkReason::Dependency, wake: None, .. } => {
                (Phase::Blocked, None, Some(ParkReason::Dependency))
            }
            JobState::Parked { reason, wake: Some(at), .. } => (Phase::Due, Some(*at), Some(*reason)),
            JobState::Parked { reason, wake: None, .. } => (Phase::Asleep, None, Some(*reason)),
            JobState::Ended { .. } => (Phase::Ended, None, None),
            JobState::Queued
            | JobState::Preparing { .. }
            | JobState::Working { .. }
            | JobState::Collecting { .. }
            | JobState::Verifying { .. }
            | JobState::Publishing { .. }
            | JobState::Cleaning { .. }
            | JobState::Cascading { .. } => (if held { Phase::Held } else { Phase::Ready }, None, None),
        };
        // Sums are of ended jobs only: nothing else needs to be kept up to date with every step.
        let trail = state.trail().filter(|_| phase == Phase::Ended);
        let used = trail.map(|trail| trail.used).unwrap_or_default();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Ok(Self {
            state: to_json("state", state)?,
            name: state.name(),
            stage: state.stage().map(Stage::as_str),
            phase,
            wake,
            park,
            end: state.end().filter(|_| phase == Phase::Ended).map(|end| end.reason.code()),
            attempts: trail.map_or(0, |trail| i64::from(trail.attempt)),
            tokens: (
                number(used.input_tokens.saturating_add(used.cache_write_tokens)),
                number(used.output_tokens),
            ),
            cost: used.cost.map_or(0, |cost| cost.0),
            cost_unknown: trail.is_some_and(|trail| trail.cost_unknown),
        })
    }

    pub(crate) fn values(self) -> [Value; 13] {
        [
            self.state.into(),
            self.name.into(),
            self.stage.into(),
            self.phase.as_str().into(),
            self.wake.map(|at| at.0).into(),
            self.park.map(ParkReason::code).into(),
            (self.phase == Phase::Ended).into(),
            self.end.into(),
            self.attempts.into(),
            self.tokens.0.into(),
            self.tokens.1.into(),
            self.cost.into(),
            self.cost_unknown.into(),
        ]
    }
}
