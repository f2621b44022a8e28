//! What a worker does from time to time beside its jobs: wakes what is due, sweeps, takes back what lost workers held, and tries
//! whether a login works again.

use std::time::Duration;

use overnight_core::agent::BackendId;
use overnight_core::job::ParkReason;
use overnight_core::worker::{HealthEvent, Intake};
use overnight_store::Reclaimed;
use tokio::time::Instant;

use super::super::{DispatchSettings, Told, chores, intake};
use super::Worker;

impl Worker {
    pub(super) async fn chores(&mut self) {
        let now = Instant::now();
        let polling = now >= self.due.poll;
        if polling {
            self.dry = false;
            self.due.poll = now + jittered(self.settings.borrow().poll);
        }
        if polling && let Err(event) = chores::limited(crate::ideas::go_on(self.engine.store())).await {
            self.happened(event);
        }
        if polling || self.due.wake.is_some_and(|at| now >= at) {
            match chores::limited(self.engine.store().jobs_due()).await {
                Ok(next) => self.due.wake = next.map(|at| self.clock.instant(at)),
                Err(event) => self.happened(event),
            }
        }
        if now >= self.due.sweep {
            Box::pin(self.sweep()).await;
            self.due.sweep = Instant::now() + jittered(self.settings.borrow().sweep);
        }
        if self.health.probe_due(self.clock.now()) {
            let found = chores::probe(&self.engine).await;
            self.happened(found);
            let floor = self.settings.borrow().disk_floor;
            let disk = chores::disk(&self.engine, floor).await;
            self.happened(disk);
        }
        if let Some(backend) = self.health.canary_due(self.clock.now()) {
            self.happened(HealthEvent::CanaryStarted { backend });
            self.canary(backend).await;
        }
        if self.vendors.is_suspect() {
            self.look_at_vendors().await;
        }
        if self.watches() {
            let (policy, pause) = (self.settings.borrow().watch, self.settings.borrow().poll);
            self.watching.begin(&self.engine, policy, jittered(pause));
        }
        self.try_vendor().await;
    }

    /// Looks at the circuits from time to time, where there is a vendor to ask. Returns whether they have changed.
    pub(super) async fn look_at_vendors(&mut self) -> bool {
        let vendors = self.settings.borrow().offer.backends.iter().any(|backend| backend.is_vendor());
        if !vendors || !self.vendors.is_old() {
            return false;
        }
        match chores::limited(self.engine.store().circuits()).await {
            Ok(circuits) => self.vendors.saw(circuits),
            Err(event) => {
                self.happened(event);
                false
            }
        }
    }

    /// One job tries a vendor that has refused, when the time for that has come. Others of its backend are not claimed meanwhile.
    async fn try_vendor(&mut self) {
        let offer = self.settings.borrow().offer.clone();
        let now = self.clock.now();
        let Intake::Open { not_backends } = self.health.intake(now) else { return };
        let offered: Vec<BackendId> =
            offer.backends.iter().copied().filter(|backend| !not_backends.contains(backend)).collect();
        if self.free() == 0 {
            return;
        }
        let Some(backend) = self.vendors.canary(self.engine.accounts(), &offered, now) else { return };
        let before = self.board.claims;
        self.claim_one(overnight_store::Offer { backends: vec![backend], ..offer }).await;
        if self.board.claims == before {
            self.vendors.not_sent(backend);
        }
    }

    async fn sweep(&mut self) {
        let settings = self.settings.borrow().clone();
        let disk = chores::disk(&self.engine, settings.disk_floor).await;
        let is_roomy = disk == HealthEvent::DiskOk;
        self.happened(disk);
        match self.reclaim(&settings).await {
            Ok(reclaimed) if reclaimed.is_empty() => {}
            Ok(reclaimed) => self.tell(Told::Reclaimed(reclaimed)),
            Err(event) => self.happened(event),
        }
        let store = self.engine.store();
        // Logins that are not known to have expired here: one waiting job tries, and the others follow it.
        if let Intake::Open { not_backends } = self.health.intake(self.clock.now()) {
            let mut backends = settings.offer.backends;
            backends.retain(|backend| !not_backends.contains(backend));
            if let Err(event) = chores::limited(chores::canaries(store, &backends)).await {
                self.happened(event);
            }
        }
        let store = self.engine.store();
        if is_roomy
            && let Err(event) = chores::limited(store.jobs_wake(ParkReason::DiskFull, None, false)).await
        {
            self.happened(event);
        }
    }

    /// Takes back the jobs of lost workers, unless the clock that says so has just been set.
    async fn reclaim(&mut self, settings: &DispatchSettings) -> Result<Vec<Reclaimed>, HealthEvent> {
        let (asked, store) = (Instant::now(), self.engine.store());
        let now = chores::limited(store.now()).await?;
        if self.clock.set(now, asked) {
            tracing::warn!("the clock of the database was set; every lease begins again");
            self.due.poll = asked;
            return chores::limited(store.leases_restart(self.engine.settings().lease))
                .await
                .map(|()| Vec::new());
        }
        chores::limited(Box::pin(chores::reclaim(&self.engine, &self.host, settings, now))).await
    }

    /// One job of a backend whose login had expired tries again. The backend is closed to claims, so it is claimed by name.
    async fn canary(&mut self, backend: BackendId) {
        let store = self.engine.store();
        if let Err(event) = chores::limited(chores::canaries(store, &[backend])).await {
            return self.happened(event);
        }
        let offer =
            overnight_store::Offer { backends: vec![backend], ..self.settings.borrow().offer.clone() };
        self.claim_one(offer).await;
    }

    async fn claim_one(&mut self, offer: overnight_store::Offer) {
        let store = self.engine.store();
        let order = overnight_store::ClaimOrder { claimant: self.engine.claimant().clone(), slots: 1, offer };
        match intake::claim(store, &order).await {
            Ok(claims) => claims.taken.into_iter().for_each(|claimed| self.begin(claimed)),
            Err(error) => self.happened(HealthEvent::StoreFailed { detail: crate::trouble::chain(&error) }),
        }
    }
}

/// Spread by up to a tenth, so that many workers do not ask at the same moments.
fn jittered(span: Duration) -> Duration {
    let random = uuid::Uuid::now_v7().as_u128() % 1000;
    let part = u32::try_from(random).unwrap_or(0);
    span.mul_f64(0.9 + f64::from(part) / 5000.0)
}
