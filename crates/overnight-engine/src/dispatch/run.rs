//! The loop of a worker. Waits for something to happen, lets it change what is known, claims what may be claimed, and says
//! how it stands.

mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use overnight_core::job::{JobState, ParkReason};
use overnight_core::units::Timestamp;
use overnight_core::worker::{Health, HealthEvent, Intake, WorkerReport, WorkerStatus};
use overnight_store::Claimed;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::engine::Engine;

use super::board::Board;
use super::clock::Clock;
use super::crew::{Crew, Done, Note};
use super::outcome::conclude;
use super::vendors::Vendors;
use super::watching::Watching;
use super::{
    DispatchError, DispatchSettings, Finished, Mode, OnceEnd, Orders, Told, WorkerFacts, chores, intake,
};

/// Longest wait for jobs to let go when they are forced to.
const LETTING_GO: Duration = Duration::from_secs(15);

/// Works until the mode, an order or a drain ends it. Jobs that run when a drain begins are finished.
///
/// # Errors
/// [`DispatchError`] when the store cannot be asked for the time at the start; later failures of the store are waited out.
pub async fn run(
    engine: Arc<Engine>,
    facts: WorkerFacts,
    settings: watch::Receiver<DispatchSettings>,
    mode: Mode,
    orders: Orders,
    wires: Wires,
) -> Result<Finished, DispatchError> {
    let mut worker = Worker::new(engine, facts, settings, mode, orders, wires).await?;
    Box::pin(worker.work()).await;
    Ok(worker.finish().await)
}

/// Where a worker's words go.
#[derive(Debug)]
pub struct Wires {
    pub reports: watch::Sender<Option<WorkerReport>>,
    pub told: mpsc::UnboundedSender<Told>,
}

/// When the next things are due.
struct Due {
    poll: Instant,
    sweep: Instant,
    /// The next job whose time comes.
    wake: Option<Instant>,
}

struct Worker {
    engine: Arc<Engine>,
    settings: watch::Receiver<DispatchSettings>,
    mode: Mode,
    orders: Orders,
    wires: Wires,
    host: String,
    clock: Clock,
    health: Health,
    board: Board,
    crew: Crew,
    notes: mpsc::UnboundedReceiver<Note>,
    due: Due,
    began: Instant,
    draining: bool,
    once: Option<OnceEnd>,
    status: WorkerStatus,
    /// Nothing was ready at the last look.
    dry: bool,
    vendors: Vendors,
    watching: Watching,
}

impl Worker {
    async fn new(
        engine: Arc<Engine>,
        facts: WorkerFacts,
        settings: watch::Receiver<DispatchSettings>,
        mode: Mode,
        orders: Orders,
        wires: Wires,
    ) -> Result<Self, DispatchError> {
        let now = engine.store().now().await?;
        let policy = settings.borrow().health;
        let host = facts.host.clone();
        let began = Instant::now();
        let (crew, notes) = Crew::new(Arc::clone(&engine));
        Ok(Self {
            board: Board::new(engine.claimant().worker.clone(), facts, now),
            engine,
            settings,
            mode,
            orders,
            wires,
            host,
            clock: Clock::started(now),
            health: Health::new(policy),
            crew,
            notes,
            due: Due { poll: began, sweep: began, wake: None },
            began,
            draining: false,
            once: None,
            status: WorkerStatus::Idle,
            dry: false,
            vendors: Vendors::default(),
            watching: Watching::new(began),
        })
    }

    async fn work(&mut self) {
        let _listening = self.engine.store().listen();
        let mut woken = self.engine.store().subscribe();
        let mut pulse = self.engine.heart().pulse();
        let (drain, force) = (self.orders.drain.clone(), self.orders.force.clone());
        self.tell(Told::Started { slots: self.slots() });
        while !force.is_cancelled() {
            Box::pin(self.chores()).await;
            // Marked as seen before the queue is looked at: what comes in between wakes again.
            woken.mark_unchanged();
            self.claim().await;
            if self.look_at_vendors().await {
                continue;
            }
            self.publish();
            if self.is_finished() {
                return;
            }
            let next = self.next_look();
            tokio::select! {
                Some(done) = self.crew.next(), if !self.crew.is_empty() => self.ended(done),
                looks = self.watching.ended() => self.dry &= looks == 0,
                Some(note) = self.notes.recv() => self.noted(note).await,
                Ok(()) = woken.changed() => self.dry = false,
                Ok(()) = pulse.changed() => self.felt(&pulse.borrow_and_update().clone()),
                Ok(()) = self.settings.changed() => self.resettled(),
                () = drain.cancelled(), if !self.draining => self.drain(),
                () = force.cancelled() => {}
                () = sleep_until(next) => {}
            }
            // Steps that were committed together end together: their slots are filled together, too.
            while let Some(done) = self.crew.ended() {
                self.ended(done);
            }
        }
    }

