//! When a vendor's account is asked again after it said no. The circuit of an account is kept in the store, so that all workers of a
//! queue know what one of them was told, and nobody asks in vain.
//!
//! ```text
//!            refused                    its time has come: one canary
//!  closed ───────────► open until … ─────────────────────────────────► trying
//!    ▲                   ▲                  refused again                 │
//!    │                   └────────────────────────────────────────────────┤
//!    └────────────────────────────────────────────────── answered ────────┘
//! ```
//!
//! Pure: the same arguments always give the same circuit. What a vendor prints about its own resets is believed only up to a bound:
//! in the end the canary decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{JobId, WorkerId};
use crate::job::ParkReason;
use crate::text::one_line;
use crate::units::{Timestamp, millis};

/// Characters kept of what a vendor said.
const DETAIL_CHARS: usize = 400;

/// How patient workers are with a vendor. All of it are settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitPolicy {
    /// The wait after a refusal that names no time; each further refused canary doubles it.
    #[serde(with = "millis", rename = "backoff_start_ms")]
    pub backoff_start: Duration,
    /// The longest of these waits.
    #[serde(with = "millis", rename = "backoff_max_ms")]
    pub backoff_max: Duration,
    /// A reported time that is further away is looked at by a canary after this long all the same.
    #[serde(with = "millis", rename = "longest_wait_ms")]
    pub longest_wait: Duration,
    /// How long a canary may take to get an answer before another one is sent.
    #[serde(with = "millis", rename = "canary_ms")]
    pub canary: Duration,
    /// After the vendor answers again, workers begin at moments that are spread over this time.
    #[serde(with = "millis", rename = "release_ms")]
    pub release: Duration,
}

impl Default for CircuitPolicy {
    /// 30, 60, 120 s and so on up to 15 minutes; a look every 6 hours at the latest, because reset times that vendors print were seen to be
    /// wrong by days; 10 minutes for a canary, whose first answer may be a long thought; a release spread over 10 s.
    fn default() -> Self {
        Self {
            backoff_start: Duration::from_secs(30),
            backoff_max: Duration::from_secs(15 * 60),
            longest_wait: Duration::from_secs(6 * 60 * 60),
            canary: Duration::from_secs(10 * 60),
            release: Duration::from_secs(10),
        }
    }
}

impl CircuitPolicy {
    /// The wait after the `nth` refusal in a row that names no time, from 1, without its spread.
    #[must_use]
    pub fn backoff(&self, nth: u32) -> Duration {
        let factor = 1_u32.checked_shl(nth.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff_start.saturating_mul(factor).min(self.backoff_max)
    }
}

/// Why an account is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its quota is used up.
    RateLimited,
    /// The vendor or the way to it fails.
    Overloaded,
    /// Less of its quota is left than is kept for people.
    LowQuota,
}

impl Cause {
    #[must_use]
    pub fn park_reason(self) -> ParkReason {
        match self {
            Self::RateLimited | Self::LowQuota => ParkReason::RateLimited,
            Self::Overloaded => ParkReason::Overloaded,
        }
    }

    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::LowQuota => "low_quota",
        }
    }
}

/// What is known of one account. Stored as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    pub state: CircuitState,
    /// Refusals in a row, each by a turn that was started after the one before.
    #[serde(default)]
    pub refusals: u32,
    /// What the vendor said last of what is left.
    #[serde(default)]
    pub quota: Option<Quota>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum CircuitState {
    /// `since`: it was open before.
    Closed {
        #[serde(rename = "since_ms")]
        since: Option<Timestamp>,
    },
    Open(Open),
    /// One job asks, to see whether there is an answer.
    Trying {
        open: Open,
        job: JobId,
        worker: WorkerId,
        /// When it is given up.
        #[serde(rename = "give_up_ms")]
        give_up: Timestamp,
    },
}

impl Default for CircuitState {
    fn default() -> Self {
        Self::Closed { since: None }
    }
}

