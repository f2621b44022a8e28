//! How long and how often a request is repeated.
//!
//! Owns the budget of one operation: its deadline and its number of pauses. Must not decide whether repeating is safe;
//! that is the caller's knowledge.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::ForgeError;
use crate::meter::CallBudget;

/// Bounds on one operation of a [`crate::Forge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Longest wait for one answer.
    pub request_timeout: Duration,
    /// Longest time for an operation with all its repetitions.
    pub total: Duration,
    /// How often a request may be repeated in one operation.
    pub retries: u32,
    /// Pause before the first repetition; doubles each time.
    pub first_pause: Duration,
    /// Longest pause, and the longest `Retry-After` that is waited for. A longer one is reported instead, so that the
    /// job can be parked.
    pub longest_pause: Duration,
    /// A proxy's URL. `None` connects directly: the environment is not looked at.
    pub proxy: Option<String>,
    /// How much of the forge's limit we may use.
    pub calls: CallBudget,
}

impl Default for Settings {
    /// 30 s for an answer, two minutes in all, five repetitions with pauses from half a second to 30 s. GitHub ends a
    /// request itself after ten seconds.
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            total: Duration::from_secs(120),
            retries: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            proxy: None,
            calls: CallBudget::default(),
        }
    }
}

/// What is left of one operation's time and repetitions.
#[derive(Debug)]
pub(crate) struct Budget<'a> {
    settings: &'a Settings,
    deadline: Instant,
    used: u32,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(settings: &'a Settings) -> Self {
        Self { settings, deadline: Instant::now() + settings.total, used: 0 }
    }

    /// Time for one more request: zero when the deadline has passed.
    pub(crate) fn request_timeout(&self) -> Duration {
        self.settings.request_timeout.min(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// Nothing can be repeated any more.
    pub(crate) fn is_spent(&self) -> bool {
        self.used >= self.settings.retries || Instant::now() >= self.deadline
    }

    /// Waits before a repetition; also after a refusal that the forge may take back by itself.
    pub(crate) async fn pause_after_or_for_forge(&mut self, error: &ForgeError) -> bool {
        match error {
            ForgeError::Refused { .. } | ForgeError::Validation { .. } => self.pause_for_forge().await,
            other => self.pause_after(other).await,
        }
    }

    /// Waits for work that the forge does in its background. `false`, at once, when there is no time for it.
    pub(crate) async fn pause_for_forge(&mut self) -> bool {
        let pause = self
            .settings
            .first_pause
            .saturating_mul(2_u32.saturating_pow(self.used))
            .min(self.settings.longest_pause);
        if self.used >= self.settings.retries || Instant::now() + pause >= self.deadline {
            return false;
        }
        self.used += 1;
        tokio::time::sleep(pause).await;
        true
    }

    /// Waits before a repetition. `false`, at once, when `error` or the budget rules one out.
    pub(crate) async fn pause_after(&mut self, error: &ForgeError) -> bool {
        let Some(pause) = pause(self.settings, error, self.used, random_unit()) else { return false };
        if self.used >= self.settings.retries || Instant::now() + pause >= self.deadline {
            return false;
        }
        self.used += 1;
        tokio::time::sleep(pause).await;
        true
    }
}

/// The pause before repetition `used` (from 0); `None` when repeating cannot help or the forge asks for more patience
/// than we have here. `unit` in 0..1 spreads the clients of one outage over half the pause.
fn pause(settings: &Settings, error: &ForgeError, used: u32, unit: f64) -> Option<Duration> {
    let backoff = settings.first_pause.saturating_mul(2_u32.saturating_pow(used)).min(settings.longest_pause);
    let spread = backoff.mul_f64(0.5 + unit / 2.0);
    match error {
        ForgeError::Unavailable { .. } | ForgeError::Conflict { .. } => Some(spread),
        ForgeError::RateLimited { retry_after: Some(asked), .. } => {
            (*asked <= settings.longest_pause).then(|| *asked + spread.min(Duration::from_secs(1)))
        }
        ForgeError::RateLimited { retry_after: None, .. }
        | ForgeError::Auth { .. }
        | ForgeError::Permission { .. }
        | ForgeError::NotFound { .. }
        | ForgeError::Validation { .. }
        | ForgeError::Refused { .. }
        | ForgeError::BudgetExhausted { .. }
        | ForgeError::Redirected { .. }
        | ForgeError::Unexpected { .. }
        | ForgeError::Unusable { .. } => None,
    }
}

/// A number in 0..1. The standard library seeds every hasher anew, which is random enough to spread pauses.
fn random_unit() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Call, Operation, Outage};

    fn call() -> Call {
        Call { operation: Operation::GetAccount, repository: "o/r".into() }
    }

    fn limited(seconds: Option<u64>) -> ForgeError {
        let retry_after = seconds.map(Duration::from_secs);
        ForgeError::RateLimited { call: call(), retry_after, reset: None, message: String::new() }
    }

    #[test]
    fn pauses_grow_within_their_cap_and_are_spread() {
        let down = ForgeError::Unavailable { call: call(), why: Outage::Timeout, source: None };
        let settings = Settings::default();
        let millis = |used, unit| pause(&settings, &down, used, unit).map(|span| span.as_millis());
        assert_eq!([millis(0, 0.0), millis(0, 1.0), millis(2, 0.0)], [Some(250), Some(500), Some(1_000)]);
        assert_eq!(millis(40, 1.0), Some(30_000));
    }

    #[test]
    fn a_short_limit_is_waited_for_and_a_long_one_reported() {
        let settings = Settings::default();
        assert!(
            pause(&settings, &limited(Some(30)), 0, 0.0).is_some_and(|span| span >= Duration::from_secs(30))
        );
        assert_eq!(pause(&settings, &limited(Some(31)), 0, 0.0), None);
        assert_eq!(pause(&settings, &limited(None), 0, 0.0), None);
    }

    #[test]
    fn randomness_stays_in_its_range() {
        assert!((0..100).map(|_| random_unit()).all(|unit| (0.0..1.0).contains(&unit)));
    }
}