    fn resettled(&mut self) {
        self.dry = false;
        let policy = self.settings.borrow_and_update().health;
        self.health.follow(policy);
    }

    fn slots(&self) -> usize {
        match self.mode {
            Mode::Once { .. } => 1,
            Mode::Forever | Mode::UntilIdle => self.settings.borrow().slots,
        }
    }

    fn is_finished(&self) -> bool {
        if !self.crew.is_empty() {
            return false;
        }
        let over = match self.mode {
            Mode::Forever => false,
            Mode::UntilIdle => self.dry && !self.watching.is_running(),
            Mode::Once { wait } => self.once.is_some() || self.began.elapsed() >= wait,
        };
        over || self.draining
    }

    fn next_look(&self) -> Instant {
        let change = self.health.next_change(self.clock.now()).map(|at| self.clock.instant(at));
        let waited = match self.mode {
            Mode::Once { wait } => Some(self.began + wait),
            Mode::Forever | Mode::UntilIdle => None,
        };
        let offered = self.settings.borrow().offer.backends.clone();
        let asked = self.vendors.next_change(self.engine.accounts(), &offered, self.clock.now());
        let asked = asked.map(|at| self.clock.instant(at));
        let looks = self.watching.next().filter(|_| self.watches());
        let soon = [self.due.wake, change, asked, looks, waited.filter(|at| *at > Instant::now())];
        soon.into_iter().flatten().fold(self.due.poll.min(self.due.sweep), Instant::min)
    }

    /// Claims as long as there is something and room for it: a wake that was lost is made up for by looking until nothing is
    /// left.
    async fn claim(&mut self) {
        loop {
            let free = self.free();
            let settings = self.settings.borrow().clone();
            let now = self.clock.now();
            let open = self.health.intake(now);
            let closed = self.vendors.closed(self.engine.accounts(), &settings.offer.backends, now);
            let Some(order) = intake::order(self.engine.claimant(), &settings.offer, &open, &closed, free)
            else {
                // With an open intake and room, but for no backend that works here: as good as nothing.
                if free > 0 {
                    self.dry = matches!(open, Intake::Open { .. });
                }
                return;
            };
            match intake::claim(self.engine.store(), &order).await {
                Ok(claims) => {
                    if !claims.unreadable.is_empty() {
                        let keys = claims.unreadable.iter().map(ToString::to_string).collect();
                        self.tell(Told::Unreadable(keys));
                    }
                    self.dry = claims.taken.is_empty();
                    for claimed in claims.taken {
                        self.begin(claimed);
                    }
                    if self.dry {
                        return;
                    }
                }
                Err(error) => {
                    self.happened(HealthEvent::StoreFailed { detail: crate::trouble::chain(&error) });
                    return;
                }
            }
        }
    }

    /// Whether it looks after pull requests.
    fn watches(&self) -> bool {
        let once = matches!(self.mode, Mode::Once { .. });
        !once && !self.draining && self.settings.borrow().watch.on
    }

    /// Jobs that may be begun.
    fn free(&self) -> usize {
        match (self.draining, self.mode, self.board.claims) {
            (true, _, _) | (false, Mode::Once { .. }, 1..) => 0,
            (false, _, _) => self.slots().saturating_sub(self.crew.len()),
        }
    }

    fn begin(&mut self, claimed: Claimed) {
        let job = &claimed.job;
        self.board.claimed(job);
        self.tell(Told::Claimed { job: job.id.clone(), key: job.key.clone(), title: job.spec.title.clone() });
        self.crew.begin(claimed);
    }

    async fn noted(&mut self, note: Note) {
        match note {
            Note::Stage(job, stage) => self.board.stage(&job, stage),
            Note::Answered(backend) => {
                self.happened(HealthEvent::LoginWorks { backend });
                let wake = self.engine.store().jobs_wake(ParkReason::AgentLogin, Some(backend), false);
                if let Err(event) = chores::limited(wake).await {
                    self.happened(event);
                }
            }
        }
    }