/// Why and until when nobody asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub cause: Cause,
    /// The vendor's words.
    pub detail: String,
    #[serde(rename = "since_ms")]
    pub since: Timestamp,
    /// When a canary may ask.
    #[serde(rename = "until_ms")]
    pub until: Timestamp,
    /// The vendor named the time.
    pub reported: bool,
}

/// What is left of an account's quota, as its vendor said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// In whole per cent, rounded down, of the window that is closest to its end.
    pub left: u8,
    /// When that window begins anew.
    #[serde(rename = "reset_ms")]
    pub reset: Option<Timestamp>,
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
}

/// Something that a vendor showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// A turn that began at this time was refused. `until`: the time that the vendor named.
    Refused { began: Timestamp, cause: Cause, until: Option<Timestamp>, detail: String },
    /// A turn that began at this time got an answer.
    Answered { began: Timestamp },
    /// It said what is left. `floor`: what is kept for people, in per cent.
    Quota { quota: Quota, floor: Option<u8> },
    /// The job that was to ask has ended or was let go of without having asked.
    CanaryGone { job: JobId },
}

/// Whether an account may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Open,
    /// One job may try; whoever wants to must first enter itself with [`Circuit::try_now`].
    Canary,
    Wait {
        cause: Cause,
        until: Timestamp,
        detail: String,
    },
}

impl Circuit {
    /// The circuit after this sign. `spread`: a random number from 0 to 1, so that workers do not come back together.
    #[must_use]
    pub fn after(&self, sign: &Sign, now: Timestamp, spread: f64, policy: &CircuitPolicy) -> Self {
        match sign {
            Sign::Refused { began, cause, until, detail } => {
                self.refused(*began, Refusal { cause: *cause, until: *until, detail }, now, spread, policy)
            }
            Sign::Answered { began } => self.answered(*began, now),
            Sign::Quota { quota, floor } => self.told(*quota, *floor, now, policy),
            Sign::CanaryGone { job } => self.canary_gone(job),
        }
    }

    fn refused(
        &self,
        began: Timestamp,
        refusal: Refusal<'_>,
        now: Timestamp,
        spread: f64,
        policy: &CircuitPolicy,
    ) -> Self {
        if let CircuitState::Open(open) = &self.state
            && began <= open.since
        {
            return self.refused_together(open, refusal, now, policy);
        }
        let refusals = self.refusals.saturating_add(1);
        let reported = refusal.until.filter(|until| *until > now);
        let wait = policy.backoff(refusals);
        let backoff = now.plus(wait.saturating_add(wait.mul_f64(spread.clamp(0.0, 1.0) / 4.0)));
        let until = reported.unwrap_or(backoff).min(now.plus(policy.longest_wait));
        let open = Open {
            cause: refusal.cause,
            detail: one_line(refusal.detail, DETAIL_CHARS),
            since: now,
            until,
            reported: reported.is_some(),
        };
        Self { state: CircuitState::Open(open), refusals, quota: self.quota }
    }

    /// Turns that ran side by side hear the same: that is one refusal. Only a time that a vendor names is news.
    fn refused_together(
        &self,
        open: &Open,
        refusal: Refusal<'_>,
        now: Timestamp,
        policy: &CircuitPolicy,
    ) -> Self {
        let later = refusal.until.filter(|until| *until > now && (!open.reported || *until > open.until));
        let Some(until) = later else { return self.clone() };
        let until = until.min(now.plus(policy.longest_wait));
        let open = Open { cause: refusal.cause, until, reported: true, ..open.clone() };
        Self { state: CircuitState::Open(open), ..self.clone() }
    }

    fn answered(&self, began: Timestamp, now: Timestamp) -> Self {
        let since = match &self.state {
            CircuitState::Closed { .. } => return Self { refusals: 0, ..self.clone() },
            // An answer to a question from before the refusal says nothing of what comes after it.
            CircuitState::Open(open) if began <= open.since => return self.clone(),
            CircuitState::Trying { open, .. } if began <= open.since => return self.clone(),
            CircuitState::Open(_) | CircuitState::Trying { .. } => Some(now),
        };
        Self { state: CircuitState::Closed { since }, refusals: 0, quota: self.quota }
    }

