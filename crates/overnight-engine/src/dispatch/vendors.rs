//! Which of a worker's backends may be asked, as the circuits of their accounts say. What stands here may be a little old: whoever starts a
//! turn looks again, so that an old look costs a claim and no question to a vendor.

use std::collections::HashMap;
use std::time::Duration;

use overnight_core::agent::{AccountId, BackendId};
use overnight_core::policy::circuit::{Admission, Circuit};
use overnight_core::units::Timestamp;
use tokio::time::Instant;

use crate::accounts::Accounts;

/// A look serves this long while all vendors answer, and while one does not.
const CALM: Duration = Duration::from_secs(2);
const ALERT: Duration = Duration::from_millis(250);
/// A job that was claimed to try a vendor has begun to do so within this time; otherwise another is claimed.
const CANARY: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Vendors {
    circuits: Vec<(AccountId, Circuit)>,
    looked: Option<Instant>,
    /// When a job was claimed to try a backend.
    sent: HashMap<BackendId, Instant>,
    /// A job of this worker has just been refused: what stands here is not true any more.
    suspect: bool,
}

impl Vendors {
    pub(super) fn is_old(&self) -> bool {
        let span =
            if self.circuits.iter().any(|(_, circuit)| circuit.open().is_some()) { ALERT } else { CALM };
        self.looked.is_none_or(|at| at.elapsed() >= span)
    }

    /// A job has let go because its vendor does not answer: nothing is claimed before the circuits were looked at.
    pub(super) fn suspect(&mut self) {
        self.suspect = true;
        self.looked = None;
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Takes note of the circuits as they are. Returns whether they have changed.
    pub(super) fn saw(&mut self, circuits: Vec<(AccountId, Circuit)>) -> bool {
        self.looked = Some(Instant::now());
        self.suspect = false;
        let changed = circuits != self.circuits;
        self.circuits = circuits;
        changed
    }

    /// Backends that no job is claimed for.
    pub(super) fn closed(
        &self,
        accounts: &Accounts,
        offered: &[BackendId],
        now: Timestamp,
    ) -> Vec<BackendId> {
        let is_closed =
            |backend: &BackendId| accounts.admission(*backend, &self.circuits, now) != Admission::Open;
        offered.iter().copied().filter(is_closed).collect()
    }

    /// A backend that one job may be claimed for, to try it. Says so once for a while.
    pub(super) fn canary(
        &mut self,
        accounts: &Accounts,
        offered: &[BackendId],
        now: Timestamp,
    ) -> Option<BackendId> {
        let due = |backend: &BackendId| {
            accounts.admission(*backend, &self.circuits, now) == Admission::Canary
                && self.sent.get(backend).is_none_or(|at| at.elapsed() >= CANARY)
        };
        let backend = offered.iter().copied().find(due)?;
        self.sent.insert(backend, Instant::now());
        Some(backend)
    }

    /// Nothing was there to try it with: the next job may.
    pub(super) fn not_sent(&mut self, backend: BackendId) {
        self.sent.remove(&backend);
    }

    /// The next time at which a closed backend may be tried or asked.
    pub(super) fn next_change(
        &self,
        accounts: &Accounts,
        offered: &[BackendId],
        now: Timestamp,
    ) -> Option<Timestamp> {
        let waits =
            offered.iter().filter_map(|backend| match accounts.admission(*backend, &self.circuits, now) {
                Admission::Wait { until, .. } => Some(until),
                Admission::Open | Admission::Canary => None,
            });
        waits.min()
    }
}
