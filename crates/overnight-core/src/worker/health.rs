//! Whether a worker may take jobs, and what brings it back when it may not.
//!
//! Three kinds of trouble are kept apart, because they clear in different ways:
//!
//! - **Failures of the infrastructure** in a row: the worker waits longer after each, and from a number of them on it is
//!   *unhealthy*: it takes nothing, but looks again at intervals and goes on by itself when the look succeeds.
//! - **An expired login** keeps back the jobs of that backend and no others; now and then one of them may try.
//! - **A full disk** keeps back all jobs until there is room again.
//!
//! Only draining lasts until somebody takes it back. Every wait knows when it began, so that a clock that is set back ends it rather than
//! stretching it.

use std::path::PathBuf;
use std::time::Duration;

use crate::agent::BackendId;
use crate::text::{human_duration, one_line};
use crate::units::Timestamp;

use super::report::{Credential, CredentialStatus};
use super::vocabulary::{ClosedReason, HealthEvent, HealthPolicy, Intake, JobOutcome, WorkerStatus};

/// A cause is shown to people and in JSON; an error with a page of context is not.
const DETAIL_CHARS: usize = 400;

/// The health of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    policy: HealthPolicy,
    draining: bool,
    failing: Option<Failing>,
    disk: Option<LowDisk>,
    logins: Vec<Login>,
}

/// Failures in a row; at least one of the two counts is above zero.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failing {
    store: u32,
    other: u32,
    /// Until the next claim, or, when unhealthy, until the next look.
    wait: Wait,
    detail: String,
}

