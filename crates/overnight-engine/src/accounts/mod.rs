//! The logins of vendors on this machine, and which of them the next turn uses. What a vendor says about one of them becomes a
//! [`Sign`](overnight_core::policy::circuit::Sign) that all workers of the queue are told of.
//!
//! Owns what only this process knows: which logins do not work here, and how many turns use each. Whether a login may be asked is
//! decided by the circuits in the store.

mod choose;
mod probe;
mod renewal;
mod report;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use overnight_core::agent::{Account, AccountId, BackendId};
use overnight_core::policy::circuit::{Admission, Circuit, CircuitPolicy};
use overnight_core::units::Timestamp;

pub(crate) use choose::{Chosen, Go, choose, standing};
pub(crate) use renewal::Renewal;
pub(crate) use report::Ear;

/// What is configured about vendors' logins.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// In the order in which they are preferred. A vendor without any has one login, of which nothing is said.
    pub known: Vec<Account>,
    pub policy: CircuitPolicy,
    /// How long a login that was refused is left alone while its vendor has another one.
    pub login_rest: Duration,
    /// How often a quota is asked for with an account's own program.
    pub probe_every: Duration,
}

impl Default for AccountSettings {
    /// No login is configured. 10 minutes of rest for one that was refused: long enough not to try it with every job, short enough to notice
    /// that somebody has logged in again; a probe per minute.
    fn default() -> Self {
        Self {
            known: Vec::new(),
            policy: CircuitPolicy::default(),
            login_rest: Duration::from_secs(10 * 60),
            probe_every: Duration::from_secs(60),
        }
    }
}

/// The logins of this process.
#[derive(Debug)]
pub(crate) struct Accounts {
    settings: AccountSettings,
    /// From 0 to 1: where in a release of many workers this one begins.
    spread: f64,
    local: Arc<Mutex<Local>>,
}

#[derive(Debug, Default)]
struct Local {
    refused: HashMap<AccountId, Instant>,
    busy: HashMap<AccountId, u32>,
    probed: HashMap<AccountId, Instant>,
}

impl Accounts {
    pub(crate) fn new(settings: AccountSettings) -> Self {
        Self { settings, spread: crate::random::fraction(), local: Arc::default() }
    }

    pub(crate) fn policy(&self) -> &CircuitPolicy {
        &self.settings.policy
    }

    /// Whether quotas of this backend are its vendor's: those of other programs are nobody's.
    pub(crate) fn are_kept(backend: BackendId) -> bool {
        backend.is_vendor()
    }

    /// The logins of a backend's vendor, in the order of the configuration.
    pub(crate) fn of(&self, backend: BackendId) -> Vec<Account> {
        let known: Vec<Account> =
            self.settings.known.iter().filter(|account| account.id.backend == backend).cloned().collect();
        if known.is_empty() { vec![Account::new(AccountId::only(backend))] } else { known }
    }

    /// Whether some login of the backend may be asked now; else when that is looked at again.
    pub(crate) fn admission(
        &self,
        backend: BackendId,
        circuits: &[(AccountId, Circuit)],
        now: Timestamp,
    ) -> Admission {
        if !Self::are_kept(backend) {
            return Admission::Open;
        }
        let all = self.of(backend).into_iter().map(|account| {
            let circuit = circuits.iter().find(|(id, _)| *id == account.id).map(|(_, circuit)| circuit);
            circuit.map_or(Admission::Open, |circuit| circuit.admission(now, self.spread, self.policy()))
        });
        all.min_by_key(|admission| match admission {
            Admission::Open => (0, 0),
            Admission::Canary => (1, 0),
            Admission::Wait { until, .. } => (2, until.0),
        })
        .unwrap_or(Admission::Open)
    }

    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vendor has refused this login here.
    pub(crate) fn refused(&self, id: &AccountId) {
        self.local().refused.insert(id.clone(), Instant::now());
    }

    pub(crate) fn works(&self, id: &AccountId) {
        self.local().refused.remove(id);
    }

    fn rests(&self, id: &AccountId) -> bool {
        self.local().refused.get(id).is_some_and(|at| at.elapsed() < self.settings.login_rest)
    }

    /// Counts a turn for as long as the guard lives.
    fn busy(&self, id: &AccountId) -> Busy {
        *self.local().busy.entry(id.clone()).or_default() += 1;
        Busy { id: id.clone(), local: Arc::clone(&self.local) }
    }

    /// Whether it is time to ask for this account's quota; says yes once per interval.
    fn probe_due(&self, id: &AccountId) -> bool {
        let mut local = self.local();
        let due = local.probed.get(id).is_none_or(|at| at.elapsed() >= self.settings.probe_every);
        if due {
            local.probed.insert(id.clone(), Instant::now());
        }
        due
    }
}

/// A turn that uses an account.
#[derive(Debug)]
pub(crate) struct Busy {
    id: AccountId,
    local: Arc<Mutex<Local>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = local.busy.get_mut(&self.id) {
            *count = count.saturating_sub(1);
        }
    }
}
