//! Tells all workers what a vendor showed of one of its accounts.

use std::sync::atomic::{AtomicBool, Ordering};

use overnight_core::agent::{Account, AccountId, AgentEvent, TurnOutcome};
use overnight_core::id::JobId;
use overnight_core::job::ParkReason;
use overnight_core::policy::circuit::{Cause, Circuit, CircuitPolicy, Quota, Sign};
use overnight_core::units::Timestamp;
use overnight_store::Store;
use tokio::sync::mpsc;

use crate::engine::Engine;

/// Writes signs of one account.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    store: Store,
    id: AccountId,
    policy: CircuitPolicy,
    floor: Option<u8>,
}

impl Reporter {
    pub(crate) fn new(engine: &Engine, account: &Account) -> Self {
        let policy = *engine.accounts().policy();
        Self { store: engine.store().clone(), id: account.id.clone(), policy, floor: account.min_quota }
    }

    /// Writes a sign, and lets go of jobs that waited when the account answers again. What cannot be written is only said: a sign is a
    /// hint, and the next turn makes a new one.
    pub(crate) async fn tell(&self, sign: Sign) {
        if let Err(error) = self.try_tell(&sign).await {
            tracing::warn!(account = %self.id, %error, "what the vendor showed could not be told to other workers");
        }
    }

    async fn try_tell(&self, sign: &Sign) -> Result<(), overnight_store::StoreError> {
        let spread = crate::random::fraction();
        let was_open = AtomicBool::new(false);
        let change = |circuit: &Circuit, now: Timestamp| {
            was_open.store(circuit.open().is_some(), Ordering::Relaxed);
            Some(circuit.after(sign, now, spread, &self.policy))
        };
        let (circuit, changed) = self.store.circuit_change(&self.id, change).await?;
        let closed = changed && was_open.load(Ordering::Relaxed) && circuit.open().is_none();
        if closed {
            for reason in [ParkReason::RateLimited, ParkReason::Overloaded] {
                self.store.jobs_wake(reason, Some(self.id.backend), false).await?;
            }
        }
        Ok(())
    }

    /// The sign of a turn that has ended, if it is one.
    pub(crate) fn of_outcome(outcome: &TurnOutcome, began: Timestamp) -> Option<Sign> {
        let refused = |cause, until, detail: &str| {
            Some(Sign::Refused { began, cause, until, detail: detail.to_owned() })
        };
        match outcome {
            TurnOutcome::RateLimited { reset, detail } => refused(Cause::RateLimited, *reset, detail),
            TurnOutcome::Overloaded { detail } => refused(Cause::Overloaded, None, detail),
            TurnOutcome::Completed | TurnOutcome::MaxTurns => Some(Sign::Answered { began }),
            TurnOutcome::LoginExpired { .. }
            | TurnOutcome::NeedsInput { .. }
            | TurnOutcome::BudgetStop { .. }
            | TurnOutcome::Refused { .. }
            | TurnOutcome::Misconfigured { .. }
            | TurnOutcome::Looped { .. }
            | TurnOutcome::ContextFull { .. }
            | TurnOutcome::TimedOut { .. }
            | TurnOutcome::SessionLost
            | TurnOutcome::Crashed { .. }
            | TurnOutcome::Stopped => None,
        }
    }

    /// The job that was to try has ended its turn, whatever came of it.
    pub(crate) async fn canary_back(&self, job: &JobId) {
        self.tell(Sign::CanaryGone { job: job.clone() }).await;
    }

    /// Listens to a turn while it runs.
    pub(crate) fn listen(&self, began: Timestamp) -> Ear {
        let (signs, mut heard) = mpsc::unbounded_channel();
        let (reporter, floor) = (self.clone(), self.floor);
        tokio::spawn(async move {
            while let Some(sign) = heard.recv().await {
                reporter.tell(sign).await;
            }
        });
        Ear { signs, began, floor, answered: false }
    }

    pub(crate) fn floor(&self) -> Option<u8> {
        self.floor
    }
}

/// Takes signs from what an agent does.
#[derive(Debug)]
pub(crate) struct Ear {
    signs: mpsc::UnboundedSender<Sign>,
    began: Timestamp,
    floor: Option<u8>,
    answered: bool,
}

impl Ear {
    /// Takes note of an event. Returns whether it is the first that shows an answer of the vendor.
    pub(crate) fn hear(&mut self, event: &AgentEvent) -> bool {
        match event {
            AgentEvent::UsageSoFar { usage } if usage.output_tokens > 0 => {
                let first = !std::mem::replace(&mut self.answered, true);
                if first {
                    self.say(Sign::Answered { began: self.began });
                }
                first
            }
            AgentEvent::Quota { left, reset } => {
                let quota = Quota { left: *left, reset: *reset, at: self.began };
                self.say(Sign::Quota { quota, floor: self.floor });
                false
            }
            AgentEvent::UsageSoFar { .. }
            | AgentEvent::SessionStarted { .. }
            | AgentEvent::Message { .. }
            | AgentEvent::Reasoning { .. }
            | AgentEvent::ToolStarted { .. }
            | AgentEvent::ToolFinished { .. }
            | AgentEvent::Retrying { .. }
            | AgentEvent::PermissionDenied { .. }
            | AgentEvent::Warning { .. }
            | AgentEvent::Finished
            | AgentEvent::Raw { .. } => false,
        }
    }

    fn say(&self, sign: Sign) {
        // The one who writes them ends only with the last sender.
        let _ = self.signs.send(sign);
    }
}
