//! Keeps every lease of this worker alive, and learns from the answers which jobs are still ours and which somebody wants
//! ended. One statement for all of them, on a thread of its own with a connection of its own: neither busy jobs nor a slow
//! disk can make it miss a beat.

mod holds;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use overnight_core::id::{Fence, JobId, WorkerId};
use overnight_proc::boot_clock;
use overnight_store::{Beat, Lease, Store, StoreError};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::signals::Signals;
pub(crate) use holds::Holding;
use holds::Holds;

/// How often the cancel flags are looked at while jobs are held. Reading them costs microseconds; half a second is what a
/// person takes for "at once".
const PEEK: Duration = Duration::from_millis(500);
/// The same while nothing is held: only for the order to drain.
const IDLE_PEEK: Duration = Duration::from_secs(2);
/// The holder stops itself this long before its lease could be taken by another, so that its tree is gone by then.
const MARGIN: Duration = Duration::from_secs(12);
/// Longest wait for one answer: a database that hangs must not stop the watch over the deadlines.
const ANSWER: Duration = Duration::from_secs(5);
/// What a worker says of itself before it has anything to say, as JSON.
const NOTHING: &str = "null";

/// Lease times, both settings.
#[derive(Debug, Clone, Copy)]
pub struct Rhythm {
    /// How long a lease holds without a renewal.
    pub lease: Duration,
    pub heartbeat: Duration,
}

impl Rhythm {
    /// How long a lease may go without a confirmed renewal before its holder stops itself.
    fn safe(self) -> Duration {
        self.lease.saturating_sub(MARGIN.min(self.lease / 3))
    }
}

/// What the heartbeat knows about the store and about this worker's orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Since when no heartbeat was answered, as time since boot, and why.
    pub failing: Option<(Duration, String)>,
    /// Somebody wants this worker to take no more jobs.
    pub drain: bool,
    /// Time since boot of the last answered heartbeat.
    pub last: Option<Duration>,
}

/// The heartbeat of a worker. Ends when it is dropped; leases then run out by themselves.
#[derive(Debug)]
pub struct Heart {
    holds: Arc<Holds>,
    report: watch::Sender<String>,
    pulse: watch::Receiver<Pulse>,
    started: Duration,
    _end: DropGuard,
}

impl Heart {
    /// Starts it.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(store: &Store, worker: &WorkerId, rhythm: Rhythm) -> io::Result<Self> {
        let holds = Arc::new(Holds::default());
        let (report, reports) = watch::channel(NOTHING.to_owned());
        let (pulses, pulse) = watch::channel(Pulse::default());
        let end = CancellationToken::new();
        let beating = Beating {
            store: store.separate(),
            worker: worker.clone(),
            rhythm,
            holds: Arc::clone(&holds),
            reports,
            pulses,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = end.clone();
        std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
            runtime.block_on(async { ended.run_until_cancelled(Box::pin(beating.run())).await });
        })?;
        Ok(Self { holds, report, pulse, started: boot_clock(), _end: end.drop_guard() })
    }

    /// Watches over a lease from now on: `signals` hear of its loss and of a cancel.
    pub(crate) fn hold(&self, lease: &Arc<Lease>, signals: &Arc<Signals>, rhythm: Rhythm) -> Holding {
        self.holds.add(lease, signals, boot_clock() + rhythm.safe())
    }

    /// What the next heartbeats say of this worker, as JSON.
    pub fn report(&self, report: String) {
        self.report.send_replace(report);
    }

    /// How long ago the last answered heartbeat was; since its start when none was answered yet.
    #[must_use]
    pub fn age(&self) -> Duration {
        let last = self.pulse.borrow().last.unwrap_or(self.started);
        boot_clock().saturating_sub(last)
    }

    #[must_use]
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.clone()
    }
}

struct Beating {
    store: Store,
    worker: WorkerId,
    rhythm: Rhythm,
    holds: Arc<Holds>,
    reports: watch::Receiver<String>,
    pulses: watch::Sender<Pulse>,
}

impl Beating {
    async fn run(self) {
        let mut ticks = interval(PEEK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next = Duration::ZERO;
        let mut idle = Duration::ZERO;
        let mut unknown = Vec::new();
        let mut introduced = false;
        loop {
            ticks.tick().await;
            let now = boot_clock();
            // First of all, and without asking anybody: after a stop or a sleep of this machine the leases may be over.
            self.holds.expire(now);
            // A worker that has something to say of itself for the first time is not kept waiting: others look for it.
            let introduces = !introduced && *self.reports.borrow() != NOTHING;
            introduced |= introduces;
            if now >= next || introduces {
                if self.beat(now, &mut unknown).await {
                    next = now + self.rhythm.heartbeat;
                } else {
                    // One failed renewal is not a loss: it is tried again soon, and the deadline decides.
                    next = now + PEEK * 2;
                }
            } else if !self.holds.is_empty() || now >= idle {
                idle = now + IDLE_PEEK;
                self.peek(now).await;
            }
            self.holds.expire(boot_clock());
        }
    }

    /// `unknown`: leases that nobody here worked under at the last beat.
    async fn beat(&self, asked: Duration, unknown: &mut Vec<(JobId, Fence)>) -> bool {
        let report = self.reports.borrow().clone();
        let beat = self.store.worker_beat(&self.worker, self.rhythm.lease, &report);
        match answered(beat).await {
            Ok(beat) => {
                self.holds.judge(&beat.held, asked, Some(asked + self.rhythm.safe()));
                let before = std::mem::replace(unknown, self.holds.unknown(&beat.held));
                self.give_back(unknown.iter().filter(|lease| before.contains(lease))).await;
                self.pulses.send_if_modified(|pulse| {
                    let drain = pulse.drain != beat.drain || pulse.failing.is_some();
                    *pulse = Pulse { failing: None, drain: beat.drain, last: Some(asked) };
                    drain
                });
                true
            }
            Err(why) => {
                tracing::warn!(worker = %self.worker, %why, "a heartbeat failed");
                self.pulses.send_modify(|pulse| {
                    pulse.failing.get_or_insert((asked, why));
                });
                false
            }
        }
    }

    /// A lease that is unknown twice is not one that is just being taken: nobody works under it, and this heartbeat would
    /// keep it for ever.
    async fn give_back(&self, leases: impl Iterator<Item = &(JobId, Fence)>) {
        for (job, fence) in leases {
            tracing::warn!(job.id = %job, "a lease that nobody works under is given back");
            let released = self.store.lease_abandon(&self.worker, job, *fence);
            if let Ok(Err(error)) = timeout(ANSWER, released).await {
                tracing::warn!(job.id = %job, %error, "it could not be given back");
            }
        }
    }

    async fn peek(&self, asked: Duration) {
        match answered(self.store.worker_peek(&self.worker)).await {
            Ok(beat) => {
                self.holds.judge(&beat.held, asked, None);
                self.pulses
                    .send_if_modified(|pulse| std::mem::replace(&mut pulse.drain, beat.drain) != beat.drain);
            }
            Err(why) => tracing::debug!(worker = %self.worker, %why, "looking for cancels failed"),
        }
    }
}

async fn answered(asking: impl Future<Output = Result<Beat, StoreError>>) -> Result<Beat, String> {
    match timeout(ANSWER, asking).await {
        Ok(Ok(beat)) => Ok(beat),
        Ok(Err(error)) => Err(crate::trouble::chain(&error)),
        Err(_) => Err(format!("the database did not answer within {} s", ANSWER.as_secs())),
    }
}