impl Failing {
    fn count(&self) -> u32 {
        self.store.saturating_add(self.other)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct LowDisk {
    path: PathBuf,
    free_bytes: u64,
    floor_bytes: u64,
    wait: Wait,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Login {
    backend: BackendId,
    since: Timestamp,
    expired: Option<Expired>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Expired {
    detail: String,
    /// Until the next job of the backend may try.
    wait: Wait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    since: Timestamp,
    span: Duration,
}

impl Wait {
    fn from(since: Timestamp, span: Duration) -> Self {
        Self { since, span }
    }

    /// A clock that shows a time before the wait began was set back: the wait is over, because nobody knows better.
    fn is_over(self, now: Timestamp) -> bool {
        now < self.since || now >= self.until()
    }

    fn until(self) -> Timestamp {
        self.since.plus(self.span)
    }

    /// Begins again, but only when it was over: what fails meanwhile must not put off the next try for ever.
    fn renew(&mut self, now: Timestamp, span: Duration) {
        if self.is_over(now) {
            *self = Self::from(now, span);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Store,
    Other,
}

impl Health {
    #[must_use]
    pub fn new(policy: HealthPolicy) -> Self {
        Self { policy, draining: false, failing: None, disk: None, logins: Vec::new() }
    }

    /// Goes by another policy from now on. A wait that has begun lasts as long as it would have under the new one.
    pub fn follow(&mut self, policy: HealthPolicy) {
        self.policy = policy;
        if let Some(mut failing) = self.failing.take() {
            failing.wait.span = self.rest(failing.count());
            self.failing = Some(failing);
        }
        if let Some(low) = &mut self.disk {
            low.wait.span = policy.probe;
        }
        for expired in self.logins.iter_mut().filter_map(|login| login.expired.as_mut()) {
            expired.wait.span = policy.login_probe;
        }
    }

    /// Takes note of `event`, which happened at `now`.
    pub fn on(&mut self, event: HealthEvent, now: Timestamp) {
        match event {
            HealthEvent::JobEnded(JobOutcome::Done) => self.failing = None,
            HealthEvent::JobEnded(JobOutcome::Waits) => {}
            HealthEvent::JobEnded(JobOutcome::Trouble { detail }) | HealthEvent::ProbeFailed { detail } => {
                self.failed(Source::Other, &detail, now);
            }
            HealthEvent::JobEnded(JobOutcome::LoginExpired { backend, detail }) => {
                self.login_expired(backend, &detail, now);
            }
            HealthEvent::StoreFailed { detail } => self.failed(Source::Store, &detail, now),
            HealthEvent::StoreWorks => self.store_works(),
            HealthEvent::ProbeOk => self.probe_ok(now),
            HealthEvent::LoginWorks { backend } => self.login_works(backend, now),
            HealthEvent::CanaryStarted { backend } => self.canary_started(backend, now),
            HealthEvent::DiskLow { path, free_bytes, floor_bytes } => {
                let mut wait =
                    self.disk.as_ref().map_or_else(|| Wait::from(now, self.policy.probe), |low| low.wait);
                wait.renew(now, self.policy.probe);
                self.disk = Some(LowDisk { path, free_bytes, floor_bytes, wait });
            }
            HealthEvent::DiskOk => self.disk = None,
            HealthEvent::DrainAsked => self.draining = true,
            HealthEvent::DrainUndone => self.draining = false,
        }
    }

    /// A failure that comes in while the worker already waits is of the same trouble and counts once: one lost database
    /// fails all the jobs of a worker at the same moment.
    fn failed(&mut self, source: Source, detail: &str, now: Timestamp) {
        let mut failing = match self.failing.take() {
            Some(failing) if !failing.wait.is_over(now) => {
                self.failing = Some(Failing { detail: one_line(detail, DETAIL_CHARS), ..failing });
                return;
            }
            Some(failing) => failing,
            None => {
                Failing { store: 0, other: 0, wait: Wait::from(now, Duration::ZERO), detail: String::new() }
            }
        };
        match source {
            Source::Store => failing.store = failing.store.saturating_add(1),
            Source::Other => failing.other = failing.other.saturating_add(1),
        }
        failing.wait = Wait::from(now, self.rest(failing.count()));
        failing.detail = one_line(detail, DETAIL_CHARS);
        self.failing = Some(failing);
    }

    /// The wait after so many failures in a row.
    fn rest(&self, failures: u32) -> Duration {
        if failures < self.policy.unhealthy_after { self.policy.backoff(failures) } else { self.policy.probe }
    }

    fn store_works(&mut self) {
        if let Some(failing) = &mut self.failing {
            failing.store = 0;
        }
        self.failing = self.failing.take().filter(|failing| failing.other > 0);
    }

    fn probe_ok(&mut self, now: Timestamp) {
        self.failing = None;
        if let Some(low) = &mut self.disk {
            low.wait.renew(now, self.policy.probe);
        }
    }

    fn login_expired(&mut self, backend: BackendId, detail: &str, now: Timestamp) {
        let span = self.policy.login_probe;
        let login = self.login(backend, now);
        match &mut login.expired {
            Some(expired) => expired.wait.renew(now, span),
            None => {
                login.since = now;
                login.expired =
                    Some(Expired { detail: one_line(detail, DETAIL_CHARS), wait: Wait::from(now, span) });
            }
        }
    }

    fn login_works(&mut self, backend: BackendId, now: Timestamp) {
        let login = self.login(backend, now);
        if login.expired.take().is_some() {
            login.since = now;
        }
    }

    fn canary_started(&mut self, backend: BackendId, now: Timestamp) {
        let span = self.policy.login_probe;
        if let Some(expired) = self
            .logins
            .iter_mut()
            .find(|login| login.backend == backend)
            .and_then(|login| login.expired.as_mut())
        {
            expired.wait = Wait::from(now, span);
        }
    }

    fn login(&mut self, backend: BackendId, now: Timestamp) -> &mut Login {
        let index = self.logins.iter().position(|login| login.backend == backend).unwrap_or_else(|| {
            self.logins.push(Login { backend, since: now, expired: None });
            self.logins.len() - 1
        });
        &mut self.logins[index]
    }

    fn is_unhealthy(&self) -> bool {
        self.failing.as_ref().is_some_and(|failing| failing.count() >= self.policy.unhealthy_after)
    }

    fn expired(&self) -> impl Iterator<Item = (BackendId, &Expired)> {
        self.logins.iter().filter_map(|login| Some((login.backend, login.expired.as_ref()?)))
    }

    /// The worker's status while it works on `busy` jobs. Where several words are true, the one that a person has to act on.
    #[must_use]
    pub fn status(&self, busy: usize, now: Timestamp) -> WorkerStatus {
        match self.closed(now) {
            Some((ClosedReason::Draining, _)) => WorkerStatus::Draining,
            Some((ClosedReason::Unhealthy, _)) => WorkerStatus::Unhealthy,
            Some((ClosedReason::DiskLow | ClosedReason::Backoff, _)) | None
                if self.expired().next().is_some() =>
            {
                WorkerStatus::LoginExpired
            }
            Some((ClosedReason::DiskLow | ClosedReason::Backoff, _)) => WorkerStatus::Backoff,
            None if busy > 0 => WorkerStatus::Running,
            None => WorkerStatus::Idle,
        }
    }

    /// Whether jobs may be claimed now, and which ones not.
    #[must_use]
    pub fn intake(&self, now: Timestamp) -> Intake {
        match self.closed(now) {
            Some((reason, until)) => Intake::Closed { reason, until },
            None => Intake::Open { not_backends: self.expired().map(|(backend, _)| backend).collect() },
        }
    }

    fn closed(&self, now: Timestamp) -> Option<(ClosedReason, Option<Timestamp>)> {
        if self.draining {
            return Some((ClosedReason::Draining, None));
        }
        match (&self.failing, &self.disk) {
            (Some(failing), _) if self.is_unhealthy() => {
                Some((ClosedReason::Unhealthy, Some(failing.wait.until())))
            }
            (_, Some(low)) => Some((ClosedReason::DiskLow, Some(low.wait.until()))),
            (Some(failing), None) if !failing.wait.is_over(now) => {
                Some((ClosedReason::Backoff, Some(failing.wait.until())))
            }
            (Some(_) | None, None) => None,
        }
    }

    /// A backend with an expired login of which one job may try now. Report [`HealthEvent::CanaryStarted`] then, also when
    /// no such job is waiting.
    #[must_use]
    pub fn canary_due(&self, now: Timestamp) -> Option<BackendId> {
        if self.closed(now).is_some() {
            return None;
        }
        self.expired().find(|(_, expired)| expired.wait.is_over(now)).map(|(backend, _)| backend)
    }

    /// Whether to look at the store, the directories and the disk now. Report what was found: [`HealthEvent::ProbeOk`] or
    /// [`HealthEvent::ProbeFailed`], and [`HealthEvent::DiskOk`] or [`HealthEvent::DiskLow`].
    #[must_use]
    pub fn probe_due(&self, now: Timestamp) -> bool {
        let failing = self.failing.as_ref().filter(|_| self.is_unhealthy()).map(|failing| failing.wait);
        let disk = self.disk.as_ref().map(|low| low.wait);
        !self.draining && [failing, disk].into_iter().flatten().any(|wait| wait.is_over(now))
    }

    /// The next time after `now` at which an answer can change without an event.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        if self.draining {
            return None;
        }
        let failing = self.failing.iter().map(|failing| failing.wait);
        let disk = self.disk.iter().map(|low| low.wait);
        let logins = self.expired().map(|(_, expired)| expired.wait);
        failing.chain(disk).chain(logins).filter(|wait| !wait.is_over(now)).map(Wait::until).min()
    }

    /// Failures of the infrastructure since the last thing that went well.
    #[must_use]
    pub fn consecutive_failures(&self) -> u32 {
        self.failing.as_ref().map_or(0, Failing::count)
    }

    /// What failed last; `None` when nothing has since the last thing that went well.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.failing.as_ref().map(|failing| failing.detail.as_str())
    }

    /// Until when no job is claimed because of a failure, while the worker is not unhealthy.
    #[must_use]
    pub fn backoff_until(&self, now: Timestamp) -> Option<Timestamp> {
        let failing = self.failing.as_ref().filter(|_| !self.is_unhealthy())?;
        (!failing.wait.is_over(now)).then(|| failing.wait.until())
    }

    /// What is known of the logins of `backends`, in that order.
    #[must_use]
    pub fn credentials(&self, backends: &[BackendId]) -> Vec<Credential> {
        backends.iter().map(|backend| self.credential(*backend)).collect()
    }

    fn credential(&self, backend: BackendId) -> Credential {
        let Some(login) = self.logins.iter().find(|login| login.backend == backend) else {
            return Credential { backend, status: CredentialStatus::Unknown, since: None, detail: None };
        };
        let (status, detail) = match &login.expired {
            Some(expired) => (CredentialStatus::Expired, Some(expired.detail.clone())),
            None => (CredentialStatus::Ok, None),
        };
        Credential { backend, status, since: Some(login.since), detail }
    }

    /// What a person should do; `None` when nothing is needed. `login_hint` says how to log in to a backend.
    #[must_use]
    pub fn advice(&self, login_hint: impl Fn(BackendId) -> &'static str) -> Option<String> {
        let mut advice = Vec::new();
        if let Some(failing) = self.failing.as_ref().filter(|_| self.is_unhealthy()) {
            let (count, detail) = (failing.count(), &failing.detail);
            let probe = human_duration(self.policy.probe);
            advice.push(format!(
                "{count} failures in a row, the last one: {detail}. Mend the cause; the worker looks every {probe} and goes on by itself."
            ));
        }
        if let Some(low) = &self.disk {
            let (free, floor) = (mebibytes(low.free_bytes), mebibytes(low.floor_bytes));
            let path = low.path.display();
            advice.push(format!(
                "Only {free} MiB are free at {path}, and jobs are claimed from {floor} MiB on: make room, for example with `overnight gc`."
            ));
        }
        advice.extend(self.expired().map(|(backend, expired)| {
            let (hint, detail) = (login_hint(backend), &expired.detail);
            format!("The login of {backend} has expired ({detail}): {hint}. Its jobs go on by themselves after that.")
        }));
        (!advice.is_empty()).then(|| advice.join(" "))
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes / (1024 * 1024)
}
