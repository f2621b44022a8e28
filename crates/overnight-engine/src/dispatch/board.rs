//! What a worker knows of itself, and the report it makes of that.

use std::collections::BTreeMap;
use std::time::Duration;

use overnight_core::id::{JobId, TaskKey, WorkerId};
use overnight_core::job::{Job, Stage};
use overnight_core::units::Timestamp;
use overnight_core::worker::{BusyJob, Health, Histogram, LastJob, WorkerReport};

use super::{DispatchSettings, WorkerFacts};

/// Counters and the jobs at hand.
#[derive(Debug)]
pub(super) struct Board {
    worker: WorkerId,
    facts: WorkerFacts,
    started_at: Timestamp,
    busy: BTreeMap<JobId, BusyJob>,
    last_job: Option<LastJob>,
    claim_latency: Histogram,
    pub(super) claims: u64,
    done: u64,
}

impl Board {
    pub(super) fn new(worker: WorkerId, facts: WorkerFacts, now: Timestamp) -> Self {
        Self {
            worker,
            facts,
            started_at: now,
            busy: BTreeMap::new(),
            last_job: None,
            claim_latency: Histogram::default(),
            claims: 0,
            done: 0,
        }
    }

    pub(super) fn busy(&self) -> usize {
        self.busy.len()
    }

    pub(super) fn claimed(&mut self, job: &Job) {
        self.claims += 1;
        if let Some(waited) = waited(job) {
            self.claim_latency.observe(waited);
        }
        let stage = job.state.stage().unwrap_or(Stage::Cleanup);
        let busy = BusyJob { key: job.key.clone(), stage, since: job.updated_at };
        self.busy.insert(job.id.clone(), busy);
    }

    pub(super) fn stage(&mut self, job: &JobId, stage: Stage) {
        if let Some(busy) = self.busy.get_mut(job) {
            busy.stage = stage;
        }
    }

    /// `reason`: a code of the public lists; `done`: it has ended.
    pub(super) fn let_go(&mut self, job: &JobId, key: &TaskKey, reason: &str, done: bool, now: Timestamp) {
        self.busy.remove(job);
        self.done += u64::from(done);
        self.last_job = Some(LastJob { key: key.clone(), reason: reason.to_owned(), at: now });
    }

    /// `heartbeat`: when the store last answered one.
    pub(super) fn report(
        &self,
        health: &Health,
        settings: &DispatchSettings,
        heartbeat: Timestamp,
        now: Timestamp,
    ) -> WorkerReport {
        WorkerReport {
            worker: self.worker.clone(),
            version: self.facts.version.clone(),
            host: self.facts.host.clone(),
            pid: self.facts.pid,
            started_at: self.started_at,
            heartbeat_at: heartbeat,
            status: health.status(self.busy.len(), now),
            advice: health.advice(overnight_agents::login_hint),
            slots: u32::try_from(settings.slots).unwrap_or(u32::MAX),
            busy: self.busy.values().cloned().collect(),
            last_job: self.last_job.clone(),
            consecutive_failures: health.consecutive_failures(),
            backoff_until: health.backoff_until(now),
            credentials: health.credentials(&settings.offer.backends),
            intake: health.intake(now),
            claim_latency: self.claim_latency.clone(),
            claims_total: self.claims,
            jobs_done_total: self.done,
        }
    }
}

/// How long a job that nobody had claimed before could have been claimed.
fn waited(job: &Job) -> Option<Duration> {
    let ready = job.queueing.not_before.map_or(job.created_at, |at| at.max(job.created_at));
    (job.fence.0 == 1 && job.queueing.not_before.is_none_or(|at| at <= job.updated_at))
        .then(|| job.updated_at.since(ready))
}