    fn ended(&mut self, done: Done) {
        let now = self.clock.now();
        let (job, result) = match done {
            Done::Worked { job, result } => (job, result),
            Done::BrokenOff { job } => {
                // A panic in one job is one job's trouble.
                let why =
                    "the work on it broke off; this is a fault of Overnight, please report it".to_owned();
                self.board.let_go(&job.id, &job.key, "internal_error", false, now);
                return self.tell(Told::Failed { job: job.id, key: job.key, why });
            }
        };
        self.watching.ended_beside(&self.engine, &job);
        let conclusion = conclude(&job, result.as_ref().err());
        if let JobState::Parked { reason: ParkReason::RateLimited | ParkReason::Overloaded, .. } = &job.state
        {
            self.vendors.suspect();
        }
        self.board.let_go(&job.id, &job.key, &conclusion.reason, conclusion.ended, now);
        if let Some(outcome) = conclusion.health {
            self.happened(HealthEvent::JobEnded(outcome));
        }
        self.tell(conclusion.told);
        if matches!(self.mode, Mode::Once { .. }) {
            self.once = Some(match result {
                Ok(()) => OnceEnd::Done(job),
                Err(error) => OnceEnd::Failed { job: job.id, error },
            });
        }
    }

    fn felt(&mut self, pulse: &crate::heart::Pulse) {
        match &pulse.failing {
            Some((_, why)) => self.happened(HealthEvent::StoreFailed { detail: why.clone() }),
            None => self.happened(HealthEvent::StoreWorks),
        }
        match (pulse.drain, self.draining) {
            (true, false) => self.drain(),
            // What a signal asked for nobody takes back.
            (false, true) if !self.orders.drain.is_cancelled() => self.call_back(),
            (true, true) | (false, true | false) => {}
        }
    }

    fn call_back(&mut self) {
        self.draining = false;
        self.dry = false;
        self.happened(HealthEvent::DrainUndone);
        self.tell(Told::CalledBack);
    }

    fn drain(&mut self) {
        self.draining = true;
        self.happened(HealthEvent::DrainAsked);
        self.tell(Told::Draining { running: self.crew.len() });
    }

    fn happened(&mut self, event: HealthEvent) {
        if let HealthEvent::StoreFailed { detail } | HealthEvent::ProbeFailed { detail } = &event {
            tracing::warn!(%detail, "the worker could not do its part");
        }
        let now = self.clock.now();
        self.health.on(event, now);
    }

    /// Says how the worker stands: in the report, and in words when its status has changed.
    fn publish(&mut self) {
        let now = self.clock.now();
        let status = self.health.status(self.board.busy(), now);
        let from = std::mem::replace(&mut self.status, status);
        let plain = |status| matches!(status, WorkerStatus::Running | WorkerStatus::Idle);
        if from != status && !(plain(from) && plain(status)) {
            let advice = self.health.advice(overnight_agents::login_hint);
            let why = advice.or_else(|| self.health.trouble().map(str::to_owned));
            self.tell(Told::Status { from, to: status, why });
        }
        let heartbeat = self.heartbeat_at(now);
        let report = self.board.report(&self.health, &self.settings.borrow(), heartbeat, now);
        if let Ok(text) = serde_json::to_string(&report) {
            self.engine.heart().report(text);
        }
        self.wires.reports.send_replace(Some(report));
    }

    fn heartbeat_at(&self, now: Timestamp) -> Timestamp {
        let age = self.engine.heart().age();
        Timestamp(now.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)))
    }

    fn tell(&self, told: Told) {
        // Nobody listens any more; the work goes on.
        let _ = self.wires.told.send(told);
    }

    /// Lets go of what still runs.
    async fn finish(mut self) -> Finished {
        let forced = self.orders.force.is_cancelled();
        self.watching.stop();
        self.crew.force();
        let deadline = Instant::now() + LETTING_GO;
        while let Ok(Some(done)) = tokio::time::timeout_at(deadline, self.crew.next()).await {
            self.ended(done);
        }
        self.publish();
        Finished { jobs: self.board.claims, once: self.once.take(), forced }
    }
}