    fn told(&self, quota: Quota, floor: Option<u8>, now: Timestamp, policy: &CircuitPolicy) -> Self {
        let with = |state| Self { state, refusals: self.refusals, quota: Some(quota) };
        let low = floor.is_some_and(|floor| quota.left < floor);
        match &self.state {
            CircuitState::Closed { .. } | CircuitState::Trying { .. } if low => {
                let floor = floor.unwrap_or_default();
                let detail = format!("{} % of the quota is left; {floor} % is kept for people", quota.left);
                let reported = quota.reset.filter(|reset| *reset > now);
                let longest = now.plus(policy.longest_wait);
                let until = reported.map_or_else(|| now.plus(policy.backoff_max), |reset| reset.min(longest));
                let reported = reported.is_some();
                with(CircuitState::Open(Open { cause: Cause::LowQuota, detail, since: now, until, reported }))
            }
            CircuitState::Open(open) if open.cause == Cause::LowQuota && !low => {
                with(CircuitState::Closed { since: Some(now) })
            }
            state @ (CircuitState::Closed { .. } | CircuitState::Open(_) | CircuitState::Trying { .. }) => {
                with(state.clone())
            }
        }
    }

    fn canary_gone(&self, gone: &JobId) -> Self {
        match &self.state {
            CircuitState::Trying { open, job, .. } if job == gone => {
                Self { state: CircuitState::Open(open.clone()), ..self.clone() }
            }
            CircuitState::Trying { .. } | CircuitState::Open(_) | CircuitState::Closed { .. } => self.clone(),
        }
    }

    /// Whether the account may be asked at `now`, by a worker that begins `spread` (0 to 1) of the release time after the others.
    #[must_use]
    pub fn admission(&self, now: Timestamp, spread: f64, policy: &CircuitPolicy) -> Admission {
        match &self.state {
            CircuitState::Closed { since: None } => Admission::Open,
            CircuitState::Closed { since: Some(since) } => {
                let until = since.plus(policy.release.mul_f64(spread.clamp(0.0, 1.0)));
                // A clock that was set back ends the wait: nobody knows better.
                if now >= until || now < *since {
                    return Admission::Open;
                }
                let detail = "it has just begun to answer again".to_owned();
                Admission::Wait { cause: Cause::Overloaded, until, detail }
            }
            CircuitState::Open(open) => waits(open, open.until, now),
            CircuitState::Trying { open, give_up, .. } => waits(open, *give_up, now),
        }
    }

    /// The circuit with this job as its canary; `None`: it is not the time for one. `insist`: a person asks for it by name, which only
    /// another canary that is under way keeps from trying.
    #[must_use]
    pub fn try_now(
        &self,
        job: &JobId,
        worker: &WorkerId,
        insist: bool,
        now: Timestamp,
        policy: &CircuitPolicy,
    ) -> Option<Self> {
        let open = match &self.state {
            CircuitState::Closed { .. } => return None,
            CircuitState::Open(open) => (insist || now >= open.until).then_some(open)?,
            CircuitState::Trying { open, job: at_it, give_up, .. } => {
                (at_it == job || now >= *give_up).then_some(open)?
            }
        };
        let state = CircuitState::Trying {
            open: open.clone(),
            job: job.clone(),
            worker: worker.clone(),
            give_up: now.plus(policy.canary),
        };
        Some(Self { state, ..self.clone() })
    }

    /// Why and until when nobody asks; `None`: it is asked.
    #[must_use]
    pub fn open(&self) -> Option<&Open> {
        match &self.state {
            CircuitState::Closed { .. } => None,
            CircuitState::Open(open) | CircuitState::Trying { open, .. } => Some(open),
        }
    }
}

#[derive(Clone, Copy)]
struct Refusal<'a> {
    cause: Cause,
    until: Option<Timestamp>,
    detail: &'a str,
}

fn waits(open: &Open, until: Timestamp, now: Timestamp) -> Admission {
    if now >= until || now < open.since {
        return Admission::Canary;
    }
    Admission::Wait { cause: open.cause, until, detail: open.detail.clone() }
}

#[cfg(test)]
mod tests;
